/* SPDX-License-Identifier: MIT */
/* Inside of the mesh: shared by mesh.c (peers, sending) and mesh_read.c (turns, reading). */
#ifndef QMS_CORE_SHARED_MESH_I_H
#define QMS_CORE_SHARED_MESH_I_H

#include "core/shared/mesh.h"

/* One life of the worker in a slot. */
struct qms_mesh_peer {
    struct qms_mesh *mesh; /* NULL: lost */
    uint32_t generation;
    unsigned slot, refs; /* refs: the mesh's and one for each borrowed blob */
    bool broken;         /* to be lost at the end of the turn */
    bool put;            /* something since the last flush */
    uint8_t *pair;
    int bell;
    struct qms_ring_writer out;
    struct qms_ring_reader in;
    struct qms_payload_view *view;
    /* What waits for room in `out`. */
    struct qms_ring_entry *queue;
    uint32_t queue_head, queued, queue_cap;
    /* Ranges of one chunk to be given back together; none: chunk QMS_RING_NONE. */
    struct {
        uint32_t chunk, count;
    } back;
};

struct qms_mesh {
    unsigned slot;
    uint32_t generation;
    bool taken[QMS_SLOTS_MAX]; /* slots that have a worker, or will have one again */
    int bell;
    struct qms_payload *payload;
    struct qms_blob *scratch; /* where short runs of bytes are copied to */
    bool scratch_used;        /* since the last flush */
    struct qms_mesh_peer *peers[QMS_SLOTS_MAX];
    const struct qms_mesh_events *events;
    void *arg;
    bool borrowed; /* the range of the message under way */
};

qms_err qms_mesh_push(struct qms_mesh_peer *p, const struct qms_ring_entry *e);
/** Gives the peer up, at the end of the turn. */
void qms_mesh_break(struct qms_mesh_peer *p, const char *why);
void qms_mesh_peer_unref(struct qms_mesh_peer *p);

#endif
