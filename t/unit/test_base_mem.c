/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include <quicms/error.h>

#include "qms_test.h"

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

static void exactly_the_chosen_allocation_fails(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 4; n++) {
        qms_mem_fail_after(n);
        for (uint64_t i = 0; i < 6; i++) {
            void *p = i % 2 == 0 ? qms_calloc(1, 8) : qms_realloc(NULL, 8);
            assert_int_equal(p == NULL, i == n);
            qms_free(p);
        }
    }
}

static void calloc_refuses_a_product_that_overflows(void **state)
{
    volatile size_t huge = SIZE_MAX / 2;

    (void)state;
    assert_null(qms_calloc(huge, 4));
}

static void empty_allocation_is_not_null(void **state)
{
    (void)state;
    void *a = qms_calloc(0, 8), *b = qms_realloc(NULL, 0);
    assert_non_null(a);
    assert_non_null(b);
    qms_free(a);
    qms_free(b);
    qms_free(NULL);
}

static void failed_realloc_keeps_the_old_block(void **state)
{
    (void)state;
    char *p = qms_strndup("kept", 4);
    qms_mem_fail_after(0);
    assert_null(qms_realloc(p, 100));
    assert_string_equal(p, "kept");
    qms_free(p);
}

static void strndup_stops_at_the_length_and_at_nul(void **state)
{
    (void)state;
    char *a = qms_strndup("abcdef", 3), *b = qms_strndup("ab\0cd", 5);
    assert_string_equal(a, "abc");
    assert_string_equal(b, "ab");
    qms_free(a);
    qms_free(b);
    qms_mem_fail_after(0);
    assert_null(qms_strndup("x", 1));
}

static void memzero_clears_exactly_the_range(void **state)
{
    char s[8] = "1234567";

    (void)state;
    qms_memzero(s + 1, 3);
    assert_memory_equal(s,
                        "1\0\0\0"
                        "567",
                        8);
}

static void equality_sees_a_difference_at_every_place(void **state)
{
    uint8_t a[40] = {0}, b[40] = {0};

    (void)state;
    assert_true(qms_memeq_ct(a, b, sizeof(a)));
    assert_true(qms_memeq_ct(a, b, 0));
    for (size_t i = 0; i < sizeof(a); i++) {
        b[i] = 0x80;
        assert_false(qms_memeq_ct(a, b, sizeof(a)));
        assert_true(qms_memeq_ct(a, b, i));
        b[i] = 0;
    }
}

static void randomness_fills_the_whole_range(void **state)
{
    uint8_t a[1000] = {0}, b[1000] = {0};

    (void)state;
    qms_random(a, sizeof(a));
    qms_random(b, sizeof(b) - 1);
    assert_int_equal(b[999], 0);
    /* A block of 20 that stayed zero or came twice has a chance of 2^-160. */
    for (size_t i = 0; i + 20 < sizeof(a); i += 20) {
        assert_memory_not_equal(a + i, b + i, 20);
        assert_memory_not_equal(a + i, a + i + 20, 20);
    }
}

static void every_error_has_a_label_and_a_sentence(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= QMS_E_EXISTS; i++) {
        const char *text = qms_strerror((qms_err)i);
        assert_string_not_equal(qms_err_name((qms_err)i), "unknown");
        assert_int_equal(text[strlen(text) - 1], '.');
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(qms_err_name((qms_err)i), qms_err_name((qms_err)j));
        }
    }
    assert_string_equal(qms_err_name((qms_err)255), "unknown");
    assert_true(qms_err_by_peer(QMS_E_PROTOCOL));
    assert_false(qms_err_by_peer(QMS_E_NOMEM));
}

static void wire_code_and_error_translate_both_ways(void **state)
{
    (void)state;
    assert_int_equal(qms_err_from_code(0), QMS_OK);
    assert_int_equal(qms_err_from_code(QMS_CODE_OFFLINE), QMS_E_WIRE_OFFLINE);
    assert_int_equal(qms_err_from_code(0x100), QMS_E_WIRE_CANCELLED);
    assert_int_equal(qms_err_from_code(UINT64_MAX), QMS_E_WIRE_CANCELLED);
    assert_string_equal(qms_err_name(qms_err_from_code(QMS_CODE_OFFLINE)), "offline");
    assert_string_equal(qms_code_name(0), "ok");
    assert_string_equal(qms_code_name(QMS_CODE_TOO_EARLY), "too_early");
    assert_string_equal(qms_code_name(0x7f), "unknown");
    assert_string_equal(qms_code_name(0x80), "application");
    assert_string_equal(qms_code_name(0xff), "application");
    assert_string_equal(qms_code_name(0x100), "unknown");
}

/* A sentence for people, a label for machines, and somebody who is at fault or nobody. */
static void check_error(qms_err err)
{
    const char *name = qms_err_name(err), *text = qms_strerror(err);
    size_t len = strlen(text);

    assert_string_not_equal(name, "unknown");
    assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), strlen(name));
    assert_true(len > 8 && len < 80 && text[len - 1] == '.');
    assert_true(text[0] >= 'A' && text[0] <= 'Z');
    assert_true(strlen(qms_err_who_name(err)) > 3);
    assert_int_equal(qms_err_by_peer(err), strcmp(qms_err_who_name(err), "peer") == 0);
}

static void each_error_has_name_sentence_and_culprit(void **state)
{
    static const qms_err local[] = {
#define ERR(code, num, name, text, who) code,
        QMS_ERR_TABLE(ERR)
#undef ERR
    };
    static const qms_err codes[] = {
#define ERR(name, num, label, text, who) (qms_err)(QMS_E_WIRE + (num)),
        QMS_CODE_TABLE(ERR)
#undef ERR
    };

    (void)state;
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
        check_error(local[i]);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(local[i], local[k]);
            assert_string_not_equal(qms_err_name(local[i]), qms_err_name(local[k]));
        }
    }
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        check_error(codes[i]);
    }
    check_error((qms_err)(QMS_E_WIRE_APPLICATION));
    assert_int_equal(qms_err_who(QMS_E_CONFIG), QMS_WHO_OPERATOR);
    assert_int_equal(qms_err_who(QMS_E_CONNECT), QMS_WHO_NETWORK);
    assert_int_equal(qms_err_who((qms_err)(QMS_E_WIRE_OFFLINE)), QMS_WHO_PEER);
    assert_string_equal(qms_err_name((qms_err)9999), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(exactly_the_chosen_allocation_fails),
        QMS_TEST(calloc_refuses_a_product_that_overflows),
        QMS_TEST(empty_allocation_is_not_null),
        QMS_TEST(failed_realloc_keeps_the_old_block),
        QMS_TEST(strndup_stops_at_the_length_and_at_nul),
        QMS_TEST(memzero_clears_exactly_the_range),
        QMS_TEST(equality_sees_a_difference_at_every_place),
        QMS_TEST(randomness_fills_the_whole_range),
        QMS_TEST(every_error_has_a_label_and_a_sentence),
        QMS_TEST(each_error_has_name_sentence_and_culprit),
        QMS_TEST(wire_code_and_error_translate_both_ways),
    };
    return cmocka_run_group_tests_name("base_mem", tests, NULL, NULL);
}
