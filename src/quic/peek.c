/* SPDX-License-Identifier: MIT */
/* Each frame type is a string of fields: v a varint, d a varint length and as many bytes, 1 a
 * byte, b a byte length and as many bytes, 8 and t eight and sixteen bytes, a the ranges of an
 * ACK, r the rest of the packet. */
#include <ngtcp2/ngtcp2_crypto.h>
#include <string.h>

#include "base/mem.h"
#include "quic/peek.h"

#define FRAME_STOP_SENDING      0x05
#define FRAME_NEW_CONNECTION_ID 0x18
#define FRAME_HANDSHAKE_DONE    0x1e

static const char *const fields[] = {
    [0x00] = "",    [0x01] = "",   [0x02] = "a",   [0x03] = "avvv", [0x04] = "vvv",
    [0x05] = "vv",  [0x06] = "vd", [0x07] = "d",   [0x08] = "vr",   [0x09] = "vr",
    [0x0a] = "vd",  [0x0b] = "vd", [0x0c] = "vvr", [0x0d] = "vvr",  [0x0e] = "vvd",
    [0x0f] = "vvd", [0x10] = "v",  [0x11] = "vv",  [0x12] = "v",    [0x13] = "v",
    [0x14] = "v",   [0x15] = "vv", [0x16] = "v",   [0x17] = "v",    [0x18] = "vvbt",
    [0x19] = "v",   [0x1a] = "8",  [0x1b] = "8",   [0x1c] = "vvd",  [0x1d] = "vd",
    [0x1e] = "",    [0x30] = "r",  [0x31] = "d",
};

/* The one mutable static of the module, and per thread: ngtcp2's decrypt callback is the only
 * one that is given no user pointer. */
static _Thread_local struct qms_peek *current;

struct cursor {
    const uint8_t *at;
    size_t left;
};

static bool skip(struct cursor *c, uint64_t len)
{
    if (len > c->left) {
        return false;
    }
    c->at += len;
    c->left -= (size_t)len;
    return true;
}

static bool varint(struct cursor *c, uint64_t *out)
{
    if (c->left == 0) {
        return false;
    }
    size_t len = (size_t)1 << (c->at[0] >> 6);
    if (len > c->left) {
        return false;
    }
    uint64_t v = c->at[0] & 0x3f;
    for (size_t i = 1; i < len; i++) {
        v = v << 8 | c->at[i];
    }
    *out = v;
    return skip(c, len);
}

/* Largest, delay, count, first range, then a gap and a range each. */
static bool ack_ranges(struct cursor *c)
{
    uint64_t v, count;

    if (!varint(c, &v) || !varint(c, &v) || !varint(c, &count) || !varint(c, &v)) {
        return false;
    }
    while (count-- > 0) {
        if (!varint(c, &v) || !varint(c, &v)) {
            return false;
        }
    }
    return true;
}

/* `len`: of what 'd' or 'r' stands for. */
static bool field(struct cursor *c, char kind, uint64_t *value, uint64_t *len)
{
    switch (kind) {
    case 'v':
        return varint(c, value);
    case 'd':
        return varint(c, len) && skip(c, *len);
    case 'b':
        return c->left > 0 && skip(c, 1 + (uint64_t)c->at[0]);
    case '8':
        return skip(c, 8);
    case 't':
        return skip(c, 16);
    case 'a':
        return ack_ranges(c);
    default:
        *len = c->left;
        return skip(c, c->left);
    }
}

static bool is_odd(uint64_t type, uint64_t len)
{
    switch (type) {
    case 0x01: /* PING */
    case 0x06: /* CRYPTO */
    case 0x18: /* NEW_CONNECTION_ID */
    case 0x19: /* RETIRE_CONNECTION_ID */
    case 0x1a: /* PATH_CHALLENGE */
        return true;
    case 0x08: /* STREAM without FIN */
    case 0x0a:
    case 0x0c:
    case 0x0e:
        return len == 0;
    default:
        return false;
    }
}

static void keep(struct qms_peek *peek, uint64_t stream_id, uint64_t code)
{
    if (peek->count == peek->cap) {
        size_t cap = peek->cap > 0 ? 2 * peek->cap : 16;
        struct qms_stop *grown = qms_realloc(peek->stops, cap * sizeof(*grown));
        if (grown == NULL) {
            return; /* the stream still ends: ngtcp2 has reset it */
        }
        peek->stops = grown;
        peek->cap = cap;
    }
    peek->stops[peek->count++] = (struct qms_stop){(int64_t)stream_id, code};
}

void qms_peek_frames(struct qms_peek *peek, struct qms_bytes payload)
{
    struct cursor c = {payload.data, payload.len};
    uint64_t type, values[4], len = 0;

    while (c.left > 0 && varint(&c, &type) && type < sizeof(fields) / sizeof(fields[0]) &&
           fields[type] != NULL) {
        unsigned n = 0;
        for (const char *kind = fields[type]; *kind != '\0'; kind++) {
            if (!field(&c, *kind, &values[n & 3], &len)) {
                return;
            }
            n += *kind == 'v';
        }
        peek->odd += is_odd(type, len);
        if (type == FRAME_STOP_SENDING) {
            keep(peek, values[0], values[1]);
        }
        peek->too_early = peek->too_early || type == FRAME_HANDSHAKE_DONE ||
                          (type == FRAME_NEW_CONNECTION_ID && values[1] > 0);
    }
}

int qms_peek_decrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead,
                     const ngtcp2_crypto_aead_ctx *aead_ctx, const uint8_t *ciphertext,
                     size_t ciphertextlen, const uint8_t *nonce, size_t noncelen,
                     const uint8_t *aad, size_t aadlen)
{
    int rv = ngtcp2_crypto_decrypt_cb(dest, aead, aead_ctx, ciphertext, ciphertextlen, nonce,
                                      noncelen, aad, aadlen);

    if (rv == 0 && current != NULL && ciphertextlen > aead->max_overhead) {
        current->too_early = false;
        qms_peek_frames(current, (struct qms_bytes){dest, ciphertextlen - aead->max_overhead});
        rv = current->young && current->too_early ? NGTCP2_ERR_DECRYPT : 0;
    }
    return rv;
}

void qms_peek_begin(struct qms_peek *peek, bool young)
{
    peek->young = young;
    peek->count = 0;
    peek->odd = 0;
    current = peek;
}

void qms_peek_end(void)
{
    current = NULL;
}

void qms_peek_fini(struct qms_peek *peek)
{
    qms_free(peek->stops);
    *peek = (struct qms_peek){.cap = 0};
}
