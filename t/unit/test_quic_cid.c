/* SPDX-License-Identifier: MIT */
/* Ids and the kernel's filter: the program is run here, instruction by instruction, and must
 * come to what the functions say. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "qms_test.h"
#include "quic/cid.h"

static struct qms_quic_keys keys;
static struct sock_filter program[QMS_CID_FILTER_MAX];
static size_t program_len;

static int setup(void **state)
{
    static const uint8_t secret[32] = "what all workers know";
    (void)state;
    assert_int_equal(qms_quic_keys_derive(&keys, secret), QMS_OK);
    return 0;
}

struct machine {
    const uint8_t *packet;
    size_t len;
    uint32_t a, x, memory[16];
    bool failed; /* a load beyond the packet: the kernel returns 0 */
};

static uint32_t load(struct machine *m, size_t at, size_t size)
{
    uint32_t v = 0;

    if (at + size > m->len) {
        m->failed = true;
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        v = v << 8 | m->packet[at + i];
    }
    return v;
}

static uint32_t alu(const struct sock_filter *f, uint32_t a, uint32_t x)
{
    uint32_t v = BPF_SRC(f->code) == BPF_X ? x : f->k;

    switch (BPF_OP(f->code)) {
    case BPF_XOR:
        return a ^ v;
    case BPF_MUL:
        return a * v;
    case BPF_RSH:
        return a >> v;
    case BPF_MOD:
        assert_true(v != 0);
        return a % v;
    default:
        fail_msg("alu %#x", f->code);
        return 0;
    }
}

static size_t jump(const struct sock_filter *f, uint32_t a)
{
    switch (BPF_OP(f->code)) {
    case BPF_JA:
        return f->k;
    case BPF_JEQ:
        return a == f->k ? f->jt : f->jf;
    case BPF_JSET:
        return (a & f->k) != 0 ? f->jt : f->jf;
    default:
        fail_msg("jump %#x", f->code);
        return 0;
    }
}

static void move(struct machine *m, const struct sock_filter *f)
{
    switch (f->code) {
    case BPF_LD | BPF_B | BPF_ABS:
        m->a = load(m, f->k, 1);
        break;
    case BPF_LD | BPF_W | BPF_IND:
        m->a = load(m, m->x + f->k, 4);
        break;
    case BPF_LDX | BPF_W | BPF_IMM:
        m->x = f->k;
        break;
    case BPF_LDX | BPF_W | BPF_MEM:
        m->x = m->memory[f->k];
        break;
    case BPF_ST:
        m->memory[f->k] = m->a;
        break;
    case BPF_STX:
        m->memory[f->k] = m->x;
        break;
    case BPF_MISC | BPF_TAX:
        m->x = m->a;
        break;
    default:
        fail_msg("instruction %#x", f->code);
    }
}

/* The socket that a datagram goes to. */
static uint32_t run(const uint8_t *packet, size_t len)
{
    struct machine m = {.packet = packet, .len = len};

    for (size_t pc = 0; pc < program_len; pc++) {
        const struct sock_filter *f = &program[pc];
        if (BPF_CLASS(f->code) == BPF_RET) {
            return f->k;
        }
        if (BPF_CLASS(f->code) == BPF_ALU) {
            m.a = alu(f, m.a, m.x);
        } else if (BPF_CLASS(f->code) == BPF_JMP) {
            pc += jump(f, m.a);
        } else {
            move(&m, f);
        }
        if (m.failed) {
            return 0;
        }
    }
    fail_msg("the program has no end");
    return 0;
}

static uint32_t run_short(const ngtcp2_cid *cid)
{
    uint8_t packet[64] = {0x40};

    memcpy(packet + 1, cid->data, cid->datalen);
    return run(packet, sizeof(packet));
}

static uint32_t run_long(const ngtcp2_cid *cid)
{
    uint8_t packet[64] = {0xC0, 0, 0, 0, 1};

    packet[5] = (uint8_t)cid->datalen;
    memcpy(packet + 6, cid->data, cid->datalen);
    return run(packet, sizeof(packet));
}

static void compile(const uint8_t *live, size_t count, const uint8_t *used, size_t used_count)
{
    struct qms_cid_slots slots = {.live_count = count};

    memcpy(slots.live, live, count);
    for (size_t i = 0; i < used_count; i++) {
        slots.used[used[i]] = true;
    }
    program_len = qms_cid_filter(&keys, &slots, program);
    assert_true(program_len <= QMS_CID_FILTER_MAX);
}

static void an_id_brings_its_packets_to_its_slot(void **state)
{
    static const uint8_t live[] = {3, 5, 90}, used[] = {0, 1, 3, 5, 90, 127};
    ngtcp2_cid cid;
    (void)state;

    compile(live, 3, used, 6);
    for (int i = 0; i < 2000; i++) {
        int slot = used[i % 6];
        qms_cid_make(&keys, slot, &cid);
        assert_int_equal(qms_cid_slot(&keys, cid.data, cid.datalen), slot);
        assert_int_equal(run_short(&cid), slot);
        assert_int_equal(run_long(&cid), slot);
    }
}

static void newcomers_are_spread_over_the_live_slots_by_their_id(void **state)
{
    static const uint8_t live[] = {3, 5, 90}, used[] = {0, 1, 3, 5, 90};
    unsigned hits[QMS_CID_SLOTS_MAX] = {0};
    (void)state;

    compile(live, 3, used, 5);
    for (int i = 0; i < 3000; i++) {
        ngtcp2_cid cid = {.datalen = 8 + (size_t)i % 11};
        qms_random(cid.data, sizeof(cid.data));
        uint32_t slot = run_long(&cid);
        assert_int_equal(slot, live[qms_cid_choose(&keys, cid.data, cid.datalen, 3)]);
        assert_int_equal(run_long(&cid), slot);
        hits[slot]++;
    }
    for (int i = 0; i < 3; i++) {
        assert_in_range(hits[live[i]], 800, 1200);
    }
}

static void packets_for_a_vacant_slot_find_a_live_one(void **state)
{
    static const uint8_t live[] = {2, 4}, used[] = {2, 4};
    ngtcp2_cid cid;
    (void)state;

    compile(live, 2, used, 2);
    for (int i = 0; i < 200; i++) {
        qms_cid_make(&keys, 7, &cid);
        uint32_t slot = run_short(&cid);
        assert_int_equal(slot, live[qms_cid_choose(&keys, cid.data, cid.datalen, 2)]);
    }
}

static void every_slot_can_be_used_at_once(void **state)
{
    uint8_t all[QMS_CID_SLOTS_MAX];
    ngtcp2_cid cid;
    (void)state;

    for (size_t i = 0; i < sizeof(all); i++) {
        all[i] = (uint8_t)i;
    }
    compile(all, sizeof(all), all, sizeof(all));
    for (int slot = 0; slot < QMS_CID_SLOTS_MAX; slot++) {
        qms_cid_make(&keys, slot, &cid);
        assert_int_equal(run_short(&cid), slot);
    }
}

static void short_junk_goes_to_some_socket(void **state)
{
    static const uint8_t live[] = {1}, used[] = {1};
    uint8_t packet[40];
    (void)state;

    compile(live, 1, used, 1);
    for (size_t len = 0; len < sizeof(packet); len++) {
        for (int i = 0; i < 20; i++) {
            qms_random(packet, sizeof(packet));
            assert_in_range(run(packet, len), 0, 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_brings_its_packets_to_its_slot),
        cmocka_unit_test(newcomers_are_spread_over_the_live_slots_by_their_id),
        cmocka_unit_test(packets_for_a_vacant_slot_find_a_live_one),
        cmocka_unit_test(every_slot_can_be_used_at_once),
        cmocka_unit_test(short_junk_goes_to_some_socket),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
