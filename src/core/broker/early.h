/* SPDX-License-Identifier: MIT */
/* What one side of a channel did so far, kept by reference, so that it can be done again over
 * another channel.  Bounded by the credit of the route: whoever keeps it gives none meanwhile.
 */
#ifndef QMS_CORE_BROKER_EARLY_H
#define QMS_CORE_BROKER_EARLY_H

#include "core/broker/channel.h"

/* Zeroed memory has done nothing yet. */
struct qms_early {
    struct qms_blobq sent;
    bool fin, reset, stop;
    uint8_t reset_code, stop_code;
    uint8_t mask, forward, reverse; /* of the newest priorities; mask 0: none */
};

void qms_early_clear(struct qms_early *e);
void qms_early_priority(struct qms_early *e, uint8_t mask, uint8_t forward, uint8_t reverse);
/** Does it all again.  Errors of the channel's `data`, QMS_E_CLOSED excepted: the rest is left
 * out then. */
QMS_MUST_CHECK qms_err qms_early_replay(const struct qms_early *e, struct qms_channel *ch);

#endif
