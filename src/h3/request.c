/* SPDX-License-Identifier: MIT */
/* Requests: fields gathered within limits, and the answers to GET and HEAD.  A request is
 * answered from qms_h3_settle, when nghttp3 is out of the way. */
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "h3/h3_int.h"

static bool equal(struct qms_bytes a, const char *b)
{
    return a.len == strlen(b) && memcmp(a.data, b, a.len) == 0;
}

qms_err qms_h3_request_new(struct qms_h3_stream *s)
{
    s->req = qms_calloc(1, sizeof(*s->req));
    if (s->req == NULL) {
        return QMS_E_NOMEM;
    }
    s->req->fd = -1;
    s->kind = KIND_HTTP;
    qms_list_append(&s->h3->requests, &s->node);
    s->h3->link->ops->set_priority(s->below, PRIORITY_FILES);
    return QMS_OK;
}

static void await_end(struct qms_h3_stream *s)
{
    if (s->req->awaited) {
        s->req->awaited = false;
        s->h3->awaited_count--;
    }
}

static void drop_fields(struct qms_h3_exchange *r)
{
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        if (r->fields[i] != NULL) {
            nghttp3_rcbuf_decref(r->fields[i]);
            r->fields[i] = NULL;
        }
    }
}

void qms_h3_request_free(struct qms_h3_stream *s)
{
    struct qms_h3_exchange *r = s->req;

    if (r == NULL) {
        return;
    }
    await_end(s);
    drop_fields(r);
    if (r->session != NULL) {
        r->session->connect = NULL;
    }
    qms_h3_body_fini(s);
    qms_capsule_fini(&r->capsules);
    qms_free(r);
    s->req = NULL;
}

struct qms_h3_stream *qms_h3_request_find(const struct qms_h3 *h3, int64_t id)
{
    struct qms_list *n;

    QMS_LIST_FOREACH(n, &h3->requests) {
        struct qms_h3_stream *s = QMS_CONTAINER(n, struct qms_h3_stream, node);
        if (s->below->id == id) {
            return s;
        }
    }
    return NULL;
}

static enum qms_h3_field field_of(int32_t token, struct qms_bytes name)
{
    switch (token) {
    case NGHTTP3_QPACK_TOKEN__METHOD:
        return FIELD_METHOD;
    case NGHTTP3_QPACK_TOKEN__SCHEME:
        return FIELD_SCHEME;
    case NGHTTP3_QPACK_TOKEN__AUTHORITY:
        return FIELD_AUTHORITY;
    case NGHTTP3_QPACK_TOKEN__PATH:
        return FIELD_PATH;
    case NGHTTP3_QPACK_TOKEN__PROTOCOL:
        return FIELD_PROTOCOL;
    case NGHTTP3_QPACK_TOKEN_ORIGIN:
        return FIELD_ORIGIN;
    case NGHTTP3_QPACK_TOKEN_IF_NONE_MATCH:
        return FIELD_IF_NONE_MATCH;
    case NGHTTP3_QPACK_TOKEN_IF_MODIFIED_SINCE:
        return FIELD_IF_MODIFIED_SINCE;
    default:
        return equal(name, "wt-available-protocols") ? FIELD_WT_PROTOCOLS : FIELD_COUNT;
    }
}

bool qms_h3_request_field(struct qms_h3_stream *s, int32_t token, nghttp3_rcbuf *name,
                          nghttp3_rcbuf *value)
{
    struct qms_h3_exchange *r = s->req;
    nghttp3_vec n = nghttp3_rcbuf_get_buf(name), v = nghttp3_rcbuf_get_buf(value);

    r->section += n.len + v.len + 32;
    if (r->section > SECTION_MAX) {
        return r->section <= SECTION_FATAL;
    }
    enum qms_h3_field f = field_of(token, (struct qms_bytes){n.base, n.len});
    if (f != FIELD_COUNT && r->fields[f] == NULL && !r->answered) {
        nghttp3_rcbuf_incref(value);
        r->fields[f] = value;
    }
    return true;
}

struct qms_bytes qms_h3_request_get(const struct qms_h3_stream *s, enum qms_h3_field f)
{
    if (s->req->fields[f] == NULL) {
        return (struct qms_bytes){NULL, 0};
    }
    nghttp3_vec v = nghttp3_rcbuf_get_buf(s->req->fields[f]);
    return (struct qms_bytes){v.base, v.len};
}

void qms_h3_request_whole(struct qms_h3_stream *s)
{
    struct qms_h3 *h3 = s->h3;

    s->req->connect = equal(qms_h3_request_get(s, FIELD_METHOD), "CONNECT");
    if (s->req->connect && !(h3->settings_seen && h3->ready)) {
        s->req->awaited = true;
        h3->awaited_count++;
    }
    qms_list_append(&h3->answers, &s->answer);
}

void qms_h3_request_body(struct qms_h3_stream *s, struct qms_bytes data)
{
    struct qms_h3_exchange *r = s->req;

    qms_h3_consume(s, data.len);
    if (r->connect && (r->session != NULL || !r->answered)) {
        r->capsule_status = qms_capsule_parse(&r->capsules, data);
        return;
    }
    /* Nothing here wants a body, and a server may say so (RFC 9114 section 4.1); but Chromium
     * forgets the answer to an upload that is stopped, and takes a stopped CONNECT for an error
     * of the protocol.  So what is moderate is read to its end. */
    r->dropped += data.len;
    if (r->dropped > DROPPED_MAX && !r->stopped) {
        r->stopped = true;
        s->h3->link->ops->stop(s->below, NGHTTP3_H3_NO_ERROR);
    }
}

static struct qms_bytes without_query(struct qms_bytes path)
{
    const uint8_t *q = path.len == 0 ? NULL : memchr(path.data, '?', path.len);

    return (struct qms_bytes){path.data, q == NULL ? path.len : (size_t)(q - path.data)};
}

static int answer_file(struct qms_h3_stream *s, struct qms_bytes path, bool head,
                       uint64_t *sent)
{
    struct qms_h3 *h3 = s->h3;
    struct qms_web_file file = {.fd = -1};

    int root = h3->events->root_of != NULL ? h3->events->root_of(h3, path) : -1;
    if (root < 0) {
        return 404;
    }
    if (h3->file_count >= FILES_MAX) {
        return 503;
    }
    int status = qms_static_open(root, path, &file);
    if (status != 200) {
        return status;
    }
    if (qms_web_file_unchanged(&file, qms_h3_request_get(s, FIELD_IF_NONE_MATCH),
                               qms_h3_request_get(s, FIELD_IF_MODIFIED_SINCE))) {
        close(file.fd);
        qms_h3_respond_unchanged(s, &file);
        return 304;
    }
    if (head || file.size == 0) {
        close(file.fd);
    } else {
        s->req->fd = file.fd;
        s->req->left = file.size;
        h3->file_count++;
        *sent = file.size;
    }
    qms_h3_respond_file(s, &file, *sent > 0);
    return 200;
}

static void answer_plain(struct qms_h3_stream *s)
{
    struct qms_h3 *h3 = s->h3;
    struct qms_bytes method = qms_h3_request_get(s, FIELD_METHOD);
    struct qms_bytes path = without_query(qms_h3_request_get(s, FIELD_PATH));
    bool head = equal(method, "HEAD");
    uint64_t sent = 0;
    int status;

    if (!head && !equal(method, "GET")) {
        status = 405;
    } else if (path.len == 0 || path.data[0] != '/') {
        status = 400;
    } else {
        status = answer_file(s, path, head, &sent);
    }
    if (status != 200 && status != 304) {
        qms_h3_respond_status(s, status);
    }
    if (h3->events->on_request != NULL) {
        h3->events->on_request(h3, status, path, sent);
    }
}

static void answer(struct qms_h3_stream *s)
{
    struct qms_h3 *h3 = s->h3;

    if (h3->closing) {
        h3->link->ops->stop(s->below, NGHTTP3_H3_REQUEST_REJECTED);
        h3->link->ops->reset(s->below, NGHTTP3_H3_REQUEST_REJECTED);
        qms_h3_lib_stopped(s);
    } else if (s->req->section > SECTION_MAX) {
        qms_h3_respond_status(s, 431);
    } else if (s->req->connect) {
        qms_h3_answer_connect(s);
    } else {
        answer_plain(s);
    }
    drop_fields(s->req);
    if (s->req->session == NULL) {
        qms_h3_reject_held(h3, s->below->id, WT_BUFFERED_STREAM_REJECTED);
    }
}

/* RFC 8441 and the WebTransport draft: an extended CONNECT means nothing before the client's
 * SETTINGS, and it must not be taken from early data. */
static bool must_wait(struct qms_h3_stream *s)
{
    struct qms_h3 *h3 = s->h3;

    if (!s->req->awaited || (h3->settings_seen && h3->ready)) {
        return false;
    }
    if (h3->awaited_count > PENDING_MAX) {
        qms_h3_fail(h3, NGHTTP3_H3_EXCESSIVE_LOAD);
    }
    return true;
}

bool qms_h3_answer_next(struct qms_h3 *h3)
{
    struct qms_list *n, *tmp;

    if (!h3->bound) {
        return false;
    }
    QMS_LIST_FOREACH_SAFE(n, tmp, &h3->answers) {
        struct qms_h3_stream *s = QMS_CONTAINER(n, struct qms_h3_stream, answer);
        if (s->req->peer_reset) {
            qms_list_remove(&s->answer);
        } else if (!must_wait(s)) {
            qms_list_remove(&s->answer);
            await_end(s);
            answer(s);
            return true;
        }
    }
    return false;
}
