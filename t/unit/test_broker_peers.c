/* SPDX-License-Identifier: MIT */
/* Who may connect, under which id, for how long. */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "qms_test.h"
#include "test_broker_fixture.h"

static int start(void **state, const char *quic, const char *server)
{
    struct broker_fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    fixture_start(f, quic, server);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return start(state, NULL, NULL);
}

static int setup_auth(void **state)
{
    return start(state, NULL, "auth any key;");
}

static int setup_refuse(void **state)
{
    return start(state, "duplicate_agent refuse;", "auth any key;");
}

static int setup_format(void **state)
{
    return start(state, "agent_id_format \"[a-z]+(\\.[a-z]+)?|(x+)+\";", "auth any key;");
}

static int teardown(void **state)
{
    struct broker_fixture *f = *state;

    fixture_stop(f);
    free(f);
    return 0;
}

static uint64_t failures(const struct broker_fixture *f, const char *label)
{
    return qms_stats_label_get(qms_broker_stats(f->broker), QMS_F_AUTH_FAILED, label);
}

static void good_credential_is_welcomed(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", "good");

    assert_true(a->welcomed);
    assert_string_equal(a->id, "alice");
    assert_int_equal(counted(f, QMS_S_AGENTS), 1);
    assert_int_equal(counted(f, QMS_S_CONNECTIONS_OTHER), 1);
    assert_int_equal(probe.peers, 1);
    agent_die(a);
    settle(f);
    assert_int_equal(counted(f, QMS_S_AGENTS), 0);
    assert_int_equal(counted(f, QMS_S_CONNECTIONS_OTHER), 0);
    assert_int_equal(counted(f, QMS_S_CONNECTIONS_TOTAL_OTHER), 1);
}

static void failures_answer_alike_and_are_counted_apart(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *wrong = agent_connect(f, "alice", "evil");
    struct agent *none = agent_connect(f, "alice", NULL);

    assert_false(wrong->welcomed);
    assert_int_equal(wrong->refused, QMS_CODE_UNAUTHENTICATED);
    assert_int_equal(none->refused, QMS_CODE_UNAUTHENTICATED);
    assert_string_equal(wrong->close_reason, none->close_reason);
    advance(f, 5 * QMS_SECOND);
    assert_int_equal(wrong->close_code, QMS_CODE_UNAUTHENTICATED);
    assert_int_equal(none->close_code, QMS_CODE_UNAUTHENTICATED);
    assert_int_equal(failures(f, "bad_key"), 1);
    assert_int_equal(failures(f, "no_credential"), 1);
    assert_int_equal(probe.peers, 0);
    assert_int_equal(qms_broker_peer_count(f->broker), 0);
}

static void without_authentication_the_claimed_id_counts(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", NULL);
    struct agent *b = agent_connect(f, "", NULL);

    assert_string_equal(a->id, "alice");
    assert_true(b->welcomed);
    assert_int_equal(strlen(b->id), strlen("anon-XXXXXXXX"));
    assert_memory_equal(b->id, "anon-", 5);
    struct stream *o = agent_open(a, QMS_KIND_AGENT, b->id, true, 0);
    settle(f);
    assert_int_equal(o->result, QMS_CODE_OK);
}

static void modules_free_the_memory_of_refused_peers_too(void **state)
{
    struct broker_fixture *f = *state;

    assert_int_equal(agent_connect(f, "a", "bad")->refused, QMS_CODE_UNAUTHENTICATED);
    advance(f, 30 * QMS_SECOND);
    assert_int_equal(probe.frees, 1);
    assert_int_equal(probe.gones, 0);
    struct agent *b = agent_connect(f, "b", "good");
    assert_int_equal(probe.frees, 1);
    agent_die(b);
    settle(f);
    assert_int_equal(probe.frees, 2);
    assert_int_equal(probe.gones, 1);
}

static void the_id_comes_from_the_credential(void **state)
{
    struct broker_fixture *f = *state;

    probe.names = "named";
    assert_string_equal(agent_connect(f, "", "good")->id, "named");
    assert_int_equal(agent_connect(f, "other", "good")->refused, QMS_CODE_UNAUTHENTICATED);
    assert_int_equal(failures(f, "wrong_agent"), 1);
}

static void a_second_connection_replaces_the_first(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *old = agent_connect(f, "alice", NULL);
    struct agent *bob = agent_connect(f, "bob", NULL);
    struct stream *o = agent_open(bob, QMS_KIND_AGENT, "alice", true, 0);

    settle(f);
    struct agent *new = agent_connect(f, "alice", NULL);
    assert_true(new->welcomed);
    assert_true(old->closed);
    assert_int_equal(old->close_code, QMS_CODE_REPLACED);
    assert_int_equal(o->reset, QMS_CODE_PEER_GONE);

    /* The end of the old one does not take the id from the new one. */
    o = agent_open(bob, QMS_KIND_AGENT, "alice", true, 0);
    settle(f);
    assert_int_equal(o->result, QMS_CODE_OK);
    assert_non_null(agent_incoming(new, 0));
}

static void ids_have_the_format_that_is_asked_for(void **state)
{
    struct broker_fixture *f = *state;

    assert_true(agent_connect(f, "alice.lab", "good")->welcomed);
    assert_int_equal(agent_connect(f, "Alice", "good")->refused, QMS_CODE_FORBIDDEN);
    assert_int_equal(agent_connect(f, "alice.lab.", "good")->refused, QMS_CODE_FORBIDDEN);
    /* The expression gives up on this one. */
    assert_int_equal(
        agent_connect(f, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-", "good")->refused,
        QMS_CODE_FORBIDDEN);
    assert_int_equal(failures(f, "id_format"), 3);
    /* A bad credential comes first, and what the broker gives needs no format. */
    assert_int_equal(agent_connect(f, "Alice", "evil")->refused, QMS_CODE_UNAUTHENTICATED);
    assert_true(agent_connect(f, "", "good")->welcomed);
}

static void a_second_connection_is_refused_by_policy(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *old = agent_connect(f, "alice", "good");
    struct agent *new = agent_connect(f, "alice", "good");

    assert_true(old->welcomed);
    assert_int_equal(new->refused, QMS_CODE_REJECTED);
    assert_string_equal(new->close_reason, "agent id is connected already");
    /* Whoever cannot prove who he is does not learn that. */
    assert_int_equal(agent_connect(f, "alice", "evil")->refused, QMS_CODE_UNAUTHENTICATED);
    agent_die(old);
    settle(f);
    assert_true(agent_connect(f, "alice", "good")->welcomed);
}

static void an_expired_grant_ends_the_connection(void **state)
{
    struct broker_fixture *f = *state;

    probe.expires_at = qms_clock_wall() + 100;
    struct agent *a = agent_connect(f, "alice", "good");
    assert_true(a->welcomed);
    advance(f, 90 * QMS_SECOND);
    assert_false(a->closed);
    advance(f, 11 * QMS_SECOND);
    assert_true(a->closed);
    assert_int_equal(a->close_code, QMS_CODE_EXPIRED);
}

static struct qms_control auth_message(uint64_t req, const char *token)
{
    struct qms_control m = {.type = QMS_MSG_AUTH};

    m.u.auth.req = req;
    m.u.auth.scheme = QMS_AUTH_TOKEN;
    m.u.auth.token = qms_str(token, strlen(token));
    return m;
}

static void auth_on_a_living_connection_prolongs_it(void **state)
{
    struct broker_fixture *f = *state;
    struct qms_control m = auth_message(3, "good");

    probe.expires_at = qms_clock_wall() + 100;
    struct agent *a = agent_connect(f, "alice", "good");
    probe.expires_at = qms_clock_wall() + 10000;
    assert_int_equal(qms_session_send(a->s, &m), QMS_OK);
    settle(f);
    assert_int_equal(a->replies[3], QMS_CODE_OK + 1);
    advance(f, 200 * QMS_SECOND);
    assert_false(a->closed);
}

static void bad_auth_is_answered_and_then_ends_the_connection(void **state)
{
    struct broker_fixture *f = *state;
    struct qms_control m = auth_message(2, "evil");
    struct agent *a = agent_connect(f, "alice", "good");

    for (int i = 0; i < 7; i++) {
        assert_int_equal(qms_session_send(a->s, &m), QMS_OK);
    }
    settle(f);
    assert_int_equal(a->replies[2], QMS_CODE_UNAUTHENTICATED + 1);
    assert_false(a->closed);
    assert_int_equal(qms_session_send(a->s, &m), QMS_OK);
    settle(f);
    assert_true(a->closed);
    assert_int_equal(a->close_code, QMS_CODE_UNAUTHENTICATED);
    assert_int_equal(failures(f, "bad_key"), 8);
}

static void reload(struct broker_fixture *f, const char *quic, const char *server)
{
    struct qms_conf *conf = fixture_conf(quic, server);

    assert_non_null(conf);
    qms_broker_reload(f->broker, conf, fixture_now(f));
    qms_conf_unref(f->conf);
    f->conf = conf;
    settle(f);
}

static void reload_asks_living_peers_again(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", "good");

    reload(f, NULL, "auth any key;");
    assert_false(a->closed);
    probe.expires_at = qms_clock_wall() + 50;
    reload(f, NULL, "auth any key;");
    advance(f, 60 * QMS_SECOND);
    assert_int_equal(a->close_code, QMS_CODE_EXPIRED);

    probe.expires_at = 0;
    a = agent_connect(f, "alice", "good");
    probe.reject_reload = true;
    reload(f, NULL, "auth any key;");
    assert_int_equal(a->close_code, QMS_CODE_UNAUTHENTICATED);
    assert_string_equal(a->close_reason, "withdrawn");
    assert_int_equal(failures(f, "withdrawn"), 1);
}

static void reload_that_asks_for_proof_ends_those_without(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", NULL);
    struct stream *o = agent_open(a, QMS_KIND_SERVICE, "echo", true, 0);

    settle(f);
    reload(f, NULL, "auth off;");
    assert_false(a->closed);
    assert_false(o->closed);
    reload(f, NULL, "auth any key;");
    assert_int_equal(a->close_code, QMS_CODE_UNAUTHENTICATED);
}

static void drain_tells_agents_and_lets_routes_end(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", NULL), *b = agent_connect(f, "bob", NULL);
    struct stream *o = agent_open(a, QMS_KIND_AGENT, "bob", true, 0);

    settle(f);
    qms_broker_drain(f->broker, 30 * QMS_SECOND, fixture_now(f));
    settle(f);
    assert_int_equal(a->goaways, 1);
    assert_int_equal(b->goaways, 1);
    struct stream *late = agent_open(a, QMS_KIND_AGENT, "bob", true, 0);
    stream_pour(o, 100000);
    qms_session_finish(o->st);
    settle(f);
    assert_int_equal(late->result, QMS_CODE_GOING_AWAY);
    assert_int_equal(agent_incoming(b, 0)->received, 100000);
    assert_int_equal(agent_connect(f, "carol", NULL)->refused, QMS_CODE_GOING_AWAY);
}

static void close_all_closes_with_the_code(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", NULL);

    qms_broker_close_all(f->broker, QMS_CODE_GOING_AWAY, "stopping");
    settle(f);
    assert_int_equal(a->close_code, QMS_CODE_GOING_AWAY);
    assert_string_equal(a->close_reason, "stopping");
    assert_int_equal(qms_broker_peer_count(f->broker), 0);
}

static void hello_must_come_in_time(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *silent = agent_connect(f, NULL, NULL);
    struct agent *a = agent_connect(f, "alice", NULL);

    advance(f, 4999 * QMS_MILLISECOND);
    assert_false(silent->closed);
    advance(f, QMS_MILLISECOND);
    assert_int_equal(silent->close_code, QMS_CODE_TIMEOUT);
    assert_false(a->closed);
}

static void a_header_must_come_in_time(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", NULL);
    struct qms_link *link = fake_pair_link(a->pair, 0);
    struct qms_link_stream *ls;

    advance(f, 10 * QMS_SECOND + 300 * QMS_MILLISECOND);
    size_t before = fake_link_streams(a->pair, 1);
    struct qms_blob *type = qms_blob_copy((struct qms_bytes){(const uint8_t *)"\2", 1});
    assert_int_equal(link->ops->open(link, true, 0, &ls), QMS_OK);
    assert_int_equal(link->ops->write(ls, type, 0, 1), QMS_OK);
    qms_blob_unref(type);
    settle(f);
    assert_int_equal(fake_link_streams(a->pair, 1), before + 1);
    advance(f, 4999 * QMS_MILLISECOND);
    assert_int_equal(counted(f, QMS_S_MALFORMED), 0);
    advance(f, QMS_MILLISECOND);
    assert_int_equal(counted(f, QMS_S_MALFORMED), 1);
    assert_false(a->closed);
}

static void stats_come_once_or_by_interval(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", NULL);
    struct qms_control m = {.type = QMS_MSG_STATS_REQUEST, .u.stats_request = {5, 0}};

    assert_int_equal(qms_session_send(a->s, &m), QMS_OK);
    settle(f);
    advance(f, 5 * QMS_SECOND);
    assert_int_equal(a->stats, 1);
    assert_true(a->last_stats[QMS_STAT_STREAMS_OPEN] >= 1);

    m.u.stats_request.interval_ms = 1000;
    assert_int_equal(qms_session_send(a->s, &m), QMS_OK);
    settle(f);
    for (int i = 0; i < 5; i++) {
        advance(f, QMS_SECOND);
    }
    assert_int_equal(a->stats, 1 + 1 + 5);
    m.u.stats_request.interval_ms = 0;
    assert_int_equal(qms_session_send(a->s, &m), QMS_OK);
    settle(f);
    advance(f, 5 * QMS_SECOND);
    assert_int_equal(a->stats, 1 + 1 + 5 + 1);
}

static void refused_addresses_are_balanced_in_every_module(void **state)
{
    struct broker_fixture *f = *state;
    struct sockaddr_in sin = {.sin_family = AF_INET};
    const struct sockaddr *sa = (const struct sockaddr *)&sin;
    const struct qms_server_conf *server = &f->conf->servers[0];

    assert_true(qms_broker_admit(f->broker, server, sa, fixture_now(f)));
    qms_broker_leave(f->broker, server, sa, fixture_now(f));
    assert_int_equal(probe.connects, 1);
    assert_int_equal(probe.disconnects, 1);
    probe.reject_connect = true; /* by the second module, after the first passed */
    assert_false(qms_broker_admit(f->broker, server, sa, fixture_now(f)));
    assert_int_equal(probe.connects, 2);
    assert_int_equal(probe.disconnects, 2);
    assert_int_equal(
        qms_stats_label_get(qms_broker_stats(f->broker), QMS_F_CONNECT_REFUSED, "probe"), 1);
}

static json_t *list(struct broker_fixture *f, enum qms_rows_kind kind, uint32_t max,
                    const char *agent)
{
    const struct qms_rows_query query = {
        .kind = kind, .max = max, .agent = qms_str(agent, strlen(agent))};

    return qms_broker_rows_json(f->broker, &query, fixture_now(f));
}

static size_t count(const json_t *told, uint64_t total)
{
    assert_int_equal(json_integer_value(json_object_get(told, "total")), total);
    return json_array_size(json_object_get(told, "rows"));
}

static void lists_are_bounded_and_can_be_of_one_agent(void **state)
{
    struct broker_fixture *f = *state;
    struct agent *a = agent_connect(f, "alice", NULL);

    agent_connect(f, "bob", NULL);
    agent_open(a, QMS_KIND_AGENT, "bob", true, 77);
    agent_open(a, QMS_KIND_SERVICE, "echo", true, 1);
    settle(f);
    json_t *rows = list(f, QMS_ROWS_STREAMS, 10, "");
    assert_int_equal(count(rows, 2), 2);
    json_decref(rows);
    rows = list(f, QMS_ROWS_STREAMS, 1, "alice");
    assert_int_equal(count(rows, 2), 1);
    json_decref(rows);
    rows = list(f, QMS_ROWS_STREAMS, 10, "bob");
    assert_int_equal(count(rows, 1), 1);
    const json_t *one = json_array_get(json_object_get(rows, "rows"), 0);
    assert_string_equal(json_string_value(json_object_get(one, "agent")), "alice");
    assert_string_equal(json_string_value(json_object_get(one, "peer")), "bob");
    assert_string_equal(json_string_value(json_object_get(one, "kind")), "agent");
    assert_int_equal(json_integer_value(json_object_get(one, "priority")), 77);
    json_decref(rows);
    rows = list(f, QMS_ROWS_CONNECTIONS, 0, "");
    assert_int_equal(count(rows, 2), 0);
    json_decref(rows);
    rows = list(f, QMS_ROWS_CONNECTIONS, 10, "bob");
    one = json_array_get(json_object_get(rows, "rows"), 0);
    assert_string_equal(json_string_value(json_object_get(one, "state")), "welcomed");
    assert_int_equal(json_integer_value(json_object_get(one, "connection")), 2);
    json_decref(rows);
    rows = list(f, QMS_ROWS_AGENTS, 10, "carol");
    assert_int_equal(count(rows, 0), 0);
    json_decref(rows);
}

static void agents_are_listed_as_json(void **state)
{
    struct broker_fixture *f = *state;

    agent_connect(f, "alice", NULL);
    advance(f, 3 * QMS_SECOND);
    json_t *all = list(f, QMS_ROWS_AGENTS, 10, "");
    assert_int_equal(count(all, 1), 1);
    const json_t *one = json_array_get(json_object_get(all, "rows"), 0);
    assert_string_equal(json_string_value(json_object_get(one, "id")), "alice");
    assert_string_equal(json_string_value(json_object_get(one, "carrier")), "fake");
    assert_true(json_real_value(json_object_get(one, "connected_for")) >= 3);
    assert_non_null(strchr(json_string_value(json_object_get(one, "address")), ':'));
    json_decref(all);
}

struct found {
    double streams, connections;
    int build, latency_count, names;
    bool bad_order;
    char last[64], seen[128][64];
};

static void look(void *arg, const struct qms_metric *m)
{
    struct found *f = arg;

    assert_memory_equal(m->name, "quicms_", 7);
    assert_true(strlen(m->help) > 5);
    if (strcmp(m->name, f->last) != 0) {
        for (int i = 0; i < f->names; i++) {
            f->bad_order = f->bad_order || strcmp(f->seen[i], m->name) == 0;
        }
        assert_true(f->names < 128);
        strncpy(f->seen[f->names++], m->name, 63);
        strncpy(f->last, m->name, 63);
    }
    size_t len = strlen(m->name);
    bool total = len > 6 && strcmp(m->name + len - 6, "_total") == 0;
    assert_int_equal(total, m->type == QMS_METRIC_COUNTER);
    f->build += strcmp(m->name, "quicms_build_info") == 0;
    if (strcmp(m->name, "quicms_streams_total") == 0 &&
        strcmp(m->labels, "kind=\"service\",status=\"ok\"") == 0) {
        f->streams = m->value;
    }
    if (strcmp(m->name, "quicms_route_latency_seconds") == 0) {
        f->latency_count = (int)m->count;
        for (size_t i = 1; i < m->bucket_count; i++) {
            assert_true(m->counts[i] >= m->counts[i - 1]);
            assert_true(m->bounds[i] > m->bounds[i - 1]);
        }
    }
}

static void metrics_are_walked_name_by_name(void **state)
{
    struct broker_fixture *f = *state;
    struct found found = {0};
    struct agent *a = agent_connect(f, "alice", NULL);

    for (int i = 0; i < 3; i++) {
        struct stream *o = agent_open(a, QMS_KIND_SERVICE, "echo", true, 0);
        qms_session_finish(o->st);
        settle(f);
    }
    qms_metrics_walk(look, &found);
    assert_false(found.bad_order);
    assert_int_equal(found.build, 1);
    assert_int_equal((int)found.streams, 3);
    assert_int_equal(found.latency_count, 3);
}

#define WITH(test, start) cmocka_unit_test_setup_teardown(test, start, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(good_credential_is_welcomed, setup_auth),
        WITH(failures_answer_alike_and_are_counted_apart, setup_auth),
        QMS_TEST(without_authentication_the_claimed_id_counts),
        WITH(modules_free_the_memory_of_refused_peers_too, setup_auth),
        WITH(the_id_comes_from_the_credential, setup_auth),
        QMS_TEST(a_second_connection_replaces_the_first),
        WITH(ids_have_the_format_that_is_asked_for, setup_format),
        WITH(a_second_connection_is_refused_by_policy, setup_refuse),
        WITH(an_expired_grant_ends_the_connection, setup_auth),
        WITH(auth_on_a_living_connection_prolongs_it, setup_auth),
        WITH(bad_auth_is_answered_and_then_ends_the_connection, setup_auth),
        WITH(reload_asks_living_peers_again, setup_auth),
        QMS_TEST(reload_that_asks_for_proof_ends_those_without),
        QMS_TEST(drain_tells_agents_and_lets_routes_end),
        QMS_TEST(close_all_closes_with_the_code),
        QMS_TEST(hello_must_come_in_time),
        QMS_TEST(a_header_must_come_in_time),
        QMS_TEST(stats_come_once_or_by_interval),
        QMS_TEST(refused_addresses_are_balanced_in_every_module),
        QMS_TEST(lists_are_bounded_and_can_be_of_one_agent),
        QMS_TEST(agents_are_listed_as_json),
        QMS_TEST(metrics_are_walked_name_by_name),
    };
    return cmocka_run_group_tests_name("broker_peers", tests, NULL, NULL);
}
