/* SPDX-License-Identifier: MIT */
/* wasm/window.c alone, natively: a browser that takes everything, and RECEIPTs made by hand. */
#include <stdlib.h>

#include "qms_test.h"
#include "web.h"

#define KIB ((size_t)1024)
#define MS  QMS_MILLISECOND

struct world {
    struct qms_web_link w;
    struct qms_web_stream st[64];
};

/* ---- what window.c calls ---- */

void qms_web_stream_due(struct qms_web_stream *st)
{
    (void)st;
}

void qms_web_stream_tx_over(struct qms_web_stream *st)
{
    st->tx_over = true;
    qms_web_window_forget(st);
}

void qms_web_send(struct qms_web_link *w)
{
    (void)w;
}

/* ---- */

static int setup(void **state)
{
    struct world *x = calloc(1, sizeof(*x));

    assert_non_null(x);
    x->w.link.has_receipts = true;
    x->w.link.now = 1000 * QMS_SECOND;
    qms_web_window_init(&x->w.window);
    qms_sched_init(&x->w.sched, 32);
    for (size_t i = 0; i < 64; i++) {
        x->st[i].w = &x->w;
        x->st[i].s.link = &x->w.link;
        qms_sched_node_init(&x->st[i].turn);
        qms_list_init(&x->st[i].receipt_node);
    }
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

/* Gives pieces while there is room; how many bytes. */
static size_t fill(struct qms_web_stream *st)
{
    size_t len = 0;

    while (!qms_web_window_holds(st) && qms_web_window_room(st)) {
        qms_web_window_handed(st, 16 * KIB);
        len += 16 * KIB;
    }
    return len;
}

static void told(struct qms_web_stream *st, uint64_t len)
{
    qms_web_window_receipt(&st->s, len);
}

static void later(struct world *x, qms_time by)
{
    x->w.link.now += by;
    qms_web_window_expire(&x->w.window, x->w.link.now);
}

/* A path of so long and so many bytes a millisecond, filled for so many milliseconds; returns
 * the most that was under way in the last tenth. */
static size_t transfer(struct world *x, struct qms_web_stream *st, unsigned way_ms, size_t rate,
                       unsigned for_ms)
{
    uint64_t left[256] = {0}; /* what had left the browser by each of the last milliseconds */
    uint64_t out = st->arrived;
    size_t most = 0;

    for (unsigned t = 0; t < for_ms; t++) {
        fill(st);
        out = out + rate < st->handed ? out + rate : st->handed;
        left[t % 256] = out;
        later(x, MS);
        if (t >= way_ms) {
            told(st, left[(t - way_ms) % 256]);
        }
        if (t > for_ms - for_ms / 10 && st->handed - st->arrived > most) {
            most = (size_t)(st->handed - st->arrived);
        }
    }
    return most;
}

static void only_so_much_is_given_that_has_not_arrived(void **state)
{
    struct world *x = *state;

    assert_int_equal(fill(&x->st[0]), 64 * KIB);
    assert_int_equal(fill(&x->st[1]), 0);
    told(&x->st[0], 16 * KIB);
    assert_int_equal(fill(&x->st[1]), 16 * KIB);
}

static void without_receipts_and_for_vital_streams_there_is_no_bound(void **state)
{
    struct world *x = *state;

    fill(&x->st[0]);
    x->st[1].s.vital = true;
    assert_true(qms_web_window_room(&x->st[1]));
    x->w.link.has_receipts = false;
    assert_true(qms_web_window_room(&x->st[0]));
}

static void a_path_is_kept_busy_and_little_more(void **state)
{
    struct world *x = *state;
    const unsigned rate = 20000, way = 50; /* 20 MB/s over 50 ms: a million bytes travel */
    size_t most = transfer(x, &x->st[0], way, rate, 4000);

    assert_true(most > rate * way);
    assert_true(most < 4 * rate * way);
    uint64_t before = x->st[0].arrived;
    transfer(x, &x->st[0], way, rate, 1000);
    assert_true(x->st[0].arrived - before > 900 * rate);
}

static void a_path_that_becomes_slower_is_not_starved(void **state)
{
    struct world *x = *state;

    transfer(x, &x->st[0], 2, 20000, 1000);
    told(&x->st[0], x->st[0].handed);
    transfer(x, &x->st[0], 100, 5000, 4000);
    uint64_t before = x->st[0].arrived;
    transfer(x, &x->st[0], 100, 5000, 2000);
    assert_true(x->st[0].arrived - before > 1500 * 5000);
}

static void a_stream_whose_reader_is_slow_holds_up_itself_alone(void **state)
{
    struct world *x = *state;

    assert_int_equal(fill(&x->st[0]), 64 * KIB);
    assert_true(qms_web_window_next_at(&x->w.window) > x->w.link.now);
    later(x, QMS_SECOND);
    assert_int_equal(fill(&x->st[0]), 0);
    assert_int_equal(fill(&x->st[1]), 64 * KIB);
    told(&x->st[1], 64 * KIB);
    told(&x->st[0], 40 * KIB); /* its reader goes on */
    assert_int_equal(x->w.window.used, 24 * KIB);
    later(x, QMS_SECOND); /* and stops again */
    assert_int_equal(x->w.window.used, 0);
    assert_true(fill(&x->st[0]) > 0);
}

static void bytes_that_nobody_told_of_for_long_hold_up_nobody(void **state)
{
    struct world *x = *state;

    for (size_t i = 0; i < 64; i++) { /* 64 times 10 KiB, less than a RECEIPT is due for */
        qms_web_window_handed(&x->st[i], 10 * KIB);
    }
    assert_false(qms_web_window_room(&x->st[0]));
    later(x, QMS_SECOND);
    assert_true(qms_web_window_room(&x->st[0]));
    assert_false(qms_web_window_holds(&x->st[0]));
    assert_int_equal(x->w.window.used, 0);
}

static void a_finished_stream_is_over_when_all_is_told_or_nothing_for_long(void **state)
{
    struct world *x = *state;

    for (size_t i = 0; i < 2; i++) {
        qms_web_window_handed(&x->st[i], 1000);
        assert_true(qms_web_window_awaits(&x->st[i]));
        x->st[i].fin_taken = true;
    }
    told(&x->st[0], 999);
    assert_false(x->st[0].tx_over);
    told(&x->st[0], 1000);
    assert_true(x->st[0].tx_over);
    assert_false(x->st[1].tx_over);
    later(x, QMS_SECOND);
    assert_true(x->st[1].tx_over);
    assert_int_equal(x->w.window.used, 0);
}

static void receipts_that_make_no_sense_are_ignored(void **state)
{
    struct world *x = *state;

    qms_web_window_handed(&x->st[0], 1000);
    told(&x->st[0], 1001);
    assert_int_equal(x->st[0].arrived, 0);
    told(&x->st[0], 500);
    told(&x->st[0], 400);
    assert_int_equal(x->st[0].arrived, 500);
    assert_int_equal(x->w.window.used, 500);
    qms_web_stream_tx_over(&x->st[0]);
    told(&x->st[0], 600);
    assert_int_equal(x->w.window.used, 0);
}

int main(void)
{
#define WINDOW_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        WINDOW_TEST(only_so_much_is_given_that_has_not_arrived),
        WINDOW_TEST(without_receipts_and_for_vital_streams_there_is_no_bound),
        WINDOW_TEST(a_path_is_kept_busy_and_little_more),
        WINDOW_TEST(a_path_that_becomes_slower_is_not_starved),
        WINDOW_TEST(a_stream_whose_reader_is_slow_holds_up_itself_alone),
        WINDOW_TEST(bytes_that_nobody_told_of_for_long_hold_up_nobody),
        WINDOW_TEST(a_finished_stream_is_over_when_all_is_told_or_nothing_for_long),
        WINDOW_TEST(receipts_that_make_no_sense_are_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
