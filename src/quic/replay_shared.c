/* SPDX-License-Identifier: MIT */
/* A hash table of buckets without locks.  An entry is one word: until when it counts, and half
 * of the keyed hash of the digest, whose other half chose the bucket.  An entry that is over
 * may be overwritten by anyone, and nothing else ever changes.
 *
 * Two processes that add the same digest at once may put it into two places.  Each looks at the
 * whole bucket once more after its store; in the one order of all stores (seq_cst) at least the
 * later one finds the other.  So it can happen that both are refused, never that both are told
 * the digest was new.  Two digests that share a word look alike, which costs the later one its
 * early data: one in some 100 million. */
#include <stdatomic.h>

#include "base/map.h"
#include "base/mem.h"
#include "quic/replay.h"
#include "quic/token.h"

#define PLACES 16 /* of a bucket */
/* Processes may have read the clock at different instants. */
#define GRACE 2 /* seconds */
/* Failed attempts at a bucket: others have filled it as often. */
#define TRIES (4 * PLACES)

struct shared {
    struct qms_replay base; /* first */
    _Atomic uint64_t *places;
    size_t buckets;
    uint8_t key[16];
};

static bool counts(uint64_t word, uint32_t now)
{
    return word != 0 && (int32_t)((uint32_t)(word >> 32) + GRACE - now) >= 0;
}

struct look {
    bool found;
    size_t free; /* PLACES: none */
    uint64_t old;
};

/* `own`: the place that is the caller's already; PLACES: none. */
static struct look look(_Atomic uint64_t *bucket, uint64_t word, uint32_t now, size_t own)
{
    struct look l = {.free = PLACES};

    for (size_t i = 0; i < PLACES; i++) {
        uint64_t there = atomic_load(&bucket[i]);
        if (!counts(there, now)) {
            if (l.found || l.free == PLACES) {
                l.free = i;
                l.old = there;
            }
        } else if (i != own && (uint32_t)there == (uint32_t)word) {
            l.found = true;
        }
    }
    return l;
}

static bool shared_add(struct qms_replay *r, struct qms_bytes digest, int64_t now,
                       int64_t until)
{
    struct shared *s = (struct shared *)(void *)r;
    uint64_t hash = qms_siphash(s->key, digest);
    _Atomic uint64_t *bucket = s->places + (hash >> 32) % s->buckets * PLACES;
    uint64_t word = (uint64_t)(uint32_t)until << 32 | ((uint32_t)hash | 1U);

    for (int i = 0; i < TRIES; i++) {
        struct look l = look(bucket, word, (uint32_t)now, PLACES);
        if (l.found || l.free == PLACES) {
            return false;
        }
        if (atomic_compare_exchange_strong(&bucket[l.free], &l.old, word)) {
            return !look(bucket, word, (uint32_t)now, l.free).found;
        }
    }
    return false;
}

static void shared_free(struct qms_replay *r)
{
    qms_free(r);
}

static const struct qms_replay_ops shared_ops = {.add = shared_add, .free = shared_free};

struct qms_replay *qms_replay_shared_new(void *memory, size_t size, const uint8_t secret[32])
{
    struct shared *s = qms_calloc(1, sizeof(*s));

    if (s == NULL || qms_quic_key_replay(s->key, secret) != QMS_OK) {
        qms_free(s);
        return NULL;
    }
    s->base.ops = &shared_ops;
    s->places = memory;
    s->buckets = size / (PLACES * sizeof(uint64_t));
    return &s->base;
}
