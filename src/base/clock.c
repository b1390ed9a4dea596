/* SPDX-License-Identifier: MIT */
/* Time and randomness of the system, read here and nowhere else. */
#include "base/clock.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* getentropy(3) refuses more at once. */
#define ENTROPY_MAX 256

qms_time qms_clock_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (qms_time)ts.tv_sec * QMS_SECOND + (qms_time)ts.tv_nsec;
}

int64_t qms_clock_wall(void)
{
    return qms_clock_wall_ns() / (int64_t)QMS_SECOND;
}

int64_t qms_clock_wall_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * (int64_t)QMS_SECOND + (int64_t)ts.tv_nsec;
}

void qms_random(void *out, size_t len)
{
    uint8_t *at = out;

    while (len > 0) {
        size_t part = len < ENTROPY_MAX ? len : ENTROPY_MAX;
        /* Going on with bytes that can be guessed would be worse than to stop. */
        if (getentropy(at, part) != 0) {
            abort();
        }
        at += part;
        len -= part;
    }
}
