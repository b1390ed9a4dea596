/* SPDX-License-Identifier: MIT */
/* The ring between two processes, at its edges and under two threads. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "core/shared/ring.h"
#include "qms_test.h"

struct fixture {
    struct qms_ring_shared *shared;
    struct qms_ring_writer w;
    struct qms_ring_reader r;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->shared = aligned_alloc(64, qms_ring_size());
    assert_non_null(f->shared);
    memset(f->shared, 0, qms_ring_size());
    f->w.shared = f->r.shared = f->shared;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    free(f->shared);
    free(f);
    return 0;
}

static struct qms_ring_entry numbered(uint64_t n)
{
    return (struct qms_ring_entry){
        .type = 1, .id = (uint32_t)n, .len = ~(uint32_t)n, .value = n};
}

static void put(struct fixture *f, uint64_t n)
{
    struct qms_ring_entry e = numbered(n);
    assert_int_equal(qms_ring_put(&f->w, &e), QMS_OK);
}

static void expect(struct fixture *f, uint64_t n)
{
    struct qms_ring_entry e;
    assert_int_equal(qms_ring_get(&f->r, &e), QMS_OK);
    assert_int_equal(e.value, n);
    assert_int_equal(e.id, (uint32_t)n);
    assert_int_equal(e.len, ~(uint32_t)n);
}

static void what_is_put_comes_out_in_order(void **state)
{
    struct fixture *f = *state;
    struct qms_ring_entry e;

    assert_int_equal(qms_ring_get(&f->r, &e), QMS_E_AGAIN);
    put(f, 1);
    put(f, 2);
    expect(f, 1);
    expect(f, 2);
    assert_int_equal(qms_ring_get(&f->r, &e), QMS_E_AGAIN);
}

static void a_full_ring_takes_nothing_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct qms_ring_entry e = numbered(0);

    for (uint64_t i = 0; i < QMS_RING_ENTRIES; i++) {
        put(f, i);
    }
    assert_int_equal(qms_ring_put(&f->w, &e), QMS_E_AGAIN);
    expect(f, 0);
    put(f, QMS_RING_ENTRIES);
    assert_int_equal(qms_ring_put(&f->w, &e), QMS_E_AGAIN);
    for (uint64_t i = 1; i <= QMS_RING_ENTRIES; i++) {
        expect(f, i);
    }
}

static void the_indices_may_run_over(void **state)
{
    struct fixture *f = *state;
    /* Both sides begin just below the end of the numbers; the shared part says the same. */
    uint32_t *words = (uint32_t *)(void *)f->shared;
    f->w.head = f->w.tail = f->r.tail = words[0] = words[16] = UINT32_MAX - 3;

    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 1500; i++) {
            put(f, i);
        }
        for (uint64_t i = 0; i < 1500; i++) {
            expect(f, i);
        }
    }
}

static void a_lying_index_is_a_protocol_error_on_either_side(void **state)
{
    struct fixture *f = *state;
    uint32_t *words = (uint32_t *)(void *)f->shared;
    struct qms_ring_entry e = numbered(1);

    words[0] = QMS_RING_ENTRIES + 1; /* head */
    assert_int_equal(qms_ring_get(&f->r, &e), QMS_E_PROTOCOL);
    words[0] = UINT32_MAX;
    assert_int_equal(qms_ring_get(&f->r, &e), QMS_E_PROTOCOL);

    words[0] = 0;
    for (uint64_t i = 0; i < QMS_RING_ENTRIES; i++) {
        put(f, i);
    }
    words[16] = QMS_RING_ENTRIES + 7; /* tail, ahead of the head */
    assert_int_equal(qms_ring_put(&f->w, &e), QMS_E_PROTOCOL);
}

static void a_sleeper_is_woken_once_for_many_messages(void **state)
{
    struct fixture *f = *state;

    put(f, 1);
    assert_false(qms_ring_must_wake(&f->w)); /* nobody sleeps yet */
    assert_false(qms_ring_sleep(&f->r));     /* there is something to read */
    expect(f, 1);
    assert_true(qms_ring_sleep(&f->r));
    put(f, 2);
    put(f, 3);
    assert_true(qms_ring_must_wake(&f->w));
    assert_false(qms_ring_must_wake(&f->w));
}

static void a_writer_without_room_is_woken_once(void **state)
{
    struct fixture *f = *state;

    assert_false(qms_ring_room_awaited(&f->r));
    for (uint64_t i = 0; i < QMS_RING_ENTRIES; i++) {
        put(f, i);
    }
    assert_true(qms_ring_await_room(&f->w));
    expect(f, 0);
    assert_true(qms_ring_room_awaited(&f->r));
    assert_false(qms_ring_room_awaited(&f->r));
    assert_false(qms_ring_await_room(&f->w)); /* there is room again */
    assert_false(qms_ring_room_awaited(&f->r));
}

static void a_closed_ring_says_so(void **state)
{
    struct fixture *f = *state;

    assert_false(qms_ring_closed(f->shared));
    qms_ring_close(f->shared);
    assert_true(qms_ring_closed(f->shared));
}

#define MESSAGES 300000

static void *write_all(void *arg)
{
    struct fixture *f = arg;

    for (uint64_t i = 0; i < MESSAGES; i++) {
        struct qms_ring_entry e = numbered(i);
        while (qms_ring_put(&f->w, &e) != QMS_OK) {
            sched_yield();
        }
    }
    return NULL;
}

static void two_threads_lose_and_garble_nothing(void **state)
{
    struct fixture *f = *state;
    struct qms_ring_entry e;
    pthread_t writer;

    assert_int_equal(pthread_create(&writer, NULL, write_all, f), 0);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        while (qms_ring_get(&f->r, &e) != QMS_OK) {
            sched_yield();
        }
        if (e.value != i || e.id != (uint32_t)i || e.len != ~(uint32_t)i) {
            fail_msg("message %llu came as %llu", (unsigned long long)i,
                     (unsigned long long)e.value);
        }
    }
    pthread_join(writer, NULL);
    assert_int_equal(qms_ring_get(&f->r, &e), QMS_E_AGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(what_is_put_comes_out_in_order),
        QMS_TEST(a_full_ring_takes_nothing_and_loses_nothing),
        QMS_TEST(the_indices_may_run_over),
        QMS_TEST(a_lying_index_is_a_protocol_error_on_either_side),
        QMS_TEST(a_sleeper_is_woken_once_for_many_messages),
        QMS_TEST(a_writer_without_room_is_woken_once),
        QMS_TEST(a_closed_ring_says_so),
        QMS_TEST(two_threads_lose_and_garble_nothing),
    };
    return cmocka_run_group_tests_name("core_ring", tests, NULL, NULL);
}
