/* SPDX-License-Identifier: MIT */
/* The connection: sorts the link's events by what a stream has turned out to be, and decides
 * when the connection is over. */
#include "base/mem.h"
#include "h3/h3_int.h"
#include "h3/varint.h"

static struct qms_h3 *of(struct qms_link *link)
{
    return link->user;
}

struct qms_h3_stream *qms_h3_stream_new(struct qms_h3 *h3, struct qms_link_stream *below)
{
    struct qms_h3_stream *s = qms_calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->h3 = h3;
    s->below = below;
    s->bidi = below->bidi;
    s->local = below->local;
    qms_list_init(&s->node);
    qms_list_init(&s->answer);
    below->user = s;
    return s;
}

void qms_h3_stream_free(struct qms_h3_stream *s)
{
    qms_list_remove(&s->node);
    qms_list_remove(&s->answer);
    qms_h3_request_free(s);
    qms_blobq_clear(&s->q);
    qms_free(s->frames);
    qms_free(s);
}

void qms_h3_consume(struct qms_h3_stream *s, size_t len)
{
    if (len > 0 && s->below != NULL) {
        s->h3->link->ops->consume(s->below, len);
    }
}

void qms_h3_refuse(struct qms_h3_stream *s, uint64_t code)
{
    const struct qms_link_ops *ops = s->h3->link->ops;

    s->kind = KIND_SINK;
    if (s->bidi || !s->local) {
        ops->stop(s->below, code);
    }
    if (s->bidi || s->local) {
        ops->reset(s->below, code);
    }
}

void qms_h3_fail(struct qms_h3 *h3, uint64_t code)
{
    if (!h3->failed) {
        h3->failed = true;
        h3->link->ops->close(h3->link, code, (struct qms_bytes){NULL, 0});
    }
}

void qms_h3_oddity(struct qms_h3 *h3)
{
    if (h3->link->now - h3->odd_from > QMS_SECOND) {
        h3->odd_from = h3->link->now;
        h3->odd_count = 0;
    }
    if (++h3->odd_count > ODDITIES_MAX) {
        qms_h3_fail(h3, NGHTTP3_H3_EXCESSIVE_LOAD);
    }
}

static bool sessions_changed(struct qms_h3 *h3)
{
    struct qms_list *n;

    QMS_LIST_FOREACH(n, &h3->sessions) {
        if (qms_h3_session_check(QMS_CONTAINER(n, struct qms_h3_session, node))) {
            return true;
        }
    }
    return false;
}

/* Browsers leave the connection open after their session: whoever ended it, we close. */
static void maybe_end(struct qms_h3 *h3)
{
    if (h3->ending && qms_list_empty(&h3->sessions) && qms_list_empty(&h3->requests)) {
        qms_h3_fail(h3, NGHTTP3_H3_NO_ERROR);
    }
}

void qms_h3_settle(struct qms_h3 *h3)
{
    qms_h3_lib_start(h3);
    while (!h3->failed && (qms_h3_answer_next(h3) || sessions_changed(h3))) {
    }
    qms_h3_pump(h3);
    maybe_end(h3);
}

void qms_h3_end_soon(struct qms_h3 *h3)
{
    h3->ending = true;
    h3->end_at = h3->link->now + CLOSE_WAIT;
}

static void on_ready(struct qms_link *link)
{
    struct qms_h3 *h3 = of(link);

    h3->ready = true;
    qms_h3_settle(h3);
}

static void on_stream(struct qms_link *link, struct qms_link_stream *below)
{
    struct qms_h3 *h3 = of(link);

    if (qms_h3_stream_new(h3, below) == NULL) {
        below->user = NULL;
        link->ops->stop(below, NGHTTP3_H3_EXCESSIVE_LOAD);
        if (below->bidi) {
            link->ops->reset(below, NGHTTP3_H3_EXCESSIVE_LOAD);
        }
        return;
    }
    if (below->bidi) {
        qms_h3_lib_saw_request(h3, below->id);
    }
    qms_h3_settle(h3);
}

static void sort_data(struct qms_h3_stream *s, struct qms_bytes data, bool fin)
{
    switch (s->kind) {
    case KIND_NEW:
        qms_h3_demux(s, data, fin);
        break;
    case KIND_HTTP:
    case KIND_UNI:
        qms_h3_lib_read(s, data, fin);
        break;
    case KIND_HELD:
        qms_h3_held_data(s, data, fin);
        break;
    case KIND_WT:
        qms_h3_wt_data(s, data, fin);
        break;
    case KIND_OWN:
    case KIND_SINK:
        qms_h3_consume(s, data.len);
        break;
    }
}

static void on_data(struct qms_link_stream *below, struct qms_bytes data, bool fin)
{
    struct qms_h3_stream *s = below->user;
    struct qms_h3 *h3 = of(below->link);

    if (s == NULL || h3->failed) {
        below->link->ops->consume(below, data.len);
        return;
    }
    sort_data(s, data, fin);
    qms_h3_settle(h3);
}

static void request_reset(struct qms_h3_stream *s, uint64_t code)
{
    qms_h3_oddity(s->h3);
    s->req->peer_reset = true;
    s->req->reset_code = code;
    qms_h3_lib_reset(s);
    /* After an answer this is the reply to our STOP_SENDING, and the answer must still arrive.
     * A session answers for its own CONNECT stream. */
    if (!s->req->answered) {
        qms_h3_reject_held(s->h3, s->below->id, WT_BUFFERED_STREAM_REJECTED);
        qms_h3_lib_stopped(s);
        s->h3->link->ops->reset(s->below, NGHTTP3_H3_REQUEST_CANCELLED);
    }
}

static void on_reset(struct qms_link_stream *below, uint64_t code)
{
    struct qms_h3_stream *s = below->user;
    struct qms_h3 *h3 = of(below->link);

    if (s == NULL || h3->failed) {
        return;
    }
    switch (s->kind) {
    case KIND_NEW:
    case KIND_HELD:
        qms_h3_oddity(h3);
        qms_h3_demux_reset(s);
        break;
    case KIND_HTTP:
        request_reset(s, code);
        break;
    case KIND_UNI:
        /* Control and QPACK streams: RFC 9114 section 6.2.1, RFC 9204 section 4.2. */
        qms_h3_fail(h3, NGHTTP3_H3_CLOSED_CRITICAL_STREAM);
        break;
    case KIND_WT:
        qms_h3_wt_reset(s, code);
        break;
    case KIND_OWN:
    case KIND_SINK:
        break;
    }
    qms_h3_settle(h3);
}

static void request_stopped(struct qms_h3_stream *s, uint64_t code)
{
    qms_h3_oddity(s->h3);
    qms_h3_lib_stopped(s);
    s->h3->link->ops->reset(s->below, code);
    if (s->req->session != NULL) {
        s->req->peer_reset = true;
        s->req->reset_code = code;
    }
}

static void on_stop(struct qms_link_stream *below, uint64_t code)
{
    struct qms_h3_stream *s = below->user;
    struct qms_h3 *h3 = of(below->link);

    if (s == NULL || h3->failed) {
        return;
    }
    switch (s->kind) {
    case KIND_HTTP:
        request_stopped(s, code);
        break;
    case KIND_OWN:
        qms_h3_fail(h3, NGHTTP3_H3_CLOSED_CRITICAL_STREAM);
        break;
    case KIND_WT:
        qms_h3_wt_stop(s, code);
        break;
    case KIND_NEW:
    case KIND_HELD:
    case KIND_UNI:
    case KIND_SINK:
        below->link->ops->reset(below, code);
        break;
    }
    qms_h3_settle(h3);
}

static void on_acked(struct qms_link_stream *below, uint64_t len)
{
    struct qms_h3_stream *s = below->user;
    struct qms_h3 *h3 = of(below->link);

    if (s == NULL || h3->failed) {
        return;
    }
    if (s->kind == KIND_HTTP) {
        qms_h3_body_acked(s, len);
    } else if (s->kind == KIND_WT) {
        qms_h3_wt_acked(s, len);
    }
    qms_h3_settle(h3);
}

static void forget_own(struct qms_h3 *h3, const struct qms_h3_stream *s)
{
    for (unsigned i = 0; i < 3; i++) {
        if (h3->own[i] == s) {
            h3->own[i] = NULL;
        }
    }
}

static void on_stream_closed(struct qms_link_stream *below)
{
    struct qms_h3_stream *s = below->user;
    struct qms_h3 *h3 = of(below->link);

    if (s == NULL || qms_h3_held_closed(s)) {
        return;
    }
    if (s->kind == KIND_WT) {
        qms_h3_wt_detach(s);
    }
    qms_h3_lib_closed(s);
    forget_own(h3, s);
    below->user = NULL;
    qms_h3_stream_free(s);
    qms_h3_settle(h3);
}

static void on_datagram(struct qms_link *link, struct qms_bytes data)
{
    struct qms_h3 *h3 = of(link);
    uint64_t quarter;
    size_t n = vi_get(data.data, data.len, &quarter);

    if (h3->failed) {
        return;
    }
    if (n == 0 || quarter > VI_MAX / 4) {
        qms_h3_fail(h3, H3_DATAGRAM_ERROR);
        return;
    }
    struct qms_h3_session *session = qms_h3_session_find(h3, (int64_t)(quarter * 4));
    if (session != NULL && session->state == SESSION_OPEN) {
        session->link.now = link->now;
        session->link.events->on_datagram(&session->link,
                                          (struct qms_bytes){data.data + n, data.len - n});
        qms_h3_settle(h3);
    }
}

/* The connection is gone: what a session is told.  HTTP/3 codes mean nothing on its link. */
static struct qms_link_close session_view(const struct qms_link_close *why)
{
    struct qms_link_close view = *why;

    if (why->err == QMS_OK && why->application) {
        view.err = why->code == NGHTTP3_H3_NO_ERROR ? QMS_OK : QMS_E_TRANSPORT;
        view.code = 0;
    }
    return view;
}

static void on_closed(struct qms_link *link, const struct qms_link_close *why)
{
    struct qms_h3 *h3 = of(link);
    struct qms_link_close view = session_view(why);

    h3->failed = true;
    while (!qms_list_empty(&h3->sessions)) {
        struct qms_list *n = qms_list_first(&h3->sessions);
        qms_h3_session_lost(QMS_CONTAINER(n, struct qms_h3_session, node), &view);
    }
    qms_h3_held_clear(h3);
    h3->events->on_closed(h3, why);
    nghttp3_conn_del(h3->conn);
    qms_free(h3);
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

struct qms_h3 *qms_h3_new(struct qms_link *link, const struct qms_h3_config *config,
                          const struct qms_h3_events *events, void *user)
{
    struct qms_h3 *h3 = qms_calloc(1, sizeof(*h3));

    if (h3 == NULL) {
        return NULL;
    }
    h3->link = link;
    h3->config = config;
    h3->events = events;
    h3->user = user;
    h3->end_at = h3->bind_at = QMS_NEVER;
    for (unsigned i = 0; i < sizeof(h3->gone) / sizeof(h3->gone[0]); i++) {
        h3->gone[i] = -1;
    }
    qms_list_init(&h3->requests);
    qms_list_init(&h3->answers);
    qms_list_init(&h3->held);
    qms_list_init(&h3->sessions);
    if (qms_h3_lib_new(h3) != QMS_OK) {
        qms_free(h3);
        return NULL;
    }
    link->events = &link_events;
    link->user = h3;
    return h3;
}

void *qms_h3_user(const struct qms_h3 *h3)
{
    return h3->user;
}

struct qms_link *qms_h3_link(struct qms_h3 *h3)
{
    return h3->link;
}

void qms_h3_close(struct qms_h3 *h3, uint32_t code, struct qms_bytes reason)
{
    struct qms_list *n;

    if (h3->closing || h3->failed) {
        return;
    }
    h3->closing = true;
    qms_h3_end_soon(h3);
    QMS_LIST_FOREACH(n, &h3->sessions) {
        struct qms_h3_session *session = QMS_CONTAINER(n, struct qms_h3_session, node);
        qms_h3_session_close(&session->link, code, reason);
    }
    /* A browser with a session takes GOAWAY badly, and needs none: CLOSE tells it all. */
    if (qms_list_empty(&h3->sessions) && h3->bound) {
        qms_h3_lib_goaway(h3);
    }
    qms_h3_pump(h3);
    maybe_end(h3);
}

qms_time qms_h3_next_at(const struct qms_h3 *h3)
{
    qms_time at = qms_h3_held_next_at(h3);
    struct qms_list *n;

    if (h3->failed) {
        return QMS_NEVER;
    }
    at = h3->end_at < at ? h3->end_at : at;
    at = h3->bind_at < at ? h3->bind_at : at;
    QMS_LIST_FOREACH(n, &h3->sessions) {
        qms_time s = qms_h3_session_next_at(QMS_CONTAINER(n, struct qms_h3_session, node));
        at = s < at ? s : at;
    }
    return at;
}

void qms_h3_expire(struct qms_h3 *h3, qms_time now)
{
    struct qms_list *n, *tmp;

    if (h3->failed) {
        return;
    }
    h3->link->now = now;
    QMS_LIST_FOREACH_SAFE(n, tmp, &h3->sessions) {
        qms_h3_session_expire(QMS_CONTAINER(n, struct qms_h3_session, node), now);
    }
    qms_h3_held_expire(h3, now);
    qms_h3_settle(h3);
    if (h3->end_at <= now) {
        qms_h3_fail(h3, NGHTTP3_H3_NO_ERROR);
    }
}
