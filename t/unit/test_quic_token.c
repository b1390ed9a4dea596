/* SPDX-License-Identifier: MIT */
/* Keys, connection ids, tokens, the search for STOP_SENDING, a stream's book-keeping. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "qms_test.h"
#include "quic/cid.h"
#include "quic/peek.h"
#include "quic/stream.h"

struct fixture {
    struct qms_quic_keys keys, other;
    struct sockaddr_in addr;
    ngtcp2_cid scid, odcid, found;
    uint8_t token[QMS_TOKEN_MAX];
    struct qms_peek peek;
};

static int setup(void **state)
{
    static const uint8_t secret[32] = {1}, secret2[32] = {2};
    struct fixture *f = qms_calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(qms_quic_keys_derive(&f->keys, secret), QMS_OK);
    assert_int_equal(qms_quic_keys_derive(&f->other, secret2), QMS_OK);
    f->addr.sin_family = AF_INET;
    f->addr.sin_port = htons(1234);
    f->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    qms_cid_make(&f->keys, -1, &f->scid);
    qms_cid_make(&f->keys, -1, &f->odcid);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    qms_peek_fini(&f->peek);
    qms_free(f);
    return 0;
}

/* ---- ids and keys ---- */

static void ids_have_one_length_and_do_not_repeat(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(f->scid.datalen, QMS_CID_LEN);
    assert_in_range(QMS_CID_LEN, 18, 20);
    assert_false(ngtcp2_cid_eq(&f->scid, &f->odcid));
}

static void keys_differ_by_use_and_by_secret(void **state)
{
    struct fixture *f = *state;

    assert_memory_not_equal(f->keys.retry, f->keys.token, 32);
    assert_memory_not_equal(f->keys.retry, f->keys.reset, 32);
    assert_memory_not_equal(f->keys.token, f->keys.reset, 32);
    assert_memory_not_equal(f->keys.retry, f->other.retry, 32);
    assert_memory_not_equal(f->keys.ticket, f->other.ticket, 64);
}

static void reset_token_belongs_to_id_and_secret(void **state)
{
    struct fixture *f = *state;
    uint8_t a[16], b[16];

    assert_int_equal(qms_cid_reset_token(&f->keys, &f->scid, a), QMS_OK);
    assert_int_equal(qms_cid_reset_token(&f->keys, &f->scid, b), QMS_OK);
    assert_memory_equal(a, b, 16);
    assert_int_equal(qms_cid_reset_token(&f->keys, &f->odcid, b), QMS_OK);
    assert_memory_not_equal(a, b, 16);
    assert_int_equal(qms_cid_reset_token(&f->other, &f->scid, b), QMS_OK);
    assert_memory_not_equal(a, b, 16);
}

/* ---- tokens ---- */

static enum qms_token_kind check(struct fixture *f, const struct qms_quic_keys *keys,
                                 const ngtcp2_cid *dcid, size_t len, qms_time now)
{
    ngtcp2_pkt_hd hd = {
        .dcid = *dcid, .token = f->token, .tokenlen = len, .version = NGTCP2_PROTO_VER_V1};
    return qms_token_check(keys, &hd, (struct sockaddr *)&f->addr, sizeof(f->addr), now,
                           &f->found);
}

static void retry_token_is_bound_to_id_address_secret_and_time(void **state)
{
    struct fixture *f = *state;
    qms_time now = 100 * QMS_SECOND;
    size_t len = qms_token_retry(&f->keys, NGTCP2_PROTO_VER_V1, (struct sockaddr *)&f->addr,
                                 sizeof(f->addr), &f->scid, &f->odcid, now, f->token);

    assert_true(len > 0 && len <= QMS_TOKEN_MAX);
    assert_int_equal(check(f, &f->keys, &f->scid, len, now + QMS_SECOND), QMS_TOKEN_RETRY);
    assert_true(ngtcp2_cid_eq(&f->found, &f->odcid));
    assert_int_equal(check(f, &f->keys, &f->odcid, len, now), QMS_TOKEN_INVALID);
    assert_int_equal(check(f, &f->other, &f->scid, len, now), QMS_TOKEN_INVALID);
    assert_int_equal(check(f, &f->keys, &f->scid, len, now + 11 * QMS_SECOND),
                     QMS_TOKEN_INVALID);
    f->addr.sin_port++;
    assert_int_equal(check(f, &f->keys, &f->scid, len, now), QMS_TOKEN_INVALID);
    f->addr.sin_port--;
    f->token[len / 2] ^= 1;
    assert_int_equal(check(f, &f->keys, &f->scid, len, now), QMS_TOKEN_INVALID);
}

static void later_token_is_bound_to_the_host_and_worthless_otherwise(void **state)
{
    struct fixture *f = *state;
    qms_time now = 100 * QMS_SECOND;
    size_t len =
        qms_token_later(&f->keys, (struct sockaddr *)&f->addr, sizeof(f->addr), now, f->token);

    assert_true(len > 0 && len <= QMS_TOKEN_MAX);
    assert_int_equal(check(f, &f->keys, &f->scid, len, now + 3600 * QMS_SECOND),
                     QMS_TOKEN_LATER);
    f->addr.sin_port++; /* another port of the same host is the usual case */
    assert_int_equal(check(f, &f->keys, &f->scid, len, now), QMS_TOKEN_LATER);
    assert_int_equal(check(f, &f->keys, &f->scid, len, now + 25 * 3600 * QMS_SECOND),
                     QMS_TOKEN_NONE);
    f->addr.sin_addr.s_addr ^= 1;
    assert_int_equal(check(f, &f->keys, &f->scid, len, now), QMS_TOKEN_NONE);
    assert_int_equal(check(f, &f->keys, &f->scid, 0, now), QMS_TOKEN_NONE);
    memset(f->token, 0x11, sizeof(f->token));
    assert_int_equal(check(f, &f->keys, &f->scid, 20, now), QMS_TOKEN_NONE);
}

/* ---- STOP_SENDING ---- */

static void peek(struct fixture *f, const void *data, size_t len)
{
    f->peek.count = 0;
    qms_peek_frames(&f->peek, (struct qms_bytes){data, len});
}

/* Every kind of frame, then a STOP_SENDING of stream 4 with code 0x1234. */
static const uint8_t frames[] = {
    0x00, 0x01,                                              /* PADDING, PING */
    0x02, 0x20, 0x01, 0x02, 0x03, 0x01, 0x01, 0x02, 0x02,    /* ACK, two more ranges */
    0x03, 0x40, 0x20, 0x01, 0x00, 0x03, 1,    2,    3,       /* ACK with ECN counts */
    0x04, 0x08, 0x01, 0x02,                                  /* RESET_STREAM */
    0x06, 0x00, 0x03, 5,    5,    5,                         /* CRYPTO */
    0x07, 0x02, 5,    5,                                     /* NEW_TOKEN */
    0x0a, 0x04, 0x02, 5,    5,    0x0b, 0x04, 0x02, 5,    5, /* STREAM with length */
    0x0e, 0x04, 0x09, 0x02, 5,    5,    0x0f, 0x04, 0x09, 0x02, 5,    5, /* with an offset too
                                                                          */
    0x10, 0x01, 0x11, 0x04, 0x01, 0x12, 0x01, 0x13, 0x01,                /* MAX_* */
    0x14, 0x01, 0x15, 0x04, 0x01, 0x16, 0x01, 0x17, 0x01,                /* *_BLOCKED */
    0x18, 0x01, 0x00, 0x02, 9,    9,    1,    2,    3,    4,    5,    6, 7, 8,
    9,    10,   11,   12,   13,   14,   15,   16,   0x19, 0x01, 0x1a, 1, 2, 3,
    4,    5,    6,    7,    8,    0x1b, 1,    2,    3,    4,    5,    6, 7, 8,
    0x1e, 0x1c, 0x01, 0x02, 0x02, 'n',  'o',  0x1d, 0x01, 0x01, 'n', /* CONNECTION_CLOSE */
    0x31, 0x03, 5,    5,    5,                                       /* DATAGRAM */
    0x05, 0x04, 0x52, 0x34,                                          /* STOP_SENDING */
    0x05, 0x08, 0x00,                                                /* and another */
    0x08, 0x04, 0x05, 0x0c, 0x00,                                    /* STREAM to the end */
};

static void stop_is_found_behind_every_other_frame(void **state)
{
    struct fixture *f = *state;

    peek(f, frames, sizeof(frames));
    assert_int_equal(f->peek.count, 2);
    assert_int_equal(f->peek.stops[0].stream_id, 4);
    assert_int_equal(f->peek.stops[0].code, 0x1234);
    assert_int_equal(f->peek.stops[1].stream_id, 8);
    assert_int_equal(f->peek.stops[1].code, 0);
}

static void odd_frames_are_counted(void **state)
{
    struct fixture *f = *state;

    f->peek.odd = 0;
    peek(f, frames, sizeof(frames)); /* PING, CRYPTO, two of connection ids, PATH_CHALLENGE */
    assert_int_equal(f->peek.odd, 5);
    f->peek.odd = 0;
    peek(f, "\x0a\x04\x00\x0e\x04\x09\x00\x0b\x04\x00\x0c\x04\x05", 13);
    assert_int_equal(f->peek.odd, 3); /* STREAM without data; one of the four has FIN */
}

static void truncated_and_mangled_frames_are_survived(void **state)
{
    struct fixture *f = *state;
    uint8_t copy[sizeof(frames)];

    for (size_t len = 0; len <= sizeof(frames); len++) {
        /* A copy of exactly this length, so that a sanitizer sees a step too far. */
        uint8_t *exact = qms_realloc(NULL, len);
        memcpy(exact, frames, len);
        peek(f, exact, len);
        qms_free(exact);
    }
    for (size_t i = 0; i < sizeof(frames); i++) {
        memcpy(copy, frames, sizeof(copy));
        copy[i] = 0xff;
        peek(f, copy, sizeof(copy));
        assert_true(f->peek.count <= sizeof(copy) / 3);
    }
    peek(f, "\x02\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x00", 12);
    assert_int_equal(f->peek.count, 0);
}

static void packet_full_of_stops_is_taken_whole(void **state)
{
    struct fixture *f = *state;
    uint8_t many[3 * 400];

    for (size_t i = 0; i < sizeof(many); i += 3) {
        memcpy(many + i, "\x05\x04\x07", 3);
    }
    peek(f, many, sizeof(many));
    assert_int_equal(f->peek.count, 400);
    qms_peek_fini(&f->peek);
    qms_mem_fail_after(0);
    peek(f, many, 3); /* without memory: as if it had not been seen */
    assert_int_equal(f->peek.count, 0);
}

/* ---- streams ---- */

/* Against a plain model: `sent` and `acked` as offsets into the bytes written. */
static void cursor_stays_right_through_writes_sends_and_acks(void **state)
{
    struct qms_quic_stream *st = qms_quic_stream_new(NULL, true, true, 0, 1000);
    struct qms_blob *blob = qms_blob_new(4096);
    uint64_t written = 0, sent = 0, acked = 0;
    uint32_t rnd = 7;
    (void)state;

    for (int i = 0; i < 4096; i++) {
        blob->data[i] = (uint8_t)i;
    }
    blob->len = 4096;
    st->open = true;
    for (int step = 0; step < 100000; step++) {
        rnd = rnd * 1664525 + 1013904223;
        uint64_t n = rnd >> 20 & 63;
        if (rnd >> 30 == 0) {
            /* The byte at stream offset k is k mod 256; ranges often continue each other. */
            size_t off = (written & 255) + ((rnd >> 8 & 1) ? 256 : 0);
            assert_int_equal(qms_blobq_push(&st->out, blob, off, n), QMS_OK);
            written += n;
        } else if (rnd >> 30 == 1) {
            n = n < written - sent ? n : written - sent;
            qms_quic_stream_sent(st, n);
            sent += n;
        } else if (rnd >> 30 == 2) {
            n = n < sent - acked ? n : sent - acked;
            assert_int_equal(qms_quic_stream_acked(st, n), n);
            acked += n;
        }
        assert_int_equal(qms_quic_stream_unsent(st), written - sent);
        assert_int_equal(st->out.bytes, written - acked);
        ngtcp2_vec v[QMS_STREAM_VECS];
        bool all;
        size_t count = qms_quic_stream_gather(st, 100, v, &all), bytes = 0;
        for (size_t i = 0; i < count; i++) {
            assert_true(v[i].len > 0);
            for (size_t k = 0; k < v[i].len; k++) {
                assert_int_equal(v[i].base[k], (uint8_t)(sent + bytes + k));
            }
            bytes += v[i].len;
        }
        assert_true(count > 0 || written == sent);
        assert_int_equal(all, bytes == written - sent);
    }
    assert_true(acked > 100000);
    qms_blob_unref(blob);
    qms_quic_stream_free(st);
}

static void window_doubles_only_when_it_was_used_up_quickly(void **state)
{
    struct qms_quic_stream *st = qms_quic_stream_new(NULL, true, true, 0, 1000);
    qms_time rtt = 10 * QMS_MILLISECOND;
    (void)state;

    /* A whole window in three round trips: as it was. */
    assert_int_equal(qms_quic_stream_consumed(st, 500, 0, rtt, 3500), 500);
    assert_int_equal(qms_quic_stream_consumed(st, 500, 3 * rtt, rtt, 3500), 500);
    assert_int_equal(st->window, 1000);
    /* In two: doubled, and bounded in the end. */
    assert_int_equal(qms_quic_stream_consumed(st, 500, 4 * rtt, rtt, 3500), 500);
    assert_int_equal(qms_quic_stream_consumed(st, 500, 6 * rtt, rtt, 3500), 1500);
    assert_int_equal(qms_quic_stream_consumed(st, 2000, 7 * rtt, rtt, 3500), 3500);
    assert_int_equal(st->window, 3500);
    assert_int_equal(qms_quic_stream_consumed(st, 3500, 8 * rtt, rtt, 3500), 3500);
    assert_int_equal(st->window, 3500);
    qms_quic_stream_free(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(ids_have_one_length_and_do_not_repeat),
        QMS_TEST(keys_differ_by_use_and_by_secret),
        QMS_TEST(reset_token_belongs_to_id_and_secret),
        QMS_TEST(retry_token_is_bound_to_id_address_secret_and_time),
        QMS_TEST(later_token_is_bound_to_the_host_and_worthless_otherwise),
        QMS_TEST(stop_is_found_behind_every_other_frame),
        QMS_TEST(odd_frames_are_counted),
        QMS_TEST(truncated_and_mangled_frames_are_survived),
        QMS_TEST(packet_full_of_stops_is_taken_whole),
        QMS_TEST(cursor_stays_right_through_writes_sends_and_acks),
        QMS_TEST(window_doubles_only_when_it_was_used_up_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
