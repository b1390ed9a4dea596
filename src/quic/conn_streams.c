/* SPDX-License-Identifier: MIT */
/* The streams of a connection: the table by id, those that wait for the peer's limit, and the
 * one way in and out of the scheduler. */
#include "base/mem.h"
#include "quic/int.h"

/* ---- table by id; needed only for STOP_SENDING, since ngtcp2 keeps our pointers ---- */

static size_t bucket(const struct qms_quic_conn *c, int64_t id)
{
    /* Ids of a kind are 4 apart; the kinds are kept apart by the low bits. */
    return ((uint64_t)id >> 2 ^ ((uint64_t)id & 3) << 4) & (c->table_cap - 1);
}

static qms_err table_grow(struct qms_quic_conn *c)
{
    if (c->stream_count < c->table_cap) {
        return QMS_OK;
    }
    size_t old_cap = c->table_cap, cap = old_cap > 0 ? 2 * old_cap : 8;
    struct qms_quic_stream **old = c->table, **table = qms_calloc(cap, sizeof(*table));
    if (table == NULL) {
        return old_cap > 0 ? QMS_OK : QMS_E_NOMEM; /* longer chains will do */
    }
    c->table = table;
    c->table_cap = cap;
    for (size_t i = 0; i < old_cap; i++) {
        for (struct qms_quic_stream *st = old[i], *next; st != NULL; st = next) {
            next = st->chain;
            size_t b = bucket(c, st->base.id);
            st->chain = table[b];
            table[b] = st;
        }
    }
    qms_free(old);
    return QMS_OK;
}

qms_err qms_conn_stream_register(struct qms_quic_conn *c, struct qms_quic_stream *st,
                                 int64_t id)
{
    if (table_grow(c) != QMS_OK) {
        return QMS_E_NOMEM;
    }
    st->base.id = id;
    size_t b = bucket(c, id);
    st->chain = c->table[b];
    c->table[b] = st;
    c->stream_count++;
    c->stats.streams_opened++;
    st->open = true;
    qms_list_remove(&st->all);
    qms_list_append(&c->streams, &st->all);
    qms_conn_grant(c, st);
    return QMS_OK;
}

struct qms_quic_stream *qms_conn_stream_find(const struct qms_quic_conn *c, int64_t id)
{
    struct qms_quic_stream *st = c->table_cap > 0 ? c->table[bucket(c, id)] : NULL;

    while (st != NULL && st->base.id != id) {
        st = st->chain;
    }
    return st;
}

static void unregister(struct qms_quic_conn *c, const struct qms_quic_stream *st)
{
    struct qms_quic_stream **at = &c->table[bucket(c, st->base.id)];

    while (*at != st) {
        at = &(*at)->chain;
    }
    *at = st->chain;
    c->stream_count--;
    c->stats.streams_closed++;
}

/* ---- end ---- */

void qms_conn_stream_send_over(struct qms_quic_conn *c, struct qms_quic_stream *st)
{
    st->send_over = true;
    c->stats.send_buffered -= qms_quic_stream_drop(st);
    qms_sched_remove(&c->sched, &st->node);
}

void qms_conn_stream_close(struct qms_quic_conn *c, struct qms_quic_stream *st)
{
    qms_conn_stream_send_over(c, st);
    if (st->open) {
        unregister(c, st);
    } else {
        c->pending_count--;
    }
    qms_list_remove(&st->all);
    st->open = false;
    st->recv_over = true;
    if (c->link.events != NULL && st->known) {
        c->link.events->on_stream_closed(&st->base);
    }
    qms_quic_stream_free(st);
}

/* ---- scheduling ---- */

void qms_conn_stream_schedule(struct qms_quic_conn *c, struct qms_quic_stream *st)
{
    if (qms_quic_stream_wants(st)) {
        qms_blocked_wait(&st->wait, &c->standstill, c->ep->now);
        if (qms_list_empty(&st->node.waiting)) {
            st->node.vital = st->base.vital;
        }
        qms_sched_put(&c->sched, &st->node, st->priority);
        qms_conn_dirty(c);
    } else {
        qms_sched_remove(&c->sched, &st->node);
    }
}

/* ---- pending ---- */

/* What was asked for while the stream had no id. */
static void apply_asked(struct qms_quic_conn *c, struct qms_quic_stream *st)
{
    if (st->stop_asked) {
        (void)ngtcp2_conn_shutdown_stream_read(c->ng, 0, st->base.id, st->stop_code);
    }
    if (st->reset_asked) {
        (void)ngtcp2_conn_shutdown_stream_write(c->ng, 0, st->base.id, st->reset_code);
    }
    qms_conn_stream_schedule(c, st);
}

void qms_conn_open_pending(struct qms_quic_conn *c, bool bidi)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &c->pending[bidi]) {
        struct qms_quic_stream *st = QMS_CONTAINER(node, struct qms_quic_stream, all);
        int64_t id;
        if (c->ended) {
            return;
        }
        if (!c->handshaken && !st->base.early) {
            continue;
        }
        if (table_grow(c) != QMS_OK) {
            return; /* the next limit update tries again */
        }
        int rv = bidi ? ngtcp2_conn_open_bidi_stream(c->ng, &id, st)
                      : ngtcp2_conn_open_uni_stream(c->ng, &id, st);
        if (rv != 0 || qms_conn_stream_register(c, st, id) != QMS_OK) {
            return;
        }
        c->pending_count--;
        apply_asked(c, st);
        qms_conn_dirty(c);
    }
}

/* ngtcp2 has forgotten them.  They were the first ones, and will be so again. */
void qms_conn_streams_again(struct qms_quic_conn *c)
{
    while (!qms_list_empty(&c->streams)) {
        struct qms_quic_stream *st =
            QMS_CONTAINER(c->streams.prev, struct qms_quic_stream, all);
        struct qms_list *line = &c->pending[st->base.bidi];

        qms_sched_remove(&c->sched, &st->node);
        unregister(c, st);
        c->stats.streams_opened--;
        c->stats.streams_closed--;
        st->base.id = -1;
        st->open = st->fin_sent = st->blocked = false;
        st->cursor = st->cursor_off = 0;
        st->cursor_base = 0;
        qms_list_remove(&st->all);
        qms_list_append(line->next, &st->all); /* before what is first now */
        c->pending_count++;
    }
}

/* ---- STOP_SENDING ---- */

void qms_conn_deliver_stops(struct qms_quic_conn *c, const struct qms_peek *peek)
{
    for (size_t i = 0; i < peek->count && !c->ended && !c->close_asked; i++) {
        struct qms_quic_stream *st = qms_conn_stream_find(c, peek->stops[i].stream_id);
        bool all_acked = st != NULL && st->fin_sent && st->out.bytes == 0;
        if (st != NULL) {
            qms_conn_count_break(c, st);
        }
        if (st == NULL || st->send_over || all_acked || !qms_quic_stream_sends(st)) {
            continue;
        }
        /* ngtcp2 has answered with RESET_STREAM and the same code already. */
        qms_conn_stream_send_over(c, st);
        if (c->link.events != NULL && st->known) {
            c->link.events->on_stop(&st->base, peek->stops[i].code);
        }
    }
}
