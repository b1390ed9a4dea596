/* SPDX-License-Identifier: MIT */
#include "proto/control.h"

#include "../fuzz/equal.h"
#include "test_proto.h"

#define SESSION_ID "0123456789abcdef"

/* One of each message with every field set, and how many shorter bodies are whole messages too:
 * those that end between two TLVs, or inside a string that reaches to the end. */
struct sample {
    struct qms_control msg;
    unsigned shorter;
    bool has_tlvs, open_ended;
};

static const struct sample samples[] = {
    {.msg = {.type = QMS_MSG_HELLO,
             .u.hello = {.min_version = 1,
                         .max_version = 70,
                         .agent_id = {(const uint8_t *)"agent/a", 7},
                         .flags = 3,
                         .auth_scheme = QMS_AUTH_TOKEN,
                         .auth = {(const uint8_t *)"token", 5},
                         .software = {(const uint8_t *)"quicms/0.1", 10},
                         .caps = 5,
                         .resume = {(const uint8_t *)SESSION_ID, 16},
                         .payload_form = QMS_PAYLOAD_CHUNKS}},
     .shorter = 5,
     .has_tlvs = true},
    {.msg = {.type = QMS_MSG_WELCOME,
             .u.welcome = {.version = 1,
                           .session_id = SESSION_ID,
                           .agent_id = {(const uint8_t *)"agent/a", 7},
                           .max_header = 4096,
                           .max_datagram = 1200,
                           .idle_ms = 30000,
                           .caps = QMS_CAP_RELAY}},
     .shorter = 1,
     .has_tlvs = true},
    {.msg = {.type = QMS_MSG_REFUSED,
             .u.refused = {.status = QMS_CODE_BUSY,
                           .retry_after_ms = 1000,
                           .reason = {(const uint8_t *)"full", 4},
                           .redirect = {(const uint8_t *)"quic://b", 8}}},
     .shorter = 1,
     .has_tlvs = true},
    {.msg = {.type = QMS_MSG_GOAWAY,
             .u.goaway = {.status = QMS_CODE_GOING_AWAY,
                          .deadline_ms = 5000,
                          .redirect = {(const uint8_t *)"quic://b", 8}}},
     .shorter = 1,
     .has_tlvs = true},
    {.msg = {.type = QMS_MSG_JOIN,
             .u.join = {.req = 1,
                        .kind = QMS_KIND_GROUP,
                        .name = {(const uint8_t *)"workers", 7},
                        .has_weight = true,
                        .weight = 10,
                        .has_priority = true,
                        .priority = 255,
                        .has_slow_policy = true}},
     .shorter = 3,
     .has_tlvs = true},
    {.msg = {.type = QMS_MSG_LEAVE,
             .u.join = {.req = 2, .kind = QMS_KIND_TOPIC, .name = {(const uint8_t *)"t", 1}}}},
    {.msg = {.type = QMS_MSG_WATCH,
             .u.watch = {.req = 3, .prefix = {(const uint8_t *)"a/", 2}}}},
    {.msg = {.type = QMS_MSG_UNWATCH, .u.unwatch = {.req = 4, .watch_req = 3}}},
    {.msg = {.type = QMS_MSG_PRESENCE,
             .u.presence = {.watch_req = 3, .state = 1, .name = {(const uint8_t *)"a/b", 3}}}},
    {.msg = {.type = QMS_MSG_REPLY, .u.reply = {.req = 4, .status = QMS_CODE_NOT_FOUND}},
     .has_tlvs = true},
    {.msg = {.type = QMS_MSG_PRIORITY,
             .u.priority =
                 {.handle = 70000, .opener = 1, .mask = 3, .forward = 255, .reverse = 254}}},
    {.msg = {.type = QMS_MSG_DGRAM_BIND,
             .u.dgram_bind = {.context = 7,
                              .kind = QMS_KIND_AGENT,
                              .name = {(const uint8_t *)"b", 1},
                              .priority = 200}},
     .has_tlvs = true},
    {.msg = {.type = QMS_MSG_DGRAM_UNBIND, .u.dgram_unbind = {.context = 64}}},
    {.msg = {.type = QMS_MSG_STREAM_STATUS,
             .u.stream_status = {.handle = 9,
                                 .opener = 1,
                                 .status = QMS_CODE_SLOW_CONSUMER,
                                 .reason = {(const uint8_t *)"slow", 4}}}},
    {.msg = {.type = QMS_MSG_AUTH,
             .u.auth = {.req = 5,
                        .scheme = QMS_AUTH_JWT,
                        .token = {(const uint8_t *)"abc", 3}}},
     .shorter = 3,
     .open_ended = true},
    {.msg = {.type = QMS_MSG_PING, .u.ping = {0, 1, 2, 3, 4, 5, 6, 7}}},
    {.msg = {.type = QMS_MSG_PONG, .u.ping = {255, 254, 253, 252, 251, 250, 249, 248}}},
    {.msg = {.type = QMS_MSG_THROTTLED,
             .u.throttled = {.what = QMS_THROTTLED_BYTES, .retry_after_ms = 250}}},
    {.msg = {.type = QMS_MSG_STATS_REQUEST,
             .u.stats_request = {.req = 6, .interval_ms = 1000}}},
    {.msg = {.type = QMS_MSG_STATS,
             .u.stats = {.req = 6,
                         .values = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 1 << 30}}},
     .shorter = QMS_STAT_COUNT,
     .has_tlvs = true},
    {.msg = {.type = QMS_MSG_RECEIPT,
             .u.receipt = {.handle = 7, .opener = 1, .len = UINT64_C(1) << 40}}},
};

static qms_err verdict(struct qms_bytes content)
{
    struct qms_bytes in = block_new(content);
    struct qms_control m;
    size_t used;
    qms_err err = qms_control_decode(in, &m, &used);

    block_free(in);
    return err;
}

static size_t encode(uint8_t *data, size_t cap, const struct qms_control *m)
{
    struct qms_writer w = qms_writer_of(data, cap);

    assert_int_equal(qms_control_encode(&w, m), QMS_OK);
    return w.len;
}

static qms_err encode_verdict(const struct qms_control *m)
{
    static uint8_t data[QMS_CONTROL_MAX + 8];
    struct qms_writer w = qms_writer_of(data, sizeof(data));
    qms_err err = qms_control_encode(&w, m);

    assert_true(err == QMS_OK || (w.len == 0 && !w.full));
    return err;
}

/* Encodes a sample with `tail` appended to its body; both fit a one-byte length. */
static struct qms_bytes with_tail(uint8_t *data, size_t cap, const struct sample *s,
                                  struct qms_bytes tail)
{
    size_t len = encode(data, cap, &s->msg);

    assert_true(data[1] == len - 2 && len - 2 + tail.len < 64 && len + tail.len <= cap);
    memcpy(data + len, tail.data, tail.len);
    data[1] = (uint8_t)(data[1] + tail.len);
    return (struct qms_bytes){data, len + tail.len};
}

static void vectors_of_the_document(void **state)
{
    const struct {
        struct qms_control msg;
        struct qms_bytes wire;
    } vectors[] = {
        {{.type = QMS_MSG_PRIORITY, .u.priority = {.mask = 1, .forward = 5}},
         OCTETS(0x13, 0x05, 0x00, 0x00, 0x01, 0x05, 0x00)},
        {{.type = QMS_MSG_PING, .u.ping = {0, 1, 2, 3, 4, 5, 6, 7}},
         OCTETS(0x1d, 0x08, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07)},
        {{.type = QMS_MSG_HELLO,
          .u.hello = {.min_version = 1,
                      .max_version = 1,
                      .agent_id = TEXT("a"),
                      .auth_scheme = QMS_AUTH_TOKEN,
                      .auth = TEXT("t")}},
         OCTETS(0x01, 0x09, 0x01, 0x01, 0x01, 0x61, 0x00, 0x03, 0x02, 0x01, 0x74)},
        {{.type = QMS_MSG_HELLO,
          .u.hello = {.min_version = 1,
                      .max_version = 1,
                      .agent_id = TEXT("b"),
                      .caps = QMS_CAP_RELAY}},
         OCTETS(0x01, 0x08, 0x01, 0x01, 0x01, 0x62, 0x00, 0x04, 0x01, 0x01)},
        {{.type = QMS_MSG_HELLO,
          .u.hello = {.min_version = 1, .max_version = 1, .payload_form = QMS_PAYLOAD_CHUNKS}},
         OCTETS(0x01, 0x07, 0x01, 0x01, 0x00, 0x00, 0x07, 0x01, 0x01)},
        {{.type = QMS_MSG_REFUSED, .u.refused = {.status = QMS_CODE_UNAUTHENTICATED}},
         OCTETS(0x05, 0x03, 0x04, 0x00, 0x00)},
        {{.type = QMS_MSG_DGRAM_BIND,
          .u.dgram_bind =
              {.context = 3, .kind = QMS_KIND_AGENT, .name = TEXT("b"), .priority = 128}},
         OCTETS(0x15, 0x05, 0x03, 0x01, 0x01, 0x62, 0x80)},
        {{.type = QMS_MSG_STATS, .u.stats = {.req = 1, .values = {[QMS_STAT_CWND] = 12000}}},
         OCTETS(0x22, 0x05, 0x01, 0x08, 0x02, 0x6e, 0xe0)},
        {{.type = QMS_MSG_RECEIPT, .u.receipt = {.handle = 3, .opener = 1, .len = 16384}},
         OCTETS(0x26, 0x06, 0x03, 0x01, 0x80, 0x00, 0x40, 0x00)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(vectors); i++) {
        struct qms_control got;
        uint8_t data[32];
        size_t used;
        size_t len = encode(data, sizeof(data), &vectors[i].msg);
        assert_bytes((struct qms_bytes){data, len}, vectors[i].wire);
        assert_int_equal(qms_control_decode(vectors[i].wire, &got, &used), QMS_OK);
        assert_int_equal(used, vectors[i].wire.len);
        assert_true(control_equal(&got, &vectors[i].msg));
    }
}

static void there_is_a_sample_of_every_message(void **state)
{
    (void)state;
    assert_int_equal(COUNT(samples), 21);
    for (size_t i = 1; i < COUNT(samples); i++) {
        assert_true(samples[i - 1].msg.type < samples[i].msg.type);
    }
}

static void every_message_survives_the_wire(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        uint8_t data[256];
        struct qms_control got;
        size_t used;
        size_t len = encode(data, sizeof(data), &samples[i].msg);
        data[len] = 0x1d; /* the next message begins */
        struct qms_bytes in = block_new((struct qms_bytes){data, len + 1});
        assert_int_equal(qms_control_decode(in, &got, &used), QMS_OK);
        assert_int_equal(used, len);
        assert_true(control_equal(&got, &samples[i].msg));
        block_free(in);
    }
}

static void beginning_of_a_message_needs_more(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        uint8_t data[256];
        size_t len = encode(data, sizeof(data), &samples[i].msg);
        for (size_t n = 0; n < len; n++) {
            assert_int_equal(verdict((struct qms_bytes){data, n}), QMS_E_MORE);
        }
    }
}

static void message_cut_short_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        uint8_t data[256];
        unsigned accepted = 0;
        size_t len = encode(data, sizeof(data), &samples[i].msg);
        size_t at = data[1] < 0x40 ? 2 : 3; /* of the body */
        for (size_t cut = 0; cut < len - at; cut++) {
            uint8_t part[256] = {data[0], (uint8_t)(0x40 | cut >> 8), (uint8_t)cut};
            memcpy(part + 3, data + at, cut);
            qms_err err = verdict((struct qms_bytes){part, 3 + cut});
            assert_true(err == QMS_OK || err == QMS_E_PROTOCOL);
            accepted += err == QMS_OK;
        }
        assert_int_equal(accepted, samples[i].shorter);
    }
}

static void bytes_behind_the_last_field_are_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        uint8_t data[256];
        if (encode(data, sizeof(data), &samples[i].msg) < 60) {
            qms_err err = verdict(with_tail(data, sizeof(data), &samples[i], OCTETS(0x3e)));
            assert_int_equal(err, samples[i].open_ended ? QMS_OK : QMS_E_PROTOCOL);
        }
    }
}

static void unknown_tlvs_are_taken_where_tlvs_may_stand(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        const struct sample *s = &samples[i];
        uint8_t data[256];
        if (s->open_ended || encode(data, sizeof(data), &s->msg) >= 58) {
            continue;
        }
        qms_err bad = s->has_tlvs ? QMS_E_UNSUPPORTED : QMS_E_PROTOCOL;
        qms_err good = s->has_tlvs ? QMS_OK : QMS_E_PROTOCOL;
        assert_int_equal(verdict(with_tail(data, sizeof(data), s, OCTETS(0x3f, 0))), bad);
        assert_int_equal(verdict(with_tail(data, sizeof(data), s, OCTETS(0x3e, 1, 'x'))), good);
        assert_int_equal(verdict(with_tail(data, sizeof(data), s, OCTETS(0x40, 0x41, 0))),
                         good);
    }
}

static void unknown_even_message_is_skipped_and_unknown_odd_one_is_unsupported(void **state)
{
    struct qms_control m;
    size_t used;

    (void)state;
    assert_int_equal(qms_control_decode(OCTETS(0x24, 0x02, 0xff, 0xff, 0x1d), &m, &used),
                     QMS_OK);
    assert_int_equal(used, 4);
    assert_int_equal(m.type, 0x24);
    assert_int_equal(verdict(OCTETS(0x00, 0x00)), QMS_OK);
    assert_int_equal(verdict(OCTETS(0x23, 0x00)), QMS_E_UNSUPPORTED);
    assert_int_equal(verdict(OCTETS(0x40, 0x41, 0x00)), QMS_E_UNSUPPORTED);
    /* A type beyond a byte is not the type of its low bits. */
    assert_int_equal(verdict(OCTETS(0x41, 0x1d, 0x00)), QMS_E_UNSUPPORTED);
}

static void message_over_the_limit_is_told_at_its_length(void **state)
{
    (void)state;
    assert_int_equal(verdict(OCTETS(0x1d, 0x80, 0x00, 0x40, 0x00)), QMS_E_MORE); /* 16384 */
    assert_int_equal(verdict(OCTETS(0x1d, 0x80, 0x00, 0x40, 0x01)), QMS_E_TOO_LARGE);
    assert_int_equal(verdict(OCTETS(0x24, 0x80, 0x00, 0x40, 0x01)), QMS_E_TOO_LARGE);
}

static void bad_fields_are_malformed(void **state)
{
    const struct qms_bytes bad[] = {
        OCTETS(0x01, 4, 2, 1, 0, 0),               /* HELLO: versions the wrong way round */
        OCTETS(0x01, 5, 1, 1, 1, ' ', 0),          /* bad id */
        OCTETS(0x01, 6, 1, 1, 0, 0, 0x03, 0),      /* AUTH without a scheme */
        OCTETS(0x01, 7, 1, 1, 0, 0, 0x03, 1, 0),   /* AUTH with scheme 0 */
        OCTETS(0x01, 7, 1, 1, 0, 0, 0x06, 1, 'x'), /* RESUME of another size */
        OCTETS(0x01, 6, 1, 1, 0, 0, 0x06, 0),      /* RESUME empty */
        OCTETS(0x03, 21, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 1,
               1),                                       /* WELCOME without an id */
        OCTETS(0x05, 3, 0, 0, 1),                        /* REFUSED: reason overruns */
        OCTETS(0x09, 4, 1, 1, 1, 'g'),                   /* JOIN an agent */
        OCTETS(0x09, 4, 1, 4, 1, 'g'),                   /* JOIN a service */
        OCTETS(0x09, 3, 1, 2, 0),                        /* JOIN nothing */
        OCTETS(0x09, 8, 1, 2, 1, 'g', 0x04, 2, 0x41, 0), /* JOIN: priority 256 */
        OCTETS(0x0d, 3, 1, 1, ' '),                      /* WATCH: bad prefix */
        OCTETS(0x10, 4, 1, 3, 1, 'a'),                   /* PRESENCE: unknown state */
        OCTETS(0x10, 4, 1, 2, 1, 'a'),                   /* snapshot complete, of someone */
        OCTETS(0x10, 3, 1, 1, 0),                        /* online, of no one */
        OCTETS(0x13, 5, 0, 2, 1, 5, 0),                  /* PRIORITY: opener */
        OCTETS(0x13, 5, 0, 0, 0, 5, 0),                  /* mask of nothing */
        OCTETS(0x13, 5, 0, 0, 4, 5, 0),                  /* reserved bit of the mask */
        OCTETS(0x13, 12, 0xd0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5, 0), /* handle 2^60 */
        OCTETS(0x15, 5, 0, 1, 1, 'b', 0),                        /* DGRAM_BIND of context 0 */
        OCTETS(0x15, 5, 1, 5, 1, 'b', 0),                        /* unknown kind */
        OCTETS(0x15, 4, 1, 1, 0, 0),                             /* agent without a name */
        OCTETS(0x15, 5, 1, 0, 1, 'b', 0),                        /* SELF with one */
        OCTETS(0x17, 1, 0),                                      /* DGRAM_UNBIND of context 0 */
        OCTETS(0x19, 4, 1, 2, 0, 0),                             /* STREAM_STATUS: opener */
        OCTETS(0x1b, 3, 1, 0, 't'),                              /* AUTH with scheme 0 */
        OCTETS(0x1d, 7, 0, 1, 2, 3, 4, 5, 6),                    /* PING of 7 bytes */
        OCTETS(0x1f, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8),              /* PONG of 9 bytes */
        OCTETS(0x22, 4, 1, 0x02, 1, 0x40),                       /* STATS: half a number */
        OCTETS(0x22, 7, 1, 0x04, 1, 1, 0x02, 1, 1),              /* descending counters */
        OCTETS(0x22, 7, 1, 0x02, 1, 1, 0x02, 1, 1),              /* the same counter twice */
        OCTETS(0x26, 3, 1, 2, 5),                                /* RECEIPT: opener */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(verdict(bad[i]), QMS_E_PROTOCOL);
    }
}

static void edge_values_are_accepted(void **state)
{
    const struct qms_bytes good[] = {
        OCTETS(0x01, 4, 1, 1, 0, 0), /* HELLO: the broker assigns an id */
        OCTETS(0x01, 7, 1, 1, 0, 0, 0x03, 1,
               9),                   /* a scheme this text does not know, no bytes */
        OCTETS(0x0d, 2, 1, 0),       /* WATCH everyone */
        OCTETS(0x10, 3, 1, 2, 0),    /* snapshot complete */
        OCTETS(0x15, 4, 1, 0, 0, 0), /* DGRAM_BIND to the peer itself */
        OCTETS(0x20, 2, 9, 0),       /* THROTTLED for a reason yet to come */
        OCTETS(0x22, 1, 1),          /* STATS: all zero */
        OCTETS(0x40, 0x1d, 0x40, 8, 0, 1, 2, 3, 4, 5, 6, 7), /* longer forms of numbers */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_int_equal(verdict(good[i]), QMS_OK);
    }
}

static void statuses_beyond_a_byte_are_cancelled(void **state)
{
    const struct qms_bytes refused = OCTETS(0x05, 4, 0x41, 0x00, 0, 0);
    const struct qms_bytes reply = OCTETS(0x11, 3, 1, 0x41, 0x00);
    struct qms_control m;
    size_t used;

    (void)state;
    assert_int_equal(qms_control_decode(refused, &m, &used), QMS_OK);
    assert_int_equal(m.u.refused.status, QMS_CODE_CANCELLED);
    assert_int_equal(qms_control_decode(reply, &m, &used), QMS_OK);
    assert_int_equal(m.u.reply.status, QMS_CODE_CANCELLED);
    m.u.reply.status = 0x100;
    assert_int_equal(encode_verdict(&m), QMS_E_INVALID);
}

static void credentials_have_at_most_8192_bytes(void **state)
{
    static const uint8_t token[QMS_AUTH_MAX + 1];
    static uint8_t data[QMS_CONTROL_MAX + 8];
    struct qms_control m = {
        .type = QMS_MSG_AUTH,
        .u.auth = {.req = 1, .scheme = QMS_AUTH_TOKEN, .token = {token, QMS_AUTH_MAX}}};

    (void)state;
    assert_int_equal(verdict((struct qms_bytes){data, encode(data, sizeof(data), &m)}), QMS_OK);
    m.u.auth.token.len++;
    assert_int_equal(encode_verdict(&m), QMS_E_TOO_LARGE);
    memset(data, 0, sizeof(data));
    memcpy(data, (uint8_t[]){0x1b, 0x60, 0x03, 1, 1}, 5); /* 8195 = 2 + 8193 */
    assert_int_equal(verdict((struct qms_bytes){data, 3 + 8195}), QMS_E_TOO_LARGE);

    m = (struct qms_control){.type = QMS_MSG_HELLO,
                             .u.hello = {.auth_scheme = QMS_AUTH_JWT, .auth = {token, 8193}}};
    assert_int_equal(encode_verdict(&m), QMS_E_TOO_LARGE);
    m.u.hello.auth.len--;
    assert_int_equal(verdict((struct qms_bytes){data, encode(data, sizeof(data), &m)}), QMS_OK);
}

static void encoder_refuses_what_no_decoder_takes(void **state)
{
    static const uint8_t text[QMS_CONTROL_MAX];
    const struct {
        qms_err err;
        struct qms_control msg;
    } bad[] = {
        {QMS_E_INVALID, {.type = 0x24}},
        {QMS_E_INVALID, {.type = 0x23}},
        {QMS_E_INVALID, {.type = QMS_MSG_HELLO, .u.hello = {.min_version = 1}}},
        {QMS_E_INVALID, {.type = QMS_MSG_HELLO, .u.hello = {.agent_id = TEXT("a b")}}},
        {QMS_E_INVALID, {.type = QMS_MSG_HELLO, .u.hello = {.auth = TEXT("t")}}},
        {QMS_E_INVALID, {.type = QMS_MSG_HELLO, .u.hello = {.flags = UINT64_MAX}}},
        {QMS_E_INVALID, {.type = QMS_MSG_HELLO, .u.hello = {.resume = TEXT("short")}}},
        {QMS_E_INVALID, {.type = QMS_MSG_WELCOME}},
        {QMS_E_INVALID, {.type = QMS_MSG_JOIN, .u.join = {.kind = 1, .name = TEXT("g")}}},
        {QMS_E_INVALID,
         {.type = QMS_MSG_JOIN,
          .u.join = {.kind = 2, .name = TEXT("g"), .has_priority = true, .priority = 256}}},
        {QMS_E_INVALID, {.type = QMS_MSG_LEAVE, .u.join = {.kind = 2}}},
        {QMS_E_INVALID, {.type = QMS_MSG_WATCH, .u.watch = {.prefix = TEXT("\n")}}},
        {QMS_E_INVALID, {.type = QMS_MSG_PRESENCE, .u.presence = {.state = 3}}},
        {QMS_E_INVALID, {.type = QMS_MSG_PRESENCE, .u.presence = {.state = 1}}},
        {QMS_E_INVALID, {.type = QMS_MSG_PRIORITY}},
        {QMS_E_INVALID, {.type = QMS_MSG_PRIORITY, .u.priority = {.mask = 4}}},
        {QMS_E_INVALID,
         {.type = QMS_MSG_PRIORITY, .u.priority = {.mask = 1, .handle = UINT64_C(1) << 60}}},
        {QMS_E_INVALID, {.type = QMS_MSG_DGRAM_BIND, .u.dgram_bind = {.context = 0}}},
        {QMS_E_INVALID,
         {.type = QMS_MSG_DGRAM_BIND, .u.dgram_bind = {.context = 1, .kind = 1}}},
        {QMS_E_INVALID, {.type = QMS_MSG_DGRAM_UNBIND}},
        {QMS_E_INVALID, {.type = QMS_MSG_AUTH}},
        {QMS_E_TOO_LARGE,
         {.type = QMS_MSG_REFUSED, .u.refused = {.reason = {text, sizeof(text)}}}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(encode_verdict(&bad[i].msg), bad[i].err);
    }
}

static void writer_too_small_is_left_as_it_was(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        uint8_t data[256];
        size_t len = encode(data, sizeof(data), &samples[i].msg);
        for (size_t cap = 0; cap < len; cap++) {
            uint8_t *small = malloc(cap);
            struct qms_writer w = qms_writer_of(small, cap);
            assert_int_equal(qms_control_encode(&w, &samples[i].msg), QMS_E_TOO_LARGE);
            assert_int_equal(w.len, 0);
            assert_false(w.full);
            free(small);
        }
    }
}

static void messages_are_written_one_behind_the_other(void **state)
{
    uint8_t data[32];
    struct qms_writer w = qms_writer_of(data, sizeof(data));
    const struct qms_control unbind = {.type = QMS_MSG_DGRAM_UNBIND,
                                       .u.dgram_unbind = {.context = 1}};
    const struct qms_control bad = {.type = QMS_MSG_DGRAM_UNBIND};

    (void)state;
    assert_int_equal(qms_control_encode(&w, &unbind), QMS_OK);
    assert_int_equal(qms_control_encode(&w, &bad), QMS_E_INVALID);
    assert_int_equal(qms_control_encode(&w, &unbind), QMS_OK);
    assert_bytes(written(&w), OCTETS(0x17, 1, 1, 0x17, 1, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_document),
        cmocka_unit_test(there_is_a_sample_of_every_message),
        cmocka_unit_test(every_message_survives_the_wire),
        cmocka_unit_test(beginning_of_a_message_needs_more),
        cmocka_unit_test(message_cut_short_is_malformed),
        cmocka_unit_test(bytes_behind_the_last_field_are_malformed),
        cmocka_unit_test(unknown_tlvs_are_taken_where_tlvs_may_stand),
        cmocka_unit_test(unknown_even_message_is_skipped_and_unknown_odd_one_is_unsupported),
        cmocka_unit_test(message_over_the_limit_is_told_at_its_length),
        cmocka_unit_test(bad_fields_are_malformed),
        cmocka_unit_test(edge_values_are_accepted),
        cmocka_unit_test(statuses_beyond_a_byte_are_cancelled),
        cmocka_unit_test(credentials_have_at_most_8192_bytes),
        cmocka_unit_test(encoder_refuses_what_no_decoder_takes),
        cmocka_unit_test(writer_too_small_is_left_as_it_was),
        cmocka_unit_test(messages_are_written_one_behind_the_other),
    };
    return cmocka_run_group_tests_name("proto_control", tests, NULL, NULL);
}
