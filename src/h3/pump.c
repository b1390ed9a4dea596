/* SPDX-License-Identifier: MIT */
/* From nghttp3 into the link.  What nghttp3 gives is in blobs of the link's at once and
 * reported as sent and acknowledged in one breath, so nghttp3 never holds bytes that wait for
 * the network; the link's own count of unacknowledged bytes bounds them instead (body.c). */
#include "h3/h3_int.h"

#define VECS 16

static qms_err write_copy(struct qms_h3_stream *s, struct qms_bytes bytes)
{
    struct qms_blob *blob = qms_blob_copy(bytes);

    if (blob == NULL) {
        return QMS_E_NOMEM;
    }
    qms_err err = s->h3->link->ops->write(s->below, blob, 0, blob->len);
    qms_blob_unref(blob);
    return err;
}

static qms_err write_vec(struct qms_h3_stream *s, const nghttp3_vec *v)
{
    struct qms_blob *chunk = s->req != NULL ? s->req->chunk : NULL;

    /* A piece of a body is in a blob already. */
    if (chunk != NULL && v->base >= chunk->data && v->base < chunk->data + chunk->len) {
        s->req->chunk_written = v->base + v->len == chunk->data + chunk->len;
        return s->h3->link->ops->write(s->below, chunk, (size_t)(v->base - chunk->data),
                                       v->len);
    }
    return write_copy(s, (struct qms_bytes){v->base, v->len});
}

static qms_err write_control(struct qms_h3_stream *s, const nghttp3_vec *v)
{
    struct qms_h3 *h3 = s->h3;
    struct qms_bytes in = {v->base, v->len};
    qms_err err = QMS_OK;

    if (!h3->settings.done) {
        size_t n = qms_h3_settings_extend(&h3->settings, in, h3->config->max_sessions);
        in.data += n;
        in.len -= n;
        if (h3->settings.done) {
            err = write_copy(s, (struct qms_bytes){h3->settings.buf, h3->settings.len});
        } else if (in.len > 0) {
            return QMS_E_LIMIT;
        }
    }
    return err != QMS_OK || in.len == 0 ? err : write_copy(s, in);
}

static qms_err write_all(struct qms_h3_stream *s, const nghttp3_vec *vec, size_t count,
                         bool fin)
{
    struct qms_h3 *h3 = s->h3;
    qms_err err = QMS_OK;

    for (size_t i = 0; i < count && err == QMS_OK; i++) {
        if (vec[i].len > 0) {
            err = s == h3->own[0] ? write_control(s, &vec[i]) : write_vec(s, &vec[i]);
        }
    }
    if (err == QMS_OK && fin) {
        h3->link->ops->finish(s->below);
    }
    return err;
}

static struct qms_h3_stream *find(struct qms_h3 *h3, int64_t id)
{
    for (unsigned i = 0; i < 3; i++) {
        if (h3->own[i] != NULL && h3->own[i]->below->id == id) {
            return h3->own[i];
        }
    }
    return qms_h3_request_find(h3, id);
}

/* The link does not take it: a stream that was reset or stopped, or no memory. */
static void give_up(struct qms_h3 *h3, struct qms_h3_stream *s, int64_t id)
{
    nghttp3_conn_shutdown_stream_write(h3->conn, id);
    if (s != NULL && s->kind == KIND_OWN) {
        qms_h3_fail(h3, NGHTTP3_H3_INTERNAL_ERROR);
    } else if (s != NULL) {
        h3->link->ops->reset(s->below, NGHTTP3_H3_INTERNAL_ERROR);
    }
}

static void take(struct qms_h3 *h3, int64_t id, const nghttp3_vec *vec, size_t count, bool fin)
{
    struct qms_h3_stream *s = find(h3, id);
    size_t len = (size_t)nghttp3_vec_len(vec, count);

    if (s == NULL || write_all(s, vec, count, fin) != QMS_OK) {
        give_up(h3, s, id);
    }
    if (!h3->failed && (nghttp3_conn_add_write_offset(h3->conn, id, len) != 0 ||
                        nghttp3_conn_add_ack_offset(h3->conn, id, len) != 0)) {
        qms_h3_fail(h3, NGHTTP3_H3_INTERNAL_ERROR);
    }
    if (s != NULL && s->req != NULL) {
        qms_h3_body_written(s, len);
    }
}

/* One step; false when nghttp3 has nothing more. */
static bool step(struct qms_h3 *h3)
{
    nghttp3_vec vec[VECS];
    int64_t id = -1;
    int fin = 0;

    h3->in_lib = true;
    nghttp3_ssize n = nghttp3_conn_writev_stream(h3->conn, &id, &fin, vec, VECS);
    h3->in_lib = false;
    if (n < 0) {
        qms_h3_fail(h3, nghttp3_err_infer_quic_app_error_code((int)n));
        return false;
    }
    if (id < 0) {
        return false;
    }
    take(h3, id, vec, (size_t)n, fin != 0);
    return true;
}

void qms_h3_pump(struct qms_h3 *h3)
{
    if (!h3->bound || h3->in_lib) {
        return;
    }
    while (!h3->failed && step(h3)) {
    }
    if (h3->body_failed) {
        qms_h3_body_reap(h3);
    }
}
