/* SPDX-License-Identifier: MIT */
/* N concurrent bidirectional streams; each end sends its own pattern and checks the other's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "load.h"

struct run;

/* One end of one stream. */
struct end {
    struct run *run;
    uint64_t write_seed, read_seed, written, received;
};

struct run {
    struct load *load;
    uint64_t count, size, accepted, closed;
    bool done;
    struct end *opener, *acceptor;
};

static void pump_write(struct qms_stream *st, struct end *e)
{
    struct run *r = e->run;

    if (e->written < r->size || r->size == 0) {
        qms_err err = load_write(st, e->write_seed, &e->written, r->size);
        if (err != QMS_OK && err != QMS_E_AGAIN) {
            load_fail(r->load, "write: %s", qms_strerror(err));
        }
    }
}

static void on_writable(struct qms_stream *st, void *arg)
{
    pump_write(st, arg);
}

static void on_readable(struct qms_stream *st, void *arg)
{
    struct end *e = arg;
    qms_err err = load_read(e->run->load, st, e->read_seed, &e->received);

    if (err == QMS_OK && e->received != e->run->size) {
        load_fail(e->run->load, "the end came after %llu of %llu bytes",
                  (unsigned long long)e->received, (unsigned long long)e->run->size);
    } else if (err != QMS_OK && err != QMS_E_AGAIN) {
        load_fail(e->run->load, "read: %s", qms_strerror(err));
    }
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct end *e = arg;
    struct run *r = e->run;

    if (err != QMS_OK || e->received != r->size || e->written != r->size) {
        load_fail(r->load, "a stream ended early: %s", qms_strerror(err));
    }
    qms_stream_release(st);
    r->done = ++r->closed == 2 * r->count;
}

static const struct qms_stream_callbacks callbacks = {
    .size = sizeof(callbacks),
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_closed = on_closed,
};

static void accept_stream(struct load *l, struct qms_stream *st)
{
    struct run *r = l->scenario;
    struct qms_bytes meta = qms_stream_meta(st);
    uint64_t i = 0;

    if (meta.len != sizeof(i)) {
        load_fail(l, "a stream without its number arrived");
        qms_stream_release(st);
        return;
    }
    memcpy(&i, meta.data, sizeof(i));
    struct end *e = &r->acceptor[i < r->count ? i : 0];
    *e = (struct end){.run = r, .write_seed = i + r->count, .read_seed = i};
    if (qms_stream_set_callbacks(st, &callbacks, e) != QMS_OK ||
        qms_stream_accept(st, (struct qms_bytes){NULL, 0}) != QMS_OK) {
        load_fail(l, "accept failed");
        return;
    }
    r->accepted++;
    pump_write(st, e);
}

static void open_stream(struct run *r, struct qms_open *params, uint64_t i)
{
    struct qms_stream *st = NULL;
    struct end *e = &r->opener[i];

    *e = (struct end){.run = r, .write_seed = i, .read_seed = i + r->count};
    if (qms_open_set_meta(params, (struct qms_bytes){(const uint8_t *)&i, sizeof(i)}) !=
            QMS_OK ||
        qms_stream_open(r->load->from, QMS_KIND_AGENT, "load-to", QMS_OPEN_BIDI,
                        QMS_PRIORITY_NORMAL, params, &callbacks, e, &st) != QMS_OK) {
        load_fail(r->load, "stream %llu could not be opened", (unsigned long long)i);
        return;
    }
    pump_write(st, e);
}

int load_streams(struct load *l, uint64_t count, uint64_t size)
{
    struct run r = {.load = l, .count = count, .size = size};
    struct timespec from, until;
    struct qms_open *params = qms_open_new();

    r.opener = calloc(count, sizeof(*r.opener));
    r.acceptor = calloc(count, sizeof(*r.acceptor));
    l->scenario = &r;
    l->on_stream = accept_stream;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (uint64_t i = 0; i < count && !l->failed; i++) {
        open_stream(&r, params, i);
    }
    bool ok = load_run(l, &r.done, 200);
    clock_gettime(CLOCK_MONOTONIC, &until);
    double s =
        (double)(until.tv_sec - from.tv_sec) + (double)(until.tv_nsec - from.tv_nsec) / 1e9;
    printf("{\"streams\": %llu, \"bytes_each_way\": %llu, \"ok\": %s, \"seconds\": %.3f, "
           "\"mb_per_s\": %.1f}\n",
           (unsigned long long)count, (unsigned long long)(count * size), ok ? "true" : "false",
           s, 2.0 * (double)(count * size) / 1e6 / s);
    qms_open_free(params);
    if (ok) {
        free(r.opener);
        free(r.acceptor);
    }
    return ok ? 0 : 1;
}
