/* SPDX-License-Identifier: MIT */
/* Streams of a browser's session: the link's operations, and what webtransport.js tells of one.
 *
 * A stream waits here, by urgency, until the browser is asked for it.  Each direction ends
 * once: by FIN, by a reset or stop of either side, or with the session. */
#include "base/mem.h"
#include "web.h"

#define EXPORT __attribute__((used, visibility("default")))

static struct qms_web_link *link_of(struct qms_link *link)
{
    return (struct qms_web_link *)(void *)link;
}

static struct qms_web_stream *stream_of(struct qms_link_stream *s)
{
    return (struct qms_web_stream *)(void *)s;
}

/* ---- life ---- */

struct qms_web_stream *qms_web_stream_new(struct qms_web_link *w, bool bidi, bool local,
                                          uint8_t priority)
{
    struct qms_web_stream *st = qms_calloc(1, sizeof(*st));

    if (st == NULL) {
        return NULL;
    }
    st->s = (struct qms_link_stream){.link = &w->link, .id = -1, .bidi = bidi, .local = local};
    st->w = w;
    st->priority = priority;
    qms_sched_node_init(&st->turn);
    qms_list_init(&st->over_node);
    qms_list_init(&st->receipt_node);
    qms_list_append(&w->streams, &st->node);
    w->stats.streams_opened++;
    return st;
}

static void leave_line(struct qms_web_stream *st)
{
    if (qms_prioq_has(&st->place)) {
        qms_prioq_remove(&st->w->unopened, &st->place);
        st->w->waiting--;
    }
}

void qms_web_stream_free(struct qms_web_stream *st)
{
    leave_line(st);
    qms_sched_remove(&st->w->sched, &st->turn);
    st->w->unresolved -= st->in_flight;
    qms_web_window_forget(st);
    if (st->opened == QMS_WEB_ASKED) {
        st->w->opening--;
    }
    if (st->id != 0) {
        qms_js_forget(st->id);
    }
    qms_blobq_clear(&st->queue);
    qms_list_remove(&st->over_node);
    qms_list_remove(&st->node);
    qms_free(st);
}

void qms_web_stream_check(struct qms_web_stream *st)
{
    if (st->tx_over && st->rx_over && !st->reported) {
        st->reported = true;
        leave_line(st);
        qms_list_append(&st->w->over, &st->over_node);
        qms_client_wake(st->w->web->client);
    }
}

/* ---- operations ---- */

static qms_err op_open(struct qms_link *link, bool bidi, uint8_t priority,
                       struct qms_link_stream **out)
{
    struct qms_web_link *w = link_of(link);
    struct qms_web_stream *st;

    if (w->closed) {
        return QMS_E_CLOSED;
    }
    if (w->waiting >= QMS_WEB_WAITING) {
        return QMS_E_LIMIT;
    }
    st = qms_web_stream_new(w, bidi, true, priority);
    if (st == NULL) {
        return QMS_E_NOMEM;
    }
    st->rx_over = !bidi;
    qms_prioq_put(&w->unopened, &st->place, priority);
    w->waiting++;
    qms_client_wake(w->web->client);
    *out = &st->s;
    return QMS_OK;
}

static qms_err op_write(struct qms_link_stream *s, struct qms_blob *blob, size_t off,
                        size_t len)
{
    struct qms_web_stream *st = stream_of(s);
    qms_err err;

    if (st->tx_over || st->finish || st->w->closed) {
        return QMS_E_CLOSED;
    }
    err = qms_blobq_push(&st->queue, blob, off, len);
    if (err == QMS_OK) {
        st->stats.bytes_written += len;
        qms_web_stream_due(st);
    }
    return err;
}

static void op_finish(struct qms_link_stream *s)
{
    struct qms_web_stream *st = stream_of(s);

    if (!st->tx_over && !st->finish) {
        st->finish = true;
        qms_web_stream_due(st);
    }
}

static void op_reset(struct qms_link_stream *s, uint64_t code)
{
    struct qms_web_stream *st = stream_of(s);

    if (st->tx_over) {
        return;
    }
    if (st->opened == QMS_WEB_OPEN) {
        qms_js_reset(st->id, (unsigned)code);
    } else {
        st->rx_over = true; /* the other side never hears of it */
    }
    qms_web_stream_tx_over(st);
}

static void op_stop(struct qms_link_stream *s, uint64_t code)
{
    struct qms_web_stream *st = stream_of(s);

    if (st->rx_over) {
        return;
    }
    st->rx_over = st->stopped = true;
    st->stop_code = (unsigned)code;
    if (st->opened == QMS_WEB_OPEN) {
        qms_js_stop(st->id, (unsigned)code);
    }
    qms_web_stream_check(st);
}

static void op_set_priority(struct qms_link_stream *s, uint8_t priority)
{
    struct qms_web_stream *st = stream_of(s);

    if (st->priority == priority) {
        return;
    }
    st->priority = priority;
    qms_sched_move(&st->w->sched, &st->turn, priority);
    if (qms_prioq_has(&st->place)) {
        qms_prioq_remove(&st->w->unopened, &st->place);
        qms_prioq_put(&st->w->unopened, &st->place, priority);
    }
    if (st->opened == QMS_WEB_OPEN && !st->tx_over) {
        qms_js_priority(st->id, priority);
    }
}

static void op_consume(struct qms_link_stream *s, size_t len)
{
    struct qms_web_stream *st = stream_of(s);

    st->uncredited -= len < st->uncredited ? len : st->uncredited;
    if (!st->rx_over && st->uncredited <= QMS_WEB_WINDOW / 2 && st->id != 0) {
        qms_js_read(st->id);
    }
}

static void op_stream_stats(struct qms_link_stream *s, struct qms_link_stream_stats *out)
{
    const struct qms_web_stream *st = stream_of(s);

    *out = st->stats;
    out->buffered = st->stats.bytes_written - st->stats.bytes_acked;
    if (st->queued_at != 0) {
        out->blocked_priority += st->w->link.now - st->queued_at;
    }
}

static qms_err op_datagram(struct qms_link *link, uint8_t priority,
                           const struct qms_bytes *parts, size_t count)
{
    struct qms_web_link *w = link_of(link);
    size_t len = 0;
    qms_err err;

    if (w->closed) {
        return QMS_E_CLOSED;
    }
    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    if (len > link->ops->datagram_max(link)) {
        return QMS_E_TOO_LARGE;
    }
    err = qms_dgramq_put(&w->datagrams, priority, parts, count);
    if (err == QMS_OK) {
        qms_client_wake(w->web->client);
    }
    return err;
}

static size_t op_datagram_max(struct qms_link *link)
{
    struct qms_web_link *w = link_of(link);

    return w->ready ? qms_js_datagram_max(w->id) : 0;
}

static void op_close(struct qms_link *link, uint64_t code, struct qms_bytes reason)
{
    struct qms_web_link *w = link_of(link);

    if (!w->closed) {
        qms_js_close(w->id, (unsigned)code, reason.data, reason.len);
    }
}

static void op_stats(struct qms_link *link, struct qms_link_stats *out)
{
    struct qms_web_link *w = link_of(link);
    struct qms_list *node;

    *out = w->stats;
    out->partial = true;
    out->datagrams_dropped += w->datagrams.dropped;
    QMS_LIST_FOREACH(node, &w->streams) {
        const struct qms_web_stream *st = QMS_CONTAINER(node, struct qms_web_stream, node);

        out->send_buffered += st->stats.bytes_written - st->stats.bytes_acked;
    }
}

const struct qms_link_ops qms_web_link_ops = {
    .carrier = "webtransport",
    .open = op_open,
    .write = op_write,
    .finish = op_finish,
    .reset = op_reset,
    .stop = op_stop,
    .set_priority = op_set_priority,
    .consume = op_consume,
    .stream_stats = op_stream_stats,
    .datagram = op_datagram,
    .datagram_max = op_datagram_max,
    .close = op_close,
    .stats = op_stats,
    .receipt = qms_web_window_receipt,
};

/* ---- what the browser tells ---- */

/* Bytes in scratch.  Returns whether more may be read now. */
EXPORT int qms_web_on_data(struct qms_web_stream *st, size_t len, int fin)
{
    struct qms_web_link *w = st->w;

    if (st->rx_over || w->closed) {
        return 0;
    }
    qms_web_link_heard(w);
    st->stats.bytes_received += len;
    w->stats.bytes_received += len;
    st->uncredited += len;
    st->rx_over = fin != 0;
    w->link.events->on_data(&st->s, (struct qms_bytes){w->web->scratch, len}, fin != 0);
    qms_web_stream_check(st);
    return !st->rx_over && st->uncredited < QMS_WEB_WINDOW;
}

EXPORT void qms_web_on_reset(struct qms_web_stream *st, unsigned code)
{
    if (st->rx_over || st->w->closed) {
        return;
    }
    qms_web_link_heard(st->w);
    st->rx_over = true;
    st->w->link.events->on_reset(&st->s, code);
    qms_web_stream_check(st);
}

/* The other side's STOP_SENDING has ended the writer, with a reset behind it. */
EXPORT void qms_web_on_stop(struct qms_web_stream *st, unsigned code)
{
    if (st->tx_over || st->w->closed) {
        return;
    }
    qms_web_link_heard(st->w);
    st->w->link.events->on_stop(&st->s, code);
    qms_web_stream_tx_over(st);
}
