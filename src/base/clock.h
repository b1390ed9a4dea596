/* SPDX-License-Identifier: MIT */
/* The only places that read a clock or the system's randomness. */
#ifndef QMS_BASE_CLOCK_H
#define QMS_BASE_CLOCK_H

#include <quicms/types.h>

/** CLOCK_MONOTONIC in nanoseconds. */
qms_time qms_clock_now(void);
/** Seconds since the epoch (certificates, token expiry). */
int64_t qms_clock_wall(void);
/** The same in nanoseconds. */
int64_t qms_clock_wall_ns(void);
/** Fills from getrandom(2); safe after fork.  Aborts if the kernel has none to give. */
void qms_random(void *out, size_t len);

#endif
