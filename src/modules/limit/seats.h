/* SPDX-License-Identifier: MIT */
/* Connections, counted over all workers: a seat for each, by address and in all.
 *
 * A seat of an address is a lease (base/words.h) under the address and a number below the
 * limit, which its worker renews: what a worker that died held is free again by itself.  In
 * all, each worker says in a place of its own how many it has, as long as it renews that place.
 */
#ifndef QMS_MODULES_LIMIT_SEATS_H
#define QMS_MODULES_LIMIT_SEATS_H

#include "base/words.h"

/* Workers of all generations that count together. */
#define QMS_SEATS_WORKERS 128
/* A worker that does not renew for so long holds nothing. */
#define QMS_SEATS_LEASE (15 * QMS_SECOND)

struct qms_seats {
    struct qms_seats_total *totals; /* shared; NULL: this worker counts alone */
    struct qms_words words;
    unsigned place; /* in totals; QMS_SEATS_WORKERS: none */
    uint64_t owner;
    struct qms_map *by_address; /* this worker's: -> struct held */
    uint64_t here;              /* connections of this worker */
    uint64_t evicted;
};

/** Over shared memory that is zero or used by others already; NULL: alone.  QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_seats_init(struct qms_seats *s, void *memory, size_t size,
                                      qms_time now);
/** Frees its seats.  Takes zeroed memory. */
void qms_seats_fini(struct qms_seats *s);
/** The same connections over other memory: a reload has changed it. */
void qms_seats_move(struct qms_seats *s, void *memory, size_t size, qms_time now);
/** About once a second. */
void qms_seats_renew(struct qms_seats *s, qms_time now);

enum qms_seat { QMS_SEAT_GIVEN, QMS_SEAT_ADDRESS_FULL, QMS_SEAT_ALL_FULL, QMS_SEAT_NO_MEMORY };
/** One more connection of an address; limits of 0 are none.  `force`: also where they say no
 * (what they said is returned all the same). */
enum qms_seat qms_seats_take(struct qms_seats *s, struct qms_bytes address,
                             uint64_t max_address, uint64_t max_all, bool force, qms_time now);
/** One less; balances a take that gave or was forced. */
void qms_seats_give(struct qms_seats *s, struct qms_bytes address, qms_time now);
/** Connections in all workers. */
uint64_t qms_seats_all(const struct qms_seats *s, qms_time now);

#endif
