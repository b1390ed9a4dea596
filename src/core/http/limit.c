/* SPDX-License-Identifier: MIT */
/* libevent 2.1 neither limits the connections of an evhttp nor tells when one ends.  So every
 * connection's bufferevent is made here and kept by a reference of ours: once evhttp has freed
 * its own, the callbacks are gone from it, which the next sweep sees.
 *
 * Its descriptor closes with it, not before: a bufferevent that still watched the number would
 * read what comes for the next descriptor that gets it. */
#include "core/http/http_i.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

static void sweep(struct qms_http_server *h)
{
    for (size_t i = 0; i < h->connection_count;) {
        bufferevent_event_cb on_event = NULL;
        bufferevent_getcb(h->connections[i], NULL, NULL, &on_event, NULL);
        if (on_event != NULL) {
            i++;
            continue;
        }
        bufferevent_decref(h->connections[i]);
        h->connections[i] = h->connections[--h->connection_count];
    }
}

static void set_accepting(struct qms_http_server *h, bool on)
{
    for (size_t i = 0; i < h->bound_count; i++) {
        struct evconnlistener *l = evhttp_bound_socket_get_listener(h->bound[i]);
        if (on) {
            evconnlistener_enable(l);
        } else {
            evconnlistener_disable(l);
        }
    }
    h->paused = !on;
}

void qms_http_stop_accepting(struct qms_http_server *h)
{
    h->retired = true;
    set_accepting(h, false);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    struct qms_http_server *h = arg;

    (void)fd;
    (void)what;
    sweep(h);
    if (!h->retired && h->connection_count < QMS_HTTP_CONNECTIONS_MAX) {
        set_accepting(h, true);
    }
}

/* What cannot be accepted (no descriptor is left) stays in the kernel's queue, and would wake
 * the loop for ever: the next sweep tries again. */
static void on_accept_failed(struct evconnlistener *l, void *arg)
{
    (void)arg;
    qms_log_peer(QMS_LOG_WARN, "HTTP endpoint cannot accept a connection error=\"%s\"",
                 strerror(errno));
    evconnlistener_disable(l);
}

void qms_http_limit_listener(struct evconnlistener *l)
{
    evconnlistener_set_error_cb(l, on_accept_failed);
}

/* evhttp falls back to a bufferevent of its own when this answers NULL. */
static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
    struct qms_http_server *h = arg;
    struct bufferevent *bev = NULL;

    sweep(h);
    if (h->connection_count < QMS_HTTP_CONNECTIONS_MAX) {
        bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    }
    if (bev != NULL) {
        bufferevent_incref(bev);
        h->connections[h->connection_count++] = bev;
    }
    if (h->connection_count == QMS_HTTP_CONNECTIONS_MAX && !h->paused) {
        qms_log_peer(QMS_LOG_WARN, "HTTP endpoint has no room for more connections max=%d",
                     QMS_HTTP_CONNECTIONS_MAX);
        set_accepting(h, false);
    }
    return bev;
}

qms_err qms_http_limit_start(struct qms_http_server *h, struct event_base *base)
{
    struct timeval second = {.tv_sec = 1};

    evhttp_set_bevcb(h->http, on_connection, h);
    h->sweep = event_new(base, -1, EV_PERSIST, on_sweep, h);
    if (h->sweep == NULL || event_add(h->sweep, &second) != 0) {
        return QMS_E_NOMEM;
    }
    return QMS_OK;
}

void qms_http_limit_stop(struct qms_http_server *h)
{
    if (h->sweep != NULL) {
        event_free(h->sweep);
    }
    for (size_t i = 0; i < h->connection_count; i++) {
        bufferevent_decref(h->connections[i]);
    }
    h->connection_count = 0;
}
