/* SPDX-License-Identifier: MIT */
/* Streams, credit, priorities and datagrams of a living connection. */
#include <string.h>

#include "base/clock.h"
#include "qms_test.h"
#include "test_quic_rig.h"

static int setup(void **state)
{
    *state = rig_new();
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

static void finish(struct rig_stream *s)
{
    s->st->link->ops->finish(s->st);
}

/* ---- data ---- */

static void handshake_completes_and_names_the_alpn(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    assert_string_equal(r->server.alpn, "quicms/1");
    assert_int_equal(r->server.admitted, 1);
    assert_string_equal(r->client.link->ops->carrier, "quic");
}

static void a_clock_that_is_set_back_stands_still(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    qms_time old = qms_clock_now() - QMS_SECOND;
    struct rig_stream *s = rig_open(&r->client, false, QMS_PRIORITY_NORMAL);
    rig_write(s, 100000);
    finish(s);
    qms_endpoint_flush(r->client.ep, old);
    qms_endpoint_expire(r->client.ep, old);
    (void)qms_endpoint_readable(r->server.ep, r->fds[0].fd, old);
    qms_endpoint_flush(r->server.ep, old);
    assert_true(rig_until(r, &s->closed, 20000));
}

static void one_way(struct rig *r, struct rig_side *from, struct rig_side *to, size_t len)
{
    struct rig_stream *s = rig_open(from, false, QMS_PRIORITY_NORMAL);
    uint64_t sum = rig_write(s, len);

    finish(s);
    assert_true(rig_until(r, &s->closed, 20000));
    struct rig_stream *peer = rig_find(to, s->id);
    assert_non_null(peer);
    assert_true(peer->fin);
    assert_false(peer->reset);
    assert_int_equal(peer->received, len);
    assert_true(peer->sum == sum);
    assert_int_equal(s->acked, len);
}

static void stream_carries_sixteen_megabytes_intact(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    one_way(r, &r->client, &r->server, 16 << 20);
    one_way(r, &r->server, &r->client, 16 << 20);
}

static void without_gso_the_same_bytes_arrive(void **state)
{
    struct rig *r = *state;

    r->server_config.udp_gso = r->client_config.udp_gso = false;
    rig_start(r);
    rig_establish(r);
    one_way(r, &r->client, &r->server, 2 << 20);
}

static void large_packets_are_found_and_used(void **state)
{
    struct rig *r = *state;
    struct qms_endpoint_stats stats;

    r->server_config.max_udp_payload = r->client_config.max_udp_payload = 65000;
    rig_start(r);
    rig_establish(r);
    rig_run(r, 300);
    qms_endpoint_stats(r->client.ep, &stats);
    uint64_t before = stats.udp_packets_out;
    one_way(r, &r->client, &r->server, 4 << 20);
    qms_endpoint_stats(r->client.ep, &stats);
    assert_in_range(stats.udp_packets_out - before, 64, 400);
    assert_true(r->client.link->ops->datagram_max(r->client.link) > 60000);
}

static void empty_stream_delivers_only_its_end(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    one_way(r, &r->client, &r->server, 0);
}

static void echo_comes_back_on_the_same_stream(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    r->server.echo = true;
    struct rig_stream *s = rig_open(&r->client, true, QMS_PRIORITY_NORMAL);
    uint64_t sum = rig_write(s, 300000);
    finish(s);
    assert_true(rig_until(r, &s->closed, 5000));
    assert_int_equal(s->received, 300000);
    assert_true(s->sum == sum);
    assert_true(s->fin);
}

static void pieces_of_any_size_keep_their_order(void **state)
{
    struct rig *r = *state;
    static const uint8_t text[] = "0123456789";

    rig_start(r);
    rig_establish(r);
    struct rig_stream *s = rig_open(&r->client, false, QMS_PRIORITY_NORMAL);
    struct qms_blob *blob = qms_blob_copy((struct qms_bytes){text, 10});
    for (unsigned i = 0; i < 3000; i++) {
        size_t off = i % 10, len = i % (10 - off);
        assert_int_equal(s->st->link->ops->write(s->st, blob, off, len), QMS_OK);
        if (i % 100 == 0) {
            rig_turn(r, 0);
        }
    }
    qms_blob_unref(blob);
    struct qms_link_stream_stats stats;
    s->st->link->ops->stream_stats(s->st, &stats);
    finish(s);
    assert_true(rig_until(r, &s->closed, 5000));
    struct rig_stream *peer = rig_find(&r->server, s->id);
    assert_int_equal(peer->received, stats.bytes_written);

    uint64_t want = 0xcbf29ce484222325u;
    for (unsigned i = 0; i < 3000; i++) {
        size_t off = i % 10, len = i % (10 - off);
        for (size_t j = 0; j < len; j++) {
            want = (want ^ text[off + j]) * 0x100000001b3u;
        }
    }
    assert_true(peer->sum == want);
}

static void thousand_streams_at_once_all_come_back(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    r->server.echo = true;
    for (int i = 0; i < 1000; i++) {
        struct rig_stream *s = rig_open(&r->client, true, (uint8_t)i);
        (void)rig_write(s, 5000);
        finish(s);
    }
    assert_true(rig_until_count(r, &r->client.closed_streams, 1000, 20000));
    uint64_t sum = rig_hash(5000);
    for (struct rig_stream *s = r->client.streams; s != NULL; s = s->next) {
        assert_true(s->fin);
        assert_true(s->sum == sum);
    }
    struct qms_link_stats stats;
    r->client.link->ops->stats(r->client.link, &stats);
    assert_int_equal(stats.streams_opened, 1000);
    assert_int_equal(stats.streams_closed, 1000);
    assert_int_equal(stats.send_buffered, 0);
    assert_true(stats.rtt_smoothed > 0 && stats.rtt_smoothed < QMS_SECOND);
}

/* ---- ends before the end ---- */

static void reset_arrives_with_its_code(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    struct rig_stream *s = rig_open(&r->client, false, QMS_PRIORITY_NORMAL);
    (void)rig_write(s, 1000);
    rig_run(r, 20);
    struct rig_stream *peer = rig_find(&r->server, s->st->id);
    s->st->link->ops->reset(s->st, 0x1234567890);
    assert_int_equal(s->st->link->ops->write(s->st, NULL, 0, 1), QMS_E_CLOSED);
    assert_true(rig_until(r, &s->closed, 2000));
    assert_true(peer->reset);
    assert_false(peer->fin);
    assert_true(peer->reset_code == 0x1234567890);
    assert_true(peer->closed);
}

static void stop_arrives_with_its_code_while_the_stream_lives(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    struct rig_stream *s = rig_open(&r->client, true, QMS_PRIORITY_NORMAL);
    (void)rig_write(s, 1000);
    rig_run(r, 20);
    struct rig_stream *peer = rig_find(&r->server, s->st->id);
    peer->st->link->ops->stop(peer->st, 77);
    assert_true(rig_until(r, &s->stopped, 2000));
    assert_int_equal(s->stop_code, 77);
    assert_false(s->closed);
    assert_int_equal(s->st->link->ops->write(s->st, NULL, 0, 1), QMS_E_CLOSED);
    /* The other direction is not concerned. */
    uint64_t sum = rig_write(peer, 5000);
    finish(peer);
    assert_true(rig_until(r, &s->closed, 2000));
    assert_true(s->fin);
    assert_true(s->sum == sum);
}

static void stop_in_the_very_packet_that_opens_the_stream_is_heard(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    struct rig_stream *s = rig_open(&r->client, true, QMS_PRIORITY_NORMAL);
    (void)rig_write(s, 10);
    s->st->link->ops->stop(s->st, 5);
    rig_run(r, 50);
    struct rig_stream *peer = rig_find(&r->server, s->st->id);
    assert_non_null(peer);
    assert_true(peer->stopped);
    assert_int_equal(peer->stop_code, 5);
}

static void data_of_stopped_streams_is_credited_by_the_link(void **state)
{
    struct rig *r = *state;

    /* Far more goes to waste than the connection's window holds. */
    r->server_config.connection_window = 200000;
    rig_start(r);
    rig_establish(r);
    r->server.hold = true;
    for (int i = 0; i < 40; i++) {
        struct rig_stream *s = rig_open(&r->client, false, QMS_PRIORITY_NORMAL);
        (void)rig_write(s, 60000);
        for (int turn = 0; turn < 50 && rig_find(&r->server, s->st->id) == NULL; turn++) {
            rig_turn(r, 10);
        }
        struct rig_stream *peer = rig_find(&r->server, s->st->id);
        assert_non_null(peer);
        if (i % 2 == 0) {
            peer->st->link->ops->stop(peer->st, 1);
        } else {
            s->st->link->ops->reset(s->st, 1);
        }
        assert_true(rig_until(r, &s->closed, 2000));
    }
    r->server.hold = false;
    one_way(r, &r->client, &r->server, 150000);
}

/* ---- credit ---- */

static void reader_that_does_not_consume_stops_only_its_own_stream(void **state)
{
    struct rig *r = *state;
    struct qms_link_stream_stats stats;

    rig_start(r);
    rig_establish(r);
    r->server.hold = true;
    struct rig_stream *stuck = rig_open(&r->client, false, QMS_PRIORITY_CRITICAL);
    (void)rig_write(stuck, 1 << 20);
    rig_run(r, 100);
    struct rig_stream *peer = rig_find(&r->server, stuck->st->id);
    assert_int_equal(peer->received, r->server_config.stream_window);
    stuck->st->link->ops->stream_stats(stuck->st, &stats);
    assert_int_equal(stats.send_credit, 0);
    assert_int_equal(stats.buffered, (1 << 20) - r->server_config.stream_window);

    r->server.hold = false;
    one_way(r, &r->client, &r->server, 1 << 20);
    assert_int_equal(peer->received, r->server_config.stream_window);

    finish(stuck);
    peer->st->link->ops->consume(peer->st, (size_t)r->server_config.stream_window);
    assert_true(rig_until(r, &stuck->closed, 5000));
    assert_int_equal(peer->received, 1 << 20);
}

static void window_grows_while_it_limits_the_flow(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    struct rig_stream *s = rig_open(&r->client, false, QMS_PRIORITY_NORMAL);
    (void)rig_write(s, 16 << 20);
    rig_run(r, 1000);
    struct qms_link_stream_stats stats;
    s->st->link->ops->stream_stats(s->st, &stats);
    assert_int_equal(stats.buffered, 0);
    assert_true(stats.send_credit > r->server_config.stream_window);
    assert_true(stats.send_credit <= r->server_config.stream_window_max);
}

static void streams_beyond_the_peers_limit_wait_for_their_turn(void **state)
{
    struct rig *r = *state;

    r->server_config.max_streams_uni = 10;
    rig_start(r);
    rig_connect(r);
    /* Half of them even before the handshake. */
    for (int i = 0; i < 100; i++) {
        if (i == 50) {
            assert_true(rig_until(r, &r->client.ready, 3000));
            assert_true(rig_until(r, &r->server.ready, 3000));
        }
        struct rig_stream *s = rig_open(&r->client, false, QMS_PRIORITY_NORMAL);
        (void)rig_write(s, 2000);
        finish(s);
    }
    assert_true(rig_until_count(r, &r->client.closed_streams, 100, 10000));
    assert_int_equal(r->server.finished, 100);
    for (struct rig_stream *s = r->server.streams; s != NULL; s = s->next) {
        assert_int_equal(s->received, 2000);
    }
}

static void reset_of_a_waiting_stream_is_kept_for_its_opening(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_connect(r);
    struct rig_stream *s = rig_open(&r->client, false, QMS_PRIORITY_NORMAL);
    (void)rig_write(s, 2000);
    s->st->link->ops->reset(s->st, 9);
    assert_true(rig_until(r, &s->closed, 3000));
    struct rig_stream *peer = rig_find(&r->server, s->id);
    assert_true(peer->reset);
    assert_int_equal(peer->reset_code, 9);
    assert_int_equal(peer->received, 0);
}

/* ---- priorities ---- */

/* Order in which the peer saw the end of eight equal transfers, the last opened first. */
static unsigned order_of_last(struct rig *r, bool urgent)
{
    struct rig_stream *last = NULL;

    for (int i = 0; i < 8; i++) {
        last = rig_open(&r->client, false, urgent && i == 7 ? 200 : 100);
        (void)rig_write(last, 500000);
        finish(last);
    }
    int64_t id = last->st->id;
    assert_true(rig_until_count(r, &r->client.closed_streams, 8, 10000));
    return rig_find(&r->server, id)->order;
}

static void more_urgent_stream_finishes_first(void **state)
{
    struct rig *r = *state;
    struct qms_link_stats stats;

    r->client_config.priority_guard = 0;
    r->server_config.stream_window = 1 << 20;
    rig_start(r);
    rig_establish(r);
    assert_int_equal(order_of_last(r, true), 1);
    r->client.link->ops->stats(r->client.link, &stats);
    assert_int_equal(stats.priority_inversions, 0);
}

static void without_urgency_the_last_stream_is_not_first(void **state)
{
    struct rig *r = *state;

    r->client_config.priority_guard = 0;
    r->server_config.stream_window = 1 << 20;
    rig_start(r);
    rig_establish(r);
    assert_true(order_of_last(r, false) > 4);
}

static void guard_lets_the_least_urgent_trickle(void **state)
{
    struct rig *r = *state;
    struct qms_link_stats stats;

    r->client_config.priority_guard = 8;
    r->server_config.stream_window = r->server_config.stream_window_max = 8 << 20;
    rig_start(r);
    rig_establish(r);
    struct rig_stream *low = rig_open(&r->client, false, 0);
    struct rig_stream *high = rig_open(&r->client, false, 255);
    (void)rig_write(low, 4 << 20);
    (void)rig_write(high, 4 << 20);
    finish(high);
    int64_t id = low->st->id;
    assert_true(rig_until(r, &high->closed, 10000));
    r->client.link->ops->stats(r->client.link, &stats);
    assert_true(rig_find(&r->server, id)->received > (4 << 20) / 16);
    assert_true(stats.priority_inversions > 0);
    assert_true(stats.priority_inversions <= stats.packets_sent / 8 + 1);
}

static void raised_priority_overtakes(void **state)
{
    struct rig *r = *state;

    r->client_config.priority_guard = 0;
    r->server_config.stream_window = 8 << 20;
    rig_start(r);
    rig_establish(r);
    struct rig_stream *a = rig_open(&r->client, false, 200);
    struct rig_stream *b = rig_open(&r->client, false, 100);
    int64_t b_id = b->st->id;
    (void)rig_write(a, 4 << 20);
    (void)rig_write(b, 4 << 20);
    finish(a);
    finish(b);
    b->st->link->ops->set_priority(b->st, 250);
    assert_true(rig_until_count(r, &r->client.closed_streams, 2, 10000));
    assert_int_equal(rig_find(&r->server, b_id)->order, 1);
}

/* ---- datagrams ---- */

static qms_err datagram(struct rig_side *side, uint8_t priority, size_t len, uint8_t first)
{
    static uint8_t data[70000];
    struct qms_bytes parts[2] = {{data, len > 0}, {data + 1, len > 0 ? len - 1 : 0}};

    data[0] = first;
    return side->link->ops->datagram(side->link, priority, parts, 2);
}

static void datagrams_cross_both_ways_with_all_sizes(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    size_t max = r->client.link->ops->datagram_max(r->client.link);
    assert_in_range(max, 1100, 1400);
    size_t sizes[] = {0, 1, 500, max};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(datagram(&r->client, 128, sizes[i], 7), QMS_OK);
        assert_int_equal(datagram(&r->server, 128, sizes[i], 9), QMS_OK);
        rig_run(r, 20);
        assert_int_equal(r->server.datagrams, i + 1);
        assert_int_equal(r->client.datagrams, i + 1);
        assert_int_equal(r->server.last_datagram_len, sizes[i]);
        assert_int_equal(r->client.last_datagram_len, sizes[i]);
    }
    assert_int_equal(r->server.last_datagram[0], 7);
    max = r->client.link->ops->datagram_max(r->client.link);
    assert_int_equal(datagram(&r->client, 128, max + 1, 7), QMS_E_TOO_LARGE);
}

static void urgent_datagrams_go_first_and_the_rest_is_dropped_oldest_first(void **state)
{
    struct rig *r = *state;
    struct qms_link_stats stats;

    r->client_config.datagram_queue = 6000;
    rig_start(r);
    rig_establish(r);
    for (uint8_t i = 0; i < 20; i++) {
        assert_int_equal(datagram(&r->client, i < 2 ? 200 : 100, 1000, i), QMS_OK);
    }
    rig_run(r, 50);
    /* Five fit: the two urgent ones, then the newest of the others in their order. */
    static const uint8_t want[] = {0, 1, 17, 18, 19};
    assert_int_equal(r->server.datagrams, 5);
    assert_memory_equal(r->server.datagram_first, want, 5);
    r->client.link->ops->stats(r->client.link, &stats);
    assert_int_equal(stats.datagrams_dropped, 15);
    assert_int_equal(stats.datagrams_sent, 5);
}

static void peer_without_datagrams_says_so(void **state)
{
    struct rig *r = *state;

    r->server_config.max_datagram = 0;
    rig_start(r);
    rig_establish(r);
    assert_int_equal(r->client.link->ops->datagram_max(r->client.link), 0);
    assert_int_equal(datagram(&r->client, 128, 1, 1), QMS_E_UNSUPPORTED);
    assert_int_equal(datagram(&r->server, 128, 1, 1), QMS_OK);
    rig_run(r, 20);
    assert_int_equal(r->client.datagrams, 1);
}

static void peers_frame_limit_bounds_datagrams(void **state)
{
    struct rig *r = *state;

    r->server_config.max_datagram = 100;
    rig_start(r);
    rig_establish(r);
    size_t max = r->client.link->ops->datagram_max(r->client.link);
    assert_int_equal(max, 97);
    assert_int_equal(datagram(&r->client, 128, max, 1), QMS_OK);
    assert_int_equal(datagram(&r->client, 128, max + 1, 1), QMS_E_TOO_LARGE);
    rig_run(r, 20);
    assert_int_equal(r->server.datagrams, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(handshake_completes_and_names_the_alpn),
        QMS_TEST(a_clock_that_is_set_back_stands_still),
        QMS_TEST(stream_carries_sixteen_megabytes_intact),
        QMS_TEST(without_gso_the_same_bytes_arrive),
        QMS_TEST(large_packets_are_found_and_used),
        QMS_TEST(empty_stream_delivers_only_its_end),
        QMS_TEST(echo_comes_back_on_the_same_stream),
        QMS_TEST(pieces_of_any_size_keep_their_order),
        QMS_TEST(thousand_streams_at_once_all_come_back),
        QMS_TEST(reset_arrives_with_its_code),
        QMS_TEST(stop_arrives_with_its_code_while_the_stream_lives),
        QMS_TEST(stop_in_the_very_packet_that_opens_the_stream_is_heard),
        QMS_TEST(data_of_stopped_streams_is_credited_by_the_link),
        QMS_TEST(reader_that_does_not_consume_stops_only_its_own_stream),
        QMS_TEST(window_grows_while_it_limits_the_flow),
        QMS_TEST(streams_beyond_the_peers_limit_wait_for_their_turn),
        QMS_TEST(reset_of_a_waiting_stream_is_kept_for_its_opening),
        QMS_TEST(more_urgent_stream_finishes_first),
        QMS_TEST(without_urgency_the_last_stream_is_not_first),
        QMS_TEST(guard_lets_the_least_urgent_trickle),
        QMS_TEST(raised_priority_overtakes),
        QMS_TEST(datagrams_cross_both_ways_with_all_sizes),
        QMS_TEST(urgent_datagrams_go_first_and_the_rest_is_dropped_oldest_first),
        QMS_TEST(peer_without_datagrams_says_so),
        QMS_TEST(peers_frame_limit_bounds_datagrams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
