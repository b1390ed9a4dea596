/* SPDX-License-Identifier: MIT */
/* Who is let in, and which of its streams.  HELLO waits as an event of the connection until the
 * turn runs callbacks; streams of the connection wait behind it in the session. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/listener.h"

#define OWN_ID "direct"

static const char *own_id(const struct qms_listener *l)
{
    return l->settings.agent_id == NULL ? OWN_ID : l->settings.agent_id;
}

/* ---- HELLO ---- */

/* Runs inside an event of the session: only notes what was said. */
void qms_taken_hello(struct qms_connection *c, const struct qms_control *hello)
{
    struct qms_taken *t = c->taken;
    struct qms_bytes id = hello->u.hello.agent_id, token = hello->u.hello.auth;
    uint32_t number;

    t->relays = (hello->u.hello.caps & QMS_CAP_RELAY) != 0;
    if (id.len > 0) {
        memcpy(t->peer_id, id.data, id.len); /* the codec knows names */
    } else {
        qms_random(&number, sizeof(number));
        (void)snprintf(t->peer_id, sizeof(t->peer_id), "agent-%08x", (unsigned)number);
    }
    if (token.len > 0) {
        t->token = qms_calloc(1, token.len);
        if (t->token != NULL) {
            memcpy(t->token, token.data, token.len);
            t->token_len = token.len;
        }
    }
    t->asked =
        (token.len == 0 || t->token != NULL) &&
        qms_event_add(c, QMS_EVENT_HELLO, (struct qms_bytes){0}, (struct qms_bytes){0}) != NULL;
    if (!t->asked) {
        qms_session_refuse(c->session, QMS_CODE_BUSY, 0, qms_strerror(QMS_E_NOMEM));
    }
}

static void forget_token(struct qms_taken *t)
{
    if (t->token != NULL) {
        qms_memzero(t->token, t->token_len);
        qms_free(t->token);
        t->token = NULL;
        t->token_len = 0;
    }
}

static void refuse(struct qms_connection *c, uint8_t code, qms_time wait, const char *reason)
{
    forget_token(c->taken);
    c->refused = true;
    c->close_err = qms_err_from_code(code);
    (void)snprintf(c->close_reason, sizeof(c->close_reason), "%s", reason);
    if (c->session != NULL) {
        qms_session_refuse(c->session, code, (wait + QMS_MILLISECOND - 1) / QMS_MILLISECOND,
                           reason);
    }
    qms_connection_touch(c);
}

static qms_err welcome(struct qms_connection *c)
{
    struct qms_taken *t = c->taken;
    struct qms_control m = {.type = QMS_MSG_WELCOME};
    qms_err err;

    qms_random(m.u.welcome.session_id, sizeof(m.u.welcome.session_id));
    m.u.welcome.agent_id = (struct qms_bytes){(const uint8_t *)t->peer_id, strlen(t->peer_id)};
    m.u.welcome.max_header = QMS_ROUTE_HEADER_MAX;
    m.u.welcome.max_datagram = UINT16_MAX;
    m.u.welcome.idle_ms = c->settings.idle_for / QMS_MILLISECOND;
    m.u.welcome.caps = t->relays && t->believed ? QMS_CAP_RELAY : 0;
    err = qms_session_welcome(c->session, &m);
    if (err != QMS_OK) {
        return err;
    }
    (void)snprintf(c->id, sizeof(c->id), "%s", own_id(t->listener));
    return QMS_OK;
}

/* From here on the connection is one like any other. */
static void let_in(struct qms_connection *c)
{
    struct qms_taken *t = c->taken;
    struct qms_listener *l = t->listener;

    if (welcome(c) != QMS_OK) {
        refuse(c, QMS_CODE_BUSY, 0, qms_strerror(QMS_E_NOMEM));
        return;
    }
    forget_token(t);
    t->admitted = t->given = true;
    c->released = false;
    l->stats[QMS_LISTENER_ACCEPTED]++;
    qms_connection_became_ready(c);
    l->cb.on_connection(l, l->arg, c);
}

static void give_verdict(struct qms_connection *c, qms_err verdict)
{
    struct qms_listener *l = c->taken->listener;

    if (verdict == QMS_OK) {
        let_in(c);
        return;
    }
    l->stats[QMS_LISTENER_REFUSED]++;
    refuse(c, qms_verdict_code(verdict), 0, qms_strerror(verdict));
}

uint8_t qms_verdict_code(qms_err verdict)
{
    return verdict > QMS_E_WIRE && verdict <= QMS_E_WIRE_MAX ? (uint8_t)(verdict - QMS_E_WIRE)
                                                             : QMS_CODE_UNAUTHENTICATED;
}

/* Compares with all of them, so that the time does not tell which was nearest. */
static bool token_is_known(const struct qms_options *o, struct qms_taken *t)
{
    bool known = false;

    for (size_t i = 0; i < o->accepted_count; i++) {
        const struct qms_accepted_token *a = &o->accepted[i];
        bool same = a->len == t->token_len && qms_memeq_ct(a->token, t->token, a->len);

        known |= same && (a->id == NULL || strcmp(a->id, t->peer_id) == 0);
        t->believed |= same && a->broker;
    }
    return known;
}

static bool certificate_is_known(const struct qms_options *o, struct qms_taken *t)
{
    bool known = false;

    for (size_t i = 0; t->has_certificate && i < o->broker_pin_count; i++) {
        known |= memcmp(o->broker_pins[i], t->certificate, sizeof(t->certificate)) == 0;
    }
    t->believed |= known;
    return known;
}

/* By any of what the options name, or where they name nothing. */
static bool is_known(const struct qms_options *o, struct qms_taken *t)
{
    bool token = token_is_known(o, t), certificate = certificate_is_known(o, t);

    return token || certificate || o->accepted_count + o->broker_pin_count == 0;
}

/* What needs no callback.  True: it was refused. */
static bool refused_at_once(struct qms_connection *c)
{
    struct qms_taken *t = c->taken;
    uint64_t *stats = t->listener->stats;

    if (t->listener->stopping) {
        refuse(c, QMS_CODE_GOING_AWAY, 0, "shutting down");
    } else if (t->rate_wait > 0) {
        stats[QMS_LISTENER_RATE_LIMITED]++;
        refuse(c, QMS_CODE_RATE_LIMITED, t->rate_wait, "too many connections");
    } else if (t->over_limit) {
        stats[QMS_LISTENER_BUSY]++;
        refuse(c, QMS_CODE_BUSY, 0, "too many connections");
    } else if (!is_known(&t->listener->settings, t)) {
        stats[QMS_LISTENER_REFUSED]++;
        refuse(c, QMS_CODE_UNAUTHENTICATED, 0, "unknown token");
    } else {
        return false;
    }
    return true;
}

void qms_taken_decide(struct qms_connection *c)
{
    struct qms_listener *l = c->taken->listener;
    qms_err verdict = QMS_OK;

    if (l == NULL || c->session == NULL || c->state != QMS_CONN_DIALING || refused_at_once(c)) {
        return;
    }
    if (l->cb.authenticate_connection != NULL) {
        verdict = l->cb.authenticate_connection(l, l->arg, c);
    }
    if (c->taken->listener == NULL || c->state != QMS_CONN_DIALING) {
        return; /* the callback ended the listener or the connection */
    }
    if (verdict == QMS_E_AGAIN) {
        c->released = false;
        c->taken->given = true;
        return;
    }
    give_verdict(c, verdict);
}

qms_err qms_connection_admit(struct qms_connection *c, qms_err verdict)
{
    struct qms_taken *t = c->taken;

    if (t == NULL || t->admitted || !t->given || c->refused) {
        return QMS_E_STATE;
    }
    if (t->listener == NULL || c->session == NULL || c->state != QMS_CONN_DIALING) {
        return QMS_E_CLOSED;
    }
    t->verdict = verdict == QMS_E_AGAIN ? QMS_E_WIRE_UNAUTHENTICATED : verdict;
    t->verdict_due = true;
    qms_connection_due(c);
    return QMS_OK;
}

qms_err qms_connection_trust_broker(struct qms_connection *c)
{
    struct qms_taken *t = c->taken;

    if (t == NULL || t->admitted || c->refused || t->verdict_due) {
        return QMS_E_STATE;
    }
    if (!t->relays) {
        return QMS_E_UNSUPPORTED;
    }
    t->believed = true;
    return QMS_OK;
}

void qms_taken_dispatch(struct qms_connection *c)
{
    struct qms_taken *t = c->taken;

    if (t != NULL && t->verdict_due) {
        t->verdict_due = false;
        if (t->listener != NULL && c->session != NULL && c->state == QMS_CONN_DIALING) {
            give_verdict(c, t->verdict);
        }
    }
}

/* ---- streams ---- */

uint8_t qms_taken_refuses(const struct qms_connection *c, const struct qms_route_header *h)
{
    const struct qms_taken *t = c->taken;
    const char *id = c->settings.agent_id;

    if (t->going_away || t->listener == NULL) {
        return QMS_CODE_GOING_AWAY;
    }
    /* A broker knows this side by a name of its own. */
    if (!qms_connection_is_broker(c) && h->kind == QMS_KIND_AGENT && id != NULL &&
        (h->target.len != strlen(id) || memcmp(h->target.data, id, h->target.len) != 0)) {
        return QMS_CODE_NOT_FOUND;
    }
    return QMS_CODE_OK;
}

static void judge(struct qms_connection *c, struct qms_stream *st);

static void more_came(struct qms_stream *st, void *arg)
{
    judge(arg, st);
}

static void judged_closed(struct qms_stream *st, void *arg, qms_err err)
{
    (void)arg;
    (void)err;
    qms_stream_release(st);
}

/* Waits for more of the stream in the place of the application. */
static const struct qms_stream_callbacks judging = {
    .size = sizeof(struct qms_stream_callbacks),
    .on_readable = more_came,
    .on_closed = judged_closed,
};

static void judge(struct qms_connection *c, struct qms_stream *st)
{
    struct qms_listener *l = c->taken->listener;
    qms_err verdict = QMS_E_WIRE_GOING_AWAY;

    if (l != NULL) {
        verdict = l->cb.authenticate_stream == NULL
                      ? QMS_OK
                      : l->cb.authenticate_stream(l, l->arg, c, st);
    }
    if (verdict == QMS_E_AGAIN && st->rx == QMS_HALF_OPEN && c->taken->listener != NULL) {
        (void)!qms_stream_set_callbacks(st, &judging, c);
        return;
    }
    (void)!qms_stream_set_callbacks(st, NULL, NULL);
    if (verdict == QMS_OK && !c->released) {
        qms_connection_hand_over(c, st);
        if (st->received.bytes > 0 || st->rx != QMS_HALF_OPEN) {
            qms_stream_note(st, QMS_DUE_READABLE); /* it came before its callbacks were set */
        }
        return;
    }
    if (c->taken->listener != NULL) {
        c->taken->listener->stats[QMS_LISTENER_STREAMS_REFUSED]++;
    }
    (void)!qms_stream_reject(st, qms_verdict_code(verdict), qms_strerror(verdict));
    qms_stream_release(st);
}

void qms_taken_stream(struct qms_connection *c, struct qms_stream *st)
{
    judge(c, st);
}

/* ---- what the handle tells ---- */

bool qms_connection_is_broker(const struct qms_connection *c)
{
    const struct qms_taken *t = c->taken;

    return t != NULL && t->admitted && t->relays && t->believed;
}

const char *qms_connection_peer_id(const struct qms_connection *c)
{
    return c->taken == NULL ? "" : c->taken->peer_id;
}

struct qms_bytes qms_connection_peer_token(const struct qms_connection *c)
{
    return c->taken == NULL ? (struct qms_bytes){0}
                            : (struct qms_bytes){c->taken->token, c->taken->token_len};
}

bool qms_connection_peer_certificate(const struct qms_connection *c, uint8_t out[32])
{
    if (c->taken == NULL || !c->taken->has_certificate) {
        return false;
    }
    memcpy(out, c->taken->certificate, sizeof(c->taken->certificate));
    return true;
}
