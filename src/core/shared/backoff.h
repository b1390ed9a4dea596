/* SPDX-License-Identifier: MIT */
/* Addresses whose credentials fail: after some failures each further one doubles the time for
 * which nothing of that address is looked at any more.
 *
 * One word of shared memory (base/words.h) an address, so all workers know it, and how many
 * there are is bounded; when the table is full the address whose failures are forgotten first
 * makes room. */
#ifndef QMS_CORE_SHARED_BACKOFF_H
#define QMS_CORE_SHARED_BACKOFF_H

#include <quicms/types.h>

/* Of the zone, bytes. */
#define QMS_BACKOFF_ZONE      "auth_backoff"
#define QMS_BACKOFF_ZONE_SIZE ((size_t)1 << 20)
/* Failures that free_failures may be at most. */
#define QMS_BACKOFF_FREE_MAX 200

struct qms_backoff_rule {
    uint64_t free_failures; /* that cost nothing; 0: there is no back-off */
    uint64_t max_for;       /* longest wait, ns */
};

/** The instant before which nothing of this address (struct sockaddr; IPv6: its /64) is looked
 * at; 0: it may try.  Memory of NULL: no back-off. */
qms_time qms_backoff_until(void *memory, size_t size, const struct qms_backoff_rule *rule,
                           const void *address, qms_time now);
/** A credential of it has failed. */
void qms_backoff_note(void *memory, size_t size, const struct qms_backoff_rule *rule,
                      const void *address, qms_time now);

#endif
