/* SPDX-License-Identifier: MIT */
#include "quic/blocked.h"

static qms_time passed(qms_time from, qms_time to)
{
    return to > from ? to - from : 0;
}

static qms_time credit_of(const struct qms_standstill *s, qms_time now)
{
    return s->credit + (s->why == QMS_NO_CREDIT ? passed(s->since, now) : 0);
}

static qms_time congested_of(const struct qms_standstill *s, qms_time now)
{
    return s->congested + (s->why == QMS_CONGESTED ? passed(s->since, now) : 0);
}

void qms_standstill_set(struct qms_standstill *s, unsigned why, qms_time now)
{
    s->credit = credit_of(s, now);
    s->congested = congested_of(s, now);
    s->why = why;
    s->since = now;
}

void qms_blocked_wait(struct qms_blocked *b, const struct qms_standstill *s, qms_time now)
{
    if (!b->waiting) {
        b->waiting = true;
        b->since = now;
        b->credit = credit_of(s, now);
        b->congested = congested_of(s, now);
    }
}

void qms_blocked_served(struct qms_blocked *b, const struct qms_standstill *s, qms_time now)
{
    if (!b->waiting) {
        return;
    }
    qms_time all = passed(b->since, now);
    qms_time credit = passed(b->credit, credit_of(s, now));
    qms_time congested = passed(b->congested, congested_of(s, now));

    b->waiting = false;
    b->for_credit += credit;
    b->for_congestion += congested;
    b->for_priority += passed(credit + congested, all);
}

void qms_blocked_by_peer(struct qms_blocked *b, const struct qms_standstill *s, qms_time now)
{
    qms_blocked_served(b, s, now);
    b->by_peer = true;
    b->since = now;
}

void qms_blocked_credited(struct qms_blocked *b, qms_time now)
{
    if (b->by_peer) {
        b->by_peer = false;
        b->for_stream += passed(b->since, now);
    }
}

void qms_blocked_stats(const struct qms_blocked *b, const struct qms_standstill *s,
                       qms_time now, struct qms_link_stream_stats *out)
{
    struct qms_blocked so_far = *b;

    qms_blocked_served(&so_far, s, now);
    qms_blocked_credited(&so_far, now);
    out->blocked_stream = so_far.for_stream;
    out->blocked_credit = so_far.for_credit;
    out->blocked_congestion = so_far.for_congestion;
    out->blocked_priority = so_far.for_priority;
}
