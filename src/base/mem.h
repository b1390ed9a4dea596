/* SPDX-License-Identifier: MIT */
/* Allocation with a hook: tests make the n-th allocation fail. */
#ifndef QMS_BASE_MEM_H
#define QMS_BASE_MEM_H

#include <quicms/types.h>

/** Zeroed memory or NULL.  Everything that is allocated per peer or per stream comes from here.
 */
void *qms_calloc(size_t count, size_t size);
/** Like realloc; the new part is not zeroed. */
void *qms_realloc(void *ptr, size_t size);
/** Takes NULL. */
void qms_free(void *ptr);
/** A NUL-terminated copy, or NULL. */
char *qms_strndup(const char *s, size_t len);
/** Overwrites secrets in a way the compiler keeps. */
void qms_memzero(void *ptr, size_t len);
/** Whether both are equal, in time that depends on `len` only. */
bool qms_memeq_ct(const void *a, const void *b, size_t len);

/** Tests only: the allocation after `n` more fails (once); UINT64_MAX turns it off. */
void qms_mem_fail_after(uint64_t n);

#endif
