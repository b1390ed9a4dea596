/* SPDX-License-Identifier: MIT */
/* Which messages of TLS a peer may send (RFC 9001 sections 4.4, 6 and 8.4).
 *
 * QUIC changes keys by itself, so a KeyUpdate of TLS is forbidden.  GnuTLS obeys one all the
 * same, and ngtcp2 aborts the process when it is handed keys for the second time: nothing that
 * is not due may get that far. */
#ifndef QMS_QUIC_CRYPTO_IN_H
#define QMS_QUIC_CRYPTO_IN_H

#include <ngtcp2/ngtcp2.h>

#include <quicms/types.h>

/* The messages of one encryption level, as far as they have come; zeroed memory is none. */
struct qms_crypto_level {
    uint8_t head[4]; /* type, and length in three bytes */
    uint8_t have;    /* bytes of it */
    uint32_t left;   /* bytes of the body that are still to come */
};

/** Follows `bytes`, which come next at a level of INITIAL, HANDSHAKE or 1RTT (others: false).
 * False: they begin a message that the peer of a `server` (or of a client) may never send
 * there; what came before it may be in them too. */
bool qms_crypto_in_allowed(struct qms_crypto_level *level, ngtcp2_encryption_level which,
                           bool server, struct qms_bytes bytes);
/** The recv_crypto_data callback of every connection: ngtcp2's own behind that.  Ends the
 * connection with the alert unexpected_message. */
int qms_crypto_in(ngtcp2_conn *ng, ngtcp2_encryption_level level, uint64_t offset,
                  const uint8_t *data, size_t len, void *user_data);

#endif
