/* SPDX-License-Identifier: MIT */
/* Topics: who gets what, and what a slow subscriber does to the others: nothing, or what its
 * policy says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker_room_world.h"
#include "core/broker/rooms.h"
#include "qms_test.h"

static void begin(struct world *w, const char *quic, unsigned subscribers)
{
    world_begin(w, quic, QMS_KIND_TOPIC, "news", "s", subscribers);
}

static struct stream *publish(struct world *w, bool framed)
{
    struct qms_route_header h = {.kind = QMS_KIND_TOPIC,
                                 .priority = 100,
                                 .flags = framed ? QMS_ROUTE_FRAMED : 0,
                                 .target = qms_str("news", 4)};
    struct stream *st = agent_open_with(w->a, false, &h);

    assert_non_null(st);
    return st;
}

/* One message of a FRAMED stream: its length in four bytes, and so many. */
static void message(struct world *w, struct stream *st, size_t len)
{
    uint8_t head[4] = {(uint8_t)(0x80 | len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                       (uint8_t)len};
    struct qms_blob *blob = qms_blob_copy((struct qms_bytes){head, 4});

    if (blob != NULL && st->st != NULL && qms_session_write(st->st, blob, 0, 4) == QMS_OK) {
        stream_pour(st, len);
    }
    qms_blob_unref(blob);
    settle(&w->f);
}

static void every_subscriber_gets_every_byte(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 3);
    struct stream *st = publish(w, false);
    uint32_t sum = stream_pour(st, 400000);
    qms_session_finish(st->st);
    settle(&w->f);
    for (int i = 0; i < 3; i++) {
        struct stream *in = agent_incoming(w->m[i], 0);
        assert_int_equal(in->kind, QMS_KIND_TOPIC);
        assert_string_equal(in->target, "news");
        assert_string_equal(in->source, "alice");
        assert_int_equal(in->priority, 100);
        assert_false(in->has_original);
        assert_int_equal(in->received, 400000);
        assert_int_equal(in->sum, sum);
        assert_true(in->fin && in->closed);
    }
    assert_true(st->closed && st->result == -1 && st->stop == -1);
    assert_int_equal(probe.closes, 1);
    assert_int_equal(probe.last_status, QMS_CODE_OK);
    assert_int_equal(probe.last_forward, 400000);
    assert_int_equal(qms_broker_route_count(w->f.broker), 0);
}

static void bytes_are_held_once_for_all(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 8);
    for (int i = 0; i < 8; i++) {
        w->m[i]->slow = true;
        fake_link_hold_acks(w->m[i]->pair, 1, true);
    }
    size_t before = qms_blob_total();
    stream_pour(publish(w, false), WINDOW);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->m[7], 0)->received, WINDOW);
    /* The publisher's own copy, and one in the broker. */
    assert_true(qms_blob_total() - before < 3 * WINDOW);
    for (int i = 0; i < 8; i++) {
        fake_link_hold_acks(w->m[i]->pair, 1, false);
    }
}

static void a_topic_without_subscribers_takes_all(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 0);
    struct stream *st = publish(w, false);
    stream_pour(st, 400000);
    qms_session_finish(st->st);
    settle(&w->f);
    assert_true(st->closed && st->result == -1);
    assert_int_equal(qms_rooms_count(w->f.broker->rooms), 0);
}

static void streams_are_numbered_for_each_publisher_and_topic(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 1);
    for (unsigned i = 0; i < 3; i++) {
        qms_session_finish(publish(w, false)->st);
        settle(&w->f);
        assert_true(agent_incoming(w->m[0], i)->has_seq);
        assert_int_equal(agent_incoming(w->m[0], i)->group_seq, i);
    }
    agent_open(w->m[0], QMS_KIND_TOPIC, "news", false, 1);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->m[0], 3)->group_seq, 0);
}

static void a_reset_and_a_death_reach_every_subscriber(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 2);
    struct stream *st = publish(w, false);
    stream_write(st, "x");
    settle(&w->f);
    qms_session_reset(st->st, 0x91);
    stream_write(publish(w, false), "y");
    settle(&w->f);
    agent_die(w->a);
    settle(&w->f);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(agent_incoming(w->m[i], 0)->reset, 0x91);
        assert_int_equal(agent_incoming(w->m[i], 1)->reset, QMS_CODE_PEER_GONE);
        assert_false(agent_incoming(w->m[i], 1)->fin);
    }
}

static void one_that_refuses_or_dies_disturbs_nobody(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 3);
    w->m[0]->answer = QMS_CODE_REJECTED;
    struct stream *st = publish(w, false);
    stream_pour(st, 1000);
    settle(&w->f);
    agent_die(w->m[1]);
    settle(&w->f);
    stream_pour(st, 300000);
    qms_session_finish(st->st);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->m[2], 0)->received, 301000);
    assert_true(agent_incoming(w->m[2], 0)->fin);
    assert_true(st->closed && st->stop == -1);
}

/* ---- FRAMED streams ---- */

static void who_comes_gets_a_living_stream_from_the_next_message_on(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 1);
    struct stream *st = publish(w, true), *plain = publish(w, false);
    stream_write(plain, "x");
    message(w, st, 100);
    stream_write(st, "\x05"
                     "ab"); /* the third byte of five is still to come */
    settle(&w->f);
    w->m[1] = agent_connect(&w->f, "late", NULL);
    assert_int_equal(agent_join(w->m[1], QMS_KIND_TOPIC, "news"), QMS_CODE_OK);
    assert_null(agent_incoming(w->m[1], 0)); /* in the midst of a message */
    stream_write(st, "cde\x01Z");
    settle(&w->f);
    struct stream *in = agent_incoming(w->m[1], 0);
    assert_non_null(in);
    assert_int_equal(in->group_seq, 2);
    assert_int_equal(in->received, 2);
    assert_string_equal(in->first, "\x01Z");
    assert_null(
        agent_incoming(w->m[1], 1)); /* the plain stream is one message, begun already */
    /* Between two messages it comes at once. */
    w->m[2] = agent_connect(&w->f, "later", NULL);
    assert_int_equal(agent_join(w->m[2], QMS_KIND_TOPIC, "news"), QMS_CODE_OK);
    assert_int_equal(agent_incoming(w->m[2], 0)->group_seq, 3);
    assert_int_equal(agent_incoming(w->m[0], 0)->received, 104 + 6 + 2);
}

static void who_leaves_gets_the_message_under_way_and_the_end(void **state)
{
    struct world *w = *state;
    struct qms_control leave = {.type = QMS_MSG_LEAVE};

    begin(w, NULL, 3);
    leave.u.join.kind = QMS_KIND_TOPIC;
    leave.u.join.name = qms_str("news", 4);
    struct stream *st = publish(w, true), *plain = publish(w, false);
    stream_write(plain, "x");
    message(w, st, 10);
    assert_int_equal(agent_ask(w->m[0], &leave), QMS_CODE_OK);
    assert_true(agent_incoming(w->m[0], 0)->fin);
    stream_write(st, "\x04"
                     "ab");
    settle(&w->f);
    assert_int_equal(agent_ask(w->m[1], &leave), QMS_CODE_OK);
    assert_false(agent_incoming(w->m[1], 0)->fin);
    stream_write(st, "cd\x01Z");
    settle(&w->f);
    assert_int_equal(agent_incoming(w->m[0], 0)->received, 14);
    assert_int_equal(agent_incoming(w->m[1], 0)->received, 14 + 5);
    assert_true(agent_incoming(w->m[1], 0)->fin);
    assert_int_equal(agent_incoming(w->m[2], 0)->received, 14 + 5 + 2);
    /* The plain one is a message: they get it whole. */
    stream_write(plain, "y");
    qms_session_finish(plain->st);
    settle(&w->f);
    assert_string_equal(agent_incoming(w->m[0], 1)->first, "xy");
    assert_true(agent_incoming(w->m[0], 1)->fin);
}

/* ---- slow subscribers ---- */

static void one_that_blocks_holds_the_publisher_until_its_time_is_over(void **state)
{
    struct world *w = *state;

    begin(w, "route topic = news { on_slow block timeout=3s then=disconnect; }", 2);
    w->m[1]->slow = true;
    struct stream *st = publish(w, false);
    stream_pour(st, 1000000);
    qms_session_finish(st->st);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->m[1], 0)->received, WINDOW);
    uint64_t held = agent_incoming(w->m[0], 0)->received;
    assert_true(held < 3 * WINDOW);
    advance(&w->f, 2900 * QMS_MILLISECOND);
    assert_int_equal(agent_incoming(w->m[1], 0)->reset, -1);
    assert_int_equal(agent_incoming(w->m[0], 0)->received, held);
    /* A little progress gives it another three seconds. */
    qms_session_consume(agent_incoming(w->m[1], 0)->st, 1000);
    settle(&w->f);
    advance(&w->f, 2900 * QMS_MILLISECOND);
    assert_int_equal(agent_incoming(w->m[1], 0)->reset, -1);
    advance(&w->f, 200 * QMS_MILLISECOND);
    assert_int_equal(agent_incoming(w->m[1], 0)->reset, QMS_CODE_SLOW_CONSUMER);
    assert_int_equal(agent_incoming(w->m[0], 0)->received, 1000000);
    assert_true(agent_incoming(w->m[0], 0)->fin);
    assert_int_equal(counted(&w->f, QMS_S_TOPIC_CUT), 1);
}

static void a_slow_one_loses_whole_messages_and_delays_nobody(void **state)
{
    struct world *w = *state;

    begin(w, "route topic = news { on_slow drop max_lag=64k; }", 4);
    w->m[3]->slow = true;
    struct stream *st = publish(w, true);
    /* Every message is with the others in the same turn of the clock in which it was sent. */
    for (int i = 1; i <= 200; i++) {
        message(w, st, 10000);
        for (int k = 0; k < 3; k++) {
            assert_int_equal(agent_incoming(w->m[k], 0)->received, i * 10004);
        }
    }
    struct stream *slow = agent_incoming(w->m[3], 0);
    assert_int_equal(slow->received, WINDOW);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), 0);
    uint64_t dropped = counted(&w->f, QMS_S_TOPIC_DROPPED);
    assert_in_range(dropped, 180, 195);
    assert_true(qms_blob_total() < 20 * WINDOW);

    /* It wakes up: what waited comes whole, then it is told how many are missing. */
    w->m[3]->slow = false;
    stream_consume(slow);
    settle(&w->f);
    message(w, st, 10000);
    qms_session_finish(st->st);
    settle(&w->f);
    assert_int_equal(slow->skipped, dropped);
    assert_int_equal(slow->received, (201 - dropped) * 10004);
    assert_true(slow->fin && slow->reset == -1);
    assert_int_equal(counted(&w->f, QMS_S_TOPIC_CUT), 0);
}

static void messages_missed_at_the_end_are_told_before_it(void **state)
{
    struct world *w = *state;

    begin(w, "route topic = news { on_slow drop max_lag=64k; }", 2);
    w->m[1]->slow = true;
    struct stream *st = publish(w, true);
    for (int i = 0; i < 30; i++) {
        message(w, st, 10000);
    }
    qms_session_finish(st->st);
    settle(&w->f);
    assert_true(st->closed);
    w->m[1]->slow = false;
    stream_consume(agent_incoming(w->m[1], 0));
    settle(&w->f);
    struct stream *in = agent_incoming(w->m[1], 0);
    assert_true(in->skipped > 0 && in->fin);
    assert_int_equal(in->received / 10004 + in->skipped, 30);
}

/* Its message cannot be taken back half way. */
static void a_stream_that_is_one_message_is_reset_for_a_slow_one(void **state)
{
    struct world *w = *state;

    begin(w, "route topic = news { on_slow drop max_lag=64k; }", 2);
    w->m[1]->slow = true;
    struct stream *st = publish(w, false);
    uint32_t sum = stream_pour(st, 1000000);
    qms_session_finish(st->st);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->m[0], 0)->received, 1000000);
    assert_int_equal(agent_incoming(w->m[0], 0)->sum, sum);
    assert_int_equal(agent_incoming(w->m[1], 0)->reset, QMS_CODE_SLOW_CONSUMER);
    /* The next one comes to both. */
    w->m[1]->slow = false;
    stream_write(publish(w, false), "next");
    settle(&w->f);
    assert_string_equal(agent_incoming(w->m[1], 1)->first, "next");
}

static void disconnect_ends_the_stream_of_a_slow_one(void **state)
{
    struct world *w = *state;

    begin(w, "route topic = news { on_slow disconnect max_lag=64k; }", 2);
    w->m[1]->slow = true;
    struct stream *st = publish(w, true);
    for (int i = 0; i < 30; i++) {
        message(w, st, 10000);
    }
    assert_int_equal(agent_incoming(w->m[1], 0)->reset, QMS_CODE_SLOW_CONSUMER);
    assert_int_equal(agent_incoming(w->m[0], 0)->received, 30 * 10004);
    assert_int_equal(counted(&w->f, QMS_S_TOPIC_CUT), 1);
}

static void a_subscriber_may_ask_for_less_but_never_to_block(void **state)
{
    struct world *w = *state;
    struct qms_control join = {.type = QMS_MSG_JOIN};

    begin(w,
          "route topic = news { on_slow drop max_lag=64k; }"
          "route topic = calm { on_slow block timeout=0; }",
          2);
    join.u.join.kind = QMS_KIND_TOPIC;
    join.u.join.name = qms_str("news", 4);
    join.u.join.has_slow_policy = true;
    join.u.join.slow_policy = QMS_SLOW_BLOCK;
    assert_int_equal(agent_ask(w->m[1], &join), QMS_CODE_OK);
    w->m[1]->slow = true;
    struct stream *st = publish(w, true);
    for (int i = 0; i < 30; i++) {
        message(w, st, 10000);
    }
    assert_int_equal(agent_incoming(w->m[0], 0)->received, 30 * 10004);

    join.u.join.name = qms_str("calm", 4);
    join.u.join.slow_policy = QMS_SLOW_DISCONNECT;
    assert_int_equal(agent_ask(w->m[1], &join), QMS_CODE_OK);
    struct stream *calm = agent_open(w->a, QMS_KIND_TOPIC, "calm", false, 1);
    stream_pour(calm, 2000000);
    settle(&w->f);
    advance(&w->f, 2 * QMS_SECOND);
    assert_int_equal(agent_incoming(w->m[1], 1)->reset, QMS_CODE_SLOW_CONSUMER);
}

/* With nobody who moves the publisher waits for a second, not for ever. */
static void when_nobody_moves_the_publisher_runs_free(void **state)
{
    struct world *w = *state;

    begin(w, "route topic = news { on_slow drop max_lag=64k; }", 2);
    w->m[0]->slow = w->m[1]->slow = true;
    struct stream *st = publish(w, true);
    for (int i = 0; i < 100; i++) {
        message(w, st, 10000);
    }
    assert_true(st->acked < 3 * WINDOW);
    for (int i = 0; i < 30; i++) {
        advance(&w->f, QMS_SECOND);
    }
    assert_int_equal(st->acked, 100 * 10004);
    assert_true(counted(&w->f, QMS_S_TOPIC_DROPPED) > 100);
    assert_int_equal(counted(&w->f, QMS_S_TOPIC_CUT), 0);
}

static void one_that_reads_nothing_gets_no_streams_without_end(void **state)
{
    struct world *w = *state;

    begin(w, "route topic = news { on_slow drop max_lag=16k; }", 2);
    w->m[1]->slow = true;
    for (int i = 0; i < 40; i++) {
        struct stream *st = publish(w, false);
        stream_pour(st, 12000);
        qms_session_finish(st->st);
        settle(&w->f);
        fake_link_hold_acks(w->m[1]->pair, 1, true);
    }
    unsigned got = 0;
    while (agent_incoming(w->m[1], got) != NULL) {
        got++;
    }
    assert_in_range(got, 5, 8);
    assert_int_equal(counted(&w->f, QMS_S_TOPIC_DROPPED), 40 - got);
    assert_non_null(agent_incoming(w->m[0], 39));
    fake_link_hold_acks(w->m[1]->pair, 1, false);
}

static void a_reload_changes_the_policy_of_living_streams(void **state)
{
    struct world *w = *state;

    begin(w, "route topic = news { on_slow block timeout=0; }", 2);
    w->m[1]->slow = true;
    struct stream *st = publish(w, true);
    for (int i = 0; i < 30; i++) {
        message(w, st, 10000);
    }
    assert_true(agent_incoming(w->m[0], 0)->received < 20 * 10004);
    struct qms_conf *conf =
        fixture_conf("route topic = news { on_slow drop max_lag=64k; }", NULL);
    qms_broker_reload(w->f.broker, conf, fixture_now(&w->f));
    qms_conf_unref(w->f.conf);
    w->f.conf = conf;
    settle(&w->f);
    message(w, st, 10000);
    qms_session_consume(agent_incoming(w->m[1], 0)->st, 1);
    settle(&w->f);
    advance(&w->f, 2 * QMS_SECOND);
    assert_int_equal(agent_incoming(w->m[0], 0)->received, 31 * 10004);
}

static void datagrams_go_to_every_subscriber(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 3);
    assert_int_equal(
        qms_session_datagram(w->a->s, QMS_KIND_TOPIC, qms_str("news", 4), 1, qms_str("hi", 2)),
        QMS_OK);
    settle(&w->f);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(w->m[i]->datagrams, 1);
        assert_string_equal(w->m[i]->datagram_from, "alice");
    }
}

static void priorities_follow_the_publisher(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 1);
    struct stream *st = publish(w, false);
    settle(&w->f);
    assert_int_equal(qms_session_set_priority(st->st, 1, 7, 0), QMS_OK);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->m[0], 0)->st->forward, 7);
}

static void fan_out_survives_every_failing_allocation(void **state)
{
    struct world *w = *state;

    begin(w, NULL, 0); /* teardown stops the last one */
    for (uint64_t n = 0; n < 120; n++) {
        fixture_stop(&w->f);
        begin(w, "route topic = news { on_slow drop; }", 3);
        struct stream *st = publish(w, true);
        qms_mem_fail_after(n);
        message(w, st, 3000);
        qms_mem_fail_after(UINT64_MAX);
        if (st->st != NULL) {
            message(w, st, 3000);
            qms_session_finish(st->st);
        }
        settle(&w->f);
    }
    struct stream *in = agent_incoming(w->m[2], 0);
    assert_true(in != NULL && in->fin);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(every_subscriber_gets_every_byte),
        QMS_TEST(bytes_are_held_once_for_all),
        QMS_TEST(a_topic_without_subscribers_takes_all),
        QMS_TEST(streams_are_numbered_for_each_publisher_and_topic),
        QMS_TEST(a_reset_and_a_death_reach_every_subscriber),
        QMS_TEST(one_that_refuses_or_dies_disturbs_nobody),
        QMS_TEST(who_comes_gets_a_living_stream_from_the_next_message_on),
        QMS_TEST(who_leaves_gets_the_message_under_way_and_the_end),
        QMS_TEST(one_that_blocks_holds_the_publisher_until_its_time_is_over),
        QMS_TEST(a_slow_one_loses_whole_messages_and_delays_nobody),
        QMS_TEST(messages_missed_at_the_end_are_told_before_it),
        QMS_TEST(a_stream_that_is_one_message_is_reset_for_a_slow_one),
        QMS_TEST(disconnect_ends_the_stream_of_a_slow_one),
        QMS_TEST(a_subscriber_may_ask_for_less_but_never_to_block),
        QMS_TEST(when_nobody_moves_the_publisher_runs_free),
        QMS_TEST(one_that_reads_nothing_gets_no_streams_without_end),
        QMS_TEST(a_reload_changes_the_policy_of_living_streams),
        QMS_TEST(datagrams_go_to_every_subscriber),
        QMS_TEST(priorities_follow_the_publisher),
        QMS_TEST(fan_out_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests_name("broker_topics", tests, NULL, NULL);
}
