/* SPDX-License-Identifier: MIT */
/* What the accepting side does with early data (doc/wire.md section 9). */
#include <stdlib.h>
#include <string.h>

#include "proto/session_i.h"
#include "qms_test.h"
#include "session_duo.h"

static int setup(void **state)
{
    struct duo *d = calloc(1, sizeof(*d));

    assert_non_null(d);
    assert_true(duo_init(d, NULL, NULL));
    fake_pair_link(d->pair, 1)->early = true;
    assert_int_equal(duo_hello(d), QMS_OK);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    duo_fini(*state);
    free(*state);
    return 0;
}

static void handshake_completes(struct duo *d)
{
    struct qms_link *link = fake_pair_link(d->pair, 1);

    link->early = false;
    link->events->on_ready(link);
    duo_settle(d);
}

static struct qms_session_stream *open_with(struct duo *d, uint8_t flags)
{
    struct qms_route_header h = {.kind = QMS_KIND_AGENT, .flags = flags, .priority = 16};
    struct qms_session_stream *st = NULL;

    h.target = duo_text("b");
    assert_int_equal(qms_session_open(d->a.s, true, &h, NULL, &st), QMS_OK);
    return st;
}

static void hello_and_idempotent_routes_are_acted_on(void **state)
{
    struct duo *d = *state;

    assert_int_equal(duo_write(open_with(d, QMS_ROUTE_IDEMPOTENT), "x"), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "hello a1\nroute 0 agent:b 16\ndata 0 \"x\"\n");
    assert_string_equal(duo_take(&d->a), "welcome a1\nresult 0 ok \n");
}

static void other_routes_wait_for_the_handshake(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st = open_with(d, 0);

    assert_int_equal(duo_write(st, "x"), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "hello a1\n");
    assert_int_equal(duo_write(st, "y"), QMS_OK);
    qms_session_finish(st);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "");
    assert_int_not_equal(fake_link_unconsumed(d->pair, 1), 0); /* no credit */
    handshake_completes(d);
    assert_string_equal(duo_take(&d->b), "route 0 agent:b 16\ndata 0 \"xy\"\nfin 0\n");
    assert_int_equal(fake_link_unconsumed(d->pair, 1), 0);
}

static void other_routes_wait_also_one_byte_at_a_time(void **state)
{
    struct duo *d = *state;

    assert_int_equal(duo_write(open_with(d, 0), "x"), QMS_OK);
    duo_settle_by(d, 1);
    assert_string_equal(duo_take(&d->b), "hello a1\n");
    handshake_completes(d);
    assert_string_equal(duo_take(&d->b), "route 0 agent:b 16\ndata 0 \"x\"\n");
}

static void a_ping_is_answered_and_a_join_waits(void **state)
{
    struct duo *d = *state;
    struct qms_control ping = {.type = QMS_MSG_PING}, join = {.type = QMS_MSG_JOIN};

    join.u.join.kind = QMS_KIND_GROUP;
    join.u.join.name = duo_text("g");
    assert_int_equal(qms_session_send(d->a.s, &ping), QMS_OK);
    assert_int_equal(qms_session_send(d->a.s, &join), QMS_OK);
    assert_int_equal(qms_session_send(d->a.s, &ping), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "hello a1\n");
    assert_string_equal(duo_take(&d->a), "welcome a1\ncontrol 1f\n");
    handshake_completes(d);
    assert_string_equal(duo_take(&d->b), "control 09\n");
    assert_string_equal(duo_take(&d->a), "control 1f\n");
}

static void too_much_that_waits_is_refused_too_early(void **state)
{
    struct duo *d = *state;
    static char much[16000];
    struct qms_session_stream *st;

    duo_settle(d);
    duo_take(&d->a);
    duo_take(&d->b);
    memset(much, 'm', sizeof(much) - 1);
    assert_int_equal(duo_write(open_with(d, 0), much), QMS_OK);
    duo_settle(d);
    st = open_with(d, 0);
    assert_int_equal(duo_write(st, much), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "odd held_overflow\n");
    assert_non_null(strstr(duo_take(&d->a), "too_early"));
    handshake_completes(d);
    assert_int_equal(d->b.routes, 1);
}

static void early_datagrams_are_dropped(void **state)
{
    struct duo *d = *state;

    duo_settle(d);
    duo_take(&d->b);
    assert_int_equal(
        qms_session_datagram(d->a.s, QMS_KIND_AGENT, duo_text("b"), 1, duo_text("x")), QMS_OK);
    duo_settle(d);
    assert_non_null(strstr(duo_take(&d->b), "odd early_datagram"));
}

static void the_opener_marks_what_may_go_early(void **state)
{
    struct duo *d = *state;

    assert_true(((struct qms_session *)d->a.s)->control->pub.link_stream->early);
    assert_true(open_with(d, QMS_ROUTE_IDEMPOTENT)->link_stream->early);
    assert_false(open_with(d, 0)->link_stream->early);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hello_and_idempotent_routes_are_acted_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(other_routes_wait_for_the_handshake, setup, teardown),
        cmocka_unit_test_setup_teardown(other_routes_wait_also_one_byte_at_a_time, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_ping_is_answered_and_a_join_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(too_much_that_waits_is_refused_too_early, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(early_datagrams_are_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(the_opener_marks_what_may_go_early, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
