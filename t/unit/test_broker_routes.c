/* SPDX-License-Identifier: MIT */
/* Routing between agents: headers, results, refusals, ends. */
#include <stdlib.h>
#include <string.h>

#include "core/broker/peer.h"
#include "fake_link_i.h"
#include "qms_test.h"
#include "test_broker_fixture.h"

struct world {
    struct broker_fixture f;
    struct agent *a, *b;
};

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    fixture_start(&w->f, NULL, NULL);
    w->a = agent_connect(&w->f, "alice", NULL);
    w->b = agent_connect(&w->f, "bob", NULL);
    assert_true(w->a->welcomed && w->b->welcomed);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    fixture_stop(&w->f);
    free(w);
    return 0;
}

static void bytes_go_both_ways_and_end_with_fin(void **state)
{
    struct world *w = *state;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 200);

    uint32_t there = stream_pour(o, 300000);
    qms_session_finish(o->st);
    settle(&w->f);
    struct stream *i = agent_incoming(w->b, 0);
    assert_non_null(i);
    assert_int_equal(o->result, QMS_CODE_OK);
    assert_string_equal(i->source, "alice");
    assert_int_equal(i->priority, 200);
    assert_int_equal(i->received, 300000);
    assert_int_equal(i->sum, there);
    assert_true(i->fin && !o->fin && !o->closed);

    uint32_t back = stream_pour(i, 70001);
    qms_session_finish(i->st);
    settle(&w->f);
    assert_int_equal(o->received, 70001);
    assert_int_equal(o->sum, back);
    assert_true(o->fin && o->closed && i->closed);
    assert_int_equal(qms_broker_route_count(w->f.broker), 0);
    assert_int_equal(probe.closes, 1);
    assert_int_equal(probe.last_status, QMS_CODE_OK);
    assert_int_equal(probe.last_forward, 300000);
    assert_int_equal(probe.last_reverse, 70001);
    assert_string_equal(probe.calls, "one key ");
}

static void a_byte_at_a_time_changes_nothing(void **state)
{
    struct world *w = *state;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);

    uint32_t sum = stream_pour(o, 500);
    qms_session_finish(o->st);
    while (step(&w->f, 1)) {
    }
    assert_int_equal(agent_incoming(w->b, 0)->received, 500);
    assert_int_equal(agent_incoming(w->b, 0)->sum, sum);
    assert_true(agent_incoming(w->b, 0)->fin);
}

static void unidirectional_streams_carry_bytes(void **state)
{
    struct world *w = *state;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", false, 10);

    uint32_t sum = stream_pour(o, 100000);
    qms_session_finish(o->st);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->b, 0)->sum, sum);
    assert_true(agent_incoming(w->b, 0)->fin);
    assert_true(o->closed);
    assert_int_equal(qms_broker_route_count(w->f.broker), 0);
}

static void unidirectional_refusal_reaches_the_opener(void **state)
{
    struct world *w = *state;

    w->b->answer = QMS_CODE_REJECTED;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", false, 10);
    stream_write(o, "hello");
    settle(&w->f);
    assert_int_equal(o->result, QMS_CODE_REJECTED);
    assert_true(o->closed);
    assert_int_equal(probe.last_status, QMS_CODE_REJECTED);
}

static void header_fields_pass_and_the_brokers_own_do_not(void **state)
{
    struct world *w = *state;
    static const uint8_t extra[] = {0x40, 0x41, 1, 0x5a};
    static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    struct qms_route_header h = {
        .kind = QMS_KIND_AGENT,
        .priority = 7,
        .flags = QMS_ROUTE_FRAMED,
        .target = qms_str("bob", 3),
        .content_type = qms_str("text/plain", 10),
        .meta = qms_str("m", 1),
        .traceparent = qms_str(trace, sizeof(trace) - 1),
        .stream_token = qms_str("secret", 6),
        .has_length = true,
        .length_hint = 12345,
        .has_deadline = true,
        .accept_deadline_ms = 4000,
        .has_original = true,
        .original_kind = QMS_KIND_GROUP,
        .original_target = qms_str("forged", 6),
        .extra = {extra, sizeof(extra)},
    };

    assert_non_null(agent_open_with(w->a, true, &h));
    settle(&w->f);
    struct stream *i = agent_incoming(w->b, 0);
    assert_string_equal(i->content_type, "text/plain");
    assert_string_equal(i->meta, "m");
    assert_string_equal(i->traceparent, trace);
    assert_int_equal(i->length_hint, 12345);
    assert_int_equal(i->deadline, 4000);
    assert_int_equal(i->flags, QMS_ROUTE_FRAMED);
    assert_int_equal(i->extra_value, 0x5a);
    assert_string_equal(i->source, "alice");
    assert_false(i->has_token);
    assert_false(i->has_original);
}

static void a_traceparent_that_is_none_is_not_passed_on(void **state)
{
    struct world *w = *state;
    static const char trace[] = "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    struct qms_route_header h = {.kind = QMS_KIND_AGENT,
                                 .target = qms_str("bob", 3),
                                 .traceparent = qms_str(trace, sizeof(trace) - 1)};

    assert_non_null(agent_open_with(w->a, true, &h));
    settle(&w->f);
    assert_string_equal(agent_incoming(w->b, 0)->traceparent, "");
}

static void hops_from_an_agent_are_a_protocol_error(void **state)
{
    struct world *w = *state;
    struct qms_route_header h = {
        .kind = QMS_KIND_AGENT, .target = qms_str("bob", 3), .has_hops = true, .hops = 1};
    struct stream *o = agent_open_with(w->a, true, &h);

    settle(&w->f);
    assert_int_equal(o->result, QMS_CODE_PROTOCOL);
    assert_null(agent_incoming(w->b, 0));
}

static void unknown_agent_is_offline_at_once(void **state)
{
    struct world *w = *state;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "nobody", true, 0);

    stream_pour(o, 1000);
    settle(&w->f);
    assert_int_equal(o->result, QMS_CODE_OFFLINE);
    assert_true(o->closed);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), 0);
    assert_int_equal(probe.last_status, QMS_CODE_OFFLINE);

    struct stream *uni = agent_open(w->a, QMS_KIND_AGENT, "nobody", false, 0);
    stream_pour(uni, 10);
    settle(&w->f);
    assert_int_equal(uni->result, QMS_CODE_OFFLINE);
}

static void refusal_and_its_reason_reach_the_opener(void **state)
{
    struct world *w = *state;

    w->b->hold = true;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    stream_pour(o, 200000);
    settle(&w->f);
    struct qms_result r = {
        .status = 0x91, .reason = qms_str("full up", 7), .retry_after_ms = 250};
    assert_int_equal(qms_session_result(agent_incoming(w->b, 0)->st, &r), QMS_OK);
    settle(&w->f);
    assert_int_equal(o->result, 0x91);
    assert_string_equal(o->reason, "full up");
    assert_int_equal(o->retry_after_ms, 250);
    assert_true(o->closed && agent_incoming(w->b, 0)->closed);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), 0);
}

static void the_opener_is_told_who_answered(void **state)
{
    struct world *w = *state;
    struct qms_result r = {.status = QMS_CODE_OK, .acceptor = qms_str("mallory", 7)};
    static const uint8_t meta[1019];

    w->b->hold = true;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    struct stream *refused = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    struct stream *full = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    struct stream *nobody = agent_open(w->a, QMS_KIND_AGENT, "nobody", true, 0);
    struct stream *echo = agent_open(w->a, QMS_KIND_SERVICE, "echo", true, 0);
    settle(&w->f);
    assert_int_equal(qms_session_result(agent_incoming(w->b, 0)->st, &r), QMS_OK);
    r.status = QMS_CODE_REJECTED;
    assert_int_equal(qms_session_result(agent_incoming(w->b, 1)->st, &r), QMS_OK);
    r = (struct qms_result){.meta = {meta, sizeof(meta)}};
    assert_int_equal(qms_session_result(agent_incoming(w->b, 2)->st, &r), QMS_OK);
    settle(&w->f);
    assert_int_equal(o->result, QMS_CODE_OK);
    assert_string_equal(o->acceptor, "bob");
    assert_int_equal(refused->result, QMS_CODE_REJECTED);
    assert_string_equal(refused->acceptor, "bob");
    assert_int_equal(full->result, QMS_CODE_OK);
    assert_int_equal(full->result_meta, sizeof(meta));
    assert_string_equal(full->acceptor, "");
    assert_string_equal(nobody->acceptor, "");
    assert_int_equal(echo->result, QMS_CODE_OK);
    assert_string_equal(echo->acceptor, "");
}

static void the_broker_itself_is_no_target(void **state)
{
    struct world *w = *state;
    struct stream *self = agent_open(w->a, QMS_KIND_SELF, "", true, 0);

    settle(&w->f);
    assert_int_equal(self->result, QMS_CODE_UNSUPPORTED);
}

static void a_modules_refusal_is_told_and_the_next_is_not_asked(void **state)
{
    struct world *w = *state;

    probe.reject_open = true;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    settle(&w->f);
    assert_int_equal(o->result, QMS_CODE_FORBIDDEN);
    assert_int_equal(o->retry_after_ms, 1500);
    assert_string_equal(o->reason, "not now");
    assert_string_equal(probe.calls, "one ");
    assert_int_equal(probe.closes, 1);
    assert_int_equal(
        qms_stats_label_get(qms_broker_stats(w->f.broker), QMS_F_ROUTE_REFUSED, "probe"), 1);
    assert_null(agent_incoming(w->b, 0));
}

static void accept_deadline_ends_in_timeout(void **state)
{
    struct world *w = *state;
    struct qms_route_header h = {.kind = QMS_KIND_AGENT,
                                 .target = qms_str("bob", 3),
                                 .has_deadline = true,
                                 .accept_deadline_ms = 2000};

    w->b->hold = true;
    struct stream *o = agent_open_with(w->a, true, &h);
    settle(&w->f);
    advance(&w->f, 1999 * QMS_MILLISECOND);
    assert_int_equal(o->result, -1);
    advance(&w->f, QMS_MILLISECOND);
    assert_int_equal(o->result, QMS_CODE_TIMEOUT);
    assert_int_equal(agent_incoming(w->b, 0)->reset, QMS_CODE_TIMEOUT);
    assert_int_equal(agent_incoming(w->b, 0)->stop, QMS_CODE_TIMEOUT);
}

static void an_answer_in_time_ends_the_deadline(void **state)
{
    struct world *w = *state;
    struct qms_route_header h = {.kind = QMS_KIND_AGENT,
                                 .target = qms_str("bob", 3),
                                 .has_deadline = true,
                                 .accept_deadline_ms = 2000};
    struct stream *o = agent_open_with(w->a, true, &h);

    settle(&w->f);
    advance(&w->f, 5 * QMS_SECOND);
    assert_int_equal(o->result, QMS_CODE_OK);
    assert_false(o->closed);
}

static void no_result_routes_carry_payload_at_once(void **state)
{
    struct world *w = *state;
    struct qms_route_header h = {
        .kind = QMS_KIND_AGENT, .target = qms_str("bob", 3), .flags = QMS_ROUTE_NO_RESULT};

    w->b->hold = true;
    struct stream *o = agent_open_with(w->a, true, &h);
    stream_write(o, "ping");
    settle(&w->f);
    stream_write(agent_incoming(w->b, 0), "pong");
    qms_session_finish(agent_incoming(w->b, 0)->st);
    settle(&w->f);
    assert_string_equal(agent_incoming(w->b, 0)->first, "ping");
    assert_string_equal(o->first, "pong");
    assert_true(o->fin);
    assert_int_equal(o->result, -1);
}

static void acceptor_that_dies_in_mid_stream_is_peer_gone_and_never_fin(void **state)
{
    struct world *w = *state;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);

    stream_pour(o, 1000);
    settle(&w->f);
    stream_pour(agent_incoming(w->b, 0), 500);
    settle(&w->f);
    agent_die(w->b);
    settle(&w->f);
    assert_int_equal(o->received, 500);
    assert_false(o->fin);
    assert_int_equal(o->reset, QMS_CODE_PEER_GONE);
    assert_int_equal(o->stop, QMS_CODE_PEER_GONE);
    assert_true(o->closed);
    assert_int_equal(probe.last_status, QMS_CODE_PEER_GONE);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), 0);
}

static void opener_that_dies_in_mid_stream_is_peer_gone_and_never_fin(void **state)
{
    struct world *w = *state;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);

    stream_pour(o, 1000);
    settle(&w->f);
    agent_die(w->a);
    settle(&w->f);
    struct stream *i = agent_incoming(w->b, 0);
    assert_int_equal(i->received, 1000);
    assert_false(i->fin);
    assert_int_equal(i->reset, QMS_CODE_PEER_GONE);
    assert_int_equal(i->stop, QMS_CODE_PEER_GONE);
    assert_int_equal(qms_broker_route_count(w->f.broker), 0);
}

static void death_before_the_answer_is_told_as_result(void **state)
{
    struct world *w = *state;

    w->b->hold = true;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    settle(&w->f);
    agent_die(w->b);
    settle(&w->f);
    assert_int_equal(o->result, QMS_CODE_PEER_GONE);
    assert_true(o->closed);

    struct stream *uni = agent_open(w->a, QMS_KIND_AGENT, "bob", false, 0);
    settle(&w->f);
    assert_int_equal(uni->result, QMS_CODE_OFFLINE);
}

static void an_answer_to_an_opener_that_is_closing_is_peer_gone(void **state)
{
    struct world *w = *state;
    struct qms_list *first = qms_list_first(&w->f.broker->peers);

    w->b->hold = true;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    settle(&w->f);
    stream_accept(agent_incoming(w->b, 0), QMS_CODE_OK);
    qms_peer_close(QMS_CONTAINER(first, struct qms_peer, node), QMS_CODE_REPLACED, "");
    fake_link_pump(w->b->pair, 0);
    settle(&w->f);
    struct stream *i = agent_incoming(w->b, 0);
    assert_true(o->closed);
    assert_int_equal(i->reset, QMS_CODE_PEER_GONE);
    assert_int_equal(i->stop, QMS_CODE_PEER_GONE);
    assert_int_equal(probe.last_status, QMS_CODE_PEER_GONE);
}

static void a_finished_direction_arrives_whole_though_its_sender_dies(void **state)
{
    struct world *w = *state;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);

    w->b->slow = true;
    uint32_t sum = stream_pour(o, 100000);
    qms_session_finish(o->st);
    settle(&w->f);
    struct stream *i = agent_incoming(w->b, 0);
    assert_int_equal(i->received, 65536);
    agent_die(w->a);
    settle(&w->f);
    assert_int_equal(i->reset, -1);
    assert_int_equal(i->stop, QMS_CODE_PEER_GONE);
    w->b->slow = false;
    stream_consume(i);
    settle(&w->f);
    assert_int_equal(i->received, 100000);
    assert_int_equal(i->sum, sum);
    assert_true(i->fin);
}

static void reset_codes_pass_unchanged(void **state)
{
    struct world *w = *state;
    const uint8_t codes[] = {QMS_CODE_CANCELLED, 0x80, 0xff};

    for (unsigned n = 0; n < sizeof(codes); n++) {
        struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
        stream_pour(o, 100);
        settle(&w->f);
        struct stream *i = agent_incoming(w->b, n);
        qms_session_reset(o->st, codes[n]);
        settle(&w->f);
        assert_int_equal(i->reset, codes[n]);
        assert_int_equal(i->stop, -1);
        assert_false(i->closed);

        stream_write(i, "still");
        qms_session_finish(i->st);
        settle(&w->f);
        assert_string_equal(o->first, "still");
        assert_true(o->fin && o->closed && i->closed);
        assert_int_equal(probe.last_status, codes[n]);
    }
}

static void stop_codes_pass_unchanged(void **state)
{
    struct world *w = *state;
    const uint8_t codes[] = {QMS_CODE_CANCELLED, 0x80, 0xff};

    for (unsigned n = 0; n < sizeof(codes); n++) {
        struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
        stream_pour(o, 100);
        settle(&w->f);
        struct stream *i = agent_incoming(w->b, n);
        qms_session_stop(i->st, codes[n]);
        settle(&w->f);
        assert_int_equal(o->stop, codes[n]);
        assert_int_equal(o->reset, -1);
        stream_pour(o, 100);
        stream_write(i, "still");
        qms_session_finish(i->st);
        settle(&w->f);
        assert_string_equal(o->first, "still");
        assert_true(o->closed && i->closed);
        assert_int_equal(fake_link_unconsumed(w->a->pair, 1), 0);
    }
}

static void opener_that_stops_the_way_back_keeps_its_own(void **state)
{
    struct world *w = *state;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);

    settle(&w->f);
    struct stream *i = agent_incoming(w->b, 0);
    stream_pour(i, 100);
    settle(&w->f);
    qms_session_stop(o->st, 0x99);
    settle(&w->f);
    assert_int_equal(i->stop, 0x99);
    uint32_t sum = stream_pour(o, 5000);
    qms_session_finish(o->st);
    settle(&w->f);
    assert_int_equal(i->sum, sum);
    assert_true(i->fin && i->closed && o->closed);
}

static void reset_drops_what_is_buffered_and_gives_its_credit_back(void **state)
{
    struct world *w = *state;

    w->b->slow = true;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    stream_pour(o, 1000000);
    settle(&w->f);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), 65536);
    qms_session_reset(o->st, QMS_CODE_CANCELLED);
    settle(&w->f);
    struct stream *i = agent_incoming(w->b, 0);
    assert_int_equal(i->reset, QMS_CODE_CANCELLED);
    assert_int_equal(i->received, 65536);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), 0);
}

/* Every way to end one direction with every way to end the other, by either side first. */
enum end { END_FIN, END_RESET, END_STOP_BY_READER };

static void end_direction(struct stream *writer, struct stream *reader, enum end how,
                          uint8_t code)
{
    if (how == END_FIN) {
        qms_session_finish(writer->st);
    } else if (how == END_RESET) {
        qms_session_reset(writer->st, code);
    } else {
        qms_session_stop(reader->st, code);
    }
}

static void check_direction(const struct stream *writer, const struct stream *reader,
                            enum end how, uint8_t code)
{
    assert_int_equal(reader->fin, how == END_FIN);
    assert_int_equal(reader->reset, how == END_RESET ? code : -1);
    assert_int_equal(writer->stop, how == END_STOP_BY_READER ? code : -1);
}

static void every_combination_of_half_closes_ends_both_legs(void **state)
{
    struct world *w = *state;
    unsigned n = 0;

    for (int forward = END_FIN; forward <= END_STOP_BY_READER; forward++) {
        for (int reverse = END_FIN; reverse <= END_STOP_BY_READER; reverse++) {
            for (int order = 0; order < 3; order++, n++) {
                struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
                stream_write(o, "x");
                settle(&w->f);
                struct stream *i = agent_incoming(w->b, n);
                stream_write(i, "y");
                settle(&w->f);
                if (order == 1) {
                    end_direction(i, o, (enum end)reverse, 0xa2);
                    settle(&w->f);
                }
                end_direction(o, i, (enum end)forward, 0xa1);
                if (order == 0) {
                    settle(&w->f);
                }
                if (order != 1) {
                    end_direction(i, o, (enum end)reverse, 0xa2);
                }
                settle(&w->f);
                check_direction(o, i, (enum end)forward, 0xa1);
                check_direction(i, o, (enum end)reverse, 0xa2);
                assert_true(o->closed && i->closed);
                assert_int_equal(qms_broker_route_count(w->f.broker), 0);
            }
        }
    }
}

static void a_route_to_oneself_works(void **state)
{
    struct world *w = *state;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "alice", true, 0);

    stream_write(o, "me");
    qms_session_finish(o->st);
    settle(&w->f);
    assert_string_equal(agent_incoming(w->a, 0)->first, "me");
    assert_string_equal(agent_incoming(w->a, 0)->source, "alice");
    agent_die(w->a);
    settle(&w->f);
    assert_int_equal(qms_broker_route_count(w->f.broker), 0);
}

/* How many streams the broker sends to that agent with this urgency. */
static unsigned sent_with(struct world *w, const char *id, uint8_t priority)
{
    struct agent *a = strcmp(id, "alice") == 0 ? w->a : w->b;
    struct fake_end *end = (struct fake_end *)(void *)fake_pair_link(a->pair, 1);
    struct qms_list *node;
    unsigned count = 0;

    QMS_LIST_FOREACH(node, &end->streams) {
        struct fake_stream *st = QMS_CONTAINER(node, struct fake_stream, node);
        count += st->priority == priority;
    }
    return count;
}

static void priority_changes_reach_the_other_leg(void **state)
{
    struct world *w = *state;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 100);

    settle(&w->f);
    struct stream *i = agent_incoming(w->b, 0);
    assert_int_equal(qms_session_set_priority(o->st, 3, 5, 6), QMS_OK);
    settle(&w->f);
    assert_int_equal(i->priority_changes, 1);
    assert_int_equal(i->st->forward, 5);
    assert_int_equal(i->st->reverse, 6);
    /* What the acceptor sends, and what the broker sends to either. */
    assert_int_equal(fake_stream_priority(i->st->link_stream), 6);

    assert_int_equal(qms_session_set_priority(i->st, 2, 0, 250), QMS_OK);
    settle(&w->f);
    assert_int_equal(o->priority_changes, 1);
    assert_int_equal(o->st->reverse, 250);
    assert_int_equal(o->st->forward, 5);
    assert_int_equal(i->priority_changes, 1);
}

/* Each urgency under the named one that is nearest to it; bytes under what it is by then. */
static void streams_and_bytes_are_counted_by_priority(void **state)
{
    static const struct {
        uint8_t priority;
        unsigned level;
    } edges[] = {{0, 0},   {31, 0},  {32, 1},  {95, 1},  {96, 2},
                 {159, 2}, {160, 3}, {223, 3}, {224, 4}, {255, 4}};
    struct world *w = *state;
    uint64_t streams[5] = {0}, bytes[5] = {0};

    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", false, edges[i].priority);
        stream_pour(o, 1000 + i);
        streams[edges[i].level]++;
        bytes[edges[i].level] += 1000 + i;
    }
    settle(&w->f);
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, QMS_PRIORITY_NORMAL);
    settle(&w->f);
    assert_int_equal(
        qms_session_set_priority(o->st, 3, QMS_PRIORITY_CRITICAL, QMS_PRIORITY_LOW), QMS_OK);
    settle(&w->f);
    stream_pour(o, 70);
    stream_pour(agent_incoming(w->b, 10), 7);
    settle(&w->f);
    streams[2]++;
    bytes[4] += 70;
    bytes[1] += 7;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(counted(&w->f, QMS_S_LEVEL_STREAMS_BACKGROUND + i), streams[i]);
        assert_int_equal(counted(&w->f, QMS_S_LEVEL_BYTES_BACKGROUND + i), bytes[i]);
    }
}

static void a_new_urgency_is_set_on_the_acceptors_leg(void **state)
{
    struct world *w = *state;
    struct stream *low = agent_open(w->a, QMS_KIND_AGENT, "bob", false, 1);

    settle(&w->f);
    struct stream *high = agent_open(w->a, QMS_KIND_AGENT, "bob", false, 1);
    settle(&w->f);
    assert_int_equal(qms_session_set_priority(high->st, 1, 200, 0), QMS_OK);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->b, 0)->st->forward, 1);
    assert_int_equal(agent_incoming(w->b, 1)->st->forward, 200);
    assert_int_equal(sent_with(w, "bob", 1), 1);
    assert_int_equal(sent_with(w, "bob", 200), 1);
    assert_int_equal(low->priority_changes, 0);
}

static void urgency_of_the_way_back_is_set_on_the_openers_leg(void **state)
{
    struct world *w = *state;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 33);

    settle(&w->f);
    assert_int_equal(sent_with(w, "alice", 33), 1);
    assert_int_equal(sent_with(w, "bob", 33), 1);
    assert_int_equal(qms_session_set_priority(o->st, 3, 44, 55), QMS_OK);
    settle(&w->f);
    assert_int_equal(sent_with(w, "alice", 55), 1);
    assert_int_equal(sent_with(w, "bob", 44), 1);
    assert_int_equal(qms_session_set_priority(agent_incoming(w->b, 0)->st, 2, 0, 66), QMS_OK);
    settle(&w->f);
    assert_int_equal(sent_with(w, "alice", 66), 1);
    assert_int_equal(sent_with(w, "bob", 44), 1);
}

static void replies_of_the_target_follow_when_it_goes_away(void **state)
{
    struct world *w = *state;
    struct qms_control m = {.type = QMS_MSG_GOAWAY,
                            .u.goaway = {.status = QMS_CODE_GOING_AWAY, .deadline_ms = 1000}};

    assert_int_equal(qms_session_send(w->b->s, &m), QMS_OK);
    settle(&w->f);
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    settle(&w->f);
    assert_int_equal(o->result, QMS_CODE_GOING_AWAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(bytes_go_both_ways_and_end_with_fin),
        QMS_TEST(a_byte_at_a_time_changes_nothing),
        QMS_TEST(unidirectional_streams_carry_bytes),
        QMS_TEST(unidirectional_refusal_reaches_the_opener),
        QMS_TEST(header_fields_pass_and_the_brokers_own_do_not),
        QMS_TEST(a_traceparent_that_is_none_is_not_passed_on),
        QMS_TEST(hops_from_an_agent_are_a_protocol_error),
        QMS_TEST(unknown_agent_is_offline_at_once),
        QMS_TEST(refusal_and_its_reason_reach_the_opener),
        QMS_TEST(the_opener_is_told_who_answered),
        QMS_TEST(the_broker_itself_is_no_target),
        QMS_TEST(a_modules_refusal_is_told_and_the_next_is_not_asked),
        QMS_TEST(accept_deadline_ends_in_timeout),
        QMS_TEST(an_answer_in_time_ends_the_deadline),
        QMS_TEST(no_result_routes_carry_payload_at_once),
        QMS_TEST(acceptor_that_dies_in_mid_stream_is_peer_gone_and_never_fin),
        QMS_TEST(opener_that_dies_in_mid_stream_is_peer_gone_and_never_fin),
        QMS_TEST(death_before_the_answer_is_told_as_result),
        QMS_TEST(an_answer_to_an_opener_that_is_closing_is_peer_gone),
        QMS_TEST(a_finished_direction_arrives_whole_though_its_sender_dies),
        QMS_TEST(reset_codes_pass_unchanged),
        QMS_TEST(stop_codes_pass_unchanged),
        QMS_TEST(opener_that_stops_the_way_back_keeps_its_own),
        QMS_TEST(reset_drops_what_is_buffered_and_gives_its_credit_back),
        QMS_TEST(every_combination_of_half_closes_ends_both_legs),
        QMS_TEST(a_route_to_oneself_works),
        QMS_TEST(priority_changes_reach_the_other_leg),
        QMS_TEST(streams_and_bytes_are_counted_by_priority),
        QMS_TEST(a_new_urgency_is_set_on_the_acceptors_leg),
        QMS_TEST(urgency_of_the_way_back_is_set_on_the_openers_leg),
        QMS_TEST(replies_of_the_target_follow_when_it_goes_away),
    };
    return cmocka_run_group_tests_name("broker_routes", tests, NULL, NULL);
}
