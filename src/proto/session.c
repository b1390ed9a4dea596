/* SPDX-License-Identifier: MIT */
/* Life of a session: events of the link are sorted to the rooms, deadlines, malformed input.
 *
 * phase HELLO -> ANSWER -> OPEN or REFUSED -> CLOSED.  A refusal waits until the peer has
 * acknowledged it, because closing a link drops what is queued. */
#include "proto/session.h"

#include <string.h>

#include "base/mem.h"
#include "proto/session_i.h"

/** How long a refusal may wait to be acknowledged, or its receiver for the close. */
#define LINGER_FOR (2 * QMS_SECOND)
#define REASON_MAX 256

const struct qms_session_limits qms_session_limits_default = {
    .hello_for = 5 * QMS_SECOND,
    .header_for = 5 * QMS_SECOND,
    .held_streams = 16,
    .held_bytes = 16384,
    .malformed_per_minute = 16,
    .max_contexts = 64,
};

static struct qms_bytes reason_bytes(const char *reason)
{
    size_t len = reason != NULL ? strnlen(reason, REASON_MAX) : 0;
    return (struct qms_bytes){(const uint8_t *)reason, len};
}

void qms_session_fail(struct qms_session *s, uint8_t code, const char *reason)
{
    if (s->link != NULL && s->phase != QMS_SESSION_CLOSED) {
        s->phase = QMS_SESSION_CLOSED;
        s->link->ops->close(s->link, code, reason_bytes(reason));
    }
}

void qms_session_odd(struct qms_session *s, const char *what)
{
    if (s->limits->on_oddity != NULL) {
        s->limits->on_oddity(s, what);
    }
}

void qms_session_malformed(struct qms_session *s, const char *what)
{
    qms_time now = s->link->now;

    qms_session_odd(s, what);
    if (s->malformed == 0 || now - s->malformed_from >= 60 * QMS_SECOND) {
        s->malformed_from = now;
        s->malformed = 0;
    }
    if (++s->malformed > s->limits->malformed_per_minute) {
        qms_session_fail(s, QMS_CODE_PROTOCOL, "too much malformed input");
    }
}

struct qms_ss *qms_ss_new(struct qms_session *s, struct qms_link_stream *ls, bool opener)
{
    struct qms_ss *st = qms_calloc(1, sizeof(*st));

    if (st != NULL) {
        st->pub.session = s;
        st->pub.link_stream = ls;
        st->pub.opener = opener;
        st->pub.bidi = ls != NULL && ls->bidi;
        qms_list_append(&s->streams, &st->all);
        qms_list_init(&st->wait);
        qms_list_init(&st->untold);
    }
    return st;
}

void qms_ss_free(struct qms_ss *st)
{
    struct qms_session *s = st->pub.session;

    if (st->pub.link_stream != NULL) {
        st->pub.link_stream->user = NULL;
    }
    if (s->control == st) {
        s->control = NULL;
    }
    qms_ss_leave_held(st);
    qms_ss_drop_head(st);
    qms_handles_remove(&s->handles, st);
    qms_ss_receipts_over(st);
    qms_list_remove(&st->all);
    qms_free(st);
}

static void deadline_began(struct qms_session *s)
{
    if (s->events->on_deadline != NULL) {
        s->events->on_deadline(s);
    }
}

static void on_ready(struct qms_link *link)
{
    struct qms_session *s = link->user;

    if (s != NULL && !s->connecting && s->phase == QMS_SESSION_HELLO) {
        s->hello_at = link->now + s->limits->hello_for;
        deadline_began(s);
    }
    if (s != NULL && !s->connecting && s->phase == QMS_SESSION_OPEN) { /* after early data */
        qms_session_control_resume(s);
        qms_session_release_held(s);
    }
}

static void on_stream(struct qms_link *link, struct qms_link_stream *ls)
{
    struct qms_session *s = link->user;

    if (s == NULL || s->phase == QMS_SESSION_CLOSED) {
        return;
    }
    if (s->phase == QMS_SESSION_REFUSED) {
        qms_link_stream_refuse(ls, QMS_CODE_UNAUTHENTICATED);
        return;
    }
    struct qms_ss *st = qms_ss_new(s, ls, false);
    if (st == NULL) {
        qms_link_stream_refuse(ls, QMS_CODE_BUSY);
        return;
    }
    ls->user = st;
    st->header_at = link->now + s->limits->header_for;
    if (qms_list_empty(&s->waiting)) {
        deadline_began(s);
    }
    qms_list_append(&s->waiting, &st->wait);
}

/* The stream behind a link event, or NULL when nobody wants the event. */
static struct qms_ss *living(struct qms_link_stream *ls)
{
    struct qms_ss *st = ls->user;
    return st != NULL && st->pub.session->phase != QMS_SESSION_CLOSED ? st : NULL;
}

static void on_data(struct qms_link_stream *ls, struct qms_bytes data, bool fin)
{
    struct qms_ss *st = living(ls);

    if (st == NULL) {
        return;
    }
    if (st->pub.session->phase == QMS_SESSION_REFUSED) {
        ls->link->ops->consume(ls, data.len);
        return;
    }
    switch ((enum qms_ss_state)st->state) {
    case QMS_SS_HEAD:
        qms_ss_head_input(st, data, fin);
        break;
    case QMS_SS_HELD:
        qms_ss_held_input(st, data, fin);
        break;
    case QMS_SS_CONTROL:
        ls->link->ops->consume(ls, data.len);
        qms_session_control_input(st->pub.session, data, fin);
        break;
    case QMS_SS_RESULT:
        qms_ss_result_input(st, data, fin);
        break;
    case QMS_SS_PAYLOAD:
        qms_ss_payload_input(st, data, fin);
        break;
    case QMS_SS_OVER:
        ls->link->ops->consume(ls, data.len);
        if (data.len > 0) {
            ls->link->ops->stop(ls, QMS_CODE_CANCELLED);
        }
        break;
    }
    qms_ss_received(st, data.len, fin);
}

static bool control_broke(struct qms_ss *st)
{
    if (st->state != QMS_SS_CONTROL) {
        return false;
    }
    if (st->pub.session->phase != QMS_SESSION_REFUSED) {
        qms_session_fail(st->pub.session, QMS_CODE_PROTOCOL, "CONTROL ended");
    }
    return true;
}

static void on_reset(struct qms_link_stream *ls, uint64_t code)
{
    struct qms_ss *st = living(ls);

    if (st != NULL && !control_broke(st)) {
        qms_ss_on_reset(st, code);
    }
}

static void on_stop(struct qms_link_stream *ls, uint64_t code)
{
    struct qms_ss *st = living(ls);

    if (st != NULL && !control_broke(st)) {
        qms_ss_on_stop(st, code);
    }
}

static void on_acked(struct qms_link_stream *ls, uint64_t len)
{
    struct qms_ss *st = living(ls);

    if (st != NULL && st->state == QMS_SS_CONTROL) {
        qms_session_control_acked(st->pub.session, len);
    } else if (st != NULL) {
        qms_ss_on_acked(st, len);
    }
}

static void on_stream_closed(struct qms_link_stream *ls)
{
    struct qms_ss *st = ls->user;

    if (st == NULL) {
        return;
    }
    ls->user = NULL;
    st->pub.link_stream = NULL;
    if (st->state == QMS_SS_HELD && st->held_fin && !st->pub.bidi) {
        return; /* the link is through with it; what came is told when its time has come */
    }
    if (st->announced) {
        st->pub.session->events->on_stream_closed(&st->pub);
    }
    qms_ss_free(st);
}

static void on_datagram(struct qms_link *link, struct qms_bytes data)
{
    struct qms_session *s = link->user;

    if (s != NULL && (s->phase < QMS_SESSION_OPEN || qms_session_early(s))) {
        qms_session_odd(s, "early_datagram");
    } else if (s != NULL && s->phase == QMS_SESSION_OPEN) {
        qms_session_on_datagram(s, data);
    }
}

static void on_closed(struct qms_link *link, const struct qms_link_close *why)
{
    struct qms_session *s = link->user;

    if (s == NULL) {
        return;
    }
    link->user = NULL;
    s->link = NULL;
    s->phase = QMS_SESSION_CLOSED;
    s->events->on_closed(s, why); /* may free it */
}

static const struct qms_link_events link_events = {
    .on_ready = on_ready,
    .on_stream = on_stream,
    .on_data = on_data,
    .on_reset = on_reset,
    .on_stop = on_stop,
    .on_acked = on_acked,
    .on_stream_closed = on_stream_closed,
    .on_datagram = on_datagram,
    .on_closed = on_closed,
};

struct qms_session *qms_session_new(struct qms_link *link, bool connecting,
                                    const struct qms_session_limits *limits,
                                    const struct qms_session_events *events, void *user)
{
    struct qms_session *s = qms_calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->link = link;
    s->events = events;
    s->limits = limits != NULL ? limits : &qms_session_limits_default;
    s->user = user;
    s->connecting = connecting;
    s->hello_at = s->linger_at = QMS_NEVER;
    s->next_context = 1;
    qms_list_init(&s->streams);
    qms_list_init(&s->waiting);
    qms_list_init(&s->held);
    qms_list_init(&s->untold);
    qms_list_init(&s->contexts_in);
    qms_list_init(&s->contexts_out);
    qms_handles_init(&s->handles);
    link->events = &link_events;
    link->user = s;
    return s;
}

void qms_session_free(struct qms_session *s)
{
    struct qms_list *node;

    if (s == NULL) {
        return;
    }
    while ((node = qms_list_first(&s->streams)) != NULL) {
        qms_ss_free(QMS_CONTAINER(node, struct qms_ss, all));
    }
    if (s->link != NULL) {
        s->link->user = NULL;
    }
    qms_handles_fini(&s->handles);
    qms_session_contexts_free(s);
    qms_free(s);
}

void *qms_session_user(const struct qms_session *s)
{
    return s->user;
}

struct qms_link *qms_session_link(const struct qms_session *s)
{
    return s->link;
}

bool qms_session_accepted(const struct qms_session *s)
{
    return s->phase == QMS_SESSION_OPEN;
}

bool qms_session_is_agent(const struct qms_session *s)
{
    return s->connecting != ((s->caps & QMS_CAP_RELAY) != 0);
}

void qms_session_close(struct qms_session *s, uint8_t code, const char *reason)
{
    qms_session_fail(s, code, reason);
}

static struct qms_ss *longest_waiting(const struct qms_session *s)
{
    struct qms_list *node = qms_list_first(&s->waiting);
    return node != NULL ? QMS_CONTAINER(node, struct qms_ss, wait) : NULL;
}

qms_time qms_session_next_at(const struct qms_session *s)
{
    if (s->link == NULL || s->phase == QMS_SESSION_CLOSED) {
        return QMS_NEVER;
    }
    if (s->release) {
        return s->link->now;
    }
    const struct qms_ss *st = longest_waiting(s);
    qms_time at = s->hello_at < s->linger_at ? s->hello_at : s->linger_at;
    return st != NULL && st->header_at < at ? st->header_at : at;
}

static void expire_headers(struct qms_session *s, qms_time now)
{
    struct qms_ss *st;

    while ((st = longest_waiting(s)) != NULL && st->header_at <= now) {
        qms_session_odd(s, "header_timeout");
        qms_ss_reject(st, QMS_CODE_TIMEOUT);
    }
}

void qms_session_expire(struct qms_session *s, qms_time now)
{
    if (s->link == NULL || s->phase == QMS_SESSION_CLOSED) {
        return;
    }
    if (now >= s->hello_at) {
        qms_session_fail(s, QMS_CODE_TIMEOUT, "no HELLO in time");
        return;
    }
    if (now >= s->linger_at) {
        qms_session_fail(s, s->linger_code, "refused");
        return;
    }
    expire_headers(s, now);
    if (s->release) {
        s->release = false;
        qms_session_control_resume(s);
        qms_session_release_held(s);
    }
}

qms_err qms_session_welcome(struct qms_session *s, const struct qms_control *welcome)
{
    struct qms_control m = *welcome;

    if (s->connecting || s->phase != QMS_SESSION_ANSWER) {
        return QMS_E_STATE;
    }
    m.type = QMS_MSG_WELCOME;
    m.u.welcome.version = QMS_WIRE_VERSION;
    m.u.welcome.caps = (m.u.welcome.caps | QMS_CAP_RECEIPTS) & s->offered;
    qms_err err = qms_session_control_write(s, &m);
    if (err == QMS_OK) {
        s->caps = m.u.welcome.caps;
        s->phase = QMS_SESSION_OPEN;
        s->release = s->held_count > 0 || s->control->head_len > 0;
    }
    return err;
}

void qms_session_refuse(struct qms_session *s, uint8_t status, uint64_t retry_after_ms,
                        const char *reason)
{
    struct qms_control m = {.type = QMS_MSG_REFUSED};

    if (s->phase == QMS_SESSION_REFUSED || s->phase == QMS_SESSION_CLOSED) {
        return;
    }
    m.u.refused.status = status;
    m.u.refused.retry_after_ms = retry_after_ms;
    m.u.refused.reason = reason_bytes(reason);
    if (s->phase == QMS_SESSION_OPEN || qms_session_control_write(s, &m) != QMS_OK) {
        qms_session_fail(s, status, reason);
        return;
    }
    s->phase = QMS_SESSION_REFUSED;
    s->hello_at = QMS_NEVER;
    s->linger_code = status;
    s->linger_at = s->link->now + LINGER_FOR;
}
