/* SPDX-License-Identifier: MIT */
/* A listener that a broker dials: the test is the broker, by a session of its own. */
#include <quicms/listen.h>
#include <stdlib.h>
#include <string.h>

#include "client/listener.h"
#include "qms_test.h"
#include "session_duo.h"

/* Of a key whose hash is all 0x07, and of one that is all zeroes. */
#define PIN  "0707070707070707070707070707070707070707070707070707070707070707"
#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"

struct world {
    struct fake_pair *pair;
    struct duo_side broker;
    struct qms_client *client;
    struct qms_listener *l;
    struct qms_connection *asked, *taken;
    struct qms_stream *got; /* the newest of on_stream */
    char datagram[64], datagram_from[64];
    qms_err verdict;
    bool trusts;   /* in authenticate_connection */
    qms_err trust; /* what the library said to that */
};

static struct qms_bytes text(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}

static void copy(char out[64], struct qms_bytes b)
{
    size_t len = b.len < 63 ? b.len : 63;

    if (len > 0) {
        memcpy(out, b.data, len);
    }
    out[len] = '\0';
}

static qms_err authenticate(struct qms_listener *l, void *arg, struct qms_connection *c)
{
    struct world *w = arg;

    (void)l;
    w->asked = c;
    if (w->trusts) {
        w->trust = qms_connection_trust_broker(c);
    }
    return w->verdict;
}

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    struct world *w = arg;

    (void)c;
    qms_stream_release(w->got);
    w->got = st;
}

static void on_datagram(struct qms_connection *c, void *arg, enum qms_kind kind,
                        struct qms_bytes source, uint8_t priority, struct qms_bytes payload)
{
    struct world *w = arg;

    (void)c, (void)priority;
    assert_int_equal(kind, QMS_KIND_AGENT);
    copy(w->datagram_from, source);
    copy(w->datagram, payload);
}

static void on_connection(struct qms_listener *l, void *arg, struct qms_connection *c)
{
    static const struct qms_connection_callbacks callbacks = {
        .size = sizeof(callbacks), .on_stream = on_stream, .on_datagram = on_datagram};
    struct world *w = arg;

    (void)l;
    w->taken = c;
    assert_int_equal(qms_connection_set_callbacks(c, &callbacks, w), QMS_OK);
}

static const struct qms_listener_callbacks listening = {
    .size = sizeof(listening),
    .authenticate_connection = authenticate,
    .on_connection = on_connection,
};

static void settle(struct world *w)
{
    for (int quiet = 0, i = 0; quiet < 3; i++) {
        qms_time now = fake_link_now(w->pair);
        bool moved = fake_link_pump(w->pair, 0);

        if (w->broker.s != NULL && qms_session_next_at(w->broker.s) <= now) {
            qms_session_expire(w->broker.s, now);
        }
        qms_client_turn(w->client, now);
        quiet = moved || qms_client_next_at(w->client) <= now ? 0 : quiet + 1;
        assert_true(i < 10000);
    }
}

/* A listener whose id is "own", and that knows an agent's and a broker's token. */
static int setup(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct qms_options o;

    assert_non_null(w);
    w->pair = fake_pair_new(NULL);
    qms_options_init(&o);
    assert_int_equal(qms_options_set_agent_id(&o, "own"), QMS_OK);
    assert_int_equal(qms_options_add_accepted_token(&o, NULL, "agents"), QMS_OK);
    assert_int_equal(qms_options_add_broker_token(&o, "brokers"), QMS_OK);
    assert_int_equal(qms_options_add_broker_token(&o, ""), QMS_E_INVALID);
    assert_int_equal(qms_options_add_broker_pin(&o, PIN), QMS_OK);
    assert_int_equal(qms_options_add_broker_pin(&o, ZERO), QMS_OK);
    assert_int_equal(qms_options_add_broker_pin(&o, "07"), QMS_E_INVALID);
    assert_int_equal(qms_client_new_bare(&w->client), QMS_OK);
    w->client->now = fake_link_now(w->pair);
    assert_int_equal(qms_listener_new(w->client, &o, &listening, w, &w->l), QMS_OK);
    qms_options_fini(&o);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    qms_stream_release(w->got);
    qms_client_free(w->client);
    fake_link_settle(w->pair);
    qms_session_free(w->broker.s);
    free(w->broker.log);
    fake_pair_free(w->pair);
    free(w);
    return 0;
}

/* `key`: each byte of its certificate's hash; 0: it shows none. */
static void dial_with_key(struct world *w, const char *token, uint64_t caps, uint8_t key)
{
    struct qms_control m = {.type = QMS_MSG_HELLO};
    struct qms_connection *taken;

    assert_non_null(duo_one(&w->broker, fake_pair_link(w->pair, 0), true, NULL));
    m.u.hello.min_version = m.u.hello.max_version = QMS_WIRE_VERSION;
    m.u.hello.agent_id = text("broker");
    m.u.hello.auth_scheme = token[0] != '\0' ? QMS_AUTH_TOKEN : QMS_AUTH_CERTIFICATE;
    m.u.hello.auth = text(token);
    m.u.hello.caps = caps;
    assert_int_equal(qms_session_hello(w->broker.s, &m), QMS_OK);
    assert_int_equal(qms_listener_take(w->l, fake_pair_link(w->pair, 1), &taken), QMS_OK);
    taken->taken->has_certificate = key != 0;
    memset(taken->taken->certificate, key, sizeof(taken->taken->certificate));
    settle(w);
}

static void dial(struct world *w, const char *token, uint64_t caps)
{
    dial_with_key(w, token, caps, 0);
}

/* What a broker opens for agent "alice", who asked for the group "workers". */
static qms_err open_for_alice(struct world *w)
{
    struct qms_route_header h = {.kind = QMS_KIND_AGENT, .priority = 7};
    struct qms_session_stream *st;

    h.target = text("pool/own");
    h.source = text("alice");
    h.has_original = true;
    h.original_kind = QMS_KIND_GROUP;
    h.original_target = text("workers");
    h.traceparent = text("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    qms_err err = qms_session_open(w->broker.s, true, &h, NULL, &st);
    settle(w);
    return err;
}

static void assert_text(struct qms_bytes got, const char *want)
{
    char room[64];

    copy(room, got);
    assert_string_equal(room, want);
}

static void check_believed(struct world *w)
{
    assert_true(qms_connection_is_broker(w->taken));
    assert_string_equal(qms_connection_peer_id(w->taken), "broker");
    assert_int_equal(open_for_alice(w), QMS_OK);
    assert_non_null(w->got);
    assert_text(qms_stream_source(w->got), "alice");
    assert_int_equal(qms_stream_kind(w->got), QMS_KIND_GROUP);
    assert_text(qms_stream_target(w->got), "workers");
    assert_int_equal(qms_stream_forward_priority(w->got), 7);
    assert_int_equal(qms_stream_traceparent(w->got).len, 55);
}

static void check_not_believed(struct world *w)
{
    struct qms_route_header h = {.kind = QMS_KIND_SELF, .priority = 7};
    struct qms_session_stream *st;

    assert_false(qms_connection_is_broker(w->taken));
    assert_int_equal(open_for_alice(w), QMS_E_INVALID);
    assert_int_equal(qms_session_open(w->broker.s, true, &h, NULL, &st), QMS_OK);
    settle(w);
    assert_text(qms_stream_source(w->got), "broker");
}

static void a_broker_with_the_token_names_the_sources(void **state)
{
    struct world *w = *state;

    dial(w, "brokers", QMS_CAP_RELAY);
    check_believed(w);
}

static void a_broker_with_an_agents_token_is_an_agent(void **state)
{
    struct world *w = *state;

    dial(w, "agents", QMS_CAP_RELAY);
    check_not_believed(w);
}

static void a_broker_with_the_certificate_needs_no_token(void **state)
{
    struct world *w = *state;

    dial_with_key(w, "", QMS_CAP_RELAY, 0x07);
    check_believed(w);
}

static void another_certificate_lets_nobody_in(void **state)
{
    struct world *w = *state;

    dial_with_key(w, "", QMS_CAP_RELAY, 0x08);
    assert_null(w->taken);
    assert_non_null(strstr(duo_take(&w->broker), "refused unauthenticated"));
}

static void no_certificate_is_not_one_of_zeroes(void **state)
{
    struct world *w = *state;

    dial_with_key(w, "agents", QMS_CAP_RELAY, 0);
    check_not_believed(w);
}

static void an_older_broker_is_let_in_and_names_none(void **state)
{
    struct world *w = *state;

    dial(w, "brokers", 0);
    check_not_believed(w);
}

static void the_application_may_believe_a_broker_too(void **state)
{
    struct world *w = *state;

    w->trusts = true;
    dial(w, "agents", QMS_CAP_RELAY);
    assert_int_equal(w->trust, QMS_OK);
    check_believed(w);
    assert_int_equal(qms_connection_trust_broker(w->taken), QMS_E_STATE);
}

static void the_application_may_decide_later(void **state)
{
    struct world *w = *state;

    w->verdict = QMS_E_AGAIN;
    dial(w, "agents", QMS_CAP_RELAY);
    assert_null(w->taken);
    assert_int_equal(qms_connection_trust_broker(w->asked), QMS_OK);
    assert_false(qms_connection_is_broker(w->asked)); /* not before it is let in */
    assert_int_equal(qms_connection_admit(w->asked, QMS_OK), QMS_OK);
    settle(w);
    check_believed(w);
}

static void nobody_is_believed_who_does_not_say_it_is_a_broker(void **state)
{
    struct world *w = *state;

    w->trusts = true;
    dial(w, "agents", 0);
    assert_int_equal(w->trust, QMS_E_UNSUPPORTED);
    check_not_believed(w);
}

static void datagrams_have_sources_and_go_to_names(void **state)
{
    struct world *w = *state;

    dial(w, "brokers", QMS_CAP_RELAY);
    assert_int_equal(
        qms_session_datagram(w->broker.s, QMS_KIND_AGENT, text("alice"), 128, text("from her")),
        QMS_OK);
    settle(w);
    assert_string_equal(w->datagram_from, "alice");
    assert_string_equal(w->datagram, "from her");
    (void)duo_take(&w->broker);
    assert_true(qms_datagram_max(w->taken, "bob") >= 1000);
    assert_int_equal(qms_datagram_send(w->taken, QMS_KIND_GROUP, "bobs", 128, text("to them")),
                     QMS_OK);
    settle(w);
    assert_string_equal(duo_take(&w->broker), "datagram group:bobs 128 \"to them\"\n");
}

static void without_belief_datagrams_are_the_peers(void **state)
{
    struct world *w = *state;

    dial(w, "agents", QMS_CAP_RELAY);
    assert_int_equal(
        qms_session_datagram(w->broker.s, QMS_KIND_AGENT, text("alice"), 128, text("x")),
        QMS_OK);
    settle(w);
    assert_string_equal(w->datagram_from, "broker");
    (void)duo_take(&w->broker);
    assert_int_equal(qms_datagram_send(w->taken, QMS_KIND_GROUP, "bobs", 128, text("y")),
                     QMS_OK);
    settle(w);
    assert_string_equal(duo_take(&w->broker), "datagram agent:own 128 \"y\"\n");
}

static void streams_towards_the_broker_name_their_target_only(void **state)
{
    struct world *w = *state;
    struct qms_stream *st;

    dial(w, "brokers", QMS_CAP_RELAY);
    (void)duo_take(&w->broker);
    assert_int_equal(
        qms_stream_open(w->taken, QMS_KIND_AGENT, "alice", 0, 9, NULL, NULL, NULL, &st),
        QMS_OK);
    settle(w);
    assert_string_equal(duo_take(&w->broker), "route 0 agent:alice 9\n");
    qms_stream_release(st);
    settle(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define QMS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        QMS_TEST(a_broker_with_the_token_names_the_sources),
        QMS_TEST(a_broker_with_an_agents_token_is_an_agent),
        QMS_TEST(a_broker_with_the_certificate_needs_no_token),
        QMS_TEST(another_certificate_lets_nobody_in),
        QMS_TEST(no_certificate_is_not_one_of_zeroes),
        QMS_TEST(an_older_broker_is_let_in_and_names_none),
        QMS_TEST(the_application_may_believe_a_broker_too),
        QMS_TEST(the_application_may_decide_later),
        QMS_TEST(nobody_is_believed_who_does_not_say_it_is_a_broker),
        QMS_TEST(datagrams_have_sources_and_go_to_names),
        QMS_TEST(without_belief_datagrams_are_the_peers),
        QMS_TEST(streams_towards_the_broker_name_their_target_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
