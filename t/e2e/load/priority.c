/* SPDX-License-Identifier: MIT */
/* Short streams among bulk: how many bulk bytes arrive while each of them is under way.
 *
 * Bytes, not times: what overtakes what is the same on a slow machine and on a fast one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

#define SHORT_SIZE  65536u
#define SHORT_COUNT 15u
#define BULK_MAX    256u

struct run {
    struct load *load;
    struct qms_stream *bulk_out[BULK_MAX];
    uint64_t bulk_written[BULK_MAX];
    uint64_t bulk_bytes, bulk_at_open, overtaken[SHORT_COUNT];
    uint64_t short_written, short_received;
    unsigned shorts;
    uint8_t urgent;
    bool done;
};

static void open_short(struct run *r);

static void bulk_writable(struct qms_stream *st, void *arg)
{
    struct run *r = arg;

    for (unsigned i = 0; i < BULK_MAX; i++) {
        if (r->bulk_out[i] == st) {
            (void)load_write(st, 1000 + i, &r->bulk_written[i], UINT64_MAX / 2);
        }
    }
}

static void short_writable(struct qms_stream *st, void *arg)
{
    struct run *r = arg;
    (void)load_write(st, r->shorts, &r->short_written, SHORT_SIZE);
}

static void closed(struct qms_stream *st, void *arg, qms_err err)
{
    (void)arg, (void)err;
    qms_stream_release(st);
}

static const struct qms_stream_callbacks bulk_out = {
    .size = sizeof(bulk_out), .on_writable = bulk_writable, .on_closed = closed};
static const struct qms_stream_callbacks short_out = {
    .size = sizeof(short_out), .on_writable = short_writable, .on_closed = closed};

static void bulk_readable(struct qms_stream *st, void *arg)
{
    struct run *r = arg;
    size_t len = qms_stream_readable(st);

    r->bulk_bytes += len;
    if (qms_stream_consume(st, len) != QMS_OK) {
        load_fail(r->load, "bulk could not be consumed");
    }
}

static void short_readable(struct qms_stream *st, void *arg)
{
    struct run *r = arg;
    qms_err err = load_read(r->load, st, r->shorts, &r->short_received);

    if (err == QMS_E_AGAIN) {
        return;
    }
    if (err != QMS_OK || r->short_received != SHORT_SIZE) {
        load_fail(r->load, "a short stream ended early: %s", qms_strerror(err));
        return;
    }
    r->overtaken[r->shorts++] = r->bulk_bytes - r->bulk_at_open;
    if (r->shorts == SHORT_COUNT) {
        r->done = true;
    } else {
        open_short(r);
    }
}

static const struct qms_stream_callbacks bulk_in = {
    .size = sizeof(bulk_in), .on_readable = bulk_readable, .on_closed = closed};
static const struct qms_stream_callbacks short_in = {
    .size = sizeof(short_in), .on_readable = short_readable, .on_closed = closed};

static void arrive(struct load *l, struct qms_stream *st)
{
    struct run *r = l->scenario;
    bool bulk = qms_stream_meta(st).len == 4;

    if (qms_stream_set_callbacks(st, bulk ? &bulk_in : &short_in, r) != QMS_OK) {
        load_fail(l, "the callbacks were refused");
    }
}

static struct qms_stream *open_out(struct run *r, bool bulk)
{
    struct qms_open *params = qms_open_new();
    struct qms_stream *st = NULL;
    struct qms_bytes meta = {(const uint8_t *)(bulk ? "bulk" : "short"), bulk ? 4 : 5};

    if (params == NULL || qms_open_set_meta(params, meta) != QMS_OK ||
        qms_stream_open(r->load->from, QMS_KIND_AGENT, "load-to", QMS_OPEN_UNI,
                        bulk ? QMS_PRIORITY_LOW : r->urgent, params,
                        bulk ? &bulk_out : &short_out, r, &st) != QMS_OK) {
        load_fail(r->load, "a stream could not be opened");
    }
    qms_open_free(params);
    return st;
}

static void open_short(struct run *r)
{
    r->short_written = r->short_received = 0;
    r->bulk_at_open = r->bulk_bytes;
    struct qms_stream *st = open_out(r, false);
    if (st != NULL) {
        short_writable(st, r);
    }
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

int load_priority(struct load *l, uint64_t bulk, uint64_t urgent_priority)
{
    static struct run r;

    r = (struct run){.load = l, .urgent = (uint8_t)urgent_priority};
    l->scenario = &r;
    l->on_stream = arrive;
    for (unsigned i = 0; i < bulk && i < BULK_MAX && !l->failed; i++) {
        r.bulk_out[i] = open_out(&r, true);
        if (r.bulk_out[i] != NULL) {
            bulk_writable(r.bulk_out[i], &r);
        }
    }
    for (unsigned turns = 0; turns < 50 && !l->failed; turns++) {
        (void)qms_client_run(l->client, 10 * QMS_MILLISECOND);
    }
    open_short(&r);
    bool ok = load_run(l, &r.done, 120);
    qsort(r.overtaken, r.shorts, sizeof(r.overtaken[0]), by_size);
    printf("{\"priority\": %llu, \"shorts\": %u, \"bulk_bytes_meanwhile_median\": %llu, "
           "\"ok\": %s}\n",
           (unsigned long long)urgent_priority, r.shorts,
           (unsigned long long)r.overtaken[r.shorts / 2 < SHORT_COUNT ? r.shorts / 2 : 0],
           ok ? "true" : "false");
    return ok ? 0 : 1;
}
