/* SPDX-License-Identifier: MIT */
/* Scheduler, level queue and datagram queue: no socket, no clock. */
#include <string.h>

#include "base/dgramq.h"
#include "base/mem.h"
#include "base/sched.h"
#include "qms_test.h"

#define NODES 300

struct fixture {
    struct qms_sched sched;
    struct qms_sched_node n[NODES];
};

static int setup(void **state)
{
    struct fixture *f = qms_calloc(1, sizeof(*f));

    assert_non_null(f);
    qms_sched_init(&f->sched, 0);
    for (unsigned i = 0; i < NODES; i++) {
        qms_sched_node_init(&f->n[i]);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    qms_free(*state);
    return 0;
}

/* One packet full of one stream's data: which. */
static long packet(struct fixture *f)
{
    struct qms_sched_node *n = qms_sched_pick(&f->sched);

    if (n == NULL) {
        return -1;
    }
    qms_sched_served(&f->sched, n);
    qms_sched_packet(&f->sched);
    return n - f->n;
}

static void put(struct fixture *f, unsigned i, uint8_t priority)
{
    qms_sched_put(&f->sched, &f->n[i], priority);
}

static void nobody_is_picked_when_nobody_waits(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(packet(f), -1);
    put(f, 0, 5);
    qms_sched_remove(&f->sched, &f->n[0]);
    qms_sched_remove(&f->sched, &f->n[0]);
    assert_int_equal(packet(f), -1);
}

static void more_urgent_goes_first_whatever_the_order_of_arrival(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 256; i++) {
        put(f, i, (uint8_t)(i * 37)); /* 37 is odd: every level once */
    }
    for (int level = 255; level >= 0; level--) {
        long i = packet(f);
        assert_int_equal((uint8_t)(i * 37), level);
        qms_sched_remove(&f->sched, &f->n[i]);
    }
    assert_int_equal(packet(f), -1);
}

static void less_urgent_gets_nothing_while_more_urgent_waits(void **state)
{
    struct fixture *f = *state;

    put(f, 0, 1);
    put(f, 1, 2);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(packet(f), 1);
    }
}

static void equals_take_turns_of_a_few_packets(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 3; i++) {
        put(f, i, 9);
    }
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++) {
            for (int k = 0; k < QMS_SCHED_TURN; k++) {
                assert_int_equal(packet(f), i);
            }
        }
    }
}

static void removal_between_and_inside_packets_keeps_the_turns(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 4; i++) {
        put(f, i, 9);
    }
    assert_int_equal(packet(f), 0);
    qms_sched_remove(&f->sched, &f->n[0]); /* the first of its level */
    qms_sched_remove(&f->sched, &f->n[2]); /* one in the middle */
    for (int k = 0; k < QMS_SCHED_TURN; k++) {
        assert_int_equal(packet(f), 1);
    }
    /* Served, then gone before the packet is complete; another fills the rest. */
    struct qms_sched_node *n = qms_sched_pick(&f->sched);
    assert_ptr_equal(n, &f->n[3]);
    qms_sched_served(&f->sched, n);
    qms_sched_remove(&f->sched, n);
    n = qms_sched_pick(&f->sched);
    assert_ptr_equal(n, &f->n[1]);
    qms_sched_served(&f->sched, n);
    qms_sched_packet(&f->sched);
    put(f, 3, 9);
    for (int k = 0; k < QMS_SCHED_TURN - 1; k++) {
        assert_int_equal(packet(f), 1);
    }
    assert_int_equal(packet(f), 3);
}

static void guard_gives_one_packet_in_n_to_the_longest_waiting(void **state)
{
    struct fixture *f = *state;
    int low[2] = {0, 0}, high = 0;

    qms_sched_init(&f->sched, 8);
    put(f, 0, 0);
    put(f, 1, 1);
    put(f, 2, 255);
    for (int i = 1; i <= 800; i++) {
        long n = packet(f);
        assert_int_equal(n != 2, i % 8 == 0);
        if (n == 2) {
            high++;
        } else {
            low[n]++;
        }
    }
    assert_int_equal(high, 700);
    assert_int_equal(low[0], 50);
    assert_int_equal(low[1], 50);
}

static void guard_picks_for_the_first_frame_only(void **state)
{
    struct fixture *f = *state;

    qms_sched_init(&f->sched, 1);
    put(f, 0, 0);
    put(f, 1, 255);
    struct qms_sched_node *n = qms_sched_pick(&f->sched);
    assert_ptr_equal(n, &f->n[0]);
    qms_sched_served(&f->sched, n);
    assert_ptr_equal(qms_sched_pick(&f->sched), &f->n[1]);
}

static void passed_over_tells_who_jumps_the_queue(void **state)
{
    struct fixture *f = *state;

    put(f, 0, 10);
    put(f, 1, 20);
    assert_true(qms_sched_passed_over(&f->sched, &f->n[0]));
    assert_false(qms_sched_passed_over(&f->sched, &f->n[1]));
    qms_sched_remove(&f->sched, &f->n[1]);
    assert_false(qms_sched_passed_over(&f->sched, &f->n[0]));
}

static void move_changes_the_level_and_not_the_membership(void **state)
{
    struct fixture *f = *state;

    put(f, 0, 10);
    put(f, 1, 20);
    qms_sched_move(&f->sched, &f->n[0], 30);
    assert_int_equal(packet(f), 0);
    qms_sched_move(&f->sched, &f->n[2], 40); /* not queued */
    assert_int_equal(packet(f), 0);
    qms_sched_remove(&f->sched, &f->n[0]);
    assert_int_equal(packet(f), 1);
}

/* Compares with the obvious implementation over a long random run. */
static void vital_ones_go_ahead_of_every_level_and_of_the_guard(void **state)
{
    struct fixture *f = *state;

    f->sched.guard = 2;
    put(f, 0, 255);
    f->n[1].vital = f->n[2].vital = true;
    put(f, 1, 0);
    put(f, 2, 0);
    put(f, 2, 0); /* it is in already */
    assert_true(qms_sched_passed_over(&f->sched, &f->n[0]));
    assert_false(qms_sched_passed_over(&f->sched, &f->n[1]));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(packet(f), 1);
        assert_int_equal(packet(f), 2);
    }
    qms_sched_move(&f->sched, &f->n[1], 3); /* they have no level */
    qms_sched_remove(&f->sched, &f->n[1]);
    assert_int_equal(packet(f), 2);
    qms_sched_remove(&f->sched, &f->n[2]);
    assert_int_equal(packet(f), 0);
    qms_sched_remove(&f->sched, &f->n[0]);
    assert_int_equal(packet(f), -1);
}

static void random_operations_agree_with_a_plain_search(void **state)
{
    struct fixture *f = *state;
    struct qms_prioq q = {NULL, NULL};
    struct qms_prioq_node node[64];
    unsigned arrival[64] = {0}, clock = 0;
    uint32_t rnd = 1;

    memset(node, 0, sizeof(node));
    (void)f;
    for (int step = 0; step < 200000; step++) {
        rnd = rnd * 1664525 + 1013904223;
        unsigned i = rnd >> 26;
        if (qms_prioq_has(&node[i])) {
            qms_prioq_remove(&q, &node[i]);
        } else {
            qms_prioq_put(&q, &node[i], (uint8_t)(rnd >> 12 & 7));
            arrival[i] = ++clock;
        }
        struct qms_prioq_node *best = NULL, *worst = NULL;
        for (unsigned k = 0; k < 64; k++) {
            if (!qms_prioq_has(&node[k])) {
                continue;
            }
            bool older = best != NULL && arrival[k] < arrival[best - node];
            if (best == NULL || node[k].priority > best->priority ||
                (node[k].priority == best->priority && older)) {
                best = &node[k];
            }
            older = worst != NULL && arrival[k] < arrival[worst - node];
            if (worst == NULL || node[k].priority < worst->priority ||
                (node[k].priority == worst->priority && older)) {
                worst = &node[k];
            }
        }
        assert_ptr_equal(q.top, best);
        assert_ptr_equal(q.bottom, worst);
    }
}

/* ---- datagrams ---- */

static qms_err dgram(struct qms_dgramq *q, uint8_t priority, uint8_t mark, size_t len)
{
    static uint8_t data[1000];
    struct qms_bytes parts[] = {{data, 1}, {NULL, 0}, {data + 1, len - 1}};

    data[0] = mark;
    return qms_dgramq_put(q, priority, parts, 3);
}

static void full_datagram_queue_drops_the_oldest_of_the_least_urgent(void **state)
{
    struct qms_dgramq q = {.limit = 4 * (100 + sizeof(struct qms_dgram))};
    (void)state;

    assert_int_equal(dgram(&q, 5, 'a', 100), QMS_OK);
    assert_int_equal(dgram(&q, 1, 'b', 100), QMS_OK);
    assert_int_equal(dgram(&q, 1, 'c', 100), QMS_OK);
    assert_int_equal(dgram(&q, 9, 'd', 100), QMS_OK);
    assert_int_equal(dgram(&q, 5, 'e', 100), QMS_OK); /* b goes */
    assert_int_equal(dgram(&q, 0, 'f', 100), QMS_OK); /* f itself */
    assert_int_equal(q.dropped, 2);
    const char *want = "daec";
    for (int i = 0; i < 4; i++) {
        assert_int_equal(qms_dgramq_top(&q)->data[0], want[i]);
        assert_int_equal(qms_dgramq_top(&q)->len, 100);
        qms_dgramq_pop(&q);
    }
    assert_null(qms_dgramq_top(&q));
    assert_int_equal(q.bytes, 0);
}

static void empty_datagrams_are_bounded_too(void **state)
{
    struct qms_dgramq q = {.limit = 1000};
    (void)state;

    for (int i = 0; i < 10000; i++) {
        assert_int_equal(qms_dgramq_put(&q, 1, NULL, 0), QMS_OK);
    }
    assert_true(q.dropped > 9900);
    assert_true(q.bytes <= 1000);
    qms_dgramq_clear(&q);
}

static void datagram_that_never_fits_is_refused(void **state)
{
    struct qms_dgramq q = {.limit = 200};
    (void)state;

    assert_int_equal(dgram(&q, 1, 'a', 201), QMS_E_TOO_LARGE);
    qms_mem_fail_after(0);
    assert_int_equal(dgram(&q, 1, 'a', 10), QMS_E_NOMEM);
    assert_int_equal(q.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(nobody_is_picked_when_nobody_waits),
        QMS_TEST(more_urgent_goes_first_whatever_the_order_of_arrival),
        QMS_TEST(less_urgent_gets_nothing_while_more_urgent_waits),
        QMS_TEST(equals_take_turns_of_a_few_packets),
        QMS_TEST(removal_between_and_inside_packets_keeps_the_turns),
        QMS_TEST(guard_gives_one_packet_in_n_to_the_longest_waiting),
        QMS_TEST(guard_picks_for_the_first_frame_only),
        QMS_TEST(passed_over_tells_who_jumps_the_queue),
        QMS_TEST(move_changes_the_level_and_not_the_membership),
        QMS_TEST(vital_ones_go_ahead_of_every_level_and_of_the_guard),
        QMS_TEST(random_operations_agree_with_a_plain_search),
        QMS_TEST(full_datagram_queue_drops_the_oldest_of_the_least_urgent),
        QMS_TEST(empty_datagrams_are_bounded_too),
        QMS_TEST(datagram_that_never_fits_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
