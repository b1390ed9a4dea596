/* SPDX-License-Identifier: MIT */
/* A list of chunks, each filled from its start; what is larger than a chunk gets its own. */
#include "core/conf/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define CHUNK_SIZE ((size_t)16384)
#define ALIGNMENT  _Alignof(max_align_t)

struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(max_align_t) unsigned char data[];
};

struct qms_arena {
    struct chunk *chunks;
};

struct qms_arena *qms_arena_new(void)
{
    return qms_calloc(1, sizeof(struct qms_arena));
}

void qms_arena_free(struct qms_arena *a)
{
    if (a == NULL) {
        return;
    }
    for (struct chunk *c = a->chunks; c != NULL;) {
        struct chunk *next = c->next;
        qms_memzero(c->data, c->size);
        qms_free(c);
        c = next;
    }
    qms_free(a);
}

void *qms_arena_alloc(struct qms_arena *a, size_t size)
{
    struct chunk *c = a->chunks;

    if (size > SIZE_MAX - CHUNK_SIZE - sizeof(*c)) {
        return NULL;
    }
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (c == NULL || c->size - c->used < size) {
        size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        c = qms_calloc(1, sizeof(*c) + room);
        if (c == NULL) {
            return NULL;
        }
        c->size = room;
        c->next = a->chunks;
        a->chunks = c;
    }
    void *out = c->data + c->used;
    c->used += size;
    return out;
}

char *qms_arena_strndup(struct qms_arena *a, const char *s, size_t len)
{
    char *out = qms_arena_alloc(a, len + 1);

    if (out != NULL && len > 0) {
        memcpy(out, s, len);
    }
    return out;
}

char *qms_arena_printf(struct qms_arena *a, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    int len = vsnprintf(NULL, 0, format, ap);
    va_end(ap);
    char *out = len < 0 ? NULL : qms_arena_alloc(a, (size_t)len + 1);
    if (out != NULL) {
        va_start(ap, format);
        (void)vsnprintf(out, (size_t)len + 1, format, ap);
        va_end(ap);
    }
    return out;
}

void *qms_arena_grow(struct qms_arena *a, const void *array, size_t count, size_t size)
{
    void *out = qms_arena_alloc(a, (count + 1) * size);

    if (out != NULL && count > 0) {
        memcpy(out, array, count * size);
    }
    return out;
}
