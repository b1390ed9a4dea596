/* SPDX-License-Identifier: MIT */
#include "cache.h"

#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

struct entry {
    struct qms_list node;
    uint8_t key[QMS_ANSWER_KEY_LEN];
    qms_time until;
    struct qms_answer answer;
};

static struct qms_bytes bytes_of(const uint8_t *key)
{
    return (struct qms_bytes){key, QMS_ANSWER_KEY_LEN};
}

qms_err qms_answer_cache_init(struct qms_answer_cache *c)
{
    uint8_t seed[16];

    qms_list_init(&c->oldest);
    qms_random(seed, sizeof(seed));
    c->by_key = qms_map_new(seed);
    return c->by_key != NULL ? QMS_OK : QMS_E_NOMEM;
}

static void drop(struct qms_answer_cache *c, struct entry *e)
{
    (void)qms_map_remove(c->by_key, bytes_of(e->key));
    qms_list_remove(&e->node);
    qms_free(e);
}

void qms_answer_cache_fini(struct qms_answer_cache *c)
{
    struct qms_list *node;

    while (c->by_key != NULL && (node = qms_list_first(&c->oldest)) != NULL) {
        drop(c, QMS_CONTAINER(node, struct entry, node));
    }
    qms_map_free(c->by_key);
    c->by_key = NULL;
}

const struct qms_answer *qms_answer_cache_find(struct qms_answer_cache *c,
                                               const uint8_t key[QMS_ANSWER_KEY_LEN],
                                               qms_time now)
{
    struct entry *e = qms_map_get(c->by_key, bytes_of(key));

    if (e != NULL && e->until <= now) {
        drop(c, e);
        return NULL;
    }
    return e != NULL ? &e->answer : NULL;
}

void qms_answer_cache_put(struct qms_answer_cache *c, const uint8_t key[QMS_ANSWER_KEY_LEN],
                          const struct qms_answer *answer, qms_time until, size_t max)
{
    struct entry *e = qms_map_get(c->by_key, bytes_of(key));

    if (e != NULL) {
        drop(c, e);
    }
    while (qms_map_count(c->by_key) > 0 && qms_map_count(c->by_key) >= max) {
        drop(c, QMS_CONTAINER(qms_list_first(&c->oldest), struct entry, node));
    }
    if (max == 0 || (e = qms_calloc(1, sizeof(*e))) == NULL) {
        return;
    }
    memcpy(e->key, key, sizeof(e->key));
    e->until = until;
    e->answer = *answer;
    qms_list_init(&e->node);
    if (qms_map_add(c->by_key, bytes_of(key), e) != QMS_OK) {
        qms_free(e);
        return;
    }
    qms_list_append(&c->oldest, &e->node);
}
