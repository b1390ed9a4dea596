/* SPDX-License-Identifier: MIT */
/* From the mesh to a leg.  A message about a route that is over here finds nobody and is
 * dropped; its range goes back by itself. */
#include <string.h>

#include "base/mem.h"
#include "core/broker/channel_remote_i.h"

/* The other side is gone: nothing more is said to it. */
static void gone(struct qms_remote *r, uint8_t code)
{
    r->other_left = true;
    if (r->left) {
        qms_remote_release(r);
    } else {
        r->sink->gone(r->leg, code); /* detaches, which releases the end */
    }
}

static void on_data(struct qms_remote *r, const struct qms_ring_entry *m)
{
    struct qms_blob *blob = qms_mesh_borrow(r->all->mesh, r->slot, m, &r->cache);
    qms_err err = QMS_E_NOMEM;

    if (blob != NULL) {
        *r->received += m->len;
        r->unconsumed += m->len;
        err = r->sink->data(r->leg, blob, m->off, m->len);
        qms_blob_unref(blob);
    }
    if (err == QMS_E_CLOSED) {
        r->ch.ops->credit(&r->ch, m->len);
    } else if (err != QMS_OK && !r->left) {
        /* Bytes are missing: both legs end. */
        r->sink->gone(r->leg, QMS_CODE_INTERNAL);
    }
}

static void on_result(struct qms_remote *r, const struct qms_ring_entry *m)
{
    struct qms_bytes bytes = qms_mesh_bytes(r->all->mesh, r->slot, m);
    uint8_t copy[QMS_RESULT_MAX + 16];
    struct qms_result result;
    size_t used, len = bytes.len < sizeof(copy) ? bytes.len : sizeof(copy);

    if (len > 0) {
        memcpy(copy, bytes.data, len);
    }
    if (qms_result_decode((struct qms_bytes){copy, len}, &result, &used) != QMS_OK) {
        result = (struct qms_result){.status = QMS_CODE_INTERNAL};
    }
    qms_remote_settle(r);
    r->sink->result(r->leg, &result);
}

/* ---- another try ---- */

/* The other worker keeps nothing of this route, so the end goes without a word. */
static void on_stale(struct qms_remote *r)
{
    struct qms_remote_early *early = r->early;
    struct qms_channel *next = NULL;

    if (early != NULL && !r->left && r->sink->stale != NULL) {
        struct qms_bytes header = {early->header->data, early->header->len};
        next = r->sink->stale(r->leg, header);
    }
    if (next != NULL) {
        if (qms_early_replay(&early->done, next) != QMS_OK) {
            r->sink->gone(r->leg, QMS_CODE_INTERNAL); /* detaches from the new channel */
        }
        r->left = true;
    } else if (!r->left) {
        r->sink->result(r->leg, &(struct qms_result){.status = QMS_CODE_OFFLINE});
    }
    gone(r, QMS_CODE_OFFLINE);
}

/* ---- messages ---- */

static void on_open(struct qms_remotes *rs, unsigned slot, const struct qms_ring_entry *m)
{
    struct qms_bytes bytes = qms_mesh_bytes(rs->mesh, slot, m);
    uint8_t copy[QMS_ROUTE_HEADER_MAX + 16];

    if (bytes.len > 0 && bytes.len <= sizeof(copy)) {
        memcpy(copy, bytes.data, bytes.len);
        rs->events->on_open(rs->arg, slot, m->id, m->b != 0,
                            (struct qms_bytes){copy, bytes.len});
    }
}

static void on_opened(struct qms_remote *r)
{
    qms_remote_settle(r);
    if (!r->left && r->sink->taken != NULL) {
        r->sink->taken(r->leg);
    }
}

static void to_leg(struct qms_remote *r, const struct qms_ring_entry *m)
{
    switch (m->type) {
    case QMS_MESH_DATA:
        on_data(r, m);
        break;
    case QMS_MESH_FIN:
        r->sink->fin(r->leg);
        break;
    case QMS_MESH_RESET:
        r->sink->reset(r->leg, m->code);
        break;
    case QMS_MESH_STOP:
        r->sink->stop(r->leg, m->code);
        break;
    case QMS_MESH_CREDIT:
        r->sink->credit(r->leg, m->value);
        break;
    case QMS_MESH_RESULT:
        on_result(r, m);
        break;
    case QMS_MESH_PRIORITY:
        r->sink->priority(r->leg, m->b, m->code, (uint8_t)m->value);
        break;
    case QMS_MESH_SKIPPED:
        if (r->sink->skipped != NULL) {
            r->sink->skipped(r->leg, m->value);
        }
        break;
    default:
        break;
    }
}

void qms_remotes_message(struct qms_remotes *rs, unsigned slot, const struct qms_ring_entry *m)
{
    /* What the opener's side sends is about a route that it opened: one of `theirs`. */
    struct qms_remote *r = qms_remote_find(rs, slot, m->id, m->a == 0);

    if (m->type == QMS_MESH_OPEN) {
        on_open(rs, slot, m);
    } else if (r == NULL || r->other_left) {
        return;
    } else if (m->type == QMS_MESH_OPENED) {
        on_opened(r);
    } else if (m->type == QMS_MESH_STALE) {
        on_stale(r);
    } else if (m->type == QMS_MESH_DETACH) {
        gone(r, m->code);
    } else if (!r->left) {
        to_leg(r, m);
    }
}

static void table_lost(struct qms_remote_table *t)
{
    for (uint32_t i = 0; i < t->cap; i++) {
        struct qms_remote *r = t->ends[i];
        if (r != NULL) {
            gone(r, QMS_CODE_WORKER_LOST);
        }
    }
    qms_free(t->ends);
    *t = (struct qms_remote_table){0};
}

void qms_remotes_lost(struct qms_remotes *rs, unsigned slot)
{
    table_lost(&rs->mine[slot]);
    table_lost(&rs->theirs[slot]);
}
