/* SPDX-License-Identifier: MIT */
#include "proto/code.h"

#include "test_proto.h"

#define FIRST UINT64_C(0x52e4a40fa8db)
#define LAST  UINT64_C(0x52e5ac983162)

/* Edges of the blocks of 0x1e codes, of a byte, of what browsers had, and of 32 bits. */
static const uint32_t edges[] = {
    0,       1,          0x12,       0x1d,       0x1e,       0x1f,       0x3b,
    0x3c,    0x3d,       0x7f,       0x80,       0xff,       0x100,      0xffff,
    0x10000, 0x7fffffff, 0x80000000, 0x88888887, 0x88888888, 0xfffffffe, 0xffffffff,
};

static void codes_map_as_the_document_says(void **state)
{
    (void)state;
    assert_int_equal(qms_code_to_h3(0x00), FIRST);
    assert_int_equal(qms_code_to_h3(0x12), 0x52e4a40fa8ed);
    assert_int_equal(qms_code_to_h3(0x1d), 0x52e4a40fa8f8);
    assert_int_equal(qms_code_to_h3(0x1e), 0x52e4a40fa8fa);
    assert_int_equal(qms_code_to_h3(0xff), 0x52e4a40fa9e2);
    assert_int_equal(qms_code_to_h3(UINT32_MAX), LAST);
}

static void every_code_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(edges); i++) {
        assert_int_equal(qms_code_from_h3(qms_code_to_h3(edges[i])), edges[i]);
    }
    for (uint64_t n = 0; n <= UINT32_MAX; n += 65521) {
        assert_int_equal(qms_code_from_h3(qms_code_to_h3((uint32_t)n)), n);
    }
}

static void no_code_maps_to_a_reserved_point(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(edges); i++) {
        assert_int_not_equal((qms_code_to_h3(edges[i]) - 0x21) % 0x1f, 0);
    }
    for (uint32_t n = 0; n < 4096; n++) {
        assert_int_not_equal((qms_code_to_h3(n) - 0x21) % 0x1f, 0);
        assert_int_not_equal((qms_code_to_h3(UINT32_MAX - n) - 0x21) % 0x1f, 0);
    }
}

static void reserved_points_count_as_cancelled(void **state)
{
    unsigned seen = 0;

    (void)state;
    assert_int_equal(qms_code_from_h3(0x52e4a40fa8f9), QMS_CODE_CANCELLED);
    for (uint64_t h = FIRST; h < FIRST + 31 * 100; h++) {
        if ((h - 0x21) % 0x1f == 0) {
            assert_int_equal(qms_code_from_h3(h), QMS_CODE_CANCELLED);
            seen++;
        }
    }
    assert_int_equal(seen, 100);
}

static void codes_outside_the_range_count_as_cancelled(void **state)
{
    (void)state;
    assert_int_equal(qms_code_from_h3(0), QMS_CODE_CANCELLED);
    assert_int_equal(qms_code_from_h3(0x10c), QMS_CODE_CANCELLED);
    assert_int_equal(qms_code_from_h3(FIRST - 1), QMS_CODE_CANCELLED);
    assert_int_equal(qms_code_from_h3(FIRST), 0);
    assert_int_equal(qms_code_from_h3(LAST), UINT32_MAX);
    assert_int_equal(qms_code_from_h3(LAST + 1), QMS_CODE_CANCELLED);
    assert_int_equal(qms_code_from_h3((UINT64_C(1) << 62) - 1), QMS_CODE_CANCELLED);
    assert_int_equal(qms_code_from_h3(UINT64_MAX), QMS_CODE_CANCELLED);
}

static void codes_above_a_byte_count_as_cancelled(void **state)
{
    (void)state;
    assert_int_equal(qms_code_clamp(0), 0);
    assert_int_equal(qms_code_clamp(0x80), 0x80);
    assert_int_equal(qms_code_clamp(0xff), 0xff);
    assert_int_equal(qms_code_clamp(0x100), QMS_CODE_CANCELLED);
    assert_int_equal(qms_code_clamp(UINT64_MAX), QMS_CODE_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_map_as_the_document_says),
        cmocka_unit_test(every_code_comes_back),
        cmocka_unit_test(no_code_maps_to_a_reserved_point),
        cmocka_unit_test(reserved_points_count_as_cancelled),
        cmocka_unit_test(codes_outside_the_range_count_as_cancelled),
        cmocka_unit_test(codes_above_a_byte_count_as_cancelled),
    };
    return cmocka_run_group_tests_name("proto_code", tests, NULL, NULL);
}
