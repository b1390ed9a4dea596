/* SPDX-License-Identifier: MIT */
/* Credit that this side grants: how far the peer may run ahead of who consumes.
 *
 * Each stream has a window of its own.  The connection's window only keeps count of them: it is
 * always the sum of what the streams were granted, and room for new ones, so that streams whose
 * readers have stopped never hold up the others.  What bounds memory is the sum: the streams'
 * windows grow only while it stays within `connection_window`. */
#include "quic/int.h"

/* Room for streams that are not known here yet, CONTROL among them. */
#define RESERVE ((uint64_t)256 << 10)
/* Most that a connection starts with: more would only be announced later (see below). */
#define FIRST_MAX ((uint64_t)16 << 20)

uint64_t qms_conn_first_window(const struct qms_quic_config *config)
{
    uint64_t window = config->connection_window;

    return window < 2 * RESERVE ? 2 * RESERVE : window < FIRST_MAX ? window : FIRST_MAX;
}

/* ngtcp2 announces a new limit when it has moved by half of the first window: by that much the
 * peer may be behind what was granted. */
static uint64_t wanted(const struct qms_quic_conn *c)
{
    uint64_t first = qms_conn_first_window(&c->ep->config);
    uint64_t sum = c->granted + RESERVE + first / 2;

    return sum > first ? sum : first;
}

static void top_up(struct qms_quic_conn *c)
{
    uint64_t want = wanted(c);

    if (c->window < want) {
        ngtcp2_conn_extend_max_offset(c->ng, want - c->window);
        c->window = want;
    }
}

/* What the stream may still make us hold. */
static uint64_t share_of(const struct qms_quic_stream *st)
{
    if (!qms_quic_stream_receives(st)) {
        return 0;
    }
    return st->recv_over ? st->received - st->consumed : st->window;
}

void qms_conn_grant(struct qms_quic_conn *c, struct qms_quic_stream *st)
{
    uint64_t share = share_of(st);

    c->granted += share - st->share;
    st->share = share;
    top_up(c);
}

/* Where the stream's window may go while all of them stay within the cap. */
static uint64_t window_limit(const struct qms_quic_conn *c, const struct qms_quic_stream *st)
{
    const struct qms_quic_config *f = &c->ep->config;
    uint64_t room = f->connection_window > c->granted ? f->connection_window - c->granted : 0;

    return f->stream_window_max < st->window + room ? f->stream_window_max : st->window + room;
}

void qms_conn_consume(struct qms_quic_conn *c, struct qms_quic_stream *st, uint64_t len)
{
    ngtcp2_conn_info info = {.smoothed_rtt = 0};

    if (st->window_taken + len >= st->window) {
        ngtcp2_conn_get_conn_info(c->ng, &info);
    }
    uint64_t more =
        qms_quic_stream_consumed(st, len, c->ep->now, info.smoothed_rtt, window_limit(c, st));
    c->window -= len;
    if (!st->recv_over) {
        (void)ngtcp2_conn_extend_max_stream_offset(c->ng, st->base.id, more);
    }
    qms_conn_grant(c, st);
}

void qms_conn_forfeit(struct qms_quic_conn *c, struct qms_quic_stream *st)
{
    c->window -= st->received - st->consumed;
    st->consumed = st->received;
    st->recv_over = true;
    qms_conn_grant(c, st);
}
