/* SPDX-License-Identifier: MIT */
/* A worker among others: its arena, its doorbell, and the master's word on who comes and goes.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/conf/diag.h"
#include "core/process/worker_channel.h"
#include "core/process/worker_i.h"

/* Longest wait for what the others have to tell. */
#define SETTLE_FOR (100 * QMS_MILLISECOND)

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
    struct qms_worker *w = arg;

    (void)fd;
    (void)what;
    if (qms_mesh_read(w->mesh)) {
        event_active(w->mesh_read, EV_READ, 0);
    }
}

/* Rings are read before sockets, so that what one worker told the others before it answered an
 * agent is known when that agent's next word arrives. */
static qms_err watch_bell(struct qms_worker *w)
{
    w->mesh_read = event_new(w->base, w->bell, EV_READ | EV_PERSIST, on_bell, w);
    if (w->mesh_read == NULL || event_priority_set(w->mesh_read, 0) != 0 ||
        event_add(w->mesh_read, NULL) != 0) {
        return QMS_E_NOMEM;
    }
    return QMS_OK;
}

/* Pages of slots that somebody has used: this worker answers for all. */
static qms_err register_pages(struct qms_worker *w, size_t slots)
{
    qms_err err = QMS_OK;
    size_t from = qms_board_slots(w->board);

    qms_board_grow(w->board, slots);
    for (size_t i = from; err == QMS_OK && i < slots; i++) {
        if (i != w->slot) {
            err = qms_stats_register(&qms_board_page(w->board, i)->stats);
        }
    }
    return err;
}

qms_err qms_worker_mesh_start(struct qms_worker *w, const struct qms_worker_start *start,
                              struct qms_diag *diag)
{
    struct qms_board_page *page = qms_board_take(start->board, start->slot, start->generation);

    if (page == NULL) {
        qms_diag_error(diag, "The workers' counters cannot be shared: %s.", strerror(errno));
        return QMS_E_IO;
    }
    qms_broker_use_stats(w->broker, &page->stats);
    qms_broker_use_board(w->broker, start->board);
    if (register_pages(w, start->slots) != QMS_OK) {
        return qms_diag_nomem(diag);
    }
    struct qms_payload *payload = qms_payload_new(start->payload);
    close(start->payload);
    if (payload == NULL) {
        qms_diag_error(diag, "No memory to share with other workers: %s.", strerror(errno));
        return QMS_E_IO;
    }
    w->mesh = qms_mesh_new((unsigned)start->slot, start->generation, payload, w->bell);
    if (w->mesh == NULL) {
        qms_payload_free(payload);
        return qms_diag_nomem(diag);
    }
    if (qms_broker_join_mesh(w->broker, w->mesh) != QMS_OK || watch_bell(w) != QMS_OK) {
        return qms_diag_nomem(diag);
    }
    return QMS_OK;
}

void qms_worker_mesh_settle(struct qms_worker *w, size_t peers)
{
    struct timeval tick = {.tv_usec = 5000};
    qms_time until = w->now + SETTLE_FOR;

    while (w->mesh != NULL && w->phase == QMS_WORKER_SERVING && w->now < until &&
           qms_broker_snapshots(w->broker) < peers) {
        event_add(w->timer, &tick);
        event_base_loop(w->base, EVLOOP_ONCE);
        w->now = qms_clock_now();
        (void)qms_broker_flush_mesh(w->broker);
    }
}

static void on_peer(struct qms_worker *w, struct qms_message *m)
{
    if (register_pages(w, m->slot + 1) != QMS_OK) {
        qms_log(QMS_LOG_ERROR, "a worker's counters are not summed slot=%u", m->slot);
    }
    if (m->fd_count != 3) {
        qms_log(QMS_LOG_ERROR, "a worker was introduced without what is shared slot=%u",
                m->slot);
        return;
    }
    qms_err err =
        qms_mesh_connect(w->mesh, m->slot, m->generation, m->fds[0], m->fds[1], m->fds[2]);
    if (err == QMS_OK) {
        m->fds[2] = -1; /* the mesh's */
        event_active(w->mesh_read, EV_READ, 0);
    } else {
        qms_log(QMS_LOG_ERROR, "no connection to a worker slot=%u error=%s", m->slot,
                qms_err_name(err));
    }
}

void qms_worker_mesh_order(struct qms_worker *w, struct qms_message *m)
{
    if (w->mesh == NULL) {
        return; /* it could not start, and is about to leave */
    }
    if (m->order == QMS_ORDER_PEER) {
        on_peer(w, m);
    } else {
        qms_mesh_lose(w->mesh, m->slot, m->generation == 0);
    }
}

void qms_worker_mesh_stop(struct qms_worker *w)
{
    if (w->mesh_read != NULL) {
        event_free(w->mesh_read);
    }
    if (w->mesh != NULL) {
        (void)qms_broker_flush_mesh(w->broker);
        qms_mesh_free(w->mesh);
    }
    if (w->bell >= 0) {
        close(w->bell);
    }
}
