/* SPDX-License-Identifier: MIT */
/* Inside of the remote channels: shared by channel_remote.c (what a leg does) and
 * channel_remote_in.c (what the mesh brings). */
#ifndef QMS_CORE_BROKER_CHANNEL_REMOTE_I_H
#define QMS_CORE_BROKER_CHANNEL_REMOTE_I_H

#include "base/list.h"
#include "core/broker/channel_remote.h"
#include "core/broker/early.h"

/* What an opener did before its route was taken, to do it again. */
struct qms_remote_early {
    struct qms_blob *header;
    struct qms_early done;
};

/* This worker's end of one route. */
struct qms_remote {
    struct qms_channel ch; /* first */
    struct qms_remotes *all;
    unsigned slot;
    uint32_t id;
    bool opener;
    bool left, other_left; /* detached: this leg, the other one */
    const struct qms_channel_sink *sink;
    void *leg;
    uint64_t *received;
    struct qms_remote_early *early; /* NULL: taken, or the acceptor's end */
    struct qms_blob *cache;         /* the chunk that came last */
    uint64_t unconsumed;            /* came, and this leg's agent has not consumed it */
    uint64_t credit;                /* to be told to the other side */
    struct qms_list credited;       /* in all->credited */
};

/* By number; a NULL place is free. */
struct qms_remote_table {
    struct qms_remote **ends;
    uint32_t cap, low; /* low: no free place below */
};

struct qms_remotes {
    struct qms_mesh *mesh;
    const struct qms_remotes_events *events;
    void *arg;
    struct qms_remote_table mine[QMS_SLOTS_MAX], theirs[QMS_SLOTS_MAX]; /* by opener */
    struct qms_list credited;
    size_t count;
};

/** Sends a message of this route. */
qms_err qms_remote_say(struct qms_remote *r, struct qms_ring_entry e);
/** Forgets what was kept for another try. */
void qms_remote_settle(struct qms_remote *r);
/** Takes the end out of its table; frees it when both sides have left. */
void qms_remote_release(struct qms_remote *r);
struct qms_remote *qms_remote_find(const struct qms_remotes *rs, unsigned slot, uint32_t id,
                                   bool opener);
void qms_remote_give_credit(struct qms_remote *r, uint64_t len);

#endif
