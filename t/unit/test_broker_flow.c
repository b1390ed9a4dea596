/* SPDX-License-Identifier: MIT */
/* Credit from end to end, memory caps, delays, services, datagrams. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "qms_test.h"
#include "test_broker_fixture.h"

#define WINDOW 65536

struct world {
    struct broker_fixture f;
    struct agent *a, *b, *c;
};

static int setup_with(void **state, const char *quic)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    fixture_start(&w->f, quic, NULL);
    w->a = agent_connect(&w->f, "alice", NULL);
    w->b = agent_connect(&w->f, "bob", NULL);
    w->c = agent_connect(&w->f, "carol", NULL);
    *state = w;
    return 0;
}

static int setup(void **state)
{
    return setup_with(state, NULL);
}

static int setup_small(void **state)
{
    return setup_with(state, "route_buffer 64k; agent_memory 256k;");
}

static int setup_full(void **state)
{
    return setup_with(state, "worker_memory 16m;");
}

static int teardown(void **state)
{
    struct world *w = *state;

    fixture_stop(&w->f);
    free(w);
    return 0;
}

static void slow_reader_stalls_only_its_own_writer(void **state)
{
    struct world *w = *state;

    w->b->slow = true;
    struct stream *stuck = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 200);
    stream_pour(stuck, 5000000);
    struct stream *moving = agent_open(w->a, QMS_KIND_AGENT, "carol", true, 1);
    uint32_t sum = stream_pour(moving, 3000000);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->b, 0)->received, WINDOW);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), WINDOW);
    assert_int_equal(stuck->acked, 2 * WINDOW);
    assert_int_equal(agent_incoming(w->c, 0)->received, 3000000);
    assert_int_equal(agent_incoming(w->c, 0)->sum, sum);
    assert_true(qms_blob_total() < 5000000 + 200000);

    w->b->slow = false;
    stream_consume(agent_incoming(w->b, 0));
    settle(&w->f);
    assert_int_equal(agent_incoming(w->b, 0)->received, 5000000);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), 0);
}

static void payload_that_a_module_refuses_never_arrives(void **state)
{
    struct world *w = *state;
    struct stream *st = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 9);
    struct stream *other = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 9);

    settle(&w->f);
    struct stream *in = agent_incoming(w->b, 0);
    probe.reject_byte = '!';
    stream_write(st, "good");
    stream_write(other, "good");
    settle(&w->f);
    assert_int_equal(in->received, 4);
    stream_write(st, "bad!");
    settle(&w->f);
    assert_int_equal(in->received, 4);
    assert_int_equal(in->reset, QMS_CODE_TOO_LARGE);
    assert_false(in->fin);
    assert_int_equal(st->stop, QMS_CODE_TOO_LARGE);
    assert_int_equal(st->reset, QMS_CODE_TOO_LARGE);
    assert_int_equal(probe.last_status, QMS_CODE_TOO_LARGE);
    assert_int_equal(
        qms_stats_label_get(qms_broker_stats(w->f.broker), QMS_F_ROUTE_CUT, "probe_byte"), 1);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), 0);
    /* Towards the opener too; the neighbour is as it was. */
    stream_write(agent_incoming(w->b, 1), "well");
    settle(&w->f);
    assert_int_equal(other->received, 4);
    stream_write(agent_incoming(w->b, 1), "no!");
    settle(&w->f);
    assert_int_equal(other->reset, QMS_CODE_TOO_LARGE);
    assert_int_equal(agent_incoming(w->b, 1)->stop, QMS_CODE_TOO_LARGE);
    probe.reject_byte = 0;
}

static void modules_see_the_end_of_the_data(void **state)
{
    struct world *w = *state;
    struct stream *st = agent_open(w->a, QMS_KIND_AGENT, "bob", false, 9);

    settle(&w->f);
    probe.fins = 0;
    qms_session_finish(st->st);
    settle(&w->f);
    assert_int_equal(probe.fins, 1);
    assert_true(agent_incoming(w->b, 0)->fin);
}

static void credit_comes_back_exactly_as_the_far_end_acknowledges(void **state)
{
    struct world *w = *state;

    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    settle(&w->f);
    fake_link_hold_acks(w->b->pair, 0, true);
    fake_link_hold_acks(w->b->pair, 1, true);
    stream_pour(o, 10000);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->b, 0)->received, 10000);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), 10000);
    fake_link_hold_acks(w->b->pair, 1, false);
    settle(&w->f);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), 0);
}

static void small_writes_share_a_chunk(void **state)
{
    struct world *w = *state;

    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    settle(&w->f);
    fake_link_hold_acks(w->b->pair, 1, true);
    size_t before = qms_blob_total();
    for (int i = 0; i < 100; i++) {
        stream_write(o, "0123456789");
        settle(&w->f);
    }
    assert_true(qms_blob_total() - before <= QMS_BLOB_CHUNK);
    fake_link_hold_acks(w->b->pair, 1, false);
    settle(&w->f);
    qms_blob_trim();
    assert_int_equal(agent_incoming(w->b, 0)->received, 1000);
    assert_true(qms_blob_total() <= before);
}

static void delay_withholds_credit_and_loses_nothing(void **state)
{
    struct world *w = *state;

    probe.delay_for = 2 * QMS_SECOND;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    uint32_t sum = stream_pour(o, 2 * WINDOW);
    settle(&w->f);
    assert_int_equal(agent_incoming(w->b, 0)->received, WINDOW);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), WINDOW);
    advance(&w->f, 1999 * QMS_MILLISECOND);
    assert_int_equal(agent_incoming(w->b, 0)->received, WINDOW);
    probe.delay_for = 0;
    advance(&w->f, QMS_MILLISECOND);
    assert_int_equal(agent_incoming(w->b, 0)->received, 2 * WINDOW);
    assert_int_equal(agent_incoming(w->b, 0)->sum, sum);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), 0);
}

/* As advance, but no more than a packet's worth of a stream at once. */
static void in_packets(struct broker_fixture *f, qms_time by)
{
    f->elapsed += by;
    for (unsigned i = 0; i < f->agent_count; i++) {
        fake_link_advance(f->agents[i]->pair, by);
    }
    while (step(f, 1000)) {
        /* until nothing moves */
    }
}

static void credit_comes_back_in_the_measure_in_which_it_is_earned(void **state)
{
    struct world *w = *state;
    qms_time from = fixture_now(&w->f);
    uint64_t before = 0, most = 0;
    unsigned releases = 0;

    probe.bytes_a_second = WINDOW; /* one window a second */
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    stream_pour(o, 4 * WINDOW);
    in_packets(&w->f, 0);
    before = agent_incoming(w->b, 0)->received;
    assert_int_equal(before, WINDOW);
    while (fixture_now(&w->f) < from + 3 * QMS_SECOND) {
        in_packets(&w->f, 5 * QMS_MILLISECOND);
        uint64_t more = agent_incoming(w->b, 0)->received - before;
        uint64_t earned = WINDOW + WINDOW * (fixture_now(&w->f) - from) / QMS_SECOND;
        before += more;
        releases += more > 0;
        most = more > most ? more : most;
        assert_true(before <= earned);
        assert_true(before + WINDOW / 4 >= earned);
    }
    assert_true(releases >= 30);
    assert_true(most <= WINDOW / 6);
    advance(&w->f, 2 * QMS_SECOND);
    assert_int_equal(agent_incoming(w->b, 0)->received, 4 * WINDOW);
}

static void delay_of_a_stream_that_ends_meanwhile_is_forgotten(void **state)
{
    struct world *w = *state;

    probe.delay_for = 2 * QMS_SECOND;
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    stream_pour(o, 1000);
    settle(&w->f);
    qms_session_reset(o->st, QMS_CODE_CANCELLED);
    qms_session_stop(o->st, QMS_CODE_CANCELLED);
    settle(&w->f);
    assert_true(o->closed);
    assert_int_equal(qms_broker_route_count(w->f.broker), 0);
    advance(&w->f, 5 * QMS_SECOND);
}

static void finished_streams_stay_on_the_account_until_they_are_read(void **state)
{
    struct world *w = *state;
    int refused = 0;

    w->b->slow = true;
    for (int i = 0; i < 40; i++) {
        struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", false, 0);
        stream_pour(o, 100000);
        qms_session_finish(o->st);
        settle(&w->f);
    }
    for (int i = 0; i < 40; i++) {
        refused += agent_stream(w->a, (unsigned)i)->result == QMS_CODE_BUSY;
    }
    /* 256 KiB are allowed, and what one window adds. */
    assert_true(refused > 30 && refused < 40);
    assert_int_equal(counted(&w->f, QMS_S_MEMORY_REFUSED), refused);
    assert_int_equal(
        qms_stats_label_get(qms_broker_stats(w->f.broker), QMS_F_ROUTE_REFUSED, "agent_memory"),
        refused);

    /* Another agent is not concerned; when the reader reads, neither is this one. */
    struct stream *other = agent_open(w->c, QMS_KIND_AGENT, "alice", true, 0);
    settle(&w->f);
    assert_int_equal(other->result, QMS_CODE_OK);
    w->b->slow = false;
    for (unsigned i = 0; agent_incoming(w->b, i) != NULL; i++) {
        stream_consume(agent_incoming(w->b, i));
    }
    settle(&w->f);
    struct stream *again = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    settle(&w->f);
    assert_int_equal(again->result, QMS_CODE_OK);
}

static void new_routes_are_refused_when_the_worker_is_full(void **state)
{
    struct world *w = *state;
    struct qms_blob *hog = qms_blob_new(17000000);

    assert_non_null(hog);
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    settle(&w->f);
    assert_int_equal(o->result, QMS_CODE_BUSY);
    assert_int_equal(counted(&w->f, QMS_S_MEMORY_REFUSED), 1);
    qms_blob_unref(hog);
    o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    settle(&w->f);
    assert_int_equal(o->result, QMS_CODE_OK);
}

static void echo_sends_back_with_the_openers_own_credit(void **state)
{
    struct world *w = *state;
    struct stream *o = agent_open(w->a, QMS_KIND_SERVICE, "echo", true, 0);

    w->a->slow = true;
    uint32_t sum = stream_pour(o, 1000000);
    qms_session_finish(o->st);
    settle(&w->f);
    assert_int_equal(o->result, QMS_CODE_OK);
    assert_int_equal(o->received, WINDOW);
    assert_int_equal(fake_link_unconsumed(w->a->pair, 1), WINDOW);
    w->a->slow = false;
    stream_consume(o);
    settle(&w->f);
    assert_int_equal(o->received, 1000000);
    assert_int_equal(o->sum, sum);
    assert_true(o->fin && o->closed);
    assert_int_equal(probe.last_forward, 1000000);
}

static void echo_mirrors_resets_and_stops(void **state)
{
    struct world *w = *state;
    struct stream *r = agent_open(w->a, QMS_KIND_SERVICE, "echo", true, 0);
    struct stream *s = agent_open(w->a, QMS_KIND_SERVICE, "echo", true, 0);

    stream_write(r, "x");
    stream_write(s, "x");
    settle(&w->f);
    qms_session_reset(r->st, 0x88);
    qms_session_stop(s->st, 0x89);
    settle(&w->f);
    assert_int_equal(r->reset, 0x88);
    assert_int_equal(s->stop, 0x89);
    assert_true(r->closed && s->closed);
    struct stream *uni = agent_open(w->a, QMS_KIND_SERVICE, "echo", false, 0);
    settle(&w->f);
    assert_int_equal(uni->result, QMS_CODE_UNSUPPORTED);
}

static void discard_takes_everything(void **state)
{
    struct world *w = *state;
    struct stream *bidi = agent_open(w->a, QMS_KIND_SERVICE, "discard", true, 0);
    struct stream *uni = agent_open(w->a, QMS_KIND_SERVICE, "discard", false, 0);

    stream_pour(bidi, 1000000);
    stream_pour(uni, 1000000);
    qms_session_finish(bidi->st);
    qms_session_finish(uni->st);
    settle(&w->f);
    assert_int_equal(bidi->acked, 1000000);
    assert_true(bidi->fin && bidi->closed && uni->closed);
    assert_int_equal(bidi->received, 0);
    assert_int_equal(qms_broker_route_count(w->f.broker), 0);
}

static void services_live_through_the_death_of_their_opener(void **state)
{
    struct world *w = *state;

    stream_pour(agent_open(w->a, QMS_KIND_SERVICE, "echo", true, 0), 5000000);
    stream_pour(agent_open(w->a, QMS_KIND_SERVICE, "discard", true, 0), 5000000);
    step(&w->f, 1000);
    agent_die(w->a);
    settle(&w->f);
    assert_int_equal(qms_broker_route_count(w->f.broker), 0);
}

/* Both directions have their FIN, and bytes of both are on their way when all is lost. */
static void deaths_with_bytes_on_their_way_leave_nothing(void **state)
{
    struct world *w = *state;

    w->a->slow = w->b->slow = true;
    struct stream *echo = agent_open(w->a, QMS_KIND_SERVICE, "echo", true, 0);
    struct stream *self = agent_open(w->a, QMS_KIND_AGENT, "alice", true, 0);
    struct stream *o = agent_open(w->a, QMS_KIND_AGENT, "bob", true, 0);
    struct stream *uni = agent_open(w->a, QMS_KIND_AGENT, "bob", false, 0);
    settle(&w->f);
    struct stream *all[] = {
        echo, self, o, uni, agent_incoming(w->a, 0), agent_incoming(w->b, 0)};
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        stream_pour(all[i], 100000);
        qms_session_finish(all[i]->st);
    }
    settle(&w->f);
    fake_link_hold_acks(w->a->pair, 1, true);
    fake_link_hold_acks(w->b->pair, 1, true);
    w->a->slow = w->b->slow = false;
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        stream_consume(all[i]);
    }
    settle(&w->f);
    assert_true(qms_broker_route_count(w->f.broker) > 0);
    agent_die(w->a);
    agent_die(w->b);
    settle(&w->f);
    assert_int_equal(qms_broker_route_count(w->f.broker), 0);
}

static void unknown_service_is_not_found(void **state)
{
    struct world *w = *state;
    struct stream *o = agent_open(w->a, QMS_KIND_SERVICE, "chargen", true, 0);

    settle(&w->f);
    assert_int_equal(o->result, QMS_CODE_NOT_FOUND);
}

static qms_err datagram(struct agent *a, enum qms_kind kind, const char *to, const char *text)
{
    return qms_session_datagram(a->s, kind, qms_str(to, strlen(to)), 9,
                                qms_str(text, strlen(text)));
}

static void datagrams_reach_their_target_with_the_senders_name(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 3; i++) {
        assert_int_equal(datagram(w->a, QMS_KIND_AGENT, "bob", "hi"), QMS_OK);
        settle(&w->f);
    }
    assert_int_equal(w->b->datagrams, 3);
    assert_string_equal(w->b->datagram, "hi");
    assert_string_equal(w->b->datagram_from, "alice");
    assert_int_equal(w->b->datagram_kind, QMS_KIND_AGENT);
    assert_int_equal(counted(&w->f, QMS_S_DATAGRAMS_OUT), 3);
    assert_int_equal(counted(&w->f, QMS_S_DATAGRAM_BYTES_IN), 6);
}

static void datagrams_without_a_target_are_dropped_and_counted(void **state)
{
    struct world *w = *state;

    assert_int_equal(datagram(w->a, QMS_KIND_AGENT, "nobody", "x"), QMS_OK);
    assert_int_equal(datagram(w->a, QMS_KIND_SERVICE, "nothing", "x"), QMS_OK);
    assert_int_equal(datagram(w->a, QMS_KIND_GROUP, "g", "x"), QMS_OK);
    settle(&w->f);
    assert_int_equal(datagram(w->a, QMS_KIND_TOPIC, "t", "x"), QMS_OK);
    settle(&w->f);
    assert_int_equal(counted(&w->f, QMS_S_DROPPED_NO_TARGET), 4);
    probe.reject_datagram = true;
    assert_int_equal(datagram(w->a, QMS_KIND_AGENT, "bob", "x"), QMS_OK);
    settle(&w->f);
    assert_int_equal(counted(&w->f, QMS_S_DROPPED_REFUSED), 1);
    assert_int_equal(w->b->datagrams, 0);
    /* By the module's name, or what it says. */
    assert_int_equal(datagram(w->a, QMS_KIND_AGENT, "bob", "thirteenbytes"), QMS_OK);
    settle(&w->f);
    struct qms_stats_page *stats = qms_broker_stats(w->f.broker);
    assert_int_equal(qms_stats_label_get(stats, QMS_F_DATAGRAM_REFUSED, "one"), 1);
    assert_int_equal(qms_stats_label_get(stats, QMS_F_DATAGRAM_REFUSED, "thirteen_bytes"), 1);
    assert_int_equal(counted(&w->f, QMS_S_DROPPED_REFUSED), 2);
    assert_int_equal(w->b->datagrams, 0);
}

static void datagram_services_echo_and_swallow(void **state)
{
    struct world *w = *state;

    assert_int_equal(datagram(w->a, QMS_KIND_SERVICE, "discard", "x"), QMS_OK);
    settle(&w->f);
    assert_int_equal(w->a->datagrams, 0);
    assert_int_equal(datagram(w->a, QMS_KIND_SERVICE, "echo", "again"), QMS_OK);
    settle(&w->f);
    assert_int_equal(w->a->datagrams, 1);
    assert_string_equal(w->a->datagram, "again");
    assert_string_equal(w->a->datagram_from, "echo");
    assert_int_equal(w->a->datagram_kind, QMS_KIND_SERVICE);
}

static void datagrams_too_large_for_the_target_are_counted(void **state)
{
    struct world *w = *state;
    char big[801];

    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    fake_link_set_datagram_max(w->b->pair, 1, 500);
    assert_int_equal(datagram(w->a, QMS_KIND_AGENT, "bob", big), QMS_OK);
    settle(&w->f);
    assert_int_equal(counted(&w->f, QMS_S_DROPPED_TOO_LARGE), 1);
}

static void a_thousand_streams_at_once_arrive_whole(void **state)
{
    struct world *w = *state;
    static struct stream *streams[1000];

    for (int i = 0; i < 1000; i++) {
        streams[i] = agent_open(w->a, QMS_KIND_AGENT, "bob", true, (uint8_t)i);
        assert_non_null(streams[i]);
        stream_pour(streams[i], (size_t)(1 + i * 13));
        qms_session_finish(streams[i]->st);
    }
    settle(&w->f);
    uint64_t total = 0;
    for (unsigned i = 0; i < 1000; i++) {
        assert_true(agent_incoming(w->b, i)->fin);
        total += agent_incoming(w->b, i)->received;
        qms_session_finish(agent_incoming(w->b, i)->st);
    }
    assert_int_equal(total, 1000 + 13 * 999 * 1000 / 2);
    settle(&w->f);
    assert_int_equal(qms_broker_route_count(w->f.broker), 0);
}

/* One whole exchange; every allocation in it fails once.  Whatever happens, nobody crashes,
 * nothing leaks, and no truncated stream ends with FIN. */
static void exchange(struct broker_fixture *f)
{
    struct agent *a = agent_connect(f, "alice", "good"), *b = agent_connect(f, "bob", "good");
    struct stream *bidi, *uni, *echo;

    if (a == NULL || b == NULL) {
        return;
    }
    bidi = agent_open(a, QMS_KIND_AGENT, "bob", true, 3);
    uni = agent_open(a, QMS_KIND_AGENT, "bob", false, 4);
    echo = agent_open(a, QMS_KIND_SERVICE, "echo", true, 5);
    struct stream *all[] = {bidi, uni, echo};
    for (unsigned i = 0; i < 3; i++) {
        if (all[i] != NULL) {
            stream_pour(all[i], 40000);
            qms_session_finish(all[i]->st);
        }
    }
    (void)datagram(a, QMS_KIND_AGENT, "bob", "d");
    settle(f);
    if (bidi != NULL && bidi->st != NULL) {
        qms_err err = qms_session_set_priority(bidi->st, 3, 1, 2);
        assert_true(err == QMS_OK || err == QMS_E_NOMEM);
    }
    struct stream *i = agent_incoming(b, 0);
    if (i != NULL && i->st != NULL) {
        stream_pour(i, 20000);
        qms_session_finish(i->st);
    }
    settle(f);
}

/* Whether none of the n allocations so far was the one to fail. */
static bool failure_is_pending(uint64_t n)
{
    bool pending = false;

    for (uint64_t i = 0; i <= n && !pending; i++) {
        void *p = qms_calloc(1, 1);
        pending = p == NULL;
        qms_free(p);
    }
    return pending;
}

static void survives_the_failure_of_any_allocation(void **state)
{
    struct broker_fixture f;
    uint64_t n = 0;
    bool whole = false;

    (void)state;
    for (; !whole && n < 3000; n++) {
        if (!fixture_try_start(&f, NULL, "auth any key;")) {
            fail();
        }
        qms_mem_fail_after(n);
        exchange(&f);
        whole = failure_is_pending(n);
        qms_mem_fail_after(UINT64_MAX);
        for (unsigned k = 0; k < f.agent_count; k++) {
            for (unsigned j = 0; agent_stream(f.agents[k], j) != NULL; j++) {
                const struct stream *s = agent_stream(f.agents[k], j);
                if (s->fin && s->received > 0) {
                    assert_true(s->received == 40000 || s->received == 20000);
                }
            }
        }
        fixture_stop(&f);
    }
    assert_true(whole && n > 50);
}

static int no_setup(void **state)
{
    (void)state;
    return 0;
}

#define WITH(test, start) cmocka_unit_test_setup_teardown(test, start, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(payload_that_a_module_refuses_never_arrives),
        QMS_TEST(modules_see_the_end_of_the_data),
        QMS_TEST(slow_reader_stalls_only_its_own_writer),
        QMS_TEST(credit_comes_back_exactly_as_the_far_end_acknowledges),
        QMS_TEST(small_writes_share_a_chunk),
        QMS_TEST(delay_withholds_credit_and_loses_nothing),
        QMS_TEST(credit_comes_back_in_the_measure_in_which_it_is_earned),
        QMS_TEST(delay_of_a_stream_that_ends_meanwhile_is_forgotten),
        WITH(finished_streams_stay_on_the_account_until_they_are_read, setup_small),
        WITH(new_routes_are_refused_when_the_worker_is_full, setup_full),
        QMS_TEST(echo_sends_back_with_the_openers_own_credit),
        QMS_TEST(echo_mirrors_resets_and_stops),
        QMS_TEST(discard_takes_everything),
        QMS_TEST(services_live_through_the_death_of_their_opener),
        QMS_TEST(deaths_with_bytes_on_their_way_leave_nothing),
        QMS_TEST(unknown_service_is_not_found),
        QMS_TEST(datagrams_reach_their_target_with_the_senders_name),
        QMS_TEST(datagrams_without_a_target_are_dropped_and_counted),
        QMS_TEST(datagram_services_echo_and_swallow),
        QMS_TEST(datagrams_too_large_for_the_target_are_counted),
        QMS_TEST(a_thousand_streams_at_once_arrive_whole),
        cmocka_unit_test_setup_teardown(survives_the_failure_of_any_allocation, no_setup,
                                        no_setup),
    };
    return cmocka_run_group_tests_name("broker_flow", tests, NULL, NULL);
}
