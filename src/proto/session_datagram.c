/* SPDX-License-Identifier: MIT */
/* Datagrams and their contexts.
 *
 * A context stands for a kind and name.  DGRAM_BIND goes over CONTROL and the datagram beside
 * it, so the datagram may win; until the link has seen the BIND acknowledged, the name travels
 * in place.  Only a datagram that would not fit with its name uses the context at once: it may
 * be lost, as any datagram may.
 *
 * Both lists are short and kept in order of use, so a search looks at the busy ones first. */
#include <string.h>

#include "base/mem.h"
#include "proto/session_i.h"

/** A context that was used within this time is not unbound for another. */
#define STEADY_FOR QMS_SECOND

struct context {
    struct qms_list node;
    uint64_t id;
    uint64_t bound_at; /* of what this side sends: end of its DGRAM_BIND on CONTROL */
    qms_time used_at;
    uint8_t kind, priority, name_len;
    uint8_t name[];
};

static struct context *context_new(uint64_t id, uint64_t kind, struct qms_bytes name,
                                   uint8_t priority)
{
    struct context *c = qms_calloc(1, sizeof(*c) + name.len);

    if (c != NULL) {
        c->id = id;
        c->kind = (uint8_t)kind;
        c->priority = priority;
        c->name_len = (uint8_t)name.len;
        if (name.len > 0) {
            memcpy(c->name, name.data, name.len);
        }
        qms_list_init(&c->node);
    }
    return c;
}

static void context_free(struct context *c)
{
    qms_list_remove(&c->node);
    qms_free(c);
}

static void free_all(struct qms_list *list)
{
    struct qms_list *node;

    while ((node = qms_list_first(list)) != NULL) {
        context_free(QMS_CONTAINER(node, struct context, node));
    }
}

void qms_session_contexts_free(struct qms_session *s)
{
    free_all(&s->contexts_in);
    free_all(&s->contexts_out);
}

static void move_to_front(struct qms_list *list, struct context *c)
{
    qms_list_remove(&c->node);
    qms_list_append(list->next, &c->node); /* behind the head is before the first */
}

static struct context *find_id(const struct qms_list *list, uint64_t id)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, list) {
        struct context *c = QMS_CONTAINER(node, struct context, node);
        if (c->id == id) {
            return c;
        }
    }
    return NULL;
}

static bool is_named(const struct context *c, struct qms_bytes name)
{
    return c->name_len == name.len &&
           (name.len == 0 || memcmp(c->name, name.data, name.len) == 0);
}

static struct context *find_name(const struct qms_list *list, enum qms_kind kind,
                                 struct qms_bytes name)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, list) {
        struct context *c = QMS_CONTAINER(node, struct context, node);
        if (c->kind == kind && is_named(c, name)) {
            return c;
        }
    }
    return NULL;
}

void qms_session_on_bind(struct qms_session *s, const struct qms_control *m)
{
    uint64_t id = m->u.dgram_bind.context;
    struct context *old = find_id(&s->contexts_in, id);

    if (old == NULL && s->contexts_in_count >= s->limits->max_contexts) {
        qms_session_odd(s, "context_limit");
        return;
    }
    struct context *c =
        context_new(id, m->u.dgram_bind.kind, m->u.dgram_bind.name, m->u.dgram_bind.priority);
    if (c == NULL) {
        qms_session_odd(s, "context_memory");
        return;
    }
    if (old != NULL) {
        context_free(old);
        s->contexts_in_count--;
    }
    move_to_front(&s->contexts_in, c);
    s->contexts_in_count++;
}

void qms_session_on_unbind(struct qms_session *s, uint64_t id)
{
    struct context *c = find_id(&s->contexts_in, id);

    if (c != NULL) {
        context_free(c);
        s->contexts_in_count--;
    }
}

void qms_session_on_datagram(struct qms_session *s, struct qms_bytes data)
{
    struct qms_datagram d;
    struct context *c;

    if (qms_datagram_decode(data, &d) != QMS_OK) {
        qms_session_odd(s, "malformed_datagram");
    } else if (d.context == 0) {
        s->events->on_datagram(s, (enum qms_kind)d.kind, d.target, QMS_PRIORITY_NORMAL,
                               d.payload);
    } else if ((c = find_id(&s->contexts_in, d.context)) != NULL) {
        move_to_front(&s->contexts_in, c);
        s->events->on_datagram(s, (enum qms_kind)c->kind,
                               (struct qms_bytes){c->name, c->name_len}, c->priority,
                               d.payload);
    } else {
        qms_session_odd(s, "unknown_context");
    }
}

/* Forgets the context that was not used for longest.  One in steady use stays, unless `must`:
 * with more names than contexts each datagram would cost two messages otherwise. */
static bool unbind_oldest(struct qms_session *s, bool must)
{
    struct context *c = QMS_CONTAINER(s->contexts_out.prev, struct context, node);
    struct qms_control m = {.type = QMS_MSG_DGRAM_UNBIND};

    m.u.dgram_unbind.context = c->id;
    if ((!must && s->link->now - c->used_at < STEADY_FOR) ||
        qms_session_control_write(s, &m) != QMS_OK) {
        return false;
    }
    context_free(c);
    s->contexts_out_count--;
    return true;
}

/* NULL: no memory, or no room on CONTROL; the name then travels in place. */
static struct context *bind(struct qms_session *s, enum qms_kind kind, struct qms_bytes name,
                            uint8_t priority, bool must)
{
    struct qms_control m = {.type = QMS_MSG_DGRAM_BIND};

    if (s->limits->max_contexts == 0 ||
        (s->contexts_out_count >= s->limits->max_contexts && !unbind_oldest(s, must))) {
        return NULL;
    }
    struct context *c = context_new(s->next_context, kind, name, priority);
    if (c == NULL) {
        return NULL;
    }
    m.u.dgram_bind.context = c->id;
    m.u.dgram_bind.kind = kind;
    m.u.dgram_bind.name = name;
    m.u.dgram_bind.priority = priority;
    if (qms_session_control_write(s, &m) != QMS_OK) {
        context_free(c);
        return NULL;
    }
    c->bound_at = s->control_written;
    s->next_context++;
    s->contexts_out_count++;
    return c;
}

/* The context to send with, bound now if need be; `must`: nothing else will do. */
static struct context *context_for(struct qms_session *s, enum qms_kind kind,
                                   struct qms_bytes name, uint8_t priority, bool must)
{
    struct context *c = find_name(&s->contexts_out, kind, name);

    if (c == NULL) {
        c = bind(s, kind, name, priority, must);
    }
    if (c != NULL) {
        move_to_front(&s->contexts_out, c);
        c->used_at = s->link->now;
    }
    return c;
}

static size_t in_place_len(struct qms_bytes name)
{
    return 2 + qms_varint_size(name.len) + name.len; /* context 0, kind */
}

qms_err qms_session_datagram(struct qms_session *s, enum qms_kind kind, struct qms_bytes name,
                             uint8_t priority, struct qms_bytes payload)
{
    uint8_t header[QMS_DATAGRAM_HEADER_MAX];
    struct qms_writer w = qms_writer_of(header, sizeof(header));
    struct qms_datagram d = {.kind = kind, .target = name};

    if (s->link == NULL || s->phase == QMS_SESSION_CLOSED) {
        return QMS_E_CLOSED;
    }
    if (s->phase != QMS_SESSION_OPEN) {
        return QMS_E_STATE;
    }
    size_t max = s->link->ops->datagram_max(s->link);
    if (max == 0) {
        return QMS_E_UNSUPPORTED;
    }
    if (payload.len > qms_session_datagram_max(s, name)) {
        return QMS_E_TOO_LARGE;
    }
    qms_err err = qms_datagram_encode_header(&w, &d); /* checks kind and name too */
    if (err != QMS_OK) {
        return err;
    }
    bool must = in_place_len(name) + payload.len > max;
    const struct context *c = context_for(s, kind, name, priority, must);
    if (c != NULL && (s->control_acked >= c->bound_at || must)) {
        d.context = c->id;
        w.len = 0;
        err = qms_datagram_encode_header(&w, &d);
    }
    if (err != QMS_OK) {
        return err;
    }
    struct qms_bytes parts[] = {{header, w.len}, payload};
    return s->link->ops->datagram(s->link, priority, parts, 2);
}

size_t qms_session_datagram_max(struct qms_session *s, struct qms_bytes name)
{
    struct qms_list *node;
    uint64_t id = s->next_context;

    if (s->link == NULL) {
        return 0;
    }
    QMS_LIST_FOREACH(node, &s->contexts_out) {
        const struct context *c = QMS_CONTAINER(node, struct context, node);
        if (is_named(c, name)) {
            id = c->id;
        }
    }
    size_t max = s->link->ops->datagram_max(s->link), header = qms_varint_size(id);
    return max > header ? max - header : 0;
}
