/* SPDX-License-Identifier: MIT */
/* nghttp3 writes the stream type 0x00 and a SETTINGS frame; pairs are appended to that frame
 * and its length is rewritten, since a second SETTINGS frame would be an error. */
#include <string.h>

#include "h3/settings.h"
#include "h3/varint.h"

/* Browsers that exist look for the first, for draft 7 to 12 the second, for draft 13 and later
 * the third.  0x2c7cf000 (WT_ENABLED of the newest drafts) is left out: it promises
 * RESET_STREAM_AT, which ngtcp2 has not. */
#define ENABLE_WEBTRANSPORT     0x2b603742
#define WT_MAX_SESSIONS_DRAFT07 0xc671706a
#define WT_MAX_SESSIONS_DRAFT13 0x14e9cd29

#define OURS_MAX (6 * VI_MAX_LEN)

static size_t put_ours(uint8_t *out, unsigned max_sessions)
{
    size_t n = vi_put(out, ENABLE_WEBTRANSPORT);
    n += vi_put(out + n, 1);
    n += vi_put(out + n, WT_MAX_SESSIONS_DRAFT07);
    n += vi_put(out + n, max_sessions);
    n += vi_put(out + n, WT_MAX_SESSIONS_DRAFT13);
    return n + vi_put(out + n, max_sessions);
}

static void rewrite(struct qms_h3_settings *s, size_t head, size_t payload,
                    unsigned max_sessions)
{
    uint8_t ours[OURS_MAX], old[QMS_H3_SETTINGS_MAX];
    size_t ours_len = put_ours(ours, max_sessions);

    memcpy(old, s->buf + head, payload);
    size_t n = vi_put(s->buf, 0x00);
    n += vi_put(s->buf + n, 0x04);
    n += vi_put(s->buf + n, payload + ours_len);
    memcpy(s->buf + n, old, payload);
    memcpy(s->buf + n + payload, ours, ours_len);
    s->len = n + payload + ours_len;
    s->done = true;
}

/* Length of stream type, frame type and frame length in front of the payload; 0: incomplete. */
static size_t parse_head(const struct qms_h3_settings *s, uint64_t *payload)
{
    uint64_t skip;
    size_t n = 0;

    for (int i = 0; i < 3; i++) {
        size_t k = vi_get(s->buf + n, s->len - n, i == 2 ? payload : &skip);
        if (k == 0) {
            return 0;
        }
        n += k;
    }
    return n;
}

size_t qms_h3_settings_extend(struct qms_h3_settings *s, struct qms_bytes in,
                              unsigned max_sessions)
{
    const size_t limit = QMS_H3_SETTINGS_MAX - OURS_MAX - 16;
    size_t taken = 0;

    while (!s->done && taken < in.len && s->len < limit) {
        s->buf[s->len++] = in.data[taken++];
        uint64_t payload;
        size_t head = parse_head(s, &payload);
        if (head != 0 && s->len - head == payload) {
            rewrite(s, head, (size_t)payload, max_sessions);
        }
    }
    return taken;
}
