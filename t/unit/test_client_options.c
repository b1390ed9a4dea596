/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "client/settings.h"
#include "qms_test.h"

#define PIN "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"

static int setup(void **state)
{
    *state = qms_options_new();
    return *state == NULL;
}

static int teardown(void **state)
{
    qms_options_free(*state);
    return 0;
}

static void strings_are_copied_and_replaced(void **state)
{
    struct qms_options *o = *state;
    char token[] = "first";

    assert_int_equal(qms_options_set_token(o, token), QMS_OK);
    token[0] = 'X';
    assert_string_equal(o->token, "first");
    assert_int_equal(qms_options_set_token(o, "second"), QMS_OK);
    assert_string_equal(o->token, "second");
    assert_int_equal(qms_options_set_token(o, NULL), QMS_OK);
    assert_null(o->token);
    assert_int_equal(qms_options_set_agent_id(o, "a/b@c"), QMS_OK);
    assert_int_equal(qms_options_set_agent_id(o, "a b"), QMS_E_INVALID);
    assert_string_equal(o->agent_id, "a/b@c");
    assert_int_equal(qms_options_set_agent_id(o, ""), QMS_OK);
    assert_null(o->agent_id);
}

static void a_token_over_its_limit_is_refused(void **state)
{
    char token[8194];

    memset(token, 't', sizeof(token));
    token[8193] = '\0';
    assert_int_equal(qms_options_set_token(*state, token), QMS_E_TOO_LARGE);
    token[8192] = '\0';
    assert_int_equal(qms_options_set_token(*state, token), QMS_OK);
}

static void pins_are_64_hex_digits_with_or_without_colons(void **state)
{
    struct qms_options *o = *state;

    assert_int_equal(qms_options_add_certificate_pin(o, PIN), QMS_OK);
    for (unsigned i = 0; i < 32; i++) {
        assert_int_equal(o->pins[0][i], i);
    }
    assert_int_equal(
        qms_options_add_certificate_pin(o, "00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:"
                                           "10:11:12:13:14:15:16:17:18:19:1a:1b:1c:1d:1e:1f"),
        QMS_OK);
    assert_memory_equal(o->pins[0], o->pins[1], 32);
    assert_int_equal(qms_options_add_certificate_pin(o, NULL), QMS_E_INVALID);
    assert_int_equal(qms_options_add_certificate_pin(o, ""), QMS_E_INVALID);
    assert_int_equal(qms_options_add_certificate_pin(o, PIN "00"), QMS_E_INVALID);
    assert_int_equal(qms_options_add_certificate_pin(o, ":" PIN), QMS_E_INVALID);
    assert_int_equal(qms_options_add_certificate_pin(o, "zz" PIN), QMS_E_INVALID);
    while (o->pin_count < QMS_PINS_MAX) {
        assert_int_equal(qms_options_add_certificate_pin(o, PIN), QMS_OK);
    }
    assert_int_equal(qms_options_add_certificate_pin(o, PIN), QMS_E_LIMIT);
}

static void numbers_outside_their_range_are_refused_and_change_nothing(void **state)
{
    struct qms_options *o = *state, before = *o;

    assert_int_equal(qms_options_set_max_streams(o, 0, 1), QMS_E_INVALID);
    assert_int_equal(qms_options_set_max_streams(o, 1, 65537), QMS_E_INVALID);
    assert_int_equal(qms_options_set_idle_timeout(o, QMS_SECOND - 1), QMS_E_INVALID);
    assert_int_equal(qms_options_set_idle_timeout(o, 3601 * QMS_SECOND), QMS_E_INVALID);
    assert_int_equal(qms_options_set_keep_alive(o, 1), QMS_E_INVALID);
    assert_int_equal(qms_options_set_connect_timeout(o, 0), QMS_E_INVALID);
    assert_int_equal(qms_options_set_congestion_control(o, "fast"), QMS_E_INVALID);
    assert_int_equal(qms_options_set_congestion_control(o, NULL), QMS_E_INVALID);
    assert_int_equal(qms_options_set_max_udp_payload(o, 1199), QMS_E_INVALID);
    assert_int_equal(qms_options_set_max_udp_payload(o, 65001), QMS_E_INVALID);
    assert_int_equal(qms_options_set_receive_window(o, 65535, 1 << 20), QMS_E_INVALID);
    assert_int_equal(qms_options_set_receive_window(o, 1 << 20, 65536), QMS_E_INVALID);
    assert_int_equal(qms_options_set_send_buffer(o, 4095), QMS_E_INVALID);
    assert_int_equal(qms_options_set_client_certificate(o, "cert.pem", NULL), QMS_E_INVALID);
    assert_memory_equal(o, &before, sizeof(before));
}

static void numbers_inside_their_range_are_kept(void **state)
{
    struct qms_options *o = *state;

    assert_int_equal(qms_options_set_max_streams(o, 5, 65536), QMS_OK);
    assert_int_equal(qms_options_set_idle_timeout(o, QMS_SECOND), QMS_OK);
    assert_int_equal(qms_options_set_keep_alive(o, 0), QMS_OK);
    assert_int_equal(qms_options_set_connect_timeout(o, 10 * QMS_MILLISECOND), QMS_OK);
    assert_int_equal(qms_options_set_congestion_control(o, "bbr"), QMS_OK);
    assert_int_equal(qms_options_set_max_udp_payload(o, 65000), QMS_OK);
    assert_int_equal(qms_options_set_receive_window(o, 65536, 65536), QMS_OK);
    assert_int_equal(qms_options_set_send_buffer(o, 4096), QMS_OK);
    assert_int_equal(o->max_streams_bidi, 5);
    assert_int_equal(o->max_streams_uni, 65536);
    assert_int_equal(o->keep_alive_for, 0);
    assert_int_equal(o->congestion, QMS_CC_NAME_BBR);
    assert_int_equal(o->max_udp_payload, 65000);
    assert_int_equal(o->send_buffer, 4096);
}

static void free_loaded(void *loaded)
{
    ++*(int *)loaded;
}

static void loaded_trust_is_dropped_when_what_it_came_from_changes(void **state)
{
    struct qms_options *o = *state;
    int freed = 0;
    qms_err (*const setters[])(struct qms_options *, const char *) = {
        qms_options_set_ca_file, qms_options_set_keylog_file};

    for (int i = 0; i < 5; i++) {
        o->trust = qms_calloc(1, sizeof(*o->trust));
        assert_non_null(o->trust);
        *o->trust = (struct qms_trust){.refs = 1, .loaded = &freed, .free = free_loaded};
        if (i < 2) {
            assert_int_equal(setters[i](o, "/tmp/x"), QMS_OK);
        } else if (i == 2) {
            assert_int_equal(qms_options_add_certificate_pin(o, PIN), QMS_OK);
        } else if (i == 3) {
            qms_options_set_insecure(o, true);
        } else {
            assert_int_equal(qms_options_set_client_certificate(o, "c", "k"), QMS_OK);
        }
        assert_null(o->trust);
        assert_int_equal(freed, i + 1);
    }
}

static void a_failed_allocation_leaves_the_option_as_it_was(void **state)
{
    struct qms_options *o = *state;

    assert_int_equal(qms_options_set_token(o, "old"), QMS_OK);
    qms_mem_fail_after(0);
    assert_int_equal(qms_options_set_token(o, "new"), QMS_E_NOMEM);
    assert_string_equal(o->token, "old");
    for (uint64_t n = 0; n < 2; n++) {
        qms_mem_fail_after(n);
        assert_int_equal(qms_options_set_client_certificate(o, "c", "k"), QMS_E_NOMEM);
        assert_null(o->cert_file);
    }
    qms_mem_fail_after(UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(strings_are_copied_and_replaced),
        QMS_TEST(a_token_over_its_limit_is_refused),
        QMS_TEST(pins_are_64_hex_digits_with_or_without_colons),
        QMS_TEST(numbers_outside_their_range_are_refused_and_change_nothing),
        QMS_TEST(numbers_inside_their_range_are_kept),
        QMS_TEST(loaded_trust_is_dropped_when_what_it_came_from_changes),
        QMS_TEST(a_failed_allocation_leaves_the_option_as_it_was),
    };
    return cmocka_run_group_tests_name("client_options", tests, NULL, NULL);
}
