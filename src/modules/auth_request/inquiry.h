/* SPDX-License-Identifier: MIT */
/* What several agents of a worker want to know at the same time is asked once: whoever has the
 * same question while it is under way waits for its answer with the others. */
#ifndef QMS_MODULES_AUTH_REQUEST_INQUIRY_H
#define QMS_MODULES_AUTH_REQUEST_INQUIRY_H

#include "asker.h"
#include "cache.h"

/* Waits of a worker, at most. */
#define QMS_WAITS_MAX 1024

struct qms_inquiry;

struct qms_inquiries {
    struct qms_asker *asker; /* NULL: there is none, so nobody can wait */
    struct qms_list under_way;
    unsigned waits;
};

/* One who waits; zeroed before qms_wait_begin.  The memory is the caller's. */
struct qms_wait {
    struct qms_list node;
    struct qms_inquiry *inquiry; /* NULL: it is answered */
    void (*on_answer)(struct qms_wait *w);
    bool timeout; /* there was no answer in time */
    struct qms_answer answer;
};

/* What is asked; all of it lent for the call. */
struct qms_inquiry_text {
    const uint8_t *key; /* QMS_ANSWER_KEY_LEN bytes: digest of all that follows but the time */
    const struct qms_request_target *target;
    const struct qms_answer_header *headers;
    size_t count;
    qms_time timeout;
};

void qms_inquiries_init(struct qms_inquiries *i);
/** on_answer follows once, from the loop, not from within this call; the wait is over then.  It
 * must end no other wait.  The wait lasts as long as the question does, which may have begun
 * before.  False: too many wait or are asked about, or no memory. */
QMS_MUST_CHECK bool qms_wait_begin(struct qms_inquiries *i, struct qms_wait *w,
                                   const struct qms_inquiry_text *text, qms_time now);
/** Not wanted any more; on_answer does not follow.  The last one ends the question.  Nothing
 * for a wait that is over. */
void qms_wait_end(struct qms_wait *w);

#endif
