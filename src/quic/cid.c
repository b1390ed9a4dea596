/* SPDX-License-Identifier: MIT */
/* Ids that name their worker, the kernel filter that reads them, and reset tokens as a keyed
 * hash of ids.  mix() and the middle of qms_cid_filter are the same function twice. */
#include "quic/cid.h"

#include <string.h>

#include "base/clock.h"

#define CHECK 0x716D7300u /* above the slot */

static uint32_t word_of(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t mix(const struct qms_quic_keys *keys, uint32_t v)
{
    v ^= keys->steer[0];
    v *= keys->steer[1] | 1;
    v ^= v >> 15;
    v *= keys->steer[2] | 1;
    return v ^ v >> 13;
}

void qms_cid_make(const struct qms_quic_keys *keys, int slot, ngtcp2_cid *cid)
{
    cid->datalen = QMS_CID_LEN;
    qms_random(cid->data, QMS_CID_LEN);
    if (slot >= 0) {
        uint32_t word = mix(keys, word_of(cid->data)) ^ CHECK ^ (uint32_t)slot;
        for (int i = 0; i < 4; i++) {
            cid->data[4 + i] = (uint8_t)(word >> (24 - 8 * i));
        }
    }
}

int qms_cid_slot(const struct qms_quic_keys *keys, const uint8_t *id, size_t len)
{
    if (len != QMS_CID_LEN) {
        return -1;
    }
    uint32_t v = word_of(id + 4) ^ mix(keys, word_of(id)) ^ CHECK;
    return v < 256 ? (int)v : -1;
}

size_t qms_cid_filter(const struct qms_quic_keys *keys,
                      struct sock_filter out[QMS_CID_FILTER_MAX])
{
    /* clang-format off */
    const struct sock_filter program[] = {
        /* Where the id begins: 6 in a long header if it has our length, 1 in a short one. */
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x80, 0, 4),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 5),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, QMS_CID_LEN, 0, 19),
        BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 6),
        BPF_STMT(BPF_JMP | BPF_JA, 1),
        BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 1),
        BPF_STMT(BPF_LD | BPF_W | BPF_IND, 4),
        BPF_STMT(BPF_ST, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
        /* mix() */
        BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, keys->steer[0]),
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, keys->steer[1] | 1),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 15),
        BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, keys->steer[2] | 1),
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 13),
        BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
        /* What is left is the slot, if the check value is gone with it. */
        BPF_STMT(BPF_LDX | BPF_W | BPF_MEM, 0),
        BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
        BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, CHECK),
        BPF_STMT(BPF_RET | BPF_A, 0),
        /* No socket has this number: the kernel takes its hash. */
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    /* clang-format on */
    _Static_assert(sizeof(program) <= QMS_CID_FILTER_MAX * sizeof(*out), "room for the filter");

    memcpy(out, program, sizeof(program));
    return sizeof(program) / sizeof(program[0]);
}

qms_err qms_cid_reset_token(const struct qms_quic_keys *keys, const ngtcp2_cid *cid,
                            uint8_t token[16])
{
    return ngtcp2_crypto_generate_stateless_reset_token(token, keys->reset, sizeof(keys->reset),
                                                        cid) == 0
               ? QMS_OK
               : QMS_E_TLS;
}
