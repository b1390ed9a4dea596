/* SPDX-License-Identifier: MIT */
/* Datagrams that reach the wrong one of several workers: those without the kernel's filter, and
 * those whose sender's address has changed.  A datagram is passed on once at most. */
#include <string.h>

#include "quic/int.h"

_Static_assert(QMS_ENDPOINT_FILTER_MAX == QMS_CID_FILTER_MAX, "the same filter");

void qms_endpoint_set_slot(struct qms_endpoint *ep, unsigned slot)
{
    ep->slot = (int)slot;
}

size_t qms_endpoint_filter(const uint8_t server_secret[32], struct sock_filter *out)
{
    struct qms_quic_keys keys;

    return qms_quic_keys_derive(&keys, server_secret) == QMS_OK ? qms_cid_filter(&keys, out)
                                                                : 0;
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

bool qms_foreign(struct qms_socket *sock, const ngtcp2_version_cid *vc, struct qms_bytes pkt,
                 const struct qms_udp_message *m)
{
    struct qms_endpoint *ep = sock->ep;
    int slot = ep->slot >= 0 ? qms_cid_slot(&ep->keys, vc->dcid, vc->dcidlen) : -1;
    struct qms_endpoint_packet packet = {.socket = socket_number(ep, sock->udp.fd),
                                         .data = pkt,
                                         .remote = &m->remote.sa,
                                         .local = &m->local.sa,
                                         .remote_len = m->remote_len,
                                         .local_len = m->local_len};

    if (slot < 0 || slot == ep->slot || packet.socket < 0) {
        return false;
    }
    if (ep->events->on_foreign != NULL && ep->events->on_foreign(ep, (unsigned)slot, &packet)) {
        return true;
    }
    /* Only its own worker may answer it with a stateless reset; an Initial is anybody's. */
    ep->stats.packets_dropped += vc->version == 0;
    return vc->version == 0;
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
