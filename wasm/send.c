/* SPDX-License-Identifier: MIT */
/* What leaves next.  The browser knows no urgency, and keeps what it was given in the order it
 * came; so it is given little, and the choice is made here, by the scheduler of the native
 * link: strict levels, turns inside each, and a guard against starving. */
#include <string.h>

#include "base/mem.h"
#include "web.h"

#define HOLD (5 * QMS_MILLISECOND)

#define EXPORT __attribute__((used, visibility("default")))

static struct qms_web_stream *stream_in(struct qms_sched_node *n)
{
    return QMS_CONTAINER(n, struct qms_web_stream, turn);
}

void qms_web_stream_due(struct qms_web_stream *st)
{
    bool something = st->queue.bytes > 0 || (st->finish && !st->fin_sent);

    if (st->queue.bytes > st->in_flight && st->queued_at == 0) {
        st->queued_at = st->w->link.now;
    }
    if (something && st->opened == QMS_WEB_OPEN && !st->tx_over && st->in_flight == 0 &&
        !st->fin_sent && !(st->queue.bytes > 0 && qms_web_window_holds(st))) {
        st->turn.vital = st->s.vital;
        qms_sched_put(&st->w->sched, &st->turn, st->priority);
    }
    qms_client_wake(st->w->web->client);
}

void qms_web_stream_tx_over(struct qms_web_stream *st)
{
    st->tx_over = true;
    st->queued_at = 0;
    st->w->unresolved -= st->in_flight; /* what becomes of that write is of no interest now */
    st->in_flight = 0;
    qms_web_window_forget(st);
    st->w->held = false;
    qms_sched_remove(&st->w->sched, &st->turn);
    qms_blobq_clear(&st->queue);
    qms_web_stream_check(st);
}

/* ---- opening ---- */

static void open_some(struct qms_web_link *w)
{
    while (w->opening < QMS_WEB_OPENING && w->unopened.top != NULL) {
        struct qms_web_stream *st =
            QMS_CONTAINER(w->unopened.top, struct qms_web_stream, place);

        qms_prioq_remove(&w->unopened, &st->place);
        w->waiting--;
        w->opening++;
        st->opened = QMS_WEB_ASKED;
        st->id = qms_js_open(w->id, st, st->s.bidi, st->priority);
    }
}

/* The browser has made the stream; what was reset or stopped meanwhile is undone there. */
EXPORT void qms_web_on_opened(struct qms_web_stream *st)
{
    struct qms_web_link *w = st->w;

    qms_web_link_clock(w);
    w->opening--;
    st->opened = QMS_WEB_OPEN;
    if (st->stopped) {
        qms_js_stop(st->id, st->stop_code);
    } else if (!st->rx_over) {
        qms_js_read(st->id);
    }
    qms_web_stream_due(st);
    qms_web_send(w);
}

/* ---- bytes ---- */

/* What leaves next.  Small ranges are brought together: a write costs the browser more than a
 * copy of what it carries. */
static struct qms_bytes next_piece(struct qms_web_stream *st, uint8_t *gathered)
{
    struct qms_bytes piece = qms_blobq_at(&st->queue, 0);
    size_t len = 0;

    if (piece.len >= QMS_WEB_PIECE || st->queue.count == 1) {
        return (struct qms_bytes){piece.data,
                                  piece.len < QMS_WEB_PIECE ? piece.len : QMS_WEB_PIECE};
    }
    for (uint32_t i = 0; i < st->queue.count && len < QMS_WEB_PIECE; i++) {
        struct qms_bytes range = qms_blobq_at(&st->queue, i);
        size_t room = QMS_WEB_PIECE - len;
        size_t run = range.len < room ? range.len : room;
        memcpy(gathered + len, range.data, run);
        len += run;
    }
    return (struct qms_bytes){gathered, len};
}

/* What is less urgent need not slip in between two pieces of a stream.  A browser that takes a
 * piece when it leaves (Chromium) is waited for until the next turn.  Firefox takes pieces at
 * once until a pipe is full that another process empties, the later the more the others have in
 * theirs: it is waited for as long as that lasts, but not for one whose reader is slow. */
static void hold_for(struct qms_web_link *w, const struct qms_web_stream *st)
{
    if (st->queue.bytes > st->in_flight && !st->turn.vital) {
        w->held = true;
        w->held_for = st->priority;
        w->held_until = w->link.has_receipts ? w->link.now + HOLD + w->window.took : 0;
        qms_client_wake(w->web->client);
    }
}

static bool held_back(const struct qms_web_link *w, const struct qms_sched_node *n)
{
    return w->held && !n->vital && n->level.priority < w->held_for;
}

/* False: the writer has no room, and tells by qms_web_on_written when it has. */
static bool give(struct qms_web_link *w, struct qms_web_stream *st)
{
    struct qms_bytes piece = next_piece(st, w->web->gathered);
    bool lent = w->views && piece.data != w->web->gathered;

    if (!qms_js_write(st->id, piece.data, piece.len, lent)) {
        return false;
    }
    st->in_flight = piece.len;
    hold_for(w, st);
    w->unresolved += piece.len;
    w->stats.bytes_sent += piece.len;
    qms_web_window_handed(st, piece.len);
    if (st->queued_at != 0) {
        st->stats.blocked_priority += w->link.now - st->queued_at;
        st->queued_at = 0;
    }
    return true;
}

static void serve(struct qms_web_link *w, struct qms_web_stream *st)
{
    bool more_urgent = qms_sched_passed_over(&w->sched, &st->turn);

    if (st->queue.bytes > 0) {
        w->stats.priority_inversions += give(w, st) && more_urgent;
    } else {
        st->fin_sent = true;
        qms_js_finish(st->id);
    }
    /* One thing at a time: it comes back when that is resolved. */
    qms_sched_served(&w->sched, &st->turn);
    qms_sched_packet(&w->sched);
    qms_sched_remove(&w->sched, &st->turn);
}

/* Before streams of its own level and below. */
static bool datagram_first(const struct qms_web_link *w, const struct qms_sched_node *stream)
{
    const struct qms_dgram *d = qms_dgramq_top(&w->datagrams);

    return d != NULL && (stream == NULL || d->node.priority >= stream->level.priority);
}

static bool send_datagram(struct qms_web_link *w)
{
    const struct qms_dgram *d = qms_dgramq_top(&w->datagrams);

    if (!qms_js_datagram(w->id, d->data, d->len)) {
        return false; /* qms_web_on_room follows */
    }
    w->stats.datagrams_sent++;
    w->stats.bytes_sent += d->len;
    qms_dgramq_pop(&w->datagrams);
    return true;
}

void qms_web_send(struct qms_web_link *w)
{
    bool datagrams = true;

    if (!w->ready || w->closed) {
        return;
    }
    open_some(w);
    for (;;) {
        struct qms_sched_node *next = qms_sched_pick(&w->sched);

        if (datagrams && datagram_first(w, next)) {
            datagrams = send_datagram(w);
        } else if (next != NULL && w->unresolved < QMS_WEB_UNRESOLVED && !held_back(w, next) &&
                   qms_web_window_room(stream_in(next))) {
            serve(w, stream_in(next));
        } else {
            break;
        }
    }
}

/* ---- what the browser tells ---- */

/* The write under way has been taken, or the writer has room (len 0). */
EXPORT void qms_web_on_written(struct qms_web_stream *st, size_t len)
{
    struct qms_web_link *w = st->w;

    if (w->closed || st->tx_over) {
        return;
    }
    qms_web_link_clock(w);
    w->held = w->held && st->priority < w->held_for;
    w->unresolved -= st->in_flight;
    st->in_flight = 0;
    if (len > 0) {
        qms_blobq_drop(&st->queue, len);
        st->stats.bytes_acked += len;
        w->link.events->on_acked(&st->s, len);
    }
    qms_web_stream_due(st);
    qms_web_send(w);
}

/* FIN and all before it are with the other side, says the browser; where it may say so early
 * the other side's word is waited for. */
EXPORT void qms_web_on_finished(struct qms_web_stream *st)
{
    if (st->tx_over || st->w->closed) {
        return;
    }
    qms_web_link_clock(st->w);
    st->fin_taken = true;
    if (!qms_web_window_awaits(st)) {
        qms_web_stream_tx_over(st);
    }
}
