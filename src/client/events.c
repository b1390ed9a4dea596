/* SPDX-License-Identifier: MIT */
/* What a connection has to tell the application, in order and with a bound: datagrams push out
 * the oldest datagram, other events beyond the bound are left out (a peer that floods us with
 * them has nothing to say). */
#include <string.h>

#include "base/mem.h"
#include "client/client_i.h"

static void drop(struct qms_connection *c, struct qms_event *e)
{
    qms_list_remove(&e->node);
    c->event_count--;
    if (e->type == QMS_EVENT_DATAGRAM) {
        c->event_bytes -= e->len;
    }
    if (e->type == QMS_EVENT_TICKET) {
        qms_memzero(e->data, e->text_len + 1 + e->len);
    }
    qms_free(e);
}

static void drop_oldest_datagram(struct qms_connection *c)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &c->events) {
        struct qms_event *e = QMS_CONTAINER(node, struct qms_event, node);

        if (e->type == QMS_EVENT_DATAGRAM) {
            drop(c, e);
            c->datagrams_dropped++;
            return;
        }
    }
}

/* Streams are bounded by the limits of the transport, answers by the number of questions, and
 * presence by what a turn receives; none of them must ever be left out here. */
static bool room_for(struct qms_connection *c, enum qms_event_type type, size_t len)
{
    if (type == QMS_EVENT_DATAGRAM) {
        while (c->event_bytes > 0 && (c->event_bytes + len > QMS_EVENT_BYTES_MAX ||
                                      c->event_count >= QMS_EVENTS_MAX)) {
            drop_oldest_datagram(c);
        }
    }
    return type == QMS_EVENT_STREAM || type == QMS_EVENT_DONE || type == QMS_EVENT_PRESENCE ||
           type == QMS_EVENT_RECONNECTING || c->event_count < QMS_EVENTS_MAX;
}

struct qms_event *qms_event_add(struct qms_connection *c, enum qms_event_type type,
                                struct qms_bytes text, struct qms_bytes bytes)
{
    struct qms_event *e;

    if (!room_for(c, type, bytes.len)) {
        return NULL;
    }
    e = qms_calloc(1, sizeof(*e) + text.len + 1 + bytes.len);
    if (e == NULL) {
        return NULL;
    }
    e->type = type;
    e->text_len = text.len;
    e->len = bytes.len;
    if (text.len > 0) {
        memcpy(e->data, text.data, text.len);
    }
    if (bytes.len > 0) {
        memcpy(e->data + text.len + 1, bytes.data, bytes.len);
    }
    qms_list_append(&c->events, &e->node);
    c->event_count++;
    if (type == QMS_EVENT_DATAGRAM) {
        c->event_bytes += bytes.len;
    }
    qms_connection_due(c);
    return e;
}

struct qms_event *qms_event_reserve(enum qms_event_type type)
{
    struct qms_event *e = qms_calloc(1, sizeof(*e) + 1);

    if (e != NULL) {
        e->type = type;
    }
    return e;
}

void qms_event_use(struct qms_connection *c, struct qms_event *e)
{
    qms_list_append(&c->events, &e->node);
    c->event_count++;
    qms_connection_due(c);
}

void qms_connection_hand_over(struct qms_connection *c, struct qms_stream *st)
{
    if (qms_message_take(c, st)) {
        return;
    }
    if (c->cb.on_stream != NULL) {
        c->cb.on_stream(c, c->arg, st);
    } else {
        qms_stream_release(st);
    }
}

static void run(struct qms_connection *c, struct qms_event *e)
{
    const struct qms_connection_callbacks *cb = &c->cb;
    const char *text = (const char *)e->data;
    struct qms_bytes bytes = {e->data + e->text_len + 1, e->len};

    switch (e->type) {
    case QMS_EVENT_REFUSED:
        if (cb->on_refused != NULL) {
            cb->on_refused(c, c->arg, e->err, e->ms, text, (const char *)bytes.data);
        }
        break;
    case QMS_EVENT_STREAM:
        if (c->taken != NULL) {
            qms_taken_stream(c, e->stream);
        } else {
            qms_connection_hand_over(c, e->stream);
        }
        break;
    case QMS_EVENT_DATAGRAM:
        if (cb->on_datagram != NULL) {
            cb->on_datagram(c, c->arg, e->kind, (struct qms_bytes){e->data, e->text_len},
                            e->priority, bytes);
        }
        break;
    case QMS_EVENT_THROTTLED:
        if (cb->on_throttled != NULL) {
            cb->on_throttled(c, c->arg, e->what, e->ms);
        }
        break;
    case QMS_EVENT_GOAWAY:
        if (cb->on_goaway != NULL) {
            cb->on_goaway(c, c->arg, e->err, e->ms, text);
        }
        break;
    case QMS_EVENT_PONG:
        if (cb->on_pong != NULL) {
            cb->on_pong(c, c->arg, e->rtt);
        }
        break;
    case QMS_EVENT_TOKEN:
        if (cb->on_token != NULL) {
            cb->on_token(c, c->arg, e->err);
        }
        break;
    case QMS_EVENT_HELLO:
        qms_taken_decide(c);
        break;
    case QMS_EVENT_DONE:
        if (!c->released) {
            e->done(c, e->done_arg, e->err);
        }
        break;
    case QMS_EVENT_PRESENCE:
        if (cb->on_presence != NULL) {
            cb->on_presence(c, c->arg, e->ms, e->what, text);
        }
        break;
    case QMS_EVENT_TICKET:
        qms_ticket_save(c, text, bytes);
        break;
    case QMS_EVENT_RECONNECTING:
        if (cb->on_reconnecting != NULL) {
            cb->on_reconnecting(c, c->arg, e->err, text, e->what, e->rtt);
        }
        break;
    }
}

void qms_events_dispatch(struct qms_connection *c)
{
    struct qms_list *node;

    for (size_t left = c->event_count; left > 0; left--) {
        struct qms_event *e;

        node = qms_list_first(&c->events);
        if (node == NULL) {
            break;
        }
        e = QMS_CONTAINER(node, struct qms_event, node);
        qms_list_remove(node);
        qms_list_init(node);
        run(c, e);
        drop(c, e);
    }
}

void qms_events_clear(struct qms_connection *c)
{
    struct qms_list *node;

    while ((node = qms_list_first(&c->events)) != NULL) {
        drop(c, QMS_CONTAINER(node, struct qms_event, node));
    }
}
