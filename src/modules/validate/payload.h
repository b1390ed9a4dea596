/* SPDX-License-Identifier: MIT */
/* One direction of a stream, checked as its bytes come, in pieces of any size: how much, where
 * its messages begin (doc/wire.md section 3, FRAMED), whether it is text. */
#ifndef QMS_MODULES_VALIDATE_PAYLOAD_H
#define QMS_MODULES_VALIDATE_PAYLOAD_H

#include <quicms/types.h>

enum qms_validate_text { QMS_TEXT_OFF, QMS_TEXT_UTF8, QMS_TEXT_NO_NUL };

struct qms_validate_rules {
    uint64_t max_stream, max_message; /* bytes; 0: no limit */
    uint64_t text;                    /* enum qms_validate_text */
    bool framed;                      /* the stream is a sequence of messages */
};

/* Where UTF-8 stands (RFC 3629): what the next byte may be. */
struct qms_utf8 {
    uint8_t need, low, high; /* need 0: a character may begin */
};

/* Zeroed: nothing was seen. */
struct qms_payload_state {
    uint64_t total;
    uint64_t left;   /* of the message under way */
    uint8_t head[8]; /* of the length under way */
    uint8_t head_have;
    struct qms_utf8 utf8;
};

/** NULL, or a static label of what is wrong: stream_too_large, message_too_large, bad_utf8,
 * nul, cut_message.  `fin`: nothing follows. */
const char *qms_payload_check(struct qms_payload_state *s, const struct qms_validate_rules *r,
                              struct qms_bytes bytes, bool fin);
#endif
