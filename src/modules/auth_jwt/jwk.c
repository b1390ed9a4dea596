/* SPDX-License-Identifier: MIT */
/* One key after the other: what is it for, which algorithm, then its numbers. */
#include "jwk.h"

#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "base64url.h"
#include "jwk_line.h"

/* Longest number of a key: the modulus, or a secret. */
#define NUMBER_MAX 1024

struct reader {
    const char *file;
    struct qms_bytes text;
    size_t index; /* of the key being read */
    struct qms_diag *diag;
};

static qms_err bad(const struct reader *r, const char *what)
{
    qms_diag_error(r->diag, "%s:%u: Key %zu: %s", r->file, qms_jwk_line(r->text, r->index),
                   r->index + 1, what);
    return QMS_E_CONFIG;
}

/* NULL: absent, or no text. */
static const char *text_of(const json_t *key, const char *member)
{
    return json_string_value(json_object_get(key, member));
}

static bool same(const char *a, const char *b)
{
    return a != NULL && strcmp(a, b) == 0;
}

/* ---- what a key is for ---- */

static bool may_verify(const json_t *key)
{
    const json_t *ops = json_object_get(key, "key_ops"), *op;
    const char *use = text_of(key, "use");
    bool verify = ops == NULL;
    size_t i;

    json_array_foreach(ops, i, op)
    {
        verify = verify || same(json_string_value(op), "verify");
    }
    return verify && (use == NULL || strcmp(use, "sig") == 0);
}

/* The algorithm that the kind of the key leaves no choice about; COUNT: none, or a choice. */
static enum qms_jws_alg only_alg(const json_t *key)
{
    const char *kty = text_of(key, "kty"), *crv = text_of(key, "crv");

    if (same(kty, "OKP") && same(crv, "Ed25519")) {
        return QMS_JWS_EDDSA;
    }
    if (same(kty, "EC")) {
        return same(crv, "P-256")   ? QMS_JWS_ES256
               : same(crv, "P-384") ? QMS_JWS_ES384
                                    : QMS_JWS_ALG_COUNT;
    }
    return QMS_JWS_ALG_COUNT;
}

static bool alg_fits(const json_t *key, enum qms_jws_alg alg)
{
    switch (alg) {
    case QMS_JWS_RS256:
    case QMS_JWS_PS256:
        return same(text_of(key, "kty"), "RSA");
    case QMS_JWS_HS256:
        return same(text_of(key, "kty"), "oct");
    default:
        return only_alg(key) == alg;
    }
}

/* Binds the key to its algorithm; COUNT without an error: it is not for us. */
static qms_err bind(const struct reader *r, const json_t *key, enum qms_jws_alg *alg)
{
    const char *name = text_of(key, "alg"), *kty = text_of(key, "kty");
    bool choice = same(kty, "RSA") || same(kty, "oct");

    *alg = QMS_JWS_ALG_COUNT;
    if (kty == NULL) {
        return bad(r, "It needs \"kty\".");
    }
    if (name == NULL && json_object_get(key, "alg") != NULL) {
        return bad(r, "Its \"alg\" is not a text.");
    }
    if (!may_verify(key)) {
        return QMS_OK;
    }
    if (name == NULL && choice) {
        return bad(r, "It needs \"alg\": a key is used with one algorithm only (RS256 or PS256 "
                      "for RSA, HS256 for oct).");
    }
    *alg = name != NULL ? qms_jws_alg_of(name) : only_alg(key);
    if (*alg != QMS_JWS_ALG_COUNT && !alg_fits(key, *alg)) {
        return bad(r, "Its \"alg\" does not fit its \"kty\" and \"crv\".");
    }
    return QMS_OK;
}

/* ---- its numbers ---- */

struct numbers {
    uint8_t a[NUMBER_MAX + 2], b[NUMBER_MAX + 2];
    size_t a_len, b_len;
};

static bool number(const json_t *key, const char *member, uint8_t *out, size_t *len)
{
    const json_t *text = json_object_get(key, member);
    struct qms_bytes in = {(const uint8_t *)json_string_value(text), json_string_length(text)};

    return in.data != NULL && in.len > 0 && QMS_BASE64URL_DECODED(in.len) <= NUMBER_MAX + 2 &&
           qms_base64url_decode(in, out, len);
}

static bool read_numbers(const json_t *key, enum qms_jws_alg alg, struct numbers *n)
{
    switch (alg) {
    case QMS_JWS_EDDSA:
        return number(key, "x", n->a, &n->a_len);
    case QMS_JWS_ES256:
    case QMS_JWS_ES384:
        return number(key, "x", n->a, &n->a_len) && number(key, "y", n->b, &n->b_len);
    case QMS_JWS_HS256:
        return number(key, "k", n->a, &n->a_len);
    default:
        return number(key, "n", n->a, &n->a_len) && number(key, "e", n->b, &n->b_len);
    }
}

static qms_err make_key(const struct reader *r, const json_t *json, enum qms_jws_alg alg,
                        struct qms_sig_key **out)
{
    struct numbers n = {.a_len = 0};
    qms_err err;

    if (alg != QMS_JWS_HS256 && json_object_get(json, "d") != NULL) {
        return bad(r, "It holds a private key (\"d\"); give the broker the public part only.");
    }
    if (!read_numbers(json, alg, &n)) {
        qms_memzero(&n, sizeof(n));
        return bad(r, "A number of it is missing, too long or not base64url (x; x and y; n and "
                      "e; or k).");
    }
    err = qms_sig_key_new(alg, (struct qms_bytes){n.a, n.a_len},
                          (struct qms_bytes){n.b, n.b_len}, out);
    qms_memzero(&n, sizeof(n));
    if (err == QMS_E_INVALID) {
        return bad(r, "Its numbers are no key that can be used: a point on its curve, RSA of "
                      "2048 to 8192 bits, a secret of 32 bytes or more.");
    }
    return err;
}

static qms_err read_kid(const struct reader *r, const json_t *json, struct qms_jwk *jwk)
{
    const json_t *kid = json_object_get(json, "kid");

    if (kid == NULL) {
        return QMS_OK;
    }
    if (!json_is_string(kid) || json_string_length(kid) == 0 ||
        json_string_length(kid) > QMS_JWK_KID_MAX) {
        return bad(r, "Its \"kid\" is not a text of 1 to 256 bytes.");
    }
    jwk->kid = qms_strndup(json_string_value(kid), json_string_length(kid));
    return jwk->kid != NULL ? QMS_OK : QMS_E_NOMEM;
}

static bool same_kid(const struct qms_jwk *jwk, const char *kid)
{
    return kid == NULL ? jwk->kid == NULL : jwk->kid != NULL && strcmp(jwk->kid, kid) == 0;
}

static bool ambiguous(const struct qms_jwk_set *set, const struct qms_jwk *jwk)
{
    for (size_t i = 0; i < set->count; i++) {
        if (same_kid(&set->keys[i], jwk->kid) &&
            qms_sig_key_alg(set->keys[i].key) == qms_sig_key_alg(jwk->key)) {
            return true;
        }
    }
    return false;
}

static void jwk_fini(struct qms_jwk *jwk)
{
    qms_sig_key_free(jwk->key);
    qms_free(jwk->kid);
    *jwk = (struct qms_jwk){0};
}

static qms_err read_key(const struct reader *r, const json_t *json, struct qms_jwk_set *set)
{
    struct qms_jwk jwk = {0};
    enum qms_jws_alg alg;
    qms_err err;

    if (!json_is_object(json)) {
        return bad(r, "It is not an object.");
    }
    if ((err = bind(r, json, &alg)) != QMS_OK) {
        return err;
    }
    if (alg == QMS_JWS_ALG_COUNT) {
        set->passed_over++;
        return QMS_OK;
    }
    err = make_key(r, json, alg, &jwk.key);
    err = err == QMS_OK ? read_kid(r, json, &jwk) : err;
    if (err == QMS_OK && ambiguous(set, &jwk)) {
        err = bad(r, "Another key before it has the same \"kid\" and algorithm.");
    }
    if (err != QMS_OK) {
        jwk_fini(&jwk);
        return err;
    }
    set->keys[set->count++] = jwk;
    return QMS_OK;
}

/* ---- the set ---- */

static qms_err read_set(struct reader *r, const json_t *root, struct qms_jwk_set *set)
{
    const json_t *keys = json_object_get(root, "keys");
    size_t count = json_array_size(keys);
    qms_err err = QMS_OK;

    if (!json_is_array(keys) || count > QMS_JWK_MAX) {
        qms_diag_error(r->diag,
                       "%s:1: A JWK set is an object with an array \"keys\" of at most "
                       "%d keys.",
                       r->file, QMS_JWK_MAX);
        return QMS_E_CONFIG;
    }
    if ((set->keys = qms_calloc(count + 1, sizeof(*set->keys))) == NULL) {
        return QMS_E_NOMEM;
    }
    for (; err == QMS_OK && r->index < count; r->index++) {
        err = read_key(r, json_array_get(keys, r->index), set);
    }
    if (err == QMS_OK && set->count == 0) {
        qms_diag_error(r->diag,
                       "%s:1: No key in it can verify signatures; EdDSA (Ed25519), ES256, "
                       "ES384, RS256, PS256 and HS256 are known.",
                       r->file);
        err = QMS_E_CONFIG;
    }
    return err;
}

qms_err qms_jwk_set_parse(struct qms_jwk_set *out, const char *name, struct qms_bytes text,
                          struct qms_diag *diag)
{
    struct reader r = {.file = name, .text = text, .diag = diag};
    struct qms_jwk_set set = {0};
    json_error_t where;
    json_t *root = json_loadb(text.len > 0 ? (const char *)text.data : "", text.len,
                              JSON_REJECT_DUPLICATES, &where);

    if (root == NULL) {
        /* jansson's sentence quotes what stands there, which may be a secret. */
        bool twice = json_error_code(&where) == json_error_duplicate_key;
        qms_diag_error(diag, "%s:%d: %s", name, where.line > 0 ? where.line : 1,
                       twice ? "An object has a member twice." : "This is not valid JSON.");
        return QMS_E_CONFIG;
    }
    qms_err err = read_set(&r, root, &set);
    json_decref(root);
    if (err != QMS_OK) {
        qms_jwk_set_fini(&set);
        return err;
    }
    *out = set;
    return QMS_OK;
}

void qms_jwk_set_fini(struct qms_jwk_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        jwk_fini(&set->keys[i]);
    }
    qms_free(set->keys);
    *set = (struct qms_jwk_set){0};
}

const struct qms_jwk *qms_jwk_find(const struct qms_jwk_set *set, enum qms_jws_alg alg,
                                   const char *kid, bool *known_kid)
{
    const struct qms_jwk *found = NULL;
    size_t fit = 0;

    *known_kid = false;
    for (size_t i = 0; i < set->count; i++) {
        const struct qms_jwk *jwk = &set->keys[i];
        bool named = kid == NULL || same_kid(jwk, kid);
        bool fits = named && qms_sig_key_alg(jwk->key) == alg;
        *known_kid = *known_kid || (named && kid != NULL);
        found = fits ? jwk : found;
        fit += fits;
    }
    return fit == 1 ? found : NULL;
}

const struct qms_jwk *qms_jwk_find_id(const struct qms_jwk_set *set,
                                      const uint8_t id[QMS_SIG_KEY_ID_LEN])
{
    for (size_t i = 0; i < set->count; i++) {
        if (memcmp(qms_sig_key_id(set->keys[i].key), id, QMS_SIG_KEY_ID_LEN) == 0) {
            return &set->keys[i];
        }
    }
    return NULL;
}
