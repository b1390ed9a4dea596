/* SPDX-License-Identifier: MIT */
/* Whom a client trusts, and how a refusal is put into words. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "quic/tls_int.h"

struct qms_tls_client {
    gnutls_certificate_credentials_t credentials;
    gnutls_priority_t priority;
    uint8_t (*pins)[32];
    size_t pin_count;
    bool insecure;
    int keylog_fd;          /* -1: none */
    gnutls_hash_hd_t trust; /* of everything that decides who is trusted, and who we are */
};

static void refuse(struct qms_tls_session *s, const char *why)
{
    qms_free(s->why);
    s->why = qms_strndup(why, strlen(why));
}

static bool pinned(const struct qms_tls_client *t, gnutls_session_t session)
{
    unsigned count = 0;
    const gnutls_datum_t *certs = gnutls_certificate_get_peers(session, &count);
    uint8_t whole[32], spki[32];

    if (certs == NULL || count == 0 || qms_tls_hashes(&certs[0], whole, spki) != 0) {
        return false;
    }
    for (size_t i = 0; i < t->pin_count; i++) {
        if (memcmp(t->pins[i], whole, 32) == 0 || memcmp(t->pins[i], spki, 32) == 0) {
            return true;
        }
    }
    return false;
}

/* The address as GnuTLS compares it; 0 when the name is none. */
static size_t ip_literal(const char *name, uint8_t out[16])
{
    if (inet_pton(AF_INET, name, out) == 1) {
        return 4;
    }
    return inet_pton(AF_INET6, name, out) == 1 ? 16 : 0;
}

static int verify_chain(struct qms_tls_session *s)
{
    uint8_t ip[16];
    size_t ip_len = ip_literal(s->server_name, ip);
    gnutls_typed_vdata_st data[] = {
        {.type = GNUTLS_DT_DNS_HOSTNAME, .data = (uint8_t *)s->server_name},
        {.type = GNUTLS_DT_KEY_PURPOSE_OID,
         .data = (uint8_t *)(uintptr_t)GNUTLS_KP_TLS_WWW_SERVER},
    };
    unsigned status = 0;

    if (ip_len > 0) {
        data[0] = (gnutls_typed_vdata_st){
            .type = GNUTLS_DT_IP_ADDRESS, .data = ip, .size = (unsigned)ip_len};
    }
    int rv = gnutls_certificate_verify_peers(s->gnutls, data, 2, &status);
    if (rv == 0 && status == 0) {
        return 0;
    }
    gnutls_datum_t text = {.data = NULL};
    if (rv == 0 &&
        gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) == 0) {
        refuse(s, (const char *)text.data);
    } else {
        refuse(s, rv != 0 ? gnutls_strerror(rv) : "The certificate is not trusted.");
    }
    gnutls_free(text.data);
    return GNUTLS_E_CERTIFICATE_ERROR;
}

/* GnuTLS asks this during the handshake. */
static int verify(gnutls_session_t session)
{
    struct qms_tls_session *s = gnutls_session_get_ptr(session);
    const struct qms_tls_client *t = s->client;

    if (t->insecure) {
        return 0;
    }
    if (t->pin_count == 0) {
        return verify_chain(s);
    }
    if (pinned(t, session)) {
        return 0;
    }
    refuse(s, "The certificate matches none of the pins.");
    return GNUTLS_E_CERTIFICATE_ERROR;
}

static void write_key(struct qms_tls_session *s, struct qms_bytes line)
{
    (void)!write(s->client->keylog_fd, line.data, line.len);
}

/* ---- configuration ---- */

void qms_tls_client_free(struct qms_tls_client *t)
{
    if (t == NULL) {
        return;
    }
    if (t->priority != NULL) {
        gnutls_priority_deinit(t->priority);
    }
    if (t->credentials != NULL) {
        gnutls_certificate_free_credentials(t->credentials);
    }
    if (t->keylog_fd >= 0) {
        close(t->keylog_fd);
    }
    if (t->trust != NULL) {
        gnutls_hash_deinit(t->trust, NULL);
    }
    qms_free(t->pins);
    qms_free(t);
}

/* The length keeps neighbours apart. */
static void absorb(gnutls_hash_hd_t h, const void *data, size_t len)
{
    (void)gnutls_hash(h, &len, sizeof(len));
    if (len > 0) {
        (void)gnutls_hash(h, data, len);
    }
}

static bool trust_text(struct qms_tls_client *t, struct qms_bytes text, const char *name,
                       char *error)
{
    gnutls_datum_t pem = {(uint8_t *)(uintptr_t)text.data, (unsigned)text.len};
    int rv;

    absorb(t->trust, text.data, text.len);
    rv = gnutls_certificate_set_x509_trust_mem(t->credentials, &pem, GNUTLS_X509_FMT_PEM);
    if (rv <= 0) {
        qms_tls_error(error, "no certificate in \"%s\": %s; a PEM file is wanted", name,
                      rv < 0 ? gnutls_strerror(rv) : "it is empty");
    }
    return rv > 0;
}

static bool load_trust(struct qms_tls_client *t, const struct qms_tls_client_config *config,
                       char *error)
{
    if (t->insecure || t->pin_count > 0) {
        return true;
    }
    if (config->ca_pem.len > 0) {
        return trust_text(t, config->ca_pem, "certificate text", error);
    }
    if (config->ca_file == NULL) {
        if (gnutls_certificate_set_x509_system_trust(t->credentials) < 0) {
            qms_tls_error(error, "cannot load the system's trust store; install the package "
                                 "ca-certificates or name a CA file");
            return false;
        }
        return true;
    }
    size_t len = 0;
    char *text = qms_tls_read_file(config->ca_file, &len, error);
    if (text == NULL) {
        return false;
    }
    bool good = trust_text(t, (struct qms_bytes){(uint8_t *)text, len}, config->ca_file, error);
    qms_free(text);
    return good;
}

static bool use_identity(struct qms_tls_client *t, struct qms_bytes cert, struct qms_bytes key,
                         const char *cert_name, const char *key_name, char *error)
{
    gnutls_datum_t c = {(uint8_t *)(uintptr_t)cert.data, (unsigned)cert.len};
    gnutls_datum_t k = {(uint8_t *)(uintptr_t)key.data, (unsigned)key.len};

    absorb(t->trust, cert.data, cert.len);
    int rv = gnutls_certificate_set_x509_key_mem(t->credentials, &c, &k, GNUTLS_X509_FMT_PEM);
    if (rv < 0) {
        qms_tls_error(error, "cannot use the certificate \"%s\" with the key \"%s\": %s",
                      cert_name, key_name, gnutls_strerror(rv));
    }
    return rv >= 0;
}

static bool load_identity(struct qms_tls_client *t, const struct qms_tls_client_config *config,
                          char *error)
{
    if (config->cert_pem.len > 0) {
        return use_identity(t, config->cert_pem, config->key_pem, "certificate text",
                            "key text", error);
    }
    if (config->cert_file == NULL && config->key_file == NULL) {
        return true;
    }
    if (config->cert_file == NULL || config->key_file == NULL) {
        qms_tls_error(error, "a client certificate needs both its file and its key's file");
        return false;
    }
    size_t cert_len = 0, key_len = 0;
    char *cert = qms_tls_read_file(config->cert_file, &cert_len, error);
    char *key = cert != NULL ? qms_tls_read_file(config->key_file, &key_len, error) : NULL;
    bool good = false;
    if (key != NULL) {
        good = use_identity(t, (struct qms_bytes){(uint8_t *)cert, cert_len},
                            (struct qms_bytes){(uint8_t *)key, key_len}, config->cert_file,
                            config->key_file, error);
        qms_memzero(key, key_len);
    }
    qms_free(key);
    qms_free(cert);
    return good;
}

static bool load_pins(struct qms_tls_client *t, const struct qms_tls_client_config *config,
                      char *error)
{
    if (config->pin_count == 0) {
        return true;
    }
    t->pins = qms_calloc(config->pin_count, 32);
    if (t->pins == NULL) {
        qms_tls_no_memory(error);
        return false;
    }
    memcpy(t->pins, config->pins, config->pin_count * 32);
    t->pin_count = config->pin_count;
    absorb(t->trust, t->pins, t->pin_count * 32);
    return true;
}

static bool open_keylog(struct qms_tls_client *t, const char *path, char *error)
{
    if (path == NULL) {
        return true;
    }
    t->keylog_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    if (t->keylog_fd < 0) {
        qms_tls_error(error, "cannot write the key log \"%s\": %m; check its directory", path);
    }
    return t->keylog_fd >= 0;
}

static bool init_library(struct qms_tls_client *t, char *error)
{
    int rv = gnutls_certificate_allocate_credentials(&t->credentials);

    if (rv == 0) {
        rv = gnutls_priority_init(&t->priority, qms_tls_priority, NULL);
    }
    if (rv == 0) {
        rv = gnutls_hash_init(&t->trust, GNUTLS_DIG_SHA256);
    }
    if (rv != 0) {
        qms_tls_error(error, "cannot set up TLS: %s", gnutls_strerror(rv));
        return false;
    }
    gnutls_certificate_set_verify_function(t->credentials, verify);
    absorb(t->trust, &t->insecure, sizeof(t->insecure));
    return true;
}

struct qms_tls_client *qms_tls_client_new(const struct qms_tls_client_config *config,
                                          char *error)
{
    struct qms_tls_client *t = qms_calloc(1, sizeof(*t));

    if (t == NULL) {
        qms_tls_no_memory(error);
        return NULL;
    }
    t->keylog_fd = -1;
    t->insecure = config->insecure;
    if (!init_library(t, error) || !load_pins(t, config, error) ||
        !load_trust(t, config, error) || !load_identity(t, config, error) ||
        !open_keylog(t, config->keylog_file, error)) {
        qms_tls_client_free(t);
        return NULL;
    }
    return t;
}

void qms_tls_client_key(const struct qms_tls_client *t, const char *server,
                        char out[QMS_TLS_KEY_LEN + 1])
{
    gnutls_hash_hd_t h = gnutls_hash_copy(t->trust);
    uint8_t digest[32];

    out[0] = '\0';
    if (h == NULL) {
        return;
    }
    absorb(h, server, strlen(server));
    gnutls_hash_deinit(h, digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
}

/* ---- sessions ---- */

static int ticket_came(gnutls_session_t session, unsigned type, unsigned when,
                       unsigned incoming, const gnutls_datum_t *msg)
{
    struct qms_tls_session *s = gnutls_session_get_ptr(session);
    (void)type;

    if (incoming == 0 || s->on_ticket == NULL) {
        return 0;
    }
    if (when == GNUTLS_HOOK_PRE) { /* RFC 8446 section 4.6.1: it begins with the lifetime */
        const uint8_t *at = msg->data;
        s->ticket_seconds = msg->size < 4 ? 0
                                          : (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
                                                (uint32_t)at[2] << 8 | at[3];
    } else {
        s->on_ticket(s);
    }
    return 0;
}

static int configure(struct qms_tls_session *s, const struct qms_tls_client *t,
                     const char *server_name, const char *alpn)
{
    gnutls_datum_t name = {(uint8_t *)(uintptr_t)alpn, (unsigned)strlen(alpn)};
    uint8_t ip[16];
    int rv = gnutls_priority_set(s->gnutls, t->priority);

    if (rv == 0) {
        rv = gnutls_credentials_set(s->gnutls, GNUTLS_CRD_CERTIFICATE, t->credentials);
    }
    if (rv == 0) {
        rv = gnutls_alpn_set_protocols(s->gnutls, &name, 1, GNUTLS_ALPN_MANDATORY);
    }
    /* RFC 6066 section 3: addresses are no host names. */
    if (rv == 0 && ip_literal(server_name, ip) == 0) {
        rv = gnutls_server_name_set(s->gnutls, GNUTLS_NAME_DNS, server_name,
                                    strlen(server_name));
    }
    if (rv == 0 && t->keylog_fd >= 0) {
        s->on_key = write_key;
        qms_tls_log_keys(s);
    }
    return rv == 0 ? ngtcp2_crypto_gnutls_configure_client_session(s->gnutls) : rv;
}

qms_err qms_tls_session_client(struct qms_tls_session *s, struct qms_tls_client *t,
                               const char *server_name, const char *alpn, struct qms_bytes data)
{
    unsigned flags = GNUTLS_CLIENT | GNUTLS_ENABLE_EARLY_DATA | GNUTLS_NO_END_OF_EARLY_DATA;

    s->client = t;
    s->server_name = qms_strndup(server_name, strlen(server_name));
    if (s->server_name == NULL || gnutls_init(&s->gnutls, flags) != 0) {
        s->gnutls = NULL;
        return QMS_E_NOMEM;
    }
    gnutls_session_set_ptr(s->gnutls, &s->ref);
    gnutls_handshake_set_hook_function(s->gnutls, GNUTLS_HANDSHAKE_NEW_SESSION_TICKET,
                                       GNUTLS_HOOK_BOTH, ticket_came);
    if (data.len > 0) {
        (void)gnutls_session_set_data(s->gnutls, data.data, data.len);
    }
    return configure(s, t, server_name, alpn) == 0 ? QMS_OK : QMS_E_TLS;
}
