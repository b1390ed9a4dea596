/* SPDX-License-Identifier: MIT */
/* A ring of blob ranges.  Free slots behind the last entry may be filled before they count,
 * which lets a copy of many chunks fail half-way without a trace. */
#include <assert.h>
#include <string.h>

#include "base/blob.h"
#include "base/mem.h"

#define FIRST_CAP 4
/* An emptied ring above this is given back: streams rest empty for most of their lives. */
#define REST_CAP 64
/* What a queue that holds next to nothing starts with, so that a thousand streams with one
 * short message each do not pin a thousand chunks. */
#define SMALL_CHUNK 2048

static struct qms_blobq_entry *slot(const struct qms_blobq *q, uint32_t i)
{
    return &q->ring[(q->head + i) & (q->cap - 1)];
}

static qms_err make_room(struct qms_blobq *q, size_t more)
{
    size_t cap = q->cap > 0 ? q->cap : FIRST_CAP;

    while (cap - q->count < more) {
        cap *= 2;
    }
    if (cap == q->cap) {
        return QMS_OK;
    }
    if (cap > UINT32_MAX / 2) {
        return QMS_E_NOMEM;
    }
    struct qms_blobq_entry *ring = qms_realloc(NULL, cap * sizeof(*ring));
    if (ring == NULL) {
        return QMS_E_NOMEM;
    }
    for (uint32_t i = 0; i < q->count; i++) {
        ring[i] = *slot(q, i);
    }
    qms_free(q->ring);
    q->ring = ring;
    q->head = 0;
    q->cap = (uint32_t)cap;
    return QMS_OK;
}

/* The last entry when it ends where its blob ends and nobody else reads that blob. */
static struct qms_blobq_entry *fillable(const struct qms_blobq *q)
{
    if (q->count == 0) {
        return NULL;
    }
    struct qms_blobq_entry *last = slot(q, q->count - 1);
    bool open = last->blob->refs == 1 && last->off + last->len == last->blob->len;
    return open ? last : NULL;
}

void qms_blobq_clear(struct qms_blobq *q)
{
    for (uint32_t i = 0; i < q->count; i++) {
        qms_blob_unref(slot(q, i)->blob);
    }
    qms_free(q->ring);
    *q = (struct qms_blobq){0};
}

qms_err qms_blobq_push(struct qms_blobq *q, struct qms_blob *blob, size_t off, size_t len)
{
    assert(off <= blob->len && len <= blob->len - off);
    if (len == 0) {
        return QMS_OK;
    }

    struct qms_blobq_entry *last = q->count > 0 ? slot(q, q->count - 1) : NULL;
    if (last != NULL && last->blob == blob && last->off + last->len == off) {
        last->len += (uint32_t)len;
    } else {
        if (make_room(q, 1) != QMS_OK) {
            return QMS_E_NOMEM;
        }
        *slot(q, q->count++) =
            (struct qms_blobq_entry){qms_blob_ref(blob), (uint32_t)off, (uint32_t)len};
    }
    q->bytes += len;
    return QMS_OK;
}

/* Puts `n` blobs, filled with `bytes`, into the free slots behind the last entry. */
static qms_err stage(struct qms_blobq *q, struct qms_bytes bytes, uint32_t n)
{
    size_t cap = q->bytes + bytes.len <= SMALL_CHUNK ? SMALL_CHUNK : QMS_BLOB_CHUNK;

    for (uint32_t i = 0; i < n; i++) {
        struct qms_blob *blob = qms_blob_new(cap);
        if (blob == NULL) {
            while (i-- > 0) {
                qms_blob_unref(slot(q, q->count + i)->blob);
            }
            return QMS_E_NOMEM;
        }
        size_t len = qms_blob_append(blob, bytes);
        bytes = (struct qms_bytes){bytes.data + len, bytes.len - len};
        *slot(q, q->count + i) = (struct qms_blobq_entry){blob, 0, (uint32_t)len};
    }
    return QMS_OK;
}

qms_err qms_blobq_copy_in(struct qms_blobq *q, struct qms_bytes bytes)
{
    struct qms_blobq_entry *last = fillable(q);
    size_t head = last != NULL ? last->blob->cap - last->blob->len : 0;
    if (head > bytes.len) {
        head = bytes.len;
    }

    size_t n = (bytes.len - head + QMS_BLOB_CHUNK - 1) / QMS_BLOB_CHUNK;
    if (n > 0) {
        struct qms_bytes rest = {bytes.data + head, bytes.len - head};
        if (make_room(q, n) != QMS_OK || stage(q, rest, (uint32_t)n) != QMS_OK) {
            return QMS_E_NOMEM;
        }
    }
    if (head > 0) {
        last = slot(q, q->count - 1); /* the ring may have moved */
        qms_blob_append(last->blob, (struct qms_bytes){bytes.data, head});
        last->len += (uint32_t)head;
    }
    q->count += (uint32_t)n;
    q->bytes += bytes.len;
    return QMS_OK;
}

struct qms_bytes qms_blobq_at(const struct qms_blobq *q, uint32_t i)
{
    assert(i < q->count);
    const struct qms_blobq_entry *e = slot(q, i);

    return (struct qms_bytes){e->blob->data + e->off, e->len};
}

void qms_blobq_drop(struct qms_blobq *q, uint64_t len)
{
    assert(len <= q->bytes);
    q->bytes -= len;
    while (len > 0) {
        struct qms_blobq_entry *front = slot(q, 0);
        if (len < front->len) {
            front->off += (uint32_t)len;
            front->len -= (uint32_t)len;
            return;
        }
        len -= front->len;
        qms_blob_unref(front->blob);
        q->head = (q->head + 1) & (q->cap - 1);
        q->count--;
    }
    if (q->count == 0 && q->cap > REST_CAP) {
        qms_blobq_clear(q);
    }
}
