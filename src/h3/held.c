/* SPDX-License-Identifier: MIT */
/* WebTransport streams that overtook their session.  They get no credit while they wait, and
 * the configuration bounds their number and their bytes; HELD_WAIT bounds how long. */
#include "h3/h3_int.h"

void qms_h3_hold(struct qms_h3_stream *s, int64_t session_id)
{
    struct qms_h3 *h3 = s->h3;

    if (h3->held_count >= h3->config->held_streams) {
        qms_h3_refuse(s, WT_BUFFERED_STREAM_REJECTED);
        return;
    }
    s->kind = KIND_HELD;
    s->session_id = session_id;
    s->held_until = h3->link->now + HELD_WAIT;
    h3->held_count++;
    qms_list_append(&h3->held, &s->node);
}

void qms_h3_unhold(struct qms_h3_stream *s)
{
    s->h3->held_count--;
    s->h3->held_bytes -= (size_t)s->q.bytes;
    qms_list_remove(&s->node);
    qms_h3_consume(s, (size_t)s->q.bytes);
    qms_blobq_clear(&s->q);
}

static void reject(struct qms_h3_stream *s, uint64_t code)
{
    qms_h3_unhold(s);
    if (s->below != NULL) {
        qms_h3_refuse(s, code);
    } else {
        qms_h3_stream_free(s);
    }
}

bool qms_h3_held_closed(struct qms_h3_stream *s)
{
    if (s->kind != KIND_HELD) {
        return false;
    }
    if (!s->q_fin || s->h3->failed) {
        qms_h3_unhold(s);
        return false;
    }
    s->up.id = s->below->id;
    s->below->user = NULL;
    s->below = NULL;
    return true;
}

void qms_h3_held_clear(struct qms_h3 *h3)
{
    struct qms_list *n;

    while ((n = qms_list_first(&h3->held)) != NULL) {
        struct qms_h3_stream *s = QMS_CONTAINER(n, struct qms_h3_stream, node);
        qms_h3_unhold(s);
        qms_h3_stream_free(s);
    }
}

void qms_h3_held_data(struct qms_h3_stream *s, struct qms_bytes data, bool fin)
{
    struct qms_h3 *h3 = s->h3;

    s->q_fin = fin;
    if (data.len == 0) {
        return;
    }
    if (data.len > h3->config->held_bytes - h3->held_bytes ||
        qms_blobq_copy_in(&s->q, data) != QMS_OK) {
        qms_h3_consume(s, data.len);
        reject(s, WT_BUFFERED_STREAM_REJECTED);
        return;
    }
    h3->held_bytes += data.len;
}

/* The user may end the session, or the whole connection, from any of these events. */
static void replay(struct qms_h3_stream *s, struct qms_h3_session *session)
{
    struct qms_blobq q = s->q;
    bool fin = s->q_fin;

    s->q = (struct qms_blobq){0};
    s->h3->held_count--;
    s->h3->held_bytes -= (size_t)q.bytes;
    qms_list_remove(&s->node);
    qms_h3_wt_attach(s, session);
    for (uint32_t i = 0; i < q.count; i++) {
        qms_h3_wt_data(s, qms_blobq_at(&q, i), fin && i + 1 == q.count);
    }
    if (q.count == 0 && fin) {
        qms_h3_wt_data(s, (struct qms_bytes){NULL, 0}, true);
    }
    qms_blobq_clear(&q);
    if (s->below == NULL) {
        qms_h3_wt_detach(s);
        qms_h3_stream_free(s);
    }
}

void qms_h3_release(struct qms_h3_session *session)
{
    struct qms_h3 *h3 = session->h3;
    struct qms_list *n, *tmp;

    QMS_LIST_FOREACH_SAFE(n, tmp, &h3->held) {
        struct qms_h3_stream *s = QMS_CONTAINER(n, struct qms_h3_stream, node);
        if (s->session_id != session->id) {
            continue;
        }
        if (session->state == SESSION_OPEN) {
            replay(s, session);
        } else {
            reject(s, WT_SESSION_GONE);
        }
    }
}

void qms_h3_reject_held(struct qms_h3 *h3, int64_t session_id, uint64_t code)
{
    struct qms_list *n, *tmp;

    QMS_LIST_FOREACH_SAFE(n, tmp, &h3->held) {
        struct qms_h3_stream *s = QMS_CONTAINER(n, struct qms_h3_stream, node);
        if (s->session_id == session_id) {
            reject(s, code);
        }
    }
}

/* All wait equally long, so the first in the list is the first that is due. */
qms_time qms_h3_held_next_at(const struct qms_h3 *h3)
{
    struct qms_list *n = qms_list_first(&h3->held);

    return n == NULL ? QMS_NEVER : QMS_CONTAINER(n, struct qms_h3_stream, node)->held_until;
}

void qms_h3_held_expire(struct qms_h3 *h3, qms_time now)
{
    while (qms_h3_held_next_at(h3) <= now) {
        struct qms_list *n = qms_list_first(&h3->held);
        reject(QMS_CONTAINER(n, struct qms_h3_stream, node), WT_BUFFERED_STREAM_REJECTED);
    }
}
