/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/words.h"
#include "qms_test.h"

#define SIZE 65536

static void *memory;
static struct qms_words words;

static int setup(void **state)
{
    (void)state;
    memory = aligned_alloc(64, SIZE);
    assert_non_null(memory);
    memset(memory, 0, SIZE);
    return qms_words_open(&words, memory, SIZE) ? 0 : 1;
}

static int teardown(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static uint64_t *at(unsigned n, qms_time now, uint64_t *evicted)
{
    return qms_words_at(&words, 1, (struct qms_bytes){(const uint8_t *)&n, sizeof(n)}, now,
                        evicted);
}

static void a_word_is_found_again_by_its_key(void **state)
{
    struct qms_words other;

    (void)state;
    for (unsigned n = 0; n < 100; n++) {
        *at(n, 0, NULL) = 1000 + n;
    }
    /* Also by another process that opens the same memory. */
    assert_true(qms_words_open(&other, memory, SIZE));
    words = other;
    for (unsigned n = 0; n < 100; n++) {
        assert_int_equal(*at(n, 0, NULL), 1000 + n);
    }
    assert_int_equal(qms_words_used(&words, 1049), 50);
}

static void what_is_kept_under_one_name_is_told_apart(void **state)
{
    const struct qms_bytes key = {(const uint8_t *)"alice", 5};

    (void)state;
    *qms_words_at(&words, 1, key, 0, NULL) = 5;
    *qms_words_at(&words, 2, key, 0, NULL) = 6;
    assert_int_equal(*qms_words_at(&words, 1, key, 0, NULL), 5);
}

static void words_that_are_over_make_room_without_loss(void **state)
{
    uint64_t evicted = 0;

    (void)state;
    for (unsigned n = 0; n < 100000; n++) {
        *at(n, n + 1, &evicted) = n + 1; /* over at once */
    }
    assert_int_equal(evicted, 0);
}

static void a_full_table_drops_what_is_over_first_and_counts_it(void **state)
{
    uint64_t evicted = 0;

    (void)state;
    for (unsigned n = 0; n < 100000; n++) {
        uint64_t *word = at(n, 1, &evicted);
        assert_true(*word == 0);
        *word = 1000000 + n;
    }
    /* About as many places as fit are in use, and what is in them is the newest. */
    size_t used = qms_words_used(&words, 1);
    assert_true(used > SIZE / 16 * 9 / 10 && used <= SIZE / 16);
    assert_int_equal(evicted, 100000 - used);
    assert_int_equal(*at(99999, 1, NULL), 1099999);
}

static void too_little_memory_is_no_table(void **state)
{
    struct qms_words w;

    (void)state;
    assert_false(qms_words_open(&w, NULL, SIZE));
    assert_false(qms_words_open(&w, memory, QMS_WORDS_MIN - 1));
    assert_true(qms_words_open(&w, memory, QMS_WORDS_MIN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(a_word_is_found_again_by_its_key),
        QMS_TEST(what_is_kept_under_one_name_is_told_apart),
        QMS_TEST(words_that_are_over_make_room_without_loss),
        QMS_TEST(a_full_table_drops_what_is_over_first_and_counts_it),
        QMS_TEST(too_little_memory_is_no_table),
    };
    return cmocka_run_group_tests_name("base_words", tests, NULL, NULL);
}
