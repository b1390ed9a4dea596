/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_diag.h"
#include "modules/validate/payload.h"
#include "qms_test.h"
#include <quicms/module.h>

extern const struct qms_module qms_module_validate;

#define M (&qms_module_validate)

static bool framed;
static const char *content_type;

bool qms_route_framed(const struct qms_route *route)
{
    (void)route;
    return framed;
}
struct qms_bytes qms_route_content_type(const struct qms_route *route)
{
    (void)route;
    return (struct qms_bytes){(const uint8_t *)content_type, strlen(content_type)};
}

/* The fault of a payload that comes in pieces of `step` bytes, "" when it has none. */
static const char *check(const struct qms_validate_rules *r, const void *data, size_t len,
                         size_t step)
{
    struct qms_payload_state s = {0};
    const char *fault = NULL;
    size_t at = 0;

    while (fault == NULL && at < len) {
        size_t n = len - at < step ? len - at : step;
        fault =
            qms_payload_check(&s, r, (struct qms_bytes){(const uint8_t *)data + at, n}, false);
        at += n;
    }
    if (fault == NULL) {
        fault = qms_payload_check(&s, r, (struct qms_bytes){NULL, 0}, true);
    }
    return fault != NULL ? fault : "";
}

/* The same whatever the pieces. */
static void gives(const struct qms_validate_rules *r, const void *data, size_t len,
                  const char *fault)
{
    for (size_t step = 1; step <= len + 1; step++) {
        assert_string_equal(check(r, data, len, step), fault);
    }
}

static void text_is_utf8_across_the_borders_of_pieces(void **state)
{
    const struct qms_validate_rules r = {.text = QMS_TEXT_UTF8};
    static const char good[] = "plain \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf "
                               "\xed\x9f\xbf \xee\x80\x80 \xe0\xa0\x80 \xf0\x90\x80\x80";
    static const char *const bad[] = {
        "\x80",
        "a\xff",
        "\xc0\xaf",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xc3(",
        "\xe2\x82(",
        "\xc3",
        "\xe2\x82",
        "\xf0\x9f\x98",
        "x\xc3\xa4\xa4",
    };

    (void)state;
    gives(&r, good, sizeof(good) - 1, "");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        gives(&r, bad[i], strlen(bad[i]), "bad_utf8");
    }
    gives(&r, "a\0b", 3, "");
}

static void nul_can_be_kept_out(void **state)
{
    const struct qms_validate_rules r = {.text = QMS_TEXT_NO_NUL};

    (void)state;
    gives(&r, "a\0b", 3, "nul");
    gives(&r, "ab", 2, "");
}

static void a_stream_has_its_size(void **state)
{
    const struct qms_validate_rules r = {.max_stream = 5};

    (void)state;
    gives(&r, "12345", 5, "");
    gives(&r, "123456", 6, "stream_too_large");
}

static void messages_are_bounded_by_their_length_alone(void **state)
{
    const struct qms_validate_rules r = {.max_message = 300, .framed = true};
    struct qms_payload_state s = {0};
    uint8_t two[600] = {0x41, 0x2c}; /* 300 */

    (void)state;
    gives(&r,
          "\x03"
          "abc"
          "\x00"
          "\x01"
          "x",
          7, "");
    two[302] = 0x01;
    gives(&r, two, 304, "");
    /* 301, in the longest form; no byte of it need come. */
    const uint8_t long_form[] = {0xc0, 0, 0, 0, 0, 0, 0x01, 0x2d};
    assert_string_equal(qms_payload_check(&s, &r, (struct qms_bytes){long_form, 8}, false),
                        "message_too_large");
    gives(&r, long_form, 8, "message_too_large");
    const uint8_t largest[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    gives(&r, largest, 8, "message_too_large");
}

static void each_message_is_a_text_of_its_own(void **state)
{
    const struct qms_validate_rules r = {.text = QMS_TEXT_UTF8, .framed = true};

    (void)state;
    gives(&r, "\x02\xc3\xa4\x01x", 5, "");
    /* Lengths are no text; a character does not go on in the next message. */
    gives(&r, "\x01\xc3\x01\xa4", 4, "bad_utf8");
}

static void a_message_that_is_cut_is_told(void **state)
{
    const struct qms_validate_rules r = {.max_message = 100, .framed = true};

    (void)state;
    gives(&r,
          "\x03"
          "ab",
          3, "cut_message");
    gives(&r, "\x41", 1, "cut_message");
    gives(&r, "\x00", 1, "");
    gives(&r, "", 0, "");
}

/* ---- the module ---- */

struct fixture {
    uint64_t conf[32], stream[64];
    struct qms_refusal why;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_true(M->conf_size <= sizeof(f->conf) && M->stream_size <= sizeof(f->stream));
    framed = false;
    content_type = "";
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static const struct qms_directive *row(const char *name)
{
    const struct qms_directive *d = M->directives;

    while (strcmp(d->name, name) != 0) {
        d++;
    }
    return d;
}

static void number(struct fixture *f, const char *name, uint64_t value)
{
    memcpy((char *)f->conf + row(name)->offset, &value, sizeof(value));
}

static bool opens(struct fixture *f)
{
    return M->on_open(f->stream, NULL, f->conf, NULL, 0, &f->why) == QMS_PASS;
}

static bool sends(struct fixture *f, bool forward, const char *text)
{
    const struct qms_payload p = {.forward = forward,
                                  .bytes = {(const uint8_t *)text, strlen(text)}};
    qms_time at;

    return M->on_data(f->stream, NULL, f->conf, NULL, &p, 0, &at, &f->why) == QMS_PASS;
}

static void both_directions_are_counted_apart(void **state)
{
    struct fixture *f = *state;

    assert_true(sends(f, true, "anything at all \xff"));
    memset(f->stream, 0, sizeof(f->stream));
    number(f, "validate_max_stream", 4);
    assert_true(sends(f, true, "abcd"));
    assert_true(sends(f, false, "abcd"));
    assert_false(sends(f, false, "e"));
    assert_int_equal(f->why.code, QMS_CODE_TOO_LARGE);
    assert_string_equal(f->why.label, "stream_too_large");
    number(f, "validate_max_stream", 0);
    number(f, "validate_text", QMS_TEXT_UTF8);
    assert_false(sends(f, true, "\xff"));
    assert_int_equal(f->why.code, QMS_CODE_REJECTED);
}

static void content_types_open_a_stream(void **state)
{
    struct fixture *f = *state;
    static const char *const types[] = {"application/json", "text/*"};
    const struct qms_directive *d = row("validate_content_type");
    static const struct {
        const char *type;
        bool good;
    } cases[] = {
        {"application/json", true},
        {"Application/JSON; charset=utf-8", true},
        {"application/json5", false},
        {"application/jso", false},
        {"text/plain", true},
        {"TEXT/html;x", true},
        {"text/", false},
        {"texts/plain", false},
        {"", false},
        {"image/png", false},
    };

    assert_true(opens(f));
    assert_int_equal(d->set(f->conf, d, 2, types, NULL), QMS_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        content_type = cases[i].type;
        if (opens(f) != cases[i].good) {
            fail_msg("%s", content_type);
        }
    }
    assert_string_equal(f->why.label, "content_type");
    number(f, "validate_framed", 1);
    content_type = "text/plain";
    assert_false(opens(f));
    assert_string_equal(f->why.label, "not_framed");
    framed = true;
    assert_true(opens(f));
}

static void bad_types_are_refused_with_a_sentence(void **state)
{
    struct fixture *f = *state;
    const struct qms_directive *d = row("validate_content_type");
    static const char *const bad[] = {
        "json", "text/", "/x",      "a/b/c",   "a b/c",  "",
        "*/*",  "*",     "text/p*", "text/*x", "te*t/x", "text/plain;charset=utf-8"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(d->set(f->conf, d, 1, &bad[i], NULL), QMS_E_CONFIG);
        assert_non_null(strstr(diag_text, "it takes any, or types like application/json"));
    }
}

static void inner_blocks_inherit_types_unless_they_take_any(void **state)
{
    struct fixture *f = *state;
    uint64_t outer[32] = {0};
    static const char *const types[] = {"text/plain"}, *const any[] = {"any"};
    const struct qms_directive *d = row("validate_content_type");

    assert_int_equal(d->set(outer, d, 1, types, NULL), QMS_OK);
    assert_int_equal(M->conf_merge(f->conf, outer, NULL), QMS_OK);
    assert_false(opens(f));
    assert_int_equal(d->set(f->conf, d, 1, any, NULL), QMS_OK);
    assert_int_equal(M->conf_merge(f->conf, outer, NULL), QMS_OK);
    assert_true(opens(f));
}

/* The label of the refusal, "" where the datagram passes. */
static const char *datagram(const struct fixture *f, const void *data, size_t len)
{
    const struct qms_bytes bob = {(const uint8_t *)"bob", 3};
    struct qms_refusal why = {.label = "validate"};
    enum qms_verdict v = M->on_datagram(NULL, f->conf, NULL, QMS_KIND_AGENT, bob,
                                        (struct qms_bytes){data, len}, 0, &why);

    assert_true(v == QMS_PASS || why.label != NULL);
    return v == QMS_PASS ? "" : why.label;
}

static void a_datagram_is_one_message(void **state)
{
    struct fixture *f = *state;
    char big[101];

    memset(big, '\xff', sizeof(big));
    assert_string_equal(datagram(f, big, sizeof(big)), ""); /* nothing is asked of it */
    number(f, "validate_max_message", 100);
    number(f, "validate_max_stream", 10); /* that is for streams */
    number(f, "validate_framed", 1);
    assert_string_equal(datagram(f, big, 100), "");
    assert_string_equal(datagram(f, big, 101), "message_too_large");
    number(f, "validate_text", QMS_TEXT_UTF8);
    assert_string_equal(datagram(f, big, 101), "message_too_large");
    assert_string_equal(datagram(f, big, 100), "bad_utf8");
    assert_string_equal(datagram(f, "gr\xc3\xbc\0n", 7), "");
    assert_string_equal(datagram(f, "gr\xc3", 3),
                        "bad_utf8"); /* no second one goes on with it */
    assert_string_equal(datagram(f, "\xbc", 1), "bad_utf8");
    assert_string_equal(datagram(f, NULL, 0), "");
    number(f, "validate_text", QMS_TEXT_NO_NUL);
    assert_string_equal(datagram(f, "gr\xc3\xbc\0n", 7), "nul");
    assert_string_equal(datagram(f, "gr\xc3\xbcn", 5), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_utf8_across_the_borders_of_pieces),
        cmocka_unit_test(nul_can_be_kept_out),
        cmocka_unit_test(a_stream_has_its_size),
        cmocka_unit_test(messages_are_bounded_by_their_length_alone),
        cmocka_unit_test(each_message_is_a_text_of_its_own),
        cmocka_unit_test(a_message_that_is_cut_is_told),
        QMS_TEST(both_directions_are_counted_apart),
        QMS_TEST(content_types_open_a_stream),
        QMS_TEST(bad_types_are_refused_with_a_sentence),
        QMS_TEST(inner_blocks_inherit_types_unless_they_take_any),
        QMS_TEST(a_datagram_is_one_message),
    };
    return cmocka_run_group_tests_name("mod_validate", tests, NULL, NULL);
}
