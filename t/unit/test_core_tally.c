/* SPDX-License-Identifier: MIT */
/* Tallies, and the board that gives each worker one. */
#include "core/shared/tally.h"

#include <stdalign.h>
#include <string.h>
#include <unistd.h>

#include "core/shared/board.h"
#include "qms_test.h"

static alignas(64) struct qms_tally tally;

static int empty(void **state)
{
    (void)state;
    memset(&tally, 0, sizeof(tally));
    return 0;
}

static uint64_t key(const char *name)
{
    return qms_tally_key((struct qms_bytes){(const uint8_t *)name, strlen(name)});
}

static void what_was_told_is_read(void **state)
{
    (void)state;
    assert_int_equal(qms_tally_get(&tally, key("a")), 0);
    assert_true(qms_tally_set(&tally, key("a"), 3));
    assert_true(qms_tally_set(&tally, key("b"), UINT64_C(1) << 40));
    assert_true(qms_tally_set(&tally, key("a"), 4));
    assert_int_equal(qms_tally_get(&tally, key("a")), 4);
    assert_int_equal(qms_tally_get(&tally, key("b")), UINT32_MAX); /* as good as */
    assert_true(qms_tally_set(&tally, key("a"), 0));
    assert_true(qms_tally_set(&tally, key("c"), 0));
    assert_int_equal(qms_tally_get(&tally, key("a")), 0);
    assert_int_equal(qms_tally_get(&tally, key("b")), UINT32_MAX);
}

static void a_full_set_tells_no_more_until_a_place_is_free(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= QMS_TALLY_WAYS; i++) {
        assert_true(qms_tally_set(&tally, i * QMS_TALLY_SETS, i));
    }
    uint64_t more = (QMS_TALLY_WAYS + 1) * QMS_TALLY_SETS;
    assert_false(qms_tally_set(&tally, more, 99));
    assert_int_equal(qms_tally_get(&tally, more), 0);
    assert_true(qms_tally_set(&tally, more, 0));
    for (uint64_t i = 1; i <= QMS_TALLY_WAYS; i++) {
        assert_int_equal(qms_tally_get(&tally, i * QMS_TALLY_SETS), i);
    }
    assert_true(qms_tally_set(&tally, 3 * QMS_TALLY_SETS, 0));
    assert_true(qms_tally_set(&tally, more, 99));
    assert_int_equal(qms_tally_get(&tally, more), 99);
    assert_int_equal(qms_tally_get(&tally, 3 * QMS_TALLY_SETS), 0);
}

/* The board of a worker, whose process is this one. */
static struct qms_board *take(const struct qms_board *master, size_t slot)
{
    struct qms_board *board = qms_board_adopt(4, dup(qms_board_fd(master)));

    assert_non_null(board);
    assert_non_null(qms_board_take(board, slot, 1));
    return board;
}

static void each_worker_reads_the_others_and_a_successor_begins_anew(void **state)
{
    struct qms_board *master = qms_board_new(4);

    (void)state;
    struct qms_board *one = take(master, 1), *two = take(master, 2);
    assert_true(qms_tally_set(qms_board_own_tally(one), key("a"), 3));
    assert_true(qms_tally_set(qms_board_own_tally(two), key("a"), 5));
    assert_int_equal(qms_tally_get(qms_board_tally(two, 1), key("a")), 3);
    assert_int_equal(qms_tally_get(qms_board_tally(one, 2), key("a")), 5);
    assert_int_equal(qms_tally_get(qms_board_tally(one, 3), key("a")), 0);
    qms_board_free(one); /* as kill -9 would */
    one = take(master, 1);
    assert_int_equal(qms_tally_get(qms_board_tally(two, 1), key("a")), 0);
    assert_int_equal(qms_tally_get(qms_board_tally(one, 2), key("a")), 5);
    qms_board_free(one);
    qms_board_free(two);
    qms_board_free(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_told_is_read, empty),
        cmocka_unit_test_setup(a_full_set_tells_no_more_until_a_place_is_free, empty),
        cmocka_unit_test(each_worker_reads_the_others_and_a_successor_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
