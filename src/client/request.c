/* SPDX-License-Identifier: MIT */
/* Questions over CONTROL and the REPLY that answers each of them. */
#include "base/mem.h"
#include "client/client_i.h"

struct qms_request *qms_request_new(struct qms_connection *c, qms_err *err)
{
    struct qms_request *r;

    if (c->request_count >= QMS_REQUESTS_MAX) {
        *err = QMS_E_LIMIT;
        return NULL;
    }
    r = qms_calloc(1, sizeof(*r));
    if (r == NULL) {
        *err = QMS_E_NOMEM;
        return NULL;
    }
    r->req = c->next_request++;
    c->request_count++;
    qms_list_append(&c->requests, &r->node);
    return r;
}

void qms_request_free(struct qms_connection *c, struct qms_request *r)
{
    qms_list_remove(&r->node);
    c->request_count--;
    qms_free(r->told);
    qms_free(r);
}

void qms_requests_clear(struct qms_connection *c)
{
    struct qms_list *node;

    while ((node = qms_list_first(&c->requests)) != NULL) {
        qms_request_free(c, QMS_CONTAINER(node, struct qms_request, node));
    }
}

void qms_done_note(struct qms_connection *c, struct qms_event **told, qms_done *done, void *arg,
                   qms_err err)
{
    struct qms_event *e = *told;

    if (e == NULL || c->released) {
        return;
    }
    *told = NULL;
    e->done = done;
    e->done_arg = arg;
    e->err = err;
    qms_event_use(c, e);
}

static void answered(struct qms_connection *c, struct qms_request *r, qms_err err)
{
    if (r->member != NULL) {
        qms_member_answered(c, r->member, err);
    } else {
        qms_done_note(c, &r->told, r->done, r->arg, err); /* AUTH: on_token in its place */
    }
}

void qms_requests_on_reply(struct qms_connection *c, uint64_t req, uint64_t status)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &c->requests) {
        struct qms_request *r = QMS_CONTAINER(node, struct qms_request, node);

        if (r->req == req) {
            answered(c, r, qms_err_from_code(status));
            qms_request_free(c, r);
            return;
        }
    }
}

/* A membership that was to be left has ended with the session, so leaving has succeeded. */
void qms_requests_lost(struct qms_connection *c)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &c->requests) {
        struct qms_request *r = QMS_CONTAINER(node, struct qms_request, node);

        if (r->member == NULL) {
            qms_done_note(c, &r->told, r->done, r->arg, r->token ? QMS_E_CLOSED : QMS_OK);
        }
        qms_request_free(c, r);
    }
}
