/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"

#include "qms_test.h"

#define MANY 5000

static const uint8_t seed[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static int setup(void **state)
{
    *state = qms_map_new(seed);
    assert_non_null(*state);
    return 0;
}

static int teardown(void **state)
{
    qms_mem_fail_after(UINT64_MAX);
    qms_map_free(*state);
    return 0;
}

static struct qms_bytes key_of(const uint32_t *n)
{
    return (struct qms_bytes){(const uint8_t *)n, sizeof(*n)};
}

static uint32_t values[MANY];

static void fill(struct qms_map *m, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(qms_map_add(m, key_of(&i), &values[i]), QMS_OK);
    }
}

static void assert_exactly(const struct qms_map *m, uint32_t from, uint32_t count)
{
    assert_int_equal(qms_map_count(m), count);
    for (uint32_t i = 0; i < MANY; i++) {
        void *want = i >= from && i < from + count ? &values[i] : NULL;
        assert_ptr_equal(qms_map_get(m, key_of(&i)), want);
    }
}

/* First outputs of the reference implementation, key 00..0f, input 00, 00 01, ... */
static void siphash_equals_the_reference(void **state)
{
    static const uint64_t want[] = {
        0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
        0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
        0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462,
    };
    uint8_t input[15];

    (void)state;
    for (unsigned i = 0; i < sizeof(input); i++) {
        input[i] = (uint8_t)i;
    }
    for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_true(qms_siphash(seed, (struct qms_bytes){input, i}) == want[i]);
    }
    /* The example of the paper's appendix A. */
    assert_true(qms_siphash(seed, (struct qms_bytes){input, 15}) == 0xa129ca6149be45e5);
}

static void what_was_added_is_found_and_nothing_else(void **state)
{
    fill(*state, MANY / 2);
    assert_exactly(*state, 0, MANY / 2);
}

static void key_is_compared_by_all_its_bytes(void **state)
{
    static const char *const keys[] = {"", "a", "ab", "abc", "abd"};

    for (unsigned i = 0; i < 5; i++) {
        struct qms_bytes key = {(const uint8_t *)keys[i], strlen(keys[i])};
        assert_int_equal(qms_map_add(*state, key, &values[i]), QMS_OK);
    }
    for (unsigned i = 0; i < 5; i++) {
        struct qms_bytes key = {(const uint8_t *)keys[i], strlen(keys[i])};
        assert_ptr_equal(qms_map_get(*state, key), &values[i]);
    }
    assert_ptr_equal(qms_map_get(*state, (struct qms_bytes){NULL, 0}), &values[0]);
}

static void key_is_copied(void **state)
{
    uint32_t key = 7;

    assert_int_equal(qms_map_add(*state, key_of(&key), &values[0]), QMS_OK);
    key = 8;
    assert_null(qms_map_get(*state, key_of(&key)));
    key = 7;
    assert_ptr_equal(qms_map_get(*state, key_of(&key)), &values[0]);
}

static void second_value_of_a_key_is_refused(void **state)
{
    uint32_t key = 7;

    assert_int_equal(qms_map_add(*state, key_of(&key), &values[0]), QMS_OK);
    assert_int_equal(qms_map_add(*state, key_of(&key), &values[1]), QMS_E_EXISTS);
    assert_ptr_equal(qms_map_get(*state, key_of(&key)), &values[0]);
    assert_int_equal(qms_map_count(*state), 1);
}

static void removal_leaves_every_other_key_in_reach(void **state)
{
    fill(*state, MANY);
    for (uint32_t i = 0; i < MANY / 2; i++) {
        assert_ptr_equal(qms_map_remove(*state, key_of(&i)), &values[i]);
        assert_null(qms_map_remove(*state, key_of(&i)));
    }
    assert_exactly(*state, MANY / 2, MANY / 2);
    fill(*state, MANY / 2);
    assert_exactly(*state, 0, MANY);
}

static void walk_meets_each_entry_once(void **state)
{
    uint8_t seen[MANY] = {0};
    struct qms_bytes key;
    void *value;
    size_t cursor = 0, n = 0;

    assert_false(qms_map_next(*state, &cursor, &key, &value));
    fill(*state, MANY);
    cursor = 0;
    for (; qms_map_next(*state, &cursor, &key, &value); n++) {
        uint32_t i = (uint32_t)((uint32_t *)value - values);
        assert_int_equal(key.len, sizeof(i));
        assert_memory_equal(key.data, &i, sizeof(i));
        assert_int_equal(seen[i]++, 0);
    }
    assert_int_equal(n, MANY);
    assert_false(qms_map_next(*state, &cursor, &key, &value));
}

static void walk_survives_removal_of_what_it_returned(void **state)
{
    uint8_t seen[MANY] = {0};
    void *value;
    size_t cursor = 0, n = 0;

    fill(*state, MANY);
    for (; qms_map_next(*state, &cursor, NULL, &value); n++) {
        uint32_t i = (uint32_t)((uint32_t *)value - values);
        assert_int_equal(seen[i]++, 0);
        if (i % 3 != 0) {
            assert_ptr_equal(qms_map_remove(*state, key_of(&i)), value);
        }
    }
    assert_int_equal(n, MANY);
    assert_int_equal(qms_map_count(*state), (MANY + 2) / 3);
}

static void add_without_memory_changes_nothing(void **state)
{
    uint32_t added = 0;
    unsigned failures = 0;

    /* Every allocation fails once before it succeeds. */
    while (added < 1000) {
        qms_err err = QMS_E_NOMEM;
        for (uint64_t n = 0; err != QMS_OK; n++) {
            qms_mem_fail_after(n);
            err = qms_map_add(*state, key_of(&added), &values[added]);
            qms_mem_fail_after(UINT64_MAX);
            if (err != QMS_OK) {
                assert_int_equal(err, QMS_E_NOMEM);
                assert_null(qms_map_get(*state, key_of(&added)));
                assert_int_equal(qms_map_count(*state), added);
                failures++;
            }
        }
        added++;
    }
    assert_true(failures > 1000);
    assert_exactly(*state, 0, 1000);
}

static void new_map_without_memory_is_null(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 3; n++) {
        qms_mem_fail_after(n);
        assert_null(qms_map_new(seed));
    }
    qms_map_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(siphash_equals_the_reference),
        QMS_TEST(what_was_added_is_found_and_nothing_else),
        QMS_TEST(key_is_compared_by_all_its_bytes),
        QMS_TEST(key_is_copied),
        QMS_TEST(second_value_of_a_key_is_refused),
        QMS_TEST(removal_leaves_every_other_key_in_reach),
        QMS_TEST(walk_meets_each_entry_once),
        QMS_TEST(walk_survives_removal_of_what_it_returned),
        QMS_TEST(add_without_memory_changes_nothing),
        QMS_TEST(new_map_without_memory_is_null),
    };
    return cmocka_run_group_tests_name("base_map", tests, NULL, NULL);
}
