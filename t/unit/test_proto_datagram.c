/* SPDX-License-Identifier: MIT */
#include "proto/datagram.h"

#include "../fuzz/equal.h"
#include "test_proto.h"

static qms_err verdict(struct qms_bytes content)
{
    struct qms_bytes in = block_new(content);
    struct qms_datagram d;
    qms_err err = qms_datagram_decode(in, &d);

    block_free(in);
    return err;
}

static qms_err encode_verdict(const struct qms_datagram *d)
{
    uint8_t data[QMS_DATAGRAM_HEADER_MAX];
    struct qms_writer w = qms_writer_of(data, sizeof(data));
    qms_err err = qms_datagram_encode_header(&w, d);

    assert_true(err == QMS_OK || (w.len == 0 && !w.full));
    return err;
}

static void vector_of_the_document(void **state)
{
    struct qms_bytes in = block_new(OCTETS(0x03, 0x78));
    struct qms_datagram d;
    uint8_t data[8];
    struct qms_writer w = qms_writer_of(data, sizeof(data));

    (void)state;
    assert_int_equal(qms_datagram_decode(in, &d), QMS_OK);
    assert_int_equal(d.context, 3);
    assert_bytes(d.payload, TEXT("x"));
    assert_int_equal(qms_datagram_encode_header(&w, &d), QMS_OK);
    qms_put_bytes(&w, d.payload);
    assert_bytes(written(&w), in);
    block_free(in);
}

static void target_in_place_survives_the_wire(void **state)
{
    struct qms_datagram d = {
        .kind = QMS_KIND_AGENT, .target = TEXT("b"), .payload = TEXT("hi")};
    struct qms_datagram got;
    uint8_t data[16];
    struct qms_writer w = qms_writer_of(data, sizeof(data));

    (void)state;
    assert_int_equal(qms_datagram_encode_header(&w, &d), QMS_OK);
    qms_put_bytes(&w, d.payload);
    assert_bytes(written(&w), OCTETS(0, 1, 1, 'b', 'h', 'i'));
    struct qms_bytes in = block_new(written(&w));
    assert_int_equal(qms_datagram_decode(in, &got), QMS_OK);
    assert_true(datagram_equal(&got, &d));
    block_free(in);
}

static void payload_may_be_empty(void **state)
{
    (void)state;
    assert_int_equal(verdict(OCTETS(0x03)), QMS_OK);
    assert_int_equal(verdict(OCTETS(0, 4, 1, 'e')), QMS_OK);
    assert_int_equal(verdict(OCTETS(0, 0, 0)), QMS_OK); /* SELF */
}

static void header_cut_anywhere_is_malformed(void **state)
{
    const struct qms_bytes whole = OCTETS(0x40, 0x00, 0x40, 0x01, 0x40, 0x03, 'a', '/', 'b');

    (void)state;
    assert_int_equal(verdict(whole), QMS_OK);
    for (size_t len = 0; len < whole.len; len++) {
        assert_int_equal(verdict((struct qms_bytes){whole.data, len}), QMS_E_PROTOCOL);
    }
    assert_int_equal(verdict(OCTETS(0xc0, 0, 0, 0, 0, 0, 0)), QMS_E_PROTOCOL);
}

static void bad_targets_are_malformed(void **state)
{
    (void)state;
    assert_int_equal(verdict(OCTETS(0, 5, 1, 'b')), QMS_E_PROTOCOL);
    assert_int_equal(verdict(OCTETS(0, 1, 0)), QMS_E_PROTOCOL);
    assert_int_equal(verdict(OCTETS(0, 0, 1, 'b')), QMS_E_PROTOCOL);
    assert_int_equal(verdict(OCTETS(0, 1, 1, ' ')), QMS_E_PROTOCOL);
    assert_int_equal(verdict(OCTETS(0, 1, 2, 'b')), QMS_E_PROTOCOL);
    assert_int_equal(verdict(OCTETS(0, 1, 0xff, 255, 255, 255, 255, 255, 255, 255, 'b')),
                     QMS_E_PROTOCOL);
}

static void target_has_at_most_128_bytes(void **state)
{
    uint8_t data[4 + QMS_NAME_MAX + 1] = {0, 1, 0x40, QMS_NAME_MAX};

    (void)state;
    memset(data + 4, 'n', QMS_NAME_MAX + 1);
    assert_int_equal(verdict((struct qms_bytes){data, sizeof(data)}), QMS_OK);
    data[3]++;
    assert_int_equal(verdict((struct qms_bytes){data, sizeof(data)}), QMS_E_PROTOCOL);
}

static void largest_header_fits_what_the_header_file_says(void **state)
{
    uint8_t name[QMS_NAME_MAX];
    struct qms_datagram d = {.kind = QMS_KIND_SERVICE, .target = {name, sizeof(name)}};

    (void)state;
    memset(name, 'n', sizeof(name));
    assert_int_equal(encode_verdict(&d), QMS_OK);
    d = (struct qms_datagram){.context = QMS_VARINT_MAX};
    assert_int_equal(encode_verdict(&d), QMS_OK);
}

static void encoder_refuses_what_no_decoder_takes(void **state)
{
    struct qms_datagram d = {.context = QMS_VARINT_MAX + 1};

    (void)state;
    assert_int_equal(encode_verdict(&d), QMS_E_INVALID);
    d = (struct qms_datagram){.kind = 5, .target = TEXT("b")};
    assert_int_equal(encode_verdict(&d), QMS_E_INVALID);
    d = (struct qms_datagram){.kind = QMS_KIND_AGENT};
    assert_int_equal(encode_verdict(&d), QMS_E_INVALID);
    d = (struct qms_datagram){.kind = QMS_KIND_SELF, .target = TEXT("b")};
    assert_int_equal(encode_verdict(&d), QMS_E_INVALID);
}

static void writer_too_small_is_left_as_it_was(void **state)
{
    struct qms_datagram d = {.kind = QMS_KIND_AGENT, .target = TEXT("agent/b")};

    (void)state;
    for (size_t cap = 0; cap < 10; cap++) {
        uint8_t *small = malloc(cap);
        struct qms_writer w = qms_writer_of(small, cap);
        assert_int_equal(qms_datagram_encode_header(&w, &d), QMS_E_TOO_LARGE);
        assert_int_equal(w.len, 0);
        assert_false(w.full);
        free(small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vector_of_the_document),
        cmocka_unit_test(target_in_place_survives_the_wire),
        cmocka_unit_test(payload_may_be_empty),
        cmocka_unit_test(header_cut_anywhere_is_malformed),
        cmocka_unit_test(bad_targets_are_malformed),
        cmocka_unit_test(target_has_at_most_128_bytes),
        cmocka_unit_test(largest_header_fits_what_the_header_file_says),
        cmocka_unit_test(encoder_refuses_what_no_decoder_takes),
        cmocka_unit_test(writer_too_small_is_left_as_it_was),
    };
    return cmocka_run_group_tests_name("proto_datagram", tests, NULL, NULL);
}
