/* SPDX-License-Identifier: MIT */
/* One reader that does not read: its writer stops, others go on, and nothing is lost when it
 * reads at last. */
#include <stdio.h>
#include <string.h>

#include "load.h"

struct flow {
    struct run *run;
    struct qms_stream *st;
    uint64_t seed, size, done;
    bool over;
};

struct run {
    struct load *load;
    struct flow slow_out, slow_in, out[64], in[64];
    uint64_t others, finished;
    bool reading, others_done, slow_done;
};

static void on_writable(struct qms_stream *st, void *arg)
{
    struct flow *f = arg;
    qms_err err = load_write(st, f->seed, &f->done, f->size);

    if (err != QMS_OK && err != QMS_E_AGAIN) {
        load_fail(f->run->load, "write: %s", qms_strerror(err));
    }
}

static void read_flow(struct flow *f)
{
    struct run *r = f->run;
    qms_err err = load_read(r->load, f->st, f->seed, &f->done);

    if (err == QMS_E_AGAIN) {
        return;
    }
    if (err != QMS_OK || f->done != f->size) {
        load_fail(r->load, "stream %llu ended after %llu bytes: %s",
                  (unsigned long long)f->seed, (unsigned long long)f->done, qms_strerror(err));
    }
    if (f == &r->slow_in) {
        r->slow_done = true;
    } else {
        r->others_done = ++r->finished == r->others;
    }
}

static void on_readable(struct qms_stream *st, void *arg)
{
    struct flow *f = arg;
    (void)st;
    if (f != &f->run->slow_in || f->run->reading) {
        read_flow(f);
    }
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct flow *f = arg;

    f->over = true;
    if (err != QMS_OK) {
        load_fail(f->run->load, "stream %llu: %s", (unsigned long long)f->seed,
                  qms_strerror(err));
    }
    qms_stream_release(st);
}

static const struct qms_stream_callbacks callbacks = {
    .size = sizeof(callbacks),
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_closed = on_closed,
};

static void arrive(struct load *l, struct qms_stream *st)
{
    struct run *r = l->scenario;
    uint64_t i = UINT64_MAX;

    if (qms_stream_meta(st).len == sizeof(i)) {
        memcpy(&i, qms_stream_meta(st).data, sizeof(i));
    }
    if (i > r->others) {
        load_fail(l, "a stream without its number arrived");
        return;
    }
    struct flow *f = i == 0 ? &r->slow_in : &r->in[i - 1];
    *f = (struct flow){
        .run = r, .st = st, .seed = i, .size = i == 0 ? r->slow_out.size : r->out[i - 1].size};
    if (qms_stream_set_callbacks(st, &callbacks, f) != QMS_OK) {
        load_fail(l, "the callbacks were refused");
    }
}

static void open_flow(struct run *r, struct flow *f, uint64_t seed, uint64_t size)
{
    struct qms_open *params = qms_open_new();

    *f = (struct flow){.run = r, .seed = seed, .size = size};
    if (params == NULL ||
        qms_open_set_meta(params, (struct qms_bytes){(const uint8_t *)&seed, sizeof(seed)}) !=
            QMS_OK ||
        qms_stream_open(r->load->from, QMS_KIND_AGENT, "load-to", QMS_OPEN_UNI,
                        QMS_PRIORITY_NORMAL, params, &callbacks, f, &f->st) != QMS_OK) {
        load_fail(r->load, "stream %llu could not be opened", (unsigned long long)seed);
    } else {
        on_writable(f->st, f);
    }
    qms_open_free(params);
}

int load_slow(struct load *l, uint64_t others, uint64_t size)
{
    static struct run r;

    r = (struct run){.load = l, .others = others < 64 ? others : 64};
    l->scenario = &r;
    l->on_stream = arrive;
    open_flow(&r, &r.slow_out, 0, 32 * size);
    for (unsigned turns = 0; turns < 100 && !l->failed; turns++) {
        (void)qms_client_run(l->client, 10 * QMS_MILLISECOND);
    }
    uint64_t stuck_at = r.slow_out.done;
    for (uint64_t i = 0; i < r.others && !l->failed; i++) {
        open_flow(&r, &r.out[i], i + 1, size);
    }
    bool moved = load_run(l, &r.others_done, 100);
    uint64_t still_at = r.slow_out.done;
    printf("{\"stuck_at\": %llu, \"stuck_after_others\": %llu, \"others_done\": %s}\n",
           (unsigned long long)stuck_at, (unsigned long long)still_at,
           moved ? "true" : "false");
    fflush(stdout);
    /* The caller looks at the broker's memory now, and ends this line when it has. */
    if (getchar() == EOF) {
        load_fail(l, "nobody said go");
    }
    r.reading = true;
    if (r.slow_in.st != NULL) {
        read_flow(&r.slow_in);
    }
    bool whole = load_run(l, &r.slow_done, 100);
    printf("{\"slow_stream_whole\": %s}\n", whole ? "true" : "false");
    return moved && whole ? 0 : 1;
}
