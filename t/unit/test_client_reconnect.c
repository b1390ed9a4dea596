/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "client_fixture.h"

static struct fixture *ready(void)
{
    struct fixture *f = fixture_reconnecting(WELCOME);

    settle(f);
    assert_string_equal(f->log, "y");
    f->log[0] = '\0';
    return f;
}

static void break_link(struct fixture *f, qms_err err)
{
    fake_link_break(f->pair, err);
    settle(f);
}

static void a_lost_connection_comes_back(void **state)
{
    struct fixture *f = ready();
    (void)state;

    break_link(f, QMS_E_IDLE);
    assert_string_equal(f->log, "x");
    assert_int_equal(f->lost, QMS_E_IDLE);
    assert_int_equal(f->attempt, 1);
    assert_true(f->delay >= 50 * QMS_MILLISECOND && f->delay <= 100 * QMS_MILLISECOND);
    assert_false(qms_connection_is_ready(f->conn));
    assert_false(qms_connection_is_closed(f->conn));
    pass(f, f->delay - 1);
    assert_string_equal(f->log, "x");
    pass(f, 1);
    assert_string_equal(f->log, "xy");
    assert_true(qms_connection_is_ready(f->conn));
    fixture_free(f);
}

static void the_delay_doubles_up_to_its_maximum_and_is_jittered(void **state)
{
    struct fixture *f = ready();
    qms_time full = 100 * QMS_MILLISECOND, first = 0;
    bool differs = false;
    (void)state;

    f->welcome = SILENT;
    for (unsigned i = 1; i <= 6; i++) {
        break_link(f, QMS_E_IDLE);
        assert_int_equal(f->attempt, i);
        assert_true(f->delay >= full / 2 && f->delay <= full);
        first = i == 1 ? f->delay : first;
        differs |= f->delay << (i - 1) != first << (2 * (i - 1)) >> (i - 1);
        full = full < 500 * QMS_MILLISECOND ? 2 * full : 1000 * QMS_MILLISECOND;
        pass(f, f->delay);
    }
    assert_true(differs);
    fixture_free(f);
}

static void service_for_a_while_begins_the_delays_anew(void **state)
{
    struct fixture *f = ready();
    (void)state;

    for (int i = 0; i < 3; i++) {
        break_link(f, QMS_E_IDLE);
        pass(f, f->delay);
    }
    assert_int_equal(f->attempt, 3);
    pass(f, 31 * QMS_SECOND);
    break_link(f, QMS_E_IDLE);
    assert_int_equal(f->attempt, 1);
    fixture_free(f);
}

static void streams_end_with_the_connection_and_those_opened_meanwhile_wait(void **state)
{
    struct fixture *f = ready();
    struct watch old = {0}, next = {0};
    size_t taken = 0;
    (void)state;

    open_to(f, &old, "b", 0);
    settle(f);
    break_link(f, QMS_E_IDLE);
    assert_string_equal(old.log, "RC");
    assert_int_equal(old.closed, QMS_E_IDLE);
    open_to(f, &next, "b", QMS_OPEN_UNI);
    assert_int_equal(qms_stream_write(next.st, text("later"), &taken), QMS_OK);
    assert_int_equal(qms_stream_finish(next.st), QMS_OK);
    pass(f, f->delay);
    assert_int_equal(f->count, 2);
    assert_memory_equal(f->streams[1]->data, "later", 5);
    assert_true(f->streams[1]->fin);
    assert_string_equal(next.log, "C");
    assert_int_equal(next.closed, QMS_OK);
    fixture_free(f);
}

static void an_attempt_that_is_not_answered_is_followed_by_the_next(void **state)
{
    struct fixture *f = ready();
    (void)state;

    f->welcome = SILENT;
    break_link(f, QMS_E_IDLE);
    pass(f, f->delay);
    pass(f, 10 * QMS_SECOND);
    assert_string_equal(f->log, "xx");
    assert_int_equal(f->lost, QMS_E_TIMEOUT);
    f->welcome = WELCOME;
    pass(f, f->delay);
    assert_string_equal(f->log, "xxy");
    fixture_free(f);
}

static void the_first_attempt_is_repeated_too(void **state)
{
    struct fixture *f = fixture_reconnecting(SILENT);
    (void)state;

    settle(f);
    break_link(f, QMS_E_CONNECT);
    assert_string_equal(f->log, "x");
    f->welcome = WELCOME;
    pass(f, f->delay);
    assert_string_equal(f->log, "xy");
    fixture_free(f);
}

static void an_answer_that_would_be_the_same_again_ends_it(void **state)
{
    static const uint8_t codes[] = {QMS_CODE_UNAUTHENTICATED, QMS_CODE_FORBIDDEN,
                                    QMS_CODE_REPLACED,        QMS_CODE_EXPIRED,
                                    QMS_CODE_UNSUPPORTED,     QMS_CODE_PROTOCOL};
    (void)state;

    for (size_t i = 0; i < sizeof(codes); i++) {
        struct fixture *f = ready();

        qms_session_close(f->peer, codes[i], "no");
        settle(f);
        assert_string_equal(f->log, "c");
        assert_int_equal(f->closed, QMS_E_WIRE + codes[i]);
        fixture_free(f);
    }
    struct fixture *f = ready();

    break_link(f, QMS_E_CERTIFICATE);
    assert_string_equal(f->log, "c");
    fixture_free(f);
}

static const char *fresh_token(void *arg)
{
    int *calls = arg;

    ++*calls;
    return "fresh";
}

static void with_a_token_callback_a_refused_token_is_replaced(void **state)
{
    struct fixture *f = ready();
    int calls = 0;
    (void)state;

    f->conn->settings.token_fn = fresh_token;
    f->conn->settings.token_arg = &calls;
    f->welcome = REFUSE;
    break_link(f, QMS_E_IDLE);
    pass(f, f->delay);
    assert_string_equal(f->log, "xfx");
    assert_int_equal(f->lost, QMS_E_WIRE_UNAUTHENTICATED);
    assert_true(f->delay >= 1500 * QMS_MILLISECOND); /* the broker's Retry After */
    f->welcome = WELCOME;
    pass(f, f->delay);
    assert_string_equal(f->log, "xfxy");
    assert_int_equal(calls, 2);
    fixture_free(f);
}

static void goaway(struct fixture *f, uint64_t deadline_ms)
{
    struct qms_control m = {.type = QMS_MSG_GOAWAY};

    m.u.goaway.status = QMS_CODE_GOING_AWAY;
    m.u.goaway.deadline_ms = deadline_ms;
    m.u.goaway.redirect = text("quic://elsewhere:1");
    peer_sends(f, m);
    settle(f);
}

static void goaway_moves_at_once_and_streams_end_where_they_are(void **state)
{
    struct fixture *f = ready();
    struct watch old = {0}, next = {0};
    (void)state;

    open_to(f, &old, "b", 0);
    settle(f);
    goaway(f, 60000);
    assert_string_equal(f->log, "gxy");
    assert_int_equal(f->lost, QMS_E_WIRE_GOING_AWAY);
    assert_int_equal(f->delay, 0);
    assert_string_equal(f->url, "quic://elsewhere:1");
    open_to(f, &next, "b", 0);
    settle(f);
    assert_int_equal(f->count, 2);
    pass(f, 2 * QMS_SECOND);
    assert_non_null(f->old_peer[0]);
    peer_answers(f->streams[0], 0, "");
    peer_writes(f->streams[0], "done", true);
    assert_int_equal(qms_stream_finish(old.st), QMS_OK);
    settle(f);
    assert_string_equal(old.log, "rRC");
    assert_int_equal(old.closed, QMS_OK);
    assert_null(f->old_peer[0]); /* nothing needed it any more */
    assert_true(qms_connection_is_ready(f->conn));
    peer_answers(f->streams[1], 0, "");
    peer_writes(f->streams[1], "here", true);
    assert_int_equal(qms_stream_finish(next.st), QMS_OK);
    settle(f);
    assert_int_equal(next.closed, QMS_OK);
    fixture_free(f);
}

static void routes_on_their_way_still_come_over_the_old_session(void **state)
{
    struct fixture *f = ready();
    struct peer_stream *late;
    (void)state;

    goaway(f, 60000);
    assert_string_equal(f->log, "gxy");
    struct qms_session *now = f->peer;
    f->peer = f->old_peer[0];
    late = peer_opens(f, false, "");
    f->peer = now;
    peer_writes(late, "late", true);
    settle(f);
    assert_string_equal(f->log, "gxys");
    assert_memory_equal(f->accepted.got, "late", 4);
    pass(f, QMS_SECOND);
    assert_null(f->old_peer[0]);
    fixture_free(f);
}

static void an_old_session_ends_at_its_deadline(void **state)
{
    struct fixture *f = ready();
    struct watch old = {0};
    (void)state;

    open_to(f, &old, "b", 0);
    settle(f);
    goaway(f, 1000);
    assert_string_equal(f->log, "gxy");
    pass(f, QMS_SECOND - 1);
    assert_null(strchr(old.log, 'C'));
    pass(f, 1);
    assert_non_null(strchr(old.log, 'C'));
    assert_int_equal(old.closed, QMS_E_WIRE_GOING_AWAY);
    assert_true(qms_connection_is_ready(f->conn));
    fixture_free(f);
}

static void streams_of_an_old_session_that_breaks_end_and_the_connection_stays(void **state)
{
    struct fixture *f = ready();
    struct watch old = {0};
    (void)state;

    open_to(f, &old, "b", 0);
    settle(f);
    goaway(f, 60000);
    fake_link_break(f->old[0], QMS_E_IDLE);
    (void)fake_link_pump(f->old[0], SIZE_MAX);
    settle(f);
    assert_non_null(strchr(old.log, 'C'));
    assert_true(qms_connection_is_ready(f->conn));
    assert_string_equal(f->log, "gxy");
    fixture_free(f);
}

static void closing_ends_the_old_sessions_too(void **state)
{
    struct fixture *f = ready();
    struct watch old = {0};
    (void)state;

    open_to(f, &old, "b", 0);
    settle(f);
    goaway(f, 60000);
    qms_connection_close(f->conn, 0, NULL);
    settle(f);
    assert_string_equal(f->log, "gxyc");
    assert_non_null(strchr(old.log, 'C'));
    assert_null(f->old_peer[0]);
    fixture_free(f);
}

static void closing_between_two_sessions_waits_for_the_old_one(void **state)
{
    struct fixture *f = ready();
    struct watch old = {0};
    (void)state;

    open_to(f, &old, "b", 0);
    settle(f);
    f->welcome = SILENT;
    goaway(f, 60000);
    assert_string_equal(f->log, "gx");
    qms_connection_release(f->conn);
    f->conn = NULL;
    settle(f);
    assert_null(f->old_peer[0]);
    fixture_free(f);
}

static void one_goaway_after_the_other_is_followed(void **state)
{
    struct fixture *f = ready();
    struct watch streams[6] = {0};
    (void)state;

    /* More than can part at a time: the last ones wait for their streams as of old. */
    for (int i = 0; i < 6; i++) {
        open_to(f, &streams[i], "b", 0);
        settle(f);
        goaway(f, 60000);
    }
    assert_int_equal(f->old_count, QMS_PARTING_MAX);
    for (size_t i = 0; i < f->count; i++) {
        peer_answers(f->streams[i], 0, "");
        peer_writes(f->streams[i], "", true);
        assert_int_equal(qms_stream_finish(streams[i].st), QMS_OK);
    }
    settle(f);
    pass(f, QMS_SECOND);
    for (size_t i = 0; i < f->count; i++) {
        assert_int_equal(streams[i].closed, QMS_OK);
    }
    assert_true(qms_connection_is_ready(f->conn));
    fixture_free(f);
}

static void redirects_in_a_circle_are_bounded(void **state)
{
    struct fixture *f = ready();
    struct qms_control m = {.type = QMS_MSG_GOAWAY};
    (void)state;

    m.u.goaway.redirect = text("quic://elsewhere:1");
    for (int i = 0; i < 4; i++) {
        peer_sends(f, m);
        settle(f);
        assert_string_equal(f->url, "quic://elsewhere:1");
    }
    peer_sends(f, m);
    settle(f);
    pass(f, f->delay);
    assert_string_equal(f->url, "");
    fixture_free(f);
}

static void only_quic_urls_are_followed(void **state)
{
    struct fixture *f = ready();
    (void)state;

    assert_false(qms_reconnect_redirect(f->conn, text("https://elsewhere/")));
    assert_false(qms_reconnect_redirect(f->conn, text("quic://")));
    assert_false(qms_reconnect_redirect(f->conn, text("")));
    assert_true(qms_reconnect_redirect(f->conn, text("quic://b:1")));
    fixture_free(f);
}

static void closing_and_releasing_end_it_also_between_attempts(void **state)
{
    struct fixture *f = ready();
    (void)state;

    break_link(f, QMS_E_IDLE);
    qms_connection_close(f->conn, 0x80, "enough");
    settle(f);
    assert_string_equal(f->log, "xc");
    assert_int_equal(f->closed, QMS_E_WIRE + 0x80);
    pass(f, 10 * QMS_SECOND);
    assert_string_equal(f->log, "xc");
    fixture_free(f);

    f = ready();
    break_link(f, QMS_E_IDLE);
    qms_connection_release(f->conn);
    pass(f, 10 * QMS_SECOND);
    assert_string_equal(f->log, "x");
    fixture_free(f);
}

static void no_memory_at_any_place_leaks_nothing(void **state)
{
    (void)state;

    for (uint64_t n = 0; n < 40; n++) {
        struct fixture *f = ready();
        struct watch w = {0};

        open_to(f, &w, "b", 0);
        settle(f);
        qms_mem_fail_after(n);
        break_link(f, QMS_E_IDLE);
        qms_mem_fail_after(UINT64_MAX);
        pass(f, QMS_SECOND);
        assert_true(qms_connection_is_ready(f->conn));
        fixture_free(f);
    }
}

static void a_call_of_refresh_counts_for_the_next_hello(void **state)
{
    struct fixture *f = ready();
    (void)state;

    assert_int_equal(qms_connection_refresh_token(f->conn, "newer"), QMS_OK);
    assert_string_equal(f->conn->settings.token, "newer");
    break_link(f, QMS_E_IDLE);
    assert_string_equal(f->log, "xk");
    assert_int_equal(f->token, QMS_E_CLOSED);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_connection_comes_back),
        cmocka_unit_test(the_delay_doubles_up_to_its_maximum_and_is_jittered),
        cmocka_unit_test(service_for_a_while_begins_the_delays_anew),
        cmocka_unit_test(streams_end_with_the_connection_and_those_opened_meanwhile_wait),
        cmocka_unit_test(an_attempt_that_is_not_answered_is_followed_by_the_next),
        cmocka_unit_test(the_first_attempt_is_repeated_too),
        cmocka_unit_test(an_answer_that_would_be_the_same_again_ends_it),
        cmocka_unit_test(with_a_token_callback_a_refused_token_is_replaced),
        cmocka_unit_test(goaway_moves_at_once_and_streams_end_where_they_are),
        cmocka_unit_test(routes_on_their_way_still_come_over_the_old_session),
        cmocka_unit_test(an_old_session_ends_at_its_deadline),
        cmocka_unit_test(streams_of_an_old_session_that_breaks_end_and_the_connection_stays),
        cmocka_unit_test(closing_ends_the_old_sessions_too),
        cmocka_unit_test(closing_between_two_sessions_waits_for_the_old_one),
        cmocka_unit_test(one_goaway_after_the_other_is_followed),
        cmocka_unit_test(redirects_in_a_circle_are_bounded),
        cmocka_unit_test(only_quic_urls_are_followed),
        cmocka_unit_test(closing_and_releasing_end_it_also_between_attempts),
        cmocka_unit_test(no_memory_at_any_place_leaks_nothing),
        cmocka_unit_test(a_call_of_refresh_counts_for_the_next_hello),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
