/* SPDX-License-Identifier: MIT */
/* Chained hash table with the links inside the streams, and a sorted array of ranges.
 *
 * The table needs no secret: what a peer can make collide are its own living streams, whose
 * number the transport limits. */
#include "proto/session_handles.h"

#include <string.h>

#include "base/mem.h"
#include "proto/session_i.h"

#define RANGES_MAX 1024
#define EARLY_MAX  64

struct qms_handle_range {
    uint64_t from, to; /* both inside */
};

void qms_handles_init(struct qms_handles *h)
{
    *h = (struct qms_handles){.bucket_count = QMS_HANDLES_FIRST};
    h->buckets = h->first;
}

void qms_handles_fini(struct qms_handles *h)
{
    if (h->buckets != h->first) {
        qms_free(h->buckets);
    }
    qms_free(h->used);
    qms_free(h->early);
    qms_handles_init(h);
}

static struct qms_ss **bucket(const struct qms_handles *h, bool opener, uint64_t handle)
{
    uint64_t mixed = (handle * 2 + opener) * UINT64_C(0x9E3779B97F4A7C15);
    return &h->buckets[(mixed >> 32) & (h->bucket_count - 1)];
}

static void link_in(struct qms_handles *h, struct qms_ss *st)
{
    struct qms_ss **at = bucket(h, st->pub.opener, st->pub.handle);
    st->next = *at;
    *at = st;
}

static void grow(struct qms_handles *h)
{
    struct qms_ss **old = h->buckets;
    uint32_t old_count = h->bucket_count;
    struct qms_ss **buckets = qms_calloc((size_t)old_count * 2, sizeof(struct qms_ss *));

    if (buckets == NULL) {
        return;
    }
    h->buckets = buckets;
    h->bucket_count = old_count * 2;
    for (uint32_t i = 0; i < old_count; i++) {
        for (struct qms_ss *st = old[i], *next; st != NULL; st = next) {
            next = st->next;
            link_in(h, st);
        }
    }
    if (old != h->first) {
        qms_free(old);
    }
}

void qms_handles_add(struct qms_handles *h, struct qms_ss *st)
{
    if (h->count >= h->bucket_count) {
        grow(h);
    }
    link_in(h, st);
    st->indexed = true;
    h->count++;
}

void qms_handles_remove(struct qms_handles *h, struct qms_ss *st)
{
    if (!st->indexed) {
        return;
    }
    struct qms_ss **at = bucket(h, st->pub.opener, st->pub.handle);
    while (*at != st) {
        at = &(*at)->next;
    }
    *at = st->next;
    st->indexed = false;
    h->count--;
    if (h->count == 0 && h->buckets != h->first) { /* an idle connection stays small */
        qms_free(h->buckets);
        h->buckets = h->first;
        h->bucket_count = QMS_HANDLES_FIRST;
        memset(h->first, 0, sizeof(h->first));
    }
}

struct qms_ss *qms_handles_find(const struct qms_handles *h, bool opener, uint64_t handle)
{
    struct qms_ss *st = *bucket(h, opener, handle);

    while (st != NULL && (st->pub.handle != handle || st->pub.opener != opener)) {
        st = st->next;
    }
    return st;
}

/* Index of the first range that ends at or after `handle`. */
static uint32_t range_at(const struct qms_handles *h, uint64_t handle)
{
    uint32_t low = 0, high = h->used_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (h->used[middle].to < handle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool qms_handles_claimed(const struct qms_handles *h, uint64_t handle)
{
    uint32_t i = range_at(h, handle);
    return i < h->used_count && h->used[i].from <= handle;
}

static void range_remove(struct qms_handles *h, uint32_t i)
{
    h->used_count--;
    memmove(&h->used[i], &h->used[i + 1], (h->used_count - i) * sizeof(h->used[0]));
}

/* Room for one more range, by forgetting the lowest if it must be. */
static bool range_room(struct qms_handles *h)
{
    if (h->used_count < h->used_cap) {
        return true;
    }
    if (h->used_cap < RANGES_MAX) {
        uint32_t cap = h->used_cap == 0 ? 4 : h->used_cap * 2;
        struct qms_handle_range *used = qms_realloc(h->used, cap * sizeof(*used));
        if (used != NULL) {
            h->used = used;
            h->used_cap = cap;
            return true;
        }
    }
    if (h->used_count > 0) {
        range_remove(h, 0);
    }
    return h->used_count < h->used_cap;
}

bool qms_handles_claim(struct qms_handles *h, uint64_t handle)
{
    if (qms_handles_claimed(h, handle)) {
        return false;
    }
    uint32_t i = range_at(h, handle);
    bool joins_next = i < h->used_count && h->used[i].from == handle + 1;
    bool joins_last = i > 0 && h->used[i - 1].to + 1 == handle;

    if (joins_next && joins_last) {
        h->used[i - 1].to = h->used[i].to;
        range_remove(h, i);
    } else if (joins_next) {
        h->used[i].from = handle;
    } else if (joins_last) {
        h->used[i - 1].to = handle;
    } else if (range_room(h)) {
        i = range_at(h, handle); /* making room may have moved it */
        memmove(&h->used[i + 1], &h->used[i], (h->used_count - i) * sizeof(h->used[0]));
        h->used[i] = (struct qms_handle_range){handle, handle};
        h->used_count++;
    }
    return true;
}

static struct qms_handle_urgency *early_find(const struct qms_handles *h, uint64_t handle)
{
    for (uint32_t i = 0; i < h->early_count; i++) {
        struct qms_handle_urgency *u = &h->early[(h->early_head + i) % EARLY_MAX];
        if (u->handle == handle && u->mask != 0) {
            return u;
        }
    }
    return NULL;
}

void qms_handles_remember(struct qms_handles *h, const struct qms_handle_urgency *u)
{
    if (h->early == NULL) {
        h->early = qms_calloc(EARLY_MAX, sizeof(*h->early));
    }
    if (h->early == NULL || u->mask == 0) {
        return;
    }
    struct qms_handle_urgency *old = early_find(h, u->handle);
    if (old != NULL) {
        old->mask |= u->mask;
        old->forward = (u->mask & 1) != 0 ? u->forward : old->forward;
        old->reverse = (u->mask & 2) != 0 ? u->reverse : old->reverse;
        return;
    }
    if (h->early_count == EARLY_MAX) {
        h->early_head = (h->early_head + 1) % EARLY_MAX;
        h->early_count--;
    }
    h->early[(h->early_head + h->early_count++) % EARLY_MAX] = *u;
}

bool qms_handles_recall(struct qms_handles *h, uint64_t handle, struct qms_handle_urgency *out)
{
    struct qms_handle_urgency *u = early_find(h, handle);

    if (u == NULL) {
        return false;
    }
    *out = *u;
    u->mask = 0; /* an empty place, skipped by early_find */
    while (h->early_count > 0 && h->early[h->early_head].mask == 0) {
        h->early_head = (h->early_head + 1) % EARLY_MAX;
        h->early_count--;
    }
    if (h->early_count == 0) {
        qms_free(h->early);
        h->early = NULL;
        h->early_head = 0;
    }
    return true;
}
