/* SPDX-License-Identifier: MIT */
/* The rooms in memory: a hash map from kind and name to the list of members. */
#include "core/broker/rooms.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "core/shared/tally.h"

struct qms_rooms {
    struct qms_map *map;
};

struct key {
    uint8_t bytes[1 + QMS_NAME_MAX];
};

static struct qms_bytes key_of(struct key *k, enum qms_kind kind, struct qms_bytes name)
{
    k->bytes[0] = (uint8_t)kind;
    memcpy(k->bytes + 1, name.data, name.len);
    return (struct qms_bytes){k->bytes, 1 + name.len};
}

struct qms_rooms *qms_rooms_new(const uint8_t seed[16])
{
    struct qms_rooms *rs = qms_calloc(1, sizeof(*rs));

    if (rs != NULL && (rs->map = qms_map_new(seed)) == NULL) {
        qms_free(rs);
        return NULL;
    }
    return rs;
}

static void member_free(struct qms_member *m)
{
    qms_list_remove(&m->node);
    qms_list_remove(&m->of_peer);
    m->room->count--;
    m->room->per_worker[m->info.worker]--;
    qms_free(m);
}

void qms_rooms_free(struct qms_rooms *rs)
{
    size_t cursor = 0;
    struct qms_bytes key;
    void *value;

    while (rs != NULL && qms_map_next(rs->map, &cursor, &key, &value)) {
        struct qms_room *room = value;
        struct qms_list *node;
        while ((node = qms_list_first(&room->members)) != NULL) {
            member_free(QMS_CONTAINER(node, struct qms_member, node));
        }
        qms_free(room);
    }
    if (rs != NULL) {
        qms_map_free(rs->map);
    }
    qms_free(rs);
}

struct qms_room *qms_rooms_find(const struct qms_rooms *rs, enum qms_kind kind,
                                struct qms_bytes name)
{
    struct key k;

    return name.len == 0 || name.len > QMS_NAME_MAX
               ? NULL
               : qms_map_get(rs->map, key_of(&k, kind, name));
}

struct qms_room *qms_rooms_get(struct qms_rooms *rs, enum qms_kind kind, struct qms_bytes name)
{
    struct qms_room *room = qms_rooms_find(rs, kind, name);
    struct key k;

    if (room != NULL || name.len == 0 || name.len > QMS_NAME_MAX ||
        (room = qms_calloc(1, sizeof(*room))) == NULL) {
        return room;
    }
    room->all = rs;
    room->kind = kind;
    room->name_len = name.len;
    memcpy(room->name, name.data, name.len);
    room->waiting_key = qms_tally_key(key_of(&k, kind, name));
    qms_list_init(&room->members);
    qms_list_init(&room->waiting);
    qms_list_init(&room->fans);
    if (qms_map_add(rs->map, key_of(&k, kind, name), room) != QMS_OK) {
        qms_free(room);
        return NULL;
    }
    return room;
}

struct qms_bytes qms_room_name(const struct qms_room *room)
{
    return (struct qms_bytes){(const uint8_t *)room->name, room->name_len};
}

void qms_room_settle(struct qms_room *room)
{
    struct key k;

    if (qms_list_empty(&room->members) && qms_list_empty(&room->waiting) &&
        qms_list_empty(&room->fans)) {
        (void)qms_map_remove(room->all->map, key_of(&k, room->kind, qms_room_name(room)));
        qms_free(room);
    }
}

struct qms_member *qms_room_member(const struct qms_room *room, uint16_t worker,
                                   struct qms_bytes id, uint64_t epoch)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &room->members) {
        struct qms_member *m = QMS_CONTAINER(node, struct qms_member, node);
        if (m->info.worker == worker && m->info.epoch == epoch && m->info.id_len == id.len &&
            memcmp(m->info.id, id.data, id.len) == 0) {
            return m;
        }
    }
    return NULL;
}

/* The membership, as every worker knows it. */
static uint64_t streams_key(const struct qms_room *room, const struct qms_member_info *info)
{
    uint8_t bytes[2 * QMS_NAME_MAX + sizeof(info->epoch) + sizeof(info->worker)], *at = bytes;

    memcpy(at, &info->epoch, sizeof(info->epoch));
    at += sizeof(info->epoch);
    memcpy(at, &info->worker, sizeof(info->worker));
    at += sizeof(info->worker);
    memcpy(at, room->name, room->name_len);
    at += room->name_len;
    memcpy(at, info->id, info->id_len);
    at += info->id_len;
    return qms_tally_key((struct qms_bytes){bytes, (size_t)(at - bytes)});
}

static struct qms_member *member_new(struct qms_room *room, const struct qms_member_info *info,
                                     struct qms_peer *peer)
{
    struct qms_member *m = qms_calloc(1, sizeof(*m));

    if (m != NULL) {
        m->room = room;
        m->peer = peer;
        m->info = *info;
        m->streams_key = streams_key(room, info);
        qms_list_init(&m->of_peer);
        qms_list_init(&m->picks);
        qms_list_init(&m->subs);
        qms_list_append(&room->members, &m->node);
        room->count++;
        room->per_worker[info->worker]++;
    }
    return m;
}

qms_err qms_rooms_join(struct qms_rooms *rs, enum qms_kind kind, struct qms_bytes name,
                       const struct qms_member_info *info, struct qms_peer *peer,
                       struct qms_member **out, bool *added)
{
    struct qms_room *room = qms_rooms_get(rs, kind, name);

    if (room == NULL) {
        return QMS_E_NOMEM;
    }
    struct qms_bytes id = {(const uint8_t *)info->id, info->id_len};
    struct qms_member *m = qms_room_member(room, info->worker, id, info->epoch);
    *added = m == NULL;
    if (m == NULL) {
        m = member_new(room, info, peer);
    } else {
        m->info = *info;
    }
    if (m == NULL) {
        qms_room_settle(room);
        return QMS_E_NOMEM;
    }
    *out = m;
    return QMS_OK;
}

void qms_rooms_leave(struct qms_member *m)
{
    struct qms_room *room = m->room;

    member_free(m);
    qms_room_settle(room);
}

void qms_rooms_each_of(struct qms_rooms *rs, uint16_t worker,
                       void (*each)(void *arg, struct qms_member *m), void *arg)
{
    size_t cursor = 0;
    struct qms_bytes key;
    void *value;

    while (qms_map_next(rs->map, &cursor, &key, &value)) {
        struct qms_room *room = value;
        struct qms_list *node, *next;
        size_t left = room->per_worker[worker]; /* the room goes with its last member */
        if (left == 0) {
            continue;
        }
        QMS_LIST_FOREACH_SAFE(node, next, &room->members) {
            struct qms_member *m = QMS_CONTAINER(node, struct qms_member, node);
            bool theirs = m->info.worker == worker;
            left -= theirs;
            if (theirs) {
                each(arg, m);
            }
            if (left == 0) {
                break;
            }
        }
    }
}

void qms_rooms_each(struct qms_rooms *rs, void (*each)(void *arg, struct qms_room *room),
                    void *arg)
{
    size_t cursor = 0;
    struct qms_bytes key;
    void *value;

    while (qms_map_next(rs->map, &cursor, &key, &value)) {
        each(arg, value);
    }
}

size_t qms_rooms_count(const struct qms_rooms *rs)
{
    return qms_map_count(rs->map);
}
