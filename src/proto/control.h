/* SPDX-License-Identifier: MIT */
/* Messages of the CONTROL stream (doc/wire.md section 5). */
#ifndef QMS_PROTO_CONTROL_H
#define QMS_PROTO_CONTROL_H

#include "proto/tlv.h"

#define QMS_CONTROL_MAX  16384 /* body bytes */
#define QMS_AUTH_MAX     8192  /* bytes of a credential */
#define QMS_WIRE_VERSION 1

enum qms_control_type {
    QMS_MSG_HELLO = 0x01,
    QMS_MSG_WELCOME = 0x03,
    QMS_MSG_REFUSED = 0x05,
    QMS_MSG_GOAWAY = 0x07,
    QMS_MSG_JOIN = 0x09,
    QMS_MSG_LEAVE = 0x0B,
    QMS_MSG_WATCH = 0x0D,
    QMS_MSG_UNWATCH = 0x0F,
    QMS_MSG_PRESENCE = 0x10,
    QMS_MSG_REPLY = 0x11,
    QMS_MSG_PRIORITY = 0x13,
    QMS_MSG_DGRAM_BIND = 0x15,
    QMS_MSG_DGRAM_UNBIND = 0x17,
    QMS_MSG_STREAM_STATUS = 0x19,
    QMS_MSG_AUTH = 0x1B,
    QMS_MSG_PING = 0x1D,
    QMS_MSG_PONG = 0x1F,
    QMS_MSG_THROTTLED = 0x20,
    QMS_MSG_STATS_REQUEST = 0x21,
    QMS_MSG_STATS = 0x22,
    QMS_MSG_RECEIPT = 0x26
};

enum qms_auth_scheme {
    QMS_AUTH_NONE = 0,
    QMS_AUTH_TOKEN = 1,
    QMS_AUTH_JWT = 2,
    QMS_AUTH_CERTIFICATE = 3
};
/* Capabilities of a connection: those that HELLO offers and WELCOME repeats hold. */
enum qms_cap {
    QMS_CAP_RELAY = 1,   /* the connecting side is a broker, and stands in a broker's place */
    QMS_CAP_RECEIPTS = 2 /* it gets RECEIPTs; offered and granted by the session itself */
};
enum qms_throttled_what {
    QMS_THROTTLED_STREAMS = 1,
    QMS_THROTTLED_BYTES = 2,
    QMS_THROTTLED_DATAGRAMS = 3
};

/* Counters of STATS in the order of the TLV types 0x02, 0x04, ... (even: may be skipped). */
enum qms_stats_field {
    QMS_STAT_RTT_SMOOTHED_US,
    QMS_STAT_RTT_LATEST_US,
    QMS_STAT_RTT_MIN_US,
    QMS_STAT_CWND,
    QMS_STAT_IN_FLIGHT,
    QMS_STAT_PACKETS_SENT,
    QMS_STAT_PACKETS_RECEIVED,
    QMS_STAT_PACKETS_LOST,
    QMS_STAT_BYTES_SENT,
    QMS_STAT_BYTES_RECEIVED,
    QMS_STAT_STREAMS_OPEN,
    QMS_STAT_STREAMS_CLOSED,
    QMS_STAT_DATAGRAMS_SENT,
    QMS_STAT_DATAGRAMS_RECEIVED,
    QMS_STAT_DATAGRAMS_DROPPED,
    QMS_STAT_COUNT
};

/* How payload stands in its streams (doc/wire.md section 3). */
enum qms_payload_form { QMS_PAYLOAD_PLAIN, QMS_PAYLOAD_CHUNKS };

/* One message.  Byte strings are lent; absent ones have len 0.  A decoded `status` is one byte:
 * a code above 0xFF became CANCELLED. */
struct qms_control {
    uint64_t type;
    union {
        struct {
            uint64_t min_version, max_version;
            struct qms_bytes agent_id; /* empty: the broker assigns one */
            uint64_t flags;
            uint64_t auth_scheme; /* QMS_AUTH_NONE: no AUTH TLV */
            struct qms_bytes auth;
            struct qms_bytes software;
            uint64_t caps;
            struct qms_bytes resume; /* session id */
            uint64_t payload_form;   /* enum qms_payload_form of what the sender will send */
        } hello;
        struct {
            uint64_t version;
            uint8_t session_id[16];
            struct qms_bytes agent_id;
            uint64_t max_header, max_datagram, idle_ms;
            uint64_t caps; /* of those of HELLO */
        } welcome;
        struct {
            uint64_t status, retry_after_ms;
            struct qms_bytes reason, redirect;
        } refused;
        struct {
            uint64_t status, deadline_ms;
            struct qms_bytes redirect;
        } goaway;
        struct {
            uint64_t req, kind;
            struct qms_bytes name;
            bool has_weight, has_priority, has_slow_policy; /* JOIN only */
            uint64_t weight, priority, slow_policy;
        } join; /* and LEAVE */
        struct {
            uint64_t req;
            struct qms_bytes prefix; /* may be empty: everyone */
        } watch;
        struct {
            uint64_t req, watch_req;
        } unwatch;
        struct {
            uint64_t watch_req;
            uint8_t state;
            struct qms_bytes name;
        } presence;
        struct {
            uint64_t req, status;
        } reply;
        struct {
            uint64_t handle;
            uint8_t opener, mask, forward, reverse;
        } priority;
        struct {
            uint64_t context, kind;
            struct qms_bytes name;
            uint8_t priority;
        } dgram_bind;
        struct {
            uint64_t context;
        } dgram_unbind;
        struct {
            uint64_t handle;
            uint8_t opener;
            uint64_t status;
            struct qms_bytes reason;
        } stream_status;
        struct {
            uint64_t req, scheme;
            struct qms_bytes token;
        } auth;
        uint8_t ping[8]; /* and PONG */
        struct {
            uint64_t what, retry_after_ms;
        } throttled;
        struct {
            uint64_t req, interval_ms;
        } stats_request;
        struct {
            uint64_t req;
            uint64_t values[QMS_STAT_COUNT];
        } stats;
        struct {
            uint64_t handle;
            uint8_t opener;
            uint64_t len;
        } receipt;
    } u;
};

/** Decodes one whole message from the front.  QMS_E_MORE: not whole yet; QMS_E_TOO_LARGE: over
 * QMS_CONTROL_MAX (told as soon as the length is known) or a credential over QMS_AUTH_MAX;
 * QMS_E_PROTOCOL: malformed; QMS_E_UNSUPPORTED: unknown odd type, or an unknown critical TLV
 * below 0x40.  An unknown even type decodes as QMS_OK with out->type set and nothing else
 * (`*used` skips it).  After an error `*out` and `*used` mean nothing. */
QMS_MUST_CHECK qms_err qms_control_decode(struct qms_bytes in, struct qms_control *out,
                                          size_t *used);
/** QMS_E_TOO_LARGE: does not fit the writer or a limit; QMS_E_INVALID: a bad field or type. */
QMS_MUST_CHECK qms_err qms_control_encode(struct qms_writer *w, const struct qms_control *m);

#endif
