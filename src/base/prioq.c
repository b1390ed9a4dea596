/* SPDX-License-Identifier: MIT */
/* Rings of equals, chained by their first nodes from the most urgent down. */
#include "base/prioq.h"

/* Gives the place of `old` in the chain of levels to `node`, which may be NULL: level gone. */
static void replace_first(struct qms_prioq *q, struct qms_prioq_node *old,
                          struct qms_prioq_node *node)
{
    struct qms_prioq_node *up = old->up, *down = old->down;

    if (node != NULL) {
        node->up = up;
        node->down = down;
    }
    *(up != NULL ? &up->down : &q->top) = node != NULL ? node : down;
    *(down != NULL ? &down->up : &q->bottom) = node != NULL ? node : up;
    old->up = old->down = NULL;
}

static bool is_first(const struct qms_prioq *q, const struct qms_prioq_node *node)
{
    return node->up != NULL || q->top == node;
}

/* A new level right above `below`; NULL: at the bottom. */
static void add_level(struct qms_prioq *q, struct qms_prioq_node *node,
                      struct qms_prioq_node *below)
{
    struct qms_prioq_node *above = below != NULL ? below->up : q->bottom;

    node->next = node->prev = node;
    node->up = above;
    node->down = below;
    *(above != NULL ? &above->down : &q->top) = node;
    *(below != NULL ? &below->up : &q->bottom) = node;
}

void qms_prioq_put(struct qms_prioq *q, struct qms_prioq_node *node, uint8_t priority)
{
    struct qms_prioq_node *level = q->top;

    while (level != NULL && level->priority > priority) {
        level = level->down;
    }
    node->priority = priority;
    if (level == NULL || level->priority != priority) {
        add_level(q, node, level);
        return;
    }
    node->up = node->down = NULL;
    node->next = level;
    node->prev = level->prev;
    level->prev->next = node;
    level->prev = node;
}

void qms_prioq_remove(struct qms_prioq *q, struct qms_prioq_node *node)
{
    if (!qms_prioq_has(node)) {
        return;
    }
    if (is_first(q, node)) {
        replace_first(q, node, node->next != node ? node->next : NULL);
    }
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->next = node->prev = NULL;
}

void qms_prioq_rotate(struct qms_prioq *q, struct qms_prioq_node *node)
{
    if (qms_prioq_has(node) && node->next != node && is_first(q, node)) {
        replace_first(q, node, node->next);
    }
}
