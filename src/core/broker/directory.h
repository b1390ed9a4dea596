/* SPDX-License-Identifier: MIT */
/* Which agent id is connected where.
 *
 * An entry is one claim of an id: by a worker of this machine, at an epoch.  Each worker has a
 * replica.  Epochs are instants of the machine's monotonic clock, so that replicas which hear
 * of two claims in any order keep the same one: the newest, and of two at one instant that of
 * the higher slot.
 */
#ifndef QMS_CORE_BROKER_DIRECTORY_H
#define QMS_CORE_BROKER_DIRECTORY_H

#include <quicms/module.h>

struct qms_directory;

struct qms_directory_entry {
    uint64_t epoch;
    uint16_t worker;       /* slot of the worker that has the connection */
    struct qms_peer *peer; /* the connection; NULL when it is another worker's */
};

/** `seed`: 16 random bytes.  NULL: out of memory. */
struct qms_directory *qms_directory_new(const uint8_t seed[16]);
void qms_directory_free(struct qms_directory *d); /* takes NULL */

/** Claims `id`.  `*replaced` is the claim that this one supersedes (epoch 0: there was none).
 * QMS_E_EXISTS: there is one with a newer epoch; QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_directory_join(struct qms_directory *d, struct qms_bytes id,
                                          const struct qms_directory_entry *entry,
                                          struct qms_directory_entry *replaced);
/** Withdraws the claim of that epoch; a newer one stays.  Whether it was there. */
bool qms_directory_leave(struct qms_directory *d, struct qms_bytes id, uint64_t epoch);
/** Withdraws all claims of a worker.  How many there were. */
size_t qms_directory_purge(struct qms_directory *d, uint16_t worker);
/** The newest claim, lent until the directory changes; NULL: nobody. */
const struct qms_directory_entry *qms_directory_find(const struct qms_directory *d,
                                                     struct qms_bytes id);
/** Calls `changed` whenever an id that nobody had is claimed, and when nobody has it any more;
 * not when a newer claim takes the place of an older one.  `number`: its place among all ids in
 * the order in which they came.  It must not change the directory. */
void qms_directory_observe(struct qms_directory *d,
                           void (*changed)(void *arg, struct qms_bytes id, uint64_t number),
                           void *arg);
/** Calls `each` for every id that is claimed; it must not change the directory. */
void qms_directory_each(const struct qms_directory *d,
                        void (*each)(void *arg, struct qms_bytes id), void *arg);
size_t qms_directory_count(const struct qms_directory *d);

/** The id that came next after the one of that number (0: after nobody), lent until the
 * directory changes; `*number` is its own.  False: none did.  So a walk over all ids that goes
 * on from the number it has come to may take as long as it likes: it meets what comes meanwhile
 * at its end, and costs no memory. */
bool qms_directory_after(const struct qms_directory *d, uint64_t after, struct qms_bytes *id,
                         uint64_t *number);

#endif
