/* SPDX-License-Identifier: MIT */
/* The send path: frames into packets, packets into one batch of equal size, a batch into one
 * system call, and bursts no longer than the pacing rate allows.
 *
 * ngtcp2 puts retransmissions and control frames before new data; the order of new data is the
 * scheduler's.  Between NGTCP2_ERR_WRITE_MORE and the finished packet nothing else may be asked
 * of ngtcp2, so everything a packet's filling depends on is read before it begins. */
#include "base/log.h"
#include "quic/int.h"

/* Batches of one connection in a turn of the loop; then the others have theirs. */
#define BATCHES_MAX 4
/* Credit of the connection that only vital streams may use, and its largest share in what the
 * peer grants at first. */
#define CREDIT_KEPT       ((uint64_t)8192)
#define CREDIT_KEPT_SHARE 8
/* Shortest burst, in packets: below this, timers cost more than bursts. */
#define BURST_PACKETS_MIN 10

/* The packet under way. */
struct packet {
    struct qms_quic_conn *c;
    ngtcp2_path *path;
    ngtcp2_pkt_info *pi;
    uint8_t *dest;
    size_t dest_len;
    uint64_t credit; /* connection-level flow control left */
    uint64_t kept;   /* of which only vital streams may use this much */
    size_t datagram_max;
    bool passed_over; /* it carries less urgent data than what waited */
    bool no_streams;  /* the connection's flow control is used up */
};

/* ---- frames ---- */

static void took(struct packet *p, struct qms_quic_stream *st, uint64_t len, bool fin)
{
    struct qms_quic_conn *c = p->c;

    p->passed_over |= qms_sched_passed_over(&c->sched, &st->node);
    qms_quic_stream_sent(st, len);
    st->fin_sent |= fin;
    p->credit -= len < p->credit ? len : p->credit;
    qms_sched_served(&c->sched, &st->node);
    qms_blocked_served(&st->wait, &c->standstill, c->ep->now);
    if (!qms_quic_stream_wants(st)) {
        qms_sched_remove(&c->sched, &st->node);
    } else {
        qms_blocked_wait(&st->wait, &c->standstill, c->ep->now);
    }
}

/* Credit of the connection that the stream may use. */
static uint64_t credit_for(const struct packet *p, const struct qms_sched_node *n)
{
    uint64_t kept = n->vital ? 0 : p->kept;

    return p->credit > kept ? p->credit - kept : 0;
}

static uint64_t credit_kept(const struct qms_quic_conn *c)
{
    const ngtcp2_transport_params *peer = ngtcp2_conn_get_remote_transport_params(c->ng);
    uint64_t most = peer == NULL ? 0 : peer->initial_max_data / CREDIT_KEPT_SHARE;

    return most < CREDIT_KEPT ? most : CREDIT_KEPT;
}

/* A stream that ngtcp2 does not take data for. */
static void refused(struct packet *p, struct qms_quic_stream *st, ngtcp2_ssize rv)
{
    if (rv != NGTCP2_ERR_STREAM_DATA_BLOCKED) {
        qms_conn_stream_send_over(p->c, st); /* reset underneath us */
    } else if (p->credit == 0) {
        p->no_streams = true; /* the connection's limit, not the stream's */
    } else {
        st->blocked = true;
        qms_blocked_by_peer(&st->wait, &p->c->standstill, p->c->ep->now);
        qms_sched_remove(&p->c->sched, &st->node);
    }
}

static bool stream_refusal(ngtcp2_ssize rv)
{
    return rv == NGTCP2_ERR_STREAM_DATA_BLOCKED || rv == NGTCP2_ERR_STREAM_SHUT_WR ||
           rv == NGTCP2_ERR_STREAM_NOT_FOUND;
}

static size_t total(const ngtcp2_vec *vecs, size_t count)
{
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        len += vecs[i].len;
    }
    return len;
}

/* Cuts the pieces to `most` bytes; returns their number. */
static size_t cut(ngtcp2_vec *vecs, size_t count, uint64_t most)
{
    size_t i = 0;

    for (; i < count && most > 0; i++) {
        vecs[i].len = vecs[i].len < most ? vecs[i].len : (size_t)most;
        most -= vecs[i].len;
    }
    return i;
}

/* The packet's length when it is complete, NGTCP2_ERR_WRITE_MORE when there is room left, 0
 * when nothing may be sent, another error. */
static ngtcp2_ssize write_stream(struct packet *p, struct qms_quic_stream *st)
{
    ngtcp2_vec vecs[QMS_STREAM_VECS];
    ngtcp2_ssize taken = -1;
    bool all;
    size_t count = qms_quic_stream_gather(st, p->dest_len, vecs, &all);
    size_t gathered = total(vecs, count), offered;

    count = cut(vecs, count, credit_for(p, &st->node));
    offered = total(vecs, count);
    bool fin = all && st->fin && offered == gathered;
    uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_MORE | (fin ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0);
    ngtcp2_ssize n =
        ngtcp2_conn_writev_stream(p->c->ng, p->path, p->pi, p->dest, p->dest_len, &taken, flags,
                                  st->base.id, count > 0 ? vecs : NULL, count, p->c->ep->now);

    if (taken >= 0) {
        took(p, st, (uint64_t)taken, fin && (size_t)taken == offered);
    }
    if (stream_refusal(n)) {
        refused(p, st, n);
        return NGTCP2_ERR_WRITE_MORE;
    }
    return n;
}

static ngtcp2_ssize write_datagram(struct packet *p, const struct qms_dgram *d)
{
    struct qms_quic_conn *c = p->c;
    ngtcp2_vec vec = {(uint8_t *)(uintptr_t)d->data, d->len};
    int accepted = 0;
    /* ngtcp2 1.11 aborts on an empty vector. */
    ngtcp2_ssize n = ngtcp2_conn_writev_datagram(
        c->ng, p->path, p->pi, p->dest, p->dest_len, &accepted, NGTCP2_WRITE_DATAGRAM_FLAG_MORE,
        0, d->len > 0 ? &vec : NULL, d->len > 0, c->ep->now);

    if (accepted) {
        qms_dgramq_pop(&c->datagrams);
        c->stats.datagrams_sent++;
    } else if (n == NGTCP2_ERR_INVALID_ARGUMENT || n == NGTCP2_ERR_INVALID_STATE) {
        qms_dgramq_pop(&c->datagrams);
        c->datagrams.dropped++;
        return NGTCP2_ERR_WRITE_MORE;
    }
    return n;
}

/* ---- one packet ---- */

/* The datagram that goes next, ahead of streams of its own level and below. */
static const struct qms_dgram *next_datagram(struct packet *p,
                                             const struct qms_sched_node *best)
{
    struct qms_dgramq *q = &p->c->datagrams;
    const struct qms_dgram *d;

    /* The path may have become narrower since it was queued; ngtcp2 would stall on it. */
    while ((d = qms_dgramq_top(q)) != NULL && d->len > p->datagram_max) {
        qms_dgramq_pop(q);
        q->dropped++;
    }
    return d != NULL &&
                   (best == NULL || (!best->vital && d->node.priority >= best->level.priority))
               ? d
               : NULL;
}

static struct qms_sched_node *next_stream(const struct packet *p)
{
    struct qms_sched_node *n = p->no_streams ? NULL : qms_sched_pick(&p->c->sched);

    if (n != NULL && credit_for(p, n) == 0 &&
        qms_quic_stream_unsent(QMS_CONTAINER(n, struct qms_quic_stream, node)) > 0) {
        return NULL;
    }
    return n;
}

static ngtcp2_ssize write_frame(struct packet *p)
{
    struct qms_sched_node *n = next_stream(p);
    const struct qms_dgram *d = next_datagram(p, n);

    if (d != NULL) {
        return write_datagram(p, d);
    }
    if (n != NULL) {
        return write_stream(p, QMS_CONTAINER(n, struct qms_quic_stream, node));
    }
    return ngtcp2_conn_writev_stream(p->c->ng, p->path, p->pi, p->dest, p->dest_len, NULL, 0,
                                     -1, NULL, 0, p->c->ep->now);
}

/* Length of the packet, 0 for none now, or an error of the connection. */
static ngtcp2_ssize write_packet(struct qms_quic_conn *c, ngtcp2_path *path, uint8_t *dest,
                                 size_t dest_len)
{
    ngtcp2_pkt_info pi;
    struct packet p = {.c = c,
                       .path = path,
                       .pi = &pi,
                       .dest = dest,
                       .dest_len = dest_len,
                       .credit = ngtcp2_conn_get_max_data_left(c->ng),
                       .kept = credit_kept(c),
                       .datagram_max = qms_conn_datagram_max(c)};
    ngtcp2_ssize n;

    do {
        n = write_frame(&p);
    } while (n == NGTCP2_ERR_WRITE_MORE);
    qms_sched_packet(&c->sched);
    if (n > 0) {
        c->stats.packets_sent++;
        c->stats.bytes_sent += (uint64_t)n;
        c->stats.priority_inversions += p.passed_over;
    }
    return n;
}

/* ---- one batch ---- */

struct batch {
    ngtcp2_path_storage ps;
    size_t len, segment;
    size_t stray; /* a last packet for another path, behind the batch */
    ngtcp2_path_storage stray_ps;
    bool end; /* nothing more to send now */
    int err;
};

static int batch_send(struct qms_quic_conn *c, const ngtcp2_path *path, const uint8_t *data,
                      size_t len, size_t segment)
{
    struct qms_socket *sock = path->user_data != NULL ? path->user_data : c->sock;

    if (!c->server && sock != c->old_sock) {
        sock = c->sock; /* the path may remember one that is closed */
    }
    struct qms_udp_batch b = {.data = data,
                              .len = len,
                              .segment = segment,
                              .remote = path->remote.addr,
                              .local = path->local.addr,
                              .remote_len = path->remote.addrlen};

    if (c->server) {
        c->sock = sock;
    }
    return qms_socket_send(sock, &b);
}

static void keep_path(ngtcp2_path_storage *ps, const ngtcp2_path *path)
{
    ngtcp2_path_storage_zero(ps);
    ngtcp2_path_copy(&ps->path, path);
    ps->path.user_data = path->user_data;
}

/* Adds a packet that was written behind the batch; false ends the batch. */
static bool batch_add(struct qms_quic_conn *c, struct batch *b, const ngtcp2_path_storage *ps,
                      size_t n)
{
    size_t usual = ngtcp2_conn_get_path_max_tx_udp_payload_size(c->ng);

    if (b->len == 0) {
        keep_path(&b->ps, &ps->path);
        b->len = b->segment = n;
        /* Larger ones are path-MTU probes and go alone; after a shorter one none may follow. */
        return n <= usual && n + 64 >= usual && n >= NGTCP2_MAX_UDP_PAYLOAD_SIZE;
    }
    if (!ngtcp2_path_eq(&b->ps.path, &ps->path)) {
        keep_path(&b->stray_ps, &ps->path);
        b->stray = n;
        return false;
    }
    b->len += n;
    return n == b->segment;
}

static void batch_fill(struct qms_quic_conn *c, struct batch *b, size_t limit)
{
    unsigned count = 0;
    bool more = true;

    while (more && count < QMS_UDP_TX_SEGMENTS) {
        size_t dest_len =
            count == 0 ? ngtcp2_conn_get_max_tx_udp_payload_size(c->ng) : b->segment;
        if (b->len + dest_len > QMS_TX_SIZE - 512 || (count > 0 && b->len + dest_len > limit)) {
            return;
        }
        ngtcp2_path_storage ps;
        ngtcp2_path_storage_zero(&ps);
        ngtcp2_ssize n = write_packet(c, &ps.path, c->ep->tx + b->len, dest_len);
        if (n <= 0) {
            b->end = true;
            b->err = (int)n;
            return;
        }
        more = batch_add(c, b, &ps, (size_t)n);
        count++;
    }
}

/* ---- one burst ---- */

/* Bytes that may leave at once: what the pacing rate lets through in `send_burst`. */
static size_t burst_limit(const struct qms_quic_conn *c)
{
    size_t quantum = ngtcp2_conn_get_send_quantum(c->ng);
    size_t least = BURST_PACKETS_MIN * ngtcp2_conn_get_path_max_tx_udp_payload_size(c->ng);
    size_t most = quantum < QMS_TX_SIZE - 1 ? quantum : BATCHES_MAX * QMS_TX_SIZE;
    ngtcp2_conn_info info;

    ngtcp2_conn_get_conn_info(c->ng, &info);
    if (info.smoothed_rtt == 0) {
        return least;
    }
    /* The rate is 5/4 of a window a round trip (RFC 9002 section 7.7). */
    double limit =
        (double)info.cwnd * 1.25 * (double)c->ep->config.send_burst / (double)info.smoothed_rtt;
    if (limit < (double)least) {
        return least;
    }
    return limit < (double)most ? (size_t)limit : most;
}

/* Sends batches until the burst is over; an errno of the socket, or 0. */
static int burst(struct qms_quic_conn *c, int *liberr)
{
    size_t limit = burst_limit(c), sent = 0;
    int err = 0;

    for (int i = 0; i < BATCHES_MAX && sent < limit && !c->sock->waiting && err == 0; i++) {
        struct batch b = {.len = 0};
        batch_fill(c, &b, limit - sent);
        if (b.len > 0) {
            err = batch_send(c, &b.ps.path, c->ep->tx, b.len, b.segment);
        }
        if (b.stray > 0) {
            (void)batch_send(c, &b.stray_ps.path, c->ep->tx + b.len, b.stray, b.stray);
        }
        sent += b.len + b.stray;
        *liberr = b.err;
        if (b.end) {
            break;
        }
    }
    ngtcp2_conn_update_pkt_tx_time(c->ng, c->ep->now);
    return err;
}

void qms_conn_write(struct qms_quic_conn *c)
{
    int liberr = 0;

    c->link.now = c->ep->now;
    if (c->close_asked) {
        qms_conn_close_asked(c);
        return;
    }
    if (!c->handshaken && c->link.early) {
        qms_conn_open_pending(c, true);
        qms_conn_open_pending(c, false);
    }
    qms_standstill_set(&c->standstill, QMS_MOVING, c->ep->now);
    int err = burst(c, &liberr);
    if (liberr != 0) {
        qms_conn_fail(c, liberr);
        return;
    }
    if (err != 0 && !c->server && !c->handshaken) {
        qms_conn_unreachable(c, err);
        return;
    }
    if (err != 0 && !c->server) {
        qms_conn_follow(c);
    }
    if (c->old_over) {
        qms_conn_drop_old_socket(c);
    }
    if (qms_sched_pick(&c->sched) != NULL) {
        bool credit = ngtcp2_conn_get_max_data_left(c->ng) > credit_kept(c);
        qms_standstill_set(&c->standstill, credit ? QMS_CONGESTED : QMS_NO_CREDIT, c->ep->now);
    }
    qms_conn_timer(c);
}
