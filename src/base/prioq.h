/* SPDX-License-Identifier: MIT */
/* A queue of 256 levels, first come first served inside each.
 *
 * No table of levels: the nodes of one level form a ring, and the first node of each ring is
 * linked to the first nodes of the levels next to it.  An idle connection pays two pointers,
 * and nothing here can run out of memory.
 */
#ifndef QMS_BASE_PRIOQ_H
#define QMS_BASE_PRIOQ_H

#include <quicms/types.h>

/* Embedded in what is queued; zeroed memory is a node in no queue. */
struct qms_prioq_node {
    struct qms_prioq_node *next, *prev; /* ring of the level; NULL: in no queue */
    struct qms_prioq_node *up, *down;   /* firsts of the neighbouring levels; firsts only */
    uint8_t priority;
};

/* Zeroed memory is a valid empty queue. */
struct qms_prioq {
    struct qms_prioq_node *top, *bottom; /* firsts of the most and the least urgent level */
};

static inline bool qms_prioq_has(const struct qms_prioq_node *node)
{
    return node->next != NULL;
}

/** Behind the others of its level.  The node must be in no queue.  Costs a step for each level
 * in use that is more urgent. */
void qms_prioq_put(struct qms_prioq *q, struct qms_prioq_node *node, uint8_t priority);
/** Harmless on a node that is in no queue. */
void qms_prioq_remove(struct qms_prioq *q, struct qms_prioq_node *node);
/** Moves the first node of a level behind the others of it; no effect on other nodes. */
void qms_prioq_rotate(struct qms_prioq *q, struct qms_prioq_node *node);

#endif
