/* SPDX-License-Identifier: MIT */
/* What is remembered of answers, and questions that several wait for. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "modules/auth_request/cache.h"
#include "modules/auth_request/inquiry.h"
#include "qms_test.h"

/* ---- the cache ---- */

#define ONE_SET 8

/* Memory of a zone, and two workers that have it. */
struct world {
    void *memory;
    size_t size;
    struct qms_answer_cache a, b;
};

static void begin(struct world *w, size_t answers)
{
    w->size = qms_answer_cache_size(answers);
    w->memory = mmap(NULL, w->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(w->memory, MAP_FAILED);
    qms_answer_cache_open(&w->a, w->memory, w->size);
    qms_answer_cache_open(&w->b, w->memory, w->size);
}

static void end(struct world *w)
{
    (void)munmap(w->memory, w->size);
}

static const uint8_t *key(unsigned n)
{
    static _Thread_local uint8_t k[QMS_ANSWER_KEY_LEN];

    memset(k, 0, sizeof(k));
    memcpy(k, &n, sizeof(n));
    return k;
}

/* An answer that says all over whose it is. */
static struct qms_answer answer(unsigned n)
{
    struct qms_answer a = {.kind = QMS_ANSWER_YES, .agent_len = 4, .expires_at = n};

    memset(a.scopes, (int)('a' + n % 26), sizeof(a.scopes) - 1);
    memcpy(a.agent, &n, sizeof(n));
    a.limits.bytes.per_second = n;
    return a;
}

static bool knows(const struct qms_answer_cache *c, unsigned n, qms_time now)
{
    struct qms_answer a, wanted = answer(n);

    if (!qms_answer_cache_find(c, key(n), now, &a)) {
        return false;
    }
    assert_memory_equal(&a, &wanted, sizeof(a));
    return true;
}

static void put(const struct qms_answer_cache *c, unsigned n, qms_time until)
{
    struct qms_answer a = answer(n);
    qms_answer_cache_put(c, key(n), &a, until);
}

static void what_one_worker_was_told_the_others_know(void **state)
{
    struct world w;

    (void)state;
    begin(&w, 100);
    put(&w.a, 1, 100);
    qms_answer_cache_open(&w.b, w.memory, w.size); /* a reload, another worker */
    assert_true(knows(&w.b, 1, 99));
    assert_false(knows(&w.b, 2, 99));
    assert_false(knows(&w.a, 1, 100));
    put(&w.b, 1, 200); /* the newer one holds */
    assert_true(knows(&w.a, 1, 150));
    struct qms_answer no = {.kind = QMS_ANSWER_NO}, found;
    qms_answer_cache_put(&w.a, key(1), &no, 170);
    assert_true(qms_answer_cache_find(&w.b, key(1), 150, &found));
    assert_int_equal(found.kind, QMS_ANSWER_NO);
    assert_false(qms_answer_cache_find(&w.b, key(1), 170, &found));
    end(&w);
}

static void the_cache_is_bounded(void **state)
{
    struct world w;

    (void)state;
    begin(&w, ONE_SET);
    for (unsigned n = 1; n <= ONE_SET; n++) {
        put(&w.a, n, 100 + n);
    }
    put(&w.a, 50, 110); /* the one that is over first makes room */
    assert_false(knows(&w.b, 1, 0));
    for (unsigned n = 2; n <= ONE_SET; n++) {
        assert_true(knows(&w.b, n, 0));
    }
    assert_true(knows(&w.b, 50, 0));
    end(&w);
}

static void without_memory_nothing_is_remembered(void **state)
{
    struct qms_answer_cache c;

    (void)state;
    assert_int_equal(qms_answer_cache_size(0), 0);
    assert_int_equal(qms_answer_cache_size(1), qms_answer_cache_size(ONE_SET));
    qms_answer_cache_open(&c, NULL, 0);
    put(&c, 1, 100);
    assert_false(knows(&c, 1, 0));
}

static bool has(const struct world *w, const void *bytes, size_t len)
{
    return memmem(w->memory, w->size, bytes, len) != NULL;
}

/* Neither the digest nor anything that is the same in the memory of another broker. */
static void the_digest_of_a_question_is_not_in_the_memory(void **state)
{
    struct world w, other;
    uint8_t digest[QMS_ANSWER_KEY_LEN];
    struct qms_answer a = answer(7);

    (void)state;
    for (unsigned i = 0; i < sizeof(digest); i++) {
        digest[i] = (uint8_t)(i * 37 + 11);
    }
    begin(&w, ONE_SET);
    begin(&other, ONE_SET);
    qms_answer_cache_put(&w.a, digest, &a, 100);
    qms_answer_cache_put(&other.a, digest, &a, 100);
    assert_true(has(&w, a.agent, a.agent_len));
    for (size_t i = 0; i + 8 <= sizeof(digest); i++) {
        assert_false(has(&w, digest + i, 8));
    }
    size_t alike = 0;
    for (size_t i = 0; i + 8 <= w.size; i += 8) {
        uint64_t one, two;
        memcpy(&one, (uint8_t *)w.memory + i, 8);
        memcpy(&two, (uint8_t *)other.memory + i, 8);
        alike += one == two && one != 0;
    }
    /* The answer and its instant, no more; of a struct of so many bytes. */
    assert_true(alike <= sizeof(a) / 8 + 1);
    end(&w);
    end(&other);
}

static void an_entry_that_is_not_whole_is_none(void **state)
{
    struct world w;

    (void)state;
    begin(&w, ONE_SET);
    put(&w.a, 3, 100);
    uint8_t *at = memmem(w.memory, w.size, "dddddddd", 8);
    assert_non_null(at);
    assert_true(knows(&w.a, 3, 0));
    at[500] ^= 1; /* of the scopes */
    assert_false(knows(&w.a, 3, 0));
    assert_false(knows(&w.b, 3, 0));
    put(&w.b, 3, 100); /* and its place is good for another */
    assert_true(knows(&w.a, 3, 0));
    end(&w);
}

struct hammer {
    pthread_t thread;
    struct qms_answer_cache cache;
    unsigned seed;
    bool mixed; /* it has read the half of one entry and the half of another */
};

/* Writes one entry over and over, and reads what the others wrote. */
static void *hammer(void *arg)
{
    struct hammer *h = arg;

    for (unsigned i = 0; i < 10000; i++) {
        struct qms_answer a = answer((h->seed * 7919 + i) % 26), found;
        qms_answer_cache_put(&h->cache, key(1), &a, 100);
        if (qms_answer_cache_find(&h->cache, key(1), 0, &found)) {
            a = answer((unsigned)found.expires_at);
            h->mixed = h->mixed || memcmp(&a, &found, sizeof(a)) != 0;
        }
    }
    return NULL;
}

static void workers_that_write_at_once_never_read_a_mixture(void **state)
{
    struct world w;
    struct hammer h[3];

    (void)state;
    begin(&w, ONE_SET);
    for (unsigned i = 0; i < 3; i++) {
        h[i] = (struct hammer){.cache = w.a, .seed = i + 1};
        assert_int_equal(pthread_create(&h[i].thread, NULL, hammer, &h[i]), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(h[i].thread, NULL), 0);
        assert_false(h[i].mixed);
    }
    end(&w);
}

/* ---- questions that several wait for ---- */

/* The one question of the test, instead of the asker's. */
static struct {
    int asked, cancelled;
    bool fails;
    void (*done)(void *arg, enum qms_ask_end end, int status,
                 const struct qms_answer_header *headers, size_t count);
    void *arg;
} http;

struct qms_question *
__wrap_qms_ask(struct qms_asker *a, const struct qms_request_target *target,
               const struct qms_answer_header *headers, size_t count, qms_time timeout,
               qms_time now,
               void (*done)(void *arg, enum qms_ask_end end, int status,
                            const struct qms_answer_header *headers, size_t count),
               void *arg);
void __wrap_qms_question_cancel(struct qms_question *q);

struct qms_question *
__wrap_qms_ask(struct qms_asker *a, const struct qms_request_target *target,
               const struct qms_answer_header *headers, size_t count, qms_time timeout,
               qms_time now,
               void (*done)(void *arg, enum qms_ask_end end, int status,
                            const struct qms_answer_header *headers, size_t count),
               void *arg)
{
    (void)a, (void)target, (void)headers, (void)count, (void)timeout, (void)now;
    if (http.fails) {
        return NULL;
    }
    http.asked++;
    http.done = done;
    http.arg = arg;
    return (struct qms_question *)&http;
}

void __wrap_qms_question_cancel(struct qms_question *q)
{
    assert_ptr_equal(q, (struct qms_question *)&http);
    http.cancelled++;
}

struct waiter {
    struct qms_wait wait;
    int answers;
};

static void on_answer(struct qms_wait *w)
{
    ((struct waiter *)w)->answers++;
}

static struct qms_inquiries inquiries;

static int setup(void **state)
{
    (void)state;
    memset(&http, 0, sizeof(http));
    qms_inquiries_init(&inquiries);
    inquiries.asker = (struct qms_asker *)&http;
    return 0;
}

/* Nobody waits and nothing is under way any more. */
static int teardown(void **state)
{
    (void)state;
    return inquiries.waits == 0 && qms_list_empty(&inquiries.under_way) ? 0 : -1;
}

static bool waits(struct waiter *w, unsigned n, qms_time timeout)
{
    const struct qms_inquiry_text text = {.key = key(n), .timeout = timeout};

    *w = (struct waiter){.wait = {.on_answer = on_answer}};
    return qms_wait_begin(&inquiries, &w->wait, &text, 0);
}

static void the_same_question_is_asked_once_for_all_who_have_it(void **state)
{
    const struct qms_answer_header header = {"X-Quicms-Agent", "robot"};
    struct waiter w[3], other;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(waits(&w[i], 1, 5));
    }
    assert_int_equal(http.asked, 1);
    http.done(http.arg, QMS_ASK_ANSWERED, 200, &header, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(w[i].answers, 1);
        assert_null(w[i].wait.inquiry);
        assert_int_equal(w[i].wait.answer.kind, QMS_ANSWER_YES);
        assert_memory_equal(w[i].wait.answer.agent, "robot", 5);
        qms_wait_end(&w[i].wait);
    }
    assert_int_equal(http.cancelled, 0);
    /* Once it is answered the next one asks anew. */
    assert_true(waits(&other, 1, 5));
    assert_int_equal(http.asked, 2);
    http.done(http.arg, QMS_ASK_TIMEOUT, 0, NULL, 0);
    assert_true(other.wait.timeout);
    assert_int_equal(other.wait.answer.kind, QMS_ANSWER_FAILED);
}

static void other_questions_are_others(void **state)
{
    struct waiter a, b, c;

    (void)state;
    assert_true(waits(&a, 1, 5) && waits(&b, 2, 5));
    assert_true(waits(&c, 1, 6)); /* with more patience */
    assert_int_equal(http.asked, 3);
    qms_wait_end(&a.wait);
    qms_wait_end(&b.wait);
    qms_wait_end(&c.wait);
}

static void the_last_who_leaves_ends_the_question(void **state)
{
    struct waiter a, b;

    (void)state;
    assert_true(waits(&a, 1, 5) && waits(&b, 1, 5));
    qms_wait_end(&a.wait);
    qms_wait_end(&a.wait); /* once is enough */
    assert_int_equal(http.cancelled, 0);
    qms_wait_end(&b.wait);
    assert_int_equal(http.cancelled, 1);
    assert_int_equal(a.answers + b.answers, 0);
}

static void who_waits_is_bounded(void **state)
{
    struct waiter *w = calloc(QMS_WAITS_MAX, sizeof(*w)), more;

    (void)state;
    assert_non_null(w);
    for (int i = 0; i < QMS_WAITS_MAX; i++) {
        assert_true(waits(&w[i], 1, 5));
    }
    assert_false(waits(&more, 1, 5));
    assert_false(waits(&more, 2, 5));
    for (int i = 0; i < QMS_WAITS_MAX; i++) {
        qms_wait_end(&w[i].wait);
    }
    http.fails = true; /* too many questions */
    assert_false(waits(&more, 1, 5));
    http.fails = false;
    qms_mem_fail_after(0);
    assert_false(waits(&more, 1, 5));
    qms_mem_fail_after(UINT64_MAX);
    inquiries.asker = NULL;
    assert_false(waits(&more, 1, 5));
    assert_int_equal(http.asked, 1);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_worker_was_told_the_others_know),
        cmocka_unit_test(the_cache_is_bounded),
        cmocka_unit_test(without_memory_nothing_is_remembered),
        cmocka_unit_test(the_digest_of_a_question_is_not_in_the_memory),
        cmocka_unit_test(an_entry_that_is_not_whole_is_none),
        cmocka_unit_test(workers_that_write_at_once_never_read_a_mixture),
        QMS_TEST(the_same_question_is_asked_once_for_all_who_have_it),
        QMS_TEST(other_questions_are_others),
        QMS_TEST(the_last_who_leaves_ends_the_question),
        QMS_TEST(who_waits_is_bounded),
    };
    return cmocka_run_group_tests_name("mod_auth_request_cache", tests, NULL, NULL);
}
