/* SPDX-License-Identifier: MIT */
/* Streams of the client against a broker's session over the fake link. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "client_fixture.h"

static size_t write_all(struct qms_stream *st, size_t len)
{
    uint8_t *bytes = malloc(len);
    size_t taken = 0;

    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(i * 31 >> 3);
    }
    (void)!qms_stream_write(st, (struct qms_bytes){bytes, len}, &taken);
    free(bytes);
    return taken;
}

static void write_text(struct qms_stream *st, const char *s)
{
    size_t taken;

    assert_int_equal(qms_stream_write(st, text(s), &taken), QMS_OK);
    assert_int_equal(taken, strlen(s));
}

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static void header_fields_reach_the_acceptor(void **state)
{
    struct fixture *f = *state;
    struct qms_open *p = qms_open_new();
    struct qms_stream *st;

    assert_non_null(p);
    assert_int_equal(qms_open_set_meta(p, text("hi")), QMS_OK);
    assert_int_equal(qms_open_set_length_hint(p, 1234), QMS_OK);
    assert_int_equal(qms_open_set_content_type(p, "text/plain"), QMS_OK);
    assert_int_equal(qms_open_set_accept_deadline(p, 5000), QMS_OK);
    assert_int_equal(qms_open_set_accept_deadline(p, UINT64_MAX), QMS_E_INVALID);
    assert_int_equal(qms_open_set_traceparent(p, "short"), QMS_E_INVALID);
    assert_int_equal(qms_open_set_traceparent(p, TRACE), QMS_OK);
    assert_int_equal(
        qms_stream_open(f->conn, QMS_KIND_AGENT, "b", QMS_OPEN_UNI, 200, p, NULL, NULL, &st),
        QMS_OK);
    qms_open_free(p);
    settle(f);
    assert_int_equal(f->count, 1);
    assert_string_equal(f->streams[0]->meta, "hi");
    assert_string_equal(f->streams[0]->target, "b");
    assert_int_equal(f->streams[0]->priority, 200);
    assert_int_equal(f->streams[0]->length_hint, 1234);
    assert_int_equal(f->streams[0]->accept_deadline_ms, 5000);
    assert_string_equal(f->streams[0]->traceparent, TRACE);
    assert_memory_equal(qms_stream_traceparent(st).data, TRACE, 55);
    assert_int_equal(qms_stream_kind(st), QMS_KIND_AGENT);
    assert_false(qms_stream_is_bidi(st));
    assert_true(qms_stream_is_opener(st));
    assert_null(qms_stream_arg(st));
    assert_int_equal(qms_stream_content_type(st).len, 10);
    assert_memory_equal(qms_stream_target(st).data, "b", 1);
    assert_int_equal(qms_stream_length_hint(st), 1234);
    qms_stream_release(st);
}

static void bad_targets_and_flags_are_refused_at_once(void **state)
{
    struct fixture *f = *state;
    struct qms_stream *st = NULL;
    struct qms_open *p = qms_open_new();
    uint8_t big[4096] = {0};

    assert_int_equal(
        qms_stream_open(f->conn, QMS_KIND_AGENT, "a b", 0, 0, NULL, NULL, NULL, &st),
        QMS_E_INVALID);
    assert_int_equal(qms_stream_open(f->conn, QMS_KIND_AGENT, "", 0, 0, NULL, NULL, NULL, &st),
                     QMS_E_INVALID);
    assert_int_equal(qms_stream_open(f->conn, QMS_KIND_TOPIC, "t", 0, 0, NULL, NULL, NULL, &st),
                     QMS_E_INVALID);
    assert_int_equal(
        qms_stream_open(f->conn, QMS_KIND_AGENT, "b", 0x40, 0, NULL, NULL, NULL, &st),
        QMS_E_INVALID);
    assert_int_equal(qms_open_set_meta(p, (struct qms_bytes){big, 2049}), QMS_E_TOO_LARGE);
    assert_int_equal(qms_open_set_meta(p, (struct qms_bytes){big, 2048}), QMS_OK);
    assert_int_equal(qms_open_set_stream_token(p, (struct qms_bytes){big, 4096}), QMS_OK);
    assert_int_equal(qms_stream_open(f->conn, QMS_KIND_AGENT, "b", 0, 0, p, NULL, NULL, &st),
                     QMS_E_TOO_LARGE);
    assert_int_equal(qms_open_set_traceparent(p, "00-short"), QMS_E_INVALID);
    qms_open_free(p);
    assert_null(st);
    assert_int_equal(f->conn->stream_count, 0);
}

static void both_directions_carry_bytes_and_end_on_their_own(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", 0);
    struct peer_stream *p;

    write_text(st, "ping");
    settle(f);
    p = f->streams[0];
    assert_int_equal(p->len, 4);
    assert_false(p->fin);
    assert_int_equal(qms_stream_finish(st), QMS_OK);
    assert_int_equal(qms_stream_finish(st), QMS_OK);
    settle(f);
    assert_true(p->fin);
    peer_answers(p, 0, "welcome");
    peer_writes(p, "pong", false);
    settle(f);
    assert_string_equal(w.log, "rR");
    assert_int_equal(w.result, QMS_OK);
    assert_memory_equal(qms_stream_result_meta(st).data, "welcome", 7);
    assert_memory_equal(qms_stream_result_acceptor(st).data, "b", 1);
    assert_memory_equal(w.got, "pong", 4);
    assert_int_equal(w.read, QMS_E_AGAIN);
    peer_writes(p, "!", true);
    settle(f);
    assert_string_equal(w.log, "rRRC");
    assert_true(w.end);
    assert_int_equal(w.closed, QMS_OK);
    qms_stream_release(st);
}

static void a_write_takes_what_fits_and_writable_follows_the_acknowledgement(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", QMS_OPEN_UNI);
    uint8_t byte = 1;
    size_t taken = 7;

    fake_link_hold_acks(f->pair, 0, true);
    assert_int_equal(write_all(st, 20000), 16384);
    assert_int_equal(qms_stream_writable(st), 0);
    assert_int_equal(qms_stream_write(st, (struct qms_bytes){&byte, 1}, &taken), QMS_E_AGAIN);
    assert_int_equal(taken, 0);
    settle(f);
    assert_string_equal(w.log, "");
    fake_link_hold_acks(f->pair, 0, false);
    settle(f);
    assert_string_equal(w.log, "W");
    assert_int_equal(qms_stream_writable(st), 16384);
    assert_int_equal(f->streams[0]->len, 16384);
    for (size_t i = 0; i < 16384; i++) {
        assert_int_equal(f->streams[0]->data[i], (uint8_t)(i * 31 >> 3));
    }
    qms_stream_release(st);
}

static void many_small_writes_arrive_whole_and_in_order(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", QMS_OPEN_UNI);
    size_t sent = 0;

    for (int i = 0; i < 3000; i++) {
        uint8_t bytes[3] = {(uint8_t)i, (uint8_t)(i >> 8), 7};
        size_t taken = 0;

        while (qms_stream_write(st, (struct qms_bytes){bytes, 3}, &taken) == QMS_E_AGAIN) {
            settle(f);
        }
        if (taken < 3) {
            settle(f);
            size_t rest;
            assert_int_equal(
                qms_stream_write(st, (struct qms_bytes){bytes + taken, 3 - taken}, &rest),
                QMS_OK);
        }
        sent += 3;
        if (i % 7 == 0) {
            step(f, 5);
        }
    }
    assert_int_equal(qms_stream_finish(st), QMS_OK);
    settle(f);
    assert_int_equal(f->streams[0]->len, sent);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(f->streams[0]->data[3 * i], (uint8_t)i);
        assert_int_equal(f->streams[0]->data[3 * i + 1], (uint8_t)(i >> 8));
    }
    assert_int_equal(w.closed, QMS_OK);
    qms_stream_release(st);
}

static void unread_bytes_hold_the_sender_back_until_they_are_consumed(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = peer_opens(f, false, "");
    static char big[200000];
    struct qms_bytes run;
    size_t total = 0;

    f->accepted.keep = true;
    memset(big, 'x', sizeof(big) - 1);
    peer_writes(p, big, true);
    settle(f);
    assert_string_equal(f->log, "s");
    assert_int_equal(qms_stream_readable(f->accepted.st), 65536);
    while (total < sizeof(big) - 1) {
        assert_int_equal(qms_stream_peek(f->accepted.st, &run), QMS_OK);
        assert_true(run.len > 0);
        total += run.len;
        assert_int_equal(qms_stream_consume(f->accepted.st, run.len), QMS_OK);
        settle(f);
    }
    assert_int_equal(total, sizeof(big) - 1);
    assert_int_equal(qms_stream_peek(f->accepted.st, &run), QMS_OK);
    assert_int_equal(run.len, 0);
    assert_int_equal(qms_stream_consume(f->accepted.st, 1), QMS_E_INVALID);
    assert_int_equal(fake_link_unconsumed(f->pair, 0), 0);
}

static void the_end_waits_until_the_last_byte_is_read(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = peer_opens(f, false, "");
    char buf[2];
    size_t len;

    f->accepted.keep = true;
    peer_writes(p, "abc", true);
    settle(f);
    assert_true(p->closed);
    assert_string_equal(f->accepted.log, "R");
    assert_int_equal(qms_stream_read(f->accepted.st, buf, 2, &len), QMS_OK);
    assert_int_equal(len, 2);
    settle(f);
    assert_string_equal(f->accepted.log, "R");
    assert_int_equal(qms_stream_read(f->accepted.st, buf, 2, &len), QMS_OK);
    assert_int_equal(len, 1);
    assert_int_equal(qms_stream_read(f->accepted.st, buf, 2, &len), QMS_OK);
    assert_int_equal(len, 0);
    settle(f);
    assert_string_equal(f->accepted.log, "RC");
    assert_int_equal(f->accepted.closed, QMS_OK);
}

static void a_reset_is_not_an_end(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = peer_opens(f, false, "");

    peer_writes(p, "half", false);
    settle(f);
    qms_session_reset(p->ss, QMS_CODE_PEER_GONE);
    settle(f);
    assert_memory_equal(f->accepted.got, "half", 4);
    assert_false(f->accepted.end);
    assert_int_equal(f->accepted.read, QMS_E_WIRE_PEER_GONE);
    assert_int_equal(f->accepted.closed, QMS_E_WIRE_PEER_GONE);
}

static void a_reset_with_code_zero_is_still_an_error(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = peer_opens(f, false, "");

    settle(f);
    qms_session_reset(p->ss, 0);
    settle(f);
    assert_false(f->accepted.end);
    assert_int_equal(f->accepted.closed, QMS_E_RESET);
}

static void a_reset_drops_unread_bytes_and_gives_their_credit_back(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = peer_opens(f, true, "");

    f->accepted.keep = true;
    peer_writes(p, "unread", false);
    settle(f);
    assert_int_equal(fake_link_unconsumed(f->pair, 0), 6);
    qms_session_reset(p->ss, 0x99);
    settle(f);
    assert_int_equal(qms_stream_readable(f->accepted.st), 0);
    assert_int_equal(fake_link_unconsumed(f->pair, 0), 0);
}

static void a_stop_ends_the_sending_direction_with_its_code(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", 0);
    size_t taken;

    settle(f);
    peer_answers(f->streams[0], 0, "");
    settle(f);
    qms_session_stop(f->streams[0]->ss, 0x85);
    settle(f);
    assert_string_equal(w.log, "rS");
    assert_int_equal(w.stopped, QMS_E_WIRE + 0x85);
    assert_int_equal(qms_stream_write(st, text("x"), &taken), QMS_E_WIRE + 0x85);
    assert_int_equal(qms_stream_finish(st), QMS_E_WIRE + 0x85);
    peer_writes(f->streams[0], "still", true);
    settle(f);
    assert_true(w.end);
    assert_int_equal(w.closed, QMS_E_WIRE + 0x85);
    qms_stream_release(st);
}

static void own_reset_and_stop_reach_the_other_side(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", 0);
    char buf[4];
    size_t taken, len;

    settle(f);
    peer_answers(f->streams[0], 0, "");
    settle(f);
    qms_stream_reset(st, 0x81);
    qms_stream_stop(st, 0x82);
    assert_int_equal(qms_stream_write(st, text("x"), &taken), QMS_E_CLOSED);
    assert_int_equal(qms_stream_read(st, buf, 4, &len), QMS_E_CLOSED);
    settle(f);
    assert_int_equal(f->streams[0]->reset, 0x81);
    assert_int_equal(f->streams[0]->stopped, 0x82);
    assert_int_equal(w.closed, QMS_E_CLOSED);
    qms_stream_release(st);
}

static void a_refusal_tells_status_reason_and_when_to_come_back(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "gone", 0);

    write_text(st, "first bytes");
    settle(f);
    peer_answers(f->streams[0], QMS_CODE_OFFLINE, "no such agent here");
    settle(f);
    assert_string_equal(w.log, "rC");
    assert_int_equal(w.result, QMS_E_WIRE_OFFLINE);
    assert_int_equal(w.closed, QMS_E_WIRE_OFFLINE);
    assert_memory_equal(qms_stream_result_reason(st).data, "no such agent here", 18);
    assert_int_equal(qms_stream_result_retry_after_ms(st), 42);
    assert_memory_equal(qms_stream_result_redirect(st).data, "quic://elsewhere:2", 18);
    qms_stream_release(st);
}

static void a_refused_unidirectional_stream_is_told_even_when_it_was_acknowledged(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "gone", QMS_OPEN_UNI);
    struct qms_control m = {.type = QMS_MSG_STREAM_STATUS};

    write_text(st, "all of it");
    assert_int_equal(qms_stream_finish(st), QMS_OK);
    while (st->session_stream != NULL) {
        (void)fake_link_pump(f->pair, 0);
    }
    assert_true(f->streams[0]->fin);
    m.u.stream_status.handle = qms_stream_id(st);
    m.u.stream_status.opener = 1;
    m.u.stream_status.status = QMS_CODE_OFFLINE;
    m.u.stream_status.reason = text("not connected");
    peer_sends(f, m);
    settle(f);
    assert_string_equal(w.log, "rC");
    assert_int_equal(w.closed, QMS_E_WIRE_OFFLINE);
    assert_memory_equal(qms_stream_result_reason(st).data, "not connected", 13);
    qms_stream_release(st);
}

static void a_unidirectional_stream_closes_well_once_nothing_was_said_against_it(void **state)
{
    struct fixture *f = *state;
    struct watch w[20] = {0};

    for (int i = 0; i < 20; i++) {
        struct qms_stream *st = open_to(f, &w[i], "b", QMS_OPEN_UNI);

        write_text(st, "x");
        assert_int_equal(qms_stream_finish(st), QMS_OK);
    }
    settle(f);
    for (int i = 0; i < 20; i++) {
        assert_string_equal(w[i].log, "C");
        assert_int_equal(w[i].closed, QMS_OK);
        qms_stream_release(w[i].st);
    }
    assert_true(f->conn->confirm_sent <= 2);
    assert_string_equal(f->log, ""); /* the PINGs behind it are nobody's business */
}

/* Neither the answer nor the stream itself may be lost in silence. */
static void without_memory_streams_end_with_an_error(void **state)
{
    struct fixture *f = *state;

    for (uint64_t n = 0; n < 6; n++) {
        struct watch w = {0};
        struct qms_stream *st = open_to(f, &w, "b", 0);
        struct peer_stream *p;

        settle(f);
        peer_answers(f->streams[f->count - 1], 0, "meta");
        qms_mem_fail_after(n);
        (void)fake_link_pump(f->pair, 0);
        qms_mem_fail_after(UINT64_MAX);
        settle(f);
        if (strchr(w.log, 'r') == NULL && w.closed != QMS_E_NOMEM) {
            fail_msg("allocation %u: %s, %s", (unsigned)n, w.log, qms_err_name(w.closed));
        }
        qms_stream_release(st);
        settle(f);

        p = peer_opens(f, true, "meta");
        f->log[0] = '\0';
        qms_mem_fail_after(n);
        (void)fake_link_pump(f->pair, 0);
        qms_mem_fail_after(UINT64_MAX);
        settle(f);
        assert_true(strcmp(f->log, "s") == 0 || p->result == QMS_CODE_BUSY || p->reset >= 0 ||
                    p->stopped >= 0 || f->peer_closed);
        qms_stream_release(f->accepted.st);
        f->accepted.st = NULL;
        settle(f);
        if (f->peer_closed) {
            break;
        }
    }
}

static void a_stream_from_the_broker_is_accepted_with_meta(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = peer_opens(f, true, "question");
    struct qms_stream *st;
    size_t taken;

    settle(f);
    st = f->accepted.st;
    assert_non_null(st);
    assert_false(qms_stream_is_opener(st));
    assert_memory_equal(qms_stream_source(st).data, "other", 5);
    assert_memory_equal(qms_stream_meta(st).data, "question", 8);
    assert_int_equal(qms_stream_forward_priority(st), 77);
    assert_int_equal(qms_stream_write(st, text("early"), &taken), QMS_E_STATE);
    assert_int_equal(qms_stream_finish(st), QMS_E_STATE);
    assert_int_equal(qms_stream_accept(st, text("fine")), QMS_OK);
    assert_int_equal(qms_stream_accept(st, text("fine")), QMS_E_STATE);
    assert_int_equal(qms_stream_reject(st, QMS_CODE_BUSY, NULL), QMS_E_STATE);
    write_text(st, "answer");
    assert_int_equal(qms_stream_finish(st), QMS_OK);
    settle(f);
    assert_int_equal(p->result, 0);
    assert_string_equal(p->meta, "fine");
    assert_int_equal(p->len, 6);
    assert_true(p->fin);
}

static void a_rejected_stream_tells_status_and_reason(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = peer_opens(f, true, "");

    settle(f);
    assert_int_equal(qms_stream_reject(f->accepted.st, 0, NULL), QMS_E_INVALID);
    assert_int_equal(qms_stream_reject(f->accepted.st, 0x90, "not today"), QMS_OK);
    settle(f);
    assert_int_equal(p->result, 0x90);
    assert_string_equal(p->meta, "not today");
    assert_int_equal(f->accepted.closed, QMS_E_CLOSED);
    assert_true(p->closed);
}

static int blobs_released;

static void blob_released(void *arg)
{
    blobs_released += *(int *)arg;
}

static void a_lent_blob_comes_back_when_it_is_acknowledged(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", QMS_OPEN_UNI);
    static uint8_t big[100000];
    int one = 1;

    blobs_released = 0;
    fake_link_hold_acks(f->pair, 0, true);
    assert_int_equal(
        qms_stream_write_blob(st, (struct qms_bytes){big, sizeof(big)}, blob_released, &one),
        QMS_OK);
    assert_int_equal(qms_stream_write_blob(st, text("x"), blob_released, &one), QMS_E_AGAIN);
    settle(f);
    assert_int_equal(blobs_released, 0);
    fake_link_hold_acks(f->pair, 0, false);
    settle(f);
    assert_int_equal(blobs_released, 1);
    assert_int_equal(f->streams[0]->len, sizeof(big));
    assert_string_equal(w.log, "W");
    qms_stream_release(st);
}

static void a_lent_blob_comes_back_once_when_the_stream_is_reset(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", QMS_OPEN_UNI);
    int one = 1;

    blobs_released = 0;
    fake_link_hold_acks(f->pair, 0, true);
    assert_int_equal(qms_stream_write_blob(st, text("lent"), blob_released, &one), QMS_OK);
    qms_stream_reset(st, 0x80);
    fake_link_hold_acks(f->pair, 0, false);
    settle(f);
    assert_int_equal(blobs_released, 1);
    qms_stream_release(st);
    settle(f);
    assert_int_equal(blobs_released, 1);
}

static void priorities_of_living_streams_reach_the_other_side(void **state)
{
    struct fixture *f = *state;
    struct watch w = {0};
    struct qms_stream *st = open_to(f, &w, "b", 0);

    settle(f);
    assert_int_equal(qms_stream_set_priority(st, 250, -1), QMS_OK);
    settle(f);
    assert_int_equal(f->streams[0]->priority, 250);
    assert_int_equal(qms_stream_forward_priority(st), 250);
    assert_int_equal(qms_stream_reverse_priority(st), QMS_PRIORITY_NORMAL);
    assert_int_equal(qms_stream_set_priority(st, 256, -1), QMS_E_INVALID);
    (void)peer_opens(f, true, "");
    settle(f);
    assert_int_equal(qms_stream_set_priority(f->accepted.st, 1, -1), QMS_E_INVALID);
    assert_int_equal(qms_stream_set_priority(f->accepted.st, -1, 9), QMS_OK);
    settle(f);
    assert_int_equal(f->streams[1]->ss->reverse, 9);
    assert_int_equal(qms_session_set_priority(f->streams[1]->ss, 3, 11, 12), QMS_OK);
    settle(f);
    assert_int_equal(qms_stream_forward_priority(f->accepted.st), 11);
    assert_int_equal(qms_stream_reverse_priority(f->accepted.st), 12);
    qms_stream_release(st);
}

/* The broker opens a FRAMED one. */
static struct peer_stream *framed(struct fixture *f)
{
    return peer_opens_as(f, false, (struct qms_route_header){.flags = QMS_ROUTE_FRAMED});
}

static void skips(struct peer_stream *p, const char *count)
{
    assert_int_equal(qms_session_stream_status(p->ss, QMS_CODE_SLOW_CONSUMER, count), QMS_OK);
}

static uint64_t skipped_in_all(const struct qms_stream *st)
{
    uint64_t v[QMS_STREAM_STAT_COUNT];

    qms_stream_stats(st, v, QMS_STREAM_STAT_COUNT);
    return v[QMS_STREAM_MESSAGES_SKIPPED];
}

/* Numbers of one turn are one call; later ones are told on their own. */
static void messages_that_were_left_out_are_told(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = framed(f);
    struct watch *w = &f->accepted;

    peer_writes(p, "\x03one", false);
    settle(f);
    assert_string_equal(w->log, "M");
    skips(p, "3");
    skips(p, "40");
    (void)fake_link_pump(f->pair, 0);
    assert_string_equal(w->log, "M"); /* not from within the event */
    settle(f);
    assert_string_equal(w->log, "MK");
    assert_int_equal(w->skipped, 43);
    skips(p, "7");
    skips(p, "x");
    peer_writes(p, "\x03two", true);
    settle(f);
    assert_string_equal(w->message, "two");
    assert_string_equal(w->log, "MKKMRC");
    assert_int_equal(w->skipped, 7);
}

static void messages_left_out_without_a_callback_are_told_to_a_later_one(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = framed(f);
    struct watch *w = &f->accepted;
    struct qms_stream_callbacks all;
    struct qms_stream_callbacks old = {.size =
                                           offsetof(struct qms_stream_callbacks, on_skipped)};

    settle(f);
    all = w->st->cb;
    all.size = sizeof(all);
    assert_int_equal(qms_stream_set_callbacks(w->st, &old, w), QMS_OK);
    skips(p, "3");
    settle(f);
    skips(p, "4");
    settle(f);
    assert_string_equal(w->log, "");
    assert_int_equal(skipped_in_all(w->st), 7);
    assert_int_equal(qms_stream_set_callbacks(w->st, &all, w), QMS_OK);
    settle(f);
    assert_string_equal(w->log, "K");
    assert_int_equal(w->skipped, 7);
    assert_int_equal(qms_stream_set_callbacks(w->st, &all, w), QMS_OK);
    settle(f);
    assert_string_equal(w->log, "K");
}

static void release_it(struct watch *w)
{
    qms_stream_release(w->st);
    w->st = NULL;
}

static void on_skipped_may_release(void **state)
{
    struct fixture *f = *state;
    struct peer_stream *p = framed(f);
    struct watch *w = &f->accepted;

    settle(f);
    w->act_on = 'K';
    w->act = release_it;
    skips(p, "2");
    peer_writes(p, "\x03one", false);
    settle(f);
    assert_string_equal(w->log, "K");
    assert_int_equal(p->result, QMS_CODE_REJECTED);
}

static void figures_of_a_stream_add_up(void **state)
{
    struct fixture *f = *state;
    struct watch w = {.keep = true};
    struct qms_stream *st = open_to(f, &w, "b", 0);
    uint64_t v[QMS_STREAM_STAT_COUNT + 2];
    char buf[2];
    size_t len;

    fake_link_hold_acks(f->pair, 0, true);
    write_text(st, "12345");
    settle(f);
    qms_stream_stats(st, v, QMS_STREAM_STAT_COUNT + 2);
    assert_int_equal(v[QMS_STREAM_BYTES_WRITTEN], 5);
    assert_int_equal(v[QMS_STREAM_BYTES_ACKED], 0);
    assert_int_equal(v[QMS_STREAM_SEND_BUFFERED], 5);
    assert_int_equal(v[QMS_STREAM_STAT_COUNT], 0);
    fake_link_hold_acks(f->pair, 0, false);
    peer_answers(f->streams[0], 0, "");
    peer_writes(f->streams[0], "abc", false);
    settle(f);
    assert_int_equal(qms_stream_read(st, buf, 2, &len), QMS_OK);
    qms_stream_stats(st, v, QMS_STREAM_STAT_COUNT);
    assert_int_equal(v[QMS_STREAM_BYTES_ACKED], 5);
    assert_int_equal(v[QMS_STREAM_SEND_BUFFERED], 0);
    assert_int_equal(v[QMS_STREAM_BYTES_RECEIVED], 3);
    assert_int_equal(v[QMS_STREAM_BYTES_READ], 2);
    assert_int_equal(v[QMS_STREAM_RECEIVE_BUFFERED], 1);
    assert_string_equal(qms_stream_stat_name(QMS_STREAM_SEND_CREDIT), "send_credit");
    assert_null(qms_stream_stat_name(QMS_STREAM_STAT_COUNT));
    qms_stream_release(st);
}

static void a_thousand_streams_open_in_one_burst(void **state)
{
    struct fixture *f = *state;
    struct qms_stream *st[1000];

    /* More than the broker's end of the fixture can note: it only has to survive the opening.
     */
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(
            qms_stream_open(f->conn, QMS_KIND_AGENT, "b", 0, 1, NULL, NULL, NULL, &st[i]),
            QMS_OK);
        assert_int_equal(qms_stream_id(st[i]), i);
    }
    for (int i = 0; i < 1000; i++) {
        qms_stream_release(st[i]);
    }
    assert_int_equal(f->conn->stream_count, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(header_fields_reach_the_acceptor),
        QMS_TEST(bad_targets_and_flags_are_refused_at_once),
        QMS_TEST(both_directions_carry_bytes_and_end_on_their_own),
        QMS_TEST(a_write_takes_what_fits_and_writable_follows_the_acknowledgement),
        QMS_TEST(many_small_writes_arrive_whole_and_in_order),
        QMS_TEST(unread_bytes_hold_the_sender_back_until_they_are_consumed),
        QMS_TEST(the_end_waits_until_the_last_byte_is_read),
        QMS_TEST(a_reset_is_not_an_end),
        QMS_TEST(a_reset_with_code_zero_is_still_an_error),
        QMS_TEST(a_reset_drops_unread_bytes_and_gives_their_credit_back),
        QMS_TEST(a_stop_ends_the_sending_direction_with_its_code),
        QMS_TEST(own_reset_and_stop_reach_the_other_side),
        QMS_TEST(a_refusal_tells_status_reason_and_when_to_come_back),
        QMS_TEST(a_refused_unidirectional_stream_is_told_even_when_it_was_acknowledged),
        QMS_TEST(a_unidirectional_stream_closes_well_once_nothing_was_said_against_it),
        QMS_TEST(without_memory_streams_end_with_an_error),
        QMS_TEST(a_stream_from_the_broker_is_accepted_with_meta),
        QMS_TEST(a_rejected_stream_tells_status_and_reason),
        QMS_TEST(a_lent_blob_comes_back_when_it_is_acknowledged),
        QMS_TEST(a_lent_blob_comes_back_once_when_the_stream_is_reset),
        QMS_TEST(priorities_of_living_streams_reach_the_other_side),
        QMS_TEST(messages_that_were_left_out_are_told),
        QMS_TEST(messages_left_out_without_a_callback_are_told_to_a_later_one),
        QMS_TEST(on_skipped_may_release),
        QMS_TEST(figures_of_a_stream_add_up),
        QMS_TEST(a_thousand_streams_open_in_one_burst),
    };
    return cmocka_run_group_tests_name("client_stream", tests, NULL, NULL);
}
