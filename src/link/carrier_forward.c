/* SPDX-License-Identifier: MIT */
/* Packets that belong to another worker: out over the mesh, and in from it. */
#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"
#include "link/carrier_i.h"

/* Packets that may wait for another worker; further ones are lost, as on a full socket. */
#define WAITING_MAX 16384

/* In front of each packet. */
struct head {
    uint32_t server, socket;
    uint32_t remote_len, local_len;
    struct sockaddr_in6 remote, local; /* room for either family */
};

static bool pass_on(struct qms_endpoint *ep, unsigned slot, const struct qms_endpoint_packet *p)
{
    struct qms_carrier_server *s = qms_endpoint_user(ep);
    struct qms_mesh *mesh = qms_broker_mesh(s->carrier->broker);
    struct head head = {.server = s->index,
                        .socket = (uint32_t)p->socket,
                        .remote_len = p->remote_len,
                        .local_len = p->local_len};
    struct qms_bytes parts[] = {{(const uint8_t *)&head, sizeof(head)}, p->data};
    struct qms_ring_entry e = {.type = QMS_MESH_PACKET};

    if (p->remote_len > sizeof(head.remote) || p->local_len > sizeof(head.local) ||
        qms_mesh_waiting(mesh, slot) > WAITING_MAX) {
        return false;
    }
    memcpy(&head.remote, p->remote, p->remote_len);
    memcpy(&head.local, p->local, p->local_len);
    if (qms_mesh_send_parts(mesh, slot, e, parts, 2) != QMS_OK) {
        return false;
    }
    qms_stats_add(qms_broker_stats(s->carrier->broker), QMS_S_PACKETS_FORWARDED, 1);
    return true;
}

enum qms_foreign_fate qms_carrier_on_foreign(struct qms_endpoint *ep, unsigned slot,
                                             const struct qms_endpoint_packet *p)
{
    const struct qms_carrier_server *s = qms_endpoint_user(ep);

    if (qms_mesh_is_vacant(qms_broker_mesh(s->carrier->broker), slot)) {
        return QMS_FOREIGN_NOBODY;
    }
    return pass_on(ep, slot, p) ? QMS_FOREIGN_PASSED : QMS_FOREIGN_LOST;
}

/* The same choice as the kernel's filter makes, so that a first flight stays together. */
bool qms_carrier_on_newcomer(struct qms_endpoint *ep, struct qms_bytes id,
                             const struct qms_endpoint_packet *p)
{
    const struct qms_carrier_server *s = qms_endpoint_user(ep);
    uint8_t slots[QMS_SLOTS_MAX];
    size_t count = qms_mesh_newest(qms_broker_mesh(s->carrier->broker), slots);

    return count > 0 && pass_on(ep, slots[qms_endpoint_choose(ep, id, count)], p);
}

/* ngtcp2 looks at a packet more than once, so it gets a copy that does not change. */
static void on_packet(void *arg, struct qms_bytes bytes)
{
    struct qms_carrier *c = arg;
    struct head head;

    if (bytes.len < sizeof(head) || bytes.len - sizeof(head) > sizeof(c->packet)) {
        return;
    }
    memcpy(&head, bytes.data, sizeof(head));
    size_t len = bytes.len - sizeof(head);
    memcpy(c->packet, bytes.data + sizeof(head), len);
    if (head.server < c->server_count && head.remote_len <= sizeof(head.remote) &&
        head.local_len <= sizeof(head.local)) {
        struct qms_endpoint_packet p = {.socket = (int)head.socket,
                                        .data = {c->packet, len},
                                        .remote = (const struct sockaddr *)&head.remote,
                                        .local = (const struct sockaddr *)&head.local,
                                        .remote_len = head.remote_len,
                                        .local_len = head.local_len};
        c->now = qms_clock_now();
        qms_endpoint_inject(c->servers[head.server].ep, &p, c->now);
    }
}

void qms_carrier_forward_start(struct qms_carrier *c)
{
    struct qms_broker_hooks *hooks = qms_broker_hooks(c->broker);

    hooks->on_packet = on_packet;
    hooks->packet_arg = c;
}

void qms_carrier_forward_stop(struct qms_carrier *c)
{
    qms_broker_hooks(c->broker)->on_packet = NULL;
}
