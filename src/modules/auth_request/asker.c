/* SPDX-License-Identifier: MIT */
/* A question goes to the connection with the fewest before it; evhttp sends them one after the
 * other.  A kept connection may have been closed by the service a moment ago: a question that
 * fails without an answer is asked once more. */
#include "asker.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"

/* Of an answer; what is longer is no answer. */
#define HEADERS_SIZE_MAX 8192
#define BODY_SIZE_MAX    16384
/* Services that were not asked for so long are forgotten. */
#define FORGET_AFTER (60 * QMS_SECOND)
/* Headers of a question. */
#define ASK_HEADERS_MAX 8

struct service {
    struct evhttp_connection *conns[QMS_ASKER_CONNECTIONS];
    unsigned busy[QMS_ASKER_CONNECTIONS];
    unsigned users;
    qms_time used_at;
    struct qms_request_target target; /* host "": the place is free */
};

struct qms_asker {
    struct event_base *base;
    struct service services[QMS_ASKER_SERVICES];
    struct qms_list questions;
    unsigned count;
};

struct qms_question {
    struct qms_list node;
    struct qms_asker *asker;
    struct service *service;
    unsigned conn;
    struct evhttp_request *req; /* NULL: not under way */
    struct event *timer;        /* the deadline */
    struct event *again;        /* another try, off the callback's stack */
    bool retried;
    void (*done)(void *arg, enum qms_ask_end end, int status,
                 const struct qms_answer_header *headers, size_t count);
    void *arg;
    size_t header_count;
    struct qms_answer_header headers[ASK_HEADERS_MAX]; /* into `text` */
    char text[];
};

struct qms_asker *qms_asker_new(void *base)
{
    struct qms_asker *a = qms_calloc(1, sizeof(*a));

    if (a != NULL) {
        a->base = base;
        qms_list_init(&a->questions);
    }
    return a;
}

static void service_free(struct service *s)
{
    for (unsigned i = 0; i < QMS_ASKER_CONNECTIONS; i++) {
        if (s->conns[i] != NULL) {
            evhttp_connection_free(s->conns[i]);
        }
    }
    *s = (struct service){.used_at = 0};
}

void qms_asker_free(struct qms_asker *a)
{
    struct qms_list *node;

    if (a == NULL) {
        return;
    }
    while ((node = qms_list_first(&a->questions)) != NULL) {
        qms_question_cancel(QMS_CONTAINER(node, struct qms_question, node));
    }
    for (unsigned i = 0; i < QMS_ASKER_SERVICES; i++) {
        service_free(&a->services[i]);
    }
    qms_free(a);
}

void qms_asker_tick(struct qms_asker *a, qms_time now)
{
    for (unsigned i = 0; i < QMS_ASKER_SERVICES; i++) {
        struct service *s = &a->services[i];
        if (s->target.host[0] != '\0' && s->users == 0 && s->used_at + FORGET_AFTER < now) {
            service_free(s);
        }
    }
}

static struct service *service_of(struct qms_asker *a, const struct qms_request_target *t)
{
    struct service *room = NULL;

    for (unsigned i = 0; i < QMS_ASKER_SERVICES; i++) {
        struct service *s = &a->services[i];
        if (s->target.host[0] == '\0') {
            room = room != NULL ? room : s;
        } else if (s->target.port == t->port && strcmp(s->target.address, t->address) == 0 &&
                   strcmp(s->target.authority, t->authority) == 0) {
            return s;
        }
    }
    if (room != NULL) {
        room->target = *t;
    }
    return room;
}

/* The one with the fewest questions, made when it is not there.  False: no memory. */
static bool pick(struct qms_question *q)
{
    struct service *s = q->service;
    unsigned best = 0;

    for (unsigned i = 1; i < QMS_ASKER_CONNECTIONS; i++) {
        best = s->busy[i] < s->busy[best] ? i : best;
    }
    if (s->conns[best] == NULL) {
        s->conns[best] =
            evhttp_connection_base_new(q->asker->base, NULL, s->target.address, s->target.port);
        if (s->conns[best] == NULL) {
            return false;
        }
        evhttp_connection_set_max_headers_size(s->conns[best], HEADERS_SIZE_MAX);
        evhttp_connection_set_max_body_size(s->conns[best], BODY_SIZE_MAX);
    }
    q->conn = best;
    s->busy[best]++;
    return true;
}

static void on_answer(struct evhttp_request *req, void *arg);

static bool send_question(struct qms_question *q)
{
    struct evhttp_request *req = evhttp_request_new(on_answer, q);
    struct evkeyvalq *out;
    bool whole = req != NULL;

    if (!whole || !pick(q)) {
        if (req != NULL) {
            evhttp_request_free(req);
        }
        return false;
    }
    out = evhttp_request_get_output_headers(req);
    whole = evhttp_add_header(out, "Host", q->service->target.authority) == 0;
    for (size_t i = 0; whole && i < q->header_count; i++) {
        whole = evhttp_add_header(out, q->headers[i].name, q->headers[i].value) == 0;
    }
    q->req = req;
    /* It is the connection's from here on, also when this fails. */
    if (evhttp_make_request(q->service->conns[q->conn], req, EVHTTP_REQ_GET,
                            q->service->target.path) != 0 ||
        !whole) {
        q->req = NULL;
        q->service->busy[q->conn]--;
        return false;
    }
    return true;
}

/* Takes it off the connection's account. */
static void unbind(struct qms_question *q)
{
    if (q->req != NULL) {
        q->service->busy[q->conn]--;
        q->req = NULL;
    }
}

static void question_free(struct qms_question *q)
{
    qms_list_remove(&q->node);
    q->asker->count--;
    q->service->users--;
    if (q->timer != NULL) {
        event_free(q->timer);
    }
    if (q->again != NULL) {
        event_free(q->again);
    }
    qms_free(q);
}

static void end(struct qms_question *q, enum qms_ask_end how, int status,
                const struct qms_answer_header *headers, size_t count)
{
    q->done(q->arg, how, status, headers, count);
    question_free(q);
}

static void on_answer(struct evhttp_request *req, void *arg)
{
    struct qms_question *q = arg;
    struct qms_answer_header headers[QMS_ANSWER_HEADERS_MAX + 1];
    int status = req != NULL ? evhttp_request_get_response_code(req) : 0;
    size_t count = 0;

    unbind(q);
    if (status == 0 && !q->retried) {
        q->retried = true;
        event_active(q->again, EV_TIMEOUT, 0);
        return;
    }
    if (status == 0) {
        end(q, QMS_ASK_FAILED, 0, NULL, 0);
        return;
    }
    struct evkeyval *h;
    TAILQ_FOREACH(h, evhttp_request_get_input_headers(req), next)
    {
        if (count < sizeof(headers) / sizeof(headers[0])) {
            headers[count++] = (struct qms_answer_header){h->key, h->value};
        }
    }
    end(q, QMS_ASK_ANSWERED, status, headers, count);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    if (!send_question(arg)) {
        end(arg, QMS_ASK_FAILED, 0, NULL, 0);
    }
}

static void withdraw(struct qms_question *q)
{
    struct evhttp_request *req = q->req;

    unbind(q);
    if (req != NULL) {
        evhttp_cancel_request(req);
    }
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    withdraw(arg);
    end(arg, QMS_ASK_TIMEOUT, 0, NULL, 0);
}

void qms_question_cancel(struct qms_question *q)
{
    withdraw(q);
    question_free(q);
}

/* Names are static texts; values are copied. */
static struct qms_question *question_new(const struct qms_answer_header *headers, size_t count)
{
    size_t len = 0, at = 0;
    struct qms_question *q;

    for (size_t i = 0; i < count; i++) {
        len += strlen(headers[i].value) + 1;
    }
    if (count > ASK_HEADERS_MAX || (q = qms_calloc(1, sizeof(*q) + len)) == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        size_t one = strlen(headers[i].value) + 1;
        memcpy(q->text + at, headers[i].value, one);
        q->headers[i] = (struct qms_answer_header){headers[i].name, q->text + at};
        at += one;
    }
    q->header_count = count;
    qms_list_init(&q->node);
    return q;
}

static bool set_deadline(struct qms_question *q, qms_time timeout)
{
    struct timeval tv = {.tv_sec = (time_t)(timeout / QMS_SECOND),
                         .tv_usec = (suseconds_t)(timeout % QMS_SECOND / QMS_MICROSECOND)};

    q->timer = event_new(q->asker->base, -1, 0, on_deadline, q);
    q->again = event_new(q->asker->base, -1, 0, on_again, q);
    return q->timer != NULL && q->again != NULL && event_add(q->timer, &tv) == 0;
}

struct qms_question *
qms_ask(struct qms_asker *a, const struct qms_request_target *target,
        const struct qms_answer_header *headers, size_t count, qms_time timeout, qms_time now,
        void (*done)(void *arg, enum qms_ask_end end, int status,
                     const struct qms_answer_header *headers, size_t count),
        void *arg)
{
    struct service *s = a->count < QMS_ASKER_QUESTIONS ? service_of(a, target) : NULL;
    struct qms_question *q = s != NULL ? question_new(headers, count) : NULL;

    if (q == NULL) {
        return NULL;
    }
    q->asker = a;
    q->service = s;
    q->done = done;
    q->arg = arg;
    a->count++;
    s->users++;
    s->used_at = now;
    s->target = *target; /* the path may be another one */
    qms_list_append(&a->questions, &q->node);
    if (!set_deadline(q, timeout)) {
        question_free(q);
        return NULL;
    }
    /* Off this call: what fails at once is told from the loop like all the rest. */
    event_active(q->again, EV_TIMEOUT, 0);
    return q;
}
