/* SPDX-License-Identifier: MIT */
/* The addresses that a client has shown to be its own (RFC 9000 sections 8.1 and 9.3): what a
 * rule about addresses may look at, since a packet says of itself whatever its sender likes. */
#ifndef QMS_QUIC_PROVEN_H
#define QMS_QUIC_PROVEN_H

#include "quic/udp.h"

#define QMS_PROVEN_MAX 4

/* Zeroed: none. */
struct qms_proven {
    unsigned count, newest;
    union qms_sockaddr addresses[QMS_PROVEN_MAX];
};

/** The newest one; beyond QMS_PROVEN_MAX it takes the place of the oldest. */
void qms_proven_add(struct qms_proven *p, const struct sockaddr *remote, size_t len);
/** `current` when it is proven, else the newest that is; NULL: none. */
const struct sockaddr *qms_proven_of(const struct qms_proven *p,
                                     const struct sockaddr *current);

#endif
