/* SPDX-License-Identifier: MIT */
/* The broker as its loop sees it: made, driven once a turn, reloaded, drained, freed. */
#include "core/broker/broker.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/broker/broker_mesh.h"
#include "core/broker/broker_state.h"
#include "core/broker/channel_remote.h"
#include "core/broker/fan.h"
#include "core/broker/leg.h"
#include "core/broker/peer.h"
#include "core/broker/presence.h"
#include "core/broker/upstream.h"
#include "core/conf/logs.h"

#define TICK QMS_SECOND

qms_err qms_timer_set(struct qms_broker *b, struct qms_timer *t, qms_time at)
{
    return qms_heap_set(&b->timers, &t->node, at);
}

void qms_timer_stop(struct qms_broker *b, struct qms_timer *t)
{
    qms_heap_remove(&b->timers, &t->node);
}

static void broker_destroy(struct qms_broker *b)
{
    qms_remotes_free(b->remotes);
    qms_stats_unregister(b->stats);
    qms_rooms_free(b->rooms);
    qms_directory_free(b->directory);
    qms_chain_fini(&b->chain);
    qms_heap_fini(&b->timers);
    if (!b->stats_shared) {
        qms_free(b->stats);
    }
    qms_conf_unref(b->conf);
    qms_free(b);
}

static void on_presence(void *arg, struct qms_bytes id, uint64_t number)
{
    qms_presence_changed(arg, id, number);
}

static qms_err broker_fill(struct qms_broker *b, struct qms_conf *conf)
{
    uint8_t seed[16];
    qms_err err;

    if ((err = qms_chain_init(&b->chain, conf->modules, conf->module_count)) != QMS_OK) {
        return err;
    }
    qms_random(seed, sizeof(seed));
    b->directory = qms_directory_new(seed);
    b->rooms = qms_rooms_new(seed);
    b->stats = qms_calloc(1, sizeof(*b->stats));
    if (b->directory != NULL) {
        qms_directory_observe(b->directory, on_presence, b);
    }
    if (b->directory == NULL || b->rooms == NULL || b->stats == NULL) {
        return QMS_E_NOMEM;
    }
    return qms_stats_register(b->stats);
}

struct qms_broker *qms_broker_new(struct qms_conf *conf, qms_time now, struct qms_diag *diag)
{
    struct qms_broker *b = qms_calloc(1, sizeof(*b));
    const char *failed = NULL;

    if (b == NULL) {
        qms_diag_error(diag, "%s", qms_strerror(QMS_E_NOMEM));
        return NULL;
    }
    b->conf = qms_conf_ref(conf);
    b->stream_window = conf->stream_window;
    b->now = now;
    b->tick_at = now + TICK;
    qms_list_init(&b->peers);
    qms_list_init(&b->dirty);
    qms_list_init(&b->reap);
    qms_list_init(&b->ending);
    qms_list_init(&b->routes);
    qms_list_init(&b->fans);
    qms_list_init(&b->watches);
    qms_list_init(&b->watches_due);
    qms_list_init(&b->dialers);
    qms_err err = broker_fill(b, conf);
    if (err == QMS_OK) {
        b->chain.stats = &b->stats;
        err = qms_chain_start(&b->chain, conf, now, &failed);
    }
    if (err != QMS_OK) {
        qms_diag_error(diag, "The broker%s%s could not start: %s",
                       failed != NULL ? "'s module " : "", failed != NULL ? failed : "",
                       qms_strerror(err));
        broker_destroy(b);
        return NULL;
    }
    qms_stats_set(b->stats, QMS_S_START_TIME, (uint64_t)qms_clock_wall());
    qms_peer_limits(b);
    return b;
}

qms_err qms_broker_loop(struct qms_broker *b, void *base, const char **failed)
{
    return qms_chain_loop(&b->chain, base, failed);
}

void qms_broker_use_board(struct qms_broker *b, const struct qms_board *board)
{
    b->board = board;
}

void qms_broker_use_stats(struct qms_broker *b, struct qms_stats_page *page)
{
    qms_stats_unregister(b->stats);
    if (!b->stats_shared) {
        qms_free(b->stats);
    }
    b->stats = page;
    b->stats_shared = true;
    (void)!qms_stats_register(page); /* the place of the one before is free */
    qms_stats_set(page, QMS_S_START_TIME, (uint64_t)qms_clock_wall());
}

static void count_log_lines(struct qms_broker *b)
{
    uint64_t lines, lost;

    qms_logs_count(b->conf, &lines, &lost);
    qms_stats_add(b->stats, QMS_S_LOG_LINES_WRITTEN, lines);
    qms_stats_add(b->stats, QMS_S_LOG_LINES_LOST, lost);
    qms_stats_add(b->stats, QMS_S_ERROR_LOG_LOST, qms_log_take_lost());
}

static void reap(struct qms_broker *b)
{
    struct qms_list *node;

    qms_leg_reap(b);
    while ((node = qms_list_first(&b->reap)) != NULL) {
        qms_peer_free(QMS_CONTAINER(node, struct qms_peer, node));
    }
}

void qms_broker_end_routes(struct qms_broker *b)
{
    reap(b);
    qms_fans_free(b);
    reap(b);
}

void qms_broker_free(struct qms_broker *b)
{
    if (b == NULL) {
        return;
    }
    qms_broker_end_routes(b);
    qms_upstreams_free(b);
    qms_chain_stop(&b->chain);
    qms_logs_flush(b->conf);
    count_log_lines(b);
    broker_destroy(b);
}

bool qms_broker_admit(struct qms_broker *b, const struct qms_server_conf *server,
                      const struct sockaddr *remote, qms_time now)
{
    struct qms_refusal why = {.label = "worker_connections"};

    if (b->conf->worker_connections != 0 && b->admitted >= b->conf->worker_connections) {
        qms_stats_label(b->stats, QMS_F_CONNECT_REFUSED, why.label);
        return false;
    }
    if (!qms_chain_connect(&b->chain, server, remote, now, &why)) {
        qms_stats_label(b->stats, QMS_F_CONNECT_REFUSED, why.label);
        return false;
    }
    b->admitted++;
    return true;
}

void qms_broker_leave(struct qms_broker *b, const struct qms_server_conf *server,
                      const struct sockaddr *remote, qms_time now)
{
    b->admitted--;
    qms_chain_disconnect(&b->chain, server, remote, now);
}

qms_err qms_broker_accept(struct qms_broker *b, const struct qms_server_conf *server,
                          struct qms_link *link, void (*on_gone)(void *arg), void *arg)
{
    return qms_peer_new(b, server->index, link, on_gone, arg);
}

/* ---- the turn ---- */

/* Each timer fires at most once a turn: one that is set to now again waits for the next. */
static void run_timers(struct qms_broker *b, qms_time now)
{
    struct qms_heap_node *node;

    for (size_t left = b->timers.count; left > 0; left--) {
        if ((node = qms_heap_top(&b->timers)) == NULL || node->at > now) {
            return;
        }
        struct qms_timer *t = (struct qms_timer *)(void *)node;
        qms_heap_remove(&b->timers, node);
        t->fire(t, now);
    }
}

/* Those that are touched meanwhile wait for the next turn. */
static void run_dirty(struct qms_broker *b, qms_time now)
{
    struct qms_list todo, *node;

    qms_list_init(&todo);
    while ((node = qms_list_first(&b->dirty)) != NULL) {
        qms_list_remove(node);
        qms_list_append(&todo, node);
    }
    while ((node = qms_list_first(&todo)) != NULL) {
        qms_list_remove(node);
        qms_peer_rearm(QMS_CONTAINER(node, struct qms_peer, dirty), now);
    }
}

static void tick(struct qms_broker *b, qms_time now)
{
    struct qms_list *node, *next;

    b->tick_at = now + TICK;
    qms_chain_tick(&b->chain, b->conf, now);
    qms_stats_set(b->stats, QMS_S_BUFFERS, qms_blob_total());
    count_log_lines(b);
    QMS_LIST_FOREACH_SAFE(node, next, &b->peers) {
        qms_peer_tick(QMS_CONTAINER(node, struct qms_peer, node), now);
    }
}

void qms_broker_turn(struct qms_broker *b, qms_time now)
{
    b->now = now > b->now ? now : b->now;
    qms_upstreams_turn(b, b->now);
    run_timers(b, b->now);
    qms_fans_turn(b);
    qms_presence_turn(b);
    run_dirty(b, b->now);
    if (b->tick_at <= b->now) {
        tick(b, b->now);
    }
    reap(b);
    qms_logs_turn(b->conf, b->now);
}

qms_time qms_broker_next_at(const struct qms_broker *b)
{
    const struct qms_heap_node *top = qms_heap_top(&b->timers);

    if (qms_fans_due(b) || qms_presence_due(b) || !qms_list_empty(&b->dirty) ||
        !qms_list_empty(&b->ending) || !qms_list_empty(&b->reap)) {
        return b->now;
    }
    qms_time at = qms_logs_next_at(b->conf);
    at = b->tick_at < at ? b->tick_at : at;
    return top != NULL && top->at < at ? top->at : at;
}

/* ---- reload and end ---- */

static bool same_modules(const struct qms_chain *chain, const struct qms_conf *conf)
{
    bool same = chain->count == conf->module_count;

    for (size_t i = 0; same && i < chain->count; i++) {
        same = chain->modules[i] == conf->modules[i];
    }
    return same;
}

void qms_broker_reload(struct qms_broker *b, struct qms_conf *conf, qms_time now)
{
    struct qms_list *node, *next;
    struct qms_conf *old = b->conf;

    if (!same_modules(&b->chain, conf)) {
        qms_log(QMS_LOG_ERROR, "reload left out: the set of modules differs");
        return;
    }
    b->now = now > b->now ? now : b->now;
    qms_logs_flush(old);
    count_log_lines(b);
    b->conf = qms_conf_ref(conf);
    b->reloads++;
    b->chain.modules = conf->modules;
    qms_peer_limits(b);
    QMS_LIST_FOREACH_SAFE(node, next, &b->peers) {
        struct qms_peer *p = QMS_CONTAINER(node, struct qms_peer, node);
        if (p->server >= conf->server_count) {
            p->server = 0; /* until it is gone; a configuration has a server */
            qms_peer_close(p, QMS_CODE_GOING_AWAY, "the server was removed");
        } else {
            qms_peer_reload(p, now);
        }
        qms_peer_watch(p);
        qms_peer_touch(p);
    }
    qms_upstreams_reload(b, b->now);
    QMS_LIST_FOREACH(node, &b->routes) {
        qms_route_reload(QMS_CONTAINER(node, struct qms_route, node));
    }
    qms_conf_unref(old);
}

/* GOAWAY; the agent has `within` to leave. */
static void send_away(struct qms_peer *p, qms_time within)
{
    struct qms_control m = {.type = QMS_MSG_GOAWAY};

    m.u.goaway.status = QMS_CODE_GOING_AWAY;
    m.u.goaway.deadline_ms = within / QMS_MILLISECOND;
    if (p->state == QMS_PEER_WELCOMED && qms_session_send(p->session, &m) != QMS_OK) {
        qms_peer_close(p, QMS_CODE_GOING_AWAY, "shutting down");
    }
}

static void send_all_away(struct qms_broker *b, qms_time within, qms_time now)
{
    struct qms_list *node, *next;

    b->now = now > b->now ? now : b->now;
    qms_upstreams_stop(b);
    QMS_LIST_FOREACH_SAFE(node, next, &b->peers) {
        send_away(QMS_CONTAINER(node, struct qms_peer, node), within);
    }
}

void qms_broker_drain(struct qms_broker *b, qms_time deadline_for, qms_time now)
{
    b->draining = true;
    send_all_away(b, deadline_for, now);
}

void qms_broker_retire(struct qms_broker *b, qms_time deadline_for, qms_time now)
{
    b->retiring = true;
    b->retire_at = now + deadline_for;
    send_all_away(b, deadline_for, now);
}

void qms_peer_welcomed_late(struct qms_peer *p, qms_time now)
{
    if (p->broker->retiring && !p->broker->draining) {
        send_away(p, p->broker->retire_at > now ? p->broker->retire_at - now : 0);
    }
}

void qms_broker_close_all(struct qms_broker *b, uint8_t code, const char *reason)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &b->peers) {
        qms_peer_close(QMS_CONTAINER(node, struct qms_peer, node), code, reason);
    }
}

/* ---- questions ---- */

size_t qms_broker_peer_count(const struct qms_broker *b)
{
    return b->peer_count;
}

size_t qms_broker_route_count(const struct qms_broker *b)
{
    return b->route_count;
}

struct qms_conf *qms_broker_conf(struct qms_broker *b)
{
    return b->conf;
}

bool qms_broker_draining(const struct qms_broker *b)
{
    return b->draining;
}

struct qms_stats_page *qms_broker_stats(struct qms_broker *b)
{
    return b->stats;
}

void *qms_broker_module_worker(struct qms_broker *b, size_t module)
{
    return module < b->chain.count ? b->chain.worker[module] : NULL;
}
