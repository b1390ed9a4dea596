/* SPDX-License-Identifier: MIT */
/* Streams to topics: one stream goes to every subscriber.
 *
 * A fan is the far end of the publisher's channel.  It has a sub for each subscriber of this
 * worker, whose leg gets the same ranges of the same blobs; and, in the publisher's worker, one
 * for each other worker with subscribers, which carries the bytes there once: there a fan of
 * its own spreads them.  So bytes are copied once from the publisher, and once for each worker.
 *
 * What a slow subscriber does to the others is its policy (qms_on_slow).  The publisher gets
 * credit as the slowest of those that block has acknowledged; without such, as the fastest of
 * all that still move, so that nobody is overrun because another one is slow; and when nobody
 * moves, at once.  How much waits for a sub is counted in bytes given and not acknowledged;
 * how far it is behind is the difference to the fastest.
 *
 * FRAMED streams may be long: who joins gets them from the next message on, who leaves until
 * the next message.  Other streams are one message each. */
#ifndef QMS_CORE_BROKER_FAN_H
#define QMS_CORE_BROKER_FAN_H

#include "core/broker/leg.h"
#include "core/broker/rooms.h"

struct qms_fan;

/** Spreads the publisher's stream; `to` is the header as a subscriber gets it.  False: `why`
 * says why not. */
bool qms_router_to_topic(struct qms_leg *leg, const struct qms_route_header *to,
                         struct qms_refusal *why);
/** A publisher of another worker: spreads what comes over route `id` to this worker's
 * subscribers.  False as above; nothing was answered then. */
bool qms_router_topic_from_worker(struct qms_broker *b, unsigned slot, uint32_t id,
                                  const struct qms_route_header *h, struct qms_refusal *why);

/** A subscriber has come, here or in another worker. */
void qms_fans_member_came(struct qms_room *room);
/** A subscriber is about to be freed: its FRAMED streams end with the message under way. */
void qms_fans_member_leaves(struct qms_member *m);
/** End of the turn: gives credit, ends those that are too slow. */
void qms_fans_turn(struct qms_broker *b);
/** Ends what is left at the end of the broker. */
void qms_fans_free(struct qms_broker *b);
/** Whether the turn has something to do. */
bool qms_fans_due(const struct qms_broker *b);

#endif
