/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "proto/session_i.h"
#include "qms_test.h"
#include "session_duo.h"

static int setup(void **state)
{
    struct duo *d = calloc(1, sizeof(*d));

    assert_non_null(d);
    assert_true(duo_init(d, NULL, NULL));
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    duo_fini(*state);
    free(*state);
    return 0;
}

static void connect_both(struct duo *d)
{
    assert_int_equal(duo_hello(d), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "welcome a1\n");
    assert_string_equal(duo_take(&d->b), "hello a1\n");
}

static void hello_is_answered_by_welcome(void **state)
{
    struct duo *d = *state;

    assert_false(qms_session_accepted(d->a.s));
    connect_both(d);
    assert_true(qms_session_accepted(d->a.s));
    assert_true(qms_session_accepted(d->b.s));
    assert_int_equal(qms_session_next_at(d->a.s), QMS_NEVER);
    assert_int_equal(qms_session_next_at(d->b.s), QMS_NEVER);
}

static void hello_and_welcome_pass_one_byte_at_a_time(void **state)
{
    struct duo *d = *state;

    assert_int_equal(duo_hello(d), QMS_OK);
    duo_settle_by(d, 1);
    assert_string_equal(duo_take(&d->a), "welcome a1\n");
    assert_string_equal(duo_take(&d->b), "hello a1\n");
    assert_int_equal(fake_link_unconsumed(d->pair, 0), 0);
    assert_int_equal(fake_link_unconsumed(d->pair, 1), 0);
}

static void hello_may_be_said_once_and_by_the_connecting_side_only(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_HELLO};

    assert_int_equal(duo_hello(d), QMS_OK);
    assert_int_equal(duo_hello(d), QMS_E_STATE);
    assert_int_equal(qms_session_hello(d->b.s, &m), QMS_E_STATE);
    assert_int_equal(qms_session_welcome(d->b.s, &m), QMS_E_STATE);
}

static void a_hello_that_cannot_be_encoded_leaves_nothing_behind(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_HELLO};

    m.u.hello.min_version = m.u.hello.max_version = 1;
    m.u.hello.agent_id = duo_text("not a name");
    assert_int_equal(qms_session_hello(d->a.s, &m), QMS_E_INVALID);
    assert_int_equal(fake_link_streams(d->pair, 0), 0);
    connect_both(d);
}

static void a_large_credential_fits(void **state)
{
    struct duo *d = *state;
    static uint8_t token[QMS_AUTH_MAX + 1];
    struct qms_control m = {.type = QMS_MSG_HELLO};

    m.u.hello.min_version = m.u.hello.max_version = 1;
    m.u.hello.auth_scheme = QMS_AUTH_JWT;
    m.u.hello.auth = (struct qms_bytes){token, sizeof(token)};
    assert_int_equal(qms_session_hello(d->a.s, &m), QMS_E_TOO_LARGE);
    m.u.hello.auth.len--;
    m.u.hello.agent_id = duo_text("a1");
    assert_int_equal(qms_session_hello(d->a.s, &m), QMS_OK);
    duo_settle_by(d, 100);
    assert_string_equal(duo_take(&d->b), "hello a1\n");
}

static void a_refusal_arrives_before_the_link_closes(void **state)
{
    struct duo *d = *state;

    d->b.refuses = QMS_CODE_UNAUTHENTICATED;
    assert_int_equal(duo_hello(d), QMS_OK);
    duo_settle_by(d, 3);
    assert_string_equal(duo_take(&d->a), "refused unauthenticated go away\n"
                                         "end by-peer unauthenticated \"refused\"\n");
    assert_string_equal(duo_take(&d->b), "hello a1\nend here unauthenticated \"refused\"\n");
}

static void a_refusal_that_is_never_acknowledged_closes_all_the_same(void **state)
{
    struct duo *d = *state;

    d->b.refuses = QMS_CODE_BUSY;
    fake_link_hold_acks(d->pair, 1, true);
    assert_int_equal(duo_hello(d), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "refused busy go away\n");
    assert_false(d->b.ended);
    duo_advance(d, 2 * QMS_SECOND);
    assert_true(d->b.ended);
    assert_true(d->a.ended);
}

static void versions_without_a_common_one_are_refused(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_HELLO};

    m.u.hello.min_version = 2;
    m.u.hello.max_version = 9;
    assert_int_equal(qms_session_hello(d->a.s, &m), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "refused unsupported no common protocol version\n"
                                         "end by-peer unsupported \"refused\"\n");
    assert_string_equal(duo_take(&d->b), "end here unsupported \"refused\"\n");
}

static void a_range_of_versions_with_ours_in_it_is_welcome(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_HELLO};

    m.u.hello.min_version = 0;
    m.u.hello.max_version = 9;
    m.u.hello.agent_id = duo_text("a1");
    assert_int_equal(qms_session_hello(d->a.s, &m), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "welcome a1\n");
}

static void silence_instead_of_hello_closes_after_five_seconds(void **state)
{
    struct duo *d = *state;

    duo_settle(d);
    assert_int_equal(qms_session_next_at(d->b.s), fake_link_now(d->pair) + 5 * QMS_SECOND);
    duo_advance(d, 5 * QMS_SECOND - 1);
    assert_false(d->b.ended);
    duo_advance(d, 1);
    assert_string_equal(duo_take(&d->b), "end here timeout \"no HELLO in time\"\n");
    assert_string_equal(duo_take(&d->a), "end by-peer timeout \"no HELLO in time\"\n");
}

static void half_a_hello_does_not_stop_the_clock(void **state)
{
    struct duo *d = *state;

    assert_int_equal(duo_hello(d), QMS_OK);
    for (int i = 0; i < 5; i++) {
        fake_link_pump(d->pair, 1);
    }
    fake_link_advance(d->pair, 5 * QMS_SECOND);
    qms_session_expire(d->b.s, fake_link_now(d->pair));
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "end here timeout \"no HELLO in time\"\n");
}

static void an_authenticator_may_take_its_time(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_WELCOME};

    d->b.holds_hello = true;
    assert_int_equal(duo_hello(d), QMS_OK);
    duo_settle(d);
    duo_advance(d, 60 * QMS_SECOND);
    assert_false(d->b.ended);
    m.u.welcome.agent_id = duo_text("given");
    assert_int_equal(qms_session_welcome(d->b.s, &m), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "welcome given\n");
}

static void routes_before_welcome_are_held_and_then_come_in_order(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_WELCOME};

    d->b.holds_hello = true;
    assert_int_equal(duo_hello(d), QMS_OK);
    assert_int_equal(duo_write(duo_open(&d->a, false, "x", 9), "one"), QMS_OK);
    assert_int_equal(duo_write(duo_open(&d->a, true, "y", 9), "two"), QMS_OK);
    qms_session_finish(d->a.last);
    duo_settle_by(d, 2);
    assert_string_equal(duo_take(&d->b), "hello a1\n");
    assert_true(fake_link_unconsumed(d->pair, 1) > 0);

    m.u.welcome.agent_id = duo_text("a1");
    assert_int_equal(qms_session_welcome(d->b.s, &m), QMS_OK);
    assert_string_equal(duo_take(&d->b), ""); /* an operation runs no event */
    assert_int_equal(qms_session_next_at(d->b.s), fake_link_now(d->pair));
    qms_session_expire(d->b.s, fake_link_now(d->pair));
    assert_string_equal(duo_take(&d->b), "route 0 agent:x 9\ndata 0 \"one\"\n"
                                         "route 1 agent:y 9\ndata 1 \"two\"\nfin 1\n");
    assert_int_equal(qms_session_next_at(d->b.s), QMS_NEVER);
    duo_settle(d);
    assert_int_equal(fake_link_unconsumed(d->pair, 1), 0);
    assert_string_equal(duo_take(&d->a), "welcome a1\nresult 1 ok \n");
}

static void bytes_that_follow_between_welcome_and_release_keep_their_order(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_WELCOME};

    d->b.holds_hello = true;
    assert_int_equal(duo_hello(d), QMS_OK);
    assert_int_equal(duo_write(duo_open(&d->a, false, "x", 9), "one"), QMS_OK);
    duo_settle(d);
    m.u.welcome.agent_id = duo_text("a1");
    assert_int_equal(qms_session_welcome(d->b.s, &m), QMS_OK);
    assert_int_equal(duo_write(d->a.last, "two"), QMS_OK);
    duo_take(&d->b);
    fake_link_pump(d->pair, 0);
    assert_string_equal(duo_take(&d->b), "route 0 agent:x 9\ndata 0 \"one\"\ndata 0 \"two\"\n");
}

/* The link is over with such a stream as soon as its FIN is here. */
static void a_whole_stream_before_welcome_is_not_lost(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_WELCOME};

    d->b.holds_hello = true;
    assert_int_equal(duo_hello(d), QMS_OK);
    assert_int_equal(duo_write(duo_open(&d->a, false, "x", 9), "one"), QMS_OK);
    qms_session_finish(d->a.last);
    duo_settle(d);
    assert_int_equal(fake_link_streams(d->pair, 1), 1); /* CONTROL */
    assert_string_equal(duo_take(&d->b), "hello a1\n");
    m.u.welcome.agent_id = duo_text("a1");
    assert_int_equal(qms_session_welcome(d->b.s, &m), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b),
                        "route 0 agent:x 9\ndata 0 \"one\"\nfin 0\nclosed 0\n");
    assert_string_equal(duo_take(&d->a), "closed 0\nwelcome a1\n");
}

static void its_refusal_is_told_all_the_same(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_WELCOME};

    d->b.holds_hello = true;
    d->b.rejects = QMS_CODE_BUSY;
    assert_int_equal(duo_hello(d), QMS_OK);
    assert_int_equal(duo_write(duo_open(&d->a, false, "x", 9), "one"), QMS_OK);
    qms_session_finish(d->a.last);
    duo_settle(d);
    m.u.welcome.agent_id = duo_text("a1");
    assert_int_equal(qms_session_welcome(d->b.s, &m), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "hello a1\nroute 0 agent:x 9\nclosed 0\n");
    assert_string_equal(duo_take(&d->a), "closed 0\nwelcome a1\ncontrol 19\n");
}

static void nor_is_one_of_the_other_side(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_WELCOME};
    struct qms_link_stream *control;

    d->b.holds_hello = true;
    assert_int_equal(duo_hello(d), QMS_OK);
    duo_settle(d);
    control = d->b.s->control->pub.link_stream;
    fake_stream_hold(control, true); /* WELCOME is late */
    m.u.welcome.agent_id = duo_text("a1");
    assert_int_equal(qms_session_welcome(d->b.s, &m), QMS_OK);
    assert_int_equal(duo_write(duo_open(&d->b, false, "a1", 9), "one"), QMS_OK);
    qms_session_finish(d->b.last);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "");
    fake_stream_hold(control, false);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "welcome a1\nroute 0 agent:a1 9\ndata 0 \"one\"\n"
                                         "fin 0\nclosed 0\n");
}

static void a_link_that_ends_takes_what_was_held_along(void **state)
{
    struct duo *d = *state;

    d->b.holds_hello = true;
    assert_int_equal(duo_hello(d), QMS_OK);
    assert_int_equal(duo_write(duo_open(&d->a, false, "x", 9), "one"), QMS_OK);
    qms_session_finish(d->a.last);
    duo_settle(d);
    fake_link_break(d->pair, QMS_E_IO);
    duo_settle(d);
    assert_true(d->b.ended);
    assert_int_equal(d->b.routes, 0);
}

static void the_seventeenth_held_route_is_unauthenticated(void **state)
{
    struct duo *d = *state;

    d->b.holds_hello = true;
    assert_int_equal(duo_hello(d), QMS_OK);
    for (int i = 0; i < 16; i++) {
        assert_non_null(duo_open(&d->a, true, "x", 9));
    }
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "");
    assert_non_null(duo_open(&d->a, true, "x", 9));
    duo_settle(d);
    assert_string_equal(duo_take(&d->a),
                        "stop 16 unauthenticated\nreset 16 unauthenticated\nclosed 16\n");
}

static void more_than_16_kib_held_is_unauthenticated(void **state)
{
    struct duo *d = *state;
    static char block[8001];

    memset(block, 'x', sizeof(block) - 1);
    d->b.holds_hello = true;
    assert_int_equal(duo_hello(d), QMS_OK);
    assert_int_equal(duo_write(duo_open(&d->a, false, "x", 9), block), QMS_OK);
    assert_int_equal(duo_write(duo_open(&d->a, false, "x", 8), block), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "");
    assert_int_equal(duo_write(duo_open(&d->a, false, "x", 7), block), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "result 2 unauthenticated \nclosed 2\n");
    assert_string_equal(duo_take(&d->b), "hello a1\nodd held_overflow\n");
}

static void what_a_reset_stream_held_is_free_for_others(void **state)
{
    struct duo *d = *state;
    static char block[8001];

    memset(block, 'x', sizeof(block) - 1);
    d->b.holds_hello = true;
    assert_int_equal(duo_hello(d), QMS_OK);
    for (int i = 0; i < 40; i++) {
        struct qms_session_stream *st = duo_open(&d->a, true, "x", 9);
        assert_int_equal(duo_write(st, block), QMS_OK);
        duo_settle(d);
        qms_session_reset(st, QMS_CODE_CANCELLED);
        duo_settle(d);
    }
    assert_int_equal(d->b.oddities, 0);
    assert_int_equal(fake_link_streams(d->pair, 1), 1);
}

static void messages_behind_hello_wait_for_welcome(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_WATCH};

    d->b.holds_hello = true;
    assert_int_equal(duo_hello(d), QMS_OK);
    assert_int_equal(qms_session_send(d->a.s, &m), QMS_OK);
    m.type = QMS_MSG_PING;
    assert_int_equal(qms_session_send(d->a.s, &m), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "hello a1\n");
    m = (struct qms_control){.type = QMS_MSG_WELCOME};
    m.u.welcome.agent_id = duo_text("a1");
    assert_int_equal(qms_session_welcome(d->b.s, &m), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "control 0d\n");
    assert_string_equal(duo_take(&d->a), "welcome a1\ncontrol 1f\n");
}

static void too_much_behind_an_unanswered_hello_closes(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_PING};

    d->b.holds_hello = true;
    assert_int_equal(duo_hello(d), QMS_OK);
    for (int i = 0; i < 1641; i++) { /* ten bytes each; 16,400 are kept */
        assert_int_equal(qms_session_send(d->a.s, &m), QMS_OK);
    }
    duo_settle(d);
    assert_string_equal(duo_take(&d->a),
                        "end by-peer unauthenticated \"too much before WELCOME\"\n");
}

static void routes_of_the_broker_may_overtake_its_welcome(void **state)
{
    struct duo *d = *state;
    struct qms_session_stream *st;
    struct qms_route_header h = {.kind = QMS_KIND_AGENT, .priority = 3};
    struct qms_control m = {.type = QMS_MSG_WELCOME};

    d->b.holds_hello = true;
    assert_int_equal(duo_hello(d), QMS_OK);
    duo_settle(d);
    m.u.welcome.agent_id = duo_text("a1");
    assert_int_equal(qms_session_welcome(d->b.s, &m), QMS_OK);
    h.target = h.source = duo_text("b");
    assert_int_equal(qms_session_open(d->b.s, false, &h, NULL, &st), QMS_OK);
    fake_link_pump(d->pair, 12); /* the header is shorter than WELCOME */
    assert_int_equal(qms_session_accepted(d->a.s), false);
    assert_int_equal(fake_link_streams(d->pair, 0), 2);
    assert_string_equal(duo_take(&d->a), "");
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "welcome a1\nroute 0 agent:b 3 from b\n");
}

static void ping_is_answered_with_its_own_bytes(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_PING};

    connect_both(d);
    assert_int_equal(qms_session_send(d->a.s, &m), QMS_OK);
    assert_int_equal(qms_session_send(d->b.s, &m), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "control 1f\n");
    assert_string_equal(duo_take(&d->b), "control 1f\n");
}

static void goaway_and_the_like_are_handed_up(void **state)
{
    struct duo *d = *state;
    static const uint64_t types[] = {
        QMS_MSG_GOAWAY,        QMS_MSG_WATCH, QMS_MSG_UNWATCH,   QMS_MSG_REPLY,
        QMS_MSG_STATS_REQUEST, QMS_MSG_STATS, QMS_MSG_THROTTLED,
    };

    connect_both(d);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct qms_control m = {.type = types[i]};
        assert_int_equal(qms_session_send(d->b.s, &m), QMS_OK);
    }
    duo_settle_by(d, 1);
    assert_string_equal(duo_take(&d->a),
                        "control 07\ncontrol 0d\ncontrol 0f\ncontrol 11\ncontrol 21\n"
                        "control 22\ncontrol 20\n");
}

static void what_the_session_says_itself_may_not_be_sent_by_hand(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_PING};

    assert_int_equal(qms_session_send(d->a.s, &m), QMS_E_STATE);
    connect_both(d);
    m.type = QMS_MSG_WELCOME;
    assert_int_equal(qms_session_send(d->b.s, &m), QMS_E_INVALID);
    m.type = QMS_MSG_DGRAM_BIND;
    assert_int_equal(qms_session_send(d->b.s, &m), QMS_E_INVALID);
}

static void control_messages_that_nobody_acknowledges_are_limited(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_PING};
    unsigned sent = 0;

    connect_both(d);
    fake_link_hold_acks(d->pair, 1, true);
    while (qms_session_send(d->b.s, &m) == QMS_OK) {
        sent++;
    }
    assert_int_equal(qms_session_send(d->b.s, &m), QMS_E_LIMIT);
    assert_int_equal(sent, 256 * 1024 / 10);
    fake_link_hold_acks(d->pair, 1, false);
    d->a.quiet = d->b.quiet = true;
    duo_settle(d);
    assert_int_equal(qms_session_send(d->b.s, &m), QMS_OK);
}

/* The broker tells an agent what another one did: that must not shut its own answers out. */
static void what_others_cause_leaves_room_on_control(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_PING};
    uint8_t n = 0;

    connect_both(d);
    duo_open(&d->b, true, "a1", 1);
    fake_link_hold_acks(d->pair, 1, true);
    d->a.quiet = d->b.quiet = true;
    while (qms_session_set_priority(d->b.last, 3, n, n) == QMS_OK) {
        n++;
    }
    assert_int_equal(qms_session_set_priority(d->b.last, 3, 1, 1), QMS_E_LIMIT);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(qms_session_send(d->b.s, &m), QMS_OK);
    }
    fake_link_hold_acks(d->pair, 1, false);
    duo_settle(d);
}

static void a_close_carries_code_and_reason(void **state)
{
    struct duo *d = *state;

    connect_both(d);
    qms_session_close(d->b.s, QMS_CODE_REPLACED, "another one");
    assert_int_equal(qms_session_next_at(d->b.s), QMS_NEVER);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "end by-peer replaced \"another one\"\n");
    assert_string_equal(duo_take(&d->b), "end here replaced \"another one\"\n");
}

static void streams_end_before_the_session_does(void **state)
{
    struct duo *d = *state;

    connect_both(d);
    duo_open(&d->a, true, "x", 1);
    duo_settle(d);
    duo_take(&d->b);
    fake_link_break(d->pair, QMS_E_IDLE);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "closed 0\nend idle_timeout\n");
}

static void calls_after_the_close_are_refused(void **state)
{
    struct duo *d = *state;
    struct qms_route_header h = {.kind = QMS_KIND_SELF};
    struct qms_control m = {.type = QMS_MSG_PING};
    struct qms_session_stream *st;

    connect_both(d);
    qms_session_close(d->a.s, 0, NULL);
    assert_int_equal(qms_session_open(d->a.s, true, &h, NULL, &st), QMS_E_CLOSED);
    assert_int_equal(qms_session_send(d->a.s, &m), QMS_E_CLOSED);
    assert_int_equal(
        qms_session_datagram(d->a.s, QMS_KIND_AGENT, duo_text("x"), 1, duo_text("y")),
        QMS_E_CLOSED);
}

static void a_session_may_be_freed_before_its_link_was_ready(void **state)
{
    struct duo *d = *state;

    assert_int_equal(duo_hello(d), QMS_OK);
    assert_non_null(duo_open(&d->a, true, "x", 1));
    qms_session_free(d->a.s);
    d->a.s = NULL;
    fake_link_settle(d->pair); /* events of the link find nobody */
}

static void an_idle_session_is_small(void **state)
{
    const struct duo *d = *state;

    connect_both(*state);
    assert_null(d->a.s->control->head); /* nothing is kept of what was read */
    assert_null(d->a.s->handles.early);
    assert_true(sizeof(struct qms_session) + sizeof(struct qms_ss) < 1024);
    assert_true(sizeof(struct qms_ss) <= 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(hello_is_answered_by_welcome),
        QMS_TEST(hello_and_welcome_pass_one_byte_at_a_time),
        QMS_TEST(hello_may_be_said_once_and_by_the_connecting_side_only),
        QMS_TEST(a_hello_that_cannot_be_encoded_leaves_nothing_behind),
        QMS_TEST(a_large_credential_fits),
        QMS_TEST(a_refusal_arrives_before_the_link_closes),
        QMS_TEST(a_refusal_that_is_never_acknowledged_closes_all_the_same),
        QMS_TEST(versions_without_a_common_one_are_refused),
        QMS_TEST(a_range_of_versions_with_ours_in_it_is_welcome),
        QMS_TEST(silence_instead_of_hello_closes_after_five_seconds),
        QMS_TEST(half_a_hello_does_not_stop_the_clock),
        QMS_TEST(an_authenticator_may_take_its_time),
        QMS_TEST(routes_before_welcome_are_held_and_then_come_in_order),
        QMS_TEST(bytes_that_follow_between_welcome_and_release_keep_their_order),
        QMS_TEST(a_whole_stream_before_welcome_is_not_lost),
        QMS_TEST(its_refusal_is_told_all_the_same),
        QMS_TEST(nor_is_one_of_the_other_side),
        QMS_TEST(a_link_that_ends_takes_what_was_held_along),
        QMS_TEST(the_seventeenth_held_route_is_unauthenticated),
        QMS_TEST(more_than_16_kib_held_is_unauthenticated),
        QMS_TEST(what_a_reset_stream_held_is_free_for_others),
        QMS_TEST(messages_behind_hello_wait_for_welcome),
        QMS_TEST(too_much_behind_an_unanswered_hello_closes),
        QMS_TEST(routes_of_the_broker_may_overtake_its_welcome),
        QMS_TEST(ping_is_answered_with_its_own_bytes),
        QMS_TEST(goaway_and_the_like_are_handed_up),
        QMS_TEST(what_the_session_says_itself_may_not_be_sent_by_hand),
        QMS_TEST(control_messages_that_nobody_acknowledges_are_limited),
        QMS_TEST(what_others_cause_leaves_room_on_control),
        QMS_TEST(a_close_carries_code_and_reason),
        QMS_TEST(streams_end_before_the_session_does),
        QMS_TEST(calls_after_the_close_are_refused),
        QMS_TEST(a_session_may_be_freed_before_its_link_was_ready),
        QMS_TEST(an_idle_session_is_small),
    };
    return cmocka_run_group_tests_name("session_life", tests, NULL, NULL);
}
