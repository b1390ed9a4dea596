/* SPDX-License-Identifier: MIT */
/* Variable-length integers: the two top bits of the first byte give the length.  Both cursors
 * keep their error in themselves, so that a codec reads straight through and asks once. */
#include "proto/varint.h"

#include <string.h>

size_t qms_varint_size(uint64_t value)
{
    return value < 0x40 ? 1 : value < 0x4000 ? 2 : value < 0x40000000 ? 4 : 8;
}

size_t qms_varint_put(uint8_t *out, uint64_t value)
{
    size_t n = qms_varint_size(value);
    uint8_t top = n == 1 ? 0x00 : n == 2 ? 0x40 : n == 4 ? 0x80 : 0xC0;

    for (size_t i = n; i > 0; i--) {
        out[i - 1] = (uint8_t)value;
        value >>= 8;
    }
    out[0] = (uint8_t)((out[0] & 0x3F) | top);
    return n;
}

size_t qms_varint_get(struct qms_bytes in, uint64_t *value)
{
    if (in.len == 0) {
        return 0;
    }
    size_t n = (size_t)1 << (in.data[0] >> 6);
    if (in.len < n) {
        return 0;
    }
    uint64_t v = in.data[0] & 0x3F;
    for (size_t i = 1; i < n; i++) {
        v = v << 8 | in.data[i];
    }
    *value = v;
    return n;
}

struct qms_reader qms_reader_of(struct qms_bytes in)
{
    /* NULL + 0 is not defined in C, so an empty input points at something. */
    static const uint8_t nothing;
    const uint8_t *p = in.data == NULL ? &nothing : in.data;

    return (struct qms_reader){.p = p, .end = p + in.len};
}

size_t qms_read_left(const struct qms_reader *r)
{
    return r->bad ? 0 : (size_t)(r->end - r->p);
}

uint64_t qms_read_varint(struct qms_reader *r)
{
    uint64_t v = 0;
    size_t n = qms_varint_get((struct qms_bytes){r->p, qms_read_left(r)}, &v);

    r->bad = n == 0; /* and stays so: a bad reader has nothing left */
    r->p += n;
    return v;
}

uint8_t qms_read_u8(struct qms_reader *r)
{
    struct qms_bytes b = qms_read_bytes(r, 1);

    return b.len == 0 ? 0 : b.data[0];
}

struct qms_bytes qms_read_bytes(struct qms_reader *r, uint64_t len)
{
    if (r->bad || len > qms_read_left(r)) {
        r->bad = true;
        return (struct qms_bytes){NULL, 0};
    }
    struct qms_bytes out = {r->p, (size_t)len};
    r->p += out.len;
    return out;
}

struct qms_writer qms_writer_of(void *data, size_t cap)
{
    return (struct qms_writer){.data = data, .cap = cap};
}

/* Room for `len` more bytes, or the writer is full from now on. */
static bool has_room(struct qms_writer *w, size_t len)
{
    w->full = w->full || len > w->cap - w->len;
    return !w->full;
}

void qms_put_varint(struct qms_writer *w, uint64_t value)
{
    if (value > QMS_VARINT_MAX) {
        w->full = true;
    } else if (has_room(w, qms_varint_size(value))) {
        w->len += qms_varint_put(w->data + w->len, value);
    }
}

void qms_put_u8(struct qms_writer *w, uint8_t value)
{
    qms_put_bytes(w, (struct qms_bytes){&value, 1});
}

void qms_put_bytes(struct qms_writer *w, struct qms_bytes bytes)
{
    if (bytes.len > 0 && has_room(w, bytes.len)) {
        memcpy(w->data + w->len, bytes.data, bytes.len);
        w->len += bytes.len;
    }
}

void qms_put_length_at(struct qms_writer *w, size_t mark)
{
    size_t len = w->len - mark, n = qms_varint_size(len);

    if (has_room(w, n)) {
        memmove(w->data + mark + n, w->data + mark, len);
        qms_varint_put(w->data + mark, len);
        w->len += n;
    }
}
