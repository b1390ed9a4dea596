/* SPDX-License-Identifier: MIT */
/* The parts without a connection: capsules, codes, SETTINGS, frames. */
#include <string.h>

#include "base/mem.h"
#include "h3/capsule.h"
#include "h3/frames.h"
#include "h3/settings.h"
#include "h3/varint.h"
#include "h3/wt_code.h"
#include "qms_test.h"

#define BYTES(literal) ((struct qms_bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

static void assert_bytes(const void *got, size_t len, struct qms_bytes want)
{
    assert_int_equal(len, want.len);
    assert_memory_equal(got, want.data, want.len);
}

static void varints_of_every_length_come_back(void **state)
{
    static const uint64_t values[] = {0,      1,          0x3f,       0x40,  0x3fff,
                                      0x4000, 0x3fffffff, 0x40000000, VI_MAX};
    (void)state;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint8_t buf[8];
        uint64_t back = 0;
        size_t n = vi_put(buf, values[i]);
        assert_int_equal(n, vi_len(values[i]));
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(vi_get(buf, k, &back), 0);
        }
        assert_int_equal(vi_get(buf, n, &back), n);
        assert_true(back == values[i]);
    }
}

static void stream_codes_map_both_ways_and_skip_the_reserved(void **state)
{
    (void)state;

    assert_true(qms_wt_code_to_h3(0x12) == UINT64_C(0x52e4a40fa8ed));
    assert_true(qms_wt_code_to_h3(0) == UINT64_C(0x52e4a40fa8db));
    assert_true(qms_wt_code_to_h3(UINT32_MAX) == UINT64_C(0x52e5ac983162));
    for (uint64_t n = 0; n < 100000; n += 7) {
        uint64_t h = qms_wt_code_to_h3(n);
        assert_true((h - 0x21) % 0x1f != 0);
        assert_int_equal(qms_wt_code_from_h3(h), n);
    }
    assert_int_equal(qms_wt_code_from_h3(UINT64_C(0x52e5ac983162)), UINT32_MAX);
}

static void foreign_codes_count_as_cancelled(void **state)
{
    (void)state;

    assert_int_equal(qms_wt_code_from_h3(0x10c), QMS_CODE_CANCELLED);
    assert_int_equal(qms_wt_code_from_h3(UINT64_C(0x52e4a40fa8da)), QMS_CODE_CANCELLED);
    assert_int_equal(qms_wt_code_from_h3(UINT64_C(0x52e5ac983163)), QMS_CODE_CANCELLED);
    /* The first reserved code point of the range. */
    uint64_t h = UINT64_C(0x52e4a40fa8db);
    while ((h - 0x21) % 0x1f != 0) {
        h++;
    }
    assert_int_equal(qms_wt_code_from_h3(h), QMS_CODE_CANCELLED);
    assert_true(qms_wt_code_to_h3(UINT64_C(1) << 32) == qms_wt_code_to_h3(QMS_CODE_CANCELLED));
}

static const char settings_of_nghttp3[] = "\x00\x04\x05\x06\x80\x00\x40\x00";
static const char settings_with_ours[] = "\x00\x04\x18\x06\x80\x00\x40\x00"
                                         "\xab\x60\x37\x42\x01"
                                         "\xc0\x00\x00\x00\xc6\x71\x70\x6a\x01"
                                         "\x94\xe9\xcd\x29\x01";

static void settings_frame_grows_by_ours_however_it_is_cut(void **state)
{
    (void)state;

    for (size_t step = 1; step <= 8; step++) {
        struct qms_h3_settings s = {0};
        for (size_t i = 0; i < 8; i += step) {
            size_t n = 8 - i < step ? 8 - i : step;
            assert_int_equal(
                qms_h3_settings_extend(
                    &s, (struct qms_bytes){(const uint8_t *)settings_of_nghttp3 + i, n}, 1),
                n);
        }
        assert_true(s.done);
        assert_bytes(s.buf, s.len, BYTES(settings_with_ours));
    }
}

static void frames_behind_settings_are_left_alone(void **state)
{
    struct qms_h3_settings s = {0};
    (void)state;

    assert_int_equal(qms_h3_settings_extend(&s, BYTES("\x00\x04\x02\x08\x01\x07\x01\x04"), 1),
                     5);
    assert_true(s.done);
    assert_int_equal(qms_h3_settings_extend(&s, BYTES("\x07\x01\x04"), 1), 0);
}

static void endless_settings_are_not_gathered_for_ever(void **state)
{
    struct qms_h3_settings s = {0};
    uint8_t filler[QMS_H3_SETTINGS_MAX] = {0};
    (void)state;

    assert_int_equal(qms_h3_settings_extend(&s, BYTES("\x00\x04\x7f\xff"), 1), 4);
    assert_true(qms_h3_settings_extend(&s, (struct qms_bytes){filler, sizeof(filler)}, 1) <
                sizeof(filler));
    assert_false(s.done);
}

static void frame_heads_are_found_at_every_cut(void **state)
{
    static const char stream[] = "\x01\x02zz\x00\x00\x40\x21\x03xyz\x80\x0f\x07\x00\x01q";
    static const uint64_t types[] = {1, 0, 0x21, 0xf0700}, lens[] = {2, 0, 3, 1};
    (void)state;

    for (size_t step = 1; step < sizeof(stream); step++) {
        struct qms_h3_frames f = {0};
        unsigned found = 0;
        for (size_t i = 0; i < sizeof(stream) - 1; i += step) {
            size_t n = sizeof(stream) - 1 - i;
            struct qms_bytes in = {(const uint8_t *)stream + i, n < step ? n : step};
            uint64_t type, len;
            while (qms_h3_frames_next(&f, &in, &type, &len)) {
                assert_true(found < 4);
                assert_true(type == types[found] && len == lens[found]);
                found++;
            }
        }
        assert_int_equal(found, 4);
    }
}

/* GREASE with 3 bytes, DRAIN, CLOSE with code 0x01020304 and reason "bye". */
static const char capsules[] = "\x40\x17\x03zzz\x80\x00\x78\xae\x00\x68\x43\x07\x01\x02\x03\x04"
                               "bye";

static void capsules_are_read_at_every_cut(void **state)
{
    const struct qms_bytes all = BYTES(capsules);
    (void)state;

    for (size_t cut = 0; cut <= all.len; cut++) {
        struct qms_capsule_parser p = {0};
        struct qms_bytes a = {all.data, cut}, b = {all.data + cut, all.len - cut};
        enum qms_capsule_status first = qms_capsule_parse(&p, a);
        assert_int_equal(first, cut == all.len ? QMS_CAPSULE_CLOSED : QMS_CAPSULE_MORE);
        assert_int_equal(qms_capsule_parse(&p, b), QMS_CAPSULE_CLOSED);
        assert_int_equal(qms_capsule_code(&p), 0x01020304);
        assert_bytes(qms_capsule_reason(&p).data, qms_capsule_reason(&p).len, BYTES("bye"));
        assert_true(qms_capsule_at_end(&p));
        qms_capsule_fini(&p);
    }
}

static void a_capsule_cut_off_is_not_an_end(void **state)
{
    (void)state;

    for (size_t cut = 1; cut < 6; cut++) {
        struct qms_capsule_parser p = {0};
        qms_capsule_parse(&p, (struct qms_bytes){(const uint8_t *)capsules, cut});
        assert_false(qms_capsule_at_end(&p));
        qms_capsule_fini(&p);
    }
}

static void a_huge_unknown_capsule_is_drained_without_memory(void **state)
{
    struct qms_capsule_parser p = {0};
    static const uint8_t junk[65536];
    (void)state;

    qms_mem_fail_after(0);
    assert_int_equal(qms_capsule_parse(&p, BYTES("\x17\xc0\x00\x00\x00\x10\x00\x00\x00")),
                     QMS_CAPSULE_MORE);
    for (unsigned i = 0; i < 4096; i++) {
        assert_int_equal(qms_capsule_parse(&p, (struct qms_bytes){junk, sizeof(junk)}),
                         QMS_CAPSULE_MORE);
    }
    qms_mem_fail_after(UINT64_MAX);
    assert_true(qms_capsule_at_end(&p));
    assert_null(p.value);
}

static enum qms_capsule_status parse(struct qms_bytes in)
{
    struct qms_capsule_parser p = {0};
    enum qms_capsule_status status = qms_capsule_parse(&p, in);
    qms_capsule_fini(&p);
    return status;
}

static void close_capsules_that_break_the_rules_are_refused(void **state)
{
    uint8_t longest[4 + 2 + 4 + 1025] = {0x68, 0x43, 0x44, 0x04, 0, 0, 0, 9};
    (void)state;

    memset(longest + 8, 'a', sizeof(longest) - 8);
    assert_int_equal(parse((struct qms_bytes){longest, 8 + 1024}), QMS_CAPSULE_CLOSED);
    longest[3] = 0x05; /* 4 + 1,025 */
    assert_int_equal(parse((struct qms_bytes){longest, 4}), QMS_CAPSULE_BAD);
    assert_int_equal(parse(BYTES("\x68\x43\x03\x00\x00\x00")), QMS_CAPSULE_BAD);
    assert_int_equal(parse(BYTES("\x68\x43\x00")), QMS_CAPSULE_BAD);
    assert_int_equal(parse(BYTES("\x68\x43\x05\x00\x00\x00\x00\xff")), QMS_CAPSULE_BAD);
    assert_int_equal(parse(BYTES("\x68\x43\x04\x00\x00\x00\x00\x17")), QMS_CAPSULE_BAD);
    assert_int_equal(parse(BYTES("\x68\x43\x04\x00\x00\x00\x00")), QMS_CAPSULE_CLOSED);
}

static void close_without_memory_is_refused(void **state)
{
    struct qms_capsule_parser p = {0};
    (void)state;

    qms_mem_fail_after(0);
    assert_int_equal(qms_capsule_parse(&p, BYTES("\x68\x43\x04\x00\x00\x00\x00")),
                     QMS_CAPSULE_BAD);
    qms_mem_fail_after(UINT64_MAX);
    qms_capsule_fini(&p);
}

static void an_encoded_close_is_read_back(void **state)
{
    uint8_t buf[QMS_CAPSULE_CLOSE_MAX], reason[2000];
    struct qms_capsule_parser p = {0};
    (void)state;

    size_t n = qms_capsule_close(buf, 0xfffefdfc, BYTES("gone"));
    assert_bytes(buf, n, BYTES("\x68\x43\x08\xff\xfe\xfd\xfcgone"));

    /* 1,024 falls inside a two-byte character. */
    memset(reason, 'x', sizeof(reason));
    reason[1023] = 0xc3;
    reason[1024] = 0xa4;
    n = qms_capsule_close(buf, 1, (struct qms_bytes){reason, sizeof(reason)});
    assert_int_equal(qms_capsule_parse(&p, (struct qms_bytes){buf, n}), QMS_CAPSULE_CLOSED);
    assert_int_equal(qms_capsule_reason(&p).len, 1023);
    qms_capsule_fini(&p);
}

static void utf8_prefix_stops_at_the_first_wrong_byte(void **state)
{
    static const struct {
        const char *text;
        size_t prefix;
    } cases[] = {
        {"plain", 5},
        {"\xc3\xa4z", 3},
        {"a\xc3", 1},
        {"\xc0\xaf", 0},
        {"\xe0\x80\xaf", 0},
        {"\xed\xa0\x80", 0},
        {"\xed\x9f\xbf", 3},
        {"\xf0\x9f\x98\x80", 4},
        {"\xf0\x8f\xbf\xbf", 0},
        {"\xf4\x8f\xbf\xbf", 4},
        {"\xf4\x90\x80\x80", 0},
        {"\x80", 0},
        {"ok\xff", 2},
        {"\xe2\x82\xacx\xe2\x82", 4},
    };
    (void)state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct qms_bytes s = {(const uint8_t *)cases[i].text, strlen(cases[i].text)};
        assert_int_equal(qms_utf8_prefix(s), cases[i].prefix);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints_of_every_length_come_back),
        cmocka_unit_test(stream_codes_map_both_ways_and_skip_the_reserved),
        cmocka_unit_test(foreign_codes_count_as_cancelled),
        cmocka_unit_test(settings_frame_grows_by_ours_however_it_is_cut),
        cmocka_unit_test(frames_behind_settings_are_left_alone),
        cmocka_unit_test(endless_settings_are_not_gathered_for_ever),
        cmocka_unit_test(frame_heads_are_found_at_every_cut),
        cmocka_unit_test(capsules_are_read_at_every_cut),
        cmocka_unit_test(a_capsule_cut_off_is_not_an_end),
        cmocka_unit_test(a_huge_unknown_capsule_is_drained_without_memory),
        cmocka_unit_test(close_capsules_that_break_the_rules_are_refused),
        cmocka_unit_test(close_without_memory_is_refused),
        cmocka_unit_test(an_encoded_close_is_read_back),
        cmocka_unit_test(utf8_prefix_stops_at_the_first_wrong_byte),
    };
    return cmocka_run_group_tests_name("h3_pure", tests, NULL, NULL);
}
