/* SPDX-License-Identifier: MIT */
/* Ids that name their worker, the kernel filter that reads them, and reset tokens as a keyed
 * hash of ids.  mix() and put_unmask(), spread() and put_choice() are the same functions twice.
 */
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

static uint32_t spread(const struct qms_quic_keys *keys, uint32_t v)
{
    return ((v ^ keys->steer[2]) * (keys->steer[0] | 1)) >> 16;
}

size_t qms_cid_choose(const struct qms_quic_keys *keys, const uint8_t *id, size_t len,
                      size_t count)
{
    return len < 4 ? 0 : spread(keys, word_of(id)) % count;
}

/* A program that is being written. */
struct program {
    struct sock_filter *out;
    size_t len;
};

static void put(struct program *p, uint16_t code, uint32_t k)
{
    p->out[p->len++] = (struct sock_filter)BPF_STMT(code, k);
}

static void put_jump(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
    p->out[p->len++] = (struct sock_filter)BPF_JUMP(code, k, yes, no);
}

/* Leaves what is behind the mask in A. */
static void put_unmask(struct program *p, const struct qms_quic_keys *keys)
{
    /* Where the id begins: 6 in a long header, 1 in a short one. */
    put(p, BPF_LD | BPF_B | BPF_ABS, 0);
    put_jump(p, BPF_JMP | BPF_JSET | BPF_K, 0x80, 0, 2);
    put(p, BPF_LDX | BPF_W | BPF_IMM, 6);
    put(p, BPF_JMP | BPF_JA, 1);
    put(p, BPF_LDX | BPF_W | BPF_IMM, 1);
    put(p, BPF_STX, 1);
    put(p, BPF_LD | BPF_W | BPF_IND, 4);
    put(p, BPF_ST, 0);
    put(p, BPF_LD | BPF_W | BPF_IND, 0);
    /* mix() */
    put(p, BPF_ALU | BPF_XOR | BPF_K, keys->steer[0]);
    put(p, BPF_ALU | BPF_MUL | BPF_K, keys->steer[1] | 1);
    put(p, BPF_MISC | BPF_TAX, 0);
    put(p, BPF_ALU | BPF_RSH | BPF_K, 15);
    put(p, BPF_ALU | BPF_XOR | BPF_X, 0);
    put(p, BPF_ALU | BPF_MUL | BPF_K, keys->steer[2] | 1);
    put(p, BPF_MISC | BPF_TAX, 0);
    put(p, BPF_ALU | BPF_RSH | BPF_K, 13);
    put(p, BPF_ALU | BPF_XOR | BPF_X, 0);
    put(p, BPF_LDX | BPF_W | BPF_MEM, 0);
    put(p, BPF_ALU | BPF_XOR | BPF_X, 0);
    put(p, BPF_ALU | BPF_XOR | BPF_K, CHECK);
}

/* The slot, where one is used; else the program goes on. */
static void put_own(struct program *p, const struct qms_cid_slots *slots)
{
    for (uint32_t i = 0; i < QMS_CID_SLOTS_MAX; i++) {
        if (slots->used[i]) {
            put_jump(p, BPF_JMP | BPF_JEQ | BPF_K, i, 0, 1);
            put(p, BPF_RET | BPF_K, i);
        }
    }
}

static void put_choice(struct program *p, const struct qms_quic_keys *keys,
                       const struct qms_cid_slots *slots)
{
    put(p, BPF_LDX | BPF_W | BPF_MEM, 1);
    put(p, BPF_LD | BPF_W | BPF_IND, 0);
    put(p, BPF_ALU | BPF_XOR | BPF_K, keys->steer[2]);
    put(p, BPF_ALU | BPF_MUL | BPF_K, keys->steer[0] | 1);
    put(p, BPF_ALU | BPF_RSH | BPF_K, 16);
    put(p, BPF_ALU | BPF_MOD | BPF_K, (uint32_t)slots->live_count);
    for (uint32_t i = 0; i + 1 < slots->live_count; i++) {
        put_jump(p, BPF_JMP | BPF_JEQ | BPF_K, i, 0, 1);
        put(p, BPF_RET | BPF_K, slots->live[i]);
    }
    put(p, BPF_RET | BPF_K, slots->live[slots->live_count - 1]);
}

size_t qms_cid_filter(const struct qms_quic_keys *keys, const struct qms_cid_slots *slots,
                      struct sock_filter out[QMS_CID_FILTER_MAX])
{
    struct program p = {.out = out};

    /* A long header with an id of another length holds none of ours. */
    put(&p, BPF_LDX | BPF_W | BPF_IMM, 6);
    put(&p, BPF_STX, 1);
    put(&p, BPF_LD | BPF_B | BPF_ABS, 0);
    put_jump(&p, BPF_JMP | BPF_JSET | BPF_K, 0x80, 0, 3);
    put(&p, BPF_LD | BPF_B | BPF_ABS, 5);
    put_jump(&p, BPF_JMP | BPF_JEQ | BPF_K, QMS_CID_LEN, 1, 0);
    size_t leap = p.len;
    put(&p, BPF_JMP | BPF_JA, 0);
    put_unmask(&p, keys);
    put_own(&p, slots);
    p.out[leap].k = (uint32_t)(p.len - leap - 1);
    put_choice(&p, keys, slots);
    return p.len;
}

qms_err qms_cid_reset_token(const struct qms_quic_keys *keys, const ngtcp2_cid *cid,
                            uint8_t token[16])
{
    return ngtcp2_crypto_generate_stateless_reset_token(token, keys->reset, sizeof(keys->reset),
                                                        cid) == 0
               ? QMS_OK
               : QMS_E_TLS;
}
