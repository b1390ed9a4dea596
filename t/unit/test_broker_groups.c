/* SPDX-License-Identifier: MIT */
/* Groups: who gets a stream, who gets it next, and who waits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker_room_world.h"
#include "core/broker/rooms.h"
#include "qms_test.h"

static void begin(struct world *w, const char *quic, unsigned members)
{
    world_begin(w, quic, QMS_KIND_GROUP, "work", "w", members);
}

static struct stream *open_work(struct world *w)
{
    struct stream *st = agent_open(w->a, QMS_KIND_GROUP, "work", true, 128);

    settle(&w->f);
    return st;
}

static void a_member_gets_the_stream_under_its_own_name(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 1);
    struct stream *st = open_work(w), *in = agent_incoming(w->m[0], 0);
    assert_int_equal(st->result, QMS_CODE_OK);
    assert_string_equal(st->acceptor, "w0");
    assert_int_equal(in->kind, QMS_KIND_AGENT);
    assert_string_equal(in->target, "w0");
    assert_int_equal(in->original_kind, QMS_KIND_GROUP);
    assert_string_equal(in->original, "work");
    assert_string_equal(in->source, "alice");

    uint32_t there = stream_pour(st, 500000);
    qms_session_finish(st->st);
    settle(&w->f);
    assert_int_equal(in->received, 500000);
    assert_int_equal(in->sum, there);
    assert_true(in->fin);
    uint32_t back = stream_pour(in, 200000);
    qms_session_finish(in->st);
    settle(&w->f);
    assert_int_equal(st->received, 200000);
    assert_int_equal(st->sum, back);
    assert_true(st->fin && st->closed);
    assert_int_equal(probe.closes, 1);
    assert_int_equal(qms_broker_route_count(w->f.broker), 0);
}

static void nobody_in_the_group_is_offline_at_once(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 0);
    assert_int_equal(open_work(w)->result, QMS_CODE_OFFLINE);
    assert_int_equal(qms_rooms_count(w->f.broker->rooms), 0);
}

static void members_take_turns_by_their_weight(void **state)
{
    struct world *w = *state;
    struct qms_control join = {.type = QMS_MSG_JOIN};

    begin(w, NULL, 3);
    join.u.join.kind = QMS_KIND_GROUP;
    join.u.join.name = qms_str("work", 4);
    join.u.join.has_weight = true;
    join.u.join.weight = 2;
    assert_int_equal(agent_ask(w->m[1], &join), QMS_CODE_OK); /* again: changes it */
    join.u.join.weight = 0;
    assert_int_equal(agent_ask(w->m[2], &join), QMS_CODE_OK);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(open_work(w)->result, QMS_CODE_OK);
    }
    assert_int_equal(agent_had(w->m[0]), 10);
    assert_int_equal(agent_had(w->m[1]), 20);
    assert_int_equal(agent_had(w->m[2]), 0);
}

static void the_one_with_the_fewest_streams_gets_the_next(void **state)
{
    struct world *w = *state;

    begin(w, "route group = work { balance least_streams; }", 2);
    struct stream *first = open_work(w);
    open_work(w);
    assert_int_equal(agent_had(w->m[0]), 1);
    assert_int_equal(agent_had(w->m[1]), 1);
    qms_session_finish(first->st);
    qms_session_finish(agent_incoming(w->m[0], 0)->st);
    settle(&w->f);
    open_work(w);
    assert_int_equal(agent_had(w->m[0]), 2);
}

static const struct agent *taker_of(struct world *w, const char *meta)
{
    struct qms_route_header h = {.kind = QMS_KIND_GROUP,
                                 .target = qms_str("work", 4),
                                 .meta = qms_str(meta, strlen(meta))};
    unsigned before[4];

    for (int i = 0; i < 4; i++) {
        before[i] = w->m[i] != NULL ? agent_had(w->m[i]) : 0;
    }
    agent_open_with(w->a, true, &h);
    settle(&w->f);
    for (int i = 0; i < 4; i++) {
        if (w->m[i] != NULL && agent_had(w->m[i]) > before[i]) {
            return w->m[i];
        }
    }
    return NULL;
}

static void sticky_streams_stay_where_they_were(void **state)
{
    struct world *w = *state;
    const struct agent *taker[40];
    unsigned used[4] = {0}, moved = 0;
    char meta[32];

    begin(w, "route group = work { balance sticky; }", 4);
    for (int i = 0; i < 40; i++) {
        snprintf(meta, sizeof(meta), "session-%d", i);
        taker[i] = taker_of(w, meta);
        assert_non_null(taker[i]);
        assert_ptr_equal(taker_of(w, meta), taker[i]);
        for (int k = 0; k < 4; k++) {
            used[k] += taker[i] == w->m[k];
        }
    }
    for (int k = 0; k < 4; k++) {
        assert_in_range(used[k], 3, 20); /* 10 expected */
    }
    /* Only those of the member that went move. */
    struct agent *gone = w->m[3];
    agent_die(gone);
    settle(&w->f);
    w->m[3] = NULL;
    for (int i = 0; i < 40; i++) {
        snprintf(meta, sizeof(meta), "session-%d", i);
        const struct agent *now = taker_of(w, meta);
        assert_non_null(now);
        moved += now != taker[i];
        assert_true(taker[i] == gone || now == taker[i]);
    }
    assert_int_equal(moved, used[3]);
}

static void a_higher_priority_is_asked_first(void **state)
{
    struct world *w = *state;
    struct qms_control join = {.type = QMS_MSG_JOIN};

    begin(w, NULL, 2);
    join.u.join.kind = QMS_KIND_GROUP;
    join.u.join.name = qms_str("work", 4);
    join.u.join.has_priority = true;
    join.u.join.priority = 5;
    assert_int_equal(agent_ask(w->m[1], &join), QMS_CODE_OK);
    for (int i = 0; i < 4; i++) {
        open_work(w);
    }
    assert_int_equal(agent_had(w->m[1]), 4);
    w->m[1]->answer = QMS_CODE_BUSY;
    assert_int_equal(open_work(w)->result, QMS_CODE_OK);
    assert_int_equal(agent_had(w->m[0]), 1);
}

/* ---- failover ---- */

static void one_that_refuses_is_followed_by_the_next_who_gets_all_bytes(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 3);
    w->m[0]->hold = w->m[1]->hold = true;
    struct stream *st = agent_open(w->a, QMS_KIND_GROUP, "work", true, 128);
    uint32_t sum = stream_pour(st, 20000);
    qms_session_finish(st->st);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->m[0], 0)->received, 20000);
    assert_int_equal(st->result, -1);
    stream_accept(agent_incoming(w->m[0], 0), QMS_CODE_REJECTED);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->m[1], 0)->received, 20000);
    stream_accept(agent_incoming(w->m[1], 0), QMS_CODE_GOING_AWAY);
    settle(&w->f);
    assert_int_equal(st->result, QMS_CODE_OK);
    assert_string_equal(st->acceptor, "w2");
    struct stream *in = agent_incoming(w->m[2], 0);
    assert_int_equal(in->received, 20000);
    assert_int_equal(in->sum, sum);
    assert_true(in->fin);
    assert_int_equal(counted(&w->f, QMS_S_FAILOVERS), 2);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), 0);
}

static void one_that_dies_before_its_result_is_followed_by_the_next(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 2);
    w->m[0]->hold = true;
    struct stream *st = agent_open(w->a, QMS_KIND_GROUP, "work", true, 128);
    uint32_t sum = stream_pour(st, 300000); /* more than its window */
    settle(&w->f);
    assert_int_equal(st->result, -1);
    agent_die(w->m[0]);
    settle(&w->f);
    /* It had acknowledged more than half of the window by then: that is too late. */
    assert_int_equal(st->result, QMS_CODE_PEER_GONE);

    w->m[1]->hold = false;
    st = agent_open(w->a, QMS_KIND_GROUP, "work", true, 128);
    settle(&w->f);
    assert_string_equal(st->acceptor, "w1");
    (void)sum;
}

static void one_that_dies_early_costs_the_opener_nothing(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 2);
    w->m[0]->hold = true;
    struct stream *st = agent_open(w->a, QMS_KIND_GROUP, "work", true, 128);
    uint32_t sum = stream_pour(st, 30000);
    settle(&w->f);
    agent_die(w->m[0]);
    settle(&w->f);
    struct stream *in = agent_incoming(w->m[1], 0);
    assert_int_equal(st->result, QMS_CODE_OK);
    assert_int_equal(in->received, 30000);
    assert_int_equal(in->sum, sum);
    assert_false(in->fin);
    sum = stream_pour(st, 1000);
    qms_session_finish(st->st);
    settle(&w->f);
    assert_int_equal(in->received, 31000);
    assert_true(in->fin);
}

static void a_unidirectional_stream_is_given_on_until_it_was_acknowledged(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 2);
    struct stream *st = agent_open(w->a, QMS_KIND_GROUP, "work", false, 128);
    stream_write(st, "half");
    settle(&w->f);
    agent_die(w->m[0]);
    settle(&w->f);
    assert_string_equal(agent_incoming(w->m[1], 0)->first, "half");
    stream_write(st, "whole");
    qms_session_finish(st->st);
    settle(&w->f);
    assert_string_equal(agent_incoming(w->m[1], 0)->first, "halfwhole");
    assert_true(st->closed && st->result == -1);
    assert_int_equal(probe.last_status, QMS_CODE_OK);

    w->m[1]->answer = QMS_CODE_REJECTED;
    st = agent_open(w->a, QMS_KIND_GROUP, "work", false, 128);
    stream_write(st, "x");
    settle(&w->f);
    assert_int_equal(st->result, QMS_CODE_REJECTED);
}

static void a_finished_stream_that_was_not_acknowledged_is_given_on(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 2);
    fake_link_hold_acks(w->m[0]->pair, 1, true);
    struct stream *st = agent_open(w->a, QMS_KIND_GROUP, "work", false, 128);
    stream_write(st, "whole");
    qms_session_finish(st->st);
    settle(&w->f);
    assert_true(st->closed);
    agent_die(w->m[0]);
    settle(&w->f);
    assert_string_equal(agent_incoming(w->m[1], 0)->first, "whole");
    assert_true(agent_incoming(w->m[1], 0)->fin);
    assert_int_equal(probe.last_status, QMS_CODE_OK);
}

/* Its opener has nothing more to do with it by then. */
static void a_finished_stream_ends_with_the_death_of_its_last_member(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 1);
    fake_link_hold_acks(w->m[0]->pair, 1, true);
    struct stream *st = agent_open(w->a, QMS_KIND_GROUP, "work", false, 128);
    stream_write(st, "last");
    qms_session_finish(st->st);
    settle(&w->f);
    assert_true(st->closed);
    assert_true(qms_broker_route_count(w->f.broker) > 0);
    agent_die(w->m[0]);
    settle(&w->f);
    assert_int_equal(qms_broker_route_count(w->f.broker), 0);
    assert_int_equal(probe.last_status, QMS_CODE_PEER_GONE);
}

static void the_last_refusal_is_told_when_all_refuse(void **state)
{
    struct world *w = *state;

    begin(w, "route group = work { failover 1; }", 3);
    for (int i = 0; i < 3; i++) {
        w->m[i]->answer = QMS_CODE_BUSY;
    }
    struct stream *st = open_work(w);
    assert_int_equal(st->result, QMS_CODE_BUSY);
    assert_int_equal(agent_had(w->m[0]) + agent_had(w->m[1]) + agent_had(w->m[2]), 2);
    assert_int_equal(counted(&w->f, QMS_S_FAILOVERS), 1);
}

static void an_answer_of_the_application_is_an_answer(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 2);
    w->m[0]->answer = w->m[1]->answer = 0x99;
    assert_int_equal(open_work(w)->result, 0x99);
    assert_int_equal(agent_had(w->m[0]) + agent_had(w->m[1]), 1);
}

static void after_the_result_a_death_is_the_openers_to_see(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 2);
    struct stream *st = open_work(w);
    stream_write(st, "x");
    settle(&w->f);
    agent_die(w->m[0]);
    settle(&w->f);
    assert_int_equal(st->reset, QMS_CODE_PEER_GONE);
    assert_false(st->fin);
    assert_int_equal(agent_had(w->m[1]), 0);
}

static void a_member_that_reads_much_before_it_answers_does_not_starve(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 1);
    w->m[0]->hold = true;
    struct stream *st = agent_open(w->a, QMS_KIND_GROUP, "work", true, 128);
    uint32_t sum = stream_pour(st, 1000000);
    settle(&w->f);
    struct stream *in = agent_incoming(w->m[0], 0);
    assert_int_equal(in->received, 1000000);
    assert_int_equal(in->sum, sum);
    assert_int_equal(st->result, -1);
    stream_accept(in, QMS_CODE_OK);
    settle(&w->f);
    assert_int_equal(st->result, QMS_CODE_OK);
}

static void an_opener_that_gives_up_is_not_given_on(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 2);
    w->m[0]->hold = true;
    struct stream *st = open_work(w);
    qms_session_reset(st->st, 0x85);
    qms_session_stop(st->st, 0x85);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->m[0], 0)->reset, 0x85);
    agent_die(w->m[0]);
    settle(&w->f);
    assert_int_equal(agent_had(w->m[1]), 0);
    agent_open(w->a, QMS_KIND_GROUP, "work", true, 1);
    settle(&w->f);
    agent_die(w->a);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->m[1], 0)->reset, QMS_CODE_PEER_GONE);
}

static void a_deadline_ends_the_search(void **state)
{
    struct world *w = *state;

    begin(w, "route group = work { accept_timeout 1s; }", 2);
    w->m[0]->hold = w->m[1]->hold = true;
    struct stream *st = open_work(w);
    advance(&w->f, 1100 * QMS_MILLISECOND);
    assert_int_equal(st->result, QMS_CODE_TIMEOUT);
    assert_int_equal(agent_had(w->m[1]), 0);
}

/* ---- waiting ---- */

static void a_stream_waits_for_a_member_to_come(void **state)
{
    struct world *w = *state;

    begin(w, "route group = work { queue 2 timeout=3s; }", 0);
    struct stream *st = agent_open(w->a, QMS_KIND_GROUP, "work", true, 128);
    uint32_t sum = stream_pour(st, 2000);
    qms_session_finish(st->st);
    struct stream *second = agent_open(w->a, QMS_KIND_GROUP, "work", true, 128);
    struct stream *third = agent_open(w->a, QMS_KIND_GROUP, "work", true, 128);
    settle(&w->f);
    assert_int_equal(st->result, -1);
    assert_int_equal(third->result, QMS_CODE_BUSY);
    advance(&w->f, 2 * QMS_SECOND);
    assert_int_equal(st->result, -1);

    struct agent *m = agent_connect(&w->f, "late", NULL);
    assert_int_equal(agent_join(m, QMS_KIND_GROUP, "work"), QMS_CODE_OK);
    assert_int_equal(st->result, QMS_CODE_OK);
    assert_int_equal(second->result, QMS_CODE_OK);
    assert_int_equal(agent_incoming(m, 0)->received, 2000);
    assert_int_equal(agent_incoming(m, 0)->sum, sum);
    assert_true(agent_incoming(m, 0)->fin);
}

static void a_wait_in_vain_is_offline(void **state)
{
    struct world *w = *state;

    begin(w, "route group = work { queue 5 timeout=3s; }", 0);
    struct stream *st = open_work(w), *given_up = open_work(w);
    qms_session_reset(given_up->st, 0x81);
    qms_session_stop(given_up->st, 0x81);
    settle(&w->f);
    advance(&w->f, 3100 * QMS_MILLISECOND);
    assert_int_equal(st->result, QMS_CODE_OFFLINE);
    assert_string_equal(st->reason, "no member came in time");
    assert_int_equal(qms_rooms_count(w->f.broker->rooms), 0);
}

static void a_stream_whose_only_member_died_waits_for_the_next(void **state)
{
    struct world *w = *state;

    begin(w, "route group = work { queue 5; }", 1);
    w->m[0]->hold = true;
    struct stream *st = agent_open(w->a, QMS_KIND_GROUP, "work", true, 128);
    stream_write(st, "hello");
    settle(&w->f);
    agent_die(w->m[0]);
    settle(&w->f);
    assert_int_equal(st->result, -1);
    struct agent *m = agent_connect(&w->f, "w0", NULL);
    agent_join(m, QMS_KIND_GROUP, "work");
    assert_int_equal(st->result, QMS_CODE_OK);
    assert_string_equal(agent_incoming(m, 0)->first, "hello");
}

/* ---- memberships ---- */

static void who_leaves_gets_nothing_more(void **state)
{
    struct world *w = *state;
    struct qms_control leave = {.type = QMS_MSG_LEAVE};

    begin(w, NULL, 2);
    leave.u.join.kind = QMS_KIND_GROUP;
    leave.u.join.name = qms_str("work", 4);
    assert_int_equal(agent_ask(w->m[0], &leave), QMS_CODE_OK);
    assert_int_equal(agent_ask(w->m[0], &leave), QMS_CODE_NOT_FOUND);
    open_work(w);
    open_work(w);
    assert_int_equal(agent_had(w->m[0]), 0);
    assert_int_equal(agent_had(w->m[1]), 2);
    /* One that says GOAWAY has left its groups. */
    struct qms_control goaway = {.type = QMS_MSG_GOAWAY};
    assert_int_equal(qms_session_send(w->m[1]->s, &goaway), QMS_OK);
    settle(&w->f);
    assert_int_equal(open_work(w)->result, QMS_CODE_OFFLINE);
    assert_int_equal(qms_rooms_count(w->f.broker->rooms), 0);
}

static void memberships_are_bounded_and_may_be_denied(void **state)
{
    struct world *w = *state;

    begin(w,
          "max_memberships 2; route topic = full { max_subscribers 1; }"
          "route group = secret { deny; }",
          1);
    struct agent *b = agent_connect(&w->f, "bob", NULL);
    assert_int_equal(agent_join(b, QMS_KIND_TOPIC, "full"), QMS_CODE_OK);
    assert_int_equal(agent_join(b, QMS_KIND_TOPIC, "full"), QMS_CODE_OK);
    assert_int_equal(agent_join(w->m[0], QMS_KIND_TOPIC, "full"), QMS_CODE_BUSY);
    assert_int_equal(agent_join(b, QMS_KIND_GROUP, "secret"), QMS_CODE_FORBIDDEN);
    assert_int_equal(agent_join(b, QMS_KIND_GROUP, "work"), QMS_CODE_OK);
    assert_int_equal(agent_join(b, QMS_KIND_GROUP, "more"), QMS_CODE_BUSY);
}

static void datagrams_go_to_one_member(void **state)
{
    struct world *w = *state;
    struct qms_bytes name = qms_str("work", 4), text = qms_str("hi", 2);

    begin(w, NULL, 2);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(qms_session_datagram(w->a->s, QMS_KIND_GROUP, name, 1, text), QMS_OK);
    }
    settle(&w->f);
    assert_int_equal(w->m[0]->datagrams, 2);
    assert_int_equal(w->m[1]->datagrams, 2);
    assert_string_equal(w->m[0]->datagram_from, "alice");
    assert_int_equal(qms_session_datagram(w->a->s, QMS_KIND_GROUP, qms_str("none", 4), 1, text),
                     QMS_OK);
    settle(&w->f);
    assert_int_equal(counted(&w->f, QMS_S_DROPPED_NO_TARGET), 1);
}

/* ---- memory ---- */

static void failover_survives_every_failing_allocation(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 0); /* teardown stops the last one */
    for (uint64_t n = 0; n < 100; n++) {
        fixture_stop(&w->f);
        begin(w, "route group = work { queue 2; }", 2);
        w->m[0]->answer = QMS_CODE_BUSY;
        struct stream *st = agent_open(w->a, QMS_KIND_GROUP, "work", true, 128);
        stream_pour(st, 3000);
        qms_session_finish(st->st);
        qms_mem_fail_after(n);
        settle(&w->f);
        qms_mem_fail_after(UINT64_MAX);
        settle(&w->f);
        /* Nothing is left behind: fixture_stop looks. */
    }
    assert_int_equal(agent_stream(w->a, 0)->result, QMS_CODE_OK);
    assert_int_equal(agent_incoming(w->m[1], 0)->received, 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(a_member_gets_the_stream_under_its_own_name),
        QMS_TEST(nobody_in_the_group_is_offline_at_once),
        QMS_TEST(members_take_turns_by_their_weight),
        QMS_TEST(the_one_with_the_fewest_streams_gets_the_next),
        QMS_TEST(sticky_streams_stay_where_they_were),
        QMS_TEST(a_higher_priority_is_asked_first),
        QMS_TEST(one_that_refuses_is_followed_by_the_next_who_gets_all_bytes),
        QMS_TEST(one_that_dies_before_its_result_is_followed_by_the_next),
        QMS_TEST(one_that_dies_early_costs_the_opener_nothing),
        QMS_TEST(a_unidirectional_stream_is_given_on_until_it_was_acknowledged),
        QMS_TEST(a_finished_stream_that_was_not_acknowledged_is_given_on),
        QMS_TEST(a_finished_stream_ends_with_the_death_of_its_last_member),
        QMS_TEST(the_last_refusal_is_told_when_all_refuse),
        QMS_TEST(an_answer_of_the_application_is_an_answer),
        QMS_TEST(after_the_result_a_death_is_the_openers_to_see),
        QMS_TEST(a_member_that_reads_much_before_it_answers_does_not_starve),
        QMS_TEST(an_opener_that_gives_up_is_not_given_on),
        QMS_TEST(a_deadline_ends_the_search),
        QMS_TEST(a_stream_waits_for_a_member_to_come),
        QMS_TEST(a_wait_in_vain_is_offline),
        QMS_TEST(a_stream_whose_only_member_died_waits_for_the_next),
        QMS_TEST(who_leaves_gets_nothing_more),
        QMS_TEST(memberships_are_bounded_and_may_be_denied),
        QMS_TEST(datagrams_go_to_one_member),
        QMS_TEST(failover_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests_name("broker_groups", tests, NULL, NULL);
}
