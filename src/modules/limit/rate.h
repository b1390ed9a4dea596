/* SPDX-License-Identifier: MIT */
/* A token bucket without a refill step.
 *
 * Many workers use one bucket at once, by compare and exchange.
 *
 * Virtual scheduling (ITU-T I.371 annex A): instead of counting tokens, keep the instant at
 * which the agent will have paid for everything it used.  One number, no timer, and no rounding
 * loss however often it is asked. */
#ifndef QMS_MODULES_LIMIT_RATE_H
#define QMS_MODULES_LIMIT_RATE_H

#include <quicms/module.h>

struct qms_rate {
    uint64_t per_second; /* 0: unlimited */
    uint64_t burst;      /* what an idle agent may use at once; at least 1 */
    bool set;            /* this block wrote it */
};

/** Digits with k, m or g behind them; 1 to max. */
bool qms_rate_amount(const char *text, uint64_t max, uint64_t *out);
/** "200/s", "200", "20m/s" and "off", then an optional "burst=400".  Fills the diagnostic. */
QMS_MUST_CHECK qms_err qms_rate_parse(struct qms_rate *out, const char *name, int argc,
                                      const char *const *argv, struct qms_diag *diag);
/** A rate of numbers, within what the arithmetic holds; burst 0: one second's worth. */
struct qms_rate qms_rate_of(uint64_t per_second, uint64_t burst);
/** Takes `amount` when it conforms.  Otherwise false, nothing is taken, and `*retry_at` says
 * when it will conform. */
bool qms_rate_take(const struct qms_rate *r, uint64_t *paid_at, uint64_t amount, qms_time now,
                   qms_time *retry_at);
/** Takes `amount` in any case; returns when the next bytes are paid for, 0 when they are now.
 */
qms_time qms_rate_charge(const struct qms_rate *r, uint64_t *paid_at, uint64_t amount,
                         qms_time now);

#endif
