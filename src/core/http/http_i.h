/* SPDX-License-Identifier: MIT */
/* Inside of the HTTP endpoint. */
#ifndef QMS_CORE_HTTP_HTTP_I_H
#define QMS_CORE_HTTP_HTTP_I_H

#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "base/list.h"
#include "core/http/http.h"

/** Connections of all listeners together. */
#define QMS_HTTP_CONNECTIONS_MAX 256
#define QMS_HTTP_LISTENERS_MAX   16

struct qms_http_server {
    struct evhttp *http;
    struct qms_broker *broker;
    const struct qms_conf_env *env;
    const struct qms_board *board;
    struct event_base *base;
    struct qms_list questions; /* under way to other workers (lists.c) */
    uint32_t question_id;      /* of the newest */
    struct evhttp_bound_socket *bound[QMS_HTTP_LISTENERS_MAX];
    size_t bound_count;
    bool draining, retired;
    /* Living connections, each with a reference of ours (limit.c). */
    struct bufferevent *connections[QMS_HTTP_CONNECTIONS_MAX];
    size_t connection_count;
    struct event *sweep;
    bool paused;
};

/* One request, for the length of its handler. */
struct qms_http {
    struct qms_http_server *server;
    struct evhttp_request *req;
    bool head; /* HEAD: no body is sent */
    bool replied;
};

/** Whether the Host header names this endpoint: loopback names, the address that the connection
 * came to, or conf->http_hosts.  What keeps a web page that had its name resolved to 127.0.0.1
 * (DNS rebinding) from reading the endpoint. */
bool qms_http_host_allowed(const struct qms_conf *conf, struct evhttp_request *req);
/** The part of it that needs no connection: `own` is the address it came to, without port and
 * brackets. */
bool qms_http_host_matches(const struct qms_conf *conf, const char *host, const char *own);

/** Answers /api/v1/...; false when there is no such path. */
bool qms_http_api(struct qms_http *http, const char *path);
/** Answers with a file below http_root, or an error. */
void qms_http_file(struct qms_http *http, const char *path);
/** Answers with a status line and its name as text. */
void qms_http_error(struct qms_http *http, int status);

/** Answers with a JSON text; takes the reference; NULL: out of memory. */
void qms_http_json(struct qms_http *http, json_t *json);
/** Answers with every metric, by name and labels (stats.c). */
void qms_http_stats(struct qms_http *http);
/** Answers with the agents, connections or streams of all workers, later if others must be
 * asked; the request's query may have `limit` and `agent`. */
void qms_http_rows(struct qms_http *http, enum qms_rows_kind kind);
void qms_http_rows_start(struct qms_http_server *h, struct event_base *base);
void qms_http_rows_stop(struct qms_http_server *h);
/** Answers with the route blocks and what was counted under them (stats.c). */
void qms_http_routes(struct qms_http *http);

/** Counts connections and stops accepting at the limit.  QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_http_limit_start(struct qms_http_server *h, struct event_base *base);
void qms_http_limit_stop(struct qms_http_server *h);
/** Has one that cannot accept (no descriptor is left) rest until the next second. */
void qms_http_limit_listener(struct evconnlistener *l);

#endif
