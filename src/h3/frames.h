/* SPDX-License-Identifier: MIT */
/* Looks over nghttp3's shoulder: the frame types of a request or control stream, which nghttp3
 * skips in silence when it does not know them. */
#ifndef QMS_H3_FRAMES_H
#define QMS_H3_FRAMES_H

#include <quicms/types.h>

#define QMS_H3_FRAME_WT_STREAM       0x41
#define QMS_H3_FRAME_PRIORITY_UPDATE 0xf0700

/* Zeroed memory: the start of a stream (for a control stream: behind its type). */
struct qms_h3_frames {
    uint8_t head[16];
    uint8_t head_len;
    uint64_t skip; /* payload bytes still to come */
};

/** Advances through `*in` to the next frame head that is whole.  True: `*type` and `*len` are
 * its fields and `*in` starts behind the head.  False: all bytes were read. */
bool qms_h3_frames_next(struct qms_h3_frames *f, struct qms_bytes *in, uint64_t *type,
                        uint64_t *len);

#endif
