/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "core/shared/backoff.h"
#include "qms_test.h"

#define SIZE 65536

static void *memory;
static const struct qms_backoff_rule rule = {3, 60 * QMS_SECOND};
static qms_time now;

static int setup(void **state)
{
    (void)state;
    now = 5000 * QMS_SECOND;
    memory = aligned_alloc(64, SIZE);
    assert_non_null(memory);
    memset(memory, 0, SIZE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage ss = {0};

    if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&ss)->sin_addr) == 1) {
        ss.ss_family = AF_INET;
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&ss)->sin6_addr),
                         1);
        ss.ss_family = AF_INET6;
    }
    return ss;
}

static void fails(const char *from)
{
    struct sockaddr_storage ss = address(from);

    qms_backoff_note(memory, SIZE, &rule, &ss, now);
}

/* Whole seconds that an address has to wait, rounded. */
static uint64_t waits(const char *from)
{
    struct sockaddr_storage ss = address(from);
    qms_time until = qms_backoff_until(memory, SIZE, &rule, &ss, now);

    return until == 0 ? 0 : (until - now + QMS_SECOND / 2) / QMS_SECOND;
}

static void each_failure_beyond_the_free_ones_doubles_the_wait(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        fails("192.0.2.1");
        assert_int_equal(waits("192.0.2.1"), 0);
    }
    for (uint64_t wait = 1; wait <= 32; wait *= 2) {
        fails("192.0.2.1");
        assert_int_equal(waits("192.0.2.1"), wait);
        now += wait * QMS_SECOND;
        assert_int_equal(waits("192.0.2.1"), 0);
    }
    for (int i = 0; i < 300; i++) {
        fails("192.0.2.1");
        assert_int_equal(waits("192.0.2.1"), 60);
    }
    assert_int_equal(waits("192.0.2.2"), 0);
}

static void it_is_forgotten_after_a_quiet_time(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        fails("192.0.2.1");
    }
    now += 661 * QMS_SECOND;
    assert_int_equal(waits("192.0.2.1"), 0);
    fails("192.0.2.1");
    assert_int_equal(waits("192.0.2.1"), 0);
}

static void ipv6_counts_by_its_first_half_and_mapped_addresses_are_ipv4(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        fails("2001:db8::1");
        fails("::ffff:192.0.2.9");
    }
    assert_int_equal(waits("2001:db8::ffff"), 1);
    assert_int_equal(waits("2001:db8:0:1::1"), 0);
    assert_int_equal(waits("192.0.2.9"), 1);
}

static void without_memory_or_a_rule_nobody_waits(void **state)
{
    struct sockaddr_storage ss = address("192.0.2.1");
    const struct qms_backoff_rule off = {0, 60 * QMS_SECOND};

    (void)state;
    for (int i = 0; i < 10; i++) {
        qms_backoff_note(NULL, 0, &rule, &ss, now);
        qms_backoff_note(memory, SIZE, &off, &ss, now);
        qms_backoff_note(memory, SIZE, &rule, NULL, now);
    }
    assert_int_equal(qms_backoff_until(NULL, 0, &rule, &ss, now), 0);
    assert_int_equal(qms_backoff_until(memory, SIZE, &rule, &ss, now), 0);
    assert_int_equal(qms_backoff_until(memory, SIZE, &rule, NULL, now), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(each_failure_beyond_the_free_ones_doubles_the_wait),
        QMS_TEST(it_is_forgotten_after_a_quiet_time),
        QMS_TEST(ipv6_counts_by_its_first_half_and_mapped_addresses_are_ipv4),
        QMS_TEST(without_memory_or_a_rule_nobody_waits),
    };
    return cmocka_run_group_tests_name("core_backoff", tests, NULL, NULL);
}
