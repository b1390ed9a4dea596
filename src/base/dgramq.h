/* SPDX-License-Identifier: MIT */
/* Datagrams that wait to be sent: bounded in bytes, most urgent first. */
#ifndef QMS_BASE_DGRAMQ_H
#define QMS_BASE_DGRAMQ_H

#include "base/prioq.h"

struct qms_dgram {
    struct qms_prioq_node node; /* first */
    size_t len;
    uint8_t data[];
};
/* Set `limit`, zero the rest. */
struct qms_dgramq {
    struct qms_prioq queue;
    size_t bytes, limit; /* payload and a fixed share for each datagram */
    uint64_t dropped;    /* for want of room */
};

/** Copies the parts in.  When that is more than the limit, the oldest of the least urgent go
 * first, be it the new one.  QMS_E_TOO_LARGE: more than the limit by itself; QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_dgramq_put(struct qms_dgramq *q, uint8_t priority,
                                      const struct qms_bytes *parts, size_t count);
/** The one to send next, or NULL. */
const struct qms_dgram *qms_dgramq_top(const struct qms_dgramq *q);
/** Frees the one to send next. */
void qms_dgramq_pop(struct qms_dgramq *q);
void qms_dgramq_clear(struct qms_dgramq *q);

#endif
