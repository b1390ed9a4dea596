/* SPDX-License-Identifier: MIT */
/* WebTransport streams among HTTP/3's: found at their first varint, held, refused. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "test_h3_world.h"

#define setup    world_setup
#define teardown world_teardown

/* The session id of the world's first CONNECT is what these prefixes name: page_session opens
 * three unidirectional streams before it, so it is stream 0. */
#define BIDI "\x40\x41\x00"
#define UNI  "\x40\x54\x00"

static void assert_in(const struct user_stream *s, const char *text)
{
    assert_int_equal(s->in.len, strlen(text));
    if (s->in.len > 0) {
        assert_memory_equal(s->in.data, text, s->in.len);
    }
}

static void streams_of_both_kinds_reach_the_user(void **state)
{
    struct world *w = *state;

    page_session(w);
    struct page_stream *b = page_open(w, true), *u = page_open(w, false);
    PAGE_SEND(b, BIDI "hello");
    PAGE_SEND(u, UNI "world");
    page_fin(u);
    world_run(w);
    assert_int_equal(w->stream_count, 2);
    assert_in(w->streams[0], "hello");
    assert_false(w->streams[0]->fin);
    assert_true(w->streams[0]->st->bidi);
    assert_int_equal(w->streams[0]->st->id, b->id);
    assert_in(w->streams[1], "world");
    assert_true(w->streams[1]->fin);
    assert_null(w->streams[1]->st);
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 0);
}

static void one_byte_at_a_time_makes_no_difference(void **state)
{
    struct world *w = *state;

    page_session(w);
    struct page_stream *b = page_open(w, true), *u = page_open(w, false);
    PAGE_SEND(b, BIDI "hello");
    page_fin(b);
    PAGE_SEND(u, UNI "world");
    world_run_by(w, 1);
    assert_int_equal(w->stream_count, 2);
    assert_in(w->streams[0], "hello");
    assert_true(w->streams[0]->fin);
    assert_in(w->streams[1], "world");
}

static void varints_may_be_longer_than_needed(void **state)
{
    struct world *w = *state;

    page_session(w);
    struct page_stream *b = page_open(w, true);
    PAGE_SEND(b, "\xc0\x00\x00\x00\x00\x00\x00\x41\xc0\x00\x00\x00\x00\x00\x00\x00x");
    world_run_by(w, 1);
    assert_int_equal(w->stream_count, 1);
    assert_in(w->streams[0], "x");
}

static void prefix_bytes_are_credited_at_once(void **state)
{
    struct world *w = *state;

    page_session(w);
    w->keep_credit = true;
    struct page_stream *b = page_open(w, true);
    PAGE_SEND(b, BIDI "hello");
    world_run(w);
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 5);
    struct qms_link_stream_stats stats;
    w->users[0].session->ops->stream_stats(w->streams[0]->st, &stats);
    assert_int_equal(stats.bytes_received, 5);
    w->users[0].session->ops->consume(w->streams[0]->st, 5);
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 0);
}

static void an_empty_stream_is_an_empty_stream(void **state)
{
    struct world *w = *state;

    page_session(w);
    struct page_stream *u = page_open(w, false);
    PAGE_SEND(u, UNI);
    page_fin(u);
    world_run(w);
    assert_int_equal(w->stream_count, 1);
    assert_in(w->streams[0], "");
    assert_true(w->streams[0]->fin);
}

static void fin_inside_the_prefix_of_a_unidirectional_stream_is_swallowed(void **state)
{
    static const char *const cuts[] = {"", "\x40", "\x40\x54", "\x40\x54\x80\x01", "\xc0"};
    static const size_t lens[] = {0, 1, 2, 4, 1};
    struct world *w = *state;

    page_session(w);
    for (size_t i = 0; i < 5; i++) {
        struct page_stream *u = page_open(w, false);
        page_send(u, cuts[i], lens[i]);
        page_fin(u);
        world_run(w);
        assert_null(u->st);
    }
    assert_non_null(w->h3);
    assert_int_equal(w->stream_count, 0);
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 0);
}

static void fin_inside_the_session_id_of_a_bidirectional_stream_resets_it(void **state)
{
    struct world *w = *state;

    page_session(w);
    struct page_stream *b = page_open(w, true), *none = page_open(w, true);
    PAGE_SEND(b, "\x40\x41");
    page_fin(b);
    page_fin(none);
    world_run(w);
    assert_true(b->reset);
    assert_int_equal(b->reset_code, 0x10d);
    assert_true(none->reset);
    assert_null(none->st);
    assert_non_null(w->h3);
}

static void reset_before_the_header_ends_the_stream_alone(void **state)
{
    static const char *const parts[] = {"", "\x40", "\x40\x41\x80"};
    static const size_t lens[] = {0, 1, 3};
    struct world *w = *state;

    page_session(w);
    for (size_t i = 0; i < 3; i++) {
        struct page_stream *b = page_open(w, true), *u = page_open(w, false);
        page_send(b, parts[i], lens[i]);
        page_send(u, parts[i], lens[i]);
        fake_link_pump(w->pair, 0);
        w->client->ops->reset(b->st, 0x10c);
        w->client->ops->reset(u->st, 0x10c);
        world_run(w);
        assert_null(b->st);
        assert_null(u->st);
    }
    assert_non_null(w->h3);
    assert_int_equal(w->stream_count, 0);
}

static void a_session_id_that_no_request_can_have_ends_the_connection(void **state)
{
    struct world *w = *state;
    uint64_t code;

    page_session(w);
    struct page_stream *b = page_open(w, true);
    PAGE_SEND(b, "\x40\x41\x02x");
    world_run(w);
    assert_true(world_closed(w, &code));
    assert_int_equal(code, 0x108);
    assert_true(w->users[0].closed);
}

static void a_stream_for_a_plain_request_is_rejected(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct page_stream *get = page_request(w, 1, ":method", "GET", ":scheme", "https",
                                           ":authority", "b.test", ":path", "/", NULL);
    struct page_stream *u = page_open(w, false);
    PAGE_SEND(u, UNI "early");
    world_run(w);
    assert_int_equal(get->status, 404);
    assert_true(u->stopped);
    assert_int_equal(u->stop_code, 0x3994bd84);
    struct page_stream *b = page_open(w, true);
    PAGE_SEND(b, BIDI "late");
    world_run(w);
    world_wait(w, 5 * QMS_SECOND);
    assert_true(b->reset);
    assert_int_equal(b->reset_code, 0x3994bd84);
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 0);
}

static void a_stream_for_nobody_is_rejected_in_time(void **state)
{
    struct world *w = *state;

    page_session(w);
    struct page_stream *b = page_open(w, true);
    PAGE_SEND(b, "\x40\x41\x60\x00x");
    world_run(w);
    assert_false(b->reset);
    assert_true(qms_h3_next_at(w->h3) == fake_link_now(w->pair) + 5 * QMS_SECOND);
    world_wait(w, 5 * QMS_SECOND - 1);
    assert_false(b->reset);
    world_wait(w, 1);
    assert_true(b->reset);
    assert_int_equal(b->reset_code, 0x3994bd84);
    assert_true(b->stopped);
    assert_int_equal(b->stop_code, 0x3994bd84);
    assert_true(qms_h3_next_at(w->h3) == QMS_NEVER);
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 0);
}

/* A browser whose SETTINGS are late: its CONNECT, and the streams behind it, have to wait. */
static void wait_for_settings(struct world *w)
{
    w->settings_held = true;
    world_start(w);
    page_connect(w);
    world_run(w);
    assert_int_equal(w->asked_count, 0);
}

static void send_settings(struct world *w)
{
    PAGE_SEND(w->own[0], "\x00\x04\x02\x33\x01");
    world_run(w);
}

static void streams_before_the_session_are_held_and_released_in_order(void **state)
{
    struct world *w = *state;
    char text[32];

    wait_for_settings(w);
    for (int i = 0; i < 5; i++) {
        struct page_stream *s = page_open(w, i % 2 == 0);
        page_send(s, i % 2 == 0 ? BIDI : UNI, 3);
        snprintf(text, sizeof(text), "part%d", i);
        page_send(s, text, strlen(text));
        world_run(w);
        PAGE_SEND(s, "+more");
        if (i > 2) {
            page_fin(s);
        }
        world_run(w);
    }
    assert_int_equal(w->stream_count, 0);
    /* The one that came whole is closed below already. */
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 4 * 10);
    send_settings(w);
    assert_int_equal(w->asked_count, 1);
    assert_int_equal(w->stream_count, 5);
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof(text), "part%d+more", i);
        assert_in(w->streams[i], text);
        assert_int_equal(w->streams[i]->fin, i > 2);
    }
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 0);
    assert_true(qms_h3_next_at(w->h3) == QMS_NEVER);
}

static void more_streams_than_may_be_held_are_rejected(void **state)
{
    struct world *w = *state;
    struct page_stream *s[17];

    wait_for_settings(w);
    for (int i = 0; i < 17; i++) {
        s[i] = page_open(w, false);
        PAGE_SEND(s[i], UNI "x");
        world_run(w);
    }
    assert_false(s[15]->stopped);
    assert_true(s[16]->stopped);
    assert_int_equal(s[16]->stop_code, 0x3994bd84);
    send_settings(w);
    assert_int_equal(w->stream_count, 16);
}

static void more_bytes_than_may_be_held_are_rejected(void **state)
{
    struct world *w = *state;
    static uint8_t data[40000];

    wait_for_settings(w);
    struct page_stream *a = page_open(w, false), *b = page_open(w, false);
    PAGE_SEND(a, UNI);
    page_send(a, data, sizeof(data));
    PAGE_SEND(b, UNI);
    page_send(b, data, sizeof(data));
    world_run(w);
    assert_false(a->stopped);
    assert_true(b->stopped);
    assert_int_equal(b->stop_code, 0x3994bd84);
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 40000);
    send_settings(w);
    assert_int_equal(w->streams[0]->in.len, 40000);
}

static void a_held_stream_that_is_reset_is_forgotten(void **state)
{
    struct world *w = *state;

    wait_for_settings(w);
    struct page_stream *b = page_open(w, true);
    PAGE_SEND(b, BIDI "x");
    world_run(w);
    w->client->ops->reset(b->st, 0);
    world_run(w);
    assert_null(b->st);
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 0);
    send_settings(w);
    assert_int_equal(w->stream_count, 0);
}

static void whole_streams_that_nobody_fetches_are_forgotten(void **state)
{
    struct world *w = *state;

    wait_for_settings(w);
    for (int i = 0; i < 16; i++) {
        struct page_stream *u = page_open(w, false);
        PAGE_SEND(u, UNI "whole");
        page_fin(u);
    }
    world_run(w);
    struct page_stream *late = page_open(w, false);
    PAGE_SEND(late, UNI "x");
    world_run(w);
    assert_true(late->stopped);
    world_wait(w, 5 * QMS_SECOND);
    late = page_open(w, false);
    PAGE_SEND(late, UNI "y");
    page_fin(late);
    world_run(w);
    send_settings(w);
    assert_int_equal(w->stream_count, 1);
    assert_in(w->streams[0], "y");
    assert_null(w->streams[0]->st);
}

static void whole_streams_die_with_their_connection(void **state)
{
    struct world *w = *state;

    wait_for_settings(w);
    struct page_stream *u = page_open(w, false);
    PAGE_SEND(u, UNI "whole");
    page_fin(u);
    world_run(w);
    assert_null(u->st);
    assert_int_not_equal(qms_blob_total(), 0);
    fake_link_break(w->pair, QMS_E_IDLE);
    world_run(w);
    assert_null(w->h3);
    assert_int_equal(qms_blob_total(), 0);
}

static void streams_of_a_refused_session_are_rejected(void **state)
{
    struct world *w = *state;

    w->answer = 403;
    wait_for_settings(w);
    struct page_stream *b = page_open(w, true);
    PAGE_SEND(b, BIDI "x");
    world_run(w);
    send_settings(w);
    assert_true(b->reset);
    assert_int_equal(b->reset_code, 0x3994bd84);
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 0);
}

static void a_stream_that_overtakes_its_connect_is_held(void **state)
{
    struct world *w = *state;

    world_start(w);
    struct page_stream *connect = page_connect(w);
    fake_stream_hold(connect->st, true);
    struct page_stream *b = page_open(w, true);
    PAGE_SEND(b, BIDI "fast");
    world_run(w);
    assert_int_equal(w->stream_count, 0);
    fake_stream_hold(connect->st, false);
    world_run(w);
    assert_int_equal(w->stream_count, 1);
    assert_in(w->streams[0], "fast");
}

static void priority_updates_for_webtransport_ids_do_no_harm(void **state)
{
    struct world *w = *state;

    page_session(w);
    /* Ids 4 and 8, the next bidirectional ones. */
    PAGE_SEND(w->own[0], "\x80\x0f\x07\x00\x04\x04u=1");
    world_run(w);
    for (int i = 0; i < 3; i++) {
        struct page_stream *b = page_open(w, true);
        PAGE_SEND(b, BIDI "x");
        page_fin(b);
        world_run(w);
        w->users[0].session->ops->finish(w->streams[i]->st);
        world_run(w);
        assert_null(b->st);
        assert_null(w->streams[i]->st);
    }
    PAGE_SEND(w->own[0], "\x80\x0f\x07\x00\x04\x08u=1");
    world_run(w);
    assert_non_null(w->h3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(streams_of_both_kinds_reach_the_user),
        QMS_TEST(one_byte_at_a_time_makes_no_difference),
        QMS_TEST(varints_may_be_longer_than_needed),
        QMS_TEST(prefix_bytes_are_credited_at_once),
        QMS_TEST(an_empty_stream_is_an_empty_stream),
        QMS_TEST(fin_inside_the_prefix_of_a_unidirectional_stream_is_swallowed),
        QMS_TEST(fin_inside_the_session_id_of_a_bidirectional_stream_resets_it),
        QMS_TEST(reset_before_the_header_ends_the_stream_alone),
        QMS_TEST(a_session_id_that_no_request_can_have_ends_the_connection),
        QMS_TEST(a_stream_for_a_plain_request_is_rejected),
        QMS_TEST(a_stream_for_nobody_is_rejected_in_time),
        QMS_TEST(streams_before_the_session_are_held_and_released_in_order),
        QMS_TEST(more_streams_than_may_be_held_are_rejected),
        QMS_TEST(more_bytes_than_may_be_held_are_rejected),
        QMS_TEST(a_held_stream_that_is_reset_is_forgotten),
        QMS_TEST(whole_streams_that_nobody_fetches_are_forgotten),
        QMS_TEST(whole_streams_die_with_their_connection),
        QMS_TEST(streams_of_a_refused_session_are_rejected),
        QMS_TEST(a_stream_that_overtakes_its_connect_is_held),
        QMS_TEST(priority_updates_for_webtransport_ids_do_no_harm),
    };
    return cmocka_run_group_tests_name("h3_demux", tests, NULL, NULL);
}
