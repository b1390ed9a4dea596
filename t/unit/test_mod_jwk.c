/* SPDX-License-Identifier: MIT */
/* JWK sets, and signatures by the published keys. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "jwt_fixture.h"
#include "jwt_vectors.h"
#include "modules/auth_jwt/base64url.h"
#include "modules/auth_jwt/claims.h"
#include "modules/auth_jwt/jws.h"
#include "qms_test.h"

static struct qms_jwk_set set;

static int setup(void **state)
{
    (void)state;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    qms_jwk_set_fini(&set);
    return 0;
}

static struct qms_bytes bytes(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}

static qms_err parse(const char *text)
{
    qms_jwk_set_fini(&set);
    fake_file("", "", 0);
    return qms_jwk_set_parse(&set, "/etc/keys", bytes(text), NULL);
}

/* The payload of a token whose signature is good by the set; NULL: it is not, or none. */
static const char *verified(const char *token)
{
    static char payload[1024];
    struct qms_jws jws;
    bool known_kid;
    const struct qms_jwk *jwk;
    bool good = false;

    if (qms_jws_parse(&jws, bytes(token)) == NULL &&
        (jwk = qms_jwk_find(&set, jws.alg, jws.has_kid ? jws.kid : NULL, &known_kid)) != NULL) {
        good = qms_sig_verify(jwk->key, jws.signed_text, jws.signature);
        snprintf(payload, sizeof(payload), "%.*s", (int)jws.payload.len,
                 (const char *)jws.payload.data);
    }
    qms_jws_fini(&jws);
    return good ? payload : NULL;
}

#define OCT "{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"" RFC7515_A1_K "\"}"
#define RSA "{\"kty\":\"RSA\",\"alg\":\"RS256\",\"e\":\"AQAB\",\"n\":\"" RFC7515_A2_N "\"}"
#define P256                                                                                   \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC7515_A3_X "\",\"y\":\"" RFC7515_A3_Y "\"}"
#define OKP    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_A2_X "\"}"
#define SET(x) "{\"keys\":[" x "]}"

static void the_published_signatures_are_good(void **state)
{
    static const char joe[] =
        "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

    (void)state;
    assert_int_equal(parse(SET(OCT "," RSA "," P256 "," OKP)), QMS_OK);
    assert_int_equal(set.count, 4);
    assert_string_equal(verified(RFC7515_A1), joe);
    assert_string_equal(verified(RFC7515_A2), joe);
    assert_string_equal(verified(RFC7515_A3), joe);
    assert_string_equal(verified(RFC8037_A4), "Example of Ed25519 signing");
}

static void the_published_claims_hold_until_they_expire(void **state)
{
    struct qms_claim_rules rules = {
        .agent_claim = "iss", .scope_claim = "scope", .require_exp = 1};
    struct qms_claims claims = {0};

    (void)state;
    assert_int_equal(parse(SET(OCT)), QMS_OK);
    const char *payload = verified(RFC7515_A1);
    assert_non_null(payload);
    assert_null(qms_claims_read(&claims, &rules, bytes(payload), bytes("joe"), 1300819379));
    assert_int_equal(claims.expires_at, 1300819380);
    assert_int_equal(claims.agent_len, 3);
    qms_claims_fini(&claims);
    assert_string_equal(
        qms_claims_read(&claims, &rules, bytes(payload), bytes("joe"), 1300819380), "expired");
}

static void a_changed_signature_is_bad_for_each_algorithm(void **state)
{
    static const char *const tokens[] = {RFC7515_A1, RFC7515_A2, RFC7515_A3, RFC8037_A4};
    char token[1024];

    (void)state;
    assert_int_equal(parse(SET(OCT "," RSA "," P256 "," OKP)), QMS_OK);
    for (size_t i = 0; i < 4; i++) {
        snprintf(token, sizeof(token), "%s", tokens[i]);
        char *last = strrchr(token, '.') + 1;
        for (size_t at = 0; at < strlen(last); at += 7) {
            char was = last[at];
            last[at] = was == 'x' ? 'y' : 'x';
            assert_null(verified(token));
            last[at] = was;
        }
        /* Shorter, longer, none: all wrong, none a crash. */
        last[strlen(last) / 8 * 4] = '\0';
        assert_null(verified(token));
        snprintf(token, sizeof(token), "%sAAAA", tokens[i]);
        assert_null(verified(token));
        *(strrchr(token, '.') + 1) = '\0';
        assert_null(verified(token));
    }
}

static void der_signatures_of_ecdsa_are_not_taken(void **state)
{
    /* r and s of A.3 as ASN.1, which is what everyone but JOSE does. */
    static const uint8_t zero[64];
    struct qms_jws jws;
    bool known_kid;

    (void)state;
    assert_int_equal(parse(SET(P256)), QMS_OK);
    assert_null(qms_jws_parse(&jws, bytes(RFC7515_A3)));
    const struct qms_jwk *jwk = qms_jwk_find(&set, QMS_JWS_ES256, NULL, &known_kid);
    assert_true(qms_sig_verify(jwk->key, jws.signed_text, jws.signature));
    /* r = s = 0: the signature that a famous verifier took for any text. */
    assert_false(qms_sig_verify(jwk->key, jws.signed_text, (struct qms_bytes){zero, 64}));
    uint8_t der[80] = {0x30, 70, 0x02, 33, 0};
    memcpy(der + 5, jws.signature.data, 32);
    memcpy(der + 37, "\x02\x21\x00", 3);
    memcpy(der + 40, jws.signature.data + 32, 32);
    assert_false(qms_sig_verify(jwk->key, jws.signed_text, (struct qms_bytes){der, 72}));
    qms_jws_fini(&jws);
}

static void keys_of_no_use_are_passed_over(void **state)
{
    (void)state;
    assert_int_equal(
        parse(SET("{\"kty\":\"RSA\",\"use\":\"enc\"},{\"kty\":\"EC\",\"crv\":\"secp256k1\"},"
                  "{\"kty\":\"RSA\",\"alg\":\"RSA-OAEP\"},{\"kty\":\"OKP\",\"crv\":\"X25519\"},"
                  "{\"kty\":\"oct\",\"alg\":\"HS256\",\"key_ops\":[\"sign\"]},"
                  "{\"kty\":\"AKP\"}," OKP)),
        QMS_OK);
    assert_int_equal(set.count, 1);
    assert_int_equal(set.passed_over, 6);
}

struct bad {
    const char *text, *error;
};

static void bad_sets_are_refused_with_their_place(void **state)
{
    static const struct bad bad[] = {
        {"", "/etc/keys:1: This is not valid JSON."},
        {"{\n\"keys\": [\n}", "/etc/keys:3: This is not valid JSON."},
        {"{\"keys\":[],\n\"keys\":[]}", "/etc/keys:2: An object has a member twice."},
        {"[]", "/etc/keys:1: A JWK set is an object"},
        {OKP, "/etc/keys:1: A JWK set is an object"},
        {"{\"keys\":{}}", "/etc/keys:1: A JWK set is an object"},
        {SET(""), "/etc/keys:1: No key in it can verify"},
        {SET("{\"kty\":\"RSA\",\"use\":\"enc\"}"), "/etc/keys:1: No key in it can verify"},
        {SET("\n" OKP ",\n7"), "/etc/keys:3: Key 2: It is not an object."},
        {"{\"x\":[{},{}],\n\"keys\":\n[" OKP "\n,\n\n{\"a\":[1,2],\"b\":\"]\\\"\"}]}",
         "/etc/keys:6: Key 2: It needs \"kty\"."},
        {SET("{\"kty\":\"RSA\",\"alg\":1}"), "/etc/keys:1: Key 1: Its \"alg\" is not a text."},
        {SET("{\"kty\":\"RSA\"}"), "/etc/keys:1: Key 1: It needs \"alg\""},
        {SET("{\"kty\":\"oct\",\"k\":\"AA\"}"), "/etc/keys:1: Key 1: It needs \"alg\""},
        {SET("{\"kty\":\"oct\",\"alg\":\"RS256\"}"),
         "/etc/keys:1: Key 1: Its \"alg\" does not"},
        {SET("{\"kty\":\"RSA\",\"alg\":\"HS256\"}"),
         "/etc/keys:1: Key 1: Its \"alg\" does not"},
        {SET("{\"kty\":\"EC\",\"crv\":\"P-384\",\"alg\":\"ES256\"}"),
         "/etc/keys:1: Key 1: Its \"alg\" does not"},
        {SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}"), "/etc/keys:1: Key 1: A number of it is"},
        {SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"+/==\"}"),
         "/etc/keys:1: Key 1: A number of it is"},
        {SET("{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}"),
         "/etc/keys:1: Key 1: Its numbers are no key"},
        {SET("{\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"c2VjcmV0\"}"),
         "/etc/keys:1: Key 1: Its numbers are no key"},
        /* x and y of RFC 7515 A.3 changed about: no point of the curve. */
        {SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC7515_A3_Y
             "\",\"y\":\"" RFC7515_A3_X "\"}"),
         "/etc/keys:1: Key 1: Its numbers are no key"},
        {SET("{\"kty\":\"RSA\",\"alg\":\"RS256\",\"e\":\"AQAB\",\"n\":\"" MADE_RSA1024_N "\"}"),
         "/etc/keys:1: Key 1: Its numbers are no key"},
        {SET("{\"kty\":\"RSA\",\"alg\":\"RS256\",\"e\":\"AQ\",\"n\":\"" RFC7515_A2_N "\"}"),
         "/etc/keys:1: Key 1: Its numbers are no key"},
        {SET("{\"kty\":\"RSA\",\"alg\":\"RS256\",\"e\":\"Ag\",\"n\":\"" RFC7515_A2_N "\"}"),
         "/etc/keys:1: Key 1: Its numbers are no key"},
        {SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC7515_A3_X
             "\",\"y\":\"" RFC7515_A3_Y "\",\"d\":\"" RFC7515_A3_D "\"}"),
         "/etc/keys:1: Key 1: It holds a private key"},
        {SET(OKP ",\n" OKP), "/etc/keys:2: Key 2: Another key before it"},
        {SET("{\"kid\":\"\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_A2_X "\"}"),
         "/etc/keys:1: Key 1: Its \"kid\" is not"},
        {SET("{\"kid\":7,\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_A2_X "\"}"),
         "/etc/keys:1: Key 1: Its \"kid\" is not"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i].text), QMS_E_CONFIG);
        if (strncmp(fake_diag(), bad[i].error, strlen(bad[i].error)) != 0) {
            fail_msg("%zu: \"%s\" instead of \"%s\"", i, fake_diag(), bad[i].error);
        }
        assert_null(strstr(fake_diag(), "c2VjcmV0"));
        assert_int_equal(fake_diag()[strlen(fake_diag()) - 1], '.');
        assert_int_equal(set.count, 0);
    }
}

static void a_broken_file_does_not_tell_its_secrets(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\" oops}]}"),
                     QMS_E_CONFIG);
    assert_null(strstr(fake_diag(), "c2VjcmV0"));
}

static void a_key_is_found_by_kid_and_algorithm(void **state)
{
    static const char keys[] =
        SET("{\"kid\":\"a\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_A2_X "\"},"
            "{\"kid\":\"a\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC7515_A3_X
            "\",\"y\":\"" RFC7515_A3_Y "\"},"
            "{\"kid\":\"b\",\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"" RFC7515_A1_K "\"},"
            "{\"kid\":\"c\",\"kty\":\"oct\",\"alg\":\"HS256\",\"k\":\"" RFC7515_A1_K
            "AAAA\"}," RSA);
    bool known;

    (void)state;
    assert_int_equal(parse(keys), QMS_OK);
    assert_ptr_equal(qms_jwk_find(&set, QMS_JWS_EDDSA, "a", &known), &set.keys[0]);
    assert_ptr_equal(qms_jwk_find(&set, QMS_JWS_ES256, "a", &known), &set.keys[1]);
    assert_null(qms_jwk_find(&set, QMS_JWS_HS256, "a", &known));
    assert_true(known);
    assert_null(qms_jwk_find(&set, QMS_JWS_HS256, "z", &known));
    assert_false(known);
    assert_null(qms_jwk_find(&set, QMS_JWS_HS256, NULL, &known));
    assert_ptr_equal(qms_jwk_find(&set, QMS_JWS_EDDSA, NULL, &known), &set.keys[0]);
    assert_ptr_equal(qms_jwk_find(&set, QMS_JWS_RS256, NULL, &known), &set.keys[4]);
    assert_null(qms_jwk_find(&set, QMS_JWS_RS256, "a", &known));
    for (size_t i = 0; i < set.count; i++) {
        assert_ptr_equal(qms_jwk_find_id(&set, qms_sig_key_id(set.keys[i].key)), &set.keys[i]);
    }
}

static void a_set_is_bounded(void **state)
{
    static char text[40000];
    size_t n = (size_t)snprintf(text, sizeof(text), "{\"keys\":[" OKP);

    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, ",{\"kty\":\"x\"}");
    }
    snprintf(text + n, sizeof(text) - n, "]}");
    assert_int_equal(parse(text), QMS_E_CONFIG);
    snprintf(text + n - 12, sizeof(text) - n, "]}");
    assert_int_equal(parse(text), QMS_OK);
}

static void base64url_has_one_spelling(void **state)
{
    static const struct {
        const char *text, *plain;
    } good[] = {
        {"", ""},           {"Zg", "f"},          {"Zm8", "fo"},          {"Zm9v", "foo"},
        {"Zm9vYg", "foob"}, {"Zm9vYmE", "fooba"}, {"Zm9vYmFy", "foobar"}, {"_-8", "\xff\xef"}};
    static const char *const bad[] = {"Z",    "Zm9vY", "Zg==", "Zh",     "Zm9",   "Z g",
                                      "Zg\n", "+/8A",  "Zm8=", "Zm\xc3", "Zm9v.", "ZZZZZ"};
    uint8_t out[64];
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(qms_base64url_decode(bytes(good[i].text), out, &len));
        assert_int_equal(len, strlen(good[i].plain));
        assert_memory_equal(out, good[i].plain, len);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(qms_base64url_decode(bytes(bad[i]), out, &len));
    }
}

static void loading_survives_a_lack_of_memory(void **state)
{
    uint64_t n = 0;
    qms_err err;

    (void)state;
    do {
        qms_mem_fail_after(n++);
        err = parse(SET(
            "{\"kid\":\"a\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" RFC8037_A2_X "\"}"));
        qms_mem_fail_after(UINT64_MAX);
        assert_true(err == QMS_OK || (err == QMS_E_NOMEM && set.keys == NULL));
    } while (err != QMS_OK);
    assert_int_equal(n, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(the_published_signatures_are_good),
        QMS_TEST(the_published_claims_hold_until_they_expire),
        QMS_TEST(a_changed_signature_is_bad_for_each_algorithm),
        QMS_TEST(der_signatures_of_ecdsa_are_not_taken),
        QMS_TEST(keys_of_no_use_are_passed_over),
        QMS_TEST(bad_sets_are_refused_with_their_place),
        QMS_TEST(a_broken_file_does_not_tell_its_secrets),
        QMS_TEST(a_key_is_found_by_kid_and_algorithm),
        QMS_TEST(a_set_is_bounded),
        QMS_TEST(base64url_has_one_spelling),
        QMS_TEST(loading_survives_a_lack_of_memory),
    };
    return cmocka_run_group_tests_name("mod_jwk", tests, NULL, NULL);
}
