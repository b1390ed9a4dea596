/* SPDX-License-Identifier: MIT */
#include "quic/crypto_in.h"

#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include "quic/int.h"

/* RFC 8446 section 4. */
enum { NEW_SESSION_TICKET = 4, KEY_UPDATE = 24 };

/* Behind the handshake only a server has anything to say: tickets.  What is out of turn within
 * the handshake GnuTLS knows. */
static bool allowed(ngtcp2_encryption_level which, bool server, uint8_t type)
{
    switch (which) {
    case NGTCP2_ENCRYPTION_LEVEL_INITIAL:
    case NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE:
        return type != KEY_UPDATE;
    case NGTCP2_ENCRYPTION_LEVEL_1RTT:
        return !server && type == NEW_SESSION_TICKET;
    default: /* ngtcp2 takes none in early data */
        return false;
    }
}

bool qms_crypto_in_allowed(struct qms_crypto_level *level, ngtcp2_encryption_level which,
                           bool server, struct qms_bytes bytes)
{
    while (bytes.len > 0) {
        if (level->left > 0) {
            size_t run = level->left < bytes.len ? level->left : bytes.len;
            level->left -= (uint32_t)run;
            bytes.data += run;
            bytes.len -= run;
            continue;
        }
        level->head[level->have++] = *bytes.data++;
        bytes.len--;
        if (!allowed(which, server, level->head[0])) {
            return false;
        }
        if (level->have == sizeof(level->head)) {
            level->have = 0;
            level->left =
                (uint32_t)level->head[1] << 16 | (uint32_t)level->head[2] << 8 | level->head[3];
        }
    }
    return true;
}

int qms_crypto_in(ngtcp2_conn *ng, ngtcp2_encryption_level level, uint64_t offset,
                  const uint8_t *data, size_t len, void *user_data)
{
    struct qms_quic_conn *c = user_data;
    bool known = (size_t)level < sizeof(c->crypto_in) / sizeof(c->crypto_in[0]);

    if (!known || !qms_crypto_in_allowed(&c->crypto_in[level], level, c->server,
                                         (struct qms_bytes){data, len})) {
        ngtcp2_conn_set_tls_alert(ng, GNUTLS_A_UNEXPECTED_MESSAGE);
        return NGTCP2_ERR_CRYPTO;
    }
    return ngtcp2_crypto_recv_crypto_data_cb(ng, level, offset, data, len, user_data);
}
