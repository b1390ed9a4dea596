/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "link/location.h"
#include "qms_test.h"

static struct qms_location locations[] = {
    {.path = "/app", .root_fd = 11},
    {.path = "/", .root_fd = 10},
    {.path = "/quicms", .root_fd = -1, .webtransport = 1, .max_sessions_per_connection = 1},
    {.path = "/app/deep/", .root_fd = 12},
    {.path = "/app/live", .root_fd = 13, .webtransport = 1, .max_sessions_per_connection = 4},
};
static const struct qms_server_conf server = {.locations = locations, .location_count = 5};
static const struct qms_server_conf rootless = {.locations = &locations[2],
                                                .location_count = 1};

static struct qms_bytes bytes(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}

static void the_longest_location_with_a_root_wins(void **state)
{
    (void)state;
    assert_int_equal(qms_location_root(&server, bytes("/")), 10);
    assert_int_equal(qms_location_root(&server, bytes("/x")), 10);
    assert_int_equal(qms_location_root(&server, bytes("/ap")), 10);
    assert_int_equal(qms_location_root(&server, bytes("/app")), 11);
    assert_int_equal(qms_location_root(&server, bytes("/app/x.js")), 11);
    assert_int_equal(qms_location_root(&server, bytes("/app/deep")), 11);
    assert_int_equal(qms_location_root(&server, bytes("/app/deep/x")), 12);
    assert_int_equal(qms_location_root(&server, bytes("/app/live")), 13);
    assert_int_equal(qms_location_root(&server, bytes("")), -1);
}

static void a_location_of_sessions_alone_hides_no_files(void **state)
{
    (void)state;
    assert_int_equal(qms_location_root(&server, bytes("/quicms-demo.js")), 10);
    assert_int_equal(qms_location_root(&rootless, bytes("/quicms")), -1);
}

static void escapes_do_not_lead_elsewhere(void **state)
{
    (void)state;
    assert_int_equal(qms_location_root(&server, bytes("/%61pp/x")), 11);
    assert_int_equal(qms_location_root(&server, bytes("/app%2Fdeep%2fx")), 12);
    assert_int_equal(qms_location_root(&server, bytes("/%6")), 10);
    assert_int_equal(qms_location_root(&server, bytes("/%zzpp")), 10);
}

static void sessions_are_had_at_the_exact_path(void **state)
{
    (void)state;
    assert_ptr_equal(qms_location_of_sessions(&server, bytes("/quicms")), &locations[2]);
    assert_ptr_equal(qms_location_of_sessions(&server, bytes("/app/live")), &locations[4]);
    assert_null(qms_location_of_sessions(&server, bytes("/app")));
    assert_null(qms_location_of_sessions(&server, bytes("/quicms/")));
    assert_null(qms_location_of_sessions(&server, bytes("/quicm")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_location_with_a_root_wins),
        cmocka_unit_test(a_location_of_sessions_alone_hides_no_files),
        cmocka_unit_test(escapes_do_not_lead_elsewhere),
        cmocka_unit_test(sessions_are_had_at_the_exact_path),
    };
    return cmocka_run_group_tests_name("link_location", tests, NULL, NULL);
}
