/* SPDX-License-Identifier: MIT */
/* Certificates made here, read by the rules and asked for through the module. */
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fake_diag.h"
#include "modules/auth_cert/cert_id.h"
#include "qms_test.h"

extern const struct qms_module qms_module_auth_cert;

#define M (&qms_module_auth_cert)

/* ---- the core's part of the interface ---- */

static struct {
    const char *fault, *id;
    struct qms_bytes leaf;
} peer;

static struct qms_bytes bytes(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}
struct qms_bytes qms_peer_id(const struct qms_peer *p)
{
    (void)p;
    return bytes(peer.id);
}
const char *qms_peer_certificate_fault(const struct qms_peer *p)
{
    (void)p;
    return peer.fault;
}
size_t qms_peer_certificates(const struct qms_peer *p, struct qms_bytes *chain, size_t max)
{
    (void)p;
    assert_int_equal(max, 1);
    *chain = peer.leaf;
    return peer.leaf.len > 0;
}

/* ---- certificates ---- */

struct name {
    gnutls_x509_subject_alt_name_t type; /* 0: the common name */
    const char *text;
    size_t len; /* 0: that of the text */
};
#define CN 0

static uint8_t der[4096];
static gnutls_x509_privkey_t key;

static void add(gnutls_x509_crt_t crt, const struct name *n)
{
    unsigned len = (unsigned)(n->len > 0 ? n->len : strlen(n->text));

    if (n->type == CN) {
        assert_int_equal(
            gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, n->text, len),
            0);
    } else {
        assert_int_equal(gnutls_x509_crt_set_subject_alt_name(crt, n->type, n->text, len,
                                                              GNUTLS_FSAN_APPEND),
                         0);
    }
}

/* Ended by an empty text. */
static struct qms_bytes certificate(const struct name *names)
{
    gnutls_x509_crt_t crt;
    size_t len = sizeof(der);

    assert_int_equal(gnutls_x509_crt_init(&crt), 0);
    assert_int_equal(gnutls_x509_crt_set_version(crt, 3), 0);
    assert_int_equal(gnutls_x509_crt_set_serial(crt, "\1", 1), 0);
    assert_int_equal(gnutls_x509_crt_set_activation_time(crt, 1000000000), 0);
    assert_int_equal(gnutls_x509_crt_set_expiration_time(crt, 4102444800), 0);
    for (; names->text != NULL; names++) {
        add(crt, names);
    }
    assert_int_equal(gnutls_x509_crt_set_key(crt, key), 0);
    assert_int_equal(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
    assert_int_equal(gnutls_x509_crt_export(crt, GNUTLS_X509_FMT_DER, der, &len), 0);
    gnutls_x509_crt_deinit(crt);
    return (struct qms_bytes){der, len};
}

static int make_key(void **state)
{
    (void)state;
    return gnutls_x509_privkey_init(&key) != 0 ||
           gnutls_x509_privkey_generate(
               key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) != 0;
}

static int drop_key(void **state)
{
    (void)state;
    gnutls_x509_privkey_deinit(key);
    return 0;
}

/* ---- rules ---- */

/* Words between single spaces; they live as long as `copy`. */
static qms_err parse(struct qms_cert_rules *out, const char *text, char copy[256])
{
    const char *argv[QMS_CERT_RULES_MAX];
    char *save = NULL;
    int argc = 0;

    snprintf(copy, 256, "%s", text);
    for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
        argv[argc++] = w;
    }
    diag_text[0] = '\0';
    return qms_cert_rules_parse(out, argc, argv, NULL);
}

/* The id, or the label of the fault behind "!". */
static const char *id_by(const char *rules, const struct name *names, const char *asked)
{
    static char out[QMS_NAME_MAX + 1];
    struct qms_cert_rules r;
    struct qms_cert_facts facts;
    char copy[256];

    assert_int_equal(parse(&r, rules, copy), QMS_OK);
    const char *fault = qms_cert_facts_read(&facts, &r, certificate(names), bytes(asked));
    if (fault != NULL) {
        snprintf(out, sizeof(out), "!%s", fault);
    } else {
        assert_int_equal(facts.expires_at, 4102444800);
        memcpy(out, facts.id, facts.id_len);
        out[facts.id_len] = '\0';
    }
    return out;
}

static const struct name full[] = {
    {CN, "common", 0},
    {GNUTLS_SAN_DNSNAME, "h1.agents.example.org", 0},
    {GNUTLS_SAN_URI, "spiffe://example.org/agent/robot", 0},
    {GNUTLS_SAN_DNSNAME, "h2.agents.example.org", 0},
    {GNUTLS_SAN_RFC822NAME, "ann@example.org", 0},
    {0, NULL, 0},
};

static void each_place_gives_its_name(void **state)
{
    (void)state;
    assert_string_equal(id_by("cn", full, ""), "common");
    assert_string_equal(id_by("email", full, ""), "ann@example.org");
    assert_string_equal(id_by("email=*@example.org", full, ""), "ann");
    assert_string_equal(id_by("uri", full, ""), "spiffe://example.org/agent/robot");
    assert_string_equal(id_by("uri=spiffe://example.org/agent/*", full, ""), "robot");
    assert_string_equal(id_by("dns=h2.*.example.org", full, ""), "agents");
}

static void the_first_place_that_finds_a_name_decides(void **state)
{
    (void)state;
    assert_string_equal(id_by("uri=spiffe://other/* email cn", full, ""), "ann@example.org");
    assert_string_equal(id_by("uri=spiffe://other/* cn email", full, "common"), "common");
    /* It is not asked whether a later place would fit better. */
    assert_string_equal(id_by("email cn", full, "common"), "!wrong_agent");
    assert_string_equal(id_by("uri=spiffe://other/*", full, ""), "!no_id");
    /* A pattern stands for at least one character. */
    assert_string_equal(id_by("dns=h1.agents.example.org*", full, ""), "!no_id");
    assert_string_equal(id_by("cn=common* email", full, ""), "ann@example.org");
}

static void of_several_names_the_one_asked_for_counts(void **state)
{
    (void)state;
    assert_string_equal(id_by("dns=*.agents.example.org", full, "h1"), "h1");
    assert_string_equal(id_by("dns=*.agents.example.org", full, "h2"), "h2");
    assert_string_equal(id_by("dns=*.agents.example.org", full, "h3"), "!wrong_agent");
    assert_string_equal(id_by("dns=*.agents.example.org", full, ""), "!ambiguous_id");
}

static void a_name_that_is_too_long_is_no_id(void **state)
{
    char text[200];
    const struct name names[] = {{GNUTLS_SAN_URI, text, 0}, {CN, "short", 0}, {0, NULL, 0}};

    (void)state;
    memset(text, 'a', sizeof(text));
    text[129] = '\0';
    assert_string_equal(id_by("uri cn", names, ""), "!no_id");
    text[128] = '\0';
    assert_int_equal(strlen(id_by("uri cn", names, "")), 128);
}

static void what_is_no_certificate_is_refused(void **state)
{
    struct qms_cert_rules r;
    struct qms_cert_facts facts;
    char copy[256];
    struct qms_bytes whole = certificate(full);

    (void)state;
    assert_int_equal(parse(&r, "cn", copy), QMS_OK);
    for (size_t len = 0; len < whole.len; len += 7) {
        struct qms_bytes cut = {whole.data, len};
        assert_string_equal(qms_cert_facts_read(&facts, &r, cut, bytes("")), "bad_certificate");
    }
}

static void bad_rules_say_what_was_expected(void **state)
{
    static const char *const bad[] = {"ip",      "url=x*", "uri=nostar", "uri=a*b*",
                                      "cn dnss", "=x*",    "uri=",       ""};
    struct qms_cert_rules r = {.count = 77};
    char copy[256];

    (void)state;
    for (size_t i = 0; i + 1 < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(&r, bad[i], copy), QMS_E_CONFIG);
        assert_non_null(strstr(diag_text, "\"cert_agent_id\"; it takes uri, dns, email or cn"));
    }
    assert_int_equal(parse(&r, "urii", copy), QMS_E_CONFIG);
    assert_non_null(strstr(diag_text, "Did you mean \"uri\"?"));
    assert_int_equal(r.count, 77);
}

/* ---- the module ---- */

struct fixture {
    uint64_t conf[64], peer[64];
    struct qms_grant grant;
    struct qms_refusal why;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_true(M->conf_size <= sizeof(f->conf) && M->peer_size <= sizeof(f->peer));
    peer.fault = NULL;
    peer.id = "spiffe://example.org/agent/robot";
    peer.leaf = certificate(full);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static enum qms_verdict hello(struct fixture *f, uint64_t scheme, const char *asked)
{
    struct qms_credential cred = {.scheme = scheme, .agent_id = bytes(asked)};

    f->grant = (struct qms_grant){0};
    f->why = (struct qms_refusal){0};
    return M->on_hello(f->peer, f->conf, NULL, &cred, 0, &f->grant, &f->why);
}

static enum qms_verdict reload(struct fixture *f)
{
    f->grant = (struct qms_grant){0};
    f->why = (struct qms_refusal){0};
    return M->on_reload(f->peer, f->conf, NULL, 0, &f->grant, &f->why);
}

static void a_good_certificate_is_accepted_until_it_ends(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(hello(f, 3, ""), QMS_ACCEPT);
    assert_int_equal(f->grant.agent_id.len, strlen(peer.id));
    assert_memory_equal(f->grant.agent_id.data, peer.id, strlen(peer.id));
    assert_int_equal(f->grant.expires_at, 4102444800);
    assert_null(f->grant.scopes);
    /* Whatever else the agent shows. */
    assert_int_equal(hello(f, 1, ""), QMS_ACCEPT);
}

static void a_bad_certificate_leaves_room_for_another_credential(void **state)
{
    struct fixture *f = *state;

    peer.fault = "revoked_certificate";
    assert_int_equal(hello(f, 3, ""), QMS_REJECT);
    assert_string_equal(f->why.label, "revoked_certificate");
    assert_int_equal(f->why.code, QMS_CODE_UNAUTHENTICATED);
    assert_null(f->why.reason);
    assert_int_equal(hello(f, 1, ""), QMS_PASS);
    assert_int_equal(hello(f, 0, ""), QMS_PASS);
    peer.fault = NULL;
    assert_int_equal(hello(f, 3, "other"), QMS_REJECT);
    assert_string_equal(f->why.label, "wrong_agent");
}

static void a_reload_looks_again(void **state)
{
    struct fixture *f = *state;

    /* Who came by something else is none of its business. */
    peer.fault = "no_certificate";
    assert_int_equal(reload(f), QMS_PASS);
    peer.fault = NULL;
    assert_int_equal(hello(f, 3, ""), QMS_ACCEPT);
    assert_int_equal(reload(f), QMS_PASS);
    assert_int_equal(f->grant.expires_at, 4102444800);
    peer.fault = "revoked_certificate";
    assert_int_equal(reload(f), QMS_REJECT);
    assert_int_equal(f->why.code, QMS_CODE_UNAUTHENTICATED);
    assert_string_equal(f->why.label, "revoked_certificate");
    peer.fault = "expired_certificate";
    assert_int_equal(reload(f), QMS_REJECT);
    assert_int_equal(f->why.code, QMS_CODE_EXPIRED);
    peer.fault = NULL;
    peer.id = "another";
    assert_int_equal(reload(f), QMS_REJECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_place_gives_its_name),
        cmocka_unit_test(the_first_place_that_finds_a_name_decides),
        cmocka_unit_test(of_several_names_the_one_asked_for_counts),
        cmocka_unit_test(a_name_that_is_too_long_is_no_id),
        cmocka_unit_test(what_is_no_certificate_is_refused),
        cmocka_unit_test(bad_rules_say_what_was_expected),
        QMS_TEST(a_good_certificate_is_accepted_until_it_ends),
        QMS_TEST(a_bad_certificate_leaves_room_for_another_credential),
        QMS_TEST(a_reload_looks_again),
    };
    return cmocka_run_group_tests_name("mod_auth_cert", tests, make_key, drop_key);
}
