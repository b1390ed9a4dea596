/* SPDX-License-Identifier: MIT */
/* Variable-length integers (RFC 9000 section 16) and the two cursors all codecs share. */
#ifndef QMS_PROTO_VARINT_H
#define QMS_PROTO_VARINT_H

#include <quicms/types.h>

#define QMS_VARINT_MAX ((UINT64_C(1) << 62) - 1)

/** Bytes of the shortest encoding: 1, 2, 4 or 8. */
size_t qms_varint_size(uint64_t value);
/** Writes the shortest encoding; `out` has qms_varint_size(value) bytes.  Returns that size. */
size_t qms_varint_put(uint8_t *out, uint64_t value);
/** Decodes from the front.  Returns the bytes used, 0 when `in` ends before the number does. */
size_t qms_varint_get(struct qms_bytes in, uint64_t *value);

/* Reader: each get fails for ever after the first failure (`bad`). */
struct qms_reader {
    const uint8_t *p, *end;
    bool bad;
};
struct qms_reader qms_reader_of(struct qms_bytes in);
uint64_t qms_read_varint(struct qms_reader *r);
uint8_t qms_read_u8(struct qms_reader *r);
/** Lent from the input. */
struct qms_bytes qms_read_bytes(struct qms_reader *r, uint64_t len);
size_t qms_read_left(const struct qms_reader *r);

/* Writer into a caller's buffer: a put that does not fit, or a number above QMS_VARINT_MAX,
 * sets `full` and writes nothing; so does every put after it. */
struct qms_writer {
    uint8_t *data;
    size_t len, cap;
    bool full;
};
struct qms_writer qms_writer_of(void *data, size_t cap);
void qms_put_varint(struct qms_writer *w, uint64_t value);
void qms_put_u8(struct qms_writer *w, uint8_t value);
void qms_put_bytes(struct qms_writer *w, struct qms_bytes bytes);
/** Inserts the length of what was written since w->len was `mark` in front of it, as a varint.
 */
void qms_put_length_at(struct qms_writer *w, size_t mark);

#endif
