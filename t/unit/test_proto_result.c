/* SPDX-License-Identifier: MIT */
#include "../fuzz/equal.h"
#include "test_proto.h"

static const struct qms_result full = {
    .status = QMS_CODE_BUSY,
    .reason = {(const uint8_t *)"later", 5},
    .retry_after_ms = 2500,
    .redirect = {(const uint8_t *)"quic://b:4433", 13},
    .meta = {(const uint8_t *)"m", 1},
    .acceptor = {(const uint8_t *)"agent/b", 7},
    .extra = {(const uint8_t *)"\x00\x01z\x0c\x00\x40\x40\x02ok", 10},
};

static qms_err verdict(struct qms_bytes content)
{
    struct qms_bytes in = block_new(content);
    struct qms_result r;
    size_t used;
    qms_err err = qms_result_decode(in, &r, &used);

    block_free(in);
    return err;
}

static size_t encode(uint8_t *data, size_t cap, const struct qms_result *r)
{
    struct qms_writer w = qms_writer_of(data, cap);

    assert_int_equal(qms_result_encode(&w, r), QMS_OK);
    return w.len;
}

static qms_err encode_verdict(const struct qms_result *r)
{
    static uint8_t data[QMS_RESULT_MAX + 8];
    struct qms_writer w = qms_writer_of(data, sizeof(data));
    qms_err err = qms_result_encode(&w, r);

    assert_true(err == QMS_OK || (w.len == 0 && !w.full));
    return err;
}

static void vectors_of_the_document(void **state)
{
    const struct {
        uint64_t status;
        struct qms_bytes wire;
    } vectors[] = {{QMS_CODE_OK, OCTETS(0x01, 0x00)}, {QMS_CODE_OFFLINE, OCTETS(0x01, 0x07)}};

    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        struct qms_result r = {.status = vectors[i].status}, got;
        uint8_t data[8];
        size_t used;
        assert_bytes((struct qms_bytes){data, encode(data, sizeof(data), &r)}, vectors[i].wire);
        assert_int_equal(qms_result_decode(vectors[i].wire, &got, &used), QMS_OK);
        assert_int_equal(used, 2);
        assert_true(result_equal(&got, &r));
    }
}

static void every_field_survives_the_wire(void **state)
{
    uint8_t data[128];
    struct qms_result got;
    size_t used;

    (void)state;
    size_t len = encode(data, sizeof(data), &full);
    data[len] = 0xee; /* payload */
    struct qms_bytes in = block_new((struct qms_bytes){data, len + 1});
    assert_int_equal(qms_result_decode(in, &got, &used), QMS_OK);
    assert_int_equal(used, len);
    assert_true(result_equal(&got, &full));
    block_free(in);
}

static void beginning_of_a_result_needs_more(void **state)
{
    uint8_t data[128];
    size_t len = encode(data, sizeof(data), &full);

    (void)state;
    for (size_t n = 0; n < len; n++) {
        assert_int_equal(verdict((struct qms_bytes){data, n}), QMS_E_MORE);
    }
}

static void result_cut_short_is_malformed(void **state)
{
    uint8_t data[128];
    struct qms_result r = full;
    unsigned accepted = 0;

    (void)state;
    r.extra = (struct qms_bytes){NULL, 0};
    size_t len = encode(data, sizeof(data), &r);
    assert_int_equal(data[0], len - 1);
    for (size_t cut = 0; cut < len - 1; cut++) {
        data[0] = (uint8_t)cut;
        qms_err err = verdict((struct qms_bytes){data, 1 + cut});
        assert_true(err == QMS_OK || err == QMS_E_PROTOCOL);
        accepted += err == QMS_OK;
    }
    assert_int_equal(accepted, 5); /* behind the status and four of the five TLVs */
}

static void broken_length_is_never_accepted(void **state)
{
    uint8_t data[] = {0x0c, 0x07, 0x02, 0x02, 0xff, 0xff, 0x04,
                      0x01, 0x3f, 0x08, 0x02, 0xff, 0xff};
    const size_t lengths[] = {0, 3, 7, 10};
    const struct qms_bytes whole = {data, sizeof(data)};

    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        uint8_t right = data[lengths[i]];
        for (unsigned wrong = 0; wrong < 256; wrong++) {
            data[lengths[i]] = (uint8_t)wrong;
            /* Another RESULT, and a good one: it ends between TLVs, or REASON takes the rest.
             */
            bool other = (i == 0 && (wrong == 1 || wrong == 5 || wrong == 8)) ||
                         (i == 1 && (wrong == 5 || wrong == 9));
            assert_true((verdict(whole) == QMS_OK) == (wrong == right || other));
        }
        data[lengths[i]] = right;
    }
}

static void status_beyond_a_byte_is_never_acceptance(void **state)
{
    struct qms_result r;
    size_t used;

    (void)state;
    assert_int_equal(qms_result_decode(OCTETS(0x02, 0x41, 0x00), &r, &used), QMS_OK); /* 256 */
    assert_int_equal(r.status, QMS_CODE_CANCELLED);
    assert_int_equal(qms_result_decode(OCTETS(0x02, 0x40, 0xff), &r, &used), QMS_OK);
    assert_int_equal(r.status, 0xff);
    r.status = 0x100;
    assert_int_equal(encode_verdict(&r), QMS_E_INVALID);
}

static void result_over_the_limit_is_told_at_its_length(void **state)
{
    (void)state;
    assert_int_equal(verdict(OCTETS(0x44, 0x00)), QMS_E_MORE); /* 1024 */
    assert_int_equal(verdict(OCTETS(0x44, 0x01)), QMS_E_TOO_LARGE);
}

static void tlvs_are_checked(void **state)
{
    (void)state;
    assert_int_equal(verdict(OCTETS(0x00)), QMS_E_PROTOCOL);                /* no status */
    assert_int_equal(verdict(OCTETS(0x03, 7, 0x03, 0)), QMS_E_UNSUPPORTED); /* critical */
    assert_int_equal(verdict(OCTETS(0x04, 7, 0x40, 0x41, 0)), QMS_OK);      /* of the ends */
    assert_int_equal(verdict(OCTETS(0x03, 7, 0x0c, 0)), QMS_OK);            /* may be ignored */
    assert_int_equal(verdict(OCTETS(0x05, 7, 0x06, 0, 0x02, 0)), QMS_E_PROTOCOL);
    assert_int_equal(verdict(OCTETS(0x05, 7, 0x06, 0, 0x06, 0)), QMS_E_PROTOCOL);
    assert_int_equal(verdict(OCTETS(0x03, 0, 0x0a, 0)), QMS_E_PROTOCOL);       /* no name */
    assert_int_equal(verdict(OCTETS(0x04, 0, 0x0a, 1, '!')), QMS_E_PROTOCOL);  /* bad name */
    assert_int_equal(verdict(OCTETS(0x05, 0, 0x04, 2, 1, 1)), QMS_E_PROTOCOL); /* left over */
}

static void reason_has_at_most_256_bytes(void **state)
{
    static uint8_t text[257];
    struct qms_result r = {.status = QMS_CODE_REJECTED, .reason = {text, 256}};
    uint8_t data[300];

    (void)state;
    size_t len = encode(data, sizeof(data), &r);
    assert_int_equal(verdict((struct qms_bytes){data, len}), QMS_OK);
    r.reason.len++;
    assert_int_equal(encode_verdict(&r), QMS_E_TOO_LARGE);
    /* 41 05: the RESULT's length, 41 01: the reason's. */
    memcpy(data, (uint8_t[]){0x41, 0x05, 0x08, 0x02, 0x41, 0x01, 'x'}, 7);
    assert_int_equal(verdict((struct qms_bytes){data, 263}), QMS_E_TOO_LARGE);
}

static void encoder_refuses_what_no_decoder_takes(void **state)
{
    static const uint8_t long_value[QMS_RESULT_MAX];
    struct qms_result r = {.acceptor = TEXT("a b")};

    (void)state;
    assert_int_equal(encode_verdict(&r), QMS_E_INVALID);
    r = (struct qms_result){.retry_after_ms = UINT64_MAX};
    assert_int_equal(encode_verdict(&r), QMS_E_INVALID);
    r = (struct qms_result){.extra = TEXT("\x03\x00")};
    assert_int_equal(encode_verdict(&r), QMS_E_INVALID);
    r = (struct qms_result){.meta = {long_value, QMS_RESULT_MAX - 4}};
    assert_int_equal(encode_verdict(&r), QMS_OK);
    r.meta.len++;
    assert_int_equal(encode_verdict(&r), QMS_E_TOO_LARGE);
}

static void writer_too_small_is_left_as_it_was(void **state)
{
    uint8_t data[128];
    size_t len = encode(data, sizeof(data), &full);

    (void)state;
    for (size_t cap = 0; cap < len; cap++) {
        uint8_t *small = malloc(cap);
        struct qms_writer w = qms_writer_of(small, cap);
        assert_int_equal(qms_result_encode(&w, &full), QMS_E_TOO_LARGE);
        assert_int_equal(w.len, 0);
        assert_false(w.full);
        free(small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_document),
        cmocka_unit_test(every_field_survives_the_wire),
        cmocka_unit_test(beginning_of_a_result_needs_more),
        cmocka_unit_test(result_cut_short_is_malformed),
        cmocka_unit_test(broken_length_is_never_accepted),
        cmocka_unit_test(status_beyond_a_byte_is_never_acceptance),
        cmocka_unit_test(result_over_the_limit_is_told_at_its_length),
        cmocka_unit_test(tlvs_are_checked),
        cmocka_unit_test(reason_has_at_most_256_bytes),
        cmocka_unit_test(encoder_refuses_what_no_decoder_takes),
        cmocka_unit_test(writer_too_small_is_left_as_it_was),
    };
    return cmocka_run_group_tests_name("proto_result", tests, NULL, NULL);
}
