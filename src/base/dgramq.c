/* SPDX-License-Identifier: MIT */
/* Both ends of the same levels: sent from the top, dropped from the bottom. */
#include <string.h>

#include "base/dgramq.h"
#include "base/mem.h"

/* Counted for each datagram beside its payload, so that empty ones are bounded too. */
#define SHARE sizeof(struct qms_dgram)

static void drop(struct qms_dgramq *q, struct qms_prioq_node *node)
{
    struct qms_dgram *d = (struct qms_dgram *)node;

    qms_prioq_remove(&q->queue, node);
    q->bytes -= d->len + SHARE;
    qms_free(d);
}

static size_t total(const struct qms_bytes *parts, size_t count)
{
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    return len;
}

static struct qms_dgram *copy(const struct qms_bytes *parts, size_t count, size_t len)
{
    struct qms_dgram *d = qms_realloc(NULL, sizeof(*d) + len);

    if (d == NULL) {
        return NULL;
    }
    memset(d, 0, sizeof(*d));
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0) {
            memcpy(d->data + d->len, parts[i].data, parts[i].len);
            d->len += parts[i].len;
        }
    }
    return d;
}

qms_err qms_dgramq_put(struct qms_dgramq *q, uint8_t priority, const struct qms_bytes *parts,
                       size_t count)
{
    size_t len = total(parts, count);

    if (len + SHARE > q->limit) {
        return QMS_E_TOO_LARGE;
    }
    struct qms_dgram *d = copy(parts, count, len);
    if (d == NULL) {
        return QMS_E_NOMEM;
    }
    qms_prioq_put(&q->queue, &d->node, priority);
    q->bytes += len + SHARE;
    while (q->bytes > q->limit) {
        drop(q, q->queue.bottom);
        q->dropped++;
    }
    return QMS_OK;
}

const struct qms_dgram *qms_dgramq_top(const struct qms_dgramq *q)
{
    return (const struct qms_dgram *)q->queue.top;
}

void qms_dgramq_pop(struct qms_dgramq *q)
{
    drop(q, q->queue.top);
}

void qms_dgramq_clear(struct qms_dgramq *q)
{
    while (q->queue.top != NULL) {
        drop(q, q->queue.top);
    }
}
