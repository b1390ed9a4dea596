/* SPDX-License-Identifier: MIT */
/* The directory in memory: a hash map from agent id to the newest claim. */
#include "core/directory.h"

#include "base/map.h"
#include "base/mem.h"

struct qms_directory {
    struct qms_map *map;
};

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
    return true;
}

size_t qms_directory_purge(struct qms_directory *d, uint16_t worker)
{
    size_t cursor = 0, count = 0;
    struct qms_bytes key;
    void *value;

    while (qms_map_next(d->map, &cursor, &key, &value)) {
        struct qms_directory_entry *entry = value;
        if (entry->worker == worker) {
            (void)qms_map_remove(d->map, key);
            qms_free(entry);
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

size_t qms_directory_count(const struct qms_directory *d)
{
    return qms_map_count(d->map);
}
