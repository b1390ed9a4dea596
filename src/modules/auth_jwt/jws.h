/* SPDX-License-Identifier: MIT */
/* The compact form of a JWS (RFC 7515 section 7.1): taken apart, nothing believed yet. */
#ifndef QMS_MODULES_AUTH_JWT_JWS_H
#define QMS_MODULES_AUTH_JWT_JWS_H

#include <quicms/types.h>

#include "jwk.h"

#define QMS_JWT_MAX 8192 /* bytes of a whole token */

struct qms_jws {
    enum qms_jws_alg alg; /* QMS_JWS_ALG_COUNT: not told, or none that we know */
    bool has_kid;
    char kid[QMS_JWK_KID_MAX + 1];
    struct qms_bytes signed_text; /* lent by the token */
    struct qms_bytes payload, signature;
    uint8_t *memory; /* what the last two point into */
};

/** NULL when the token can be verified; otherwise a label of what is wrong with it, and what
 * was understood of it is filled all the same.  qms_jws_fini in both cases. */
QMS_MUST_CHECK const char *qms_jws_parse(struct qms_jws *out, struct qms_bytes token);
void qms_jws_fini(struct qms_jws *jws);

/** Whether bytes look so much like a JWS that they can hardly be anything else. */
bool qms_jws_looks_like(struct qms_bytes bytes);

#endif
