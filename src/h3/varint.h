/* SPDX-License-Identifier: MIT */
/* Variable-length integers of RFC 9000 section 16, as HTTP/3 framing uses them. */
#ifndef QMS_H3_VARINT_H
#define QMS_H3_VARINT_H

#include <quicms/types.h>

#define VI_MAX     (((uint64_t)1 << 62) - 1)
#define VI_MAX_LEN 8

/** Bytes that the encoding starting with `first` takes: 1, 2, 4 or 8. */
static inline size_t vi_len_of(uint8_t first)
{
    return (size_t)1 << (first >> 6);
}

/** Bytes of the shortest encoding of v <= VI_MAX. */
static inline size_t vi_len(uint64_t v)
{
    return v < 0x40 ? 1 : v < 0x4000 ? 2 : v < 0x40000000 ? 4 : 8;
}

/** Decodes from the front; returns the bytes read, 0 when `len` is too short. */
static inline size_t vi_get(const uint8_t *p, size_t len, uint64_t *v)
{
    if (len == 0 || len < vi_len_of(p[0])) {
        return 0;
    }
    size_t n = vi_len_of(p[0]);
    uint64_t x = p[0] & 0x3f;
    for (size_t i = 1; i < n; i++) {
        x = x << 8 | p[i];
    }
    *v = x;
    return n;
}

/** Writes the shortest encoding of v <= VI_MAX (8 bytes of room are always enough). */
static inline size_t vi_put(uint8_t *p, uint64_t v)
{
    static const uint8_t mark[9] = {[2] = 0x40, [4] = 0x80, [8] = 0xc0};
    size_t n = vi_len(v);

    for (size_t i = n; i-- > 0; v >>= 8) {
        p[i] = (uint8_t)v;
    }
    p[0] |= mark[n];
    return n;
}

#endif
