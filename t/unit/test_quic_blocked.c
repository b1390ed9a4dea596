/* SPDX-License-Identifier: MIT */
/* Whom a waiting stream's time is charged to. */
#include "qms_test.h"
#include "quic/blocked.h"

static struct qms_link_stream_stats of(const struct qms_blocked *b,
                                       const struct qms_standstill *s, qms_time now)
{
    struct qms_link_stream_stats out = {0};

    qms_blocked_stats(b, s, now, &out);
    return out;
}

static void time_is_shared_out_by_what_the_connection_did(void **state)
{
    struct qms_standstill s = {0};
    struct qms_blocked b = {0};
    (void)state;

    qms_standstill_set(&s, QMS_CONGESTED, 50);
    qms_blocked_wait(&b, &s, 100);
    qms_blocked_wait(&b, &s, 120); /* it waits already */
    qms_standstill_set(&s, QMS_MOVING, 130);
    qms_standstill_set(&s, QMS_NO_CREDIT, 140);
    qms_standstill_set(&s, QMS_MOVING, 145);
    qms_blocked_served(&b, &s, 150);
    assert_int_equal(of(&b, &s, 900).blocked_congestion, 30);
    assert_int_equal(of(&b, &s, 900).blocked_credit, 5);
    assert_int_equal(of(&b, &s, 900).blocked_priority, 15);
    assert_int_equal(of(&b, &s, 900).blocked_stream, 0);
}

static void the_streams_own_credit_is_counted_apart(void **state)
{
    struct qms_standstill s = {0};
    struct qms_blocked b = {0};
    (void)state;

    qms_blocked_wait(&b, &s, 10);
    qms_blocked_by_peer(&b, &s, 12);
    assert_int_equal(of(&b, &s, 20).blocked_stream, 8); /* as it goes on */
    qms_standstill_set(&s, QMS_CONGESTED, 21);
    qms_blocked_credited(&b, 30);
    qms_blocked_credited(&b, 40);
    assert_int_equal(of(&b, &s, 50).blocked_stream, 18);
    assert_int_equal(of(&b, &s, 50).blocked_priority, 2);
    assert_int_equal(of(&b, &s, 50).blocked_congestion, 0);
}

static void what_goes_on_is_counted_without_being_charged(void **state)
{
    struct qms_standstill s = {0};
    struct qms_blocked b = {0};
    (void)state;

    qms_standstill_set(&s, QMS_NO_CREDIT, 5);
    qms_blocked_wait(&b, &s, 10);
    assert_int_equal(of(&b, &s, 25).blocked_credit, 15);
    assert_int_equal(of(&b, &s, 30).blocked_credit, 20);
    assert_int_equal(b.for_credit, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_is_shared_out_by_what_the_connection_did),
        cmocka_unit_test(the_streams_own_credit_is_counted_apart),
        cmocka_unit_test(what_goes_on_is_counted_without_being_charged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
