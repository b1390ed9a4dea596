/* SPDX-License-Identifier: MIT */
/* A WebTransport session of the browser as a link: what webtransport.js tells of the session,
 * and how the link ends. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "web.h"

#define EXPORT __attribute__((used, visibility("default")))

struct qms_web_link *qms_web_link_new(struct qms_web *web, const struct qms_options *o,
                                      const char *url)
{
    struct qms_web_link *w = qms_calloc(1, sizeof(*w));

    if (w == NULL) {
        return NULL;
    }
    w->link.ops = &qms_web_link_ops;
    w->link.now = qms_clock_now();
    w->link.quiet_stops = w->link.loose_ends = w->link.wants_receipts = qms_js_firefox() != 0;
    w->web = web;
    w->views = o->web_views;
    w->keep_alive_for = o->keep_alive_for;
    w->idle_for = o->idle_for;
    w->datagrams.limit = QMS_WEB_DATAGRAMS;
    qms_web_window_init(&w->window);
    qms_sched_init(&w->sched, QMS_WEB_GUARD);
    qms_list_init(&w->streams);
    qms_list_init(&w->over);
    qms_list_append(&web->links, &w->node);
    w->id = qms_js_connect(w, url, o->pins[0], (unsigned)o->pin_count,
                           o->web_certificate_url == NULL ? "" : o->web_certificate_url);
    return w;
}

void qms_web_link_free(struct qms_web_link *w)
{
    struct qms_list *node;

    while ((node = qms_list_first(&w->streams)) != NULL) {
        qms_web_stream_free(QMS_CONTAINER(node, struct qms_web_stream, node));
    }
    qms_dgramq_clear(&w->datagrams);
    qms_list_remove(&w->node);
    qms_js_forget(w->id);
    qms_free(w);
}

void qms_web_link_clock(struct qms_web_link *w)
{
    w->link.now = qms_clock_now();
    if (!w->web->client->in_turn) {
        w->web->client->now = w->link.now;
    }
}

void qms_web_link_heard(struct qms_web_link *w)
{
    qms_web_link_clock(w);
    w->heard_at = w->link.now;
}

/* ---- silence ---- */

/* Browsers keep a session for half a minute or more after its broker is gone, and no option of
 * theirs changes that. */
void qms_web_link_expire(struct qms_web_link *w, qms_time now)
{
    if (!w->ready || w->closed) {
        return;
    }
    qms_web_window_expire(&w->window, now);
    if (now - w->heard_at >= w->idle_for) {
        w->closed = true;
        w->ready = false;
        w->why = (struct qms_link_close){.err = QMS_E_IDLE};
    } else if (w->keep_alive_for > 0 && now - w->heard_at >= w->keep_alive_for &&
               now - w->asked_at >= w->keep_alive_for) {
        w->asked_at = now;
        qms_web_keep_alive(w);
    }
}

static qms_time earlier(qms_time a, qms_time b)
{
    return a < b ? a : b;
}

qms_time qms_web_link_next_at(const struct qms_web_link *w)
{
    qms_time last = w->heard_at > w->asked_at ? w->heard_at : w->asked_at;
    qms_time at;

    if (w->closed || !qms_list_empty(&w->over)) {
        return 0;
    }
    if (!w->ready) {
        return QMS_NEVER;
    }
    at = earlier(w->heard_at + w->idle_for, qms_web_window_next_at(&w->window));
    if (w->held) {
        at = earlier(at, w->held_until);
    }
    return w->keep_alive_for > 0 ? earlier(at, last + w->keep_alive_for) : at;
}

/* ---- the end ---- */

static void close_streams(struct qms_web_link *w)
{
    struct qms_list *node;

    while ((node = qms_list_first(&w->streams)) != NULL) {
        struct qms_web_stream *st = QMS_CONTAINER(node, struct qms_web_stream, node);

        w->stats.streams_closed++;
        w->link.events->on_stream_closed(&st->s);
        qms_web_stream_free(st);
    }
}

bool qms_web_link_settle(struct qms_web_link *w)
{
    struct qms_list *node;

    while ((node = qms_list_first(&w->over)) != NULL) {
        struct qms_web_stream *st = QMS_CONTAINER(node, struct qms_web_stream, over_node);

        qms_list_remove(node);
        w->stats.streams_closed++;
        w->link.events->on_stream_closed(&st->s);
        qms_web_stream_free(st);
    }
    if (!w->closed) {
        return false;
    }
    close_streams(w);
    w->link.events->on_closed(&w->link, &w->why);
    qms_web_link_free(w);
    return true;
}

/* How a session can end, as webtransport.js counts. */
enum { END_CLOSED = 0, END_CLOSED_HERE = 1, END_REFUSED = 2, END_LOST = 3 };

static qms_err end_error(int how)
{
    switch (how) {
    case END_REFUSED:
        return QMS_E_CONNECT;
    case END_LOST:
        return QMS_E_TRANSPORT;
    default:
        return QMS_OK;
    }
}

EXPORT void qms_web_on_closed(struct qms_web_link *w, int how, unsigned code, size_t len)
{
    if (w->closed) {
        return;
    }
    len = len < sizeof(w->reason) ? len : sizeof(w->reason);
    memcpy(w->reason, w->web->scratch, len);
    w->closed = true;
    w->ready = false;
    w->why = (struct qms_link_close){
        .err = end_error(how),
        .by_peer = how != END_CLOSED_HERE,
        .application = how == END_CLOSED || how == END_CLOSED_HERE,
        .code = code,
        .reason = {(const uint8_t *)w->reason, len},
    };
    qms_web_link_clock(w);
    qms_client_wake(w->web->client);
}

/* ---- the session ---- */

EXPORT uint8_t *qms_web_scratch(struct qms_web_link *w)
{
    return w->web->scratch;
}

EXPORT int qms_web_quiet(const struct qms_web_link *w)
{
    return w->link.quiet_stops;
}

EXPORT void qms_web_on_ready(struct qms_web_link *w)
{
    if (w->closed) {
        return;
    }
    qms_web_link_heard(w);
    w->ready = true;
    w->link.events->on_ready(&w->link);
    qms_web_send(w);
}

/* A stream that the other side opened, or NULL: there is no memory for it. */
EXPORT struct qms_web_stream *qms_web_on_incoming(struct qms_web_link *w, int id, int bidi)
{
    struct qms_web_stream *st =
        w->closed ? NULL : qms_web_stream_new(w, bidi != 0, false, QMS_PRIORITY_NORMAL);

    if (st == NULL) {
        return NULL;
    }
    st->id = id;
    st->opened = QMS_WEB_OPEN;
    st->tx_over = bidi == 0;
    qms_web_link_heard(w);
    w->link.events->on_stream(&w->link, &st->s);
    return st;
}

EXPORT void qms_web_on_datagram(struct qms_web_link *w, size_t len)
{
    if (w->closed) {
        return;
    }
    qms_web_link_heard(w);
    w->stats.datagrams_received++;
    w->stats.bytes_received += len;
    w->link.events->on_datagram(&w->link, (struct qms_bytes){w->web->scratch, len});
}

/* Datagrams have been taken, or streams may be opened: there may be room. */
EXPORT void qms_web_on_room(struct qms_web_link *w)
{
    if (!w->closed) {
        qms_web_link_clock(w);
        qms_web_send(w);
    }
}
