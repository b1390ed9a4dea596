/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "qms_test.h"
#include "quic/crowd.h"

#define MAX 64 /* half of it 32, a share 4 */

static uint16_t counter_of(const struct qms_crowd *c, const char *text)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        return qms_crowd_counter(c, (struct sockaddr *)&in);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
    return qms_crowd_counter(c, (struct sockaddr *)&in6);
}

/* As many as get in, `at_most`. */
static size_t come(struct qms_crowd *c, uint16_t counter, size_t at_most)
{
    size_t in = 0;

    while (in < at_most && qms_crowd_has_room(c, counter, MAX)) {
        qms_crowd_enter(c, counter);
        in++;
    }
    return in;
}

static void one_host_does_not_take_every_place(void **state)
{
    struct qms_crowd c = {.seed = "a secret of ours"};
    uint16_t one = counter_of(&c, "192.0.2.1"), other = counter_of(&c, "192.0.2.2");

    (void)state;
    assert_int_not_equal(one, other);
    assert_int_equal(come(&c, one, MAX), MAX / 2);
    assert_int_equal(come(&c, other, MAX), 4);
    assert_int_equal(come(&c, counter_of(&c, "2001:db8::1"), MAX), 4);
    assert_int_equal(come(&c, one, MAX), 0);
}

static void a_few_from_everywhere_fill_it(void **state)
{
    struct qms_crowd c = {.seed = "a secret of ours"};
    size_t in = 0;

    (void)state;
    for (int i = 1; i < 255; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "192.0.2.%d", i);
        in += come(&c, counter_of(&c, text), 1);
    }
    assert_int_equal(in, MAX);
    assert_int_equal(c.total, MAX);
}

static void places_come_back(void **state)
{
    struct qms_crowd c = {.seed = "a secret of ours"};
    uint16_t one = counter_of(&c, "192.0.2.1");

    (void)state;
    assert_int_equal(come(&c, one, MAX), MAX / 2);
    for (int i = 0; i < MAX / 2; i++) {
        qms_crowd_leave(&c, one);
    }
    assert_int_equal(c.total, 0);
    assert_int_equal(come(&c, one, MAX), MAX / 2);
}

static void addresses_of_one_ipv6_network_are_one(void **state)
{
    struct qms_crowd c = {.seed = "a secret of ours"};

    (void)state;
    assert_int_equal(counter_of(&c, "2001:db8::1"), counter_of(&c, "2001:db8::ffff:1"));
    assert_int_not_equal(counter_of(&c, "2001:db8::1"), counter_of(&c, "2001:db8:0:1::1"));
}

static void the_smallest_limit_lets_one_in(void **state)
{
    struct qms_crowd c = {.seed = "a secret of ours"};

    (void)state;
    assert_false(qms_crowd_has_room(&c, 0, 0));
    assert_true(qms_crowd_has_room(&c, 0, 1));
    qms_crowd_enter(&c, 0);
    assert_false(qms_crowd_has_room(&c, 0, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_host_does_not_take_every_place),
        cmocka_unit_test(a_few_from_everywhere_fill_it),
        cmocka_unit_test(places_come_back),
        cmocka_unit_test(addresses_of_one_ipv6_network_are_one),
        cmocka_unit_test(the_smallest_limit_lets_one_in),
    };
    return cmocka_run_group_tests_name("quic_crowd", tests, NULL, NULL);
}
