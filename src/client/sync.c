/* SPDX-License-Identifier: MIT */
/* Connections that block.  Waiting is turns of the context until a condition holds, which looks
 * at the state beneath; so no callback has to tell anything. */
#include "client/sync.h"

#include "base/clock.h"
#include "base/mem.h"
#include "client/listener.h"

/* ---- context ---- */

qms_err qms_sync_context_new(struct qms_sync_context **out)
{
    struct qms_sync_context *x = qms_calloc(1, sizeof(*x));
    qms_err err;

    if (x == NULL) {
        return QMS_E_NOMEM;
    }
    x->refs = 1;
    err = qms_client_new(&x->client);
    if (err != QMS_OK) {
        qms_free(x);
        return err;
    }
    *out = x;
    return QMS_OK;
}

struct qms_sync_context *qms_sync_context_ref(struct qms_sync_context *x)
{
    x->refs++;
    return x;
}

void qms_sync_context_unref(struct qms_sync_context *x)
{
    if (x != NULL && --x->refs == 0) {
        qms_client_free(x->client);
        qms_free(x);
    }
}

qms_time qms_sync_end(qms_time timeout)
{
    qms_time now = qms_clock_now();

    return timeout >= QMS_NEVER - now ? QMS_NEVER : now + timeout;
}

qms_err qms_sync_wait(struct qms_sync_context *x, qms_time end, bool (*done)(const void *arg),
                      const void *arg)
{
    struct qms_driver *driver = x->client->driver;
    qms_err err = QMS_OK;

    while (err == QMS_OK) {
        qms_time at;

        qms_client_turn(x->client, qms_clock_now());
        if (done(arg)) {
            return QMS_OK;
        }
        if (end != QMS_NEVER && qms_clock_now() >= end) {
            return QMS_E_TIMEOUT;
        }
        at = qms_client_next_at(x->client);
        if (at != 0) {
            err = driver->ops->wait(driver, at < end ? at : end);
        }
    }
    return err;
}

/* ---- connections ---- */

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    struct qms_sync_connection *s = arg;
    struct qms_sync_stream *w = NULL;

    (void)c;
    if (qms_sync_stream_new(s->context, st, &w) == QMS_OK) {
        qms_list_append(&s->streams, &w->node);
    }
}

const struct qms_connection_callbacks qms_sync_connection_callbacks = {
    .size = sizeof(struct qms_connection_callbacks),
    .on_stream = on_stream,
};

static struct qms_sync_connection *connection_new(struct qms_sync_context *x)
{
    struct qms_sync_connection *s = qms_calloc(1, sizeof(*s));

    if (s != NULL) {
        s->context = qms_sync_context_ref(x);
        qms_list_init(&s->node);
        qms_list_init(&s->streams);
    }
    return s;
}

static bool ready_or_closed(const void *arg)
{
    const struct qms_sync_connection *s = arg;

    return s->c->state == QMS_CONN_READY || s->c->state == QMS_CONN_CLOSED;
}

static qms_err connect_by(struct qms_sync_connection *s, const struct qms_options *options,
                          const char *url, qms_time end)
{
    qms_err err =
        qms_connect(s->context->client, options, url, &qms_sync_connection_callbacks, s, &s->c);

    if (err == QMS_OK) {
        err = qms_sync_wait(s->context, end, ready_or_closed, s);
    }
    if (err == QMS_OK && s->c->state == QMS_CONN_CLOSED) {
        err = s->c->close_err == QMS_OK ? QMS_E_CLOSED : s->c->close_err;
    }
    return err;
}

qms_err qms_sync_connect(const struct qms_options *options, const char *url, qms_time timeout,
                         struct qms_sync_connection **out)
{
    qms_time end = qms_sync_end(timeout);
    struct qms_sync_context *x = NULL;
    struct qms_sync_connection *s;
    qms_err err = qms_sync_context_new(&x);

    if (err != QMS_OK) {
        return err;
    }
    s = connection_new(x);
    qms_sync_context_unref(x);
    if (s == NULL) {
        return QMS_E_NOMEM;
    }
    err = connect_by(s, options, url, end);
    if (err != QMS_OK) {
        qms_sync_connection_free(s);
        return err;
    }
    *out = s;
    return QMS_OK;
}

static bool closed(const void *arg)
{
    return ((const struct qms_sync_connection *)arg)->c->state == QMS_CONN_CLOSED;
}

qms_err qms_sync_close(struct qms_sync_connection *s, uint8_t code, const char *reason,
                       qms_time timeout)
{
    qms_connection_close(s->c, code, reason);
    return qms_sync_wait(s->context, qms_sync_end(timeout), closed, s);
}

void qms_sync_connection_free(struct qms_sync_connection *s)
{
    struct qms_list *node;

    if (s == NULL) {
        return;
    }
    while ((node = qms_list_first(&s->streams)) != NULL) {
        qms_sync_stream_free(QMS_CONTAINER(node, struct qms_sync_stream, node));
    }
    qms_list_remove(&s->node);
    qms_connection_release(s->c);
    qms_sync_context_unref(s->context);
    qms_free(s);
}

struct qms_connection *qms_sync_connection_handle(const struct qms_sync_connection *s)
{
    return s->c;
}

/* ---- listeners ---- */

static void on_connection(struct qms_listener *l, void *arg, struct qms_connection *c)
{
    struct qms_sync_listener *s = arg;
    struct qms_sync_connection *w = connection_new(s->context);

    (void)l;
    if (w == NULL) {
        qms_connection_close(c, QMS_CODE_BUSY, NULL);
        qms_connection_release(c);
        return;
    }
    w->c = c;
    (void)!qms_connection_set_callbacks(c, &qms_sync_connection_callbacks, w);
    qms_list_append(&s->waiting, &w->node);
}

static const struct qms_listener_callbacks listener_callbacks = {
    .size = sizeof(struct qms_listener_callbacks),
    .on_connection = on_connection,
};

qms_err qms_sync_listen(const struct qms_options *options, const char *address,
                        struct qms_sync_listener **out)
{
    struct qms_sync_listener *s = qms_calloc(1, sizeof(*s));
    qms_err err = s == NULL ? QMS_E_NOMEM : qms_sync_context_new(&s->context);

    if (err == QMS_OK) {
        qms_list_init(&s->waiting);
        err = qms_listen(s->context->client, options, address, &listener_callbacks, s, &s->l);
        if (err != QMS_OK) {
            qms_sync_context_unref(s->context);
        }
    }
    if (err != QMS_OK) {
        qms_free(s);
        return err;
    }
    *out = s;
    return QMS_OK;
}

static bool somebody_waits(const void *arg)
{
    return !qms_list_empty(&((const struct qms_sync_listener *)arg)->waiting);
}

qms_err qms_sync_accept(struct qms_sync_listener *s, qms_time timeout,
                        struct qms_sync_connection **out)
{
    qms_err err = qms_sync_wait(s->context, qms_sync_end(timeout), somebody_waits, s);

    if (err == QMS_OK) {
        struct qms_list *node = qms_list_first(&s->waiting);

        qms_list_remove(node);
        *out = QMS_CONTAINER(node, struct qms_sync_connection, node);
    }
    return err;
}

void qms_sync_listener_free(struct qms_sync_listener *s)
{
    struct qms_list *node;

    if (s == NULL) {
        return;
    }
    while ((node = qms_list_first(&s->waiting)) != NULL) {
        qms_sync_connection_free(QMS_CONTAINER(node, struct qms_sync_connection, node));
    }
    qms_listener_release(s->l);
    qms_client_turn(s->context->client, qms_clock_now()); /* the closes leave */
    qms_sync_context_unref(s->context);
    qms_free(s);
}

struct qms_listener *qms_sync_listener_handle(const struct qms_sync_listener *s)
{
    return s->l;
}
