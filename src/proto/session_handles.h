/* SPDX-License-Identifier: MIT */
/* Handles of one session: the living streams by handle, the peer's handles that were used, and
 * urgencies that overtook their stream. */
#ifndef QMS_PROTO_SESSION_HANDLES_H
#define QMS_PROTO_SESSION_HANDLES_H

#include <quicms/types.h>

struct qms_ss;
struct qms_handle_range;
struct qms_handle_urgency;

#define QMS_HANDLES_FIRST 8 /* buckets without an allocation */

struct qms_handles {
    struct qms_ss **buckets; /* `first`, or heap memory */
    struct qms_ss *first[QMS_HANDLES_FIRST];
    uint32_t bucket_count, count;
    struct qms_handle_range *used; /* ascending, apart from each other */
    uint32_t used_count, used_cap;
    struct qms_handle_urgency *early; /* ring of the newest 64; NULL while there are none */
    uint32_t early_count, early_head;
};

void qms_handles_init(struct qms_handles *h);
/** The streams must have been removed. */
void qms_handles_fini(struct qms_handles *h);

/** By the stream's opener and handle.  Cannot fail: without memory the table only gets slower.
 */
void qms_handles_add(struct qms_handles *h, struct qms_ss *st);
void qms_handles_remove(struct qms_handles *h, struct qms_ss *st);
/** NULL when absent.  `opener`: the stream was opened by this side. */
struct qms_ss *qms_handles_find(const struct qms_handles *h, bool opener, uint64_t handle);

/** Takes a handle of the peer's.  False: it was taken before.  Headers may arrive in any order,
 * so a smaller handle is not wrong in itself.  Bounded: of a peer that leaves thousands of gaps
 * the oldest handles are forgotten. */
bool qms_handles_claim(struct qms_handles *h, uint64_t handle);
bool qms_handles_claimed(const struct qms_handles *h, uint64_t handle);

struct qms_handle_urgency {
    uint64_t handle;
    uint8_t mask, forward, reverse;
};
/** Keeps an urgency for a handle to come; the oldest of 64 is forgotten. */
void qms_handles_remember(struct qms_handles *h, const struct qms_handle_urgency *u);
/** Takes it out; false when there is none. */
bool qms_handles_recall(struct qms_handles *h, uint64_t handle, struct qms_handle_urgency *out);

#endif
