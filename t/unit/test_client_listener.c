/* SPDX-License-Identifier: MIT */
/* A listener of the library: letting in, streams, stopping, and handles released in callbacks.
 */
#include "client_listener_world.h"
#include <netinet/in.h>

/* ---- letting in ---- */

static void agent_is_asked_about_and_let_in(void **state)
{
    struct world *w = world_new(NULL);
    uint8_t hash[32];

    (void)state;
    assert_true(join(w, "alice", "pass"));
    assert_string_equal(w->log, "ayY");
    assert_string_equal(w->peer_id, "alice");
    assert_string_equal(w->token, "pass");
    assert_string_equal(qms_connection_peer_id(w->taken), "alice");
    assert_int_equal(qms_connection_peer_token(w->taken).len, 0); /* not kept */
    assert_string_equal(qms_connection_id(w->c), "alice");
    assert_string_equal(qms_connection_id(w->taken), "direct");
    assert_string_equal(qms_connection_peer_id(w->c), "");
    assert_false(qms_connection_peer_certificate(w->taken, hash));
    assert_int_equal(stat(w, QMS_LISTENER_ACCEPTED), 1);
    assert_int_equal(stat(w, QMS_LISTENER_ACTIVE), 1);
    qms_connection_release(w->c);
    settle(w);
    assert_string_equal(w->log, "ayYc");
    assert_int_equal(stat(w, QMS_LISTENER_ACTIVE), 0);
    qms_connection_release(w->taken);
    world_free(w);
}

static void nameless_agent_gets_a_name(void **state)
{
    struct world *w = world_new(NULL);

    (void)state;
    assert_true(join(w, NULL, NULL));
    assert_memory_equal(w->peer_id, "agent-", 6);
    assert_string_equal(qms_connection_id(w->c), w->peer_id);
    world_free(w);
}

static void callback_refuses(void **state)
{
    struct world *w = world_new(NULL);

    (void)state;
    w->verdict = QMS_E_WIRE_FORBIDDEN;
    assert_true(join(w, "alice", NULL));
    assert_string_equal(w->log, "aFC");
    assert_int_equal(w->refused, QMS_E_WIRE_FORBIDDEN);
    assert_int_equal(stat(w, QMS_LISTENER_REFUSED), 1);
    assert_int_equal(stat(w, QMS_LISTENER_ACTIVE), 0);
    assert_true(qms_list_empty(&w->far->connections));
    world_free(w);
}

static void verdict_may_come_later(void **state)
{
    qms_err verdicts[] = {QMS_OK, QMS_E_CERTIFICATE};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct world *w = world_new(NULL);

        w->verdict = QMS_E_AGAIN;
        assert_true(join(w, "alice", NULL));
        assert_string_equal(w->log, "a");
        assert_int_equal(qms_connection_admit(w->asked, verdicts[i]), QMS_OK);
        settle(w);
        assert_string_equal(w->log, i == 0 ? "ayY" : "aFC");
        if (i > 0) {
            assert_int_equal(w->refused, QMS_E_WIRE_UNAUTHENTICATED);
        }
        assert_int_equal(qms_connection_admit(w->asked, QMS_OK), QMS_E_STATE);
        qms_connection_release(w->asked);
        settle(w);
        assert_true(qms_list_empty(&w->far->connections));
        world_free(w);
    }
}

static void undecided_connection_ends_by_its_deadline(void **state)
{
    struct world *w = world_new(NULL);

    (void)state;
    w->verdict = QMS_E_AGAIN;
    assert_true(join(w, "alice", NULL));
    fake_link_advance(w->pair, 11 * QMS_SECOND);
    settle(w);
    assert_true(qms_connection_is_closed(w->asked));
    assert_int_equal(qms_connection_admit(w->asked, QMS_OK), QMS_E_CLOSED);
    qms_connection_release(w->asked);
    world_free(w);
}

static void tokens_let_in_and_keep_out(void **state)
{
    static const struct {
        const char *id, *token;
        bool in;
    } cases[] = {{"alice", "one", true},
                 {"bob", "two", true},
                 {"alice", "two", false},
                 {"bob", "three", false},
                 {"bob", NULL, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct qms_options *o = qms_options_new();
        struct world *w;

        assert_int_equal(qms_options_add_accepted_token(o, NULL, "one"), QMS_OK);
        assert_int_equal(qms_options_add_accepted_token(o, "bob", "two"), QMS_OK);
        w = world_new(o);
        qms_options_free(o);
        assert_true(join(w, cases[i].id, cases[i].token));
        assert_string_equal(w->log, cases[i].in ? "ayY" : "FC");
        if (!cases[i].in) {
            assert_int_equal(w->refused, QMS_E_WIRE_UNAUTHENTICATED);
        }
        world_free(w);
    }
}

static void limits_refuse_with_their_own_codes(void **state)
{
    struct qms_options *o = qms_options_new();
    struct world *w;

    (void)state;
    assert_int_equal(qms_options_set_accept_rate_per_address(o, 1, 2), QMS_OK);
    w = world_new(o);
    (void)qms_gate_take(w->l->gate, NULL, 0); /* another address */
    for (int i = 0; i < 3; i++) {
        struct fake_pair *first = w->pair;

        if (i > 0) {
            w->pair = fake_pair_new(NULL);
            fake_link_set_remote(w->pair, 1, 0x0a000001, 1234);
        }
        w->log[0] = '\0';
        assert_true(join(w, "alice", NULL));
        assert_string_equal(w->log, i < 2 ? "ayY" : "FC");
        qms_connection_release(w->c);
        settle(w);
        if (i < 2) {
            qms_connection_release(w->taken);
        }
        settle(w);
        fake_pair_free(first == w->pair ? NULL : first);
    }
    assert_int_equal(w->refused, QMS_E_WIRE_RATE_LIMITED);
    assert_int_equal(w->wait_ms, 1000);
    assert_int_equal(stat(w, QMS_LISTENER_RATE_LIMITED), 1);
    world_free(w);

    assert_int_equal(qms_options_set_accept_rate_per_address(o, 0, 0), QMS_OK);
    assert_int_equal(qms_options_set_max_connections(o, 1), QMS_OK);
    w = world_new(o);
    w->l->active++;
    assert_true(join(w, "alice", NULL));
    assert_string_equal(w->log, "FC");
    assert_int_equal(w->refused, QMS_E_WIRE_BUSY);
    w->l->active--;
    world_free(w);
    qms_options_free(o);
}

static void gate_counts_addresses_and_all(void **state)
{
    struct qms_gate *g = qms_gate_new((struct qms_gate_rate){10, 3}, (struct qms_gate_rate){0});
    qms_time now = 100 * QMS_SECOND;

    (void)state;
    assert_int_equal(qms_gate_take(g, NULL, now), 0);
    assert_int_equal(qms_gate_take(g, NULL, now), 0);
    assert_int_equal(qms_gate_take(g, NULL, now), 0);
    assert_int_equal(qms_gate_take(g, NULL, now), QMS_SECOND / 10);
    assert_true(qms_gate_open(g, NULL, now));
    assert_int_not_equal(qms_gate_take(g, NULL, now), 0);
    assert_int_not_equal(qms_gate_take(g, NULL, now), 0);
    assert_false(qms_gate_open(g, NULL, now)); /* a burst in debt */
    now += 6 * QMS_SECOND / 10;
    assert_true(qms_gate_open(g, NULL, now));
    assert_int_equal(qms_gate_take(g, NULL, now), 0);
    qms_gate_free(g);
}

static struct sockaddr_in6 address6(uint8_t network, uint8_t host)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6};

    a.sin6_addr.s6_addr[0] = 0x20;
    a.sin6_addr.s6_addr[7] = network;
    a.sin6_addr.s6_addr[15] = host;
    return a;
}

static void gate_takes_a_network_of_the_new_internet_for_one_address(void **state)
{
    struct qms_gate *g = qms_gate_new((struct qms_gate_rate){0}, (struct qms_gate_rate){1, 2});
    struct sockaddr_in6 one = address6(1, 1), near = address6(1, 2), far = address6(2, 1);
    struct sockaddr_in old = {.sin_family = AF_INET};
    qms_time now = 100 * QMS_SECOND;

    (void)state;
    assert_int_equal(qms_gate_take(g, (struct sockaddr *)&one, now), 0);
    assert_int_equal(qms_gate_take(g, (struct sockaddr *)&near, now), 0);
    assert_int_not_equal(qms_gate_take(g, (struct sockaddr *)&one, now), 0);
    assert_int_equal(qms_gate_take(g, (struct sockaddr *)&far, now), 0);
    assert_int_equal(qms_gate_take(g, (struct sockaddr *)&old, now), 0);
    qms_gate_free(g);
}

static void gate_without_memory_lets_nobody_through_unseen(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 3; n++) {
        struct qms_gate *g =
            qms_gate_new((struct qms_gate_rate){0}, (struct qms_gate_rate){1, 2});
        qms_time now = 100 * QMS_SECOND, wait;

        qms_mem_fail_after(n);
        wait = qms_gate_take(g, NULL, now);
        qms_mem_fail_after(UINT64_MAX);
        assert_true(wait > 0 ||
                    (qms_gate_take(g, NULL, now) == 0 && qms_gate_take(g, NULL, now) > 0));
        qms_gate_free(g);
    }
}

struct answers {
    unsigned count;
    bool other; /* than UNSUPPORTED */
};

static void note_answer(struct qms_connection *c, void *arg, qms_err err)
{
    struct answers *a = arg;

    (void)c;
    a->count++;
    a->other |= err != QMS_E_WIRE_UNSUPPORTED;
}

static void questions_for_a_broker_are_answered_unsupported(void **state)
{
    struct world *w = world_new(NULL);
    struct qms_control ask = {.type = QMS_MSG_STATS_REQUEST};
    struct answers a = {0}, b = {0};
    uint64_t watch;

    (void)state;
    assert_true(join(w, "alice", NULL));
    assert_int_equal(qms_connection_join(w->c, QMS_KIND_GROUP, "g", NULL, note_answer, &a),
                     QMS_OK);
    assert_int_equal(qms_connection_watch(w->c, "", note_answer, &b, &watch), QMS_OK);
    assert_int_equal(qms_connection_unwatch(w->c, watch, note_answer, &a), QMS_OK);
    assert_int_equal(qms_connection_join(w->c, QMS_KIND_TOPIC, "t", NULL, NULL, NULL), QMS_OK);
    assert_int_equal(qms_connection_leave(w->c, QMS_KIND_TOPIC, "t", note_answer, &a), QMS_OK);
    assert_int_equal(qms_session_send(w->c->session, &ask), QMS_OK);
    settle(w);
    assert_int_equal(a.count, 3);
    assert_false(a.other);
    assert_int_equal(b.count, 1);
    assert_true(b.other); /* ended by this side before it was answered: CANCELLED */
    assert_true(qms_connection_is_ready(w->c));
    assert_int_equal(qms_connection_join(w->c, QMS_KIND_GROUP, "g", NULL, NULL, NULL), QMS_OK);
    world_free(w);
}

/* ---- streams, messages, datagrams ---- */

static void figures_of_a_listener_add_up(void **state)
{
    struct world *w = world_new(NULL);
    uint64_t v[QMS_LISTENER_STAT_COUNT + 1];

    (void)state;
    assert_true(join(w, "alice", NULL));
    qms_listener_stats(w->l, v, QMS_LISTENER_STAT_COUNT + 1);
    assert_int_equal(v[QMS_LISTENER_ACCEPTED], 1);
    assert_int_equal(v[QMS_LISTENER_ACTIVE], 1);
    assert_int_equal(v[QMS_LISTENER_STAT_COUNT], 0);
    qms_connection_close(w->c, 0, NULL);
    settle(w);
    qms_listener_stats(w->l, v, QMS_LISTENER_STAT_COUNT);
    assert_int_equal(v[QMS_LISTENER_ACCEPTED], 1);
    assert_int_equal(v[QMS_LISTENER_ACTIVE], 0);
    assert_string_equal(qms_listener_stat_name(QMS_LISTENER_ACTIVE), "connections_active");
    assert_null(qms_listener_stat_name(QMS_LISTENER_STAT_COUNT));
    assert_ptr_equal(qms_listener_client(w->l), w->far);
    world_free(w);
}

static void streams_are_asked_about(void **state)
{
    struct world *w = world_new(NULL);
    struct qms_stream *st;

    (void)state;
    assert_true(join(w, "alice", NULL));
    w->log[0] = '\0';
    st = open_stream(w->c, QMS_KIND_SELF, NULL, "key");
    write_text(st, "hello");
    settle(w);
    assert_string_equal(w->log, "sS");
    assert_string_equal(w->stream_token, "key");
    assert_string_equal(w->peeked, "hello");
    assert_string_equal(w->source, "alice");
    assert_string_equal(w->bytes, "hello");
    qms_stream_release(st);
    w->stream_verdict = QMS_E_WIRE_FORBIDDEN;
    st = open_stream(w->c, QMS_KIND_SELF, NULL, "wrong");
    settle(w);
    assert_string_equal(w->log, "sSs");
    assert_int_equal(qms_stream_finish(st), QMS_E_WIRE_FORBIDDEN);
    assert_int_equal(stat(w, QMS_LISTENER_STREAMS_REFUSED), 1);
    qms_stream_release(st);
    qms_stream_release(w->got);
    world_free(w);
}

static void stream_verdict_may_wait_for_bytes(void **state)
{
    struct world *w = world_new(NULL);
    struct qms_stream *st;

    (void)state;
    assert_true(join(w, "alice", NULL));
    w->log[0] = '\0';
    w->stream_verdict = QMS_E_AGAIN;
    st = open_stream(w->c, QMS_KIND_SELF, NULL, "");
    write_text(st, "ab");
    settle(w);
    assert_null(strchr(w->log, 'S'));
    write_text(st, "cd");
    settle(w);
    assert_non_null(strchr(w->log, 'S'));
    assert_string_equal(w->bytes, "abcd");
    qms_stream_release(st);
    st = open_stream(w->c, QMS_KIND_SELF, NULL, "");
    write_text(st, "ab");
    assert_int_equal(qms_stream_finish(st), QMS_OK); /* it will never be enough */
    settle(w);
    assert_int_equal(stat(w, QMS_LISTENER_STREAMS_REFUSED), 1);
    qms_stream_release(st);
    st = open_stream(w->c, QMS_KIND_SELF, NULL, "");
    write_text(st, "a");
    settle(w);
    qms_stream_reset(st, 0x81); /* gives up before anything was decided */
    qms_stream_release(st);
    qms_stream_release(w->got);
    w->got = NULL;
    settle(w);
    assert_int_equal(w->taken->stream_count, 0);
    world_free(w);
}

static void names_of_others_are_not_found(void **state)
{
    struct qms_options *o = qms_options_new();
    struct world *w;
    struct qms_stream *st;

    (void)state;
    assert_int_equal(qms_options_set_agent_id(o, "server"), QMS_OK);
    w = world_new(o);
    qms_options_free(o);
    assert_true(join(w, "alice", NULL));
    w->log[0] = '\0';
    st = open_stream(w->c, QMS_KIND_AGENT, "other", "");
    settle(w);
    assert_string_equal(w->log, "");
    assert_int_equal(qms_stream_finish(st), QMS_E_WIRE_NOT_FOUND);
    qms_stream_release(st);
    st = open_stream(w->c, QMS_KIND_AGENT, "server", "");
    settle(w);
    assert_string_equal(w->log, "sS");
    qms_stream_release(st);
    qms_stream_release(w->got);
    world_free(w);
}

static void streams_messages_and_datagrams_go_both_ways(void **state)
{
    struct world *w = world_new(NULL);
    struct qms_stream *st;

    (void)state;
    assert_true(join(w, "alice", NULL));
    w->log[0] = '\0';
    st = open_stream(w->taken, QMS_KIND_SELF, NULL, "");
    write_text(st, "back");
    settle(w);
    assert_string_equal(w->log, "S");
    assert_string_equal(w->source, "direct");
    assert_string_equal(w->bytes, "back");
    qms_stream_release(st);
    assert_int_equal(
        qms_message_send(w->c, QMS_KIND_SELF, NULL, 1, NULL, text("note"), NULL, NULL), QMS_OK);
    settle(w);
    assert_string_equal(w->bytes, "note");
    assert_string_equal(w->source, "alice");
    assert_int_equal(qms_datagram_send(w->c, QMS_KIND_AGENT, "x", 1, text("ping")), QMS_OK);
    settle(w);
    assert_string_equal(w->bytes, "ping");
    assert_string_equal(w->source, "alice");
    assert_int_equal(qms_datagram_send(w->taken, QMS_KIND_AGENT, "alice", 1, text("pong")),
                     QMS_OK);
    settle(w);
    assert_string_equal(w->bytes, "pong");
    assert_string_equal(w->source, "direct");
    assert_true(qms_datagram_max(w->taken, "alice") > 1000);
    assert_int_equal(qms_connection_refresh_token(w->c, "new"), QMS_OK);
    settle(w); /* UNSUPPORTED, and nothing breaks */
    assert_true(qms_connection_is_ready(w->c));
    qms_stream_release(w->got);
    world_free(w);
}

/* ---- stop ---- */

static void graceful_stop_waits_for_what_lives(void **state)
{
    struct world *w = world_new(NULL);
    struct qms_stream *st, *late;

    (void)state;
    assert_true(join(w, "alice", NULL));
    st = open_stream(w->c, QMS_KIND_SELF, NULL, "");
    settle(w);
    w->log[0] = '\0';
    qms_listener_stop(w->l, 2 * QMS_SECOND);
    settle(w);
    assert_string_equal(w->log, "G");
    assert_int_equal(w->wait_ms, 2000);
    write_text(st, "goes on");
    late = open_stream(w->c, QMS_KIND_SELF, NULL, "");
    settle(w);
    assert_string_equal(w->bytes, "goes on");
    assert_int_equal(qms_stream_finish(late), QMS_E_WIRE_GOING_AWAY);
    qms_stream_release(late);
    fake_link_advance(w->pair, 2 * QMS_SECOND);
    settle(w);
    assert_non_null(strchr(w->log, 'x'));
    assert_int_equal(w->closed, QMS_E_WIRE_GOING_AWAY);
    qms_stream_release(st);
    qms_stream_release(w->got);
    qms_listener_release(w->l);
    settle(w);
    assert_true(qms_list_empty(&w->far->listeners));
    world_free(w);
}

static void stop_without_connections_is_done_at_once(void **state)
{
    struct world *w = world_new(NULL);

    (void)state;
    qms_link_abandon(fake_pair_link(w->pair, 0));
    qms_link_abandon(fake_pair_link(w->pair, 1));
    qms_listener_stop(w->l, QMS_NEVER);
    settle(w);
    assert_string_equal(w->log, "x");
    world_free(w);
}

/* ---- released in callbacks, and no memory ---- */

static void release_listener(struct world *w)
{
    qms_listener_release(w->l);
    w->l = NULL;
}

static void release_taken(struct world *w)
{
    qms_connection_release(w->taken);
    w->taken = NULL;
}

static void release_everything(struct world *w)
{
    qms_stream_release(w->got);
    w->got = NULL;
    release_taken(w);
    release_listener(w);
}

static void stop_now(struct world *w)
{
    if (w->l != NULL) {
        qms_listener_stop(w->l, 0);
    }
}

static void callbacks_may_release(void **state)
{
    void (*acts[])(struct world *) = {release_listener, release_taken, release_everything,
                                      stop_now};
    const char *when = "aysSmdxc";

    (void)state;
    for (size_t i = 0; i < 4 * strlen(when); i++) {
        struct world *w = world_new(NULL);
        struct qms_stream *st = NULL;

        w->act = acts[i % 4];
        w->act_on = when[i / 4];
        assert_true(join(w, "alice", "x"));
        if (qms_stream_open(w->c, QMS_KIND_SELF, NULL, 0, 1, NULL, NULL, NULL, &st) != QMS_OK) {
            st = NULL;
        }
        (void)!qms_message_send(w->c, QMS_KIND_SELF, NULL, 1, NULL, text("m"), NULL, NULL);
        (void)!qms_datagram_send(w->c, QMS_KIND_AGENT, "x", 1, text("d"));
        settle(w);
        stop_now(w);
        settle(w);
        qms_stream_release(st);
        qms_connection_release(w->c);
        settle(w);
        assert_non_null(strchr(w->log, 'a'));
        world_free(w);
    }
}

static bool converse_without(uint64_t n)
{
    struct world *w = world_new(NULL);
    bool ok;

    qms_mem_fail_after(n);
    ok = join(w, "alice", "x");
    if (ok && qms_connection_is_ready(w->c)) {
        struct qms_stream *st = NULL;

        ok = qms_stream_open(w->c, QMS_KIND_SELF, NULL, 0, 1, NULL, NULL, NULL, &st) == QMS_OK;
        settle(w);
        qms_stream_release(st);
        settle(w);
    }
    if (w->l != NULL) {
        qms_listener_stop(w->l, QMS_SECOND);
    }
    settle(w);
    qms_mem_fail_after(UINT64_MAX);
    world_free(w);
    return ok;
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 120; n++) {
        (void)converse_without(n);
    }
    assert_true(converse_without(UINT64_MAX));
    for (uint64_t n = 0;; n++) {
        struct qms_options *o = qms_options_new();
        struct qms_client *client = NULL;
        struct qms_listener *l = NULL;
        qms_err err;

        assert_int_equal(qms_client_new_bare(&client), QMS_OK);
        qms_mem_fail_after(n);
        err = qms_options_add_accepted_token(o, "bob", "token");
        if (err == QMS_OK) {
            err = qms_listener_new(client, o, &listener_callbacks, NULL, &l);
        }
        qms_mem_fail_after(UINT64_MAX);
        qms_options_free(o);
        qms_client_free(client);
        if (err == QMS_OK) {
            break;
        }
        assert_int_equal(err, QMS_E_NOMEM);
        assert_true(n < 30);
    }
}

static void wrong_options_are_refused(void **state)
{
    struct qms_options *o = qms_options_new();
    struct qms_client *client = NULL;
    struct qms_listener *l = NULL;
    struct qms_listener_callbacks none = {.size = sizeof(none)};

    (void)state;
    assert_int_equal(qms_client_new_bare(&client), QMS_OK);
    assert_int_equal(qms_listener_new(client, o, &none, NULL, &l), QMS_E_INVALID);
    assert_int_equal(qms_listener_new(client, o, NULL, NULL, &l), QMS_E_INVALID);
    assert_int_equal(qms_options_set_max_connections(o, 0), QMS_E_INVALID);
    assert_int_equal(qms_options_set_accept_rate(o, 5, 0), QMS_E_INVALID);
    assert_int_equal(qms_options_add_accepted_token(o, "two words", "x"), QMS_E_INVALID);
    assert_int_equal(qms_options_add_accepted_token(o, NULL, ""), QMS_E_INVALID);
    for (int i = 0; i < 1024; i++) {
        assert_int_equal(qms_options_add_accepted_token(o, NULL, "x"), QMS_OK);
    }
    assert_int_equal(qms_options_add_accepted_token(o, NULL, "x"), QMS_E_LIMIT);
    qms_options_free(o);
    qms_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agent_is_asked_about_and_let_in),
        cmocka_unit_test(nameless_agent_gets_a_name),
        cmocka_unit_test(callback_refuses),
        cmocka_unit_test(verdict_may_come_later),
        cmocka_unit_test(undecided_connection_ends_by_its_deadline),
        cmocka_unit_test(tokens_let_in_and_keep_out),
        cmocka_unit_test(limits_refuse_with_their_own_codes),
        cmocka_unit_test(gate_counts_addresses_and_all),
        cmocka_unit_test(gate_takes_a_network_of_the_new_internet_for_one_address),
        cmocka_unit_test(gate_without_memory_lets_nobody_through_unseen),
        cmocka_unit_test(questions_for_a_broker_are_answered_unsupported),
        cmocka_unit_test(figures_of_a_listener_add_up),
        cmocka_unit_test(streams_are_asked_about),
        cmocka_unit_test(stream_verdict_may_wait_for_bytes),
        cmocka_unit_test(names_of_others_are_not_found),
        cmocka_unit_test(streams_messages_and_datagrams_go_both_ways),
        cmocka_unit_test(graceful_stop_waits_for_what_lives),
        cmocka_unit_test(stop_without_connections_is_done_at_once),
        cmocka_unit_test(callbacks_may_release),
        cmocka_unit_test(memory_may_run_out_anywhere),
        cmocka_unit_test(wrong_options_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
