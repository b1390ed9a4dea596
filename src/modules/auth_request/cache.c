/* SPDX-License-Identifier: MIT */
/* Slots are copied word by word with relaxed atomics; that a copy is whole is known by its sum
 * alone, so no order between the words is needed. */
#include "cache.h"

#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"
#include "modules/auth_token/sha256.h"

#define SET 8 /* slots */
/* Part of each sum: another binary that reads the memory as something else finds nothing. */
#define LAYOUT 1

struct qms_answer_head {
    uint64_t secret[4]; /* chosen word by word by whoever comes first; 0: not yet */
    uint64_t unused[4];
};

struct entry {
    qms_time until; /* of any slot: whole entry or not, it is a good word */
    uint8_t key[QMS_ANSWER_KEY_LEN];
    struct qms_answer answer;
};

#define WORDS ((sizeof(struct entry) + 7) / 8)

union body {
    struct entry entry;
    uint64_t words[WORDS];
};

struct qms_answer_slot {
    uint64_t sum;
    uint64_t words[WORDS];
};

static uint64_t load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void store(uint64_t *p, uint64_t value)
{
    __atomic_store_n(p, value, __ATOMIC_RELAXED);
}

size_t qms_answer_cache_size(size_t answers)
{
    size_t sets = (answers + SET - 1) / SET;

    return sets == 0
               ? 0
               : sizeof(struct qms_answer_head) + sets * SET * sizeof(struct qms_answer_slot);
}

/* A word is set once and by one: behind this all processes see the same. */
static void choose_secret(struct qms_answer_head *head)
{
    uint64_t random[4];
    bool chosen = true;

    for (unsigned i = 0; i < 4; i++) {
        chosen = chosen && load(&head->secret[i]) != 0;
    }
    if (chosen) {
        return;
    }
    qms_random(random, sizeof(random));
    for (unsigned i = 0; i < 4; i++) {
        uint64_t none = 0;
        (void)__atomic_compare_exchange_n(&head->secret[i], &none, random[i] | 1, false,
                                          __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
    qms_memzero(random, sizeof(random));
}

void qms_answer_cache_open(struct qms_answer_cache *c, void *memory, size_t size)
{
    *c = (struct qms_answer_cache){.head = NULL};
    if (memory == NULL || size < qms_answer_cache_size(1)) {
        return;
    }
    c->head = memory;
    c->slots = (struct qms_answer_slot *)(void *)(c->head + 1);
    c->sets = (size - sizeof(*c->head)) / sizeof(*c->slots) / SET;
    choose_secret(c->head);
}

/* HMAC-SHA-256 (RFC 2104). */
static void keyed(const struct qms_answer_cache *c, const uint8_t key[QMS_ANSWER_KEY_LEN],
                  uint8_t out[QMS_ANSWER_KEY_LEN])
{
    uint8_t text[64 + QMS_SHA256_LEN] = {0};
    uint64_t secret[4];

    for (unsigned i = 0; i < 4; i++) {
        secret[i] = load(&c->head->secret[i]);
    }
    memcpy(text, secret, sizeof(secret));
    for (unsigned i = 0; i < 64; i++) {
        text[i] ^= 0x36;
    }
    memcpy(text + 64, key, QMS_ANSWER_KEY_LEN);
    qms_sha256((struct qms_bytes){text, sizeof(text)}, out);
    for (unsigned i = 0; i < 64; i++) {
        text[i] ^= 0x36 ^ 0x5c;
    }
    memcpy(text + 64, out, QMS_SHA256_LEN);
    qms_sha256((struct qms_bytes){text, sizeof(text)}, out);
    qms_memzero(secret, sizeof(secret));
    qms_memzero(text, sizeof(text));
}

static uint64_t sum_of(const struct qms_answer_cache *c, const union body *b)
{
    const uint64_t seed[2] = {load(&c->head->secret[0]), load(&c->head->secret[1]) + LAYOUT};

    return qms_siphash((const uint8_t *)seed,
                       (struct qms_bytes){(const uint8_t *)b->words, sizeof(b->words)});
}

static struct qms_answer_slot *set_of(const struct qms_answer_cache *c,
                                      const uint8_t hash[QMS_ANSWER_KEY_LEN])
{
    uint64_t n;

    memcpy(&n, hash, sizeof(n));
    return c->slots + n % c->sets * SET;
}

static qms_time until_of(const struct qms_answer_slot *slot)
{
    return load(&slot->words[offsetof(struct entry, until) / 8]);
}

static bool has_key(const struct qms_answer_slot *slot, const uint8_t hash[QMS_ANSWER_KEY_LEN])
{
    uint64_t there[QMS_ANSWER_KEY_LEN / 8];

    for (size_t i = 0; i < QMS_ANSWER_KEY_LEN / 8; i++) {
        there[i] = load(&slot->words[offsetof(struct entry, key) / 8 + i]);
    }
    return memcmp(there, hash, QMS_ANSWER_KEY_LEN) == 0;
}

/* False: not whole.  The lengths are looked at nonetheless: the memory is other workers' too.
 */
static bool read_slot(const struct qms_answer_cache *c, const struct qms_answer_slot *slot,
                      union body *b)
{
    uint64_t sum = load(&slot->sum);

    for (size_t i = 0; i < WORDS; i++) {
        b->words[i] = load(&slot->words[i]);
    }
    return sum == sum_of(c, b) && b->entry.answer.agent_len <= QMS_NAME_MAX &&
           memchr(b->entry.answer.scopes, '\0', QMS_ANSWER_SCOPES_MAX) != NULL;
}

bool qms_answer_cache_find(const struct qms_answer_cache *c,
                           const uint8_t key[QMS_ANSWER_KEY_LEN], qms_time now,
                           struct qms_answer *out)
{
    uint8_t hash[QMS_ANSWER_KEY_LEN];
    union body b;

    if (c->head == NULL) {
        return false;
    }
    keyed(c, key, hash);
    const struct qms_answer_slot *set = set_of(c, hash);
    for (unsigned i = 0; i < SET; i++) {
        if (has_key(&set[i], hash) && read_slot(c, &set[i], &b) && b.entry.until > now &&
            memcmp(b.entry.key, hash, sizeof(hash)) == 0) {
            *out = b.entry.answer;
            return true;
        }
    }
    return false;
}

static struct qms_answer_slot *place_for(struct qms_answer_slot *set,
                                         const uint8_t hash[QMS_ANSWER_KEY_LEN])
{
    struct qms_answer_slot *best = &set[0];

    for (unsigned i = 0; i < SET; i++) {
        if (has_key(&set[i], hash)) {
            return &set[i];
        }
        best = until_of(&set[i]) < until_of(best) ? &set[i] : best;
    }
    return best;
}

void qms_answer_cache_put(const struct qms_answer_cache *c,
                          const uint8_t key[QMS_ANSWER_KEY_LEN],
                          const struct qms_answer *answer, qms_time until)
{
    uint8_t hash[QMS_ANSWER_KEY_LEN];
    union body b;

    if (c->head == NULL) {
        return;
    }
    keyed(c, key, hash);
    struct qms_answer_slot *slot = place_for(set_of(c, hash), hash);
    memset(&b, 0, sizeof(b));
    b.entry.until = until;
    memcpy(b.entry.key, hash, sizeof(hash));
    b.entry.answer = *answer;
    for (size_t i = 0; i < WORDS; i++) {
        store(&slot->words[i], b.words[i]);
    }
    store(&slot->sum, sum_of(c, &b));
}
