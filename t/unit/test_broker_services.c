/* SPDX-License-Identifier: MIT */
/* The services that report: what they say, to whom, and what one costs who does not read. */
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
    fixture_start(f, "agent_memory 256k; route_buffer 64k;", NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_stop(*state);
    free(*state);
    return 0;
}

static struct stream *ask(struct agent *a, const char *service, const char *meta)
{
    struct qms_route_header h = {.kind = QMS_KIND_SERVICE,
                                 .target = qms_str(service, strlen(service)),
                                 .meta = qms_str(meta, strlen(meta))};
    struct stream *st = agent_open_with(a, true, &h);

    settle(a->f);
    return st;
}

static void stats_tell_of_the_connection_and_the_broker(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", NULL);
    struct stream *st = ask(a, "stats", "");

    assert_int_equal(st->result, QMS_CODE_OK);
    assert_true(st->fin);
    assert_non_null(
        strstr(st->first, "{\"connection\":{\"id\":\"alice\",\"carrier\":\"fake\""));
    assert_true(st->received > 1000);
    qms_session_finish(st->st);
    settle(f);
    assert_true(st->closed);
    assert_int_equal(probe.last_status, QMS_CODE_OK);
}

static void the_directory_tells_agents_of_a_prefix(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", NULL);

    agent_connect(f, "room.1", NULL);
    assert_string_equal(ask(a, "directory", "room.")->first,
                        "{\"agents\":[\"room.1\"],\"truncated\":false}");
    assert_string_equal(ask(a, "directory", "none")->first,
                        "{\"agents\":[],\"truncated\":false}");
    probe.reject_watch = true;
    struct stream *st = ask(a, "directory", "room.");
    assert_int_equal(st->result, QMS_CODE_FORBIDDEN);
    assert_int_equal(st->received, 0);
}

static void the_directory_says_when_it_does_not_tell_all(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", NULL);
    char id[16];

    for (int i = 0; i < 10005; i++) {
        struct qms_directory_entry entry = {.epoch = 1, .worker = 9}, old;
        snprintf(id, sizeof(id), "n%05d", i);
        assert_int_equal(
            qms_directory_join(f->broker->directory, qms_str(id, strlen(id)), &entry, &old),
            QMS_OK);
    }
    struct stream *st = ask(a, "directory", "n");
    assert_true(st->fin);
    assert_int_equal(st->received,
                     10000 * 9 - 1 + sizeof("{\"agents\":[],\"truncated\":true}") - 1);

    /* Who asks and does not read has it on its account, and is refused more in the end. */
    a->slow = true;
    unsigned taken = 0;
    while (ask(a, "directory", "n")->result == QMS_CODE_OK) {
        assert_true(++taken < 20);
    }
    assert_in_range(taken, 5, 14); /* each leaves a window less than its answer */
    a->slow = false;
    for (unsigned i = 0; agent_stream(a, i) != NULL; i++) {
        if (agent_stream(a, i)->st != NULL) {
            qms_session_stop(agent_stream(a, i)->st, 0x81); /* unread, as it is */
            qms_session_reset(agent_stream(a, i)->st, 0x81);
        }
    }
    settle(f);
    assert_int_equal(ask(a, "directory", "n")->result, QMS_CODE_OK);
}

static void reports_need_both_directions(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", NULL);
    struct stream *st = agent_open(a, QMS_KIND_SERVICE, "stats", false, 1);

    settle(f);
    assert_int_equal(st->result, QMS_CODE_UNSUPPORTED);
}

static void reports_survive_every_failing_allocation(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", NULL);
    bool good = false;

    for (uint64_t n = 0; n < 40; n++) {
        struct stream *st = agent_open(a, QMS_KIND_SERVICE, "directory", true, 1);
        qms_mem_fail_after(n);
        settle(f);
        qms_mem_fail_after(UINT64_MAX);
        settle(f);
        good = st->fin && st->result == QMS_CODE_OK;
        if (a->closed) {
            a = agent_connect(f, "alice", NULL);
        }
    }
    assert_true(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(stats_tell_of_the_connection_and_the_broker),
        QMS_TEST(the_directory_tells_agents_of_a_prefix),
        QMS_TEST(the_directory_says_when_it_does_not_tell_all),
        QMS_TEST(reports_need_both_directions),
        QMS_TEST(reports_survive_every_failing_allocation),
    };
    return cmocka_run_group_tests_name("broker_services", tests, NULL, NULL);
}
