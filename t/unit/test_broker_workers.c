/* SPDX-License-Identifier: MIT */
/* Three brokers as the workers of one, with real rings and arenas between them.  Nothing passes
 * between two of them before exchange(), so what one knows may be out of date at will. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "qms_test.h"
#include "test_broker_fixture.h"

#define COUNT 3

struct worker {
    struct broker_fixture f;
    struct qms_mesh *mesh;
    int view, bell;
};

struct fixture {
    struct worker w[COUNT];
};

static void begin(struct worker *w, unsigned slot, uint32_t generation)
{
    int owner;

    fixture_start(&w->f, "", "auth off;");
    assert_int_equal(qms_payload_file(1 << 20, &owner, &w->view), QMS_OK);
    struct qms_payload *payload = qms_payload_new(owner);
    close(owner);
    assert_non_null(payload);
    w->bell = eventfd(0, EFD_NONBLOCK);
    w->mesh = qms_mesh_new(slot, generation, payload, w->bell);
    assert_non_null(w->mesh);
    assert_int_equal(qms_broker_join_mesh(w->f.broker, w->mesh), QMS_OK);
}

static void introduce(struct fixture *f, unsigned a, unsigned b)
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

static void settle_all(struct fixture *f)
{
    for (unsigned i = 0; i < COUNT; i++) {
        settle(&f->w[i].f);
    }
}

/* Everything that any of them has to say arrives, and what follows from it. */
static void exchange(struct fixture *f)
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
static void hear(struct fixture *f, unsigned from, unsigned to)
{
    settle(&f->w[from].f);
    (void)qms_broker_flush_mesh(f->w[from].f.broker);
    (void)qms_mesh_read(f->w[to].mesh);
    settle(&f->w[to].f);
}

static void pass_time(struct fixture *f)
{
    for (unsigned i = 0; i < COUNT; i++) {
        advance(&f->w[i].f, QMS_MILLISECOND);
    }
}

static int begin_all(void **state, uint32_t generation_of_last)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    for (unsigned i = 0; i < COUNT; i++) {
        begin(&f->w[i], i, i == COUNT - 1 ? generation_of_last : 1);
    }
    introduce(f, 0, 1);
    introduce(f, 0, 2);
    introduce(f, 1, 2);
    exchange(f);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return begin_all(state, 1);
}

/* The last one is of the generation that follows. */
static int setup_generations(void **state)
{
    return begin_all(state, 2);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < COUNT; i++) {
        fixture_close(&f->w[i].f);
    }
    exchange(f);
    for (unsigned i = 0; i < COUNT; i++) {
        fixture_free(&f->w[i].f);
        qms_mesh_free(f->w[i].mesh);
        close(f->w[i].view);
        close(f->w[i].bell);
    }
    fixture_nothing_left();
    free(f);
    return 0;
}

static struct agent *come(struct fixture *f, unsigned worker, const char *id)
{
    struct agent *a = agent_connect(&f->w[worker].f, id, NULL);

    assert_non_null(a);
    assert_true(a->welcomed);
    return a;
}

static struct stream *open_and_say(struct agent *from, const char *to, const char *text)
{
    struct stream *st = agent_open(from, QMS_KIND_AGENT, to, true, QMS_PRIORITY_NORMAL);

    assert_non_null(st);
    stream_write(st, text);
    return st;
}

static void heard_once(struct agent *a, const char *text)
{
    struct stream *st = agent_incoming(a, 0);

    assert_non_null(st);
    assert_string_equal(st->first, text);
    assert_int_equal(st->received, strlen(text));
    assert_null(agent_incoming(a, 1));
}

static void a_route_finds_an_agent_of_another_worker(void **state)
{
    struct fixture *f = *state;
    struct agent *target = come(f, 0, "t"), *opener = come(f, 1, "o");

    exchange(f);
    struct stream *st = open_and_say(opener, "t", "hello");
    exchange(f);
    heard_once(target, "hello");
    assert_int_equal(st->result, QMS_CODE_OK);
}

static void an_agent_that_moved_to_the_opener_s_worker_is_found_there(void **state)
{
    struct fixture *f = *state;
    struct agent *target = come(f, 0, "t"), *opener = come(f, 1, "o");

    exchange(f);
    struct stream *st = open_and_say(opener, "t", "hello");
    settle_all(f); /* on its way to worker 0 */
    pass_time(f);
    agent_die(target);
    target = come(f, 1, "t");
    exchange(f);
    heard_once(target, "hello");
    assert_int_equal(st->result, QMS_CODE_OK);
}

static void an_agent_that_moved_to_a_third_worker_is_found_there(void **state)
{
    struct fixture *f = *state;
    struct agent *target = come(f, 0, "t"), *opener = come(f, 1, "o");

    exchange(f);
    struct stream *st = open_and_say(opener, "t", "hello");
    settle_all(f);
    pass_time(f);
    agent_die(target);
    settle_all(f);
    target = come(f, 2, "t");
    hear(f, 2, 1); /* where it is now, before the answer of worker 0 */
    exchange(f);
    heard_once(target, "hello");
    assert_int_equal(st->result, QMS_CODE_OK);
    stream_write(st, ", again");
    exchange(f);
    assert_int_equal(agent_incoming(target, 0)->received, strlen("hello, again"));
}

static void an_agent_that_is_gone_is_offline(void **state)
{
    struct fixture *f = *state;
    struct agent *target = come(f, 0, "t"), *opener = come(f, 1, "o");

    exchange(f);
    struct stream *st = open_and_say(opener, "t", "hello");
    settle_all(f);
    agent_die(target);
    exchange(f);
    assert_int_equal(st->result, QMS_CODE_OFFLINE);
}

static void there_is_one_retry(void **state)
{
    struct fixture *f = *state;
    struct agent *target = come(f, 0, "t"), *opener = come(f, 1, "o");

    exchange(f);
    struct stream *st = open_and_say(opener, "t", "hello");
    settle_all(f);
    pass_time(f);
    agent_die(target);
    settle_all(f);
    target = come(f, 2, "t");
    hear(f, 2, 1);
    (void)qms_broker_flush_mesh(f->w[1].f.broker);
    (void)qms_mesh_read(f->w[0].mesh); /* not here */
    hear(f, 0, 1);                     /* so once more, to worker 2 */
    (void)qms_broker_flush_mesh(f->w[1].f.broker);
    pass_time(f);
    agent_die(target); /* which has lost it meanwhile, too */
    settle_all(f);
    target = come(f, 0, "t");
    exchange(f);
    assert_int_equal(st->result, QMS_CODE_OFFLINE);
    assert_null(agent_incoming(target, 0));
}

static void a_newer_connection_replaces_an_older_one_elsewhere(void **state)
{
    struct fixture *f = *state;
    struct agent *old = come(f, 0, "t");

    exchange(f);
    pass_time(f);
    struct agent *new = come(f, 2, "t");
    exchange(f);
    assert_true(old->closed);
    assert_int_equal(old->close_code, QMS_CODE_REPLACED);
    assert_false(new->closed);
}

static void a_retired_worker_keeps_the_old_connection_for_its_routes(void **state)
{
    struct fixture *f = *state;
    struct agent *old = come(f, 0, "t"), *opener = come(f, 1, "o");

    exchange(f);
    struct stream *before = open_and_say(opener, "t", "one");
    exchange(f);
    for (unsigned i = 0; i < 2; i++) {
        qms_broker_retire(f->w[i].f.broker, 60 * QMS_SECOND, fixture_now(&f->w[i].f));
    }
    exchange(f);
    assert_int_equal(old->goaways, 1);
    pass_time(f);
    struct agent *new = come(f, 2, "t");
    exchange(f);
    assert_false(old->closed);
    stream_write(before, "two");
    struct stream *after = open_and_say(opener, "t", "three");
    exchange(f);
    assert_int_equal(agent_incoming(old, 0)->received, strlen("onetwo"));
    assert_null(agent_incoming(old, 1));
    heard_once(new, "three");
    assert_int_equal(after->result, QMS_CODE_OK);
}

static void a_route_on_its_way_to_a_retired_worker_finds_the_old_connection(void **state)
{
    struct fixture *f = *state;
    struct agent *old = come(f, 0, "t"), *opener = come(f, 1, "o");

    exchange(f);
    qms_broker_retire(f->w[0].f.broker, 60 * QMS_SECOND, fixture_now(&f->w[0].f));
    exchange(f);
    struct stream *st = open_and_say(opener, "t", "hello");
    settle_all(f);
    pass_time(f);
    struct agent *new = come(f, 2, "t");
    hear(f, 2, 0); /* worker 1 has not heard of it */
    hear(f, 1, 0);
    exchange(f);
    heard_once(old, "hello");
    assert_null(agent_incoming(new, 0));
    assert_int_equal(st->result, QMS_CODE_OK);
}

static void who_comes_late_to_a_retired_worker_is_welcomed_and_asked_to_move(void **state)
{
    struct fixture *f = *state;

    qms_broker_retire(f->w[0].f.broker, 60 * QMS_SECOND, fixture_now(&f->w[0].f));
    struct agent *late = come(f, 0, "late"), *other = come(f, 2, "other");
    exchange(f);
    assert_int_equal(late->goaways, 1);
    struct stream *st = open_and_say(other, "late", "hello");
    exchange(f);
    heard_once(late, "hello");
    assert_int_equal(st->result, QMS_CODE_OK);
}

static void newcomers_are_sent_to_the_newest_generation(void **state)
{
    struct fixture *f = *state;
    uint8_t slots[QMS_SLOTS_MAX];

    assert_int_equal(qms_mesh_newest(f->w[0].mesh, slots), 1);
    assert_int_equal(slots[0], 2);
    assert_int_equal(qms_mesh_newest(f->w[2].mesh, slots), 0);
    assert_false(qms_mesh_is_vacant(f->w[0].mesh, 2));
    assert_true(qms_mesh_is_vacant(f->w[0].mesh, 3));
    qms_mesh_lose(f->w[0].mesh, 2, false);
    assert_false(qms_mesh_is_vacant(f->w[0].mesh, 2));
    assert_int_equal(qms_mesh_newest(f->w[0].mesh, slots), 0);
    qms_mesh_lose(f->w[0].mesh, 2, true);
    assert_true(qms_mesh_is_vacant(f->w[0].mesh, 2));
}

#define GENERATIONS_TEST(name)                                                                 \
    cmocka_unit_test_setup_teardown(name, setup_generations, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(a_route_finds_an_agent_of_another_worker),
        QMS_TEST(an_agent_that_moved_to_the_opener_s_worker_is_found_there),
        QMS_TEST(an_agent_that_moved_to_a_third_worker_is_found_there),
        QMS_TEST(an_agent_that_is_gone_is_offline),
        QMS_TEST(there_is_one_retry),
        QMS_TEST(a_newer_connection_replaces_an_older_one_elsewhere),
        GENERATIONS_TEST(a_retired_worker_keeps_the_old_connection_for_its_routes),
        GENERATIONS_TEST(a_route_on_its_way_to_a_retired_worker_finds_the_old_connection),
        GENERATIONS_TEST(who_comes_late_to_a_retired_worker_is_welcomed_and_asked_to_move),
        GENERATIONS_TEST(newcomers_are_sent_to_the_newest_generation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
