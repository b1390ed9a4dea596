/* SPDX-License-Identifier: MIT */
/* A WebTransport session from its establishment to its end.
 *
 * Our close: CLOSE capsule and FIN go out on the CONNECT stream, and on_closed waits for the
 * peer's FIN or CLOSE_WAIT.  A browser that saw the connection close at once would tell its
 * page "connection lost" instead of our code and reason.  Chromium does so even when the
 * connection closes right behind its FIN, so AFTER_FIN is waited too, and when streams are
 * reset right before the capsule, so they are only reset when it has answered.  An answer that
 * does not come may be one that unread streams leave no credit for: they are reset after
 * ABORT_AFTER.
 *
 * The peer's close: CLOSE capsule, FIN alone (code 0), RESET_STREAM or STOP_SENDING.
 */
#include <string.h>

#include "base/mem.h"
#include "h3/h3_int.h"

qms_err qms_h3_session_new(struct qms_h3_stream *connect, struct qms_h3_session **out)
{
    struct qms_h3 *h3 = connect->h3;
    struct qms_h3_session *session = qms_calloc(1, sizeof(*session));

    if (session == NULL) {
        return QMS_E_NOMEM;
    }
    session->link.ops = &qms_h3_session_ops;
    session->link.harmful_stops = true; /* Firefox ESR 153 drops what came before it */
    session->link.now = h3->link->now;
    session->h3 = h3;
    session->connect = connect;
    session->id = connect->below->id;
    qms_list_init(&session->streams);
    qms_list_append(&h3->sessions, &session->node);
    h3->session_count++;
    connect->req->session = session;
    /* A browser that pools its sessions came back before the connection was closed. */
    h3->end_at = QMS_NEVER;
    *out = session;
    return QMS_OK;
}

struct qms_h3 *qms_h3_of_session(struct qms_link *session)
{
    return ((struct qms_h3_session *)session)->h3;
}

struct qms_h3_session *qms_h3_session_find(const struct qms_h3 *h3, int64_t id)
{
    struct qms_list *n;

    QMS_LIST_FOREACH(n, &h3->sessions) {
        struct qms_h3_session *session = QMS_CONTAINER(n, struct qms_h3_session, node);
        if (session->id == id) {
            return session;
        }
    }
    return NULL;
}

bool qms_h3_session_gone(const struct qms_h3 *h3, int64_t id)
{
    for (unsigned i = 0; i < sizeof(h3->gone) / sizeof(h3->gone[0]); i++) {
        if (h3->gone[i] == id) {
            return true;
        }
    }
    return false;
}

static void remember_gone(struct qms_h3 *h3, int64_t id)
{
    h3->gone[h3->gone_next] = id;
    h3->gone_next = (h3->gone_next + 1) % (sizeof(h3->gone) / sizeof(h3->gone[0]));
}

static void abort_streams(struct qms_h3_session *session)
{
    const struct qms_link_ops *ops = session->h3->link->ops;
    struct qms_list *n;

    if (session->aborted) {
        return;
    }
    session->aborted = true;
    QMS_LIST_FOREACH(n, &session->streams) {
        struct qms_h3_stream *s = QMS_CONTAINER(n, struct qms_h3_stream, node);
        if (s->below != NULL && (s->bidi || !s->local)) {
            ops->stop(s->below, WT_SESSION_GONE);
        }
        if (s->below != NULL && (s->bidi || s->local)) {
            ops->reset(s->below, WT_SESSION_GONE);
        }
    }
}

/* FIN on the CONNECT stream, behind a capsule or alone. */
static void end_connect(struct qms_h3_stream *connect, struct qms_blob *capsule)
{
    struct qms_h3_exchange *r = connect->req;

    if (r->body_end) {
        qms_blob_unref(capsule);
        return;
    }
    r->queued = capsule;
    r->body_end = true;
    qms_h3_lib_resume(connect);
}

static struct qms_blob *close_capsule(const struct qms_h3_session *session)
{
    uint8_t buf[QMS_CAPSULE_CLOSE_MAX];
    struct qms_bytes reason = {session->reason, session->reason_len};
    size_t len = qms_capsule_close(buf, session->code, reason);

    return qms_blob_copy((struct qms_bytes){buf, len});
}

static void keep_reason(struct qms_h3_session *session, struct qms_bytes reason)
{
    size_t len = reason.len < QMS_CAPSULE_REASON_MAX ? reason.len : QMS_CAPSULE_REASON_MAX;

    session->reason = len == 0 ? NULL : qms_calloc(1, len);
    if (session->reason != NULL) {
        memcpy(session->reason, reason.data, len);
        session->reason_len = len;
    }
}

void qms_h3_session_close(struct qms_link *link, uint64_t code, struct qms_bytes reason)
{
    struct qms_h3_session *session = (struct qms_h3_session *)link;
    struct qms_h3 *h3 = session->h3;

    if (session->state != SESSION_OPEN) {
        return;
    }
    session->state = SESSION_CLOSING;
    session->close_until = h3->link->now + CLOSE_WAIT;
    session->abort_at = h3->link->now + ABORT_AFTER;
    session->code = code > UINT32_MAX ? QMS_CODE_CANCELLED : (uint32_t)code;
    keep_reason(session, reason);
    if (session->connect == NULL || h3->failed) {
        return; /* the connection is going down: on_closed comes with it */
    }
    /* Without memory for the capsule the FIN alone still closes, with code 0. */
    end_connect(session->connect, close_capsule(session));
    qms_h3_pump(h3);
}

/* Ends it at once: streams, on_closed; frees it. */
static void over(struct qms_h3_session *session, const struct qms_link_close *why)
{
    struct qms_h3 *h3 = session->h3;

    abort_streams(session);
    session->state = SESSION_OVER;
    while (!qms_list_empty(&session->streams)) {
        struct qms_list *n = qms_list_first(&session->streams);
        qms_h3_wt_detach(QMS_CONTAINER(n, struct qms_h3_stream, node));
    }
    if (session->connect != NULL) {
        session->connect->req->session = NULL;
        end_connect(session->connect, NULL);
    }
    qms_list_remove(&session->node);
    h3->session_count--;
    remember_gone(h3, session->id);
    qms_h3_end_soon(h3);
    session->link.now = h3->link->now;
    session->link.events->on_closed(&session->link, why);
    qms_free(session->reason);
    qms_free(session);
}

static struct qms_link_close own_close(const struct qms_h3_session *session)
{
    return (struct qms_link_close){
        .application = true,
        .code = session->code,
        .reason = {session->reason, session->reason_len},
    };
}

static struct qms_link_close peers_close(const struct qms_h3_exchange *r)
{
    struct qms_link_close why = {.by_peer = true, .application = true};

    if (r->capsule_status == QMS_CAPSULE_CLOSED) {
        why.code = qms_capsule_code(&r->capsules);
        why.reason = qms_capsule_reason(&r->capsules);
    } else if (r->peer_reset) {
        why.err = QMS_E_RESET;
        why.application = false;
        why.code = r->reset_code;
    }
    return why;
}

/* A CLOSE capsule that breaks its rules, or a capsule cut off by FIN: RFC 9297 section 3.3. */
static bool malformed(const struct qms_h3_exchange *r)
{
    return r->capsule_status == QMS_CAPSULE_BAD ||
           (r->peer_fin && !qms_capsule_at_end(&r->capsules));
}

static void reset_connect(struct qms_h3_stream *connect, uint64_t code)
{
    const struct qms_link_ops *ops = connect->h3->link->ops;

    connect->req->body_end = true;
    ops->stop(connect->below, code);
    ops->reset(connect->below, code);
    qms_h3_lib_stopped(connect);
}

/* The peer has our close, or has crossed it with its own. */
static void answered(struct qms_h3_session *session)
{
    qms_time until = session->h3->link->now + AFTER_FIN;

    if (!session->answered) {
        session->answered = true;
        session->close_until = until < session->close_until ? until : session->close_until;
        abort_streams(session);
    }
}

bool qms_h3_session_check(struct qms_h3_session *session)
{
    struct qms_h3_stream *connect = session->connect;
    struct qms_link_close why = {.err = QMS_E_PROTOCOL, .by_peer = true};

    if (connect == NULL) {
        return false;
    }
    const struct qms_h3_exchange *r = connect->req;
    if (malformed(r)) {
        reset_connect(connect, NGHTTP3_H3_MESSAGE_ERROR);
        why.code = NGHTTP3_H3_MESSAGE_ERROR;
    } else if (r->peer_reset) {
        reset_connect(connect, NGHTTP3_H3_REQUEST_CANCELLED);
        why = session->state == SESSION_CLOSING ? own_close(session) : peers_close(r);
    } else if (r->capsule_status != QMS_CAPSULE_CLOSED && !r->peer_fin) {
        return false;
    } else if (session->state == SESSION_CLOSING) {
        answered(session);
        return false;
    } else {
        why = peers_close(r);
    }
    over(session, &why);
    return true;
}

void qms_h3_session_lost(struct qms_h3_session *session, const struct qms_link_close *why)
{
    struct qms_link_close own = own_close(session);

    over(session, session->answered ? &own : why);
}

qms_time qms_h3_session_next_at(const struct qms_h3_session *session)
{
    if (session->state != SESSION_CLOSING) {
        return QMS_NEVER;
    }
    return !session->aborted && session->abort_at < session->close_until ? session->abort_at
                                                                         : session->close_until;
}

static void timeout(struct qms_h3_session *session)
{
    struct qms_h3 *h3 = session->h3;
    struct qms_link_close why = own_close(session);

    over(session, &why);
    if (qms_list_empty(&h3->sessions)) {
        h3->end_at = h3->link->now;
    }
}

void qms_h3_session_expire(struct qms_h3_session *session, qms_time now)
{
    if (session->state != SESSION_CLOSING) {
        return;
    }
    if (session->close_until <= now) {
        timeout(session);
    } else if (session->abort_at <= now) {
        abort_streams(session);
    }
}
