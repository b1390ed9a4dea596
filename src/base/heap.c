/* SPDX-License-Identifier: MIT */
/* A node knows its position, so that moving and removing need no search.  Slot 0 is unused:
 * position 0 means "in no heap", and the children of i are 2i and 2i + 1. */
#include "base/heap.h"

#include "base/mem.h"

#define FIRST_CAP 16

static void place(struct qms_heap *h, struct qms_heap_node *node, size_t index)
{
    h->nodes[index] = node;
    node->index = index;
}

static void sift_up(struct qms_heap *h, struct qms_heap_node *node)
{
    size_t i = node->index;

    while (i > 1 && node->at < h->nodes[i / 2]->at) {
        place(h, h->nodes[i / 2], i);
        i /= 2;
    }
    place(h, node, i);
}

static void sift_down(struct qms_heap *h, struct qms_heap_node *node)
{
    size_t i = node->index;

    while (2 * i <= h->count) {
        size_t child = 2 * i;
        if (child < h->count && h->nodes[child + 1]->at < h->nodes[child]->at) {
            child++;
        }
        if (node->at <= h->nodes[child]->at) {
            break;
        }
        place(h, h->nodes[child], i);
        i = child;
    }
    place(h, node, i);
}

qms_err qms_heap_reserve(struct qms_heap *h, size_t count)
{
    size_t cap = h->cap > 0 ? h->cap : FIRST_CAP;

    if (count < h->cap) {
        return QMS_OK;
    }
    while (cap <= count) {
        cap *= 2;
    }
    struct qms_heap_node **nodes = qms_realloc(h->nodes, cap * sizeof(*nodes));
    if (nodes == NULL) {
        return QMS_E_NOMEM;
    }
    h->nodes = nodes;
    h->cap = cap;
    return QMS_OK;
}

void qms_heap_fini(struct qms_heap *h)
{
    for (size_t i = 1; i <= h->count; i++) {
        h->nodes[i]->index = 0;
    }
    qms_free(h->nodes);
    *h = (struct qms_heap){0};
}

qms_err qms_heap_set(struct qms_heap *h, struct qms_heap_node *node, qms_time at)
{
    if (at == QMS_NEVER) {
        qms_heap_remove(h, node);
        node->at = at;
        return QMS_OK;
    }
    if (node->index == 0) {
        if (qms_heap_reserve(h, h->count + 1) != QMS_OK) {
            return QMS_E_NOMEM;
        }
        place(h, node, ++h->count);
    }
    node->at = at;
    sift_up(h, node);
    sift_down(h, node);
    return QMS_OK;
}

void qms_heap_remove(struct qms_heap *h, struct qms_heap_node *node)
{
    if (node->index == 0) {
        return;
    }

    struct qms_heap_node *last = h->nodes[h->count--];
    if (last != node) {
        place(h, last, node->index);
        sift_up(h, last);
        sift_down(h, last);
    }
    node->index = 0;
}

struct qms_heap_node *qms_heap_top(const struct qms_heap *h)
{
    return h->count > 0 ? h->nodes[1] : NULL;
}
