/* SPDX-License-Identifier: MIT */
/* The log, and sides that answer in the usual way unless a test says otherwise. */
#include "session_duo.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qms_bytes duo_text(const char *text)
{
    return (struct qms_bytes){(const uint8_t *)text, strlen(text)};
}

/* ---- the log ---- */

__attribute__((format(printf, 2, 3))) static void say(struct duo_side *side, const char *format,
                                                      ...)
{
    va_list args;

    if (side->quiet) {
        return;
    }
    if (side->log_len + 1024 > side->log_cap) {
        side->log_cap = 2 * side->log_cap + 2048;
        side->log = realloc(side->log, side->log_cap);
        assert(side->log != NULL);
    }
    va_start(args, format);
    int len = vsnprintf(side->log + side->log_len, 1024, format, args);
    va_end(args);
    assert(len >= 0);
    side->log_len += len < 1024 ? (size_t)len : 1023;
}

const char *duo_take(struct duo_side *side)
{
    if (side->log == NULL || side->log_len == 0) {
        return "";
    }
    side->log_len = 0;
    return side->log;
}

static int width(struct qms_bytes b)
{
    return b.len < 900 ? (int)b.len : 900;
}
#define TEXT(b) width(b), (const char *)((b).data != NULL ? (b).data : (const uint8_t *)"")

/* ---- events ---- */

static struct duo_side *side_of(const struct qms_session *s)
{
    return qms_session_user(s);
}

static const char *kind_name(uint64_t kind)
{
    static const char *const names[] = {"self", "agent", "group", "topic", "service"};
    return kind < 5 ? names[kind] : "?";
}

static void on_hello(struct qms_session *s, const struct qms_control *hello)
{
    struct duo_side *side = side_of(s);
    struct qms_control m = {.type = QMS_MSG_WELCOME};

    say(side, "hello %.*s\n", TEXT(hello->u.hello.agent_id));
    if (side->holds_hello) {
        return;
    }
    if (side->refuses != 0) {
        qms_session_refuse(s, side->refuses, 250, "go away");
        return;
    }
    m.u.welcome.agent_id = hello->u.hello.agent_id;
    m.u.welcome.max_header = QMS_ROUTE_HEADER_MAX;
    m.u.welcome.max_datagram = 1200;
    m.u.welcome.idle_ms = 30000;
    m.u.welcome.caps = side->caps;
    if (qms_session_welcome(s, &m) != QMS_OK) {
        qms_session_close(s, QMS_CODE_INTERNAL, "no WELCOME");
    }
}

static void on_welcome(struct qms_session *s, const struct qms_control *welcome)
{
    say(side_of(s), "welcome %.*s\n", TEXT(welcome->u.welcome.agent_id));
}

static void on_refused(struct qms_session *s, const struct qms_control *m)
{
    say(side_of(s), "refused %s %.*s\n", qms_code_name(m->u.refused.status),
        TEXT(m->u.refused.reason));
}

static void on_control(struct qms_session *s, const struct qms_control *msg)
{
    say(side_of(s), "control %02x\n", (unsigned)msg->type);
}

static void on_datagram(struct qms_session *s, enum qms_kind kind, struct qms_bytes name,
                        uint8_t priority, struct qms_bytes payload)
{
    struct duo_side *side = side_of(s);
    side->bytes += payload.len;
    say(side, "datagram %s:%.*s %u \"%.*s\"\n", kind_name(kind), TEXT(name), priority,
        TEXT(payload));
}

static void answer(struct duo_side *side, struct qms_session_stream *st)
{
    struct qms_result r = {.status = side->rejects};

    if (side->on_route != NULL) {
        side->on_route(st);
    } else if (!side->holds_result) {
        r.reason = duo_text(side->rejects != 0 ? "no" : "");
        if (qms_session_result(st, &r) != QMS_OK) {
            qms_session_reset(st, QMS_CODE_INTERNAL);
            qms_session_stop(st, QMS_CODE_INTERNAL);
        }
    }
}

static void on_route(struct qms_session_stream *st, const struct qms_route_header *h)
{
    struct duo_side *side = side_of(st->session);

    side->routes++;
    side->last = st;
    say(side, "route %llu %s:%.*s %u%s%.*s\n", (unsigned long long)h->handle,
        kind_name(h->kind), TEXT(h->target), h->priority, h->source.len > 0 ? " from " : "",
        TEXT(h->source));
    answer(side, st);
}

static void on_result(struct qms_session_stream *st, const struct qms_result *r)
{
    struct duo_side *side = side_of(st->session);

    side->results++;
    side->accepted += r->status == 0;
    side->refused += r->status != 0;
    say(side, "result %llu %s %.*s\n", (unsigned long long)st->handle, qms_code_name(r->status),
        TEXT(r->reason));
}

static void echo(struct qms_session_stream *st, struct qms_bytes data, bool fin)
{
    struct qms_blob *blob = data.len > 0 ? qms_blob_copy(data) : NULL;

    if (data.len > 0 && (blob == NULL || qms_session_write(st, blob, 0, data.len) != QMS_OK)) {
        qms_session_reset(st, QMS_CODE_INTERNAL);
    }
    qms_blob_unref(blob);
    if (fin) {
        qms_session_finish(st);
    }
}

static void on_data(struct qms_session_stream *st, struct qms_bytes data, bool fin)
{
    struct duo_side *side = side_of(st->session);

    side->bytes += data.len;
    side->fins += fin;
    if (data.len > 0) {
        say(side, "data %llu \"%.*s\"\n", (unsigned long long)st->handle, TEXT(data));
    }
    if (fin) {
        say(side, "fin %llu\n", (unsigned long long)st->handle);
    }
    if (side->echoes && !st->opener && st->bidi) {
        echo(st, data, fin);
    }
    if (!side->holds_credit) {
        qms_session_consume(st, data.len);
    }
}

static void on_reset(struct qms_session_stream *st, uint8_t code)
{
    say(side_of(st->session), "reset %llu %s\n", (unsigned long long)st->handle,
        qms_code_name(code));
}

static void on_stop(struct qms_session_stream *st, uint8_t code)
{
    say(side_of(st->session), "stop %llu %s\n", (unsigned long long)st->handle,
        qms_code_name(code));
    qms_session_reset(st, code);
}

static void on_acked(struct qms_session_stream *st, uint64_t len)
{
    side_of(st->session)->acked += len;
}

static void on_priority(struct qms_session_stream *st)
{
    say(side_of(st->session), "priority %llu %u %u\n", (unsigned long long)st->handle,
        st->forward, st->reverse);
}

static void on_stream_closed(struct qms_session_stream *st)
{
    struct duo_side *side = side_of(st->session);

    side->closed++;
    if (side->last == st) {
        side->last = NULL;
    }
    say(side, "closed %llu\n", (unsigned long long)st->handle);
}

static void on_closed(struct qms_session *s, const struct qms_link_close *why)
{
    struct duo_side *side = side_of(s);

    side->ended = true;
    if (why->err != QMS_OK) {
        say(side, "end %s\n", qms_err_name(why->err));
    } else {
        say(side, "end %s %s \"%.*s\"\n", why->by_peer ? "by-peer" : "here",
            qms_code_name(why->code), TEXT(why->reason));
    }
    side->s = NULL;
    qms_session_free(s);
}

static void on_oddity(struct qms_session *s, const char *what)
{
    side_of(s)->oddities++;
    say(side_of(s), "odd %s\n", what);
}

static const struct qms_session_events events = {
    .on_hello = on_hello,
    .on_welcome = on_welcome,
    .on_refused = on_refused,
    .on_control = on_control,
    .on_datagram = on_datagram,
    .on_route = on_route,
    .on_result = on_result,
    .on_data = on_data,
    .on_reset = on_reset,
    .on_stop = on_stop,
    .on_acked = on_acked,
    .on_priority = on_priority,
    .on_stream_closed = on_stream_closed,
    .on_closed = on_closed,
};

const struct qms_session_limits duo_limits = {
    .hello_for = 5 * QMS_SECOND,
    .header_for = 5 * QMS_SECOND,
    .held_streams = 16,
    .held_bytes = 16384,
    .malformed_per_minute = 16,
    .max_contexts = 64,
    .on_oddity = on_oddity,
};

/* ---- the pair ---- */

struct qms_session *duo_one(struct duo_side *side, struct qms_link *link, bool connecting,
                            const struct qms_session_limits *limits)
{
    side->s =
        qms_session_new(link, connecting, limits != NULL ? limits : &duo_limits, &events, side);
    return side->s;
}

bool duo_init(struct duo *d, const struct fake_config *config,
              const struct qms_session_limits *limits)
{
    *d = (struct duo){.pair = fake_pair_new(config)};
    struct qms_session *a = duo_one(&d->a, fake_pair_link(d->pair, 0), true, limits);
    struct qms_session *b = duo_one(&d->b, fake_pair_link(d->pair, 1), false, limits);
    return a != NULL && b != NULL;
}

void duo_fini(struct duo *d)
{
    qms_session_free(d->a.s);
    qms_session_free(d->b.s);
    fake_pair_free(d->pair);
    free(d->a.log);
    free(d->b.log);
    qms_blob_trim();
}

qms_err duo_hello(struct duo *d)
{
    struct qms_control m = {.type = QMS_MSG_HELLO};

    m.u.hello.min_version = m.u.hello.max_version = QMS_WIRE_VERSION;
    m.u.hello.agent_id = duo_text("a1");
    m.u.hello.auth_scheme = QMS_AUTH_TOKEN;
    m.u.hello.auth = duo_text("secret");
    m.u.hello.caps = d->a.caps;
    return qms_session_hello(d->a.s, &m);
}

static bool expire(struct duo *d, struct duo_side *side)
{
    qms_time now = fake_link_now(d->pair);

    if (side->s == NULL || qms_session_next_at(side->s) > now) {
        return false;
    }
    qms_session_expire(side->s, now);
    return true;
}

void duo_settle_by(struct duo *d, size_t chunk)
{
    for (unsigned turns = 0;; turns++) {
        bool moved = fake_link_pump(d->pair, chunk);
        moved = expire(d, &d->a) || moved;
        moved = expire(d, &d->b) || moved;
        if (!moved) {
            return;
        }
        if (turns == 1000000) {
            fprintf(stderr, "duo: still busy after %u turns\n", turns);
            abort();
        }
    }
}

void duo_settle(struct duo *d)
{
    duo_settle_by(d, 0);
}

void duo_advance(struct duo *d, qms_time by)
{
    fake_link_advance(d->pair, by);
    duo_settle(d);
}

void duo_connect(struct duo *d, const struct fake_config *config)
{
    bool made = duo_init(d, config, NULL);
    assert(made);
    qms_err err = duo_hello(d);
    assert(err == QMS_OK);
    duo_settle(d);
    assert(strcmp(duo_take(&d->a), "welcome a1\n") == 0);
    assert(strcmp(duo_take(&d->b), "hello a1\n") == 0);
    (void)made;
    (void)err;
}

struct qms_session_stream *duo_open(struct duo_side *side, bool bidi, const char *target,
                                    uint8_t priority)
{
    struct qms_route_header h = {.kind = QMS_KIND_AGENT, .priority = priority};
    struct qms_session_stream *st = NULL;

    h.target = duo_text(target);
    if (qms_session_open(side->s, bidi, &h, NULL, &st) != QMS_OK) {
        return NULL;
    }
    side->last = st;
    return st;
}

qms_err duo_write(struct qms_session_stream *st, const char *text)
{
    struct qms_blob *blob = qms_blob_copy(duo_text(text));

    if (blob == NULL) {
        return QMS_E_NOMEM;
    }
    qms_err err = qms_session_write(st, blob, 0, blob->len);
    qms_blob_unref(blob);
    return err;
}
