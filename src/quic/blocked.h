/* SPDX-License-Identifier: MIT */
/* How long a stream that has something to send could not, and what it waited for.
 *
 * A stream is charged when it is served: of the time since it began to wait, the part in which
 * the whole connection stood still is the connection's credit or congestion, and the rest is
 * others being served first.  So nothing is done for streams that only wait. */
#ifndef QMS_QUIC_BLOCKED_H
#define QMS_QUIC_BLOCKED_H

#include <quicms/types.h>

#include "base/link.h"

/* Of a connection.  Zeroed is ready. */
struct qms_standstill {
    enum { QMS_MOVING, QMS_NO_CREDIT, QMS_CONGESTED } why;
    qms_time since;             /* of `why` */
    qms_time credit, congested; /* in all, without the time since `since` */
};
/** From now on it stands still for this reason, or moves. */
void qms_standstill_set(struct qms_standstill *s, unsigned why, qms_time now);

/* Of a stream.  Zeroed is ready. */
struct qms_blocked {
    bool waiting, by_peer;      /* in the scheduler; by its own flow control */
    qms_time since;             /* of either */
    qms_time credit, congested; /* the connection's, then */
    qms_time for_stream, for_credit, for_congestion, for_priority;
};
/** It has something to send and may (no effect when it waits already); it was served, or has
 * nothing left. */
void qms_blocked_wait(struct qms_blocked *b, const struct qms_standstill *s, qms_time now);
void qms_blocked_served(struct qms_blocked *b, const struct qms_standstill *s, qms_time now);
/** The peer's flow control holds it; it does no longer. */
void qms_blocked_by_peer(struct qms_blocked *b, const struct qms_standstill *s, qms_time now);
void qms_blocked_credited(struct qms_blocked *b, qms_time now);
/** Fills the blocked_* fields, what goes on now included. */
void qms_blocked_stats(const struct qms_blocked *b, const struct qms_standstill *s,
                       qms_time now, struct qms_link_stream_stats *out);

#endif
