/* SPDX-License-Identifier: MIT */
/* A membership on its way to another worker is a run of bytes:
 *
 *     kind (1)  name length (1) name  id length (1) id  server (2) weight (4) priority (1) slow
 * (1)
 *
 * both ends are the same program, so numbers go in the machine's order.  What does not decode
 * is ignored, like any message that makes no sense. */
#include "core/broker/rooms_sync.h"

#include <string.h>

#include "base/log.h"
#include "core/broker/broker_mesh.h"
#include "core/broker/fan.h"
#include "core/broker/group.h"
#include "core/shared/mesh.h"

#define RECORD_MAX (1 + 2 * (1 + QMS_NAME_MAX) + 8)

struct record {
    enum qms_kind kind;
    struct qms_bytes name;
    struct qms_member_info info;
};

static uint8_t *put(uint8_t *at, const void *data, size_t len)
{
    memcpy(at, data, len);
    return at + len;
}

static struct qms_bytes pack(uint8_t out[RECORD_MAX], const struct qms_member *m)
{
    const struct qms_room *room = m->room;
    uint8_t kind = (uint8_t)room->kind, name_len = (uint8_t)room->name_len;
    uint8_t id_len = (uint8_t)m->info.id_len, *at = out;

    at = put(at, &kind, 1);
    at = put(at, &name_len, 1);
    at = put(at, room->name, room->name_len);
    at = put(at, &id_len, 1);
    at = put(at, m->info.id, m->info.id_len);
    at = put(at, &m->info.server, 2);
    at = put(at, &m->info.weight, 4);
    at = put(at, &m->info.priority, 1);
    at = put(at, &m->info.slow, 1);
    return (struct qms_bytes){out, (size_t)(at - out)};
}

static bool take(struct qms_bytes *in, void *out, size_t len)
{
    if (in->len < len) {
        return false;
    }
    memcpy(out, in->data, len);
    *in = (struct qms_bytes){in->data + len, in->len - len};
    return true;
}

/* The name points into `room`. */
static bool unpack(struct qms_bytes in, struct record *r, uint8_t room[QMS_NAME_MAX])
{
    uint8_t kind, len;

    *r = (struct record){0};
    if (!take(&in, &kind, 1) || (kind != QMS_KIND_GROUP && kind != QMS_KIND_TOPIC) ||
        !take(&in, &len, 1) || len == 0 || len > QMS_NAME_MAX || !take(&in, room, len)) {
        return false;
    }
    r->kind = (enum qms_kind)kind;
    r->name = (struct qms_bytes){room, len};
    if (!take(&in, &len, 1) || len == 0 || len > QMS_NAME_MAX || !take(&in, r->info.id, len)) {
        return false;
    }
    r->info.id_len = len;
    return take(&in, &r->info.server, 2) && take(&in, &r->info.weight, 4) &&
           take(&in, &r->info.priority, 1) && take(&in, &r->info.slow, 1) && in.len == 0;
}

static void tell(struct qms_broker *b, unsigned slot, enum qms_mesh_type type,
                 const struct qms_member *m)
{
    struct qms_ring_entry e = {.type = (uint8_t)type, .value = m->info.epoch};
    uint8_t room[RECORD_MAX];

    if (qms_mesh_send_bytes(b->mesh, slot, e, pack(room, m)) == QMS_E_NOMEM) {
        /* A replica must not be wrong for ever: better none. */
        qms_mesh_give_up(b->mesh, slot, "no memory to tell it of a member");
    }
}

static void tell_all(struct qms_broker *b, enum qms_mesh_type type, const struct qms_member *m)
{
    for (unsigned i = 0; b->mesh != NULL && i < QMS_SLOTS_MAX; i++) {
        if (qms_mesh_is_up(b->mesh, i)) {
            tell(b, i, type, m);
        }
    }
}

/* ---- changes ---- */

static void on_came(struct qms_broker *b, struct qms_member *m)
{
    if (m->room->kind == QMS_KIND_GROUP) {
        qms_group_member_came(b, m->room);
    } else {
        qms_fans_member_came(m->room);
    }
}

static void take_out(struct qms_broker *b, struct qms_member *m)
{
    if (m->room->kind == QMS_KIND_GROUP) {
        qms_group_member_leaves(b, m);
    } else {
        qms_fans_member_leaves(m);
    }
    qms_rooms_leave(m);
}

qms_err qms_broker_join_room(struct qms_broker *b, struct qms_peer *p, enum qms_kind kind,
                             struct qms_bytes name, const struct qms_member_info *info)
{
    struct qms_member *m;
    bool added;
    qms_err err = qms_rooms_join(b->rooms, kind, name, info, p, &m, &added);

    if (err != QMS_OK) {
        return err;
    }
    if (added) {
        qms_list_append(&p->memberships, &m->of_peer);
        p->membership_count++;
    }
    tell_all(b, QMS_MESH_MEMBER, m);
    on_came(b, m);
    return QMS_OK;
}

void qms_broker_leave_room(struct qms_broker *b, struct qms_member *m)
{
    tell_all(b, QMS_MESH_UNMEMBER, m);
    m->peer->membership_count--;
    take_out(b, m);
}

/* ---- the mesh ---- */

static void on_member(struct qms_broker *b, unsigned slot, const struct record *r)
{
    struct qms_member *m;
    bool added;

    if (qms_rooms_join(b->rooms, r->kind, r->name, &r->info, NULL, &m, &added) != QMS_OK) {
        qms_log(QMS_LOG_ERROR, "no memory for a member of another worker slot=%u", slot);
        return;
    }
    on_came(b, m);
}

static void on_unmember(struct qms_broker *b, const struct record *r)
{
    struct qms_room *room = qms_rooms_find(b->rooms, r->kind, r->name);
    struct qms_bytes id = {(const uint8_t *)r->info.id, r->info.id_len};
    struct qms_member *m =
        room != NULL ? qms_room_member(room, r->info.worker, id, r->info.epoch) : NULL;

    if (m != NULL) {
        take_out(b, m);
    }
}

void qms_rooms_on_message(struct qms_broker *b, unsigned slot, const struct qms_ring_entry *m,
                          struct qms_bytes bytes)
{
    uint8_t copy[RECORD_MAX], name[QMS_NAME_MAX];
    struct record r;

    if (bytes.len == 0 || bytes.len > sizeof(copy)) {
        return;
    }
    memcpy(copy, bytes.data, bytes.len);
    if (!unpack((struct qms_bytes){copy, bytes.len}, &r, name)) {
        return;
    }
    r.info.worker = (uint16_t)slot; /* each speaks of its own only */
    r.info.epoch = m->value;
    if (m->type == QMS_MESH_MEMBER) {
        on_member(b, slot, &r);
    } else {
        on_unmember(b, &r);
    }
}

void qms_rooms_on_up(struct qms_broker *b, unsigned slot)
{
    struct qms_list *peer, *node;

    QMS_LIST_FOREACH(peer, &b->peers) {
        const struct qms_peer *p = QMS_CONTAINER(peer, struct qms_peer, node);
        QMS_LIST_FOREACH(node, &p->memberships) {
            tell(b, slot, QMS_MESH_MEMBER, QMS_CONTAINER(node, struct qms_member, of_peer));
        }
    }
}

static void each_lost(void *arg, struct qms_member *m)
{
    take_out(arg, m);
}

void qms_rooms_on_lost(struct qms_broker *b, unsigned slot)
{
    qms_rooms_each_of(b->rooms, (uint16_t)slot, each_lost, b);
}
