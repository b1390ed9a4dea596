/* SPDX-License-Identifier: MIT */
#include "proto/tlv.h"

#include "test_proto.h"

/* Walks to the end; how many TLVs came, and whether the list was good. */
static unsigned walk(struct qms_bytes content, bool *good)
{
    struct qms_bytes in = block_new(content);
    struct qms_reader r = qms_reader_of(in);
    struct qms_tlv t;
    int64_t last = -1;
    unsigned n = 0;

    while (qms_tlv_next(&r, &last, &t)) {
        n++;
    }
    *good = !r.bad;
    block_free(in);
    return n;
}

static void list_is_walked_in_order(void **state)
{
    struct qms_bytes in =
        block_new(OCTETS(0x00, 0x00, 0x08, 0x02, 'h', 'i', 0x40, 0x41, 0x01, 'x'));
    struct qms_reader r = qms_reader_of(in);
    struct qms_tlv t;
    int64_t last = -1;

    (void)state;
    assert_true(qms_tlv_next(&r, &last, &t));
    assert_int_equal(t.type, 0);
    assert_int_equal(t.value.len, 0);
    assert_true(qms_tlv_next(&r, &last, &t));
    assert_int_equal(t.type, 8);
    assert_bytes(t.value, TEXT("hi"));
    assert_true(qms_tlv_next(&r, &last, &t));
    assert_int_equal(t.type, 0x41);
    assert_bytes(t.value, TEXT("x"));
    assert_false(qms_tlv_next(&r, &last, &t));
    assert_false(r.bad);
    block_free(in);
}

static void descending_and_duplicate_types_are_bad(void **state)
{
    bool good;

    (void)state;
    assert_int_equal(walk(OCTETS(0x04, 0, 0x06, 0), &good), 2);
    assert_true(good);
    assert_int_equal(walk(OCTETS(0x06, 0, 0x04, 0), &good), 1);
    assert_false(good);
    assert_int_equal(walk(OCTETS(0x06, 0, 0x06, 0), &good), 1);
    assert_false(good);
    /* The same type in a longer form is still the same type. */
    assert_int_equal(walk(OCTETS(0x06, 0, 0x40, 0x06, 0), &good), 1);
    assert_false(good);
    assert_int_equal(walk(OCTETS(0, 0, 0, 0), &good), 1);
    assert_false(good);
}

static void list_cut_inside_a_tlv_is_bad(void **state)
{
    const struct qms_bytes whole = OCTETS(0x40, 0x41, 0x40, 0x03, 'a', 'b', 'c');
    bool good;

    (void)state;
    for (size_t len = 1; len < whole.len; len++) {
        assert_int_equal(walk((struct qms_bytes){whole.data, len}, &good), 0);
        assert_false(good);
    }
    assert_int_equal(walk(whole, &good), 1);
    assert_true(good);
}

static void number_must_fill_its_tlv(void **state)
{
    uint64_t v = 0;

    (void)state;
    assert_true(qms_tlv_varint(&(struct qms_tlv){4, OCTETS(0x40, 0x25)}, &v));
    assert_int_equal(v, 37);
    assert_false(qms_tlv_varint(&(struct qms_tlv){4, OCTETS(0x25, 0x00)}, &v));
    assert_false(qms_tlv_varint(&(struct qms_tlv){4, OCTETS(0x40)}, &v));
    assert_false(qms_tlv_varint(&(struct qms_tlv){4, {NULL, 0}}, &v));
}

static void tlvs_are_written_as_they_are_read(void **state)
{
    uint8_t data[32];
    struct qms_writer w = qms_writer_of(data, sizeof(data));

    (void)state;
    qms_put_tlv(&w, 0x08, TEXT("hi"));
    qms_put_tlv_varint(&w, 0x40, 16384);
    assert_bytes(written(&w), OCTETS(0x08, 0x02, 'h', 'i', 0x40, 0x40, 0x04, 0x80, 0, 0x40, 0));
}

static void names_are_made_of_their_characters_only(void **state)
{
    static const char good[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:@/+-";

    (void)state;
    for (int c = 0; c < 256; c++) {
        uint8_t one = (uint8_t)c;
        bool ok = c != 0 && strchr(good, c) != NULL;
        assert_int_equal(qms_name_ok((struct qms_bytes){&one, 1}), ok);
    }
    assert_true(qms_name_ok(TEXT("team-a/worker.1@host:7+x~y_z")));
    assert_false(qms_name_ok(TEXT("a b")));
    assert_false(qms_name_ok(TEXT("a\0b")));
    assert_false(qms_name_ok(TEXT("caf\xc3\xa9")));
}

static void names_have_1_to_128_bytes(void **state)
{
    char name[QMS_NAME_MAX + 1];

    (void)state;
    memset(name, 'n', sizeof(name));
    assert_false(qms_name_ok((struct qms_bytes){NULL, 0}));
    assert_true(qms_name_ok((struct qms_bytes){(uint8_t *)name, QMS_NAME_MAX}));
    assert_false(qms_name_ok((struct qms_bytes){(uint8_t *)name, QMS_NAME_MAX + 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_is_walked_in_order),
        cmocka_unit_test(descending_and_duplicate_types_are_bad),
        cmocka_unit_test(list_cut_inside_a_tlv_is_bad),
        cmocka_unit_test(number_must_fill_its_tlv),
        cmocka_unit_test(tlvs_are_written_as_they_are_read),
        cmocka_unit_test(names_are_made_of_their_characters_only),
        cmocka_unit_test(names_have_1_to_128_bytes),
    };
    return cmocka_run_group_tests_name("proto_tlv", tests, NULL, NULL);
}
