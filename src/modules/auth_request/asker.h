/* SPDX-License-Identifier: MIT */
/* Questions over HTTP/1.1 with libevent's client: connections that are kept, a deadline for
 * each question, bounds for everything.  The only file beside asker.c that knows evhttp is
 * none. */
#ifndef QMS_MODULES_AUTH_REQUEST_ASKER_H
#define QMS_MODULES_AUTH_REQUEST_ASKER_H

#include "answer.h"
#include "base/list.h"
#include "target.h"

/* Connections to one service; questions under way in a worker; services. */
#define QMS_ASKER_CONNECTIONS 8
#define QMS_ASKER_QUESTIONS   256
#define QMS_ASKER_SERVICES    16

struct qms_asker;
struct qms_question;

/* Why there is no answer. */
enum qms_ask_end { QMS_ASK_ANSWERED, QMS_ASK_TIMEOUT, QMS_ASK_FAILED };

/** `base`: struct event_base of the loop.  NULL: no memory. */
struct qms_asker *qms_asker_new(void *base);
/** Ends every question without a word.  Takes NULL. */
void qms_asker_free(struct qms_asker *a);
/** Forgets services that nobody has asked for a while; about once a second. */
void qms_asker_tick(struct qms_asker *a, qms_time now);

/** Sends GET with these headers (copied).  `done` follows once from the loop, not from within
 * this call; `status` and `headers` are lent to it, and the question is over when it returns.
 * NULL: too many are under way, or no memory. */
struct qms_question *
qms_ask(struct qms_asker *a, const struct qms_request_target *target,
        const struct qms_answer_header *headers, size_t count, qms_time timeout, qms_time now,
        void (*done)(void *arg, enum qms_ask_end end, int status,
                     const struct qms_answer_header *headers, size_t count),
        void *arg);
/** Nobody wants the answer any more; `done` does not follow. */
void qms_question_cancel(struct qms_question *q);

#endif
