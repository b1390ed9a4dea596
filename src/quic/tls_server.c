/* SPDX-License-Identifier: MIT */
/* A server's certificate and key, and the TLS sessions that present them. */
#include <gnutls/x509.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <string.h>

#include "base/mem.h"
#include "quic/tls_int.h"
#include "quic/tls_trust.h"

/* ALPN names a listener may offer. */
#define ALPN_MAX 8

struct qms_tls_server {
    unsigned refs;
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    uint8_t hash[32], spki[32];
    int64_t from, until;
    bool request;
    struct qms_tls_trust *trust; /* NULL: none */
    const char *trust_alpn;
    bool required;
    unsigned ticket_seconds; /* 0: no tickets */
};

static void server_free(struct qms_tls_server *t)
{
    if (t->priority != NULL) {
        gnutls_priority_deinit(t->priority);
    }
    if (t->credentials != NULL) {
        gnutls_certificate_free_credentials(t->credentials);
    }
    qms_tls_trust_unref(t->trust);
    qms_free(t);
}

/* Hashes and dates of the leaf that was loaded. */
static int describe(struct qms_tls_server *t)
{
    gnutls_datum_t der;
    gnutls_x509_crt_t crt = NULL;
    int rv = gnutls_certificate_get_crt_raw(t->credentials, 0, 0, &der);

    if (rv != 0) {
        return rv;
    }
    rv = qms_tls_hashes(&der, t->hash, t->spki);
    if (rv != 0 || (rv = gnutls_x509_crt_init(&crt)) != 0) {
        return rv;
    }
    rv = gnutls_x509_crt_import(crt, &der, GNUTLS_X509_FMT_DER);
    if (rv == 0) {
        t->from = (int64_t)gnutls_x509_crt_get_activation_time(crt);
        t->until = (int64_t)gnutls_x509_crt_get_expiration_time(crt);
    }
    gnutls_x509_crt_deinit(crt);
    return rv;
}

static int load(struct qms_tls_server *t, struct qms_bytes cert, struct qms_bytes key)
{
    gnutls_datum_t c = {(uint8_t *)(uintptr_t)cert.data, (unsigned)cert.len};
    gnutls_datum_t k = {(uint8_t *)(uintptr_t)key.data, (unsigned)key.len};
    int rv = gnutls_certificate_allocate_credentials(&t->credentials);

    if (rv == 0) {
        rv = gnutls_priority_init(&t->priority, qms_tls_priority, NULL);
    }
    if (rv == 0) {
        rv = gnutls_certificate_set_x509_key_mem(t->credentials, &c, &k, GNUTLS_X509_FMT_PEM);
    }
    return rv >= 0 ? describe(t) : rv;
}

/* Tells which of the two texts is at fault. */
static void explain(int rv, struct qms_bytes cert, const char *cert_name, const char *key_name,
                    char *error)
{
    gnutls_datum_t c = {(uint8_t *)(uintptr_t)cert.data, (unsigned)cert.len};
    gnutls_x509_crt_t *list = NULL;
    unsigned count = 0;
    int listed = gnutls_x509_crt_list_import2(&list, &count, &c, GNUTLS_X509_FMT_PEM, 0);

    for (unsigned i = 0; listed >= 0 && i < count; i++) {
        gnutls_x509_crt_deinit(list[i]);
    }
    gnutls_free(list);
    if (listed < 0) {
        qms_tls_error(error, "no certificate in \"%s\": %s; a PEM file is wanted", cert_name,
                      gnutls_strerror(listed));
    } else if (rv == GNUTLS_E_CERTIFICATE_KEY_MISMATCH) {
        qms_tls_error(error,
                      "the key in \"%s\" does not belong to the certificate in \"%s\"; give "
                      "the pair that was made together",
                      key_name, cert_name);
    } else {
        qms_tls_error(error,
                      "no usable private key in \"%s\": %s; an unencrypted PEM file is wanted",
                      key_name, gnutls_strerror(rv));
    }
}

static struct qms_tls_server *server_new(struct qms_bytes cert, struct qms_bytes key,
                                         const char *cert_name, const char *key_name,
                                         char *error)
{
    struct qms_tls_server *t = qms_calloc(1, sizeof(*t));

    if (t == NULL) {
        qms_tls_no_memory(error);
        return NULL;
    }
    t->refs = 1;
    t->ticket_seconds = 6 * 3600;
    int rv = load(t, cert, key);
    if (rv < 0) {
        explain(rv, cert, cert_name, key_name, error);
        server_free(t);
        return NULL;
    }
    return t;
}

struct qms_tls_server *qms_tls_server_from_pem(struct qms_bytes cert, struct qms_bytes key,
                                               char *error)
{
    return server_new(cert, key, "certificate text", "key text", error);
}

struct qms_tls_server *qms_tls_server_from_files(const char *cert_file, const char *key_file,
                                                 char *error)
{
    size_t cert_len = 0, key_len = 0;
    char *cert = qms_tls_read_file(cert_file, &cert_len, error);
    char *key = cert != NULL ? qms_tls_read_file(key_file, &key_len, error) : NULL;
    struct qms_tls_server *t = NULL;

    if (key != NULL) {
        t = server_new((struct qms_bytes){(uint8_t *)cert, cert_len},
                       (struct qms_bytes){(uint8_t *)key, key_len}, cert_file, key_file, error);
        qms_memzero(key, key_len);
    }
    qms_free(key);
    qms_free(cert);
    return t;
}

struct qms_tls_server *qms_tls_server_ref(struct qms_tls_server *t)
{
    t->refs++;
    return t;
}

void qms_tls_server_unref(struct qms_tls_server *t)
{
    if (t != NULL && --t->refs == 0) {
        server_free(t);
    }
}

void qms_tls_server_request_certificate(struct qms_tls_server *t, bool request)
{
    t->request = request;
}

/* GnuTLS asks this when the client has shown a certificate. */
static int verify_client(gnutls_session_t session)
{
    const struct qms_tls_session *s = gnutls_session_get_ptr(session);
    struct qms_bytes chain[QMS_TLS_CHAIN_MAX];
    size_t count = qms_tls_session_chain(s, chain, QMS_TLS_CHAIN_MAX);

    if (!s->server->required || qms_tls_trust_verify(s->server->trust, chain, count) == NULL) {
        return 0;
    }
    return GNUTLS_E_CERTIFICATE_ERROR;
}

void qms_tls_server_trust(struct qms_tls_server *t, struct qms_tls_trust *trust,
                          const char *alpn, bool required)
{
    qms_tls_trust_unref(t->trust);
    t->trust = trust != NULL ? qms_tls_trust_ref(trust) : NULL;
    t->trust_alpn = alpn;
    t->required = required;
    gnutls_certificate_set_verify_function(t->credentials,
                                           trust != NULL ? verify_client : NULL);
}

void qms_tls_server_set_tickets(struct qms_tls_server *t, unsigned seconds)
{
    t->ticket_seconds = seconds;
}

bool qms_tls_session_resumable(const struct qms_tls_session *s)
{
    return s->server->ticket_seconds > 0;
}

void qms_tls_server_hash(const struct qms_tls_server *t, uint8_t out[32])
{
    memcpy(out, t->hash, 32);
}

void qms_tls_server_spki_hash(const struct qms_tls_server *t, uint8_t out[32])
{
    memcpy(out, t->spki, 32);
}

void qms_tls_server_validity(const struct qms_tls_server *t, int64_t *from, int64_t *until)
{
    *from = t->from;
    *until = t->until;
}

/* ---- sessions ---- */

static int set_alpns(gnutls_session_t session, const char *const *alpns)
{
    gnutls_datum_t names[ALPN_MAX];
    unsigned count = 0;

    for (; alpns[count] != NULL && count < ALPN_MAX; count++) {
        names[count] = (gnutls_datum_t){(uint8_t *)(uintptr_t)alpns[count],
                                        (unsigned)strlen(alpns[count])};
    }
    return gnutls_alpn_set_protocols(session, names, count,
                                     GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE);
}

/* By now the protocol is chosen: browsers are not asked, since those that have no certificate
 * may show a dialogue or give up. */
static int ask_for_certificate(gnutls_session_t session)
{
    const struct qms_tls_session *s = gnutls_session_get_ptr(session);
    const char *wanted = s->server->trust_alpn;
    struct qms_bytes alpn = qms_tls_session_alpn(s);

    if (alpn.len == strlen(wanted) && memcmp(alpn.data, wanted, alpn.len) == 0) {
        gnutls_certificate_server_set_request(
            session, s->server->required ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_REQUEST);
    }
    return 0;
}

static int configure(struct qms_tls_session *s, struct qms_tls_server *t,
                     const char *const *alpns, const uint8_t ticket_key[64],
                     const struct qms_tls_early *early)
{
    gnutls_datum_t ticket = {(uint8_t *)(uintptr_t)ticket_key, 64};
    int rv = gnutls_priority_set(s->gnutls, t->priority);

    if (rv == 0) {
        rv = gnutls_credentials_set(s->gnutls, GNUTLS_CRD_CERTIFICATE, t->credentials);
    }
    if (rv == 0) {
        rv = set_alpns(s->gnutls, alpns);
    }
    if (rv == 0 && t->request) {
        gnutls_certificate_server_set_request(s->gnutls, GNUTLS_CERT_REQUEST);
    }
    if (rv == 0 && t->trust != NULL) {
        gnutls_handshake_set_post_client_hello_function(s->gnutls, ask_for_certificate);
    }
    if (rv == 0 && t->ticket_seconds > 0) {
        rv = gnutls_session_ticket_enable_server(s->gnutls, &ticket);
        gnutls_db_set_cache_expiration(s->gnutls, (int)t->ticket_seconds);
    }
    if (rv == 0 && early != NULL) {
        gnutls_anti_replay_enable(s->gnutls, early->anti_replay);
        /* RFC 9001 section 4.6.1: QUIC's own limits bound it. */
        rv = gnutls_record_set_max_early_data_size(s->gnutls, UINT32_MAX);
    }
    return rv == 0 ? ngtcp2_crypto_gnutls_configure_server_session(s->gnutls) : rv;
}

qms_err qms_tls_session_server(struct qms_tls_session *s, struct qms_tls_server *t,
                               const char *const *alpns, const uint8_t ticket_key[64],
                               const struct qms_tls_early *early)
{
    unsigned flags = GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET;

    if (early != NULL) {
        flags |= GNUTLS_ENABLE_EARLY_DATA | GNUTLS_NO_END_OF_EARLY_DATA;
    }
    if (gnutls_init(&s->gnutls, flags) != 0) {
        s->gnutls = NULL;
        return QMS_E_NOMEM;
    }
    s->server = qms_tls_server_ref(t);
    gnutls_session_set_ptr(s->gnutls, &s->ref);
    qms_tls_log_keys(s); /* also instead of GnuTLS's own, which obeys SSLKEYLOGFILE */
    return configure(s, t, alpns, ticket_key, early) == 0 ? QMS_OK : QMS_E_TLS;
}
