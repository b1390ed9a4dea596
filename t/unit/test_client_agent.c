/* SPDX-License-Identifier: MIT */
/* The command line of quicms-agent, and the files that its listen command stores. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qms_test.h"
#include "tools/agent_args.h"
#include "tools/cmd_listen.h"

static int setup(void **state)
{
    static char folder[64];

    (void)snprintf(folder, sizeof(folder), "/tmp/quicms-agent-test.XXXXXX");
    assert_non_null(mkdtemp(folder));
    *state = folder;
    return 0;
}

static int teardown(void **state)
{
    DIR *dir = opendir(*state);
    struct dirent *e;

    assert_non_null(dir);
    while ((e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) {
            assert_int_equal(unlinkat(dirfd(dir), e->d_name, 0), 0);
        }
    }
    (void)closedir(dir);
    return rmdir(*state);
}

/* Splits at blanks. */
static bool parse(const char *line, struct agent_args *a, char *error)
{
    static char copy[1024];
    char *argv[32] = {(char *)"quicms-agent"}, *rest = copy, *word;
    int argc = 1;

    (void)snprintf(copy, sizeof(copy), "%s", line);
    while ((word = strsep(&rest, " ")) != NULL) {
        argv[argc++] = word;
    }
    return agent_args_parse(argc, argv, a, error);
}

static void right(const char *line, struct agent_args *a)
{
    char error[AGENT_ERROR_MAX] = "";

    if (!parse(line, a, error)) {
        fail_msg("%s: %s", line, error);
    }
}

static void wrong(const char *line, const char *words)
{
    char error[AGENT_ERROR_MAX] = "";
    struct agent_args a;

    if (parse(line, &a, error) || strstr(error, words) == NULL ||
        error[strlen(error) - 1] != '.') {
        fail_msg("%s: %s", line, error);
    }
}

static void commands_are_taken_with_options_before_and_behind(void **state)
{
    struct agent_args a;

    (void)state;
    right("--url quic://h:1 --id a --token T listen --echo --out /tmp --count 3", &a);
    assert_int_equal(a.command, AGENT_LISTEN);
    assert_true(a.echo);
    assert_string_equal(a.out, "/tmp");
    assert_int_equal(a.count, 3);
    assert_string_equal(a.token, "T");
    right("send agent:b file.bin --url quic://h:1 --priority high --meta m --json", &a);
    assert_int_equal(a.command, AGENT_SEND);
    assert_int_equal(a.target.kind, QMS_KIND_AGENT);
    assert_string_equal(a.target.name, "b");
    assert_string_equal(a.file, "file.bin");
    assert_int_equal(a.priority, 192);
    assert_true(a.json);
    right("--url quic://h:1 send topic:t -", &a);
    assert_null(a.file);
    assert_int_equal(a.priority, 128);
    right("--url quic://h:1 request service:echo -- -text", &a);
    assert_string_equal(a.text, "-text");
    right("--url quic://h:1 --timeout 0.5 ping", &a);
    assert_int_equal(a.timeout, 500000000);
    right("--help", &a);
    assert_true(a.help);
}

static void wrong_command_lines_are_told_what_is_wrong(void **state)
{
    (void)state;
    wrong("listen", "--url");
    wrong("--url quic://h:1", "No command");
    wrong("--url quic://h:1 dance", "no command");
    wrong("--url quic://h:1 send", "TARGET");
    wrong("--url quic://h:1 send b", "no target");
    wrong("--url quic://h:1 send agent:", "1 to 128");
    wrong("--url quic://h:1 send agent:a!b", "1 to 128");
    wrong("--url quic://h:1 send agent:b x y", "TARGET");
    wrong("--url quic://h:1 open topic:t", "one direction");
    wrong("--url quic://h:1 request agent:b", "TEXT");
    wrong("--url quic://h:1 ping now", "nothing");
    wrong("--url quic://h:1 --token a --token-file b ping", "Only one");
    wrong("--url quic://h:1 --insecure --pin 00 ping", "Only one");
    wrong("--url quic://h:1 ping --echo", "listen");
    wrong("--url quic://h:1 stats --count 1", "--count");
    wrong("--url quic://h:1 ping --meta x", "--meta");
    wrong("--url quic://h:1 --priority 256 ping", "--priority");
    wrong("--url quic://h:1 --priority urgent ping", "--priority");
    wrong("--url quic://h:1 --timeout -1 ping", "--timeout");
    wrong("--url quic://h:1 --timeout nan ping", "--timeout");
    wrong("--url quic://h:1 --count 0 ping", "--count");
    wrong("--url quic://h:1 --max-udp-payload 100 ping", "--max-udp-payload");
    wrong("--url quic://h:1 --speed ping", "no option");
    wrong("--url quic://h:1 ping --id", "value");
    wrong("--url quic://h:1 --id a!b ping", "--id");
}

static void priorities_are_names_or_numbers(void **state)
{
    uint8_t p = 1;

    (void)state;
    assert_true(agent_priority_parse("critical", &p));
    assert_int_equal(p, 255);
    assert_true(agent_priority_parse("background", &p));
    assert_int_equal(p, 0);
    assert_true(agent_priority_parse("17", &p));
    assert_int_equal(p, 17);
    assert_false(agent_priority_parse("", &p));
    assert_false(agent_priority_parse("+1", &p));
    assert_false(agent_priority_parse("1 ", &p));
    assert_int_equal(p, 17);
}

static void every_kind_of_target_is_known(void **state)
{
    struct agent_target t;
    char error[AGENT_ERROR_MAX];

    (void)state;
    assert_true(agent_target_parse("service:echo", &t, error));
    assert_int_equal(t.kind, QMS_KIND_SERVICE);
    assert_true(agent_target_parse("group:g", &t, error));
    assert_int_equal(t.kind, QMS_KIND_GROUP);
    assert_true(agent_target_parse("topic:a/b", &t, error));
    assert_int_equal(t.kind, QMS_KIND_TOPIC);
    assert_string_equal(t.name, "a/b");
    assert_true(agent_target_parse("agent:agent:x", &t, error));
    assert_string_equal(t.name, "agent:x");
}

/* ---- files ---- */

static struct qms_bytes text(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}

static void file_names_cannot_leave_the_folder(void **state)
{
    char name[STORE_NAME_MAX];

    (void)state;
    store_file_name(text("../../etc/passwd"), 3, name);
    assert_string_equal(name, "_._.._etc_passwd-3");
    store_file_name(text(".hidden"), 4, name);
    assert_string_equal(name, "_hidden-4");
    store_file_name(text("a:b@c/d+e"), 18446744073709551615u, name);
    assert_string_equal(name, "a_b_c_d_e-18446744073709551615");
    store_file_name(text(""), 5, name);
    assert_string_equal(name, "broker-5");
}

static bool there(const char *folder, const char *name)
{
    char path[512];
    struct stat info;

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return stat(path, &info) == 0;
}

static void a_file_is_partial_until_its_end(void **state)
{
    struct store s = {.fd = -1};
    int dir = open(*state, O_RDONLY | O_DIRECTORY);

    assert_true(store_begin(&s, dir, text("ann"), 1));
    assert_true(store_write(&s, text("bytes")));
    assert_true(there(*state, "ann-1.partial"));
    assert_false(there(*state, "ann-1"));
    assert_true(store_end(&s));
    assert_true(there(*state, "ann-1"));
    assert_false(there(*state, "ann-1.partial"));
    (void)close(dir);
}

static void a_broken_file_stays_partial(void **state)
{
    struct store s = {.fd = -1};
    int dir = open(*state, O_RDONLY | O_DIRECTORY);

    assert_true(store_begin(&s, dir, text("ann"), 2));
    store_abandon(&s);
    store_abandon(&s);
    assert_true(there(*state, "ann-2.partial"));
    assert_false(there(*state, "ann-2"));
    (void)close(dir);
}

static void no_file_is_written_over(void **state)
{
    int dir = open(*state, O_RDONLY | O_DIRECTORY);

    for (int i = 0; i < 3; i++) {
        struct store s = {.fd = -1}, broken = {.fd = -1};

        assert_true(store_begin(&s, dir, text("ann"), 7));
        assert_true(store_end(&s));
        assert_true(store_begin(&broken, dir, text("ann"), 7));
        store_abandon(&broken);
    }
    assert_true(there(*state, "ann-7"));
    assert_true(there(*state, "ann-7.1"));
    assert_true(there(*state, "ann-7.2"));
    assert_true(there(*state, "ann-7.partial"));
    assert_true(there(*state, "ann-7.1.partial"));
    assert_true(there(*state, "ann-7.2.partial"));
    (void)close(dir);
}

static void a_link_put_in_the_way_is_not_followed(void **state)
{
    struct store s = {.fd = -1};
    int dir = open(*state, O_RDONLY | O_DIRECTORY);
    char outside[128];

    (void)snprintf(outside, sizeof(outside), "%s/outside", (char *)*state);
    assert_int_equal(symlinkat(outside, dir, "eve-1.partial"), 0);
    assert_true(store_begin(&s, dir, text("eve"), 1));
    assert_string_equal(s.partial, "eve-1.1.partial");
    store_abandon(&s);
    assert_false(there(*state, "outside"));
    (void)close(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(commands_are_taken_with_options_before_and_behind),
        QMS_TEST(wrong_command_lines_are_told_what_is_wrong),
        QMS_TEST(priorities_are_names_or_numbers),
        QMS_TEST(every_kind_of_target_is_known),
        QMS_TEST(file_names_cannot_leave_the_folder),
        QMS_TEST(a_file_is_partial_until_its_end),
        QMS_TEST(a_broken_file_stays_partial),
        QMS_TEST(no_file_is_written_over),
        QMS_TEST(a_link_put_in_the_way_is_not_followed),
    };
    return cmocka_run_group_tests_name("client_agent", tests, NULL, NULL);
}
