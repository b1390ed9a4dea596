/* SPDX-License-Identifier: MIT */
#include "test_proto.h"

struct sample {
    uint64_t value;
    struct qms_bytes wire;
};

/* The first four: RFC 9000 section A.1. */
static const struct sample samples[] = {
    {151288809941952652, {(const uint8_t *)"\xc2\x19\x7c\x5e\xff\x14\xe8\x8c", 8}},
    {494878333, {(const uint8_t *)"\x9d\x7f\x3e\x7d", 4}},
    {15293, {(const uint8_t *)"\x7b\xbd", 2}},
    {37, {(const uint8_t *)"\x25", 1}},
    {0, {(const uint8_t *)"\x00", 1}},
    {63, {(const uint8_t *)"\x3f", 1}},
    {64, {(const uint8_t *)"\x40\x40", 2}},
    {16383, {(const uint8_t *)"\x7f\xff", 2}},
    {16384, {(const uint8_t *)"\x80\x00\x40\x00", 4}},
    {1073741823, {(const uint8_t *)"\xbf\xff\xff\xff", 4}},
    {1073741824, {(const uint8_t *)"\xc0\x00\x00\x00\x40\x00\x00\x00", 8}},
    {QMS_VARINT_MAX, {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff", 8}},
};

static void numbers_take_their_shortest_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        uint8_t out[8];
        size_t n = qms_varint_put(out, samples[i].value);
        assert_int_equal(n, qms_varint_size(samples[i].value));
        assert_bytes((struct qms_bytes){out, n}, samples[i].wire);
    }
}

static void numbers_are_read_back_and_their_beginnings_are_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        for (size_t len = 0; len <= samples[i].wire.len; len++) {
            struct qms_bytes in = block_new((struct qms_bytes){samples[i].wire.data, len});
            uint64_t v = 1;
            bool whole = len == samples[i].wire.len;
            assert_int_equal(qms_varint_get(in, &v), whole ? len : 0);
            assert_int_equal(v, whole ? samples[i].value : 1);
            block_free(in);
        }
    }
}

static void longer_forms_of_a_number_are_accepted(void **state)
{
    const struct qms_bytes forms[] = {OCTETS(0x25), OCTETS(0x40, 0x25),
                                      OCTETS(0x80, 0, 0, 0x25),
                                      OCTETS(0xc0, 0, 0, 0, 0, 0, 0, 0x25)};

    (void)state;
    for (size_t i = 0; i < COUNT(forms); i++) {
        uint64_t v = 0;
        assert_int_equal(qms_varint_get(forms[i], &v), forms[i].len);
        assert_int_equal(v, 37);
    }
}

static void reader_fails_for_ever_after_the_first_failure(void **state)
{
    struct qms_bytes in = block_new(OCTETS(0x05, 0x01, 0x02));
    struct qms_reader r = qms_reader_of(in);

    (void)state;
    assert_int_equal(qms_read_varint(&r), 5);
    assert_int_equal(qms_read_left(&r), 2);
    assert_int_equal(qms_read_bytes(&r, 3).len, 0);
    assert_true(r.bad);
    assert_int_equal(qms_read_left(&r), 0);
    assert_int_equal(qms_read_u8(&r), 0);
    assert_int_equal(qms_read_varint(&r), 0);
    assert_int_equal(qms_read_bytes(&r, 0).len, 0);
    assert_true(r.bad);
    block_free(in);
}

static void reader_takes_no_length_near_the_end_of_the_numbers(void **state)
{
    struct qms_reader r = qms_reader_of(OCTETS(1, 2));

    (void)state;
    (void)qms_read_u8(&r);
    assert_int_equal(qms_read_bytes(&r, UINT64_MAX).len, 0);
    assert_true(r.bad);
}

static void reader_of_nothing_has_nothing(void **state)
{
    struct qms_reader r = qms_reader_of((struct qms_bytes){NULL, 0});

    (void)state;
    assert_int_equal(qms_read_left(&r), 0);
    assert_int_equal(qms_read_bytes(&r, 0).len, 0);
    assert_false(r.bad);
    (void)qms_read_u8(&r);
    assert_true(r.bad);
}

static void writer_that_is_full_writes_nothing_more(void **state)
{
    uint8_t *data = malloc(4);
    struct qms_writer w = qms_writer_of(data, 4);

    (void)state;
    qms_put_varint(&w, 64);
    qms_put_bytes(&w, TEXT("abc"));
    assert_true(w.full);
    assert_int_equal(w.len, 2);
    qms_put_u8(&w, 7); /* would fit */
    assert_int_equal(w.len, 2);
    free(data);
}

static void writer_fills_its_room_to_the_last_byte(void **state)
{
    uint8_t *data = malloc(4);
    struct qms_writer w = qms_writer_of(data, 4);

    (void)state;
    qms_put_varint(&w, 64);
    qms_put_u8(&w, 1);
    qms_put_varint(&w, 2);
    assert_false(w.full);
    assert_bytes(written(&w), OCTETS(0x40, 0x40, 1, 2));
    qms_put_bytes(&w, (struct qms_bytes){NULL, 0});
    assert_false(w.full);
    qms_put_u8(&w, 3);
    assert_true(w.full);
    free(data);
}

static void writer_refuses_a_number_that_has_no_encoding(void **state)
{
    uint8_t data[16];
    struct qms_writer w = qms_writer_of(data, sizeof(data));

    (void)state;
    qms_put_varint(&w, QMS_VARINT_MAX + 1);
    assert_true(w.full);
    assert_int_equal(w.len, 0);
}

static void length_is_put_in_front_of_what_was_written(void **state)
{
    uint8_t data[80];
    struct qms_writer w = qms_writer_of(data, sizeof(data));

    (void)state;
    qms_put_u8(&w, 9);
    qms_put_bytes(&w, TEXT("abc"));
    qms_put_length_at(&w, 1);
    assert_bytes(written(&w), OCTETS(9, 3, 'a', 'b', 'c'));

    w.len = 64;
    qms_put_length_at(&w, 0);
    assert_int_equal(w.len, 66);
    assert_memory_equal(data, "\x40\x40\x09\x03", 4);
}

static void length_that_does_not_fit_fills_the_writer(void **state)
{
    uint8_t *data = malloc(3);
    struct qms_writer w = qms_writer_of(data, 3);

    (void)state;
    qms_put_bytes(&w, TEXT("abc"));
    qms_put_length_at(&w, 0);
    assert_true(w.full);
    assert_bytes(written(&w), TEXT("abc"));
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_take_their_shortest_form),
        cmocka_unit_test(numbers_are_read_back_and_their_beginnings_are_not),
        cmocka_unit_test(longer_forms_of_a_number_are_accepted),
        cmocka_unit_test(reader_fails_for_ever_after_the_first_failure),
        cmocka_unit_test(reader_takes_no_length_near_the_end_of_the_numbers),
        cmocka_unit_test(reader_of_nothing_has_nothing),
        cmocka_unit_test(writer_that_is_full_writes_nothing_more),
        cmocka_unit_test(writer_fills_its_room_to_the_last_byte),
        cmocka_unit_test(writer_refuses_a_number_that_has_no_encoding),
        cmocka_unit_test(length_is_put_in_front_of_what_was_written),
        cmocka_unit_test(length_that_does_not_fit_fills_the_writer),
    };
    return cmocka_run_group_tests_name("proto_varint", tests, NULL, NULL);
}
