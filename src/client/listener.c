/* SPDX-License-Identifier: MIT */
/* Life of a listener and of the connections that it has taken. */
#include "client/listener.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define LABEL(name, label) label,
static const char *const labels[] = {QMS_LISTENER_STAT_TABLE(LABEL)};
#undef LABEL

/* ---- life ---- */

static qms_err check_callbacks(const struct qms_listener_callbacks *cb)
{
    size_t needed =
        offsetof(struct qms_listener_callbacks, on_connection) + sizeof(cb->on_connection);

    return cb == NULL || cb->size < needed || cb->on_connection == NULL ? QMS_E_INVALID
                                                                        : QMS_OK;
}

qms_err qms_listener_new(struct qms_client *client, const struct qms_options *options,
                         const struct qms_listener_callbacks *callbacks, void *arg,
                         struct qms_listener **out)
{
    struct qms_listener *l;
    qms_err err = check_callbacks(callbacks);

    if (err != QMS_OK) {
        return err;
    }
    l = qms_calloc(1, sizeof(*l));
    if (l == NULL) {
        return QMS_E_NOMEM;
    }
    l->gate = qms_gate_new(options->rate_all, options->rate_each);
    err = l->gate == NULL ? QMS_E_NOMEM : qms_options_copy(&l->settings, options, true);
    if (err != QMS_OK) {
        qms_gate_free(l->gate);
        qms_free(l);
        return err;
    }
    l->client = client;
    l->arg = arg;
    memcpy(&l->cb, callbacks,
           callbacks->size < sizeof(l->cb) ? callbacks->size : sizeof(l->cb));
    qms_list_init(&l->due_node);
    qms_list_init(&l->connections);
    qms_list_append(&client->listeners, &l->node);
    l->stop_at = QMS_NEVER;
    *out = l;
    return QMS_OK;
}

void qms_listener_destroy(struct qms_listener *l)
{
    struct qms_list *node;

    while ((node = qms_list_first(&l->connections)) != NULL) {
        struct qms_taken *t = QMS_CONTAINER(node, struct qms_taken, node);

        qms_list_remove(node);
        t->listener = NULL;
    }
    if (l->source != NULL) {
        l->source->free(l);
    }
    qms_list_remove(&l->node);
    qms_list_remove(&l->due_node);
    qms_gate_free(l->gate);
    qms_options_fini(&l->settings);
    qms_free(l);
}

static void due(struct qms_listener *l)
{
    if (qms_list_empty(&l->due_node)) {
        qms_list_append(&l->client->due_listeners, &l->due_node);
        qms_client_wake(l->client);
    }
}

/* Callbacks that are due, and what was released. */
void qms_listeners_dispatch(struct qms_client *client)
{
    struct qms_list *node;

    while ((node = qms_list_first(&client->due_listeners)) != NULL) {
        struct qms_listener *l = QMS_CONTAINER(node, struct qms_listener, due_node);

        qms_list_remove(node);
        if (!l->released && l->stopping && l->active == 0 && !l->stopped_told) {
            l->stopped_told = true;
            if (l->cb.on_stopped != NULL) {
                l->cb.on_stopped(l, l->arg);
            }
        }
    }
}

void qms_listeners_reap(struct qms_client *client, bool all)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &client->listeners) {
        struct qms_listener *l = QMS_CONTAINER(node, struct qms_listener, node);

        if (l->released || all) {
            qms_listener_destroy(l);
        }
    }
}

/* ---- connections ---- */

static void taken_free(struct qms_taken *t)
{
    if (t->token != NULL) {
        qms_memzero(t->token, t->token_len);
        qms_free(t->token);
    }
    qms_list_remove(&t->node);
    qms_free(t);
}

void qms_taken_free(struct qms_connection *c)
{
    if (c->taken != NULL) {
        qms_taken_leave(c);
        taken_free(c->taken);
        c->taken = NULL;
    }
}

void qms_taken_leave(struct qms_connection *c)
{
    if (c->taken != NULL && c->taken->place != NULL) {
        c->taken->leave(c->taken->place);
        c->taken->place = NULL;
    }
}

struct qms_bytes qms_taken_peer(const struct qms_connection *c)
{
    return (struct qms_bytes){(const uint8_t *)c->taken->peer_id, strlen(c->taken->peer_id)};
}

qms_time qms_taken_next_at(const struct qms_connection *c)
{
    return c->state == QMS_CONN_CLOSED || c->state == QMS_CONN_CLOSING ? QMS_NEVER
                                                                       : c->taken->close_at;
}

void qms_taken_expire(struct qms_connection *c, qms_time now)
{
    if (c->taken != NULL && qms_taken_next_at(c) <= now) {
        qms_connection_close(c, QMS_CODE_GOING_AWAY, NULL);
    }
}

void qms_taken_ended(struct qms_connection *c)
{
    struct qms_taken *t = c->taken;

    if (t == NULL || t->listener == NULL || qms_list_empty(&t->node)) {
        return;
    }
    qms_list_remove(&t->node);
    t->listener->active--;
    if (t->listener->stopping) {
        due(t->listener);
    }
}

static qms_err make(struct qms_listener *l, struct qms_connection **out)
{
    struct qms_taken *t = qms_calloc(1, sizeof(*t));
    qms_err err;

    if (t == NULL) {
        return QMS_E_NOMEM;
    }
    err = qms_connection_new(l->client, &l->settings, NULL, NULL, out);
    if (err != QMS_OK) {
        qms_free(t);
        return err;
    }
    l->client->attempted--; /* that is for those of its own */
    (*out)->settings.reconnect_min = (*out)->settings.reconnect_max = 0;
    (*out)->taken = t;
    t->c = *out;
    (*out)->released = true; /* nobody's, before on_connection */
    t->listener = l;
    t->close_at = QMS_NEVER;
    qms_list_append(&l->connections, &t->node);
    l->active++;
    return QMS_OK;
}

qms_err qms_listener_take(struct qms_listener *l, struct qms_link *link,
                          struct qms_connection **out)
{
    const struct sockaddr *remote = NULL, *local = NULL;
    struct qms_connection *c = NULL;
    qms_err err = make(l, &c);

    *out = NULL;
    if (err != QMS_OK) {
        qms_link_abandon(link);
        return err;
    }
    if (link->ops->addresses != NULL) {
        link->ops->addresses(link, &remote, &local);
    }
    c->taken->rate_wait = qms_gate_take(l->gate, remote, link->now);
    c->taken->over_limit = l->active > l->settings.max_connections;
    c->session = qms_session_new(link, false, NULL, &qms_client_session_events, c);
    if (c->session == NULL) {
        qms_link_abandon(link);
        qms_connection_fail(c, QMS_E_NOMEM, "");
        return QMS_E_NOMEM;
    }
    qms_connection_touch(c);
    *out = c;
    return QMS_OK;
}

/* ---- stop ---- */

static void send_away(struct qms_connection *c, qms_time patience, qms_time at)
{
    struct qms_control m = {.type = QMS_MSG_GOAWAY};

    m.u.goaway.status = QMS_CODE_GOING_AWAY;
    m.u.goaway.deadline_ms = patience / QMS_MILLISECOND;
    c->taken->close_at = at < c->taken->close_at ? at : c->taken->close_at;
    if (!c->taken->going_away && c->state == QMS_CONN_READY) {
        /* Without memory the peer learns it by the refusals of its streams. */
        (void)!qms_session_send(c->session, &m);
    }
    c->taken->going_away = true;
    qms_connection_touch(c);
}

void qms_listener_stop(struct qms_listener *l, qms_time patience)
{
    qms_time now = qms_client_now(l->client);
    qms_time at = patience >= QMS_NEVER - now ? QMS_NEVER : now + patience;
    struct qms_list *node;

    l->stopping = true;
    l->stop_at = at < l->stop_at ? at : l->stop_at;
    if (l->source != NULL) {
        l->source->stop(l);
    }
    QMS_LIST_FOREACH(node, &l->connections) {
        struct qms_taken *t = QMS_CONTAINER(node, struct qms_taken, node);

        send_away(t->c, patience, l->stop_at);
    }
    if (l->active == 0) {
        due(l);
    }
}

void qms_listener_release(struct qms_listener *l)
{
    struct qms_list *node;

    if (l == NULL || l->released) {
        return;
    }
    l->cb = (struct qms_listener_callbacks){0};
    l->released = true;
    while ((node = qms_list_first(&l->connections)) != NULL) {
        struct qms_taken *t = QMS_CONTAINER(node, struct qms_taken, node);

        qms_list_remove(node);
        l->active--;
        t->listener = NULL;
        qms_connection_close(t->c, QMS_CODE_GOING_AWAY, NULL);
    }
    qms_client_wake(l->client);
}

/* ---- what the handle tells ---- */

const char *qms_listener_local_address(const struct qms_listener *l)
{
    return l->address;
}

const char *qms_listener_pin(const struct qms_listener *l)
{
    return l->pin;
}

struct qms_client *qms_listener_client(const struct qms_listener *l)
{
    return l->client;
}

const char *qms_listener_stat_name(unsigned stat)
{
    return stat < QMS_LISTENER_STAT_COUNT ? labels[stat] : NULL;
}

void qms_listener_stats(const struct qms_listener *l, uint64_t *values, size_t count)
{
    uint64_t all[QMS_LISTENER_STAT_COUNT];

    memcpy(all, l->stats, sizeof(all));
    all[QMS_LISTENER_ACTIVE] = l->active;
    if (l->source != NULL) {
        l->source->stats(l, &all[QMS_LISTENER_HANDSHAKES_FAILED], &all[QMS_LISTENER_BYTES_SENT],
                         &all[QMS_LISTENER_BYTES_RECEIVED]);
    }
    for (size_t i = 0; i < count; i++) {
        values[i] = i < QMS_LISTENER_STAT_COUNT ? all[i] : 0;
    }
}
