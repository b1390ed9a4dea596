/* SPDX-License-Identifier: MIT */
/* First bytes of streams: stream type, ROUTE header, RESULT (doc/wire.md sections 1, 3, 4). */
#ifndef QMS_PROTO_ROUTE_H
#define QMS_PROTO_ROUTE_H

#include "proto/tlv.h"

#define QMS_STREAM_CONTROL 0x01
#define QMS_STREAM_ROUTE   0x02

#define QMS_ROUTE_HEADER_MAX 4096 /* value of Header Length */
#define QMS_RESULT_MAX       1024 /* value of Length */

enum qms_route_flags {
    QMS_ROUTE_IDEMPOTENT = 1,
    QMS_ROUTE_NO_RESULT = 2,
    QMS_ROUTE_FRAMED = 4
};

/* All byte strings are lent: decoded ones point into the input, and an empty one is absent.
 *
 * `extra` carries the TLVs that an intermediary passes on (unknown even types below 0x40, and
 * all from 0x40 up): a run of encoded TLVs in ascending order in which the types with a field
 * of their own are not looked at.  The decoder lends the whole TLV part when there is something
 * to pass on, else it is empty; the encoder merges it with the fields.  So a field that was
 * cleared stays away, and nothing is copied. */
struct qms_route_header {
    uint8_t flags, priority;
    uint8_t kind; /* enum qms_kind */
    uint64_t handle;
    struct qms_bytes target;
    struct qms_bytes source; /* 0x01; from whoever sent it */
    bool has_hops, has_deadline, has_length;
    uint64_t hops;                 /* 0x03 */
    uint64_t accept_deadline_ms;   /* 0x04 */
    struct qms_bytes content_type; /* 0x06 */
    struct qms_bytes meta;         /* 0x08 */
    struct qms_bytes traceparent;  /* 0x0A */
    struct qms_bytes stream_token; /* 0x0B */
    bool has_original;
    uint8_t original_kind; /* 0x0C */
    struct qms_bytes original_target;
    uint64_t length_hint; /* 0x0E */
    bool has_group_seq;
    uint64_t group_seq;     /* 0x10 */
    struct qms_bytes extra; /* see above */
};

/** Decodes from the stream type on.  `*used`: bytes of the whole header.
 * QMS_E_MORE: `in` ends inside (call again with more); QMS_E_TOO_LARGE: the header or a TLV is
 * over its limit, for the header told as soon as its length is known; QMS_E_PROTOCOL:
 * malformed; QMS_E_UNSUPPORTED: another stream type, or an unknown critical TLV.  After an
 * error `*out` and
 * `*used` mean nothing. */
QMS_MUST_CHECK qms_err qms_route_decode(struct qms_bytes in, struct qms_route_header *out,
                                        size_t *used);
/** Encodes with the stream type.  QMS_E_TOO_LARGE: over QMS_ROUTE_HEADER_MAX, over the limit of
 * a TLV, or over the writer; QMS_E_INVALID: a bad name, kind or field, or a malformed or
 * unknown critical TLV in `extra`. */
QMS_MUST_CHECK qms_err qms_route_encode(struct qms_writer *w, const struct qms_route_header *h);

struct qms_result {
    uint64_t status;           /* one byte; decoded, a code above 0xFF is CANCELLED */
    struct qms_bytes reason;   /* 0x02, UTF-8, <= 256 */
    uint64_t retry_after_ms;   /* 0x04; 0: absent */
    struct qms_bytes redirect; /* 0x06 */
    struct qms_bytes meta;     /* 0x08 */
    struct qms_bytes acceptor; /* 0x0A */
    struct qms_bytes extra;    /* as in struct qms_route_header */
};
/** Errors as for qms_route_decode and qms_route_encode. */
QMS_MUST_CHECK qms_err qms_result_decode(struct qms_bytes in, struct qms_result *out,
                                         size_t *used);
QMS_MUST_CHECK qms_err qms_result_encode(struct qms_writer *w, const struct qms_result *r);

#endif
