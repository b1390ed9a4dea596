/* SPDX-License-Identifier: MIT */
/* Two clients of the library on one fake link: one listens, the other connects.  Everything
 * that happens leaves a letter in a log that the cases compare.  For test_client_listener.c
 * alone. */
#ifndef CLIENT_LISTENER_WORLD_H
#define CLIENT_LISTENER_WORLD_H

#include <quicms/listen.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "client/listener.h"
#include "fake_link.h"
#include "qms_test.h"

struct world {
    struct fake_pair *pair;
    struct qms_client *near, *far; /* connects, listens */
    struct qms_listener *l;
    struct qms_connection *c, *taken; /* c: near; taken: given by on_connection */
    struct qms_stream *got;           /* on_stream at the listener's side */
    char log[64];                     /* a asked, y on_connection, s stream asked, S on_stream,
                                         m message, d datagram, x stopped, c far closed; near: Y ready,
                                         F refused, G goaway, C closed */
    qms_err verdict, stream_verdict;
    qms_err refused, closed;
    uint64_t wait_ms;
    char peer_id[64], token[64], stream_token[64], peeked[64], source[64], bytes[64];
    struct qms_connection *asked; /* in authenticate_connection */
    char act_on;
    void (*act)(struct world *w);
};

static struct qms_bytes text(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}

static void copy(char *out, struct qms_bytes b)
{
    size_t len = b.len < 63 ? b.len : 63;

    if (len > 0) {
        memcpy(out, b.data, len);
    }
    out[len] = '\0';
}

static void note(struct world *w, char letter)
{
    size_t len = strlen(w->log);

    if (len + 1 < sizeof(w->log)) {
        w->log[len] = letter;
        w->log[len + 1] = '\0';
    }
    if (w->act != NULL && w->act_on == letter) {
        w->act(w);
    }
}

/* ---- the listener's side ---- */

static qms_err authenticate_connection(struct qms_listener *l, void *arg,
                                       struct qms_connection *c)
{
    struct world *w = arg;

    (void)l;
    copy(w->peer_id, text(qms_connection_peer_id(c)));
    copy(w->token, qms_connection_peer_token(c));
    w->asked = c;
    note(w, 'a');
    return w->verdict;
}

static qms_err authenticate_stream(struct qms_listener *l, void *arg, struct qms_connection *c,
                                   struct qms_stream *st)
{
    struct world *w = arg;
    struct qms_bytes first;

    (void)l;
    (void)c;
    copy(w->stream_token, qms_stream_token(st));
    if (qms_stream_peek(st, &first) == QMS_OK) {
        copy(w->peeked, first);
    }
    note(w, 's');
    return w->stream_verdict == QMS_E_AGAIN && qms_stream_readable(st) >= 4 ? QMS_OK
                                                                            : w->stream_verdict;
}

static void far_readable(struct qms_stream *st, void *arg)
{
    struct world *w = arg;
    size_t len = strlen(w->bytes), more;

    while (qms_stream_read(st, w->bytes + len, 63 - len, &more) == QMS_OK && more > 0) {
        len += more;
        w->bytes[len] = '\0';
    }
}

static const struct qms_stream_callbacks far_stream = {.size = sizeof(far_stream),
                                                       .on_readable = far_readable};

static void far_on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    struct world *w = arg;

    (void)c;
    qms_stream_release(w->got);
    w->got = st;
    copy(w->source, qms_stream_source(st));
    assert_int_equal(qms_stream_set_callbacks(st, &far_stream, w), QMS_OK);
    note(w, 'S');
}

static void far_on_message(struct qms_connection *c, void *arg, const struct qms_stream *from,
                           struct qms_bytes message)
{
    struct world *w = arg;

    (void)c;
    copy(w->source, qms_stream_source(from));
    copy(w->bytes, message);
    note(w, 'm');
}

static void far_on_datagram(struct qms_connection *c, void *arg, enum qms_kind kind,
                            struct qms_bytes source, uint8_t priority, struct qms_bytes payload)
{
    struct world *w = arg;

    (void)c;
    (void)priority;
    assert_int_equal(kind, QMS_KIND_AGENT);
    copy(w->source, source);
    copy(w->bytes, payload);
    note(w, 'd');
}

static void far_on_closed(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                          const char *reason)
{
    (void)c;
    (void)err;
    (void)code;
    (void)reason;
    note(arg, 'c');
}

static const struct qms_connection_callbacks far_callbacks = {
    .size = sizeof(far_callbacks),
    .on_stream = far_on_stream,
    .on_datagram = far_on_datagram,
    .on_message = far_on_message,
    .on_closed = far_on_closed,
};

static void on_connection(struct qms_listener *l, void *arg, struct qms_connection *c)
{
    struct world *w = arg;

    (void)l;
    w->taken = c;
    assert_int_equal(qms_connection_set_callbacks(c, &far_callbacks, w), QMS_OK);
    note(w, 'y');
}

static void on_stopped(struct qms_listener *l, void *arg)
{
    (void)l;
    note(arg, 'x');
}

static const struct qms_listener_callbacks listener_callbacks = {
    .size = sizeof(listener_callbacks),
    .authenticate_connection = authenticate_connection,
    .authenticate_stream = authenticate_stream,
    .on_connection = on_connection,
    .on_stopped = on_stopped,
};

/* ---- the connecting side ---- */

static void near_on_ready(struct qms_connection *c, void *arg)
{
    (void)c;
    note(arg, 'Y');
}

static void near_on_refused(struct qms_connection *c, void *arg, qms_err err, uint64_t ms,
                            const char *reason, const char *redirect)
{
    struct world *w = arg;

    (void)c;
    (void)reason;
    (void)redirect;
    w->refused = err;
    w->wait_ms = ms;
    note(w, 'F');
}

static void near_on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    far_on_stream(c, arg, st);
}

static void near_on_goaway(struct qms_connection *c, void *arg, qms_err status, uint64_t ms,
                           const char *redirect)
{
    struct world *w = arg;

    (void)c;
    (void)status;
    (void)redirect;
    w->wait_ms = ms;
    note(w, 'G');
}

static void near_on_closed(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                           const char *reason)
{
    struct world *w = arg;

    (void)c;
    (void)code;
    (void)reason;
    w->closed = err;
    note(w, 'C');
}

static const struct qms_connection_callbacks near_callbacks = {
    .size = sizeof(near_callbacks),
    .on_ready = near_on_ready,
    .on_refused = near_on_refused,
    .on_stream = near_on_stream,
    .on_datagram = far_on_datagram,
    .on_goaway = near_on_goaway,
    .on_closed = near_on_closed,
};

/* ---- both ---- */

static void settle(struct world *w)
{
    for (int quiet = 0, i = 0; quiet < 3; i++) {
        qms_time now = fake_link_now(w->pair);
        bool moved = fake_link_pump(w->pair, 0);

        qms_client_turn(w->near, now);
        qms_client_turn(w->far, now);
        moved =
            moved || qms_client_next_at(w->near) <= now || qms_client_next_at(w->far) <= now;
        quiet = moved ? 0 : quiet + 1;
        assert_true(i < 10000);
    }
}

static struct world *world_new(struct qms_options *o)
{
    struct world *w = calloc(1, sizeof(*w));
    struct qms_options defaults;

    assert_non_null(w);
    w->pair = fake_pair_new(NULL);
    fake_link_set_remote(w->pair, 1, 0x0a000001, 1234);
    qms_options_init(&defaults);
    assert_int_equal(qms_client_new_bare(&w->near), QMS_OK);
    assert_int_equal(qms_client_new_bare(&w->far), QMS_OK);
    w->near->now = w->far->now = fake_link_now(w->pair);
    assert_int_equal(
        qms_listener_new(w->far, o == NULL ? &defaults : o, &listener_callbacks, w, &w->l),
        QMS_OK);
    qms_options_fini(&defaults);
    return w;
}

/* Both ends of a connection; false where memory was out. */
static bool join(struct world *w, const char *id, const char *token)
{
    struct qms_connection *taken;
    struct qms_options o;
    qms_err err;

    qms_options_init(&o);
    err = qms_options_set_agent_id(&o, id);
    if (err == QMS_OK) {
        err = qms_options_set_token(&o, token);
    }
    if (err == QMS_OK) {
        err = qms_connection_new(w->near, &o, &near_callbacks, w, &w->c);
    }
    qms_options_fini(&o);
    if (err == QMS_OK) {
        err = qms_connection_start(w->c, fake_pair_link(w->pair, 0));
        if (err != QMS_OK) {
            qms_connection_fail(w->c, err, "");
        }
    } else {
        qms_link_abandon(fake_pair_link(w->pair, 0));
    }
    if (qms_listener_take(w->l, fake_pair_link(w->pair, 1), &taken) != QMS_OK) {
        err = QMS_E_NOMEM;
    }
    settle(w);
    return err == QMS_OK;
}

static void world_free(struct world *w)
{
    qms_client_free(w->near);
    qms_client_free(w->far);
    fake_pair_free(w->pair);
    free(w);
}

static uint64_t stat(const struct world *w, enum qms_listener_stat which)
{
    uint64_t values[QMS_LISTENER_STAT_COUNT];

    qms_listener_stats(w->l, values, QMS_LISTENER_STAT_COUNT);
    return values[which];
}

static struct qms_stream *open_stream(struct qms_connection *c, enum qms_kind kind,
                                      const char *name, const char *token)
{
    struct qms_open *p = qms_open_new();
    struct qms_stream *st = NULL;

    assert_non_null(p);
    assert_int_equal(qms_open_set_stream_token(p, text(token)), QMS_OK);
    assert_int_equal(qms_stream_open(c, kind, name, 0, 9, p, NULL, NULL, &st), QMS_OK);
    qms_open_free(p);
    return st;
}

static void write_text(struct qms_stream *st, const char *s)
{
    size_t taken;

    assert_int_equal(qms_stream_write(st, text(s), &taken), QMS_OK);
}

#endif
