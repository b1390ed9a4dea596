/* SPDX-License-Identifier: MIT */
/* Answers that are remembered for a while, in memory that all workers share: what one worker
 * was told the others know.
 *
 * A question is known by a digest, and kept under a hash of it that is keyed by a secret of
 * that memory; so neither credentials are there nor anything to hold against guesses from
 * outside, and nobody can choose whose place is taken.  There are no locks: an entry stands
 * beside a keyed check sum of all its words.  One that two workers wrote at once, that is being
 * written at this moment or whose writer has died has another sum, and is none. */
#ifndef QMS_MODULES_AUTH_REQUEST_CACHE_H
#define QMS_MODULES_AUTH_REQUEST_CACHE_H

#include "answer.h"

#define QMS_ANSWER_KEY_LEN 32

struct qms_answer_cache {
    struct qms_answer_head *head; /* NULL: nothing is remembered */
    struct qms_answer_slot *slots;
    size_t sets; /* of eight slots */
};

/** Bytes that hold so many answers, rounded up to a multiple of eight; 0 for none. */
size_t qms_answer_cache_size(size_t answers);
/** A cache over memory of that size, aligned to 64 and zero or one already.  NULL, 0: one that
 * remembers nothing. */
void qms_answer_cache_open(struct qms_answer_cache *c, void *memory, size_t size);
/** `key`: the digest of a question.  False: not known, or it is over. */
bool qms_answer_cache_find(const struct qms_answer_cache *c,
                           const uint8_t key[QMS_ANSWER_KEY_LEN], qms_time now,
                           struct qms_answer *out);
/** Remembers it until then.  Of the eight places where it may stand it takes its own, else the
 * one that is over first: refusals, which are short, make room before good answers. */
void qms_answer_cache_put(const struct qms_answer_cache *c,
                          const uint8_t key[QMS_ANSWER_KEY_LEN],
                          const struct qms_answer *answer, qms_time until);

#endif
