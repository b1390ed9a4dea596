/* SPDX-License-Identifier: MIT */
/* Certificates from files, texts and the mint; trust as configured. */
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "qms_test.h"
#include "test_quic_rig.h"

struct fixture {
    char dir[64];
    char cert[96], key[96], other[96], junk[96];
    char *cert_pem, *key_pem;
    char error[QMS_TLS_ERROR_MAX];
    struct qms_tls_server *t;
};

static void save(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char *cert, *key;

    assert_non_null(f);
    (void)snprintf(f->dir, sizeof(f->dir), "/tmp/quicms-tls-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->cert, sizeof(f->cert), "%s/cert.pem", f->dir);
    (void)snprintf(f->key, sizeof(f->key), "%s/key.pem", f->dir);
    (void)snprintf(f->other, sizeof(f->other), "%s/other.pem", f->dir);
    (void)snprintf(f->junk, sizeof(f->junk), "%s/junk.pem", f->dir);
    assert_int_equal(qms_tls_mint("agent.example", 1800000000, 13, &f->cert_pem, &f->key_pem),
                     QMS_OK);
    assert_int_equal(qms_tls_mint(NULL, 1800000000, 1, &cert, &key), QMS_OK);
    save(f->cert, f->cert_pem);
    save(f->key, f->key_pem);
    save(f->other, key);
    save(f->junk, "not a certificate\n");
    qms_free(cert);
    qms_free(key);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    qms_tls_server_unref(f->t);
    unlink(f->cert);
    unlink(f->key);
    unlink(f->other);
    unlink(f->junk);
    rmdir(f->dir);
    qms_free(f->cert_pem);
    qms_free(f->key_pem);
    free(f);
    return 0;
}

static gnutls_x509_crt_t parse(const char *pem)
{
    gnutls_x509_crt_t crt;
    gnutls_datum_t d = {(uint8_t *)(uintptr_t)pem, (unsigned)strlen(pem)};

    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    assert_int_equal(gnutls_x509_crt_import(crt, &d, GNUTLS_X509_FMT_PEM), 0);
    return crt;
}

static void minted_certificate_is_what_browsers_take(void **state)
{
    struct fixture *f = *state;
    gnutls_x509_crt_t crt = parse(f->cert_pem);
    unsigned bits;

    assert_int_equal(gnutls_x509_crt_get_pk_algorithm(crt, &bits), GNUTLS_PK_ECDSA);
    assert_int_equal(bits, 256);
    assert_int_equal(gnutls_x509_crt_get_version(crt), 3);
    assert_int_equal(gnutls_x509_crt_get_activation_time(crt), 1800000000);
    assert_int_equal(gnutls_x509_crt_get_expiration_time(crt), 1800000000 + 13 * 86400);
    assert_true(gnutls_x509_crt_check_hostname(crt, "localhost"));
    assert_true(gnutls_x509_crt_check_hostname(crt, "127.0.0.1"));
    assert_true(gnutls_x509_crt_check_hostname(crt, "::1"));
    assert_true(gnutls_x509_crt_check_hostname(crt, "agent.example"));
    assert_false(gnutls_x509_crt_check_hostname(crt, "other.example"));
    gnutls_x509_crt_deinit(crt);
}

static void names_of_the_mint_may_be_addresses(void **state)
{
    char *cert, *key;
    (void)state;

    assert_int_equal(qms_tls_mint("192.0.2.7", 1800000000, 1, &cert, &key), QMS_OK);
    gnutls_x509_crt_t crt = parse(cert);
    assert_true(gnutls_x509_crt_check_hostname(crt, "192.0.2.7"));
    assert_false(gnutls_x509_crt_check_hostname(crt, "192.0.2.8"));
    gnutls_x509_crt_deinit(crt);
    qms_free(cert);
    qms_free(key);
}

static void files_and_texts_give_the_same_identity(void **state)
{
    struct fixture *f = *state;
    uint8_t a[32], b[32], want[32];
    int64_t from, until;
    size_t len = sizeof(want);

    f->t = qms_tls_server_from_files(f->cert, f->key, f->error);
    assert_non_null(f->t);
    qms_tls_server_hash(f->t, a);
    gnutls_x509_crt_t crt = parse(f->cert_pem);
    assert_int_equal(gnutls_x509_crt_get_fingerprint(crt, GNUTLS_DIG_SHA256, want, &len), 0);
    assert_memory_equal(a, want, 32);
    len = sizeof(want);
    assert_int_equal(gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, want, &len), 0);
    gnutls_x509_crt_deinit(crt);
    qms_tls_server_spki_hash(f->t, b);
    assert_memory_equal(b, want, 32);
    qms_tls_server_validity(f->t, &from, &until);
    assert_int_equal(from, 1800000000);
    assert_int_equal(until, 1800000000 + 13 * 86400);

    struct qms_tls_server *t = qms_tls_server_from_pem(
        (struct qms_bytes){(uint8_t *)f->cert_pem, strlen(f->cert_pem)},
        (struct qms_bytes){(uint8_t *)f->key_pem, strlen(f->key_pem)}, f->error);
    assert_non_null(t);
    qms_tls_server_hash(t, b);
    assert_memory_equal(a, b, 32);
    assert_ptr_equal(qms_tls_server_ref(t), t);
    qms_tls_server_unref(t);
    qms_tls_server_hash(t, b);
    qms_tls_server_unref(t);
}

static void refused(struct fixture *f, const char *cert, const char *key, const char *named,
                    const char *remedy)
{
    memset(f->error, 0, sizeof(f->error));
    assert_null(qms_tls_server_from_files(cert, key, f->error));
    assert_non_null(strstr(f->error, named));
    assert_non_null(strstr(f->error, remedy));
}

static void every_bad_file_is_named_with_a_remedy(void **state)
{
    struct fixture *f = *state;

    refused(f, "/nonexistent/c.pem", f->key, "/nonexistent/c.pem", "check the path");
    refused(f, f->cert, "/nonexistent/k.pem", "/nonexistent/k.pem", "check the path");
    refused(f, f->dir, f->key, f->dir, "not its directory");
    refused(f, f->junk, f->key, "junk.pem", "a PEM file is wanted");
    refused(f, f->cert, f->junk, "junk.pem", "unencrypted PEM");
    refused(f, f->cert, f->other, "other.pem", "made together");
    refused(f, "/dev/zero", f->key, "/dev/zero", "a PEM file is wanted");
}

static void client_configuration_errors_are_sentences(void **state)
{
    struct fixture *f = *state;
    struct {
        struct qms_tls_client_config config;
        const char *named;
    } rows[] = {
        {{.ca_file = "/nonexistent/ca.pem"}, "/nonexistent/ca.pem"},
        {{.ca_file = f->junk}, "junk.pem"},
        {{.insecure = true, .cert_file = f->cert}, "both"},
        {{.insecure = true, .cert_file = f->cert, .key_file = f->other}, "other.pem"},
        {{.insecure = true, .keylog_file = "/nonexistent/keys"}, "/nonexistent/keys"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(f->error, 0, sizeof(f->error));
        assert_null(qms_tls_client_new(&rows[i].config, f->error));
        assert_non_null(strstr(f->error, rows[i].named));
    }
    qms_tls_client_free(NULL);
}

/* ---- trust, in a real handshake ---- */

/* Connects a client with `config` as `name` to a server that presents `server`. */
static struct qms_link_close attempt(const struct qms_tls_client_config *config,
                                     const char *name, struct qms_tls_server *server,
                                     char reason[256])
{
    struct rig *r = rig_new();
    char error[QMS_TLS_ERROR_MAX];

    qms_tls_server_unref(r->tls_server);
    r->tls_server = qms_tls_server_ref(server);
    qms_tls_client_free(r->tls_client);
    r->tls_client = qms_tls_client_new(config, error);
    assert_non_null(r->tls_client);
    r->name = name;
    rig_start(r);
    rig_connect(r);
    for (int i = 0; i < 300 && !r->client.ready && !r->client.closed; i++) {
        rig_turn(r, 10);
    }
    assert_true(r->client.ready != r->client.closed);
    struct qms_link_close why = r->client.why;
    memcpy(reason, r->client.reason, 256);
    rig_free(r);
    return why;
}

static void certificate_must_fit_authority_name_and_time(void **state)
{
    struct fixture *f = *state;
    char reason[256] = "";
    char *cert, *key;
    int64_t now = qms_clock_wall();
    struct qms_tls_client_config config = {.ca_file = f->cert};

    assert_int_equal(qms_tls_mint("agent.example", now - 86400, 2, &cert, &key), QMS_OK);
    save(f->cert, cert);
    save(f->key, key);
    qms_free(cert);
    qms_free(key);
    f->t = qms_tls_server_from_files(f->cert, f->key, f->error);
    assert_non_null(f->t);
    assert_int_equal(attempt(&config, "agent.example", f->t, reason).err, QMS_OK);
    assert_int_equal(attempt(&config, "127.0.0.1", f->t, reason).err, QMS_OK);
    assert_int_equal(attempt(&config, "wrong.example", f->t, reason).err, QMS_E_CERTIFICATE);
    assert_non_null(strstr(reason, "name"));
    assert_int_equal(attempt(&config, "192.0.2.1", f->t, reason).err, QMS_E_CERTIFICATE);

    assert_int_equal(qms_tls_mint("agent.example", now - 5 * 86400, 2, &cert, &key), QMS_OK);
    save(f->cert, cert);
    save(f->key, key);
    qms_free(cert);
    qms_free(key);
    qms_tls_server_unref(f->t);
    f->t = qms_tls_server_from_files(f->cert, f->key, f->error);
    assert_int_equal(attempt(&config, "agent.example", f->t, reason).err, QMS_E_CERTIFICATE);
    assert_non_null(strstr(reason, "expired"));
}

static void key_log_holds_the_secrets_of_a_session(void **state)
{
    struct fixture *f = *state;
    char reason[256], path[128], line[600];
    unsigned traffic = 0;

    (void)snprintf(path, sizeof(path), "%s/keys", f->dir);
    f->t = qms_tls_server_from_files(f->cert, f->key, f->error);
    (void)attempt(&(struct qms_tls_client_config){.insecure = true, .keylog_file = path},
                  "agent.example", f->t, reason);
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    while (fgets(line, sizeof(line), in) != NULL) {
        traffic += strstr(line, "CLIENT_TRAFFIC_SECRET_0 ") == line ||
                   strstr(line, "SERVER_TRAFFIC_SECRET_0 ") == line;
    }
    (void)fclose(in);
    unlink(path);
    assert_int_equal(traffic, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(minted_certificate_is_what_browsers_take),
        QMS_TEST(names_of_the_mint_may_be_addresses),
        QMS_TEST(files_and_texts_give_the_same_identity),
        QMS_TEST(every_bad_file_is_named_with_a_remedy),
        QMS_TEST(client_configuration_errors_are_sentences),
        QMS_TEST(certificate_must_fit_authority_name_and_time),
        QMS_TEST(key_log_holds_the_secrets_of_a_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
