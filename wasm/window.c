/* SPDX-License-Identifier: MIT */
/* How much the browser may hold that has not arrived.
 *
 * A write that has resolved need not have left: Firefox takes megabytes in milliseconds, and
 * what it has taken no urgency of ours can overtake.  So the other end tells what has come
 * (RECEIPT), and what was handed over and has not come is bounded for all streams together. The
 * bound is found by delay: while pieces take hardly longer than the quickest ever, more is
 * handed over, else less.  So the path is kept busy and little more waits than travels.
 *
 * A stream of which nothing is told for long waits for its own reader, whom flow control lets
 * wait.  It counts no more, so that it holds up nobody else, and gets no more itself. */
#include "web.h"

#define FLOOR   ((size_t)64 << 10) /* what may have come without being told, and two pieces */
#define CEILING ((size_t)16 << 20)
#define SLACK   (10 * QMS_MILLISECOND) /* of an event loop at either end */
#define STUCK   (250 * QMS_MILLISECOND)
#define UNTOLD  ((size_t)32 << 10) /* the same of one stream, and a piece */
#define STEP    4                  /* share that the bound changes by */

static size_t unsure(const struct qms_web_stream *st)
{
    return (size_t)(st->handed - st->arrived);
}

static void count(struct qms_web_stream *st, size_t len)
{
    st->w->window.used += len - st->counted;
    st->counted = len;
}

static bool applies(const struct qms_web_stream *st)
{
    return st->w->link.has_receipts && !st->s.vital;
}

void qms_web_window_init(struct qms_web_window *win)
{
    *win = (struct qms_web_window){.size = FLOOR, .quick = true};
    qms_list_init(&win->waiting);
}

bool qms_web_window_room(struct qms_web_stream *st)
{
    struct qms_web_window *win = &st->w->window;

    if (!applies(st) || win->used < win->size) {
        return true;
    }
    win->full = true;
    return false;
}

bool qms_web_window_holds(const struct qms_web_stream *st)
{
    return applies(st) && st->stuck && unsure(st) >= UNTOLD;
}

void qms_web_window_handed(struct qms_web_stream *st, size_t len)
{
    st->handed += len;
    if (!applies(st)) {
        return;
    }
    st->stuck = false;
    count(st, unsure(st));
    if (st->probe == 0) {
        st->probe = st->handed;
        st->probe_at = st->w->link.now;
    }
    if (qms_list_empty(&st->receipt_node)) {
        st->receipt_at = st->w->link.now;
        qms_list_append(&st->w->window.waiting, &st->receipt_node);
    }
}

bool qms_web_window_awaits(const struct qms_web_stream *st)
{
    return applies(st) && !st->stuck && unsure(st) > 0;
}

void qms_web_window_forget(struct qms_web_stream *st)
{
    count(st, 0);
    qms_list_remove(&st->receipt_node);
}

/* Once for each windowful: `quickest` is the shortest way that a piece of it had.  Only that
 * tells of bytes that wait: longer ones may be a busy machine, or a more urgent stream. */
static void adjust(struct qms_web_window *win, qms_time quickest)
{
    if (quickest <= 2 * win->least + SLACK) {
        win->size += win->quick ? win->size : win->size / STEP;
        win->size = win->size < CEILING ? win->size : CEILING;
        return;
    }
    win->quick = false;
    if (win->size == FLOOR) {
        win->least = quickest; /* it is the path that has become slower */
    }
    win->size -= win->size / STEP;
    win->size = win->size > FLOOR ? win->size : FLOOR;
}

/* `took`: from giving a piece away to the news that it has come. */
static void measured(struct qms_web_window *win, qms_time took)
{
    win->took = took;
    win->least = win->least == 0 || took < win->least ? took : win->least;
    win->quickest = win->quickest == 0 || took < win->quickest ? took : win->quickest;
    if (win->told < win->size) {
        return;
    }
    if (win->full) { /* else it is not what mattered */
        adjust(win, win->quickest);
    }
    win->told = 0;
    win->quickest = 0;
    win->full = false;
}

void qms_web_window_receipt(struct qms_link_stream *s, uint64_t len)
{
    struct qms_web_stream *st = (struct qms_web_stream *)(void *)s;
    struct qms_web_link *w = st->w;

    if (len <= st->arrived || len > st->handed || !applies(st)) {
        return;
    }
    w->window.told += (size_t)(len - st->arrived);
    st->arrived = len;
    st->stuck = false;
    count(st, st->tx_over ? 0 : unsure(st));
    qms_list_remove(&st->receipt_node);
    if (st->tx_over) {
        return;
    }
    if (unsure(st) > 0) {
        st->receipt_at = w->link.now;
        qms_list_append(&w->window.waiting, &st->receipt_node);
    }
    if (st->probe != 0 && len >= st->probe) {
        st->probe = 0;
        measured(&w->window, w->link.now - st->probe_at);
    }
    if (st->fin_taken && unsure(st) == 0) {
        qms_web_stream_tx_over(st);
    } else {
        qms_web_stream_due(st);
    }
    qms_web_send(w);
}

/* ---- streams that wait for their readers ---- */

static struct qms_web_stream *longest(const struct qms_web_window *win)
{
    struct qms_list *node = qms_list_first(&win->waiting);

    return node == NULL ? NULL : QMS_CONTAINER(node, struct qms_web_stream, receipt_node);
}

qms_time qms_web_window_next_at(const struct qms_web_window *win)
{
    const struct qms_web_stream *st = longest(win);

    return st == NULL ? QMS_NEVER : st->receipt_at + STUCK + 4 * win->took;
}

void qms_web_window_expire(struct qms_web_window *win, qms_time now)
{
    while (qms_web_window_next_at(win) <= now) {
        struct qms_web_stream *st = longest(win);

        qms_web_window_forget(st);
        st->stuck = true;
        st->probe = 0;
        if (st->fin_taken) { /* as far as this side can know */
            qms_web_stream_tx_over(st);
        } else if (qms_web_window_holds(st)) {
            qms_sched_remove(&st->w->sched, &st->turn);
        }
    }
}
