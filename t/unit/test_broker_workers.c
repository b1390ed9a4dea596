/* SPDX-License-Identifier: MIT */
/* Routes between agents of different workers, and what one worker does not know yet. */
#include "broker_workers_world.h"

static int setup(void **state)
{
    return begin_all(state, 1, "");
}

/* The last one is of the generation that follows. */
static int setup_generations(void **state)
{
    return begin_all(state, 2, "");
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
