/* SPDX-License-Identifier: MIT */
/* Counts by key that each worker tells the others, in memory that only it writes and all read:
 * how many streams it has given to a member of a group, how many wait for one.  What all have
 * is the sum over the workers that live.
 *
 * No locks, no messages, and nothing that a worker leaves behind when it dies: its table counts
 * no more, and its successor begins with an empty one.  A reader may meet a place while it
 * changes owners and then sees a count of another key, once; so this is for choices that a
 * wrong figure makes less good, not for what must be exact. */
#ifndef QMS_CORE_SHARED_TALLY_H
#define QMS_CORE_SHARED_TALLY_H

#include <quicms/types.h>

/* A key has eight places; where all are taken it is not told. */
#define QMS_TALLY_SETS 2048
#define QMS_TALLY_WAYS 8

/* One worker's table, aligned to 64; zeroed memory is an empty one. */
struct qms_tally {
    uint64_t keys[QMS_TALLY_SETS][QMS_TALLY_WAYS]; /* 0: free */
    uint32_t counts[QMS_TALLY_SETS][QMS_TALLY_WAYS];
};

/** The key of a name, the same in every worker; never 0. */
uint64_t qms_tally_key(struct qms_bytes name);
/** In its worker: from now on `key` has that count, 0 gives its place back.  False: there is no
 * place for it, others see 0. */
bool qms_tally_set(struct qms_tally *t, uint64_t key, uint64_t count);
/** In any worker: what the table's owner has told; 0: nothing. */
uint64_t qms_tally_get(const struct qms_tally *t, uint64_t key);

#endif
