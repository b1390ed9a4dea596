/* SPDX-License-Identifier: MIT */
/* Two generations: digests go into the younger one, and when the older one has nothing left
 * that matters it is emptied and becomes the younger. */
#include "quic/replay.h"

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

/* Digests of one generation; beyond them early data is refused. */
#define GENERATION_MAX 65536

struct generation {
    struct qms_map *seen;
    int64_t until; /* of its last digest */
};

struct local {
    struct qms_replay base; /* first */
    struct generation young, old;
};

static struct qms_map *new_map(void)
{
    uint8_t seed[16];

    qms_random(seed, sizeof(seed));
    return qms_map_new(seed);
}

/* False: no memory for a new generation. */
static bool turn(struct local *l)
{
    struct qms_map *fresh = new_map();

    if (fresh == NULL) {
        return false;
    }
    qms_map_free(l->old.seen);
    l->old = l->young;
    l->young = (struct generation){.seen = fresh};
    return true;
}

static bool local_add(struct qms_replay *r, struct qms_bytes digest, int64_t now, int64_t until)
{
    struct local *l = (struct local *)(void *)r;

    if (l->old.until < now && qms_map_count(l->young.seen) > 0 && !turn(l)) {
        return false;
    }
    if ((l->old.until >= now && qms_map_get(l->old.seen, digest) != NULL) ||
        qms_map_count(l->young.seen) >= GENERATION_MAX ||
        qms_map_add(l->young.seen, digest, l) != QMS_OK) {
        return false;
    }
    l->young.until = until > l->young.until ? until : l->young.until;
    return true;
}

static void local_free(struct qms_replay *r)
{
    struct local *l = (struct local *)(void *)r;

    qms_map_free(l->young.seen);
    qms_map_free(l->old.seen);
    qms_free(l);
}

static const struct qms_replay_ops local_ops = {.add = local_add, .free = local_free};

struct qms_replay *qms_replay_local_new(void)
{
    struct local *l = qms_calloc(1, sizeof(*l));

    if (l == NULL) {
        return NULL;
    }
    l->base.ops = &local_ops;
    l->young.seen = new_map();
    l->old.seen = new_map();
    if (l->young.seen == NULL || l->old.seen == NULL) {
        local_free(&l->base);
        return NULL;
    }
    return &l->base;
}
