/* SPDX-License-Identifier: MIT */
#include "core/broker/hold.h"

#define GRAIN_MIN (5 * QMS_MILLISECOND)

static unsigned slot(const struct qms_hold *h, unsigned n)
{
    return (h->first + n) % QMS_HOLD_PARTS;
}

void qms_hold_add(struct qms_hold *h, uint64_t len, qms_time at, qms_time now)
{
    qms_time wait = at > now ? at - now : 0;
    qms_time grain = wait / 8 > GRAIN_MIN ? wait / 8 : GRAIN_MIN;

    h->total += len;
    if (h->count > 0) {
        unsigned last = slot(h, h->count - 1);
        at = at > h->parts[last].at ? at : h->parts[last].at;
        if (at - h->parts[last].from < grain || h->count == QMS_HOLD_PARTS) {
            h->parts[last].at = at;
            h->parts[last].len += len;
            return;
        }
    }
    unsigned next = slot(h, h->count++);
    h->parts[next].from = h->parts[next].at = at;
    h->parts[next].len = len;
}

void qms_hold_earn(struct qms_hold *h, qms_time now)
{
    while (h->count > 0 && h->parts[h->first].at <= now) {
        h->total -= h->parts[h->first].len;
        h->first = slot(h, 1);
        h->count--;
    }
}

qms_time qms_hold_next_at(const struct qms_hold *h)
{
    return h->count > 0 ? h->parts[h->first].at : QMS_NEVER;
}
