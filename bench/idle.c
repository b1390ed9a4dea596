/* SPDX-License-Identifier: MIT */
/* Resident memory of the worker for each connection that does nothing, and what is left of it
 * when they have gone. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"

/* For what the handshakes left to do, and later for the ends of the closing periods. */
#define SETTLE 2000000u

static double kib_each(uint64_t from, uint64_t until, unsigned connections)
{
    return ((double)until - (double)from) / connections / 1024;
}

static void gone(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                 const char *reason)
{
    struct bench *b = arg;

    (void)err, (void)code, (void)reason;
    qms_connection_release(c);
    if (--b->idle == 0) {
        b->over = true;
        qms_client_stop(b->client);
    }
}

static void close_all(struct bench *b, struct qms_connection **all, unsigned connections)
{
    b->idle = connections;
    for (unsigned i = 0; i < connections; i++) {
        qms_connection_close(all[i], QMS_CODE_OK, NULL);
    }
    bench_run(b, &b->over, 30, "closing");
    usleep(SETTLE);
}

void bench_idle(struct bench *b, unsigned connections)
{
    static const struct qms_connection_callbacks on = {.size = sizeof(on), .on_closed = gone};
    struct rlimit files = {connections + 256, connections + 256};

    if (b->worker == 0 || !bench_wanted(b, "idle connection")) {
        return; /* somebody else's broker: its memory is not ours to read */
    }
    (void)setrlimit(RLIMIT_NOFILE, &files);
    struct qms_connection **all = calloc(connections, sizeof(struct qms_connection *));
    if (all == NULL) {
        bench_die("out of memory");
    }
    uint64_t before = bench_worker_rss(b);
    double from = bench_now();
    for (unsigned i = 0; i < connections; i++) {
        char id[32];
        snprintf(id, sizeof(id), "bench-idle-%u", i);
        all[i] = bench_connect(b, id, &on);
    }
    double took = bench_now() - from;
    (void)qms_client_run(b->client, SETTLE * QMS_MICROSECOND);
    uint64_t open = bench_worker_rss(b);
    bench_row(b, "idle connection", kib_each(before, open, connections), "KiB",
              "of the worker, %u of them; one after another %.0f handshakes a second",
              connections, connections / took);
    close_all(b, all, connections);
    bench_row(b, "idle connection, gone", kib_each(before, bench_worker_rss(b), connections),
              "KiB", "left of each when all have ended");
    free(all);
}
