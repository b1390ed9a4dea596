/* SPDX-License-Identifier: MIT */
/* TLS 1.3 identities and trust for QUIC.  No GnuTLS type leaves src/quic. */
#ifndef QMS_QUIC_TLS_H
#define QMS_QUIC_TLS_H

#include <quicms/types.h>

/* Longest sentence of a start-up error. */
#define QMS_TLS_ERROR_MAX 512

/** Why something of this header came out as NULL, by its sentence: QMS_E_NOMEM or
 * QMS_E_CONFIG. */
qms_err qms_tls_error_code(const char *error);

/* ---- server ---- */

/* A certificate and its key, shared by count: a swap frees the old one only when the last
 * connection that uses it has ended. */
struct qms_tls_server;
struct qms_tls_trust; /* quic/tls_trust.h */

/** From PEM files.  On failure NULL and a sentence in `error` (QMS_TLS_ERROR_MAX bytes) that
 * names the file and what to do. */
struct qms_tls_server *qms_tls_server_from_files(const char *cert_file, const char *key_file,
                                                 char *error);
/** From PEM texts in memory (the master hands them to a worker that may not open files). */
struct qms_tls_server *qms_tls_server_from_pem(struct qms_bytes cert, struct qms_bytes key,
                                               char *error);
struct qms_tls_server *qms_tls_server_ref(struct qms_tls_server *t);
void qms_tls_server_unref(struct qms_tls_server *t); /* takes NULL */
/** Whether sessions made from now on ask the client for a certificate.  It may have none, and
 * its chain is not looked at: the layer above decides by its hash. */
void qms_tls_server_request_certificate(struct qms_tls_server *t, bool request);
/** How many seconds a session that is made from now on may be resumed; 0: not at all.  6 hours
 * unless it is called. */
void qms_tls_server_set_tickets(struct qms_tls_server *t, unsigned seconds);
/** Sessions made from now on ask agents over raw QUIC (ALPN `alpn`, static text) for a
 * certificate of `trust` (a reference is taken; NULL: no longer).  `required`: a handshake
 * without one, or with one that is not good, fails; else the layer above decides. */
void qms_tls_server_trust(struct qms_tls_server *t, struct qms_tls_trust *trust,
                          const char *alpn, bool required);
/** SHA-256 of the leaf's DER: what `serverCertificateHashes` wants. */
void qms_tls_server_hash(const struct qms_tls_server *t, uint8_t out[32]);
/** SHA-256 of the leaf's SubjectPublicKeyInfo: what certificate pins compare. */
void qms_tls_server_spki_hash(const struct qms_tls_server *t, uint8_t out[32]);
/** Wall seconds. */
void qms_tls_server_validity(const struct qms_tls_server *t, int64_t *from, int64_t *until);

/** Mints an ECDSA P-256 certificate, self-signed, valid from `from` (wall seconds) for
 * `days` (browsers accept at most 14), with localhost, 127.0.0.1, ::1 and `name` (may be NULL)
 * as subject alternative names.  The texts are malloc'ed PEM, ended by NUL; free with
 * qms_free.  QMS_E_TLS, QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_tls_mint(const char *name, int64_t from, unsigned days,
                                    char **cert_pem, char **key_pem);

/* ---- client ---- */

struct qms_tls_client;
struct qms_tls_client_config {
    const char *ca_file;       /* PEM; NULL: the system's trust store */
    struct qms_bytes ca_pem;   /* the same as text, in its place; empty: none */
    const uint8_t (*pins)[32]; /* SHA-256 of the public key (SPKI) or of the whole DER
                                  certificate; either match counts */
    size_t pin_count;          /* with pins the chain, name and dates are not looked at */
    bool insecure;             /* no check at all; only by the user's explicit word */
    const char *cert_file, *key_file;   /* client certificate; both or none */
    struct qms_bytes cert_pem, key_pem; /* the same as texts, in their place */
    const char *keylog_file;            /* SSLKEYLOGFILE; NULL: none */
};
struct qms_tls_client *qms_tls_client_new(const struct qms_tls_client_config *config,
                                          char *error);
void qms_tls_client_free(struct qms_tls_client *t);
/** A name, 64 hex digits, for what was learnt from a server under this trust: the same only for
 * the same `server` text and the same authorities, pins and client certificate. */
#define QMS_TLS_KEY_LEN 64
void qms_tls_client_key(const struct qms_tls_client *t, const char *server,
                        char out[QMS_TLS_KEY_LEN + 1]);

#endif
