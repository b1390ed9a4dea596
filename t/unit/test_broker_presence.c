/* SPDX-License-Identifier: MIT */
/* Presence: the snapshot, what changes, and watchers that do not read. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "qms_test.h"
#include "test_broker_fixture.h"

static int setup(void **state)
{
    struct broker_fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    fixture_start(f, "max_watches 2;", NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_stop(*state);
    free(*state);
    return 0;
}

static int watch(struct agent *a, const char *prefix)
{
    struct qms_control m = {.type = QMS_MSG_WATCH};

    m.u.watch.prefix = qms_str(prefix, strlen(prefix));
    a->presence[0] = '\0';
    return agent_ask(a, &m);
}

static int unwatch(struct agent *a, uint64_t which)
{
    struct qms_control m = {.type = QMS_MSG_UNWATCH, .u.unwatch.watch_req = which};

    return agent_ask(a, &m);
}

static void a_watch_begins_with_those_who_are_there(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *w = agent_connect(f, "watcher", NULL);

    agent_connect(f, "room.a", NULL);
    agent_connect(f, "other", NULL);
    assert_int_equal(watch(w, "room."), QMS_CODE_OK);
    assert_string_equal(w->presence, "+room.a ! ");
    struct agent *b = agent_connect(f, "room.b", NULL);
    assert_string_equal(w->presence, "+room.a ! +room.b ");
    agent_die(b);
    agent_connect(f, "elsewhere", NULL);
    settle(f);
    assert_string_equal(w->presence, "+room.a ! +room.b -room.b ");
}

static void nobody_is_a_snapshot_too(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *w = agent_connect(f, "watcher", NULL);

    assert_int_equal(watch(w, "none."), QMS_CODE_OK);
    assert_string_equal(w->presence, "! ");
    assert_int_equal(watch(w, ""), QMS_CODE_OK);
    assert_string_equal(w->presence, "+watcher ! ");
}

static void a_replaced_agent_has_not_gone(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *w = agent_connect(f, "watcher", NULL);
    struct agent *old = agent_connect(f, "bob", NULL);

    assert_int_equal(watch(w, "bob"), QMS_CODE_OK);
    agent_connect(f, "bob", NULL);
    assert_true(old->closed);
    assert_string_equal(w->presence, "+bob ! ");
}

static void a_watch_that_a_module_refuses_tells_nothing(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *w = agent_connect(f, "watcher", NULL);

    probe.reject_watch = true;
    assert_int_equal(watch(w, "x"), QMS_CODE_FORBIDDEN);
    agent_connect(f, "x1", NULL);
    assert_string_equal(w->presence, "");
}

static void an_unwatched_prefix_is_silent(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *w = agent_connect(f, "watcher", NULL);

    assert_int_equal(watch(w, "x"), QMS_CODE_OK);
    assert_int_equal(unwatch(w, 7), QMS_CODE_OK);
    assert_int_equal(unwatch(w, 7), QMS_CODE_NOT_FOUND);
    agent_connect(f, "x1", NULL);
    assert_string_equal(w->presence, "! ");
}

static void watches_are_bounded(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *w = agent_connect(f, "watcher", NULL);
    struct qms_control m = {.type = QMS_MSG_WATCH};

    for (uint64_t req = 1; req <= 3; req++) {
        m.u.watch.req = req;
        assert_int_equal(qms_session_send(w->s, &m), QMS_OK);
    }
    settle(f);
    assert_int_equal(w->replies[2], QMS_CODE_OK + 1);
    assert_int_equal(w->replies[3], QMS_CODE_BUSY + 1);
}

/* What waits is told as it is then. */
static void a_watcher_that_reads_late_is_told_what_is_and_not_what_was(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *w = agent_connect(f, "watcher", NULL);
    char id[64];

    /* CONTROL fills up: nothing is acknowledged, 256 KiB may wait. */
    fake_link_hold_acks(w->pair, 1, true);
    assert_int_equal(watch(w, "long."), QMS_CODE_OK);
    for (int i = 0; i < 9000; i++) {
        struct qms_directory_entry entry = {.epoch = 1, .worker = 9}, old;
        snprintf(id, sizeof(id), "long.0123456789012345678901234567890.%d", i);
        assert_int_equal(
            qms_directory_join(f->broker->directory, qms_str(id, strlen(id)), &entry, &old),
            QMS_OK);
    }
    w->presence[0] = '\0';
    settle(f);
    /* The last ones wait in the broker.  One goes and comes, another goes. */
    const char *flaps = "long.0123456789012345678901234567890.8998";
    const char *goes = "long.0123456789012345678901234567890.8999";
    struct qms_directory_entry entry = {.epoch = 2, .worker = 9}, old;
    assert_true(qms_directory_leave(f->broker->directory, qms_str(flaps, strlen(flaps)), 1));
    assert_int_equal(
        qms_directory_join(f->broker->directory, qms_str(flaps, strlen(flaps)), &entry, &old),
        QMS_OK);
    assert_true(qms_directory_leave(f->broker->directory, qms_str(goes, strlen(goes)), 1));
    settle(f);
    assert_false(w->closed);
    fake_link_hold_acks(w->pair, 1, false);
    for (int i = 0; i < 100; i++) {
        w->presence[0] = '\0';
        advance(f, 20 * QMS_MILLISECOND);
        if (strstr(w->presence, goes) != NULL) {
            break;
        }
    }
    char told[128];
    snprintf(told, sizeof(told), "+%s -%s ", flaps, goes);
    assert_non_null(strstr(w->presence, told));
    assert_int_equal(qms_directory_purge(f->broker->directory, 9), 8999);
    settle(f);
}

static void another_worker_has(struct broker_fixture *f, const char *prefix, int count)
{
    char id[64];

    for (int i = 0; i < count; i++) {
        struct qms_directory_entry entry = {.epoch = 1, .worker = 9}, old;
        snprintf(id, sizeof(id), "%s%d", prefix, i);
        assert_int_equal(
            qms_directory_join(f->broker->directory, qms_str(id, strlen(id)), &entry, &old),
            QMS_OK);
    }
}

static void it_loses(struct broker_fixture *f, const char *id)
{
    assert_true(qms_directory_leave(f->broker->directory, qms_str(id, strlen(id)), 1));
}

/* However many there are and however slowly it reads. */
static void a_snapshot_costs_no_memory(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *w = agent_connect(f, "watcher", NULL);
    struct qms_control m = {.type = QMS_MSG_WATCH, .u.watch.req = 1};

    another_worker_has(f, "long.0123456789012345678901234567890.", 20000);
    fake_link_hold_acks(w->pair, 1, true);
    assert_int_equal(qms_session_send(w->s, &m), QMS_OK); /* fills CONTROL */
    settle(f);
    size_t before = mallinfo2().uordblks;
    m.u.watch.req = 2;
    assert_int_equal(qms_session_send(w->s, &m), QMS_OK);
    settle(f);
    assert_true(mallinfo2().uordblks < before + 65536);
    assert_false(w->closed);
    assert_int_equal(qms_directory_purge(f->broker->directory, 9), 20000);
    settle(f);
}

/* A WATCH that finds nobody looks at everyone, and others have their turns meanwhile. */
static void a_snapshot_takes_its_turns(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *w = agent_connect(f, "watcher", NULL);
    struct qms_control m = {.type = QMS_MSG_WATCH, .u.watch.req = 1};
    int turns = 0;

    another_worker_has(f, "a.", 40000);
    m.u.watch.prefix = qms_str("none", 4);
    assert_int_equal(qms_session_send(w->s, &m), QMS_OK);
    for (w->presence[0] = '\0'; strcmp(w->presence, "! ") != 0; turns++) {
        assert_true(turns < 100);
        step(f, 0);
    }
    assert_true(turns > 8);
    assert_int_equal(qms_directory_purge(f->broker->directory, 9), 40000);
}

static void the_snapshot_meets_whoever_comes_and_nobody_who_has_gone(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *w = agent_connect(f, "watcher", NULL);

    another_worker_has(f, "long.0123456789012345678901234567890.", 9000);
    another_worker_has(f, "late.", 4);
    fake_link_hold_acks(w->pair, 1, true);
    assert_int_equal(watch(w, "l"), QMS_CODE_OK);
    /* The snapshot has told the first ones, and not come to the last. */
    it_loses(f, "late.1");
    it_loses(f, "long.0123456789012345678901234567890.0");
    it_loses(f, "late.2");
    another_worker_has(f, "late.2", 1); /* late.20 */
    fake_link_hold_acks(w->pair, 1, false);
    for (int i = 0; i < 100 && strstr(w->presence, "! ") == NULL; i++) {
        w->presence[0] = '\0';
        advance(f, 20 * QMS_MILLISECOND);
    }
    assert_non_null(strstr(w->presence, "+late.0 +late.3 +late.20 "
                                        "-long.0123456789012345678901234567890.0 ! "));
    assert_int_equal(qms_directory_purge(f->broker->directory, 9), 9002);
    settle(f);
}

static void watching_survives_every_failing_allocation(void **state)
{
    struct broker_fixture *f = *state;

    agent_connect(f, "bob", NULL);
    for (uint64_t n = 0; n < 12; n++) {
        char id[16];
        snprintf(id, sizeof(id), "w%u", (unsigned)n);
        struct agent *w = agent_connect(f, id, NULL);
        struct qms_control m = {.type = QMS_MSG_WATCH, .u.watch.req = 1};
        m.u.watch.prefix = qms_str("bob", 3);
        assert_int_equal(qms_session_send(w->s, &m), QMS_OK);
        qms_mem_fail_after(n);
        settle(f);
        qms_mem_fail_after(UINT64_MAX);
        settle(f);
        assert_true(w->closed || w->replies[1] != 0);
        assert_true(w->replies[1] != QMS_CODE_OK + 1 || w->closed ||
                    strcmp(w->presence, "+bob ! ") == 0);
        agent_die(w);
        settle(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(a_watch_begins_with_those_who_are_there),
        QMS_TEST(nobody_is_a_snapshot_too),
        QMS_TEST(a_replaced_agent_has_not_gone),
        QMS_TEST(a_watch_that_a_module_refuses_tells_nothing),
        QMS_TEST(an_unwatched_prefix_is_silent),
        QMS_TEST(watches_are_bounded),
        QMS_TEST(a_watcher_that_reads_late_is_told_what_is_and_not_what_was),
        QMS_TEST(a_snapshot_costs_no_memory),
        QMS_TEST(a_snapshot_takes_its_turns),
        QMS_TEST(the_snapshot_meets_whoever_comes_and_nobody_who_has_gone),
        QMS_TEST(watching_survives_every_failing_allocation),
    };
    return cmocka_run_group_tests_name("broker_presence", tests, NULL, NULL);
}
