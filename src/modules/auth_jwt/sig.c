/* SPDX-License-Identifier: MIT */
/* GnuTLS does the arithmetic; here its ways of naming keys and signatures are fitted to those
 * of JOSE. */
#include "sig.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <string.h>

#include "base/mem.h"

#define SIGNATURE_MAX (QMS_RSA_BITS_MAX / 8)

struct qms_sig_key {
    enum qms_jws_alg alg;
    uint8_t id[QMS_SIG_KEY_ID_LEN];
    size_t signature_len;
    gnutls_pubkey_t public; /* NULL for HS256 */
    size_t secret_len;
    uint8_t secret[]; /* HS256 */
};

static const struct {
    const char *name;
    gnutls_sign_algorithm_t sign;
    size_t coordinate; /* bytes of x and y, and of r and s; 0: not of this kind */
} algs[QMS_JWS_ALG_COUNT] = {
    [QMS_JWS_EDDSA] = {"EdDSA", GNUTLS_SIGN_EDDSA_ED25519, 0},
    [QMS_JWS_ES256] = {"ES256", GNUTLS_SIGN_ECDSA_SHA256, 32},
    [QMS_JWS_ES384] = {"ES384", GNUTLS_SIGN_ECDSA_SHA384, 48},
    [QMS_JWS_RS256] = {"RS256", GNUTLS_SIGN_RSA_SHA256, 0},
    [QMS_JWS_PS256] = {"PS256", GNUTLS_SIGN_RSA_PSS_RSAE_SHA256, 0},
    [QMS_JWS_HS256] = {"HS256", GNUTLS_SIGN_UNKNOWN, 0},
};

enum qms_jws_alg qms_jws_alg_of(const char *name)
{
    unsigned i = 0;

    while (i < QMS_JWS_ALG_COUNT && strcmp(algs[i].name, name) != 0) {
        i++;
    }
    return (enum qms_jws_alg)i;
}

const char *qms_jws_alg_name(enum qms_jws_alg alg)
{
    return algs[alg].name;
}

static gnutls_datum_t datum(struct qms_bytes b)
{
    return (gnutls_datum_t){(unsigned char *)b.data, (unsigned)b.len};
}

static qms_err error_of(int code)
{
    return code == 0 ? QMS_OK : code == GNUTLS_E_MEMORY_ERROR ? QMS_E_NOMEM : QMS_E_INVALID;
}

/* ---- keys ---- */

static unsigned bits_of(struct qms_bytes n)
{
    unsigned bits = (unsigned)n.len * 8;

    for (uint8_t top = n.data[0]; (top & 0x80) == 0; top = (uint8_t)(top << 1)) {
        bits--;
    }
    return bits;
}

/* A long exponent would make each verification dear. */
static bool rsa_ok(struct qms_bytes n, struct qms_bytes e)
{
    bool odd = n.len > 0 && e.len > 0 && (n.data[n.len - 1] & e.data[e.len - 1] & 1) == 1;
    bool shortest = odd && n.data[0] != 0 && e.data[0] != 0;

    return shortest && n.len <= SIGNATURE_MAX && bits_of(n) >= QMS_RSA_BITS_MIN && e.len <= 8 &&
           !(e.len == 1 && e.data[0] == 1);
}

static bool lengths_ok(enum qms_jws_alg alg, struct qms_bytes a, struct qms_bytes b)
{
    switch (alg) {
    case QMS_JWS_EDDSA:
        return a.len == 32 && b.len == 0;
    case QMS_JWS_ES256:
    case QMS_JWS_ES384:
        return a.len == algs[alg].coordinate && b.len == algs[alg].coordinate;
    case QMS_JWS_RS256:
    case QMS_JWS_PS256:
        return rsa_ok(a, b);
    case QMS_JWS_HS256:
        return a.len >= QMS_HS256_MIN && b.len == 0;
    default:
        return false;
    }
}

static size_t signature_len(enum qms_jws_alg alg, struct qms_bytes a)
{
    return alg == QMS_JWS_EDDSA       ? 64
           : algs[alg].coordinate > 0 ? 2 * algs[alg].coordinate
           : alg == QMS_JWS_HS256     ? 32
                                      : a.len;
}

static int import(struct qms_sig_key *key, struct qms_bytes a, struct qms_bytes b)
{
    gnutls_datum_t first = datum(a), second = datum(b);
    int err = gnutls_pubkey_init(&key->public);

    if (err != 0) {
        key->public = NULL;
        return err;
    }
    switch (key->alg) {
    case QMS_JWS_EDDSA:
        err = gnutls_pubkey_import_ecc_raw(key->public, GNUTLS_ECC_CURVE_ED25519, &first, NULL);
        break;
    case QMS_JWS_ES256:
        err = gnutls_pubkey_import_ecc_raw(key->public, GNUTLS_ECC_CURVE_SECP256R1, &first,
                                           &second);
        break;
    case QMS_JWS_ES384:
        err = gnutls_pubkey_import_ecc_raw(key->public, GNUTLS_ECC_CURVE_SECP384R1, &first,
                                           &second);
        break;
    default:
        err = gnutls_pubkey_import_rsa_raw(key->public, &first, &second);
        break;
    }
    return err == 0 ? gnutls_pubkey_verify_params(key->public) : err;
}

static int make_id(struct qms_sig_key *key, struct qms_bytes a, struct qms_bytes b)
{
    uint8_t head[] = {(uint8_t)key->alg, (uint8_t)(a.len >> 8), (uint8_t)a.len};
    gnutls_hash_hd_t hash;
    int err = gnutls_hash_init(&hash, GNUTLS_DIG_SHA256);

    if (err != 0) {
        return err;
    }
    err = gnutls_hash(hash, head, sizeof(head));
    err = err == 0 ? gnutls_hash(hash, a.data, a.len) : err;
    err = err == 0 && b.len > 0 ? gnutls_hash(hash, b.data, b.len) : err;
    gnutls_hash_deinit(hash, key->id);
    return err;
}

qms_err qms_sig_key_new(enum qms_jws_alg alg, struct qms_bytes a, struct qms_bytes b,
                        struct qms_sig_key **out)
{
    size_t secret_len = alg == QMS_JWS_HS256 ? a.len : 0;
    struct qms_sig_key *key;
    int err = 0;

    if (!lengths_ok(alg, a, b)) {
        return QMS_E_INVALID;
    }
    if ((key = qms_calloc(1, sizeof(*key) + secret_len)) == NULL) {
        return QMS_E_NOMEM;
    }
    key->alg = alg;
    key->signature_len = signature_len(alg, a);
    if (secret_len > 0) {
        key->secret_len = secret_len;
        memcpy(key->secret, a.data, secret_len);
    } else {
        err = import(key, a, b);
    }
    err = err == 0 ? make_id(key, a, b) : err;
    if (err != 0) {
        qms_sig_key_free(key);
        return error_of(err);
    }
    *out = key;
    return QMS_OK;
}

void qms_sig_key_free(struct qms_sig_key *key)
{
    if (key == NULL) {
        return;
    }
    if (key->public != NULL) {
        gnutls_pubkey_deinit(key->public);
    }
    qms_memzero(key->secret, key->secret_len);
    qms_free(key);
}

enum qms_jws_alg qms_sig_key_alg(const struct qms_sig_key *key)
{
    return key->alg;
}

const uint8_t *qms_sig_key_id(const struct qms_sig_key *key)
{
    return key->id;
}

/* ---- signatures ---- */

static bool verify_hmac(const struct qms_sig_key *key, struct qms_bytes text,
                        struct qms_bytes signature)
{
    uint8_t mac[32];

    return gnutls_hmac_fast(GNUTLS_MAC_SHA256, key->secret, key->secret_len, text.data,
                            text.len, mac) == 0 &&
           qms_memeq_ct(mac, signature.data, sizeof(mac));
}

/* JOSE puts r and s beside each other, GnuTLS wants them as DER. */
static bool verify_ecdsa(const struct qms_sig_key *key, const gnutls_datum_t *text,
                         struct qms_bytes signature)
{
    size_t half = algs[key->alg].coordinate;
    gnutls_datum_t der = {0}, r = datum((struct qms_bytes){signature.data, half}),
                   s = datum((struct qms_bytes){signature.data + half, half});

    if (gnutls_encode_rs_value(&der, &r, &s) != 0) {
        return false;
    }
    int err = gnutls_pubkey_verify_data2(key->public, algs[key->alg].sign, 0, text, &der);
    gnutls_free(der.data);
    return err == 0;
}

static bool verify(const struct qms_sig_key *key, struct qms_bytes text,
                   struct qms_bytes signature)
{
    gnutls_datum_t data = datum(text), sig = datum(signature);

    if (key->alg == QMS_JWS_HS256) {
        return verify_hmac(key, text, signature);
    }
    if (algs[key->alg].coordinate > 0) {
        return verify_ecdsa(key, &data, signature);
    }
    return gnutls_pubkey_verify_data2(key->public, algs[key->alg].sign, 0, &data, &sig) == 0;
}

bool qms_sig_verify(const struct qms_sig_key *key, struct qms_bytes text,
                    struct qms_bytes signature)
{
    uint8_t other[SIGNATURE_MAX];
    bool fits = signature.len == key->signature_len;

    if (!fits) {
        /* Every number in it is within its range for each algorithm, so none is found out
         * early. */
        memset(other, 1, sizeof(other));
        signature = (struct qms_bytes){other, key->signature_len};
    }
    return verify(key, text, signature) & fits;
}
