/* SPDX-License-Identifier: MIT */
/* Groups, topics and watches: what the agent wants is kept here, and asked for whenever a
 * session begins; so a reconnect is a first connect. */
#include <string.h>

#include "base/mem.h"
#include "client/client_i.h"

#define VARINT_END (UINT64_C(1) << 62)

/* ---- parameters ---- */

struct qms_join {
    bool has_weight, has_priority, has_slow_policy;
    uint64_t weight, slow_policy;
    uint8_t priority;
};

struct qms_join *qms_join_new(void)
{
    return qms_calloc(1, sizeof(struct qms_join));
}

void qms_join_free(struct qms_join *p)
{
    qms_free(p);
}

qms_err qms_join_set_weight(struct qms_join *p, uint64_t weight)
{
    if (weight >= VARINT_END) {
        return QMS_E_INVALID;
    }
    p->has_weight = true;
    p->weight = weight;
    return QMS_OK;
}

void qms_join_set_priority(struct qms_join *p, uint8_t priority)
{
    p->has_priority = true;
    p->priority = priority;
}

qms_err qms_join_set_slow_policy(struct qms_join *p, uint64_t policy)
{
    if (policy >= VARINT_END) {
        return QMS_E_INVALID;
    }
    p->has_slow_policy = true;
    p->slow_policy = policy;
    return QMS_OK;
}

/* ---- members ---- */

static void member_free(struct qms_connection *c, struct qms_member *m)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &c->requests) {
        struct qms_request *r = QMS_CONTAINER(node, struct qms_request, node);

        if (r->member == m) {
            r->member = NULL;
        }
    }
    qms_list_remove(&m->node);
    c->member_count--;
    qms_free(m->told);
    qms_free(m);
}

static struct qms_member *find(const struct qms_connection *c, enum qms_kind kind,
                               struct qms_bytes name)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &c->members) {
        struct qms_member *m = QMS_CONTAINER(node, struct qms_member, node);

        if (m->kind == kind && m->len == name.len && memcmp(m->name, name.data, m->len) == 0) {
            return m;
        }
    }
    return NULL;
}

static struct qms_member *find_watch(const struct qms_connection *c, uint64_t watch)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &c->members) {
        struct qms_member *m = QMS_CONTAINER(node, struct qms_member, node);

        if (m->kind == QMS_KIND_SELF && m->watch == watch) {
            return m;
        }
    }
    return NULL;
}

static struct qms_member *member_new(struct qms_connection *c, enum qms_kind kind,
                                     struct qms_bytes name, qms_done *done, void *arg,
                                     qms_err *err)
{
    struct qms_member *m;

    *err = qms_connection_check_open(c);
    if (*err == QMS_OK &&
        (c->member_count >= QMS_MEMBERS_MAX || c->request_count >= QMS_REQUESTS_MAX)) {
        *err = QMS_E_LIMIT;
    }
    if (*err != QMS_OK) {
        return NULL;
    }
    m = qms_calloc(1, sizeof(*m));
    if (m != NULL && done != NULL) {
        m->told = qms_event_reserve(QMS_EVENT_DONE);
    }
    if (m == NULL || (done != NULL && m->told == NULL)) {
        qms_free(m);
        *err = QMS_E_NOMEM;
        return NULL;
    }
    m->kind = kind;
    m->done = done;
    m->arg = arg;
    m->len = name.len;
    if (name.len > 0) {
        memcpy(m->name, name.data, name.len);
    }
    qms_list_append(&c->members, &m->node);
    c->member_count++;
    return m;
}

/* ---- on the wire ---- */

static struct qms_control join_message(const struct qms_member *m, uint64_t req)
{
    struct qms_bytes name = {(const uint8_t *)m->name, m->len};
    struct qms_control msg = {.type = m->kind == QMS_KIND_SELF ? QMS_MSG_WATCH : QMS_MSG_JOIN};

    if (m->kind == QMS_KIND_SELF) {
        msg.u.watch.req = req;
        msg.u.watch.prefix = name;
        return msg;
    }
    msg.u.join.req = req;
    msg.u.join.kind = m->kind;
    msg.u.join.name = name;
    msg.u.join.has_weight = m->has_weight;
    msg.u.join.weight = m->weight;
    msg.u.join.has_priority = m->has_priority;
    msg.u.join.priority = m->priority;
    msg.u.join.has_slow_policy = m->has_slow_policy;
    msg.u.join.slow_policy = m->slow_policy;
    return msg;
}

static qms_err ask(struct qms_connection *c, struct qms_member *m)
{
    qms_err err = QMS_OK;
    struct qms_request *r = qms_request_new(c, &err);
    struct qms_control msg;

    if (r == NULL) {
        return err;
    }
    if (m->kind == QMS_KIND_SELF) {
        r->req = m->watch; /* its number for ever; given out by the same counter */
    }
    r->member = m;
    msg = join_message(m, r->req);
    err = qms_connection_send(c, &msg);
    if (err != QMS_OK) {
        qms_request_free(c, r);
    }
    return err;
}

void qms_members_join(struct qms_connection *c)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &c->members) {
        struct qms_member *m = QMS_CONTAINER(node, struct qms_member, node);
        qms_err err = ask(c, m);

        if (err != QMS_OK) {
            qms_member_answered(c, m, err);
        }
    }
}

void qms_member_answered(struct qms_connection *c, struct qms_member *m, qms_err err)
{
    if (err != QMS_OK || !m->granted) {
        qms_done_note(c, &m->told, m->done, m->arg, err);
    }
    if (err != QMS_OK) {
        member_free(c, m);
        return;
    }
    m->granted = true;
    if (m->done != NULL && m->told == NULL) {
        m->told =
            qms_event_reserve(QMS_EVENT_DONE); /* a later refusal; without memory untold */
    }
}

void qms_members_clear(struct qms_connection *c)
{
    struct qms_list *node;

    while ((node = qms_list_first(&c->members)) != NULL) {
        member_free(c, QMS_CONTAINER(node, struct qms_member, node));
    }
}

void qms_members_end(struct qms_connection *c, qms_err err)
{
    struct qms_list *node;

    while ((node = qms_list_first(&c->members)) != NULL) {
        struct qms_member *m = QMS_CONTAINER(node, struct qms_member, node);

        if (!m->granted) {
            qms_done_note(c, &m->told, m->done, m->arg, err == QMS_OK ? QMS_E_CLOSED : err);
        }
        member_free(c, m);
    }
}

void qms_members_on_presence(struct qms_connection *c, const struct qms_control *msg)
{
    struct qms_event *e;

    if (find_watch(c, msg->u.presence.watch_req) == NULL || c->cb.on_presence == NULL) {
        return;
    }
    e = qms_event_add(c, QMS_EVENT_PRESENCE, msg->u.presence.name, (struct qms_bytes){0});
    if (e == NULL) { /* a picture with a hole is worse than none: begin anew */
        qms_session_close(c->session, QMS_CODE_INTERNAL, "no memory for presence");
        return;
    }
    e->ms = msg->u.presence.watch_req;
    e->what = msg->u.presence.state;
}

/* ---- calls ---- */

/* Asks now if there is a session; else on_ready does. */
static qms_err begin(struct qms_connection *c, struct qms_member *m)
{
    qms_err err = c->state == QMS_CONN_READY ? ask(c, m) : QMS_OK;

    if (err != QMS_OK) {
        member_free(c, m);
    }
    return err;
}

static struct qms_bytes bytes_of(const char *text)
{
    return (struct qms_bytes){(const uint8_t *)text, text == NULL ? 0 : strlen(text)};
}

static bool target_ok(enum qms_kind kind, struct qms_bytes name)
{
    return (kind == QMS_KIND_GROUP || kind == QMS_KIND_TOPIC) && qms_name_ok(name);
}

qms_err qms_connection_join(struct qms_connection *c, enum qms_kind kind, const char *name,
                            const struct qms_join *params, qms_done *done, void *arg)
{
    struct qms_bytes bytes = bytes_of(name);
    struct qms_member *m;
    qms_err err = QMS_OK;

    if (!target_ok(kind, bytes)) {
        return QMS_E_INVALID;
    }
    if (find(c, kind, bytes) != NULL) {
        return QMS_E_EXISTS;
    }
    m = member_new(c, kind, bytes, done, arg, &err);
    if (m == NULL) {
        return err;
    }
    if (params != NULL) {
        m->has_weight = params->has_weight;
        m->weight = params->weight;
        m->has_priority = params->has_priority;
        m->priority = params->priority;
        m->has_slow_policy = params->has_slow_policy;
        m->slow_policy = params->slow_policy;
    }
    return begin(c, m);
}

qms_err qms_connection_watch(struct qms_connection *c, const char *prefix, qms_done *done,
                             void *arg, uint64_t *watch)
{
    struct qms_bytes bytes = bytes_of(prefix);
    struct qms_member *m;
    qms_err err = QMS_OK;

    if (bytes.len > 0 && !qms_name_ok(bytes)) {
        return QMS_E_INVALID;
    }
    m = member_new(c, QMS_KIND_SELF, bytes, done, arg, &err);
    if (m == NULL) {
        return err;
    }
    m->watch = c->next_request++;
    *watch = m->watch;
    return begin(c, m);
}

/* Tells the broker, if it knows of the member, and forgets it.  One that was not answered yet
 * is told CANCELLED. */
static qms_err end(struct qms_connection *c, struct qms_member *m, struct qms_control *msg,
                   uint64_t *req, qms_done *done, void *arg)
{
    struct qms_event *told = done == NULL ? NULL : qms_event_reserve(QMS_EVENT_DONE);
    qms_err err = told == NULL && done != NULL ? QMS_E_NOMEM : QMS_OK;
    struct qms_request *r;

    if (err == QMS_OK && c->state == QMS_CONN_READY) {
        r = qms_request_new(c, &err);
        if (r != NULL) {
            r->done = done;
            r->arg = arg;
            *req = r->req;
            err = qms_connection_send(c, msg);
            if (err == QMS_OK) {
                r->told = told;
                told = NULL;
            } else {
                qms_request_free(c, r);
            }
        }
    }
    if (err != QMS_OK) {
        qms_free(told);
        return err;
    }
    qms_done_note(c, &told, done, arg, QMS_OK); /* nobody needs to be asked */
    qms_free(told);
    if (!m->granted) {
        qms_done_note(c, &m->told, m->done, m->arg, QMS_E_WIRE_CANCELLED);
    }
    member_free(c, m);
    return QMS_OK;
}

qms_err qms_connection_leave(struct qms_connection *c, enum qms_kind kind, const char *name,
                             qms_done *done, void *arg)
{
    struct qms_bytes bytes = bytes_of(name);
    struct qms_control msg = {.type = QMS_MSG_LEAVE};
    struct qms_member *m;
    qms_err err = qms_connection_check_open(c);

    if (!target_ok(kind, bytes)) {
        return QMS_E_INVALID;
    }
    m = err == QMS_OK ? find(c, kind, bytes) : NULL;
    if (m == NULL) {
        return err != QMS_OK ? err : QMS_E_NOT_FOUND;
    }
    msg.u.join.kind = kind;
    msg.u.join.name = bytes;
    return end(c, m, &msg, &msg.u.join.req, done, arg);
}

qms_err qms_connection_unwatch(struct qms_connection *c, uint64_t watch, qms_done *done,
                               void *arg)
{
    struct qms_control msg = {.type = QMS_MSG_UNWATCH};
    qms_err err = qms_connection_check_open(c);
    struct qms_member *m = err == QMS_OK ? find_watch(c, watch) : NULL;

    if (m == NULL) {
        return err != QMS_OK ? err : QMS_E_NOT_FOUND;
    }
    msg.u.unwatch.watch_req = watch;
    return end(c, m, &msg, &msg.u.unwatch.req, done, arg);
}
