/* SPDX-License-Identifier: MIT */
/* From the session's events to what is due: nothing here runs the application's code. */
#include <stdio.h>
#include <string.h>

#include "client/client_i.h"

static struct qms_connection *conn_of(const struct qms_session *s)
{
    return qms_session_user(s);
}

static void copy_text(char *out, size_t cap, struct qms_bytes text)
{
    size_t len = text.len < cap - 1 ? text.len : cap - 1;

    if (len > 0) {
        memcpy(out, text.data, len);
    }
    out[len] = '\0';
}

/* ---- connection ---- */

static void on_welcome(struct qms_session *s, const struct qms_control *welcome)
{
    struct qms_connection *c = conn_of(s);

    if (c->state != QMS_CONN_DIALING || s != c->session) {
        return;
    }
    copy_text(c->id, sizeof(c->id), welcome->u.welcome.agent_id);
    c->client->succeeded++;
    qms_connection_became_ready(c);
}

static void on_refused(struct qms_session *s, const struct qms_control *m)
{
    struct qms_connection *c = conn_of(s);
    qms_err err = qms_err_from_code(m->u.refused.status);
    char redirect[1024];
    struct qms_event *e;

    if (c->state != QMS_CONN_DIALING || s != c->session) {
        return;
    }
    c->refused = true;
    c->close_err = err == QMS_OK ? QMS_E_PROTOCOL : err;
    copy_text(c->close_reason, sizeof(c->close_reason), m->u.refused.reason);
    copy_text(redirect, sizeof(redirect), m->u.refused.redirect);
    c->retry_after_ms = m->u.refused.retry_after_ms;
    (void)qms_reconnect_redirect(c, m->u.refused.redirect);
    e = qms_event_add(c, QMS_EVENT_REFUSED, m->u.refused.reason,
                      (struct qms_bytes){(const uint8_t *)redirect, strlen(redirect) + 1});
    if (e != NULL) {
        e->err = c->close_err;
        e->ms = m->u.refused.retry_after_ms;
    }
}

static void on_datagram(struct qms_session *s, enum qms_kind kind, struct qms_bytes name,
                        uint8_t priority, struct qms_bytes payload)
{
    struct qms_connection *c = conn_of(s);
    struct qms_event *e;

    if (c->cb.on_datagram == NULL) {
        return;
    }
    if (!qms_session_is_agent(s)) { /* what came is the target */
        name = qms_taken_peer(c);
        kind = QMS_KIND_AGENT;
    }
    e = qms_event_add(c, QMS_EVENT_DATAGRAM, name, payload);
    if (e == NULL) {
        c->datagrams_dropped++;
        return;
    }
    e->kind = kind;
    e->priority = priority;
}

/* What on_closed tells of an end that this side did not ask for. */
static qms_err end_error(const struct qms_connection *c, const struct qms_link_close *why)
{
    if (c->timed_out) {
        return QMS_E_TIMEOUT;
    }
    if (c->leaving) {
        return QMS_E_WIRE_GOING_AWAY;
    }
    if (why->err != QMS_OK) {
        return why->err;
    }
    if (!why->application) {
        return QMS_E_TRANSPORT;
    }
    return why->code == 0 ? QMS_E_CLOSED : qms_err_from_code(why->code);
}

/* The other side's words, or a sentence of ours with what the transport says behind it. */
static void explain(struct qms_connection *c, const struct qms_link_close *why, qms_err err,
                    bool was_dialing, char out[QMS_ERROR_TEXT_MAX])
{
    size_t len;

    if (!was_dialing || c->dial == NULL || (why->application && !c->timed_out)) {
        copy_text(out, QMS_ERROR_TEXT_MAX, why->reason);
        return;
    }
    qms_dial_explain(c, err, out, QMS_ERROR_TEXT_MAX);
    len = strlen(out);
    if (why->reason.len > 0 && len + 3 < QMS_ERROR_TEXT_MAX) {
        (void)snprintf(out + len, QMS_ERROR_TEXT_MAX - len, " (%.*s)", (int)why->reason.len,
                       (const char *)why->reason.data);
    }
}

/* The connection itself ends with the last of its sessions. */
static void on_parting_closed(struct qms_connection *c, struct qms_session *s,
                              const struct qms_link_close *why)
{
    qms_parting_closed(c, s,
                       why->application && why->by_peer && why->code != 0
                           ? qms_err_from_code(why->code)
                           : QMS_E_WIRE_GOING_AWAY);
    if (c->state == QMS_CONN_CLOSING && c->session == NULL && !qms_parting_any(c)) {
        qms_connection_fail(c, c->close_err, c->close_reason);
    }
}

static void on_closed(struct qms_session *s, const struct qms_link_close *why)
{
    struct qms_connection *c = conn_of(s);
    if (qms_parting_is(c, s)) {
        on_parting_closed(c, s, why);
        return;
    }
    char reason[QMS_ERROR_TEXT_MAX];
    bool dialing = c->state == QMS_CONN_DIALING;
    qms_err err = end_error(c, why);

    (void)qms_connection_remote_address(c); /* keeps addresses and figures */
    qms_connection_read_stats(c);
    c->session = NULL;
    qms_session_free(s);
    if (dialing && !c->refused && c->dial != NULL && qms_dial_again(c, why)) {
        qms_connection_touch(c);
        return;
    }
    if (c->state != QMS_CONN_CLOSING) {
        c->close_code = why->err == QMS_OK || why->application ? why->code : 0;
    }
    if (c->refused) {
        copy_text(
            reason, sizeof(reason),
            (struct qms_bytes){(const uint8_t *)c->close_reason, strlen(c->close_reason)});
        err = c->close_err;
    } else {
        explain(c, why, err, dialing, reason);
    }
    c->timed_out = false;
    qms_connection_fail(c, err, reason);
}

/* ---- streams ---- */

/* Of a peer that is no broker the peer itself is the source.  False: it was refused. */
static bool take_direct(struct qms_session_stream *ss, struct qms_route_header *h)
{
    struct qms_connection *c = conn_of(ss->session);
    uint8_t code;

    if (c->taken == NULL) {
        return true;
    }
    if (!qms_session_is_agent(ss->session)) {
        h->source = qms_taken_peer(c);
    }
    code = qms_taken_refuses(c, h);
    if (code != QMS_CODE_OK) {
        ss->user = NULL;
        (void)!qms_session_result(ss, &(struct qms_result){.status = code});
        return false;
    }
    return true;
}

static void on_route(struct qms_session_stream *ss, const struct qms_route_header *header)
{
    struct qms_connection *c = conn_of(ss->session);
    struct qms_route_header copy = *header, *h = &copy;

    if (!take_direct(ss, h)) {
        return;
    }
    struct qms_stream *st = qms_stream_accepted(c, ss, h);
    struct qms_event *e = st == NULL ? NULL
                                     : qms_event_add(c, QMS_EVENT_STREAM, (struct qms_bytes){0},
                                                     (struct qms_bytes){0});

    if (e != NULL) {
        e->stream = st;
        return;
    }
    ss->user = NULL;
    if (st != NULL) {
        st->session_stream = NULL;
        qms_stream_destroy(st);
    }
    /* Nothing is left to do where even the refusal finds no memory: its opener's deadline. */
    (void)!qms_session_result(ss, &(struct qms_result){.status = QMS_CODE_BUSY});
}

/* The other side knows it: it is a stream like any other from here on. */
static void early_answered(struct qms_stream *st)
{
    if (st->early) {
        qms_stream_launch(st);
    }
}

static void on_result(struct qms_session_stream *ss, const struct qms_result *r)
{
    struct qms_stream *st = ss->user;

    if (st == NULL || !st->opener) {
        return;
    }
    early_answered(st);
    if (r->status != QMS_CODE_OK) {
        qms_stream_refused(st, r);
        return;
    }
    if (qms_stream_answer_set(st, r) != QMS_OK) {
        qms_stream_set_fate(st, QMS_E_NOMEM); /* before the reset names itself */
        qms_stream_reset(st, QMS_CODE_INTERNAL);
        qms_stream_stop(st, QMS_CODE_INTERNAL);
        return;
    }
    qms_stream_note(st, QMS_DUE_RESULT);
}

static void on_data(struct qms_session_stream *ss, struct qms_bytes data, bool fin)
{
    if (ss->user != NULL) {
        early_answered(ss->user);
    }
    if (ss->user != NULL) {
        qms_stream_rx_data(ss->user, data, fin);
    } else if (data.len > 0) {
        qms_session_consume(ss, data.len);
    }
}

static void on_reset(struct qms_session_stream *ss, uint8_t code)
{
    struct qms_stream *st = ss->user;

    if (st == NULL || st->rx == QMS_HALF_DEAD) {
        return;
    }
    early_answered(st);
    qms_stream_set_fate(st, qms_stream_code_error(code));
    qms_stream_rx_dead(st, qms_stream_code_error(code));
    qms_stream_note(st, QMS_DUE_READABLE);
}

static void on_stop(struct qms_session_stream *ss, uint8_t code)
{
    struct qms_stream *st = ss->user;

    qms_session_reset(ss, code); /* RFC 9000 section 3.5: the answer is RESET_STREAM */
    if (st == NULL || st->tx == QMS_HALF_DEAD) {
        return;
    }
    early_answered(st);
    qms_stream_set_fate(st, qms_stream_code_error(code));
    qms_stream_tx_dead(st, qms_stream_code_error(code));
    qms_stream_note(st, QMS_DUE_STOPPED);
}

static void on_acked(struct qms_session_stream *ss, uint64_t len)
{
    if (ss->user != NULL) {
        qms_stream_tx_acked(ss->user, len);
    }
}

static void on_priority(struct qms_session_stream *ss)
{
    struct qms_stream *st = ss->user;

    if (st != NULL) {
        st->forward = ss->forward;
        st->reverse = ss->reverse;
    }
}

static void on_skipped(struct qms_session_stream *ss, uint64_t count)
{
    struct qms_stream *st = ss->user;

    if (st != NULL) {
        st->skipped += count;
        qms_stream_note(st, QMS_DUE_SKIPPED);
    }
}

/* The connection ended under it, unless each direction had its own end. */
static void on_stream_closed(struct qms_session_stream *ss)
{
    struct qms_stream *st = ss->user;

    if (st == NULL || (st->early && qms_stream_early_lost(st))) {
        return;
    }
    st->session_stream = NULL;
    if (st->tx == QMS_HALF_OPEN || (st->tx == QMS_HALF_ENDED && st->acked < st->written)) {
        st->fate_is_closing = true;
        qms_stream_tx_dead(st, QMS_E_CLOSED);
    }
    if (st->rx == QMS_HALF_OPEN) {
        st->fate_is_closing = true;
        qms_stream_rx_dead(st, QMS_E_CLOSED);
        qms_stream_note(st, QMS_DUE_READABLE);
    }
    if (st->c->leaving || qms_parting_any(st->c)) {
        qms_connection_due(st->c);
    }
    if (st->opener && !st->bidi && st->tx == QMS_HALF_ENDED && !st->released &&
        ss->session == st->c->session) {
        qms_stream_confirm(st);
    }
    qms_stream_check_over(st);
}

static void on_hello(struct qms_session *s, const struct qms_control *hello)
{
    if (conn_of(s)->taken != NULL) {
        qms_taken_hello(conn_of(s), hello);
    } else {
        qms_session_close(s, QMS_CODE_PROTOCOL, "HELLO goes the other way");
    }
}

const struct qms_session_events qms_client_session_events = {
    .on_hello = on_hello,
    .on_welcome = on_welcome,
    .on_refused = on_refused,
    .on_control = qms_connection_on_control,
    .on_datagram = on_datagram,
    .on_route = on_route,
    .on_result = on_result,
    .on_data = on_data,
    .on_reset = on_reset,
    .on_stop = on_stop,
    .on_acked = on_acked,
    .on_priority = on_priority,
    .on_skipped = on_skipped,
    .on_stream_closed = on_stream_closed,
    .on_closed = on_closed,
};
