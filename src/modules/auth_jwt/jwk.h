/* SPDX-License-Identifier: MIT */
/* JWK sets (RFC 7517, RFC 8037) as files of public keys.
 *
 * Strict where a slip would weaken a key, and lenient where sets of identity providers hold
 * what is not for us: keys for encryption and kinds that we do not verify are passed over. */
#ifndef QMS_MODULES_AUTH_JWT_JWK_H
#define QMS_MODULES_AUTH_JWT_JWK_H

#include <quicms/module.h>

#include "sig.h"

#define QMS_JWK_MAX     256 /* keys in a set */
#define QMS_JWK_KID_MAX 256 /* bytes */

struct qms_jwk {
    char *kid; /* NULL: none */
    struct qms_sig_key *key;
};

struct qms_jwk_set {
    struct qms_jwk *keys;
    size_t count;
    unsigned passed_over; /* keys of the file that are not for signatures of ours */
};

/** `name` of the file is for errors: "NAME:LINE: sentence".  A set without a key that can be
 * used is an error.  On failure nothing is left in `out`.  QMS_E_CONFIG, QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_jwk_set_parse(struct qms_jwk_set *out, const char *name,
                                         struct qms_bytes text, struct qms_diag *diag);
/** Wipes secrets.  Takes zeroed memory. */
void qms_jwk_set_fini(struct qms_jwk_set *set);

/** The key for a token that names this algorithm and this kid (NULL: none).  NULL: there is
 * none, and *known_kid says whether it is only the algorithm that does not fit.  A token
 * without a kid has a key only where exactly one is of its algorithm; a key without a kid is
 * for such tokens only. */
const struct qms_jwk *qms_jwk_find(const struct qms_jwk_set *set, enum qms_jws_alg alg,
                                   const char *kid, bool *known_kid);
/** The key with this qms_sig_key_id, or NULL. */
const struct qms_jwk *qms_jwk_find_id(const struct qms_jwk_set *set,
                                      const uint8_t id[QMS_SIG_KEY_ID_LEN]);

#endif
