/* SPDX-License-Identifier: MIT */
/* One QUIC stream: what waits to be sent, what was sent and not acknowledged, what was received
 * and not consumed. */
#ifndef QMS_QUIC_STREAM_H
#define QMS_QUIC_STREAM_H

#include <ngtcp2/ngtcp2.h>

#include "base/link.h"
#include "base/sched.h"
#include "quic/blocked.h"

/** Pieces offered to ngtcp2 at once. */
#define QMS_STREAM_VECS 16

struct qms_quic_stream {
    struct qms_link_stream base; /* first */
    struct qms_sched_node node;
    struct qms_list all; /* every stream of the connection; the pending ones elsewhere */
    struct qms_quic_stream *chain; /* next in the bucket of the id table */

    /* Send: `out` starts at the first byte that is not acknowledged.  The cursor stands at the
     * first one that ngtcp2 was not given yet. */
    struct qms_blobq out;
    uint32_t cursor;      /* entry of `out` */
    uint32_t cursor_off;  /* bytes of that entry already given */
    uint64_t cursor_base; /* bytes of `out` before that entry */
    uint64_t written, acked;

    uint64_t received, consumed;
    uint64_t share;        /* in the connection's `granted` */
    uint64_t window;       /* present size of the receive window */
    uint64_t window_taken; /* consumed since window_at */
    qms_time window_at;
    uint64_t sample_end;          /* of the bytes whose stay is measured; 0: none are */
    qms_time sample_at, stay_min; /* shortest time from receipt to consumption */

    struct qms_blocked wait;

    uint64_t reset_code, stop_code; /* asked for, and asked again when early data was refused */
    uint8_t priority;
    bool open;          /* ngtcp2 knows it */
    bool known;         /* the layer above opened it, or was told of it */
    bool fin, fin_sent; /* wanted; given to ngtcp2 */
    bool send_over;     /* reset, or stopped by the peer: nothing more goes out */
    bool reset_asked, stop_asked;
    bool broken_off; /* by the peer, and counted (conn.c) */
    bool blocked;    /* by the stream's flow control */
    bool recv_over;  /* FIN or RESET received, or stopped by us */
};

struct qms_quic_stream *qms_quic_stream_new(struct qms_link *link, bool bidi, bool local,
                                            uint8_t priority, uint64_t window);
/** Frees what is queued; the caller took it out of every list. */
void qms_quic_stream_free(struct qms_quic_stream *st);

/** Whether this side sends on it, or receives. */
static inline bool qms_quic_stream_sends(const struct qms_quic_stream *st)
{
    return st->base.bidi || st->base.local;
}
static inline bool qms_quic_stream_receives(const struct qms_quic_stream *st)
{
    return st->base.bidi || !st->base.local;
}
/** Bytes that ngtcp2 was not given yet. */
static inline uint64_t qms_quic_stream_unsent(const struct qms_quic_stream *st)
{
    return st->out.bytes - st->cursor_base - st->cursor_off;
}
/** Whether the scheduler should know it: it has bytes or a FIN to send and may. */
static inline bool qms_quic_stream_wants(const struct qms_quic_stream *st)
{
    return st->open && !st->send_over && !st->blocked &&
           (qms_quic_stream_unsent(st) > 0 || (st->fin && !st->fin_sent));
}

/** Points up to QMS_STREAM_VECS pieces at unsent bytes, until they hold `enough`; returns their
 * number, and whether that is all there is. */
size_t qms_quic_stream_gather(const struct qms_quic_stream *st, size_t enough, ngtcp2_vec *vecs,
                              bool *all);
/** ngtcp2 took `len` bytes. */
void qms_quic_stream_sent(struct qms_quic_stream *st, uint64_t len);
/** The peer has acknowledged `len` more; returns how many of them were still held. */
uint64_t qms_quic_stream_acked(struct qms_quic_stream *st, uint64_t len);
/** Forgets what is queued; returns how many bytes that were. */
uint64_t qms_quic_stream_drop(struct qms_quic_stream *st);
/** Takes note of `len` bytes received. */
void qms_quic_stream_received(struct qms_quic_stream *st, uint64_t len, qms_time now);
/** Takes note of `len` consumed bytes; returns by how many the window is to be extended: more
 * than `len` when it limited the flow.  That is when a whole window went within two round trips
 * from the sender to whoever consumes: this path's, and the shortest stay here, which is the
 * next path's where bytes are handed on. */
uint64_t qms_quic_stream_consumed(struct qms_quic_stream *st, uint64_t len, qms_time now,
                                  qms_time rtt, uint64_t window_max);

#endif
