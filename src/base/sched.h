/* SPDX-License-Identifier: MIT */
/* Whose bytes go into the next packet: a pure scheduler, without clock, memory or packets.
 *
 * 256 strict levels.  Inside a level streams take turns of a few packets.  One packet in
 * `guard` is given to whoever has waited longest, whatever its level, so that nothing starves.
 * Ahead of all that go the few vital streams, a frame each in turn.
 * Retransmissions are outside: ngtcp2 sends lost data before any new data.
 */
#ifndef QMS_BASE_SCHED_H
#define QMS_BASE_SCHED_H

#include "base/list.h"
#include "base/prioq.h"

/** Packets in a row that a stream gets before its equals have their turn. */
#define QMS_SCHED_TURN 4

/* Embedded in a stream.  Set up with qms_sched_node_init. */
struct qms_sched_node {
    struct qms_prioq_node level;
    struct qms_list waiting; /* in the order of the last packet each had */
    unsigned turn;           /* packets of the present turn */
    bool vital;              /* set before it is put in: it is in `vital` only */
};

struct qms_sched {
    struct qms_prioq levels;
    struct qms_list waiting, vital;
    unsigned guard;                /* 0: strict only */
    unsigned strict;               /* packets since the guard's last */
    bool started;                  /* the packet under way has a frame */
    struct qms_sched_node *served; /* last in the packet under way, while it is still queued */
};

void qms_sched_init(struct qms_sched *s, unsigned guard);
void qms_sched_node_init(struct qms_sched_node *n);
/** The node has something to send.  No effect when it is in already. */
void qms_sched_put(struct qms_sched *s, struct qms_sched_node *n, uint8_t priority);
/** It has nothing to send, or may not.  Harmless when it is not in. */
void qms_sched_remove(struct qms_sched *s, struct qms_sched_node *n);
/** Moves a queued node behind the others of the new level, keeping how long it waited.  No
 * effect on a vital one. */
void qms_sched_move(struct qms_sched *s, struct qms_sched_node *n, uint8_t priority);

/** Who fills the next frame of the packet under way; NULL when nobody waits. */
struct qms_sched_node *qms_sched_pick(const struct qms_sched *s);
/** A frame of `n` is in the packet under way. */
void qms_sched_served(struct qms_sched *s, struct qms_sched_node *n);
/** The packet under way is complete. */
void qms_sched_packet(struct qms_sched *s);
/** Whether somebody more urgent than `n` waits. */
bool qms_sched_passed_over(const struct qms_sched *s, const struct qms_sched_node *n);

#endif
