/* SPDX-License-Identifier: MIT */
/* Windows: who may hold up whom, what they grow to, and that they come back. */
#include "qms_test.h"
#include "quic/int.h"
#include "test_quic_rig.h"

static int setup(void **state)
{
    *state = rig_new();
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

static void finish(struct rig_stream *s)
{
    s->st->link->ops->finish(s->st);
}

static void transfer(struct rig *r, struct rig_side *from, struct rig_side *to, size_t len)
{
    struct rig_stream *s = rig_open(from, false, QMS_PRIORITY_NORMAL);

    (void)rig_write(s, len);
    finish(s);
    assert_true(rig_until(r, &s->closed, 20000));
    assert_int_equal(rig_find(to, s->id)->received, len);
}

/* Opens streams whose windows are filled and never consumed. */
static void stall(struct rig *r, struct rig_side *from, struct rig_side *to, unsigned count)
{
    bool full = false;

    to->hold = true;
    for (unsigned i = 0; i < count; i++) {
        (void)rig_write(rig_open(from, i % 2 == 0, QMS_PRIORITY_HIGH), 100000);
    }
    for (unsigned i = 0; i < 1000 && !full; i++) {
        rig_run(r, 5);
        full = to->received == count * qms_quic_config_default.stream_window;
    }
    assert_true(full);
    to->hold = false;
}

static void stalled_streams_do_not_block_another(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    stall(r, &r->client, &r->server, 400);
    transfer(r, &r->client, &r->server, 1 << 20);
}

static void stalled_streams_of_a_server_do_not_block_another(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    stall(r, &r->server, &r->client, 400);
    transfer(r, &r->server, &r->client, 1 << 20);
}

/* Answers to requests come on streams that the receiver has opened itself. */
static void stalled_answers_do_not_block_another(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    r->server.echo = true;
    r->client.hold = true;
    for (unsigned i = 0; i < 400; i++) {
        (void)rig_write(rig_open(&r->client, true, QMS_PRIORITY_NORMAL), 60000);
    }
    for (unsigned i = 0; i < 1000 && r->client.received < 400 * 60000; i++) {
        rig_run(r, 5);
    }
    assert_int_equal(r->client.received, 400 * 60000);
    r->client.hold = false;
    struct rig_stream *s = rig_open(&r->client, true, QMS_PRIORITY_NORMAL);
    (void)rig_write(s, 1 << 20);
    finish(s);
    assert_true(rig_until(r, &s->closed, 10000));
    assert_int_equal(s->received, 1 << 20);
}

static void growth_of_all_windows_stops_at_the_cap(void **state)
{
    struct rig *r = *state;
    uint64_t most = 0;

    r->server_config.connection_window = 1 << 20;
    rig_start(r);
    rig_establish(r);
    const struct qms_quic_conn *c = qms_conn_of_link(r->server.link);
    for (unsigned i = 0; i < 8; i++) {
        struct rig_stream *s = rig_open(&r->client, false, QMS_PRIORITY_NORMAL);
        (void)rig_write(s, 4 << 20);
        finish(s);
    }
    for (unsigned i = 0; i < 100000 && r->client.closed_streams < 8; i++) {
        rig_turn(r, 10);
        most = c->granted > most ? c->granted : most;
    }
    assert_int_equal(r->client.closed_streams, 8);
    assert_true(most > 8 * qms_quic_config_default.stream_window);
    assert_true(most <= 1 << 20);
}

static void window_shrinks_back_when_streams_have_closed(void **state)
{
    struct rig *r = *state;
    const struct rig_stream *s;

    rig_start(r);
    rig_establish(r);
    const struct qms_quic_conn *c = qms_conn_of_link(r->server.link);
    uint64_t first = c->window;
    stall(r, &r->client, &r->server, 400);
    assert_true(c->window >= 400 * qms_quic_config_default.stream_window);
    for (s = r->client.streams; s != NULL; s = s->next) {
        s->st->link->ops->reset(s->st, 1);
        if (s->st->bidi) {
            s->st->link->ops->stop(s->st, 1);
        }
    }
    for (s = r->server.streams; s != NULL; s = s->next) {
        if (s->st != NULL && s->st->bidi) {
            finish(rig_find(&r->server, s->id));
        }
    }
    assert_true(rig_until_count(r, &r->server.closed_streams, 400, 5000));
    assert_int_equal(c->granted, 0);
    transfer(r, &r->client, &r->server, 32 << 20);
    assert_true(c->window <= first);
    assert_int_equal(c->granted, 0);
}

static void stopped_and_finished_streams_give_their_share_back(void **state)
{
    struct rig *r = *state;

    rig_start(r);
    rig_establish(r);
    r->server.hold = true;
    const struct qms_quic_conn *c = qms_conn_of_link(r->server.link);
    struct rig_stream *s = rig_open(&r->client, true, QMS_PRIORITY_NORMAL);
    (void)rig_write(s, 1000);
    finish(s);
    struct rig_stream *t = rig_open(&r->client, true, QMS_PRIORITY_NORMAL);
    (void)rig_write(t, 3000);
    rig_run(r, 50);
    assert_int_equal(c->granted, 1000 + qms_quic_config_default.stream_window);
    struct rig_stream *peer = rig_find(&r->server, t->st->id);
    peer->st->link->ops->stop(peer->st, 1);
    assert_int_equal(c->granted, 1000 + 3000);
    peer->st->link->ops->consume(peer->st, 2000);
    assert_int_equal(c->granted, 1000 + 1000);
}

/* ---- growth of one window; no sockets, the time is the test's ---- */

#define WINDOW 65536

/* Consumes a window in steps of a tenth, each `stay` after its receipt; what the window then
 * is. */
static uint64_t window_after(struct qms_quic_stream *st, qms_time *now, qms_time stay,
                             qms_time step, qms_time rtt, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        qms_quic_stream_received(st, WINDOW / 8, *now);
        (void)qms_quic_stream_consumed(st, WINDOW / 8, *now + stay, rtt, 4 << 20);
        *now += step;
    }
    return st->window;
}

static struct qms_quic_stream *new_stream(void)
{
    struct qms_quic_stream *st =
        qms_quic_stream_new(NULL, false, false, QMS_PRIORITY_NORMAL, WINDOW);

    assert_non_null(st);
    return st;
}

static void window_grows_for_a_reader_behind_a_long_path(void **state)
{
    struct qms_quic_stream *st = new_stream();
    qms_time now = QMS_SECOND, ms = QMS_MILLISECOND;

    (void)state;
    /* A window in 80 ms, where 50 ms go by on the way on and 1 ms on the way here. */
    assert_true(window_after(st, &now, 50 * ms, 10 * ms, ms, 16) > WINDOW);
    qms_quic_stream_free(st);
}

static void window_does_not_grow_for_a_slow_reader(void **state)
{
    struct qms_quic_stream *st = new_stream();
    qms_time now = QMS_SECOND, ms = QMS_MILLISECOND;

    (void)state;
    /* The path on is short, as the first bytes show; later ones stay as long as it takes. */
    (void)window_after(st, &now, ms, 10 * ms, ms, 2);
    assert_int_equal(window_after(st, &now, 500 * ms, 100 * ms, ms, 200), WINDOW);
    qms_quic_stream_free(st);
}

static void window_does_not_grow_for_a_slow_sender(void **state)
{
    struct qms_quic_stream *st = new_stream();
    qms_time now = QMS_SECOND, ms = QMS_MILLISECOND;

    (void)state;
    assert_int_equal(window_after(st, &now, 0, 10 * ms, ms, 200), WINDOW);
    qms_quic_stream_free(st);
}

/* A peer whose window for all streams together never moves, as a browser's page that reads
 * nothing: streams that fill it must leave room for what keeps the connection going. */
static void vital_stream_has_credit_where_others_have_used_it_up(void **state)
{
    struct rig *r = *state;
    struct rig_stream *vital, *plain;
    size_t before;

    r->client_config.connection_window = 512 << 10;
    rig_start(r);
    rig_establish(r);
    ((struct qms_quic_conn *)(void *)r->client.link)->window = UINT64_MAX / 2;
    r->client.hold = true;
    for (unsigned i = 0; i < 24; i++) {
        (void)rig_write(rig_open(&r->server, i % 2 == 0, QMS_PRIORITY_CRITICAL), 1 << 20);
    }
    for (before = SIZE_MAX; before != r->client.received;) {
        before = r->client.received;
        rig_run(r, 100);
    }
    assert_in_range(before, 500000, (512 << 10) - 4000);

    vital = rig_open(&r->server, false, QMS_PRIORITY_NORMAL);
    vital->st->vital = true;
    (void)rig_write(vital, 4000);
    finish(vital);
    plain = rig_open(&r->server, false, QMS_PRIORITY_CRITICAL);
    (void)rig_write(plain, 4000);
    for (unsigned i = 0; i < 200 && r->client.received < before + 4000; i++) {
        rig_run(r, 10);
    }
    assert_int_equal(rig_find(&r->client, vital->id)->received, 4000);
    assert_true(rig_find(&r->client, vital->id)->fin);
    rig_run(r, 50);
    assert_int_equal(r->client.received, before + 4000); /* all of the rest still waits */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(stalled_streams_do_not_block_another),
        QMS_TEST(stalled_streams_of_a_server_do_not_block_another),
        QMS_TEST(stalled_answers_do_not_block_another),
        QMS_TEST(growth_of_all_windows_stops_at_the_cap),
        QMS_TEST(window_shrinks_back_when_streams_have_closed),
        QMS_TEST(stopped_and_finished_streams_give_their_share_back),
        cmocka_unit_test(window_grows_for_a_reader_behind_a_long_path),
        cmocka_unit_test(window_does_not_grow_for_a_slow_reader),
        cmocka_unit_test(window_does_not_grow_for_a_slow_sender),
        QMS_TEST(vital_stream_has_credit_where_others_have_used_it_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
