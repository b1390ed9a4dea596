/* SPDX-License-Identifier: MIT */
/* The context and its turn: receive, expire, run callbacks, send, reap.  Everything that
 * happens in the library happens in a turn; calls between turns only queue and ask for one. */
#include <quicms/version.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/client_i.h"

/* Callbacks may cause events (a stream opened and killed at once) and sending may too; what is
 * left after this many rounds waits for the next turn, so that one turn always ends. */
#define TURN_ROUNDS 8

qms_err qms_client_new_bare(struct qms_client **out)
{
    struct qms_client *client = qms_calloc(1, sizeof(*client));
    qms_err err;

    if (client == NULL) {
        return QMS_E_NOMEM;
    }
    err = qms_mailbox_new(&client->mail);
    if (err != QMS_OK) {
        qms_free(client);
        return err;
    }
    qms_list_init(&client->connections);
    qms_list_init(&client->due);
    qms_list_init(&client->touched);
    qms_list_init(&client->reap_connections);
    qms_list_init(&client->reap_streams);
    qms_list_init(&client->listeners);
    qms_list_init(&client->due_listeners);
    *out = client;
    return QMS_OK;
}

qms_err qms_client_new(struct qms_client **out)
{
    struct qms_client *client = NULL;
    qms_err err = qms_client_new_bare(&client);

    if (err != QMS_OK) {
        return err;
    }
    client->now = qms_clock_now();
    err = qms_driver_new(client, &client->driver);
    if (err != QMS_OK) {
        qms_client_free(client);
        return err;
    }
    *out = client;
    return QMS_OK;
}

static void reap(struct qms_client *client)
{
    struct qms_list *node;

    while ((node = qms_list_first(&client->reap_streams)) != NULL) {
        qms_stream_destroy(QMS_CONTAINER(node, struct qms_stream, reap_node));
    }
    while ((node = qms_list_first(&client->reap_connections)) != NULL) {
        qms_connection_destroy(QMS_CONTAINER(node, struct qms_connection, reap_node));
    }
}

/* Tells the other sides, without waiting for them. */
static void close_all(struct qms_client *client)
{
    struct qms_list *node, *next, *sn;

    QMS_LIST_FOREACH_SAFE(node, next, &client->connections) {
        struct qms_connection *c = QMS_CONTAINER(node, struct qms_connection, node);

        c->cb = (struct qms_connection_callbacks){0};
        QMS_LIST_FOREACH(sn, &c->streams) {
            QMS_CONTAINER(sn, struct qms_stream, node)->cb = (struct qms_stream_callbacks){0};
        }
        qms_dial_stop(c);
        qms_connection_close(c, QMS_CODE_GOING_AWAY, NULL);
    }
}

/* Sessions before their links, links before the trust that their connections hold. */
static void cut_all(struct qms_client *client)
{
    struct qms_list *node, *sn;

    QMS_LIST_FOREACH(node, &client->connections) {
        struct qms_connection *c = QMS_CONTAINER(node, struct qms_connection, node);

        QMS_LIST_FOREACH(sn, &c->streams) {
            QMS_CONTAINER(sn, struct qms_stream, node)->session_stream = NULL;
        }
        qms_session_free(c->session);
        c->session = NULL;
        qms_parting_free(c);
        qms_dial_free(c->dial);
        c->dial = NULL;
        qms_taken_leave(c);
    }
}

static void destroy_all(struct qms_client *client)
{
    struct qms_list *node, *sn;

    while ((node = qms_list_first(&client->connections)) != NULL) {
        struct qms_connection *c = QMS_CONTAINER(node, struct qms_connection, node);

        while ((sn = qms_list_first(&c->streams)) != NULL) {
            qms_stream_destroy(QMS_CONTAINER(sn, struct qms_stream, node));
        }
        qms_connection_destroy(c);
    }
}

void qms_client_free(struct qms_client *client)
{
    if (client == NULL) {
        return;
    }
    qms_client_join(client);
    client->in_turn = true; /* nothing wakes any more */
    close_all(client);
    qms_mailbox_close(client->mail);
    if (client->driver != NULL) {
        client->driver->ops->flush(client->driver, qms_clock_now());
    }
    cut_all(client);
    qms_listeners_reap(client, true);
    if (client->driver != NULL) {
        client->driver->ops->free(client->driver);
    }
    destroy_all(client);
    qms_heap_fini(&client->timers);
    qms_mailbox_unref(client->mail);
    qms_free(client);
}

qms_time qms_client_now(const struct qms_client *client)
{
    return client->in_turn || client->driver == NULL ? client->now : qms_clock_now();
}

void qms_client_wake(struct qms_client *client)
{
    if (!client->in_turn && !client->awake) {
        client->awake = true;
        qms_mailbox_wake(client->mail);
    }
}

static void expire_timers(struct qms_client *client)
{
    struct qms_heap_node *top;

    while ((top = qms_heap_top(&client->timers)) != NULL && top->at <= client->now) {
        struct qms_connection *c = QMS_CONTAINER(top, struct qms_connection, timer);

        qms_heap_remove(&client->timers, top);
        qms_connection_touch(c);
        qms_connection_expire(c, client->now);
    }
}

/* Each connection once: what becomes due meanwhile waits for the next round. */
static void dispatch(struct qms_client *client)
{
    struct qms_list round, *node;

    qms_list_init(&round);
    while ((node = qms_list_first(&client->due)) != NULL) {
        qms_list_remove(node);
        qms_list_append(&round, node);
    }
    while ((node = qms_list_first(&round)) != NULL) {
        qms_list_remove(node);
        qms_connection_dispatch(QMS_CONTAINER(node, struct qms_connection, due_node));
    }
}

/* There is room in the heap for each connection since it was made. */
static void set_timers(struct qms_client *client)
{
    struct qms_list *node;

    while ((node = qms_list_first(&client->touched)) != NULL) {
        struct qms_connection *c = QMS_CONTAINER(node, struct qms_connection, touched_node);

        (void)!qms_heap_set(&client->timers, &c->timer, qms_connection_next_at(c));
        qms_list_remove(node);
    }
}

void qms_client_turn(struct qms_client *client, qms_time now)
{
    struct qms_driver *driver = client->driver;

    client->now = now;
    client->in_turn = true;
    client->awake = false;
    if (driver != NULL) {
        driver->ops->receive(driver, now);
    } else {
        qms_mailbox_run(client->mail, client);
    }
    expire_timers(client);
    for (int i = 0; i < TURN_ROUNDS; i++) {
        dispatch(client);
        qms_listeners_dispatch(client);
        if (driver != NULL) {
            driver->ops->flush(driver, now);
        }
        if (qms_list_empty(&client->due)) {
            break;
        }
    }
    reap(client);
    qms_listeners_reap(client, false);
    set_timers(client);
    client->in_turn = false;
}

qms_time qms_client_next_at(const struct qms_client *client)
{
    const struct qms_heap_node *top = qms_heap_top(&client->timers);
    qms_time at = top == NULL ? QMS_NEVER : top->at, other;

    if (client->awake || !qms_list_empty(&client->due) ||
        !qms_list_empty(&client->due_listeners)) {
        return 0;
    }
    if (client->driver != NULL) {
        other = client->driver->ops->next_at(client->driver);
        at = other < at ? other : at;
    }
    return at;
}

int qms_client_fd(const struct qms_client *client)
{
    return client->driver == NULL ? -1 : client->driver->ops->fd(client->driver);
}

int qms_client_timeout(const struct qms_client *client)
{
    qms_time at = qms_client_next_at(client), now, ms;

    if (at == QMS_NEVER) {
        return -1;
    }
    now = qms_client_now(client);
    if (at <= now) {
        return 0;
    }
    ms = (at - now + QMS_MILLISECOND - 1) / QMS_MILLISECOND;
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

void qms_client_process(struct qms_client *client)
{
    qms_client_turn(client, qms_clock_now());
    client->driver->ops->arm(client->driver, qms_client_next_at(client));
}

qms_err qms_client_run(struct qms_client *client, qms_time duration)
{
    qms_time end = duration == QMS_NEVER ? QMS_NEVER : qms_clock_now() + duration;
    qms_err err = QMS_OK;

    while (err == QMS_OK) {
        qms_time at;

        qms_client_turn(client, qms_clock_now());
        if (client->stop) {
            break;
        }
        at = qms_client_next_at(client);
        if (end != QMS_NEVER && qms_clock_now() >= end) {
            err = QMS_E_TIMEOUT;
        } else if (at != 0) {
            err = client->driver->ops->wait(client->driver, at < end ? at : end);
        }
    }
    client->stop = false;
    client->driver->ops->arm(client->driver, qms_client_next_at(client));
    return err;
}

void qms_client_stop(struct qms_client *client)
{
    client->stop = true;
    qms_client_wake(client);
}

struct post {
    struct qms_letter letter;
    void (*fn)(struct qms_client *client, void *arg);
    void *arg;
};

static void post_deliver(void *to, struct qms_letter *letter)
{
    struct post *post = QMS_CONTAINER(letter, struct post, letter);

    post->fn(to, post->arg);
    qms_free(post);
}

static void post_drop(struct qms_letter *letter)
{
    qms_free(QMS_CONTAINER(letter, struct post, letter));
}

qms_err qms_client_post(struct qms_client *client,
                        void (*fn)(struct qms_client *client, void *arg), void *arg)
{
    struct post *post = qms_calloc(1, sizeof(*post));
    qms_err err;

    if (post == NULL) {
        return QMS_E_NOMEM;
    }
    post->letter = (struct qms_letter){.deliver = post_deliver, .drop = post_drop};
    post->fn = fn;
    post->arg = arg;
    err = qms_mailbox_post(client->mail, &post->letter, false);
    if (err != QMS_OK) {
        qms_free(post);
    }
    return err;
}

const char *qms_client_error(const struct qms_client *client)
{
    return client->error;
}

const char *qms_client_version(void)
{
    return QUICMS_VERSION;
}
