/* SPDX-License-Identifier: MIT */
/* Signatures of JWS (RFC 7518 section 3, RFC 8037): a key knows the one algorithm that it may
 * be used with, so no token can choose another for it.  The only file that knows GnuTLS is
 * sig.c.
 */
#ifndef QMS_MODULES_AUTH_JWT_SIG_H
#define QMS_MODULES_AUTH_JWT_SIG_H

#include <quicms/types.h>

enum qms_jws_alg {
    QMS_JWS_EDDSA, /* Ed25519 */
    QMS_JWS_ES256,
    QMS_JWS_ES384,
    QMS_JWS_RS256,
    QMS_JWS_PS256,
    QMS_JWS_HS256,
    QMS_JWS_ALG_COUNT /* also: none of these */
};

/* Shorter keys are not taken (RFC 7518 sections 3.2 and 3.3); longer ones cost too much. */
#define QMS_RSA_BITS_MIN 2048
#define QMS_RSA_BITS_MAX 8192
#define QMS_HS256_MIN    32

/** QMS_JWS_ALG_COUNT for a name that is not one of ours, "none" among them. */
enum qms_jws_alg qms_jws_alg_of(const char *name);
const char *qms_jws_alg_name(enum qms_jws_alg alg);

#define QMS_SIG_KEY_ID_LEN 32

struct qms_sig_key;

/** A key out of the members of its JWK, big-endian: EdDSA x; ES256, ES384 x and y; RS256, PS256
 * n and e; HS256 k.  QMS_E_INVALID: no such key (a length, a point not on its curve, an even
 * modulus), QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_sig_key_new(enum qms_jws_alg alg, struct qms_bytes a,
                                       struct qms_bytes b, struct qms_sig_key **out);
/** Wipes secrets.  Takes NULL. */
void qms_sig_key_free(struct qms_sig_key *key);

enum qms_jws_alg qms_sig_key_alg(const struct qms_sig_key *key);
/** Tells keys apart across reloads: a digest of algorithm and key. */
const uint8_t *qms_sig_key_id(const struct qms_sig_key *key);

/** Whether `signature`, as it stands in a JWS, is of `text` by this key.  One of a wrong length
 * costs as much time as a wrong one of the right length. */
bool qms_sig_verify(const struct qms_sig_key *key, struct qms_bytes text,
                    struct qms_bytes signature);

#endif
