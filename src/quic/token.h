/* SPDX-License-Identifier: MIT */
/* Keys derived from the server's one secret, and the address tokens made with them.
 *
 * Every process that serves an address derives the same keys, so a token or a reset made by one
 * is understood by all, and by the successor of one that died.
 */
#ifndef QMS_QUIC_TOKEN_H
#define QMS_QUIC_TOKEN_H

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include <quicms/types.h>

struct qms_quic_keys {
    uint8_t retry[32], token[32], reset[32];
    uint8_t ticket[64]; /* master key of TLS session tickets */
    uint32_t steer[3];  /* what masks the worker in connection ids */
};

/** How long a Retry token and a token for a later connection are honoured. */
#define QMS_RETRY_TOKEN_FOR (10 * QMS_SECOND)
#define QMS_LATER_TOKEN_FOR (24 * 3600 * QMS_SECOND)

#define QMS_TOKEN_MAX 256

enum qms_token_kind {
    QMS_TOKEN_NONE,    /* absent, or not worth anything: as if there were none */
    QMS_TOKEN_RETRY,   /* ours of a Retry just now; `odcid` is set */
    QMS_TOKEN_LATER,   /* ours of an earlier connection from this address */
    QMS_TOKEN_INVALID, /* looks like a Retry token and is none (RFC 9000 section 8.1.3) */
};

/** QMS_E_TLS when the library refuses. */
QMS_MUST_CHECK qms_err qms_quic_keys_derive(struct qms_quic_keys *keys,
                                            const uint8_t secret[32]);
/** Binds the key of session tickets to what early data of their holders may rely on: after a
 * change of these numbers older tickets are not understood any more (RFC 9001 section 4.6.2).
 */
QMS_MUST_CHECK qms_err qms_quic_keys_bind(struct qms_quic_keys *keys, const uint8_t secret[32],
                                          const uint64_t *numbers, size_t count);
/** The key under which digests of first flights are filed.  QMS_E_TLS. */
QMS_MUST_CHECK qms_err qms_quic_key_replay(uint8_t key[16], const uint8_t secret[32]);
/** Bytes of a token for the client's address, connection id `scid` of ours and the one the
 * client had chosen; 0 on failure.  `out` holds QMS_TOKEN_MAX bytes. */
size_t qms_token_retry(const struct qms_quic_keys *keys, uint32_t version,
                       const struct sockaddr *remote, socklen_t remote_len,
                       const ngtcp2_cid *scid, const ngtcp2_cid *odcid, qms_time now,
                       uint8_t *out);
/** Same for a later connection (NEW_TOKEN). */
size_t qms_token_later(const struct qms_quic_keys *keys, const struct sockaddr *remote,
                       socklen_t remote_len, qms_time now, uint8_t *out);
/** What the token of an Initial packet proves. */
enum qms_token_kind qms_token_check(const struct qms_quic_keys *keys, const ngtcp2_pkt_hd *hd,
                                    const struct sockaddr *remote, socklen_t remote_len,
                                    qms_time now, ngtcp2_cid *odcid);

#endif
