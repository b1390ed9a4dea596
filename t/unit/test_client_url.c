/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "client/resolve.h"
#include "client/url.h"
#include "qms_test.h"

static int setup(void **state)
{
    *state = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return 0;
}

static void expect(const char *text, const char *host, unsigned port)
{
    struct qms_url url;
    char error[QMS_URL_ERROR_MAX] = "";

    if (qms_url_parse(text, &url, error) != QMS_OK) {
        fail_msg("%s: %s", text, error);
    }
    assert_string_equal(url.host, host);
    assert_int_equal(url.port, port);
}

static void expect_error(const char *text, qms_err err, const char *words)
{
    struct qms_url url = {.port = 77};
    char error[QMS_URL_ERROR_MAX] = "";

    assert_int_equal(qms_url_parse(text, &url, error), err);
    assert_int_equal(url.port, 77);
    if (strstr(error, words) == NULL || error[strlen(error) - 1] != '.') {
        fail_msg("%s: %s", text, error);
    }
}

static void names_and_addresses_are_taken_apart(void **state)
{
    (void)state;
    expect("quic://localhost:4433", "localhost", 4433);
    expect("quic://127.0.0.1:1", "127.0.0.1", 1);
    expect("quic://broker-1.example.org:65535/", "broker-1.example.org", 65535);
    expect("quic://[::1]:4433", "::1", 4433);
    expect("quic://[fe80::1%eth0]:4433", "fe80::1%eth0", 4433);
}

static void wrong_urls_are_told_what_is_wrong(void **state)
{
    (void)state;
    expect_error("https://example.org/quicms", QMS_E_UNSUPPORTED, "use quic://");
    expect_error("example.org:4433", QMS_E_INVALID, "quic://HOST:PORT");
    expect_error("", QMS_E_INVALID, "quic://HOST:PORT");
    expect_error("QUIC://a:1", QMS_E_INVALID, "quic://HOST:PORT");
    expect_error("quic://:4433", QMS_E_INVALID, "no host");
    expect_error("quic://host", QMS_E_INVALID, "no port");
    expect_error("quic://host:", QMS_E_INVALID, "1 to 65535");
    expect_error("quic://host:0", QMS_E_INVALID, "1 to 65535");
    expect_error("quic://host:65536", QMS_E_INVALID, "1 to 65535");
    expect_error("quic://host:99999999999999999999", QMS_E_INVALID, "1 to 65535");
    expect_error("quic://host:44x", QMS_E_INVALID, "nothing may follow");
    expect_error("quic://host:44/path", QMS_E_INVALID, "nothing may follow");
    expect_error("quic://ho st:44", QMS_E_INVALID, "character");
    expect_error("quic://[::1:44", QMS_E_INVALID, "bracket");
    expect_error("quic://[]:44", QMS_E_INVALID, "no host");
    expect_error("quic://[1::2::3]:44", QMS_E_INVALID, "not an IPv6 address");
    expect_error("quic://user@host:44", QMS_E_INVALID, "no port");
}

static void a_host_name_over_its_limit_is_refused(void **state)
{
    char text[400] = "quic://";

    (void)state;
    memset(text + 7, 'a', 253);
    memcpy(text + 7 + 253, ":1", 3);
    struct qms_url url;
    char error[QMS_URL_ERROR_MAX];
    assert_int_equal(qms_url_parse(text, &url, error), QMS_OK);
    memset(text + 7, 'a', 254);
    memcpy(text + 7 + 254, ":1", 3);
    expect_error(text, QMS_E_INVALID, "253");
}

static void literal_addresses_need_no_name_server(void **state)
{
    struct qms_url url = {.host = "127.0.0.1", .port = 4433};
    struct qms_addresses found;

    (void)state;
    assert_true(qms_resolve_literal(&url, &found));
    assert_int_equal(found.count, 1);
    assert_int_equal(found.list[0].sa.ss_family, AF_INET);
    url = (struct qms_url){.host = "::1", .port = 4433, .ipv6 = true};
    assert_true(qms_resolve_literal(&url, &found));
    assert_int_equal(found.list[0].sa.ss_family, AF_INET6);
    url = (struct qms_url){.host = "localhost", .port = 4433};
    assert_false(qms_resolve_literal(&url, &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(names_and_addresses_are_taken_apart),
        QMS_TEST(wrong_urls_are_told_what_is_wrong),
        QMS_TEST(a_host_name_over_its_limit_is_refused),
        QMS_TEST(literal_addresses_need_no_name_server),
    };
    return cmocka_run_group_tests_name("client_url", tests, NULL, NULL);
}
