/* SPDX-License-Identifier: MIT */
/* Handles closed and released inside each callback, and memory running out at each allocation.
 * The proof is the address sanitizer's: nothing is used after its end, nothing is left over. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "client_fixture.h"

/* ---- what callbacks do to the handle they run on ---- */

static void release_stream(struct watch *w)
{
    qms_stream_release(w->st);
    w->st = NULL;
}

static void close_connection(struct watch *w)
{
    qms_connection_close(w->f->conn, 0x81, "from a callback");
}

static void release_both(struct watch *w)
{
    release_stream(w);
    qms_connection_release(w->f->conn);
    w->f->conn = NULL;
}

static void reset_and_stop(struct watch *w)
{
    qms_stream_reset(w->st, 0x82);
    qms_stream_stop(w->st, 0x82);
}

static void (*const stream_acts[])(struct watch *) = {release_stream, close_connection,
                                                      release_both, reset_and_stop};

static void conn_release(struct fixture *f)
{
    qms_connection_release(f->conn);
    f->conn = NULL;
}

static void conn_close(struct fixture *f)
{
    qms_connection_close(f->conn, 0x83, "from a callback");
}

static void conn_release_all(struct fixture *f)
{
    qms_stream_release(f->accepted.st);
    f->accepted.st = NULL;
    conn_release(f);
}

static void (*const conn_acts[])(struct fixture *) = {conn_release, conn_close,
                                                      conn_release_all};

/* ---- a conversation in which every callback comes ---- */

static void write_some(struct watch *w, const char *s)
{
    size_t taken;

    if (w->st != NULL) {
        (void)!qms_stream_write(w->st, text(s), &taken);
    }
}

static void answer(struct fixture *f, size_t i, uint64_t status)
{
    struct qms_result r = {.status = status};

    if (f->count > i && f->streams[i]->ss != NULL) {
        (void)!qms_session_result(f->streams[i]->ss, &r);
    }
}

static void end_peer_stream(struct fixture *f, size_t i)
{
    if (f->count > i && f->streams[i]->ss != NULL) {
        qms_session_stop(f->streams[i]->ss, 0x90);
        qms_session_finish(f->streams[i]->ss);
    }
}

/* Opens if there is still a connection to open on; memory may be short. */
static void try_open(struct fixture *f, struct watch *w, unsigned flags)
{
    static const struct qms_stream_callbacks none = {.size = sizeof(none)};

    w->f = f;
    if (f->conn != NULL && qms_stream_open(f->conn, QMS_KIND_AGENT, "b", flags, 9, NULL, &none,
                                           w, &w->st) != QMS_OK) {
        w->st = NULL;
    }
}

static void big_write(struct watch *w)
{
    static uint8_t big[20000];
    size_t taken;

    if (w->st != NULL) {
        (void)!qms_stream_write(w->st, (struct qms_bytes){big, sizeof(big)}, &taken);
    }
}

static void converse(struct fixture *f, struct watch *one)
{
    (void)open_to(f, one, "b", 0);
    big_write(one);
    settle(f);
    answer(f, 0, 0);
    if (f->count > 0 && f->streams[0]->ss != NULL) {
        peer_writes(f->streams[0], "data", false);
    }
    settle(f);
    end_peer_stream(f, 0);
    settle(f);
}

static void each_stream_callback_may_end_its_handle(void **state)
{
    static const char letters[] = "rRWSC";

    (void)state;
    for (size_t l = 0; l < sizeof(letters) - 1; l++) {
        for (size_t a = 0; a < sizeof(stream_acts) / sizeof(stream_acts[0]); a++) {
            struct fixture *f = fixture_new(WELCOME, NULL);
            struct watch w = {.act_on = letters[l], .act = stream_acts[a]};

            converse(f, &w);
            if (strchr(w.log, letters[l]) == NULL) {
                fail_msg("callback %c never came", letters[l]);
            }
            if (w.st == NULL && w.log[strlen(w.log) - 1] != letters[l]) {
                fail_msg("after release in %c came %s", letters[l], w.log);
            }
            qms_stream_release(w.st);
            fixture_free(f);
        }
    }
}

static void peer_talks(struct fixture *f)
{
    struct qms_control throttled = {.type = QMS_MSG_THROTTLED};
    struct qms_control goaway = {.type = QMS_MSG_GOAWAY}, reply = {.type = QMS_MSG_REPLY};

    throttled.u.throttled.what = QMS_THROTTLED_BYTES;
    goaway.u.goaway.redirect = text("quic://elsewhere:1");
    peer_sends(f, throttled);
    peer_sends(f, goaway);
    peer_sends(f, reply);
    (void)peer_opens(f, true, "x");
    (void)!qms_session_datagram(f->peer, QMS_KIND_AGENT, text("b"), 1, text("d"));
}

static void each_connection_callback_may_end_its_handle(void **state)
{
    static const char letters[] = "ysdtgpkc";

    (void)state;
    for (size_t l = 0; l < sizeof(letters) - 1; l++) {
        for (size_t a = 0; a < sizeof(conn_acts) / sizeof(conn_acts[0]); a++) {
            struct fixture *f = fixture_new(WELCOME, NULL);

            f->act_on = letters[l];
            f->act = conn_acts[a];
            settle(f);
            if (f->conn != NULL && !qms_connection_is_closed(f->conn)) {
                assert_int_equal(qms_connection_ping(f->conn), QMS_OK);
                assert_int_equal(qms_connection_refresh_token(f->conn, "t"), QMS_OK);
                settle(f);
            }
            if (f->peer != NULL) {
                peer_talks(f);
                settle(f);
            }
            if (f->peer != NULL) {
                qms_session_close(f->peer, 0x84, "the end");
                settle(f);
            }
            if (strchr(f->log, letters[l]) == NULL) {
                fail_msg("callback %c never came: %s", letters[l], f->log);
            }
            if (f->conn == NULL && f->log[strlen(f->log) - 1] != letters[l]) {
                fail_msg("after release in %c came %s", letters[l], f->log);
            }
            qms_stream_release(f->accepted.st);
            qms_connection_release(f->conn);
            settle(f);
            assert_true(qms_list_empty(&f->client->connections));
            fixture_free(f);
        }
    }
}

/* An agent that is in a group, watches, and loses its connection twice. */
static void come_and_go(struct fixture *f)
{
    struct qms_control reply = {.type = QMS_MSG_REPLY}, seen = {.type = QMS_MSG_PRESENCE};
    uint64_t watch = 0;

    if (qms_connection_join(f->conn, QMS_KIND_GROUP, "g", NULL, note_done, f) != QMS_OK ||
        qms_connection_watch(f->conn, "", note_done, f, &watch) != QMS_OK) {
        return;
    }
    settle(f);
    for (reply.u.reply.req = 0; reply.u.reply.req <= watch && f->peer != NULL;
         reply.u.reply.req++) {
        peer_sends(f, reply);
    }
    seen.u.presence.watch_req = watch;
    seen.u.presence.state = QMS_PRESENCE_ONLINE;
    seen.u.presence.name = text("other");
    if (f->peer != NULL) {
        peer_sends(f, seen);
    }
    settle(f);
    for (int i = 0; i < 2 && f->peer != NULL; i++) {
        fake_link_break(f->pair, QMS_E_IDLE);
        settle(f);
        pass(f, 2 * QMS_SECOND);
    }
}

static void each_callback_of_members_and_reconnects_may_end_its_handle(void **state)
{
    static const char letters[] = "DPx";

    (void)state;
    for (size_t l = 0; l < sizeof(letters) - 1; l++) {
        for (size_t a = 0; a < sizeof(conn_acts) / sizeof(conn_acts[0]); a++) {
            struct fixture *f = fixture_reconnecting(WELCOME);

            settle(f);
            f->act_on = letters[l];
            f->act = conn_acts[a];
            come_and_go(f);
            if (strchr(f->log, letters[l]) == NULL) {
                fail_msg("callback %c never came: %s", letters[l], f->log);
            }
            if (f->conn == NULL && f->log[strlen(f->log) - 1] != letters[l]) {
                fail_msg("after release in %c came %s", letters[l], f->log);
            }
            qms_stream_release(f->accepted.st);
            qms_connection_release(f->conn);
            settle(f);
            assert_true(qms_list_empty(&f->client->connections));
            fixture_free(f);
        }
    }
}

static void a_refused_agent_may_end_its_handle_in_the_refusal(void **state)
{
    (void)state;
    for (size_t a = 0; a < sizeof(conn_acts) / sizeof(conn_acts[0]); a++) {
        struct fixture *f = fixture_new(REFUSE, NULL);

        f->act_on = 'f';
        f->act = conn_acts[a];
        settle(f);
        assert_string_equal(f->log, f->conn == NULL ? "f" : "fc");
        fixture_free(f);
    }
}

static void release_posted(struct qms_client *client, void *arg)
{
    struct fixture *f = arg;

    (void)client;
    qms_stream_release(f->accepted.st);
    f->accepted.st = NULL;
    conn_release(f);
}

/* Between the receiving of events and the callbacks that they made due. */
static void a_posted_call_may_end_handles(void **state)
{
    struct fixture *f = *state;

    (void)peer_opens(f, true, "x");
    settle(f);
    peer_talks(f);
    (void)fake_link_pump(f->pair, 0);
    assert_int_equal(qms_client_post(f->client, release_posted, f), QMS_OK);
    f->log[0] = '\0';
    settle(f);
    assert_string_equal(f->log, "");
    assert_true(qms_list_empty(&f->client->connections));
}

static void a_released_stream_goes_on_sending_what_was_finished(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", 0);
    size_t taken;

    assert_int_equal(qms_stream_write(st, text("kept"), &taken), QMS_OK);
    assert_int_equal(qms_stream_finish(st), QMS_OK);
    qms_stream_release(st);
    settle(f);
    assert_memory_equal(f->streams[0]->data, "kept", 4);
    assert_true(f->streams[0]->fin);
    assert_int_equal(f->streams[0]->stopped, QMS_CODE_CANCELLED);
    assert_int_equal(f->conn->stream_count, 0);
    assert_string_equal(w.log, "");
}

static void a_released_stream_that_was_not_finished_is_cancelled(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", 0);
    size_t taken;

    assert_int_equal(qms_stream_write(st, text("half"), &taken), QMS_OK);
    settle(f);
    qms_stream_release(st);
    settle(f);
    assert_false(f->streams[0]->fin);
    assert_int_equal(f->streams[0]->reset, QMS_CODE_CANCELLED);
    assert_int_equal(f->conn->stream_count, 0);
}

static void an_unanswered_stream_is_rejected_by_its_release(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = peer_opens(f, true, "");

    settle(f);
    qms_stream_release(f->accepted.st);
    f->accepted.st = NULL;
    settle(f);
    assert_int_equal(p->result, QMS_CODE_REJECTED);
    assert_int_equal(f->conn->stream_count, 0);
}

static void streams_outlive_the_release_of_their_connection(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", 0);
    char buf[4];
    size_t len;

    settle(f);
    conn_release(f);
    settle(f);
    assert_true(f->peer_closed);
    assert_string_equal(f->log, "");
    assert_string_equal(w.log, "RC");
    assert_int_equal(qms_stream_read(st, buf, 4, &len), QMS_E_CLOSED);
    assert_true(qms_connection_is_closed(qms_stream_connection(st)));
    qms_stream_release(st);
    settle(f);
    assert_true(qms_list_empty(&f->client->connections));
}

/* ---- memory ---- */

static void short_of_memory(struct fixture *f)
{
    struct watch bidi = {0}, uni = {0};

    try_open(f, &bidi, 0);
    try_open(f, &uni, QMS_OPEN_UNI);
    big_write(&bidi);
    write_some(&uni, "short");
    if (uni.st != NULL) {
        (void)!qms_stream_write_blob(uni.st, text("lent"), NULL, NULL);
        (void)!qms_stream_finish(uni.st);
    }
    (void)!qms_connection_ping(f->conn);
    (void)!qms_connection_refresh_token(f->conn, "t");
    (void)!qms_datagram_send(f->conn, QMS_KIND_AGENT, "b", 1, text("d"));
    settle(f);
    answer(f, 0, QMS_CODE_BUSY);
    settle(f);
    qms_stream_release(bidi.st);
    qms_stream_release(uni.st);
    settle(f);
}

/* The broker's end lives in the same process; its failures are survived likewise. */
static void each_allocation_may_fail(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 60; n++) {
        struct fixture *f = fixture_new(WELCOME, NULL);

        settle(f);
        qms_mem_fail_after(n);
        short_of_memory(f);
        qms_mem_fail_after(UINT64_MAX);
        if (f->peer != NULL) {
            peer_writes(peer_opens(f, true, ""), "to the client", false);
            qms_mem_fail_after(n % 12);
            settle(f);
            qms_mem_fail_after(UINT64_MAX);
        }
        qms_stream_release(f->accepted.st);
        fixture_free(f);
    }
}

static void an_allocation_that_fails_before_ready_ends_cleanly(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 30; n++) {
        struct fixture *f = fixture_new(WELCOME, NULL);
        struct watch w = {0};

        try_open(f, &w, 0);
        big_write(&w);
        qms_mem_fail_after(n);
        settle(f);
        qms_mem_fail_after(UINT64_MAX);
        qms_stream_release(w.st);
        fixture_free(f);
    }
}

#define BARE_TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BARE_TEST(each_stream_callback_may_end_its_handle),
        BARE_TEST(each_connection_callback_may_end_its_handle),
        BARE_TEST(each_callback_of_members_and_reconnects_may_end_its_handle),
        BARE_TEST(a_refused_agent_may_end_its_handle_in_the_refusal),
        QMS_TEST(a_posted_call_may_end_handles),
        QMS_TEST(a_released_stream_goes_on_sending_what_was_finished),
        QMS_TEST(a_released_stream_that_was_not_finished_is_cancelled),
        QMS_TEST(an_unanswered_stream_is_rejected_by_its_release),
        QMS_TEST(streams_outlive_the_release_of_their_connection),
        BARE_TEST(each_allocation_may_fail),
        BARE_TEST(an_allocation_that_fails_before_ready_ends_cleanly),
    };
    return cmocka_run_group_tests_name("client_release", tests, NULL, NULL);
}
