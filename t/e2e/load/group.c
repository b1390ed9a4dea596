/* SPDX-License-Identifier: MIT */
/* Requests to a group whose members come and go: each is answered by one of them, whole, or
 * ends with an error that is told; none is lost, and none ends early as if it were whole. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "load.h"

#define SIZE   20000 /* bytes of a request, which are its answer too */
#define LIVING 16    /* requests under way */
#define GROUP  "work"

struct run;

struct request {
    struct run *run;
    struct qms_stream *st; /* NULL: none */
    uint64_t seed, written, received;
    bool accepted;
    qms_time began_at;
};

struct run {
    struct load *load;
    uint64_t wanted, begun, over, whole, refused, broken;
    qms_time longest;
    bool done;
    struct request requests[LIVING];
};

static qms_time now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (qms_time)ts.tv_sec * QMS_SECOND + (qms_time)ts.tv_nsec;
}

static void begin(struct request *q);

static void on_result(struct qms_stream *st, void *arg, qms_err err)
{
    struct request *q = arg;

    (void)st;
    q->accepted = err == QMS_OK;
    if (err != QMS_OK) {
        fprintf(stderr, "# refused: %s\n", qms_strerror(err));
    }
}

static void on_writable(struct qms_stream *st, void *arg)
{
    struct request *q = arg;

    (void)!load_write(st, q->seed, &q->written, SIZE);
}

static void on_readable(struct qms_stream *st, void *arg)
{
    struct request *q = arg;
    qms_err err = load_read(q->run->load, st, q->seed, &q->received);

    if (err == QMS_OK && q->received != SIZE) {
        load_fail(q->run->load, "an answer ended after %llu bytes as if it were whole",
                  (unsigned long long)q->received);
    }
}

static void count(struct request *q, qms_err err)
{
    struct run *r = q->run;
    qms_time took = now() - q->began_at;

    r->longest = took > r->longest ? took : r->longest;
    r->over++;
    r->whole += err == QMS_OK && q->received == SIZE;
    r->refused += err != QMS_OK && !q->accepted;
    r->broken += err != QMS_OK && q->accepted;
    if (err == QMS_OK && q->received != SIZE) {
        load_fail(r->load, "a request was lost without an error");
    }
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct request *q = arg;
    struct run *r = q->run;

    count(q, err);
    qms_stream_release(st);
    q->st = NULL;
    r->done = r->over == r->wanted;
}

static void begin(struct request *q)
{
    static const struct qms_stream_callbacks callbacks = {.size = sizeof(callbacks),
                                                          .on_result = on_result,
                                                          .on_readable = on_readable,
                                                          .on_writable = on_writable,
                                                          .on_closed = on_closed};
    struct run *r = q->run;

    *q = (struct request){.run = r, .seed = ++r->begun, .began_at = now()};
    if (qms_stream_open(r->load->from, QMS_KIND_GROUP, GROUP, QMS_OPEN_BIDI,
                        QMS_PRIORITY_NORMAL, NULL, &callbacks, q, &q->st) != QMS_OK) {
        load_fail(r->load, "a request could not be opened");
        return;
    }
    on_writable(q->st, q);
}

int load_group(struct load *l, uint64_t requests, uint64_t pause_ms)
{
    static struct run r;

    r = (struct run){.load = l, .wanted = requests};
    for (unsigned turns = 0; !r.done && !l->failed && turns < 400000; turns++) {
        for (size_t i = 0; i < LIVING && r.begun < r.wanted && !l->failed; i++) {
            r.requests[i].run = &r;
            if (r.requests[i].st == NULL) {
                begin(&r.requests[i]);
                break; /* one a turn */
            }
        }
        (void)qms_client_run(l->client, pause_ms * QMS_MILLISECOND);
    }
    printf("{\"requests\": %llu, \"whole\": %llu, \"refused\": %llu, \"broken\": %llu, "
           "\"longest_ms\": %.1f, \"all_over\": %s}\n",
           (unsigned long long)r.begun, (unsigned long long)r.whole,
           (unsigned long long)r.refused, (unsigned long long)r.broken, (double)r.longest / 1e6,
           r.done ? "true" : "false");
    return r.done && !l->failed ? 0 : 1;
}
