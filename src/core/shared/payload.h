/* SPDX-License-Identifier: MIT */
/* Payload arenas: memory that one worker fills and the others read.
 *
 * A worker owns one arena, an anonymous file cut into chunks, and is the only one that can
 * write to it; the other workers map it read-only.  Chunks are blobs (base/blob.h) to their
 * owner.  A range that was lent to another worker keeps its chunk until that worker has
 * returned it, or is gone; what it returns is checked against what it was lent.
 *
 * A reader trusts nothing: ranges are checked against the file, whose size is sealed.  The
 * bytes may still change while it looks, so whoever interprets them copies them first.
 */
#ifndef QMS_CORE_SHARED_PAYLOAD_H
#define QMS_CORE_SHARED_PAYLOAD_H

#include "base/blob.h"
#include "core/shared/slots.h"

/** Largest blob of an arena. */
#define QMS_PAYLOAD_WIDE 81920

struct qms_payload;      /* the owner's */
struct qms_payload_view; /* a reader's; counted */

struct qms_payload_range {
    uint32_t chunk, off, len;
};

/** The file of an arena of about `size` bytes; memory is taken as it is used.  `*owner` can be
 * written, `*reader` cannot.  QMS_E_IO (errno). */
QMS_MUST_CHECK qms_err qms_payload_file(uint64_t size, int *owner, int *reader);

/** Maps the owner's side; the descriptor stays the caller's.  NULL: errno. */
struct qms_payload *qms_payload_new(int fd);
/** Goes with its last blob. */
void qms_payload_free(struct qms_payload *p);
/** An empty blob with room for at least `cap` bytes (at most QMS_PAYLOAD_WIDE).  NULL: the
 * arena is full. */
struct qms_blob *qms_payload_blob(struct qms_payload *p, size_t cap);
/** Whether the blob is one of this arena. */
bool qms_payload_owns(const struct qms_payload *p, const struct qms_blob *blob);
/** Lends a range of a blob of this arena to a worker.  The chunk stays until it is returned. */
struct qms_payload_range qms_payload_lend(struct qms_payload *p, struct qms_blob *blob,
                                          size_t off, size_t len, unsigned to);
/** `count` ranges of a chunk come back.  QMS_E_PROTOCOL: it was not lent that often. */
QMS_MUST_CHECK qms_err qms_payload_return(struct qms_payload *p, uint32_t chunk, uint32_t count,
                                          unsigned from);
/** That worker is gone: what it was lent comes back. */
void qms_payload_forget(struct qms_payload *p, unsigned to);
/** Chunks in use. */
size_t qms_payload_used(const struct qms_payload *p);

/** Maps another worker's arena; the descriptor stays the caller's.  NULL: errno, EBADF when it
 * is no sealed file of an arena. */
struct qms_payload_view *qms_payload_view_new(int fd);
struct qms_payload_view *qms_payload_view_ref(struct qms_payload_view *v);
void qms_payload_view_unref(struct qms_payload_view *v); /* takes NULL */
/** The whole chunk that a range lies in.  QMS_E_PROTOCOL: the range is not inside one. */
QMS_MUST_CHECK qms_err qms_payload_view_chunk(const struct qms_payload_view *v,
                                              const struct qms_payload_range *range,
                                              struct qms_bytes *chunk);

#endif
