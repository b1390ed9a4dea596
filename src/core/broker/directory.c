/* SPDX-License-Identifier: MIT */
/* The directory in memory: a hash map from agent id to the newest claim, and all of them by the
 * number that they got when they came. */
#include "core/broker/directory.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct claim {
    struct qms_directory_entry entry; /* first: what users of the map see */
    uint64_t number;
    size_t len;
    uint8_t id[];
};

struct place {
    uint64_t number;
    struct claim *claim; /* NULL: it has gone */
};

struct qms_directory {
    struct qms_map *map;  /* of struct claim */
    struct place *places; /* by number */
    size_t count, cap, gone;
    uint64_t newest; /* number given last */
    void (*changed)(void *arg, struct qms_bytes id, uint64_t number);
    void *arg;
};

static void tell(const struct qms_directory *d, struct qms_bytes id, uint64_t number)
{
    if (d->changed != NULL) {
        d->changed(d->arg, id, number);
    }
}

void qms_directory_observe(struct qms_directory *d,
                           void (*changed)(void *arg, struct qms_bytes id, uint64_t number),
                           void *arg)
{
    d->changed = changed;
    d->arg = arg;
}

struct qms_directory *qms_directory_new(const uint8_t seed[16])
{
    struct qms_directory *d = qms_calloc(1, sizeof(*d));

    if (d != NULL && (d->map = qms_map_new(seed)) == NULL) {
        qms_free(d);
        return NULL;
    }
    return d;
}

void qms_directory_free(struct qms_directory *d)
{
    size_t cursor = 0;
    struct qms_bytes key;
    void *value;

    if (d == NULL) {
        return;
    }
    while (qms_map_next(d->map, &cursor, &key, &value)) {
        qms_free(value);
    }
    qms_map_free(d->map);
    qms_free(d->places);
    qms_free(d);
}

/* ---- in the order in which they came ---- */

#define PLACES_MIN 64

/* The first place with a number above that; d->count: there is none. */
static size_t above(const struct qms_directory *d, uint64_t number)
{
    size_t low = 0, high = d->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->places[middle].number > number) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static qms_err make_place(struct qms_directory *d)
{
    size_t cap = d->cap == 0 ? PLACES_MIN : 2 * d->cap;

    if (d->count < d->cap) {
        return QMS_OK;
    }
    struct place *grown = qms_realloc(d->places, cap * sizeof(*grown));
    if (grown == NULL) {
        return QMS_E_NOMEM;
    }
    d->places = grown;
    d->cap = cap;
    return QMS_OK;
}

/* The places of those that have gone are taken out when they are most of all. */
static void leave_place(struct qms_directory *d, uint64_t number)
{
    size_t kept = 0;

    d->places[above(d, number - 1)].claim = NULL;
    if (++d->gone < PLACES_MIN || d->gone <= d->count / 2) {
        return;
    }
    for (size_t i = 0; i < d->count; i++) {
        if (d->places[i].claim != NULL) {
            d->places[kept++] = d->places[i];
        }
    }
    d->count = kept;
    d->gone = 0;
}

bool qms_directory_after(const struct qms_directory *d, uint64_t after, struct qms_bytes *id,
                         uint64_t *number)
{
    size_t i = above(d, after);

    while (i < d->count && d->places[i].claim == NULL) {
        i++;
    }
    if (i == d->count) {
        return false;
    }
    *id = (struct qms_bytes){d->places[i].claim->id, d->places[i].claim->len};
    *number = d->places[i].number;
    return true;
}

/* ---- claims ---- */

static qms_err add(struct qms_directory *d, struct qms_bytes id,
                   const struct qms_directory_entry *entry)
{
    struct claim *own = qms_calloc(1, sizeof(*own) + id.len);
    qms_err err;

    if (own == NULL || make_place(d) != QMS_OK) {
        qms_free(own);
        return QMS_E_NOMEM;
    }
    own->entry = *entry;
    own->len = id.len;
    memcpy(own->id, id.data, id.len);
    if ((err = qms_map_add(d->map, id, own)) != QMS_OK) {
        qms_free(own);
        return err;
    }
    own->number = ++d->newest;
    d->places[d->count++] = (struct place){own->number, own};
    tell(d, id, own->number);
    return QMS_OK;
}

static bool newer(const struct qms_directory_entry *a, const struct qms_directory_entry *b)
{
    return a->epoch != b->epoch ? a->epoch > b->epoch : a->worker > b->worker;
}

qms_err qms_directory_join(struct qms_directory *d, struct qms_bytes id,
                           const struct qms_directory_entry *entry,
                           struct qms_directory_entry *replaced)
{
    struct qms_directory_entry *old = qms_map_get(d->map, id);

    *replaced = (struct qms_directory_entry){0};
    if (old == NULL) {
        return add(d, id, entry);
    }
    if (newer(old, entry)) {
        return QMS_E_EXISTS;
    }
    *replaced = *old;
    *old = *entry;
    return QMS_OK;
}

/* The id is told out of the claim, when nobody finds that any more. */
static void withdraw(struct qms_directory *d, struct qms_bytes id)
{
    struct claim *claim = qms_map_remove(d->map, id);

    leave_place(d, claim->number);
    tell(d, (struct qms_bytes){claim->id, claim->len}, claim->number);
    qms_free(claim);
}

bool qms_directory_leave(struct qms_directory *d, struct qms_bytes id, uint64_t epoch)
{
    const struct qms_directory_entry *entry = qms_map_get(d->map, id);

    if (entry == NULL || entry->epoch != epoch) {
        return false;
    }
    withdraw(d, id);
    return true;
}

size_t qms_directory_purge(struct qms_directory *d, uint16_t worker)
{
    size_t cursor = 0, count = 0;
    struct qms_bytes key;
    void *value;

    while (qms_map_next(d->map, &cursor, &key, &value)) {
        const struct qms_directory_entry *entry = value;
        if (entry->worker == worker) {
            withdraw(d, key);
            count++;
        }
    }
    return count;
}

const struct qms_directory_entry *qms_directory_find(const struct qms_directory *d,
                                                     struct qms_bytes id)
{
    return qms_map_get(d->map, id);
}

void qms_directory_each(const struct qms_directory *d,
                        void (*each)(void *arg, struct qms_bytes id), void *arg)
{
    size_t cursor = 0;
    struct qms_bytes key;
    void *value;

    while (qms_map_next(d->map, &cursor, &key, &value)) {
        each(arg, key);
    }
}

size_t qms_directory_count(const struct qms_directory *d)
{
    return qms_map_count(d->map);
}
