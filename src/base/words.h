/* SPDX-License-Identifier: MIT */
/* A table of 64-bit words by key, in memory that several processes share, without locks.
 *
 * A word is an instant, until which it says something: a bucket that is not paid until then, a
 * lease that runs until then.  So a word that lies behind is as good as none, and its place is
 * taken by whoever needs one; zeroed memory is an empty table; and a process that dies at any
 * point leaves nothing that does not pass by itself.
 *
 * Keys are hashed to eight places.  When none of them is free the one that is over first makes
 * room, which forgives what it still said; that is counted.  Two processes that take the place
 * of one word at the same time may count on it for another key once: an error of one step,
 * never of more. */
#ifndef QMS_BASE_WORDS_H
#define QMS_BASE_WORDS_H

#include <quicms/types.h>

/* Smallest memory that makes a table, bytes. */
#define QMS_WORDS_MIN 4096

struct qms_words {
    struct qms_words_head *head; /* NULL: there is no table */
    struct qms_words_place *places;
    uint64_t sets; /* of eight places */
};

/** A table over `size` bytes, aligned to 64, that are zero or hold one already.  False: too
 * small, or memory is NULL. */
bool qms_words_open(struct qms_words *w, void *memory, size_t size);
/** The word of a key: `what` tells apart what is kept under one name.  Never NULL.  `*evicted`
 * (may be NULL) counts up when another key had to make room. */
uint64_t *qms_words_at(const struct qms_words *w, unsigned what, struct qms_bytes key,
                       qms_time now, uint64_t *evicted);
/** Keys that still say something (tests, and for people). */
size_t qms_words_used(const struct qms_words *w, qms_time now);

#endif
