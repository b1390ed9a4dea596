/* SPDX-License-Identifier: MIT */
/* Hash map from byte strings to pointers, keyed by a secret seed (SipHash-2-4) so that a peer
 * who chooses the keys cannot choose the collisions. */
#ifndef QMS_BASE_MAP_H
#define QMS_BASE_MAP_H

#include <quicms/types.h>

struct qms_map;

/** `seed`: 16 random bytes, copied.  NULL when memory is out. */
struct qms_map *qms_map_new(const uint8_t seed[16]);
void qms_map_free(struct qms_map *m);
size_t qms_map_count(const struct qms_map *m);
/** The key is copied.  QMS_E_EXISTS when the key is there, QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_map_add(struct qms_map *m, struct qms_bytes key, void *value);
/** NULL when absent. */
void *qms_map_get(const struct qms_map *m, struct qms_bytes key);
/** Removes and returns the value, or NULL. */
void *qms_map_remove(struct qms_map *m, struct qms_bytes key);
/** Walks all entries in no order: start with *cursor 0; returns false at the end.  The map must
 * not change during the walk, except by removal of the entry just returned. */
bool qms_map_next(const struct qms_map *m, size_t *cursor, struct qms_bytes *key, void **value);
/** SipHash-2-4 of `bytes`. */
uint64_t qms_siphash(const uint8_t seed[16], struct qms_bytes bytes);

#endif
