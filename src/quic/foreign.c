/* SPDX-License-Identifier: MIT */
/* Datagrams that reach the wrong one of several workers: those without the kernel's filter, and
 * those whose sender's address has changed.  A datagram is passed on once at most. */
#include <string.h>

#include "quic/int.h"

_Static_assert(QMS_ENDPOINT_FILTER_MAX == QMS_CID_FILTER_MAX, "the same filter");
_Static_assert(QMS_ENDPOINT_SLOTS_MAX == QMS_CID_SLOTS_MAX, "the same slots");

void qms_endpoint_set_slot(struct qms_endpoint *ep, unsigned slot)
{
    ep->slot = (int)slot;
}

size_t qms_endpoint_filter(const uint8_t server_secret[32], const uint8_t *live,
                           size_t live_count, const bool used[QMS_ENDPOINT_SLOTS_MAX],
                           struct sock_filter *out)
{
    struct qms_cid_slots slots = {.live_count = live_count};
    struct qms_quic_keys keys;

    if (live_count == 0 || live_count > QMS_CID_SLOTS_MAX ||
        qms_quic_keys_derive(&keys, server_secret) != QMS_OK) {
        return 0;
    }
    memcpy(slots.live, live, live_count);
    memcpy(slots.used, used, sizeof(slots.used));
    return qms_cid_filter(&keys, &slots, out);
}

size_t qms_endpoint_choose(const struct qms_endpoint *ep, struct qms_bytes id, size_t count)
{
    return qms_cid_choose(&ep->keys, id.data, id.len, count);
}

static int socket_number(const struct qms_endpoint *ep, int fd)
{
    for (size_t i = 0; i < ep->listener_count; i++) {
        if (ep->listeners[i] == fd) {
            return (int)i;
        }
    }
    return -1;
}

static struct qms_endpoint_packet packet_of(const struct qms_socket *sock, struct qms_bytes pkt,
                                            const struct qms_udp_message *m)
{
    return (struct qms_endpoint_packet){.socket = socket_number(sock->ep, sock->udp.fd),
                                        .data = pkt,
                                        .remote = &m->remote.sa,
                                        .local = &m->local.sa,
                                        .remote_len = m->remote_len,
                                        .local_len = m->local_len};
}

bool qms_foreign(struct qms_socket *sock, const ngtcp2_version_cid *vc, struct qms_bytes pkt,
                 const struct qms_udp_message *m)
{
    struct qms_endpoint *ep = sock->ep;
    int slot = ep->slot >= 0 ? qms_cid_slot(&ep->keys, vc->dcid, vc->dcidlen) : -1;
    struct qms_endpoint_packet packet = packet_of(sock, pkt, m);
    enum qms_foreign_fate fate = QMS_FOREIGN_LOST;

    if (slot < 0 || slot == ep->slot || packet.socket < 0) {
        return false;
    }
    if (ep->events->on_foreign != NULL) {
        fate = ep->events->on_foreign(ep, (unsigned)slot, &packet);
    }
    if (fate == QMS_FOREIGN_PASSED) {
        return true;
    }
    /* Only its own worker may answer it with a stateless reset, while there is one; an Initial
     * is anybody's. */
    bool lost = fate == QMS_FOREIGN_LOST && vc->version == 0;
    ep->stats.packets_dropped += lost;
    return lost;
}

bool qms_foreign_newcomer(struct qms_socket *sock, const ngtcp2_pkt_hd *hd,
                          struct qms_bytes pkt, const struct qms_udp_message *m)
{
    struct qms_endpoint *ep = sock->ep;
    struct qms_endpoint_packet packet = packet_of(sock, pkt, m);
    struct qms_bytes id = {hd->dcid.data, hd->dcid.datalen};

    return ep->passes_on && !ep->injecting && packet.socket >= 0 &&
           ep->events->on_newcomer != NULL && ep->events->on_newcomer(ep, id, &packet);
}

void qms_endpoint_inject(struct qms_endpoint *ep, const struct qms_endpoint_packet *packet,
                         qms_time now)
{
    struct qms_udp_message m = {.data = packet->data.data,
                                .len = packet->data.len,
                                .segment = packet->data.len,
                                .remote_len = packet->remote_len,
                                .local_len = packet->local_len};

    if (packet->socket < 0 || (size_t)packet->socket >= ep->listener_count ||
        packet->remote_len > sizeof(m.remote) || packet->local_len > sizeof(m.local)) {
        return;
    }
    memcpy(&m.remote, packet->remote, packet->remote_len);
    memcpy(&m.local, packet->local, packet->local_len);
    ep->now = now;
    ep->injecting = true;
    qms_endpoint_demux(qms_socket_of_fd(ep, ep->listeners[packet->socket]), packet->data, &m);
    ep->injecting = false;
}
