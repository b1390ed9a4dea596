/* SPDX-License-Identifier: MIT */
/* HKDF labels keep the keys apart; ngtcp2's crypto helper seals the tokens. */
#include <gnutls/crypto.h>
#include <stdio.h>
#include <string.h>

#include "quic/token.h"

static int derive(const uint8_t secret[32], const char *label, uint8_t *out, size_t len)
{
    gnutls_datum_t key = {.data = (uint8_t *)(uintptr_t)secret, .size = 32};
    gnutls_datum_t info = {.data = (uint8_t *)(uintptr_t)label,
                           .size = (unsigned)strlen(label)};

    return gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &key, &info, out, len);
}

qms_err qms_quic_keys_derive(struct qms_quic_keys *keys, const uint8_t secret[32])
{
    bool ok = derive(secret, "quicms retry", keys->retry, sizeof(keys->retry)) == 0 &&
              derive(secret, "quicms token", keys->token, sizeof(keys->token)) == 0 &&
              derive(secret, "quicms reset", keys->reset, sizeof(keys->reset)) == 0 &&
              derive(secret, "quicms ticket", keys->ticket, sizeof(keys->ticket)) == 0 &&
              derive(secret, "quicms steer", (uint8_t *)keys->steer, sizeof(keys->steer)) == 0;

    return ok ? QMS_OK : QMS_E_TLS;
}

qms_err qms_quic_keys_bind(struct qms_quic_keys *keys, const uint8_t secret[32],
                           const uint64_t *numbers, size_t count)
{
    char label[256];
    size_t len = (size_t)snprintf(label, sizeof(label), "quicms ticket");

    for (size_t i = 0; i < count && len < sizeof(label); i++) {
        len += (size_t)snprintf(label + len, sizeof(label) - len, " %llu",
                                (unsigned long long)numbers[i]);
    }
    return derive(secret, label, keys->ticket, sizeof(keys->ticket)) == 0 ? QMS_OK : QMS_E_TLS;
}

qms_err qms_quic_key_replay(uint8_t key[16], const uint8_t secret[32])
{
    return derive(secret, "quicms replay", key, 16) == 0 ? QMS_OK : QMS_E_TLS;
}

size_t qms_token_retry(const struct qms_quic_keys *keys, uint32_t version,
                       const struct sockaddr *remote, socklen_t remote_len,
                       const ngtcp2_cid *scid, const ngtcp2_cid *odcid, qms_time now,
                       uint8_t *out)
{
    _Static_assert(QMS_TOKEN_MAX >= NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2, "token buffer");
    ngtcp2_ssize n = ngtcp2_crypto_generate_retry_token2(
        out, keys->retry, sizeof(keys->retry), version, remote, remote_len, scid, odcid, now);

    return n > 0 ? (size_t)n : 0;
}

size_t qms_token_later(const struct qms_quic_keys *keys, const struct sockaddr *remote,
                       socklen_t remote_len, qms_time now, uint8_t *out)
{
    _Static_assert(QMS_TOKEN_MAX >= NGTCP2_CRYPTO_MAX_REGULAR_TOKENLEN, "token buffer");
    ngtcp2_ssize n = ngtcp2_crypto_generate_regular_token(out, keys->token, sizeof(keys->token),
                                                          remote, remote_len, now);

    return n > 0 ? (size_t)n : 0;
}

enum qms_token_kind qms_token_check(const struct qms_quic_keys *keys, const ngtcp2_pkt_hd *hd,
                                    const struct sockaddr *remote, socklen_t remote_len,
                                    qms_time now, ngtcp2_cid *odcid)
{
    if (hd->tokenlen == 0) {
        return QMS_TOKEN_NONE;
    }
    if (hd->token[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY2) {
        int rv = ngtcp2_crypto_verify_retry_token2(
            odcid, hd->token, hd->tokenlen, keys->retry, sizeof(keys->retry), hd->version,
            remote, remote_len, &hd->dcid, QMS_RETRY_TOKEN_FOR, now);
        return rv == 0 ? QMS_TOKEN_RETRY : QMS_TOKEN_INVALID;
    }
    if (hd->token[0] != NGTCP2_CRYPTO_TOKEN_MAGIC_REGULAR) {
        return QMS_TOKEN_NONE;
    }
    return ngtcp2_crypto_verify_regular_token(hd->token, hd->tokenlen, keys->token,
                                              sizeof(keys->token), remote, remote_len,
                                              QMS_LATER_TOKEN_FOR, now) == 0
               ? QMS_TOKEN_LATER
               : QMS_TOKEN_NONE;
}
