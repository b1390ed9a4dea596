/* SPDX-License-Identifier: MIT */
/* Rules as they are written, asked through the module as the core asks it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "fake_diag.h"
#include "modules/acl/rule.h"
#include "qms_test.h"

extern const struct qms_module qms_module_acl;

#define M (&qms_module_acl)

/* ---- the core's part of the interface ---- */

struct qms_peer {
    const char *id, *scopes, *carrier;
    struct sockaddr_storage address;
    const void *validated;
};
struct qms_route {
    struct qms_peer *opener;
    enum qms_kind kind;
    const char *target;
    const char *scopes; /* of a token of its own; NULL: none */
};

static struct qms_bytes bytes(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}

struct qms_bytes qms_peer_id(const struct qms_peer *peer)
{
    return bytes(peer->id);
}
const char *qms_peer_scopes(const struct qms_peer *peer)
{
    return peer->scopes;
}
const char *qms_peer_carrier(const struct qms_peer *peer)
{
    return peer->carrier;
}
const void *qms_peer_address(const struct qms_peer *peer)
{
    return &peer->address;
}
const void *qms_peer_validated_address(const struct qms_peer *peer)
{
    return peer->validated;
}
struct qms_peer *qms_route_opener(const struct qms_route *route)
{
    return route->opener;
}
const char *qms_route_scopes(const struct qms_route *route)
{
    return route->scopes != NULL ? route->scopes : route->opener->scopes;
}
enum qms_kind qms_route_kind(const struct qms_route *route)
{
    return route->kind;
}
struct qms_bytes qms_route_target(const struct qms_route *route)
{
    return bytes(route->target);
}

/* ---- */

struct fixture {
    uint64_t conf[8];
    struct qms_peer peer;
    struct qms_refusal why;
    char *kept[64]; /* what the rules point into */
    size_t kept_count;
};

static void address(struct fixture *f, const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    memset(&f->peer.address, 0, sizeof(f->peer.address));
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        memcpy(&f->peer.address, &in, sizeof(in));
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
        memcpy(&f->peer.address, &in6, sizeof(in6));
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_true(M->conf_size <= sizeof(f->conf));
    f->peer.id = "alice";
    f->peer.scopes = "read print";
    f->peer.carrier = "quic";
    f->peer.validated = &f->peer.address;
    address(f, "192.0.2.7");
    *state = f;
    return 0;
}

static void clear(struct fixture *f)
{
    M->conf_free(f->conf);
    while (f->kept_count > 0) {
        free(f->kept[--f->kept_count]);
    }
}

static int teardown(void **state)
{
    clear(*state);
    free(*state);
    return 0;
}

/* Words of a rule are separated by one space. */
static qms_err rule(struct fixture *f, const char *text)
{
    const struct qms_directive *d = M->directives;
    const char *argv[16];
    int argc = 0;
    char *copy = strdup(text), *save = NULL;

    assert_non_null(copy);
    assert_true(f->kept_count < 64);
    f->kept[f->kept_count++] = copy;
    for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
        argv[argc++] = w;
    }
    assert_true(argc >= (int)d->args_min && argc <= (int)d->args_max);
    diag_text[0] = '\0';
    return d->set(f->conf, d, argc, argv, NULL);
}

static void only(struct fixture *f, const char *text)
{
    clear(f);
    if (rule(f, text) != QMS_OK) {
        fail_msg("%s", diag_text);
    }
}

/* The code of the refusal; streams and datagrams must agree. */
static int opens(struct fixture *f, enum qms_kind kind, const char *target)
{
    struct qms_route route = {&f->peer, kind, target, NULL};
    enum qms_verdict stream, datagram;

    f->why = (struct qms_refusal){0};
    stream = M->on_open(NULL, NULL, f->conf, &route, 0, &f->why);
    struct qms_refusal why = {0};
    datagram =
        M->on_datagram(NULL, f->conf, &f->peer, kind, bytes(target), bytes("text"), 0, &why);
    assert_int_equal(stream, datagram);
    assert_true(datagram == QMS_PASS || strcmp(why.label, "acl") == 0);
    assert_true(stream == QMS_PASS || stream == QMS_REJECT);
    return stream == QMS_PASS ? QMS_CODE_OK : (int)f->why.code;
}

static int joins(struct fixture *f, enum qms_kind kind, const char *name)
{
    f->why = (struct qms_refusal){0};
    return M->on_join(NULL, f->conf, &f->peer, kind, bytes(name), 0, &f->why) == QMS_PASS
               ? QMS_CODE_OK
               : (int)f->why.code;
}

static bool watches(struct fixture *f, const char *prefix)
{
    f->why = (struct qms_refusal){0};
    return M->on_watch(NULL, f->conf, &f->peer, bytes(prefix), 0, &f->why) == QMS_PASS;
}

static void without_rules_all_but_topics_are_open(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_OK);
    assert_int_equal(opens(f, QMS_KIND_GROUP, "g"), QMS_CODE_OK);
    assert_int_equal(opens(f, QMS_KIND_SERVICE, "echo"), QMS_CODE_OK);
    assert_int_equal(opens(f, QMS_KIND_SELF, ""), QMS_CODE_OK);
    assert_int_equal(opens(f, QMS_KIND_TOPIC, "news"), QMS_CODE_FORBIDDEN);
    only(f, "allow open topic news from alice");
    assert_int_equal(opens(f, QMS_KIND_TOPIC, "news"), QMS_CODE_OK);
    assert_int_equal(opens(f, QMS_KIND_TOPIC, "other"), QMS_CODE_FORBIDDEN);
}

static void the_first_rule_that_fits_decides(void **state)
{
    struct fixture *f = *state;

    only(f, "allow open agent bob from alice");
    assert_int_equal(rule(f, "deny open agent * from *"), QMS_OK);
    assert_int_equal(rule(f, "allow open agent carol from *"), QMS_OK);
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_OK);
    assert_int_equal(opens(f, QMS_KIND_AGENT, "carol"), QMS_CODE_FORBIDDEN);
    assert_string_equal(f->why.label, "acl");
    assert_int_equal(opens(f, QMS_KIND_SERVICE, "echo"), QMS_CODE_OK);
    f->peer.id = "mallory";
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_FORBIDDEN);
}

static void each_condition_counts(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *rule;
        bool fits;
    } cases[] = {
        {"deny open agent bob from alice", true},
        {"deny open any bob from alice", true},
        {"deny open service bob from alice", false},
        {"deny open agent b* from al*", true},
        {"deny open agent bo from alice", false},
        {"deny open agent bob from alic", false},
        {"deny open agent bob from agent:alice", true},
        {"deny open agent bob from scope:print", true},
        {"deny open agent bob from scope:read", true},
        {"deny open agent bob from scope:prin", false},
        {"deny open agent bob from scope:printer", false},
        {"deny open agent bob from agent:scope:print", false},
        {"deny open agent bob from 192.0.2.7", true},
        {"deny open agent bob from 192.0.2.8", false},
        {"deny open agent bob from 192.0.2.0/24", true},
        {"deny open agent bob from 192.0.2.6/31", true},
        {"deny open agent bob from 192.0.2.4/31", false},
        {"deny open agent bob from 192.0.3.0/24", false},
        {"deny open agent bob from 0.0.0.0/0", true},
        {"deny open agent bob from ::ffff:192.0.2.7", true},
        {"deny open agent bob from ::/0", true},
        {"deny open agent bob from 2001:db8::/32", false},
        {"deny open agent bob from alice carrier quic", true},
        {"deny open agent bob from alice carrier webtransport", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        only(f, cases[i].rule);
        if ((opens(f, QMS_KIND_AGENT, "bob") == QMS_CODE_FORBIDDEN) != cases[i].fits) {
            fail_msg("%s", cases[i].rule);
        }
    }
}

static void networks_of_ipv6_are_told_apart(void **state)
{
    struct fixture *f = *state;

    address(f, "2001:db8:0:1::7");
    only(f, "deny open agent bob from 2001:db8::/47");
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_FORBIDDEN);
    only(f, "deny open agent bob from 2001:db8:0:2::/63");
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_OK);
    only(f, "deny open agent bob from 0.0.0.0/0");
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_OK);
    /* IPv4 that comes through an IPv6 socket is IPv4. */
    address(f, "::ffff:192.0.2.7");
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_FORBIDDEN);
}

static void only_a_validated_address_lets_in(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in proven = {.sin_family = AF_INET};

    /* In early data: the packets say 192.0.2.7 and nothing proves it. */
    f->peer.validated = NULL;
    only(f, "allow open topic t from 192.0.2.7");
    assert_int_equal(opens(f, QMS_KIND_TOPIC, "t"), QMS_CODE_FORBIDDEN);
    only(f, "deny open agent bob from 192.0.2.7");
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_FORBIDDEN);
    /* On the move from 198.51.100.1: until the new path is validated the old one counts. */
    assert_int_equal(inet_pton(AF_INET, "198.51.100.1", &proven.sin_addr), 1);
    f->peer.validated = &proven;
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_OK);
    only(f, "allow open topic t from 192.0.2.7");
    assert_int_equal(opens(f, QMS_KIND_TOPIC, "t"), QMS_CODE_FORBIDDEN);
    only(f, "allow open topic t from 198.51.100.0/24");
    assert_int_equal(opens(f, QMS_KIND_TOPIC, "t"), QMS_CODE_OK);
}

static void all_conditions_must_hold(void **state)
{
    struct fixture *f = *state;

    only(f, "deny open agent bob from scope:print and 192.0.2.0/24 and al*");
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_FORBIDDEN);
    f->peer.scopes = "read";
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_OK);
    f->peer.scopes = "print";
    f->peer.id = "bert";
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_OK);
    f->peer.id = "al";
    address(f, "192.0.3.7");
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_OK);
    only(f, "deny open agent bob from al and scope:print carrier quic hide");
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_OFFLINE);
}

static void topics_are_closed_until_a_rule_opens_them(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(joins(f, QMS_KIND_TOPIC, "news"), QMS_CODE_FORBIDDEN);
    assert_string_equal(f->why.label, "acl");
    assert_int_equal(joins(f, QMS_KIND_GROUP, "g"), QMS_CODE_OK);
    only(f, "allow subscribe news/* from alice");
    assert_int_equal(joins(f, QMS_KIND_TOPIC, "news/a"), QMS_CODE_OK);
    assert_int_equal(joins(f, QMS_KIND_TOPIC, "news"), QMS_CODE_FORBIDDEN);
    assert_int_equal(opens(f, QMS_KIND_TOPIC, "news/a"), QMS_CODE_FORBIDDEN);
    only(f, "allow publish news/* from alice");
    assert_int_equal(joins(f, QMS_KIND_TOPIC, "news/a"), QMS_CODE_FORBIDDEN);
    assert_int_equal(opens(f, QMS_KIND_TOPIC, "news/a"), QMS_CODE_OK);
    only(f, "deny join secret-* from *");
    assert_int_equal(joins(f, QMS_KIND_GROUP, "secret-1"), QMS_CODE_FORBIDDEN);
    assert_int_equal(joins(f, QMS_KIND_GROUP, "g"), QMS_CODE_OK);
    assert_int_equal(opens(f, QMS_KIND_GROUP, "secret-1"), QMS_CODE_OK);
}

static void a_watch_shows_nothing_that_a_rule_hides(void **state)
{
    struct fixture *f = *state;

    assert_false(watches(f, "lab-"));
    assert_int_equal(f->why.code, QMS_CODE_FORBIDDEN);
    only(f, "allow watch lab-* from alice");
    assert_true(watches(f, "lab-"));
    assert_true(watches(f, "lab-1"));
    assert_false(watches(f, "lab"));
    assert_false(watches(f, ""));
    f->peer.id = "bob";
    assert_false(watches(f, "lab-"));
    only(f, "deny watch lab-secret* from *");
    assert_int_equal(rule(f, "deny watch *-vault-* from *"), QMS_OK);
    assert_int_equal(rule(f, "allow watch * from *"), QMS_OK);
    assert_false(watches(f, "lab-secret"));
    assert_false(watches(f, "lab-secret-7"));
    /* A wider watch would show them too. */
    assert_false(watches(f, "lab-"));
    assert_false(watches(f, ""));
    assert_false(watches(f, "x-vault-1"));
    assert_false(watches(f, "x")); /* x-vault-1 begins so */
    only(f, "deny watch lab-secret* from *");
    assert_int_equal(rule(f, "allow watch * from *"), QMS_OK);
    assert_true(watches(f, "lab-1"));
    assert_true(watches(f, "x"));
}

static void an_agent_without_scopes_has_none(void **state)
{
    struct fixture *f = *state;

    f->peer.scopes = "";
    only(f, "deny open agent bob from scope:print");
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_OK);
}

static void a_stream_with_a_token_has_the_scopes_of_that(void **state)
{
    struct fixture *f = *state;
    struct qms_route route = {&f->peer, QMS_KIND_AGENT, "bob", "admin"};

    only(f, "allow open agent bob from scope:admin");
    assert_int_equal(rule(f, "deny open agent bob from *"), QMS_OK);
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_FORBIDDEN);
    assert_int_equal(M->on_open(NULL, NULL, f->conf, &route, 0, &f->why), QMS_PASS);
    only(f, "deny open agent bob from scope:print");
    assert_int_equal(M->on_open(NULL, NULL, f->conf, &route, 0, &f->why), QMS_PASS);
}

static void hidden_targets_look_absent(void **state)
{
    struct fixture *f = *state;

    only(f, "deny open any * from * carrier quic hide");
    assert_int_equal(opens(f, QMS_KIND_AGENT, "bob"), QMS_CODE_OFFLINE);
    assert_string_equal(f->why.reason, "");
    assert_int_equal(f->why.retry_after_ms, 0);
    assert_int_equal(opens(f, QMS_KIND_SERVICE, "echo"), QMS_CODE_NOT_FOUND);
    assert_string_equal(f->why.reason, "no such service");
}

static void bad_rules_say_what_was_expected(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *rule, *error;
    } bad[] = {
        {"permit open agent a from b",
         "\"permit\" is not valid in \"acl\"; here it takes allow or deny."},
        {"alow open agent a from b", "\"alow\" is not valid in \"acl\"; here it takes allow or "
                                     "deny. Did you mean \"allow\"?"},
        {"allow close agent a from b", "\"close\" is not valid in \"acl\"; here it takes open, "
                                       "publish, subscribe, join or watch."},
        {"allow subscribee a from b", "\"subscribee\" is not valid in \"acl\"; here it takes "
                                      "open, publish, subscribe, join or watch. Did you mean "
                                      "\"subscribe\"?"},
        {"allow open agents a from b",
         "\"agents\" is not valid in \"acl\"; here it takes agent, group, topic, service or "
         "any. Did you mean \"agent\"?"},
        {"allow open agent a from", "\"acl\" ends where it takes a pattern of agent ids"},
        {"allow open agent a fom b",
         "\"fom\" is not valid in \"acl\"; here it takes from. Did you mean \"from\"?"},
        {"allow watch lab- from b",
         "\"lab-\" is not valid in \"acl\"; here it takes a pattern that ends in *"},
        {"deny subscribe t from b hide", "\"hide\" is not valid"},
        {"deny open agent a from b and", "\"acl\" ends where it takes a pattern of agent ids"},
        {"deny open agent a from b and c and d and e and f",
         "\"f\" is not valid in \"acl\"; here it takes no more than 4 conditions."},
        {"allow open agent a! from b", "\"a!\" is not valid"},
        {"allow open agent a to b", "\"to\" is not valid in \"acl\"; here it takes from."},
        {"allow open agent a from b!", "\"b!\" is not valid"},
        {"allow open agent a from scope:", "\"scope:\" is not valid"},
        {"allow open agent a from agent:", "\"agent:\" is not valid"},
        {"allow open agent a from 10.0.0.0/33", "\"10.0.0.0/33\" is not valid"},
        {"allow open agent a from 10.0.0.0/", "\"10.0.0.0/\" is not valid"},
        {"allow open agent a from 10.0.0.0/8x", "\"10.0.0.0/8x\" is not valid"},
        {"allow open agent a from 10.0.0.0/-1", "\"10.0.0.0/-1\" is not valid"},
        {"allow open agent a from 10.0.0.1/8", "\"10.0.0.1/8\" is not valid"},
        {"allow open agent a from ::1/129", "\"::1/129\" is not valid"},
        {"allow open agent a from b carrier tcp",
         "\"tcp\" is not valid in \"acl\"; here it takes quic or webtransport."},
        {"allow open agent a from b carrier", "\"acl\" ends where it takes quic or webtr"},
        {"allow open agent a from b carrier quik",
         "\"quik\" is not valid in \"acl\"; here it takes quic or webtransport. Did you mean "
         "\"quic\"?"},
        {"allow open agent a from b hide", "\"hide\" is not valid"},
        {"deny open agent a from b hide hide", "\"hide\" is not valid"},
        {"deny open agent a from b carrier quic now", "\"now\" is not valid"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(rule(f, bad[i].rule), QMS_E_CONFIG);
        if (strncmp(diag_text, bad[i].error, strlen(bad[i].error)) != 0) {
            fail_msg("\"%s\" instead of \"%s\"", diag_text, bad[i].error);
        }
    }
    /* None of them is in force. */
    assert_int_equal(opens(f, QMS_KIND_AGENT, "a"), QMS_CODE_OK);
}

/* It would look like protection. */
static void a_rule_that_its_route_block_never_asks_is_refused(void **state)
{
    struct fixture *f = *state;

    diag_route_kinds = 1u << QMS_KIND_AGENT;
    assert_int_equal(rule(f, "deny open agent a from b"), QMS_OK);
    assert_int_equal(rule(f, "deny open any a from b"), QMS_OK);
    assert_int_equal(rule(f, "deny open group a from b"), QMS_E_CONFIG);
    assert_string_equal(diag_text, "This \"acl\" rule is about another kind of target than its "
                                   "route block and would never be asked.");
    assert_int_equal(rule(f, "deny publish a from b"), QMS_E_CONFIG);
    assert_int_equal(rule(f, "deny watch a* from b"), QMS_E_CONFIG);
    assert_string_equal(diag_text, "An \"acl\" rule about \"watch\" belongs in main, quic or "
                                   "server: no route block is asked about watches.");
    diag_route_kinds = 0;
    assert_int_equal(rule(f, "deny watch a* from b"), QMS_OK);
}

static void without_memory_a_rule_is_refused(void **state)
{
    struct fixture *f = *state;

    qms_mem_fail_after(0);
    qms_err err = rule(f, "deny open agent * from *");
    qms_mem_fail_after(UINT64_MAX);
    assert_int_equal(err, QMS_E_NOMEM);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(rule(f, "deny open agent b from *"), QMS_OK);
    }
    assert_int_equal(opens(f, QMS_KIND_AGENT, "b"), QMS_CODE_FORBIDDEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(without_rules_all_but_topics_are_open),
        QMS_TEST(the_first_rule_that_fits_decides),
        QMS_TEST(each_condition_counts),
        QMS_TEST(networks_of_ipv6_are_told_apart),
        QMS_TEST(only_a_validated_address_lets_in),
        QMS_TEST(all_conditions_must_hold),
        QMS_TEST(topics_are_closed_until_a_rule_opens_them),
        QMS_TEST(a_watch_shows_nothing_that_a_rule_hides),
        QMS_TEST(an_agent_without_scopes_has_none),
        QMS_TEST(a_stream_with_a_token_has_the_scopes_of_that),
        QMS_TEST(hidden_targets_look_absent),
        QMS_TEST(bad_rules_say_what_was_expected),
        QMS_TEST(a_rule_that_its_route_block_never_asks_is_refused),
        QMS_TEST(without_memory_a_rule_is_refused),
    };
    return cmocka_run_group_tests_name("mod_acl", tests, NULL, NULL);
}
