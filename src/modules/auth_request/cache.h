/* SPDX-License-Identifier: MIT */
/* Answers that are remembered for a while, by a digest of the question: a worker's own.  When
 * it is full the one that was put in first makes room. */
#ifndef QMS_MODULES_AUTH_REQUEST_CACHE_H
#define QMS_MODULES_AUTH_REQUEST_CACHE_H

#include "answer.h"
#include "base/list.h"

#define QMS_ANSWER_KEY_LEN 32

struct qms_answer_cache {
    struct qms_map *by_key;
    struct qms_list oldest; /* all entries, the first put in first */
};

/** QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_answer_cache_init(struct qms_answer_cache *c);
/** Takes zeroed memory. */
void qms_answer_cache_fini(struct qms_answer_cache *c);
/** NULL: none, or it is over. */
const struct qms_answer *qms_answer_cache_find(struct qms_answer_cache *c,
                                               const uint8_t key[QMS_ANSWER_KEY_LEN],
                                               qms_time now);
/** Keeps a copy until then; at most `max` are kept.  Without memory it is not kept. */
void qms_answer_cache_put(struct qms_answer_cache *c, const uint8_t key[QMS_ANSWER_KEY_LEN],
                          const struct qms_answer *answer, qms_time until, size_t max);

#endif
