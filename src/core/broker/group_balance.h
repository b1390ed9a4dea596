/* SPDX-License-Identifier: MIT */
/* Which member of a group gets a stream, over the replica of this worker; how many streams the
 * others have given to each, they tell. */
#ifndef QMS_CORE_BROKER_GROUP_BALANCE_H
#define QMS_CORE_BROKER_GROUP_BALANCE_H

#include "core/broker/rooms.h"
#include "core/conf/route_conf.h"

struct qms_broker;

/* Most members that one stream is tried on. */
#define QMS_TRIES_MAX 16

/* A member that a stream was tried on: it may be gone meanwhile. */
struct qms_tried {
    uint16_t worker;
    uint64_t epoch;
};

/** The member for the next try, or NULL: none is left.  Members of the highest priority that
 * are not tried yet; among them by `balance`.  `key` is what sticky goes by.  Members without
 * weight, and those whose agent is leaving, get nothing. */
struct qms_member *qms_group_choose(const struct qms_broker *b, struct qms_room *room,
                                    enum qms_balance balance, struct qms_bytes key,
                                    const struct qms_tried *tried, size_t tried_count);

#endif
