/* SPDX-License-Identifier: MIT */
/* The module as the core sees it.  Tokens by HS256 are made here, whatever their content; those
 * by other algorithms are vectors. */
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "jwt_fixture.h"
#include "jwt_vectors.h"
#include "modules/auth_jwt/sig.h"
#include "qms_test.h"

extern const struct qms_module qms_module_auth_jwt;

#define M (&qms_module_auth_jwt)

#define SECRET "quicms-test-key-quicms-test-key!"
#define OTHER  "another-secret-another-secret-an"
/* SECRET as kid "k". */
#define HS_KEYS                                                                                \
    "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"k\","                             \
    "\"k\":\"cXVpY21zLXRlc3Qta2V5LXF1aWNtcy10ZXN0LWtleSE\"}]}"
#define HEADER "{\"alg\":\"HS256\",\"kid\":\"k\"}"
#define ALICE  "{\"sub\":\"alice\",\"exp\":4102444800}"

struct fixture {
    uint64_t conf[64], peer[64];
    struct qms_grant grant;
    struct qms_refusal why;
};

static struct qms_bytes bytes(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}

static const struct qms_directive *row(const char *name)
{
    const struct qms_directive *d = M->directives;

    while (strcmp(d->name, name) != 0) {
        d++;
    }
    return d;
}

static void set_string(struct fixture *f, const char *name, const char *value)
{
    memcpy((char *)f->conf + row(name)->offset, &value, sizeof(value));
}

static void set_number(struct fixture *f, const char *name, uint64_t value)
{
    memcpy((char *)f->conf + row(name)->offset, &value, sizeof(value));
}

static void set_words(struct fixture *f, const char *name, int argc, const char *const *argv)
{
    assert_int_equal(row(name)->set(f->conf, row(name), argc, argv, NULL), QMS_OK);
}

/* Loads a set into a fresh configuration with the defaults. */
static qms_err load(struct fixture *f, const char *keys)
{
    M->conf_free(f->conf);
    memset(f->conf, 0, sizeof(f->conf));
    set_string(f, "jwk_file", "/etc/keys");
    set_string(f, "jwt_agent_claim", "sub");
    set_string(f, "jwt_scope_claim", "scope");
    set_string(f, "jwt_limits_claim", "limits");
    set_number(f, "jwt_leeway", 30 * QMS_SECOND);
    set_number(f, "jwt_require_exp", 1);
    fake_file("/etc/keys", keys, strlen(keys));
    return M->conf_load(f->conf, NULL);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_true(M->conf_size <= sizeof(f->conf) && M->peer_size <= sizeof(f->peer));
    assert_int_equal(load(f, HS_KEYS), QMS_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    M->peer_free(f->peer);
    M->conf_free(f->conf);
    free(f);
    return 0;
}

/* Calls of qms_sig_verify by the module; the linker leads them here. */
static unsigned verifications;
bool __real_qms_sig_verify(const struct qms_sig_key *key, struct qms_bytes text,
                           struct qms_bytes signature);
bool __wrap_qms_sig_verify(const struct qms_sig_key *key, struct qms_bytes text,
                           struct qms_bytes signature);
bool __wrap_qms_sig_verify(const struct qms_sig_key *key, struct qms_bytes text,
                           struct qms_bytes signature)
{
    verifications++;
    return __real_qms_sig_verify(key, text, signature);
}

/* Whatever becomes of a token, it costs one verification. */
static enum qms_verdict show(struct fixture *f, uint64_t scheme, const char *id,
                             const char *token)
{
    struct qms_credential cred = {
        .scheme = scheme, .bytes = bytes(token), .agent_id = bytes(id)};

    f->grant = (struct qms_grant){0};
    f->why = (struct qms_refusal){0};
    verifications = 0;
    enum qms_verdict v = M->on_hello(f->peer, f->conf, NULL, &cred, 0, &f->grant, &f->why);
    assert_int_equal(verifications, v == QMS_PASS ? 0 : 1);
    return v;
}

static void refused_as(struct fixture *f, const char *token, const char *label)
{
    assert_int_equal(show(f, 2, "alice", token), QMS_REJECT);
    assert_string_equal(f->why.label, label);
    /* What the agent is told is the core's one sentence. */
    assert_int_equal(f->why.code, QMS_CODE_UNAUTHENTICATED);
    assert_null(f->why.reason);
}

static void accepted_as(struct fixture *f, const char *token, const char *id)
{
    if (show(f, 2, "", token) != QMS_ACCEPT) {
        fail_msg("refused as %s", f->why.label);
    }
    assert_int_equal(f->grant.agent_id.len, strlen(id));
    assert_memory_equal(f->grant.agent_id.data, id, strlen(id));
}

/* ---- tokens by HS256 ---- */

static size_t encode(const void *in, size_t len, char *out)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const uint8_t *p = in;
    size_t n = 0;

    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0) |
                     (i + 2 < len ? p[i + 2] : 0);
        for (size_t k = 0; k < 4 && i * 4 / 3 + k < (len * 4 + 2) / 3; k++) {
            out[n++] = digits[v >> (18 - 6 * k) & 63];
        }
    }
    out[n] = '\0';
    return n;
}

static const char *sign_with(const char *secret, size_t secret_len, const char *header,
                             const void *payload, size_t len)
{
    static char token[32768];
    uint8_t mac[32];
    size_t n = encode(header, strlen(header), token);

    token[n++] = '.';
    n += encode(payload, len, token + n);
    assert_int_equal(gnutls_hmac_fast(GNUTLS_MAC_SHA256, secret, secret_len, token, n, mac), 0);
    token[n++] = '.';
    encode(mac, sizeof(mac), token + n);
    return token;
}

static const char *sign(const char *header, const char *payload)
{
    return sign_with(SECRET, 32, header, payload, strlen(payload));
}

/* With claims beside sub and exp. */
static const char *claims(const char *more)
{
    static char payload[16384];

    snprintf(payload, sizeof(payload), "{\"sub\":\"alice\",\"exp\":4102444800,%s}", more);
    return sign(HEADER, payload);
}

/* ---- signatures ---- */

static void each_algorithm_verifies_tokens_that_others_made(void **state)
{
    struct fixture *f = *state;
    static const char *const tokens[] = {MADE_PS256, MADE_ES384, MADE_EDDSA};

    assert_int_equal(load(f, MADE_KEYS), QMS_OK);
    for (size_t i = 0; i < 3; i++) {
        accepted_as(f, tokens[i], "alice");
        assert_string_equal(f->grant.scopes, "read write");
        assert_int_equal(f->grant.expires_at, 4102444800 + 30);
    }
    /* RFC 7518 section 3.5: the salt is as long as the hash. */
    refused_as(f, MADE_PS256_SALT20, "bad_signature");
    refused_as(f, MADE_RS256_BY_PS_KEY, "wrong_alg");
}

static void every_changed_character_breaks_a_token(void **state)
{
    struct fixture *f = *state;
    char token[2048];

    snprintf(token, sizeof(token), "%s", sign(HEADER, ALICE));
    accepted_as(f, token, "alice");
    for (size_t i = 0; token[i] != '\0'; i++) {
        char was = token[i];
        token[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(show(f, 2, "alice", token), QMS_REJECT);
        token[i] = was;
    }
    for (size_t i = strlen(token); i-- > 0;) {
        token[i] = '\0';
        assert_int_equal(show(f, 2, "alice", token), QMS_REJECT);
    }
}

static void a_signature_by_another_key_is_refused(void **state)
{
    struct fixture *f = *state;

    refused_as(f, sign_with(OTHER, 32, HEADER, ALICE, strlen(ALICE)), "bad_signature");
    refused_as(f, sign("{\"alg\":\"HS256\",\"kid\":\"x\"}", ALICE), "unknown_key");
}

static void no_token_chooses_the_algorithm(void **state)
{
    struct fixture *f = *state;
    static const char rs[] =
        "{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"RS256\",\"kid\":\"k\",\"e\":\"AQAB\","
        "\"n\":\"" RFC7515_A2_N "\"}]}";

    refused_as(f, sign("{\"alg\":\"none\",\"kid\":\"k\"}", ALICE), "unsupported_alg");
    refused_as(f, sign("{\"alg\":\"NONE\"}", ALICE), "unsupported_alg");
    refused_as(f, sign("{\"alg\":\"hs256\",\"kid\":\"k\"}", ALICE), "unsupported_alg");
    refused_as(f, sign("{\"alg\":\"\",\"kid\":\"k\"}", ALICE), "unsupported_alg");
    refused_as(f, RFC7515_A5, "unsupported_alg");
    refused_as(f, sign("{\"alg\":\"RS256\",\"kid\":\"k\"}", ALICE), "wrong_alg");
    /* The public key as the secret of an HMAC. */
    assert_int_equal(load(f, rs), QMS_OK);
    refused_as(f, sign_with(RFC7515_A2_N, strlen(RFC7515_A2_N), HEADER, ALICE, strlen(ALICE)),
               "wrong_alg");
    refused_as(f, sign_with(rs, strlen(rs), HEADER, ALICE, strlen(ALICE)), "wrong_alg");
}

static void malformed_tokens_are_refused(void **state)
{
    struct fixture *f = *state;
    char token[20000];
    static const char *const headers[] = {
        "[]",
        "\"alg\"",
        "{}",
        "{\"alg\":7}",
        "{\"alg\":null}",
        "{\"alg\":\"HS256\",\"alg\":\"HS256\",\"kid\":\"k\"}",
        "{\"alg\":\"HS256\",\"kid\":\"k\",\"kid\":\"k\"}",
        "{\"alg\":\"HS256\",\"kid\":1}",
        "{\"alg\":\"HS256\",\"kid\":\"k\\u0000\"}",
        "{\"alg\":\"HS256\",\"kid\":\"k\"} x",
        "{\"alg\":\"HS256\",\"kid\":\"\xff\"}",
    };
    static const char *const whole[] = {"",    ".",       "..",   "...",
                                        "a.b", "a.b.c.d", "....", "e30.."};

    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        refused_as(f, sign(headers[i], ALICE), "malformed");
    }
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        refused_as(f, whole[i], "malformed");
    }
    refused_as(
        f, sign("{\"alg\":\"HS256\",\"kid\":\"k\",\"crit\":[\"b64\"],\"b64\":false}", ALICE),
        "critical_header");
    refused_as(f, sign("{\"alg\":\"HS256\",\"kid\":\"k\",\"crit\":[]}", ALICE),
               "critical_header");
    /* Another spelling of the same bytes. */
    snprintf(token, sizeof(token), "%s=", sign(HEADER, ALICE));
    refused_as(f, token, "malformed");
    snprintf(token, sizeof(token), "%s\n", sign(HEADER, ALICE));
    refused_as(f, token, "malformed");
    snprintf(token, sizeof(token), " %s", sign(HEADER, ALICE));
    refused_as(f, token, "malformed");
}

static void spare_bits_of_the_signature_must_be_zero(void **state)
{
    struct fixture *f = *state;
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char token[2048];
    size_t len = (size_t)snprintf(token, sizeof(token), "%s", sign(HEADER, ALICE));
    const char *last = strchr(digits, token[len - 1]);

    token[len - 1] = last[1];
    refused_as(f, token, "malformed");
}

static void a_token_is_bounded(void **state)
{
    struct fixture *f = *state;
    char more[9000];
    size_t pad = 5600;

    memset(more, 'a', sizeof(more));
    memcpy(more, "\"x\":\"", 5);
    more[pad] = '"';
    more[pad + 1] = '\0';
    accepted_as(f, claims(more), "alice");
    more[pad] = 'a';
    more[pad + 1] = 'a';
    more[8000] = '"';
    more[8001] = '\0';
    refused_as(f, claims(more), "too_large");
}

static void nesting_is_no_danger(void **state)
{
    struct fixture *f = *state;
    char more[6000];

    memcpy(more, "\"x\":", 4);
    memset(more + 4, '[', 2500);
    memset(more + 2504, ']', 2500);
    more[5004] = '\0';
    refused_as(f, claims(more), "malformed");
}

/* ---- claims ---- */

static void times_have_a_leeway(void **state)
{
    struct fixture *f = *state;
    char text[256];
    long long now = (long long)qms_clock_wall();
    static const struct {
        const char *claim, *label;
        int from_now;
    } cases[] = {
        {"exp", NULL, 100},
        {"exp", NULL, -20},
        {"exp", "expired", -40},
        {"nbf", NULL, -100},
        {"nbf", NULL, 20},
        {"nbf", "not_yet_valid", 45},
        {"iat", NULL, -100},
        {"iat", NULL, 20},
        {"iat", "not_yet_valid", 45},
        {"nbf", "not_yet_valid", 1000000},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool exp = strcmp(cases[i].claim, "exp") == 0;
        snprintf(text, sizeof(text), "{\"sub\":\"alice\",\"%s\":%lld%s}", cases[i].claim,
                 now + cases[i].from_now, exp ? "" : ",\"exp\":4102444800");
        if (cases[i].label != NULL) {
            refused_as(f, sign(HEADER, text), cases[i].label);
        } else {
            accepted_as(f, sign(HEADER, text), "alice");
        }
        if (exp && cases[i].label == NULL) {
            /* The connection may live as long as the token would be taken. */
            assert_int_equal(f->grant.expires_at, now + cases[i].from_now + 30);
        }
    }
}

static void expiry_is_required_unless_it_is_not(void **state)
{
    struct fixture *f = *state;

    refused_as(f, sign(HEADER, "{\"sub\":\"alice\"}"), "no_expiry");
    set_number(f, "jwt_require_exp", 0);
    accepted_as(f, sign(HEADER, "{\"sub\":\"alice\"}"), "alice");
    assert_int_equal(f->grant.expires_at, 0);
    accepted_as(f, sign(HEADER, "{\"sub\":\"alice\",\"exp\":4102444800.5}"), "alice");
    assert_int_equal(f->grant.expires_at, 4102444801 + 30);
}

static void claims_of_a_wrong_kind_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "{\"sub\":\"alice\",\"exp\":\"4102444800\"}",
        "{\"sub\":\"alice\",\"exp\":-1}",
        "{\"sub\":\"alice\",\"exp\":null}",
        "{\"sub\":\"alice\",\"exp\":4102444800000}",
        "{\"sub\":\"alice\",\"exp\":1e300}",
        "{\"sub\":\"alice\",\"exp\":4102444800,\"nbf\":\"1\"}",
        "{\"sub\":\"alice\",\"exp\":4102444800,\"iat\":{}}",
        "{\"sub\":\"alice\",\"exp\":4102444800,\"iss\":[\"a\"]}",
        "{\"sub\":\"alice\",\"exp\":4102444800,\"aud\":7}",
        "{\"sub\":\"alice\",\"exp\":4102444800,\"aud\":[7]}",
        "{\"sub\":\"alice\",\"exp\":4102444800,\"scope\":7}",
        "{\"sub\":\"alice\",\"exp\":4102444800,\"scope\":[\"a b\"]}",
        "{\"sub\":\"alice\",\"exp\":4102444800,\"scope\":\"a\\\"b\"}",
        "{\"sub\":\"alice\",\"exp\":4102444800,\"scope\":\"a\\tb\"}",
        "{\"sub\":\"\",\"exp\":4102444800}",
        "{\"sub\":7,\"exp\":4102444800}",
        "{\"exp\":4102444800}",
    };
    static const char *const broken[] = {
        "",
        "alice",
        "[1]",
        "{\"sub\":\"alice\",\"sub\":\"bob\",\"exp\":4102444800}",
        "{\"sub\":\"alice\",\"exp\":4102444800,\"x\":{\"a\":1,\"a\":2}}",
        "{\"sub\":\"al\\u0000ice\",\"exp\":4102444800}",
        "{\"sub\":\"alice\",\"exp\":99999999999999999999}",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        refused_as(f, sign(HEADER, bad[i]), "bad_claims");
    }
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        refused_as(f, sign(HEADER, broken[i]), "malformed");
    }
}

static void the_agent_is_who_the_token_says(void **state)
{
    struct fixture *f = *state;
    char text[400], name[200];

    assert_int_equal(show(f, 2, "alice", sign(HEADER, ALICE)), QMS_ACCEPT);
    assert_int_equal(show(f, 2, "bob", sign(HEADER, ALICE)), QMS_REJECT);
    assert_string_equal(f->why.label, "wrong_agent");
    assert_int_equal(show(f, 2, "alic", sign(HEADER, ALICE)), QMS_REJECT);
    set_string(f, "jwt_agent_claim", "https://example.com/agent");
    accepted_as(f, claims("\"https://example.com/agent\":\"a1\""), "a1");
    refused_as(f, sign(HEADER, ALICE), "bad_claims");
    memset(name, 'n', 129);
    name[129] = '\0';
    snprintf(text, sizeof(text), "\"https://example.com/agent\":\"%s\"", name);
    refused_as(f, claims(text), "bad_claims");
}

static void issuer_and_audience_are_checked(void **state)
{
    struct fixture *f = *state;
    static const char *const issuers[] = {"https://one", "https://two"};
    static const char *const audiences[] = {"broker"};

    refused_as(f, claims("\"aud\":\"broker\""), "wrong_audience");
    accepted_as(f, claims("\"iss\":\"anyone\""), "alice");
    set_words(f, "jwt_issuer", 2, issuers);
    refused_as(f, claims("\"iss\":\"anyone\""), "wrong_issuer");
    refused_as(f, sign(HEADER, ALICE), "wrong_issuer");
    accepted_as(f, claims("\"iss\":\"https://two\""), "alice");
    set_words(f, "jwt_audience", 1, audiences);
    refused_as(f, claims("\"iss\":\"https://one\""), "wrong_audience");
    refused_as(f, claims("\"iss\":\"https://one\",\"aud\":[]"), "wrong_audience");
    refused_as(f, claims("\"iss\":\"https://one\",\"aud\":\"Broker\""), "wrong_audience");
    accepted_as(f, claims("\"iss\":\"https://one\",\"aud\":\"broker\""), "alice");
    accepted_as(f, claims("\"iss\":\"https://one\",\"aud\":[\"x\",\"broker\"]"), "alice");
}

static void scopes_come_as_words_or_as_a_list(void **state)
{
    struct fixture *f = *state;
    char more[3000];

    accepted_as(f, claims("\"scope\":\"  a   b:c \""), "alice");
    assert_string_equal(f->grant.scopes, "a b:c");
    accepted_as(f, claims("\"scope\":[\"a\",\"\",\"b\"]"), "alice");
    assert_string_equal(f->grant.scopes, "a b");
    accepted_as(f, claims("\"scope\":\"\""), "alice");
    assert_null(f->grant.scopes);
    set_string(f, "jwt_scope_claim", "scp");
    accepted_as(f, claims("\"scope\":\"no\",\"scp\":[\"yes\"]"), "alice");
    assert_string_equal(f->grant.scopes, "yes");
    memset(more, 'a', sizeof(more));
    memcpy(more, "\"scp\":\"", 7);
    memcpy(more + 7 + 1024, "\"", 2);
    refused_as(f, claims(more), "scopes_too_long");
}

static void limits_are_granted(void **state)
{
    struct fixture *f = *state;

    accepted_as(f, claims("\"x\":1"), "alice");
    assert_int_equal(f->grant.limits.streams.per_second, 0);
    accepted_as(f,
                claims("\"limits\":{\"streams\":200,\"bytes\":{\"rate\":1000,\"burst\":9000}}"),
                "alice");
    assert_int_equal(f->grant.limits.streams.per_second, 200);
    assert_int_equal(f->grant.limits.streams.burst, 0);
    assert_int_equal(f->grant.limits.bytes.per_second, 1000);
    assert_int_equal(f->grant.limits.bytes.burst, 9000);
    assert_int_equal(f->grant.limits.datagrams.per_second, 0);
    set_string(f, "jwt_limits_claim", "lim");
    accepted_as(f, claims("\"limits\":7,\"lim\":{\"datagrams\":5}"), "alice");
    assert_int_equal(f->grant.limits.datagrams.per_second, 5);
}

static void a_limit_that_cannot_be_read_is_no_licence(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "7",
        "[]",
        "{\"stream\":1}",
        "{\"streams\":0}",
        "{\"streams\":-1}",
        "{\"streams\":1.5}",
        "{\"streams\":\"7\"}",
        "{\"streams\":1099511627777}",
        "{\"bytes\":{}}",
        "{\"bytes\":{\"burst\":5}}",
        "{\"bytes\":{\"rate\":5,\"burst\":0}}",
        "{\"bytes\":{\"rate\":5,\"burst\":4294967296}}",
        "{\"bytes\":{\"rate\":5,\"bust\":5}}",
        "{\"streams\":1,\"datagrams\":null}",
    };
    char more[128];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(more, sizeof(more), "\"limits\":%s", bad[i]);
        refused_as(f, claims(more), "bad_claims");
    }
}

static void inner_blocks_inherit_the_names(void **state)
{
    struct fixture *f = *state;
    uint64_t parent[64] = {0};
    static const char *const names[] = {"one"}, *const others[] = {"two"};

    row("jwt_issuer")->set(parent, row("jwt_issuer"), 1, names, NULL);
    row("jwt_audience")->set(parent, row("jwt_audience"), 1, names, NULL);
    set_words(f, "jwt_issuer", 1, others);
    assert_int_equal(M->conf_merge(f->conf, parent, NULL), QMS_OK);
    refused_as(f, claims("\"iss\":\"one\",\"aud\":\"one\""), "wrong_issuer");
    accepted_as(f, claims("\"iss\":\"two\",\"aud\":\"one\""), "alice");
}

static void an_empty_name_is_a_configuration_error(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"one", ""};
    const struct qms_directive *d = row("jwt_issuer");

    assert_int_equal(d->set(f->conf, d, 2, names, NULL), QMS_E_CONFIG);
    assert_string_equal(fake_diag(), "A name of \"jwt_issuer\" is empty.");
}

/* ---- its place among the others ---- */

static void other_credentials_are_left_to_others(void **state)
{
    struct fixture *f = *state;
    char token[2048];

    snprintf(token, sizeof(token), "%s", sign(HEADER, ALICE));
    assert_int_equal(show(f, 0, "alice", ""), QMS_PASS);
    assert_int_equal(show(f, 3, "alice", token), QMS_PASS);
    assert_int_equal(show(f, 1, "alice", "secret"), QMS_PASS);
    assert_int_equal(show(f, 1, "alice", "eyJ.only-one-dot"), QMS_PASS);
    /* A client that knows no schemes. */
    assert_int_equal(show(f, 1, "alice", token), QMS_ACCEPT);
    token[5] = token[5] == 'A' ? 'B' : 'A';
    assert_int_equal(show(f, 1, "alice", token), QMS_REJECT);
    /* Without keys it has no say. */
    M->conf_free(f->conf);
    assert_int_equal(show(f, 2, "alice", token), QMS_PASS);
}

static void a_reload_withdraws_keys_and_applies_new_rules(void **state)
{
    struct fixture *f = *state;
    static const char *const issuers[] = {"https://one"};

    fake_peer_id("alice");
    assert_int_equal(M->on_reload(f->peer, f->conf, NULL, 0, &f->grant, &f->why), QMS_PASS);
    accepted_as(f, claims("\"scope\":\"a\",\"scp\":\"b\""), "alice");
    f->grant = (struct qms_grant){0};
    set_string(f, "jwt_scope_claim", "scp");
    set_number(f, "jwt_leeway", 0);
    assert_int_equal(M->on_reload(f->peer, f->conf, NULL, 0, &f->grant, &f->why), QMS_PASS);
    assert_string_equal(f->grant.scopes, "b");
    assert_int_equal(f->grant.expires_at, 4102444800);
    set_words(f, "jwt_issuer", 1, issuers);
    assert_int_equal(M->on_reload(f->peer, f->conf, NULL, 0, &f->grant, &f->why), QMS_REJECT);
    assert_string_equal(f->why.label, "wrong_issuer");
    assert_int_equal(f->why.code, QMS_CODE_UNAUTHENTICATED);
    assert_int_equal(load(f, MADE_KEYS), QMS_OK);
    assert_int_equal(M->on_reload(f->peer, f->conf, NULL, 0, &f->grant, &f->why), QMS_REJECT);
    assert_string_equal(f->why.label, "withdrawn");
    assert_int_equal(load(f, HS_KEYS), QMS_OK);
    assert_int_equal(M->on_reload(f->peer, f->conf, NULL, 0, &f->grant, &f->why), QMS_PASS);
}

static void a_token_that_ran_out_ends_as_expired_on_a_reload(void **state)
{
    struct fixture *f = *state;
    char text[128];

    fake_peer_id("alice");
    snprintf(text, sizeof(text), "{\"sub\":\"alice\",\"exp\":%lld}",
             (long long)qms_clock_wall() - 5);
    accepted_as(f, sign(HEADER, text), "alice");
    set_number(f, "jwt_leeway", 0);
    assert_int_equal(M->on_reload(f->peer, f->conf, NULL, 0, &f->grant, &f->why), QMS_REJECT);
    assert_int_equal(f->why.code, QMS_CODE_EXPIRED);
}

static void a_refused_token_does_not_change_what_the_peer_came_with(void **state)
{
    struct fixture *f = *state;

    fake_peer_id("alice");
    accepted_as(f, claims("\"scope\":\"a\""), "alice");
    refused_as(f, sign(HEADER, "{\"sub\":\"alice\",\"exp\":1}"), "expired");
    assert_int_equal(M->on_reload(f->peer, f->conf, NULL, 0, &f->grant, &f->why), QMS_PASS);
    assert_string_equal(f->grant.scopes, "a");
    accepted_as(f, claims("\"scope\":\"b\""), "alice");
    f->grant = (struct qms_grant){0};
    assert_int_equal(M->on_reload(f->peer, f->conf, NULL, 0, &f->grant, &f->why), QMS_PASS);
    assert_string_equal(f->grant.scopes, "b");
}

static void without_memory_a_token_is_refused(void **state)
{
    struct fixture *f = *state;
    unsigned failed = 0;

    for (uint64_t n = 0; n < 3; n++) {
        qms_mem_fail_after(n);
        enum qms_verdict v = show(f, 2, "alice", claims("\"scope\":\"a\""));
        qms_mem_fail_after(UINT64_MAX);
        failed += v == QMS_REJECT && strcmp(f->why.label, "no_memory") == 0;
    }
    assert_int_equal(failed, 3);
    accepted_as(f, claims("\"scope\":\"a\""), "alice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(each_algorithm_verifies_tokens_that_others_made),
        QMS_TEST(every_changed_character_breaks_a_token),
        QMS_TEST(a_signature_by_another_key_is_refused),
        QMS_TEST(no_token_chooses_the_algorithm),
        QMS_TEST(malformed_tokens_are_refused),
        QMS_TEST(spare_bits_of_the_signature_must_be_zero),
        QMS_TEST(a_token_is_bounded),
        QMS_TEST(nesting_is_no_danger),
        QMS_TEST(times_have_a_leeway),
        QMS_TEST(expiry_is_required_unless_it_is_not),
        QMS_TEST(claims_of_a_wrong_kind_are_refused),
        QMS_TEST(the_agent_is_who_the_token_says),
        QMS_TEST(issuer_and_audience_are_checked),
        QMS_TEST(scopes_come_as_words_or_as_a_list),
        QMS_TEST(limits_are_granted),
        QMS_TEST(a_limit_that_cannot_be_read_is_no_licence),
        QMS_TEST(inner_blocks_inherit_the_names),
        QMS_TEST(an_empty_name_is_a_configuration_error),
        QMS_TEST(other_credentials_are_left_to_others),
        QMS_TEST(a_reload_withdraws_keys_and_applies_new_rules),
        QMS_TEST(a_token_that_ran_out_ends_as_expired_on_a_reload),
        QMS_TEST(a_refused_token_does_not_change_what_the_peer_came_with),
        QMS_TEST(without_memory_a_token_is_refused),
    };
    return cmocka_run_group_tests_name("mod_auth_jwt", tests, NULL, NULL);
}
