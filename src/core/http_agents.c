/* SPDX-License-Identifier: MIT */
/* The agents of all workers: each of the others is asked, and the answer goes out when the last
 * of them has told its part, is lost, or has been waited for long enough. */
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/http_i.h"

#define WAIT_SECONDS 2

struct question {
    struct qms_list node;
    struct qms_http_server *server;
    struct evhttp_request *req;
    bool head;
    uint32_t id;
    uint64_t missing; /* slots, as bits */
    json_t *agents;
    struct evbuffer *parts[QMS_SLOTS_MAX];
    struct event *timer;
};

static void question_free(struct question *q)
{
    qms_list_remove(&q->node);
    for (size_t i = 0; i < QMS_SLOTS_MAX; i++) {
        if (q->parts[i] != NULL) {
            evbuffer_free(q->parts[i]);
        }
    }
    if (q->timer != NULL) {
        event_free(q->timer);
    }
    json_decref(q->agents);
    qms_free(q);
}

/* The client has gone, and the request with it. */
static void on_gone(struct evhttp_connection *conn, void *arg)
{
    (void)conn;
    question_free(arg);
}

static void add_part(struct question *q, unsigned slot)
{
    struct evbuffer *part = q->parts[slot];
    size_t len = part != NULL ? evbuffer_get_length(part) : 0;
    const char *text = len > 0 ? (const char *)evbuffer_pullup(part, -1) : NULL;
    json_t *list = text != NULL ? json_loadb(text, len, 0, NULL) : NULL;

    if (json_is_array(list)) {
        (void)json_array_extend(q->agents, list);
    }
    json_decref(list);
}

static void finish(struct question *q)
{
    struct qms_http http = {.server = q->server, .req = q->req, .head = q->head};
    json_t *all = json_pack("{s:O}", "agents", q->agents);

    evhttp_connection_set_closecb(evhttp_request_get_connection(q->req), NULL, NULL);
    question_free(q);
    qms_http_json(&http, all);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    finish(arg);
}

static void on_tell(void *arg, unsigned slot, uint32_t id, struct qms_bytes part, bool more)
{
    struct qms_http_server *h = arg;
    uint64_t bit = UINT64_C(1) << slot;
    bool lost = part.len == 0 && !more;
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &h->questions) {
        struct question *q = QMS_CONTAINER(node, struct question, node);
        if ((q->missing & bit) == 0 || (q->id != id && !lost)) {
            continue;
        }
        if (q->parts[slot] == NULL) {
            q->parts[slot] = evbuffer_new();
        }
        if (q->parts[slot] != NULL) {
            (void)evbuffer_add(q->parts[slot], part.data, part.len);
        }
        if (!more) {
            q->missing &= ~bit;
            add_part(q, slot);
            if (q->missing == 0) {
                finish(q);
            }
        }
    }
}

static bool ask(struct question *q)
{
    struct qms_mesh *mesh = qms_broker_mesh(q->server->broker);
    struct qms_ring_entry e = {.type = QMS_MESH_ASK, .id = q->id};

    for (unsigned i = 0; mesh != NULL && i < QMS_SLOTS_MAX; i++) {
        if (qms_mesh_is_up(mesh, i) && qms_mesh_send(mesh, i, e) == QMS_OK) {
            q->missing |= UINT64_C(1) << i;
        }
    }
    return q->missing != 0;
}

void qms_http_agents(struct qms_http *http)
{
    struct qms_http_server *h = http->server;
    struct timeval wait = {.tv_sec = WAIT_SECONDS};
    struct question *q = qms_calloc(1, sizeof(*q));

    if (q == NULL) {
        qms_http_error(http, 500);
        return;
    }
    qms_list_init(&q->node);
    q->server = h;
    q->req = http->req;
    q->head = http->head;
    q->id = ++h->question_id;
    q->agents = qms_broker_agents_json(h->broker, qms_clock_now());
    q->timer = event_new(h->base, -1, 0, on_late, q);
    if (q->agents == NULL || q->timer == NULL || event_add(q->timer, &wait) != 0) {
        question_free(q);
        qms_http_error(http, 500);
        return;
    }
    http->replied = true; /* or will be */
    if (!ask(q)) {
        finish(q);
        return;
    }
    qms_list_append(&h->questions, &q->node);
    evhttp_connection_set_closecb(evhttp_request_get_connection(q->req), on_gone, q);
}

void qms_http_agents_start(struct qms_http_server *h, struct event_base *base)
{
    struct qms_broker_hooks *hooks = qms_broker_hooks(h->broker);

    h->base = base;
    qms_list_init(&h->questions);
    hooks->on_tell = on_tell;
    hooks->tell_arg = h;
}

void qms_http_agents_stop(struct qms_http_server *h)
{
    struct qms_list *node;

    qms_broker_hooks(h->broker)->on_tell = NULL;
    while ((node = qms_list_first(&h->questions)) != NULL) {
        question_free(QMS_CONTAINER(node, struct question, node));
    }
}
