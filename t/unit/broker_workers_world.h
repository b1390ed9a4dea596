/* SPDX-License-Identifier: MIT */
/* Three brokers as the workers of one, with real rings, arenas and a board between them.
 * Nothing passes between two of them before exchange() or hear(), so what one knows may be out
 * of date at will; what stands on the board is seen at once. */
#ifndef BROKER_WORKERS_WORLD_H
#define BROKER_WORKERS_WORLD_H

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/shared/board.h"
#include "core/shared/slots.h"
#include "qms_test.h"
#include "test_broker_fixture.h"

#define COUNT 3

struct worker {
    struct broker_fixture f;
    struct qms_mesh *mesh;
    struct qms_board *board;
    int view, bell;
};

struct fixture {
    struct worker w[COUNT];
    int board; /* that of all of them */
};

static inline void begin(struct fixture *f, unsigned slot, uint32_t generation,
                         const char *quic)
{
    struct worker *w = &f->w[slot];
    int owner;

    fixture_start(&w->f, quic, "auth off;");
    w->board = qms_board_adopt(QMS_SLOTS_MAX, dup(f->board));
    assert_non_null(w->board);
    assert_non_null(qms_board_take(w->board, slot, generation));
    qms_board_grow(w->board, COUNT);
    qms_broker_use_board(w->f.broker, w->board);
    assert_int_equal(qms_payload_file(1 << 20, &owner, &w->view), QMS_OK);
    struct qms_payload *payload = qms_payload_new(owner);
    close(owner);
    assert_non_null(payload);
    w->bell = eventfd(0, EFD_NONBLOCK);
    w->mesh = qms_mesh_new(slot, generation, payload, w->bell);
    assert_non_null(w->mesh);
    assert_int_equal(qms_broker_join_mesh(w->f.broker, w->mesh), QMS_OK);
}

static inline void introduce(struct fixture *f, unsigned a, unsigned b)
{
    int pair = memfd_create("pair", MFD_ALLOW_SEALING);

    assert_int_equal(ftruncate(pair, (off_t)qms_mesh_pair_size()), 0);
    assert_int_equal(fcntl(pair, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    assert_int_equal(qms_mesh_connect(f->w[a].mesh, b, qms_mesh_own_generation(f->w[b].mesh),
                                      pair, f->w[b].view, dup(f->w[b].bell)),
                     QMS_OK);
    assert_int_equal(qms_mesh_connect(f->w[b].mesh, a, qms_mesh_own_generation(f->w[a].mesh),
                                      pair, f->w[a].view, dup(f->w[a].bell)),
                     QMS_OK);
    close(pair);
}

static inline void settle_all(struct fixture *f)
{
    for (unsigned i = 0; i < COUNT; i++) {
        settle(&f->w[i].f);
    }
}

/* Everything that any of them has to say arrives, and what follows from it. */
static inline void exchange(struct fixture *f)
{
    for (int round = 0; round < 12; round++) {
        settle_all(f);
        for (unsigned i = 0; i < COUNT; i++) {
            (void)qms_broker_flush_mesh(f->w[i].f.broker);
        }
        for (unsigned i = 0; i < COUNT; i++) {
            (void)qms_mesh_read(f->w[i].mesh);
        }
    }
    settle_all(f);
}

/* Only what `from` has to say arrives at `to`. */
static inline void hear(struct fixture *f, unsigned from, unsigned to)
{
    settle(&f->w[from].f);
    (void)qms_broker_flush_mesh(f->w[from].f.broker);
    (void)qms_mesh_read(f->w[to].mesh);
    settle(&f->w[to].f);
}

static inline void pass_time(struct fixture *f)
{
    for (unsigned i = 0; i < COUNT; i++) {
        advance(&f->w[i].f, QMS_MILLISECOND);
    }
}

static inline int begin_all(void **state, uint32_t generation_of_last, const char *quic)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    struct qms_board *master = qms_board_new(QMS_SLOTS_MAX);
    assert_non_null(master);
    f->board = dup(qms_board_fd(master));
    qms_board_free(master);
    for (unsigned i = 0; i < COUNT; i++) {
        begin(f, i, i == COUNT - 1 ? generation_of_last : 1, quic);
    }
    introduce(f, 0, 1);
    introduce(f, 0, 2);
    introduce(f, 1, 2);
    exchange(f);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < COUNT; i++) {
        fixture_close(&f->w[i].f);
    }
    exchange(f);
    for (unsigned i = 0; i < COUNT; i++) {
        fixture_free(&f->w[i].f);
        qms_mesh_free(f->w[i].mesh);
        qms_board_free(f->w[i].board);
        close(f->w[i].view);
        close(f->w[i].bell);
    }
    fixture_nothing_left();
    close(f->board);
    free(f);
    return 0;
}

static inline struct agent *come(struct fixture *f, unsigned worker, const char *id)
{
    struct agent *a = agent_connect(&f->w[worker].f, id, NULL);

    assert_non_null(a);
    assert_true(a->welcomed);
    return a;
}

#endif
