/* SPDX-License-Identifier: MIT */
/* A channel: one route seen from one of its two legs, whatever lies between the legs.
 *
 * Each leg holds a qms_channel and calls its ops; they arrive at the other leg's
 * qms_channel_sink. The local kind (channel_local.c) joins two legs of this worker by direct
 * calls; the kind between workers carries the same operations over shared memory.  A leg never
 * knows which one it has. Operations never call back into the caller's own sink before they
 * return, except that a service of this worker (service.h) may answer at once.
 */
#ifndef QMS_CORE_BROKER_CHANNEL_H
#define QMS_CORE_BROKER_CHANNEL_H

#include "base/blob.h"
#include "proto/route.h"

struct qms_channel;

/* What arrives from the other leg. */
struct qms_channel_sink {
    /** Takes a reference if it keeps the blob. */
    qms_err (*data)(void *leg, struct qms_blob *blob, size_t off, size_t len);
    void (*fin)(void *leg);
    void (*reset)(void *leg, uint8_t code);
    void (*stop)(void *leg, uint8_t code);
    /** The transport of the other leg's agent has acknowledged `len` bytes of what this leg
     * sent, or nobody will; whether the agent has read them its own window tells. */
    void (*credit)(void *leg, uint64_t len);
    /** The acceptor's RESULT, on its way to the opener, with the acceptor's id in it. */
    void (*result)(void *leg, const struct qms_result *r);
    void (*priority)(void *leg, uint8_t mask, uint8_t forward, uint8_t reverse);
    /** The other leg is gone for good with `code` (PEER_GONE, WORKER_LOST); nothing follows,
     * and what this leg sends goes nowhere.  It still has to detach, now or later. */
    void (*gone)(void *leg, uint8_t code);

    /* The rest may be NULL. */
    /** Memory for what the other leg is about to send (see the channel's `room`); NULL: any. */
    struct qms_blob *(*room)(void *leg);
    /** Another worker does not have the agent that the route with this header was opened to:
     * gives the leg another channel and returns it, or NULL when there is nowhere else to try;
     * the leg has its old channel then. */
    struct qms_channel *(*stale)(void *leg, struct qms_bytes header);
    /** `count` whole messages were left out between what came and what comes. */
    void (*skipped)(void *leg, uint64_t count);
    /** Another worker has opened a stream to the agent of the route. */
    void (*taken)(void *leg);
};

struct qms_channel_ops {
    /** A blob of QMS_BLOB_CHUNK for the bytes of `data`: memory that the other leg can read as
     * it is.  NULL: out of memory. */
    struct qms_blob *(*room)(struct qms_channel *ch);
    /** QMS_E_CLOSED: the other leg takes no more data, the bytes count as consumed;
     * QMS_E_NOMEM: they are lost, the caller ends the route. */
    qms_err (*data)(struct qms_channel *ch, struct qms_blob *blob, size_t off, size_t len);
    void (*fin)(struct qms_channel *ch);
    void (*reset)(struct qms_channel *ch, uint8_t code);
    void (*stop)(struct qms_channel *ch, uint8_t code);
    void (*credit)(struct qms_channel *ch, uint64_t len);
    void (*result)(struct qms_channel *ch, const struct qms_result *r);
    void (*priority)(struct qms_channel *ch, uint8_t mask, uint8_t forward, uint8_t reverse);
    /** Whole messages are left out here. */
    void (*skipped)(struct qms_channel *ch, uint64_t count);
    /** This leg ends; the other gets `gone` with `code` unless it has ended too.  The channel
     * must not be used by this leg any more. */
    void (*detach)(struct qms_channel *ch, uint8_t code);
};
struct qms_channel {
    const struct qms_channel_ops *ops;
};

/** The local kind: `*a` becomes the end of leg_a, `*b` that of leg_b.  QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_channel_local_new(const struct qms_channel_sink *sink_a, void *leg_a,
                                             const struct qms_channel_sink *sink_b, void *leg_b,
                                             struct qms_channel **a, struct qms_channel **b);

#endif
