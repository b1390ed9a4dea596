/* SPDX-License-Identifier: MIT */
/* One bidirectional stream a request: rate with some in flight, and the time of each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

struct run {
    struct bench *bench;
    struct qms_open *params;
    uint8_t *body;
    size_t size;
    uint64_t count, opened, closed;
    double *times;
    bool done;
};

struct request {
    struct run *run;
    double from, took; /* until the last byte of the answer was here */
    size_t received;
};

static void open_one(struct run *r);

static void on_readable(struct qms_stream *st, void *arg)
{
    struct request *q = arg;
    uint8_t buf[16384];
    size_t len = 0;

    while (qms_stream_read(st, buf, sizeof(buf), &len) == QMS_OK && len > 0) {
        q->received += len;
        if (q->received == q->run->size) {
            q->took = bench_now() - q->from;
        }
    }
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct request *q = arg;
    struct run *r = q->run;

    if (err != QMS_OK || q->received != r->size) {
        bench_die("a request ended: %s", qms_strerror(err));
    }
    r->times[r->closed] = q->took;
    if (++r->closed == r->count) {
        r->done = true;
        qms_client_stop(r->bench->client);
    }
    qms_stream_release(st);
    free(q);
    if (r->opened < r->count) {
        open_one(r);
    }
}

static const struct qms_stream_callbacks callbacks = {
    .size = sizeof(callbacks), .on_readable = on_readable, .on_closed = on_closed};

static void open_one(struct run *r)
{
    struct qms_stream *st = NULL;
    struct request *q = calloc(1, sizeof(*q));
    size_t taken = 0;

    if (q == NULL) {
        bench_die("out of memory");
    }
    *q = (struct request){.run = r, .from = bench_now()};
    r->opened++;
    if (qms_stream_open(r->bench->conn, QMS_KIND_AGENT, "bench-sink", QMS_OPEN_BIDI,
                        QMS_PRIORITY_HIGH, r->params, &callbacks, q, &st) != QMS_OK ||
        qms_stream_write(st, (struct qms_bytes){r->body, r->size}, &taken) != QMS_OK ||
        qms_stream_finish(st) != QMS_OK) {
        bench_die("a request could not be sent");
    }
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

void bench_requests(struct bench *b, uint64_t count, size_t size, unsigned in_flight)
{
    struct run r = {.bench = b, .count = count, .size = size};
    struct qms_bytes meta = {(const uint8_t *)BENCH_ECHO, strlen(BENCH_ECHO)};
    struct bench_cpu cpu;
    char name[64];

    snprintf(name, sizeof(name), "requests of %zu bytes, %u at once", size, in_flight);
    if (!bench_wanted(b, name)) {
        return;
    }
    r.params = qms_open_new();
    r.body = calloc(1, size);
    r.times = calloc(count, sizeof(*r.times));
    if (r.params == NULL || r.body == NULL || r.times == NULL ||
        qms_open_set_meta(r.params, meta) != QMS_OK) {
        bench_die("out of memory");
    }
    bench_cpu(b, &cpu);
    double from = bench_now();
    for (unsigned i = 0; i < in_flight; i++) {
        open_one(&r);
    }
    bench_run(b, &r.done, 120, "asking");
    double took = bench_now() - from;
    qsort(r.times, count, sizeof(*r.times), by_time);
    bench_row(b, name, (double)count / took, "1/s",
              "there and back p50 %.0f us, p99 %.0f us; %s", r.times[count / 2] * 1e6,
              r.times[count * 99 / 100] * 1e6,
              bench_cpu_text(b, &cpu, 1e6 / (double)count, "us each"));
    free(r.times);
    free(r.body);
    qms_open_free(r.params);
}
