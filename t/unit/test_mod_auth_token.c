/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/glob.h"
#include "base/mem.h"
#include "modules/auth_token/token_file.h"
#include "qms_test.h"

extern const struct qms_module qms_module_auth_token;

#define M (&qms_module_auth_token)

/* SHA-256 of "test" and of "other". */
#define TEST  "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define OTHER "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"

static const char *file_text;
static size_t file_len;
static char diag_text[512];
static struct qms_bytes id_now;

/* ---- the core's part of the interface ---- */

qms_err qms_conf_read_file(struct qms_diag *diag, const char *path, struct qms_bytes *out)
{
    (void)diag;
    assert_string_equal(path, "/etc/tokens");
    *out = (struct qms_bytes){(const uint8_t *)file_text, file_len};
    return QMS_OK;
}

void qms_diag_error(struct qms_diag *diag, const char *format, ...)
{
    va_list ap;

    (void)diag;
    va_start(ap, format);
    vsnprintf(diag_text, sizeof(diag_text), format, ap);
    va_end(ap);
}

struct qms_bytes qms_peer_id(const struct qms_peer *peer)
{
    (void)peer;
    return id_now;
}

/* ---- */

struct fixture {
    uint64_t conf[8], peer[8];
    struct qms_grant grant;
    struct qms_refusal why;
};

static struct qms_bytes bytes(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}

static qms_err load_bytes(struct fixture *f, const char *text, size_t len)
{
    const char *path = "/etc/tokens";

    M->conf_free(f->conf);
    memset(f->conf, 0, sizeof(f->conf));
    memcpy((char *)f->conf + M->directives[0].offset, &path, sizeof(path));
    file_text = text;
    file_len = len;
    diag_text[0] = '\0';
    return M->conf_load(f->conf, NULL);
}

static qms_err load(struct fixture *f, const char *text)
{
    return load_bytes(f, text, strlen(text));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_true(M->conf_size <= sizeof(f->conf) && M->peer_size <= sizeof(f->peer));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    M->conf_free(f->conf);
    free(f);
    return 0;
}

static enum qms_verdict hello(struct fixture *f, const char *id, const char *token)
{
    struct qms_credential cred = {.scheme = 1, .bytes = bytes(token), .agent_id = bytes(id)};

    f->grant = (struct qms_grant){0};
    f->why = (struct qms_refusal){0};
    return M->on_hello(f->peer, f->conf, NULL, &cred, 0, &f->grant, &f->why);
}

static void sha256_gives_the_published_digests(void **state)
{
    static const struct {
        const char *text, *hex;
    } known[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"test", TEST},
        {"other", OTHER},
    };
    uint8_t out[QMS_SHA256_LEN];
    char hex[2 * QMS_SHA256_LEN + 1], *million = malloc(1000000);

    (void)state;
    for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
        qms_sha256(bytes(known[k].text), out);
        for (size_t i = 0; i < sizeof(out); i++) {
            snprintf(hex + 2 * i, 3, "%02x", out[i]);
        }
        assert_string_equal(hex, known[k].hex);
    }
    assert_non_null(million);
    memset(million, 'a', 1000000);
    qms_sha256((struct qms_bytes){(const uint8_t *)million, 1000000}, out);
    assert_int_equal(out[0], 0xcd);
    assert_int_equal(out[31], 0xd0);
    free(million);
}

static void good_token_is_accepted_with_its_scopes(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load(f, "# comment\n\nalice " TEST " - read,write # tail\r\n"), QMS_OK);
    assert_int_equal(hello(f, "alice", "test"), QMS_ACCEPT);
    assert_string_equal(f->grant.scopes, "read write");
    assert_int_equal(f->grant.expires_at, 0);
    assert_int_equal(hello(f, "alice", "Test"), QMS_REJECT);
    assert_string_equal(f->why.label, "unknown_token");
    assert_int_equal(hello(f, "alice", ""), QMS_REJECT);
}

static void other_schemes_are_left_to_others(void **state)
{
    struct fixture *f = *state;
    struct qms_credential none = {0}, jwt = {.scheme = 2,
                                             .bytes = bytes("test"),
                                             .agent_id = bytes("alice")};

    assert_int_equal(load(f, "alice " TEST " - -\n"), QMS_OK);
    assert_int_equal(M->on_hello(f->peer, f->conf, NULL, &jwt, 0, &f->grant, &f->why),
                     QMS_PASS);
    assert_int_equal(M->on_hello(f->peer, f->conf, NULL, &none, 0, &f->grant, &f->why),
                     QMS_PASS);
}

static void the_token_of_another_agent_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load(f, "alice " TEST " - -\nbob " OTHER " - -"), QMS_OK);
    assert_int_equal(hello(f, "bob", "test"), QMS_REJECT);
    assert_string_equal(f->why.label, "wrong_agent");
    assert_int_equal(hello(f, "bob", "other"), QMS_ACCEPT);
}

static void expired_tokens_are_told_apart_and_a_later_line_may_save_them(void **state)
{
    struct fixture *f = *state;
    char text[512];
    int64_t soon = qms_clock_wall() + 1000;

    assert_int_equal(load(f, "alice " TEST " 1000 -\n"), QMS_OK);
    assert_int_equal(hello(f, "alice", "test"), QMS_REJECT);
    assert_string_equal(f->why.label, "expired");
    snprintf(text, sizeof(text), "alice " TEST " 1000 old\n* " TEST " %lld new\n",
             (long long)soon);
    assert_int_equal(load(f, text), QMS_OK);
    assert_int_equal(hello(f, "alice", "test"), QMS_ACCEPT);
    assert_string_equal(f->grant.scopes, "new");
    assert_int_equal(f->grant.expires_at, soon);
}

static void an_agent_without_an_id_gets_the_one_of_its_line(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load(f, "alice " TEST " - -\ns-* " OTHER " - -\n"), QMS_OK);
    assert_int_equal(hello(f, "", "test"), QMS_ACCEPT);
    assert_int_equal(f->grant.agent_id.len, 5);
    assert_int_equal(hello(f, "", "other"), QMS_REJECT);
    assert_int_equal(load(f, "* " TEST " - -\n"), QMS_OK);
    assert_int_equal(hello(f, "", "test"), QMS_ACCEPT);
    assert_int_equal(f->grant.agent_id.len, 0);
}

static void patterns_match_runs_of_characters(void **state)
{
    static const struct {
        const char *pattern, *id;
        bool match;
    } cases[] = {
        {"a", "a", true},          {"a", "b", false},          {"a", "aa", false},
        {"*", "", true},           {"*", "anything", true},    {"a*", "a", true},
        {"a*", "ab", true},        {"a*", "ba", false},        {"*a", "bba", true},
        {"*a", "ab", false},       {"a*b*c", "a-b-b-c", true}, {"a*b*c", "acb", false},
        {"**", "x", true},         {"a*b", "aXbYb", true},     {"a*bb", "abab", false},
        {"*ab*ab", "abXab", true}, {"*ab*ab", "aab", false},   {"ab", "a", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(qms_glob_match(cases[i].pattern, bytes(cases[i].id)), cases[i].match);
    }
}

static void times_are_read_as_written(void **state)
{
    static const struct {
        const char *text;
        int64_t at;
    } good[] = {
        {"1", 1},
        {"1700000000", 1700000000},
        {"1970-01-02", 86400},
        {"2000-03-01", 951868800},
        {"2024-02-29T12:34:56Z", 1709210096},
        {"2024-02-29T12:34:56", 1709210096},
        {"2024-02-29T13:34:56+01:00", 1709210096},
        {"2024-02-29T07:04:56-05:30", 1709210096},
        {"9999-12-31T23:59:59Z", 253402300799},
    };
    static const char *const bad[] = {
        "",
        "-1",
        "0",
        "2023-02-29",
        "2024-13-01",
        "2024-00-10",
        "2024-1-1",
        "2024-01-32",
        "1969-12-31",
        "2024-01-01T",
        "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z",
        "2024-01-01T00:00:60Z",
        "2024-01-01T00:00Z",
        "2024-01-01T00:00:00+1",
        "2024-01-01T00:00:00Zx",
        "2024-01-01 00:00:00",
        "99999999999999999999",
        "12x",
        "tomorrow",
        "2024-01-01T00:00:00+25:00",
        "253402300800",
    };
    int64_t at;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(qms_token_time(good[i].text, &at));
        assert_int_equal(at, good[i].at);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(qms_token_time(bad[i], &at));
    }
}

static void every_bad_line_is_refused_with_its_place(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "alice",
        "alice " TEST,
        "alice " TEST " -",
        "alice " TEST " - - more",
        "alice secret-token - -",
        "alice " TEST "0 - -",
        "alice 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a0g - -",
        "alice " TEST " soon -",
        "alice " TEST " - ,",
        "alice " TEST " - a,",
        "alice " TEST " - a,,b",
        "alice " TEST " - a;b",
        "al!ce " TEST " - -",
        "al\x80"
        "ce " TEST " - -",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa " TEST " - -",
    };
    char text[1024];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(text, sizeof(text), "bob " OTHER " - -\n\n%s\nbob " OTHER " - -\n", bad[i]);
        assert_int_equal(load(f, text), QMS_E_CONFIG);
        assert_memory_equal(diag_text, "/etc/tokens:3: ", 15);
        assert_int_equal(diag_text[strlen(diag_text) - 1], '.');
        /* The secret that was put where its hash belongs is not repeated. */
        assert_null(strstr(diag_text, "secret-token"));
        /* Nothing is half loaded. */
        assert_int_equal(hello(f, "bob", "other"), QMS_REJECT);
    }
}

static void files_of_odd_shapes_are_read(void **state)
{
    struct fixture *f = *state;
    static const char nul[] = "alice " TEST " - -\n\0bob " OTHER " - -\n";

    assert_int_equal(load(f, ""), QMS_OK);
    assert_int_equal(load(f, "\n\n\n#only\n   \t\r\n"), QMS_OK);
    assert_int_equal(hello(f, "alice", "test"), QMS_REJECT);
    assert_int_equal(load(f, "\t alice\t" TEST "\t-\t-"), QMS_OK);
    assert_int_equal(hello(f, "alice", "test"), QMS_ACCEPT);
    assert_int_equal(load_bytes(f, nul, sizeof(nul) - 1), QMS_E_CONFIG);

    size_t lines = 20000;
    char *big = malloc(lines * 90 + 100), *p = big;
    assert_non_null(big);
    for (size_t i = 0; i < lines; i++) {
        p += snprintf(p, 100, "a%zu " OTHER " - -\n", i);
    }
    memcpy(p, "last " TEST " - -", sizeof("last " TEST " - -"));
    assert_int_equal(load(f, big), QMS_OK);
    assert_int_equal(hello(f, "last", "test"), QMS_ACCEPT);
    free(big);
}

static void a_reload_withdraws_prolongs_and_shortens(void **state)
{
    struct fixture *f = *state;

    id_now = bytes("alice");
    assert_int_equal(load(f, "alice " TEST " - a\n"), QMS_OK);
    assert_int_equal(M->on_reload(f->peer, f->conf, NULL, 0, &f->grant, &f->why), QMS_PASS);
    assert_int_equal(hello(f, "alice", "test"), QMS_ACCEPT);

    f->grant = (struct qms_grant){0};
    assert_int_equal(load(f, "a* " TEST " 253402300799 a,b\n"), QMS_OK);
    assert_int_equal(M->on_reload(f->peer, f->conf, NULL, 0, &f->grant, &f->why), QMS_PASS);
    assert_string_equal(f->grant.scopes, "a b");
    assert_int_equal(f->grant.expires_at, 253402300799);

    assert_int_equal(load(f, "alice " TEST " 1000 a\n"), QMS_OK);
    assert_int_equal(M->on_reload(f->peer, f->conf, NULL, 0, &f->grant, &f->why), QMS_REJECT);
    assert_int_equal(f->why.code, QMS_CODE_EXPIRED);

    assert_int_equal(load(f, "bob " TEST " - -\n"), QMS_OK);
    assert_int_equal(M->on_reload(f->peer, f->conf, NULL, 0, &f->grant, &f->why), QMS_REJECT);
    assert_int_equal(f->why.code, QMS_CODE_UNAUTHENTICATED);
    assert_string_equal(f->why.label, "withdrawn");
}

static void a_failed_hello_does_not_change_what_the_peer_came_with(void **state)
{
    struct fixture *f = *state;

    id_now = bytes("alice");
    assert_int_equal(load(f, "alice " TEST " - -\n"), QMS_OK);
    assert_int_equal(hello(f, "alice", "test"), QMS_ACCEPT);
    assert_int_equal(hello(f, "alice", "wrong"), QMS_REJECT);
    assert_int_equal(M->on_reload(f->peer, f->conf, NULL, 0, &f->grant, &f->why), QMS_PASS);
}

static void loading_survives_a_lack_of_memory(void **state)
{
    struct fixture *f = *state;

    for (uint64_t n = 0; n < 2; n++) {
        qms_mem_fail_after(n);
        assert_int_equal(load(f, "alice " TEST " - -\n"), QMS_E_NOMEM);
    }
    qms_mem_fail_after(UINT64_MAX);
    assert_int_equal(load(f, "alice " TEST " - -\n"), QMS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(sha256_gives_the_published_digests),
        QMS_TEST(good_token_is_accepted_with_its_scopes),
        QMS_TEST(other_schemes_are_left_to_others),
        QMS_TEST(the_token_of_another_agent_is_refused),
        QMS_TEST(expired_tokens_are_told_apart_and_a_later_line_may_save_them),
        QMS_TEST(an_agent_without_an_id_gets_the_one_of_its_line),
        QMS_TEST(patterns_match_runs_of_characters),
        QMS_TEST(times_are_read_as_written),
        QMS_TEST(every_bad_line_is_refused_with_its_place),
        QMS_TEST(files_of_odd_shapes_are_read),
        QMS_TEST(a_reload_withdraws_prolongs_and_shortens),
        QMS_TEST(a_failed_hello_does_not_change_what_the_peer_came_with),
        QMS_TEST(loading_survives_a_lack_of_memory),
    };
    return cmocka_run_group_tests_name("mod_auth_token", tests, NULL, NULL);
}
