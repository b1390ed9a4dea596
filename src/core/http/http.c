/* SPDX-License-Identifier: MIT */
/* Every request passes the same gates (method, Host) and then finds its answer in this order:
 * health, the core's API, locations of modules, files.  Nothing here changes anything, so GET
 * and HEAD are all there is. */
#include "core/http/http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/listener.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/web.h"
#include "core/conf/diag.h"
#include "core/http/http_i.h"

#define HEADERS_MAX     8192
#define BODY_MAX        1024
#define TIMEOUT_SECONDS 10

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {{200, "OK"},
                   {400, "Bad Request"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {500, "Internal Server Error"},
                   {503, "Service Unavailable"}};

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status) {
            return reasons[i].reason;
        }
    }
    return "Status";
}

static void add_headers(struct qms_http *http, const char *content_type, bool fresh)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(http->req);

    evhttp_add_header(out, "content-type", content_type);
#define ADD(name, value) evhttp_add_header(out, name, value);
    QMS_WEB_FIELDS(ADD)
#undef ADD
    evhttp_add_header(out, "cache-control", fresh ? QMS_WEB_CACHE_MADE : QMS_WEB_CACHE_FILE);
}

/* Sends `body` (taken, may be NULL) or, for HEAD, its length alone. */
static void send_reply(struct qms_http *http, int status, struct evbuffer *body, uint64_t len)
{
    char text[32];

    http->replied = true;
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)len);
    evhttp_add_header(evhttp_request_get_output_headers(http->req), "Content-Length", text);
    evhttp_send_reply(http->req, status, reason_of(status), http->head ? NULL : body);
    if (body != NULL) {
        evbuffer_free(body);
    }
}

void qms_http_reply(struct qms_http *http, int status, const char *content_type,
                    struct qms_bytes body)
{
    if (http->replied) {
        return;
    }
    struct evbuffer *buffer = evbuffer_new();
    if (buffer == NULL || evbuffer_add(buffer, body.data, body.len) != 0) {
        status = 500;
        body.len = 0;
    }
    add_headers(http, content_type, true);
    send_reply(http, status, buffer, body.len);
}

const char *qms_http_header(struct qms_http *http, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(http->req), name);
}

void qms_http_error(struct qms_http *http, int status)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "%d %s\n", status, reason_of(status));

    qms_http_reply(http, status, "text/plain; charset=utf-8",
                   (struct qms_bytes){(const uint8_t *)text, (size_t)len});
}

static void reply_text(struct qms_http *http, int status, const char *text)
{
    qms_http_reply(http, status, "text/plain; charset=utf-8",
                   (struct qms_bytes){(const uint8_t *)text, strlen(text)});
}

static struct qms_bytes field(struct qms_http *http, const char *name)
{
    const char *value = qms_http_header(http, name);

    return (struct qms_bytes){(const uint8_t *)value, value != NULL ? strlen(value) : 0};
}

static void add_validators(struct qms_http *http, const struct qms_web_file *file)
{
    struct evkeyvalq *out = evhttp_request_get_output_headers(http->req);

    evhttp_add_header(out, "etag", file->etag);
    evhttp_add_header(out, "last-modified", file->modified);
}

static void send_unchanged(struct qms_http *http, const struct qms_web_file *file)
{
    add_validators(http, file);
    evhttp_add_header(evhttp_request_get_output_headers(http->req), "cache-control",
                      QMS_WEB_CACHE_FILE);
    http->replied = true;
    evhttp_send_reply(http->req, 304, "Not Modified", NULL);
}

void qms_http_file(struct qms_http *http, const char *path)
{
    const struct qms_conf *conf = qms_broker_conf(http->server->broker);
    struct qms_bytes bytes = {(const uint8_t *)path, strlen(path)};
    struct qms_web_file file = {.fd = -1};
    int status = 404;

    if (conf->http_root_fd >= 0) {
        status = http->server->env->static_open(conf->http_root_fd, bytes, &file);
    }
    if (status != 200) {
        qms_http_error(http, status);
        return;
    }
    if (qms_web_file_unchanged(&file, field(http, "If-None-Match"),
                               field(http, "If-Modified-Since"))) {
        close(file.fd);
        send_unchanged(http, &file);
        return;
    }
    struct evbuffer *body = evbuffer_new();
    /* The buffer takes the descriptor over only when it succeeds. */
    bool added =
        body != NULL &&
        (file.size == 0 || evbuffer_add_file(body, file.fd, 0, (ev_off_t)file.size) == 0);
    if (!added || file.size == 0) {
        close(file.fd);
    }
    if (!added) {
        if (body != NULL) {
            evbuffer_free(body);
        }
        qms_http_error(http, 500);
        return;
    }
    add_headers(http, file.type, false);
    add_validators(http, &file);
    send_reply(http, 200, body, file.size);
}

static bool module_location(struct qms_http *http, const char *path)
{
    struct qms_broker *broker = http->server->broker;
    const struct qms_conf *conf = qms_broker_conf(broker);

    for (size_t i = 0; i < conf->module_count; i++) {
        const struct qms_http_location *l = conf->modules[i]->http;
        for (; l != NULL && l->path != NULL; l++) {
            if (strcmp(l->path, path) == 0) {
                l->handler(http, qms_broker_module_worker(broker, i),
                           conf->http_module_conf[i]);
                if (!http->replied) {
                    qms_http_error(http, 500);
                }
                return true;
            }
        }
    }
    return false;
}

static void dispatch(struct qms_http *http, const char *path)
{
    if (strcmp(path, "/healthz") == 0) {
        reply_text(http, 200, "ok\n");
    } else if (strcmp(path, "/readyz") == 0) {
        bool ready = !http->server->draining;
        reply_text(http, ready ? 200 : 503, ready ? "ready\n" : "draining\n");
    } else if (!qms_http_api(http, path) && !module_location(http, path)) {
        qms_http_file(http, path);
    }
}

static void on_request(struct evhttp_request *req, void *arg)
{
    struct qms_http http = {.server = arg, .req = req};
    enum evhttp_cmd_type method = evhttp_request_get_command(req);
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
    const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;

    http.head = method == EVHTTP_REQ_HEAD;
    if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
        evhttp_add_header(evhttp_request_get_output_headers(req), "Allow", "GET, HEAD");
        qms_http_error(&http, 405);
    } else if (!qms_http_host_allowed(qms_broker_conf(http.server->broker), req)) {
        qms_http_error(&http, 403);
    } else if (path == NULL || path[0] != '/') {
        qms_http_error(&http, 400);
    } else {
        dispatch(&http, path);
    }
}

static qms_err add_listener(struct qms_http_server *h, struct event_base *base,
                            const struct qms_listen *l, struct qms_diag *diag)
{
    struct evconnlistener *listener =
        evconnlistener_new(base, NULL, NULL, LEV_OPT_CLOSE_ON_EXEC, 0, l->fd);
    struct evhttp_bound_socket *bound =
        listener != NULL ? evhttp_bind_listener(h->http, listener) : NULL;

    if (bound == NULL) {
        if (listener != NULL) {
            evconnlistener_free(listener);
        }
        qms_diag_error(diag, "Cannot serve HTTP at %s: %s.", l->text, strerror(errno));
        return QMS_E_IO;
    }
    h->bound[h->bound_count++] = bound;
    qms_http_limit_listener(listener);
    return QMS_OK;
}

/* Unknown methods must reach on_request to be answered 405 rather than evhttp's 501. */
#define ALL_METHODS                                                                            \
    (EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | \
     EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH)

static qms_err start(struct qms_http_server *h, struct event_base *base, struct qms_diag *diag)
{
    const struct qms_conf *conf = qms_broker_conf(h->broker);
    qms_err err = QMS_OK;

    h->http = evhttp_new(base);
    if (h->http == NULL || qms_http_limit_start(h, base) != QMS_OK) {
        return qms_diag_nomem(diag);
    }
    evhttp_set_timeout(h->http, TIMEOUT_SECONDS);
    evhttp_set_max_headers_size(h->http, HEADERS_MAX);
    evhttp_set_max_body_size(h->http, BODY_MAX);
    evhttp_set_allowed_methods(h->http, ALL_METHODS);
    evhttp_set_gencb(h->http, on_request, h);
    if (conf->http_listen_count > QMS_HTTP_LISTENERS_MAX) {
        qms_diag_error(diag, "The http block listens at more than %d addresses.",
                       QMS_HTTP_LISTENERS_MAX);
        return QMS_E_CONFIG;
    }
    for (size_t i = 0; err == QMS_OK && i < conf->http_listen_count; i++) {
        err = add_listener(h, base, &conf->http_listens[i], diag);
    }
    return err;
}

struct qms_http_server *qms_http_start(struct event_base *base, struct qms_broker *broker,
                                       const struct qms_board *board,
                                       const struct qms_conf_env *env, struct qms_diag *diag)
{
    struct qms_http_server *h = qms_calloc(1, sizeof(*h));

    if (h == NULL) {
        (void)qms_diag_nomem(diag);
        return NULL;
    }
    h->broker = broker;
    h->env = env;
    h->board = board;
    qms_http_rows_start(h, base);
    if (start(h, base, diag) != QMS_OK) {
        qms_http_stop(h);
        return NULL;
    }
    return h;
}

void qms_http_set_draining(struct qms_http_server *h)
{
    h->draining = true;
}

void qms_http_stop(struct qms_http_server *h)
{
    if (h == NULL) {
        return;
    }
    if (h->http != NULL) {
        evhttp_free(h->http);
    }
    qms_http_rows_stop(h);
    qms_http_limit_stop(h);
    qms_free(h);
}
