/* SPDX-License-Identifier: MIT */
/* Payload arenas: lending and returning, hostile ranges, and two processes that pass every byte
 * over a ring. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/shared/payload.h"
#include "core/shared/ring.h"
#include "qms_test.h"

struct fixture {
    int owner, reader;
    struct qms_payload *p;
    struct qms_payload_view *v;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    assert_int_equal(qms_payload_file(1, &f->owner, &f->reader), QMS_OK);
    f->p = qms_payload_new(f->owner);
    f->v = qms_payload_view_new(f->reader);
    assert_non_null(f->p);
    assert_non_null(f->v);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    qms_payload_free(f->p);
    qms_payload_view_unref(f->v);
    close(f->owner);
    close(f->reader);
    free(f);
    return 0;
}

static struct qms_blob *filled(struct fixture *f, const char *text)
{
    struct qms_blob *b = qms_payload_blob(f->p, 1);
    assert_non_null(b);
    assert_int_equal(b->len, 0);
    assert_int_equal(b->cap, QMS_BLOB_CHUNK);
    assert_int_equal(
        qms_blob_append(b, (struct qms_bytes){(const uint8_t *)text, strlen(text)}),
        strlen(text));
    return b;
}

static void a_reader_sees_what_the_owner_lent(void **state)
{
    struct fixture *f = *state;
    struct qms_blob *b = filled(f, "hello there");
    struct qms_bytes chunk;

    struct qms_payload_range r = qms_payload_lend(f->p, b, 6, 5, 3);
    qms_blob_unref(b);
    assert_int_equal(qms_payload_used(f->p), 1); /* lent, so still there */
    assert_int_equal(qms_payload_view_chunk(f->v, &r, &chunk), QMS_OK);
    assert_memory_equal(chunk.data + r.off, "there", 5);
    assert_int_equal(qms_payload_return(f->p, r.chunk, 1, 3), QMS_OK);
    assert_int_equal(qms_payload_used(f->p), 0);
}

static void what_was_not_lent_cannot_be_returned(void **state)
{
    struct fixture *f = *state;
    struct qms_blob *b = filled(f, "x");

    struct qms_payload_range r = qms_payload_lend(f->p, b, 0, 1, 3);
    assert_int_equal(qms_payload_return(f->p, r.chunk, 2, 3), QMS_E_PROTOCOL);
    assert_int_equal(qms_payload_return(f->p, r.chunk, 1, 4), QMS_E_PROTOCOL);
    assert_int_equal(qms_payload_return(f->p, r.chunk + 1, 1, 3), QMS_E_PROTOCOL);
    assert_int_equal(qms_payload_return(f->p, UINT32_MAX, 1, 3), QMS_E_PROTOCOL);
    assert_int_equal(qms_payload_return(f->p, r.chunk, 1, 3), QMS_OK);
    assert_int_equal(qms_payload_return(f->p, r.chunk, 1, 3), QMS_E_PROTOCOL);
    qms_blob_unref(b);
}

static void a_lost_worker_returns_all_it_was_lent_and_nobody_else_s(void **state)
{
    struct fixture *f = *state;
    struct qms_blob *a = filled(f, "a"), *b = filled(f, "b");

    (void)qms_payload_lend(f->p, a, 0, 1, 3);
    (void)qms_payload_lend(f->p, a, 0, 1, 3);
    struct qms_payload_range kept = qms_payload_lend(f->p, b, 0, 1, 5);
    qms_blob_unref(a);
    qms_blob_unref(b);
    qms_payload_forget(f->p, 3);
    assert_int_equal(qms_payload_used(f->p), 1);
    assert_int_equal(qms_payload_return(f->p, kept.chunk, 1, 5), QMS_OK);
    assert_int_equal(qms_payload_used(f->p), 0);
}

static void ranges_outside_a_chunk_are_refused(void **state)
{
    struct fixture *f = *state;
    struct qms_blob *b = filled(f, "x");
    struct qms_payload_range good = qms_payload_lend(f->p, b, 0, 1, 1), r;
    struct qms_bytes chunk;

    r = good;
    r.off = QMS_BLOB_CHUNK;
    r.len = 0;
    assert_int_equal(qms_payload_view_chunk(f->v, &r, &chunk), QMS_OK);
    r.len = 1;
    assert_int_equal(qms_payload_view_chunk(f->v, &r, &chunk), QMS_E_PROTOCOL);
    r.off = UINT32_MAX;
    r.len = UINT32_MAX;
    assert_int_equal(qms_payload_view_chunk(f->v, &r, &chunk), QMS_E_PROTOCOL);
    r = good;
    r.chunk = UINT32_MAX - 1;
    assert_int_equal(qms_payload_view_chunk(f->v, &r, &chunk), QMS_E_PROTOCOL);
    /* The last chunk of the file is one, the next is none. */
    r = (struct qms_payload_range){255 + 4096, 0, QMS_BLOB_CHUNK};
    assert_int_equal(qms_payload_view_chunk(f->v, &r, &chunk), QMS_OK);
    assert_int_equal(chunk.data[QMS_BLOB_CHUNK - 1], 0); /* mapped */
    r.chunk++;
    assert_int_equal(qms_payload_view_chunk(f->v, &r, &chunk), QMS_E_PROTOCOL);
    qms_blob_unref(b);
    qms_payload_forget(f->p, 1);
}

static void a_reader_cannot_write_nor_anybody_cut_the_file(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(ftruncate(f->owner, 4096), -1);
    assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, f->reader, 0) ==
                MAP_FAILED);
    int plain = memfd_create("plain", 0);
    assert_int_equal(ftruncate(plain, (off_t)64 << 20), 0);
    assert_null(qms_payload_view_new(plain)); /* not sealed */
    assert_int_equal(errno, EBADF);
    close(plain);
}

static void a_full_arena_has_no_blob_until_one_comes_back(void **state)
{
    struct fixture *f = *state;
    enum { ALL = 4096 };
    struct qms_blob **all = calloc(ALL, sizeof(struct qms_blob *));

    assert_non_null(all);
    for (size_t i = 0; i < ALL; i++) {
        all[i] = qms_payload_blob(f->p, QMS_BLOB_CHUNK);
        assert_non_null(all[i]);
        qms_blob_append(all[i], (struct qms_bytes){(const uint8_t *)&i, sizeof(i)});
    }
    assert_null(qms_payload_blob(f->p, 1));
    struct qms_blob *wide = qms_payload_blob(f->p, 65535); /* those are apart */
    assert_non_null(wide);
    assert_true(wide->cap >= 65535);
    qms_blob_unref(wide);
    assert_null(qms_payload_blob(f->p, QMS_PAYLOAD_WIDE + 1));
    qms_blob_unref(all[7]);
    all[7] = qms_payload_blob(f->p, 1);
    assert_non_null(all[7]);
    for (size_t i = 0; i < ALL; i++) {
        if (i != 7) {
            assert_memory_equal(all[i]->data, &i, sizeof(i));
        }
        qms_blob_unref(all[i]);
    }
    assert_int_equal(qms_payload_used(f->p), 0);
    free(all);
}

static void blobs_outlive_the_owner_s_handle(void **state)
{
    struct fixture *f = *state;
    struct qms_blob *b = filled(f, "still here");

    (void)qms_payload_lend(f->p, b, 0, 1, 2);
    qms_payload_free(f->p);
    f->p = NULL;
    assert_memory_equal(b->data, "still here", 10);
    qms_blob_unref(b);
}

/* ---- two processes ---- */

#define BYTES ((uint64_t)192 << 20)

static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 0x9E3779B97F4A7C15u >> 56);
}

struct shared {
    struct qms_ring_writer there_w, back_w;
    struct qms_ring_reader there_r, back_r;
};

/* Checks every byte and returns every range, in bunches and out of order. */
static int read_all(struct qms_payload_view *v, struct shared *s)
{
    struct qms_ring_entry held[16];
    uint64_t at = 0;
    size_t count = 0;

    while (at < BYTES) {
        struct qms_ring_entry *e = &held[count];
        struct qms_bytes chunk;
        if (qms_ring_get(&s->there_r, e) != QMS_OK) {
            sched_yield();
            continue;
        }
        struct qms_payload_range r = {e->chunk, e->off, e->len};
        if (e->value != at || qms_payload_view_chunk(v, &r, &chunk) != QMS_OK) {
            return 2;
        }
        for (uint32_t i = 0; i < e->len; i++, at++) {
            if (chunk.data[e->off + i] != pattern(at)) {
                return 3;
            }
        }
        if (++count == 16 || at == BYTES) {
            while (count > 0) {
                while (qms_ring_put(&s->back_w, &held[--count]) != QMS_OK) {
                    count++;
                    sched_yield();
                }
            }
        }
    }
    return 0;
}

static void take_back(struct fixture *f, struct shared *s)
{
    struct qms_ring_entry e;

    while (qms_ring_get(&s->back_r, &e) == QMS_OK) {
        assert_int_equal(qms_payload_return(f->p, e.chunk, 1, 1), QMS_OK);
    }
}

static void write_all(struct fixture *f, struct shared *s)
{
    struct qms_blob *b = NULL;

    for (uint64_t at = 0, n = 0; at < BYTES; n++) {
        uint8_t piece[5000];
        size_t len = 1 + n * 977 % sizeof(piece);
        len = len < BYTES - at ? len : BYTES - at;
        if (b != NULL && b->cap - b->len < len) {
            qms_blob_unref(b);
            b = NULL;
        }
        while (b == NULL && (b = qms_payload_blob(f->p, QMS_BLOB_CHUNK)) == NULL) {
            take_back(f, s); /* the arena is full: wait for the reader */
            sched_yield();
        }
        for (size_t i = 0; i < len; i++) {
            piece[i] = pattern(at + i);
        }
        size_t off = b->len;
        assert_int_equal(qms_blob_append(b, (struct qms_bytes){piece, len}), len);
        struct qms_payload_range r = qms_payload_lend(f->p, b, off, len, 1);
        struct qms_ring_entry e = {.chunk = r.chunk, .off = r.off, .len = r.len, .value = at};
        while (qms_ring_put(&s->there_w, &e) != QMS_OK) {
            take_back(f, s);
            sched_yield();
        }
        at += len;
    }
    qms_blob_unref(b);
}

static void two_processes_pass_every_byte(void **state)
{
    struct fixture *f = *state;
    size_t ring = qms_ring_size();
    uint8_t *memory =
        mmap(NULL, 2 * ring, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct qms_ring_shared *there = (void *)memory, *back = (void *)(memory + ring);
    struct shared s = {
        {.shared = there}, {.shared = back}, {.shared = there}, {.shared = back}};
    int status;

    assert_true(memory != MAP_FAILED);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(read_all(f->v, &s));
    }
    write_all(f, &s);
    while (qms_payload_used(f->p) > 0) {
        take_back(f, &s);
        sched_yield();
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    (void)munmap(memory, 2 * ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(a_reader_sees_what_the_owner_lent),
        QMS_TEST(what_was_not_lent_cannot_be_returned),
        QMS_TEST(a_lost_worker_returns_all_it_was_lent_and_nobody_else_s),
        QMS_TEST(ranges_outside_a_chunk_are_refused),
        QMS_TEST(a_reader_cannot_write_nor_anybody_cut_the_file),
        QMS_TEST(a_full_arena_has_no_blob_until_one_comes_back),
        QMS_TEST(blobs_outlive_the_owner_s_handle),
        QMS_TEST(two_processes_pass_every_byte),
    };
    return cmocka_run_group_tests_name("core_arena", tests, NULL, NULL);
}
