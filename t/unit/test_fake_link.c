/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "fake_bare.h"
#include "qms_test.h"

struct fixture {
    struct fake_pair *pair;
    struct bare a, b;
};

static void start(struct fixture *f, const struct fake_config *config)
{
    f->pair = fake_pair_new(config);
    assert_non_null(f->pair);
    bare_init(&f->a, f->pair, 0);
    bare_init(&f->b, f->pair, 1);
}

static void end(struct fixture *f)
{
    fake_pair_free(f->pair);
    bare_fini(&f->a);
    bare_fini(&f->b);
    qms_blob_trim();
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    start(f, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    end(*state);
    free(*state);
    return 0;
}

static void nothing_arrives_without_a_pump(void **state)
{
    struct fixture *f = *state;

    bare_write(bare_open(&f->a, true), "hello", 5);
    assert_int_equal(f->b.stream_count, 0);
    fake_link_settle(f->pair);
    assert_int_equal(f->b.stream_count, 1);
    assert_memory_equal(f->b.streams->data, "hello", 5);
}

static void a_pump_moves_no_more_than_its_chunk(void **state)
{
    struct fixture *f = *state;

    bare_write(bare_open(&f->a, false), "hello", 5);
    for (size_t len = 1; len <= 5; len++) {
        assert_true(fake_link_pump(f->pair, 1));
        assert_int_equal(f->b.streams->len, len);
    }
    fake_link_settle(f->pair);
    assert_false(fake_link_pump(f->pair, 1));
}

static void stream_ids_are_those_of_quic(void **state)
{
    struct fixture *f = *state;
    static const int64_t ids[] = {0, 4, 2, 6, 1, 3};
    struct bare_stream *st[] = {
        bare_open(&f->a, true),  bare_open(&f->a, true), bare_open(&f->a, false),
        bare_open(&f->a, false), bare_open(&f->b, true), bare_open(&f->b, false),
    };

    assert_int_equal(st[0]->ls->id, -1);
    fake_link_settle(f->pair);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(st[i]->ls->id, ids[i]);
    }
}

static void streams_beyond_the_limit_wait_for_a_place(void **state)
{
    struct fake_config config = fake_config_default;
    struct fixture f;

    (void)state;
    config.streams_uni = 2;
    start(&f, &config);
    for (int i = 0; i < 3; i++) {
        struct bare_stream *st = bare_open(&f.a, false);
        bare_write(st, "x", 1);
        if (i == 1) {
            bare_finish(st);
        }
    }
    fake_link_pump(f.pair, 0);
    assert_int_equal(f.b.stream_count, 2);
    fake_link_settle(f.pair); /* the second has ended */
    assert_int_equal(f.b.stream_count, 3);
    end(&f);
}

static void a_stream_stops_at_its_credit(void **state)
{
    struct fake_config config = fake_config_default;
    struct fixture f;
    struct qms_link_stream_stats stats;

    (void)state;
    config.window = 4;
    start(&f, &config);
    struct bare_stream *st = bare_open(&f.a, false);
    bare_write(st, "abcdefgh", 8);
    fake_link_pump(f.pair, 0);
    assert_int_equal(f.b.streams->len, 4);
    st->ls->link->ops->stream_stats(st->ls, &stats);
    assert_int_equal(stats.bytes_written, 8);
    assert_int_equal(stats.send_credit, 0); /* 8 written, 8 allowed since 4 were consumed */
    fake_link_settle(f.pair);
    assert_int_equal(f.b.streams->len, 8);
    end(&f);
}

static void urgent_streams_go_first(void **state)
{
    struct fixture *f = *state;
    struct bare_stream *slow = bare_open(&f->a, false), *fast = bare_open(&f->a, false);

    bare_write(slow, "s", 1);
    bare_write(fast, "f", 1);
    fast->ls->link->ops->set_priority(fast->ls, 255);
    fake_link_settle(f->pair);
    assert_memory_equal(f->b.streams->data, "s", 1); /* the newest: it came last */
    assert_memory_equal(f->b.streams->next->data, "f", 1);
}

static void reset_drops_what_waits_and_stop_is_answered(void **state)
{
    struct fixture *f = *state;
    struct bare_stream *st = bare_open(&f->a, true);

    bare_write(st, "hello", 5);
    fake_link_pump(f->pair, 2);
    st->ls->link->ops->reset(st->ls, 77);
    struct bare_stream *far = f->b.streams;
    far->ls->link->ops->reset(far->ls, 78);
    fake_link_settle(f->pair);
    assert_int_equal(far->len, 2);
    assert_int_equal(far->reset_code, 77);
    assert_int_equal(st->reset_code, 78);
    assert_null(st->ls);
    assert_null(far->ls);

    st = bare_open(&f->a, false);
    bare_write(st, "x", 1);
    fake_link_settle(f->pair);
    far = f->b.streams;
    far->ls->link->ops->stop(far->ls, 5);
    fake_link_settle(f->pair);
    assert_true(st->stopped);
    assert_int_equal(st->stop_code, 5);
    assert_null(st->ls);
}

static void acknowledgements_can_be_held_back(void **state)
{
    struct fixture *f = *state;
    struct bare_stream *st = bare_open(&f->a, false);

    fake_link_hold_acks(f->pair, 0, true);
    bare_write(st, "x", 1);
    bare_finish(st);
    fake_link_settle(f->pair);
    assert_non_null(st->ls);
    fake_link_hold_acks(f->pair, 0, false);
    fake_link_settle(f->pair);
    assert_null(st->ls);
}

static void datagrams_may_be_lost_and_have_a_size(void **state)
{
    struct fixture *f = *state;
    struct qms_link *link = fake_pair_link(f->pair, 0);
    static const uint8_t data[1201];
    struct qms_bytes part = {data, 1200};

    fake_link_drop_datagrams(f->pair, 0, 3);
    for (int i = 0; i < 9; i++) {
        assert_int_equal(link->ops->datagram(link, 1, &part, 1), QMS_OK);
    }
    fake_link_settle(f->pair);
    assert_int_equal(f->b.datagrams, 6);
    part.len = 1201;
    assert_int_equal(link->ops->datagram(link, 1, &part, 1), QMS_E_TOO_LARGE);
}

static void a_close_ends_the_streams_and_both_sides(void **state)
{
    struct fixture *f = *state;
    struct qms_link *link = fake_pair_link(f->pair, 0);
    struct bare_stream *st = bare_open(&f->a, true);

    bare_write(st, "x", 1);
    fake_link_settle(f->pair);
    link->ops->close(link, 9, (struct qms_bytes){(const uint8_t *)"bye", 3});
    assert_false(f->a.closed);
    assert_int_equal(link->ops->open(link, true, 1, &st->ls), QMS_E_CLOSED);
    fake_link_settle(f->pair);
    assert_null(st->ls);
    assert_true(f->a.closed);
    assert_false(f->a.closed_by_peer);
    assert_true(f->b.closed_by_peer);
    assert_int_equal(f->b.code, 9);
    assert_string_equal(f->b.reason, "bye");
    assert_null(fake_pair_link(f->pair, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(nothing_arrives_without_a_pump),
        QMS_TEST(a_pump_moves_no_more_than_its_chunk),
        QMS_TEST(stream_ids_are_those_of_quic),
        QMS_TEST(streams_beyond_the_limit_wait_for_a_place),
        QMS_TEST(a_stream_stops_at_its_credit),
        QMS_TEST(urgent_streams_go_first),
        QMS_TEST(reset_drops_what_waits_and_stop_is_answered),
        QMS_TEST(acknowledgements_can_be_held_back),
        QMS_TEST(datagrams_may_be_lost_and_have_a_size),
        QMS_TEST(a_close_ends_the_streams_and_both_sides),
    };
    return cmocka_run_group_tests_name("fake_link", tests, NULL, NULL);
}
