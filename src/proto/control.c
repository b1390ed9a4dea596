/* SPDX-License-Identifier: MIT */
/* CONTROL messages: one table of layouts, in the order of the document.  A message without TLVs
 * there ends with its last field. */
#include "proto/control.h"

#include "proto/field.h"

#define AT(type, field) QMS_AT(type, struct qms_control, u.field)
#define ROWS(...)       ((const struct qms_field[]){__VA_ARGS__, QMS_END})
#define NO_KNOWN_TLV    ((const struct qms_field[]){QMS_END})

#define HANDLE_MAX     ((UINT64_C(1) << 60) - 1)
#define SESSION_ID_LEN 16
#define STATE_SNAPSHOT 2
#define BOTH           3 /* forward and reverse */

static const struct qms_field hello_auth[] = {
    QMS_NUMBER(hello.auth_scheme, .min = 1),
    QMS_BYTES(hello.auth, .rest = true, .max = QMS_AUTH_MAX),
    QMS_END,
};

static bool hello_ok(const void *msg)
{
    const struct qms_control *m = msg;
    bool has_scheme = m->u.hello.auth_scheme != QMS_AUTH_NONE;

    return m->u.hello.min_version <= m->u.hello.max_version &&
           (has_scheme || m->u.hello.auth.len == 0);
}

static bool presence_ok(const void *msg)
{
    const struct qms_control *m = msg;

    return (m->u.presence.state == STATE_SNAPSHOT) == (m->u.presence.name.len == 0);
}

static bool bind_ok(const void *msg)
{
    const struct qms_control *m = msg;

    return qms_target_ok(m->u.dgram_bind.kind, m->u.dgram_bind.name);
}

static const struct qms_field stats_tlvs[] = {
#define COUNTER(i) QMS_NUMBER(stats.values[(i)], .tlv = 2 + 2 * (i))
    COUNTER(QMS_STAT_RTT_SMOOTHED_US),
    COUNTER(QMS_STAT_RTT_LATEST_US),
    COUNTER(QMS_STAT_RTT_MIN_US),
    COUNTER(QMS_STAT_CWND),
    COUNTER(QMS_STAT_IN_FLIGHT),
    COUNTER(QMS_STAT_PACKETS_SENT),
    COUNTER(QMS_STAT_PACKETS_RECEIVED),
    COUNTER(QMS_STAT_PACKETS_LOST),
    COUNTER(QMS_STAT_BYTES_SENT),
    COUNTER(QMS_STAT_BYTES_RECEIVED),
    COUNTER(QMS_STAT_STREAMS_OPEN),
    COUNTER(QMS_STAT_STREAMS_CLOSED),
    COUNTER(QMS_STAT_DATAGRAMS_SENT),
    COUNTER(QMS_STAT_DATAGRAMS_RECEIVED),
    COUNTER(QMS_STAT_DATAGRAMS_DROPPED),
#undef COUNTER
    QMS_END,
};

struct message {
    enum qms_control_type type;
    struct qms_layout layout;
};

static const struct message messages[] = {
    {QMS_MSG_HELLO,
     {.fields = ROWS(QMS_NUMBER(hello.min_version), QMS_NUMBER(hello.max_version),
                     QMS_PREFIX(hello.agent_id), QMS_NUMBER(hello.flags)),
      .tlvs = ROWS(QMS_BYTES(hello.software, .tlv = 0x02), QMS_GROUP(hello_auth, .tlv = 0x03),
                   QMS_NUMBER(hello.caps, .tlv = 0x04),
                   QMS_BYTES(hello.resume, .tlv = 0x06, .min = SESSION_ID_LEN),
                   QMS_NUMBER(hello.payload_form, .tlv = 0x07)),
      .ok = hello_ok}},
    {QMS_MSG_WELCOME,
     {.fields = ROWS(QMS_NUMBER(welcome.version),
                     {.kind = QMS_F_FIXED,
                      .at = offsetof(struct qms_control, u.welcome.session_id),
                      .max = SESSION_ID_LEN},
                     QMS_NAME(welcome.agent_id), QMS_NUMBER(welcome.max_header),
                     QMS_NUMBER(welcome.max_datagram), QMS_NUMBER(welcome.idle_ms)),
      .tlvs = ROWS(QMS_NUMBER(welcome.caps, .tlv = 0x04))}},
    {QMS_MSG_REFUSED,
     {.fields = ROWS(QMS_STATUS(refused.status), QMS_NUMBER(refused.retry_after_ms),
                     QMS_BYTES(refused.reason)),
      .tlvs = ROWS(QMS_BYTES(refused.redirect, .tlv = 0x06))}},
    {QMS_MSG_GOAWAY,
     {.fields = ROWS(QMS_STATUS(goaway.status), QMS_NUMBER(goaway.deadline_ms)),
      .tlvs = ROWS(QMS_BYTES(goaway.redirect, .tlv = 0x06))}},
    {QMS_MSG_JOIN,
     {.fields = ROWS(QMS_NUMBER(join.req),
                     QMS_NUMBER(join.kind, .min = QMS_KIND_GROUP, .max = QMS_KIND_TOPIC),
                     QMS_NAME(join.name)),
      .tlvs = ROWS(
          QMS_NUMBER(join.weight, .tlv = 0x02, .has = AT(bool, join.has_weight)),
          QMS_NUMBER(join.priority, .tlv = 0x04, .has = AT(bool, join.has_priority),
                     .max = UINT8_MAX),
          QMS_NUMBER(join.slow_policy, .tlv = 0x06, .has = AT(bool, join.has_slow_policy)))}},
    {QMS_MSG_LEAVE,
     {.fields = ROWS(QMS_NUMBER(join.req),
                     QMS_NUMBER(join.kind, .min = QMS_KIND_GROUP, .max = QMS_KIND_TOPIC),
                     QMS_NAME(join.name))}},
    {QMS_MSG_WATCH, {.fields = ROWS(QMS_NUMBER(watch.req), QMS_PREFIX(watch.prefix))}},
    {QMS_MSG_UNWATCH, {.fields = ROWS(QMS_NUMBER(unwatch.req), QMS_NUMBER(unwatch.watch_req))}},
    {QMS_MSG_PRESENCE,
     {.fields =
          ROWS(QMS_NUMBER(presence.watch_req), QMS_BYTE(presence.state, .max = STATE_SNAPSHOT),
               QMS_PREFIX(presence.name)),
      .ok = presence_ok}},
    {QMS_MSG_REPLY,
     {.fields = ROWS(QMS_NUMBER(reply.req), QMS_STATUS(reply.status)), .tlvs = NO_KNOWN_TLV}},
    {QMS_MSG_PRIORITY,
     {.fields = ROWS(QMS_NUMBER(priority.handle, .max = HANDLE_MAX),
                     QMS_BYTE(priority.opener, .max = 1),
                     QMS_BYTE(priority.mask, .min = 1, .max = BOTH), QMS_BYTE(priority.forward),
                     QMS_BYTE(priority.reverse))}},
    {QMS_MSG_DGRAM_BIND,
     {.fields = ROWS(QMS_NUMBER(dgram_bind.context, .min = 1), QMS_NUMBER(dgram_bind.kind),
                     QMS_PREFIX(dgram_bind.name), QMS_BYTE(dgram_bind.priority)),
      .tlvs = NO_KNOWN_TLV,
      .ok = bind_ok}},
    {QMS_MSG_DGRAM_UNBIND, {.fields = ROWS(QMS_NUMBER(dgram_unbind.context, .min = 1))}},
    {QMS_MSG_STREAM_STATUS,
     {.fields = ROWS(QMS_NUMBER(stream_status.handle, .max = HANDLE_MAX),
                     QMS_BYTE(stream_status.opener, .max = 1), QMS_STATUS(stream_status.status),
                     QMS_BYTES(stream_status.reason))}},
    {QMS_MSG_AUTH,
     {.fields = ROWS(QMS_NUMBER(auth.req), QMS_NUMBER(auth.scheme, .min = 1),
                     QMS_BYTES(auth.token, .rest = true, .max = QMS_AUTH_MAX))}},
#define EIGHT_BYTES                                                                            \
    {                                                                                          \
        .fields = ROWS({.kind = QMS_F_FIXED,                                                   \
                        .at = offsetof(struct qms_control, u.ping),                            \
                        .max = sizeof(((struct qms_control *)0)->u.ping)})                     \
    }
    {QMS_MSG_PING, EIGHT_BYTES},
    {QMS_MSG_PONG, EIGHT_BYTES},
#undef EIGHT_BYTES
    {QMS_MSG_THROTTLED,
     {.fields = ROWS(QMS_NUMBER(throttled.what), QMS_NUMBER(throttled.retry_after_ms))}},
    {QMS_MSG_STATS_REQUEST,
     {.fields = ROWS(QMS_NUMBER(stats_request.req), QMS_NUMBER(stats_request.interval_ms))}},
    {QMS_MSG_STATS, {.fields = ROWS(QMS_NUMBER(stats.req)), .tlvs = stats_tlvs}},
    {QMS_MSG_RECEIPT,
     {.fields = ROWS(QMS_NUMBER(receipt.handle, .max = HANDLE_MAX),
                     QMS_BYTE(receipt.opener, .max = 1), QMS_NUMBER(receipt.len))}},
};

static const struct qms_layout *find(uint64_t type)
{
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (messages[i].type == type) {
            return &messages[i].layout;
        }
    }
    return NULL;
}

qms_err qms_control_decode(struct qms_bytes in, struct qms_control *out, size_t *used)
{
    struct qms_reader r = qms_reader_of(in);
    struct qms_bytes body;
    uint64_t type = qms_read_varint(&r);
    qms_err err = qms_frame_read(&r, QMS_CONTROL_MAX, &body);

    if (err != QMS_OK) {
        return err;
    }
    *out = (struct qms_control){.type = type};
    *used = in.len - qms_read_left(&r);
    const struct qms_layout *l = find(type);
    if (l == NULL) {
        return type % 2 == 1 ? QMS_E_UNSUPPORTED : QMS_OK;
    }
    return qms_layout_decode(l, body, out);
}

qms_err qms_control_encode(struct qms_writer *w, const struct qms_control *m)
{
    struct qms_writer before = *w;
    const struct qms_layout *l = find(m->type);

    if (l == NULL) {
        return QMS_E_INVALID;
    }
    qms_put_varint(w, m->type);
    qms_err err = qms_layout_encode(l, w, QMS_CONTROL_MAX, m);
    if (err != QMS_OK) {
        *w = before;
    }
    return err;
}
