/* SPDX-License-Identifier: MIT */
/* Many agents that do not read, each written to on several streams by one that does not stop.
 * Prints how much went out once nothing more moves, and stays so until it is killed. */
#include <stdio.h>
#include <stdlib.h>

#include "load.h"

#define FLOWS_MAX 4096

struct flow {
    struct load *load;
    uint64_t seed, done;
};

static void on_writable(struct qms_stream *st, void *arg)
{
    struct flow *f = arg;
    qms_err err = load_write(st, f->seed, &f->done, UINT64_MAX);

    if (err != QMS_E_AGAIN) {
        load_fail(f->load, "write: %s", qms_strerror(err));
    }
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    (void)arg, (void)err;
    qms_stream_release(st);
}

static const struct qms_stream_callbacks callbacks = {
    .size = sizeof(callbacks), .on_writable = on_writable, .on_closed = on_closed};
static const struct qms_stream_callbacks silent = {.size = sizeof(silent),
                                                   .on_closed = on_closed};

/* Taken, never read. */
static void arrive(struct load *l, struct qms_stream *st)
{
    if (qms_stream_set_callbacks(st, &silent, NULL) != QMS_OK) {
        load_fail(l, "the callbacks were refused");
    }
}

static void run_turns(struct load *l, unsigned turns)
{
    for (; turns > 0 && !l->failed; turns--) {
        (void)qms_client_run(l->client, 10 * QMS_MILLISECOND);
    }
}

static void pour(struct load *l, struct qms_connection *from, uint64_t reader, struct flow *f,
                 uint64_t seed)
{
    struct qms_stream *st;
    char target[32];

    *f = (struct flow){.load = l, .seed = seed};
    snprintf(target, sizeof(target), "crowd-r%u", (unsigned)reader);
    if (qms_stream_open(from, QMS_KIND_AGENT, target, QMS_OPEN_UNI, QMS_PRIORITY_NORMAL, NULL,
                        &callbacks, f, &st) != QMS_OK) {
        load_fail(l, "stream %llu could not be opened", (unsigned long long)seed);
        return;
    }
    on_writable(st, f);
}

static uint64_t written(const struct flow *flows, uint64_t count)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++) {
        sum += flows[i].done;
    }
    return sum;
}

int load_crowd(struct load *l, uint64_t agents, uint64_t streams)
{
    static struct flow flows[FLOWS_MAX];
    struct qms_connection **writers = calloc(agents + 1, sizeof(struct qms_connection *));
    uint64_t count = agents * streams;
    char id[32];

    if (writers == NULL || count > FLOWS_MAX) {
        return 64;
    }
    l->on_stream = arrive;
    for (uint64_t i = 0; i < agents; i++) {
        snprintf(id, sizeof(id), "crowd-r%u", (unsigned)i);
        (void)load_connect_one(l, id);
        snprintf(id, sizeof(id), "crowd-w%u", (unsigned)i);
        writers[i] = load_connect_one(l, id);
    }
    while (l->ready < 2 + 2 * agents && !l->failed) {
        run_turns(l, 1);
    }
    for (uint64_t i = 0; i < count; i++) {
        pour(l, writers[i / streams], i / streams, &flows[i], i);
    }
    uint64_t before = 0;
    do {
        before = written(flows, count);
        run_turns(l, 200);
    } while (!l->failed && written(flows, count) != before);
    printf("{\"written\": %llu, \"ok\": %s}\n", (unsigned long long)before,
           l->failed ? "false" : "true");
    fflush(stdout);
    while (!l->failed) {
        run_turns(l, 100);
    }
    free(writers);
    return 1;
}
