/* SPDX-License-Identifier: MIT */
/* A self-signed certificate in the form that browsers take by its hash: ECDSA P-256, at most
 * fourteen days. */
#include <arpa/inet.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "quic/tls.h"

#define CHECK(call)                                                                            \
    do {                                                                                       \
        int rv_ = (call);                                                                      \
        if (rv_ < 0) {                                                                         \
            return rv_;                                                                        \
        }                                                                                      \
    } while (0)

static int add_name(gnutls_x509_crt_t crt, const char *name)
{
    uint8_t ip[16];
    unsigned len = inet_pton(AF_INET, name, ip) == 1    ? 4
                   : inet_pton(AF_INET6, name, ip) == 1 ? 16
                                                        : 0;

    if (len > 0) {
        return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, ip, len,
                                                    GNUTLS_FSAN_APPEND);
    }
    return gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, name,
                                                (unsigned)strlen(name), GNUTLS_FSAN_APPEND);
}

static bool is_standard(const char *name)
{
    return strcmp(name, "localhost") == 0 || strcmp(name, "127.0.0.1") == 0 ||
           strcmp(name, "::1") == 0;
}

static int set_subject(gnutls_x509_crt_t crt, const char *name)
{
    static const char common[] = "quicms self-signed";

    CHECK(gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, common,
                                        sizeof(common) - 1));
    CHECK(add_name(crt, "localhost"));
    CHECK(add_name(crt, "127.0.0.1"));
    CHECK(add_name(crt, "::1"));
    return name != NULL && !is_standard(name) ? add_name(crt, name) : 0;
}

static int fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *name,
                int64_t from, unsigned days)
{
    uint8_t serial[16];

    qms_random(serial, sizeof(serial));
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive, of full length */
    CHECK(gnutls_x509_crt_set_version(crt, 3));
    CHECK(gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)));
    CHECK(gnutls_x509_crt_set_activation_time(crt, (time_t)from));
    CHECK(gnutls_x509_crt_set_expiration_time(crt, (time_t)(from + (int64_t)days * 86400)));
    CHECK(set_subject(crt, name));
    CHECK(gnutls_x509_crt_set_basic_constraints(crt, 0, -1));
    CHECK(gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
    CHECK(gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_SERVER, 0));
    CHECK(gnutls_x509_crt_set_key(crt, key));
    return gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
}

static int export_pair(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, gnutls_datum_t *cert,
                       gnutls_datum_t *secret)
{
    CHECK(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, cert));
    return gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN,
                                             secret);
}

static int make(gnutls_x509_crt_t *crt, gnutls_x509_privkey_t *key, const char *name,
                int64_t from, unsigned days, gnutls_datum_t *cert, gnutls_datum_t *secret)
{
    CHECK(gnutls_x509_crt_init(crt));
    CHECK(gnutls_x509_privkey_init(key));
    CHECK(gnutls_x509_privkey_generate(*key, GNUTLS_PK_ECDSA,
                                       GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
    CHECK(fill(*crt, *key, name, from, days));
    return export_pair(*crt, *key, cert, secret);
}

qms_err qms_tls_mint(const char *name, int64_t from, unsigned days, char **cert_pem,
                     char **key_pem)
{
    gnutls_x509_crt_t crt = NULL;
    gnutls_x509_privkey_t key = NULL;
    gnutls_datum_t cert = {.data = NULL}, secret = {.data = NULL};
    int rv = make(&crt, &key, name, from, days, &cert, &secret);
    qms_err err = rv < 0 ? QMS_E_TLS : QMS_OK;

    if (rv >= 0) {
        char *c = qms_strndup((const char *)cert.data, cert.size);
        char *k = qms_strndup((const char *)secret.data, secret.size);
        if (c != NULL && k != NULL) {
            *cert_pem = c;
            *key_pem = k;
        } else {
            qms_free(c);
            qms_free(k);
            err = QMS_E_NOMEM;
        }
    }
    if (secret.data != NULL) {
        qms_memzero(secret.data, secret.size);
    }
    gnutls_free(secret.data);
    gnutls_free(cert.data);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
    return err;
}
