/* SPDX-License-Identifier: MIT */
/* The endpoint: what its user calls in each turn of the loop.
 *
 * Reading and timers only mark connections dirty; qms_endpoint_flush at the end of the turn
 * writes each of them once, so acknowledgements, credit and data share packets. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "quic/int.h"
#include "quic/replay.h"

/* System calls of one qms_endpoint_readable. */
#define READS_MAX 4

const struct qms_quic_config qms_quic_config_default = {
    .stream_window = 64 << 10,
    .stream_window_max = 4 << 20,
    .connection_window = 16 << 20,
    .max_streams_bidi = 1024,
    .max_streams_uni = 1024,
    .max_datagram = 65535,
    .datagram_queue = 256 << 10,
    .idle_for = 30 * QMS_SECOND,
    .keep_alive_for = 0,
    .handshake_for = 5 * QMS_SECOND,
    .congestion = QMS_CC_CUBIC,
    .max_udp_payload = 1452,
    .send_burst = QMS_MILLISECOND,
    .priority_guard = 32,
    .half_open_max = 1024,
    .retry_above = 100,
    .udp_gso = true,
    .max_resets = 1000,
    .max_odd_frames = 100,
};

/* ---- life ---- */

/* ngtcp2 probes up to 1,452 by itself; beyond, the sizes of jumbo frames and of loopback. */
static void set_probes(struct qms_endpoint *ep)
{
    static const uint16_t usual[] = {1406, 1452, 4048, 8932, 16336, 32720};
    size_t max = ep->config.max_udp_payload;

    if (max == NGTCP2_MAX_PMTUD_UDP_PAYLOAD_SIZE || max <= NGTCP2_MAX_UDP_PAYLOAD_SIZE) {
        return;
    }
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]) && usual[i] < max; i++) {
        ep->probes[ep->probe_count++] = usual[i];
    }
    ep->probes[ep->probe_count++] = (uint16_t)max;
}

static size_t within(size_t v, size_t min, size_t max)
{
    return v < min ? min : v > max ? max : v;
}

static qms_err init_early(struct qms_endpoint *ep, const uint8_t secret[32])
{
    const struct qms_quic_config *f = &ep->config;
    uint64_t promised[] = {
        f->stream_window,   f->connection_window, f->max_streams_bidi,
        f->max_streams_uni, f->max_datagram,      0,
    };

    if (f->replay == NULL) {
        /* Nobody else knows what this set has seen, so nobody else may read its tickets. */
        qms_random(&promised[5], sizeof(promised[5]));
    }
    qms_err err =
        qms_quic_keys_bind(&ep->keys, secret, promised, sizeof(promised) / sizeof(promised[0]));

    if (err == QMS_OK && f->replay == NULL) {
        ep->replay = qms_replay_local_new();
        err = ep->replay != NULL ? QMS_OK : QMS_E_NOMEM;
    }
    return err == QMS_OK
               ? qms_tls_early_init(&ep->early, f->replay != NULL ? f->replay : ep->replay)
               : err;
}

static qms_err init(struct qms_endpoint *ep, const struct qms_quic_config *config,
                    const uint8_t secret[32])
{
    uint8_t seed[16];

    qms_random(seed, sizeof(seed));
    qms_random(ep->half_open.seed, sizeof(ep->half_open.seed));
    qms_list_init(&ep->dirty);
    qms_list_init(&ep->conns);
    qms_list_init(&ep->ended);
    ep->config = *config;
    ep->config.max_udp_payload =
        within(config->max_udp_payload, NGTCP2_MAX_UDP_PAYLOAD_SIZE, 65000);
    ep->accepting = true;
    ep->slot = -1;
    set_probes(ep);
    ep->routes = qms_map_new(seed);
    ep->rx = qms_udp_rx_new();
    ep->tx = qms_calloc(1, QMS_TX_SIZE);
    if (ep->routes == NULL || ep->rx == NULL || ep->tx == NULL) {
        return QMS_E_NOMEM;
    }
    qms_err err = qms_quic_keys_derive(&ep->keys, secret);
    return err == QMS_OK && config->early_alpn != NULL ? init_early(ep, secret) : err;
}

struct qms_endpoint *qms_endpoint_new(const struct qms_quic_config *config,
                                      const uint8_t server_secret[32],
                                      const struct qms_endpoint_events *events, void *user)
{
    struct qms_endpoint *ep = qms_calloc(1, sizeof(*ep));

    if (ep == NULL) {
        return NULL;
    }
    ep->events = events;
    ep->user = user;
    ep->now = qms_clock_now();
    if (init(ep, config, server_secret) != QMS_OK) {
        qms_endpoint_free(ep);
        return NULL;
    }
    return ep;
}

static void free_all(struct qms_endpoint *ep)
{
    struct qms_list *node;

    while ((node = qms_list_first(&ep->conns)) != NULL) {
        struct qms_quic_conn *c = QMS_CONTAINER(node, struct qms_quic_conn, all);
        struct qms_dest *r = c->route;
        qms_conn_free(c);
        qms_dest_free(r);
    }
    while ((node = qms_list_first(&ep->ended)) != NULL) {
        qms_dest_free(QMS_CONTAINER(node, struct qms_dest, ended));
    }
    for (size_t i = 0; i < ep->by_fd_cap; i++) {
        if (ep->by_fd[i] != NULL) {
            qms_socket_free(ep->by_fd[i]);
        }
    }
}

void qms_endpoint_free(struct qms_endpoint *ep)
{
    if (ep == NULL) {
        return;
    }
    free_all(ep);
    qms_map_free(ep->routes);
    qms_heap_fini(&ep->timers);
    qms_udp_rx_free(ep->rx);
    qms_peek_fini(&ep->peek);
    qms_free(ep->tx);
    qms_free(ep->by_fd);
    qms_free(ep->listeners);
    qms_tls_early_fini(&ep->early);
    if (ep->replay != NULL) {
        ep->replay->ops->free(ep->replay);
    }
    qms_memzero(&ep->keys, sizeof(ep->keys));
    qms_free(ep);
}

void *qms_endpoint_user(const struct qms_endpoint *ep)
{
    return ep->user;
}

/* ---- sockets ---- */

int qms_endpoint_add_listener(struct qms_endpoint *ep, int fd, const char *const *alpns,
                              struct qms_tls_server *tls)
{
    struct qms_socket *sock;
    int *grown = qms_realloc(ep->listeners, (ep->listener_count + 1) * sizeof(*grown));

    if (grown == NULL) {
        errno = ENOMEM;
        return -1;
    }
    ep->listeners = grown;
    if (qms_socket_add(ep, fd, false, &sock) != QMS_OK) {
        return -1;
    }
    sock->alpns = alpns;
    sock->tls = qms_tls_server_ref(tls);
    ep->listeners[ep->listener_count] = fd;
    return (int)ep->listener_count++;
}

void qms_endpoint_set_tls(struct qms_endpoint *ep, int socket, struct qms_tls_server *tls)
{
    struct qms_socket *sock = ep->by_fd[ep->listeners[socket]];
    struct qms_tls_server *old = sock->tls;

    sock->tls = qms_tls_server_ref(tls);
    qms_tls_server_unref(old);
}

void qms_endpoint_stop_accepting(struct qms_endpoint *ep, bool pass_on)
{
    ep->accepting = false;
    ep->passes_on = pass_on;
}

void qms_endpoint_set_watch(struct qms_endpoint *ep, qms_endpoint_watch *watch)
{
    ep->watch = watch;
}

void qms_endpoint_set_watched(struct qms_socket *sock, bool watch)
{
    if (sock->ep->watch != NULL && (watch || sock->watched)) {
        sock->watched = watch;
        sock->ep->watch(sock->ep, sock->udp.fd, watch, watch && sock->waiting);
    }
}

struct qms_socket *qms_socket_of_fd(const struct qms_endpoint *ep, int fd)
{
    return fd >= 0 && (size_t)fd < ep->by_fd_cap ? ep->by_fd[fd] : NULL;
}

void qms_endpoint_set_clock(struct qms_endpoint *ep, qms_time now)
{
    ep->now = now > ep->now ? now : ep->now;
}

/* ---- receive ---- */

void qms_endpoint_demux(struct qms_socket *sock, struct qms_bytes pkt,
                        const struct qms_udp_message *m)
{
    struct qms_endpoint *ep = sock->ep;
    struct qms_dest *r = sock->route;
    ngtcp2_version_cid vc;

    ep->stats.udp_packets_in++;
    ep->stats.udp_bytes_in += pkt.len;
    if (r == NULL) {
        int rv = ngtcp2_pkt_decode_version_cid(&vc, pkt.data, pkt.len, QMS_CID_LEN);
        if (rv == NGTCP2_ERR_VERSION_NEGOTIATION) {
            qms_accept_version(sock, &vc, pkt, m);
            return;
        }
        if (rv != 0) {
            ep->stats.packets_dropped++;
            return;
        }
        r = qms_dest_find(ep, vc.dcid, vc.dcidlen);
        if (r == NULL && !ep->injecting && qms_foreign(sock, &vc, pkt, m)) {
            return;
        }
    }
    if (r == NULL && vc.version != 0) {
        qms_accept(sock, &vc, pkt, m);
    } else if (r == NULL) {
        qms_accept_reset(sock, &vc, pkt, m);
    } else if (r->conn != NULL) {
        qms_conn_read(r->conn, sock, pkt, m);
    } else {
        qms_dest_answer(r);
    }
}

/* False when the socket is gone: a client's last packet may end it. */
static bool read_message(struct qms_endpoint *ep, int fd, const struct qms_udp_message *m)
{
    for (size_t off = 0; off < m->len; off += m->segment) {
        struct qms_socket *sock = qms_socket_of_fd(ep, fd);
        size_t len = m->len - off < m->segment ? m->len - off : m->segment;
        if (sock == NULL) {
            return false;
        }
        qms_endpoint_demux(sock, (struct qms_bytes){m->data + off, len}, m);
    }
    return qms_socket_of_fd(ep, fd) != NULL;
}

/* An ICMP message about an earlier send. */
static void read_error(struct qms_socket *sock, int err)
{
    if (sock->route != NULL && sock->route->conn != NULL) {
        qms_conn_unreachable(sock->route->conn, err);
    }
}

bool qms_endpoint_readable(struct qms_endpoint *ep, int fd, qms_time now)
{
    struct qms_socket *sock = qms_socket_of_fd(ep, fd);
    int n = QMS_UDP_RX_MESSAGES;

    qms_endpoint_set_clock(ep, now);
    for (int reads = 0; sock != NULL && n == QMS_UDP_RX_MESSAGES && reads < READS_MAX;
         reads++) {
        n = qms_udp_recv(&sock->udp, ep->rx);
        if (n < 0) {
            read_error(sock, errno);
            return qms_socket_of_fd(ep, fd) != NULL;
        }
        for (int i = 0; i < n; i++) {
            if (!read_message(ep, fd, qms_udp_message(ep->rx, i))) {
                return false;
            }
        }
        sock = qms_socket_of_fd(ep, fd);
    }
    return sock != NULL && n == QMS_UDP_RX_MESSAGES;
}

void qms_endpoint_writable(struct qms_endpoint *ep, int fd, qms_time now)
{
    struct qms_socket *sock = qms_socket_of_fd(ep, fd);

    qms_endpoint_set_clock(ep, now);
    if (sock != NULL) {
        qms_socket_writable(sock);
    }
}

/* ---- time ---- */

qms_time qms_endpoint_next_at(const struct qms_endpoint *ep)
{
    const struct qms_heap_node *top = qms_heap_top(&ep->timers);

    if (!qms_list_empty(&ep->dirty)) {
        return ep->now;
    }
    return top != NULL ? top->at : QMS_NEVER;
}

void qms_endpoint_expire(struct qms_endpoint *ep, qms_time now)
{
    struct qms_heap_node *top;

    qms_endpoint_set_clock(ep, now);
    while ((top = qms_heap_top(&ep->timers)) != NULL && top->at <= ep->now) {
        struct qms_dest *r = QMS_CONTAINER(top, struct qms_dest, timer);
        qms_heap_remove(&ep->timers, top);
        if (r->conn != NULL) {
            qms_conn_expire(r->conn);
        } else {
            qms_dest_free(r);
        }
    }
}

/* ---- write ---- */

void qms_conn_dirty(struct qms_quic_conn *c)
{
    if (!c->ended && qms_list_empty(&c->dirty)) {
        qms_list_append(&c->ep->dirty, &c->dirty);
    }
}

void qms_endpoint_flush(struct qms_endpoint *ep, qms_time now)
{
    struct qms_list *node;

    qms_endpoint_set_clock(ep, now);
    while ((node = qms_list_first(&ep->dirty)) != NULL) {
        struct qms_quic_conn *c = QMS_CONTAINER(node, struct qms_quic_conn, dirty);
        qms_list_remove(node);
        if (c->sock->waiting && !c->close_asked) {
            /* Its timer would only find the same: room in the socket wakes it. */
            qms_heap_remove(&ep->timers, &c->route->timer);
            qms_list_append(&c->sock->stalled, node);
        } else {
            qms_conn_write(c);
        }
    }
}

void qms_endpoint_stats(const struct qms_endpoint *ep, struct qms_endpoint_stats *out)
{
    *out = ep->stats;
    for (size_t i = 0; i < ep->by_fd_cap; i++) {
        if (ep->by_fd[i] != NULL) {
            out->udp_reads += ep->by_fd[i]->udp.reads;
            out->udp_writes += ep->by_fd[i]->udp.writes;
        }
    }
}
