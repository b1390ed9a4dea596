/* SPDX-License-Identifier: MIT */
/* The mesh: messages between the workers of one broker.
 *
 * Each pair of workers has a ring each way (ring.h); bytes travel as ranges of the sender's
 * arena (payload.h).  Messages between two workers arrive in order.  A ring that is full never
 * stops its writer: what finds no room waits in a queue of this side, and the layers above
 * bound what they send by credit.  Everything is delivered in qms_mesh_read, everything is
 * pushed out by qms_mesh_flush at the end of the loop's turn; no operation calls an event.
 */
#ifndef QMS_CORE_SHARED_MESH_H
#define QMS_CORE_SHARED_MESH_H

#include "core/shared/payload.h"
#include "core/shared/ring.h"

struct qms_mesh;

/** Of what workers say to each other.  To be raised with every change of it, of the rings or of
 * the arena: workers of binaries that differ in it do not speak to each other. */
#define QMS_MESH_VERSION 1

enum qms_mesh_type {
    QMS_MESH_RETURN = 1, /* chunk, len: ranges given back; the mesh's own */
    /* One route (channel_remote.c): `id` is the opener's number, `a` 1 when the opener's side
     * sends. */
    QMS_MESH_OPEN,     /* range: ROUTE header; b: 1 bidirectional */
    QMS_MESH_OPENED,   /* the acceptor has its stream */
    QMS_MESH_STALE,    /* the agent is not here */
    QMS_MESH_DATA,     /* range */
    QMS_MESH_FIN,      /* */
    QMS_MESH_RESET,    /* code */
    QMS_MESH_STOP,     /* code */
    QMS_MESH_CREDIT,   /* value: bytes */
    QMS_MESH_RESULT,   /* range: RESULT */
    QMS_MESH_PRIORITY, /* b: mask, code: forward, value: reverse */
    QMS_MESH_DETACH,   /* code; nothing follows from this side */
    /* The directory (directory_sync.c). */
    QMS_MESH_JOIN,     /* range: id; value: epoch */
    QMS_MESH_LEAVE,    /* range: id; value: epoch */
    QMS_MESH_SNAPSHOT, /* every claim of this worker has been told */
    QMS_MESH_DATAGRAM, /* range: names and payload (router_datagram.c) */
    QMS_MESH_PACKET,   /* range: addresses and UDP payload (the carrier's) */
    QMS_MESH_ASK,      /* id; code: enum qms_rows_kind, value: limit, range: agent (lists.c) */
    QMS_MESH_TELL,     /* id; range: a part of the answer; a: 1 more follows */
    QMS_MESH_SKIPPED,  /* of a route; value: messages of a topic that were left out */
    /* Groups and topics (rooms_sync.c). */
    QMS_MESH_MEMBER,  /* range: membership; value: epoch of the agent's claim */
    QMS_MESH_UNMEMBER /* the same range */
};

struct qms_mesh_events {
    /** A worker can be sent to. */
    void (*on_up)(void *arg, unsigned slot);
    /** It is gone: nothing more comes from it, what was sent may not have arrived. */
    void (*on_lost)(void *arg, unsigned slot);
    /** The range of `m` is lent for the call (qms_mesh_bytes), unless it is borrowed. */
    void (*on_message)(void *arg, unsigned slot, const struct qms_ring_entry *m);
};

/** `payload` becomes the mesh's.  `bell`: this worker's eventfd, which stays the caller's.
 * NULL: out of memory. */
struct qms_mesh *qms_mesh_new(unsigned slot, uint32_t generation, struct qms_payload *payload,
                              int bell);
void qms_mesh_free(struct qms_mesh *m); /* takes NULL */
void qms_mesh_set_events(struct qms_mesh *m, const struct qms_mesh_events *events, void *arg);
unsigned qms_mesh_slot(const struct qms_mesh *m);

/** Bytes of the file that two workers share: the ring of the lower slot comes first. */
size_t qms_mesh_pair_size(void);
/** A worker of that generation has come: maps what is shared with it.  `pair` is sealed and
 * zeroed when fresh, `view` its arena, `bell` its eventfd (kept; the others stay the caller's).
 * The one that was in its slot is lost first.  QMS_E_INVALID, QMS_E_IO, QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_mesh_connect(struct qms_mesh *m, unsigned slot, uint32_t generation,
                                        int pair, int view, int bell);
/** `for_good`: the slot stays vacant; else a successor is on its way. */
void qms_mesh_lose(struct qms_mesh *m, unsigned slot, bool for_good);
/** The same at the end of the turn; nothing is sent to it until then. */
void qms_mesh_give_up(struct qms_mesh *m, unsigned slot, const char *why);
bool qms_mesh_is_up(const struct qms_mesh *m, unsigned slot);
/** Whether nobody has the slot and nobody is on the way to it. */
bool qms_mesh_is_vacant(const struct qms_mesh *m, unsigned slot);
/** The generation of the worker in a slot; 0: none is up. */
uint32_t qms_mesh_generation(const struct qms_mesh *m, unsigned slot);
uint32_t qms_mesh_own_generation(const struct qms_mesh *m);
/** The slots (room for QMS_SLOTS_MAX) of the newest generation after this worker's, in order;
 * returns how many. */
size_t qms_mesh_newest(const struct qms_mesh *m, uint8_t *slots);
/** Messages that wait for room in the ring to that worker. */
size_t qms_mesh_waiting(const struct qms_mesh *m, unsigned slot);

/** Sends a message without a range; its chunk is set.  QMS_E_CLOSED: no such worker;
 * QMS_E_NOMEM. */
qms_err qms_mesh_send(struct qms_mesh *m, unsigned slot, struct qms_ring_entry e);
/** With a copy of `bytes` (at most QMS_PAYLOAD_WIDE).  Errors as above. */
qms_err qms_mesh_send_bytes(struct qms_mesh *m, unsigned slot, struct qms_ring_entry e,
                            struct qms_bytes bytes);
/** With a copy of several runs of bytes, one behind the other. */
qms_err qms_mesh_send_parts(struct qms_mesh *m, unsigned slot, struct qms_ring_entry e,
                            const struct qms_bytes *parts, size_t count);
/** With a range of a blob: lent if it is one of this arena (qms_mesh_blob), else copied. */
qms_err qms_mesh_send_blob(struct qms_mesh *m, unsigned slot, struct qms_ring_entry e,
                           struct qms_blob *blob, size_t off, size_t len);
/** A blob that can be lent.  NULL: the arena is full. */
struct qms_blob *qms_mesh_blob(struct qms_mesh *m, size_t cap);

/** The range of the message under way; empty when it has none.  Its bytes may change. */
struct qms_bytes qms_mesh_bytes(struct qms_mesh *m, unsigned slot,
                                const struct qms_ring_entry *e);
/** Keeps the range of the message under way: a blob over its whole chunk, with a reference for
 * the caller.  `*cache` is the caller's, NULL at first: ranges of one chunk share a blob
 * through it, so the chunk goes back when the cache has let go too.  NULL: out of memory. */
struct qms_blob *qms_mesh_borrow(struct qms_mesh *m, unsigned slot,
                                 const struct qms_ring_entry *e, struct qms_blob **cache);

/** Delivers what has come, a bounded share.  True: there is more. */
bool qms_mesh_read(struct qms_mesh *m);
/** Pushes out what waits and wakes the workers that have something to read.  Whether a worker
 * was lost meanwhile. */
bool qms_mesh_flush(struct qms_mesh *m);

#endif
