/* SPDX-License-Identifier: MIT */
/* Two orders over the same nodes: by urgency, and by how long each has waited. */
#include "base/sched.h"

void qms_sched_init(struct qms_sched *s, unsigned guard)
{
    *s = (struct qms_sched){.guard = guard};
    qms_list_init(&s->waiting);
    qms_list_init(&s->vital);
}

void qms_sched_node_init(struct qms_sched_node *n)
{
    *n = (struct qms_sched_node){.turn = 0};
    qms_list_init(&n->waiting);
}

void qms_sched_put(struct qms_sched *s, struct qms_sched_node *n, uint8_t priority)
{
    if (!qms_list_empty(&n->waiting)) {
        return;
    }
    n->turn = 0;
    if (n->vital) {
        qms_list_append(&s->vital, &n->waiting);
        return;
    }
    qms_prioq_put(&s->levels, &n->level, priority);
    qms_list_append(&s->waiting, &n->waiting);
}

void qms_sched_remove(struct qms_sched *s, struct qms_sched_node *n)
{
    qms_prioq_remove(&s->levels, &n->level);
    qms_list_remove(&n->waiting);
    if (s->served == n) {
        s->served = NULL;
    }
}

void qms_sched_move(struct qms_sched *s, struct qms_sched_node *n, uint8_t priority)
{
    if (qms_prioq_has(&n->level) && n->level.priority != priority) {
        n->turn = 0;
        qms_prioq_remove(&s->levels, &n->level);
        qms_prioq_put(&s->levels, &n->level, priority);
    }
}

struct qms_sched_node *qms_sched_pick(const struct qms_sched *s)
{
    struct qms_list *vital = qms_list_first(&s->vital), *oldest = qms_list_first(&s->waiting);

    if (vital != NULL) {
        return QMS_CONTAINER(vital, struct qms_sched_node, waiting);
    }
    if (oldest == NULL) {
        return NULL;
    }
    if (s->guard > 0 && !s->started && s->strict + 1 >= s->guard) {
        return QMS_CONTAINER(oldest, struct qms_sched_node, waiting);
    }
    return QMS_CONTAINER(s->levels.top, struct qms_sched_node, level);
}

void qms_sched_served(struct qms_sched *s, struct qms_sched_node *n)
{
    if (!s->started) {
        s->started = true;
        /* Counted from the guard's own packet, which is the first frame's. */
        s->strict = s->guard > 0 && s->strict + 1 >= s->guard ? 0 : s->strict + 1;
    }
    if (!qms_list_empty(&n->waiting)) {
        qms_list_remove(&n->waiting);
        qms_list_append(n->vital ? &s->vital : &s->waiting, &n->waiting);
    }
    if (qms_prioq_has(&n->level)) {
        s->served = n;
    }
}

void qms_sched_packet(struct qms_sched *s)
{
    struct qms_sched_node *n = s->served;

    if (n != NULL && ++n->turn >= QMS_SCHED_TURN) {
        n->turn = 0;
        qms_prioq_rotate(&s->levels, &n->level);
    }
    s->served = NULL;
    s->started = false;
}

bool qms_sched_passed_over(const struct qms_sched *s, const struct qms_sched_node *n)
{
    return !n->vital &&
           (!qms_list_empty(&s->vital) ||
            (s->levels.top != NULL && s->levels.top->priority > n->level.priority));
}
