/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "qms_test.h"
#include "session_duo.h"

static int setup(void **state)
{
    (void)state;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    qms_mem_fail_after(UINT64_MAX);
    return 0;
}

/* A turn that ends whatever happened, unlike duo_settle. */
static void some_turns(struct duo *d, size_t chunk)
{
    for (int i = 0; i < 400; i++) {
        bool moved = fake_link_pump(d->pair, chunk);
        struct duo_side *sides[] = {&d->a, &d->b};
        for (int k = 0; k < 2; k++) {
            struct qms_session *s = sides[k]->s;
            if (s != NULL && qms_session_next_at(s) <= fake_link_now(d->pair)) {
                qms_session_expire(s, fake_link_now(d->pair));
                moved = true;
            }
        }
        if (!moved) {
            return;
        }
    }
}

/* Every feature once.  Whether each step worked is not asked: the allocation that fails may be
 * any of them. */
static void exchange(struct duo *d, size_t chunk)
{
    struct qms_session_stream *st[4] = {0};
    struct qms_control m = {.type = QMS_MSG_WELCOME};
    struct qms_control ping = {.type = QMS_MSG_PING};
    qms_err err = duo_hello(d);

    st[0] = err == QMS_OK ? duo_open(&d->a, true, "early", 3) : NULL;
    some_turns(d, chunk); /* the route is held */
    m.u.welcome.agent_id = duo_text("a1");
    err = d->b.s != NULL ? qms_session_welcome(d->b.s, &m) : QMS_E_CLOSED;
    some_turns(d, chunk);
    for (int i = 1; i < 4 && d->a.s != NULL; i++) {
        d->b.rejects = i == 3 ? QMS_CODE_BUSY : 0;
        st[i] = duo_open(&d->a, i != 2, "b", (uint8_t)i);
        if (st[i] != NULL) {
            err = duo_write(st[i], "payload");
            err = qms_session_set_priority(st[i], 3, 200, 100);
            qms_session_finish(st[i]);
        }
        err = qms_session_send(d->a.s, &ping);
        some_turns(d, chunk);
    }
    for (int i = 0; i < 3 && d->a.s != NULL && d->b.s != NULL; i++) {
        err = qms_session_datagram(d->a.s, QMS_KIND_AGENT, duo_text("b"), 1, duo_text("x"));
        err = qms_session_datagram(d->b.s, QMS_KIND_AGENT, duo_text("c"), 1, duo_text("y"));
        some_turns(d, chunk);
    }
    fake_link_advance(d->pair, 6 * QMS_SECOND);
    some_turns(d, chunk);
    (void)err;
}

/* Fails the n-th allocation of an exchange; false when there were not so many. */
static bool fail_at(uint64_t n, size_t chunk)
{
    struct duo d;

    qms_blob_trim();
    qms_mem_fail_after(n);
    bool made = duo_init(&d, NULL, NULL);
    if (made) {
        d.b.holds_hello = d.b.echoes = true;
        exchange(&d, chunk);
    }
    void *probe = qms_calloc(1, 1); /* fails now if it has not failed before */
    qms_mem_fail_after(UINT64_MAX);
    bool reached = probe != NULL;
    qms_free(probe);

    if (made && d.a.s != NULL) {
        qms_session_close(d.a.s, 0, "done");
        some_turns(&d, 0);
        assert_true(d.a.ended);
        assert_true(d.b.ended);
    }
    duo_fini(&d);
    assert_int_equal(qms_blob_total(), 0);
    return reached;
}

static uint64_t walk(size_t chunk)
{
    uint64_t n = 0;
    while (n < 5000 && fail_at(n, chunk)) {
        n++;
    }
    return n;
}

static void any_allocation_may_fail_and_nothing_leaks(void **state)
{
    (void)state;
    uint64_t n = walk(0);
    assert_in_range(n, 50, 4999);
}

static void any_allocation_may_fail_with_one_byte_at_a_time(void **state)
{
    (void)state;
    uint64_t n = walk(1);
    assert_in_range(n, 50, 4999);
}

static void without_a_failure_the_exchange_does_everything(void **state)
{
    struct duo d;

    (void)state;
    assert_true(duo_init(&d, NULL, NULL));
    d.b.holds_hello = d.b.echoes = true;
    exchange(&d, 0);
    assert_int_equal(d.b.routes, 4);
    assert_int_equal(d.a.accepted, 2);
    assert_int_equal(d.a.refused, 1);
    assert_false(d.a.ended);
    assert_false(d.b.ended);
    assert_int_equal(d.a.oddities + d.b.oddities, 0);
    duo_fini(&d);
}

static void a_call_that_fails_for_memory_works_when_it_is_repeated(void **state)
{
    struct qms_route_header h = {.kind = QMS_KIND_SELF};
    struct qms_session_stream *st = NULL;
    struct duo d;

    (void)state;
    for (uint64_t n = 0;; n++) {
        duo_connect(&d, NULL);
        qms_mem_fail_after(n);
        qms_err err = qms_session_open(d.a.s, true, &h, NULL, &st);
        qms_mem_fail_after(UINT64_MAX);
        if (err == QMS_OK) {
            duo_fini(&d);
            assert_in_range(n, 2, 20);
            return;
        }
        assert_int_equal(err, QMS_E_NOMEM);
        assert_int_equal(qms_session_open(d.a.s, true, &h, NULL, &st), QMS_OK);
        assert_int_equal(st->handle, 0);
        duo_settle(&d);
        assert_int_equal(d.b.routes, 1);
        assert_int_equal(d.a.accepted, 1);
        duo_fini(&d);
    }
}

static void a_hello_that_fails_for_memory_works_when_it_is_repeated(void **state)
{
    struct duo d;

    (void)state;
    for (uint64_t n = 0;; n++) {
        assert_true(duo_init(&d, NULL, NULL));
        qms_mem_fail_after(n);
        qms_err err = duo_hello(&d);
        qms_mem_fail_after(UINT64_MAX);
        if (err == QMS_OK) {
            duo_fini(&d);
            assert_in_range(n, 2, 20);
            return;
        }
        assert_int_equal(err, QMS_E_NOMEM);
        assert_int_equal(duo_hello(&d), QMS_OK);
        duo_settle(&d);
        assert_string_equal(duo_take(&d.a), "welcome a1\n");
        duo_fini(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(any_allocation_may_fail_and_nothing_leaks),
        QMS_TEST(any_allocation_may_fail_with_one_byte_at_a_time),
        QMS_TEST(without_a_failure_the_exchange_does_everything),
        QMS_TEST(a_call_that_fails_for_memory_works_when_it_is_repeated),
        QMS_TEST(a_hello_that_fails_for_memory_works_when_it_is_repeated),
    };
    return cmocka_run_group_tests_name("session_memory", tests, NULL, NULL);
}
