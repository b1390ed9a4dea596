/* SPDX-License-Identifier: MIT */
/* The kind of channel whose other leg is in another worker: each operation is a message of the
 * mesh, bytes are ranges of the sender's arena.
 *
 * The opener numbers the route; each side tells the other exactly once that it has detached,
 * and the number is free when both have.  Until the acceptor's worker has taken the route the
 * opener's side keeps what it sent, so that a directory entry that was stale costs the agent
 * nothing: the route is tried once more where the agent is now.
 */
#ifndef QMS_CORE_BROKER_CHANNEL_REMOTE_H
#define QMS_CORE_BROKER_CHANNEL_REMOTE_H

#include "core/broker/channel.h"
#include "core/shared/mesh.h"

struct qms_remotes; /* all remote channels of a worker */

struct qms_remotes_events {
    /** A worker wants to open a route here.  Answer by qms_remotes_accept, _refuse or _stale.
     * The header was copied; it is lent for the call. */
    void (*on_open)(void *arg, unsigned slot, uint32_t id, bool bidi, struct qms_bytes header);
};

/** The mesh stays the caller's.  NULL: out of memory. */
struct qms_remotes *qms_remotes_new(struct qms_mesh *mesh,
                                    const struct qms_remotes_events *events, void *arg);
/** Every leg must have detached. */
void qms_remotes_free(struct qms_remotes *rs); /* takes NULL */

/** Opens a route to an agent of another worker: `*out` is the opener's end at once.  Payload
 * bytes that come back are added to `*received`, while the channel is attached.  QMS_E_CLOSED:
 * no such worker; QMS_E_LIMIT: too many routes to it; QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_remotes_open(struct qms_remotes *rs, unsigned slot, bool bidi,
                                        struct qms_bytes header,
                                        const struct qms_channel_sink *sink, void *leg,
                                        uint64_t *received, struct qms_channel **out);
/** The acceptor's end of a route that asked.  QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_remotes_accept(struct qms_remotes *rs, unsigned slot, uint32_t id,
                                          const struct qms_channel_sink *sink, void *leg,
                                          uint64_t *received, struct qms_channel **out);
void qms_remotes_refuse(struct qms_remotes *rs, unsigned slot, uint32_t id,
                        const struct qms_result *r);
void qms_remotes_stale(struct qms_remotes *rs, unsigned slot, uint32_t id);

/** A message of the mesh that is about a route. */
void qms_remotes_message(struct qms_remotes *rs, unsigned slot, const struct qms_ring_entry *m);
/** A worker is gone: routes that led there end with WORKER_LOST. */
void qms_remotes_lost(struct qms_remotes *rs, unsigned slot);
/** Sends the credit that the turn has gathered. */
void qms_remotes_flush(struct qms_remotes *rs);
/** Routes between this worker and others that are not over (tests). */
size_t qms_remotes_count(const struct qms_remotes *rs);

#endif
