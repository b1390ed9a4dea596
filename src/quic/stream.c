/* SPDX-License-Identifier: MIT */
/* Book-keeping of one stream; nothing here talks to ngtcp2. */
#include "quic/stream.h"
#include "base/mem.h"

struct qms_quic_stream *qms_quic_stream_new(struct qms_link *link, bool bidi, bool local,
                                            uint8_t priority, uint64_t window)
{
    struct qms_quic_stream *st = qms_calloc(1, sizeof(*st));

    if (st == NULL) {
        return NULL;
    }
    st->base = (struct qms_link_stream){.link = link, .id = -1, .bidi = bidi, .local = local};
    st->priority = priority;
    st->known = local;
    st->window = window;
    st->stay_min = QMS_NEVER;
    qms_sched_node_init(&st->node);
    qms_list_init(&st->all);
    return st;
}

void qms_quic_stream_free(struct qms_quic_stream *st)
{
    qms_blobq_clear(&st->out);
    qms_free(st);
}

size_t qms_quic_stream_gather(const struct qms_quic_stream *st, size_t enough, ngtcp2_vec *vecs,
                              bool *all)
{
    size_t count = 0, bytes = 0;
    uint32_t i = st->cursor, off = st->cursor_off;

    for (; i < st->out.count && count < QMS_STREAM_VECS && bytes < enough; i++, off = 0) {
        struct qms_bytes piece = qms_blobq_at(&st->out, i);
        if (piece.len > off) {
            vecs[count].base = (uint8_t *)(uintptr_t)(piece.data + off);
            vecs[count].len = piece.len - off;
            bytes += vecs[count++].len;
        }
    }
    *all = bytes == qms_quic_stream_unsent(st);
    return count;
}

void qms_quic_stream_sent(struct qms_quic_stream *st, uint64_t len)
{
    while (len > 0) {
        size_t left = qms_blobq_at(&st->out, st->cursor).len - st->cursor_off;
        if (len < left) {
            st->cursor_off += (uint32_t)len;
            return;
        }
        len -= left;
        st->cursor_off += (uint32_t)left;
        /* At the very end the cursor stays on the last entry, which a later write may extend.
         */
        if (st->cursor + 1 < st->out.count) {
            st->cursor_base += st->cursor_off;
            st->cursor++;
            st->cursor_off = 0;
        } else {
            return;
        }
    }
}

uint64_t qms_quic_stream_acked(struct qms_quic_stream *st, uint64_t len)
{
    uint64_t sent = st->cursor_base + st->cursor_off;
    uint32_t before = st->out.count;

    if (len > sent) {
        len = sent; /* acknowledged after a reset: dropped already */
    }
    qms_blobq_drop(&st->out, len);
    uint32_t gone = before - st->out.count;
    if (len <= st->cursor_base) {
        st->cursor -= gone;
        st->cursor_base -= len;
    } else {
        /* Up to the cursor's own entry: it was trimmed, or is gone too. */
        st->cursor_off = gone > st->cursor ? 0 : (uint32_t)(sent - len);
        st->cursor = 0;
        st->cursor_base = 0;
    }
    st->acked += len;
    return len;
}

uint64_t qms_quic_stream_drop(struct qms_quic_stream *st)
{
    uint64_t len = st->out.bytes;

    qms_blobq_clear(&st->out);
    st->cursor = st->cursor_off = 0;
    st->cursor_base = 0;
    return len;
}

void qms_quic_stream_received(struct qms_quic_stream *st, uint64_t len, qms_time now)
{
    st->received += len;
    if (st->sample_end == 0) {
        st->sample_end = st->received;
        st->sample_at = now;
    }
}

/* The shortest, since longer ones tell of queues, which a larger window would only lengthen. */
static void measure_stay(struct qms_quic_stream *st, qms_time now)
{
    if (st->sample_end != 0 && st->consumed >= st->sample_end) {
        qms_time stay = now - st->sample_at;
        st->stay_min = stay < st->stay_min ? stay : st->stay_min;
        st->sample_end = 0;
    }
}

static bool limits_the_flow(const struct qms_quic_stream *st, qms_time now, qms_time rtt)
{
    qms_time trip = rtt + (st->stay_min != QMS_NEVER ? st->stay_min : 0);

    return now - st->window_at <= 2 * trip;
}

uint64_t qms_quic_stream_consumed(struct qms_quic_stream *st, uint64_t len, qms_time now,
                                  qms_time rtt, uint64_t window_max)
{
    uint64_t more = 0;

    st->consumed += len;
    measure_stay(st, now);
    if (st->window_taken == 0) {
        st->window_at = now;
    }
    st->window_taken += len;
    if (st->window_taken >= st->window) {
        if (limits_the_flow(st, now, rtt) && st->window < window_max) {
            more = st->window < window_max - st->window ? st->window : window_max - st->window;
            st->window += more;
        }
        st->window_taken = 0;
    }
    return len + more;
}
