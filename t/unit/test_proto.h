/* SPDX-License-Identifier: MIT */
/* Input for codecs: always the last bytes of a block of exactly its size, so that a read beyond
 * is seen by the sanitizer and by valgrind. */
#ifndef TEST_PROTO_H
#define TEST_PROTO_H

#include <stdlib.h>
#include <string.h>

#include "proto/varint.h"
#include "qms_test.h"

/* A byte string constant, and one out of a list of bytes. */
#define TEXT(s) ((struct qms_bytes){(const uint8_t *)(s), sizeof(s) - 1})
#define OCTETS(...)                                                                            \
    ((struct qms_bytes){(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})})
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static inline struct qms_bytes block_new(struct qms_bytes content)
{
    uint8_t *p = malloc(content.len);

    assert_true(p != NULL || content.len == 0);
    if (content.len > 0) {
        memcpy(p, content.data, content.len);
    }
    return (struct qms_bytes){p, content.len};
}

static inline void block_free(struct qms_bytes b)
{
    free((void *)(uintptr_t)b.data);
}

static inline void assert_bytes(struct qms_bytes got, struct qms_bytes want)
{
    assert_int_equal(got.len, want.len);
    if (want.len > 0) {
        assert_memory_equal(got.data, want.data, want.len);
    }
}

static inline struct qms_bytes written(const struct qms_writer *w)
{
    return (struct qms_bytes){w->data, w->len};
}

#endif
