/* SPDX-License-Identifier: MIT */
#include "core/broker/hold.h"
#include "qms_test.h"

#define MS QMS_MILLISECOND

static void a_piece_is_earned_at_its_instant_and_not_before(void **state)
{
    struct qms_hold h = {0};

    (void)state;
    assert_true(qms_hold_next_at(&h) == QMS_NEVER);
    qms_hold_add(&h, 10, 100 * MS, 0);
    qms_hold_add(&h, 20, 300 * MS, 0);
    assert_int_equal(qms_hold_next_at(&h), 100 * MS);
    qms_hold_earn(&h, 100 * MS - 1);
    assert_int_equal(h.total, 30);
    qms_hold_earn(&h, 100 * MS);
    assert_int_equal(h.total, 20);
    assert_int_equal(qms_hold_next_at(&h), 300 * MS);
    qms_hold_earn(&h, 300 * MS);
    assert_int_equal(h.total, 0);
    assert_true(qms_hold_next_at(&h) == QMS_NEVER);
}

static void pieces_close_together_share_the_later_instant(void **state)
{
    struct qms_hold h = {0};

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        qms_hold_add(&h, 1, 10 * MS + i * MS, 0);
    }
    assert_int_equal(h.count, 1);
    assert_int_equal(qms_hold_next_at(&h), 14 * MS);
    qms_hold_add(&h, 1, 15 * MS, 0);
    assert_int_equal(h.count, 2);
    qms_hold_add(&h, 1, 12 * MS, 0); /* a rate that was raised: in order all the same */
    qms_hold_earn(&h, 14 * MS);
    assert_int_equal(h.total, 2);
    qms_hold_earn(&h, 15 * MS);
    assert_int_equal(h.total, 0);
}

/* Bytes arrive for three minutes while few are earned: nothing early, nothing lost. */
static void whatever_comes_fits_and_is_never_earned_early(void **state)
{
    struct qms_hold h = {0};
    uint64_t added = 0;
    unsigned earlier = 0;

    (void)state;
    for (qms_time now = 0; now < 180 * QMS_SECOND; now += 3 * MS) {
        qms_hold_add(&h, 4, 4 * now, now); /* a second's worth in a quarter */
        added += 4;
        qms_hold_earn(&h, now);
        assert_true(h.count <= QMS_HOLD_PARTS);
        uint64_t earned = added - h.total, due = 4 * (now / 4 / (3 * MS) + 1);
        assert_true(earned <= due);
        earlier += earned < due / 2;
    }
    assert_true(earlier < 60000 / 100);
    qms_hold_earn(&h, 720 * QMS_SECOND);
    assert_int_equal(h.total, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_piece_is_earned_at_its_instant_and_not_before),
        cmocka_unit_test(pieces_close_together_share_the_later_instant),
        cmocka_unit_test(whatever_comes_fits_and_is_never_earned_early),
    };
    return cmocka_run_group_tests_name("core_hold", tests, NULL, NULL);
}
