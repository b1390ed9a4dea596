/* SPDX-License-Identifier: MIT */
/* What the server's and the client's side of TLS share. */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "quic/tls_int.h"

/* Largest PEM file taken; a bundle of all public authorities is a quarter of it. */
#define PEM_MAX (1u << 20)

/* AES-128-GCM first: with AES instructions it seals six times faster than ChaCha20. */
const char qms_tls_priority[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"
    "-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"
    "%DISABLE_TLS13_COMPAT_MODE:%SERVER_PRECEDENCE";

void qms_tls_error(char *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(error, QMS_TLS_ERROR_MAX, format, args);
    va_end(args);
}

static const char no_memory[] = "out of memory";

void qms_tls_no_memory(char *error)
{
    qms_tls_error(error, "%s", no_memory);
}

qms_err qms_tls_error_code(const char *error)
{
    return strcmp(error, no_memory) == 0 ? QMS_E_NOMEM : QMS_E_CONFIG;
}

static int spki_hash(gnutls_x509_crt_t crt, uint8_t out[32])
{
    gnutls_pubkey_t key = NULL;
    gnutls_datum_t spki = {.data = NULL};
    int rv = gnutls_pubkey_init(&key);

    if (rv < 0) {
        return rv;
    }
    rv = gnutls_pubkey_import_x509(key, crt, 0);
    if (rv == 0) {
        rv = gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &spki);
    }
    if (rv == 0) {
        rv = gnutls_hash_fast(GNUTLS_DIG_SHA256, spki.data, spki.size, out);
    }
    gnutls_free(spki.data);
    gnutls_pubkey_deinit(key);
    return rv;
}

int qms_tls_hashes(const gnutls_datum_t *der, uint8_t whole[32], uint8_t spki[32])
{
    gnutls_x509_crt_t crt = NULL;
    int rv = gnutls_x509_crt_init(&crt);

    if (rv < 0) {
        return rv;
    }
    rv = gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER);
    if (rv == 0) {
        rv = gnutls_hash_fast(GNUTLS_DIG_SHA256, der->data, der->size, whole);
    }
    if (rv == 0) {
        rv = spki_hash(crt, spki);
    }
    gnutls_x509_crt_deinit(crt);
    return rv;
}

static const char *remedy(int err)
{
    switch (err) {
    case ENOENT:
        return "check the path";
    case EACCES:
        return "make it readable for this user";
    case EISDIR:
        return "name the file, not its directory";
    default:
        return "check the file";
    }
}

static char *read_fd(int fd, size_t *len)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return NULL;
    }
    if (S_ISDIR(st.st_mode) || st.st_size < 0 || st.st_size > (off_t)PEM_MAX) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EFBIG;
        return NULL;
    }
    char *text = qms_calloc(1, (size_t)st.st_size + 1);
    size_t have = 0;
    ssize_t n = 1;
    if (text == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    while (have < (size_t)st.st_size && n > 0) {
        n = read(fd, text + have, (size_t)st.st_size - have);
        have += n > 0 ? (size_t)n : 0;
    }
    if (n < 0) {
        qms_free(text);
        return NULL;
    }
    *len = have;
    return text;
}

char *qms_tls_read_file(const char *path, size_t *len, char *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char *text = fd >= 0 ? read_fd(fd, len) : NULL;

    int err = errno;
    if (text == NULL && err == ENOMEM) {
        qms_tls_no_memory(error);
    } else if (text == NULL) {
        qms_tls_error(error, "cannot read \"%s\": %s; %s", path, strerror(err), remedy(err));
    }
    if (fd >= 0) {
        close(fd);
    }
    return text;
}

struct qms_bytes qms_tls_session_alpn(const struct qms_tls_session *s)
{
    gnutls_datum_t alpn;

    if (s->gnutls == NULL || gnutls_alpn_get_selected_protocol(s->gnutls, &alpn) != 0) {
        return (struct qms_bytes){NULL, 0};
    }
    return (struct qms_bytes){alpn.data, alpn.size};
}

size_t qms_tls_session_chain(const struct qms_tls_session *s, struct qms_bytes *out, size_t max)
{
    unsigned count = 0;
    const gnutls_datum_t *chain =
        s->gnutls != NULL ? gnutls_certificate_get_peers(s->gnutls, &count) : NULL;
    size_t n = 0;

    while (chain != NULL && n < count && n < max) {
        out[n] = (struct qms_bytes){chain[n].data, chain[n].size};
        n++;
    }
    return n;
}

void qms_tls_session_fini(struct qms_tls_session *s)
{
    if (s->gnutls != NULL) {
        gnutls_deinit(s->gnutls);
    }
    qms_tls_server_unref(s->server);
    qms_free(s->server_name);
    qms_free(s->why);
    *s = (struct qms_tls_session){.ref = s->ref};
}

/* ---- key log ---- */

static size_t put_hex(char *out, size_t cap, const gnutls_datum_t *bytes)
{
    static const char digits[] = "0123456789abcdef";
    size_t len = 0;

    for (unsigned i = 0; i < bytes->size && len + 2 < cap; i++) {
        out[len++] = digits[bytes->data[i] >> 4];
        out[len++] = digits[bytes->data[i] & 15];
    }
    return len;
}

/* "LABEL CLIENT_RANDOM SECRET": what Wireshark reads. */
static int on_key(gnutls_session_t session, const char *label, const gnutls_datum_t *secret)
{
    struct qms_tls_session *s = gnutls_session_get_ptr(session);
    gnutls_datum_t random = {.data = NULL}, server = {.data = NULL};
    char line[512];

    if (s->on_key == NULL) {
        return 0;
    }
    gnutls_session_get_random(session, &random, &server);
    size_t len = (size_t)snprintf(line, sizeof(line) / 4, "%s ", label);
    len += put_hex(line + len, sizeof(line) - len - 2, &random);
    line[len++] = ' ';
    len += put_hex(line + len, sizeof(line) - len - 1, secret);
    line[len++] = '\n';
    s->on_key(s, (struct qms_bytes){(const uint8_t *)line, len});
    qms_memzero(line, sizeof(line));
    return 0;
}

void qms_tls_log_keys(struct qms_tls_session *s)
{
    gnutls_session_set_keylog_function(s->gnutls, on_key);
}
