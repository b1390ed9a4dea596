/* SPDX-License-Identifier: MIT */
#include "proto/route.h"

#include "../fuzz/equal.h"
#include "test_proto.h"

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* Every field, and TLVs to pass on before, between and after the known ones. */
static const struct qms_route_header full = {
    .flags = QMS_ROUTE_IDEMPOTENT | QMS_ROUTE_NO_RESULT | QMS_ROUTE_FRAMED,
    .priority = 255,
    .kind = QMS_KIND_AGENT,
    .handle = (UINT64_C(1) << 60) - 1,
    .target = {(const uint8_t *)"agent/b", 7},
    .source = {(const uint8_t *)"agent/a", 7},
    .has_hops = true,
    .hops = 4,
    .has_deadline = true,
    .accept_deadline_ms = 1500,
    .content_type = {(const uint8_t *)"text/plain", 10},
    .meta = {(const uint8_t *)"meta", 4},
    .traceparent = {(const uint8_t *)TRACE, sizeof(TRACE) - 1},
    .stream_token = {(const uint8_t *)"secret", 6},
    .has_original = true,
    .original_kind = QMS_KIND_GROUP,
    .original_target = {(const uint8_t *)"workers", 7},
    .has_length = true,
    .length_hint = 1 << 20,
    .has_group_seq = true,
    .group_seq = 0,
    .extra = {(const uint8_t *)"\x00\x01z\x02\x00\x12\x01y\x40\x40\x02ok\x40\x41\x00", 16},
};

static qms_err decode(struct qms_bytes content, struct qms_route_header *out, size_t *used)
{
    struct qms_bytes in = block_new(content);
    qms_err err = qms_route_decode(in, out, used);

    block_free(in);
    return err;
}

/* Verdict alone. */
static qms_err verdict(struct qms_bytes content)
{
    struct qms_route_header h;
    size_t used;

    return decode(content, &h, &used);
}

/* ROUTE to agent b, handle 0, with these TLV bytes behind; at most 57 of them. */
static qms_err verdict_with(struct qms_bytes tlvs)
{
    uint8_t data[64] = {0x02, 0, 0x00, 0x10, 0x01, 0x00, 0x01, 'b'};

    assert_true(tlvs.len <= sizeof(data) - 8);
    data[1] = (uint8_t)(6 + tlvs.len);
    memcpy(data + 8, tlvs.data, tlvs.len);
    return verdict((struct qms_bytes){data, 8 + tlvs.len});
}

static size_t encode(uint8_t *data, size_t cap, const struct qms_route_header *h)
{
    struct qms_writer w = qms_writer_of(data, cap);

    assert_int_equal(qms_route_encode(&w, h), QMS_OK);
    return w.len;
}

static qms_err encode_verdict(const struct qms_route_header *h)
{
    static uint8_t data[QMS_ROUTE_HEADER_MAX + 8];
    struct qms_writer w = qms_writer_of(data, sizeof(data));
    qms_err err = qms_route_encode(&w, h);

    assert_true(err == QMS_OK || (w.len == 0 && !w.full));
    return err;
}

static void vectors_of_the_document(void **state)
{
    struct qms_route_header h = {.priority = 16, .kind = QMS_KIND_AGENT, .target = TEXT("b")};
    struct qms_route_header got;
    uint8_t data[64];
    size_t used;

    (void)state;
    struct qms_bytes plain = block_new(OCTETS(0x02, 0x06, 0, 0x10, 0x01, 0, 0x01, 0x62));
    assert_bytes((struct qms_bytes){data, encode(data, sizeof(data), &h)}, plain);
    assert_int_equal(qms_route_decode(plain, &got, &used), QMS_OK);
    assert_int_equal(used, 8);
    assert_true(route_equal(&got, &h));

    h.meta = TEXT("hi");
    struct qms_bytes meta =
        block_new(OCTETS(0x02, 0x0a, 0, 0x10, 0x01, 0, 0x01, 0x62, 0x08, 0x02, 0x68, 0x69));
    assert_bytes((struct qms_bytes){data, encode(data, sizeof(data), &h)}, meta);
    assert_int_equal(qms_route_decode(meta, &got, &used), QMS_OK);
    assert_int_equal(used, 12);
    assert_true(route_equal(&got, &h));

    got.source = TEXT("a"); /* as the broker hands it on */
    got.handle = 5;
    assert_bytes((struct qms_bytes){data, encode(data, sizeof(data), &got)},
                 OCTETS(0x02, 0x0d, 0, 0x10, 0x01, 0x05, 0x01, 0x62, 0x01, 0x01, 0x61, 0x08,
                        0x02, 0x68, 0x69));
    assert_int_equal(verdict(OCTETS(0x40, 0x02, 0x40, 0x0d, 0x00, 0x10, 0x40, 0x01, 0x80, 0, 0,
                                    0, 0x80, 0, 0, 0x01, 0x62)),
                     QMS_OK);
    assert_int_equal(verdict(OCTETS(2, 9, 0, 0x10, 1, 0, 1, 0x62, 0x40, 0x41, 0)), QMS_OK);
    block_free(plain);
    block_free(meta);
}

static void vectors_to_refuse_of_the_document(void **state)
{
    const struct {
        qms_err err;
        struct qms_bytes wire;
    } vectors[] = {
        {QMS_E_PROTOCOL, OCTETS(0x02, 0x06, 0x08, 0x10, 0x01, 0x00, 0x01, 0x62)},
        {QMS_E_PROTOCOL, OCTETS(0x02, 0x06, 0x00, 0x10, 0x05, 0x00, 0x01, 0x62)},
        {QMS_E_PROTOCOL, OCTETS(0x02, 0x06, 0x00, 0x10, 0x01, 0x00, 0x02, 0x62)},
        {QMS_E_PROTOCOL, OCTETS(0x02, 0x06, 0x00, 0x10, 0x01, 0x00, 0x01, 0x20)},
        {QMS_E_PROTOCOL, OCTETS(0x02, 0x0c, 0x00, 0x10, 0x01, 0x00, 0x01, 0x62, 0x08, 0x01,
                                0x61, 0x06, 0x01, 0x62)},
        {QMS_E_PROTOCOL, OCTETS(0x02, 0x0c, 0x00, 0x10, 0x01, 0x00, 0x01, 0x62, 0x08, 0x01,
                                0x61, 0x08, 0x01, 0x62)},
        {QMS_E_UNSUPPORTED, OCTETS(0x02, 0x08, 0x00, 0x10, 0x01, 0x00, 0x01, 0x62, 0x3f, 0x00)},
        {QMS_E_TOO_LARGE, OCTETS(0x02, 0x50, 0x01)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        assert_int_equal(verdict(vectors[i].wire), vectors[i].err);
    }
}

static void every_field_survives_the_wire(void **state)
{
    uint8_t data[512];
    struct qms_route_header got;
    size_t used;

    (void)state;
    size_t len = encode(data, sizeof(data), &full);
    memset(data + len, 0xee, 3); /* the payload behind */
    struct qms_bytes in = block_new((struct qms_bytes){data, len + 3});
    assert_int_equal(qms_route_decode(in, &got, &used), QMS_OK);
    assert_int_equal(used, len);
    assert_true(route_equal(&got, &full));

    uint8_t again[512];
    assert_int_equal(encode(again, sizeof(again), &got), len);
    assert_memory_equal(again, data, len);
    block_free(in);
}

static void beginning_of_a_header_needs_more(void **state)
{
    uint8_t data[512];
    struct qms_bytes whole = {data, encode(data, sizeof(data), &full)};

    (void)state;
    for (size_t len = 0; len < whole.len; len++) {
        assert_int_equal(verdict((struct qms_bytes){data, len}), QMS_E_MORE);
    }
    assert_int_equal(verdict(whole), QMS_OK);
}

/* A Header Length that ends the header early is an error unless it ends between two TLVs. */
static void header_cut_short_is_malformed(void **state)
{
    uint8_t data[64] = {0};
    struct qms_route_header h = full;
    unsigned accepted = 0;

    (void)state;
    h.traceparent = h.stream_token = h.content_type = (struct qms_bytes){NULL, 0};
    h.extra = h.meta = h.source = (struct qms_bytes){NULL, 0};
    h.handle = 1;
    size_t len = encode(data, sizeof(data), &h);
    assert_int_equal(data[1], len - 2);
    for (size_t cut = 0; cut < len - 2; cut++) {
        data[1] = (uint8_t)cut;
        qms_err err = verdict((struct qms_bytes){data, 2 + cut});
        assert_true(err == QMS_OK || err == QMS_E_PROTOCOL);
        accepted += err == QMS_OK;
    }
    assert_int_equal(accepted, 5); /* behind the target and four of the five TLVs */
}

static void broken_length_is_never_accepted(void **state)
{
    /* Contents of 0xff never read as a next TLV or name: no other length can make sense. */
    uint8_t data[] = {0x02, 0x12, 0,    0x10, 0x01, 0,    0x01, 0x62, 0x04, 0x01,
                      0x3f, 0x08, 0x03, 0xff, 0xff, 0xff, 0x0e, 0x02, 0x7f, 0xff};
    const size_t lengths[] = {1, 6, 9, 12, 17};
    const struct qms_bytes whole = {data, sizeof(data)};

    (void)state;
    assert_int_equal(verdict(whole), QMS_OK);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        uint8_t right = data[lengths[i]];
        for (unsigned wrong = 0; wrong < 256; wrong++) {
            data[lengths[i]] = (uint8_t)wrong;
            /* Another header, and a good one: it ends between TLVs, or META takes the rest. */
            bool other =
                (i == 0 && (wrong == 6 || wrong == 9 || wrong == 14)) || (i == 3 && wrong == 7);
            assert_true((verdict(whole) == QMS_OK) == (wrong == right || other));
        }
        data[lengths[i]] = right;
    }
}

static void header_over_the_limit_is_told_at_its_length(void **state)
{
    (void)state;
    assert_int_equal(verdict(OCTETS(0x02, 0x50, 0x00)), QMS_E_MORE); /* 4096 */
    assert_int_equal(verdict(OCTETS(0x02, 0x50, 0x01)), QMS_E_TOO_LARGE);
    assert_int_equal(verdict(OCTETS(0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)),
                     QMS_E_TOO_LARGE);
}

static void largest_header_passes_and_one_byte_more_does_not(void **state)
{
    static uint8_t token[QMS_ROUTE_HEADER_MAX];
    static uint8_t data[QMS_ROUTE_HEADER_MAX + 3];
    struct qms_route_header h = {.kind = QMS_KIND_AGENT, .target = TEXT("b")}, got;
    size_t used;

    (void)state;
    h.stream_token = (struct qms_bytes){token, QMS_ROUTE_HEADER_MAX - 6 - 3};
    assert_int_equal(encode(data, sizeof(data), &h), sizeof(data));
    struct qms_bytes in = block_new((struct qms_bytes){data, sizeof(data)});
    assert_int_equal(qms_route_decode(in, &got, &used), QMS_OK);
    assert_true(route_equal(&got, &h));
    h.stream_token.len++;
    assert_int_equal(encode_verdict(&h), QMS_E_TOO_LARGE);
    block_free(in);
}

static void other_stream_types_are_unsupported(void **state)
{
    (void)state;
    assert_int_equal(verdict(OCTETS(0x01)), QMS_E_UNSUPPORTED);
    assert_int_equal(verdict(OCTETS(0x21)), QMS_E_UNSUPPORTED);
    assert_int_equal(verdict(OCTETS(0x40, 0x40)), QMS_E_UNSUPPORTED);
    assert_int_equal(verdict(OCTETS(0x40, 0x02, 0x06, 0, 0, 1, 0, 1, 'b')), QMS_OK);
}

static void reserved_flags_are_malformed(void **state)
{
    uint8_t data[] = {0x02, 0x06, 0x00, 0x10, 0x01, 0x00, 0x01, 0x62};

    (void)state;
    for (unsigned flags = 0; flags < 256; flags++) {
        data[2] = (uint8_t)flags;
        assert_int_equal(verdict((struct qms_bytes){data, sizeof(data)}),
                         flags <= 7 ? QMS_OK : QMS_E_PROTOCOL);
    }
}

static void kinds_and_targets_must_fit(void **state)
{
    (void)state;
    for (uint8_t kind = 1; kind <= 4; kind++) {
        assert_int_equal(verdict(OCTETS(2, 6, 0, 0, kind, 0, 1, 'b')), QMS_OK);
        assert_int_equal(verdict(OCTETS(2, 5, 0, 0, kind, 0, 0)), QMS_E_PROTOCOL);
    }
    assert_int_equal(verdict(OCTETS(2, 5, 0, 0, 0, 0, 0)), QMS_OK); /* SELF */
    assert_int_equal(verdict(OCTETS(2, 6, 0, 0, 0, 0, 1, 'b')), QMS_E_PROTOCOL);
    assert_int_equal(verdict(OCTETS(2, 6, 0, 0, 5, 0, 1, 'b')), QMS_E_PROTOCOL);
    /* A kind that a byte cannot hold is not the kind of its low bits. */
    assert_int_equal(verdict(OCTETS(2, 7, 0, 0, 0x41, 0x01, 0, 1, 'b')), QMS_E_PROTOCOL);
    assert_int_equal(verdict(OCTETS(2, 6, 0, 0, 1, 0, 1, ' ')), QMS_E_PROTOCOL);
    assert_int_equal(verdict(OCTETS(2, 6, 0, 0, 1, 0, 1, 0xe9)), QMS_E_PROTOCOL);
}

static void target_has_at_most_128_bytes(void **state)
{
    uint8_t data[9 + QMS_NAME_MAX + 1] = {0x02, 0x40, 6 + QMS_NAME_MAX, 0, 0, 1,
                                          0,    0x40, QMS_NAME_MAX};

    (void)state;
    memset(data + 9, 'n', QMS_NAME_MAX + 1);
    assert_int_equal(verdict((struct qms_bytes){data, 9 + QMS_NAME_MAX}), QMS_OK);
    data[2]++;
    data[8]++;
    assert_int_equal(verdict((struct qms_bytes){data, sizeof(data)}), QMS_E_PROTOCOL);
}

static void handles_end_below_2_to_the_60th(void **state)
{
    (void)state;
    assert_int_equal(
        verdict(OCTETS(2, 13, 0, 0, 1, 0xcf, 255, 255, 255, 255, 255, 255, 255, 1, 'b')),
        QMS_OK);
    assert_int_equal(verdict(OCTETS(2, 13, 0, 0, 1, 0xd0, 0, 0, 0, 0, 0, 0, 0, 1, 'b')),
                     QMS_E_PROTOCOL);
}

static void longer_forms_of_numbers_are_accepted(void **state)
{
    struct qms_route_header h;
    size_t used;

    (void)state;
    assert_int_equal(
        decode(OCTETS(0x40, 0x02, 0x80, 0, 0, 0x11, 0, 0x10, 0x40, 0x01, 0x80, 0, 0, 0x07, 0x40,
                      0x01, 'b', 0x40, 0x04, 0x40, 0x02, 0x40, 0x05),
               &h, &used),
        QMS_OK);
    assert_int_equal(used, 23);
    assert_int_equal(h.kind, QMS_KIND_AGENT);
    assert_int_equal(h.handle, 7);
    assert_true(h.has_deadline);
    assert_int_equal(h.accept_deadline_ms, 5);
}

static void order_of_tlvs_is_checked(void **state)
{
    (void)state;
    assert_int_equal(verdict_with(OCTETS(0x06, 1, 'a', 0x08, 1, 'b')), QMS_OK);
    assert_int_equal(verdict_with(OCTETS(0x08, 1, 'a', 0x06, 1, 'b')), QMS_E_PROTOCOL);
    assert_int_equal(verdict_with(OCTETS(0x08, 1, 'a', 0x08, 1, 'b')), QMS_E_PROTOCOL);
    assert_int_equal(verdict_with(OCTETS(0x40, 0x41, 0, 0x40, 0x40, 0)), QMS_E_PROTOCOL);
    assert_int_equal(verdict_with(OCTETS(0x40, 0x41, 0, 0x40, 0x41, 0)), QMS_E_PROTOCOL);
}

static void unknown_critical_tlv_is_unsupported_below_0x40_only(void **state)
{
    (void)state;
    assert_int_equal(verdict_with(OCTETS(0x05, 0)), QMS_E_UNSUPPORTED);
    assert_int_equal(verdict_with(OCTETS(0x3f, 1, 'x')), QMS_E_UNSUPPORTED);
    assert_int_equal(verdict_with(OCTETS(0x02, 0)), QMS_OK);
    assert_int_equal(verdict_with(OCTETS(0x3e, 1, 'x')), QMS_OK);
    assert_int_equal(verdict_with(OCTETS(0x40, 0x40, 1, 'x', 0x40, 0x41, 0)), QMS_OK);
}

static void bad_values_of_tlvs_are_malformed(void **state)
{
    (void)state;
    assert_int_equal(verdict_with(OCTETS(0x01, 0)), QMS_E_PROTOCOL); /* SOURCE: no name */
    assert_int_equal(verdict_with(OCTETS(0x01, 2, 'a', ' ')), QMS_E_PROTOCOL); /* bad name */
    assert_int_equal(verdict_with(OCTETS(0x03, 0)), QMS_E_PROTOCOL);       /* HOPS: no number */
    assert_int_equal(verdict_with(OCTETS(0x04, 2, 1, 1)), QMS_E_PROTOCOL); /* bytes left over */
    assert_int_equal(verdict_with(OCTETS(0x04, 1, 0x40)), QMS_E_PROTOCOL); /* half a number */
    assert_int_equal(verdict_with(OCTETS(0x0a, 3, '0', '0', '-')), QMS_E_PROTOCOL);
    assert_int_equal(verdict_with(OCTETS(0x0a, 0)), QMS_E_PROTOCOL);
    assert_int_equal(verdict_with(OCTETS(0x0c, 0)), QMS_E_PROTOCOL);
    assert_int_equal(verdict_with(OCTETS(0x0c, 1, 2)), QMS_E_PROTOCOL);
    assert_int_equal(verdict_with(OCTETS(0x0c, 2, 5, 'g')), QMS_E_PROTOCOL);
    assert_int_equal(verdict_with(OCTETS(0x0c, 2, 0, 'g')), QMS_E_PROTOCOL);
    assert_int_equal(verdict_with(OCTETS(0x0c, 2, 2, 'g')), QMS_OK);
    assert_int_equal(verdict_with(OCTETS(0x0e, 0)), QMS_E_PROTOCOL);
    assert_int_equal(verdict_with(OCTETS(0x10, 0)), QMS_E_PROTOCOL);
}

/* A header whose one TLV has a value of `len` bytes. */
static qms_err verdict_of_length(uint8_t type, size_t len)
{
    static uint8_t data[QMS_ROUTE_HEADER_MAX + 3];
    size_t header = 6 + 3 + len;

    memset(data, 'x', sizeof(data));
    memcpy(data,
           (uint8_t[]){0x02, (uint8_t)(0x40 | header >> 8), (uint8_t)header, 0, 0, 1, 0, 1, 'b',
                       type, (uint8_t)(0x40 | len >> 8), (uint8_t)len},
           12);
    return verdict((struct qms_bytes){data, 3 + header});
}

static void values_over_their_limit_are_too_large(void **state)
{
    (void)state;
    assert_int_equal(verdict_of_length(0x06, 128), QMS_OK);
    assert_int_equal(verdict_of_length(0x06, 129), QMS_E_TOO_LARGE);
    assert_int_equal(verdict_of_length(0x08, 2048), QMS_OK);
    assert_int_equal(verdict_of_length(0x08, 2049), QMS_E_TOO_LARGE);
    assert_int_equal(verdict_of_length(0x0a, 54), QMS_E_PROTOCOL);
    assert_int_equal(verdict_of_length(0x0a, 55), QMS_OK);
    assert_int_equal(verdict_of_length(0x0a, 56), QMS_E_PROTOCOL);
    assert_int_equal(verdict_of_length(0x01, 128), QMS_OK);
    assert_int_equal(verdict_of_length(0x01, 129), QMS_E_PROTOCOL);
}

static void source_is_decoded_from_whoever_sent_it(void **state)
{
    struct qms_bytes in = block_new(OCTETS(2, 9, 0, 0, 1, 0, 1, 'b', 0x01, 1, 'a'));
    struct qms_route_header h;
    size_t used;

    (void)state;
    assert_int_equal(qms_route_decode(in, &h, &used), QMS_OK);
    assert_bytes(h.source, TEXT("a"));
    block_free(in);
}

static void broker_passes_on_what_it_does_not_know(void **state)
{
    /* 0x00, META, 0x14, 0x40 and 0x4001 from an agent; the broker adds SOURCE, takes META out.
     */
    struct qms_bytes in =
        block_new(OCTETS(2, 25, 0, 0, 1, 0, 1, 'b', 0x00, 1, 'z', 0x08, 2, 'h', 'i', 0x14, 1,
                         'y', 0x40, 0x40, 1, 'x', 0x80, 0, 0x40, 0x01, 0));
    struct qms_route_header h;
    uint8_t data[64];
    size_t used;

    (void)state;
    assert_int_equal(qms_route_decode(in, &h, &used), QMS_OK);
    h.source = TEXT("a");
    h.meta = (struct qms_bytes){NULL, 0};
    assert_bytes((struct qms_bytes){data, encode(data, sizeof(data), &h)},
                 OCTETS(2, 24, 0, 0, 1, 0, 1, 'b', 0x00, 1, 'z', 0x01, 1, 'a', 0x14, 1, 'y',
                        0x40, 0x40, 1, 'x', 0x80, 0, 0x40, 0x01, 0));
    block_free(in);
}

static void encoder_refuses_what_no_decoder_takes(void **state)
{
    static const uint8_t long_value[2049];
    const struct qms_route_header good = {.kind = QMS_KIND_AGENT, .target = TEXT("b")};
    struct qms_route_header h;

    (void)state;
    assert_int_equal(encode_verdict(&good), QMS_OK);
#define REFUSED(err, ...) h = good, __VA_ARGS__, assert_int_equal(encode_verdict(&h), (err))
    REFUSED(QMS_E_INVALID, h.flags = 8);
    REFUSED(QMS_E_INVALID, h.kind = 5);
    REFUSED(QMS_E_INVALID, h.kind = QMS_KIND_SELF);
    REFUSED(QMS_E_INVALID, h.target.len = 0);
    REFUSED(QMS_E_INVALID, h.target = TEXT("a b"));
    REFUSED(QMS_E_INVALID, h.target = ((struct qms_bytes){long_value, 129}));
    REFUSED(QMS_E_INVALID, h.handle = UINT64_C(1) << 60);
    REFUSED(QMS_E_INVALID, h.source = TEXT("\xff"));
    REFUSED(QMS_E_INVALID, h.has_hops = true, h.hops = QMS_VARINT_MAX + 1);
    REFUSED(QMS_E_INVALID, h.traceparent = TEXT("00-"));
    REFUSED(QMS_E_INVALID, h.has_original = true, h.original_kind = QMS_KIND_TOPIC);
    REFUSED(QMS_E_INVALID, h.extra = TEXT("\x05\x00"));
    REFUSED(QMS_E_INVALID, h.extra = TEXT("\x14\x05"));
    REFUSED(QMS_E_INVALID, h.extra = OCTETS(0x14, 0, 0x12, 0));
    REFUSED(QMS_E_TOO_LARGE, h.content_type = ((struct qms_bytes){long_value, 129}));
    REFUSED(QMS_E_TOO_LARGE, h.meta = ((struct qms_bytes){long_value, 2049}));
#undef REFUSED
}

static void writer_too_small_is_left_as_it_was(void **state)
{
    uint8_t data[512];
    size_t len = encode(data, sizeof(data), &full);

    (void)state;
    for (size_t cap = 0; cap < len; cap++) {
        uint8_t *small = malloc(cap);
        struct qms_writer w = qms_writer_of(small, cap);
        assert_int_equal(qms_route_encode(&w, &full), QMS_E_TOO_LARGE);
        assert_int_equal(w.len, 0);
        assert_false(w.full);
        free(small);
    }
    uint8_t *exact = malloc(len);
    assert_int_equal(encode(exact, len, &full), len);
    free(exact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_document),
        cmocka_unit_test(vectors_to_refuse_of_the_document),
        cmocka_unit_test(every_field_survives_the_wire),
        cmocka_unit_test(beginning_of_a_header_needs_more),
        cmocka_unit_test(header_cut_short_is_malformed),
        cmocka_unit_test(broken_length_is_never_accepted),
        cmocka_unit_test(header_over_the_limit_is_told_at_its_length),
        cmocka_unit_test(largest_header_passes_and_one_byte_more_does_not),
        cmocka_unit_test(other_stream_types_are_unsupported),
        cmocka_unit_test(reserved_flags_are_malformed),
        cmocka_unit_test(kinds_and_targets_must_fit),
        cmocka_unit_test(target_has_at_most_128_bytes),
        cmocka_unit_test(handles_end_below_2_to_the_60th),
        cmocka_unit_test(longer_forms_of_numbers_are_accepted),
        cmocka_unit_test(order_of_tlvs_is_checked),
        cmocka_unit_test(unknown_critical_tlv_is_unsupported_below_0x40_only),
        cmocka_unit_test(bad_values_of_tlvs_are_malformed),
        cmocka_unit_test(values_over_their_limit_are_too_large),
        cmocka_unit_test(source_is_decoded_from_whoever_sent_it),
        cmocka_unit_test(broker_passes_on_what_it_does_not_know),
        cmocka_unit_test(encoder_refuses_what_no_decoder_takes),
        cmocka_unit_test(writer_too_small_is_left_as_it_was),
    };
    return cmocka_run_group_tests_name("proto_route", tests, NULL, NULL);
}
