/* SPDX-License-Identifier: MIT */
/* What the other workers of this broker have counted under a key (core/shared/tally.h). */
#ifndef QMS_CORE_BROKER_ELSEWHERE_H
#define QMS_CORE_BROKER_ELSEWHERE_H

#include "core/broker/broker_state.h"

/** Tells them this worker's count; nothing where there is no other worker. */
void qms_elsewhere_tell(struct qms_broker *b, uint64_t key, uint64_t count);
/** The sum of theirs: of the workers that are up. */
uint64_t qms_elsewhere_count(const struct qms_broker *b, uint64_t key);

#endif
