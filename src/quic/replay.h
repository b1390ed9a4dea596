/* SPDX-License-Identifier: MIT */
/* First flights seen lately: what keeps early data from being acted on twice (RFC 8446
 * section 8.2).
 *
 * GnuTLS refuses early data whose ticket is older than it says by more than a window, or older
 * than this set; within the window the set must know every first flight that was taken.  All
 * processes that serve one address with one secret must ask the same set. */
#ifndef QMS_QUIC_REPLAY_H
#define QMS_QUIC_REPLAY_H

#include <quicms/types.h>

/** Width of the window. */
#define QMS_REPLAY_WINDOW_MS 10000

struct qms_replay;

struct qms_replay_ops {
    /** Notes a digest until the instant `until` (wall seconds).  False: it was there, or cannot
     * be remembered; then the early data is refused, and a full handshake goes on. */
    bool (*add)(struct qms_replay *r, struct qms_bytes digest, int64_t now, int64_t until);
    void (*free)(struct qms_replay *r);
};
struct qms_replay {
    const struct qms_replay_ops *ops;
};

/** A set in the memory of this process.  NULL: out of memory. */
struct qms_replay *qms_replay_local_new(void);

/** Bytes of shared memory that hold some 10,000 first flights a second. */
#define QMS_REPLAY_SHARED_SIZE ((size_t)4 << 20)

/** A set in memory that several processes share and that was all zero at first; `secret` is the
 * one they have in common.  Adds no locks and waits for nobody: a process may die anywhere in
 * it.  `memory` is aligned to a cache line, holds at least one, and outlives the set.  NULL:
 * out of memory, or no key from the library. */
struct qms_replay *qms_replay_shared_new(void *memory, size_t size, const uint8_t secret[32]);

#endif
