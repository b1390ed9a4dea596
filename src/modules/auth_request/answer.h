/* SPDX-License-Identifier: MIT */
/* What the operator's service has answered, as a decision.
 *
 *     204                                    200, 2xx: let in
 *     X-Quicms-Agent: robot-7                403, 401: not
 *     X-Quicms-Scopes: read print            anything else: the service has failed
 *     X-Quicms-Limit-Bytes: 20m/s burst=40m
 *     X-Quicms-Expires: 1735689600
 */
#ifndef QMS_MODULES_AUTH_REQUEST_ANSWER_H
#define QMS_MODULES_AUTH_REQUEST_ANSWER_H

#include <quicms/module.h>

/* Headers of an answer, at most. */
#define QMS_ANSWER_HEADERS_MAX 64
#define QMS_ANSWER_SCOPES_MAX  1024 /* with NUL: what a peer can have */

struct qms_answer_header {
    const char *name, *value;
};

enum qms_answer_kind {
    QMS_ANSWER_YES,
    QMS_ANSWER_NO,     /* the service has refused the credential */
    QMS_ANSWER_FAILED, /* it cannot tell */
    QMS_ANSWER_BAD     /* it said yes, with words that cannot be understood */
};

struct qms_answer {
    enum qms_answer_kind kind;
    size_t agent_len; /* 0: the id that was asked for stands */
    char agent[QMS_NAME_MAX];
    char scopes[QMS_ANSWER_SCOPES_MAX]; /* words with one space between */
    struct qms_limits limits;
    int64_t expires_at; /* wall seconds; 0: never */
};

/** Never fails: what cannot be understood is QMS_ANSWER_BAD, since a limit that is misspelt
 * must not become none.  So are unknown headers that begin with X-Quicms-, and one that comes
 * twice. */
void qms_answer_read(struct qms_answer *out, int status,
                     const struct qms_answer_header *headers, size_t count);

#endif
