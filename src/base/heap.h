/* SPDX-License-Identifier: MIT */
/* Binary heap of instants with intrusive nodes: the timers of a process. */
#ifndef QMS_BASE_HEAP_H
#define QMS_BASE_HEAP_H

#include <quicms/types.h>

struct qms_heap_node {
    qms_time at;
    size_t index; /* 0: in no heap (positions count from 1) */
};
struct qms_heap {
    struct qms_heap_node **nodes;
    size_t count, cap;
};

/** Zeroed memory is a valid empty heap. */
void qms_heap_fini(struct qms_heap *h);
/** Inserts, or moves a node that is in already.  `at` QMS_NEVER removes it.  QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_heap_set(struct qms_heap *h, struct qms_heap_node *node,
                                    qms_time at);
/** Makes room for this many nodes: while no more are in, qms_heap_set cannot fail.
 * QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_heap_reserve(struct qms_heap *h, size_t count);
void qms_heap_remove(struct qms_heap *h, struct qms_heap_node *node);
/** The earliest node, or NULL. */
struct qms_heap_node *qms_heap_top(const struct qms_heap *h);

#endif
