/* SPDX-License-Identifier: MIT */
/* Presence: who is told which agents come and go, on all workers, since each has the whole
 * directory.
 *
 * A watch begins with everyone who is there: it walks through the directory as far as it is
 * read and a turn's share allows, so that it costs no memory.  What changes behind it waits by
 * name, and only what holds when it is sent is told; so an agent that comes and goes ten times
 * while its watcher reads slowly is told once, and what waits is bounded by the names that
 * there are. */
#ifndef QMS_CORE_BROKER_PRESENCE_H
#define QMS_CORE_BROKER_PRESENCE_H

#include "core/broker/broker_state.h"

/* Names that may wait for one watch; a watcher with more is closed with SLOW_CONSUMER. */
#define QMS_PRESENCE_WAITING_MAX 65536

/** A new watch of a peer, told by `req`; the snapshot is sent from the next turn on.
 * QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_presence_watch(struct qms_peer *p, uint64_t req,
                                          struct qms_bytes prefix);
/** Whether there was one. */
bool qms_presence_unwatch(struct qms_peer *p, uint64_t req);
/** Whether all watches of a peer would be let begin now. */
bool qms_presence_allowed(struct qms_peer *p);
/** Ends all watches of a peer. */
void qms_presence_leave(struct qms_peer *p);

/** An id came to the directory, or went; `number`: as qms_directory_observe tells. */
void qms_presence_changed(struct qms_broker *b, struct qms_bytes id, uint64_t number);
/** Sends what waits, as far as it is read. */
void qms_presence_turn(struct qms_broker *b);
/** Whether a turn has something to do at once. */
bool qms_presence_due(const struct qms_broker *b);

#endif
