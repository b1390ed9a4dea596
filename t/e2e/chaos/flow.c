/* SPDX-License-Identifier: MIT */
/* Flows: opening, moving bytes, and judging how they end. */
#include <stdlib.h>
#include <string.h>

#include "chaos.h"

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ (x >> 33);
}

void chaos_pattern(uint64_t seed, uint64_t offset, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(mix(seed + (offset + i) / 8) >> (offset + i) % 8 * 8);
    }
}

bool chaos_matches(uint64_t seed, uint64_t offset, struct qms_bytes data)
{
    uint8_t want[4096];

    for (size_t at = 0; at < data.len; at += sizeof(want)) {
        size_t len = data.len - at < sizeof(want) ? data.len - at : sizeof(want);
        chaos_pattern(seed, offset + at, want, len);
        if (memcmp(want, data.data + at, len) != 0) {
            return false;
        }
    }
    return true;
}

void chaos_note(struct end *e, char what)
{
    char *story = e->flow->story;
    size_t len = strlen(story);

    if (len + 2 < sizeof(e->flow->story)) {
        story[len] = (char)('0' + e->side);
        story[len + 1] = what;
    }
}

/* ---- ends ---- */

static struct direction *sends(struct end *e)
{
    return e->side == 0 || e->flow->bidi ? &e->flow->dir[e->side] : NULL;
}

static struct direction *reads(struct end *e)
{
    return e->side == 1 || e->flow->bidi ? &e->flow->dir[!e->side] : NULL;
}

static struct end *end_new(struct flow *f, unsigned side, struct qms_stream *st,
                           struct qms_connection *conn)
{
    struct chaos *c = f->chaos;
    struct end *e = calloc(1, sizeof(*e));

    if (c->end_count == c->end_cap) {
        c->end_cap = c->end_cap == 0 ? 256 : 2 * c->end_cap;
        c->ends = realloc(c->ends, c->end_cap * sizeof(*c->ends));
    }
    if (e == NULL || c->ends == NULL) {
        abort();
    }
    *e = (struct end){.flow = f, .st = st, .side = side, .at = c->end_count};
    c->ends[c->end_count++] = e;
    f->conn[side] = conn;
    f->ends++;
    return e;
}

static void end_free(struct end *e)
{
    struct chaos *c = e->flow->chaos;

    c->ends[e->at] = c->ends[--c->end_count];
    c->ends[e->at]->at = e->at;
    e->flow->ends--;
    free(e);
}

void chaos_end_release(struct end *e)
{
    struct direction *out = sends(e), *in = reads(e);

    chaos_note(e, 'x');
    if (e->side == 1 && !e->answered) {
        e->flow->refused = true;
    }
    if (out != NULL && !out->finished && !out->reset) {
        out->reset = true;
        out->reset_code = QMS_CODE_CANCELLED;
    }
    if (in != NULL && !in->stopped) {
        in->stopped = true;
        in->stop_code = QMS_CODE_CANCELLED;
    }
    qms_stream_release(e->st);
    end_free(e);
}

void chaos_end_answer(struct end *e)
{
    if (e->side == 1 && !e->answered) {
        e->answered = true;
        chaos_note(e, 'a');
        qms_err err = qms_stream_accept(e->st, (struct qms_bytes){NULL, 0});
        if (err != QMS_OK && !e->flow->broken && err != QMS_E_CLOSED && err < QMS_E_WIRE) {
            chaos_fail(e->flow->chaos, "accept: %s", qms_strerror(err));
        }
    }
}

void chaos_end_write(struct end *e, size_t len)
{
    struct direction *d = sends(e);
    uint8_t buf[8192];

    if (d == NULL || d->finished || d->reset || (e->side == 1 && !e->answered)) {
        return;
    }
    while (len > 0) {
        size_t take = len < sizeof(buf) ? len : sizeof(buf), taken = 0;
        chaos_pattern(d->seed, d->written, buf, take);
        qms_err err = qms_stream_write(e->st, (struct qms_bytes){buf, take}, &taken);
        d->written += taken;
        len -= taken;
        if (err != QMS_OK || taken == 0) {
            return;
        }
    }
}

void chaos_end_finish(struct end *e)
{
    struct direction *d = sends(e);

    if (d == NULL || d->finished || d->reset || (e->side == 1 && !e->answered)) {
        return;
    }
    chaos_note(e, 'f');
    qms_err err = qms_stream_finish(e->st);
    if (err == QMS_OK) {
        d->finished = true;
    } else if (err < QMS_E_WIRE && !e->flow->broken && !e->flow->refused &&
               err != QMS_E_RESET && err != QMS_E_CLOSED) {
        chaos_fail(e->flow->chaos, "finish: %s", qms_strerror(err));
    }
}

void chaos_end_reset(struct end *e, uint8_t code)
{
    struct direction *d = sends(e);

    if (d != NULL && !d->reset) {
        d->reset = true;
        d->reset_code = code;
        chaos_note(e, 'r');
        qms_stream_reset(e->st, code);
    }
}

void chaos_end_stop(struct end *e, uint8_t code)
{
    struct direction *d = reads(e);

    if (d != NULL && !d->stopped) {
        d->stopped = true;
        d->stop_code = code;
        chaos_note(e, 's');
        qms_stream_stop(e->st, code);
    }
}

/* ---- judging ---- */

static void bad_error(struct end *e, const char *what, qms_err err, bool done, uint8_t code)
{
    chaos_fail(e->flow->chaos, "flow %llu side %u (%s): %s %s; the other end %s code %u",
               (unsigned long long)e->flow->id, e->side, e->flow->story, what,
               qms_strerror(err), done ? "gave" : "did not, nor", code);
}

static void judge_error(struct end *e, const char *what, qms_err err, bool done, uint8_t code)
{
    const struct flow *f = e->flow;

    f->chaos->errors++;
    if (f->dir[e->side].reset && (err == QMS_E_CLOSED || err == QMS_E_WIRE_CANCELLED)) {
        return; /* its header was dropped here, or on its way: nothing comes back either */
    }
    if (!f->broken && !f->refused && !f->echoes && !f->discards &&
        (!done || (int)err != (int)QMS_E_WIRE + code)) {
        bad_error(e, what, err, done, code);
    }
}

/* What a service sends is made of what it was sent. */
static const struct direction *source_of(const struct flow *f, const struct direction *d)
{
    return f->echoes || f->discards ? &f->dir[0] : d;
}

static void judge_end(struct end *e, const struct direction *d)
{
    const struct direction *from = source_of(e->flow, d);
    uint64_t written = e->flow->discards ? 0 : from->written;

    e->flow->chaos->clean_ends++;
    if (!from->finished || d->received != written) {
        chaos_fail(e->flow->chaos,
                   "flow %llu side %u: an end after %llu bytes; %llu were written, %s",
                   (unsigned long long)e->flow->id, e->side, (unsigned long long)d->received,
                   (unsigned long long)written, from->finished ? "finished" : "not finished");
    }
}

static void took(struct end *e, struct direction *d, struct qms_bytes data)
{
    const struct direction *from = source_of(e->flow, d);

    if (!chaos_matches(from->seed, d->received, data)) {
        chaos_fail(e->flow->chaos, "flow %llu side %u: wrong bytes at %llu",
                   (unsigned long long)e->flow->id, e->side, (unsigned long long)d->received);
    }
    d->received += data.len;
    e->flow->chaos->bytes += data.len;
}

void chaos_end_read(struct end *e)
{
    struct direction *d = reads(e);
    uint8_t buf[8192];

    while (d != NULL && !d->stopped) {
        size_t len = 0;
        qms_err err = qms_stream_read(e->st, buf, sizeof(buf), &len);
        if (err == QMS_E_AGAIN || e->got_all) {
            return;
        }
        if (err == QMS_OK && len > 0) {
            took(e, d, (struct qms_bytes){buf, len});
            continue;
        }
        e->got_all = true;
        chaos_note(e, err == QMS_OK ? 'F' : 'R');
        if (err == QMS_OK) {
            judge_end(e, d);
        } else {
            judge_error(e, "read", err, d->reset, d->reset_code);
        }
        return;
    }
}

/* ---- callbacks ---- */

static void on_result(struct qms_stream *st, void *arg, qms_err err)
{
    struct end *e = arg;
    (void)st;

    chaos_note(e, err == QMS_OK ? 'A' : 'X');
    if (err == QMS_OK) {
        return;
    }
    e->flow->refused = true;
    e->flow->chaos->refusals++;
    if (err == QMS_E_WIRE_INTERNAL || err == QMS_E_WIRE_PROTOCOL) {
        chaos_fail(e->flow->chaos, "flow %llu was refused: %s", (unsigned long long)e->flow->id,
                   qms_strerror(err));
    }
}

static void on_readable(struct qms_stream *st, void *arg)
{
    struct end *e = arg;
    (void)st;

    if (!e->paused) {
        chaos_end_read(e);
    }
}

static void on_stopped(struct qms_stream *st, void *arg, qms_err err)
{
    struct end *e = arg;
    struct direction *d = sends(e);
    (void)st;

    chaos_note(e, 'S');
    judge_error(e, "stopped", err, d->stopped, d->stop_code);
    if (!d->reset) { /* the library answers so */
        d->reset = true;
        d->reset_code = d->stop_code;
    }
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct end *e = arg;
    (void)err;

    qms_stream_release(st);
    end_free(e);
}

static const struct qms_stream_callbacks callbacks = {
    .size = sizeof(callbacks),
    .on_result = on_result,
    .on_readable = on_readable,
    .on_stopped = on_stopped,
    .on_closed = on_closed,
};

/* ---- begin ---- */

static struct flow *flow_new(struct chaos *c)
{
    struct flow *f = calloc(1, sizeof(*f));

    if (c->flow_count == c->flow_cap) {
        c->flow_cap = c->flow_cap == 0 ? 1024 : 2 * c->flow_cap;
        c->flows = realloc(c->flows, c->flow_cap * sizeof(*c->flows));
    }
    if (f == NULL || c->flows == NULL) {
        abort();
    }
    f->chaos = c;
    f->id = c->flow_count;
    f->dir[0].seed = mix(c->seed + 2 * f->id);
    f->dir[1].seed = mix(c->seed + 2 * f->id + 1);
    c->flows[c->flow_count++] = f;
    return f;
}

static const char *some_target(struct chaos *c, struct flow *f, enum qms_kind *kind)
{
    *kind = QMS_KIND_AGENT;
    switch (chaos_random(c, 12)) {
    case 0:
        *kind = QMS_KIND_SERVICE;
        f->echoes = f->bidi && chaos_random(c, 2) == 0;
        f->discards = !f->echoes;
        return f->echoes ? "echo" : "discard";
    case 1:
        f->refused = true;
        *kind = f->bidi ? QMS_KIND_GROUP : QMS_KIND_TOPIC;
        return "nobody-serves-these";
    case 2:
        f->refused = true;
        return "nobody-is-called-so";
    default:
        break;
    }
    const struct agent *to = &c->agents[chaos_random(c, c->agent_count)];
    f->broken = !to->ready; /* it may be found or not */
    return to->name;
}

void chaos_flow_open(struct agent *from)
{
    struct chaos *c = from->chaos;
    struct flow *f = flow_new(c);
    struct qms_open *params = qms_open_new();
    struct qms_stream *st = NULL;
    enum qms_kind kind;

    f->bidi = chaos_random(c, 3) != 0;
    const char *target = some_target(c, f, &kind);
    unsigned flags =
        (f->bidi ? 0 : QMS_OPEN_UNI) | (chaos_random(c, 4) == 0 ? QMS_OPEN_NO_RESULT : 0);
    qms_err err =
        qms_open_set_meta(params, (struct qms_bytes){(const uint8_t *)&f->id, sizeof(f->id)});
    if (err == QMS_OK && chaos_random(c, 16) == 0) {
        f->refused = true;
        err = qms_open_set_accept_deadline(params, chaos_random(c, 200));
    }
    struct end *e = end_new(f, 0, NULL, from->conn);
    if (err == QMS_OK) {
        err = qms_stream_open(from->conn, kind, target, flags, (uint8_t)chaos_random(c, 256),
                              params, &callbacks, e, &st);
    }
    qms_open_free(params);
    if (err != QMS_OK) {
        end_free(e);
        if (err != QMS_E_CLOSED && err != QMS_E_LIMIT) {
            chaos_fail(c, "open: %s", qms_strerror(err));
        }
        return;
    }
    e->st = st;
    chaos_end_write(e, (size_t)chaos_random(c, 4) * chaos_random(c, 20000));
}

void chaos_flow_accept(struct agent *a, struct qms_stream *st)
{
    struct chaos *c = a->chaos;
    struct qms_bytes meta = qms_stream_meta(st);
    uint64_t id = UINT64_MAX;

    if (meta.len == sizeof(id)) {
        memcpy(&id, meta.data, sizeof(id));
    }
    if (id >= c->flow_count) {
        chaos_fail(c, "a stream that nobody opened");
        qms_stream_release(st);
        return;
    }
    struct end *e = end_new(c->flows[id], 1, st, qms_stream_connection(st));
    if (e->flow->conn[1] != a->conn) {
        e->flow->broken = true; /* this one is being replaced */
    }
    if (qms_stream_set_callbacks(st, &callbacks, e) != QMS_OK) {
        chaos_fail(c, "no callbacks");
    }
    e->paused = chaos_random(c, 8) == 0;
    uint64_t what = c->ending ? 9 : chaos_random(c, 10);
    if (what == 0) {
        e->flow->refused = e->answered = true;
        chaos_note(e, 'j');
        qms_err err = qms_stream_reject(st, (uint8_t)(0x80 + chaos_random(c, 128)), "chaos");
        if (err != QMS_OK && err != QMS_E_CLOSED) {
            chaos_fail(c, "reject: %s", qms_strerror(err));
        }
    } else if (what == 1) {
        chaos_end_release(e);
    } else if (what > 2) {
        chaos_end_answer(e);
        chaos_end_write(e, chaos_random(c, 20000));
    }
}
