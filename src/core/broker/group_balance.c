/* SPDX-License-Identifier: MIT */
#include "core/broker/group_balance.h"

#include <math.h>

#include "base/map.h"
#include "core/broker/elsewhere.h"

static bool is_tried(const struct qms_member *m, const struct qms_tried *tried, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (tried[i].worker == m->info.worker && tried[i].epoch == m->info.epoch) {
            return true;
        }
    }
    return false;
}

static bool takes_streams(const struct qms_member *m)
{
    const struct qms_peer *p = m->peer;

    return m->info.weight > 0 &&
           (p == NULL || (p->state == QMS_PEER_WELCOMED && !p->going_away));
}

/* Smooth weighted round robin: each gains its weight, the richest pays the sum, so that heavy
 * members do not get their share in one burst. */
static double turn_score(struct qms_member *m)
{
    m->turn += m->info.weight;
    return (double)m->turn;
}

/* Streams for the weight, of all workers. */
static double load_score(const struct qms_broker *b, const struct qms_member *m)
{
    uint64_t streams = m->streams + qms_elsewhere_count(b, m->streams_key);

    return -(double)streams / m->info.weight;
}

/* Weighted rendezvous hashing: only streams of a member that came or went change places.  The
 * seed is fixed, because all workers must choose alike; who chooses META can only choose among
 * members that he may reach anyway. */
static double sticky_score(const struct qms_member *m, struct qms_bytes key)
{
    static const uint8_t seed[16] = "quicms sticky 1";
    struct qms_bytes id = {(const uint8_t *)m->info.id, m->info.id_len};
    uint64_t parts[2] = {qms_siphash(seed, key), qms_siphash(seed, id)};
    uint64_t hash =
        qms_siphash(seed, (struct qms_bytes){(const uint8_t *)parts, sizeof(parts)});
    double unit = ((double)(hash >> 11) + 0.5) / 9007199254740992.0; /* within (0, 1) */

    return -(double)m->info.weight / log(unit);
}

static double score_of(const struct qms_broker *b, struct qms_member *m,
                       enum qms_balance balance, struct qms_bytes key)
{
    switch (balance) {
    case QMS_BALANCE_STICKY:
        return sticky_score(m, key);
    case QMS_BALANCE_LEAST_STREAMS:
        return load_score(b, m);
    case QMS_BALANCE_ROUND_ROBIN:
        break;
    }
    return turn_score(m);
}

struct qms_member *qms_group_choose(const struct qms_broker *b, struct qms_room *room,
                                    enum qms_balance balance, struct qms_bytes key,
                                    const struct qms_tried *tried, size_t tried_count)
{
    struct qms_member *best = NULL;
    struct qms_list *node;
    uint64_t sum = 0;
    double highest = 0;
    int tier = -1;

    QMS_LIST_FOREACH(node, &room->members) {
        const struct qms_member *m = QMS_CONTAINER(node, struct qms_member, node);
        if (takes_streams(m) && !is_tried(m, tried, tried_count) && m->info.priority > tier) {
            tier = m->info.priority;
        }
    }
    QMS_LIST_FOREACH(node, &room->members) {
        struct qms_member *m = QMS_CONTAINER(node, struct qms_member, node);
        if (m->info.priority != tier || !takes_streams(m) || is_tried(m, tried, tried_count)) {
            continue;
        }
        double score = score_of(b, m, balance, key);
        sum += m->info.weight;
        if (best == NULL || score > highest) {
            best = m;
            highest = score;
        }
    }
    if (best != NULL && balance == QMS_BALANCE_ROUND_ROBIN) {
        best->turn -= (int64_t)sum;
    }
    return best;
}
