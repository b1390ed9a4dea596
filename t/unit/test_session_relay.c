/* SPDX-License-Identifier: MIT */
/* Which side stands in the agent's place: side `a` connects, and may be a broker that side `b`
 * trusts (QMS_CAP_RELAY). */
#include <stdlib.h>
#include <string.h>

#include "fake_bare.h"
#include "qms_test.h"
#include "session_duo.h"

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct duo));
    return *state == NULL;
}

static int teardown(void **state)
{
    duo_fini(*state);
    free(*state);
    return 0;
}

static void connect_with(struct duo *d, uint64_t offered, uint64_t granted)
{
    assert_true(duo_init(d, NULL, NULL));
    d->a.caps = offered;
    d->b.caps = granted;
    assert_int_equal(duo_hello(d), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "welcome a1\n");
    assert_string_equal(duo_take(&d->b), "hello a1\n");
}

static qms_err open_from(struct duo_side *side, const char *source)
{
    struct qms_route_header h = {.kind = QMS_KIND_AGENT, .priority = 200};

    h.target = duo_text("t");
    h.source = duo_text(source);
    return qms_session_open(side->s, true, &h, NULL, &side->last);
}

static void a_trusted_broker_that_connects_names_the_sources(void **state)
{
    struct duo *d = *state;

    connect_with(d, QMS_CAP_RELAY, QMS_CAP_RELAY);
    assert_false(qms_session_is_agent(d->a.s));
    assert_true(qms_session_is_agent(d->b.s));
    assert_int_equal(open_from(&d->a, "c"), QMS_OK);
    assert_int_equal(open_from(&d->b, "c"), QMS_E_INVALID);
    assert_int_equal(open_from(&d->b, ""), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "route 0 agent:t 200 from c\nresult 0 ok \n");
    assert_string_equal(duo_take(&d->a), "route 0 agent:t 200\nresult 0 ok \n");
}

static void check_roles_stay(struct duo *d)
{
    assert_true(qms_session_is_agent(d->a.s));
    assert_false(qms_session_is_agent(d->b.s));
    assert_int_equal(open_from(&d->a, "c"), QMS_E_INVALID);
    assert_int_equal(open_from(&d->b, "c"), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->a), "route 0 agent:t 200 from c\n");
}

static void a_broker_that_is_not_trusted_names_none(void **state)
{
    connect_with(*state, QMS_CAP_RELAY, 0);
    check_roles_stay(*state);
}

static void nobody_becomes_a_broker_without_saying_so(void **state)
{
    connect_with(*state, 0, QMS_CAP_RELAY);
    check_roles_stay(*state);
}

static void unknown_capabilities_do_not_count(void **state)
{
    connect_with(*state, UINT64_C(0xFE), UINT64_MAX >> 2);
    check_roles_stay(*state);
}

static void sources_wait_for_the_welcome(void **state)
{
    struct duo *d = *state;

    assert_true(duo_init(d, NULL, NULL));
    d->a.caps = d->b.caps = QMS_CAP_RELAY;
    assert_int_equal(duo_hello(d), QMS_OK);
    assert_int_equal(open_from(&d->a, "c"), QMS_E_INVALID); /* nobody has granted it */
    assert_int_equal(open_from(&d->a, ""), QMS_OK);
    duo_settle(d);
    assert_int_equal(open_from(&d->a, "c"), QMS_OK);
    duo_settle(d);
    assert_string_equal(duo_take(&d->b), "hello a1\nroute 0 agent:t 200\n"
                                         "route 1 agent:t 200 from c\n");
}

/* ---- byte by byte ---- */

#define B(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

/* A session at side 1 whose peer the test plays. */
struct bare_fixture {
    struct fake_pair *pair;
    struct duo_side side;
    struct bare bare;
};

static void settle_bare(struct bare_fixture *f)
{
    do {
        fake_link_settle(f->pair);
        if (f->side.s != NULL && qms_session_next_at(f->side.s) <= fake_link_now(f->pair)) {
            qms_session_expire(f->side.s, fake_link_now(f->pair));
        }
    } while (fake_link_pump(f->pair, 0));
}

static int setup_bare(void **state, bool connecting)
{
    struct bare_fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->pair = fake_pair_new(NULL);
    assert_non_null(f->pair);
    bare_init(&f->bare, f->pair, 0);
    assert_non_null(duo_one(&f->side, fake_pair_link(f->pair, 1), connecting, &duo_limits));
    *state = f;
    return 0;
}

static int setup_listening(void **state)
{
    return setup_bare(state, false);
}

static int setup_dialing(void **state)
{
    return setup_bare(state, true);
}

static int teardown_bare(void **state)
{
    struct bare_fixture *f = *state;

    qms_session_free(f->side.s);
    free(f->side.log);
    fake_pair_free(f->pair);
    bare_fini(&f->bare);
    qms_blob_trim();
    free(f);
    return 0;
}

/* A route to "b" from "a", and what becomes of it. */
static struct bare_stream *route_from_a(struct bare_fixture *f)
{
    struct bare_stream *st = bare_open(&f->bare, true);

    assert_non_null(st);
    assert_true(
        bare_write(st, B(0x02, 0x09, 0x00, 0x10, 0x01, 0x00, 0x01, 'b', 0x01, 0x01, 'a')));
    settle_bare(f);
    return st;
}

static void check_malformed(const struct bare_stream *st)
{
    assert_true(st->reset);
    assert_int_equal(st->reset_code, QMS_CODE_PROTOCOL);
    assert_true(st->stopped);
}

/* HELLO of version 1 with and without CAPS 1. */
static const uint8_t hello[] = {0x01, 0x01, 0x06, 0x01, 0x01, 0x02, 'a', '1', 0x00};
static const uint8_t hello_relay[] = {0x01, 0x01, 0x09, 0x01, 0x01, 0x02,
                                      'a',  '1',  0x00, 0x04, 0x01, 0x01};

static void a_source_of_an_agent_is_malformed(void **state)
{
    struct bare_fixture *f = *state;
    struct bare_stream *control = bare_open(&f->bare, true);

    f->side.caps = QMS_CAP_RELAY; /* it would be granted */
    assert_true(bare_write(control, hello, sizeof(hello)));
    check_malformed(route_from_a(f));
    assert_int_equal(f->side.routes, 0);
}

static void a_source_of_a_broker_nobody_trusts_is_malformed(void **state)
{
    struct bare_fixture *f = *state;
    struct bare_stream *control = bare_open(&f->bare, true);

    assert_true(bare_write(control, hello_relay, sizeof(hello_relay)));
    check_malformed(route_from_a(f));
    assert_int_equal(f->side.routes, 0);
}

static void a_source_of_a_trusted_broker_is_told(void **state)
{
    struct bare_fixture *f = *state;
    struct bare_stream *control = bare_open(&f->bare, true);

    f->side.caps = QMS_CAP_RELAY;
    assert_true(bare_write(control, hello_relay, sizeof(hello_relay)));
    assert_false(route_from_a(f)->reset);
    assert_string_equal(duo_take(&f->side), "hello a1\nroute 0 agent:b 16 from a\n");
}

static void say_hello(struct bare_fixture *f, uint64_t caps)
{
    struct qms_control m = {.type = QMS_MSG_HELLO};

    m.u.hello.min_version = m.u.hello.max_version = QMS_WIRE_VERSION;
    m.u.hello.caps = caps;
    assert_int_equal(qms_session_hello(f->side.s, &m), QMS_OK);
    settle_bare(f);
}

/* WELCOME of agent "a" with CAPS 1. */
static void welcome(struct bare_fixture *f)
{
    assert_true(bare_write(f->bare.streams, B(0x03, 0x1b, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                                              11, 12, 13, 14, 15, 16, 0x01, 'a', 0x50, 0x00,
                                              0x44, 0xb0, 0x00, 0x04, 0x01, 0x01)));
    settle_bare(f);
    assert_string_equal(duo_take(&f->side), "welcome a\n");
}

static void behind_a_relay_a_source_of_the_agent_is_malformed(void **state)
{
    struct bare_fixture *f = *state;

    say_hello(f, QMS_CAP_RELAY);
    welcome(f);
    assert_false(qms_session_is_agent(f->side.s));
    check_malformed(route_from_a(f));
}

static void what_was_not_offered_is_not_granted(void **state)
{
    struct bare_fixture *f = *state;

    say_hello(f, 0);
    welcome(f);
    assert_true(qms_session_is_agent(f->side.s));
    assert_false(route_from_a(f)->reset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define QMS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        QMS_TEST(a_trusted_broker_that_connects_names_the_sources),
        QMS_TEST(a_broker_that_is_not_trusted_names_none),
        QMS_TEST(nobody_becomes_a_broker_without_saying_so),
        QMS_TEST(unknown_capabilities_do_not_count),
        QMS_TEST(sources_wait_for_the_welcome),
#define LISTENING(name) cmocka_unit_test_setup_teardown(name, setup_listening, teardown_bare)
        LISTENING(a_source_of_an_agent_is_malformed),
        LISTENING(a_source_of_a_broker_nobody_trusts_is_malformed),
        LISTENING(a_source_of_a_trusted_broker_is_told),
#define DIALING(name) cmocka_unit_test_setup_teardown(name, setup_dialing, teardown_bare)
        DIALING(behind_a_relay_a_source_of_the_agent_is_malformed),
        DIALING(what_was_not_offered_is_not_granted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
