/* SPDX-License-Identifier: MIT */
/* One connection from qms_connect to on_closed: its states, its session, and when its callbacks
 * run. */
#include <stdio.h>
#include <string.h>

#include <quicms/listen.h>

#include "base/mem.h"
#include "client/client_i.h"

qms_err qms_connection_new(struct qms_client *client, const struct qms_options *options,
                           const struct qms_connection_callbacks *callbacks, void *arg,
                           struct qms_connection **out)
{
    struct qms_connection *c;

    if (callbacks != NULL && callbacks->size == 0) {
        return QMS_E_INVALID;
    }
    c = qms_calloc(1, sizeof(*c));
    if (c == NULL ||
        qms_heap_reserve(&client->timers, client->connection_count + 1) != QMS_OK ||
        qms_options_copy(&c->settings, options, false) != QMS_OK) {
        qms_free(c);
        return QMS_E_NOMEM;
    }
    c->client = client;
    c->arg = arg;
    if (callbacks != NULL) {
        memcpy(&c->cb, callbacks,
               callbacks->size < sizeof(c->cb) ? callbacks->size : sizeof(c->cb));
    }
    qms_list_init(&c->due_node);
    qms_list_init(&c->touched_node);
    qms_list_init(&c->reap_node);
    qms_list_init(&c->events);
    qms_list_init(&c->streams);
    qms_list_init(&c->due_streams);
    qms_list_init(&c->requests);
    qms_list_init(&c->members);
    qms_list_init(&c->confirming);
    qms_list_init(&c->pings);
    qms_list_append(&client->connections, &c->node);
    client->connection_count++;
    c->deadline = qms_client_now(client) + c->settings.connect_for;
    c->reconnect_at = c->leave_at = QMS_NEVER;
    client->attempted++;
    qms_connection_touch(c);
    *out = c;
    return QMS_OK;
}

void qms_connection_destroy(struct qms_connection *c)
{
    struct qms_client *client = c->client;

    client->bytes_sent += c->last_stats[QMS_CONNECTION_BYTES_SENT];
    client->bytes_received += c->last_stats[QMS_CONNECTION_BYTES_RECEIVED];
    qms_heap_remove(&client->timers, &c->timer);
    qms_list_remove(&c->node);
    client->connection_count--;
    qms_list_remove(&c->due_node);
    qms_list_remove(&c->touched_node);
    qms_list_remove(&c->reap_node);
    qms_events_clear(c);
    qms_pings_forget(c);
    qms_requests_clear(c);
    qms_heap_fini(&c->calls);
    qms_members_clear(c);
    qms_free(c->redirect);
    qms_session_free(c->session);
    qms_parting_free(c);
    qms_dial_free(c->dial);
    qms_taken_free(c);
    qms_options_fini(&c->settings);
    qms_free(c);
}

static const char *token_of(const struct qms_connection *c)
{
    const char *token = c->settings.token;

    if (c->settings.token_fn != NULL) {
        token = c->settings.token_fn(c->settings.token_arg);
    }
    return token != NULL && token[0] != '\0' && strlen(token) <= QMS_AUTH_MAX ? token : NULL;
}

static qms_err send_hello(struct qms_connection *c)
{
    char software[64];
    struct qms_control m = {.type = QMS_MSG_HELLO};
    const char *token = token_of(c);

    (void)snprintf(software, sizeof(software), "quicms-client/%s", qms_client_version());
    m.u.hello.min_version = m.u.hello.max_version = QMS_WIRE_VERSION;
    m.u.hello.software = (struct qms_bytes){(const uint8_t *)software, strlen(software)};
    if (c->settings.agent_id != NULL) {
        m.u.hello.agent_id = (struct qms_bytes){(const uint8_t *)c->settings.agent_id,
                                                strlen(c->settings.agent_id)};
    }
    if (token != NULL) {
        m.u.hello.auth_scheme = QMS_AUTH_TOKEN;
        m.u.hello.auth = (struct qms_bytes){(const uint8_t *)token, strlen(token)};
    }
    if (token == NULL && c->settings.shows_certificate) {
        m.u.hello.auth_scheme = QMS_AUTH_CERTIFICATE; /* TLS has shown it */
    }
    return qms_session_hello(c->session, &m);
}

qms_err qms_connection_start(struct qms_connection *c, struct qms_link *link)
{
    qms_err err;

    c->session = qms_session_new(link, true, NULL, &qms_client_session_events, c);
    if (c->session == NULL) {
        qms_link_abandon(link);
        return QMS_E_NOMEM;
    }
    err = send_hello(c);
    if (err != QMS_OK) {
        qms_session_close(c->session, QMS_CODE_INTERNAL, NULL);
        qms_session_free(c->session); /* before the link was ever ready */
        c->session = NULL;
    } else if (link->early) {
        qms_streams_launch_early(c);
    }
    qms_connection_touch(c);
    return err;
}

void qms_connection_became_ready(struct qms_connection *c)
{
    struct qms_list *node, *next;

    c->state = QMS_CONN_READY;
    c->ready_at = c->client->now;
    c->ready_due = true;
    QMS_LIST_FOREACH_SAFE(node, next, &c->streams) {
        qms_stream_launch(QMS_CONTAINER(node, struct qms_stream, node));
    }
    qms_members_join(c);
    qms_connection_due(c);
    qms_connection_touch(c);
}

static void copy_callbacks(struct qms_connection *c, const struct qms_connection_callbacks *cb,
                           void *arg)
{
    c->cb = (struct qms_connection_callbacks){0};
    c->arg = arg;
    if (cb != NULL) {
        memcpy(&c->cb, cb, cb->size < sizeof(c->cb) ? cb->size : sizeof(c->cb));
    }
}

qms_err qms_connection_set_callbacks(struct qms_connection *c,
                                     const struct qms_connection_callbacks *callbacks,
                                     void *arg)
{
    if (callbacks != NULL && callbacks->size == 0) {
        return QMS_E_INVALID;
    }
    copy_callbacks(c, callbacks, arg);
    return QMS_OK;
}

/* ---- ends ---- */

static void finish_streams(struct qms_connection *c)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &c->streams) {
        struct qms_stream *st = QMS_CONTAINER(node, struct qms_stream, node);

        if (st->waiting || st->fate_is_closing || st->confirming) {
            qms_stream_kill(st, c->close_err == QMS_OK ? QMS_E_CLOSED : c->close_err);
        }
    }
}

/* Also where the session has just ended. */
void qms_connection_fail(struct qms_connection *c, qms_err err, const char *reason)
{
    if (c->state == QMS_CONN_CLOSED) {
        return;
    }
    if (qms_reconnect_try(c, err, reason)) {
        qms_dial_stop(c);
        return;
    }
    if (c->state == QMS_CONN_DIALING && c->taken == NULL) {
        c->client->failed++;
    }
    if (c->state != QMS_CONN_CLOSING) {
        c->close_err = err;
        (void)snprintf(c->close_reason, sizeof(c->close_reason), "%s", reason);
    }
    if (qms_parting_close_all(c, QMS_CODE_OK)) {
        c->state = QMS_CONN_CLOSING; /* their last word ends it */
        qms_dial_stop(c);
        return;
    }
    c->state = QMS_CONN_CLOSED;
    c->closed_due = true;
    qms_dial_stop(c);
    qms_taken_ended(c);
    finish_streams(c);
    qms_requests_lost(c);
    qms_members_end(c, c->close_err);
    qms_connection_due(c);
    qms_connection_touch(c);
    qms_connection_check_reap(c);
}

void qms_connection_close(struct qms_connection *c, uint8_t code, const char *reason)
{
    char cut[QMS_REASON_MAX + 1];

    if (c->state == QMS_CONN_CLOSED || c->state == QMS_CONN_CLOSING) {
        return;
    }
    (void)snprintf(cut, sizeof(cut), "%s", reason == NULL ? "" : reason);
    if (c->state == QMS_CONN_DIALING && c->taken == NULL) {
        c->client->failed++;
    }
    c->state = QMS_CONN_CLOSING;
    c->close_err = qms_err_from_code(code);
    c->close_code = code;
    (void)snprintf(c->close_reason, sizeof(c->close_reason), "%s", cut);
    (void)qms_parting_close_all(c, code);
    if (c->session == NULL) {
        qms_connection_fail(c, c->close_err, cut);
        return;
    }
    qms_session_close(c->session, code, cut);
    qms_connection_touch(c);
}

void qms_connection_release(struct qms_connection *c)
{
    if (c == NULL) {
        return;
    }
    c->cb = (struct qms_connection_callbacks){0};
    c->released = true;
    qms_connection_close(c, QMS_CODE_OK, NULL);
    qms_connection_check_reap(c);
}

void qms_connection_check_reap(struct qms_connection *c)
{
    if (c->released && c->state == QMS_CONN_CLOSED && qms_list_empty(&c->streams) &&
        qms_list_empty(&c->reap_node)) {
        qms_list_append(&c->client->reap_connections, &c->reap_node);
        qms_client_wake(c->client);
    }
}

/* ---- turn ---- */

void qms_connection_due(struct qms_connection *c)
{
    if (qms_list_empty(&c->due_node)) {
        qms_list_append(&c->client->due, &c->due_node);
        qms_client_wake(c->client);
    }
}

void qms_connection_touch(struct qms_connection *c)
{
    if (qms_list_empty(&c->touched_node)) {
        qms_list_append(&c->client->touched, &c->touched_node);
    }
    qms_client_wake(c->client);
}

static void dispatch_streams(struct qms_connection *c)
{
    struct qms_list round, *node;

    qms_list_init(&round);
    while ((node = qms_list_first(&c->due_streams)) != NULL) {
        qms_list_remove(node);
        qms_list_append(&round, node);
    }
    while ((node = qms_list_first(&round)) != NULL) {
        qms_list_remove(node);
        qms_stream_dispatch(QMS_CONTAINER(node, struct qms_stream, due_node));
    }
}

void qms_connection_dispatch(struct qms_connection *c)
{
    if (c->ready_due) {
        c->ready_due = false;
        if (c->cb.on_ready != NULL) {
            c->cb.on_ready(c, c->arg);
        }
    }
    qms_taken_dispatch(c);
    qms_events_dispatch(c);
    dispatch_streams(c);
    qms_reconnect_check_leave(c);
    if (!qms_list_empty(&c->events) || !qms_list_empty(&c->due_streams)) {
        qms_connection_due(c); /* the next round; on_closed comes after them */
        return;
    }
    if (c->closed_due) {
        c->closed_due = false;
        if (c->cb.on_closed != NULL) {
            c->cb.on_closed(c, c->arg, c->close_err, c->close_code, c->close_reason);
        }
    }
}

qms_time qms_connection_next_at(const struct qms_connection *c)
{
    qms_time at = qms_reconnect_next_at(c), other = qms_parting_next_at(c);

    at = other < at ? other : at;
    if (c->session != NULL) {
        other = qms_session_next_at(c->session);
        at = other < at ? other : at;
    }
    if (c->taken != NULL && qms_taken_next_at(c) < at) {
        at = qms_taken_next_at(c);
    }
    if (qms_heap_top(&c->calls) != NULL) {
        other = qms_heap_top(&c->calls)->at;
        at = other < at ? other : at;
    }
    if (c->state == QMS_CONN_DIALING) {
        at = c->deadline < at ? c->deadline : at;
        if (c->dial != NULL) {
            other = qms_dial_next_at(c);
            at = other < at ? other : at;
        }
    }
    return at;
}

static void give_up(struct qms_connection *c)
{
    char why[QMS_ERROR_TEXT_MAX] = "The connection was not ready within its deadline.";

    if (c->dial != NULL) {
        qms_dial_stop(c);
        qms_dial_explain(c, QMS_E_TIMEOUT, why, sizeof(why));
    }
    if (c->session == NULL) {
        qms_connection_fail(c, QMS_E_TIMEOUT, why);
        return;
    }
    if (c->settings.reconnect_min > 0) {
        c->timed_out = true; /* its on_closed decides about the next attempt */
        c->deadline = QMS_NEVER;
        qms_session_close(c->session, QMS_CODE_TIMEOUT, NULL);
        return;
    }
    qms_connection_close(c, QMS_CODE_TIMEOUT, NULL);
    c->close_err = QMS_E_TIMEOUT;
    (void)snprintf(c->close_reason, sizeof(c->close_reason), "%s", why);
}

void qms_connection_expire(struct qms_connection *c, qms_time now)
{
    if (c->session != NULL) {
        qms_session_expire(c->session, now);
    }
    qms_parting_expire(c, now);
    qms_calls_expire(c, now);
    qms_taken_expire(c, now);
    qms_reconnect_expire(c, now);
    if (c->state != QMS_CONN_DIALING) {
        return;
    }
    if (now >= c->deadline) {
        give_up(c);
    } else if (c->dial != NULL && now >= qms_dial_next_at(c)) {
        qms_dial_step(c, now);
    }
}

/* ---- what the handle tells ---- */

qms_err qms_connection_check_open(const struct qms_connection *c)
{
    return c->state == QMS_CONN_DIALING || c->state == QMS_CONN_READY ? QMS_OK : QMS_E_CLOSED;
}

bool qms_connection_is_closed(const struct qms_connection *c)
{
    return qms_connection_check_open(c) != QMS_OK;
}

bool qms_connection_is_ready(const struct qms_connection *c)
{
    return c->state == QMS_CONN_READY;
}

void *qms_connection_arg(const struct qms_connection *c)
{
    return c->arg;
}

struct qms_client *qms_connection_client(const struct qms_connection *c)
{
    return c->client;
}

const char *qms_connection_id(const struct qms_connection *c)
{
    return c->id;
}

/* The last known addresses stay readable after the end. */
static void read_addresses(struct qms_connection *c)
{
    struct qms_link *link = c->session == NULL ? NULL : qms_session_link(c->session);
    const struct sockaddr *remote = NULL, *local = NULL;

    if (link != NULL && link->ops->addresses != NULL) {
        link->ops->addresses(link, &remote, &local);
        qms_address_text(remote, c->remote, sizeof(c->remote));
        qms_address_text(local, c->local, sizeof(c->local));
    }
}

qms_err qms_connection_migrate(struct qms_connection *c)
{
    qms_err err = qms_connection_check_ready(c);
    struct qms_link *link = err == QMS_OK ? qms_session_link(c->session) : NULL;

    if (err != QMS_OK) {
        return err;
    }
    if (link->ops->migrate == NULL) {
        return QMS_E_UNSUPPORTED;
    }
    err = link->ops->migrate(link);
    qms_connection_touch(c);
    return err;
}

const char *qms_connection_remote_address(struct qms_connection *c)
{
    read_addresses(c);
    return c->remote;
}

const char *qms_connection_local_address(struct qms_connection *c)
{
    read_addresses(c);
    return c->local;
}
