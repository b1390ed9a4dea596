/* SPDX-License-Identifier: MIT */
/* Message boundaries are the same however the stream is cut. */
#include <string.h>

#include "core/broker/framing.h"
#include "qms_test.h"

static int setup(void **state)
{
    (void)state;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return 0;
}

/* Messages of 0, 3, 5 (its length in eight bytes) and 70 bytes. */
static size_t stream(uint8_t *out)
{
    static const uint8_t start[] = {0x00, 0x03, 'a', 'b', 'c', 0xc0, 0, 0,    0,
                                    0,    0,    0,   5,   1,   2,    3, 0x41, 5};

    memcpy(out, start, sizeof(start));
    out[sizeof(start)] = 0x40; /* two bytes of length */
    out[sizeof(start) + 1] = 70;
    memset(out + sizeof(start) + 2, 'x', 70);
    return sizeof(start) + 2 + 70;
}

struct seen {
    size_t begins[8], ends[8];
    uint64_t lengths[8];
    unsigned begun, ended;
};

static void feed(struct qms_framing *f, struct seen *s, const uint8_t *data, size_t from,
                 size_t to)
{
    while (from < to) {
        struct qms_framing_part part =
            qms_framing_next(f, (struct qms_bytes){data + from, to - from});
        assert_true(part.len > 0 && part.len <= to - from);
        if (part.begins) {
            s->lengths[s->begun] = part.length;
            s->begins[s->begun++] = from;
        }
        from += part.len;
        if (part.ends) {
            s->ends[s->ended++] = from;
        }
    }
}

static void every_cut_gives_the_same_messages(void **state)
{
    static const size_t begins[] = {0, 1, 5, 18}, ends[] = {1, 5, 18, 90};
    uint8_t data[128];
    size_t len = stream(data);

    (void)state;
    assert_int_equal(len, 90);
    for (size_t a = 0; a <= len; a++) {
        for (size_t b = a; b <= len; b++) {
            struct qms_framing f = {0};
            struct seen s = {0};
            feed(&f, &s, data, 0, a);
            feed(&f, &s, data, a, b);
            feed(&f, &s, data, b, len);
            assert_int_equal(s.begun, 4);
            assert_int_equal(s.ended, 4);
            assert_memory_equal(s.begins, begins, sizeof(begins));
            assert_memory_equal(s.ends, ends, sizeof(ends));
            assert_true(qms_framing_between(&f));
        }
    }
}

static void the_length_is_told_where_it_is_known(void **state)
{
    uint8_t data[128];
    size_t len = stream(data);
    struct qms_framing f = {0};
    struct seen s = {0};

    (void)state;
    feed(&f, &s, data, 0, len);
    assert_int_equal(s.lengths[0], 1);
    assert_int_equal(s.lengths[1], 4);
    assert_int_equal(s.lengths[2], 13);
    assert_int_equal(s.lengths[3], 72);
    /* Cut inside its own bytes it is not. */
    f = (struct qms_framing){0};
    s = (struct seen){0};
    feed(&f, &s, data, 18, 19);
    assert_int_equal(s.lengths[0], 0);
    assert_false(qms_framing_between(&f));
}

static void the_longest_length_is_no_trouble(void **state)
{
    uint8_t data[64];
    struct qms_framing f = {0};
    struct seen s = {0};

    (void)state;
    memset(data, 0xff, sizeof(data));
    feed(&f, &s, data, 0, sizeof(data));
    assert_int_equal(s.begun, 1);
    assert_int_equal(s.ended, 0);
    assert_true(f.left == (UINT64_C(1) << 62) - 1 - 56);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(every_cut_gives_the_same_messages),
        QMS_TEST(the_length_is_told_where_it_is_known),
        QMS_TEST(the_longest_length_is_no_trouble),
    };
    return cmocka_run_group_tests_name("core_framing", tests, NULL, NULL);
}
