/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "core/conf/lex.h"
#include "core/conf/value.h"
#include "qms_test.h"

struct fixture {
    struct qms_arena *arena;
    struct qms_lex lex;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->arena = qms_arena_new();
    assert_non_null(f->arena);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    qms_arena_free(f->arena);
    free(f);
    return 0;
}

static void text_is(struct fixture *f, const char *text)
{
    qms_lex_init(&f->lex, (struct qms_bytes){(const uint8_t *)text, strlen(text)}, f->arena);
}

static void expect(struct fixture *f, enum qms_lex_kind kind, unsigned line, const char *text)
{
    struct qms_lex_token t = qms_lex_next(&f->lex);
    assert_int_equal(t.kind, kind);
    assert_int_equal(t.line, line);
    if (text != NULL) {
        assert_string_equal(t.text, text);
    }
}

static void words_end_at_white_space_semicolons_and_braces(void **state)
{
    struct fixture *f = *state;
    text_is(f, "quic{a b;\n}\n");
    expect(f, QMS_LEX_WORD, 1, "quic");
    expect(f, QMS_LEX_OPEN, 1, NULL);
    expect(f, QMS_LEX_WORD, 1, "a");
    expect(f, QMS_LEX_WORD, 1, "b");
    expect(f, QMS_LEX_SEMICOLON, 1, NULL);
    expect(f, QMS_LEX_CLOSE, 2, NULL);
    expect(f, QMS_LEX_END, 3, NULL);
    expect(f, QMS_LEX_END, 3, NULL);
}

static void comments_begin_only_where_a_word_could(void **state)
{
    struct fixture *f = *state;
    text_is(f, "# one ; {\na#b #c\nd");
    expect(f, QMS_LEX_WORD, 2, "a#b");
    expect(f, QMS_LEX_WORD, 3, "d");
    expect(f, QMS_LEX_END, 3, NULL);
}

static void quotes_keep_everything_but_escapes(void **state)
{
    struct fixture *f = *state;
    text_is(f, "\"a ; {\\\"}\" 'it is \"so\"\\n' \"\" c\\d \"two\nlines\" e");
    expect(f, QMS_LEX_WORD, 1, "a ; {\"}");
    expect(f, QMS_LEX_WORD, 1, "it is \"so\"\n");
    expect(f, QMS_LEX_WORD, 1, "");
    expect(f, QMS_LEX_WORD, 1, "c\\d");
    expect(f, QMS_LEX_WORD, 1, "two\nlines");
    expect(f, QMS_LEX_WORD, 2, "e");
}

static void an_open_quote_is_told_at_its_line(void **state)
{
    struct fixture *f = *state;
    text_is(f, "a\n \"b\nc");
    expect(f, QMS_LEX_WORD, 1, "a");
    expect(f, QMS_LEX_ERROR, 2, "The quote that opens here is not closed.");
    expect(f, QMS_LEX_END, 3, NULL);
}

static void text_glued_to_a_closing_quote_is_an_error(void **state)
{
    struct fixture *f = *state;
    text_is(f, "\"a\"b;");
    expect(f, QMS_LEX_ERROR, 1, "White space or \";\" is missing behind a closing quote.");
    text_is(f, "'a';");
    expect(f, QMS_LEX_WORD, 1, "a");
    expect(f, QMS_LEX_SEMICOLON, 1, NULL);
}

static void nul_bytes_and_endless_words_are_errors(void **state)
{
    struct fixture *f = *state;
    qms_lex_init(&f->lex, (struct qms_bytes){(const uint8_t *)"a\0b", 3}, f->arena);
    expect(f, QMS_LEX_ERROR, 1, "The text contains a NUL byte.");

    static char longest[QMS_LEX_WORD_MAX + 2];
    memset(longest, 'x', QMS_LEX_WORD_MAX);
    text_is(f, longest);
    expect(f, QMS_LEX_WORD, 1, longest);
    longest[QMS_LEX_WORD_MAX] = 'x';
    text_is(f, longest);
    expect(f, QMS_LEX_ERROR, 1, "A word is longer than 4096 bytes; is a quote missing?");
}

static void sizes_take_one_unit_and_must_fit(void **state)
{
    uint64_t v = 0;
    (void)state;

    assert_int_equal(qms_conf_size("0", &v), QMS_OK);
    assert_int_equal(v, 0);
    assert_int_equal(qms_conf_size("64k", &v), QMS_OK);
    assert_int_equal(v, 65536);
    assert_int_equal(qms_conf_size("4M", &v), QMS_OK);
    assert_int_equal(v, 4 << 20);
    assert_int_equal(qms_conf_size("3g", &v), QMS_OK);
    assert_true(v == (uint64_t)3 << 30);
    assert_int_equal(qms_conf_size("18446744073709551615", &v), QMS_OK);
    assert_true(v == UINT64_MAX);
    assert_int_equal(qms_conf_size("18446744073709551616", &v), QMS_E_LIMIT);
    assert_int_equal(qms_conf_size("17179869184g", &v), QMS_E_LIMIT);
    const char *const bad[] = {"", "k", "-1", "1kb", "1 k", "1.5m", "0x10", "1t", "+1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(qms_conf_size(bad[i], &v), QMS_E_INVALID);
    }
}

static void times_add_up_from_large_to_small(void **state)
{
    uint64_t v = 0;
    (void)state;

    assert_int_equal(qms_conf_time("7", &v), QMS_OK);
    assert_true(v == 7 * QMS_SECOND);
    assert_int_equal(qms_conf_time("250ms", &v), QMS_OK);
    assert_true(v == 250 * QMS_MILLISECOND);
    assert_int_equal(qms_conf_time("1h30m", &v), QMS_OK);
    assert_true(v == 5400 * QMS_SECOND);
    assert_int_equal(qms_conf_time("1d2h3m4s5ms", &v), QMS_OK);
    assert_true(v == 93784 * QMS_SECOND + 5 * QMS_MILLISECOND);
    assert_int_equal(qms_conf_time("1000000d", &v), QMS_E_LIMIT);
    const char *const bad[] = {"", "s", "5 s", "30m1h", "1h1h", "5x", "1h5", "-5s", "1.5s"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(qms_conf_time(bad[i], &v), QMS_E_INVALID);
    }
}

static void values_are_shown_in_the_largest_unit_that_divides_them(void **state)
{
    char buf[32];
    (void)state;

    assert_string_equal(qms_conf_value_text(QMS_D_SIZE, 65536, buf, sizeof(buf)), "64k");
    assert_string_equal(qms_conf_value_text(QMS_D_SIZE, 65537, buf, sizeof(buf)), "65537");
    assert_string_equal(qms_conf_value_text(QMS_D_TIME, 90 * QMS_SECOND, buf, sizeof(buf)),
                        "90s");
    assert_string_equal(qms_conf_value_text(QMS_D_TIME, 7200 * QMS_SECOND, buf, sizeof(buf)),
                        "2h");
    assert_string_equal(qms_conf_value_text(QMS_D_TIME, 0, buf, sizeof(buf)), "0");
    assert_string_equal(qms_conf_value_text(QMS_D_NUMBER, 65536, buf, sizeof(buf)), "65536");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(words_end_at_white_space_semicolons_and_braces),
        QMS_TEST(comments_begin_only_where_a_word_could),
        QMS_TEST(quotes_keep_everything_but_escapes),
        QMS_TEST(an_open_quote_is_told_at_its_line),
        QMS_TEST(text_glued_to_a_closing_quote_is_an_error),
        QMS_TEST(nul_bytes_and_endless_words_are_errors),
        QMS_TEST(sizes_take_one_unit_and_must_fit),
        QMS_TEST(times_add_up_from_large_to_small),
        QMS_TEST(values_are_shown_in_the_largest_unit_that_divides_them),
    };
    return cmocka_run_group_tests_name("core_lex", tests, NULL, NULL);
}
