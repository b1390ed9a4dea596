/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <string.h>

#include "qms_test.h"
#include "quic/proven.h"

static union qms_sockaddr address(const char *text, uint16_t port)
{
    union qms_sockaddr a;

    memset(&a, 0, sizeof(a));
    if (inet_pton(AF_INET, text, &a.in.sin_addr) == 1) {
        a.in.sin_family = AF_INET;
        a.in.sin_port = htons(port);
    } else {
        assert_int_equal(inet_pton(AF_INET6, text, &a.in6.sin6_addr), 1);
        a.in6.sin6_family = AF_INET6;
        a.in6.sin6_port = htons(port);
    }
    return a;
}

static void prove(struct qms_proven *p, const char *text, uint16_t port)
{
    union qms_sockaddr a = address(text, port);

    qms_proven_add(p, &a.sa, a.sa.sa_family == AF_INET ? sizeof(a.in) : sizeof(a.in6));
}

static void counts_as(const struct qms_proven *p, const char *text, uint16_t port,
                      const char *wanted)
{
    union qms_sockaddr a = address(text, port);
    const union qms_sockaddr *got = (const union qms_sockaddr *)qms_proven_of(p, &a.sa);
    char buf[INET6_ADDRSTRLEN];

    assert_non_null(got);
    assert_non_null(inet_ntop(got->sa.sa_family,
                              got->sa.sa_family == AF_INET ? (const void *)&got->in.sin_addr
                                                           : (const void *)&got->in6.sin6_addr,
                              buf, sizeof(buf)));
    assert_string_equal(buf, wanted);
}

static void nothing_is_proven_at_first(void **state)
{
    struct qms_proven p = {0};
    union qms_sockaddr a = address("192.0.2.1", 1);

    (void)state;
    assert_null(qms_proven_of(&p, &a.sa));
}

static void an_unproven_address_counts_as_the_newest_proven_one(void **state)
{
    struct qms_proven p = {0};

    (void)state;
    prove(&p, "192.0.2.1", 1);
    counts_as(&p, "192.0.2.1", 1, "192.0.2.1");
    counts_as(&p, "192.0.2.9", 1, "192.0.2.1");
    counts_as(&p, "2001:db8::1", 1, "192.0.2.1");
    prove(&p, "2001:db8::1", 1);
    counts_as(&p, "192.0.2.9", 1, "2001:db8::1");
    /* Another port is another path. */
    counts_as(&p, "192.0.2.1", 2, "2001:db8::1");
}

static void going_back_needs_no_new_proof(void **state)
{
    struct qms_proven p = {0};

    (void)state;
    prove(&p, "192.0.2.1", 1);
    prove(&p, "192.0.2.2", 1);
    counts_as(&p, "192.0.2.1", 1, "192.0.2.1");
    prove(&p, "192.0.2.1", 1);
    counts_as(&p, "192.0.2.9", 1, "192.0.2.1");
}

static void only_the_newest_few_are_kept(void **state)
{
    struct qms_proven p = {0};

    (void)state;
    prove(&p, "192.0.2.1", 1);
    for (uint16_t port = 1; port <= QMS_PROVEN_MAX; port++) {
        prove(&p, "192.0.2.2", port);
    }
    counts_as(&p, "192.0.2.1", 1, "192.0.2.2");
    assert_int_equal(p.count, QMS_PROVEN_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_proven_at_first),
        cmocka_unit_test(an_unproven_address_counts_as_the_newest_proven_one),
        cmocka_unit_test(going_back_needs_no_new_proof),
        cmocka_unit_test(only_the_newest_few_are_kept),
    };
    return cmocka_run_group_tests_name("quic_proven", tests, NULL, NULL);
}
