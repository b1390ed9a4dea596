/* SPDX-License-Identifier: MIT */
/* Moving to another worker or broker without a gap.
 *
 * GOAWAY says that a session takes no more: it becomes a parting one, which stays for the
 * streams that live on it, while the connection dials anew at once.  The broker lets the new
 * session take the agent's id over.  A parting session is closed when the next one is ready and
 * no stream needs it any more, or at its deadline. */
#include "client/client_i.h"

/* Routes that are on their way when the id is taken over still come to the old session. */
#define LINGER_FOR (500 * QMS_MILLISECOND)

static struct qms_parting *find(struct qms_connection *c, const struct qms_session *s)
{
    for (size_t i = 0; i < QMS_PARTING_MAX; i++) {
        if (c->parting[i].session == s) {
            return &c->parting[i];
        }
    }
    return NULL;
}

bool qms_parting_is(struct qms_connection *c, const struct qms_session *s)
{
    return s != c->session && find(c, s) != NULL;
}

bool qms_parting_any(const struct qms_connection *c)
{
    for (size_t i = 0; i < QMS_PARTING_MAX; i++) {
        if (c->parting[i].session != NULL) {
            return true;
        }
    }
    return false;
}

bool qms_parting_begin(struct qms_connection *c, qms_time leave_at)
{
    struct qms_parting *p = find(c, NULL);

    if (p == NULL) {
        return false;
    }
    *p = (struct qms_parting){
        .session = c->session, .leave_at = leave_at, .confirm_sent = c->confirm_sent};
    c->session = NULL;
    return true;
}

static bool needed(const struct qms_connection *c, const struct qms_parting *p)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &c->streams) {
        const struct qms_stream *st = QMS_CONTAINER(node, struct qms_stream, node);

        if (st->session_stream != NULL && st->session_stream->session == p->session) {
            return true;
        }
    }
    return c->confirm_sent == p->confirm_sent && c->confirm_done != p->confirm_sent;
}

static void leave(struct qms_connection *c, struct qms_parting *p, uint8_t code)
{
    p->closing = true;
    qms_session_close(p->session, code, NULL);
    qms_connection_touch(c);
}

/* What it has carried is known while it has a link only. */
static void count(struct qms_parting *p)
{
    struct qms_link *link = p->session != NULL ? qms_session_link(p->session) : NULL;
    struct qms_link_stats stats = {0};

    if (link != NULL) {
        link->ops->stats(link, &stats);
        p->sent = stats.bytes_sent;
        p->received = stats.bytes_received;
    }
}

void qms_parting_check(struct qms_connection *c)
{
    for (size_t i = 0; i < QMS_PARTING_MAX; i++) {
        struct qms_parting *p = &c->parting[i];
        count(p);
        if (p->session != NULL && !p->closing && c->state == QMS_CONN_READY &&
            c->client->now >= c->ready_at + LINGER_FOR && !needed(c, p)) {
            leave(c, p, QMS_CODE_OK);
        }
    }
}

bool qms_parting_close_all(struct qms_connection *c, uint8_t code)
{
    bool any = false;

    for (size_t i = 0; i < QMS_PARTING_MAX; i++) {
        struct qms_parting *p = &c->parting[i];
        any = any || p->session != NULL;
        if (p->session != NULL && !p->closing) {
            leave(c, p, code);
        }
    }
    return any;
}

/* Each of them was told by on_stream_closed. */
static void end_streams(struct qms_connection *c, qms_err err)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &c->streams) {
        struct qms_stream *st = QMS_CONTAINER(node, struct qms_stream, node);

        if (!st->waiting && st->fate_is_closing) {
            qms_stream_kill(st, err);
        }
    }
}

void qms_parting_closed(struct qms_connection *c, struct qms_session *s, qms_err err)
{
    struct qms_parting *p = find(c, s);

    c->client->bytes_sent += p->sent;
    c->client->bytes_received += p->received;
    qms_confirm_lost(c, p->confirm_sent);
    *p = (struct qms_parting){.session = NULL};
    qms_session_free(s);
    end_streams(c, err == QMS_OK ? QMS_E_WIRE_GOING_AWAY : err);
    qms_connection_touch(c);
}

void qms_parting_free(struct qms_connection *c)
{
    for (size_t i = 0; i < QMS_PARTING_MAX; i++) {
        qms_session_free(c->parting[i].session);
        c->parting[i].session = NULL;
    }
}

qms_time qms_parting_next_at(const struct qms_connection *c)
{
    qms_time at = QMS_NEVER;

    for (size_t i = 0; i < QMS_PARTING_MAX; i++) {
        const struct qms_parting *p = &c->parting[i];
        if (p->session == NULL) {
            continue;
        }
        qms_time next = qms_session_next_at(p->session);
        at = next < at ? next : at;
        at = !p->closing && p->leave_at < at ? p->leave_at : at;
        if (!p->closing && c->state == QMS_CONN_READY &&
            c->client->now < c->ready_at + LINGER_FOR && c->ready_at + LINGER_FOR < at) {
            at = c->ready_at + LINGER_FOR;
        }
    }
    return at;
}

void qms_parting_expire(struct qms_connection *c, qms_time now)
{
    for (size_t i = 0; i < QMS_PARTING_MAX; i++) {
        struct qms_parting *p = &c->parting[i];
        if (p->session != NULL) {
            qms_session_expire(p->session, now);
        }
        if (p->session != NULL && !p->closing && now >= p->leave_at) {
            leave(c, p, QMS_CODE_GOING_AWAY);
        }
    }
    qms_parting_check(c);
}
