/* SPDX-License-Identifier: MIT */
/* Reference-counted bytes: what the data path hands on instead of copying.
 *
 * A blob is filled once by its creator (qms_blob_append) and never changes below `len` after
 * that, so any number of holders may read it.  Single-threaded; the count is not atomic.
 */
#ifndef QMS_BASE_BLOB_H
#define QMS_BASE_BLOB_H

#include <quicms/types.h>

struct qms_blob {
    unsigned refs;
    uint32_t len; /* bytes filled */
    uint32_t cap; /* bytes at data */
    uint8_t *data;
    /* Called when the last reference goes; frees the blob itself.  Set by the maker. */
    void (*release)(struct qms_blob *blob);
    void *arg; /* for release */
};

/** Default payload size of one chunk on the data path, in bytes. */
#define QMS_BLOB_CHUNK 16384

/** A blob with room for `cap` bytes and one reference, or NULL when memory is out.
 * Blobs of QMS_BLOB_CHUNK come from a free list of bounded length. */
struct qms_blob *qms_blob_new(size_t cap);
/** A blob holding a copy of `bytes`, or NULL. */
struct qms_blob *qms_blob_copy(struct qms_bytes bytes);
/** A blob over memory of the caller's; `release(arg)` is called when the last reference goes.
 */
struct qms_blob *qms_blob_wrap(struct qms_bytes bytes, void (*release)(void *arg), void *arg);
struct qms_blob *qms_blob_ref(struct qms_blob *blob);
/** Takes NULL. */
void qms_blob_unref(struct qms_blob *blob);
/** Appends up to the room left; returns the number of bytes taken. */
size_t qms_blob_append(struct qms_blob *blob, struct qms_bytes bytes);
/** Bytes held by all living blobs (capacity); the figure behind memory caps and metrics. */
size_t qms_blob_total(void);
/** Empties the free list (end of process; leak checkers). */
void qms_blob_trim(void);

/* A queue of blob ranges: what a stream still has to send, or an application to read.
 * Ranges that continue each other in the same blob are merged. */
struct qms_blobq_entry;
struct qms_blobq {
    struct qms_blobq_entry *ring; /* power-of-two ring, grown on demand */
    uint32_t head, count, cap;
    uint64_t bytes; /* sum of the ranges' lengths */
};
struct qms_blobq_entry {
    struct qms_blob *blob;
    uint32_t off, len;
};
/** Zeroed memory is a valid empty queue. */
void qms_blobq_clear(struct qms_blobq *q);
/** Takes a reference of its own.  QMS_E_NOMEM: nothing changed. */
QMS_MUST_CHECK qms_err qms_blobq_push(struct qms_blobq *q, struct qms_blob *blob, size_t off,
                                      size_t len);
/** Copies bytes in, filling the last blob when this queue is its only holder, else a new chunk.
 */
QMS_MUST_CHECK qms_err qms_blobq_copy_in(struct qms_blobq *q, struct qms_bytes bytes);
/** The i-th range (0 is the front) as lent bytes; i < count. */
struct qms_bytes qms_blobq_at(const struct qms_blobq *q, uint32_t i);
/** Drops `len` bytes from the front; len <= bytes. */
void qms_blobq_drop(struct qms_blobq *q, uint64_t len);

#endif
