/* SPDX-License-Identifier: MIT */
/* Agents that the broker connects to by itself.
 *
 * A dialer keeps one connection to one agent of an upstream block: it dials, waits for
 * WELCOME, asks with PING whether the agent is still there, and dials anew when it is not.
 * The carrier makes the link (qms_broker_hooks.dial); the connection is a peer like any other,
 * whose session is the connecting side.  Every worker has all dialers: they dial what nobody
 * has, one worker after the other, so that the connections are shared out, outlive a worker
 * and pass to the next generation. */
#ifndef QMS_CORE_BROKER_UPSTREAM_H
#define QMS_CORE_BROKER_UPSTREAM_H

#include "core/broker/broker_state.h"

struct qms_dialer;

/** Begins with what the configuration in force wants, once there is a carrier that dials. */
void qms_upstreams_turn(struct qms_broker *b, qms_time now);
/** A new configuration: keeps the connections that it still wants. */
void qms_upstreams_reload(struct qms_broker *b, qms_time now);
/** Dials no more.  What lives on its connections goes on; their ids are free. */
void qms_upstreams_stop(struct qms_broker *b);
/** All peers must be gone. */
void qms_upstreams_free(struct qms_broker *b);

/** The id under which the dialer's agent is known. */
struct qms_bytes qms_dialer_id(const struct qms_dialer *d);
/** The name of its upstream; as long as the dialer lives. */
const char *qms_dialer_upstream(const struct qms_dialer *d);
/** Index of the server whose rules hold for its agent. */
unsigned qms_dialer_server(const struct qms_dialer *d);
/** The token that its agent wants to see; NULL: none. */
const char *qms_dialer_token(const struct qms_dialer *d);
/** Whether TLS shows it a certificate. */
bool qms_dialer_shows_certificate(const struct qms_dialer *d);
/* Events of its connection (peer_dial.c). */
void qms_dialer_ready(struct qms_dialer *d);
void qms_dialer_pong(struct qms_dialer *d, const uint8_t bytes[8]);
void qms_dialer_gone(struct qms_dialer *d, const struct qms_link_close *why);

#endif
