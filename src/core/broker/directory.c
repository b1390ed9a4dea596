/* SPDX-License-Identifier: MIT */
/* The directory in memory: a hash map from agent id to the newest claim. */
#include "core/broker/directory.h"

#include <string.h>

#include "base/map.h"
#include "base/mem.h"

struct qms_directory {
    struct qms_map *map;
    void (*changed)(void *arg, struct qms_bytes id);
    void *arg;
};

static void tell(const struct qms_directory *d, struct qms_bytes id)
{
    if (d->changed != NULL) {
        d->changed(d->arg, id);
    }
}

void qms_directory_observe(struct qms_directory *d,
                           void (*changed)(void *arg, struct qms_bytes id), void *arg)
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
    qms_free(d);
}

static qms_err add(struct qms_directory *d, struct qms_bytes id,
                   const struct qms_directory_entry *entry)
{
    struct qms_directory_entry *own = qms_calloc(1, sizeof(*own));
    qms_err err;

    if (own == NULL) {
        return QMS_E_NOMEM;
    }
    *own = *entry;
    if ((err = qms_map_add(d->map, id, own)) != QMS_OK) {
        qms_free(own);
    } else {
        tell(d, id);
    }
    return err;
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

bool qms_directory_leave(struct qms_directory *d, struct qms_bytes id, uint64_t epoch)
{
    const struct qms_directory_entry *entry = qms_map_get(d->map, id);

    if (entry == NULL || entry->epoch != epoch) {
        return false;
    }
    qms_free(qms_map_remove(d->map, id));
    tell(d, id);
    return true;
}

/* The key goes with its entry: the id is told from a copy. */
static void purge_entry(struct qms_directory *d, struct qms_bytes id)
{
    uint8_t room[QMS_NAME_MAX];
    struct qms_bytes copy = {room, id.len < sizeof(room) ? id.len : sizeof(room)};

    memcpy(room, id.data, copy.len);
    qms_free(qms_map_remove(d->map, id));
    tell(d, copy);
}

size_t qms_directory_purge(struct qms_directory *d, uint16_t worker)
{
    size_t cursor = 0, count = 0;
    struct qms_bytes key;
    void *value;

    while (qms_map_next(d->map, &cursor, &key, &value)) {
        const struct qms_directory_entry *entry = value;
        if (entry->worker == worker) {
            purge_entry(d, key);
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
