/* SPDX-License-Identifier: MIT */
/* A connection as a struct qms_link.  Operations queue and mark the connection dirty; none
 * calls an event or writes a packet. */
#include <string.h>

#include "base/mem.h"
#include "quic/int.h"

static bool over(const struct qms_quic_conn *c)
{
    return c->ended || c->close_asked;
}

/* ---- streams ---- */

static qms_err open_now(struct qms_quic_conn *c, struct qms_quic_stream *st)
{
    int64_t id;
    int rv;

    if (!c->handshaken || !qms_list_empty(&c->pending[st->base.bidi])) {
        return QMS_E_AGAIN;
    }
    rv = st->base.bidi ? ngtcp2_conn_open_bidi_stream(c->ng, &id, st)
                       : ngtcp2_conn_open_uni_stream(c->ng, &id, st);
    if (rv == 0 && qms_conn_stream_register(c, st, id) != QMS_OK) {
        /* The caller frees it: ngtcp2, which has opened it, must not know it any more. */
        (void)ngtcp2_conn_set_stream_user_data(c->ng, id, NULL);
        (void)ngtcp2_conn_shutdown_stream(c->ng, 0, id, QMS_CODE_INTERNAL);
        return QMS_E_NOMEM;
    }
    if (rv == 0) {
        return QMS_OK;
    }
    return rv == NGTCP2_ERR_STREAM_ID_BLOCKED ? QMS_E_AGAIN : QMS_E_NOMEM;
}

static qms_err op_open(struct qms_link *link, bool bidi, uint8_t priority,
                       struct qms_link_stream **out)
{
    struct qms_quic_conn *c = qms_conn_of_link(link);

    if (over(c)) {
        return QMS_E_CLOSED;
    }
    struct qms_quic_stream *st =
        qms_quic_stream_new(link, bidi, true, priority, c->ep->config.stream_window);
    if (st == NULL) {
        return QMS_E_NOMEM;
    }
    qms_err err = open_now(c, st);
    if (err == QMS_E_AGAIN) {
        err = c->pending_count < QMS_PENDING_MAX ? QMS_OK : QMS_E_LIMIT;
        if (err == QMS_OK) {
            qms_list_append(&c->pending[bidi], &st->all);
            c->pending_count++;
        }
    }
    if (err != QMS_OK) {
        qms_quic_stream_free(st);
        return err;
    }
    qms_conn_dirty(c);
    *out = &st->base;
    return QMS_OK;
}

static qms_err op_write(struct qms_link_stream *base, struct qms_blob *blob, size_t off,
                        size_t len)
{
    struct qms_quic_stream *st = qms_stream_of(base);
    struct qms_quic_conn *c = qms_conn_of_link(base->link);

    if (over(c) || st->fin || st->send_over || !qms_quic_stream_sends(st)) {
        return QMS_E_CLOSED;
    }
    if (len == 0) {
        return QMS_OK;
    }
    qms_err err = qms_blobq_push(&st->out, blob, off, len);
    if (err == QMS_OK) {
        st->written += len;
        c->stats.send_buffered += len;
        qms_conn_stream_schedule(c, st);
    }
    return err;
}

static void op_finish(struct qms_link_stream *base)
{
    struct qms_quic_stream *st = qms_stream_of(base);
    struct qms_quic_conn *c = qms_conn_of_link(base->link);

    if (!over(c) && !st->fin && !st->send_over && qms_quic_stream_sends(st)) {
        st->fin = true;
        qms_conn_stream_schedule(c, st);
    }
}

static void op_reset(struct qms_link_stream *base, uint64_t code)
{
    struct qms_quic_stream *st = qms_stream_of(base);
    struct qms_quic_conn *c = qms_conn_of_link(base->link);
    bool all_acked = st->fin_sent && st->out.bytes == 0;

    if (over(c) || st->send_over || all_acked || !qms_quic_stream_sends(st)) {
        return;
    }
    qms_conn_stream_send_over(c, st);
    st->reset_asked = true;
    st->reset_code = code;
    if (st->open) {
        (void)ngtcp2_conn_shutdown_stream_write(c->ng, 0, base->id, code);
    }
    qms_conn_dirty(c);
}

static void op_stop(struct qms_link_stream *base, uint64_t code)
{
    struct qms_quic_stream *st = qms_stream_of(base);
    struct qms_quic_conn *c = qms_conn_of_link(base->link);

    if (over(c) || st->recv_over || !qms_quic_stream_receives(st)) {
        return;
    }
    st->recv_over = true;
    st->stop_asked = true;
    st->stop_code = code;
    if (st->open) {
        (void)ngtcp2_conn_shutdown_stream_read(c->ng, 0, base->id, code);
        qms_conn_grant(c, st);
    }
    qms_conn_dirty(c);
}

static void op_set_priority(struct qms_link_stream *base, uint8_t priority)
{
    struct qms_quic_stream *st = qms_stream_of(base);
    struct qms_quic_conn *c = qms_conn_of_link(base->link);

    st->priority = priority;
    if (!over(c)) {
        qms_sched_move(&c->sched, &st->node, priority);
    }
}

static void op_consume(struct qms_link_stream *base, size_t len)
{
    struct qms_quic_stream *st = qms_stream_of(base);
    struct qms_quic_conn *c = qms_conn_of_link(base->link);

    if (len > st->received - st->consumed) {
        len = (size_t)(st->received - st->consumed);
    }
    if (over(c) || !st->open || len == 0) {
        return;
    }
    qms_conn_consume(c, st, len);
    qms_conn_dirty(c);
}

static void op_stream_stats(struct qms_link_stream *base, struct qms_link_stream_stats *out)
{
    const struct qms_quic_stream *st = qms_stream_of(base);
    const struct qms_quic_conn *c = qms_conn_of_link(base->link);

    *out = (struct qms_link_stream_stats){.bytes_written = st->written,
                                          .bytes_acked = st->acked,
                                          .bytes_received = st->received,
                                          .buffered = st->out.bytes};
    if (st->open && !c->ended && qms_quic_stream_sends(st)) {
        out->send_credit = ngtcp2_conn_get_max_stream_data_left(c->ng, base->id);
    }
    qms_blocked_stats(&st->wait, &c->standstill, c->ep->now, out);
}

/* ---- datagrams ---- */

/* Bytes around a datagram's payload in a packet of its own: header with a packet number of up
 * to 4 bytes, frame type and length, AEAD tag. */
#define PACKET_SHARE (1 + 4 + 1 + 2 + 16)

static size_t varint_len(uint64_t v)
{
    return v < 64 ? 1 : v < 16384 ? 2 : 4;
}

size_t qms_conn_datagram_max(const struct qms_quic_conn *c)
{
    if (c->ended || !c->handshaken) {
        return 0;
    }
    const ngtcp2_transport_params *peer = ngtcp2_conn_get_remote_transport_params(c->ng);
    uint64_t frame = peer != NULL ? peer->max_datagram_frame_size : 0;
    if (frame < 2) {
        return 0;
    }
    uint64_t by_peer = frame - 1 - varint_len(frame);
    size_t path = ngtcp2_conn_get_path_max_tx_udp_payload_size(c->ng);
    size_t share = PACKET_SHARE + ngtcp2_conn_get_dcid(c->ng)->datalen;
    /* Lengths of 16,384 and more take two bytes more. */
    share += path >= 16384 ? 2 : 0;
    return by_peer < path - share ? (size_t)by_peer : path - share;
}

static size_t op_datagram_max(struct qms_link *link)
{
    return qms_conn_datagram_max(qms_conn_of_link(link));
}

static qms_err op_datagram(struct qms_link *link, uint8_t priority,
                           const struct qms_bytes *parts, size_t count)
{
    struct qms_quic_conn *c = qms_conn_of_link(link);
    size_t len = 0, max = qms_conn_datagram_max(c);

    if (over(c)) {
        return QMS_E_CLOSED;
    }
    if (max == 0) {
        return QMS_E_UNSUPPORTED;
    }
    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    if (len > max) {
        return QMS_E_TOO_LARGE;
    }
    qms_err err = qms_dgramq_put(&c->datagrams, priority, parts, count);
    if (err == QMS_OK) {
        qms_conn_dirty(c);
    }
    return err;
}

/* ---- the link ---- */

static void op_close(struct qms_link *link, uint64_t code, struct qms_bytes reason)
{
    struct qms_quic_conn *c = qms_conn_of_link(link);

    if (over(c)) {
        return;
    }
    size_t len = reason.len < QMS_REASON_MAX ? reason.len : QMS_REASON_MAX;
    c->close_asked = true;
    c->close_code = code;
    c->close_reason = len > 0 ? qms_calloc(1, len) : NULL;
    if (c->close_reason != NULL) { /* without memory the code must do */
        memcpy(c->close_reason, reason.data, len);
        c->close_reason_len = len;
    }
    qms_conn_dirty(c);
}

static uint64_t lost_packets(const struct qms_quic_conn *c)
{
    uint64_t lost = c->stats.packets_lost + c->streams_lost;
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &c->streams) {
        const struct qms_quic_stream *st = QMS_CONTAINER(node, struct qms_quic_stream, all);
        lost += ngtcp2_conn_get_stream_loss_count(c->ng, st->base.id);
    }
    return lost;
}

static void op_stats(struct qms_link *link, struct qms_link_stats *out)
{
    const struct qms_quic_conn *c = qms_conn_of_link(link);
    ngtcp2_conn_info info;

    *out = c->stats;
    out->datagrams_dropped += c->datagrams.dropped;
    ngtcp2_conn_get_conn_info(c->ng, &info);
    out->cwnd = info.cwnd;
    out->bytes_in_flight = info.bytes_in_flight;
    /* ngtcp2 reports "no sample yet" as the largest number, or its initial guess. */
    if (info.min_rtt != UINT64_MAX && info.latest_rtt != 0) {
        out->rtt_smoothed = info.smoothed_rtt;
        out->rtt_latest = info.latest_rtt;
        out->rtt_min = info.min_rtt;
    }
    /* ngtcp2 1.11 counts losses by stream: a packet with frames of several streams counts for
     * each of them. */
    out->packets_lost = lost_packets(c);
}

static void op_addresses(struct qms_link *link, const struct sockaddr **remote,
                         const struct sockaddr **local)
{
    const ngtcp2_path *path = ngtcp2_conn_get_path(qms_conn_of_link(link)->ng);

    if (remote != NULL) {
        *remote = path->remote.addr;
    }
    if (local != NULL) {
        *local = path->local.addr;
    }
}

static const struct sockaddr *op_validated_remote(struct qms_link *link)
{
    const struct qms_quic_conn *c = qms_conn_of_link(link);

    return qms_proven_of(&c->proven, ngtcp2_conn_get_path(c->ng)->remote.addr);
}

static size_t op_peer_chain(struct qms_link *link, struct qms_bytes *out, size_t max)
{
    return qms_tls_session_chain(&qms_conn_of_link(link)->tls, out, max);
}

static qms_err op_migrate(struct qms_link *link)
{
    return qms_conn_migrate(qms_conn_of_link(link));
}

const struct qms_link_ops qms_quic_link_ops = {
    .carrier = "quic",
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
    .addresses = op_addresses,
    .validated_remote = op_validated_remote,
    .peer_chain = op_peer_chain,
    .migrate = op_migrate,
};
