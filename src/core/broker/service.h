/* SPDX-License-Identifier: MIT */
/* Services that the broker serves itself (targets of kind SERVICE): the far end of a channel
 * without an agent behind it.
 *
 * A service answers at once: what it does arrives at the opener's leg before the call that
 * caused it has returned. */
#ifndef QMS_CORE_BROKER_SERVICE_H
#define QMS_CORE_BROKER_SERVICE_H

#include "core/broker/channel.h"
#include "core/broker/leg.h"

struct qms_service {
    const char *name;
    bool uni; /* takes unidirectional streams too */
    const struct qms_channel_sink *sink;
    /** A datagram for the service; whether it goes back to its sender as it is. */
    bool datagram_back;
    /** The whole answer, which comes at once (free); NULL: `why` says why not, or nothing when
     * memory is out.  NULL: the sink does it all. */
    char *(*answer)(struct qms_peer *p, const struct qms_route_header *h,
                    struct qms_refusal *why);
};

/** NULL: none of that name. */
const struct qms_service *qms_service_find(struct qms_bytes name);
/** Joins the opener's leg to a new instance of the service and accepts the route.  False: `why`
 * says why not. */
bool qms_service_open(const struct qms_service *service, struct qms_leg *leg,
                      const struct qms_route_header *h, struct qms_refusal *why);

/* service_report.c: `answer` of stats and directory. */
char *qms_service_stats(struct qms_peer *p, const struct qms_route_header *h,
                        struct qms_refusal *why);
char *qms_service_directory(struct qms_peer *p, const struct qms_route_header *h,
                            struct qms_refusal *why);

#endif
