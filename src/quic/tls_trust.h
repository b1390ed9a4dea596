/* SPDX-License-Identifier: MIT */
/* Authorities whose client certificates are taken, and what they have revoked. */
#ifndef QMS_QUIC_TLS_TRUST_H
#define QMS_QUIC_TLS_TRUST_H

#include <quicms/types.h>

/* Longest chain that is looked at. */
#define QMS_TLS_CHAIN_MAX 8

/* Immutable once made; shared by count. */
struct qms_tls_trust;

/** `ca`: PEM certificates of the authorities; `crl`: PEM revocation lists signed by them, may
 * be empty.  NULL and a sentence in `error` (QMS_TLS_ERROR_MAX bytes): nothing usable in one of
 * them, a list that none of the authorities signed, no memory. */
struct qms_tls_trust *qms_tls_trust_new(struct qms_bytes ca, struct qms_bytes crl, char *error);
struct qms_tls_trust *qms_tls_trust_ref(struct qms_tls_trust *t);
void qms_tls_trust_unref(struct qms_tls_trust *t); /* takes NULL */

/** NULL when the chain (DER, leaf first) leads to an authority, is in force now, may be used by
 * clients and nothing of it is revoked.  Else a static label: no_certificate, bad_certificate,
 * untrusted_certificate, expired_certificate, early_certificate, revoked_certificate,
 * outdated_crl (an authority's list is past its date: nobody knows whom it has revoked since).
 */
const char *qms_tls_trust_verify(const struct qms_tls_trust *t, const struct qms_bytes *chain,
                                 size_t count);

#endif
