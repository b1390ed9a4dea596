/* SPDX-License-Identifier: MIT */
#include "client_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qms_bytes text(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}

static void put(char *log, size_t cap, char letter)
{
    size_t len = strlen(log);

    if (len + 1 < cap) {
        log[len] = letter;
        log[len + 1] = '\0';
    }
}

static void copy(char *out, size_t cap, struct qms_bytes b)
{
    size_t len = b.len < cap - 1 ? b.len : cap - 1;

    if (len > 0) {
        memcpy(out, b.data, len);
    }
    out[len] = '\0';
}

/* ---- the broker's end ---- */

static struct fixture *of(struct qms_session *s)
{
    return qms_session_user(s);
}

static struct peer_stream *peer_stream(struct fixture *f, struct qms_session_stream *ss)
{
    struct peer_stream *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    assert_true(f->count < PEER_STREAMS);
    p->ss = ss;
    p->bidi = ss != NULL && ss->bidi;
    p->reset = p->stopped = -1;
    p->result = UINT64_MAX;
    f->streams[f->count++] = p;
    return p;
}

static void peer_hello(struct qms_session *s, const struct qms_control *hello)
{
    struct fixture *f = of(s);
    struct qms_control m = {.type = QMS_MSG_WELCOME};

    (void)hello;
    if (f->welcome == WELCOME) {
        m.u.welcome.agent_id = text("me");
        m.u.welcome.max_header = QMS_ROUTE_HEADER_MAX;
        /* While allocations fail on purpose nobody is welcomed. */
        (void)!qms_session_welcome(s, &m);
    } else if (f->welcome == REFUSE) {
        qms_session_refuse(s, QMS_CODE_UNAUTHENTICATED, 1500, "unknown token");
    }
}

static void peer_control(struct qms_session *s, const struct qms_control *m)
{
    of(s)->last = *m;
}

static void peer_datagram(struct qms_session *s, enum qms_kind kind, struct qms_bytes name,
                          uint8_t priority, struct qms_bytes payload)
{
    (void)kind;
    (void)priority;
    copy(of(s)->datagram, sizeof(of(s)->datagram), payload);
    copy(of(s)->datagram_name, sizeof(of(s)->datagram_name), name);
}

static void peer_route(struct qms_session_stream *ss, const struct qms_route_header *h)
{
    struct peer_stream *p = peer_stream(of(ss->session), ss);

    copy(p->meta, sizeof(p->meta), h->meta);
    copy(p->target, sizeof(p->target), h->target);
    p->priority = h->priority;
    p->accept_deadline_ms = h->has_deadline ? h->accept_deadline_ms : 0;
    copy(p->traceparent, sizeof(p->traceparent), h->traceparent);
    p->length_hint = h->has_length ? h->length_hint : UINT64_MAX;
    ss->user = p;
}

static void peer_result(struct qms_session_stream *ss, const struct qms_result *r)
{
    struct peer_stream *p = ss->user;

    p->result = r->status;
    copy(p->meta, sizeof(p->meta), r->status == 0 ? r->meta : r->reason);
}

static void peer_data(struct qms_session_stream *ss, struct qms_bytes data, bool fin)
{
    struct peer_stream *p = ss->user;

    assert_true(p->len + data.len <= sizeof(p->data));
    if (data.len > 0) {
        memcpy(p->data + p->len, data.data, data.len);
        p->len += data.len;
        qms_session_consume(ss, data.len);
    }
    p->fin = fin;
}

static void peer_reset(struct qms_session_stream *ss, uint8_t code)
{
    ((struct peer_stream *)ss->user)->reset = code;
}

static void peer_stop(struct qms_session_stream *ss, uint8_t code)
{
    ((struct peer_stream *)ss->user)->stopped = code;
    qms_session_reset(ss, code);
}

static void peer_acked(struct qms_session_stream *ss, uint64_t len)
{
    (void)ss;
    (void)len;
}

static void peer_priority(struct qms_session_stream *ss)
{
    ((struct peer_stream *)ss->user)->priority = ss->forward;
}

static void peer_stream_closed(struct qms_session_stream *ss)
{
    struct peer_stream *p = ss->user;

    p->ss = NULL;
    p->closed = true;
}

static void peer_closed(struct qms_session *s, const struct qms_link_close *why)
{
    struct fixture *f = of(s);

    f->peer_closed = true;
    f->peer_why = *why;
    copy(f->peer_reason, sizeof(f->peer_reason), why->reason);
    f->peer = s == f->peer ? NULL : f->peer;
    for (size_t i = 0; i < f->old_count; i++) {
        f->old_peer[i] = s == f->old_peer[i] ? NULL : f->old_peer[i];
    }
    qms_session_free(s);
}

static const struct qms_session_events peer_events = {
    .on_hello = peer_hello,
    .on_control = peer_control,
    .on_datagram = peer_datagram,
    .on_route = peer_route,
    .on_result = peer_result,
    .on_data = peer_data,
    .on_reset = peer_reset,
    .on_stop = peer_stop,
    .on_acked = peer_acked,
    .on_priority = peer_priority,
    .on_stream_closed = peer_stream_closed,
    .on_closed = peer_closed,
};

struct peer_stream *peer_opens_as(struct fixture *f, bool bidi, struct qms_route_header h)
{
    struct peer_stream *p = peer_stream(f, NULL);

    h.kind = QMS_KIND_AGENT;
    h.target = text("me");
    h.source = text("other");
    assert_int_equal(qms_session_open(f->peer, bidi, &h, p, &p->ss), QMS_OK);
    return p;
}

struct peer_stream *peer_opens(struct fixture *f, bool bidi, const char *meta)
{
    return peer_opens_as(f, bidi,
                         (struct qms_route_header){.priority = 77, .meta = text(meta)});
}

void peer_writes(struct peer_stream *p, const char *s, bool fin)
{
    struct qms_blob *blob = qms_blob_copy(text(s));

    assert_non_null(blob);
    if (blob->len > 0) {
        assert_int_equal(qms_session_write(p->ss, blob, 0, blob->len), QMS_OK);
    }
    qms_blob_unref(blob);
    if (fin) {
        qms_session_finish(p->ss);
    }
}

void peer_sends(struct fixture *f, struct qms_control m)
{
    assert_int_equal(qms_session_send(f->peer, &m), QMS_OK);
}

void peer_answers(struct peer_stream *p, uint64_t status, const char *reason)
{
    struct qms_result r = {.status = status};

    if (status == 0) {
        r.meta = text(reason);
        r.acceptor = text("b");
    } else {
        r.reason = text(reason);
        r.retry_after_ms = 42;
        r.redirect = text("quic://elsewhere:2");
    }
    assert_int_equal(qms_session_result(p->ss, &r), QMS_OK);
    p->answered = true;
}

/* ---- the client's callbacks ---- */

static void act_on_stream(struct watch *w, char letter)
{
    put(w->log, sizeof(w->log), letter);
    if (w->act != NULL && w->act_on == letter) {
        w->act(w);
    }
}

static void on_result(struct qms_stream *st, void *arg, qms_err err)
{
    struct watch *w = arg;

    (void)st;
    w->result = err;
    act_on_stream(w, 'r');
}

static void on_readable(struct qms_stream *st, void *arg)
{
    struct watch *w = arg;
    size_t len;

    if (!w->keep) {
        while (w->len < sizeof(w->got) &&
               (w->read = qms_stream_read(st, w->got + w->len, sizeof(w->got) - w->len,
                                          &len)) == QMS_OK) {
            w->len += len;
            if (len == 0) {
                w->end = true;
                break;
            }
        }
    }
    act_on_stream(w, 'R');
}

static void on_writable(struct qms_stream *st, void *arg)
{
    (void)st;
    act_on_stream(arg, 'W');
}

static void on_stopped(struct qms_stream *st, void *arg, qms_err err)
{
    struct watch *w = arg;

    (void)st;
    w->stopped = err;
    act_on_stream(w, 'S');
}

static void on_stream_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct watch *w = arg;

    (void)st;
    w->closed = err;
    act_on_stream(w, 'C');
}

static void on_stream_message(struct qms_stream *st, void *arg, struct qms_bytes message)
{
    struct watch *w = arg;

    (void)st;
    copy(w->message, sizeof(w->message), message);
    w->message_len = message.len;
    w->messages++;
    act_on_stream(w, 'M');
}

static void on_skipped(struct qms_stream *st, void *arg, uint64_t messages)
{
    struct watch *w = arg;

    (void)st;
    w->skipped = messages;
    act_on_stream(w, 'K');
}

static const struct qms_stream_callbacks stream_callbacks = {
    .size = sizeof(struct qms_stream_callbacks),
    .on_result = on_result,
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_stopped = on_stopped,
    .on_closed = on_stream_closed,
    .on_message = on_stream_message,
    .on_skipped = on_skipped,
};

static void act_on(struct fixture *f, char letter)
{
    put(f->log, sizeof(f->log), letter);
    if (f->act != NULL && f->act_on == letter) {
        f->act(f);
    }
}

static void on_ready(struct qms_connection *c, void *arg)
{
    (void)c;
    act_on(arg, 'y');
}

static void on_refused(struct qms_connection *c, void *arg, qms_err err, uint64_t ms,
                       const char *reason, const char *redirect)
{
    struct fixture *f = arg;

    (void)c;
    (void)redirect;
    f->refused = err;
    f->retry_after_ms = ms;
    copy(f->refused_reason, sizeof(f->refused_reason), text(reason));
    act_on(f, 'f');
}

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    struct fixture *f = arg;

    (void)c;
    qms_stream_release(f->accepted.st);
    f->accepted.f = f;
    f->accepted.st = st;
    assert_int_equal(qms_stream_set_callbacks(st, &stream_callbacks, &f->accepted), QMS_OK);
    act_on(f, 's');
}

static void on_datagram(struct qms_connection *c, void *arg, enum qms_kind kind,
                        struct qms_bytes source, uint8_t priority, struct qms_bytes payload)
{
    struct fixture *f = arg;

    (void)c;
    (void)priority;
    assert_int_equal(kind, QMS_KIND_AGENT);
    copy(f->got_datagram, sizeof(f->got_datagram), payload);
    copy(f->got_source, sizeof(f->got_source), source);
    act_on(f, 'd');
}

static void on_throttled(struct qms_connection *c, void *arg, unsigned what, uint64_t ms)
{
    struct fixture *f = arg;

    (void)c;
    assert_int_equal(what, QMS_THROTTLE_BYTES);
    f->retry_after_ms = ms;
    act_on(f, 't');
}

static void on_goaway(struct qms_connection *c, void *arg, qms_err status, uint64_t ms,
                      const char *redirect)
{
    struct fixture *f = arg;

    (void)c;
    (void)ms;
    assert_string_equal(redirect, "quic://elsewhere:1");
    f->goaway = status;
    act_on(f, 'g');
}

static void on_pong(struct qms_connection *c, void *arg, qms_time rtt)
{
    struct fixture *f = arg;

    (void)c;
    f->pong = rtt;
    act_on(f, 'p');
}

static void on_token(struct qms_connection *c, void *arg, qms_err err)
{
    struct fixture *f = arg;

    (void)c;
    f->token = err;
    act_on(f, 'k');
}

static void on_closed(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                      const char *reason)
{
    struct fixture *f = arg;

    (void)c;
    f->closed = err;
    f->close_code = code;
    copy(f->reason, sizeof(f->reason), text(reason));
    act_on(f, 'c');
}

static void on_message(struct qms_connection *c, void *arg, const struct qms_stream *from,
                       struct qms_bytes message)
{
    struct fixture *f = arg;

    (void)c;
    copy(f->message, sizeof(f->message), message);
    copy(f->got_source, sizeof(f->got_source), qms_stream_source(from));
    f->message_len = message.len;
    f->messages++;
    act_on(f, 'm');
}

static void on_reconnecting(struct qms_connection *c, void *arg, qms_err err,
                            const char *reason, unsigned attempt, qms_time delay)
{
    struct fixture *f = arg;

    (void)c;
    f->lost = err;
    f->attempt = attempt;
    f->delay = delay;
    copy(f->reason, sizeof(f->reason), text(reason));
    act_on(f, 'x');
}

static void on_presence(struct qms_connection *c, void *arg, uint64_t watch, unsigned presence,
                        const char *agent)
{
    struct fixture *f = arg;
    size_t len = strlen(f->presence);

    f->presences++;
    (void)c;
    (void)snprintf(f->presence + len, sizeof(f->presence) - len, "%llu/%u/%s;",
                   (unsigned long long)watch, presence, agent);
    act_on(f, 'P');
}

void note_done(struct qms_connection *c, void *arg, qms_err err)
{
    struct fixture *f = arg;

    assert_ptr_equal(qms_connection_arg(c), f);
    f->done = err;
    act_on(f, 'D');
}

static const struct qms_connection_callbacks callbacks = {
    .size = sizeof(struct qms_connection_callbacks),
    .on_ready = on_ready,
    .on_refused = on_refused,
    .on_stream = on_stream,
    .on_datagram = on_datagram,
    .on_throttled = on_throttled,
    .on_goaway = on_goaway,
    .on_pong = on_pong,
    .on_token = on_token,
    .on_closed = on_closed,
    .on_message = on_message,
    .on_reconnecting = on_reconnecting,
    .on_presence = on_presence,
};

struct qms_stream *open_to(struct fixture *f, struct watch *w, const char *agent,
                           unsigned flags)
{
    w->f = f;
    assert_int_equal(qms_stream_open(f->conn, QMS_KIND_AGENT, agent, flags, QMS_PRIORITY_NORMAL,
                                     NULL, &stream_callbacks, w, &w->st),
                     QMS_OK);
    return w->st;
}

/* ---- both ---- */

/* The peer's session may end with the pump. */
static bool turn_pair(struct fake_pair *pair, struct qms_session **peer, size_t chunk)
{
    bool moved = fake_link_pump(pair, chunk);

    if (*peer != NULL && qms_session_next_at(*peer) <= fake_link_now(pair)) {
        qms_session_expire(*peer, fake_link_now(pair));
        moved = true;
    }
    return moved;
}

/* Sessions that part are served on. */
static bool turn(struct fixture *f, size_t chunk)
{
    bool moved = false;

    for (size_t i = 0; i < f->old_count; i++) {
        moved =
            (f->old_peer[i] != NULL && turn_pair(f->old[i], &f->old_peer[i], chunk)) || moved;
    }
    moved = turn_pair(f->pair, &f->peer, chunk) || moved;
    qms_client_turn(f->client, fake_link_now(f->pair));
    return moved || qms_client_next_at(f->client) <= fake_link_now(f->pair);
}

void step(struct fixture *f, size_t chunk)
{
    (void)turn(f, chunk);
}

void settle(struct fixture *f)
{
    for (int i = 0, idle = 0; i < 10000; i++) {
        idle = turn(f, 0) ? 0 : idle + 1;
        if (idle == 2) { /* a turn of the client may leave work for the link */
            return;
        }
    }
    fail_msg("it never settles");
}

static struct qms_link *new_pair(struct fixture *f, const struct fake_config *config)
{
    f->pair = fake_pair_new(config);
    assert_non_null(f->pair);
    f->peer = qms_session_new(fake_pair_link(f->pair, 1), false, NULL, &peer_events, f);
    assert_non_null(f->peer);
    return fake_pair_link(f->pair, 0);
}

static struct fixture *make(enum welcome welcome, const struct fake_config *config,
                            qms_time reconnect)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct qms_options o;
    struct qms_link *link;

    assert_non_null(f);
    f->welcome = welcome;
    link = new_pair(f, config);
    assert_int_equal(qms_client_new_bare(&f->client), QMS_OK);
    f->client->now = fake_link_now(f->pair);
    qms_options_init(&o);
    assert_int_equal(qms_options_set_token(&o, "secret"), QMS_OK);
    assert_int_equal(qms_options_set_send_buffer(&o, 16384), QMS_OK);
    assert_int_equal(qms_options_set_max_message(&o, 200000), QMS_OK);
    assert_int_equal(qms_options_set_reconnect(&o, reconnect, 10 * reconnect), QMS_OK);
    assert_int_equal(qms_connection_new(f->client, &o, &callbacks, f, &f->conn), QMS_OK);
    qms_options_fini(&o);
    assert_int_equal(qms_connection_start(f->conn, link), QMS_OK);
    return f;
}

struct fixture *fixture_new(enum welcome welcome, const struct fake_config *config)
{
    return make(welcome, config, 0);
}

static qms_err redial(struct qms_connection *c, const char *url)
{
    struct fixture *f = qms_connection_arg(c);
    struct qms_link *link;

    copy(f->url, sizeof(f->url), text(url == NULL ? "" : url));
    assert_true(f->old_count < 8);
    f->old_peer[f->old_count] = f->peer;
    f->old[f->old_count++] = f->pair;
    link = new_pair(f, NULL);
    fake_link_advance(f->pair, f->client->now - fake_link_now(f->pair));
    return qms_connection_start(c, link);
}

struct fixture *fixture_reconnecting(enum welcome welcome)
{
    struct fixture *f = make(welcome, NULL, 100 * QMS_MILLISECOND);

    f->conn->redial = redial;
    return f;
}

void pass(struct fixture *f, qms_time by)
{
    fake_link_advance(f->pair, by);
    for (size_t i = 0; i < f->old_count; i++) {
        if (f->old_peer[i] != NULL) {
            fake_link_advance(f->old[i], by);
        }
    }
    settle(f);
}

void fixture_free(struct fixture *f)
{
    qms_client_free(f->client);
    qms_session_free(f->peer);
    fake_pair_free(f->pair);
    for (size_t i = 0; i < f->old_count; i++) {
        qms_session_free(f->old_peer[i]);
    }
    for (size_t i = 0; i < f->old_count; i++) {
        fake_pair_free(f->old[i]);
    }
    for (size_t i = 0; i < f->count; i++) {
        free(f->streams[i]);
    }
    free(f);
}

int setup(void **state)
{
    struct fixture *f = fixture_new(WELCOME, NULL);

    settle(f);
    assert_string_equal(f->log, "y");
    f->log[0] = '\0';
    *state = f;
    return 0;
}

int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}
