/* SPDX-License-Identifier: MIT */
/* Rooms from the side of a peer: JOIN, LEAVE, and the numbers of what it publishes. */
#include <string.h>

#include "base/mem.h"
#include "core/broker/broker_mesh.h"
#include "core/broker/peer.h"
#include "core/broker/presence.h"
#include "core/broker/rooms_sync.h"

#define WEIGHT_MAX 65535

static struct qms_member *membership(const struct qms_peer *p, enum qms_kind kind,
                                     struct qms_bytes name)
{
    struct qms_room *room = qms_rooms_find(p->broker->rooms, kind, name);

    return room == NULL ? NULL
                        : qms_room_member(room, qms_broker_slot(p->broker),
                                          qms_str(p->id, p->id_len), p->epoch);
}

static struct qms_member_info info_of(const struct qms_peer *p, const struct qms_control *m)
{
    struct qms_member_info info = {
        .worker = qms_broker_slot(p->broker),
        .server = (uint16_t)p->server,
        .epoch = p->epoch,
        .id_len = p->id_len,
        .weight = 1,
    };

    memcpy(info.id, p->id, p->id_len);
    if (m->u.join.has_weight) {
        info.weight = m->u.join.weight < WEIGHT_MAX ? (uint32_t)m->u.join.weight : WEIGHT_MAX;
    }
    if (m->u.join.has_priority) {
        info.priority = (uint8_t)m->u.join.priority;
    }
    /* One that this version does not know is as good as none. */
    if (m->u.join.has_slow_policy && m->u.join.slow_policy <= QMS_SLOW_DISCONNECT) {
        info.slow = (uint8_t)m->u.join.slow_policy;
    }
    return info;
}

/* What is asked of those who are not in it yet. */
static uint64_t may_join(struct qms_peer *p, enum qms_kind kind, struct qms_bytes name)
{
    const struct qms_route_conf *block = qms_route_conf_find(qms_peer_server(p), kind, name);
    const struct qms_room *room = qms_rooms_find(p->broker->rooms, kind, name);
    struct qms_refusal why;

    if (!qms_chain_join(&p->broker->chain, block, p, p->module_data, kind, name,
                        qms_peer_now(p), &why)) {
        qms_stats_label(p->broker->stats, QMS_F_ROUTE_REFUSED, why.label);
        return (uint64_t)why.code;
    }
    if (block->deny != 0 || (block->dial != NULL && kind == QMS_KIND_GROUP)) {
        qms_stats_label(p->broker->stats, QMS_F_ROUTE_REFUSED,
                        block->deny != 0 ? "route_deny" : "route_dial");
        return QMS_CODE_FORBIDDEN;
    }
    bool full = kind == QMS_KIND_TOPIC && block->max_subscribers != 0 && room != NULL &&
                room->count >= block->max_subscribers;
    return full || p->membership_count >= p->broker->conf->max_memberships ? QMS_CODE_BUSY
                                                                           : QMS_CODE_OK;
}

uint64_t qms_peer_join(struct qms_peer *p, const struct qms_control *m)
{
    enum qms_kind kind = (enum qms_kind)m->u.join.kind;
    struct qms_bytes name = m->u.join.name;
    struct qms_member_info info = info_of(p, m);
    uint64_t status = membership(p, kind, name) == NULL ? may_join(p, kind, name) : QMS_CODE_OK;

    if (status == QMS_CODE_OK &&
        qms_broker_join_room(p->broker, p, kind, name, &info) != QMS_OK) {
        return QMS_CODE_INTERNAL;
    }
    return status;
}

uint64_t qms_peer_leave(struct qms_peer *p, const struct qms_control *m)
{
    struct qms_member *mine = membership(p, (enum qms_kind)m->u.join.kind, m->u.join.name);

    if (mine == NULL) {
        return QMS_CODE_NOT_FOUND;
    }
    qms_broker_leave_room(p->broker, mine);
    return QMS_CODE_OK;
}

/* A Req that names a watch already names another one from now on. */
uint64_t qms_peer_watch_presence(struct qms_peer *p, const struct qms_control *m)
{
    struct qms_refusal why;

    if (!qms_chain_watch(&p->broker->chain, qms_peer_server(p), p, p->module_data,
                         m->u.watch.prefix, qms_peer_now(p), &why)) {
        return (uint64_t)why.code;
    }
    (void)qms_presence_unwatch(p, m->u.watch.req);
    if (p->watch_count >= p->broker->conf->max_watches) {
        return QMS_CODE_BUSY;
    }
    return qms_presence_watch(p, m->u.watch.req, m->u.watch.prefix) == QMS_OK
               ? QMS_CODE_OK
               : QMS_CODE_INTERNAL;
}

uint64_t qms_peer_unwatch_presence(struct qms_peer *p, const struct qms_control *m)
{
    return qms_presence_unwatch(p, m->u.unwatch.watch_req) ? QMS_CODE_OK : QMS_CODE_NOT_FOUND;
}

static bool memberships_allowed(struct qms_peer *p)
{
    struct qms_list *node;
    struct qms_refusal why;

    QMS_LIST_FOREACH(node, &p->memberships) {
        const struct qms_room *room = QMS_CONTAINER(node, struct qms_member, of_peer)->room;
        struct qms_bytes name = qms_str(room->name, room->name_len);
        const struct qms_route_conf *block =
            qms_route_conf_find(qms_peer_server(p), room->kind, name);
        if (!qms_chain_join(&p->broker->chain, block, p, p->module_data, room->kind, name,
                            qms_peer_now(p), &why)) {
            return false;
        }
    }
    return true;
}

/* Nothing in the protocol takes a membership away, so the agent would not know that it is over:
 * when it comes back, its JOIN is answered. */
void qms_peer_check_rights(struct qms_peer *p)
{
    if (!memberships_allowed(p) || !qms_presence_allowed(p)) {
        qms_log_peer(QMS_LOG_NOTICE, "agent has lost a right id=%s", p->id);
        qms_peer_close(p, QMS_CODE_GOING_AWAY, "rights have changed, connect again");
    }
}

void qms_peer_leave_rooms(struct qms_peer *p, bool groups_only)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &p->memberships) {
        struct qms_member *m = QMS_CONTAINER(node, struct qms_member, of_peer);
        if (!groups_only || m->room->kind == QMS_KIND_GROUP) {
            qms_broker_leave_room(p->broker, m);
        }
    }
}

/* ---- numbers of streams to topics ---- */

/* Topics whose count is kept; with more than these in turn, numbers begin anew. */
#define PUBLICATIONS_MAX 64

struct publication {
    struct qms_list node;
    uint64_t next;
    size_t len;
    uint8_t topic[];
};

static struct publication *find_publication(const struct qms_peer *p, struct qms_bytes topic)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &p->publications) {
        struct publication *pub = QMS_CONTAINER(node, struct publication, node);
        if (pub->len == topic.len && memcmp(pub->topic, topic.data, topic.len) == 0) {
            return pub;
        }
    }
    return NULL;
}

static void forget(struct qms_peer *p, struct publication *pub)
{
    qms_list_remove(&pub->node);
    p->publication_count--;
    qms_free(pub);
}

static struct publication *new_publication(struct qms_peer *p, struct qms_bytes topic)
{
    struct publication *pub = qms_calloc(1, sizeof(*pub) + topic.len);

    if (pub == NULL) {
        return NULL;
    }
    if (p->publication_count == PUBLICATIONS_MAX) {
        forget(p, QMS_CONTAINER(p->publications.prev, struct publication, node));
    }
    pub->len = topic.len;
    memcpy(pub->topic, topic.data, topic.len);
    qms_list_init(&pub->node);
    p->publication_count++;
    return pub;
}

uint64_t qms_peer_publication(struct qms_peer *p, struct qms_bytes topic)
{
    struct publication *pub = find_publication(p, topic);

    if (pub == NULL && (pub = new_publication(p, topic)) == NULL) {
        return 0;
    }
    qms_list_remove(&pub->node);
    qms_list_append(p->publications.next, &pub->node); /* behind the head is before the first */
    return pub->next++;
}

void qms_peer_forget_publications(struct qms_peer *p)
{
    struct qms_list *node;

    while ((node = qms_list_first(&p->publications)) != NULL) {
        forget(p, QMS_CONTAINER(node, struct publication, node));
    }
}
