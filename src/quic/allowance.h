/* SPDX-License-Identifier: MIT */
/* So many things a second, and so many at once: a token bucket. */
#ifndef QMS_QUIC_ALLOWANCE_H
#define QMS_QUIC_ALLOWANCE_H

#include <quicms/types.h>

/* Zeroed memory is a full one. */
struct qms_allowance {
    double used;
    qms_time at;
};

/** Takes `n` out of an allowance of `rate` a second and `burst` at once.  False: there was not
 * that much, and nothing is taken. */
static inline bool qms_allowance_take(struct qms_allowance *a, double rate, double burst,
                                      double n, qms_time now)
{
    a->used -= (double)(now - a->at) * rate / (double)QMS_SECOND;
    a->used = a->used > 0 ? a->used : 0;
    a->at = now;
    if (a->used + n > burst) {
        return false;
    }
    a->used += n;
    return true;
}

#endif
