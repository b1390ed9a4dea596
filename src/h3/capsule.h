/* SPDX-License-Identifier: MIT */
/* Capsules on the CONNECT stream (RFC 9297 section 3.2), as far as a WebTransport server needs
 * them.  Pure: bytes in, events out. */
#ifndef QMS_H3_CAPSULE_H
#define QMS_H3_CAPSULE_H

#include <quicms/types.h>

#define QMS_CAPSULE_CLOSE      0x2843 /* CLOSE_WEBTRANSPORT_SESSION */
#define QMS_CAPSULE_REASON_MAX 1024
/** Room that every encoded CLOSE capsule fits in. */
#define QMS_CAPSULE_CLOSE_MAX (4 + 2 + 4 + QMS_CAPSULE_REASON_MAX)

/* Zeroed memory is a parser at the start of a stream. */
struct qms_capsule_parser {
    uint8_t head[16]; /* type and length while they are incomplete */
    uint8_t head_len;
    uint64_t type, left; /* of the capsule whose value is being read */
    uint8_t *value;      /* of a CLOSE capsule, 4 + QMS_CAPSULE_REASON_MAX bytes; NULL before */
    size_t value_len;
    bool in_value, closed, failed;
};

enum qms_capsule_status {
    QMS_CAPSULE_MORE,   /* nothing for the session in these bytes */
    QMS_CAPSULE_CLOSED, /* a CLOSE capsule is whole: see qms_capsule_code and _reason */
    QMS_CAPSULE_BAD /* CLOSE too short, too long, not UTF-8, or followed by bytes; no memory */
};

/** Reads all of `in`.  Capsules of other types are skipped whatever their length, without being
 * buffered.  BAD is final. */
enum qms_capsule_status qms_capsule_parse(struct qms_capsule_parser *p, struct qms_bytes in);
/** Whether the stream may end here: no capsule is cut in two. */
bool qms_capsule_at_end(const struct qms_capsule_parser *p);
/** After CLOSED.  The reason is lent until qms_capsule_fini. */
uint32_t qms_capsule_code(const struct qms_capsule_parser *p);
struct qms_bytes qms_capsule_reason(const struct qms_capsule_parser *p);
void qms_capsule_fini(struct qms_capsule_parser *p);

/** Writes a CLOSE capsule; the reason is cut to its longest valid UTF-8 prefix of at most
 * QMS_CAPSULE_REASON_MAX bytes.  Returns its length. */
size_t qms_capsule_close(uint8_t out[QMS_CAPSULE_CLOSE_MAX], uint32_t code,
                         struct qms_bytes reason);

/** Length of the longest prefix that is whole, valid UTF-8 (RFC 3629). */
size_t qms_utf8_prefix(struct qms_bytes s);

#endif
