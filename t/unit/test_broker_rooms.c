/* SPDX-License-Identifier: MIT */
/* Groups, topics and presence over two workers, in one process and with one clock. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/broker/rooms.h"
#include "core/shared/mesh.h"
#include "qms_test.h"
#include "test_broker_fixture.h"

#define WINDOW 65536

struct world {
    struct broker_fixture f[2];
    struct qms_mesh *mesh[2];
    int bell[2], view[2], pair;
    bool joined;
};

static int setup(void **state)
{
    *state = calloc(1, sizeof(struct world));
    assert_non_null(*state);
    return 0;
}

/* The two know each other from here on. */
static void join_workers(struct world *w)
{
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(qms_mesh_connect(w->mesh[i], 1 - i, 1, w->pair, w->view[1 - i],
                                          dup(w->bell[1 - i])),
                         QMS_OK);
    }
    w->joined = true;
    settle(&w->f[0]);
}

static void begin(struct world *w, const char *quic, bool joined)
{
    for (unsigned i = 0; i < 2; i++) {
        int owner;
        fixture_start(&w->f[i], quic, NULL);
        assert_int_equal(qms_payload_file(1 << 22, &owner, &w->view[i]), QMS_OK);
        w->bell[i] = eventfd(0, EFD_NONBLOCK);
        w->mesh[i] = qms_mesh_new(i, 1, qms_payload_new(owner), w->bell[i]);
        assert_non_null(w->mesh[i]);
        close(owner);
        assert_int_equal(qms_broker_join_mesh(w->f[i].broker, w->mesh[i]), QMS_OK);
        w->f[i].mesh = w->mesh[i];
        w->f[i].other = &w->f[1 - i];
    }
    w->pair = memfd_create("pair", MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(w->pair, (off_t)qms_mesh_pair_size()), 0);
    assert_int_equal(fcntl(w->pair, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    if (joined) {
        join_workers(w);
    }
}

static int teardown(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < 2; i++) {
        qms_broker_close_all(w->f[i].broker, QMS_CODE_GOING_AWAY, "over");
    }
    settle(&w->f[0]);
    fixture_close(&w->f[0]);
    fixture_close(&w->f[1]);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(qms_rooms_count(w->f[i].broker->rooms), 0);
        qms_broker_end_routes(w->f[i].broker);
        qms_mesh_free(w->mesh[i]);
        w->f[i].mesh = NULL;
        close(w->bell[i]);
        close(w->view[i]);
    }
    close(w->pair);
    fixture_free(&w->f[0]);
    fixture_free(&w->f[1]);
    fixture_nothing_left();
    free(w);
    return 0;
}

static struct agent *subscriber(struct world *w, unsigned worker, const char *id)
{
    struct agent *a = agent_connect(&w->f[worker], id, NULL);

    assert_int_equal(agent_join(a, QMS_KIND_TOPIC, "news"), QMS_CODE_OK);
    return a;
}

static struct agent *member(struct world *w, unsigned worker, const char *id)
{
    struct agent *a = agent_connect(&w->f[worker], id, NULL);

    assert_int_equal(agent_join(a, QMS_KIND_GROUP, "work"), QMS_CODE_OK);
    return a;
}

static struct stream *publish(struct agent *a, bool framed)
{
    struct qms_route_header h = {.kind = QMS_KIND_TOPIC,
                                 .flags = framed ? QMS_ROUTE_FRAMED : 0,
                                 .target = qms_str("news", 4)};

    return agent_open_with(a, false, &h);
}

static void message(struct world *w, struct stream *st, size_t len)
{
    uint8_t head[4] = {0x80, (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
    struct qms_blob *blob = qms_blob_copy((struct qms_bytes){head, 4});

    assert_int_equal(qms_session_write(st->st, blob, 0, 4), QMS_OK);
    qms_blob_unref(blob);
    stream_pour(st, len);
    settle(&w->f[0]);
}

static void subscribers_of_both_workers_get_every_byte(void **state)
{
    struct world *w = *state;

    begin(w, NULL, true);
    struct agent *a = agent_connect(&w->f[0], "alice", NULL);
    struct agent *here = subscriber(w, 0, "here"), *there = subscriber(w, 1, "there");
    struct agent *too = subscriber(w, 1, "too");
    struct stream *st = publish(a, false);
    uint32_t sum = stream_pour(st, 400000);
    qms_session_finish(st->st);
    settle(&w->f[0]);
    struct agent *all[] = {here, there, too};
    for (int i = 0; i < 3; i++) {
        struct stream *in = agent_incoming(all[i], 0);
        assert_int_equal(in->received, 400000);
        assert_int_equal(in->sum, sum);
        assert_string_equal(in->source, "alice");
        assert_string_equal(in->target, "news");
        assert_true(in->fin);
    }
    assert_true(st->closed);
    assert_int_equal(qms_broker_route_count(w->f[0].broker), 0);
    assert_int_equal(qms_broker_route_count(w->f[1].broker), 0);
    agent_die(a);
    settle(&w->f[0]);
    st = publish(there, false);
    stream_write(st, "back");
    settle(&w->f[0]);
    assert_string_equal(agent_incoming(here, 1)->first, "back");
    agent_die(there);
    settle(&w->f[0]);
    assert_int_equal(agent_incoming(here, 1)->reset, QMS_CODE_PEER_GONE);
}

static void messages_that_a_worker_missed_are_told_to_its_subscribers(void **state)
{
    struct world *w = *state;

    begin(w, "route topic = news { on_slow drop max_lag=64k; }", true);
    struct agent *a = agent_connect(&w->f[0], "alice", NULL);
    struct agent *fast = subscriber(w, 0, "fast"), *slow = subscriber(w, 1, "slow");
    slow->slow = true;
    struct stream *st = publish(a, true);
    for (int i = 1; i <= 60; i++) {
        message(w, st, 10000);
        assert_int_equal(agent_incoming(fast, 0)->received, i * 10004);
    }
    assert_true(
        counted(&w->f[0], QMS_S_TOPIC_DROPPED) + counted(&w->f[1], QMS_S_TOPIC_DROPPED) > 30);
    slow->slow = false;
    stream_consume(agent_incoming(slow, 0));
    settle(&w->f[0]);
    message(w, st, 10000);
    /* One that joins there now counts from the same number as everybody. */
    struct agent *late = subscriber(w, 1, "late");
    assert_int_equal(agent_incoming(late, 0)->group_seq, 61);
    qms_session_finish(st->st);
    settle(&w->f[0]);
    struct stream *in = agent_incoming(slow, 0);
    assert_true(in->fin && in->reset == -1);
    assert_int_equal(in->received / 10004 + in->skipped, 61);
    assert_true(in->skipped > 30);
}

static void who_comes_and_goes_in_another_worker_has_whole_messages(void **state)
{
    struct world *w = *state;
    struct qms_control leave = {.type = QMS_MSG_LEAVE};

    begin(w, NULL, true);
    struct agent *a = agent_connect(&w->f[0], "alice", NULL);
    struct stream *st = publish(a, true);
    message(w, st, 100);
    stream_write(st, "\x05"
                     "ab");
    settle(&w->f[0]);
    struct agent *late = subscriber(w, 1, "late");
    assert_null(agent_incoming(late, 0));
    stream_write(st, "cde\x01Z");
    settle(&w->f[0]);
    assert_string_equal(agent_incoming(late, 0)->first, "\x01Z");
    assert_int_equal(agent_incoming(late, 0)->group_seq, 2);
    leave.u.join.kind = QMS_KIND_TOPIC;
    leave.u.join.name = qms_str("news", 4);
    assert_int_equal(agent_ask(late, &leave), QMS_CODE_OK);
    assert_true(agent_incoming(late, 0)->fin);
    assert_int_equal(qms_broker_route_count(w->f[1].broker), 0);
    message(w, st, 10);
    struct agent *again = subscriber(w, 1, "again");
    message(w, st, 10);
    assert_int_equal(agent_incoming(again, 0)->group_seq, 4);
    assert_int_equal(agent_incoming(again, 0)->received, 14);
}

static void a_member_of_another_worker_is_followed_by_one_here(void **state)
{
    struct world *w = *state;

    begin(w, NULL, true);
    struct agent *a = agent_connect(&w->f[0], "alice", NULL);
    struct agent *there = member(w, 1, "there");
    there->hold = true;
    struct stream *st = agent_open(a, QMS_KIND_GROUP, "work", true, 9);
    uint32_t sum = stream_pour(st, 20000);
    qms_session_finish(st->st);
    settle(&w->f[0]);
    assert_int_equal(agent_incoming(there, 0)->received, 20000);
    assert_string_equal(agent_incoming(there, 0)->original, "work");
    struct agent *here = member(w, 0, "here");
    agent_die(there);
    settle(&w->f[0]);
    assert_int_equal(st->result, QMS_CODE_OK);
    assert_string_equal(st->acceptor, "here");
    assert_int_equal(agent_incoming(here, 0)->sum, sum);
    assert_true(agent_incoming(here, 0)->fin);
}

static void a_member_here_is_followed_by_one_of_another_worker(void **state)
{
    struct world *w = *state;

    begin(w, NULL, true);
    struct agent *a = agent_connect(&w->f[0], "alice", NULL);
    struct agent *here = member(w, 0, "here"), *there = member(w, 1, "there");
    here->answer = QMS_CODE_BUSY;
    for (int i = 0; i < 3; i++) {
        struct stream *st = agent_open(a, QMS_KIND_GROUP, "work", true, 9);
        uint32_t sum = stream_pour(st, 10000);
        qms_session_finish(st->st);
        settle(&w->f[0]);
        assert_int_equal(st->result, QMS_CODE_OK);
        assert_string_equal(st->acceptor, "there");
        assert_int_equal(agent_incoming(there, (unsigned)i)->sum, sum);
    }
}

static void a_lost_worker_takes_its_members_and_not_the_streams(void **state)
{
    struct world *w = *state;

    begin(w, NULL, true);
    struct agent *a = agent_connect(&w->f[0], "alice", NULL);
    struct agent *there = member(w, 1, "there");
    subscriber(w, 1, "listens");
    there->hold = true;
    struct stream *st = agent_open(a, QMS_KIND_GROUP, "work", true, 9);
    stream_write(st, "hello");
    struct stream *news = publish(a, true);
    settle(&w->f[0]);
    struct agent *here = member(w, 0, "here");
    qms_mesh_lose(w->mesh[0], 1, 1);
    settle(&w->f[0]);
    assert_int_equal(st->result, QMS_CODE_OK);
    assert_string_equal(agent_incoming(here, 0)->first, "hello");
    assert_null(qms_rooms_find(w->f[0].broker->rooms, QMS_KIND_GROUP, qms_str("nobody", 6)));
    /* The publisher goes on. */
    message(w, news, 10);
    qms_session_finish(news->st);
    settle(&w->f[0]);
    assert_true(news->closed && news->stop == -1);
    qms_mesh_lose(w->mesh[1], 0, 1);
    settle(&w->f[0]);
}

static void a_worker_that_comes_later_is_told_all(void **state)
{
    struct world *w = *state;
    struct qms_control watch = {.type = QMS_MSG_WATCH};

    begin(w, NULL, false);
    struct agent *there = member(w, 1, "there");
    subscriber(w, 1, "reads");
    struct agent *a = agent_connect(&w->f[0], "alice", NULL);
    assert_int_equal(agent_ask(a, &watch), QMS_CODE_OK);
    assert_string_equal(a->presence, "+alice ! ");
    struct stream *st = agent_open(a, QMS_KIND_GROUP, "work", true, 9);
    settle(&w->f[0]);
    assert_int_equal(st->result, QMS_CODE_OFFLINE);
    a->presence[0] = '\0';
    join_workers(w);
    assert_non_null(strstr(a->presence, "+there "));
    assert_non_null(strstr(a->presence, "+reads "));
    st = agent_open(a, QMS_KIND_GROUP, "work", true, 9);
    settle(&w->f[0]);
    assert_int_equal(st->result, QMS_CODE_OK);
    a->presence[0] = '\0';
    agent_die(there);
    settle(&w->f[0]);
    assert_string_equal(a->presence, "-there ");
}

static void datagrams_cross_workers_once(void **state)
{
    struct world *w = *state;

    begin(w, NULL, true);
    struct agent *a = agent_connect(&w->f[0], "alice", NULL);
    struct agent *here = subscriber(w, 0, "here"), *there = subscriber(w, 1, "there");
    struct agent *works = member(w, 1, "works");
    assert_int_equal(
        qms_session_datagram(a->s, QMS_KIND_TOPIC, qms_str("news", 4), 1, qms_str("hi", 2)),
        QMS_OK);
    assert_int_equal(
        qms_session_datagram(a->s, QMS_KIND_GROUP, qms_str("work", 4), 1, qms_str("do", 2)),
        QMS_OK);
    settle(&w->f[0]);
    assert_int_equal(here->datagrams, 1);
    assert_int_equal(there->datagrams, 1);
    assert_int_equal(works->datagrams, 1);
    assert_string_equal(works->datagram, "do");
    assert_string_equal(there->datagram_from, "alice");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(subscribers_of_both_workers_get_every_byte),
        QMS_TEST(messages_that_a_worker_missed_are_told_to_its_subscribers),
        QMS_TEST(who_comes_and_goes_in_another_worker_has_whole_messages),
        QMS_TEST(a_member_of_another_worker_is_followed_by_one_here),
        QMS_TEST(a_member_here_is_followed_by_one_of_another_worker),
        QMS_TEST(a_lost_worker_takes_its_members_and_not_the_streams),
        QMS_TEST(a_worker_that_comes_later_is_told_all),
        QMS_TEST(datagrams_cross_workers_once),
    };
    return cmocka_run_group_tests_name("broker_rooms", tests, NULL, NULL);
}
