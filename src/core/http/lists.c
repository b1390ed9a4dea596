/* SPDX-License-Identifier: MIT */
/* Agents, connections and streams of all workers: each of the others is asked, and the answer
 * goes out when the last of them has told its part, is lost, or has been waited for long
 * enough. An answer is bounded: as many rows as `limit` says, and how many there are in all. */
#include <event2/buffer.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/http/http_i.h"

#define WAIT_SECONDS 2
#define ROWS_DEFAULT 1000
#define ROWS_MAX     100000

static const char *const names[] = {[QMS_ROWS_AGENTS] = "agents",
                                    [QMS_ROWS_CONNECTIONS] = "connections",
                                    [QMS_ROWS_STREAMS] = "streams"};

struct question {
    struct qms_list node;
    struct qms_http_server *server;
    struct evhttp_request *req;
    bool head;
    uint32_t id;
    size_t missing; /* workers that have not told all */
    bool asked[QMS_SLOTS_MAX];
    enum qms_rows_kind kind;
    uint32_t max;
    json_t *rows;
    uint64_t total;
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
    json_decref(q->rows);
    qms_free(q);
}

/* The client has gone, and the request with it. */
static void on_gone(struct evhttp_connection *conn, void *arg)
{
    (void)conn;
    question_free(arg);
}

static bool add_rows(struct question *q, const json_t *told)
{
    const json_t *rows = json_object_get(told, "rows");
    json_t *row;
    size_t i;

    q->total += (uint64_t)json_integer_value(json_object_get(told, "total"));
    json_array_foreach(rows, i, row)
    {
        if (json_array_size(q->rows) < q->max) {
            (void)json_array_append(q->rows, row);
        }
    }
    return rows != NULL;
}

static void add_part(struct question *q, unsigned slot)
{
    struct evbuffer *part = q->parts[slot];
    size_t len = part != NULL ? evbuffer_get_length(part) : 0;
    const char *text = len > 0 ? (const char *)evbuffer_pullup(part, -1) : NULL;
    json_t *told = text != NULL ? json_loadb(text, len, 0, NULL) : NULL;

    add_rows(q, told);
    json_decref(told);
}

static void finish(struct question *q)
{
    struct qms_http http = {.server = q->server, .req = q->req, .head = q->head};
    json_t *all =
        json_pack("{s:O, s:I, s:b}", names[q->kind], q->rows, "total", (json_int_t)q->total,
                  "truncated", q->total > json_array_size(q->rows));

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
    bool lost = part.len == 0 && !more;
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &h->questions) {
        struct question *q = QMS_CONTAINER(node, struct question, node);
        if (!q->asked[slot] || (q->id != id && !lost)) {
            continue;
        }
        if (q->parts[slot] == NULL) {
            q->parts[slot] = evbuffer_new();
        }
        if (q->parts[slot] != NULL) {
            (void)evbuffer_add(q->parts[slot], part.data, part.len);
        }
        if (!more) {
            q->asked[slot] = false;
            q->missing--;
            add_part(q, slot);
            if (q->missing == 0) {
                finish(q);
            }
        }
    }
}

static bool ask(struct question *q, struct qms_bytes agent)
{
    struct qms_mesh *mesh = qms_broker_mesh(q->server->broker);
    struct qms_ring_entry e = {
        .type = QMS_MESH_ASK, .id = q->id, .code = (uint8_t)q->kind, .value = q->max};

    for (unsigned i = 0; mesh != NULL && i < QMS_SLOTS_MAX; i++) {
        if (qms_mesh_is_up(mesh, i) && qms_mesh_send_bytes(mesh, i, e, agent) == QMS_OK) {
            q->asked[i] = true;
            q->missing++;
        }
    }
    return q->missing != 0;
}

static struct question *question_new(struct qms_http *http, const struct qms_rows_query *query)
{
    struct qms_http_server *h = http->server;
    struct timeval wait = {.tv_sec = WAIT_SECONDS};
    struct question *q = qms_calloc(1, sizeof(*q));

    if (q == NULL) {
        return NULL;
    }
    qms_list_init(&q->node);
    q->server = h;
    q->req = http->req;
    q->head = http->head;
    q->id = ++h->question_id;
    q->kind = query->kind;
    q->max = query->max;
    q->rows = json_array();
    q->timer = event_new(h->base, -1, 0, on_late, q);

    json_t *own = qms_broker_rows_json(h->broker, query, qms_clock_now());
    bool added = q->rows != NULL && add_rows(q, own);
    json_decref(own);
    if (!added || q->timer == NULL || event_add(q->timer, &wait) != 0) {
        question_free(q);
        return NULL;
    }
    return q;
}

/* `limit` and `agent` of the query string; the sentence that is wrong with them, or NULL. */
static const char *read_query(const struct evkeyvalq *words, struct qms_rows_query *out)
{
    for (const struct evkeyval *w = words->tqh_first; w != NULL; w = w->next.tqe_next) {
        if (strcmp(w->key, "agent") == 0) {
            out->agent = (struct qms_bytes){(const uint8_t *)w->value, strlen(w->value)};
        } else if (strcmp(w->key, "limit") == 0) {
            char *end;
            unsigned long n = strtoul(w->value, &end, 10);
            if (w->value[0] < '0' || w->value[0] > '9' || *end != '\0' || n > ROWS_MAX) {
                return "limit is a number from 0 to 100000\n";
            }
            out->max = (uint32_t)n;
        } else {
            return "known are limit and agent\n";
        }
    }
    return out->agent.len <= QMS_NAME_MAX ? NULL : "agent is at most 128 bytes long\n";
}

static void answer(struct qms_http *http, const struct qms_rows_query *query)
{
    struct question *q = question_new(http, query);

    if (q == NULL) {
        qms_http_error(http, 500);
        return;
    }
    http->replied = true; /* or will be */
    if (!ask(q, query->agent)) {
        finish(q);
        return;
    }
    qms_list_append(&q->server->questions, &q->node);
    evhttp_connection_set_closecb(evhttp_request_get_connection(q->req), on_gone, q);
}

void qms_http_rows(struct qms_http *http, enum qms_rows_kind kind)
{
    struct qms_rows_query query = {.kind = kind,
                                   .max = kind == QMS_ROWS_AGENTS ? ROWS_MAX : ROWS_DEFAULT};
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(http->req);
    const char *text = evhttp_uri_get_query(uri), *wrong = NULL;
    struct evkeyvalq words = {0};

    if (text != NULL) {
        wrong = evhttp_parse_query_str(text, &words) == 0 ? read_query(&words, &query)
                                                          : "the query is malformed\n";
    }
    if (wrong != NULL) {
        qms_http_reply(http, 400, "text/plain; charset=utf-8",
                       (struct qms_bytes){(const uint8_t *)wrong, strlen(wrong)});
    } else {
        answer(http, &query);
    }
    evhttp_clear_headers(&words);
}

void qms_http_rows_start(struct qms_http_server *h, struct event_base *base)
{
    struct qms_broker_hooks *hooks = qms_broker_hooks(h->broker);

    h->base = base;
    qms_list_init(&h->questions);
    hooks->on_tell = on_tell;
    hooks->tell_arg = h;
}

void qms_http_rows_stop(struct qms_http_server *h)
{
    struct qms_list *node;

    qms_broker_hooks(h->broker)->on_tell = NULL;
    while ((node = qms_list_first(&h->questions)) != NULL) {
        question_free(QMS_CONTAINER(node, struct question, node));
    }
}
