/* SPDX-License-Identifier: MIT */
/* The directory's replica is kept by JOIN and LEAVE; a worker that has come is told all claims
 * of this one first.  Whoever hears of a newer claim to an id closes its own agent of that id.
 * Routes, datagrams, packets and questions are passed on to those whose they are. */
#include "core/broker/broker_mesh.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/broker/channel_remote.h"
#include "core/broker/peer.h"
#include "core/broker/rooms_sync.h"
#include "core/broker/router.h"

uint16_t qms_broker_slot(const struct qms_broker *b)
{
    return b->mesh != NULL ? (uint16_t)qms_mesh_slot(b->mesh) : 0;
}

struct qms_mesh *qms_broker_mesh(struct qms_broker *b)
{
    return b->mesh;
}

struct qms_broker_hooks *qms_broker_hooks(struct qms_broker *b)
{
    return &b->hooks;
}

size_t qms_broker_snapshots(const struct qms_broker *b)
{
    return b->snapshots;
}

/* ---- the directory ---- */

uint64_t qms_broker_next_epoch(struct qms_broker *b)
{
    return b->now > b->epoch ? b->now : b->epoch + 1;
}

static void tell(struct qms_broker *b, unsigned slot, enum qms_mesh_type type,
                 struct qms_bytes id, uint64_t epoch)
{
    struct qms_ring_entry e = {.type = (uint8_t)type, .value = epoch};

    if (qms_mesh_send_bytes(b->mesh, slot, e, id) == QMS_E_NOMEM) {
        /* A replica must not be wrong for ever: better none. */
        qms_mesh_give_up(b->mesh, slot, "no memory to tell it of an agent");
    }
}

static void tell_all(struct qms_broker *b, enum qms_mesh_type type, struct qms_bytes id,
                     uint64_t epoch)
{
    for (unsigned i = 0; b->mesh != NULL && i < QMS_SLOTS_MAX; i++) {
        if (qms_mesh_is_up(b->mesh, i)) {
            tell(b, i, type, id, epoch);
        }
    }
}

void qms_broker_tell_join(struct qms_broker *b, const struct qms_peer *p)
{
    tell_all(b, QMS_MESH_JOIN, qms_str(p->id, p->id_len), p->epoch);
}

void qms_broker_tell_leave(struct qms_broker *b, struct qms_bytes id, uint64_t epoch)
{
    tell_all(b, QMS_MESH_LEAVE, id, epoch);
}

static void on_up(void *arg, unsigned slot)
{
    struct qms_broker *b = arg;
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &b->peers) {
        const struct qms_peer *p = QMS_CONTAINER(node, struct qms_peer, node);
        if (p->epoch != 0) {
            tell(b, slot, QMS_MESH_JOIN, qms_str(p->id, p->id_len), p->epoch);
        }
    }
    qms_rooms_on_up(b, slot);
    (void)qms_mesh_send(b->mesh, slot, (struct qms_ring_entry){.type = QMS_MESH_SNAPSHOT});
}

static void on_join(struct qms_broker *b, unsigned slot, struct qms_bytes id, uint64_t epoch)
{
    struct qms_directory_entry entry = {.epoch = epoch, .worker = (uint16_t)slot}, replaced;
    qms_err err = qms_directory_join(b->directory, id, &entry, &replaced);

    b->epoch = epoch > b->epoch ? epoch : b->epoch;
    if (err == QMS_E_NOMEM) {
        qms_log(QMS_LOG_ERROR, "no memory for an agent of another worker slot=%u", slot);
    } else if (err == QMS_OK && replaced.peer != NULL && !b->retiring) {
        qms_log_peer(QMS_LOG_NOTICE, "agent replaced by a newer connection id=%s",
                     replaced.peer->id);
        qms_peer_close(replaced.peer, QMS_CODE_REPLACED, "replaced by a newer connection");
        qms_peer_touch(replaced.peer);
    }
}

static void on_claim(struct qms_broker *b, unsigned slot, const struct qms_ring_entry *m)
{
    struct qms_bytes bytes = qms_mesh_bytes(b->mesh, slot, m);
    uint8_t copy[QMS_NAME_MAX];

    if (bytes.len == 0 || bytes.len > sizeof(copy)) {
        return;
    }
    memcpy(copy, bytes.data, bytes.len);
    struct qms_bytes id = {copy, bytes.len};
    if (m->type == QMS_MESH_JOIN) {
        on_join(b, slot, id, m->value);
        return;
    }
    const struct qms_directory_entry *entry = qms_directory_find(b->directory, id);
    if (entry != NULL && entry->worker == slot) {
        (void)qms_directory_leave(b->directory, id, m->value);
    }
}

static void on_lost(void *arg, unsigned slot)
{
    struct qms_broker *b = arg;
    size_t agents = qms_directory_purge(b->directory, (uint16_t)slot);

    qms_log(QMS_LOG_INFO, "worker gone slot=%u agents=%zu", slot, agents);
    qms_rooms_on_lost(b, slot); /* before the routes, which may look for another member */
    qms_remotes_lost(b->remotes, slot);
    if (b->hooks.on_tell != NULL) {
        b->hooks.on_tell(b->hooks.tell_arg, slot, 0, (struct qms_bytes){0}, false);
    }
}

/* ---- questions ---- */

/* A list, in parts that fit into a message. */
static void on_ask(struct qms_broker *b, unsigned slot, const struct qms_ring_entry *m,
                   struct qms_bytes agent)
{
    struct qms_rows_query query = {
        .kind = (enum qms_rows_kind)m->code, .max = (uint32_t)m->value, .agent = agent};
    json_t *json = qms_broker_rows_json(b, &query, b->now);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    size_t len = text != NULL ? strlen(text) : 0, off = 0;
    struct qms_ring_entry e = {.type = QMS_MESH_TELL, .id = m->id};

    do {
        size_t part = len - off < QMS_BLOB_CHUNK ? len - off : QMS_BLOB_CHUNK;
        struct qms_bytes bytes = {(const uint8_t *)text + off, part};
        off += part;
        e.a = off < len;
        if (part == 0 || qms_mesh_send_bytes(b->mesh, slot, e, bytes) != QMS_OK) {
            e.a = 0;
            (void)qms_mesh_send(b->mesh, slot, e);
            break;
        }
    } while (off < len);
    free(text);
    json_decref(json);
}

/* ---- messages ---- */

static void on_message(void *arg, unsigned slot, const struct qms_ring_entry *m)
{
    struct qms_broker *b = arg;
    struct qms_bytes bytes = qms_mesh_bytes(b->mesh, slot, m);

    switch (m->type) {
    case QMS_MESH_JOIN:
    case QMS_MESH_LEAVE:
        on_claim(b, slot, m);
        break;
    case QMS_MESH_MEMBER:
    case QMS_MESH_UNMEMBER:
        qms_rooms_on_message(b, slot, m, bytes);
        break;
    case QMS_MESH_SNAPSHOT:
        b->snapshots++;
        break;
    case QMS_MESH_DATAGRAM:
        qms_router_on_remote_datagram(b, m, bytes);
        break;
    case QMS_MESH_PACKET:
        if (b->hooks.on_packet != NULL) {
            b->hooks.on_packet(b->hooks.packet_arg, bytes);
        }
        break;
    case QMS_MESH_ASK:
        on_ask(b, slot, m, bytes);
        break;
    case QMS_MESH_TELL:
        if (b->hooks.on_tell != NULL) {
            b->hooks.on_tell(b->hooks.tell_arg, slot, m->id, bytes, m->a != 0);
        }
        break;
    default:
        qms_remotes_message(b->remotes, slot, m);
        break;
    }
}

static const struct qms_mesh_events mesh_events = {
    .on_up = on_up,
    .on_lost = on_lost,
    .on_message = on_message,
};

static const struct qms_remotes_events remotes_events = {
    .on_open = qms_router_on_remote_route,
};

qms_err qms_broker_join_mesh(struct qms_broker *b, struct qms_mesh *mesh)
{
    b->remotes = qms_remotes_new(mesh, &remotes_events, b);
    if (b->remotes == NULL) {
        return QMS_E_NOMEM;
    }
    b->mesh = mesh;
    qms_mesh_set_events(mesh, &mesh_events, b);
    return QMS_OK;
}

bool qms_broker_flush_mesh(struct qms_broker *b)
{
    if (b->mesh == NULL) {
        return false;
    }
    qms_remotes_flush(b->remotes);
    return qms_mesh_flush(b->mesh);
}
