/* SPDX-License-Identifier: MIT */
/* Groups over several workers: who has the fewest streams of all, and who waits. */
#include "broker_workers_world.h"
#include "core/broker/elsewhere.h"

#define FEWEST "route group = work { balance least_streams; }"
#define WAITS  "route group = work { queue 3 timeout=5s; }"

static int setup_fewest(void **state)
{
    return begin_all(state, 1, FEWEST);
}

static int setup_waits(void **state)
{
    return begin_all(state, 1, WAITS);
}

static struct stream *ask(struct agent *from)
{
    struct stream *st = agent_open(from, QMS_KIND_GROUP, "work", true, 128);

    assert_non_null(st);
    return st;
}

/* A member at each worker, and an agent that asks. */
static void come_all(struct fixture *f, struct agent *members[COUNT],
                     struct agent *askers[COUNT])
{
    static const char *const names[2][COUNT] = {{"m0", "m1", "m2"}, {"a0", "a1", "a2"}};

    for (unsigned i = 0; i < COUNT; i++) {
        members[i] = come(f, i, names[0][i]);
        assert_int_equal(agent_join(members[i], QMS_KIND_GROUP, "work"), QMS_CODE_OK);
        askers[i] = come(f, i, names[1][i]);
    }
    exchange(f);
}

static void a_worker_knows_the_streams_that_others_gave(void **state)
{
    struct fixture *f = *state;
    struct agent *members[COUNT], *askers[COUNT];

    come_all(f, members, askers);
    (void)ask(askers[0]);
    exchange(f);
    (void)ask(askers[0]);
    exchange(f);
    (void)ask(askers[1]); /* by itself it would begin with one that has a stream already */
    exchange(f);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(agent_had(members[i]), 1);
    }
}

static void a_member_that_leaves_takes_its_count_along(void **state)
{
    struct fixture *f = *state;
    struct agent *m = come(f, 1, "m1"), *asker = come(f, 0, "a0");
    struct qms_control leave = {.type = QMS_MSG_LEAVE};

    assert_int_equal(agent_join(m, QMS_KIND_GROUP, "work"), QMS_CODE_OK);
    exchange(f);
    const struct qms_room *room =
        qms_rooms_find(f->w[1].f.broker->rooms, QMS_KIND_GROUP, qms_str("work", 4));
    uint64_t key =
        QMS_CONTAINER(qms_list_first(&room->members), struct qms_member, node)->streams_key;
    (void)ask(asker);
    exchange(f);
    assert_int_equal(qms_elsewhere_count(f->w[1].f.broker, key), 1);
    leave.u.join.kind = QMS_KIND_GROUP;
    leave.u.join.name = qms_str("work", 4);
    assert_int_equal(agent_ask(m, &leave), QMS_CODE_OK);
    exchange(f);
    assert_int_equal(qms_elsewhere_count(f->w[1].f.broker, key), 0);
}

static void what_has_ended_elsewhere_counts_no_more(void **state)
{
    struct fixture *f = *state;
    struct agent *members[COUNT], *askers[COUNT];
    struct stream *first;

    come_all(f, members, askers);
    first = ask(askers[0]);
    exchange(f);
    (void)ask(askers[0]);
    exchange(f);
    (void)ask(askers[0]);
    exchange(f);
    struct agent *had_first = NULL;
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(agent_had(members[i]), 1);
        had_first = strcmp(first->acceptor, members[i]->id) == 0 ? members[i] : had_first;
    }
    assert_non_null(had_first);
    qms_session_finish(first->st);
    qms_session_finish(agent_incoming(had_first, 0)->st);
    exchange(f);
    (void)ask(askers[2]); /* which has given nothing to anybody */
    exchange(f);
    assert_int_equal(agent_had(had_first), 2);
}

static void what_a_lost_worker_has_told_counts_no_more(void **state)
{
    struct fixture *f = *state;
    struct agent *m = come(f, 1, "m1"), *other = come(f, 2, "m2"), *asker = come(f, 0, "a0"),
                 *late = come(f, 2, "a2");

    assert_int_equal(agent_join(m, QMS_KIND_GROUP, "work"), QMS_CODE_OK);
    exchange(f);
    for (int i = 0; i < 3; i++) {
        (void)ask(asker);
        exchange(f);
    }
    assert_int_equal(agent_had(m), 3);
    assert_int_equal(agent_join(other, QMS_KIND_GROUP, "work"), QMS_CODE_OK);
    exchange(f);
    struct stream *own = ask(late); /* three against none */
    exchange(f);
    assert_string_equal(own->acceptor, "m2");
    qms_mesh_lose(f->w[1].mesh, 0, true);
    qms_mesh_lose(f->w[2].mesh, 0, true);
    own = ask(late); /* one against none */
    exchange(f);
    assert_string_equal(own->acceptor, "m1");
    own = ask(late);
    exchange(f);
    own = ask(late);
    exchange(f);
    assert_int_equal(agent_had(m), 3 + 2);
    assert_int_equal(agent_had(other), 2);
}

static void a_queue_is_one_for_all_workers(void **state)
{
    struct fixture *f = *state;
    struct agent *askers[COUNT] = {come(f, 0, "a0"), come(f, 1, "a1"), come(f, 2, "a2")};
    struct stream *st[COUNT];

    exchange(f);
    for (unsigned i = 0; i < COUNT; i++) {
        st[i] = ask(askers[i]);
        exchange(f);
        assert_int_equal(st[i]->result, -1);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        struct stream *more = ask(askers[i]);
        exchange(f);
        assert_int_equal(more->result, QMS_CODE_BUSY);
    }
    qms_session_reset(st[0]->st, QMS_CODE_CANCELLED);
    qms_session_stop(st[0]->st, QMS_CODE_CANCELLED);
    exchange(f);
    struct stream *next = ask(askers[2]); /* in the place of one that another worker had */
    exchange(f);
    assert_int_equal(next->result, -1);
    struct agent *m = come(f, 1, "m1");
    assert_int_equal(agent_join(m, QMS_KIND_GROUP, "work"), QMS_CODE_OK);
    exchange(f);
    assert_int_equal(st[1]->result, QMS_CODE_OK);
    assert_int_equal(st[2]->result, QMS_CODE_OK);
    assert_int_equal(next->result, QMS_CODE_OK);
    assert_int_equal(agent_had(m), 3);
}

/* A member says that it is busy by a weight of 0, and that it is free by another. */
static void weigh(struct agent *m, uint64_t weight)
{
    struct qms_control join = {.type = QMS_MSG_JOIN};

    join.u.join.kind = QMS_KIND_GROUP;
    join.u.join.name = qms_str("work", 4);
    join.u.join.has_weight = true;
    join.u.join.weight = weight;
    assert_int_equal(agent_ask(m, &join), QMS_CODE_OK);
}

static void a_member_that_is_free_again_gets_what_waits_in_other_workers(void **state)
{
    struct fixture *f = *state;
    struct agent *m = come(f, 1, "m1"), *asker = come(f, 0, "a0");

    weigh(m, 0);
    exchange(f);
    struct stream *one = ask(asker);
    stream_write(one, "first");
    exchange(f);
    struct stream *two = ask(asker);
    stream_write(two, "second");
    exchange(f);
    assert_int_equal(one->result, -1);
    weigh(m, 1);
    exchange(f);
    assert_int_equal(one->result, QMS_CODE_OK);
    assert_int_equal(two->result, QMS_CODE_OK);
    assert_string_equal(agent_incoming(m, 0)->first, "first"); /* in their order */
    assert_string_equal(agent_incoming(m, 1)->first, "second");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define FEWEST_TEST(name) cmocka_unit_test_setup_teardown(name, setup_fewest, teardown)
        FEWEST_TEST(a_worker_knows_the_streams_that_others_gave),
        FEWEST_TEST(a_member_that_leaves_takes_its_count_along),
        FEWEST_TEST(what_has_ended_elsewhere_counts_no_more),
        FEWEST_TEST(what_a_lost_worker_has_told_counts_no_more),
#define WAITS_TEST(name) cmocka_unit_test_setup_teardown(name, setup_waits, teardown)
        WAITS_TEST(a_queue_is_one_for_all_workers),
        WAITS_TEST(a_member_that_is_free_again_gets_what_waits_in_other_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
