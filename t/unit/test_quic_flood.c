/* SPDX-License-Identifier: MIT */
/* What a peer does too much of ends its connection, and what it may do does not. */
#include <ngtcp2/ngtcp2.h>
#include <string.h>

#include "qms_test.h"
#include "quic/allowance.h"
#include "test_quic_rig.h"

static int setup(void **state)
{
    struct rig *r = rig_new();

    /* Twice as many resets and ten times as many odd frames may come at once. */
    r->server_config.max_resets = 20;
    r->server_config.max_odd_frames = 100;
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

static struct qms_endpoint_stats stats_of(struct rig *r)
{
    struct qms_endpoint_stats stats;

    qms_endpoint_stats(r->server.ep, &stats);
    return stats;
}

enum how { RESET, STOP };

/* Opens streams, lets the server hear of them, and breaks them off.  In groups small enough for
 * the limit of streams. */
static void churn(struct rig *r, size_t count, enum how how)
{
    struct rig_stream *streams[10];

    for (size_t done = 0; done < count && !r->client.closed; done += 10) {
        size_t heard = r->server.opened + 10, over = r->server.closed_streams + 10;
        for (size_t i = 0; i < 10; i++) {
            streams[i] = rig_open(&r->client, true, 128);
            rig_write(streams[i], 10);
        }
        (void)rig_until_count(r, &r->server.opened, heard, 5000);
        for (size_t i = 0; i < 10 && !r->client.closed; i++) {
            struct qms_link_stream *st = streams[i]->st;
            if (how == STOP) {
                r->client.link->ops->stop(st, 7);
                r->client.link->ops->finish(st);
            } else {
                r->client.link->ops->reset(st, 7);
            }
        }
        if (how == RESET) {
            rig_run(r, 5);
        } else {
            (void)rig_until_count(r, &r->server.closed_streams, over, 300);
        }
    }
}

static void assert_cut(struct rig *r, const char *reason)
{
    assert_true(rig_until(r, &r->client.closed, 5000));
    assert_true(r->client.why.by_peer);
    assert_false(r->client.why.application);
    assert_int_equal(r->client.why.code, NGTCP2_PROTOCOL_VIOLATION);
    assert_string_equal(r->client.reason, reason);
    assert_true(r->server.closed);
}

static void streams_that_are_reset_one_after_the_other_end_the_connection(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    churn(r, 400, RESET);
    assert_cut(r, "too many streams were broken off");
    assert_int_equal(stats_of(r).cut_for_resets, 1);
    assert_int_equal(stats_of(r).cut_for_odd_frames, 0);
}

static void streams_that_are_stopped_one_after_the_other_end_the_connection(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    churn(r, 400, STOP);
    assert_cut(r, "too many streams were broken off");
    assert_int_equal(stats_of(r).cut_for_resets, 1);
}

static void as_many_as_are_allowed_may_be_broken_off_at_once(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    churn(r, 40, RESET);
    rig_run(r, 50);
    assert_false(r->client.closed);
    assert_int_equal(stats_of(r).cut_for_resets, 0);
}

static void without_a_limit_none_is_counted(void **state)
{
    struct rig *r = *state;

    r->server_config.max_resets = 0;
    rig_start(r);
    rig_establish(r);
    churn(r, 200, RESET);
    rig_run(r, 50);
    assert_false(r->client.closed);
}

/* A client answers STOP_SENDING with RESET_STREAM: that is the server's doing. */
static void resets_that_answer_the_servers_own_stop_are_free(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    for (size_t i = 0; i < 200; i++) {
        struct rig_stream *s = rig_open(&r->client, false, 128);
        rig_write(s, 10);
    }
    assert_true(rig_until_count(r, &r->server.opened, 200, 5000));
    for (struct rig_stream *s = r->server.streams; s != NULL; s = s->next) {
        if (s->st != NULL) {
            r->server.link->ops->stop(s->st, 7);
        }
    }
    assert_true(rig_until_count(r, &r->client.closed_streams, 200, 5000));
    assert_false(r->client.closed);
    assert_int_equal(stats_of(r).cut_for_resets, 0);
}

static void a_flood_of_pings_ends_the_connection(void **state)
{
    struct rig *r = *state;

    r->server_config.max_odd_frames = 5;
    rig_start(r);
    rig_establish(r);
    qms_quic_conn_keep_alive(qms_quic_conn_of(r->client.link), QMS_MILLISECOND);
    assert_cut(r, "too many odd frames");
    assert_int_equal(stats_of(r).cut_for_odd_frames, 1);
}

static void a_ping_now_and_then_does_not(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    qms_quic_conn_keep_alive(qms_quic_conn_of(r->client.link), 20 * QMS_MILLISECOND);
    rig_run(r, 500);
    assert_false(r->client.closed);
    assert_int_equal(stats_of(r).cut_for_odd_frames, 0);
}

/* ngtcp2 puts a PING into one of ten packets that only acknowledge. */
static void pings_of_a_peer_that_only_receives_are_excused(void **state)
{
    struct rig *r = *state;

    r->server_config.max_odd_frames = 2;
    r->client_config.stream_window = r->client_config.stream_window_max = 32 << 20;
    r->client_config.connection_window = 64 << 20;
    r->client.hold = true; /* credit would be acknowledged, and no PING be needed */
    rig_start(r);
    rig_establish(r);
    struct rig_stream *s = rig_open(&r->server, true, 128);
    rig_write(s, 16 << 20);
    s->st->link->ops->finish(s->st);
    assert_true(rig_until_count(r, &r->client.finished, 1, 20000));
    assert_false(r->client.closed);
    assert_int_equal(stats_of(r).cut_for_odd_frames, 0);
}

static void an_allowance_comes_back_with_time(void **state)
{
    struct qms_allowance a = {0};

    (void)state;
    assert_true(qms_allowance_take(&a, 10, 20, 20, QMS_SECOND));
    assert_false(qms_allowance_take(&a, 10, 20, 1, QMS_SECOND));
    assert_true(qms_allowance_take(&a, 10, 20, 1, QMS_SECOND + 100 * QMS_MILLISECOND));
    assert_false(qms_allowance_take(&a, 10, 20, 1, QMS_SECOND + 150 * QMS_MILLISECOND));
    assert_true(qms_allowance_take(&a, 10, 20, 20, 100 * QMS_SECOND));
    assert_false(qms_allowance_take(&a, 10, 20, 21, 200 * QMS_SECOND));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(streams_that_are_reset_one_after_the_other_end_the_connection),
        QMS_TEST(streams_that_are_stopped_one_after_the_other_end_the_connection),
        QMS_TEST(as_many_as_are_allowed_may_be_broken_off_at_once),
        QMS_TEST(without_a_limit_none_is_counted),
        QMS_TEST(resets_that_answer_the_servers_own_stop_are_free),
        QMS_TEST(a_flood_of_pings_ends_the_connection),
        QMS_TEST(a_ping_now_and_then_does_not),
        QMS_TEST(pings_of_a_peer_that_only_receives_are_excused),
        cmocka_unit_test(an_allowance_comes_back_with_time),
    };

    return cmocka_run_group_tests_name("quic_flood", tests, NULL, NULL);
}
