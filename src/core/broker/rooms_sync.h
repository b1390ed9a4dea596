/* SPDX-License-Identifier: MIT */
/* Keeping the replicas of the rooms in step, and telling those whom a change concerns: streams
 * that wait for a member of a group, and living streams of a topic. */
#ifndef QMS_CORE_BROKER_ROOMS_SYNC_H
#define QMS_CORE_BROKER_ROOMS_SYNC_H

#include "core/broker/broker_state.h"

/** Puts a connection into a room, or changes what it wants there, and tells the other workers.
 * QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_broker_join_room(struct qms_broker *b, struct qms_peer *p,
                                            enum qms_kind kind, struct qms_bytes name,
                                            const struct qms_member_info *info);
/** Takes one of this worker's members out, and tells the others. */
void qms_broker_leave_room(struct qms_broker *b, struct qms_member *m);

/* Events of the mesh. */
void qms_rooms_on_message(struct qms_broker *b, unsigned slot, const struct qms_ring_entry *m,
                          struct qms_bytes bytes);
/** A worker is there: it is told all memberships of this one. */
void qms_rooms_on_up(struct qms_broker *b, unsigned slot);
void qms_rooms_on_lost(struct qms_broker *b, unsigned slot);

#endif
