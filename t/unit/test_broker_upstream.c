/* SPDX-License-Identifier: MIT */
/* Agents that the broker has dialed, over fake links.  `f.agents[0]` is that of the upstream.
 */
#include <stdio.h>
#include <string.h>

#include "core/broker/peer.h"
#include "qms_test.h"
#include "test_broker_fixture.h"

#define POOL                                                                                   \
    "upstream pool { agent quic://127.0.0.1:1 id=lambda; "                                     \
    "pin 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef; } "                 \
    "route group = work { dial pool; }"

static struct broker_fixture f;

static int setup(void **state)
{
    (void)state;
    return fixture_start(&f, POOL, NULL);
}

/* The first server lets nobody open streams to agents, the second one does. */
static int setup_servers(void **state, const char *rules)
{
    char quic[1024];

    (void)state;
    (void)snprintf(quic, sizeof(quic),
                   "server { listen 127.0.0.1:4434 quic; server_name strict; tls self-signed; "
                   "auth off; route agent * { deny; } } "
                   "upstream pool { agent quic://127.0.0.1:1 id=lambda; %s pin %064d; }",
                   rules, 7);
    return fixture_start(&f, quic, NULL);
}

static int setup_named(void **state)
{
    return setup_servers(state, "rules_of 127.0.0.1:4433;");
}

static int setup_unnamed(void **state)
{
    return setup_servers(state, "");
}

static int teardown(void **state)
{
    (void)state;
    qms_broker_drain(f.broker, QMS_SECOND, fixture_now(&f)); /* it dials no more */
    fixture_stop(&f);
    return 0;
}

/* Its session, having granted these capabilities, and an agent "alice". */
static struct agent *dialed(uint64_t granted, struct agent **alice)
{
    f.granted = granted;
    fixture_listens(&f);
    assert_int_equal(f.agent_count, 1);
    assert_string_equal(f.agents[0]->id, "broker");
    *alice = agent_connect(&f, "alice", NULL);
    return f.agents[0];
}

static struct stream *ask(struct agent *from, enum qms_kind kind, const char *target)
{
    struct qms_route_header h = {.kind = (uint8_t)kind, .priority = 77};

    h.target = qms_str(target, strlen(target));
    h.meta = qms_str("meta", 4);
    h.traceparent = qms_str("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", 55);
    struct stream *st = agent_open_with(from, true, &h);
    settle(&f);
    return st;
}

static void check_carried(const struct stream *got)
{
    assert_int_equal(got->priority, 77);
    assert_string_equal(got->meta, "meta");
    assert_int_equal(strlen(got->traceparent), 55);
}

static void one_that_believes_is_told_who_opens_a_stream(void **state)
{
    struct agent *alice, *pool = dialed(QMS_CAP_RELAY, &alice);

    (void)state;
    struct stream *st = ask(alice, QMS_KIND_AGENT, "lambda");
    const struct stream *got = agent_incoming(pool, 0);
    assert_non_null(got);
    assert_string_equal(got->source, "alice");
    assert_int_equal(got->kind, QMS_KIND_AGENT);
    assert_string_equal(got->target, "lambda");
    check_carried(got);
    assert_int_equal(st->result, QMS_CODE_OK);
    assert_string_equal(st->acceptor, "lambda");
}

static void a_member_that_believes_is_told_what_was_asked_for(void **state)
{
    struct agent *alice, *pool = dialed(QMS_CAP_RELAY, &alice);

    (void)state;
    (void)ask(alice, QMS_KIND_GROUP, "work");
    const struct stream *got = agent_incoming(pool, 0);
    assert_non_null(got);
    assert_string_equal(got->source, "alice");
    assert_string_equal(got->target, "lambda");
    assert_int_equal(got->original_kind, QMS_KIND_GROUP);
    assert_string_equal(got->original, "work");
}

static void one_that_does_not_is_what_is_connected_to(void **state)
{
    struct agent *alice, *pool = dialed(0, &alice);

    (void)state;
    struct stream *st = ask(alice, QMS_KIND_AGENT, "lambda");
    const struct stream *got = agent_incoming(pool, 0);
    assert_non_null(got);
    assert_string_equal(got->source, "");
    assert_int_equal(got->kind, QMS_KIND_SELF);
    assert_string_equal(got->target, "");
    check_carried(got);
    assert_int_equal(st->result, QMS_CODE_OK);
}

static void streams_of_its_own_have_its_id_as_their_source(void **state)
{
    struct agent *alice, *pool = dialed(QMS_CAP_RELAY, &alice);

    (void)state;
    (void)ask(pool, QMS_KIND_AGENT, "alice");
    const struct stream *got = agent_incoming(alice, 0);
    assert_non_null(got);
    assert_string_equal(got->source, "lambda");
}

static void datagrams_name_their_sources_and_go_back_to_them(void **state)
{
    struct agent *alice, *pool = dialed(QMS_CAP_RELAY, &alice);

    (void)state;
    assert_int_equal(qms_session_datagram(alice->s, QMS_KIND_AGENT, qms_str("lambda", 6), 128,
                                          qms_str("there", 5)),
                     QMS_OK);
    settle(&f);
    assert_string_equal(pool->datagram, "there");
    assert_string_equal(pool->datagram_from, "alice");
    assert_int_equal(qms_session_datagram(pool->s, QMS_KIND_AGENT, qms_str("alice", 5), 128,
                                          qms_str("back", 4)),
                     QMS_OK);
    settle(&f);
    assert_string_equal(alice->datagram, "back");
    assert_string_equal(alice->datagram_from, "lambda");
}

static void a_topic_that_it_subscribes_to_is_named(void **state)
{
    struct agent *alice, *pool = dialed(QMS_CAP_RELAY, &alice);

    (void)state;
    assert_int_equal(agent_join(pool, QMS_KIND_TOPIC, "news"), QMS_CODE_OK);
    struct stream *st = agent_open(alice, QMS_KIND_TOPIC, "news", false, 128);
    stream_write(st, "extra");
    settle(&f);
    const struct stream *got = agent_incoming(pool, 0);
    assert_non_null(got);
    assert_string_equal(got->source, "alice");
    assert_int_equal(got->kind, QMS_KIND_TOPIC);
    assert_string_equal(got->target, "news");
    assert_string_equal(got->first, "extra");
}

static int from_pool_to_alice(void)
{
    struct agent *alice, *pool = dialed(0, &alice);
    struct stream *st = ask(pool, QMS_KIND_AGENT, "alice");

    return st->result;
}

static void the_rules_are_those_of_the_server_that_is_named(void **state)
{
    (void)state;
    assert_int_equal(from_pool_to_alice(), QMS_CODE_OK);
}

static void the_rules_of_the_first_server_hold_where_none_is_named(void **state)
{
    (void)state;
    assert_int_equal(from_pool_to_alice(), QMS_CODE_FORBIDDEN);
}

static uint64_t of_pool(enum qms_stats_family family)
{
    return qms_stats_label_get(qms_broker_stats(f.broker), family, "pool");
}

static void figures_are_those_of_the_upstream(void **state)
{
    struct agent *alice, *pool = dialed(0, &alice);

    (void)state;
    assert_int_equal(of_pool(QMS_F_UPSTREAM_CONNECTIONS), 1);
    assert_int_equal(of_pool(QMS_F_UPSTREAM_DIALS), 1);
    agent_die(pool);
    settle(&f);
    assert_int_equal(of_pool(QMS_F_UPSTREAM_CONNECTIONS), 0);
    advance(&f, QMS_SECOND);
    assert_int_equal(of_pool(QMS_F_UPSTREAM_CONNECTIONS), 1);
    assert_int_equal(of_pool(QMS_F_UPSTREAM_DIALS), 2);
    assert_int_equal(of_pool(QMS_F_UPSTREAM_FAILURES), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define QMS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        QMS_TEST(one_that_believes_is_told_who_opens_a_stream),
        QMS_TEST(a_member_that_believes_is_told_what_was_asked_for),
        QMS_TEST(one_that_does_not_is_what_is_connected_to),
        QMS_TEST(streams_of_its_own_have_its_id_as_their_source),
        QMS_TEST(datagrams_name_their_sources_and_go_back_to_them),
        QMS_TEST(a_topic_that_it_subscribes_to_is_named),
        QMS_TEST(figures_are_those_of_the_upstream),
        cmocka_unit_test_setup_teardown(the_rules_are_those_of_the_server_that_is_named,
                                        setup_named, teardown),
        cmocka_unit_test_setup_teardown(the_rules_of_the_first_server_hold_where_none_is_named,
                                        setup_unnamed, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
