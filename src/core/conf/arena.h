/* SPDX-License-Identifier: MIT */
/* Memory that lives exactly as long as one configuration: handed out, never given back singly.
 */
#ifndef QMS_CORE_CONF_ARENA_H
#define QMS_CORE_CONF_ARENA_H

#include <quicms/types.h>

struct qms_arena;

/** NULL when memory is out. */
struct qms_arena *qms_arena_new(void);
/** Overwrites what it held (configurations hold keys).  Takes NULL. */
void qms_arena_free(struct qms_arena *a);
/** Zeroed, aligned for any type; NULL when memory is out. */
void *qms_arena_alloc(struct qms_arena *a, size_t size);
/** A NUL-terminated copy, or NULL. */
char *qms_arena_strndup(struct qms_arena *a, const char *s, size_t len);
/** printf into the arena, or NULL. */
__attribute__((format(printf, 2, 3))) char *qms_arena_printf(struct qms_arena *a,
                                                             const char *format, ...);
/** Moves an array of `count` elements to one with room for `count` + 1, the new one zeroed.
 * NULL: memory is out, the old one stays. */
void *qms_arena_grow(struct qms_arena *a, const void *array, size_t count, size_t size);

#endif
