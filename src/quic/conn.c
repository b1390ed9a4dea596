/* SPDX-License-Identifier: MIT */
/* A connection's life between its first packet and its end: creation, reading, timers. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "quic/int.h"

/* Connection ids that the peer may give at once.  A move needs a fresh one while the older two
 * are still in use, being validated and fallen back to; with ngtcp2's own 2 the third move in a
 * connection ended it. */
#define ACTIVE_IDS 4

static ngtcp2_conn *get_conn(ngtcp2_crypto_conn_ref *ref)
{
    const struct qms_quic_conn *c = ref->user_data;
    return c->ng;
}

struct qms_quic_conn *qms_conn_new(struct qms_endpoint *ep, struct qms_socket *sock,
                                   bool server)
{
    struct qms_quic_conn *c = qms_calloc(1, sizeof(*c));
    struct qms_dest *r = c != NULL ? qms_dest_new(ep, sock) : NULL;

    if (r == NULL) {
        qms_free(c);
        return NULL;
    }
    c->link.ops = &qms_quic_link_ops;
    c->link.now = ep->now;
    c->ep = ep;
    c->sock = sock;
    c->route = r;
    r->conn = c;
    c->server = server;
    c->tls.ref = (ngtcp2_crypto_conn_ref){.get_conn = get_conn, .user_data = c};
    c->datagrams.limit = ep->config.datagram_queue;
    c->window = qms_conn_first_window(&ep->config);
    qms_list_init(&c->dirty);
    qms_list_init(&c->all);
    qms_list_init(&c->streams);
    qms_list_init(&c->pending[0]);
    qms_list_init(&c->pending[1]);
    qms_sched_init(&c->sched, ep->config.priority_guard);
    qms_list_append(&ep->conns, &c->all);
    ep->stats.connections++;
    return c;
}

static ngtcp2_cc_algo congestion(enum qms_congestion cc)
{
    return cc == QMS_CC_RENO  ? NGTCP2_CC_ALGO_RENO
           : cc == QMS_CC_BBR ? NGTCP2_CC_ALGO_BBR
                              : NGTCP2_CC_ALGO_CUBIC;
}

void qms_conn_settings(const struct qms_endpoint *ep, ngtcp2_settings *settings,
                       ngtcp2_transport_params *params)
{
    const struct qms_quic_config *f = &ep->config;

    ngtcp2_settings_default(settings);
    settings->cc_algo = congestion(f->congestion);
    settings->initial_ts = ep->now;
    settings->handshake_timeout = f->handshake_for;
    settings->max_tx_udp_payload_size = f->max_udp_payload;
    if (ep->probe_count > 0) {
        settings->pmtud_probes = ep->probes;
        settings->pmtud_probeslen = ep->probe_count;
    }

    ngtcp2_transport_params_default(params);
    params->initial_max_stream_data_bidi_local = f->stream_window;
    params->initial_max_stream_data_bidi_remote = f->stream_window;
    params->initial_max_stream_data_uni = f->stream_window;
    params->initial_max_data = qms_conn_first_window(f);
    params->initial_max_streams_bidi = f->max_streams_bidi;
    params->initial_max_streams_uni = f->max_streams_uni;
    params->max_idle_timeout = f->idle_for;
    params->max_datagram_frame_size = f->max_datagram;
    params->active_connection_id_limit = ACTIVE_IDS;
}

ngtcp2_path qms_conn_path(struct qms_socket *sock, const union qms_sockaddr *local,
                          socklen_t local_len, const union qms_sockaddr *remote,
                          socklen_t remote_len)
{
    /* ngtcp2 copies the addresses, and user_data lives as long as the path: sockets outlive
     * the connections on them. */
    return (ngtcp2_path){
        .local = {.addr = (ngtcp2_sockaddr *)(uintptr_t)&local->sa, .addrlen = local_len},
        .remote = {.addr = (ngtcp2_sockaddr *)(uintptr_t)&remote->sa, .addrlen = remote_len},
        .user_data = sock};
}

/* Seconds' worth of resets and odd frames that may come at once. */
#define RESETS_FOR 2
#define ODD_FOR    10
/* Packets sent to a peer that excuse one odd frame of it. */
#define SENT_FOR_ONE 4

static void read_failed(struct qms_quic_conn *c, int rv)
{
    switch (rv) {
    case NGTCP2_ERR_DISCARD_PKT:
        return;
    case NGTCP2_ERR_RETRY:
        /* Past the first packet there is no header to answer: the client tries again. */
        qms_conn_fail(c, NGTCP2_ERR_DROP_CONN);
        return;
    default:
        qms_conn_fail(c, rv);
    }
}

/* Odd frames of the datagram being read that nothing excuses.  A peer that only receives must
 * ask for acknowledgements of its own ACKs by PING (RFC 9000 section 13.2.4; ngtcp2 does so in
 * one of ten), the more the more it is sent: one frame for SENT_FOR_ONE packets of ours is
 * free.  What is not used is kept up to a burst. */
static unsigned unexcused(struct qms_quic_conn *c)
{
    uint64_t earned = c->stats.packets_sent / SENT_FOR_ONE;
    uint64_t most = (uint64_t)ODD_FOR * c->ep->config.max_odd_frames;
    unsigned odd = c->ep->peek.odd;

    if (earned > most && c->odd_excused < earned - most) {
        c->odd_excused = earned - most;
    }
    uint64_t left = earned - c->odd_excused;
    unsigned excused = left < odd ? (unsigned)left : odd;
    c->odd_excused += excused;
    return odd - excused;
}

/* What costs a peer next to nothing and us something is taken out of an allowance; NULL: it was
 * enough.  Several seconds' worth may come at once: an application may break off all its
 * streams. */
static const char *flood_of(struct qms_quic_conn *c)
{
    struct qms_endpoint *ep = c->ep;
    double resets = ep->config.max_resets, odd = ep->config.max_odd_frames;
    unsigned cancels = c->cancels;

    c->cancels = 0;
    if (cancels > 0 && resets > 0 &&
        !qms_allowance_take(&c->cancel_allowance, resets, RESETS_FOR * resets, cancels,
                            ep->now)) {
        ep->stats.cut_for_resets++;
        return "too many streams were broken off";
    }
    if (ep->peek.odd > 0 && odd > 0 &&
        !qms_allowance_take(&c->odd_allowance, odd, ODD_FOR * odd, unexcused(c), ep->now)) {
        ep->stats.cut_for_odd_frames++;
        return "too many odd frames";
    }
    return NULL;
}

void qms_conn_read(struct qms_quic_conn *c, struct qms_socket *sock, struct qms_bytes pkt,
                   const struct qms_udp_message *m)
{
    struct qms_endpoint *ep = c->ep;
    ngtcp2_path path = qms_conn_path(sock, &m->local, m->local_len, &m->remote, m->remote_len);

    if (!c->server) {
        /* A connected socket has one path; recvmmsg may leave the name empty. */
        path.remote = ngtcp2_conn_get_path(c->ng)->remote;
    }
    c->link.now = ep->now;
    c->stats.bytes_received += pkt.len;
    c->stats.packets_received++;
    qms_peek_begin(&ep->peek, !c->server && !c->handshaken);
    int rv = ngtcp2_conn_read_pkt(c->ng, &path, NULL, pkt.data, pkt.len, ep->now);
    qms_peek_end();
    if (rv != 0) {
        read_failed(c, rv);
        return;
    }
    if (ep->peek.count > 0) {
        qms_conn_deliver_stops(c, &ep->peek);
    }
    const char *flood = c->server ? flood_of(c) : NULL;
    if (flood != NULL) {
        qms_conn_flooded(c, flood);
        return;
    }
    qms_conn_dirty(c);
}

void qms_conn_expire(struct qms_quic_conn *c)
{
    c->link.now = c->ep->now;
    int rv = ngtcp2_conn_handle_expiry(c->ng, c->ep->now);

    if (rv != 0) {
        qms_conn_fail(c, rv);
    } else {
        qms_conn_dirty(c);
    }
}

void qms_conn_timer(struct qms_quic_conn *c)
{
    if (qms_heap_set(&c->ep->timers, &c->route->timer, ngtcp2_conn_get_expiry(c->ng)) !=
        QMS_OK) {
        qms_log_peer(QMS_LOG_ERROR, "no memory for a timer");
    }
}

/* ---- public ---- */

struct qms_link *qms_quic_conn_link(struct qms_quic_conn *conn)
{
    return &conn->link;
}

struct qms_quic_conn *qms_quic_conn_of(struct qms_link *link)
{
    return qms_conn_of_link(link);
}

struct qms_endpoint *qms_quic_conn_endpoint(struct qms_quic_conn *conn)
{
    return conn->ep;
}

/* The shorter of both sides' idle time-outs; 0: none. */
static qms_time idle_for(const struct qms_quic_conn *c)
{
    const ngtcp2_transport_params *peer = ngtcp2_conn_get_remote_transport_params(c->ng);
    qms_time own = c->ep->config.idle_for, theirs = peer != NULL ? peer->max_idle_timeout : 0;

    return theirs == 0 || (own != 0 && own < theirs) ? own : theirs;
}

void qms_quic_conn_keep_alive(struct qms_quic_conn *conn, qms_time every)
{
    qms_time idle = conn->handshaken ? idle_for(conn) : 0;

    if (conn->ended) {
        return;
    }
    if (idle != 0 && every > idle / 3) {
        every = idle / 3; /* room for a PING to be lost */
    }
    ngtcp2_conn_set_keep_alive_timeout(conn->ng, every > 0 ? every : UINT64_MAX);
    qms_conn_dirty(conn);
}
