/* SPDX-License-Identifier: MIT */
/* Which pages may open sessions. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "link/origin.h"
#include "qms_test.h"

static struct qms_bytes bytes(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}

static bool allowed(const struct qms_server_conf *s, const char *authority, const char *origin,
                    bool loopback)
{
    return qms_origin_allowed(s, bytes(authority), bytes(origin), loopback);
}

static void foreign_pages_are_denied_by_default(void **state)
{
    static const struct qms_server_conf s = {.server_name = "broker.example"};

    (void)state;
    assert_false(allowed(&s, "broker.example:4433", "https://evil.example", true));
    assert_false(allowed(&s, "broker.example:4433", "null", true));
    assert_false(allowed(&s, "broker.example:4433", "file://", true));
    assert_true(allowed(&s, "broker.example:4433", "https://broker.example:4433", false));
    assert_true(allowed(&s, "broker.example:443", "https://broker.example", false));
    assert_false(allowed(&s, "broker.example:4433", "https://broker.example", false));
    assert_false(allowed(&s, "broker.example:4433", "http://broker.example:4433", false));
    assert_true(allowed(&s, "broker.example:4433", "", false)); /* no browser */
}

static void self_does_not_stand_for_a_foreign_name_that_points_here(void **state)
{
    static const struct qms_server_conf s = {.server_name = "broker.example"};

    (void)state;
    assert_false(allowed(&s, "evil.example:4433", "https://evil.example:4433", true));
    assert_true(allowed(&s, "192.0.2.1:4433", "https://192.0.2.1:4433", false));
    assert_true(allowed(&s, "[2001:db8::1]:4433", "https://[2001:db8::1]:4433", false));
}

static void pages_of_this_machine_count_on_loopback_only(void **state)
{
    static const struct qms_server_conf s;
    static const char *const pages[] = {"http://127.0.0.1:8080", "http://localhost",
                                        "https://localhost:1234", "http://[::1]:8080"};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_true(allowed(&s, "127.0.0.1:4433", pages[i], true));
        assert_false(allowed(&s, "192.0.2.1:4433", pages[i], false));
    }
    assert_false(allowed(&s, "127.0.0.1:4433", "http://localhost.evil.example", true));
    assert_false(allowed(&s, "127.0.0.1:4433", "http://127.0.0.1.evil.example", true));
}

static void the_list_replaces_the_default(void **state)
{
    static const char *const list[] = {"https://app.example"}, *const any[] = {"*"},
                             *const with_self[] = {"https://app.example", "self"};
    static const struct qms_server_conf s = {.allowed_origins = list,
                                             .allowed_origin_count = 1};
    static const struct qms_server_conf all = {.allowed_origins = any,
                                               .allowed_origin_count = 1};
    static const struct qms_server_conf both = {.allowed_origins = with_self,
                                                .allowed_origin_count = 2};

    (void)state;
    assert_true(allowed(&s, "127.0.0.1:1", "https://app.example", true));
    assert_false(allowed(&s, "127.0.0.1:1", "https://app.example.org", true));
    assert_false(allowed(&s, "127.0.0.1:1", "https://app.exampl", true));
    assert_false(allowed(&s, "127.0.0.1:1", "http://localhost", true));
    assert_true(allowed(&all, "127.0.0.1:1", "https://evil.example", false));
    assert_true(allowed(&both, "127.0.0.1:1", "http://localhost", true));
    assert_true(allowed(&both, "127.0.0.1:1", "https://app.example", false));
}

static void loopback_addresses_are_known(void **state)
{
    static const struct {
        const char *text;
        bool loopback;
    } cases[] = {{"127.0.0.1", true},  {"127.9.9.9", true},        {"128.0.0.1", false},
                 {"::1", true},        {"::ffff:127.0.0.1", true}, {"::ffff:10.0.0.1", false},
                 {"2001:db8::", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sockaddr_storage ss = {0};
        struct sockaddr_in *in = (struct sockaddr_in *)&ss;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
        ss.ss_family = AF_INET;
        if (inet_pton(AF_INET, cases[i].text, &in->sin_addr) != 1) {
            ss.ss_family = AF_INET6;
            assert_int_equal(inet_pton(AF_INET6, cases[i].text, &in6->sin6_addr), 1);
        }
        assert_int_equal(qms_address_is_loopback((struct sockaddr *)&ss), cases[i].loopback);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_pages_are_denied_by_default),
        cmocka_unit_test(self_does_not_stand_for_a_foreign_name_that_points_here),
        cmocka_unit_test(pages_of_this_machine_count_on_loopback_only),
        cmocka_unit_test(the_list_replaces_the_default),
        cmocka_unit_test(loopback_addresses_are_known),
    };
    return cmocka_run_group_tests_name("broker_origin", tests, NULL, NULL);
}
