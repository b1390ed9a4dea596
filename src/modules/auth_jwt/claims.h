/* SPDX-License-Identifier: MIT */
/* What a JWT says (RFC 7519 section 4.1), held against what the configuration asks for.  Given
 * only payloads whose signature was good. */
#ifndef QMS_MODULES_AUTH_JWT_CLAIMS_H
#define QMS_MODULES_AUTH_JWT_CLAIMS_H

#include <quicms/module.h>

#define QMS_CLAIM_NAMES_MAX 8
/* Bytes of all scopes, spaces and NUL: what a peer can have. */
#define QMS_CLAIM_SCOPES_MAX 1024

struct qms_claim_names {
    const char *names[QMS_CLAIM_NAMES_MAX];
    size_t count; /* 0: not configured */
};

struct qms_claim_rules {
    const char *agent_claim, *scope_claim, *limits_claim;
    struct qms_claim_names issuers, audiences;
    uint64_t leeway; /* ns */
    uint64_t require_exp;
};

struct qms_claims {
    size_t agent_len;
    char agent[QMS_NAME_MAX];
    int64_t expires_at; /* wall seconds, the leeway added; 0: never */
    char *scopes;       /* space-separated; NULL: none */
    struct qms_limits limits;
};

/** NULL, or a label of what is wrong; then nothing is left in `out`.  `agent_id`: what the
 * agent asked for; empty: anything.  `now`: wall seconds. */
QMS_MUST_CHECK const char *qms_claims_read(struct qms_claims *out,
                                           const struct qms_claim_rules *rules,
                                           struct qms_bytes payload, struct qms_bytes agent_id,
                                           int64_t now);
/** Takes zeroed memory. */
void qms_claims_fini(struct qms_claims *claims);

#endif
