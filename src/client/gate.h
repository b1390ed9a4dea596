/* SPDX-License-Identifier: MIT */
/* How often new connections may come: a limit for all and one for each address. */
#ifndef QMS_CLIENT_GATE_H
#define QMS_CLIENT_GATE_H

#include <quicms/types.h>

struct sockaddr;
struct qms_gate;

struct qms_gate_rate {
    uint32_t per_second, burst; /* 0 a second: no limit */
};

/** NULL: no memory. */
struct qms_gate *qms_gate_new(struct qms_gate_rate all, struct qms_gate_rate each);
void qms_gate_free(struct qms_gate *g); /* takes NULL */
/** Whether somebody from there is worth a handshake: false once an address (or all of them) is
 * a whole burst over its limit.  Takes nothing: the address may be forged. */
bool qms_gate_open(const struct qms_gate *g, const struct sockaddr *from, qms_time now);
/** Counts a connection from a proven address.  0: within the limits; else the time to wait. */
qms_time qms_gate_take(struct qms_gate *g, const struct sockaddr *from, qms_time now);

#endif
