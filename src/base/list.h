/* SPDX-License-Identifier: MIT */
/* Intrusive doubly linked list.  A node that is in no list points at itself. */
#ifndef QMS_BASE_LIST_H
#define QMS_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct qms_list {
    struct qms_list *prev, *next;
};

#define QMS_CONTAINER(ptr, type, member)                                                       \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void qms_list_init(struct qms_list *l)
{
    l->prev = l->next = l;
}
static inline bool qms_list_empty(const struct qms_list *l)
{
    return l->next == l;
}
static inline void qms_list_append(struct qms_list *l, struct qms_list *node)
{
    node->prev = l->prev;
    node->next = l;
    l->prev->next = node;
    l->prev = node;
}
/** Leaves the node pointing at itself; harmless on a node that is in no list. */
static inline void qms_list_remove(struct qms_list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    qms_list_init(node);
}
static inline struct qms_list *qms_list_first(const struct qms_list *l)
{
    return l->next == l ? NULL : l->next;
}

#define QMS_LIST_FOREACH(node, list)                                                           \
    for ((node) = (list)->next; (node) != (list); (node) = (node)->next)
/* Safe against removal of `node` itself. */
#define QMS_LIST_FOREACH_SAFE(node, tmp, list)                                                 \
    for ((node) = (list)->next, (tmp) = (node)->next; (node) != (list);                        \
         (node) = (tmp), (tmp) = (node)->next)

#endif
