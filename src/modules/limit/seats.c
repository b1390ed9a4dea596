/* SPDX-License-Identifier: MIT */
#include "seats.h"

#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

/* Seats of one address that are told apart; a limit above it counts by worker. */
#define SEATS_MAX 4096
#define WHAT      7 /* in the table of words */

struct qms_seats_total {
    uint64_t owner, until, count, unused;
};

/* What this worker has of an address. */
struct held {
    uint64_t count;
    uint32_t leases, cap;
    uint32_t *numbers; /* of the leases */
};

static uint64_t load(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void store(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static bool swap(uint64_t *p, uint64_t from, uint64_t to)
{
    return __atomic_compare_exchange_n(p, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* ---- in all ---- */

/* A place that nobody renews. */
static void claim(struct qms_seats *s, qms_time now)
{
    s->place = QMS_SEATS_WORKERS;
    for (unsigned i = 0; s->totals != NULL && i < QMS_SEATS_WORKERS; i++) {
        struct qms_seats_total *t = &s->totals[i];
        uint64_t until = load(&t->until);
        if (until <= now && swap(&t->until, until, now + QMS_SEATS_LEASE)) {
            store(&t->owner, s->owner);
            store(&t->count, s->here);
            s->place = i;
            return;
        }
    }
}

static bool owns(const struct qms_seats *s)
{
    return s->place < QMS_SEATS_WORKERS && load(&s->totals[s->place].owner) == s->owner;
}

static void tell(struct qms_seats *s)
{
    if (owns(s)) {
        store(&s->totals[s->place].count, s->here);
    }
}

uint64_t qms_seats_all(const struct qms_seats *s, qms_time now)
{
    uint64_t all = s->here;

    for (unsigned i = 0; s->totals != NULL && i < QMS_SEATS_WORKERS; i++) {
        const struct qms_seats_total *t = &s->totals[i];
        if ((i != s->place || !owns(s)) && load(&t->until) > now) {
            all += load(&t->count);
        }
    }
    return all;
}

/* ---- of an address ---- */

static uint64_t *word_of(struct qms_seats *s, struct qms_bytes address, uint32_t number,
                         qms_time now)
{
    uint8_t key[16 + sizeof(number)] = {0};

    memcpy(key, address.data, address.len < 16 ? address.len : 16);
    memcpy(key + 16, &number, sizeof(number));
    return qms_words_at(&s->words, WHAT, (struct qms_bytes){key, sizeof(key)}, now,
                        &s->evicted);
}

static bool room(struct held *h)
{
    uint32_t cap = h->cap > 0 ? 2 * h->cap : 4, *numbers;

    if (h->leases < h->cap) {
        return true;
    }
    if ((numbers = qms_realloc(h->numbers, cap * sizeof(*numbers))) == NULL) {
        return false;
    }
    h->numbers = numbers;
    h->cap = cap;
    return true;
}

/* A free seat below `max`.  False: there is none. */
static bool lease(struct qms_seats *s, struct held *h, struct qms_bytes address, uint64_t max,
                  qms_time now)
{
    if (!room(h)) {
        return false;
    }
    for (uint32_t n = 0; n < max && n < SEATS_MAX; n++) {
        uint64_t *word = word_of(s, address, n, now), until = load(word);
        if (until <= now && swap(word, until, now + QMS_SEATS_LEASE)) {
            h->numbers[h->leases++] = n;
            return true;
        }
    }
    return false;
}

static void held_free(struct held *h)
{
    qms_free(h->numbers);
    qms_free(h);
}

static struct held *held_of(struct qms_seats *s, struct qms_bytes address)
{
    struct held *h = qms_map_get(s->by_address, address);

    if (h != NULL || (h = qms_calloc(1, sizeof(*h))) == NULL) {
        return h;
    }
    if (qms_map_add(s->by_address, address, h) != QMS_OK) {
        held_free(h);
        return NULL;
    }
    return h;
}

static void drop_if_empty(struct qms_seats *s, struct held *h, struct qms_bytes address)
{
    if (h->count == 0) {
        (void)qms_map_remove(s->by_address, address);
        held_free(h);
    }
}

static bool has_seat(struct qms_seats *s, struct held *h, struct qms_bytes address,
                     uint64_t max, qms_time now)
{
    if (max == 0) {
        return true;
    }
    return s->words.head == NULL || max > SEATS_MAX ? h->count < max
                                                    : lease(s, h, address, max, now);
}

enum qms_seat qms_seats_take(struct qms_seats *s, struct qms_bytes address,
                             uint64_t max_address, uint64_t max_all, bool force, qms_time now)
{
    struct held *h = held_of(s, address);
    enum qms_seat seat = QMS_SEAT_GIVEN;

    if (h == NULL) {
        return QMS_SEAT_NO_MEMORY;
    }
    if (max_all != 0 && qms_seats_all(s, now) >= max_all) {
        seat = QMS_SEAT_ALL_FULL;
    } else if (!has_seat(s, h, address, max_address, now)) {
        seat = QMS_SEAT_ADDRESS_FULL;
    }
    if (seat == QMS_SEAT_GIVEN || force) {
        h->count++;
        s->here++;
        tell(s);
    }
    drop_if_empty(s, h, address);
    return seat;
}

void qms_seats_give(struct qms_seats *s, struct qms_bytes address, qms_time now)
{
    struct held *h = qms_map_get(s->by_address, address);

    if (h == NULL || h->count == 0) {
        return;
    }
    h->count--;
    s->here--;
    tell(s);
    if (h->leases > h->count) {
        uint64_t *word = word_of(s, address, h->numbers[--h->leases], now);
        store(word, 0);
    }
    drop_if_empty(s, h, address);
}

/* ---- life ---- */

static void bind(struct qms_seats *s, void *memory, size_t size, qms_time now)
{
    const size_t head = QMS_SEATS_WORKERS * sizeof(struct qms_seats_total);

    s->totals = NULL;
    s->words = (struct qms_words){.head = NULL};
    if (memory != NULL && size >= head + QMS_WORDS_MIN &&
        qms_words_open(&s->words, (uint8_t *)memory + head, size - head)) {
        s->totals = memory;
    }
    claim(s, now);
}

qms_err qms_seats_init(struct qms_seats *s, void *memory, size_t size, qms_time now)
{
    uint8_t seed[16];

    *s = (struct qms_seats){.place = QMS_SEATS_WORKERS};
    qms_random(seed, sizeof(seed));
    qms_random(&s->owner, sizeof(s->owner));
    s->by_address = qms_map_new(seed);
    bind(s, memory, size, now);
    return s->by_address != NULL ? QMS_OK : QMS_E_NOMEM;
}

static void each(struct qms_seats *s,
                 void (*what)(struct qms_seats *s, struct held *h, struct qms_bytes address,
                              qms_time now),
                 qms_time now)
{
    size_t cursor = 0;
    struct qms_bytes address;
    void *h;

    while (s->by_address != NULL && qms_map_next(s->by_address, &cursor, &address, &h)) {
        what(s, h, address, now);
    }
}

static void renew(struct qms_seats *s, struct held *h, struct qms_bytes address, qms_time now)
{
    for (uint32_t i = 0; i < h->leases; i++) {
        store(word_of(s, address, h->numbers[i], now), now + QMS_SEATS_LEASE);
    }
}

static void let_go(struct qms_seats *s, struct held *h, struct qms_bytes address, qms_time now)
{
    for (uint32_t i = 0; s->words.head != NULL && i < h->leases; i++) {
        store(word_of(s, address, h->numbers[i], now), 0);
    }
    h->leases = 0;
}

void qms_seats_renew(struct qms_seats *s, qms_time now)
{
    if (s->totals == NULL) {
        return;
    }
    if (owns(s)) {
        store(&s->totals[s->place].until, now + QMS_SEATS_LEASE);
    } else {
        claim(s, now); /* it was stopped for so long that another took its place */
    }
    each(s, renew, now);
}

static void leave(struct qms_seats *s, qms_time now)
{
    each(s, let_go, now);
    if (owns(s)) {
        store(&s->totals[s->place].count, 0);
        store(&s->totals[s->place].until, 0);
    }
}

void qms_seats_move(struct qms_seats *s, void *memory, size_t size, qms_time now)
{
    if (memory != (void *)s->totals) {
        leave(s, now);
        bind(s, memory, size, now);
    }
}

static void forget(struct qms_seats *s, struct held *h, struct qms_bytes address, qms_time now)
{
    (void)s, (void)address, (void)now;
    held_free(h);
}

void qms_seats_fini(struct qms_seats *s)
{
    leave(s, 0);
    each(s, forget, 0);
    qms_map_free(s->by_address);
    s->by_address = NULL;
}
