/* SPDX-License-Identifier: MIT */
/* Where messages begin and end in a FRAMED stream (doc/wire.md section 3): each is a varint and
 * that many bytes.  Follows the stream range by range, however it is cut; keeps no payload. */
#ifndef QMS_CORE_BROKER_FRAMING_H
#define QMS_CORE_BROKER_FRAMING_H

#include <quicms/types.h>

/* Zeroed memory stands before the first message. */
struct qms_framing {
    uint8_t head[8]; /* of the length, so far */
    uint8_t have;
    bool inside;   /* the length is known */
    uint64_t left; /* bytes of the message that have not come */
};

struct qms_framing_part {
    size_t len;      /* bytes of the range that belong to one message */
    bool begins;     /* it is the message's first part */
    bool ends;       /* and its last */
    uint64_t length; /* bytes of the whole message with its length, where `begins` and the
                        length is in this part whole; else 0 */
};

/** The next part of a range that is not empty. */
struct qms_framing_part qms_framing_next(struct qms_framing *f, struct qms_bytes range);
/** Whether the stream stands between two messages. */
bool qms_framing_between(const struct qms_framing *f);

#endif
