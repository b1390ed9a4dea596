/* SPDX-License-Identifier: MIT */
/* The life of the mesh and of its peers; sending.  A peer is one life of the worker in a slot:
 * blobs borrowed from it keep it (and the mapping of its arena) after it is lost. */
#include "core/shared/mesh.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/shared/mesh_i.h"

/* Messages that wait for room in one ring; a worker that leaves so many unread is given up. */
#define WAITING_MAX (1u << 20)

struct qms_mesh *qms_mesh_new(unsigned slot, uint32_t generation, struct qms_payload *payload,
                              int bell)
{
    struct qms_mesh *m = qms_calloc(1, sizeof(*m));

    if (m != NULL) {
        m->slot = slot;
        m->generation = generation;
        m->payload = payload;
        m->bell = bell;
    }
    return m;
}

void qms_mesh_free(struct qms_mesh *m)
{
    if (m == NULL) {
        return;
    }
    m->events = NULL;
    for (unsigned i = 0; i < QMS_SLOTS_MAX; i++) {
        qms_mesh_lose(m, i, true);
    }
    qms_blob_unref(m->scratch);
    qms_payload_free(m->payload);
    qms_free(m);
}

void qms_mesh_set_events(struct qms_mesh *m, const struct qms_mesh_events *events, void *arg)
{
    m->events = events;
    m->arg = arg;
}

unsigned qms_mesh_slot(const struct qms_mesh *m)
{
    return m->slot;
}

/* ---- peers ---- */

size_t qms_mesh_pair_size(void)
{
    return 2 * qms_ring_size();
}

void qms_mesh_peer_unref(struct qms_mesh_peer *p)
{
    if (--p->refs == 0) {
        qms_payload_view_unref(p->view);
        qms_free(p);
    }
}

static void *map_pair(int fd)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &st) != 0 ||
        st.st_size != (off_t)qms_mesh_pair_size()) {
        return NULL;
    }
    void *at = mmap(NULL, qms_mesh_pair_size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

static qms_err peer_fill(struct qms_mesh *m, struct qms_mesh_peer *p, int pair, int view)
{
    p->pair = map_pair(pair);
    p->view = qms_payload_view_new(view);
    if (p->pair == NULL || p->view == NULL) {
        return QMS_E_IO;
    }
    struct qms_ring_shared *first = (void *)p->pair;
    struct qms_ring_shared *second = (void *)(p->pair + qms_ring_size());
    p->out.shared = m->slot < p->slot ? first : second;
    p->in.shared = m->slot < p->slot ? second : first;
    return QMS_OK;
}

qms_err qms_mesh_connect(struct qms_mesh *m, unsigned slot, uint32_t generation, int pair,
                         int view, int bell)
{
    if (slot >= QMS_SLOTS_MAX || slot == m->slot) {
        return QMS_E_INVALID;
    }
    qms_mesh_lose(m, slot, false);
    m->taken[slot] = true;
    struct qms_mesh_peer *p = qms_calloc(1, sizeof(*p));
    if (p == NULL) {
        return QMS_E_NOMEM;
    }
    p->mesh = m;
    p->slot = slot;
    p->generation = generation;
    p->refs = 1;
    p->back.chunk = QMS_RING_NONE;
    if (peer_fill(m, p, pair, view) != QMS_OK) {
        if (p->pair != NULL) {
            (void)munmap(p->pair, qms_mesh_pair_size());
        }
        qms_mesh_peer_unref(p);
        return QMS_E_IO;
    }
    p->bell = bell;
    m->peers[slot] = p;
    if (m->events != NULL) {
        m->events->on_up(m->arg, slot);
    }
    return QMS_OK;
}

void qms_mesh_lose(struct qms_mesh *m, unsigned slot, bool for_good)
{
    struct qms_mesh_peer *p = slot < QMS_SLOTS_MAX ? m->peers[slot] : NULL;

    if (slot < QMS_SLOTS_MAX && for_good) {
        m->taken[slot] = false;
    }
    if (p == NULL) {
        return;
    }
    m->peers[slot] = NULL;
    p->mesh = NULL;
    qms_ring_close(p->out.shared);
    qms_ring_close(p->in.shared);
    (void)!write(p->bell, &(uint64_t){1}, sizeof(uint64_t));
    close(p->bell);
    (void)munmap(p->pair, qms_mesh_pair_size());
    qms_payload_forget(m->payload, slot);
    qms_free(p->queue);
    if (m->events != NULL) {
        m->events->on_lost(m->arg, slot);
    }
    qms_mesh_peer_unref(p);
}

bool qms_mesh_is_up(const struct qms_mesh *m, unsigned slot)
{
    return slot < QMS_SLOTS_MAX && m->peers[slot] != NULL && !m->peers[slot]->broken;
}

bool qms_mesh_is_vacant(const struct qms_mesh *m, unsigned slot)
{
    return slot >= QMS_SLOTS_MAX || (!m->taken[slot] && slot != m->slot);
}

uint32_t qms_mesh_generation(const struct qms_mesh *m, unsigned slot)
{
    return qms_mesh_is_up(m, slot) ? m->peers[slot]->generation : 0;
}

uint32_t qms_mesh_own_generation(const struct qms_mesh *m)
{
    return m->generation;
}

size_t qms_mesh_newest(const struct qms_mesh *m, uint8_t *slots)
{
    uint32_t newest = m->generation;
    size_t count = 0;

    for (unsigned i = 0; i < QMS_SLOTS_MAX; i++) {
        uint32_t g = qms_mesh_generation(m, i);
        if (g > newest) {
            newest = g;
            count = 0;
        }
        if (g == newest && g > m->generation) {
            slots[count++] = (uint8_t)i;
        }
    }
    return count;
}

size_t qms_mesh_waiting(const struct qms_mesh *m, unsigned slot)
{
    return qms_mesh_is_up(m, slot) ? m->peers[slot]->queued : 0;
}

/* ---- sending ---- */

void qms_mesh_break(struct qms_mesh_peer *p, const char *why)
{
    if (!p->broken) {
        qms_log(QMS_LOG_ERROR, "worker given up slot=%u reason=\"%s\"", p->slot, why);
        p->broken = true;
    }
}

void qms_mesh_give_up(struct qms_mesh *m, unsigned slot, const char *why)
{
    if (slot < QMS_SLOTS_MAX && m->peers[slot] != NULL) {
        qms_mesh_break(m->peers[slot], why);
    }
}

static qms_err queue_grow(struct qms_mesh_peer *p)
{
    uint32_t cap = p->queue_cap > 0 ? 2 * p->queue_cap : 256;
    struct qms_ring_entry *grown =
        cap <= WAITING_MAX ? qms_realloc(NULL, cap * sizeof(*grown)) : NULL;

    if (grown == NULL) {
        return QMS_E_NOMEM;
    }
    for (uint32_t i = 0; i < p->queued; i++) {
        grown[i] = p->queue[(p->queue_head + i) % p->queue_cap];
    }
    qms_free(p->queue);
    p->queue = grown;
    p->queue_cap = cap;
    p->queue_head = 0;
    return QMS_OK;
}

/* Data that goes on where the last message ends is added to it, so that small pieces do not
 * fill the queue. */
static bool extend_last(struct qms_mesh_peer *p, const struct qms_ring_entry *e)
{
    if (p->queued == 0 || e->type != QMS_MESH_DATA) {
        return false;
    }
    struct qms_ring_entry *last = &p->queue[(p->queue_head + p->queued - 1) % p->queue_cap];
    if (last->type != QMS_MESH_DATA || last->id != e->id || last->a != e->a ||
        last->chunk != e->chunk || last->off + last->len != e->off) {
        return false;
    }
    last->len += e->len;
    return qms_payload_return(p->mesh->payload, e->chunk, 1, p->slot) == QMS_OK;
}

static qms_err enqueue(struct qms_mesh_peer *p, const struct qms_ring_entry *e)
{
    if (extend_last(p, e)) {
        return QMS_OK;
    }
    if (p->queued == p->queue_cap && queue_grow(p) != QMS_OK) {
        qms_mesh_break(p, "its ring is not read");
        return QMS_E_NOMEM;
    }
    p->queue[(p->queue_head + p->queued++) % p->queue_cap] = *e;
    return QMS_OK;
}

qms_err qms_mesh_push(struct qms_mesh_peer *p, const struct qms_ring_entry *e)
{
    p->put = true;
    if (p->queued > 0) {
        return enqueue(p, e);
    }
    switch (qms_ring_put(&p->out, e)) {
    case QMS_OK:
        return QMS_OK;
    case QMS_E_AGAIN:
        return enqueue(p, e);
    default:
        qms_mesh_break(p, "its ring makes no sense");
        return QMS_E_CLOSED;
    }
}

qms_err qms_mesh_send(struct qms_mesh *m, unsigned slot, struct qms_ring_entry e)
{
    if (!qms_mesh_is_up(m, slot)) {
        return QMS_E_CLOSED;
    }
    e.chunk = QMS_RING_NONE;
    e.off = e.len = 0;
    return qms_mesh_push(m->peers[slot], &e);
}

static qms_err send_range(struct qms_mesh *m, unsigned slot, struct qms_ring_entry e,
                          struct qms_blob *blob, size_t off, size_t len)
{
    struct qms_payload_range r = qms_payload_lend(m->payload, blob, off, len, slot);

    e.chunk = r.chunk;
    e.off = r.off;
    e.len = r.len;
    qms_err err = qms_mesh_push(m->peers[slot], &e);
    if (err != QMS_OK) {
        (void)!qms_payload_return(m->payload, r.chunk, 1, slot);
    }
    return err;
}

/* Short runs of bytes share a chunk. */
static struct qms_blob *scratch(struct qms_mesh *m, size_t len)
{
    if (m->scratch != NULL && m->scratch->cap - m->scratch->len < len) {
        qms_blob_unref(m->scratch);
        m->scratch = NULL;
    }
    if (m->scratch == NULL) {
        m->scratch = qms_payload_blob(m->payload, len > QMS_BLOB_CHUNK ? len : QMS_BLOB_CHUNK);
    }
    m->scratch_used = true;
    return m->scratch;
}

qms_err qms_mesh_send_parts(struct qms_mesh *m, unsigned slot, struct qms_ring_entry e,
                            const struct qms_bytes *parts, size_t count)
{
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    if (!qms_mesh_is_up(m, slot)) {
        return QMS_E_CLOSED;
    }
    struct qms_blob *blob = scratch(m, len);
    if (blob == NULL) {
        return QMS_E_NOMEM;
    }
    size_t off = blob->len;
    for (size_t i = 0; i < count; i++) {
        (void)qms_blob_append(blob, parts[i]);
    }
    return send_range(m, slot, e, blob, off, len);
}

qms_err qms_mesh_send_bytes(struct qms_mesh *m, unsigned slot, struct qms_ring_entry e,
                            struct qms_bytes bytes)
{
    return qms_mesh_send_parts(m, slot, e, &bytes, 1);
}

qms_err qms_mesh_send_blob(struct qms_mesh *m, unsigned slot, struct qms_ring_entry e,
                           struct qms_blob *blob, size_t off, size_t len)
{
    if (!qms_payload_owns(m->payload, blob)) {
        return qms_mesh_send_bytes(m, slot, e, (struct qms_bytes){blob->data + off, len});
    }
    return qms_mesh_is_up(m, slot) ? send_range(m, slot, e, blob, off, len) : QMS_E_CLOSED;
}

struct qms_blob *qms_mesh_blob(struct qms_mesh *m, size_t cap)
{
    return qms_payload_blob(m->payload, cap);
}
