/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/session_i.h"
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

static qms_err send(struct duo_side *side, const char *name, const char *payload)
{
    return qms_session_datagram(side->s, QMS_KIND_AGENT, duo_text(name), 130,
                                duo_text(payload));
}

static void the_first_one_arrives_with_its_name_in_place(void **state)
{
    struct duo *d = *state;

    fake_stream_hold(d->a.s->control->pub.link_stream, true); /* DGRAM_BIND is not there */
    assert_int_equal(send(&d->a, "b", "one"), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "datagram agent:b 128 \"one\"\n");
}

static void later_ones_use_the_context(void **state)
{
    struct duo *d = *state;

    assert_int_equal(send(&d->a, "b", "one"), QMS_OK);
    duo_settle(d);
    assert_int_equal(send(&d->a, "b", "two"), QMS_OK);
    duo_settle(d);
    /* 130 is what DGRAM_BIND said; a name in place has no urgency. */
    assert_string_equal(duo_take(&d->b),
                        "datagram agent:b 128 \"one\"\ndatagram agent:b 130 \"two\"\n");
    assert_int_equal(d->b.s->contexts_in_count, 1);
    assert_int_equal(d->a.s->contexts_out_count, 1);
}

static void the_context_waits_until_its_binding_was_acknowledged(void **state)
{
    struct duo *d = *state;

    fake_link_hold_acks(d->pair, 0, true);
    assert_int_equal(send(&d->a, "b", "one"), QMS_OK);
    duo_settle(d);
    assert_int_equal(send(&d->a, "b", "two"), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b),
                        "datagram agent:b 128 \"one\"\ndatagram agent:b 128 \"two\"\n");
    fake_link_hold_acks(d->pair, 0, false);
    duo_settle(d);
    assert_int_equal(send(&d->a, "b", "three"), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "datagram agent:b 130 \"three\"\n");
}

static void datagrams_pass_both_ways(void **state)
{
    struct duo *d = *state;

    for (int i = 0; i < 2; i++) {
        assert_int_equal(send(&d->b, "c", "from c"), QMS_OK);
        assert_int_equal(send(&d->b, "e", ""), QMS_OK);
        duo_settle(d);
    }
    assert_string_equal(duo_take(&d->a),
                        "datagram agent:c 128 \"from c\"\ndatagram agent:e 128 \"\"\n"
                        "datagram agent:c 130 \"from c\"\ndatagram agent:e 130 \"\"\n");
}

static void the_largest_payload_fits_even_before_the_context_is_bound(void **state)
{
    struct duo *d = *state;
    static char payload[1202], name[129];

    memset(payload, 'x', sizeof(payload) - 1);
    memset(name, 'n', sizeof(name) - 1);
    size_t max = qms_session_datagram_max(d->a.s, duo_text(name));
    assert_int_equal(max, 1199);
    payload[max + 1] = 0;
    assert_int_equal(send(&d->a, name, payload), QMS_E_TOO_LARGE);
    payload[max] = 0;
    d->b.quiet = true;
    assert_int_equal(send(&d->a, name, payload), QMS_OK);
    duo_settle(d);
    assert_int_equal(d->b.bytes, max);
}

static void a_peer_without_datagrams_is_unsupported(void **state)
{
    struct duo *d = *state;

    fake_link_set_datagram_max(d->pair, 0, 0);
    assert_int_equal(send(&d->a, "b", "x"), QMS_E_UNSUPPORTED);
    assert_int_equal(qms_session_datagram_max(d->a.s, duo_text("b")), 0);
}

static void a_bad_name_is_refused_and_binds_nothing(void **state)
{
    struct duo *d = *state;

    assert_int_equal(send(&d->a, "not a name", "x"), QMS_E_INVALID);
    assert_int_equal(d->a.s->contexts_out_count, 0);
}

static void datagrams_before_welcome_are_dropped(void **state)
{
    struct duo d;

    (void)state;
    assert_true(duo_init(&d, NULL, NULL));
    assert_int_equal(send(&d.a, "b", "x"), QMS_E_STATE);
    struct qms_link *link = fake_pair_link(d.pair, 0);
    struct qms_bytes part = duo_text("\x01x");
    assert_int_equal(link->ops->datagram(link, 1, &part, 1), QMS_OK);
    duo_settle(&d);
    assert_string_equal(duo_take(&d.b), "odd early_datagram\n");
    duo_fini(&d);
}

static void contexts_are_bounded_and_the_one_unused_for_longest_goes(void **state)
{
    struct duo *d = *state;
    char name[16];

    d->b.quiet = true;
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof(name), "n%d", i);
        assert_int_equal(send(&d->a, name, "x"), QMS_OK);
    }
    duo_advance(d, 2 * QMS_SECOND);
    assert_int_equal(send(&d->a, "n0", "x"), QMS_OK); /* n1 is the oldest now */
    assert_int_equal(send(&d->a, "new", "x"), QMS_OK);
    duo_settle(d);
    assert_int_equal(d->a.s->contexts_out_count, 64);
    assert_int_equal(d->b.s->contexts_in_count, 64);
    d->b.quiet = false;
    assert_int_equal(send(&d->a, "n0", "x"), QMS_OK);
    assert_int_equal(send(&d->a, "n2", "x"), QMS_OK);
    assert_int_equal(send(&d->a, "new", "x"), QMS_OK);
    assert_int_equal(send(&d->a, "n1", "x"), QMS_OK); /* bound anew: name in place */
    duo_settle(d);
    assert_string_equal(duo_take(&d->b),
                        "datagram agent:n0 130 \"x\"\ndatagram agent:n2 130 \"x\"\n"
                        "datagram agent:new 130 \"x\"\ndatagram agent:n1 128 \"x\"\n");
    assert_int_equal(d->b.oddities, 0);
}

static void contexts_in_steady_use_are_not_traded_in(void **state)
{
    struct duo *d = *state;
    char name[16];

    d->b.quiet = true;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 70; i++) {
            snprintf(name, sizeof(name), "n%d", i);
            assert_int_equal(send(&d->a, name, "x"), QMS_OK);
        }
        duo_settle(d);
    }
    assert_int_equal(d->b.bytes, 210);
    assert_int_equal(d->a.s->next_context, 65); /* six travel with their names */
}

static void a_full_control_queue_leaves_the_name_in_place(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_PING};

    fake_link_hold_acks(d->pair, 0, true);
    while (qms_session_send(d->a.s, &m) == QMS_OK) {
    }
    assert_int_equal(send(&d->a, "b", "x"), QMS_OK);
    assert_int_equal(d->a.s->contexts_out_count, 0);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "datagram agent:b 128 \"x\"\n");
}

/* ---- what a peer may send ---- */

static void raw(struct duo *d, const void *data, size_t len)
{
    struct qms_link *link = fake_pair_link(d->pair, 0);
    struct qms_bytes part = {data, len};
    assert_int_equal(link->ops->datagram(link, 1, &part, 1), QMS_OK);
    duo_settle(d);
}

static void an_unknown_context_is_dropped_and_counted(void **state)
{
    struct duo *d = *state;

    raw(d, "\x03x", 2);
    assert_string_equal(duo_take(&d->b), "odd unknown_context\n");
    assert_false(d->b.ended);
}

static void malformed_datagrams_are_dropped_and_counted(void **state)
{
    struct duo *d = *state;

    raw(d, "", 0);
    raw(d, "\x40", 1);              /* a number cut short */
    raw(d, "\x00\x01\x05xy", 5);    /* a name that overruns */
    raw(d, "\x00\x01\x01 x", 5);    /* a bad name */
    raw(d, "\x00\x09\x01\x62x", 5); /* no such kind */
    assert_int_equal(d->b.oddities, 5);
    assert_int_equal(d->b.bytes, 0);
    assert_false(d->b.ended);
}

static void bind(struct duo *d, uint64_t id, const char *name)
{
    struct qms_control m = {.type = QMS_MSG_DGRAM_BIND};

    m.u.dgram_bind.context = id;
    m.u.dgram_bind.kind = QMS_KIND_AGENT;
    m.u.dgram_bind.name = duo_text(name);
    assert_int_equal(qms_session_control_write(d->a.s, &m), QMS_OK);
}

static void a_peer_that_binds_too_much_is_ignored(void **state)
{
    struct duo *d = *state;

    for (uint64_t i = 1; i <= 80; i++) {
        bind(d, i, "b");
    }
    duo_settle(d);
    assert_int_equal(d->b.s->contexts_in_count, 64);
    assert_int_equal(d->b.oddities, 16);
    assert_false(d->b.ended);
}

static void a_context_may_be_bound_to_another_name(void **state)
{
    struct duo *d = *state;

    bind(d, 3, "b");
    bind(d, 3, "c");
    duo_settle(d);
    raw(d, "\x03x", 2);
    assert_string_equal(duo_take(&d->b), "datagram agent:c 0 \"x\"\n");
    assert_int_equal(d->b.s->contexts_in_count, 1);
}

static void an_unbound_context_is_unknown_again(void **state)
{
    struct duo *d = *state;
    struct qms_control m = {.type = QMS_MSG_DGRAM_UNBIND};

    bind(d, 3, "b");
    m.u.dgram_unbind.context = 3;
    assert_int_equal(qms_session_control_write(d->a.s, &m), QMS_OK);
    assert_int_equal(qms_session_control_write(d->a.s, &m), QMS_OK); /* twice does no harm */
    duo_settle(d);
    raw(d, "\x03x", 2);
    assert_string_equal(duo_take(&d->b), "odd unknown_context\n");
    assert_int_equal(d->b.s->contexts_in_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(the_first_one_arrives_with_its_name_in_place),
        QMS_TEST(later_ones_use_the_context),
        QMS_TEST(the_context_waits_until_its_binding_was_acknowledged),
        QMS_TEST(datagrams_pass_both_ways),
        QMS_TEST(the_largest_payload_fits_even_before_the_context_is_bound),
        QMS_TEST(a_peer_without_datagrams_is_unsupported),
        QMS_TEST(a_bad_name_is_refused_and_binds_nothing),
        QMS_TEST(datagrams_before_welcome_are_dropped),
        QMS_TEST(contexts_are_bounded_and_the_one_unused_for_longest_goes),
        QMS_TEST(contexts_in_steady_use_are_not_traded_in),
        QMS_TEST(a_full_control_queue_leaves_the_name_in_place),
        QMS_TEST(an_unknown_context_is_dropped_and_counted),
        QMS_TEST(malformed_datagrams_are_dropped_and_counted),
        QMS_TEST(a_peer_that_binds_too_much_is_ignored),
        QMS_TEST(a_context_may_be_bound_to_another_name),
        QMS_TEST(an_unbound_context_is_unknown_again),
    };
    return cmocka_run_group_tests_name("session_datagram", tests, NULL, NULL);
}
