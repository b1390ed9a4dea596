/* SPDX-License-Identifier: MIT */
/* Frames and transport parameters that break the rules of RFC 9000: each ends the connection
 * with the code of the RFC, and what the RFC says is to be ignored is.
 *
 * The client is this library's.  A datagram of its with a mark in it is replaced by the hostile
 * frames on its way into the cipher, and its transport parameters on their way into TLS. */
#define _GNU_SOURCE /* memmem, RTLD_NEXT */
#include <dlfcn.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <stdio.h>
#include <string.h>

#include "qms_test.h"
#include "quic/crypto_in.h"
#include "test_quic_rig.h"

#define MARK "hostile frames go here"
#define ROOM 600

/* What the client sends next in place of its mark, and what its parameters become. */
static struct {
    const uint8_t *frames;
    size_t len;
    unsigned sent;
    size_t (*params)(uint8_t *buf, size_t len);
    bool takes_ids_back, says_done; /* the server, before its client's handshake is over */
    unsigned early_sent;
    unsigned whole, mangled; /* packets of either side that go as they are, and then do not */
} hostile;

static void mangle(uint8_t *packet, size_t len);

static int setup(void **state)
{
    memset(&hostile, 0, sizeof(hostile));
    *state = rig_new();
    return 0;
}

static int teardown(void **state)
{
    rig_free(*state);
    return 0;
}

/* ---- frames ---- */

int __real_ngtcp2_crypto_encrypt_cb(uint8_t *dest, const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *plain,
                                    size_t len, const uint8_t *nonce, size_t nonce_len,
                                    const uint8_t *aad, size_t aad_len);
int __wrap_ngtcp2_crypto_encrypt_cb(uint8_t *dest, const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *plain,
                                    size_t len, const uint8_t *nonce, size_t nonce_len,
                                    const uint8_t *aad, size_t aad_len);

/* Behind the frames PADDING (0) fills the packet up. */
int __wrap_ngtcp2_crypto_encrypt_cb(uint8_t *dest, const ngtcp2_crypto_aead *aead,
                                    const ngtcp2_crypto_aead_ctx *ctx, const uint8_t *plain,
                                    size_t len, const uint8_t *nonce, size_t nonce_len,
                                    const uint8_t *aad, size_t aad_len)
{
    uint8_t packet[2048] = {0};

    if (hostile.frames != NULL && len <= sizeof(packet) && hostile.len <= len &&
        memmem(plain, len, MARK, sizeof(MARK) - 1) != NULL) {
        memcpy(packet, hostile.frames, hostile.len);
        plain = packet;
        hostile.sent++;
    } else if ((hostile.takes_ids_back || hostile.says_done) && hostile.early_sent == 0 &&
               len <= sizeof(packet) && (aad[0] & 0x80) == 0 &&
               plain[0] == 0x18) { /* the first ids that it gives */
        if (hostile.takes_ids_back) {
            memcpy(packet, plain, len);
            packet[1] = 25; /* number, and up to which they are taken back */
            packet[2] = 9;
        } else {
            packet[0] = 0x1e;
        }
        plain = packet;
        hostile.early_sent++;
    } else if (hostile.whole > 0) {
        hostile.whole--;
    } else if (hostile.mangled > 0 && len > 0 && len <= sizeof(packet)) {
        memcpy(packet, plain, len);
        mangle(packet, len);
        plain = packet;
        hostile.mangled--;
    }
    return __real_ngtcp2_crypto_encrypt_cb(dest, aead, ctx, plain, len, nonce, nonce_len, aad,
                                           aad_len);
}

static void send_frames(struct rig *r, const uint8_t *frames, size_t len)
{
    uint8_t text[ROOM] = MARK;

    hostile.frames = frames;
    hostile.len = len;
    hostile.sent = 0;
    assert_int_equal(r->client.link->ops->datagram(r->client.link, 255,
                                                   &(struct qms_bytes){text, sizeof(text)}, 1),
                     QMS_OK);
    for (int i = 0; i < 100 && hostile.sent == 0; i++) {
        rig_run(r, 10);
    }
    assert_int_equal(hostile.sent, 1);
}

struct row {
    const char *name;
    uint64_t code, or ; /* `or`: what some versions of ngtcp2 say; 0: nothing else */
    size_t len;
    uint8_t frames[32];
};

#define FRAMES(...)                                                                            \
    sizeof((uint8_t[]){__VA_ARGS__}),                                                          \
    {                                                                                          \
        __VA_ARGS__                                                                            \
    }
#define LARGEST     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff /* 2^62-1 */
#define MILLION     0x80, 0x0f, 0x42, 0x40
#define OVER_2_60   0xd0, 0, 0, 0, 0, 0, 0, 1
#define RESET_TOKEN 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16

/* Streams: 0 and 2 are the client's to open, 1 and 3 the server's; 3 is open. */
static const struct row rows[] = {
    {"data beyond the window", 0x03, 0, FRAMES(0x0e, 0, 0xbf, 0xff, 0xff, 0xff, 1, 'x')},
    {"the largest offset", 0x03, 0x07, FRAMES(0x0e, 0, LARGEST, 1, 'x')},
    {"a final size beyond the window", 0x03, 0, FRAMES(0x04, 0, 0, 0xbf, 0xff, 0xff, 0xff)},
    {"a stream over the limit", 0x04, 0, FRAMES(0x0a, MILLION, 1, 'x')},
    {"a reset of a stream over the limit", 0x04, 0, FRAMES(0x04, MILLION, 0, 0)},
    {"a reset of a stream that is only sent to it", 0x05, 0x0a, FRAMES(0x04, 3, 0, 0)},
    {"STOP_SENDING for one that was never opened", 0x05, 0, FRAMES(0x05, 1, 0)},
    {"STOP_SENDING for one that it only sends", 0x05, 0x0a, FRAMES(0x05, 2, 0)},
    {"data on one that was never opened", 0x05, 0, FRAMES(0x0a, 1, 1, 'x')},
    {"data on one that is only sent to it", 0x05, 0, FRAMES(0x0a, 3, 1, 'x')},
    {"credit for one that was never opened", 0x05, 0, FRAMES(0x11, 1, 9)},
    {"credit for one that it only sends", 0x05, 0, FRAMES(0x11, 2, 9)},
    {"data past its end", 0x06, 0, FRAMES(0x0f, 0, 0, 1, 'x', 0x0e, 0, 5, 1, 'y')},
    {"another end", 0x06, 0, FRAMES(0x0f, 0, 0, 1, 'x', 0x0f, 0, 5, 1, 'y')},
    {"a reset with another size", 0x06, 0, FRAMES(0x0f, 0, 0, 1, 'x', 0x04, 0, 0, 7)},
    {"a reset below what has come", 0x06, 0, FRAMES(0x0e, 0, 9, 1, 'x', 0x04, 0, 0, 7)},
    {"a frame of no known type", 0x07, 0, FRAMES(0x21)},
    {"a frame that ends before its end", 0x07, 0, FRAMES(0x06, 0, 0x7f, 0xff)},
    {"more streams than there can be", 0x07, 0, FRAMES(0x12, OVER_2_60)},
    {"more unidirectional streams than there can be", 0x07, 0, FRAMES(0x13, OVER_2_60)},
    {"blocked at more streams than there can be", 0x07, 0x04, FRAMES(0x16, OVER_2_60)},
    {"an id that retires itself", 0x07, 0, FRAMES(0x18, 1, 2, 1, 'c', RESET_TOKEN)},
    {"an id of no bytes", 0x07, 0, FRAMES(0x18, 1, 0, 0, RESET_TOKEN)},
    {"an id of 21 bytes", 0x07, 0, FRAMES(0x18, 1, 0, 21, RESET_TOKEN, 0)},
    {"a token for the server", 0x0a, 0x07, FRAMES(0x07, 1, 't')},
    {"HANDSHAKE_DONE for the server", 0x0a, 0, FRAMES(0x1e)},
    {"an acknowledgement of what was not sent", 0x0a, 0, FRAMES(0x02, MILLION, 0, 0, 0)},
    {"an acknowledgement below 0", 0x07, 0, FRAMES(0x02, 1, 0, 0, 2)},
    {"the end of an id that was not given", 0x0a, 0, FRAMES(0x19, MILLION)},
    {"a gap in CRYPTO of a million bytes", 0x0d, 0, FRAMES(0x06, MILLION, 1, 'x')},
    {"a KeyUpdate of TLS", 0x10a, 0, FRAMES(0x06, 0, 5, 24, 0, 0, 1, 0)},
};

static void begin(struct rig *r)
{
    rig_start(r);
    rig_establish(r);
    struct rig_stream *s = rig_open(&r->server, false, 128);
    rig_write(s, 1);
    assert_true(rig_until_count(r, &r->client.opened, 1, 5000));
    assert_int_equal(s->st->id, 3);
}

static bool ends_with(struct rig *r, const char *name, uint64_t code, uint64_t or)
{
    bool closed = rig_until(r, &r->client.closed, 5000);
    const struct qms_link_close *why = &r->client.why;
    bool good = closed && why->by_peer && !why->application &&
                (why->code == code || (or != 0 && why->code == or));

    if (!good) {
        print_error("%s: %s, by_peer=%d application=%d code=0x%llx, not 0x%llx\n", name,
                    closed ? "closed" : "not closed", why->by_peer, why->application,
                    (unsigned long long)why->code, (unsigned long long)code);
    }
    return good;
}

static void each_bad_frame_ends_the_connection_with_its_code(void **state)
{
    unsigned wrong = 0;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin(*state);
        send_frames(*state, rows[i].frames, rows[i].len);
        wrong += !ends_with(*state, rows[i].name, rows[i].code, rows[i].or) ||
                 !rig_until(*state, &((struct rig *)*state)->server.closed, 5000);
        rig_free(*state);
        *state = rig_new();
    }
    assert_int_equal(wrong, 0);
}

static void too_many_connection_ids_end_the_connection(void **state)
{
    uint8_t frames[ROOM];
    size_t len = 0;

    for (uint8_t i = 30; i < 50; i++) {
        const uint8_t frame[] = {0x18, i, 0, 8, i, 2, 3, 4,  5,  6,  7,  8,  i,  2,
                                 3,    4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
        memcpy(frames + len, frame, sizeof(frame));
        len += sizeof(frame);
    }
    begin(*state);
    send_frames(*state, frames, len);
    assert_true(ends_with(*state, "connection ids", 0x09, 0));
}

static void it_works(struct rig *r)
{
    r->server.echo = true;
    struct rig_stream *s = rig_open(&r->client, true, 128);
    uint64_t sum = rig_write(s, 1000);
    r->client.link->ops->finish(s->st);
    assert_true(rig_until(r, &s->fin, 5000));
    assert_int_equal(s->sum, sum);
}

/* What nobody asked for, and what says nothing. */
static void harmless_frames_are_ignored(void **state)
{
    static const uint8_t frames[] = {0x1b, 1, 2, 3, 4, 5, 6, 7, 8, /* PATH_RESPONSE */
                                     0x14, 9,                      /* DATA_BLOCKED */
                                     0x15, 0, 9,                   /* STREAM_DATA_BLOCKED */
                                     0x16, 9,                      /* STREAMS_BLOCKED */
                                     0x10, 1, /* MAX_DATA, less than before */
                                     0x30};   /* an empty DATAGRAM */
    struct rig *r = *state;

    begin(r);
    send_frames(r, frames, sizeof(frames));
    it_works(r);
    assert_false(r->server.closed);
}

/* ---- messages of TLS ---- */

/* In pieces of that size. */
static bool may_send(ngtcp2_encryption_level which, bool to_server, const uint8_t *bytes,
                     size_t len, size_t piece)
{
    struct qms_crypto_level level = {.have = 0};
    bool allowed = true;

    for (size_t at = 0; at < len && allowed; at += piece) {
        size_t run = len - at < piece ? len - at : piece;
        allowed = qms_crypto_in_allowed(&level, which, to_server,
                                        (struct qms_bytes){bytes + at, run});
    }
    return allowed;
}

static void a_key_update_is_found_behind_any_message(void **state)
{
    /* A Finished (20) with the number of a KeyUpdate (24) in it, and a ticket (4) of 300 bytes.
     */
    static const uint8_t finished[] = {20, 0, 0, 3, 24, 24, 24, 24, 0, 0, 1, 0};
    static uint8_t tickets[4 + 300 + 4 + 5] = {4, 0, 1, 44};

    (void)state;
    memset(tickets + 4, 24, 300);
    tickets[4 + 300] = 24;
    for (size_t piece = 1; piece < sizeof(tickets); piece++) {
        for (int to_server = 0; to_server < 2; to_server++) {
            assert_true(
                may_send(NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE, to_server, finished, 7, piece));
            assert_false(
                may_send(NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE, to_server, finished, 8, piece));
            assert_true(
                may_send(NGTCP2_ENCRYPTION_LEVEL_INITIAL, to_server, finished, 7, piece));
        }
        assert_true(may_send(NGTCP2_ENCRYPTION_LEVEL_1RTT, false, tickets, 304, piece));
        assert_false(may_send(NGTCP2_ENCRYPTION_LEVEL_1RTT, false, tickets, 305, piece));
        assert_false(may_send(NGTCP2_ENCRYPTION_LEVEL_1RTT, true, tickets, 1, piece));
        assert_false(may_send(NGTCP2_ENCRYPTION_LEVEL_0RTT, true, finished, 1, piece));
    }
}

/* ---- transport parameters ---- */

/* In the place of ngtcp2's for its own half in GnuTLS. */
__attribute__((visibility("default"))) ngtcp2_ssize
ngtcp2_conn_encode_local_transport_params(ngtcp2_conn *conn, uint8_t *dest, size_t len)
{
    static ngtcp2_ssize (*real)(ngtcp2_conn *, uint8_t *, size_t);
    ngtcp2_ssize n;

    if (real == NULL) {
        void *found = dlsym(RTLD_NEXT, "ngtcp2_conn_encode_local_transport_params");
        assert_non_null(found);
        memcpy(&real, &found, sizeof(real));
    }
    n = real(conn, dest, len);
    if (n > 0 && hostile.params != NULL && !ngtcp2_conn_is_server(conn)) {
        assert_true(len - (size_t)n > 64);
        n = (ngtcp2_ssize)hostile.params(dest, (size_t)n);
    }
    return n;
}

static size_t append(uint8_t *buf, size_t len, const uint8_t *param, size_t param_len)
{
    memcpy(buf + len, param, param_len);
    return len + param_len;
}

/* Takes one out; all numbers here are below 64, and lengths too. */
static size_t without(uint8_t *buf, size_t len, uint8_t id)
{
    for (size_t at = 0; at + 1 < len;) {
        size_t head = (size_t)1 << (buf[at] >> 6); /* ids may be longer */
        size_t whole = head + 1 + buf[at + head];
        if (buf[at] == id) {
            memmove(buf + at, buf + at + whole, len - at - whole);
            return len - whole;
        }
        at += whole;
    }
    return len;
}

static size_t no_source_id(uint8_t *buf, size_t len)
{
    size_t left = without(buf, len, 0x0f);

    assert_true(left < len);
    return left;
}

#define WITH(name, id, ...)                                                                    \
    static size_t name(uint8_t *buf, size_t len)                                               \
    {                                                                                          \
        const uint8_t param[] = {id, sizeof((uint8_t[]){__VA_ARGS__}), __VA_ARGS__};           \
        return append(buf, without(buf, len, id), param, sizeof(param));                       \
    }

WITH(original_id, 0x00, 1, 2, 3, 4, 5, 6, 7, 8)
WITH(reset_token, 0x02, RESET_TOKEN)
WITH(retry_id, 0x10, 1, 2, 3, 4)
WITH(another_source_id, 0x0f, 1, 2, 3, 4, 5, 6, 7, 8)
WITH(small_packets, 0x03, 0x44, 0xaf) /* 1,199 */
WITH(large_exponent, 0x0a, 21)
WITH(large_delay, 0x0b, 0x80, 0, 0x40, 0) /* 2^14 */
WITH(cut_number, 0x04, 0x80, 0)
WITH(few_ids, 0x0e, 1)

static size_t beyond_the_end(uint8_t *buf, size_t len)
{
    return append(buf, len, (const uint8_t[]){0x21, 9, 1}, 3);
}

static void each_bad_parameter_ends_the_handshake(void **state)
{
    static const struct {
        const char *name;
        size_t (*params)(uint8_t *buf, size_t len);
    } bad[] = {
        {"no initial_source_connection_id", no_source_id},
        {"another initial_source_connection_id", another_source_id},
        {"original_destination_connection_id", original_id},
        {"stateless_reset_token", reset_token},
        {"retry_source_connection_id", retry_id},
        {"max_udp_payload_size 1199", small_packets},
        {"ack_delay_exponent 21", large_exponent},
        {"max_ack_delay 2^14", large_delay},
        {"active_connection_id_limit 1", few_ids},
        {"a number cut short", cut_number},
        {"a length beyond the end", beyond_the_end},
    };
    unsigned wrong = 0;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rig *r = *state;
        hostile.params = bad[i].params;
        rig_start(r);
        rig_connect(r);
        wrong += !ends_with(r, bad[i].name, 0x08, 0);
        assert_false(r->server.ready);
        rig_free(r);
        *state = rig_new();
    }
    assert_int_equal(wrong, 0);
}

/* ---- a server that is hostile to its client ---- */

/* Behind them ngtcp2 1.11 would miss its first id, or its keys, by the end of the handshake. */
static void what_comes_before_the_handshake_is_over_is_survived(void **state)
{
    for (int i = 0; i < 2; i++) {
        hostile.takes_ids_back = i == 0;
        hostile.says_done = i == 1;
        hostile.early_sent = 0;
        rig_start(*state);
        rig_establish(*state);
        assert_int_equal(hostile.early_sent, 1);
        it_works(*state);
        rig_free(*state);
        *state = rig_new();
    }
}

/* ---- whatever else a peer may say ---- */

static uint64_t seed; /* of the round: the same ones every time */

static unsigned any(size_t below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 20) % below);
}

/* Some of the bad frames, and those not quite as they were. */
static size_t bad_frames(uint8_t *out, size_t room)
{
    size_t len = 0;

    for (unsigned n = 1 + any(6); n > 0; n--) {
        const struct row *row = &rows[any(sizeof(rows) / sizeof(rows[0]))];
        if (row->len > room - len) {
            return len;
        }
        memcpy(out + len, row->frames, row->len);
        for (unsigned k = any(3); k > 0; k--) {
            out[len + any(row->len)] = (uint8_t)any(any(2) == 0 ? 32 : 256);
        }
        len += row->len;
    }
    return len;
}

static void mangle(uint8_t *packet, size_t len)
{
    uint8_t frames[64];
    size_t at = any(len), count = bad_frames(frames, sizeof(frames));

    switch (any(3)) {
    case 0:
        memset(packet, 0, len);
        memcpy(packet, frames, count < len ? count : len);
        break;
    case 1:
        memcpy(packet + at, frames, count < len - at ? count : len - at);
        break;
    default:
        for (unsigned k = 1 + any(8); k > 0; k--) {
            packet[any(any(2) == 0 && len > 40 ? 40 : len)] = (uint8_t)any(256);
        }
    }
}

static void say_something(struct rig_side *side, bool bidi)
{
    if (side->link != NULL && !side->closed) {
        struct rig_stream *s = rig_open(side, bidi, 128);
        rig_write(s, 1 + any(3000));
    }
}

/* Within the handshake, or behind it. */
static void a_mangled_round(struct rig *r, bool within)
{
    rig_start(r);
    if (within) {
        hostile.whole = any(10);
        hostile.mangled = 1 + any(4);
        rig_connect(r);
    } else {
        rig_establish(r);
        hostile.whole = any(3);
        hostile.mangled = 1 + any(4);
    }
    for (int i = 0; i < 4; i++) {
        if (!within) {
            say_something(&r->client, any(2) == 0);
            say_something(&r->server, any(2) == 0);
        }
        rig_run(r, 3);
    }
    hostile.whole = hostile.mangled = 0;
}

/* Neither side may do anything but go on or close: the libraries below have assertions. */
static void mangled_packets_are_survived(void **state)
{
    for (uint64_t round = 1; round <= 80; round++) {
        seed = round * 0x9e3779b97f4a7c15;
        a_mangled_round(*state, round % 2 == 0);
        rig_free(*state);
        *state = rig_new();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QMS_TEST(each_bad_frame_ends_the_connection_with_its_code),
        QMS_TEST(too_many_connection_ids_end_the_connection),
        QMS_TEST(harmless_frames_are_ignored),
        cmocka_unit_test(a_key_update_is_found_behind_any_message),
        QMS_TEST(each_bad_parameter_ends_the_handshake),
        QMS_TEST(mangled_packets_are_survived),
        QMS_TEST(what_comes_before_the_handshake_is_over_is_survived),
    };

    return cmocka_run_group_tests_name("quic_hostile", tests, NULL, NULL);
}
