/* SPDX-License-Identifier: MIT */
/* Credentials that an authenticator answers later. */
#include <stdlib.h>
#include <string.h>

#include "core/conf/diag.h"
#include "core/conf/zone.h"
#include "qms_test.h"
#include "test_broker_fixture.h"

static int start(void **state, const char *quic, const char *server)
{
    struct broker_fixture *f = calloc(1, sizeof(*f));
    struct qms_diag diag = {0};

    assert_non_null(f);
    fixture_start(f, quic, server);
    assert_int_equal(qms_zones_give(f->conf, NULL, &diag), QMS_OK); /* for the back-off */
    probe.slow = QMS_LATER;
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return start(state, NULL, "auth any slow;");
}

static int setup_any(void **state)
{
    return start(state, NULL, "auth any slow key;");
}

static int setup_any_late_last(void **state)
{
    return start(state, NULL, "auth any key slow;");
}

static int setup_all(void **state)
{
    return start(state, NULL, "auth all key slow;");
}

static int setup_all_late_first(void **state)
{
    return start(state, NULL, "auth all slow key;");
}

static int setup_all_few(void **state)
{
    return start(state, "max_half_open 1;", "auth all key slow;");
}

static int setup_few(void **state)
{
    return start(state, "max_half_open 1;", "auth any slow;");
}

static int teardown(void **state)
{
    fixture_stop(*state);
    free(*state);
    return 0;
}

static uint64_t failures(const struct broker_fixture *f, const char *label)
{
    return qms_stats_label_get(qms_broker_stats(f->broker), QMS_F_AUTH_FAILED, label);
}

static void decide(struct broker_fixture *f, enum qms_verdict v)
{
    probe.slow = v;
    qms_hello_resume(probe.slow_peer);
    settle(f);
}

static void an_agent_waits_and_is_let_in(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", "good");

    assert_false(a->welcomed);
    assert_int_equal(a->refused, -1);
    assert_int_equal(probe.slow_asked, 1);
    /* A stream that it opens meanwhile is held. */
    struct stream *st = agent_open(a, QMS_KIND_SERVICE, "echo", true, 9);
    stream_write(st, "early");
    advance(f, QMS_SECOND);
    assert_int_equal(st->result, -1);
    decide(f, QMS_ACCEPT);
    assert_true(a->welcomed);
    assert_string_equal(a->id, "alice");
    assert_int_equal(st->received, 5);
    assert_int_equal(probe.slow_asked, 2);
    assert_int_equal(probe.slow_cancels, 0);
}

static void a_late_refusal_reads_like_every_other(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", "good");
    struct agent *none = agent_connect(f, "bob", NULL);

    decide(f, QMS_REJECT);
    assert_int_equal(a->refused, QMS_CODE_UNAUTHENTICATED);
    assert_string_equal(a->close_reason, none->close_reason);
    assert_int_equal(failures(f, "bad_slow"), 1);
}

static void waiting_ends_after_the_time_for_hello(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", "good");

    advance(f, 4 * QMS_SECOND);
    assert_int_equal(a->refused, -1);
    assert_int_equal(probe.slow_cancels, 0);
    advance(f, 2 * QMS_SECOND);
    assert_int_equal(a->refused, QMS_CODE_UNAUTHENTICATED);
    assert_int_equal(probe.slow_cancels, 1);
    assert_int_equal(failures(f, "timeout"), 1);
}

static void an_agent_that_leaves_cancels_the_question(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", "good");

    agent_die(a);
    settle(f);
    assert_int_equal(probe.slow_cancels, 1);
    assert_int_equal(probe.frees, 1);
    assert_int_equal(qms_broker_peer_count(f->broker), 0);
}

static void with_any_the_rest_is_asked_when_it_passes(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", "good");

    decide(f, QMS_PASS);
    assert_true(a->welcomed);
    struct agent *b = agent_connect(f, "bob", "evil");
    assert_int_equal(b->refused, QMS_CODE_UNAUTHENTICATED);
    assert_int_equal(failures(f, "bad_key"), 1);
}

/* Whoever refuses: the same questions are asked, and the answer comes with the last one. */
static void with_all_refusals_take_the_same_way(void **state)
{
    struct broker_fixture *f = *state;
    const char *const tokens[] = {"evil", "evil", "good", "good"};
    const enum qms_verdict said[] = {QMS_ACCEPT, QMS_REJECT, QMS_REJECT, QMS_ACCEPT};
    struct agent *a[4];

    for (int i = 0; i < 4; i++) {
        probe.slow = QMS_LATER;
        a[i] = agent_connect(f, "alice", tokens[i]);
        assert_int_equal(probe.slow_asked, 2 * i + 1);
        assert_int_equal(a[i]->refused, -1);
        assert_int_equal(probe.slow_refused, i < 2);
        decide(f, said[i]);
        assert_int_equal(probe.slow_asked, 2 * i + 2);
        assert_int_equal(a[i]->refused, i < 3 ? QMS_CODE_UNAUTHENTICATED : -1);
    }
    assert_true(a[3]->welcomed);
    assert_string_equal(a[0]->close_reason, a[1]->close_reason);
    assert_string_equal(a[0]->close_reason, a[2]->close_reason);
    assert_int_equal(failures(f, "bad_key"), 2); /* the first that has refused counts */
    assert_int_equal(failures(f, "bad_slow"), 1);
    assert_int_equal(probe.slow_cancels, 0);
}

static void nobody_is_asked_of_an_agent_without_a_credential(void **state)
{
    struct broker_fixture *f = *state;

    assert_int_equal(agent_connect(f, "alice", NULL)->refused, QMS_CODE_UNAUTHENTICATED);
    assert_int_equal(probe.slow_asked, 0);
    assert_int_equal(failures(f, "no_credential"), 1);
}

static int refused_before_the_back_off(struct broker_fixture *f, const char *token)
{
    int count = 0;
    struct agent *a;

    do {
        probe.slow = QMS_LATER;
        a = agent_connect(f, "alice", token);
        if (a->refused == -1) {
            advance(f, 5100 * QMS_MILLISECOND); /* longer than there is for HELLO */
        }
    } while (a->refused == QMS_CODE_UNAUTHENTICATED && count++ < 30);
    assert_int_equal(a->refused, QMS_CODE_RATE_LIMITED);
    return count;
}

/* A service that never answers makes no difference either. */
static void with_all_an_answer_that_does_not_come_tells_nothing(void **state)
{
    struct broker_fixture *f = *state;

    assert_int_equal(refused_before_the_back_off(f, "evil"), 21);
    assert_int_equal(failures(f, "bad_key"), 21);
    assert_int_equal(failures(f, "timeout"), 0);
    advance(f, 1200 * QMS_SECOND);
    assert_int_equal(refused_before_the_back_off(f, "good"), 21);
    assert_int_equal(failures(f, "timeout"), 21);
    assert_int_equal(probe.slow_cancels, 42);
}

/* The other might have let it in: what was missing is the answer. */
static void with_any_an_answer_that_does_not_come_is_the_reason(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", "evil");

    advance(f, 6 * QMS_SECOND);
    assert_int_equal(a->refused, QMS_CODE_UNAUTHENTICATED);
    assert_int_equal(failures(f, "timeout"), 1);
    assert_int_equal(failures(f, "bad_key"), 0);
}

/* Who finds no place to wait has learned nothing, and nothing is held against it. */
static void with_all_no_place_to_wait_tells_nothing(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *first = agent_connect(f, "alice", "good");
    struct qms_peer *peer = probe.slow_peer;

    for (int i = 0; i < 30; i++) {
        struct agent *good = agent_connect(f, "bob", "good");
        struct agent *evil = agent_connect(f, "bob", "evil");
        assert_int_equal(good->refused, QMS_CODE_BUSY);
        assert_int_equal(evil->refused, QMS_CODE_BUSY);
        assert_string_equal(good->close_reason, evil->close_reason);
    }
    assert_int_equal(failures(f, "too_many_waiting"), 60);
    probe.slow_peer = peer;
    decide(f, QMS_ACCEPT);
    assert_true(first->welcomed);
}

static void those_who_wait_are_bounded(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *first = agent_connect(f, "alice", "good");
    struct qms_peer *peer = probe.slow_peer;
    struct agent *second = agent_connect(f, "bob", "good");

    assert_int_equal(second->refused, QMS_CODE_BUSY);
    assert_int_equal(probe.slow_cancels, 1);
    assert_int_equal(failures(f, "too_many_waiting"), 1);
    probe.slow_peer = peer;
    decide(f, QMS_ACCEPT);
    assert_true(first->welcomed);
    probe.slow = QMS_LATER;
    assert_int_equal(agent_connect(f, "carol", "good")->refused, -1);
}

static void auth_waits_too(void **state)
{
    struct broker_fixture *f = *state;
    struct qms_control m = {.type = QMS_MSG_AUTH};

    probe.slow = QMS_ACCEPT;
    struct agent *a = agent_connect(f, "alice", "good");
    assert_true(a->welcomed);
    probe.slow = QMS_LATER;
    m.u.auth.scheme = QMS_AUTH_TOKEN;
    m.u.auth.token = qms_str("good", 4);
    for (m.u.auth.req = 1; m.u.auth.req <= 2; m.u.auth.req++) {
        assert_int_equal(qms_session_send(a->s, &m), QMS_OK);
    }
    settle(f);
    /* One at a time. */
    assert_int_equal(a->replies[1], 0);
    assert_int_equal(a->replies[2], QMS_CODE_BUSY + 1);
    decide(f, QMS_ACCEPT);
    assert_int_equal(a->replies[1], QMS_CODE_OK + 1);
    assert_false(a->closed);
}

static struct stream *open_with_token(struct agent *a, const char *token)
{
    struct qms_route_header h = {.kind = QMS_KIND_SERVICE, .priority = 9};

    h.target = qms_str("echo", 4);
    h.stream_token = qms_str(token, strlen(token));
    return agent_open_with(a, true, &h);
}

static void a_token_of_its_own_authenticates_one_stream(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", "good");

    decide(f, QMS_PASS);
    assert_true(a->welcomed);
    probe.slow = QMS_PASS;
    struct stream *good = open_with_token(a, "good"), *bad = open_with_token(a, "evil");
    settle(f);
    assert_int_equal(good->result, QMS_CODE_OK);
    assert_int_equal(bad->result, QMS_CODE_UNAUTHENTICATED);
    assert_int_equal(failures(f, "bad_key"), 1);
    assert_string_equal(probe.scopes, "read write"); /* of the last that was let through */
    assert_false(a->closed);
    /* One that names another agent is for another agent. */
    probe.names = "bob";
    bad = open_with_token(a, "good");
    settle(f);
    assert_int_equal(bad->result, QMS_CODE_UNAUTHENTICATED);
    probe.names = NULL;
    /* A stream does not wait. */
    probe.slow = QMS_LATER;
    bad = open_with_token(a, "good");
    settle(f);
    assert_int_equal(bad->result, QMS_CODE_UNAUTHENTICATED);
    assert_int_equal(failures(f, "asked_elsewhere"), 1);
    assert_true(probe.slow_cancels > 0);
}

/* What is asked elsewhere is not known in time, whoever else has refused. */
static void with_all_a_stream_learns_nothing_of_its_token(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", "good");

    decide(f, QMS_ACCEPT);
    assert_true(a->welcomed);
    probe.slow = QMS_LATER;
    for (int i = 0; i < 60; i++) {
        struct stream *st = open_with_token(a, i % 2 == 0 ? "evil" : "good");
        settle(f);
        assert_int_equal(st->result, QMS_CODE_UNAUTHENTICATED);
    }
    assert_int_equal(failures(f, "bad_key"), 30);
    assert_int_equal(failures(f, "asked_elsewhere"), 30);
    assert_int_equal(failures(f, "backoff"), 0);
    probe.slow = QMS_ACCEPT;
    struct stream *good = open_with_token(a, "good");
    settle(f);
    assert_int_equal(good->result, QMS_CODE_OK);
}

static void a_reload_begins_anew(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", "good");
    struct qms_conf *conf = fixture_conf(NULL, "auth any key;");

    qms_broker_reload(f->broker, conf, fixture_now(f));
    qms_conf_unref(f->conf);
    f->conf = conf;
    settle(f);
    assert_int_equal(probe.slow_cancels, 1);
    assert_true(a->welcomed);
}

#define WITH(test, start) cmocka_unit_test_setup_teardown(test, start, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(an_agent_waits_and_is_let_in),
        QMS_TEST(a_late_refusal_reads_like_every_other),
        QMS_TEST(waiting_ends_after_the_time_for_hello),
        QMS_TEST(an_agent_that_leaves_cancels_the_question),
        WITH(with_any_the_rest_is_asked_when_it_passes, setup_any),
        WITH(with_all_refusals_take_the_same_way, setup_all),
        cmocka_unit_test_setup_teardown(with_all_refusals_take_the_same_way,
                                        setup_all_late_first, teardown),
        WITH(nobody_is_asked_of_an_agent_without_a_credential, setup_all),
        WITH(with_all_an_answer_that_does_not_come_tells_nothing, setup_all),
        WITH(with_any_an_answer_that_does_not_come_is_the_reason, setup_any_late_last),
        WITH(with_all_no_place_to_wait_tells_nothing, setup_all_few),
        WITH(with_all_a_stream_learns_nothing_of_its_token, setup_all),
        WITH(those_who_wait_are_bounded, setup_few),
        QMS_TEST(auth_waits_too),
        WITH(a_token_of_its_own_authenticates_one_stream, setup_any),
        QMS_TEST(a_reload_begins_anew),
    };
    return cmocka_run_group_tests_name("broker_wait", tests, NULL, NULL);
}
