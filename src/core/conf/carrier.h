/* SPDX-License-Identifier: MIT */
/* How a worker drives the network below the links, without core knowing QUIC or HTTP/3.
 * Implemented in src/link, given to the worker by main. */
#ifndef QMS_CORE_CONF_CARRIER_H
#define QMS_CORE_CONF_CARRIER_H

#include <event2/event.h>

#include "core/conf/conf.h"

struct qms_broker;
struct qms_carrier;
struct sock_filter;

/** Instructions of the filter at most. */
#define QMS_CARRIER_FILTER_MAX (40 + 4 * QMS_SLOTS_MAX)
/** The zone (core/conf/zone.h) where workers note the first flights that they took. */
#define QMS_ZONE_EARLY_DATA "early_data"

struct qms_carrier_ops {
    /** Bytes of that zone. */
    size_t early_data_size;
    /** The kernel filter (SO_ATTACH_REUSEPORT_CBPF) that brings packets to the socket whose
     * number is the slot of their worker, and new connections to the `live` slots (at least
     * one, in order).  `used`: slots that have a worker.  Returns its length; 0: there is none.
     */
    size_t (*filter)(const uint8_t secret[32], const uint8_t *live, size_t live_count,
                     const bool used[QMS_SLOTS_MAX], struct sock_filter *out);
    /** Serves every listen of conf->servers (fd is bound).  Registers socket events at `base`.
     * `secret`: 32 bytes behind Retry and reset keys.  NULL: diag says why. */
    struct qms_carrier *(*start)(struct qms_broker *broker, struct event_base *base,
                                 const struct qms_conf *conf, const uint8_t secret[32],
                                 struct qms_diag *diag);
    /** New configuration or new certificates (same listens): certificates, locations, origins.
     */
    qms_err (*reload)(struct qms_carrier *c, const struct qms_conf *conf,
                      struct qms_diag *diag);
    /** Accepts nothing new from now on; with `pass_on` newcomers that come here all the same
     * go to workers of the newest generation. */
    void (*stop_accepting)(struct qms_carrier *c, bool pass_on);
    /** End of a loop turn: timers that are due, flush.  Returns the next instant it wants. */
    qms_time (*turn)(struct qms_carrier *c, qms_time now);
    /** Connections still there (agents, browsers, handshakes). */
    size_t (*connections)(const struct qms_carrier *c);
    void (*stop)(struct qms_carrier *c);
};

#endif
