/* SPDX-License-Identifier: MIT */
/* Streams to groups: one member gets the stream, and another one when that fails before it has
 * answered.
 *
 * Between the opener's leg and the member's channel stands a pick.  Until the member has
 * answered the pick keeps what the opener sent, by reference, and withholds the credit that
 * the member gave for it; so what is kept is bounded by the window of the stream, and the next
 * member gets all of it from the start.  The pick is decided, and a failure from then on is the
 * opener's to see, with the RESULT; without a RESULT to wait for, once all is acknowledged; and
 * when half of the first window is withheld, lest a member that reads much before it answers
 * waits for bytes that the opener has no credit for. */
#ifndef QMS_CORE_BROKER_GROUP_H
#define QMS_CORE_BROKER_GROUP_H

#include "core/broker/leg.h"
#include "core/broker/rooms.h"

/** Gives the opener's leg a member of the group `to->target`, or has it wait for one; `to` is
 * the header as an acceptor gets it.  False: `why` says why not. */
bool qms_router_to_group(struct qms_leg *leg, const struct qms_route_header *to,
                         struct qms_refusal *why);
/** A member has come, or can take streams again: those that wait are tried. */
void qms_group_member_came(struct qms_broker *b, struct qms_room *room);
/** The member is about to be freed. */
void qms_group_member_leaves(struct qms_broker *b, struct qms_member *m);

/* router_agent.c */
/** Joins `sink` to an agent of this worker, or of another, by a channel of its own.  False:
 * `why` says why not. */
bool qms_router_join_peer(struct qms_route *route, struct qms_peer *peer,
                          const struct qms_route_header *to,
                          const struct qms_channel_sink *sink, void *arg,
                          struct qms_channel **ch, struct qms_refusal *why);
bool qms_router_join_worker(struct qms_route *route, unsigned slot,
                            const struct qms_route_header *to,
                            const struct qms_channel_sink *sink, void *arg,
                            struct qms_channel **ch, struct qms_refusal *why);

#endif
