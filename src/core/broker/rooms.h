/* SPDX-License-Identifier: MIT */
/* Rooms: groups and topics, and who is in them, on this worker and on all others.
 *
 * Each worker has a replica of all memberships.  A membership belongs to one connection, named
 * by its worker, agent id and the epoch of its claim, and only that worker speaks of it; so
 * what it says needs no order but its own.  A room is there while someone is in it, waits for
 * a member, or publishes in it. */
#ifndef QMS_CORE_BROKER_ROOMS_H
#define QMS_CORE_BROKER_ROOMS_H

#include <quicms/module.h>

#include "base/list.h"
#include "core/shared/payload.h"

struct qms_rooms;

struct qms_room {
    struct qms_rooms *all;
    enum qms_kind kind; /* GROUP or TOPIC */
    size_t name_len;
    char name[QMS_NAME_MAX];
    struct qms_list members; /* in the order in which they came here */
    size_t count;
    uint32_t per_worker[QMS_SLOTS_MAX];
    struct qms_list waiting; /* streams to a group that wait for a member (group.c) */
    size_t waiting_count;    /* here */
    uint64_t waiting_key;    /* of what other workers tell of it (elsewhere.h) */
    struct qms_list fans;    /* living streams to a topic (fan.h) */
    size_t fan_count;
};

/* How JOIN wants a slow subscriber to be dealt with: values of its SLOW_POLICY. */
enum qms_slow { QMS_SLOW_DEFAULT, QMS_SLOW_BLOCK, QMS_SLOW_DROP, QMS_SLOW_DISCONNECT };

/* What a membership says of itself; travels between workers. */
struct qms_member_info {
    uint16_t worker;
    uint16_t server; /* index of the server that the agent is connected to */
    uint64_t epoch;  /* of the agent's claim in the directory */
    size_t id_len;
    char id[QMS_NAME_MAX];
    uint32_t weight;  /* 0: takes nothing */
    uint8_t priority; /* members of a higher one are asked first */
    uint8_t slow;     /* enum qms_slow */
};

struct qms_member {
    struct qms_room *room;
    struct qms_list node;    /* in room->members */
    struct qms_list of_peer; /* in peer->memberships */
    struct qms_peer *peer;   /* NULL: another worker's */
    struct qms_member_info info;
    int64_t turn;          /* smooth weighted round robin */
    uint64_t streams;      /* that this worker gave it and that are not over */
    uint64_t streams_key;  /* of what other workers tell of theirs */
    struct qms_list picks; /* the streams to a group that it has: group.c */
    struct qms_list subs;  /* the streams of a topic that go to it: fan.c */
    uint64_t mark;         /* of the newest walk that met it */
};

/** `seed`: 16 random bytes.  NULL: out of memory. */
struct qms_rooms *qms_rooms_new(const uint8_t seed[16]);
/** Every room must be empty but for members. */
void qms_rooms_free(struct qms_rooms *rs); /* takes NULL */

/** NULL: nobody is there. */
struct qms_room *qms_rooms_find(const struct qms_rooms *rs, enum qms_kind kind,
                                struct qms_bytes name);
/** The same, made when it is not there; qms_room_settle when it was not needed.  NULL: out of
 * memory. */
struct qms_room *qms_rooms_get(struct qms_rooms *rs, enum qms_kind kind, struct qms_bytes name);
/** Frees a room that nothing is in. */
void qms_room_settle(struct qms_room *room);
struct qms_bytes qms_room_name(const struct qms_room *room);

/** Adds a member, or changes the one of that connection.  `peer`: when it is this worker's.
 * `*added`: it was not there.  QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_rooms_join(struct qms_rooms *rs, enum qms_kind kind,
                                      struct qms_bytes name, const struct qms_member_info *info,
                                      struct qms_peer *peer, struct qms_member **out,
                                      bool *added);
/** Takes a member out and frees it; the room goes with the last one.  Nothing may be in its
 * picks and subs. */
void qms_rooms_leave(struct qms_member *m);
/** The membership of one connection, or NULL. */
struct qms_member *qms_room_member(const struct qms_room *room, uint16_t worker,
                                   struct qms_bytes id, uint64_t epoch);
/** Calls `each` for all members of a worker; it may take them out. */
void qms_rooms_each_of(struct qms_rooms *rs, uint16_t worker,
                       void (*each)(void *arg, struct qms_member *m), void *arg);
/** Calls `each` for all rooms; it may empty the one that it is given. */
void qms_rooms_each(struct qms_rooms *rs, void (*each)(void *arg, struct qms_room *room),
                    void *arg);
size_t qms_rooms_count(const struct qms_rooms *rs);

#endif
