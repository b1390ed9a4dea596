/* SPDX-License-Identifier: MIT */
/* Messages: on FRAMED streams, one a stream, and as request and reply. */
#include <string.h>

#include "base/mem.h"
#include "client_fixture.h"

static uint8_t big[300000];

static struct qms_bytes bytes(const void *data, size_t len)
{
    return (struct qms_bytes){data, len};
}

static void write_bytes(struct peer_stream *p, const void *data, size_t len, bool fin)
{
    struct qms_blob *blob = qms_blob_copy(bytes(data, len));

    assert_non_null(blob);
    if (len > 0) {
        assert_int_equal(qms_session_write(p->ss, blob, 0, len), QMS_OK);
    }
    qms_blob_unref(blob);
    if (fin) {
        qms_session_finish(p->ss);
    }
}

/* The broker opens a stream with these flags, and with the mark of a message. */
static struct peer_stream *peer_route_with(struct fixture *f, bool bidi, uint8_t flags,
                                           bool mark, uint64_t length)
{
    static const uint8_t extra[] = {0x40, 0x40, 0};
    struct qms_route_header h = {.flags = flags, .priority = 5};

    h.has_length = length != UINT64_MAX;
    h.length_hint = h.has_length ? length : 0;
    if (mark) {
        h.extra = bytes(extra, sizeof(extra));
    }
    return peer_opens_as(f, bidi, h);
}

/* ---- FRAMED ---- */

static void framed_messages_carry_their_length(void **state)
{
    static const char wire[] = "\x05hello\x00\x02ok";
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", QMS_OPEN_FRAMED);

    assert_int_equal(qms_stream_send_message(st, text("hello")), QMS_OK);
    assert_int_equal(qms_stream_send_message(st, text("")), QMS_OK);
    assert_int_equal(qms_stream_send_message(st, text("ok")), QMS_OK);
    settle(f);
    assert_int_equal(f->streams[0]->len, sizeof(wire) - 1);
    assert_memory_equal(f->streams[0]->data, wire, sizeof(wire) - 1);
    qms_stream_release(st);
}

static void framed_messages_arrive_whole_and_in_order(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", QMS_OPEN_FRAMED);

    settle(f);
    peer_answers(f->streams[0], 0, "");
    write_bytes(f->streams[0], "\x05hel", 4, false);
    settle(f);
    assert_int_equal(w.messages, 0);
    write_bytes(f->streams[0], "lo\x00\x02ok\x40", 7, false);
    settle(f);
    assert_int_equal(w.messages, 3);
    assert_string_equal(w.message, "ok");
    write_bytes(f->streams[0], "\x03two", 4, true);
    settle(f);
    assert_int_equal(w.messages, 4);
    assert_string_equal(w.message, "two");
    assert_true(w.end);
    assert_string_equal(w.log, "rMMMMR");
    assert_int_equal(qms_stream_finish(st), QMS_OK);
    settle(f);
    assert_int_equal(w.closed, QMS_OK);
    qms_stream_release(st);
}

static void large_framed_message_gets_credit_while_it_comes(void **state)
{
    static const uint8_t head[] = {0x80, 0x02, 0xbf, 0x20}; /* 180,000 */
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", QMS_OPEN_FRAMED);

    settle(f);
    peer_answers(f->streams[0], 0, "");
    write_bytes(f->streams[0], head, sizeof(head), false);
    write_bytes(f->streams[0], big, 180000, true);
    settle(f);
    assert_int_equal(w.messages, 1);
    assert_int_equal(w.message_len, 180000);
    assert_int_equal(f->conn->assembled_bytes, 0);
    qms_stream_release(st);
}

static void oversized_framed_message_stops_its_stream(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", QMS_OPEN_FRAMED);

    assert_int_equal(qms_stream_send_message(st, bytes(big, 200001)), QMS_E_TOO_LARGE);
    settle(f);
    peer_answers(f->streams[0], 0, "");
    write_bytes(f->streams[0], "\x02ok\x80\x03\x0d\x41rest", 11, false);
    settle(f);
    assert_int_equal(w.messages, 1);
    assert_int_equal(w.read, QMS_E_TOO_LARGE);
    assert_int_equal(f->streams[0]->stopped, QMS_CODE_TOO_LARGE);
    assert_int_equal(qms_stream_finish(st), QMS_OK);
    settle(f);
    assert_int_equal(w.closed, QMS_E_TOO_LARGE);
    assert_true(qms_connection_is_ready(f->conn));
    qms_stream_release(st);
}

static void framed_message_cut_short_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", QMS_OPEN_FRAMED);

    settle(f);
    peer_answers(f->streams[0], 0, "");
    write_bytes(f->streams[0], "\x05hel", 4, true);
    settle(f);
    assert_int_equal(w.messages, 0);
    assert_int_equal(w.read, QMS_E_PROTOCOL);
    qms_stream_release(st);
}

static void paused_stream_holds_its_messages(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", QMS_OPEN_FRAMED);

    assert_int_equal(qms_stream_pause_messages(st, true), QMS_OK);
    settle(f);
    peer_answers(f->streams[0], 0, "");
    write_bytes(f->streams[0], "\x02ok\x03two", 7, true);
    settle(f);
    assert_int_equal(w.messages, 0);
    assert_string_equal(w.log, "r");
    assert_int_equal(qms_stream_pause_messages(st, false), QMS_OK);
    settle(f);
    assert_string_equal(w.log, "rMMR");
    qms_stream_release(st);
    st = open_to(f, &w, "b", 0);
    assert_int_equal(qms_stream_pause_messages(st, true), QMS_E_INVALID);
    assert_int_equal(qms_stream_send_message(st, text("x")), QMS_E_INVALID);
    qms_stream_release(st);
}

static void full_send_buffer_takes_whole_messages_or_none(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", QMS_OPEN_FRAMED);
    size_t sent = 0;

    fake_link_hold_acks(f->pair, 1, true);
    while (qms_stream_send_message(st, bytes(big, 5000)) == QMS_OK) {
        sent++;
    }
    assert_int_equal(sent, 4); /* 16,384 and the one that it did not fit into */
    assert_int_equal(qms_stream_send_message(st, text("x")), QMS_E_AGAIN);
    fake_link_hold_acks(f->pair, 1, false);
    settle(f);
    assert_non_null(strchr(w.log, 'W'));
    assert_int_equal(f->streams[0]->len, 4 * 5002);
    qms_stream_release(st);
}

/* ---- one stream a message ---- */

struct done {
    unsigned calls;
    qms_err err;
};

static void on_done(void *arg, qms_err err)
{
    struct done *d = arg;

    d->calls++;
    d->err = err;
}

static void message_is_a_marked_stream_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct done d = {0};

    assert_int_equal(
        qms_message_send(f->conn, QMS_KIND_AGENT, "b", 200, NULL, text("hello"), on_done, &d),
        QMS_OK);
    settle(f);
    assert_int_equal(f->count, 1);
    assert_memory_equal(f->streams[0]->data, "hello", 5);
    assert_true(f->streams[0]->fin);
    assert_int_equal(f->streams[0]->priority, 200);
    assert_int_equal(d.calls, 0); /* acknowledged is not taken */
    peer_answers(f->streams[0], 0, "");
    peer_writes(f->streams[0], "thanks", false);
    settle(f);
    assert_int_equal(d.calls, 0);
    qms_session_finish(f->streams[0]->ss);
    settle(f);
    assert_int_equal(d.calls, 1);
    assert_int_equal(d.err, QMS_OK);
    assert_int_equal(f->conn->messages_out, 0);
    assert_int_equal(f->conn->stream_count, 0);
    assert_int_equal(fake_link_unconsumed(f->pair, 0), 0);
}

static void message_to_a_topic_is_done_when_the_broker_has_it(void **state)
{
    struct fixture *f = *state;
    struct done d = {0};

    assert_int_equal(
        qms_message_send(f->conn, QMS_KIND_TOPIC, "b", 200, NULL, text("hello"), on_done, &d),
        QMS_OK);
    settle(f);
    assert_false(f->streams[0]->bidi);
    assert_memory_equal(f->streams[0]->data, "hello", 5);
    assert_int_equal(d.calls, 1);
    assert_int_equal(d.err, QMS_OK);
}

static void refusal_of_a_message_that_is_whole_is_told(void **state)
{
    struct fixture *f = *state;
    struct done d = {0};

    assert_int_equal(
        qms_message_send(f->conn, QMS_KIND_AGENT, "b", 200, NULL, text("hello"), on_done, &d),
        QMS_OK);
    settle(f);
    assert_true(f->streams[0]->fin);
    pass(f, QMS_SECOND);
    peer_answers(f->streams[0], QMS_CODE_TOO_LARGE, "more than I can take");
    settle(f);
    assert_int_equal(d.calls, 1);
    assert_int_equal(d.err, QMS_E_WIRE_TOO_LARGE);
}

/* Whoever took it may die before saying so. */
static void message_without_an_answer_ends_with_its_stream(void **state)
{
    struct fixture *f = *state;
    struct done d = {0}, e = {0};

    assert_int_equal(
        qms_message_send(f->conn, QMS_KIND_AGENT, "b", 200, NULL, text("hello"), on_done, &d),
        QMS_OK);
    assert_int_equal(
        qms_message_send(f->conn, QMS_KIND_AGENT, "b", 200, NULL, text("hello"), on_done, &e),
        QMS_OK);
    settle(f);
    peer_answers(f->streams[0], 0, "");
    qms_session_reset(f->streams[0]->ss, QMS_CODE_PEER_GONE);
    settle(f);
    assert_int_equal(d.calls, 1);
    assert_int_equal(d.err, QMS_E_WIRE_PEER_GONE);
    fake_link_break(f->pair, QMS_E_IDLE);
    settle(f);
    assert_int_equal(e.calls, 1);
    assert_int_equal(e.err, QMS_E_IDLE);
}

static void refused_message_is_told(void **state)
{
    struct fixture *f = *state;
    struct done d = {0};

    assert_int_equal(qms_message_send(f->conn, QMS_KIND_AGENT, "b", 0, NULL, bytes(big, 150000),
                                      on_done, &d),
                     QMS_OK);
    step(f, 1000);
    step(f, 1000);
    peer_answers(f->streams[0], QMS_CODE_OFFLINE, "gone");
    settle(f);
    assert_int_equal(d.calls, 1);
    assert_int_equal(d.err, QMS_E_WIRE_OFFLINE);
}

static void messages_have_limits(void **state)
{
    struct fixture *f = *state;
    qms_err err = QMS_OK;
    size_t count = 0;

    assert_int_equal(
        qms_message_send(f->conn, QMS_KIND_AGENT, "b", 0, NULL, bytes(big, 200001), NULL, NULL),
        QMS_E_TOO_LARGE);
    assert_int_equal(
        qms_message_send(f->conn, QMS_KIND_AGENT, "", 0, NULL, text("x"), NULL, NULL),
        QMS_E_INVALID);
    fake_link_hold_acks(f->pair, 1, true);
    while (err == QMS_OK) {
        err = qms_message_send(f->conn, QMS_KIND_AGENT, "b", 0, NULL, bytes(big, 200000), NULL,
                               NULL);
        count++;
    }
    assert_int_equal(err, QMS_E_LIMIT);
    assert_int_equal(count, (16u << 20) / 200000 + 1);
}

static void message_waits_for_the_welcome_and_ends_with_the_connection(void **state)
{
    struct fixture *f = fixture_new(SILENT, NULL);
    struct done d = {0};

    (void)state;
    assert_int_equal(
        qms_message_send(f->conn, QMS_KIND_AGENT, "b", 0, NULL, text("x"), on_done, &d),
        QMS_OK);
    settle(f);
    assert_int_equal(d.calls, 0);
    qms_connection_release(f->conn);
    f->conn = NULL;
    settle(f);
    assert_int_equal(d.calls, 1);
    assert_int_equal(d.err, QMS_E_CLOSED);
    fixture_free(f);
}

static void message_comes_when_it_is_whole(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = peer_route_with(f, false, 0, true, UINT64_MAX);

    write_bytes(p, "hel", 3, false);
    settle(f);
    assert_string_equal(f->log, "");
    write_bytes(p, "lo", 2, true);
    settle(f);
    assert_string_equal(f->log, "m");
    assert_string_equal(f->message, "hello");
    assert_string_equal(f->got_source, "other");
    p = peer_route_with(f, false, 0, true, UINT64_MAX);
    write_bytes(p, "", 0, true);
    settle(f);
    assert_int_equal(f->messages, 2);
    assert_int_equal(f->message_len, 0);
    p = peer_route_with(f, false, 0, true, 190000);
    write_bytes(p, big, 190000, true);
    settle(f);
    assert_int_equal(f->messages, 3);
    assert_int_equal(f->message_len, 190000);
    assert_int_equal(f->conn->assembled_bytes, 0);
    assert_int_equal(fake_link_unconsumed(f->pair, 0), 0);
}

static void message_is_answered_when_it_is_whole(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = peer_route_with(f, true, 0, true, UINT64_MAX);

    write_bytes(p, "hel", 3, false);
    settle(f);
    assert_int_equal(p->result, UINT64_MAX);
    write_bytes(p, "lo", 2, true);
    settle(f);
    assert_string_equal(f->message, "hello");
    assert_int_equal(p->result, QMS_CODE_OK);
    assert_true(p->fin);
    assert_int_equal(p->len, 0);
    assert_true(p->closed);
    p = peer_route_with(f, true, 0, true, UINT64_MAX);
    write_bytes(p, big, 200001, false);
    settle(f);
    assert_int_equal(p->result, QMS_CODE_TOO_LARGE);
    assert_int_equal(f->messages, 1);
}

static void message_that_cannot_be_answered_is_not_delivered(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p;

    for (uint64_t n = 0; n < 12; n++) {
        size_t before = f->messages;

        p = peer_route_with(f, true, 0, true, UINT64_MAX);
        write_bytes(p, "whole", 5, true);
        (void)fake_link_pump(f->pair, 0);
        qms_mem_fail_after(n);
        qms_client_turn(f->client, fake_link_now(f->pair));
        qms_mem_fail_after(UINT64_MAX);
        settle(f);
        assert_true((f->messages > before) == (p->result == QMS_CODE_OK));
    }
    assert_true(f->messages > 0);
}

static void message_that_breaks_off_is_no_message(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = peer_route_with(f, false, 0, true, UINT64_MAX);

    write_bytes(p, "hel", 3, false);
    settle(f);
    qms_session_reset(p->ss, QMS_CODE_CANCELLED);
    settle(f);
    assert_int_equal(f->messages, 0);
    assert_int_equal(f->conn->assembled_bytes, 0);
    assert_int_equal(f->conn->stream_count, f->accepted.st != NULL ? 1 : 0);
}

static void oversized_message_is_refused(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = peer_route_with(f, false, 0, true, 200001), *q;

    settle(f);
    assert_int_equal(p->result, QMS_CODE_TOO_LARGE);
    q = peer_route_with(f, false, 0, true, UINT64_MAX);
    write_bytes(q, big, 200001, false);
    settle(f);
    assert_int_equal(q->result, QMS_CODE_TOO_LARGE);
    assert_int_equal(f->messages, 0);
    assert_int_equal(f->conn->assembled_bytes, 0);
}

static void incomplete_messages_share_a_bound(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = peer_route_with(f, false, 0, true, UINT64_MAX);

    f->conn->settings.window_connection = 70000;
    write_bytes(p, big, 60000, false);
    settle(f);
    assert_int_equal(p->result, UINT64_MAX);
    write_bytes(p, big, 60000, false);
    settle(f);
    assert_int_equal(p->result, QMS_CODE_BUSY);
    assert_int_equal(f->conn->assembled_bytes, 0);
}

/* ---- request ---- */

struct reply {
    unsigned calls;
    qms_err err;
    char text[64];
    size_t len;
};

static void on_reply(void *arg, qms_err err, struct qms_bytes reply)
{
    struct reply *r = arg;

    r->calls++;
    r->err = err;
    r->len = reply.len;
    if (reply.len > 0 && reply.len < sizeof(r->text)) {
        memcpy(r->text, reply.data, reply.len);
    }
}

static void ask(struct fixture *f, struct reply *r, qms_time timeout)
{
    *r = (struct reply){0};
    assert_int_equal(qms_request(f->conn, QMS_KIND_AGENT, "b", 9, NULL, text("question"),
                                 timeout, on_reply, r),
                     QMS_OK);
    settle(f);
}

static void request_gets_its_reply(void **state)
{
    struct fixture *f = *state;
    struct reply r;

    ask(f, &r, QMS_SECOND);
    assert_memory_equal(f->streams[0]->data, "question", 8);
    assert_true(f->streams[0]->fin);
    peer_answers(f->streams[0], 0, "");
    peer_writes(f->streams[0], "ans", false);
    settle(f);
    assert_int_equal(r.calls, 0);
    peer_writes(f->streams[0], "wer", true);
    settle(f);
    assert_int_equal(r.calls, 1);
    assert_int_equal(r.err, QMS_OK);
    assert_string_equal(r.text, "answer");
    assert_int_equal(f->conn->stream_count, 0);
    fake_link_advance(f->pair, 2 * QMS_SECOND);
    settle(f);
    assert_int_equal(r.calls, 1);
}

static void request_fails_by_its_deadline(void **state)
{
    struct fixture *f = *state;
    struct reply r;

    ask(f, &r, QMS_SECOND);
    peer_answers(f->streams[0], 0, "");
    fake_link_advance(f->pair, QMS_SECOND - 1);
    settle(f);
    assert_int_equal(r.calls, 0);
    fake_link_advance(f->pair, 1);
    settle(f);
    assert_int_equal(r.calls, 1);
    assert_int_equal(r.err, QMS_E_TIMEOUT);
    assert_int_equal(f->streams[0]->stopped, QMS_CODE_CANCELLED);
}

static void request_tells_why_it_failed(void **state)
{
    struct fixture *f = *state;
    struct reply r;

    ask(f, &r, QMS_NEVER);
    peer_answers(f->streams[0], QMS_CODE_BUSY, "later");
    settle(f);
    assert_int_equal(r.err, QMS_E_WIRE_BUSY);
    ask(f, &r, QMS_NEVER);
    peer_answers(f->streams[1], 0, "");
    qms_session_reset(f->streams[1]->ss, 0x99);
    settle(f);
    assert_int_equal(r.err, QMS_E_WIRE + 0x99);
    ask(f, &r, QMS_NEVER);
    peer_answers(f->streams[2], 0, "");
    write_bytes(f->streams[2], big, 200001, false);
    settle(f);
    assert_int_equal(r.err, QMS_E_TOO_LARGE);
    assert_int_equal(f->streams[2]->stopped, QMS_CODE_TOO_LARGE);
    ask(f, &r, QMS_NEVER);
    fake_link_break(f->pair, QMS_E_IDLE);
    settle(f);
    assert_int_equal(r.calls, 1);
    assert_int_equal(r.err, QMS_E_IDLE);
}

static void unanswered_request_ends_with_the_client(void **state)
{
    struct fixture *f = *state;
    struct reply r;

    ask(f, &r, QMS_SECOND);
    qms_connection_release(f->conn);
    f->conn = NULL;
    settle(f);
    assert_int_equal(r.calls, 1);
    assert_int_equal(r.err, QMS_E_CLOSED);
}

/* ---- handles released in the callbacks, and no memory ---- */

static void release_stream(struct watch *w)
{
    qms_stream_release(w->st);
    w->st = NULL;
}

static void close_all(struct watch *w)
{
    release_stream(w);
    qms_connection_release(w->f->conn);
    w->f->conn = NULL;
}

static void release_connection(struct fixture *f)
{
    qms_connection_release(f->conn);
    f->conn = NULL;
}

static void close_connection(struct fixture *f)
{
    qms_connection_close(f->conn, 0x85, "enough");
}

static void message_callbacks_may_release(void **state)
{
    void (*acts[])(struct watch *) = {release_stream, close_all};
    void (*conn_acts[])(struct fixture *) = {release_connection, close_connection};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct fixture *f = fixture_new(WELCOME, NULL);
        struct watch w = {.act_on = 'M', .act = acts[i % 2]};

        settle(f);
        if (i < 2) {
            (void)open_to(f, &w, "b", QMS_OPEN_FRAMED);
            settle(f);
            peer_answers(f->streams[0], 0, "");
            write_bytes(f->streams[0], "\x02ok\x02no", 6, false);
        } else {
            struct peer_stream *p = peer_route_with(f, false, 0, true, UINT64_MAX);

            write_bytes(p, "whole", 5, true);
            f->act_on = 'm';
            f->act = conn_acts[i - 2];
        }
        settle(f);
        assert_int_equal(w.messages + f->messages, 1);
        qms_stream_release(f->accepted.st);
        fixture_free(f);
    }
}

struct chain {
    struct fixture *f;
    unsigned calls;
};

static void done_releases(void *arg, qms_err err)
{
    struct chain *k = arg;

    (void)err;
    k->calls++;
    qms_connection_release(k->f->conn);
    k->f->conn = NULL;
}

static void reply_releases(void *arg, qms_err err, struct qms_bytes reply)
{
    (void)reply;
    done_releases(arg, err);
}

static void done_and_reply_may_release_the_connection(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct fixture *f = fixture_new(WELCOME, NULL);
        struct chain k = {.f = f};

        settle(f);
        if (i == 0) {
            assert_int_equal(qms_message_send(f->conn, QMS_KIND_AGENT, "b", 0, NULL, text("x"),
                                              done_releases, &k),
                             QMS_OK);
            settle(f);
            peer_answers(f->streams[0], 0, "");
            qms_session_finish(f->streams[0]->ss);
        } else {
            assert_int_equal(qms_request(f->conn, QMS_KIND_AGENT, "b", 0, NULL, text("x"),
                                         QMS_SECOND, reply_releases, &k),
                             QMS_OK);
            settle(f);
            peer_answers(f->streams[0], 0, "");
            peer_writes(f->streams[0], "y", true);
        }
        settle(f);
        assert_int_equal(k.calls, 1);
        fixture_free(f);
    }
}

/* Everything above with the n-th allocation failing: nothing leaks and nothing is told twice.
 */
static bool converse_without(uint64_t n)
{
    struct fixture *f = fixture_new(WELCOME, NULL);
    struct watch w = {0};
    struct done d = {0};
    struct reply r = {0};
    struct peer_stream *p;
    bool sent, asked, opened;

    settle(f);
    w.f = f;
    p = peer_route_with(f, false, 0, true, UINT64_MAX);
    qms_mem_fail_after(n);
    sent = qms_message_send(f->conn, QMS_KIND_AGENT, "b", 0, NULL, bytes(big, 40000), on_done,
                            &d) == QMS_OK;
    asked = qms_request(f->conn, QMS_KIND_AGENT, "b", 0, NULL, text("q"), QMS_SECOND, on_reply,
                        &r) == QMS_OK;
    opened = qms_stream_open(f->conn, QMS_KIND_AGENT, "b", QMS_OPEN_FRAMED, 1, NULL, NULL, &w,
                             &w.st) == QMS_OK;
    if (opened) {
        (void)!qms_stream_send_message(w.st, text("hello"));
        (void)!qms_stream_send_message(w.st, bytes(big, 50000));
        (void)!qms_stream_pause_messages(w.st, true);
    }
    (void)fake_link_pump(f->pair, 0);
    qms_client_turn(f->client, fake_link_now(f->pair));
    qms_mem_fail_after(UINT64_MAX);
    settle(f);
    if (p->ss != NULL) {
        write_bytes(p, big, 30000, false);
    }
    qms_mem_fail_after(n);
    (void)fake_link_pump(f->pair, 0);
    qms_client_turn(f->client, fake_link_now(f->pair));
    qms_mem_fail_after(UINT64_MAX);
    settle(f);
    qms_stream_release(opened ? w.st : NULL);
    release_connection(f);
    settle(f);
    assert_int_equal(d.calls, sent ? 1 : 0);
    assert_int_equal(r.calls, asked ? 1 : 0);
    qms_stream_release(f->accepted.st);
    fixture_free(f);
    return sent && asked && opened;
}

static void memory_may_run_out_anywhere(void **state)
{
    uint64_t n = 0;

    (void)state;
    while (n < 20 || !converse_without(n)) {
        (void)converse_without(n);
        n++;
        assert_true(n < 500);
    }
    for (uint64_t more = 0; more < 40; more++) {
        (void)converse_without(n + more);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(framed_messages_carry_their_length),
        QMS_TEST(framed_messages_arrive_whole_and_in_order),
        QMS_TEST(large_framed_message_gets_credit_while_it_comes),
        QMS_TEST(oversized_framed_message_stops_its_stream),
        QMS_TEST(framed_message_cut_short_is_an_error),
        QMS_TEST(paused_stream_holds_its_messages),
        QMS_TEST(full_send_buffer_takes_whole_messages_or_none),
        QMS_TEST(message_is_a_marked_stream_of_its_own),
        QMS_TEST(message_to_a_topic_is_done_when_the_broker_has_it),
        QMS_TEST(refusal_of_a_message_that_is_whole_is_told),
        QMS_TEST(message_without_an_answer_ends_with_its_stream),
        QMS_TEST(refused_message_is_told),
        QMS_TEST(messages_have_limits),
        cmocka_unit_test(message_waits_for_the_welcome_and_ends_with_the_connection),
        QMS_TEST(message_comes_when_it_is_whole),
        QMS_TEST(message_is_answered_when_it_is_whole),
        QMS_TEST(message_that_cannot_be_answered_is_not_delivered),
        QMS_TEST(message_that_breaks_off_is_no_message),
        QMS_TEST(oversized_message_is_refused),
        QMS_TEST(incomplete_messages_share_a_bound),
        QMS_TEST(request_gets_its_reply),
        QMS_TEST(request_fails_by_its_deadline),
        QMS_TEST(request_tells_why_it_failed),
        QMS_TEST(unanswered_request_ends_with_the_client),
        cmocka_unit_test(message_callbacks_may_release),
        cmocka_unit_test(done_and_reply_may_release_the_connection),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
