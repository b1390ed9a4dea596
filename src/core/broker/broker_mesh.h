/* SPDX-License-Identifier: MIT */
/* The broker among other workers: what it tells them and what it makes of their messages. */
#ifndef QMS_CORE_BROKER_BROKER_MESH_H
#define QMS_CORE_BROKER_BROKER_MESH_H

#include "core/broker/broker_state.h"

/** Tells every worker that this one's peer claims its id, or gives the claim up. */
void qms_broker_tell_join(struct qms_broker *b, const struct qms_peer *p);
void qms_broker_tell_leave(struct qms_broker *b, struct qms_bytes id, uint64_t epoch);
/** The epoch of a new claim: later than every one that is known. */
uint64_t qms_broker_next_epoch(struct qms_broker *b);
/** The slot of this worker; 0 when it is alone. */
uint16_t qms_broker_slot(const struct qms_broker *b);

#endif
