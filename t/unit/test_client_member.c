/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "client_fixture.h"

static struct fixture *ready(void)
{
    struct fixture *f = fixture_reconnecting(WELCOME);

    settle(f);
    f->log[0] = '\0';
    return f;
}

static void reply(struct fixture *f, uint64_t req, uint64_t status)
{
    struct qms_control m = {.type = QMS_MSG_REPLY};

    m.u.reply.req = req;
    m.u.reply.status = status;
    peer_sends(f, m);
    settle(f);
}

static void lose(struct fixture *f)
{
    fake_link_break(f->pair, QMS_E_IDLE);
    settle(f);
    pass(f, QMS_SECOND);
}

static void a_join_is_asked_and_answered(void **state)
{
    struct fixture *f = ready();
    struct qms_join *p = qms_join_new();
    (void)state;

    assert_int_equal(qms_join_set_weight(p, 7), QMS_OK);
    assert_int_equal(qms_join_set_weight(p, UINT64_MAX), QMS_E_INVALID);
    qms_join_set_priority(p, 9);
    assert_int_equal(qms_join_set_slow_policy(p, 2), QMS_OK);
    assert_int_equal(qms_connection_join(f->conn, QMS_KIND_GROUP, "g", p, note_done, f),
                     QMS_OK);
    qms_join_free(p);
    settle(f);
    assert_int_equal(f->last.type, QMS_MSG_JOIN);
    assert_int_equal(f->last.u.join.kind, QMS_KIND_GROUP);
    assert_true(f->last.u.join.has_weight && f->last.u.join.has_priority &&
                f->last.u.join.has_slow_policy);
    assert_int_equal(f->last.u.join.weight, 7);
    assert_int_equal(f->last.u.join.priority, 9);
    assert_int_equal(f->last.u.join.slow_policy, 2);
    reply(f, f->last.u.join.req, 0);
    assert_string_equal(f->log, "D");
    assert_int_equal(f->done, QMS_OK);
    assert_int_equal(qms_connection_join(f->conn, QMS_KIND_GROUP, "g", NULL, NULL, NULL),
                     QMS_E_EXISTS);
    fixture_free(f);
}

static void a_refused_join_is_told_and_may_be_asked_again(void **state)
{
    struct fixture *f = ready();
    (void)state;

    assert_int_equal(qms_connection_join(f->conn, QMS_KIND_TOPIC, "t", NULL, note_done, f),
                     QMS_OK);
    settle(f);
    reply(f, f->last.u.join.req, QMS_CODE_UNSUPPORTED);
    assert_string_equal(f->log, "D");
    assert_int_equal(f->done, QMS_E_WIRE_UNSUPPORTED);
    assert_int_equal(qms_connection_leave(f->conn, QMS_KIND_TOPIC, "t", NULL, NULL),
                     QMS_E_NOT_FOUND);
    assert_int_equal(qms_connection_join(f->conn, QMS_KIND_TOPIC, "t", NULL, note_done, f),
                     QMS_OK);
    fixture_free(f);
}

static void bad_names_and_kinds_are_refused(void **state)
{
    struct fixture *f = ready();
    uint64_t watch;
    (void)state;

    assert_int_equal(qms_connection_join(f->conn, QMS_KIND_AGENT, "g", NULL, NULL, NULL),
                     QMS_E_INVALID);
    assert_int_equal(qms_connection_join(f->conn, QMS_KIND_GROUP, "", NULL, NULL, NULL),
                     QMS_E_INVALID);
    assert_int_equal(qms_connection_leave(f->conn, QMS_KIND_GROUP, "a b", NULL, NULL),
                     QMS_E_INVALID);
    assert_int_equal(qms_connection_watch(f->conn, "a b", NULL, NULL, &watch), QMS_E_INVALID);
    assert_int_equal(qms_connection_unwatch(f->conn, 5, NULL, NULL), QMS_E_NOT_FOUND);
    fixture_free(f);
}

static void what_was_granted_is_asked_for_again(void **state)
{
    struct fixture *f = ready();
    (void)state;

    assert_int_equal(qms_connection_join(f->conn, QMS_KIND_GROUP, "g", NULL, note_done, f),
                     QMS_OK);
    settle(f);
    reply(f, f->last.u.join.req, 0);
    f->last.type = 0;
    lose(f);
    assert_string_equal(f->log, "Dxy");
    assert_int_equal(f->last.type, QMS_MSG_JOIN);
    reply(f, f->last.u.join.req, 0);
    assert_string_equal(f->log, "Dxy"); /* no news */
    lose(f);
    reply(f, f->last.u.join.req, QMS_CODE_FORBIDDEN);
    assert_string_equal(f->log, "DxyxyD");
    assert_int_equal(f->done, QMS_E_WIRE_FORBIDDEN);
    assert_int_equal(qms_connection_leave(f->conn, QMS_KIND_GROUP, "g", NULL, NULL),
                     QMS_E_NOT_FOUND);
    fixture_free(f);
}

static void a_join_without_an_answer_is_asked_again(void **state)
{
    struct fixture *f = ready();
    (void)state;

    assert_int_equal(qms_connection_join(f->conn, QMS_KIND_GROUP, "g", NULL, note_done, f),
                     QMS_OK);
    lose(f);
    assert_string_equal(f->log, "xy");
    reply(f, f->last.u.join.req, 0);
    assert_string_equal(f->log, "xyD");
    fixture_free(f);
}

static void leaving_is_answered_also_by_the_end_of_the_session(void **state)
{
    struct fixture *f = ready();
    (void)state;

    assert_int_equal(qms_connection_join(f->conn, QMS_KIND_GROUP, "g", NULL, NULL, NULL),
                     QMS_OK);
    settle(f);
    reply(f, f->last.u.join.req, 0);
    assert_int_equal(qms_connection_leave(f->conn, QMS_KIND_GROUP, "g", note_done, f), QMS_OK);
    settle(f);
    assert_int_equal(f->last.type, QMS_MSG_LEAVE);
    f->last.type = 0;
    lose(f);
    assert_string_equal(f->log, "xDy");
    assert_int_equal(f->done, QMS_OK);
    assert_int_equal(f->last.type, 0); /* nothing is joined again */
    fixture_free(f);
}

static void presence_is_told_under_the_number_of_the_watch(void **state)
{
    struct fixture *f = ready();
    struct qms_control m = {.type = QMS_MSG_PRESENCE};
    uint64_t watch = 0;
    char expected[64];
    (void)state;

    assert_int_equal(qms_connection_watch(f->conn, "wor", note_done, f, &watch), QMS_OK);
    settle(f);
    assert_int_equal(f->last.type, QMS_MSG_WATCH);
    assert_int_equal(f->last.u.watch.req, watch);
    reply(f, watch, 0);
    lose(f);
    assert_int_equal(f->last.u.watch.req, watch); /* the same number for ever */
    m.u.presence.watch_req = watch;
    m.u.presence.state = 1;
    m.u.presence.name = text("worker");
    peer_sends(f, m);
    m.u.presence.state = 2;
    m.u.presence.name = text("");
    peer_sends(f, m);
    m.u.presence.watch_req = watch + 100;
    peer_sends(f, m);
    settle(f);
    (void)snprintf(expected, sizeof(expected), "%llu/1/worker;%llu/2/;",
                   (unsigned long long)watch, (unsigned long long)watch);
    assert_string_equal(f->presence, expected);
    assert_int_equal(qms_connection_unwatch(f->conn, watch, note_done, f), QMS_OK);
    settle(f);
    assert_int_equal(f->last.u.unwatch.watch_req, watch);
    fixture_free(f);
}

static void a_long_snapshot_is_told_whole(void **state)
{
    struct fixture *f = ready();
    struct qms_control m = {.type = QMS_MSG_PRESENCE};
    uint64_t watch;
    (void)state;

    assert_int_equal(qms_connection_watch(f->conn, "", NULL, NULL, &watch), QMS_OK);
    settle(f);
    reply(f, watch, 0);
    m.u.presence.watch_req = watch;
    for (unsigned i = 0; i < 3000; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), "agent-%u", i);
        m.u.presence.state = QMS_PRESENCE_ONLINE;
        m.u.presence.name = text(name);
        peer_sends(f, m);
    }
    settle(f);
    assert_int_equal(f->presences, 3000);
    fixture_free(f);
}

static void what_is_asked_before_on_ready_waits_for_it(void **state)
{
    struct fixture *f = fixture_reconnecting(WELCOME);
    (void)state;

    assert_int_equal(qms_connection_join(f->conn, QMS_KIND_GROUP, "g", NULL, note_done, f),
                     QMS_OK);
    assert_int_equal(qms_connection_join(f->conn, QMS_KIND_GROUP, "h", NULL, note_done, f),
                     QMS_OK);
    assert_int_equal(qms_connection_leave(f->conn, QMS_KIND_GROUP, "h", note_done, f), QMS_OK);
    settle(f);
    assert_string_equal(f->log, "yDD"); /* both of h */
    assert_int_equal(f->last.type, QMS_MSG_JOIN);
    assert_int_equal(f->last.u.join.name.len, 1);
    fixture_free(f);
}

static void the_end_of_the_connection_answers_what_waits(void **state)
{
    struct fixture *f = ready();
    (void)state;

    assert_int_equal(qms_connection_join(f->conn, QMS_KIND_GROUP, "g", NULL, note_done, f),
                     QMS_OK);
    qms_connection_close(f->conn, 0x81, NULL);
    settle(f);
    assert_string_equal(f->log, "Dc");
    assert_int_equal(f->done, QMS_E_WIRE + 0x81);
    assert_int_equal(qms_connection_join(f->conn, QMS_KIND_GROUP, "g", NULL, note_done, f),
                     QMS_E_CLOSED);
    fixture_free(f);
}

static void memberships_are_limited(void **state)
{
    struct fixture *f = ready();
    uint64_t watch;
    (void)state;

    for (int i = 0; i < QMS_MEMBERS_MAX; i++) {
        assert_int_equal(qms_connection_watch(f->conn, "", NULL, NULL, &watch), QMS_OK);
    }
    assert_int_equal(qms_connection_watch(f->conn, "", NULL, NULL, &watch), QMS_E_LIMIT);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_join_is_asked_and_answered),
        cmocka_unit_test(a_refused_join_is_told_and_may_be_asked_again),
        cmocka_unit_test(bad_names_and_kinds_are_refused),
        cmocka_unit_test(what_was_granted_is_asked_for_again),
        cmocka_unit_test(a_join_without_an_answer_is_asked_again),
        cmocka_unit_test(leaving_is_answered_also_by_the_end_of_the_session),
        cmocka_unit_test(presence_is_told_under_the_number_of_the_watch),
        cmocka_unit_test(a_long_snapshot_is_told_whole),
        cmocka_unit_test(what_is_asked_before_on_ready_waits_for_it),
        cmocka_unit_test(the_end_of_the_connection_answers_what_waits),
        cmocka_unit_test(memberships_are_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
