/* SPDX-License-Identifier: MIT */
/* Throughput of N concurrent streams, and of messages framed on one stream. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

struct run {
    struct bench *bench;
    unsigned streams, closed;
    uint64_t each, answered;
    size_t message; /* framed messages of this size; 0: plain bytes */
    bool done;
};

struct out {
    struct run *run;
    uint64_t left;
};

/* What one write offers: a whole message, or a good piece of plain bytes. */
#define PLAIN_LEN 65536u
static uint8_t block[4 + 65536];
static size_t block_len;

/* A message is a four-byte variable-length integer (RFC 9000 section 16) and its bytes. */
static void fill_block(size_t message)
{
    uint8_t head[4] = {(uint8_t)(0x80 | message >> 24), (uint8_t)(message >> 16),
                       (uint8_t)(message >> 8), (uint8_t)message};

    memset(block, 'q', sizeof(block));
    block_len = PLAIN_LEN;
    if (message > 0) {
        memcpy(block, head, sizeof(head));
        block_len = sizeof(head) + message;
    }
}

static void on_writable(struct qms_stream *st, void *arg)
{
    struct out *o = arg;

    while (o->left > 0) {
        size_t at = (size_t)((o->run->each - o->left) % block_len), taken = 0;
        size_t len = block_len - at < o->left ? block_len - at : (size_t)o->left;
        if (qms_stream_write(st, (struct qms_bytes){block + at, len}, &taken) != QMS_OK) {
            return;
        }
        o->left -= taken;
        if (taken < len) {
            return;
        }
    }
    (void)!qms_stream_finish(st);
}

static void on_readable(struct qms_stream *st, void *arg)
{
    struct out *o = arg;
    uint64_t count = 0;
    size_t len = 0;

    if (qms_stream_readable(st) >= sizeof(count) &&
        qms_stream_read(st, &count, sizeof(count), &len) == QMS_OK && len == sizeof(count)) {
        o->run->answered += count;
    }
    char rest[16];
    (void)!qms_stream_read(st, rest, sizeof(rest), &len);
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct out *o = arg;

    if (err != QMS_OK) {
        bench_die("a stream ended: %s", qms_strerror(err));
    }
    qms_stream_release(st);
    if (++o->run->closed == o->run->streams) {
        o->run->done = true;
        qms_client_stop(o->run->bench->client);
    }
    free(o);
}

static const struct qms_stream_callbacks callbacks = {.size = sizeof(callbacks),
                                                      .on_readable = on_readable,
                                                      .on_writable = on_writable,
                                                      .on_closed = on_closed};

static void open_one(struct run *r, struct qms_open *params)
{
    struct qms_stream *st = NULL;
    struct out *o = calloc(1, sizeof(*o));

    if (o == NULL) {
        bench_die("out of memory");
    }
    *o = (struct out){.run = r, .left = r->each};
    if (qms_stream_open(r->bench->conn, QMS_KIND_AGENT, "bench-sink",
                        r->message > 0 ? QMS_OPEN_FRAMED : QMS_OPEN_BIDI, QMS_PRIORITY_NORMAL,
                        params, &callbacks, o, &st) != QMS_OK) {
        bench_die("a stream could not be opened");
    }
    on_writable(st, o);
}

/* Returns the seconds it took. */
static double run_all(struct run *r)
{
    const char *what = r->message > 0 ? BENCH_MESSAGES : BENCH_COUNT;
    struct qms_open *params = qms_open_new();
    struct qms_bytes meta = {(const uint8_t *)what, strlen(what)};

    if (params == NULL || qms_open_set_meta(params, meta) != QMS_OK) {
        bench_die("out of memory");
    }
    fill_block(r->message);
    double from = bench_now();
    for (unsigned i = 0; i < r->streams; i++) {
        open_one(r, params);
    }
    bench_run(r->bench, &r->done, 120, "sending");
    double took = bench_now() - from;
    qms_open_free(params);
    uint64_t want = r->message > 0 ? r->each / block_len : r->each * r->streams;
    if (r->answered != want) {
        bench_die("the sink got %llu of %llu", (unsigned long long)r->answered,
                  (unsigned long long)want);
    }
    return took;
}

struct sent {
    uint64_t bytes, packets;
};

static struct sent sent_so_far(struct qms_connection *c)
{
    uint64_t stats[QMS_CONNECTION_STAT_COUNT];

    qms_connection_stats(c, stats, QMS_CONNECTION_STAT_COUNT);
    return (struct sent){stats[QMS_CONNECTION_BYTES_SENT], stats[QMS_CONNECTION_PACKETS_SENT]};
}

void bench_streams(struct bench *b, unsigned streams, uint64_t total)
{
    struct run r = {.bench = b, .streams = streams, .each = total / streams};
    double gb = (double)(r.each * streams) / 1e9;
    struct bench_cpu cpu;
    char name[64];

    snprintf(name, sizeof(name), "%u stream%s", streams, streams == 1 ? "" : "s");
    if (!bench_wanted(b, name)) {
        return;
    }
    bench_cpu(b, &cpu);
    struct sent from = sent_so_far(b->conn);
    double took = run_all(&r);
    const char *text = bench_cpu_text(b, &cpu, 1 / gb, "core-s/GB");
    struct sent until = sent_so_far(b->conn);
    bench_row(b, name, gb * 1000 / took, "MB/s", "%.2f GB in %.2f s, %.0f bytes a packet; %s",
              gb, took,
              (double)(until.bytes - from.bytes) / (double)(until.packets - from.packets),
              text);
}

void bench_messages(struct bench *b, uint64_t count, size_t size)
{
    struct run r = {.bench = b, .streams = 1, .message = size, .each = count * (size + 4)};
    struct bench_cpu cpu;
    char name[64];

    snprintf(name, sizeof(name), "messages of %zu bytes", size);
    if (!bench_wanted(b, name)) {
        return;
    }
    bench_cpu(b, &cpu);
    double took = run_all(&r);
    const char *text = bench_cpu_text(b, &cpu, 1e6 / (double)count, "us each");
    bench_row(b, name, (double)count / took, "1/s",
              "%llu framed on one stream, a write each; %s", (unsigned long long)count, text);
}
