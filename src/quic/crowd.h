/* SPDX-License-Identifier: MIT */
/* Handshakes under way, so that one host cannot take every place and keep newcomers out: a
 * Retry token proves an address, not good intentions.
 *
 * Below half of the limit anybody may come.  Above it an address (IPv6: its /64, which one host
 * may have to itself) may hold a sixteenth.  Addresses share counters by a keyed hash; where
 * two have the same one, both are told that they are too many sooner, and only then. */
#ifndef QMS_QUIC_CROWD_H
#define QMS_QUIC_CROWD_H

#include <quicms/types.h>

struct sockaddr;

#define QMS_CROWD_COUNTERS 1024

struct qms_crowd {
    uint8_t seed[16]; /* secret: whoever knows it may choose whom to share with */
    size_t total;
    uint32_t counts[QMS_CROWD_COUNTERS];
};

/** The counter of an address, for the others. */
uint16_t qms_crowd_counter(const struct qms_crowd *c, const struct sockaddr *remote);
/** Whether one more may begin there, with at most `max` in all. */
bool qms_crowd_has_room(const struct qms_crowd *c, uint16_t counter, size_t max);
void qms_crowd_enter(struct qms_crowd *c, uint16_t counter);
void qms_crowd_leave(struct qms_crowd *c, uint16_t counter);

#endif
