/* SPDX-License-Identifier: MIT */
/* Which known name a misspelt one may stand for. */
#ifndef QMS_BASE_NEAR_H
#define QMS_BASE_NEAR_H

#include <quicms/types.h>

/* A distance that every name beats; longer names are never near. */
#define QMS_NEAR_NONE 48

/** Whether `name` can be meant by `typed`; *best is the distance to beat and is updated.
 * Letters that differ in case are the same. */
bool qms_near(const char *typed, const char *name, unsigned *best);
/** A sentence to go behind an error: ` Did you mean "WORD"?` with the nearest of `words`
 * (NULL-ended), or nothing.  A word that ends in "=" is compared with what stands before the
 * value.  Returns buf. */
const char *qms_near_hint(const char *typed, const char *const *words, char *buf, size_t size);
#define QMS_NEAR_HINT_MAX (QMS_NEAR_NONE + 24)

#endif
