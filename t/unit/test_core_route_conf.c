/* SPDX-License-Identifier: MIT */
/* Route blocks: which one a target falls under, what they inherit, and their errors. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf_fixture.h"
#include "qms_test.h"

static int setup(void **state)
{
    struct conf_fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    conf_fixture_init(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct conf_fixture *f = *state;
    conf_fixture_fini(f);
    free(f);
    return 0;
}

static const struct qms_route_conf *find(const struct conf_fixture *f, enum qms_kind kind,
                                         const char *target)
{
    struct qms_bytes name = {(const uint8_t *)target, strlen(target)};
    return qms_route_conf_find(&f->conf->servers[0], kind, name);
}

#define FALLS(kind, target, block)                                                             \
    assert_string_equal(find(f, QMS_KIND_##kind, target)->name, block)

static void without_blocks_the_server_says_it_all(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(f, QUIC(""));
    const struct qms_route_conf *none = find(f, QMS_KIND_AGENT, "bob");

    assert_string_equal(none->name, "default");
    assert_int_equal(none->deny, 0);
    assert_int_equal(none->priority_low, 0);
    assert_int_equal(none->priority_high, 255);
    assert_ptr_equal(none->module_conf[1], f->conf->servers[0].module_conf[1]);
}

static void the_exact_name_wins_over_all(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(f, QUIC("route agent ~ .* { } route agent ^= bo { } route agent bobbi { }"
                    "route agent = bob { } route * { }"));
    FALLS(AGENT, "bob", "agent = bob");
    FALLS(AGENT, "bobby", "agent ^= bo");
    FALLS(AGENT, "bo", "agent ^= bo");
    FALLS(AGENT, "b", "agent ~ .*");
    FALLS(GROUP, "bob", "*");
}

static void the_longest_prefix_wins_wherever_it_stands(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(f, QUIC("route agent team.a. { } route agent team. { } route agent * { }"
                    "route agent team.a.b. { }"));
    FALLS(AGENT, "team.a.b.c", "agent team.a.b.");
    FALLS(AGENT, "team.a.", "agent team.a.");
    FALLS(AGENT, "team.x", "agent team.");
    FALLS(AGENT, "other", "agent *");
    FALLS(TOPIC, "team.x", "default");
}

static void expressions_are_tried_in_order_unless_a_firm_prefix_is_longest(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(f, QUIC("route topic ~ ^a[0-9]+$ { } route topic ~ ^a { } route topic a1 { }"
                    "route topic ^= a12 { } route topic a123 { }"));
    FALLS(TOPIC, "a1", "topic ~ ^a[0-9]+$");
    FALLS(TOPIC, "a1x", "topic ~ ^a");
    FALLS(TOPIC, "a12x", "topic ^= a12");
    FALLS(TOPIC, "a1234", "topic ~ ^a[0-9]+$"); /* the longest prefix is not the firm one */
    FALLS(TOPIC, "b", "default");
}

static void a_block_of_one_kind_goes_before_one_of_all(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(f, QUIC("route * { deny; } route service * { }"));
    FALLS(SERVICE, "echo", "service *");
    FALLS(AGENT, "echo", "*");
    assert_int_equal(find(f, QMS_KIND_AGENT, "x")->deny, 1);
    assert_int_equal(find(f, QMS_KIND_SERVICE, "x")->deny, 0);
}

/* Catastrophic for an engine without limits.  A name made for it must not slip past a "deny".
 */
static void where_an_expression_has_no_end_nothing_passes(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(f, QUIC("route agent ~ ^(a+)+$ { }"));
    FALLS(AGENT, "aaaa", "agent ~ ^(a+)+$");
    assert_int_equal(find(f, QMS_KIND_AGENT, "aaaa")->deny, 0);
    FALLS(AGENT, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.", "undecided");
    assert_int_equal(
        find(f, QMS_KIND_AGENT, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.")
            ->deny,
        1);
    FALLS(TOPIC, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.", "default");
}

static uint64_t level(const struct qms_route_conf *block)
{
    return ((const struct fake_conf *)block->module_conf[1])->level;
}

static void modules_inherit_from_quic_through_the_server_to_the_route(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(f, "quic { fake_level 1; fake_note outer;"
               "  route agent = a { fake_note inner; }"
               "  route agent = b { fake_level 7; }"
               "  route agent = c { deny; }"
               "  server { " SERVER_HEAD "fake_level 2; route agent = d { fake_level 9; } } }");
    const struct fake_conf *a = find(f, QMS_KIND_AGENT, "a")->module_conf[1];

    assert_int_equal(a->level, 2); /* of the server, also for a block of the quic block */
    assert_string_equal(a->note, "inner");
    assert_int_equal(level(find(f, QMS_KIND_AGENT, "b")), 7);
    assert_ptr_equal(find(f, QMS_KIND_AGENT, "c")->module_conf[1],
                     f->conf->servers[0].module_conf[1]);
    assert_int_equal(level(find(f, QMS_KIND_AGENT, "d")), 9);
    assert_int_equal(level(find(f, QMS_KIND_AGENT, "e")), 2);
}

static void a_server_replaces_a_block_by_one_for_the_same_names(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(f, "quic { route agent = a { priority_clamp 1..2; } route * { deny; }"
               "  server { " SERVER_HEAD "route agent = a { priority_clamp 3..4; } } }");

    assert_int_equal(f->conf->servers[0].route_count, 2);
    assert_int_equal(find(f, QMS_KIND_AGENT, "a")->priority_low, 3);
    assert_int_equal(find(f, QMS_KIND_AGENT, "b")->deny, 1);
    /* With and without "^=" it is about the same names. */
    conf_is(f, "quic { route agent a { priority_clamp 1..2; }"
               "  server { " SERVER_HEAD "route agent ^= a { priority_clamp 3..4; } } }");
    assert_int_equal(f->conf->servers[0].route_count, 1);
    assert_int_equal(find(f, QMS_KIND_AGENT, "ab")->priority_low, 3);
}

static void each_server_has_blocks_of_its_own(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(
        f,
        "quic { route agent ~ ^a { fake_note x; }"
        "  server { " SERVER_HEAD "fake_level 2; }"
        "  server { listen 127.0.0.1:4434 quic; tls self-signed; auth off; fake_level 5; } }");
    struct qms_bytes name = {(const uint8_t *)"ab", 2};

    assert_int_equal(level(qms_route_conf_find(&f->conf->servers[0], QMS_KIND_AGENT, name)), 2);
    assert_int_equal(level(qms_route_conf_find(&f->conf->servers[1], QMS_KIND_AGENT, name)), 5);
}

static void values_are_read_and_priorities_brought_within(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(f,
            QUIC("route agent = a { priority_clamp 16..200; accept_timeout 5s; deny off; }"));
    const struct qms_route_conf *a = find(f, QMS_KIND_AGENT, "a");

    assert_true(a->accept_for == 5 * QMS_SECOND);
    assert_int_equal(a->deny, 0);
    assert_int_equal(qms_route_conf_clamp(a, 0), 16);
    assert_int_equal(qms_route_conf_clamp(a, 16), 16);
    assert_int_equal(qms_route_conf_clamp(a, 128), 128);
    assert_int_equal(qms_route_conf_clamp(a, 255), 200);
}

static void groups_and_topics_have_values_of_their_own(void **state)
{
    struct conf_fixture *f = *state;
    conf_is(f, QUIC("route group = g { balance sticky; failover 3; queue 100 timeout=5s; }"
                    "route topic = t { on_slow drop max_lag=64k; max_subscribers 9; }"
                    "route topic = b { on_slow block timeout=3s then=disconnect; }"));
    const struct qms_route_conf *g = find(f, QMS_KIND_GROUP, "g");
    const struct qms_route_conf *t = find(f, QMS_KIND_TOPIC, "t");
    const struct qms_route_conf *b = find(f, QMS_KIND_TOPIC, "b");
    const struct qms_route_conf *none = find(f, QMS_KIND_TOPIC, "x");

    assert_int_equal(g->balance, QMS_BALANCE_STICKY);
    assert_int_equal(g->failover, 3);
    assert_int_equal(g->queue_max, 100);
    assert_true(g->queue_for == 5 * QMS_SECOND);
    assert_int_equal(t->on_slow, QMS_ON_SLOW_DROP);
    assert_int_equal(t->max_lag, 65536);
    assert_int_equal(t->max_subscribers, 9);
    assert_int_equal(b->on_slow, QMS_ON_SLOW_BLOCK);
    assert_true(b->slow_for == 3 * QMS_SECOND);
    assert_int_equal(none->on_slow, QMS_ON_SLOW_BLOCK);
    assert_true(none->slow_for == 10 * QMS_SECOND);
    assert_int_equal(none->failover, 2);
    assert_int_equal(none->queue_max, 0);
}

#define AT(line, sentence) "/c/quicms.conf:" #line ": " sentence
#define FORM                                                                                   \
    "A route is written \"route KIND [= | ^= | ~] NAME\", \"route KIND *\" or \"route *\"."

static void errors_name_the_line_and_the_nearest_word(void **state)
{
    struct conf_fixture *f = *state;
    conf_fails(f, QUIC("\nroute agnet * { }"),
               AT(2, "\"agnet\" is no kind of target; a route is for an agent, group, topic or "
                     "service, or is the route \"*\". Did you mean \"agent\"?"));
    conf_fails(f, QUIC("\nroute agent { }"), AT(2, FORM));
    conf_fails(f, QUIC("\nroute agent == a { }"), AT(2, FORM));
    conf_fails(f, QUIC("\nroute agent = \"\" { }"),
               AT(2, "The name of a route is empty; \"*\" stands for every name."));
    conf_fails(f, QUIC("\nroute agent ~ a(b { }"),
               AT(2,
                  "The regular expression \"a(b\" of a route is wrong at character 4: missing "
                  "closing parenthesis."));
#define NO_NAME(text)                                                                          \
    AT(2, "No name is or begins with \"" text                                                  \
          "\": names are of A-Z a-z 0-9 . _ ~ : @ / + and -. A route without \"=\" holds for " \
          "all names that begin with its own; \"~\" stands before a regular expression.")
    conf_fails(f, QUIC("\nroute agent lab-* { deny; }"), NO_NAME("lab-*"));
    conf_fails(f, QUIC("\nroute topic = * { deny; }"), NO_NAME("*"));
    conf_fails(f, QUIC("\nroute agent = { deny; }"), NO_NAME("="));
    conf_fails(f, QUIC("\nroute service ^= \"a b\" { deny; }"), NO_NAME("a b"));
    conf_fails(f, QUIC("\nroute topic t { accept_timeout 3s; }"),
               AT(2, "\"accept_timeout\" belongs in routes of agents and groups; this one is "
                     "\"topic t\"."));
    conf_fails(f, QUIC("\nroute topic t { on_slow dorp; }"),
               AT(2, "\"dorp\" is not valid for \"on_slow\"; it is written: on_slow block "
                     "[timeout=time] [then=disconnect] | drop [max_lag=size] | disconnect "
                     "[max_lag=size]. Did you mean \"drop\"?"));
    conf_fails(f, QUIC("\nroute group g { queue 5 timout=1s; }"),
               AT(2, "\"timout=1s\" is not valid for \"queue\"; it is written: queue off | "
                     "number [timeout=time]. Did you mean \"timeout=\"?"));
    conf_fails(f, QUIC("\nroute * { deny perhaps; }"),
               AT(2, "\"perhaps\" is not valid for \"deny\"; it takes on or off, or nothing."));
    conf_fails(f, QUIC("\nroute * { priority_clamp 5; }"),
               AT(2, "\"5\" is not valid for \"priority_clamp\"; it takes two priorities like "
                     "16..255."));
    conf_fails(f, QUIC("\nroute * { priority_clamp 9..5; }"),
               AT(2, "The first priority of \"priority_clamp 9..5\" is above the second."));
    conf_fails(f, QUIC("\nroute * { priority_clamp 5..; }"),
               AT(2,
                  "\"5..\" is not valid for \"priority_clamp\"; it takes two priorities like "
                  "16..255."));
    conf_fails(f, QUIC("\nroute group g { queue 3 timeout=0; }"),
               AT(2, "\"0\" is out of range for \"queue timeout=\": 1ms to 1h."));
    conf_fails(f, QUIC("\nroute topic t { on_slow drop max_lag=1; }"),
               AT(2, "\"1\" is out of range for \"on_slow max_lag=\": 16k to 1g."));
    conf_fails(f, QUIC("\nroute * { dney; }"),
               AT(2, "Unknown directive \"dney\"; did you mean \"deny\"?"));
    conf_fails(f, QUIC("route agent a { }\nroute agent a { }"),
               AT(2, "The route \"agent a\" is there already, at /c/quicms.conf:1."));
    conf_fails(f, QUIC("route agent a { }\nroute agent ^= a { }"),
               AT(2, "The route \"agent a\" is there already, at /c/quicms.conf:1."));
    conf_fails(f, QUIC("\nroute agent = a { balance sticky; }"),
               AT(2, "\"balance\" belongs in routes of groups; this one is \"agent = a\"."));
    conf_fails(f, QUIC("\nroute group g { on_slow drop; }"),
               AT(2, "\"on_slow\" belongs in routes of topics; this one is \"group g\"."));
    conf_fails(f, QUIC("\nroute topic t { on_slow drop timeout=3s; }"),
               AT(2,
                  "\"timeout=3s\" is not valid for \"on_slow\"; it is written: on_slow block "
                  "[timeout=time] [then=disconnect] | drop [max_lag=size] | disconnect "
                  "[max_lag=size]."));
    conf_fails(f, QUIC("\nroute group g { queue off timeout=3s; }"),
               AT(2, "\"timeout=3s\" is not valid for \"queue\"; it is written: queue off | "
                     "number [timeout=time]."));
    conf_fails(f, "deny;",
               AT(1, "Directive \"deny\" is not allowed in the main block; it "
                     "belongs in route."));
    conf_fails(f, QUIC("route a b c d { }"),
               AT(1, "Block \"route\" takes KIND [= | ^= | ~] NAME | KIND * | *, not 4 "
                     "arguments."));
}

static void every_failing_allocation_is_survived(void **state)
{
    struct conf_fixture *f = *state;
    bool loaded = false;

    conf_file(f, "/c/quicms.conf",
              QUIC("route agent ~ ^a { fake_note x; } route topic b { } route * { deny; }"));
    for (uint64_t n = 0; !loaded && n < 400; n++) {
        qms_mem_fail_after(n);
        conf_load(f);
        qms_mem_fail_after(UINT64_MAX);
        loaded = f->conf != NULL;
        if (!loaded) {
            assert_non_null(strstr(f->diag.text, "Out of memory."));
        }
    }
    assert_true(loaded);
}

#define PIN  "pin aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;"
#define POOL "upstream pool { agent quic://127.0.0.1:1; " PIN " "

static void what_names_an_upstream_or_a_server_is_looked_up_at_its_line(void **state)
{
    struct conf_fixture *f = *state;

    conf_fails(f, QUIC("route group g {\n dial pol;\n}" POOL "}"),
               AT(2, "The route \"group g\" dials \"pol\", and there is no such upstream; did "
                     "you mean \"pool\"?"));
    conf_fails(f, QUIC("route group g {\n dial other;\n}" POOL "}"),
               AT(2, "The route \"group g\" dials \"other\", and there is no such upstream."));
    conf_fails(f, QUIC(POOL "\nrules_of elsewhere; }"),
               AT(2,
                  "No server has the server_name or listen address \"elsewhere\", whose rules "
                  "the upstream \"pool\" is to have."));
    conf_fails(f, QUIC("upstream \"a b\" { agent quic://127.0.0.1:1; " PIN " }"),
               AT(1,
                  "\"a b\" is not a name for an upstream; names are of A-Z a-z 0-9 . _ ~ : @ "
                  "/ + and -, 64 bytes of them at most."));
#define NO_URL(url)                                                                            \
    AT(1,                                                                                      \
       "\"" url "\" is not an agent's URL; it must look like quic://HOST:PORT, with a port "   \
       "of 1 to 65535.")
    conf_fails(f, QUIC("upstream p { agent quic://127.0.0.1:70000; " PIN " }"),
               NO_URL("quic://127.0.0.1:70000"));
    conf_fails(f, QUIC("upstream p { agent quic://127.0.0.1:0; " PIN " }"),
               NO_URL("quic://127.0.0.1:0"));
    conf_fails(f, QUIC("upstream p { agent quic://127.0.0.1:1x; " PIN " }"),
               NO_URL("quic://127.0.0.1:1x"));
    conf_fails(f, QUIC(POOL "health interval=1ms; }"),
               AT(1, "\"1ms\" is out of range for \"health interval=\": 100ms to 1h."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(without_blocks_the_server_says_it_all),
        QMS_TEST(the_exact_name_wins_over_all),
        QMS_TEST(the_longest_prefix_wins_wherever_it_stands),
        QMS_TEST(expressions_are_tried_in_order_unless_a_firm_prefix_is_longest),
        QMS_TEST(a_block_of_one_kind_goes_before_one_of_all),
        QMS_TEST(where_an_expression_has_no_end_nothing_passes),
        QMS_TEST(modules_inherit_from_quic_through_the_server_to_the_route),
        QMS_TEST(a_server_replaces_a_block_by_one_for_the_same_names),
        QMS_TEST(each_server_has_blocks_of_its_own),
        QMS_TEST(values_are_read_and_priorities_brought_within),
        QMS_TEST(groups_and_topics_have_values_of_their_own),
        QMS_TEST(errors_name_the_line_and_the_nearest_word),
        QMS_TEST(what_names_an_upstream_or_a_server_is_looked_up_at_its_line),
        QMS_TEST(every_failing_allocation_is_survived),
    };
    return cmocka_run_group_tests_name("core_route_conf", tests, NULL, NULL);
}
