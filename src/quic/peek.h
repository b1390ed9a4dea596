/* SPDX-License-Identifier: MIT */
/* Finds the STOP_SENDING frames of received packets, counts odd ones, and keeps a client from
 * those that ngtcp2 does not stand yet.
 *
 * ngtcp2 1.11 answers STOP_SENDING with RESET_STREAM by itself and tells nobody: its
 * stream_stop_sending callback is about our own.  So the decrypt callback, through which every
 * packet passes, reads the plaintext for them; what it found counts only after ngtcp2 accepted
 * the packet.
 */
#ifndef QMS_QUIC_PEEK_H
#define QMS_QUIC_PEEK_H

#include <ngtcp2/ngtcp2.h>

#include <quicms/types.h>

struct qms_stop {
    int64_t stream_id;
    uint64_t code;
};
/* Stops of the datagram being read; zeroed memory is a valid empty list. */
struct qms_peek {
    struct qms_stop *stops;
    size_t count, cap;
    /* Frames that an honest peer sends rarely and a hostile one could send for ever: PING,
     * CRYPTO, PATH_CHALLENGE, NEW_ and RETIRE_CONNECTION_ID, and STREAM without data or FIN. */
    unsigned odd;
    /* A client whose handshake is not over.  Data of a server may come before, but ngtcp2 1.11
     * does not stand all of it: it asserts by the end of the handshake that the server's first
     * id is in use, and needs keys that it drops at HANDSHAKE_DONE. */
    bool young;
    bool too_early; /* the newest packet has NEW_CONNECTION_ID that takes ids back, or that */
};

/** Collects into `peek` what is decrypted on this thread until qms_peek_end.  Of one
 * that is `young`, packets that are `too_early` are dropped as if they had not arrived. */
void qms_peek_begin(struct qms_peek *peek, bool young);
void qms_peek_end(void);
void qms_peek_fini(struct qms_peek *peek);
/** Walks the frames of a decrypted packet (RFC 9000 section 19); stops at what it cannot read.
 * ngtcp2 judges the packet, not this. */
void qms_peek_frames(struct qms_peek *peek, struct qms_bytes payload);
/** The decrypt callback of every connection: ngtcp2's own, then the walk. */
int qms_peek_decrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead,
                     const ngtcp2_crypto_aead_ctx *aead_ctx, const uint8_t *ciphertext,
                     size_t ciphertextlen, const uint8_t *nonce, size_t noncelen,
                     const uint8_t *aad, size_t aadlen);

#endif
