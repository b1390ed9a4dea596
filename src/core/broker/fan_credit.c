/* SPDX-License-Identifier: MIT */
/* Who is slow, and what credit the publisher gets.  Looked at once a turn for each fan in which
 * something changed, so that a thousand acknowledgements cost one walk over the subs. */
#include "core/broker/fan_i.h"
#include "core/broker/peer.h"

/* A sub that acknowledges nothing for so long sets no pace, where it may not block. */
#define STUCK_FOR QMS_SECOND
/* A message longer than this many times max_lag is no reason to let a sub fall behind further.
 */
#define LONG_MESSAGES 15

void qms_fan_touch(struct qms_fan *fan)
{
    if (qms_list_empty(&fan->dirty)) {
        qms_list_append(&fan->broker->fans, &fan->dirty);
    }
}

bool qms_fans_due(const struct qms_broker *b)
{
    return !qms_list_empty(&b->fans);
}

/* ---- policy ---- */

static const struct qms_route_conf *block_of(const struct qms_fan *fan, unsigned server)
{
    const struct qms_conf *conf = fan->broker->conf;

    return qms_route_conf_find(&conf->servers[server < conf->server_count ? server : 0],
                               QMS_KIND_TOPIC, qms_room_name(fan->room));
}

/* Less harm than the configuration says, never more. */
static uint64_t policy_of(const struct qms_route_conf *block, const struct qms_member *m)
{
    uint64_t asked = m->info.slow == QMS_SLOW_DROP         ? QMS_ON_SLOW_DROP
                     : m->info.slow == QMS_SLOW_DISCONNECT ? QMS_ON_SLOW_DISCONNECT
                                                           : QMS_ON_SLOW_BLOCK;

    return asked > block->on_slow ? asked : block->on_slow;
}

/* Another worker's sub blocks when one of the subscribers there does; that worker deals with
 * each of them, so here it is never ended for want of progress. */
static void worker_policy(struct qms_sub *sub)
{
    struct qms_list *node;

    sub->on_slow = QMS_ON_SLOW_DROP;
    sub->slow_for = 0;
    QMS_LIST_FOREACH(node, &sub->fan->room->members) {
        const struct qms_member *m = QMS_CONTAINER(node, struct qms_member, node);
        if (m->info.worker != sub->slot) {
            continue;
        }
        const struct qms_route_conf *block = block_of(sub->fan, m->info.server);
        sub->max_lag = block->max_lag;
        if (policy_of(block, m) == QMS_ON_SLOW_BLOCK) {
            sub->on_slow = QMS_ON_SLOW_BLOCK;
            return;
        }
    }
}

void qms_sub_policy(struct qms_sub *sub)
{
    if (sub->slot >= 0) {
        worker_policy(sub);
    } else if (sub->member != NULL) {
        const struct qms_route_conf *block = block_of(sub->fan, sub->member->info.server);
        sub->on_slow = policy_of(block, sub->member);
        sub->slow_for = block->slow_for;
        sub->max_lag = block->max_lag;
    }
}

uint64_t qms_sub_lag(const struct qms_sub *sub)
{
    return sub->out > sub->fan->front ? sub->out - sub->fan->front : 0;
}

/* By how far it is behind, not by what comes: a message may be longer than max_lag. */
bool qms_sub_takes(struct qms_sub *sub, uint64_t length)
{
    uint64_t extra = length;

    if (sub->on_slow != QMS_ON_SLOW_DROP || qms_sub_lag(sub) <= sub->max_lag) {
        extra = extra < LONG_MESSAGES * sub->max_lag ? extra : LONG_MESSAGES * sub->max_lag;
        sub->bound = sub->max_lag + extra;
        sub->fair = sub->out + extra;
        return true;
    }
    return false;
}

bool qms_sub_too_slow(const struct qms_sub *sub)
{
    switch (sub->on_slow) {
    case QMS_ON_SLOW_DISCONNECT:
        return qms_sub_lag(sub) > sub->max_lag;
    case QMS_ON_SLOW_DROP:
        /* The front is where the fastest is believed to be; what it falls by between two turns
         * is no reason to cut a message that was taken. */
        return qms_sub_lag(sub) > sub->bound && sub->out > sub->fair;
    default:
        return false;
    }
}

/* ---- the turn ---- */

/* What the walk over the subs finds. */
struct pace {
    bool blocks, moves;
    uint64_t slowest, fastest; /* bytes that wait: the most of those that block, the least of
                                  the others that move */
    qms_time next_at;
};

static qms_time patience_of(const struct qms_sub *sub)
{
    return sub->on_slow == QMS_ON_SLOW_BLOCK ? sub->slow_for : STUCK_FOR;
}

static void look_at(const struct qms_sub *sub, qms_time now, struct pace *pace)
{
    qms_time patience = patience_of(sub);
    bool blocks = sub->on_slow == QMS_ON_SLOW_BLOCK;
    bool stuck = sub->out > 0 && patience != 0 && now - sub->moved_at >= patience;

    if (sub->out > 0 && patience != 0 && !stuck && sub->moved_at + patience < pace->next_at) {
        pace->next_at = sub->moved_at + patience;
    }
    if (blocks) {
        pace->blocks = true;
        pace->slowest = sub->out > pace->slowest ? sub->out : pace->slowest;
    }
    if (!stuck && !sub->skipping) {
        pace->fastest = !pace->moves || sub->out < pace->fastest ? sub->out : pace->fastest;
        pace->moves = true;
    }
}

/* One that blocks and does not move in its time. */
static bool out_of_patience(const struct qms_sub *sub, qms_time now)
{
    return sub->on_slow == QMS_ON_SLOW_BLOCK && sub->slow_for != 0 && sub->out > 0 &&
           now - sub->moved_at >= sub->slow_for;
}

static void end_slow_ones(struct qms_fan *fan, qms_time now)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &fan->subs) {
        struct qms_sub *sub = QMS_CONTAINER(node, struct qms_sub, node);
        if (out_of_patience(sub, now)) {
            qms_stats_add(fan->broker->stats, QMS_S_TOPIC_CUT, 1);
            qms_sub_end(sub, QMS_CODE_SLOW_CONSUMER);
        }
    }
}

static void on_timer(struct qms_timer *t, qms_time now)
{
    (void)now;
    qms_fan_touch(QMS_CONTAINER(t, struct qms_fan, timer));
}

static void settle(struct qms_fan *fan, qms_time now)
{
    struct pace pace = {.next_at = QMS_NEVER};
    struct qms_list *node;

    if (fan->reloads != fan->broker->reloads) {
        fan->reloads = fan->broker->reloads;
        QMS_LIST_FOREACH(node, &fan->subs) {
            qms_sub_policy(QMS_CONTAINER(node, struct qms_sub, node));
        }
    }
    end_slow_ones(fan, now);
    QMS_LIST_FOREACH(node, &fan->subs) {
        look_at(QMS_CONTAINER(node, struct qms_sub, node), now, &pace);
    }
    fan->moves = pace.moves;
    fan->front = pace.moves ? pace.fastest : 0;
    uint64_t keep = pace.blocks ? pace.slowest : fan->front;
    uint64_t len = fan->owed > keep ? fan->owed - keep : 0;

    fan->owed -= len;
    fan->timer.fire = on_timer;
    /* Without memory for the timer the next acknowledgement looks again. */
    (void)!qms_timer_set(fan->broker, &fan->timer, pace.next_at);
    if (fan->up != NULL && len > 0) {
        fan->up->ops->credit(fan->up, len);
    }
    if (fan->ended && qms_list_empty(&fan->subs)) {
        struct qms_channel *up = fan->up;
        qms_fan_free(fan);
        if (up != NULL) {
            up->ops->detach(up, QMS_CODE_OK);
        }
    }
}

void qms_fans_turn(struct qms_broker *b)
{
    struct qms_list todo, *node;

    qms_list_init(&todo);
    while ((node = qms_list_first(&b->fans)) != NULL) {
        qms_list_remove(node);
        qms_list_append(&todo, node);
    }
    while ((node = qms_list_first(&todo)) != NULL) {
        qms_list_remove(node);
        settle(QMS_CONTAINER(node, struct qms_fan, dirty), b->now);
    }
}
