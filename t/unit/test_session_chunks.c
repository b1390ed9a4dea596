/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "proto/session_i.h"
#include "qms_test.h"
#include "session_duo.h"

/* Side a is one whose platform may end its streams by itself; it has said HELLO. */
static int setup(void **state)
{
    struct duo *d = calloc(1, sizeof(*d));

    assert_non_null(d);
    assert_true(duo_init(d, NULL, NULL));
    qms_session_link(d->a.s)->loose_ends = true;
    assert_int_equal(duo_hello(d), QMS_OK);
    duo_settle(d);
    assert_true(qms_session_accepted(d->b.s));
    (void)duo_take(&d->a);
    (void)duo_take(&d->b);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    qms_mem_fail_after(UINT64_MAX);
    duo_fini(*state);
    free(*state);
    return 0;
}

static const struct qms_link_ops *ops(struct qms_session_stream *st)
{
    return st->link_stream->link->ops;
}

/* What the platform does to the stream of a program that is cut off. */
static void cut_off(struct qms_session_stream *st)
{
    ops(st)->finish(st->link_stream);
}

/* Bytes as they stand on the stream. */
static void write_raw(struct qms_session_stream *st, const void *data, size_t len)
{
    struct qms_blob *blob = qms_blob_copy((struct qms_bytes){data, len});

    assert_non_null(blob);
    assert_int_equal(ops(st)->write(st->link_stream, blob, 0, len), QMS_OK);
    qms_blob_unref(blob);
}

static void payload_arrives_whole_in_both_directions(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st = duo_open(&d->a, true, "b", 1);

    d->b.echoes = true;
    assert_int_equal(duo_write(st, "hello "), QMS_OK);
    assert_int_equal(duo_write(st, "world"), QMS_OK);
    qms_session_finish(st);
    qms_session_finish(st); /* once is enough, and twice is no more */
    duo_settle(d);
    assert_string_equal(
        duo_take(&d->b),
        "route 0 agent:b 1\ndata 0 \"hello \"\ndata 0 \"world\"\nfin 0\nclosed 0\n");
    assert_string_equal(duo_take(&d->a),
                        "result 0 ok \ndata 0 \"hello world\"\nfin 0\nclosed 0\n");
    assert_int_equal(d->a.acked, 11);
}

static void it_arrives_whole_byte_by_byte(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st = duo_open(&d->a, false, "b", 1);
    static char text[70001];

    d->b.quiet = true;
    memset(text, 'x', sizeof(text) - 1);
    assert_int_equal(duo_write(st, text), QMS_OK); /* a length of four bytes */
    qms_session_finish(st);
    duo_settle_by(d, 1);
    assert_int_equal(d->b.bytes, sizeof(text) - 1);
    assert_int_equal(d->b.fins, 1);
    assert_int_equal(d->b.closed, 1);
    assert_int_equal(d->a.acked, sizeof(text) - 1);
}

static void a_stream_of_nothing_ends_well(void **state)
{
    struct duo *d = *state;

    qms_session_finish(duo_open(&d->a, false, "b", 1));
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "route 0 agent:b 1\nfin 0\nclosed 0\n");
}

static void what_is_cut_off_is_not_taken_for_the_whole(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st = duo_open(&d->a, false, "b", 1);

    assert_int_equal(duo_write(st, "half"), QMS_OK);
    cut_off(st);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b),
                        "route 0 agent:b 1\ndata 0 \"half\"\nreset 0 peer_gone\nclosed 0\n");

    cut_off(duo_open(&d->a, false, "b", 1)); /* before its first byte */
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "route 1 agent:b 1\nreset 1 peer_gone\nclosed 1\n");

    st = duo_open(&d->a, false, "b", 1); /* inside a chunk */
    write_raw(st,
              "\x05"
              "abc",
              4);
    cut_off(st);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b),
                        "route 2 agent:b 1\ndata 2 \"abc\"\nreset 2 peer_gone\nclosed 2\n");
}

static void the_answer_of_one_that_is_cut_off_is_not_the_whole_either(void **state)
{
    struct duo *d = *state;

    duo_open(&d->b, true, "a", 1);
    duo_settle(d);
    (void)duo_take(&d->b);
    assert_int_equal(duo_write(d->a.last, "half"), QMS_OK);
    cut_off(d->a.last);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "data 0 \"half\"\nreset 0 peer_gone\n");
}

static void a_refusal_has_no_payload_and_needs_no_mark(void **state)
{
    struct duo *d = *state;

    d->a.rejects = QMS_CODE_BUSY;
    duo_open(&d->b, true, "a", 1);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "result 0 busy no\nclosed 0\n");
    assert_int_equal(d->b.oddities, 0);
}

static void a_reset_behind_the_end_changes_nothing(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st = duo_open(&d->a, false, "b", 1);

    write_raw(st,
              "\x02"
              "ok\0",
              4);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "route 0 agent:b 1\ndata 0 \"ok\"\nfin 0\n");
    ops(st)->reset(st->link_stream, QMS_CODE_CANCELLED);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "closed 0\n");
}

static void bytes_behind_the_end_are_malformed(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st = duo_open(&d->a, false, "b", 1);

    write_raw(st,
              "\x01"
              "x\0y",
              4);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b),
                        "route 0 agent:b 1\ndata 0 \"x\"\nreset 0 protocol\nstop 0 "
                        "protocol\nodd malformed_chunk\nclosed 0\n");

    st = duo_open(&d->a, false, "b", 1);
    write_raw(st, "\0", 1);
    duo_settle(d);
    write_raw(st, "late", 4);
    duo_settle(d);
    assert_string_equal(
        duo_take(&d->b),
        "route 1 agent:b 1\nfin 1\nstop 1 protocol\nodd malformed_chunk\nclosed 1\n");
    assert_int_equal(d->b.oddities, 2);
}

static void a_stopped_stream_is_read_to_its_end_in_silence(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st = duo_open(&d->a, false, "b", 1);

    duo_settle(d);
    qms_session_stop(d->b.last, QMS_CODE_CANCELLED);
    assert_int_equal(duo_write(st, "unwanted"), QMS_OK);
    qms_session_finish(st);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "route 0 agent:b 1\nclosed 0\n");
}

static void credit_for_the_marks_comes_back(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st = duo_open(&d->a, false, "b", 1);
    size_t total = 0;

    d->b.quiet = true;
    for (int i = 0; i < 300000; i++) { /* more marks than any window holds */
        assert_int_equal(duo_write(st, "x"), QMS_OK);
        total++;
        if (i % 1000 == 0) {
            duo_settle(d);
        }
    }
    qms_session_finish(st);
    duo_settle(d);
    assert_int_equal(d->b.bytes, total);
    assert_int_equal(d->b.fins, 1);
}

static void a_write_that_fails_for_memory_can_be_repeated(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st = duo_open(&d->a, false, "b", 1);
    struct qms_blob *blob = qms_blob_copy(duo_text("again"));

    duo_settle(d);
    (void)duo_take(&d->b);
    assert_non_null(blob);
    for (uint64_t n = 0;; n++) {
        qms_mem_fail_after(n);
        qms_err err = qms_session_write(st, blob, 0, 5);
        qms_mem_fail_after(UINT64_MAX);
        if (err == QMS_OK) {
            break;
        }
        assert_int_equal(err, QMS_E_NOMEM);
        assert_true(n < 20);
    }
    qms_blob_unref(blob);
    qms_session_finish(st);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "data 0 \"again\"\nfin 0\nclosed 0\n");
}

static void a_form_of_payload_that_is_not_known_is_refused(void **state)
{
    struct qms_control hello = {.type = QMS_MSG_HELLO};
    struct duo d = {0};

    (void)state;
    assert_true(duo_init(&d, NULL, NULL));
    hello.u.hello.min_version = hello.u.hello.max_version = 1;
    hello.u.hello.payload_form = QMS_PAYLOAD_CHUNKS + 1;
    assert_int_equal(qms_session_hello(d.a.s, &hello), QMS_OK);
    duo_settle(&d);
    assert_string_equal(duo_take(&d.a), "refused unsupported unknown form of payload\n"
                                        "end by-peer unsupported \"refused\"\n");
    duo_fini(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(payload_arrives_whole_in_both_directions),
        QMS_TEST(it_arrives_whole_byte_by_byte),
        QMS_TEST(a_stream_of_nothing_ends_well),
        QMS_TEST(what_is_cut_off_is_not_taken_for_the_whole),
        QMS_TEST(the_answer_of_one_that_is_cut_off_is_not_the_whole_either),
        QMS_TEST(a_refusal_has_no_payload_and_needs_no_mark),
        QMS_TEST(a_reset_behind_the_end_changes_nothing),
        QMS_TEST(bytes_behind_the_end_are_malformed),
        QMS_TEST(a_stopped_stream_is_read_to_its_end_in_silence),
        QMS_TEST(credit_for_the_marks_comes_back),
        QMS_TEST(a_write_that_fails_for_memory_can_be_repeated),
        QMS_TEST(a_form_of_payload_that_is_not_known_is_refused),
    };
    return cmocka_run_group_tests_name("session_chunks", tests, NULL, NULL);
}
