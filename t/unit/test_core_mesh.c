/* SPDX-License-Identifier: MIT */
/* Two workers' meshes in one process: order, full rings, ranges, and one that lies or dies. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/shared/mesh.h"
#include "qms_test.h"

struct side {
    struct qms_mesh *mesh;
    struct qms_payload *payload; /* the mesh's */
    int bell, view;
    unsigned up, lost;
    uint64_t heard, bytes, next;
    struct qms_blob *cache, *kept;
    bool keep;
};

struct fixture {
    struct side sides[2];
    int pair;
};

static void on_up(void *arg, unsigned slot)
{
    struct side *s = arg;
    (void)slot;
    s->up++;
}

static void on_lost(void *arg, unsigned slot)
{
    struct side *s = arg;
    (void)slot;
    s->lost++;
}

static void on_message(void *arg, unsigned slot, const struct qms_ring_entry *m)
{
    struct side *s = arg;
    struct qms_bytes bytes = qms_mesh_bytes(s->mesh, slot, m);

    s->heard++;
    if (m->type == QMS_MESH_CREDIT) {
        assert_int_equal(m->value, s->next++); /* in order */
    }
    for (size_t i = 0; i < bytes.len; i++) {
        assert_int_equal(bytes.data[i], (uint8_t)(s->bytes + i));
    }
    s->bytes += bytes.len;
    if (s->keep) {
        qms_blob_unref(s->kept);
        s->kept = qms_mesh_borrow(s->mesh, slot, m, &s->cache);
        assert_non_null(s->kept);
    }
}

static const struct qms_mesh_events events = {on_up, on_lost, on_message};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int owner;

    assert_non_null(f);
    for (unsigned i = 0; i < 2; i++) {
        struct side *s = &f->sides[i];
        assert_int_equal(qms_payload_file(1, &owner, &s->view), QMS_OK);
        s->payload = qms_payload_new(owner);
        close(owner);
        s->bell = eventfd(0, EFD_NONBLOCK);
        s->mesh = qms_mesh_new(i, 1, s->payload, s->bell);
        assert_non_null(s->mesh);
        qms_mesh_set_events(s->mesh, &events, s);
    }
    f->pair = memfd_create("pair", MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(f->pair, (off_t)qms_mesh_pair_size()), 0);
    assert_int_equal(fcntl(f->pair, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    for (unsigned i = 0; i < 2; i++) {
        struct side *other = &f->sides[1 - i];
        assert_int_equal(qms_mesh_connect(f->sides[i].mesh, 1 - i, 1, f->pair, other->view,
                                          dup(other->bell)),
                         QMS_OK);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 2; i++) {
        qms_blob_unref(f->sides[i].kept);
        qms_blob_unref(f->sides[i].cache);
        qms_mesh_free(f->sides[i].mesh);
        close(f->sides[i].bell);
        close(f->sides[i].view);
    }
    close(f->pair);
    free(f);
    return 0;
}

static void both_turn(struct fixture *f)
{
    for (int round = 0; round < 8; round++) {
        for (unsigned i = 0; i < 2; i++) {
            (void)qms_mesh_flush(f->sides[i].mesh);
            (void)qms_mesh_read(f->sides[1 - i].mesh);
        }
    }
}

static bool rung(const struct side *s)
{
    uint64_t count;
    return read(s->bell, &count, sizeof(count)) == (ssize_t)sizeof(count);
}

static void send_bytes(struct side *from, size_t len, uint64_t at)
{
    uint8_t bytes[1000];

    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(at + i);
    }
    assert_int_equal(qms_mesh_send_bytes(from->mesh, 1,
                                         (struct qms_ring_entry){.type = QMS_MESH_DATA},
                                         (struct qms_bytes){bytes, len}),
                     QMS_OK);
}

static void more_than_the_ring_holds_arrives_in_order(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 5 * QMS_RING_ENTRIES };

    for (uint64_t i = 0; i < COUNT; i++) {
        struct qms_ring_entry e = {.type = QMS_MESH_CREDIT, .value = i};
        assert_int_equal(qms_mesh_send(f->sides[0].mesh, 1, e), QMS_OK);
    }
    assert_int_equal(qms_mesh_waiting(f->sides[0].mesh, 1), COUNT - QMS_RING_ENTRIES);
    both_turn(f);
    assert_int_equal(f->sides[1].heard, COUNT);
    assert_int_equal(qms_mesh_waiting(f->sides[0].mesh, 1), 0);
}

static void one_ring_of_the_bell_is_enough_for_a_turn(void **state)
{
    struct fixture *f = *state;

    both_turn(f); /* both sleep now */
    (void)rung(&f->sides[1]);
    for (int i = 0; i < 10; i++) {
        (void)qms_mesh_send(f->sides[0].mesh, 1, (struct qms_ring_entry){.type = QMS_MESH_FIN});
    }
    assert_false(rung(&f->sides[1])); /* not before the end of the turn */
    (void)qms_mesh_flush(f->sides[0].mesh);
    assert_true(rung(&f->sides[1]));
    (void)qms_mesh_send(f->sides[0].mesh, 1, (struct qms_ring_entry){.type = QMS_MESH_FIN});
    (void)qms_mesh_flush(f->sides[0].mesh);
    assert_false(rung(&f->sides[1])); /* it was woken and has not slept since */
}

static void bytes_arrive_and_their_chunks_come_back(void **state)
{
    struct fixture *f = *state;
    uint64_t at = 0;

    for (int i = 0; i < 300; i++, at += 900) {
        send_bytes(&f->sides[0], 900, at);
    }
    both_turn(f);
    assert_int_equal(f->sides[1].bytes, at);
    assert_true(qms_payload_used(f->sides[0].payload) <= 1); /* the one being filled */
}

static void what_was_borrowed_stays_until_it_is_let_go(void **state)
{
    struct fixture *f = *state;
    struct side *a = &f->sides[0], *b = &f->sides[1];
    uint64_t at = 0;

    b->keep = true;
    for (int i = 0; i < 40; i++, at += 1000) {
        send_bytes(a, 1000, at);
    }
    both_turn(f);
    size_t before = qms_payload_used(a->payload);
    qms_blob_unref(b->kept);
    qms_blob_unref(b->cache);
    b->kept = b->cache = NULL;
    both_turn(f);
    assert_true(before >= 1);
    assert_true(qms_payload_used(a->payload) <= 1);
}

static void a_borrowed_chunk_can_be_read_after_its_worker_is_lost(void **state)
{
    struct fixture *f = *state;
    struct side *b = &f->sides[1];

    b->keep = true;
    send_bytes(&f->sides[0], 10, 0);
    both_turn(f);
    qms_mesh_lose(b->mesh, 0, false);
    assert_int_equal(b->lost, 1);
    assert_int_equal(b->kept->data[3], 3);
}

static void data_that_waits_is_joined(void **state)
{
    struct fixture *f = *state;
    struct side *a = &f->sides[0];
    struct qms_blob *blob = qms_mesh_blob(a->mesh, QMS_BLOB_CHUNK);

    assert_non_null(blob);
    for (uint64_t i = 0; i < QMS_RING_ENTRIES; i++) {
        struct qms_ring_entry e = {.type = QMS_MESH_CREDIT, .value = i};
        assert_int_equal(qms_mesh_send(a->mesh, 1, e), QMS_OK);
    }
    for (uint32_t i = 0; i < 500; i++) {
        uint8_t byte = (uint8_t)i;
        qms_blob_append(blob, (struct qms_bytes){&byte, 1});
        struct qms_ring_entry e = {.type = QMS_MESH_DATA, .id = 7};
        assert_int_equal(qms_mesh_send_blob(a->mesh, 1, e, blob, i, 1), QMS_OK);
    }
    assert_int_equal(qms_mesh_waiting(a->mesh, 1), 1);
    qms_blob_unref(blob);
    both_turn(f);
    assert_int_equal(f->sides[1].bytes, 500);
    assert_int_equal(qms_payload_used(a->payload), 0);
}

static void put_raw(struct fixture *f, struct qms_ring_entry e)
{
    void *at = mmap(NULL, qms_mesh_pair_size(), PROT_READ | PROT_WRITE, MAP_SHARED, f->pair, 0);
    struct qms_ring_writer w = {.shared = at}; /* slot 0 writes the first ring */

    assert_true(at != MAP_FAILED);
    assert_int_equal(qms_ring_put(&w, &e), QMS_OK);
    (void)munmap(at, qms_mesh_pair_size());
}

static void a_worker_that_lies_is_given_up(void **state)
{
    struct fixture *f = *state;

    put_raw(f, (struct qms_ring_entry){.type = QMS_MESH_DATA, .chunk = 1u << 30, .len = 1});
    (void)qms_mesh_read(f->sides[1].mesh);
    assert_int_equal(f->sides[1].heard, 0);
    assert_false(qms_mesh_is_up(f->sides[1].mesh, 0));
    assert_true(qms_mesh_flush(f->sides[1].mesh));
    assert_int_equal(f->sides[1].lost, 1);
    both_turn(f); /* the other side hears of it */
    assert_int_equal(f->sides[0].lost, 1);
}

static void a_return_of_what_was_not_lent_is_a_lie(void **state)
{
    struct fixture *f = *state;

    put_raw(f, (struct qms_ring_entry){.type = QMS_MESH_RETURN, .chunk = 256, .len = 1});
    (void)qms_mesh_read(f->sides[1].mesh);
    assert_false(qms_mesh_is_up(f->sides[1].mesh, 0));
    assert_int_equal(
        qms_mesh_send(f->sides[1].mesh, 0, (struct qms_ring_entry){.type = QMS_MESH_FIN}),
        QMS_E_CLOSED);
}

static void a_lost_worker_gives_back_what_it_was_lent(void **state)
{
    struct fixture *f = *state;

    send_bytes(&f->sides[0], 100, 0);
    qms_mesh_lose(f->sides[0].mesh, 1, false);
    assert_int_equal(f->sides[0].lost, 1);
    assert_int_equal(qms_payload_used(f->sides[0].payload), 1); /* the one being filled */
    assert_int_equal(
        qms_mesh_send(f->sides[0].mesh, 1, (struct qms_ring_entry){.type = QMS_MESH_FIN}),
        QMS_E_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(more_than_the_ring_holds_arrives_in_order),
        QMS_TEST(one_ring_of_the_bell_is_enough_for_a_turn),
        QMS_TEST(bytes_arrive_and_their_chunks_come_back),
        QMS_TEST(what_was_borrowed_stays_until_it_is_let_go),
        QMS_TEST(a_borrowed_chunk_can_be_read_after_its_worker_is_lost),
        QMS_TEST(data_that_waits_is_joined),
        QMS_TEST(a_worker_that_lies_is_given_up),
        QMS_TEST(a_return_of_what_was_not_lent_is_a_lie),
        QMS_TEST(a_lost_worker_gives_back_what_it_was_lent),
    };
    return cmocka_run_group_tests_name("core_mesh", tests, NULL, NULL);
}
