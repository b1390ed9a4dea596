/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/blob.h"
#include "base/mem.h"

#include "qms_test.h"

/* Patterned bytes, so that a range taken from the wrong place shows. */
struct fixture {
    struct qms_blobq q;
    uint8_t data[5 * QMS_BLOB_CHUNK];
    size_t total;
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    for (size_t i = 0; i < sizeof(f->data); i++) {
        f->data[i] = (uint8_t)(i ^ (i >> 8));
    }
    f->total = qms_blob_total();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    qms_mem_fail_after(UINT64_MAX);
    qms_blobq_clear(&f->q);
    assert_int_equal(qms_blob_total(), f->total);
    qms_blob_trim();
    test_free(f);
    return 0;
}

static struct qms_bytes bytes(const struct fixture *f, size_t off, size_t len)
{
    return (struct qms_bytes){f->data + off, len};
}

/* The queue holds exactly data[off..off+len). */
static void assert_holds(const struct fixture *f, size_t off, size_t len)
{
    size_t sum = 0;

    assert_int_equal(f->q.bytes, len);
    for (uint32_t i = 0; i < f->q.count; i++) {
        struct qms_bytes part = qms_blobq_at(&f->q, i);
        assert_true(part.len > 0 && sum + part.len <= len);
        assert_memory_equal(part.data, f->data + off + sum, part.len);
        sum += part.len;
    }
    assert_int_equal(sum, len);
}

static void count_release(void *arg)
{
    ++*(unsigned *)arg;
}

static void append_takes_no_more_than_fits(void **state)
{
    struct fixture *f = *state;
    struct qms_blob *b = qms_blob_new(10);

    assert_int_equal(qms_blob_append(b, bytes(f, 0, 7)), 7);
    assert_int_equal(qms_blob_append(b, bytes(f, 7, 7)), 3);
    assert_int_equal(qms_blob_append(b, bytes(f, 10, 1)), 0);
    assert_int_equal(b->len, 10);
    assert_memory_equal(b->data, f->data, 10);
    qms_blob_unref(b);
}

static void blob_lives_until_its_last_holder_lets_go(void **state)
{
    struct fixture *f = *state;
    unsigned released = 0;
    struct qms_blob *b = qms_blob_wrap(bytes(f, 0, 100), count_release, &released);

    assert_int_equal(qms_blob_total(), f->total + 100);
    assert_ptr_equal(b->data, f->data);
    qms_blob_ref(b);
    qms_blob_unref(b);
    assert_int_equal(released, 0);
    qms_blob_unref(b);
    assert_int_equal(released, 1);
    qms_blob_unref(NULL);
}

static void wrapped_blob_takes_no_bytes(void **state)
{
    struct fixture *f = *state;
    struct qms_blob *b = qms_blob_wrap(bytes(f, 0, 4), NULL, NULL);

    assert_int_equal(qms_blob_append(b, bytes(f, 4, 4)), 0);
    assert_int_equal(qms_blobq_push(&f->q, b, 0, 4), QMS_OK);
    qms_blob_unref(b);
    assert_int_equal(qms_blobq_copy_in(&f->q, bytes(f, 4, 4)), QMS_OK);
    assert_int_equal(f->q.count, 2);
    assert_holds(f, 0, 8);
}

static void total_counts_living_capacity_and_not_the_free_list(void **state)
{
    struct fixture *f = *state;
    struct qms_blob *a = qms_blob_new(QMS_BLOB_CHUNK), *b = qms_blob_copy(bytes(f, 0, 33));

    assert_int_equal(qms_blob_total(), f->total + QMS_BLOB_CHUNK + 33);
    qms_blob_unref(a);
    assert_int_equal(qms_blob_total(), f->total + 33);
    qms_blob_unref(b);
    a = qms_blob_new(QMS_BLOB_CHUNK);
    assert_int_equal(a->len, 0);
    assert_int_equal(qms_blob_total(), f->total + QMS_BLOB_CHUNK);
    qms_blob_unref(a);
}

static void chunk_beyond_32_bits_is_refused(void **state)
{
    (void)state;
    assert_null(qms_blob_new((size_t)UINT32_MAX + 1));
    assert_null(qms_blob_wrap((struct qms_bytes){NULL, (size_t)UINT32_MAX + 1}, NULL, NULL));
}

static void ranges_that_continue_each_other_are_one(void **state)
{
    struct fixture *f = *state;
    struct qms_blob *b = qms_blob_copy(bytes(f, 0, 100));

    assert_int_equal(qms_blobq_push(&f->q, b, 0, 40), QMS_OK);
    assert_int_equal(qms_blobq_push(&f->q, b, 40, 60), QMS_OK);
    assert_int_equal(f->q.count, 1);
    assert_int_equal(b->refs, 2);
    assert_holds(f, 0, 100);

    /* Same blob with a gap: a range of its own, with its own reference. */
    assert_int_equal(qms_blobq_push(&f->q, b, 10, 20), QMS_OK);
    assert_int_equal(f->q.count, 2);
    assert_int_equal(b->refs, 3);
    qms_blob_unref(b);
}

static void empty_range_adds_nothing(void **state)
{
    struct fixture *f = *state;
    struct qms_blob *b = qms_blob_copy(bytes(f, 0, 10));

    assert_int_equal(qms_blobq_push(&f->q, b, 10, 0), QMS_OK);
    assert_int_equal(qms_blobq_copy_in(&f->q, (struct qms_bytes){NULL, 0}), QMS_OK);
    assert_int_equal(f->q.count, 0);
    assert_int_equal(f->q.bytes, 0);
    assert_int_equal(b->refs, 1);
    qms_blob_unref(b);
}

static void order_survives_growth_of_a_ring_that_has_wrapped(void **state)
{
    struct fixture *f = *state;
    struct qms_blob *b = qms_blob_copy(bytes(f, 0, 4000));
    size_t in = 0, out = 0;

    /* Odd and even ranges from two blobs, so that none merge; two in, one out. */
    struct qms_blob *c = qms_blob_copy(bytes(f, 0, 4000));
    for (int i = 0; i < 200; i++) {
        assert_int_equal(qms_blobq_push(&f->q, b, in, 7), QMS_OK);
        assert_int_equal(qms_blobq_push(&f->q, c, in + 7, 5), QMS_OK);
        in += 12;
        qms_blobq_drop(&f->q, 6);
        out += 6;
        assert_holds(f, out, in - out);
    }
    assert_true(f->q.count > 64);
    qms_blobq_drop(&f->q, in - out);
    assert_int_equal(f->q.count, 0);
    assert_int_equal(b->refs, 1);
    assert_int_equal(c->refs, 1);
    assert_int_equal(f->q.cap, 0); /* a large ring is given back */
    qms_blob_unref(b);
    qms_blob_unref(c);
}

static void drop_ends_in_the_middle_of_a_range(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(qms_blobq_copy_in(&f->q, bytes(f, 0, 3 * QMS_BLOB_CHUNK)), QMS_OK);
    assert_int_equal(f->q.count, 3);
    qms_blobq_drop(&f->q, QMS_BLOB_CHUNK + 1);
    assert_int_equal(f->q.count, 2);
    assert_holds(f, QMS_BLOB_CHUNK + 1, 2 * QMS_BLOB_CHUNK - 1);
    assert_int_equal(qms_blob_total(), f->total + 2 * QMS_BLOB_CHUNK);
}

static void copies_fill_the_last_chunk_first(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < 300; i++) {
        assert_int_equal(qms_blobq_copy_in(&f->q, bytes(f, i * 100, 100)), QMS_OK);
        assert_holds(f, 0, (i + 1) * 100);
    }
    assert_int_equal(f->q.count, 3); /* 2 KiB and two of 16 KiB */
    assert_true(qms_blob_total() - f->total < 3 * QMS_BLOB_CHUNK);
}

static void chunk_with_another_holder_is_not_written_to(void **state)
{
    struct fixture *f = *state;
    struct qms_blobq other = {0};

    assert_int_equal(qms_blobq_copy_in(&f->q, bytes(f, 0, 10)), QMS_OK);
    struct qms_blob *b = f->q.ring[f->q.head].blob;
    assert_int_equal(qms_blobq_push(&other, b, 0, 10), QMS_OK);
    assert_int_equal(qms_blobq_copy_in(&f->q, bytes(f, 10, 10)), QMS_OK);
    assert_int_equal(b->len, 10);
    assert_int_equal(f->q.count, 2);
    assert_holds(f, 0, 20);
    qms_blobq_clear(&other);
}

static void range_that_ends_before_its_blob_is_not_filled(void **state)
{
    struct fixture *f = *state;
    struct qms_blob *b = qms_blob_new(100);

    qms_blob_append(b, bytes(f, 0, 20));
    qms_blob_append(b, bytes(f, 500, 30)); /* not in the queue, and not what follows in it */
    assert_int_equal(qms_blobq_push(&f->q, b, 0, 20), QMS_OK);
    qms_blob_unref(b);
    assert_int_equal(qms_blobq_copy_in(&f->q, bytes(f, 20, 10)), QMS_OK);
    assert_holds(f, 0, 30);
}

static void push_without_memory_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct qms_blob *b = qms_blob_copy(bytes(f, 0, 10));

    qms_mem_fail_after(0);
    assert_int_equal(qms_blobq_push(&f->q, b, 0, 10), QMS_E_NOMEM);
    assert_int_equal(b->refs, 1);
    assert_holds(f, 0, 0);
    assert_int_equal(qms_blobq_push(&f->q, b, 0, 10), QMS_OK);
    assert_holds(f, 0, 10);
    qms_blob_unref(b);
}

static void copy_that_runs_out_of_memory_anywhere_changes_nothing(void **state)
{
    struct fixture *f = *state;
    unsigned failures = 0;

    qms_blob_trim();
    assert_int_equal(qms_blobq_copy_in(&f->q, bytes(f, 0, 1000)), QMS_OK);
    size_t total = qms_blob_total();
    for (uint64_t n = 0;; n++) {
        qms_blob_trim();
        qms_mem_fail_after(n);
        qms_err err = qms_blobq_copy_in(&f->q, bytes(f, 1000, 4 * QMS_BLOB_CHUNK));
        qms_mem_fail_after(UINT64_MAX);
        if (err == QMS_OK) {
            break;
        }
        assert_int_equal(err, QMS_E_NOMEM);
        assert_holds(f, 0, 1000);
        assert_int_equal(qms_blob_total(), total);
        failures++;
    }
    assert_true(failures >= 4);
    assert_holds(f, 0, 1000 + 4 * QMS_BLOB_CHUNK);
}

static void blob_without_memory_is_null(void **state)
{
    struct fixture *f = *state;

    qms_blob_trim();
    qms_mem_fail_after(0);
    assert_null(qms_blob_new(QMS_BLOB_CHUNK));
    qms_mem_fail_after(0);
    assert_null(qms_blob_copy(bytes(f, 0, 1)));
    qms_mem_fail_after(0);
    assert_null(qms_blob_wrap(bytes(f, 0, 1), NULL, NULL));
    assert_int_equal(qms_blob_total(), f->total);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(append_takes_no_more_than_fits),
        QMS_TEST(blob_lives_until_its_last_holder_lets_go),
        QMS_TEST(wrapped_blob_takes_no_bytes),
        QMS_TEST(total_counts_living_capacity_and_not_the_free_list),
        QMS_TEST(chunk_beyond_32_bits_is_refused),
        QMS_TEST(ranges_that_continue_each_other_are_one),
        QMS_TEST(empty_range_adds_nothing),
        QMS_TEST(order_survives_growth_of_a_ring_that_has_wrapped),
        QMS_TEST(drop_ends_in_the_middle_of_a_range),
        QMS_TEST(copies_fill_the_last_chunk_first),
        QMS_TEST(chunk_with_another_holder_is_not_written_to),
        QMS_TEST(range_that_ends_before_its_blob_is_not_filled),
        QMS_TEST(push_without_memory_changes_nothing),
        QMS_TEST(copy_that_runs_out_of_memory_anywhere_changes_nothing),
        QMS_TEST(blob_without_memory_is_null),
    };
    return cmocka_run_group_tests_name("base_blob", tests, NULL, NULL);
}
