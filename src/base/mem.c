/* SPDX-License-Identifier: MIT */
/* Every allocation passes one counter, so that a test can let any one of them fail. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Test hook: allocations left until the one that fails.  Any thread may allocate. */
static _Atomic uint64_t left = UINT64_MAX;

static bool must_fail(void)
{
    uint64_t now = atomic_load_explicit(&left, memory_order_relaxed);

    do {
        if (now == UINT64_MAX) {
            return false;
        }
    } while (!atomic_compare_exchange_weak(&left, &now, now == 0 ? UINT64_MAX : now - 1));
    return now == 0;
}

void qms_mem_fail_after(uint64_t n)
{
    left = n;
}

void *qms_calloc(size_t count, size_t size)
{
    size_t len;

    /* The sanitizers' calloc aborts where the C library's answers NULL. */
    if (__builtin_mul_overflow(count, size, &len) || must_fail()) {
        return NULL;
    }
    return calloc(1, len > 0 ? len : 1);
}

void *qms_realloc(void *ptr, size_t size)
{
    /* realloc(ptr, 0) frees on some systems and does not on others. */
    return must_fail() ? NULL : realloc(ptr, size > 0 ? size : 1);
}

void qms_free(void *ptr)
{
    free(ptr);
}

char *qms_strndup(const char *s, size_t len)
{
    len = strnlen(s, len);
    char *copy = qms_realloc(NULL, len + 1);
    if (copy != NULL) {
        memcpy(copy, s, len);
        copy[len] = '\0';
    }
    return copy;
}

void qms_memzero(void *ptr, size_t len)
{
    explicit_bzero(ptr, len);
}

bool qms_memeq_ct(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *x = a, *y = b;
    unsigned differ = 0;

    for (size_t i = 0; i < len; i++) {
        differ |= (unsigned)(x[i] ^ y[i]);
    }
    return differ == 0;
}
