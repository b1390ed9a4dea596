/* SPDX-License-Identifier: MIT */
/* A connection of the client from HELLO to its end, over the fake link. */
#include <pthread.h>
#include <string.h>

#include "client_fixture.h"

static int bare(void **state)
{
    *state = NULL;
    return 0;
}

static void ready_tells_the_agent_id(void **state)
{
    struct fixture *f = *state;

    assert_true(qms_connection_is_ready(f->conn));
    assert_string_equal(qms_connection_id(f->conn), "me");
    assert_false(qms_connection_is_closed(f->conn));
    assert_ptr_equal(qms_connection_arg(f->conn), f);
    assert_ptr_equal(qms_connection_client(f->conn), f->client);
}

static void a_refusal_tells_why_and_when_then_closes_with_the_same_error(void **state)
{
    struct fixture *f = fixture_new(REFUSE, NULL);
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", 0);
    uint64_t v[QMS_CLIENT_STAT_COUNT];

    (void)state;
    settle(f);
    assert_string_equal(f->log, "fc");
    assert_int_equal(f->refused, QMS_E_WIRE_UNAUTHENTICATED);
    assert_int_equal(f->retry_after_ms, 1500);
    assert_string_equal(f->refused_reason, "unknown token");
    assert_int_equal(f->closed, QMS_E_WIRE_UNAUTHENTICATED);
    assert_string_equal(f->reason, "unknown token");
    assert_string_equal(w.log, "RC");
    assert_int_equal(w.closed, QMS_E_WIRE_UNAUTHENTICATED);
    qms_client_stats(f->client, v, QMS_CLIENT_STAT_COUNT);
    assert_int_equal(v[QMS_CLIENT_ATTEMPTED], 1);
    assert_int_equal(v[QMS_CLIENT_FAILED], 1);
    assert_int_equal(v[QMS_CLIENT_SUCCEEDED], 0);
    qms_stream_release(st);
    fixture_free(f);
}

static void streams_opened_before_ready_leave_with_what_was_written(void **state)
{
    struct fixture *f = fixture_new(WELCOME, NULL);
    struct watch w = {0}, never = {0};
    struct qms_stream *st = open_to(f, &w, "b", 0), *gone = open_to(f, &never, "c", 0);
    size_t taken;

    (void)state;
    assert_int_equal(qms_stream_id(st), UINT64_MAX);
    assert_int_equal(qms_stream_write(st, text("early "), &taken), QMS_OK);
    assert_int_equal(qms_stream_write_blob(st, text("bird"), NULL, NULL), QMS_OK);
    assert_int_equal(qms_stream_set_priority(st, 201, 7), QMS_OK);
    assert_int_equal(qms_stream_finish(st), QMS_OK);
    qms_stream_release(gone);
    settle(f);
    assert_string_equal(f->log, "y");
    assert_int_equal(f->count, 1);
    assert_memory_equal(f->streams[0]->data, "early bird", 10);
    assert_true(f->streams[0]->fin);
    assert_int_equal(f->streams[0]->ss->forward, 201);
    assert_int_equal(f->streams[0]->ss->reverse, 7);
    assert_string_equal(never.log, "");
    qms_stream_release(st);
    fixture_free(f);
}

static void a_stop_before_ready_leaves_with_its_code(void **state)
{
    struct fixture *f = fixture_new(WELCOME, NULL);
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", 0);

    (void)state;
    assert_int_equal(qms_stream_finish(st), QMS_OK);
    qms_stream_stop(st, 0x86);
    settle(f);
    assert_int_equal(f->count, 1);
    assert_true(f->streams[0]->fin);
    assert_int_equal(f->streams[0]->stopped, 0x86);
    qms_stream_release(st);
    fixture_free(f);
}

static void silence_of_the_broker_ends_at_the_deadline(void **state)
{
    struct fixture *f = fixture_new(SILENT, NULL);

    (void)state;
    settle(f);
    assert_string_equal(f->log, "");
    assert_true(qms_client_next_at(f->client) <= fake_link_now(f->pair) + 10 * QMS_SECOND);
    fake_link_advance(f->pair, 9 * QMS_SECOND);
    settle(f);
    assert_string_equal(f->log, "");
    fake_link_advance(f->pair, QMS_SECOND);
    settle(f);
    assert_string_equal(f->log, "c");
    assert_int_equal(f->closed, QMS_E_TIMEOUT);
    fixture_free(f);
}

static void close_carries_code_and_reason_to_the_other_side(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", 0);
    size_t taken;

    settle(f);
    qms_connection_close(f->conn, 0x83, "done here");
    assert_true(qms_connection_is_closed(f->conn));
    assert_string_equal(f->log, "");
    assert_int_equal(qms_stream_write(st, text("x"), &taken), QMS_E_CLOSED);
    assert_int_equal(qms_connection_ping(f->conn), QMS_E_CLOSED);
    settle(f);
    assert_true(f->peer_closed);
    assert_int_equal(f->peer_why.code, 0x83);
    assert_string_equal(f->peer_reason, "done here");
    assert_string_equal(f->log, "c");
    assert_int_equal(f->closed, QMS_E_WIRE + 0x83);
    assert_string_equal(w.log, "RC");
    assert_int_equal(w.closed, QMS_E_WIRE + 0x83);
    qms_connection_close(f->conn, 0, NULL);
    settle(f);
    assert_string_equal(f->log, "c");
    qms_stream_release(st);
}

static void the_other_sides_close_tells_its_code_and_reason(void **state)
{
    struct fixture *f = *state;

    qms_session_close(f->peer, QMS_CODE_REPLACED, "another one came");
    settle(f);
    assert_string_equal(f->log, "c");
    assert_int_equal(f->closed, QMS_E_WIRE_REPLACED);
    assert_int_equal(f->close_code, QMS_CODE_REPLACED);
    assert_string_equal(f->reason, "another one came");
}

static void the_other_sides_close_with_code_zero_is_not_ours(void **state)
{
    struct fixture *f = *state;

    qms_session_close(f->peer, 0, NULL);
    settle(f);
    assert_int_equal(f->closed, QMS_E_CLOSED);
}

static void a_broken_connection_never_looks_like_the_end_of_a_stream(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", 0);
    struct peer_stream *p = peer_opens(f, false, "");
    char buf[8];
    size_t len;

    peer_writes(p, "half", false);
    assert_int_equal(qms_stream_finish(st), QMS_OK);
    settle(f);
    fake_link_break(f->pair, QMS_E_IDLE);
    settle(f);
    assert_int_equal(f->closed, QMS_E_IDLE);
    assert_false(f->accepted.end);
    assert_int_equal(f->accepted.closed, QMS_E_IDLE);
    assert_int_equal(w.closed, QMS_E_IDLE);
    assert_int_equal(qms_stream_read(st, buf, 8, &len), QMS_E_IDLE);
    assert_string_equal(f->log, "sc");
    qms_stream_release(st);
}

static void bytes_whose_end_had_arrived_stay_readable_after_the_connection(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = peer_opens(f, false, "");
    char buf[8];
    size_t len;

    f->accepted.keep = true;
    peer_writes(p, "whole", true);
    settle(f);
    fake_link_break(f->pair, QMS_E_IDLE);
    settle(f);
    assert_string_equal(f->accepted.log, "R");
    assert_int_equal(qms_stream_read(f->accepted.st, buf, 8, &len), QMS_OK);
    assert_int_equal(len, 5);
    settle(f);
    assert_string_equal(f->accepted.log, "RC");
    assert_int_equal(f->accepted.closed, QMS_OK);
}

static void an_unacknowledged_stream_is_lost_with_its_connection(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", QMS_OPEN_UNI);
    size_t taken;

    fake_link_hold_acks(f->pair, 0, true);
    assert_int_equal(qms_stream_write(st, text("lost"), &taken), QMS_OK);
    assert_int_equal(qms_stream_finish(st), QMS_OK);
    settle(f);
    fake_link_break(f->pair, QMS_E_TRANSPORT);
    settle(f);
    assert_int_equal(w.closed, QMS_E_TRANSPORT);
    qms_stream_release(st);
}

static void ping_measures_the_round_trip(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(qms_connection_ping(f->conn), QMS_OK);
    fake_link_advance(f->pair, 3 * QMS_MILLISECOND);
    settle(f);
    assert_string_equal(f->log, "p");
    assert_int_equal(f->pong, 3 * QMS_MILLISECOND);
    for (int i = 0; i < QMS_PINGS_MAX; i++) {
        assert_int_equal(qms_connection_ping(f->conn), QMS_OK);
    }
    assert_int_equal(qms_connection_ping(f->conn), QMS_E_LIMIT);
}

static void an_unasked_pong_is_ignored(void **state)
{
    struct fixture *f = *state;
    struct qms_control m = {.type = QMS_MSG_PONG};

    m.u.ping[0] = 3;
    peer_sends(f, m);
    m.u.ping[7] = 0x80;
    peer_sends(f, m);
    settle(f);
    assert_string_equal(f->log, "");
}

static void a_fresh_token_is_answered(void **state)
{
    struct fixture *f = *state;
    struct qms_control m = {.type = QMS_MSG_REPLY};

    assert_int_equal(qms_connection_refresh_token(f->conn, ""), QMS_E_INVALID);
    assert_int_equal(qms_connection_refresh_token(f->conn, "fresh"), QMS_OK);
    settle(f);
    assert_int_equal(f->last.type, QMS_MSG_AUTH);
    m.u.reply.req = f->last.u.auth.req + 1;
    peer_sends(f, m); /* an answer to nothing */
    m.u.reply.req = f->last.u.auth.req;
    m.u.reply.status = QMS_CODE_EXPIRED;
    peer_sends(f, m);
    peer_sends(f, m);
    settle(f);
    assert_string_equal(f->log, "k");
    assert_int_equal(f->token, QMS_E_WIRE_EXPIRED);
}

static void throttled_and_goaway_are_passed_on(void **state)
{
    struct fixture *f = *state;
    struct qms_control m = {.type = QMS_MSG_THROTTLED};

    m.u.throttled.what = QMS_THROTTLED_BYTES;
    m.u.throttled.retry_after_ms = 250;
    peer_sends(f, m);
    m = (struct qms_control){.type = QMS_MSG_GOAWAY};
    m.u.goaway.status = QMS_CODE_GOING_AWAY;
    m.u.goaway.redirect = text("quic://elsewhere:1");
    peer_sends(f, m);
    settle(f);
    assert_string_equal(f->log, "tg");
    assert_int_equal(f->retry_after_ms, 250);
    assert_int_equal(f->goaway, QMS_E_WIRE_GOING_AWAY);
}

static void a_flood_of_messages_is_bounded(void **state)
{
    struct fixture *f = *state;
    struct qms_control m = {.type = QMS_MSG_THROTTLED};

    m.u.throttled.what = QMS_THROTTLED_BYTES;
    for (int i = 0; i < 5000; i++) {
        peer_sends(f, m);
        if (i % 100 == 0) {
            while (fake_link_pump(f->pair, 0)) {
            }
        }
    }
    assert_int_equal(f->conn->event_count, QMS_EVENTS_MAX);
    settle(f);
    assert_int_equal(f->conn->event_count, 0);
}

static void datagrams_go_both_ways(void **state)
{
    struct fixture *f = *state;

    assert_true(qms_datagram_max(f->conn, "b") >= 1000);
    assert_int_equal(qms_datagram_send(f->conn, QMS_KIND_AGENT, "b", 5, text("hello")), QMS_OK);
    settle(f);
    assert_string_equal(f->datagram, "hello");
    assert_string_equal(f->datagram_name, "b");
    assert_int_equal(
        qms_session_datagram(f->peer, QMS_KIND_AGENT, text("b"), 5, text("and back")), QMS_OK);
    settle(f);
    assert_string_equal(f->log, "d");
    assert_string_equal(f->got_datagram, "and back");
    assert_string_equal(f->got_source, "b");
    assert_int_equal(qms_datagram_send(f->conn, QMS_KIND_AGENT, "b b", 5, text("x")),
                     QMS_E_INVALID);
    assert_int_equal(qms_datagram_send(f->conn, QMS_KIND_SELF, "", 5, text("x")),
                     QMS_E_INVALID);
}

static void waiting_datagrams_are_bounded_and_the_oldest_goes(void **state)
{
    struct fixture *f = *state;
    uint64_t v[QMS_CONNECTION_STAT_COUNT];

    for (int i = 0; i < QMS_EVENTS_MAX + 10; i++) {
        char payload[8] = {(char)('a' + i % 26)};

        assert_int_equal(
            qms_session_datagram(f->peer, QMS_KIND_AGENT, text("b"), 5, text(payload)), QMS_OK);
        (void)fake_link_pump(f->pair, 0);
    }
    while (fake_link_pump(f->pair, 0)) {
    }
    assert_int_equal(f->conn->event_count, QMS_EVENTS_MAX);
    qms_connection_stats(f->conn, v, QMS_CONNECTION_STAT_COUNT);
    assert_int_equal(v[QMS_CONNECTION_DATAGRAMS_DROPPED], 10);
    settle(f);
    assert_int_equal(f->got_datagram[0], 'a' + (QMS_EVENTS_MAX + 9) % 26);
}

static void before_ready_nothing_but_streams_may_be_used(void **state)
{
    struct fixture *f = fixture_new(SILENT, NULL);

    (void)state;
    assert_int_equal(qms_connection_ping(f->conn), QMS_E_STATE);
    assert_int_equal(qms_connection_refresh_token(f->conn, "t"), QMS_E_STATE);
    assert_int_equal(qms_datagram_send(f->conn, QMS_KIND_AGENT, "b", 0, text("x")),
                     QMS_E_STATE);
    assert_int_equal(qms_datagram_max(f->conn, "b"), 0);
    assert_string_equal(qms_connection_id(f->conn), "");
    fixture_free(f);
}

static void waiting_streams_are_bounded(void **state)
{
    struct fixture *f = fixture_new(SILENT, NULL);
    struct qms_stream *st, *last = NULL;

    (void)state;
    for (int i = 0; i < QMS_WAITING_STREAMS_MAX; i++) {
        assert_int_equal(
            qms_stream_open(f->conn, QMS_KIND_AGENT, "b", 0, 0, NULL, NULL, NULL, &last),
            QMS_OK);
    }
    assert_int_equal(qms_stream_open(f->conn, QMS_KIND_AGENT, "b", 0, 0, NULL, NULL, NULL, &st),
                     QMS_E_LIMIT);
    qms_stream_release(last);
    assert_int_equal(qms_stream_open(f->conn, QMS_KIND_AGENT, "b", 0, 0, NULL, NULL, NULL, &st),
                     QMS_OK);
    fixture_free(f);
}

/* ---- calls from another thread ---- */

static void bump(struct qms_client *client, void *arg)
{
    (void)client;
    ++*(int *)arg;
}

struct poster {
    struct qms_client *client;
    int count;
};

static void *post_many(void *arg)
{
    struct poster *p = arg;

    for (int i = 0; i < 1000; i++) {
        if (qms_client_post(p->client, bump, &p->count) != QMS_OK) {
            return arg;
        }
    }
    return NULL;
}

static void calls_posted_by_other_threads_are_each_made_once(void **state)
{
    struct fixture *f = *state;
    struct poster posters[4] = {0};
    pthread_t threads[4];
    void *failed;

    for (int i = 0; i < 4; i++) {
        posters[i].client = f->client;
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    settle(f);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(posters[i].count, 1000);
    }
}

static void posted_calls_are_bounded(void **state)
{
    struct fixture *f = *state;
    int count = 0;

    for (int i = 0; i < QMS_MAILBOX_MAX; i++) {
        assert_int_equal(qms_client_post(f->client, bump, &count), QMS_OK);
    }
    assert_int_equal(qms_client_post(f->client, bump, &count), QMS_E_LIMIT);
    settle(f);
    assert_int_equal(count, QMS_MAILBOX_MAX);
    assert_int_equal(qms_client_post(f->client, bump, &count),
                     QMS_OK); /* freed with the client */
}

static void figures_have_names(void **state)
{
    struct fixture *f = *state;
    uint64_t v[QMS_CONNECTION_STAT_COUNT];

    qms_connection_stats(f->conn, v, QMS_CONNECTION_STAT_COUNT);
    assert_string_equal(qms_connection_stat_name(QMS_CONNECTION_RTT_MIN_US), "rtt_min_us");
    assert_null(qms_connection_stat_name(QMS_CONNECTION_STAT_COUNT));
    assert_string_equal(qms_client_stat_name(QMS_CLIENT_FAILED), "connections_failed");
    assert_null(qms_client_stat_name(QMS_CLIENT_STAT_COUNT));
    assert_int_equal(v[QMS_CONNECTION_STREAMS_OPEN], 1); /* CONTROL */
}

#define BARE_TEST(name) cmocka_unit_test_setup(name, bare)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(ready_tells_the_agent_id),
        BARE_TEST(a_refusal_tells_why_and_when_then_closes_with_the_same_error),
        BARE_TEST(streams_opened_before_ready_leave_with_what_was_written),
        BARE_TEST(a_stop_before_ready_leaves_with_its_code),
        BARE_TEST(silence_of_the_broker_ends_at_the_deadline),
        QMS_TEST(close_carries_code_and_reason_to_the_other_side),
        QMS_TEST(the_other_sides_close_tells_its_code_and_reason),
        QMS_TEST(the_other_sides_close_with_code_zero_is_not_ours),
        QMS_TEST(a_broken_connection_never_looks_like_the_end_of_a_stream),
        QMS_TEST(bytes_whose_end_had_arrived_stay_readable_after_the_connection),
        QMS_TEST(an_unacknowledged_stream_is_lost_with_its_connection),
        QMS_TEST(ping_measures_the_round_trip),
        QMS_TEST(an_unasked_pong_is_ignored),
        QMS_TEST(a_fresh_token_is_answered),
        QMS_TEST(throttled_and_goaway_are_passed_on),
        QMS_TEST(a_flood_of_messages_is_bounded),
        QMS_TEST(datagrams_go_both_ways),
        QMS_TEST(waiting_datagrams_are_bounded_and_the_oldest_goes),
        BARE_TEST(before_ready_nothing_but_streams_may_be_used),
        BARE_TEST(waiting_streams_are_bounded),
        QMS_TEST(calls_posted_by_other_threads_are_each_made_once),
        QMS_TEST(posted_calls_are_bounded),
        QMS_TEST(figures_have_names),
    };
    return cmocka_run_group_tests_name("client_connection", tests, NULL, NULL);
}
