/* SPDX-License-Identifier: MIT */
/* Reading the rings, giving ranges back, and what happens once a turn. */
#include <unistd.h>

#include "base/mem.h"
#include "core/shared/mesh_i.h"

/* Messages of one worker that are read before the others have their turn. */
#define READ_MAX QMS_RING_ENTRIES

static void wake(const struct qms_mesh_peer *p)
{
    (void)!write(p->bell, &(uint64_t){1}, sizeof(uint64_t));
}

/* ---- ranges ---- */

static void flush_back(struct qms_mesh_peer *p)
{
    if (p->back.chunk != QMS_RING_NONE) {
        struct qms_ring_entry e = {
            .type = QMS_MESH_RETURN, .chunk = p->back.chunk, .len = p->back.count};
        p->back.chunk = QMS_RING_NONE;
        (void)qms_mesh_push(p, &e);
    }
}

static void give_back(struct qms_mesh_peer *p, uint32_t chunk, uint32_t count)
{
    if (p->mesh == NULL || p->broken) {
        return;
    }
    if (p->back.chunk != chunk) {
        flush_back(p);
        p->back.chunk = chunk;
        p->back.count = 0;
    }
    p->back.count += count;
}

static bool chunk_of(const struct qms_mesh_peer *p, const struct qms_ring_entry *e,
                     struct qms_bytes *chunk)
{
    struct qms_payload_range r = {e->chunk, e->off, e->len};

    return p != NULL && e->chunk != QMS_RING_NONE &&
           qms_payload_view_chunk(p->view, &r, chunk) == QMS_OK;
}

struct qms_bytes qms_mesh_bytes(struct qms_mesh *m, unsigned slot,
                                const struct qms_ring_entry *e)
{
    struct qms_bytes chunk;

    return chunk_of(m->peers[slot], e, &chunk) ? (struct qms_bytes){chunk.data + e->off, e->len}
                                               : (struct qms_bytes){0};
}

struct borrowed {
    struct qms_mesh_peer *peer;
    uint32_t chunk, count;
    struct qms_blob *blob;
};

static void on_release(void *arg)
{
    struct borrowed *b = arg;

    give_back(b->peer, b->chunk, b->count);
    qms_mesh_peer_unref(b->peer);
    qms_free(b);
}

static struct qms_blob *borrow_new(struct qms_mesh_peer *p, uint32_t chunk,
                                   struct qms_bytes bytes)
{
    struct borrowed *b = qms_calloc(1, sizeof(*b));

    if (b == NULL || (b->blob = qms_blob_wrap(bytes, on_release, b)) == NULL) {
        qms_free(b);
        return NULL;
    }
    b->peer = p;
    b->chunk = chunk;
    b->count = 0;
    p->refs++;
    return b->blob;
}

struct qms_blob *qms_mesh_borrow(struct qms_mesh *m, unsigned slot,
                                 const struct qms_ring_entry *e, struct qms_blob **cache)
{
    struct qms_mesh_peer *p = m->peers[slot];
    struct qms_bytes chunk;

    if (!chunk_of(p, e, &chunk)) {
        return NULL;
    }
    if (*cache == NULL || (*cache)->data != chunk.data) {
        struct qms_blob *fresh = borrow_new(p, e->chunk, chunk);
        if (fresh == NULL) {
            return NULL;
        }
        qms_blob_unref(*cache);
        *cache = fresh;
    }
    ((struct borrowed *)(*cache)->arg)->count++;
    m->borrowed = true;
    return qms_blob_ref(*cache);
}

/* ---- reading ---- */

static void deliver(struct qms_mesh *m, struct qms_mesh_peer *p, const struct qms_ring_entry *e)
{
    struct qms_bytes chunk;

    if (e->type == QMS_MESH_RETURN) {
        if (qms_payload_return(m->payload, e->chunk, e->len, p->slot) != QMS_OK) {
            qms_mesh_break(p, "it returned what it was not lent");
        }
        return;
    }
    if (e->chunk != QMS_RING_NONE && !chunk_of(p, e, &chunk)) {
        qms_mesh_break(p, "a range is outside its arena");
        return;
    }
    m->borrowed = false;
    p->refs++; /* the event may lose it */
    if (m->events != NULL) {
        m->events->on_message(m->arg, p->slot, e);
    }
    if (e->chunk != QMS_RING_NONE && !m->borrowed) {
        give_back(p, e->chunk, 1);
    }
    qms_mesh_peer_unref(p);
}

/* True: there may be more. */
static bool read_peer(struct qms_mesh *m, unsigned slot)
{
    struct qms_mesh_peer *p;
    struct qms_ring_entry e;
    qms_err err = QMS_OK;
    unsigned n = 0;

    while ((p = m->peers[slot]) != NULL && !p->broken && n++ < READ_MAX &&
           (err = qms_ring_get(&p->in, &e)) == QMS_OK) {
        deliver(m, p, &e);
    }
    if (p == NULL || p->broken) {
        return false;
    }
    if (err == QMS_E_PROTOCOL) {
        qms_mesh_break(p, "its ring makes no sense");
        return false;
    }
    if (qms_ring_room_awaited(&p->in)) {
        wake(p);
    }
    if (err == QMS_E_AGAIN && qms_ring_closed(p->in.shared)) {
        p->broken = true; /* that side gave this one up, or has left in good order */
        return false;
    }
    return err == QMS_OK || !qms_ring_sleep(&p->in);
}

bool qms_mesh_read(struct qms_mesh *m)
{
    uint64_t count;
    bool more = false;

    (void)!read(m->bell, &count, sizeof(count));
    for (unsigned i = 0; i < QMS_SLOTS_MAX; i++) {
        more = (m->peers[i] != NULL && read_peer(m, i)) || more;
    }
    return more;
}

/* ---- the end of a turn ---- */

static void drain_queue(struct qms_mesh_peer *p)
{
    while (p->queued > 0 && qms_ring_put(&p->out, &p->queue[p->queue_head]) == QMS_OK) {
        p->queue_head = (p->queue_head + 1) % p->queue_cap;
        p->queued--;
        p->put = true;
    }
    if (p->queued == 0 && p->queue_cap > 0) {
        qms_free(p->queue);
        p->queue = NULL;
        p->queue_cap = p->queue_head = 0;
    }
}

static void flush_peer(struct qms_mesh_peer *p)
{
    flush_back(p);
    do {
        drain_queue(p);
    } while (p->queued > 0 && !qms_ring_await_room(&p->out));
    if (p->put && qms_ring_must_wake(&p->out)) {
        wake(p);
    }
    p->put = false;
}

/* A worker at rest holds no memory. */
static void rest(struct qms_mesh *m)
{
    if (!m->scratch_used) {
        qms_blob_unref(m->scratch);
        m->scratch = NULL;
    }
    m->scratch_used = false;
}

bool qms_mesh_flush(struct qms_mesh *m)
{
    bool lost = false;

    for (unsigned i = 0; i < QMS_SLOTS_MAX; i++) {
        struct qms_mesh_peer *p = m->peers[i];
        if (p != NULL && !p->broken) {
            flush_peer(p);
        }
        if (p != NULL && p->broken) {
            qms_mesh_lose(m, i, false);
            lost = true;
        }
    }
    rest(m);
    return lost;
}
