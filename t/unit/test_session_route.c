/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "qms_test.h"
#include "session_duo.h"

static int setup(void **state)
{
    struct duo *d = calloc(1, sizeof(*d));

    assert_non_null(d);
    duo_connect(d, NULL);
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    duo_fini(*state);
    free(*state);
    return 0;
}

static void a_route_reaches_the_other_side_with_its_payload_and_result(void **state)
{
    struct duo *d = *state;

    assert_int_equal(duo_write(duo_open(&d->a, true, "b", 16), "hello"), QMS_OK);
    qms_session_finish(d->a.last);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "route 0 agent:b 16\ndata 0 \"hello\"\nfin 0\n");
    assert_string_equal(duo_take(&d->a), "result 0 ok \n");
    assert_int_equal(duo_write(d->b.last, "answer"), QMS_OK);
    qms_session_finish(d->b.last);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "data 0 \"answer\"\nfin 0\nclosed 0\n");
    assert_string_equal(duo_take(&d->b), "closed 0\n");
    assert_int_equal(d->a.acked, 5); /* the header does not count */
    assert_int_equal(d->b.acked, 6); /* nor does the RESULT */
}

static void it_all_passes_one_byte_at_a_time(void **state)
{
    struct duo *d = *state;

    d->b.echoes = true;
    assert_int_equal(duo_write(duo_open(&d->a, true, "b", 16), "xyz"), QMS_OK);
    qms_session_finish(d->a.last);
    duo_settle_by(d, 1);
    assert_string_equal(duo_take(&d->b), "route 0 agent:b 16\ndata 0 \"x\"\ndata 0 \"y\"\n"
                                         "data 0 \"z\"\nfin 0\nclosed 0\n");
    assert_string_equal(duo_take(&d->a), "result 0 ok \ndata 0 \"x\"\ndata 0 \"y\"\n"
                                         "data 0 \"z\"\nfin 0\nclosed 0\n");
}

static void the_accepting_side_opens_routes_that_name_their_source(void **state)
{
    struct duo *d = *state;
    struct qms_route_header h = {.kind = QMS_KIND_AGENT, .priority = 200};
    struct qms_session_stream *st;

    h.target = duo_text("a1");
    h.source = duo_text("c");
    assert_int_equal(qms_session_open(d->b.s, true, &h, NULL, &st), QMS_OK);
    assert_int_equal(st->handle, 0);
    duo_settle_by(d, 3);
    assert_string_equal(duo_take(&d->a), "route 0 agent:a1 200 from c\n");
    assert_string_equal(duo_take(&d->b), "result 0 ok \n");
    assert_int_equal(qms_session_open(d->a.s, true, &h, NULL, &st), QMS_E_INVALID);
}

static void a_unidirectional_route_needs_no_result(void **state)
{
    struct duo *d = *state;

    assert_int_equal(duo_write(duo_open(&d->a, false, "b", 1), "one way"), QMS_OK);
    qms_session_finish(d->a.last);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b),
                        "route 0 agent:b 1\ndata 0 \"one way\"\nfin 0\nclosed 0\n");
    assert_string_equal(duo_take(&d->a), "closed 0\n");
}

static void handles_count_up_over_both_kinds(void **state)
{
    struct duo *d = *state;

    duo_open(&d->a, true, "b", 1);
    duo_open(&d->a, false, "b", 1);
    duo_open(&d->a, true, "b", 1);
    assert_int_equal(d->a.last->handle, 2);
    duo_settle(d);
    assert_int_equal(d->b.routes, 3);
}

static void a_refused_route_ends_by_itself(void **state)
{
    struct duo *d = *state;

    d->b.rejects = QMS_CODE_OFFLINE;
    assert_int_equal(duo_write(duo_open(&d->a, true, "b", 1), "wasted"), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "result 0 offline no\nclosed 0\n");
    assert_string_equal(duo_take(&d->b), "route 0 agent:b 1\nclosed 0\n");
    assert_int_equal(fake_link_streams(d->pair, 0), 1); /* CONTROL */
    assert_int_equal(fake_link_streams(d->pair, 1), 1);
}

static void a_refused_route_cannot_be_written_to(void **state)
{
    struct duo *d = *state;

    d->b.rejects = QMS_CODE_OFFLINE;
    duo_open(&d->a, true, "b", 1);
    for (int i = 0; i < 10 && d->a.results == 0; i++) {
        fake_link_pump(d->pair, 0);
    }
    assert_int_equal(d->a.refused, 1);
    assert_int_equal(duo_write(d->a.last, "x"), QMS_E_CLOSED);
}

static void a_refused_unidirectional_route_is_told_exactly_once(void **state)
{
    struct duo *d = *state;

    d->b.rejects = QMS_CODE_FORBIDDEN;
    assert_int_equal(duo_write(duo_open(&d->a, false, "b", 1), "wasted"), QMS_OK);
    duo_settle(d);
    /* STREAM_STATUS goes first, by its urgency, and brings the reason. */
    assert_string_equal(duo_take(&d->a), "result 0 forbidden no\nclosed 0\n");
    assert_string_equal(duo_take(&d->b), "route 0 agent:b 1\nclosed 0\n");
}

static void a_stopped_unidirectional_route_is_refused_on_control_too(void **state)
{
    struct duo *d = *state;

    assert_int_equal(duo_write(duo_open(&d->a, false, "b", 1), "x"), QMS_OK);
    duo_settle(d);
    qms_session_stop(d->b.last, QMS_CODE_BUSY);
    duo_settle_by(d, 1); /* the status message is longer than one byte, so STOP wins */
    assert_string_equal(duo_take(&d->a), "result 0 busy \nclosed 0\ncontrol 19\n");
    assert_int_equal(d->a.results, 1);
}

static void a_status_of_a_living_route_is_a_stop_and_told_once(void **state)
{
    struct duo *d = *state;

    qms_session_link(d->b.s)->quiet_stops = true;
    duo_open(&d->a, true, "b", 1);
    duo_settle(d);
    (void)duo_take(&d->a);
    qms_session_stop(d->b.last, QMS_CODE_BUSY); /* STOP_SENDING and STREAM_STATUS */
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "stop 0 busy\n");

    duo_open(&d->a, true, "b", 1);
    duo_settle(d);
    (void)duo_take(&d->a);
    assert_int_equal(qms_session_stream_status(d->b.last, 0x85, NULL), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "stop 1 application\n");
}

static void no_result_is_neither_sent_nor_expected(void **state)
{
    struct duo *d = *state;
    struct qms_route_header h = {.kind = QMS_KIND_SELF, .flags = QMS_ROUTE_NO_RESULT};
    struct qms_session_stream *st;

    assert_int_equal(qms_session_open(d->a.s, true, &h, NULL, &st), QMS_OK);
    duo_settle(d);
    assert_int_equal(duo_write(d->b.last, "at once"), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "data 0 \"at once\"\n");

    d->b.rejects = QMS_CODE_BUSY;
    assert_int_equal(qms_session_open(d->a.s, true, &h, NULL, &st), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "stop 1 busy\nreset 1 busy\nclosed 1\n");
}

static void flags_of_the_header_reach_the_acceptor(void **state)
{
    struct duo *d = *state;
    struct qms_route_header h = {.kind = QMS_KIND_SELF,
                                 .flags = QMS_ROUTE_IDEMPOTENT | QMS_ROUTE_FRAMED};
    struct qms_session_stream *st;

    assert_int_equal(qms_session_open(d->a.s, true, &h, NULL, &st), QMS_OK);
    duo_settle(d);
    assert_int_equal(d->b.last->flags, QMS_ROUTE_IDEMPOTENT | QMS_ROUTE_FRAMED);
}

static void the_acceptor_answers_once_and_before_its_payload(void **state)
{
    struct duo *d = *state;
    struct qms_result r = {.status = QMS_CODE_OK};

    d->b.holds_result = true;
    duo_open(&d->a, true, "b", 1);
    duo_settle(d);
    assert_int_equal(duo_write(d->b.last, "early"), QMS_E_STATE);
    assert_int_equal(qms_session_result(d->a.last, &r), QMS_E_STATE);
    r.status = 256;
    assert_int_equal(qms_session_result(d->b.last, &r), QMS_E_INVALID);
    r.status = QMS_CODE_OK;
    assert_int_equal(qms_session_result(d->b.last, &r), QMS_OK);
    assert_int_equal(qms_session_result(d->b.last, &r), QMS_E_STATE);
    assert_int_equal(duo_write(d->b.last, "now"), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "result 0 ok \ndata 0 \"now\"\n");
}

static void a_result_may_wait_while_the_payload_flows(void **state)
{
    struct duo *d = *state;
    struct qms_result r = {.status = 0x99};

    d->b.holds_result = true;
    assert_int_equal(duo_write(duo_open(&d->a, true, "b", 1), "much"), QMS_OK);
    duo_settle(d);
    duo_advance(d, 3600 * QMS_SECOND);
    r.reason = duo_text("after an hour");
    assert_int_equal(qms_session_result(d->b.last, &r), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "result 0 application after an hour\nclosed 0\n");
}

static void resets_and_stops_carry_their_codes(void **state)
{
    struct duo *d = *state;

    duo_open(&d->a, true, "b", 1);
    duo_settle(d);
    duo_take(&d->a), duo_take(&d->b);
    qms_session_reset(d->a.last, 0x80);
    qms_session_stop(d->a.last, QMS_CODE_CANCELLED);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "stop 0 cancelled\nreset 0 application\nclosed 0\n");
    assert_string_equal(duo_take(&d->a), "closed 0\n");
}

static void codes_above_one_byte_count_as_cancelled(void **state)
{
    struct duo *d = *state;

    duo_open(&d->a, true, "b", 1);
    duo_settle(d);
    duo_take(&d->b);
    struct qms_link_stream *ls = d->a.last->link_stream;
    ls->link->ops->reset(ls, 0x100);
    ls->link->ops->stop(ls, UINT64_C(1) << 60);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "stop 0 cancelled\nreset 0 cancelled\nclosed 0\n");
}

static void a_reset_in_the_header_is_not_told(void **state)
{
    struct duo *d = *state;

    duo_open(&d->a, true, "b", 1);
    fake_link_pump(d->pair, 3);
    qms_session_reset(d->a.last, 0x80);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "");
    assert_string_equal(duo_take(&d->a), "reset 0 cancelled\nclosed 0\n");
    assert_int_equal(fake_link_streams(d->pair, 1), 1);
}

static void a_stop_that_comes_before_the_header_is_told_after_it(void **state)
{
    struct duo *d = *state;

    duo_open(&d->a, true, "b", 1);
    fake_link_pump(d->pair, 3);
    qms_session_stop(d->a.last, 0x81);
    duo_settle_by(d, 1);
    assert_string_equal(duo_take(&d->b), "route 0 agent:b 1\nstop 0 application\n");
}

static void a_stop_before_the_result_is_told_behind_it(void **state)
{
    struct duo *d = *state;
    struct qms_result r = {.status = QMS_CODE_OK};

    d->b.holds_result = true;
    duo_open(&d->a, true, "b", 1);
    duo_settle(d);
    qms_session_stop(d->b.last, QMS_CODE_SLOW_CONSUMER);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "");
    assert_int_equal(duo_write(d->a.last, "x"), QMS_E_CLOSED);
    assert_int_equal(qms_session_result(d->b.last, &r), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "result 0 ok \nstop 0 slow_consumer\n");
}

static void a_stop_behind_a_reset_in_place_of_the_result_is_told(void **state)
{
    struct duo *d = *state;

    d->b.holds_result = true;
    duo_open(&d->a, true, "b", 1);
    duo_settle(d);
    qms_session_reset(d->b.last, QMS_CODE_SLOW_CONSUMER);
    duo_settle(d);
    qms_session_stop(d->b.last, QMS_CODE_SLOW_CONSUMER);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a),
                        "reset 0 slow_consumer\nstop 0 slow_consumer\nclosed 0\n");
}

static void payload_is_credited_only_by_consume(void **state)
{
    struct duo *d = *state;
    static char block[65536];

    memset(block, 'x', sizeof(block) - 1);
    d->b.holds_credit = d->b.quiet = true;
    assert_int_equal(duo_write(duo_open(&d->a, false, "b", 1), block), QMS_OK);
    assert_int_equal(duo_write(d->a.last, block), QMS_OK);
    duo_settle(d);
    assert_int_equal(d->b.bytes, 65536); /* the header was credited, so a full window */
    assert_int_equal(fake_link_unconsumed(d->pair, 1), 65536);
    qms_session_consume(d->b.last, 1000);
    duo_settle(d);
    assert_int_equal(d->b.bytes, 66536);
}

static void a_stopped_stream_delivers_nothing_more(void **state)
{
    struct duo *d = *state;

    assert_int_equal(duo_write(duo_open(&d->a, true, "b", 1), "one"), QMS_OK);
    duo_settle(d);
    qms_session_stop(d->b.last, QMS_CODE_OK);
    assert_int_equal(duo_write(d->a.last, "two"), QMS_OK);
    duo_take(&d->b);
    fake_link_pump(d->pair, 0);
    assert_string_equal(duo_take(&d->b), "");
    assert_int_equal(fake_link_unconsumed(d->pair, 1), 0);
}

static void stop_in_on_route(struct qms_session_stream *st)
{
    qms_session_stop(st, QMS_CODE_BUSY);
    qms_session_reset(st, QMS_CODE_BUSY);
}

static void payload_behind_the_header_of_a_stopped_stream_is_credited(void **state)
{
    struct duo *d = *state;

    d->b.on_route = stop_in_on_route;
    assert_int_equal(duo_write(duo_open(&d->a, true, "b", 1), "unwanted"), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "route 0 agent:b 1\nclosed 0\n");
    assert_string_equal(duo_take(&d->a), "stop 0 busy\nreset 0 busy\nclosed 0\n");
}

static void close_in_on_route(struct qms_session_stream *st)
{
    qms_session_close(st->session, QMS_CODE_RATE_LIMITED, "enough");
}

static void a_session_may_be_closed_from_an_event(void **state)
{
    struct duo *d = *state;

    d->b.on_route = close_in_on_route;
    assert_int_equal(duo_write(duo_open(&d->a, true, "b", 1), "x"), QMS_OK);
    qms_session_finish(d->a.last);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b),
                        "route 0 agent:b 1\nclosed 0\nend here rate_limited \"enough\"\n");
    assert_string_equal(duo_take(&d->a), "closed 0\nend by-peer rate_limited \"enough\"\n");
}

static void a_header_that_is_too_slow_times_out_alone(void **state)
{
    struct duo *d = *state;

    duo_open(&d->a, true, "b", 1);
    fake_link_pump(d->pair, 3);
    fake_stream_hold(d->a.last->link_stream, true);
    duo_advance(d, 4 * QMS_SECOND);
    duo_open(&d->a, true, "c", 1);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "route 1 agent:c 1\n");
    duo_advance(d, QMS_SECOND - 1);
    assert_string_equal(duo_take(&d->b), "");
    duo_advance(d, 1);
    assert_string_equal(duo_take(&d->b), "odd header_timeout\n");
    assert_string_equal(duo_take(&d->a), "result 1 ok \nstop 0 timeout\nreset 0 timeout\n");
    assert_false(d->b.ended);
}

static void a_largest_header_passes_a_small_window(void **state)
{
    struct fake_config config = fake_config_default;
    static uint8_t token[QMS_ROUTE_HEADER_MAX];
    struct qms_route_header h = {.kind = QMS_KIND_SELF};
    struct qms_session_stream *st;
    struct duo d;

    (void)state;
    config.window = 100;
    duo_connect(&d, &config);
    h.stream_token = (struct qms_bytes){token, sizeof(token)};
    assert_int_equal(qms_session_open(d.a.s, true, &h, NULL, &st), QMS_E_TOO_LARGE);
    assert_int_equal(fake_link_streams(d.pair, 0), 1);
    h.stream_token.len = 4088; /* flags, priority, kind, handle, target; type and length */
    assert_int_equal(qms_session_open(d.a.s, true, &h, NULL, &st), QMS_OK);
    assert_int_equal(duo_write(st, "!"), QMS_OK);
    duo_settle(&d);
    assert_string_equal(duo_take(&d.b), "route 0 self: 0\ndata 0 \"!\"\n");
    duo_fini(&d);
}

static void a_topic_takes_unidirectional_routes_only(void **state)
{
    struct duo *d = *state;
    struct qms_route_header h = {.kind = QMS_KIND_TOPIC};
    struct qms_session_stream *st;

    h.target = duo_text("news");
    assert_int_equal(qms_session_open(d->a.s, true, &h, NULL, &st), QMS_E_INVALID);
    assert_int_equal(qms_session_open(d->a.s, false, &h, NULL, &st), QMS_OK);
}

static void routes_need_hello_or_welcome_first(void **state)
{
    struct duo d;
    struct qms_route_header h = {.kind = QMS_KIND_SELF};
    struct qms_session_stream *st;

    (void)state;
    assert_true(duo_init(&d, NULL, NULL));
    assert_int_equal(qms_session_open(d.a.s, true, &h, NULL, &st), QMS_E_STATE);
    assert_int_equal(qms_session_open(d.b.s, true, &h, NULL, &st), QMS_E_STATE);
    duo_fini(&d);
}

static void opening_beyond_the_links_patience_says_so(void **state)
{
    struct fake_config config = fake_config_default;
    struct qms_route_header h = {.kind = QMS_KIND_SELF};
    struct qms_session_stream *st;
    struct duo d;

    (void)state;
    config.streams_bidi = 3; /* CONTROL is one */
    config.waiting_streams = 4;
    duo_connect(&d, &config);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(qms_session_open(d.a.s, true, &h, NULL, &st), QMS_OK);
    }
    assert_int_equal(qms_session_open(d.a.s, true, &h, NULL, &st), QMS_E_LIMIT);
    duo_settle(&d);
    assert_int_equal(d.b.routes, 2);
    assert_int_equal(qms_session_open(d.a.s, true, &h, NULL, &st), QMS_OK);
    assert_int_equal(st->handle, 4); /* the refused one took no handle */
    duo_fini(&d);
}

#define MANY 1500

static void a_thousand_streams_run_at_once(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *all[MANY];

    d->b.echoes = d->a.quiet = d->b.quiet = true;
    for (int i = 0; i < MANY; i++) {
        all[i] = duo_open(&d->a, true, "b", (uint8_t)(i % 256));
        assert_non_null(all[i]);
        assert_int_equal(duo_write(all[i], "a line of text"), QMS_OK);
    }
    duo_settle_by(d, 7);
    assert_int_equal(d->b.routes, MANY);
    assert_int_equal(d->a.accepted, MANY);
    assert_int_equal(fake_link_streams(d->pair, 0), MANY + 1);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(qms_session_set_priority(all[i], 3, 9, 10), QMS_OK);
        qms_session_finish(all[i]);
    }
    duo_settle(d);
    assert_int_equal(d->a.bytes, MANY * 14);
    assert_int_equal(d->a.closed, MANY);
    assert_int_equal(d->b.closed, MANY);
    assert_int_equal(d->a.oddities + d->b.oddities, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(a_route_reaches_the_other_side_with_its_payload_and_result),
        QMS_TEST(it_all_passes_one_byte_at_a_time),
        QMS_TEST(the_accepting_side_opens_routes_that_name_their_source),
        QMS_TEST(a_unidirectional_route_needs_no_result),
        QMS_TEST(handles_count_up_over_both_kinds),
        QMS_TEST(a_refused_route_ends_by_itself),
        QMS_TEST(a_refused_route_cannot_be_written_to),
        QMS_TEST(a_refused_unidirectional_route_is_told_exactly_once),
        QMS_TEST(a_stopped_unidirectional_route_is_refused_on_control_too),
        QMS_TEST(a_status_of_a_living_route_is_a_stop_and_told_once),
        QMS_TEST(no_result_is_neither_sent_nor_expected),
        QMS_TEST(flags_of_the_header_reach_the_acceptor),
        QMS_TEST(the_acceptor_answers_once_and_before_its_payload),
        QMS_TEST(a_result_may_wait_while_the_payload_flows),
        QMS_TEST(resets_and_stops_carry_their_codes),
        QMS_TEST(codes_above_one_byte_count_as_cancelled),
        QMS_TEST(a_reset_in_the_header_is_not_told),
        QMS_TEST(a_stop_that_comes_before_the_header_is_told_after_it),
        QMS_TEST(a_stop_before_the_result_is_told_behind_it),
        QMS_TEST(a_stop_behind_a_reset_in_place_of_the_result_is_told),
        QMS_TEST(payload_is_credited_only_by_consume),
        QMS_TEST(a_stopped_stream_delivers_nothing_more),
        QMS_TEST(payload_behind_the_header_of_a_stopped_stream_is_credited),
        QMS_TEST(a_session_may_be_closed_from_an_event),
        QMS_TEST(a_header_that_is_too_slow_times_out_alone),
        QMS_TEST(a_largest_header_passes_a_small_window),
        QMS_TEST(a_topic_takes_unidirectional_routes_only),
        QMS_TEST(routes_need_hello_or_welcome_first),
        QMS_TEST(opening_beyond_the_links_patience_says_so),
        QMS_TEST(a_thousand_streams_run_at_once),
    };
    return cmocka_run_group_tests_name("session_route", tests, NULL, NULL);
}
