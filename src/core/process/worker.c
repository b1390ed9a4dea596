/* SPDX-License-Identifier: MIT */
/* A turn: wait for events, read the clock once, let the broker and then the carrier do what is
 * due, and set one timer for the next instant that any of them wants. */
#include "core/process/worker.h"

#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/blob.h"
#include "base/clock.h"
#include "core/conf/diag.h"
#include "core/process/privileges.h"
#include "core/process/seccomp.h"
#include "core/process/worker_channel.h"
#include "core/process/worker_i.h"

/* Time that agents get to act on GOAWAY before idle ones are closed. */
#define SETTLE_FOR QMS_SECOND
#define CLOSE_FOR  (2 * QMS_SECOND)
/* The same where a new master may wait for the sockets. */
#define ORPHAN_CLOSE_FOR (400 * QMS_MILLISECOND)
/* Half of so many connections must have gone before their memory is worth a look. */
#define TRIM_FROM  64
#define TRIM_EVERY QMS_SECOND

void qms_worker_retire(struct qms_worker *w, qms_time within)
{
    if (w->phase != QMS_WORKER_SERVING || w->carrier == NULL) {
        return;
    }
    qms_log(QMS_LOG_NOTICE, "worker retires generation=%u peers=%zu routes=%zu",
            qms_mesh_own_generation(w->mesh), qms_broker_peer_count(w->broker),
            qms_broker_route_count(w->broker));
    w->phase = QMS_WORKER_RETIRED;
    /* Handshakes that have begun may end. */
    w->settle_at = w->now + w->conf->handshake_for;
    w->until = w->now + within;
    w->env->carrier->stop_accepting(w->carrier, true);
    qms_broker_retire(w->broker, within, w->now);
    if (w->http != NULL) {
        qms_http_stop_accepting(w->http);
    }
}

void qms_worker_drain(struct qms_worker *w, qms_time within)
{
    if (w->phase > QMS_WORKER_RETIRED) {
        return;
    }
    if (w->carrier == NULL) { /* not even serving yet */
        w->phase = QMS_WORKER_DONE;
        return;
    }
    qms_log(QMS_LOG_NOTICE, "worker drains peers=%zu routes=%zu",
            qms_broker_peer_count(w->broker), qms_broker_route_count(w->broker));
    w->phase = QMS_WORKER_DRAINING;
    w->settle_at = w->now + (within < SETTLE_FOR ? within / 2 : SETTLE_FOR);
    w->until = w->now + within;
    w->env->carrier->stop_accepting(w->carrier, false);
    qms_broker_drain(w->broker, within, w->now);
    if (w->http != NULL) {
        qms_http_set_draining(w->http);
    }
}

void qms_worker_close(struct qms_worker *w)
{
    if (w->carrier == NULL) {
        w->phase = QMS_WORKER_DONE;
    }
    if (w->phase >= QMS_WORKER_CLOSING) {
        return;
    }
    if (w->phase == QMS_WORKER_SERVING) {
        w->env->carrier->stop_accepting(w->carrier, false);
        if (w->http != NULL) {
            qms_http_set_draining(w->http);
        }
    }
    w->phase = QMS_WORKER_CLOSING;
    w->until = w->now + (w->orphan ? ORPHAN_CLOSE_FOR : CLOSE_FOR);
    qms_broker_close_all(w->broker, QMS_CODE_GOING_AWAY, "The broker is shutting down.");
}

/* Whether a retired worker has nobody left: no agent, and no handshake that may bring one. */
static bool deserted(const struct qms_worker *w)
{
    return qms_broker_peer_count(w->broker) == 0 &&
           (w->now >= w->settle_at || w->env->carrier->connections(w->carrier) == 0);
}

/* Moves a worker that is leaving on; returns the next instant at which it must be looked at. */
static qms_time advance(struct qms_worker *w)
{
    if (w->phase == QMS_WORKER_RETIRED) {
        if (deserted(w) || w->now >= w->until) {
            qms_worker_close(w);
        } else {
            return w->now < w->settle_at ? w->settle_at : w->until;
        }
    }
    if (w->phase == QMS_WORKER_DRAINING) {
        bool gone = qms_broker_peer_count(w->broker) == 0;
        bool idle = qms_broker_route_count(w->broker) == 0 && w->now >= w->settle_at;
        if (gone || idle || w->now >= w->until) {
            qms_worker_close(w);
        } else {
            return w->now < w->settle_at ? w->settle_at : w->until;
        }
    }
    if (w->phase == QMS_WORKER_CLOSING &&
        (qms_broker_peer_count(w->broker) == 0 || w->now >= w->until)) {
        w->phase = QMS_WORKER_DONE;
    }
    return w->phase == QMS_WORKER_CLOSING ? w->until : QMS_NEVER;
}

static qms_time earlier(qms_time a, qms_time b)
{
    return a < b ? a : b;
}

static void arm(struct qms_worker *w, qms_time at)
{
    qms_time wait = at > w->now ? at - w->now : 0;
    struct timeval tv;

    if (at == QMS_NEVER) {
        event_del(w->timer);
        return;
    }
    wait += QMS_MICROSECOND - 1; /* waking too early would spin */
    tv.tv_sec = (time_t)(wait / QMS_SECOND);
    tv.tv_usec = (suseconds_t)(wait % QMS_SECOND / QMS_MICROSECOND);
    event_add(w->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg; /* waking up is all it is for */
}

/* What many connections have left behind goes back to the system: glibc keeps freed memory
 * below what lives above it. */
static void trim(struct qms_worker *w)
{
    size_t now = w->env->carrier->connections(w->carrier);

    if (w->now < w->trim_at) {
        return;
    }
    w->trim_at = w->now + TRIM_EVERY;
    if (now <= w->most / 2 && w->most >= TRIM_FROM) {
        qms_blob_trim();
        (void)malloc_trim(0);
        w->most = now;
    }
    w->most = now > w->most ? now : w->most;
}

static void loop(struct qms_worker *w)
{
    while (w->phase != QMS_WORKER_DONE) {
        enum qms_worker_phase before = w->phase;
        w->now = qms_clock_now();
        qms_broker_turn(w->broker, w->now);
        bool lost = qms_broker_flush_mesh(w->broker);
        qms_time carrier_at = w->env->carrier->turn(w->carrier, w->now);
        qms_time leave_at = advance(w);
        trim(w);
        lost = qms_broker_flush_mesh(w->broker) || lost;
        if (w->phase != before || lost) {
            continue; /* what that says to agents must leave before anything is waited for */
        }
        arm(w, earlier(leave_at, earlier(carrier_at, qms_broker_next_at(w->broker))));
        event_base_loop(w->base, EVLOOP_ONCE);
    }
}

/* The master alone speaks to its workers; signals that a terminal sends to the whole group are
 * its to interpret. */
static void quiet_signals(void)
{
    static const int ignored[] = {SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE};
    sigset_t none;

    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        signal(ignored[i], SIG_IGN);
    }
    signal(SIGTERM, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static qms_err start_loop(struct qms_worker *w, struct qms_diag *diag)
{
    w->base = event_base_new();
    if (w->base == NULL || event_base_priority_init(w->base, 2) != 0) {
        return qms_diag_nomem(diag);
    }
    w->timer = event_new(w->base, -1, 0, on_timer, NULL);
    w->orders = event_new(w->base, w->channel, EV_READ | EV_PERSIST, qms_worker_on_orders, w);
    if (w->timer == NULL || w->orders == NULL || event_add(w->orders, NULL) != 0) {
        return qms_diag_nomem(diag);
    }
    return QMS_OK;
}

static qms_err start_parts(struct qms_worker *w, const struct qms_worker_start *start,
                           struct qms_diag *diag)
{
    w->now = qms_clock_now();
    w->broker = qms_broker_new(w->conf, w->now, diag);
    if (w->broker == NULL) {
        return QMS_E_CONFIG;
    }
    const char *failed = "";
    qms_err err = qms_broker_loop(w->broker, w->base, &failed);
    if (err != QMS_OK) {
        qms_diag_error(diag, "The module %s could not start: %s", failed, qms_strerror(err));
        return err;
    }
    err = qms_worker_mesh_start(w, start, diag);
    if (err != QMS_OK) {
        return err;
    }
    qms_worker_mesh_settle(w, start->peers);
    w->carrier = w->env->carrier->start(w->broker, w->base, w->conf, start->secret, diag);
    if (w->carrier == NULL) {
        return QMS_E_CONFIG;
    }
    if (w->conf->http_listen_count > 0) {
        w->http = qms_http_start(w->base, w->broker, w->board, w->env, diag);
        return w->http != NULL ? QMS_OK : QMS_E_IO;
    }
    return QMS_OK;
}

static void stop_parts(struct qms_worker *w)
{
    qms_http_stop(w->http);
    if (w->carrier != NULL) {
        w->env->carrier->stop(w->carrier);
    }
    if (w->broker != NULL) {
        qms_broker_end_routes(w->broker);
        qms_worker_mesh_stop(w);
        qms_broker_free(w->broker);
    }
    if (w->orders != NULL) {
        event_free(w->orders);
    }
    if (w->timer != NULL) {
        event_free(w->timer);
    }
    if (w->base != NULL) {
        event_base_free(w->base);
    }
    qms_board_free(w->board);
    close(w->channel);
    qms_conf_unref(w->conf);
}

int qms_worker_run(const struct qms_worker_start *start)
{
    struct qms_worker w = {.env = start->env,
                           .conf = qms_conf_ref(start->conf),
                           .channel = start->channel,
                           .board = start->board,
                           .slot = start->slot,
                           .bell = start->bell,
                           .until = QMS_NEVER};
    struct qms_diag diag = {0};

    quiet_signals();
    (void)prctl(PR_SET_NAME, "quicms-worker", 0, 0, 0);
    qms_privileges_raise_files();
    qms_err err = qms_privileges_drop(w.conf, &diag);
    err = err == QMS_OK ? start_loop(&w, &diag) : err;
    err = err == QMS_OK ? start_parts(&w, start, &diag) : err;
    if (err == QMS_OK && w.conf->seccomp != 0) {
        err = qms_seccomp_apply(&diag);
    }
    if (err == QMS_OK) {
        qms_channel_say(w.channel, QMS_ORDER_READY, "");
        loop(&w);
    } else {
        qms_diag_error(&diag, "%s", qms_strerror(err));
        qms_channel_say(w.channel, QMS_ORDER_FAILED, diag.text);
    }
    stop_parts(&w);
    return err == QMS_OK ? 0 : 1;
}
