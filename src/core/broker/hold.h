/* SPDX-License-Identifier: MIT */
/* Credit that is earned over time.
 *
 * A module delays each piece of payload by its own instant.  Giving all of it back at the last
 * of them would turn a rate into bursts of a whole window, so the pieces are remembered one by
 * one; those that are earned close together (an eighth of the wait, at least 5 ms) share an
 * entry and the later instant, which bounds the entries and never gives anything too early.
 */
#ifndef QMS_CORE_BROKER_HOLD_H
#define QMS_CORE_BROKER_HOLD_H

#include <quicms/types.h>

#define QMS_HOLD_PARTS 64

struct qms_hold {
    struct {
        qms_time from, at; /* earned at `at`; `from` is that of its first piece */
        uint64_t len;
    } parts[QMS_HOLD_PARTS]; /* a ring, by `at` */
    unsigned first, count;
    uint64_t total; /* not earned yet */
};

/** `len` bytes are earned at `at`, or with those before them when that is later. */
void qms_hold_add(struct qms_hold *h, uint64_t len, qms_time at, qms_time now);
/** Forgets what is earned by now. */
void qms_hold_earn(struct qms_hold *h, qms_time now);
/** When the next part is earned; QMS_NEVER: all is. */
qms_time qms_hold_next_at(const struct qms_hold *h);

#endif
