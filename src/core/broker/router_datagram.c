/* SPDX-License-Identifier: MIT */
/* Routing a datagram: delivered at once or dropped and counted. */
#include <string.h>

#include "core/broker/group_balance.h"
#include "core/broker/peer.h"
#include "core/broker/router.h"
#include "core/broker/service.h"
#include "core/shared/mesh.h"

static enum qms_stats_id drop_reason(qms_err err)
{
    return err == QMS_E_TOO_LARGE     ? QMS_S_DROPPED_TOO_LARGE
           : err == QMS_E_UNSUPPORTED ? QMS_S_DROPPED_KIND
                                      : QMS_S_DROPPED_SEND;
}

static void deliver(struct qms_peer *to, enum qms_kind kind, struct qms_bytes source,
                    uint8_t priority, struct qms_bytes payload)
{
    struct qms_stats_page *stats = to->broker->stats;
    qms_err err = qms_session_datagram(to->session, kind, source, priority, payload);

    if (err != QMS_OK) {
        qms_stats_add(stats, drop_reason(err), 1);
        return;
    }
    qms_stats_add(stats, QMS_S_DATAGRAMS_OUT, 1);
    qms_stats_add(stats, QMS_S_DATAGRAM_BYTES_OUT, payload.len);
}

/* Messages that may wait for another worker before datagrams to it are dropped. */
#define WAITING_MAX 4096

/* Names are short, so their lengths are bytes: target, source, payload. */
static void to_worker(struct qms_peer *from, unsigned slot, enum qms_kind kind,
                      struct qms_bytes name, uint8_t priority, struct qms_bytes payload)
{
    struct qms_broker *b = from->broker;
    uint8_t name_len = (uint8_t)name.len, id_len = (uint8_t)from->id_len;
    struct qms_bytes parts[] = {
        {&name_len, 1}, name, {&id_len, 1}, qms_str(from->id, from->id_len), payload};
    struct qms_ring_entry e = {.type = QMS_MESH_DATAGRAM, .b = priority, .code = (uint8_t)kind};

    if (qms_mesh_waiting(b->mesh, slot) > WAITING_MAX ||
        qms_mesh_send_parts(b->mesh, slot, e, parts, sizeof(parts) / sizeof(parts[0])) !=
            QMS_OK) {
        qms_stats_add(b->stats, QMS_S_DROPPED_QUEUE, 1);
    }
}

static bool take_name(struct qms_bytes *in, uint8_t room[QMS_NAME_MAX], struct qms_bytes *name)
{
    size_t len = in->len > 0 ? in->data[0] : 0;

    if (len == 0 || len > QMS_NAME_MAX || in->len < 1 + len) {
        return false;
    }
    memcpy(room, in->data + 1, len);
    *name = (struct qms_bytes){room, len};
    *in = (struct qms_bytes){in->data + 1 + len, in->len - 1 - len};
    return true;
}

/* The subscribers of this worker. */
static void to_subscribers(struct qms_broker *b, struct qms_bytes topic,
                           struct qms_bytes source, uint8_t priority, struct qms_bytes payload)
{
    struct qms_room *room = qms_rooms_find(b->rooms, QMS_KIND_TOPIC, topic);
    struct qms_list *node;

    if (room == NULL) {
        return;
    }
    QMS_LIST_FOREACH(node, &room->members) {
        const struct qms_member *m = QMS_CONTAINER(node, struct qms_member, node);
        if (m->peer != NULL) {
            deliver(m->peer, QMS_KIND_AGENT, source, priority, payload);
        }
    }
}

void qms_router_on_remote_datagram(struct qms_broker *b, const struct qms_ring_entry *m,
                                   struct qms_bytes bytes)
{
    uint8_t target_room[QMS_NAME_MAX], source_room[QMS_NAME_MAX];
    struct qms_bytes target, source;

    if (!take_name(&bytes, target_room, &target) || !take_name(&bytes, source_room, &source)) {
        return;
    }
    if (m->code == QMS_KIND_TOPIC) {
        to_subscribers(b, target, source, m->b, bytes);
        return;
    }
    const struct qms_directory_entry *entry = qms_directory_find(b->directory, target);
    if (entry == NULL || entry->peer == NULL) {
        qms_stats_add(b->stats, QMS_S_DROPPED_NO_TARGET, 1);
        return;
    }
    deliver(entry->peer, QMS_KIND_AGENT, source, m->b, bytes);
}

static void to_agent(struct qms_peer *from, struct qms_bytes name, uint8_t priority,
                     struct qms_bytes payload)
{
    struct qms_broker *b = from->broker;
    const struct qms_directory_entry *entry = qms_directory_find(b->directory, name);

    if (entry == NULL) {
        qms_stats_add(b->stats, QMS_S_DROPPED_NO_TARGET, 1);
        return;
    }
    if (entry->peer == NULL) {
        to_worker(from, entry->worker, QMS_KIND_AGENT, name, priority, payload);
        return;
    }
    deliver(entry->peer, QMS_KIND_AGENT, qms_str(from->id, from->id_len), priority, payload);
}

/* A datagram has no second try: one member, or nobody. */
static void to_group(struct qms_peer *from, const struct qms_route_conf *block,
                     struct qms_bytes name, uint8_t priority, struct qms_bytes payload)
{
    struct qms_broker *b = from->broker;
    struct qms_room *room =
        qms_rooms_find(b->rooms, QMS_KIND_GROUP, qms_route_conf_room(block, name));
    struct qms_bytes source = qms_str(from->id, from->id_len);
    const struct qms_member *m =
        room == NULL
            ? NULL
            : qms_group_choose(b, room, (enum qms_balance)block->balance, source, NULL, 0);

    if (m == NULL) {
        qms_stats_add(b->stats, QMS_S_DROPPED_NO_TARGET, 1);
    } else if (m->peer != NULL) {
        deliver(m->peer, QMS_KIND_AGENT, source, priority, payload);
    } else {
        to_worker(from, m->info.worker, QMS_KIND_AGENT, qms_str(m->info.id, m->info.id_len),
                  priority, payload);
    }
}

/* Once to each worker that has subscribers. */
static void to_topic(struct qms_peer *from, struct qms_bytes name, uint8_t priority,
                     struct qms_bytes payload)
{
    struct qms_broker *b = from->broker;
    const struct qms_room *room = qms_rooms_find(b->rooms, QMS_KIND_TOPIC, name);

    if (room == NULL || room->count == 0) {
        qms_stats_add(b->stats, QMS_S_DROPPED_NO_TARGET, 1);
        return;
    }
    for (unsigned i = 0; b->mesh != NULL && i < QMS_SLOTS_MAX; i++) {
        if (room->per_worker[i] > 0 && i != qms_mesh_slot(b->mesh)) {
            to_worker(from, i, QMS_KIND_TOPIC, name, priority, payload);
        }
    }
    to_subscribers(b, name, qms_str(from->id, from->id_len), priority, payload);
}

static void to_service(struct qms_peer *from, struct qms_bytes name, uint8_t priority,
                       struct qms_bytes payload)
{
    const struct qms_service *service = qms_service_find(name);

    if (service == NULL) {
        qms_stats_add(from->broker->stats, QMS_S_DROPPED_NO_TARGET, 1);
    } else if (service->datagram_back) {
        deliver(from, QMS_KIND_SERVICE, name, priority, payload);
    }
}

/* Whether modules and the route block let it through; if not, it is counted by the reason. */
static bool permitted(struct qms_peer *p, const struct qms_route_conf *block,
                      enum qms_kind kind, struct qms_bytes name, struct qms_bytes payload)
{
    struct qms_stats_page *stats = p->broker->stats;
    struct qms_refusal why;

    if (qms_chain_datagram(&p->broker->chain, block, p, p->module_data, kind, name, payload,
                           qms_peer_now(p), &why)) {
        if (block->deny == 0) {
            return true;
        }
        why.label = "route_deny";
    }
    qms_peer_debug(p, "datagram refused reason=%s", why.label);
    qms_stats_label(stats, QMS_F_DATAGRAM_REFUSED, why.label);
    qms_stats_add(stats, QMS_S_DROPPED_REFUSED, 1);
    return false;
}

void qms_router_on_datagram(struct qms_session *s, enum qms_kind kind, struct qms_bytes name,
                            uint8_t priority, struct qms_bytes payload)
{
    struct qms_peer *p = qms_session_user(s);
    struct qms_stats_page *stats = p->broker->stats;

    if (p->state != QMS_PEER_WELCOMED) {
        return;
    }
    qms_peer_debug(p, "datagram kind=%u target=%.*s priority=%u bytes=%zu", (unsigned)kind,
                   (int)name.len, (const char *)name.data, priority, payload.len);
    qms_stats_add(stats, QMS_S_DATAGRAMS_IN, 1);
    qms_stats_add(stats, QMS_S_DATAGRAM_BYTES_IN, payload.len);
    const struct qms_route_conf *block = qms_route_conf_find(qms_peer_server(p), kind, name);
    if (!permitted(p, block, kind, name, payload)) {
        return;
    }
    priority = qms_route_conf_clamp(block, priority);
    switch (kind) {
    case QMS_KIND_AGENT:
        to_agent(p, name, priority, payload);
        break;
    case QMS_KIND_GROUP:
        to_group(p, block, name, priority, payload);
        break;
    case QMS_KIND_TOPIC:
        to_topic(p, name, priority, payload);
        break;
    case QMS_KIND_SERVICE:
        to_service(p, name, priority, payload);
        break;
    default:
        qms_stats_add(stats, QMS_S_DROPPED_KIND, 1);
        break;
    }
}
