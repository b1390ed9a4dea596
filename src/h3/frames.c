/* SPDX-License-Identifier: MIT */
/* Frame heads found by skipping payloads; nothing is kept but an incomplete head. */
#include "h3/frames.h"
#include "h3/varint.h"

static void advance(struct qms_bytes *in, size_t n)
{
    in->data += n;
    in->len -= n;
}

bool qms_h3_frames_next(struct qms_h3_frames *f, struct qms_bytes *in, uint64_t *type,
                        uint64_t *len)
{
    while (in->len > 0) {
        if (f->skip > 0) {
            size_t n = in->len < f->skip ? in->len : (size_t)f->skip;
            f->skip -= n;
            advance(in, n);
            continue;
        }
        f->head[f->head_len++] = in->data[0];
        advance(in, 1);
        size_t type_len = vi_get(f->head, f->head_len, type);
        /* What follows a WebTransport type is a session id and then payload without a frame:
         * the type alone already tells. */
        if (type_len != 0 && *type == QMS_H3_FRAME_WT_STREAM) {
            *len = 0;
            f->head_len = 0;
            return true;
        }
        if (type_len != 0 && vi_get(f->head + type_len, f->head_len - type_len, len) != 0) {
            f->head_len = 0;
            f->skip = *len;
            return true;
        }
    }
    return false;
}
