/* SPDX-License-Identifier: MIT */
/* Two arrays: `entries` is dense, in no order; `slots` is an open-addressed table of positions
 * in it, plus one (0 is free), with linear probing.  A removal moves the last entry into the
 * gap, so a walk from the end towards the start survives the removal of what it just returned.
 */
#include "base/map.h"

#include <string.h>

#include "base/mem.h"

#define FIRST_SLOTS 16

struct entry {
    uint64_t hash;
    void *value;
    size_t len;
    uint8_t key[];
};

struct qms_map {
    struct entry **entries;
    uint32_t *slots;
    uint32_t count;
    uint32_t mask; /* slots - 1, a power of two less one; entries has room for 3/4 of it */
    uint8_t seed[16];
};

static uint32_t room(uint32_t slots)
{
    return slots / 4 * 3;
}

static uint32_t home(const struct qms_map *m, uint64_t hash)
{
    return (uint32_t)hash & m->mask;
}

/* The slot that holds `key`, or the free one where a search for it ended. */
static uint32_t find(const struct qms_map *m, uint64_t hash, struct qms_bytes key)
{
    uint32_t i = home(m, hash);

    for (; m->slots[i] != 0; i = (i + 1) & m->mask) {
        const struct entry *e = m->entries[m->slots[i] - 1];
        if (e->hash == hash && e->len == key.len &&
            (key.len == 0 || memcmp(e->key, key.data, key.len) == 0)) {
            break;
        }
    }
    return i;
}

/* The slot that points at `entries[position]`. */
static uint32_t slot_of(const struct qms_map *m, uint32_t position)
{
    uint32_t i = home(m, m->entries[position]->hash);

    while (m->slots[i] != position + 1) {
        i = (i + 1) & m->mask;
    }
    return i;
}

/* Frees slot `gap` and pulls back what had to step over it, so that no probe ends too early. */
static void close_gap(struct qms_map *m, uint32_t gap)
{
    for (uint32_t i = (gap + 1) & m->mask; m->slots[i] != 0; i = (i + 1) & m->mask) {
        uint32_t wish = home(m, m->entries[m->slots[i] - 1]->hash);
        if (((i - wish) & m->mask) >= ((i - gap) & m->mask)) {
            m->slots[gap] = m->slots[i];
            gap = i;
        }
    }
    m->slots[gap] = 0;
}

static qms_err grow(struct qms_map *m)
{
    uint32_t cap = 2 * (m->mask + 1);
    if (cap == 0) {
        return QMS_E_NOMEM;
    }
    struct entry **entries = qms_realloc(m->entries, room(cap) * sizeof(struct entry *));
    if (entries == NULL) {
        return QMS_E_NOMEM;
    }
    m->entries = entries; /* larger than need be when the next step fails; no harm */
    uint32_t *slots = qms_calloc(cap, sizeof(*slots));
    if (slots == NULL) {
        return QMS_E_NOMEM;
    }
    qms_free(m->slots);
    m->slots = slots;
    m->mask = cap - 1;
    for (uint32_t n = 0; n < m->count; n++) {
        uint32_t i = home(m, entries[n]->hash);
        while (slots[i] != 0) {
            i = (i + 1) & m->mask;
        }
        slots[i] = n + 1;
    }
    return QMS_OK;
}

struct qms_map *qms_map_new(const uint8_t seed[16])
{
    struct qms_map *m = qms_calloc(1, sizeof(*m));
    if (m == NULL) {
        return NULL;
    }
    m->mask = FIRST_SLOTS - 1;
    memcpy(m->seed, seed, sizeof(m->seed));
    m->slots = qms_calloc(FIRST_SLOTS, sizeof(*m->slots));
    m->entries = qms_calloc(room(FIRST_SLOTS), sizeof(struct entry *));
    if (m->slots == NULL || m->entries == NULL) {
        qms_map_free(m);
        return NULL;
    }
    return m;
}

void qms_map_free(struct qms_map *m)
{
    if (m == NULL) {
        return;
    }
    for (uint32_t i = 0; i < m->count; i++) {
        qms_free(m->entries[i]);
    }
    qms_free(m->entries);
    qms_free(m->slots);
    qms_memzero(m->seed, sizeof(m->seed));
    qms_free(m);
}

size_t qms_map_count(const struct qms_map *m)
{
    return m->count;
}

qms_err qms_map_add(struct qms_map *m, struct qms_bytes key, void *value)
{
    uint64_t hash = qms_siphash(m->seed, key);
    if (m->slots[find(m, hash, key)] != 0) {
        return QMS_E_EXISTS;
    }
    if (key.len > SIZE_MAX - sizeof(struct entry)) {
        return QMS_E_NOMEM;
    }
    if (m->count == room(m->mask + 1) && grow(m) != QMS_OK) {
        return QMS_E_NOMEM;
    }

    struct entry *e = qms_realloc(NULL, sizeof(*e) + key.len);
    if (e == NULL) {
        return QMS_E_NOMEM;
    }
    e->hash = hash;
    e->value = value;
    e->len = key.len;
    if (key.len > 0) {
        memcpy(e->key, key.data, key.len);
    }
    m->entries[m->count++] = e;
    m->slots[find(m, hash, key)] = m->count;
    return QMS_OK;
}

void *qms_map_get(const struct qms_map *m, struct qms_bytes key)
{
    uint32_t slot = m->slots[find(m, qms_siphash(m->seed, key), key)];

    return slot != 0 ? m->entries[slot - 1]->value : NULL;
}

void *qms_map_remove(struct qms_map *m, struct qms_bytes key)
{
    uint32_t i = find(m, qms_siphash(m->seed, key), key);
    if (m->slots[i] == 0) {
        return NULL;
    }

    uint32_t position = m->slots[i] - 1, last = m->count - 1;
    struct entry *e = m->entries[position];
    void *value = e->value;
    close_gap(m, i);
    if (position != last) {
        m->slots[slot_of(m, last)] = position + 1;
        m->entries[position] = m->entries[last];
    }
    m->count--;
    qms_free(e);
    return value;
}

bool qms_map_next(const struct qms_map *m, size_t *cursor, struct qms_bytes *key, void **value)
{
    /* The cursor is one more than the position returned last. */
    size_t i = *cursor == 0 ? m->count : *cursor - 1;

    if (i == 0) {
        *cursor = 1;
        return false;
    }
    const struct entry *e = m->entries[i - 1];
    *cursor = i;
    if (key != NULL) {
        *key = (struct qms_bytes){e->key, e->len};
    }
    if (value != NULL) {
        *value = e->value;
    }
    return true;
}
