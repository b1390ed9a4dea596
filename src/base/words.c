/* SPDX-License-Identifier: MIT */
#include "words.h"

#include <string.h>

#include "base/clock.h"
#include "base/map.h"

#define PLACES 8 /* two cache lines */

struct qms_words_head {
    uint64_t seed[2]; /* chosen by the first process; 0: not yet */
    uint64_t unused[6];
};

struct qms_words_place {
    uint64_t key; /* hash of it; 0: free */
    uint64_t word;
};

static uint64_t load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static bool swap(uint64_t *p, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Both halves are set once; until the second one is, hashes are those of half a seed, which
 * costs a few words that nobody finds again. */
static void choose_seed(struct qms_words_head *head)
{
    uint64_t random[2];

    qms_random(random, sizeof(random));
    (void)swap(&head->seed[1], 0, random[1] | 1);
    (void)swap(&head->seed[0], 0, random[0] | 1);
}

bool qms_words_open(struct qms_words *w, void *memory, size_t size)
{
    const size_t set = PLACES * sizeof(struct qms_words_place);

    *w = (struct qms_words){.head = NULL};
    if (memory == NULL || size < QMS_WORDS_MIN) {
        return false;
    }
    w->head = memory;
    w->places = (struct qms_words_place *)(void *)(w->head + 1);
    w->sets = (size - sizeof(*w->head)) / set;
    if (load(&w->head->seed[0]) == 0) {
        choose_seed(w->head);
    }
    return true;
}

static uint64_t hash_of(const struct qms_words *w, unsigned what, struct qms_bytes key)
{
    uint64_t seed[2] = {load(&w->head->seed[0]), load(&w->head->seed[1]) ^ what};
    uint64_t h = qms_siphash((const uint8_t *)seed, key);

    return h != 0 ? h : 1;
}

static uint64_t *find(struct qms_words_place *set, uint64_t hash)
{
    for (unsigned i = 0; i < PLACES; i++) {
        if (load(&set[i].key) == hash) {
            return &set[i].word;
        }
    }
    return NULL;
}

/* The place that says the least from now on. */
static struct qms_words_place *emptiest(struct qms_words_place *set, uint64_t *key)
{
    struct qms_words_place *best = &set[0];
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < PLACES; i++) {
        uint64_t k = load(&set[i].key), word = k == 0 ? 0 : load(&set[i].word);
        if (word < least) {
            least = word;
            best = &set[i];
            *key = k;
        }
    }
    return best;
}

uint64_t *qms_words_at(const struct qms_words *w, unsigned what, struct qms_bytes key,
                       qms_time now, uint64_t *evicted)
{
    uint64_t hash = hash_of(w, what, key), old = 0, *word;
    struct qms_words_place *set = w->places + hash % w->sets * PLACES;

    while ((word = find(set, hash)) == NULL) {
        struct qms_words_place *place = emptiest(set, &old);
        uint64_t said = load(&place->word);
        if (swap(&place->key, old, hash)) {
            /* What the key before still owed is not the new one's. */
            if (said > now) {
                (void)swap(&place->word, said, 0);
                *(evicted != NULL ? evicted : &old) += 1;
            }
            return &place->word;
        }
    }
    return word;
}

size_t qms_words_used(const struct qms_words *w, qms_time now)
{
    size_t used = 0;

    for (uint64_t i = 0; w->head != NULL && i < w->sets * PLACES; i++) {
        used += load(&w->places[i].key) != 0 && load(&w->places[i].word) > now;
    }
    return used;
}
