/* SPDX-License-Identifier: MIT */
/* The register of first flights: what counts as seen, for how long, and that of several who add
 * one digest at once no two are told it was new. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "qms_test.h"
#include "quic/replay.h"

#define T0     ((int64_t)1700000000)
#define WINDOW 10

static const uint8_t secret[32] = "the workers' common secret";

struct fixture {
    void *memory;
    struct qms_replay *a, *b; /* two workers */
};

static void open_with(struct fixture *f, size_t size)
{
    f->memory = aligned_alloc(64, size);
    assert_non_null(f->memory);
    memset(f->memory, 0, size);
    f->a = qms_replay_shared_new(f->memory, size, secret);
    f->b = qms_replay_shared_new(f->memory, size, secret);
    assert_non_null(f->a);
    assert_non_null(f->b);
}

static void close_all(struct fixture *f)
{
    f->a->ops->free(f->a);
    f->b->ops->free(f->b);
    free(f->memory);
}

static bool add(struct qms_replay *r, uint64_t number, int64_t now)
{
    uint8_t digest[32] = {0};

    memcpy(digest, &number, sizeof(number));
    return r->ops->add(r, (struct qms_bytes){digest, sizeof(digest)}, now, now + WINDOW);
}

static void what_one_worker_took_no_worker_takes_again(void **state)
{
    struct fixture f;
    (void)state;

    open_with(&f, QMS_REPLAY_SHARED_SIZE);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_true(add(i % 2 == 0 ? f.a : f.b, i, T0));
    }
    for (uint64_t i = 0; i < 1000; i++) {
        assert_false(add(f.a, i, T0 + (int64_t)(i % WINDOW)));
        assert_false(add(f.b, i, T0 + (int64_t)(i % WINDOW)));
    }
    close_all(&f);
}

static void it_outlives_the_worker_that_took_it(void **state)
{
    struct fixture f;
    (void)state;

    open_with(&f, QMS_REPLAY_SHARED_SIZE);
    assert_true(add(f.a, 1, T0));
    f.a->ops->free(f.a);
    f.a = qms_replay_shared_new(f.memory, QMS_REPLAY_SHARED_SIZE, secret);
    assert_false(add(f.a, 1, T0 + WINDOW));
    close_all(&f);
}

static void a_digest_counts_until_its_time_and_a_little_longer(void **state)
{
    struct fixture f;
    (void)state;

    open_with(&f, QMS_REPLAY_SHARED_SIZE);
    assert_true(add(f.a, 1, T0));
    assert_false(add(f.b, 1, T0 + WINDOW));
    assert_false(add(f.b, 1, T0 + WINDOW + 2));
    assert_true(add(f.b, 1, T0 + WINDOW + 3));
    /* Across the end of 32 bits, in the year 2106. */
    int64_t late = UINT32_MAX;
    assert_true(add(f.a, 2, late - 3));
    assert_false(add(f.b, 2, late + 4));
    assert_true(add(f.b, 2, late + WINDOW));
    close_all(&f);
}

static void a_full_register_refuses_and_recovers(void **state)
{
    struct fixture f;
    unsigned taken = 0;
    (void)state;

    open_with(&f, 128); /* one bucket */
    for (uint64_t i = 0; i < 100; i++) {
        taken += add(f.a, i, T0);
    }
    assert_int_equal(taken, 16);
    for (uint64_t i = 0; i < 100; i++) {
        assert_false(add(f.b, i, T0 + WINDOW));
    }
    assert_true(add(f.b, 100, T0 + 2 * WINDOW));
    close_all(&f);
}

static void ten_thousand_a_second_find_room(void **state)
{
    struct fixture f;
    unsigned lost = 0;
    (void)state;

    open_with(&f, QMS_REPLAY_SHARED_SIZE);
    for (uint64_t i = 0; i < 300000; i++) {
        lost += !add(f.a, i, T0 + (int64_t)(i / 10000));
    }
    assert_true(lost < 300); /* one in a thousand */
    close_all(&f);
}

#define DIGESTS 64000

struct race {
    struct qms_replay *r;
    int skew; /* seconds that its clock is ahead */
    _Atomic unsigned *taken;
    _Atomic unsigned *mine, *other; /* digests done */
};

/* Both add the same digest at the same time, one after the other.  Time goes on, so entries end
 * and are overwritten, for one a little earlier than for the other: they choose different
 * places.
 */
static void *racer(void *arg)
{
    const struct race *race = arg;

    for (unsigned i = 0; i < DIGESTS; i++) {
        while (atomic_load(race->other) < i) {
            (void)sched_yield();
        }
        if (add(race->r, i, T0 + i / 400 + race->skew)) {
            atomic_fetch_add(&race->taken[i], 1);
        }
        atomic_store(race->mine, i + 1);
    }
    return NULL;
}

static void of_two_who_race_one_at_most_is_told_it_was_new(void **state)
{
    static _Atomic unsigned taken[DIGESTS];
    _Atomic unsigned done[2] = {0};
    pthread_t threads[2];
    struct race races[2];
    struct fixture f;
    unsigned none = 0;
    (void)state;

    open_with(&f, 65536);
    for (int i = 0; i < 2; i++) {
        races[i] = (struct race){i == 0 ? f.a : f.b, i, taken, &done[i], &done[1 - i]};
        assert_int_equal(pthread_create(&threads[i], NULL, racer, &races[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    for (unsigned i = 0; i < DIGESTS; i++) {
        assert_true(taken[i] <= 1);
        none += taken[i] == 0;
    }
    assert_true(none < DIGESTS / 10 * 9); /* how many depends on the machine's other work */
    close_all(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_worker_took_no_worker_takes_again),
        cmocka_unit_test(it_outlives_the_worker_that_took_it),
        cmocka_unit_test(a_digest_counts_until_its_time_and_a_little_longer),
        cmocka_unit_test(a_full_register_refuses_and_recovers),
        cmocka_unit_test(ten_thousand_a_second_find_room),
        cmocka_unit_test(of_two_who_race_one_at_most_is_told_it_was_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
