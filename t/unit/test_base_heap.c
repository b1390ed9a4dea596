/* SPDX-License-Identifier: MIT */
#include "base/heap.h"
#include "base/mem.h"

#include "qms_test.h"

#define MANY 1000

struct fixture {
    struct qms_heap h;
    struct qms_heap_node nodes[MANY];
    uint32_t random;
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    f->random = 12345;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    qms_mem_fail_after(UINT64_MAX);
    qms_heap_fini(&f->h);
    test_free(f);
    return 0;
}

/* A fixed sequence (xorshift), so that a failure comes again. */
static qms_time any_time(struct fixture *f)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 17;
    f->random ^= f->random << 5;
    return f->random % (2 * MANY); /* some twice */
}

/* Empties the heap; its instants must not go back. */
static size_t drain(struct fixture *f)
{
    qms_time last = 0;
    size_t n = 0;

    for (struct qms_heap_node *top; (top = qms_heap_top(&f->h)) != NULL; n++) {
        assert_true(top->at >= last);
        last = top->at;
        qms_heap_remove(&f->h, top);
        assert_int_equal(top->index, 0);
    }
    return n;
}

static void fill(struct fixture *f)
{
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(qms_heap_set(&f->h, &f->nodes[i], any_time(f)), QMS_OK);
    }
}

static void nodes_leave_in_order_of_their_instants(void **state)
{
    struct fixture *f = *state;

    assert_null(qms_heap_top(&f->h));
    fill(f);
    assert_int_equal(drain(f), MANY);
}

static void nodes_that_come_latest_first_leave_earliest_first(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < MANY; i++) {
        assert_int_equal(qms_heap_set(&f->h, &f->nodes[i], (qms_time)(MANY - i)), QMS_OK);
        assert_ptr_equal(qms_heap_top(&f->h), &f->nodes[i]);
    }
    assert_int_equal(drain(f), MANY);
}

static void moved_node_takes_its_new_place(void **state)
{
    struct fixture *f = *state;

    fill(f);
    for (int i = 0; i < MANY; i += 3) {
        assert_int_equal(qms_heap_set(&f->h, &f->nodes[i], any_time(f)), QMS_OK);
    }
    assert_int_equal(f->h.count, MANY);
    assert_int_equal(drain(f), MANY);
}

static void removal_from_the_middle_keeps_the_order(void **state)
{
    struct fixture *f = *state;

    fill(f);
    for (int i = 0; i < MANY; i += 2) {
        qms_heap_remove(&f->h, &f->nodes[i]);
        qms_heap_remove(&f->h, &f->nodes[i]); /* no effect */
    }
    assert_int_equal(drain(f), MANY / 2);
}

static void never_takes_a_node_out(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(qms_heap_set(&f->h, &f->nodes[0], 5), QMS_OK);
    assert_int_equal(qms_heap_set(&f->h, &f->nodes[1], 6), QMS_OK);
    assert_int_equal(qms_heap_set(&f->h, &f->nodes[0], QMS_NEVER), QMS_OK);
    assert_int_equal(f->nodes[0].index, 0);
    assert_ptr_equal(qms_heap_top(&f->h), &f->nodes[1]);
    assert_int_equal(qms_heap_set(&f->h, &f->nodes[2], QMS_NEVER), QMS_OK);
    assert_int_equal(f->h.count, 1);
}

static void insertion_without_memory_changes_nothing(void **state)
{
    struct fixture *f = *state;
    unsigned failures = 0;

    for (int i = 0; i < MANY; i++) {
        qms_time at = any_time(f);
        qms_mem_fail_after(0);
        qms_err err = qms_heap_set(&f->h, &f->nodes[i], at);
        qms_mem_fail_after(UINT64_MAX);
        if (err != QMS_OK) {
            assert_int_equal(f->nodes[i].index, 0);
            assert_int_equal(f->h.count, i);
            failures++;
            assert_int_equal(qms_heap_set(&f->h, &f->nodes[i], at), QMS_OK);
        }
    }
    assert_true(failures >= 3);
    /* Moving needs none. */
    qms_mem_fail_after(0);
    assert_int_equal(qms_heap_set(&f->h, &f->nodes[7], 1), QMS_OK);
    assert_int_equal(drain(f), MANY);
}

static void node_that_outlives_its_heap_is_in_none(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(qms_heap_set(&f->h, &f->nodes[0], 5), QMS_OK);
    qms_heap_fini(&f->h);
    assert_int_equal(f->nodes[0].index, 0);
    assert_int_equal(qms_heap_set(&f->h, &f->nodes[0], 5), QMS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(nodes_leave_in_order_of_their_instants),
        QMS_TEST(nodes_that_come_latest_first_leave_earliest_first),
        QMS_TEST(moved_node_takes_its_new_place),
        QMS_TEST(removal_from_the_middle_keeps_the_order),
        QMS_TEST(never_takes_a_node_out),
        QMS_TEST(insertion_without_memory_changes_nothing),
        QMS_TEST(node_that_outlives_its_heap_is_in_none),
    };
    return cmocka_run_group_tests_name("base_heap", tests, NULL, NULL);
}
