/* SPDX-License-Identifier: MIT */
/* A session as a link: CONNECT and its refusals, streams, datagrams, codes, and the two ways it
 * ends. */
#include <string.h>

#include "test_h3_world.h"

#define setup    world_setup
#define teardown world_teardown

#define BIDI "\x40\x41\x00"
#define UNI  "\x40\x54\x00"

/* The connection outlives a browser's FIN by this; see src/h3/session.c. */
#define AFTER_FIN (100 * QMS_MILLISECOND)
/* Streams are reset after this when the browser does not answer. */
#define ABORT_AFTER (250 * QMS_MILLISECOND)

static const struct qms_link_ops *ops(struct world *w)
{
    return w->users[0].session->ops;
}

static struct qms_link_stream *user_open(struct world *w, bool bidi)
{
    struct qms_link_stream *st;
    assert_int_equal(ops(w)->open(w->users[0].session, bidi, 128, &st), QMS_OK);
    return st;
}

static void user_write(struct world *w, struct qms_link_stream *st, const char *text)
{
    struct qms_blob *blob =
        qms_blob_copy((struct qms_bytes){(const uint8_t *)text, strlen(text)});
    assert_int_equal(ops(w)->write(st, blob, 0, blob->len), QMS_OK);
    qms_blob_unref(blob);
}

static struct qms_bytes text(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}

static void assert_raw(const struct page_stream *s, const char *bytes, size_t len)
{
    assert_non_null(s);
    assert_int_equal(s->raw.len, len);
    assert_memory_equal(s->raw.data, bytes, len);
}

/* --- establishment --- */

static void a_connect_is_answered_with_the_protocol(void **state)
{
    struct world *w = *state;
    struct page_stream *connect = page_session(w);

    assert_string_equal(connect->wt_protocol, "\"quicms-1\"");
    assert_string_equal((char *)w->asked.data,
                        "b.test|/quicms|x=1|https://page.test|\"other\", \"quicms-1\"|");
    assert_false(connect->fin);
    assert_string_equal(ops(w)->carrier, "webtransport");
}

static int connect_status(struct world *w, const char *protocols)
{
    struct page_stream *s = page_request(
        w, true, ":method", "CONNECT", ":protocol", "webtransport", ":scheme", "https",
        ":authority", "b.test", ":path", "/", "wt-available-protocols", protocols, NULL);
    world_run(w);
    assert_int_equal(s->status, 200);
    return s->wt_protocol[0] != 0;
}

static void the_protocol_is_told_only_when_it_was_offered(void **state)
{
    static const struct {
        const char *value;
        int told;
    } rows[] = {
        {"\"quicms-1\"", 1},
        {"\"a\";q=1, \"quicms-1\"", 1},
        {"\"quicms-12\"", 0},
        {"\"x quicms-1\"", 0},
        {"quicms-1", 0},
        {"\"a\";p=\"quicms-1\"", 0},
        {"\"\\\"quicms-1\\\"\"", 0},
        {"\"quicms-1", 0},
        {"\"a\\", 0},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct world *w = world_new();
        world_start(w);
        assert_int_equal(connect_status(w, rows[i].value), rows[i].told);
        world_free(w);
    }
}

static void a_connect_waits_for_the_clients_settings(void **state)
{
    struct world *w = *state;

    w->settings_held = true;
    world_start(w);
    struct page_stream *connect = page_connect(w);
    world_run(w);
    assert_int_equal(w->asked_count, 0);
    assert_int_equal(connect->status, 0);
    PAGE_SEND(w->own[0], "\x00\x04\x00");
    world_run(w);
    assert_int_equal(connect->status, 200);
    assert_true(w->users[0].ready);
}

static void too_many_waiting_connects_end_the_connection(void **state)
{
    struct world *w = *state;
    uint64_t code;

    w->settings_held = true;
    world_start(w);
    for (int i = 0; i < 17; i++) {
        page_connect(w);
    }
    world_run(w);
    assert_true(world_closed(w, &code));
    assert_int_equal(code, 0x107);
}

static void the_owner_decides_and_a_refusal_ends_the_request(void **state)
{
    static const int statuses[] = {403, 404, 405, 429, 503};
    struct world *w = *state;

    world_start(w);
    for (size_t i = 0; i < 5; i++) {
        w->answer = statuses[i];
        struct page_stream *s = page_connect(w);
        world_run(w);
        assert_int_equal(s->status, statuses[i]);
        assert_true(s->fin);
        /* Chromium would take STOP_SENDING for an error of the protocol. */
        assert_false(s->stopped);
        page_fin(s);
        world_run(w);
        assert_null(s->st);
    }
    assert_int_equal(w->user_count, 0);
    assert_non_null(w->h3);
}

static void capsules_without_end_for_a_refused_session_are_stopped(void **state)
{
    static const uint8_t data[16000];
    struct world *w = *state;

    w->answer = 404;
    world_start(w);
    struct page_stream *s = page_connect(w);
    for (int i = 0; i < 20 && s->st != NULL; i++) {
        page_capsule(s, data, sizeof(data));
        world_run(w);
    }
    assert_int_equal(s->status, 404);
    assert_true(s->stopped);
    assert_int_equal(s->stop_code, 0x100);
    assert_null(s->st);
    assert_int_equal(fake_link_unconsumed(w->pair, 1), 0);
}

static int try_connect(struct world *w, const char *protocol, const char *scheme,
                       const char *path)
{
    struct page_stream *s =
        page_request(w, 1, ":method", "CONNECT", ":protocol", protocol, ":scheme", scheme,
                     ":authority", "b.test", ":path", path, NULL);
    world_run(w);
    return s->reset ? -1 : s->status;
}

static void the_form_of_the_connect_is_checked_before_the_owner_is_asked(void **state)
{
    struct world *w = *state;

    world_start(w);
    assert_int_equal(try_connect(w, "websocket", "https", "/"), 501);
    assert_int_equal(try_connect(w, "WebTransport", "https", "/"), 501);
    assert_int_equal(try_connect(w, "webtransport", "http", "/"), 400);
    assert_int_equal(try_connect(w, "webtransport", "https", ""), -1);
    struct page_stream *s =
        page_request(w, 1, ":method", "CONNECT", ":authority", "b.test:1", NULL);
    world_run(w);
    assert_int_equal(s->status, 405);
    assert_int_equal(w->asked_count, 0);
}

static void a_second_session_is_refused(void **state)
{
    struct world *w = *state;

    page_session(w);
    struct page_stream *second = page_connect(w);
    world_run(w);
    assert_int_equal(second->status, 429);
    assert_int_equal(w->user_count, 1);
    assert_false(w->users[0].closed);
}

/* --- streams and datagrams --- */

static void our_streams_carry_the_prefix_and_count_only_payload(void **state)
{
    struct world *w = *state;
    struct qms_link_stream_stats stats;

    page_session(w);
    struct qms_link_stream *b = user_open(w, true), *u = user_open(w, false);
    user_write(w, b, "question");
    user_write(w, u, "news");
    ops(w)->finish(u);
    ops(w)->stream_stats(b, &stats);
    assert_int_equal(stats.bytes_written, 8);
    assert_int_equal(stats.buffered, 8);
    world_run(w);
    assert_raw(page_from_server(w, 0), BIDI "question", 11);
    assert_raw(page_from_server(w, 1), UNI "news", 7);
    assert_true(page_from_server(w, 1)->fin);
    assert_int_equal(w->stream_count, 2);
    assert_int_equal(w->streams[0]->acked, 8);
    assert_int_equal(w->streams[1]->acked, 4);
    assert_null(w->streams[1]->st);
    ops(w)->stream_stats(b, &stats);
    assert_int_equal(stats.bytes_acked, 8);
    assert_int_equal(b->id, page_from_server(w, 0)->id);

    PAGE_SEND(page_from_server(w, 0), "answer");
    page_fin(page_from_server(w, 0));
    world_run(w);
    assert_int_equal(w->streams[0]->in.len, 6);
    assert_true(w->streams[0]->fin);
}

static void prefix_acknowledged_byte_by_byte_is_not_the_users(void **state)
{
    struct world *w = *state;

    page_session(w);
    user_write(w, user_open(w, true), "xy");
    world_run_by(w, 1);
    assert_int_equal(w->streams[0]->acked, 2);
}

static void codes_are_mapped_both_ways(void **state)
{
    struct world *w = *state;

    page_session(w);
    struct page_stream *b = page_open(w, true);
    PAGE_SEND(b, BIDI "x");
    world_run(w);
    ops(w)->stop(w->streams[0]->st, 0x05);
    ops(w)->reset(w->streams[0]->st, 0x12);
    world_run(w);
    assert_true(b->reset);
    assert_true(b->reset_code == UINT64_C(0x52e4a40fa8ed));
    assert_true(b->stopped);
    assert_true(b->stop_code == UINT64_C(0x52e4a40fa8e0));

    struct page_stream *c = page_open(w, true);
    PAGE_SEND(c, BIDI "y");
    world_run(w);
    w->client->ops->stop(c->st, UINT64_C(0x52e4a40fa8db) + 0x80 + 0x80 / 0x1e);
    w->client->ops->reset(c->st, 0x10c);
    world_run(w);
    assert_true(w->streams[1]->reset);
    assert_int_equal(w->streams[1]->reset_code, QMS_CODE_CANCELLED);
    assert_true(w->streams[1]->stopped);
    assert_int_equal(w->streams[1]->stop_code, 0x80);
    assert_null(w->streams[1]->st);
}

static void datagrams_carry_the_quarter_stream_id(void **state)
{
    struct world *w = *state;
    const struct qms_bytes parts[] = {text("da"), text(""), text("ta")};

    page_session(w);
    assert_int_equal(ops(w)->datagram_max(w->users[0].session), 1199);
    assert_int_equal(ops(w)->datagram(w->users[0].session, 1, parts, 3), QMS_OK);
    assert_int_equal(ops(w)->datagram(w->users[0].session, 1, NULL, 0), QMS_OK);
    world_run(w);
    assert_int_equal(w->datagram_count, 2);
    assert_int_equal(w->datagrams.len, 6);
    assert_memory_equal(w->datagrams.data, "\0data\0", 6);

    const struct qms_bytes in[] = {{(const uint8_t *)"\0hi", 3},
                                   {(const uint8_t *)"\0", 1},
                                   {(const uint8_t *)"\x40\0!", 3}};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(w->client->ops->datagram(w->client, 0, &in[i], 1), QMS_OK);
    }
    world_run(w);
    assert_int_equal(w->user_datagram_count, 3);
    assert_string_equal((char *)w->user_datagrams.data, "hi!");
}

static void a_datagram_that_does_not_fit_is_told(void **state)
{
    struct world *w = *state;
    static const uint8_t data[1200];
    const struct qms_bytes part = {data, sizeof(data)};

    page_session(w);
    assert_int_equal(ops(w)->datagram(w->users[0].session, 1, &part, 1), QMS_E_TOO_LARGE);
    fake_link_set_datagram_max(w->pair, 1, 0);
    assert_int_equal(ops(w)->datagram_max(w->users[0].session), 0);
}

static void datagrams_for_unknown_sessions_are_dropped(void **state)
{
    struct world *w = *state;
    const struct qms_bytes d = {(const uint8_t *)"\x07zz", 3};

    page_session(w);
    assert_int_equal(w->client->ops->datagram(w->client, 0, &d, 1), QMS_OK);
    world_run(w);
    assert_int_equal(w->user_datagram_count, 0);
    assert_non_null(w->h3);
}

static void a_bad_quarter_stream_id_ends_the_connection(void **state)
{
    static const struct qms_bytes bad[] = {
        {(const uint8_t *)"", 0},
        {(const uint8_t *)"\x40", 1},
        {(const uint8_t *)"\xd0\0\0\0\0\0\0\0", 8},
    };
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct world *w = world_new();
        uint64_t code;
        page_session(w);
        assert_int_equal(w->client->ops->datagram(w->client, 0, &bad[i], 1), QMS_OK);
        world_run(w);
        assert_true(world_closed(w, &code));
        assert_int_equal(code, 0x33);
        world_free(w);
    }
}

/* --- the end --- */

static void our_close_tells_code_and_reason_and_waits_for_the_browser(void **state)
{
    struct world *w = *state;
    uint64_t code;
    struct page_stream *connect = page_session(w);
    struct page_stream *b = page_open(w, true), *u = page_open(w, false);

    PAGE_SEND(b, BIDI "x");
    PAGE_SEND(u, UNI "x");
    world_run(w);
    struct qms_link_stream *own = user_open(w, false);
    user_write(w, own, "never");
    ops(w)->close(w->users[0].session, 0x01020304, text("enough"));
    ops(w)->close(w->users[0].session, 7, text("again"));
    assert_int_equal(ops(w)->write(w->streams[0]->st, NULL, 0, 0), QMS_E_CLOSED);
    assert_int_equal(ops(w)->open(w->users[0].session, true, 1, &own), QMS_E_CLOSED);
    assert_int_equal(ops(w)->datagram(w->users[0].session, 1, NULL, 0), QMS_E_CLOSED);
    world_run(w);
    assert_true(connect->fin);
    assert_int_equal(connect->body.len, 3 + 4 + 6);
    assert_memory_equal(connect->body.data,
                        "\x68\x43\x0a\x01\x02\x03\x04"
                        "enough",
                        13);
    /* Chromium may forget a close that comes behind resets. */
    assert_false(b->reset || b->stopped || u->stopped);
    assert_false(w->users[0].closed);
    assert_non_null(w->h3);

    page_fin(connect);
    world_run(w);
    assert_true(b->reset && b->stopped);
    assert_int_equal(b->reset_code, 0x170d7b68);
    assert_int_equal(b->stop_code, 0x170d7b68);
    assert_int_equal(u->stop_code, 0x170d7b68);
    /* Chromium has told nobody yet. */
    assert_non_null(w->h3);
    assert_true(qms_h3_next_at(w->h3) == fake_link_now(w->pair) + AFTER_FIN);
    world_wait(w, AFTER_FIN - 1);
    assert_false(w->users[0].closed);
    world_wait(w, 1);
    assert_true(w->users[0].closed);
    assert_int_equal(w->users[0].why.err, QMS_OK);
    assert_false(w->users[0].why.by_peer);
    assert_true(w->users[0].why.application);
    assert_int_equal(w->users[0].why.code, 0x01020304);
    assert_string_equal(w->users[0].reason, "enough");
    assert_true(world_closed(w, &code));
    assert_int_equal(code, 0x100);
}

static void a_browser_that_leaves_after_our_close_ends_it_as_ours(void **state)
{
    struct world *w = *state;
    struct page_stream *connect = page_session(w);

    ops(w)->close(w->users[0].session, 5, text("ours"));
    page_fin(connect);
    world_run(w);
    w->client->ops->close(w->client, 0x100, text(""));
    world_run(w);
    assert_true(w->users[0].closed);
    assert_false(w->users[0].why.by_peer);
    assert_int_equal(w->users[0].why.code, 5);
    assert_string_equal(w->users[0].reason, "ours");
}

static void a_browser_that_answers_late_is_not_waited_for_longer(void **state)
{
    struct world *w = *state;
    struct page_stream *connect = page_session(w);

    ops(w)->close(w->users[0].session, 5, text("ours"));
    world_wait(w, 2 * QMS_SECOND - AFTER_FIN / 2);
    page_fin(connect);
    world_run(w);
    assert_false(w->users[0].closed);
    world_wait(w, AFTER_FIN / 2);
    assert_true(w->users[0].closed);
    assert_null(w->h3);
}

static void a_browser_that_never_answers_our_close_is_not_waited_for(void **state)
{
    struct world *w = *state;
    uint64_t code;

    page_session(w);
    struct page_stream *b = page_open(w, true);
    PAGE_SEND(b, BIDI "x");
    world_run(w);
    ops(w)->close(w->users[0].session, 5, text(""));
    world_run(w);
    assert_false(b->reset || b->stopped);
    assert_true(qms_h3_next_at(w->h3) == fake_link_now(w->pair) + ABORT_AFTER);
    world_wait(w, ABORT_AFTER);
    assert_true(b->reset && b->stopped);
    assert_true(qms_h3_next_at(w->h3) == fake_link_now(w->pair) + 2 * QMS_SECOND - ABORT_AFTER);
    world_wait(w, 2 * QMS_SECOND - ABORT_AFTER - 1);
    assert_false(w->users[0].closed);
    world_wait(w, 1);
    assert_true(w->users[0].closed);
    assert_int_equal(w->users[0].why.code, 5);
    assert_true(world_closed(w, &code));
    assert_int_equal(code, 0x100);
}

static void the_browsers_close_gives_code_and_reason_at_every_cut(void **state)
{
    static const char capsules[] = "\x40\x17\x03zzz\x68\x43\x07\x01\x02\x03\x04"
                                   "bye";
    (void)state;

    for (size_t cut = 1; cut < sizeof(capsules) - 1; cut++) {
        struct world *w = world_new();
        uint64_t code;
        struct page_stream *connect = page_session(w);
        struct page_stream *b = page_open(w, true);
        PAGE_SEND(b, BIDI "x");
        page_capsule(connect, capsules, cut);
        world_run(w);
        assert_false(w->users[0].closed);
        page_capsule(connect, capsules + cut, sizeof(capsules) - 1 - cut);
        page_fin(connect);
        world_run(w);
        assert_true(w->users[0].closed);
        assert_int_equal(w->users[0].why.err, QMS_OK);
        assert_true(w->users[0].why.by_peer);
        assert_int_equal(w->users[0].why.code, 0x01020304);
        assert_string_equal(w->users[0].reason, "bye");
        assert_int_equal(b->reset_code, 0x170d7b68);
        assert_true(connect->fin);
        /* Browsers leave it to us. */
        assert_true(world_closed(w, &code));
        assert_int_equal(code, 0x100);
        world_free(w);
    }
}

static void fin_alone_is_a_close_with_code_0(void **state)
{
    struct world *w = *state;
    uint64_t code;
    struct page_stream *connect = page_session(w);

    page_fin(connect);
    world_run(w);
    assert_true(w->users[0].closed);
    assert_int_equal(w->users[0].why.err, QMS_OK);
    assert_true(w->users[0].why.by_peer);
    assert_int_equal(w->users[0].why.code, 0);
    assert_true(world_closed(w, &code));
    assert_int_equal(code, 0x100);
}

static void reset_of_the_connect_stream_ends_the_session(void **state)
{
    struct world *w = *state;
    struct page_stream *connect = page_session(w);

    w->client->ops->reset(connect->st, 0x10c);
    world_run(w);
    assert_true(w->users[0].closed);
    assert_int_equal(w->users[0].why.err, QMS_E_RESET);
    assert_true(w->users[0].why.by_peer);
    assert_null(w->h3);
}

static void stopping_the_connect_stream_ends_the_session(void **state)
{
    struct world *w = *state;
    struct page_stream *connect = page_session(w);

    w->client->ops->stop(connect->st, 0x10c);
    world_run(w);
    assert_true(w->users[0].closed);
    assert_int_equal(w->users[0].why.err, QMS_E_RESET);
}

static void broken_capsules_reset_the_connect_stream(void **state)
{
    static const struct qms_bytes bad[] = {
        {(const uint8_t *)"\x68\x43\x44\x05", 4},         /* 1,025 bytes of reason */
        {(const uint8_t *)"\x68\x43\x05\0\0\0\0\xff", 8}, /* not UTF-8 */
        {(const uint8_t *)"\x68\x43\x04\0\0\0\0\x17", 8}, /* bytes behind it */
        {(const uint8_t *)"\x68\x43\x03\0\0\0", 6},       /* too short */
        {(const uint8_t *)"\x40\x17\x08zz", 5},           /* cut off by FIN */
    };
    (void)state;

    for (size_t i = 0; i < 5; i++) {
        struct world *w = world_new();
        struct page_stream *connect = page_session(w);
        page_capsule(connect, bad[i].data, bad[i].len);
        if (i == 4) {
            page_fin(connect);
        }
        fake_link_settle(w->pair);
        assert_true(w->users[0].closed);
        assert_int_equal(w->users[0].why.err, QMS_E_PROTOCOL);
        assert_true(connect->reset);
        assert_int_equal(connect->reset_code, 0x10e);
        world_free(w);
    }
}

static void unknown_capsules_are_drained_with_credit(void **state)
{
    struct world *w = *state;
    struct page_stream *connect = page_session(w);
    static uint8_t junk[10000];

    PAGE_SEND(connect, "\x00\x09\x17\xc0\x00\x00\x00\x00\x0f\x42\x40"); /* 1,000,000 bytes */
    for (int i = 0; i < 100; i++) {
        page_capsule(connect, junk, sizeof(junk));
        world_run(w);
    }
    page_capsule(connect, "\x68\x43\x04\0\0\0\x09", 7);
    world_run(w);
    assert_true(w->users[0].closed);
    assert_int_equal(w->users[0].why.code, 9);
}

static void a_close_that_crosses_ours_ends_it_as_ours(void **state)
{
    struct world *w = *state;
    struct page_stream *connect = page_session(w);

    ops(w)->close(w->users[0].session, 5, text("ours"));
    page_capsule(connect, "\x68\x43\x05\0\0\0\x09!", 8);
    page_fin(connect);
    world_run(w);
    world_wait(w, AFTER_FIN);
    assert_true(w->users[0].closed);
    assert_false(w->users[0].why.by_peer);
    assert_int_equal(w->users[0].why.code, 5);
}

static void streams_and_datagrams_after_the_end_are_refused(void **state)
{
    struct world *w = *state;
    struct page_stream *connect = page_session(w);
    const struct qms_bytes d = {(const uint8_t *)"\0x", 2};

    page_capsule(connect, "\x68\x43\x04\0\0\0\0", 7); /* no FIN: the connection stays a while */
    world_run(w);
    assert_true(w->users[0].closed);
    assert_non_null(w->h3);
    struct page_stream *b = page_open(w, true);
    PAGE_SEND(b, BIDI "late");
    assert_int_equal(w->client->ops->datagram(w->client, 0, &d, 1), QMS_OK);
    world_run(w);
    assert_int_equal(b->reset_code, 0x170d7b68);
    assert_int_equal(w->stream_count, 0);
    assert_int_equal(w->user_datagram_count, 0);
    world_wait(w, 2 * QMS_SECOND);
    assert_null(w->h3);
}

static void a_browser_may_come_back_before_the_connection_ends(void **state)
{
    struct world *w = *state;
    struct page_stream *connect = page_session(w);

    page_capsule(connect, "\x68\x43\x04\0\0\0\0", 7);
    world_run(w);
    assert_true(w->users[0].closed);
    struct page_stream *again = page_connect(w);
    world_run(w);
    assert_int_equal(again->status, 200);
    assert_true(w->users[1].ready);
    world_wait(w, 60 * QMS_SECOND);
    assert_non_null(w->h3);
    assert_false(w->users[1].closed);
}

static void a_session_does_not_outlive_its_connection(void **state)
{
    struct world *w = *state;

    page_session(w);
    struct page_stream *b = page_open(w, true);
    PAGE_SEND(b, BIDI "x");
    world_run(w);
    fake_link_break(w->pair, QMS_E_IDLE);
    world_run(w);
    assert_true(w->users[0].closed);
    assert_int_equal(w->users[0].why.err, QMS_E_IDLE);
    assert_null(w->streams[0]->st);
}

static void a_browser_that_leaves_closes_the_session_with_code_0(void **state)
{
    struct world *w = *state;

    page_session(w);
    w->client->ops->close(w->client, 0x100, text(""));
    world_run(w);
    assert_true(w->users[0].closed);
    assert_int_equal(w->users[0].why.err, QMS_OK);
    assert_true(w->users[0].why.by_peer);
    assert_int_equal(w->users[0].why.code, 0);
}

static void closing_the_connection_closes_the_session_first(void **state)
{
    struct world *w = *state;
    uint64_t code;
    struct page_stream *connect = page_session(w);

    qms_h3_close(w->h3, 0x10, text("reload"));
    world_run(w);
    assert_memory_equal(connect->body.data, "\x68\x43\x0a\0\0\0\x10reload", 13);
    assert_non_null(w->h3);
    page_fin(connect);
    world_run(w);
    world_wait(w, AFTER_FIN);
    assert_true(w->users[0].closed);
    assert_int_equal(w->users[0].why.code, 0x10);
    assert_true(world_closed(w, &code));
    assert_int_equal(code, 0x100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(a_connect_is_answered_with_the_protocol),
        QMS_TEST(the_protocol_is_told_only_when_it_was_offered),
        QMS_TEST(a_connect_waits_for_the_clients_settings),
        QMS_TEST(too_many_waiting_connects_end_the_connection),
        QMS_TEST(the_owner_decides_and_a_refusal_ends_the_request),
        QMS_TEST(capsules_without_end_for_a_refused_session_are_stopped),
        QMS_TEST(the_form_of_the_connect_is_checked_before_the_owner_is_asked),
        QMS_TEST(a_second_session_is_refused),
        QMS_TEST(our_streams_carry_the_prefix_and_count_only_payload),
        QMS_TEST(prefix_acknowledged_byte_by_byte_is_not_the_users),
        QMS_TEST(codes_are_mapped_both_ways),
        QMS_TEST(datagrams_carry_the_quarter_stream_id),
        QMS_TEST(a_datagram_that_does_not_fit_is_told),
        QMS_TEST(datagrams_for_unknown_sessions_are_dropped),
        QMS_TEST(a_bad_quarter_stream_id_ends_the_connection),
        QMS_TEST(our_close_tells_code_and_reason_and_waits_for_the_browser),
        QMS_TEST(a_browser_that_leaves_after_our_close_ends_it_as_ours),
        QMS_TEST(a_browser_that_answers_late_is_not_waited_for_longer),
        QMS_TEST(a_browser_that_never_answers_our_close_is_not_waited_for),
        QMS_TEST(the_browsers_close_gives_code_and_reason_at_every_cut),
        QMS_TEST(fin_alone_is_a_close_with_code_0),
        QMS_TEST(reset_of_the_connect_stream_ends_the_session),
        QMS_TEST(stopping_the_connect_stream_ends_the_session),
        QMS_TEST(broken_capsules_reset_the_connect_stream),
        QMS_TEST(unknown_capsules_are_drained_with_credit),
        QMS_TEST(a_close_that_crosses_ours_ends_it_as_ours),
        QMS_TEST(streams_and_datagrams_after_the_end_are_refused),
        QMS_TEST(a_browser_may_come_back_before_the_connection_ends),
        QMS_TEST(a_session_does_not_outlive_its_connection),
        QMS_TEST(a_browser_that_leaves_closes_the_session_with_code_0),
        QMS_TEST(closing_the_connection_closes_the_session_first),
    };
    return cmocka_run_group_tests_name("h3_session", tests, NULL, NULL);
}
