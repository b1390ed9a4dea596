/* SPDX-License-Identifier: MIT */
/* A ring of short messages from one process to another, in memory that both have mapped.
 *
 * One writer, one reader, no locks.  Each side keeps its own index in private memory and only
 * publishes it, so what the other side writes into the shared part can delay messages or
 * garble them but never lead out of the ring.  Neither side sleeps here: two flags tell who
 * wants to be woken, and the caller wakes it (by an eventfd), once for many messages.
 */
#ifndef QMS_CORE_SHARED_RING_H
#define QMS_CORE_SHARED_RING_H

#include <quicms/types.h>

#define QMS_RING_ENTRIES 2048 /* a power of two */
#define QMS_RING_NONE    UINT32_MAX

/* One message.  What its fields mean is the mesh's (mesh.h); a range of the sender's payload
 * memory may travel with it. */
struct qms_ring_entry {
    uint8_t type, code, a, b;
    uint32_t id;
    uint32_t chunk, off, len; /* chunk QMS_RING_NONE: no range */
    uint32_t spare;
    uint64_t value;
};

struct qms_ring_shared; /* zeroed memory is an empty ring */

struct qms_ring_writer {
    struct qms_ring_shared *shared;
    uint32_t head, tail; /* tail: as last seen */
};
struct qms_ring_reader {
    struct qms_ring_shared *shared;
    uint32_t tail;
};

/** Bytes of shared memory, a multiple of the cache line; the place must be aligned to it. */
size_t qms_ring_size(void);

/** QMS_E_AGAIN: full; QMS_E_PROTOCOL: the reader's index is impossible. */
QMS_MUST_CHECK qms_err qms_ring_put(struct qms_ring_writer *w, const struct qms_ring_entry *e);
/** Whether the reader sleeps and must be woken for what was put; asks once a sleep. */
bool qms_ring_must_wake(struct qms_ring_writer *w);
/** After QMS_E_AGAIN: asks the reader to wake this side.  False: there is room already. */
bool qms_ring_await_room(struct qms_ring_writer *w);

/** QMS_E_AGAIN: empty; QMS_E_PROTOCOL: the writer's index is impossible. */
QMS_MUST_CHECK qms_err qms_ring_get(struct qms_ring_reader *r, struct qms_ring_entry *e);
/** The reader is about to wait.  False: something has come meanwhile, read on. */
bool qms_ring_sleep(struct qms_ring_reader *r);
/** Whether the writer waits for room that there is now; asks once a wait. */
bool qms_ring_room_awaited(struct qms_ring_reader *r);

/** Either side gives the ring up for good; the other sees it. */
void qms_ring_close(struct qms_ring_shared *shared);
bool qms_ring_closed(const struct qms_ring_shared *shared);

#endif
