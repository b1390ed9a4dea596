/* SPDX-License-Identifier: MIT */
/* The count is there before its key is, and goes after it: a key that is found has one. */
#include "core/shared/tally.h"

#include "base/map.h"

uint64_t qms_tally_key(struct qms_bytes name)
{
    static const uint8_t seed[16] = "quicms tally 01";
    uint64_t key = qms_siphash(seed, name);

    return key != 0 ? key : 1;
}

/* The place of `key` in its set, or QMS_TALLY_WAYS. */
static size_t find(const struct qms_tally *t, size_t set, uint64_t key)
{
    size_t way = 0;

    while (way < QMS_TALLY_WAYS &&
           __atomic_load_n(&t->keys[set][way], __ATOMIC_ACQUIRE) != key) {
        way++;
    }
    return way;
}

bool qms_tally_set(struct qms_tally *t, uint64_t key, uint64_t count)
{
    size_t set = key % QMS_TALLY_SETS, way = find(t, set, key);
    uint32_t told = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
    bool is_new = way == QMS_TALLY_WAYS;

    if (count == 0) {
        if (!is_new) {
            __atomic_store_n(&t->keys[set][way], 0, __ATOMIC_RELEASE);
        }
        return true;
    }
    if (is_new && (way = find(t, set, 0)) == QMS_TALLY_WAYS) {
        return false;
    }
    __atomic_store_n(&t->counts[set][way], told, __ATOMIC_RELAXED);
    if (is_new) {
        __atomic_store_n(&t->keys[set][way], key, __ATOMIC_RELEASE);
    }
    return true;
}

uint64_t qms_tally_get(const struct qms_tally *t, uint64_t key)
{
    size_t set = key % QMS_TALLY_SETS, way = find(t, set, key);

    return way == QMS_TALLY_WAYS ? 0 : __atomic_load_n(&t->counts[set][way], __ATOMIC_RELAXED);
}
