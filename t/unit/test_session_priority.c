/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "proto/session_i.h"
#include "qms_test.h"
#include "session_duo.h"

static int setup(void **state)
{
    struct duo *d = calloc(1, sizeof(*d));

    assert_non_null(d);
    duo_connect(d, NULL);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    duo_fini(*state);
    free(*state);
    return 0;
}

static void both_directions_start_with_the_urgency_of_the_header(void **state)
{
    struct duo *d = *state;

    duo_open(&d->a, true, "b", 17);
    duo_settle(d);
    assert_int_equal(fake_stream_priority(d->a.last->link_stream), 17);
    assert_int_equal(fake_stream_priority(d->b.last->link_stream), 17);
    assert_int_equal(d->b.last->forward, 17);
    assert_int_equal(d->b.last->reverse, 17);
}

static void control_goes_first_on_both_sides(void **state)
{
    struct duo *d = *state;

    assert_int_equal(fake_stream_priority(d->a.s->control->pub.link_stream), 255);
    assert_int_equal(fake_stream_priority(d->b.s->control->pub.link_stream), 255);
}

static void the_opener_changes_both_directions(void **state)
{
    struct duo *d = *state;

    duo_open(&d->a, true, "b", 17);
    duo_settle(d);
    duo_take(&d->b);
    assert_int_equal(qms_session_set_priority(d->a.last, 3, 5, 6), QMS_OK);
    assert_int_equal(fake_stream_priority(d->a.last->link_stream), 5);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "priority 0 5 6\n");
    assert_int_equal(fake_stream_priority(d->b.last->link_stream), 6);
    assert_int_equal(qms_session_set_priority(d->a.last, 1, 7, 99), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "priority 0 7 6\n");
    assert_int_equal(fake_stream_priority(d->b.last->link_stream), 6);
}

static void the_acceptor_changes_its_own_direction_only(void **state)
{
    struct duo *d = *state;

    duo_open(&d->a, true, "b", 17);
    duo_settle(d);
    duo_take(&d->a);
    assert_int_equal(qms_session_set_priority(d->b.last, 1, 5, 6), QMS_E_INVALID);
    assert_int_equal(qms_session_set_priority(d->b.last, 3, 5, 6), QMS_E_INVALID);
    assert_int_equal(qms_session_set_priority(d->b.last, 0, 5, 6), QMS_E_INVALID);
    assert_int_equal(qms_session_set_priority(d->b.last, 2, 5, 6), QMS_OK);
    assert_int_equal(fake_stream_priority(d->b.last->link_stream), 6);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "priority 0 17 6\n");
    assert_int_equal(fake_stream_priority(d->a.last->link_stream), 17);
}

static void streams_of_both_openers_share_no_handles(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *of_a, *of_b;

    of_a = duo_open(&d->a, true, "b", 1);
    duo_settle(d);
    of_b = duo_open(&d->b, true, "a", 2);
    duo_settle(d);
    duo_take(&d->a), duo_take(&d->b);
    assert_int_equal(of_a->handle, of_b->handle);
    assert_int_equal(qms_session_set_priority(of_a, 1, 50, 0), QMS_OK);
    assert_int_equal(qms_session_set_priority(of_b, 1, 60, 0), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "priority 0 60 2\n");
    assert_string_equal(duo_take(&d->b), "priority 0 50 1\n");
}

static void a_priority_that_overtakes_its_stream_is_applied_to_it(void **state)
{
    struct duo *d = *state;

    duo_write(duo_open(&d->a, true, "b", 17), "x");
    fake_stream_hold(d->a.last->link_stream, true);
    assert_int_equal(qms_session_set_priority(d->a.last, 1, 5, 0), QMS_OK);
    assert_int_equal(qms_session_set_priority(d->a.last, 2, 0, 6), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "");
    fake_stream_hold(d->a.last->link_stream, false);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "route 0 agent:b 17\npriority 0 5 6\ndata 0 \"x\"\n");
    assert_int_equal(fake_stream_priority(d->b.last->link_stream), 6);
    assert_null(d->b.s->handles.early); /* nothing is kept once it was used */
}

static void sixty_four_urgencies_are_remembered_and_the_oldest_is_forgotten(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *all[65];

    for (int i = 0; i < 65; i++) {
        all[i] = duo_open(&d->a, true, "b", 17);
        fake_stream_hold(all[i]->link_stream, true);
        assert_int_equal(qms_session_set_priority(all[i], 1, 5, 0), QMS_OK);
    }
    duo_settle(d);
    for (int i = 0; i < 65; i++) {
        fake_stream_hold(all[i]->link_stream, false);
    }
    fake_link_pump(d->pair, 0);
    const char *log = duo_take(&d->b);
    assert_null(strstr(log, "priority 0 5"));
    assert_non_null(strstr(log, "priority 1 5 17"));
    assert_non_null(strstr(log, "priority 64 5 17"));
}

static void a_priority_for_a_stream_that_has_ended_is_ignored(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_PRIORITY};

    duo_open(&d->a, false, "b", 17);
    qms_session_finish(d->a.last);
    duo_settle(d);
    duo_take(&d->b);
    m.u.priority.mask = 1;
    assert_int_equal(qms_session_send(d->a.s, &m), QMS_OK);
    m.u.priority.opener = 1;
    m.u.priority.mask = 2;
    assert_int_equal(qms_session_send(d->a.s, &m), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "");
    assert_null(d->b.s->handles.early);
    assert_false(d->b.ended);
}

static void an_acceptor_that_sets_the_openers_direction_breaks_the_protocol(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_PRIORITY};

    duo_open(&d->a, true, "b", 17);
    duo_settle(d);
    m.u.priority.opener = 1;
    m.u.priority.mask = 1;
    assert_int_equal(qms_session_send(d->b.s, &m), QMS_OK);
    duo_settle(d);
    assert_non_null(strstr(duo_take(&d->a), "end here protocol"));
}

static void an_applied_urgency_is_not_told_to_the_peer(void **state)
{
    struct duo *d = *state;

    duo_open(&d->a, true, "b", 17);
    duo_settle(d);
    duo_take(&d->a);
    qms_session_apply_priority(d->b.last, 77);
    assert_int_equal(fake_stream_priority(d->b.last->link_stream), 77);
    assert_int_equal(d->b.last->reverse, 77);
    assert_int_equal(d->b.last->forward, 17);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "");
}

static void an_urgent_stream_opened_later_arrives_earlier_and_is_no_error(void **state)
{
    struct duo *d = *state;

    duo_open(&d->a, true, "slow", 0);
    duo_open(&d->a, true, "fast", 200);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "route 1 agent:fast 200\nroute 0 agent:slow 0\n");
    assert_int_equal(d->b.oddities, 0);
}

/* ---- the sets behind it ---- */

static void handles_are_claimed_once_in_any_order(void **state)
{
    struct qms_handles h;

    (void)state;
    qms_handles_init(&h);
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t handle = i * 617 % 1000; /* each of 0..999 once */
        assert_false(qms_handles_claimed(&h, handle));
        assert_true(qms_handles_claim(&h, handle));
        assert_false(qms_handles_claim(&h, handle));
    }
    assert_int_equal(h.used_count, 1);
    assert_true(qms_handles_claim(&h, (UINT64_C(1) << 60) - 1));
    assert_int_equal(h.used_count, 2);
    qms_handles_fini(&h);
}

static void gaps_between_handles_cost_bounded_memory(void **state)
{
    struct qms_handles h;

    (void)state;
    qms_handles_init(&h);
    for (uint64_t i = 0; i < 5000; i++) {
        assert_true(qms_handles_claim(&h, i * 10));
    }
    assert_true(h.used_cap <= 1024);
    assert_false(qms_handles_claim(&h, 4999 * 10));
    assert_true(qms_handles_claim(&h, 0)); /* forgotten */
    qms_handles_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(both_directions_start_with_the_urgency_of_the_header),
        QMS_TEST(control_goes_first_on_both_sides),
        QMS_TEST(the_opener_changes_both_directions),
        QMS_TEST(the_acceptor_changes_its_own_direction_only),
        QMS_TEST(streams_of_both_openers_share_no_handles),
        QMS_TEST(a_priority_that_overtakes_its_stream_is_applied_to_it),
        QMS_TEST(sixty_four_urgencies_are_remembered_and_the_oldest_is_forgotten),
        QMS_TEST(a_priority_for_a_stream_that_has_ended_is_ignored),
        QMS_TEST(an_acceptor_that_sets_the_openers_direction_breaks_the_protocol),
        QMS_TEST(an_applied_urgency_is_not_told_to_the_peer),
        QMS_TEST(an_urgent_stream_opened_later_arrives_earlier_and_is_no_error),
        QMS_TEST(handles_are_claimed_once_in_any_order),
        QMS_TEST(gaps_between_handles_cost_bounded_memory),
    };
    return cmocka_run_group_tests_name("session_priority", tests, NULL, NULL);
}
