/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "proto/session_i.h"
#include "qms_test.h"
#include "session_duo.h"

#define HEAD 8 /* type and ROUTE header of a stream to "b" */

static int teardown(void **state)
{
    duo_fini(*state);
    free(*state);
    return 0;
}

/* Two sessions of which `a` wants RECEIPTs, or not. */
static int connect(void **state, bool wants)
{
    struct duo *d = calloc(1, sizeof(*d));

    assert_non_null(d);
    assert_true(duo_init(d, NULL, NULL));
    fake_pair_link(d->pair, 0)->wants_receipts = wants;
    assert_int_equal(duo_hello(d), QMS_OK);
    duo_settle(d);
    *state = d;
    return 0;
}

static int setup(void **state)
{
    return connect(state, true);
}

static int setup_without(void **state)
{
    return connect(state, false);
}

static void write_zeroes(struct qms_session_stream *st, size_t len)
{
    struct qms_blob *blob = qms_blob_new(len);

    assert_non_null(blob);
    blob->len = (uint32_t)len;
    memset(blob->data, 0, len);
    assert_int_equal(qms_session_write(st, blob, 0, len), QMS_OK);
    qms_blob_unref(blob);
}

static struct qms_session_stream *one_way(struct duo *d)
{
    return duo_open(&d->a, false, "b", 16);
}

static uint64_t told(const struct qms_session_stream *st)
{
    return fake_stream_told(st->link_stream);
}

static void both_sides_agree_in_hello_and_welcome(void **state)
{
    struct duo *d = *state;

    assert_true(qms_session_link(d->a.s)->has_receipts);
    assert_false(qms_session_link(d->b.s)->has_receipts);
    assert_int_equal(d->b.s->caps, QMS_CAP_RECEIPTS);
    assert_int_equal(d->a.s->caps, QMS_CAP_RECEIPTS);
}

static void who_does_not_ask_gets_none(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st = one_way(d);

    assert_false(qms_session_link(d->a.s)->has_receipts);
    write_zeroes(st, 40000);
    duo_settle(d);
    assert_int_equal(told(st), 0);
    assert_int_equal(d->b.s->control_written, d->b.s->control_acked);
    assert_int_equal(qms_list_empty(&d->b.s->untold), true);
}

static void a_stream_is_told_of_after_16_kib_and_at_its_end(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st = one_way(d);

    write_zeroes(st, 16383 - HEAD);
    duo_settle(d);
    assert_int_equal(told(st), 0);
    write_zeroes(st, 1);
    duo_settle(d);
    assert_int_equal(told(st), 16384);
    write_zeroes(st, 5);
    duo_settle(d);
    assert_int_equal(told(st), 16384);
    fake_link_hold_acks(d->pair, 1, true); /* the stream stays to be looked at */
    fake_link_hold_acks(d->pair, 0, true);
    qms_session_finish(st);
    duo_settle(d);
    assert_int_equal(told(st), 16389);
    assert_int_equal(d->b.s->untold_bytes, 0);
}

static void all_streams_are_told_of_after_32_kib_together(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st[4];

    for (size_t i = 0; i < 4; i++) {
        st[i] = one_way(d);
        write_zeroes(st[i], 8192 - HEAD - (i == 3));
    }
    duo_settle(d);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(told(st[i]), 0);
    }
    write_zeroes(st[1], 1);
    duo_settle(d);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(told(st[i]), 8192 + (i == 1) - (i == 3));
    }
    assert_int_equal(d->b.s->untold_bytes, 0);
}

static void the_acceptors_direction_is_told_of_too(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st;

    duo_open(&d->b, true, "a1", 16);
    duo_settle(d);
    st = d->a.last; /* has sent its RESULT, 2 bytes */
    assert_false(st->opener);
    write_zeroes(st, 16382);
    duo_settle(d);
    assert_int_equal(told(st), 16384);
}

static void streams_that_were_held_before_welcome_are_told_of_at_their_end(void **state)
{
    struct duo d = {0};
    struct qms_session_stream *st;

    (void)state;
    assert_true(duo_init(&d, NULL, NULL));
    fake_pair_link(d.pair, 0)->wants_receipts = true;
    d.b.holds_hello = true;
    assert_int_equal(duo_hello(&d), QMS_OK);
    st = duo_open(&d.a, true, "b", 16);
    write_zeroes(st, 100);
    qms_session_finish(st);
    duo_settle(&d);
    assert_int_equal(told(st), 0);
    assert_int_equal(qms_session_welcome(
                         d.b.s, &(struct qms_control){.u.welcome = {.agent_id = duo_text("a1"),
                                                                    .max_header = 4096}}),
                     QMS_OK);
    duo_settle(&d);
    assert_int_equal(told(st), HEAD + 100);
    duo_fini(&d);
}

/* Nothing of CONTROL is acknowledged: its queue fills until the RECEIPT finds no room. */
static void what_found_no_room_is_told_when_there_is_some(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st = one_way(d);
    struct qms_control ping = {.type = QMS_MSG_PING};

    duo_settle(d);
    fake_link_hold_acks(d->pair, 0, true);
    while (qms_session_send(d->b.s, &ping) == QMS_OK) {
    }
    write_zeroes(st, 20000);
    fake_link_pump(d->pair, 0);
    fake_link_pump(d->pair, 0);
    assert_true(d->b.s->receipts_owed);
    assert_int_equal(told(st), 0);
    fake_link_hold_acks(d->pair, 0, false);
    duo_settle(d);
    assert_false(d->b.s->receipts_owed);
    assert_int_equal(told(st), HEAD + 20000);
}

static void a_stream_that_ends_untold_leaves_nothing_behind(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st = one_way(d);

    write_zeroes(st, 1000);
    duo_settle(d);
    assert_int_equal(d->b.s->untold_bytes, HEAD + 1000);
    qms_session_reset(st, 0x90);
    duo_settle(d);
    assert_int_equal(d->b.closed, 1);
    assert_int_equal(d->b.s->untold_bytes, 0);
    assert_true(qms_list_empty(&d->b.s->untold));
}

static void a_receipt_of_an_unknown_stream_is_ignored(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_RECEIPT, .u.receipt = {.handle = 77, .len = 5}};

    assert_int_equal(qms_session_send(d->b.s, &m), QMS_E_INVALID); /* the session's own */
    assert_int_equal(qms_session_control_write(d->b.s, &m), QMS_OK);
    m.u.receipt.opener = 1;
    assert_int_equal(qms_session_control_write(d->b.s, &m), QMS_OK);
    duo_settle(d);
    assert_false(d->a.ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_sides_agree_in_hello_and_welcome, setup, teardown),
        cmocka_unit_test_setup_teardown(who_does_not_ask_gets_none, setup_without, teardown),
        cmocka_unit_test_setup_teardown(a_stream_is_told_of_after_16_kib_and_at_its_end, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(all_streams_are_told_of_after_32_kib_together, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_acceptors_direction_is_told_of_too, setup,
                                        teardown),
        cmocka_unit_test(streams_that_were_held_before_welcome_are_told_of_at_their_end),
        cmocka_unit_test_setup_teardown(what_found_no_room_is_told_when_there_is_some, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_stream_that_ends_untold_leaves_nothing_behind, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_receipt_of_an_unknown_stream_is_ignored, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
