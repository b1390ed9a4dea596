/* SPDX-License-Identifier: MIT */
/* Route blocks at work: refusals, priorities, deadlines, what modules are given, reloads. */
#include <stdlib.h>
#include <string.h>

#include "core/broker/peer.h"
#include "core/broker/route.h"
#include "fake_link_i.h"
#include "qms_test.h"
#include "test_broker_fixture.h"

struct world {
    struct broker_fixture f;
    struct agent *a, *b;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct world));
    assert_non_null(*state);
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    fixture_stop(&w->f);
    free(w);
    return 0;
}

static void begin(struct world *w, const char *quic)
{
    fixture_start(&w->f, quic, NULL);
    w->a = agent_connect(&w->f, "alice", NULL);
    w->b = agent_connect(&w->f, "bob", NULL);
    assert_true(w->a->welcomed && w->b->welcomed);
}

static void reload(struct world *w, const char *quic)
{
    struct qms_conf *conf = fixture_conf(quic, NULL);

    assert_non_null(conf);
    qms_broker_reload(w->f.broker, conf, fixture_now(&w->f));
    qms_conf_unref(w->f.conf);
    w->f.conf = conf;
    settle(&w->f);
}

static struct stream *open_to(struct world *w, const char *target, uint8_t priority)
{
    struct stream *st = agent_open(w->a, QMS_KIND_AGENT, target, true, priority);
    settle(&w->f);
    return st;
}

static void a_denied_target_is_refused_and_the_modules_hear_of_it(void **state)
{
    struct world *w = *state;

    begin(w, "route agent = bob { deny; }");
    struct stream *st = open_to(w, "bob", 128);
    assert_int_equal(st->result, QMS_CODE_FORBIDDEN);
    assert_int_equal(agent_incoming(w->b, 0) == NULL, 1);
    assert_int_equal(probe.closes, 1);
    assert_int_equal(probe.last_status, QMS_CODE_FORBIDDEN);
    agent_open(w->b, QMS_KIND_AGENT, "alice", true, 1);
    settle(&w->f);
    assert_int_equal(agent_stream(w->b, 0)->result, QMS_CODE_OK);
}

static void datagrams_to_a_denied_target_are_dropped(void **state)
{
    struct world *w = *state;
    struct qms_bytes bob = {(const uint8_t *)"bob", 3}, text = {(const uint8_t *)"hi", 2};

    begin(w, "route agent = bob { deny; }");
    assert_int_equal(qms_session_datagram(w->a->s, QMS_KIND_AGENT, bob, 1, text), QMS_OK);
    settle(&w->f);
    assert_int_equal(w->b->datagrams, 0);
    assert_int_equal(counted(&w->f, QMS_S_DROPPED_REFUSED), 1);
    assert_int_equal(qms_stats_label_get(qms_broker_stats(w->f.broker), QMS_F_DATAGRAM_REFUSED,
                                         "route_deny"),
                     1);
}

/* How many streams the broker sends to that agent with this urgency. */
static unsigned sent_with(const struct agent *a, uint8_t priority)
{
    struct fake_end *end = (struct fake_end *)(void *)fake_pair_link(a->pair, 1);
    struct qms_list *node;
    unsigned count = 0;

    QMS_LIST_FOREACH(node, &end->streams) {
        count += QMS_CONTAINER(node, struct fake_stream, node)->priority == priority;
    }
    return count;
}

static void priorities_are_brought_within_the_bounds_on_both_legs(void **state)
{
    struct world *w = *state;

    begin(w, "route agent * { priority_clamp 16..200; }");
    struct stream *st = open_to(w, "bob", 255), *in = agent_incoming(w->b, 0);
    assert_int_equal(in->priority, 200);
    assert_int_equal(sent_with(w->a, 200), 1);
    assert_int_equal(sent_with(w->b, 200), 1);
    /* A change too, towards both, and the other end is told what holds. */
    assert_int_equal(qms_session_set_priority(st->st, 3, 0, 255), QMS_OK);
    settle(&w->f);
    assert_int_equal(in->st->forward, 16);
    assert_int_equal(sent_with(w->b, 16), 1);
    assert_int_equal(sent_with(w->a, 200), 1);
    assert_int_equal(qms_session_set_priority(in->st, 2, 0, 3), QMS_OK);
    settle(&w->f);
    assert_int_equal(st->st->reverse, 16);
    assert_int_equal(sent_with(w->a, 16), 1);
}

static void a_late_result_is_a_timeout(void **state)
{
    struct world *w = *state;

    begin(w, "route agent = bob { accept_timeout 2s; }");
    w->b->hold = true;
    struct stream *st = open_to(w, "bob", 128);
    struct qms_route_header h = {.kind = QMS_KIND_AGENT, .target = qms_str("bob", 3)};
    h.has_deadline = true;
    h.accept_deadline_ms = 500;
    struct stream *hasty = agent_open_with(w->a, true, &h);
    h.accept_deadline_ms = 60000;
    struct stream *patient = agent_open_with(w->a, true, &h);
    settle(&w->f);
    advance(&w->f, 600 * QMS_MILLISECOND);
    assert_int_equal(hasty->result, QMS_CODE_TIMEOUT);
    assert_int_equal(st->result, -1);
    advance(&w->f, 1500 * QMS_MILLISECOND);
    assert_int_equal(st->result, QMS_CODE_TIMEOUT);
    assert_int_equal(patient->result, QMS_CODE_TIMEOUT);
}

static void modules_are_given_the_conf_of_the_block(void **state)
{
    struct world *w = *state;
    struct qms_bytes bob = {(const uint8_t *)"bob", 3}, text = {(const uint8_t *)"hi", 2};

    begin(w, "one_note outer; route agent = bob { one_note inner; }");
    struct stream *st = open_to(w, "bob", 1);
    assert_string_equal(probe.note_open, "inner");
    assert_string_equal(probe.block, "agent = bob");
    stream_write(st, "x");
    settle(&w->f);
    assert_string_equal(probe.note_data, "inner");
    qms_session_finish(st->st);
    qms_session_finish(agent_incoming(w->b, 0)->st);
    settle(&w->f);
    assert_int_equal(probe.closes, 1);
    assert_string_equal(probe.note_close, "inner");
    assert_int_equal(qms_session_datagram(w->a->s, QMS_KIND_AGENT, bob, 1, text), QMS_OK);
    settle(&w->f);
    assert_string_equal(probe.note_datagram, "inner");

    agent_open(w->b, QMS_KIND_AGENT, "alice", true, 1);
    settle(&w->f);
    assert_string_equal(probe.note_open, "outer");
    assert_string_equal(probe.block, "default");
}

static void a_reload_puts_living_routes_under_the_new_blocks(void **state)
{
    struct world *w = *state;

    begin(w, "route agent = bob { one_note old; }");
    struct stream *st = open_to(w, "bob", 100);
    stream_write(st, "x");
    settle(&w->f);
    assert_string_equal(probe.note_data, "old");

    reload(w, "route agent ^= bo { one_note new; priority_clamp 1..50; deny; }");
    stream_write(st, "y");
    settle(&w->f);
    assert_string_equal(probe.note_data, "new");
    stream_write(agent_incoming(w->b, 0), "back");
    settle(&w->f);
    assert_int_equal(st->received, 4); /* living ones go on, denied or not */
    assert_int_equal(qms_session_set_priority(st->st, 1, 99, 0), QMS_OK);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->b, 0)->st->forward, 50);
    assert_int_equal(open_to(w, "bob", 1)->result, QMS_CODE_FORBIDDEN);

    reload(w, NULL);
    qms_session_finish(st->st);
    qms_session_finish(agent_incoming(w->b, 0)->st);
    settle(&w->f);
    assert_null(probe.note_close); /* of the newest: nobody wrote a note there */
    assert_int_equal(qms_broker_route_count(w->f.broker), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(a_denied_target_is_refused_and_the_modules_hear_of_it),
        QMS_TEST(datagrams_to_a_denied_target_are_dropped),
        QMS_TEST(priorities_are_brought_within_the_bounds_on_both_legs),
        QMS_TEST(a_late_result_is_a_timeout),
        QMS_TEST(modules_are_given_the_conf_of_the_block),
        QMS_TEST(a_reload_puts_living_routes_under_the_new_blocks),
    };
    return cmocka_run_group_tests_name("broker_blocks", tests, NULL, NULL);
}
