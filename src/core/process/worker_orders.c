/* SPDX-License-Identifier: MIT */
/* Orders of the master.  A reload is built and offered to the carrier first: only what that one
 * accepts reaches the broker, so a refusal leaves everything as it was. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/conf/diag.h"
#include "core/conf/logs.h"
#include "core/conf/zone.h"
#include "core/process/master_sockets.h"
#include "core/process/worker_channel.h"
#include "core/process/worker_i.h"

/* Longest time that streams under way get when the master was killed; with the goodbyes all is
 * over in two seconds. */
#define ORPHAN_FOR (1500 * QMS_MILLISECOND)

static void close_fds(struct qms_message *m)
{
    for (size_t i = 0; i < m->fd_count; i++) {
        if (m->fds[i] >= 0) {
            close(m->fds[i]);
        }
    }
}

/* The configuration takes the directories over from the message. */
static qms_err take_roots(struct qms_conf *conf, struct qms_message *m, struct qms_diag *diag)
{
    int *slots[QMS_CONF_ROOTS_MAX];
    size_t n = qms_conf_root_slots(conf, slots, QMS_CONF_ROOTS_MAX);

    if (n + 1 > m->fd_count) {
        qms_diag_error(diag, "%zu root directories came for %zu.", m->fd_count - 1, n);
        return QMS_E_PROTOCOL;
    }
    for (size_t i = 0; i < n; i++) {
        *slots[i] = m->fds[i + 1];
        m->fds[i + 1] = -1;
    }
    return QMS_OK;
}

/* Behind the pack and the roots. */
static qms_err take_zones(struct qms_worker *w, struct qms_conf *conf,
                          const struct qms_message *m, struct qms_diag *diag)
{
    size_t before = 1 + qms_conf_root_slots(conf, NULL, 0);

    return qms_zones_take(conf, w->conf, m->fds + before, m->fd_count - before, diag);
}

static struct qms_conf *unpack(struct qms_worker *w, struct qms_message *m,
                               struct qms_diag *diag)
{
    uint8_t *pack = NULL;
    size_t len = 0;

    if (m->fd_count == 0 || qms_channel_file_read(m->fds[0], &pack, &len) != QMS_OK) {
        qms_diag_error(diag, "The packed configuration did not arrive: %s.",
                       m->fd_count == 0 ? "too many open files" : strerror(errno));
        return NULL;
    }
    struct qms_bytes bytes = {pack, len};
    struct qms_conf *conf = qms_conf_load_packed(bytes, w->conf->file, w->env, diag);
    qms_memzero(pack, len);
    qms_free(pack);
    if (conf != NULL &&
        (take_roots(conf, m, diag) != QMS_OK || take_zones(w, conf, m, diag) != QMS_OK ||
         qms_sockets_share(conf, w->conf, diag) != QMS_OK)) {
        qms_conf_unref(conf);
        return NULL;
    }
    return conf;
}

static void reload(struct qms_worker *w, struct qms_message *m)
{
    struct qms_diag diag = {0};
    struct qms_conf *conf = unpack(w, m, &diag);

    if (conf != NULL && w->carrier != NULL) {
        qms_err err = w->env->carrier->reload(w->carrier, conf, &diag);
        if (err != QMS_OK) {
            qms_diag_error(&diag, "%s", qms_strerror(err));
            qms_conf_unref(conf);
            conf = NULL;
        }
    }
    if (conf != NULL) {
        qms_broker_reload(w->broker, conf, w->now);
        qms_conf_unref(w->conf);
        w->conf = conf;
        qms_log_set_level(conf->log_level);
    }
    qms_channel_say(w->channel, QMS_ORDER_RELOADED, diag.text);
}

static void take_logs(struct qms_worker *w, struct qms_message *m)
{
    if (m->fd_count == 0) {
        return;
    }
    if (qms_error_log_take(w->conf, m->fds[0], m->slot)) {
        m->fds[0] = -1;
    }
    if (qms_logs_take(w->conf, m->fds + 1, m->fd_count - 1, m->slot)) {
        m->fd_count = 1;
    } else {
        qms_log(QMS_LOG_ERROR,
                "logs not opened again: this worker keeps an older configuration");
    }
}

static void obey(struct qms_worker *w, struct qms_message *m)
{
    switch (m->order) {
    case QMS_ORDER_RELOAD:
        reload(w, m);
        break;
    case QMS_ORDER_LOG:
        take_logs(w, m);
        break;
    case QMS_ORDER_PEER:
    case QMS_ORDER_LOST:
        qms_worker_mesh_order(w, m);
        break;
    case QMS_ORDER_RETIRE:
        qms_worker_retire(w, w->conf->worker_shutdown_for);
        break;
    case QMS_ORDER_QUIT:
        qms_worker_drain(w, w->conf->worker_shutdown_for);
        break;
    case QMS_ORDER_STOP:
        qms_worker_close(w);
        break;
    default:
        qms_log(QMS_LOG_ERROR, "unknown order from the master order=%d", (int)m->order);
    }
    close_fds(m);
}

void qms_worker_on_orders(evutil_socket_t fd, short what, void *arg)
{
    struct qms_worker *w = arg;
    struct qms_message m;
    qms_err err;

    (void)what;
    w->now = qms_clock_now();
    while ((err = qms_channel_receive(fd, &m)) == QMS_OK || err == QMS_E_LIMIT) {
        if (err == QMS_E_LIMIT) {
            qms_log(QMS_LOG_ERROR,
                    "an order of the master came without its descriptors order=%d "
                    "remedy=\"more open files: RLIMIT_NOFILE\"",
                    (int)m.order);
        }
        obey(w, &m);
    }
    if (err == QMS_E_CLOSED) {
        qms_log(QMS_LOG_ERROR, "the master is gone, worker leaves");
        event_del(w->orders);
        w->orphan = true;
        qms_worker_drain(w, ORPHAN_FOR);
    }
}
