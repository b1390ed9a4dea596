/* SPDX-License-Identifier: MIT */
/* Where a ROUTE or a datagram goes: asks the chain, finds the target by its kind, and joins the
 * opener's leg to it over a channel. */
#ifndef QMS_CORE_BROKER_ROUTER_H
#define QMS_CORE_BROKER_ROUTER_H

#include "core/broker/route.h"

/* Events of the session. */
void qms_router_on_route(struct qms_session_stream *st, const struct qms_route_header *h);
void qms_router_on_datagram(struct qms_session *s, enum qms_kind kind, struct qms_bytes name,
                            uint8_t priority, struct qms_bytes payload);

/* Events of the mesh. */
/** A route that an agent of another worker opens to one of this worker's. */
void qms_router_on_remote_route(void *broker, unsigned slot, uint32_t id, bool bidi,
                                struct qms_bytes header);
/** `stale` of a leg's sink: the agent was not at that worker; tries once more. */
struct qms_channel *qms_router_on_stale(void *leg, struct qms_bytes header);
void qms_router_on_remote_datagram(struct qms_broker *b, const struct qms_ring_entry *m,
                                   struct qms_bytes bytes);

/* router_agent.c */
/** Joins the opener's leg to an agent's, here or in another worker; `to` is the header as the
 * acceptor gets it.  False: `why` says why not. */
bool qms_router_to_agent(struct qms_leg *leg, const struct qms_route_header *to,
                         struct qms_refusal *why);
/** Fills `why`; returns false. */
bool qms_router_refused(struct qms_refusal *why, enum qms_code code, const char *reason,
                        const char *label);
struct qms_result qms_router_result_of(const struct qms_refusal *why);

#endif
