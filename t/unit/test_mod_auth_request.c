/* SPDX-License-Identifier: MIT */
/* The answer and the URL; the conversation itself is t/e2e/auth_request.test. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_diag.h"
#include "modules/auth_request/answer.h"
#include "modules/auth_request/target.h"
#include "qms_test.h"

/* ---- answers ---- */

static struct qms_answer read_one(int status, const char *name, const char *value)
{
    const struct qms_answer_header header = {name, value};
    struct qms_answer a;

    qms_answer_read(&a, status, &header, 1);
    return a;
}

static void only_success_lets_in(void **state)
{
    static const struct {
        int status;
        enum qms_answer_kind kind;
    } cases[] = {
        {200, QMS_ANSWER_YES},    {204, QMS_ANSWER_YES},    {299, QMS_ANSWER_YES},
        {401, QMS_ANSWER_NO},     {403, QMS_ANSWER_NO},     {0, QMS_ANSWER_FAILED},
        {100, QMS_ANSWER_FAILED}, {199, QMS_ANSWER_FAILED}, {300, QMS_ANSWER_FAILED},
        {404, QMS_ANSWER_FAILED}, {500, QMS_ANSWER_FAILED}, {-200, QMS_ANSWER_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(read_one(cases[i].status, "Server", "x").kind, cases[i].kind);
    }
    /* What a refusal says beside is not looked at. */
    assert_int_equal(read_one(403, "X-Quicms-Nonsense", "x").kind, QMS_ANSWER_NO);
    assert_int_equal(read_one(500, "X-Quicms-Agent", "a").agent_len, 0);
}

static void headers_are_what_is_granted(void **state)
{
    const struct qms_answer_header headers[] = {
        {"x-quicms-agent", "robot-7"},          {"Content-Type", "text/plain"},
        {"X-QUICMS-SCOPES", "  read   print "}, {"X-Quicms-Limit-Streams", "200/s burst=400"},
        {"X-Quicms-Limit-Bytes", "20m"},        {"X-Quicms-Limit-Datagrams", "5/s"},
        {"X-Quicms-Expires", "4102444800"},
    };
    struct qms_answer a;

    (void)state;
    qms_answer_read(&a, 200, headers, sizeof(headers) / sizeof(headers[0]));
    assert_int_equal(a.kind, QMS_ANSWER_YES);
    assert_int_equal(a.agent_len, 7);
    assert_memory_equal(a.agent, "robot-7", 7);
    assert_string_equal(a.scopes, "read print");
    assert_int_equal(a.limits.streams.per_second, 200);
    assert_int_equal(a.limits.streams.burst, 400);
    assert_int_equal(a.limits.bytes.per_second, 20u << 20);
    assert_int_equal(a.limits.bytes.burst, 0);
    assert_int_equal(a.limits.datagrams.per_second, 5);
    assert_int_equal(a.expires_at, 4102444800);
}

static void what_cannot_be_understood_is_no_licence(void **state)
{
    static const struct {
        const char *name, *value;
    } bad[] = {
        {"X-Quicms-Agent", ""},
        {"X-Quicms-Agent", "a b"},
        {"X-Quicms-Agent", "a\"b"},
        {"X-Quicms-Scopes", "a\tb"},
        {"X-Quicms-Scopes", "a\x80"},
        {"X-Quicms-Limit-Streams", ""},
        {"X-Quicms-Limit-Streams", "0/s"},
        {"X-Quicms-Limit-Streams", "5/h"},
        {"X-Quicms-Limit-Streams", "5/s burst=0"},
        {"X-Quicms-Limit-Streams", "5/s  burst=1"},
        {"X-Quicms-Limit-Streams", "5/s burst=5000m"},
        {"X-Quicms-Limit-Bytes", "99999999999999999999"},
        {"X-Quicms-Limit-Bytes", "-5"},
        {"X-Quicms-Limit-Byte", "5"},
        {"X-Quicms-Expires", "4102444800000"},
        {"X-Quicms-Expires", "tomorrow"},
        {"X-Quicms-Expires", "0"},
        {"X-Quicms-", "x"},
        {"X-Quicms-Limits", "x"},
    };
    const struct qms_answer_header twice[] = {{"X-Quicms-Agent", "a"}, {"x-quicms-agent", "a"}};
    char text[1200];
    struct qms_answer a;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        a = read_one(200, bad[i].name, bad[i].value);
        if (a.kind != QMS_ANSWER_BAD || a.agent_len != 0 || a.limits.streams.per_second != 0) {
            fail_msg("%s: %s", bad[i].name, bad[i].value);
        }
    }
    qms_answer_read(&a, 200, twice, 2);
    assert_int_equal(a.kind, QMS_ANSWER_BAD);
    memset(text, 'a', sizeof(text));
    text[129] = '\0';
    assert_int_equal(read_one(200, "X-Quicms-Agent", text).kind, QMS_ANSWER_BAD);
    text[129] = 'a';
    text[1100] = '\0';
    assert_int_equal(read_one(200, "X-Quicms-Scopes", text).kind, QMS_ANSWER_BAD);
}

/* ---- the URL ---- */

static void a_url_is_taken_apart(void **state)
{
    static const struct {
        const char *url, *host, *authority, *path;
        uint16_t port;
    } cases[] = {
        {"http://127.0.0.1:8080/check?a=b", "127.0.0.1", "127.0.0.1:8080", "/check?a=b", 8080},
        {"http://auth.example.org", "auth.example.org", "auth.example.org:80", "/", 80},
        {"http://[::1]:81/x", "::1", "[::1]:81", "/x", 81},
        {"http://h?q", "h", "h:80", "/?q", 80},
    };
    struct qms_request_target t;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(qms_request_target_parse(&t, cases[i].url, NULL), QMS_OK);
        assert_string_equal(t.host, cases[i].host);
        assert_string_equal(t.authority, cases[i].authority);
        assert_string_equal(t.path, cases[i].path);
        assert_int_equal(t.port, cases[i].port);
    }
}

static void a_bad_url_is_refused_with_a_reason(void **state)
{
    static const char *const bad[] = {
        "",
        "http:",
        "http://",
        "https://h/",
        "HTTP://h/",
        "http://:8/",
        "http://h:/",
        "http://h:x/",
        "http://h:65536/",
        "http://[::1/",
        "http://[]/",
        "http://h /x",
        "http://u@h/",
        "http://h/#f",
        "http://h:1x/",
        "http://[::1]x/",
    };
    struct qms_request_target t = {.port = 7};
    char text[900];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (qms_request_target_parse(&t, bad[i], NULL) != QMS_E_CONFIG) {
            fail_msg("%s", bad[i]);
        }
        assert_non_null(strstr(diag_text, "it takes off, or a URL like http://"));
    }
    memset(text, 'a', sizeof(text));
    memcpy(text, "http://h/", 9);
    text[800] = '\0';
    assert_int_equal(qms_request_target_parse(&t, text, NULL), QMS_E_CONFIG);
    memcpy(text, "http://", 7);
    memset(text + 7, 'h', 300);
    text[307] = '\0';
    assert_int_equal(qms_request_target_parse(&t, text, NULL), QMS_E_CONFIG);
    assert_int_equal(t.port, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_success_lets_in),
        cmocka_unit_test(headers_are_what_is_granted),
        cmocka_unit_test(what_cannot_be_understood_is_no_licence),
        cmocka_unit_test(a_url_is_taken_apart),
        cmocka_unit_test(a_bad_url_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests_name("mod_auth_request", tests, NULL, NULL);
}
