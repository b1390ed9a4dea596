/* SPDX-License-Identifier: MIT */
/* TLS as the rest of src/quic sees it: a session bound to a connection. */
#ifndef QMS_QUIC_TLS_INT_H
#define QMS_QUIC_TLS_INT_H

#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include "quic/tls.h"

/* One connection's TLS state.  GnuTLS's session pointer is `ref`, as ngtcp2's helper wants, and
 * so leads back here. */
struct qms_replay;

/* What a server needs to take early data. */
struct qms_tls_early {
    gnutls_anti_replay_t anti_replay;
    struct qms_replay *replay;
};

struct qms_tls_session {
    ngtcp2_crypto_conn_ref ref; /* first */
    gnutls_session_t gnutls;
    struct qms_tls_server *server; /* a reference */
    struct qms_tls_client *client; /* the user's */
    char *server_name;
    /* Client: the server has given a ticket. */
    void (*on_ticket)(struct qms_tls_session *s);
    uint32_t ticket_seconds; /* lifetime of the one that came */
    /* Takes a line of the key log, ended by a newline; NULL: keys are not logged. */
    void (*on_key)(struct qms_tls_session *s, struct qms_bytes line);
    char *why; /* why the peer's certificate was refused, or NULL */
};

/** Starts a server's side.  `alpns` ends with NULL; `ticket_key` has 64 bytes; `early`: NULL
 * takes no early data.  QMS_E_TLS, QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_tls_session_server(struct qms_tls_session *s,
                                              struct qms_tls_server *t,
                                              const char *const *alpns,
                                              const uint8_t ticket_key[64],
                                              const struct qms_tls_early *early);
/** Starts a client's side.  `data`: of an earlier session, may be empty; what GnuTLS does not
 * take is ignored. */
QMS_MUST_CHECK qms_err qms_tls_session_client(struct qms_tls_session *s,
                                              struct qms_tls_client *t, const char *server_name,
                                              const char *alpn, struct qms_bytes data);
/** Whether early data was sent and taken. */
bool qms_tls_session_early_taken(const struct qms_tls_session *s);
QMS_MUST_CHECK qms_err qms_tls_early_init(struct qms_tls_early *e, struct qms_replay *replay);
void qms_tls_early_fini(struct qms_tls_early *e);
void qms_tls_session_fini(struct qms_tls_session *s);
/** The negotiated protocol; empty before it is known. */
struct qms_bytes qms_tls_session_alpn(const struct qms_tls_session *s);

/** Whether the server gives tickets for it. */
bool qms_tls_session_resumable(const struct qms_tls_session *s);

/** What the peer has shown, leaf first, DER, lent while the session lives: `max` at most; how
 * many. */
size_t qms_tls_session_chain(const struct qms_tls_session *s, struct qms_bytes *out,
                             size_t max);

/* Shared by both sides. */
/** Gives the session's secrets to s->on_key from now on, as lines of the NSS key log format. */
void qms_tls_log_keys(struct qms_tls_session *s);
extern const char qms_tls_priority[];
/** SHA-256 of a DER certificate and of its public key.  0 or a GnuTLS error. */
int qms_tls_hashes(const gnutls_datum_t *der, uint8_t whole[32], uint8_t spki[32]);
/** Reads a file; NULL and a sentence in `error` (QMS_TLS_ERROR_MAX) when it cannot. */
char *qms_tls_read_file(const char *path, size_t *len, char *error);
/** Formats into an error buffer. */
__attribute__((format(printf, 2, 3))) void qms_tls_error(char *error, const char *format, ...);
void qms_tls_no_memory(char *error);

#endif
