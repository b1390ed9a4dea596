/* SPDX-License-Identifier: MIT */
/* From a leg into the mesh: the operations of a remote channel, and the life of its ends. */
#include "core/broker/channel_remote.h"

#include <string.h>

#include "base/mem.h"
#include "core/broker/channel_remote_i.h"

/* Routes between two workers, each way. */
#define ROUTES_MAX (1u << 20)

/* ---- tables ---- */

static struct qms_remote_table *table_of(struct qms_remotes *rs, unsigned slot, bool opener)
{
    return opener ? &rs->mine[slot] : &rs->theirs[slot];
}

static qms_err table_reach(struct qms_remote_table *t, uint32_t id)
{
    uint32_t cap = t->cap > 0 ? t->cap : 64;

    if (id < t->cap) {
        return QMS_OK;
    }
    if (id >= ROUTES_MAX) {
        return QMS_E_LIMIT;
    }
    while (cap <= id) {
        cap *= 2;
    }
    struct qms_remote **grown = qms_realloc(t->ends, cap * sizeof(struct qms_remote *));
    if (grown == NULL) {
        return QMS_E_NOMEM;
    }
    memset(grown + t->cap, 0, (cap - t->cap) * sizeof(struct qms_remote *));
    t->ends = grown;
    t->cap = cap;
    return QMS_OK;
}

static uint32_t table_free_id(struct qms_remote_table *t)
{
    while (t->low < t->cap && t->ends[t->low] != NULL) {
        t->low++;
    }
    return t->low;
}

struct qms_remote *qms_remote_find(const struct qms_remotes *rs, unsigned slot, uint32_t id,
                                   bool opener)
{
    const struct qms_remote_table *t = opener ? &rs->mine[slot] : &rs->theirs[slot];

    return id < t->cap ? t->ends[id] : NULL;
}

/* ---- life ---- */

struct qms_remotes *qms_remotes_new(struct qms_mesh *mesh,
                                    const struct qms_remotes_events *events, void *arg)
{
    struct qms_remotes *rs = qms_calloc(1, sizeof(*rs));

    if (rs != NULL) {
        rs->mesh = mesh;
        rs->events = events;
        rs->arg = arg;
        qms_list_init(&rs->credited);
    }
    return rs;
}

static void remote_free(struct qms_remote *r)
{
    qms_remote_settle(r);
    qms_list_remove(&r->credited);
    qms_blob_unref(r->cache);
    r->all->count--;
    qms_free(r);
}

/* What is left are ends whose other side has not said that it left. */
static void table_fini(struct qms_remote_table *t)
{
    for (uint32_t i = 0; i < t->cap; i++) {
        if (t->ends[i] != NULL) {
            remote_free(t->ends[i]);
        }
    }
    qms_free(t->ends);
}

void qms_remotes_free(struct qms_remotes *rs)
{
    for (unsigned i = 0; rs != NULL && i < QMS_SLOTS_MAX; i++) {
        table_fini(&rs->mine[i]);
        table_fini(&rs->theirs[i]);
    }
    qms_free(rs);
}

size_t qms_remotes_count(const struct qms_remotes *rs)
{
    return rs->count;
}

void qms_remote_settle(struct qms_remote *r)
{
    struct qms_remote_early *early = r->early;

    r->early = NULL;
    if (early != NULL) {
        qms_blob_unref(early->header);
        qms_early_clear(&early->done);
        qms_free(early);
    }
}

void qms_remote_release(struct qms_remote *r)
{
    struct qms_remote_table *t = table_of(r->all, r->slot, r->opener);

    if (!r->left || !r->other_left) {
        return;
    }
    if (r->id < t->cap && t->ends[r->id] == r) {
        t->ends[r->id] = NULL;
        t->low = r->id < t->low ? r->id : t->low;
    }
    remote_free(r);
}

/* ---- operations ---- */

static struct qms_remote *remote_of(struct qms_channel *ch)
{
    return (struct qms_remote *)(void *)ch;
}

static struct qms_ring_entry entry(const struct qms_remote *r, enum qms_mesh_type type)
{
    return (struct qms_ring_entry){.type = (uint8_t)type, .id = r->id, .a = r->opener};
}

/* Only a mesh that is giving the other worker up fails; the route hears of that by itself. */
qms_err qms_remote_say(struct qms_remote *r, struct qms_ring_entry e)
{
    e.id = r->id;
    e.a = r->opener;
    return qms_mesh_send(r->all->mesh, r->slot, e);
}

static struct qms_blob *remote_room(struct qms_channel *ch)
{
    return qms_mesh_blob(remote_of(ch)->all->mesh, QMS_BLOB_CHUNK);
}

static qms_err remote_data(struct qms_channel *ch, struct qms_blob *blob, size_t off,
                           size_t len)
{
    struct qms_remote *r = remote_of(ch);

    if (r->early != NULL && qms_blobq_push(&r->early->done.sent, blob, off, len) != QMS_OK) {
        return QMS_E_NOMEM;
    }
    return qms_mesh_send_blob(r->all->mesh, r->slot, entry(r, QMS_MESH_DATA), blob, off, len);
}

static void remote_fin(struct qms_channel *ch)
{
    struct qms_remote *r = remote_of(ch);

    if (r->early != NULL) {
        r->early->done.fin = true;
    }
    (void)qms_remote_say(r, (struct qms_ring_entry){.type = QMS_MESH_FIN});
}

static void remote_reset(struct qms_channel *ch, uint8_t code)
{
    struct qms_remote *r = remote_of(ch);

    if (r->early != NULL) {
        r->early->done.reset = true;
        r->early->done.reset_code = code;
    }
    (void)qms_remote_say(r, (struct qms_ring_entry){.type = QMS_MESH_RESET, .code = code});
}

static void remote_stop(struct qms_channel *ch, uint8_t code)
{
    struct qms_remote *r = remote_of(ch);

    if (r->early != NULL) {
        r->early->done.stop = true;
        r->early->done.stop_code = code;
    }
    (void)qms_remote_say(r, (struct qms_ring_entry){.type = QMS_MESH_STOP, .code = code});
}

void qms_remote_give_credit(struct qms_remote *r, uint64_t len)
{
    r->credit += len;
    if (qms_list_empty(&r->credited)) {
        qms_list_append(&r->all->credited, &r->credited);
    }
}

static void remote_credit(struct qms_channel *ch, uint64_t len)
{
    struct qms_remote *r = remote_of(ch);

    r->unconsumed -= len < r->unconsumed ? len : r->unconsumed;
    if (r->unconsumed == 0) {
        /* An idle route keeps no chunk of the other worker. */
        qms_blob_unref(r->cache);
        r->cache = NULL;
    }
    qms_remote_give_credit(r, len);
}

static void send_credit(struct qms_remote *r)
{
    qms_list_remove(&r->credited);
    if (r->credit > 0) {
        (void)qms_remote_say(
            r, (struct qms_ring_entry){.type = QMS_MESH_CREDIT, .value = r->credit});
        r->credit = 0;
    }
}

void qms_remotes_flush(struct qms_remotes *rs)
{
    struct qms_list *node;

    while ((node = qms_list_first(&rs->credited)) != NULL) {
        send_credit(QMS_CONTAINER(node, struct qms_remote, credited));
    }
}

static qms_err say_result(struct qms_remotes *rs, unsigned slot, struct qms_ring_entry e,
                          const struct qms_result *r)
{
    uint8_t room[QMS_RESULT_MAX + 16];
    struct qms_writer w = qms_writer_of(room, sizeof(room));

    if (qms_result_encode(&w, r) != QMS_OK) {
        w = qms_writer_of(room, sizeof(room));
        (void)!qms_result_encode(&w, &(struct qms_result){.status = r->status});
    }
    return qms_mesh_send_bytes(rs->mesh, slot, e, (struct qms_bytes){room, w.len});
}

static void remote_result(struct qms_channel *ch, const struct qms_result *result)
{
    struct qms_remote *r = remote_of(ch);

    if (say_result(r->all, r->slot, entry(r, QMS_MESH_RESULT), result) != QMS_OK) {
        /* Without memory for the answer the opener is not left to wait for it. */
        (void)qms_remote_say(
            r, (struct qms_ring_entry){.type = QMS_MESH_RESET, .code = QMS_CODE_INTERNAL});
    }
}

static void remote_priority(struct qms_channel *ch, uint8_t mask, uint8_t forward,
                            uint8_t reverse)
{
    struct qms_remote *r = remote_of(ch);

    if (r->early != NULL) {
        qms_early_priority(&r->early->done, mask, forward, reverse);
    }
    (void)qms_remote_say(
        r, (struct qms_ring_entry){
               .type = QMS_MESH_PRIORITY, .b = mask, .code = forward, .value = reverse});
}

static void remote_skipped(struct qms_channel *ch, uint64_t count)
{
    (void)qms_remote_say(remote_of(ch),
                         (struct qms_ring_entry){.type = QMS_MESH_SKIPPED, .value = count});
}

static void remote_detach(struct qms_channel *ch, uint8_t code)
{
    struct qms_remote *r = remote_of(ch);

    r->left = true;
    r->leg = NULL;
    send_credit(r);
    qms_remote_settle(r);
    qms_blob_unref(r->cache);
    r->cache = NULL;
    (void)qms_remote_say(r, (struct qms_ring_entry){.type = QMS_MESH_DETACH, .code = code});
    qms_remote_release(r);
}

static const struct qms_channel_ops remote_ops = {
    .room = remote_room,
    .data = remote_data,
    .fin = remote_fin,
    .reset = remote_reset,
    .stop = remote_stop,
    .credit = remote_credit,
    .result = remote_result,
    .priority = remote_priority,
    .skipped = remote_skipped,
    .detach = remote_detach,
};

/* ---- opening ---- */

static struct qms_remote *remote_new(struct qms_remotes *rs, unsigned slot, uint32_t id,
                                     bool opener)
{
    struct qms_remote *r = qms_calloc(1, sizeof(*r));

    if (r != NULL) {
        r->ch.ops = &remote_ops;
        r->all = rs;
        r->slot = slot;
        r->id = id;
        r->opener = opener;
        qms_list_init(&r->credited);
        rs->count++;
    }
    return r;
}

static qms_err keep_header(struct qms_remote *r, struct qms_bytes header)
{
    r->early = qms_calloc(1, sizeof(*r->early));
    if (r->early == NULL || (r->early->header = qms_blob_copy(header)) == NULL) {
        return QMS_E_NOMEM;
    }
    return QMS_OK;
}

qms_err qms_remotes_open(struct qms_remotes *rs, unsigned slot, bool bidi,
                         struct qms_bytes header, const struct qms_channel_sink *sink,
                         void *leg, uint64_t *received, struct qms_channel **out)
{
    struct qms_remote_table *t = &rs->mine[slot];
    uint32_t id = table_free_id(t);
    qms_err err = qms_mesh_is_up(rs->mesh, slot) ? table_reach(t, id) : QMS_E_CLOSED;
    struct qms_remote *r = err == QMS_OK ? remote_new(rs, slot, id, true) : NULL;

    if (r == NULL) {
        return err == QMS_OK ? QMS_E_NOMEM : err;
    }
    if ((err = keep_header(r, header)) == QMS_OK) {
        struct qms_ring_entry e = entry(r, QMS_MESH_OPEN);
        e.b = bidi;
        err = qms_mesh_send_bytes(rs->mesh, slot, e, header);
    }
    if (err != QMS_OK) {
        remote_free(r);
        return err;
    }
    r->sink = sink;
    r->leg = leg;
    r->received = received;
    t->ends[id] = r;
    *out = &r->ch;
    return QMS_OK;
}

qms_err qms_remotes_accept(struct qms_remotes *rs, unsigned slot, uint32_t id,
                           const struct qms_channel_sink *sink, void *leg, uint64_t *received,
                           struct qms_channel **out)
{
    struct qms_remote_table *t = &rs->theirs[slot];
    struct qms_remote *r = NULL;

    if (table_reach(t, id) == QMS_OK) {
        r = t->ends[id] == NULL ? remote_new(rs, slot, id, false) : NULL;
    }
    if (r == NULL) {
        return QMS_E_NOMEM;
    }
    r->sink = sink;
    r->leg = leg;
    r->received = received;
    t->ends[id] = r;
    (void)qms_remote_say(r, (struct qms_ring_entry){.type = QMS_MESH_OPENED});
    *out = &r->ch;
    return QMS_OK;
}

void qms_remotes_refuse(struct qms_remotes *rs, unsigned slot, uint32_t id,
                        const struct qms_result *r)
{
    struct qms_ring_entry e = {.type = QMS_MESH_RESULT, .id = id};

    (void)say_result(rs, slot, e, r);
    e.type = QMS_MESH_DETACH;
    e.code = (uint8_t)r->status;
    (void)qms_mesh_send(rs->mesh, slot, e);
}

void qms_remotes_stale(struct qms_remotes *rs, unsigned slot, uint32_t id)
{
    (void)qms_mesh_send(rs->mesh, slot,
                        (struct qms_ring_entry){.type = QMS_MESH_STALE, .id = id});
}
