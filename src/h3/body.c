/* SPDX-License-Identifier: MIT */
/* Response bodies: files and capsules.  nghttp3 asks for a piece, gets it as a blob of ours,
 * and the pump hands the very blob to the link.  At most BODY_WINDOW bytes of a response, and
 * BODY_WINDOW_ALL of a connection, wait for the peer's acknowledgement. */
#include <errno.h>
#include <unistd.h>

#include "h3/h3_int.h"

/* A file that shrank or cannot be read gives fewer bytes than promised: false. */
static bool fill(struct qms_h3_exchange *r, struct qms_blob *blob, size_t want)
{
    while (blob->len < want) {
        ssize_t n = pread(r->fd, blob->data + blob->len, want - blob->len,
                          (off_t)(r->offset + blob->len));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        blob->len += (uint32_t)n;
    }
    return true;
}

static struct qms_blob *file_chunk(struct qms_h3_exchange *r)
{
    size_t want = r->left < QMS_BLOB_CHUNK ? (size_t)r->left : QMS_BLOB_CHUNK;
    struct qms_blob *blob = qms_blob_new(QMS_BLOB_CHUNK);

    if (blob == NULL || !fill(r, blob, want)) {
        qms_blob_unref(blob);
        return NULL;
    }
    r->offset += want;
    r->left -= want;
    r->body_end = r->left == 0;
    return blob;
}

static bool window_full(const struct qms_h3_stream *s)
{
    return s->req->unacked >= BODY_WINDOW || s->h3->body_unacked >= BODY_WINDOW_ALL;
}

static struct qms_blob *next_chunk(struct qms_h3_stream *s)
{
    struct qms_h3_exchange *r = s->req;
    struct qms_blob *blob = r->queued;

    if (r->fd < 0) {
        r->queued = NULL;
        return blob;
    }
    if (window_full(s)) {
        r->body_blocked = true;
        return NULL;
    }
    blob = file_chunk(r);
    if (blob == NULL) {
        r->body_failed = s->h3->body_failed = true;
    }
    return blob;
}

nghttp3_ssize qms_h3_body_read(struct qms_h3_stream *s, nghttp3_vec *vec, uint32_t *flags)
{
    struct qms_h3_exchange *r = s->req;

    /* One piece at a time: nghttp3 points into the one before until the pump has it. */
    if (r->chunk != NULL || r->body_failed) {
        r->body_blocked = r->chunk != NULL;
        return NGHTTP3_ERR_WOULDBLOCK;
    }
    r->chunk = next_chunk(s);
    if (r->chunk == NULL && !r->body_end) {
        return NGHTTP3_ERR_WOULDBLOCK;
    }
    if (r->body_end) {
        *flags |= NGHTTP3_DATA_FLAG_EOF;
    }
    if (r->chunk == NULL) {
        return 0;
    }
    vec[0] = (nghttp3_vec){r->chunk->data, r->chunk->len};
    return 1;
}

static void close_file(struct qms_h3_stream *s)
{
    if (s->req->fd >= 0) {
        close(s->req->fd);
        s->req->fd = -1;
        s->h3->file_count--;
    }
}

void qms_h3_body_written(struct qms_h3_stream *s, size_t len)
{
    struct qms_h3_exchange *r = s->req;

    r->unacked += len;
    s->h3->body_unacked += len;
    if (r->chunk_written) {
        qms_blob_unref(r->chunk);
        r->chunk = NULL;
        r->chunk_written = false;
    }
    if (r->left == 0) {
        close_file(s);
    }
}

void qms_h3_body_reap(struct qms_h3 *h3)
{
    struct qms_list *n;

    h3->body_failed = false;
    QMS_LIST_FOREACH(n, &h3->requests) {
        struct qms_h3_stream *s = QMS_CONTAINER(n, struct qms_h3_stream, node);
        if (s->req->body_failed) {
            qms_h3_lib_stopped(s);
            h3->link->ops->reset(s->below, NGHTTP3_H3_INTERNAL_ERROR);
        }
    }
}

static void resume_all(struct qms_h3 *h3)
{
    struct qms_list *n;

    QMS_LIST_FOREACH(n, &h3->requests) {
        struct qms_h3_stream *s = QMS_CONTAINER(n, struct qms_h3_stream, node);
        if (s->req->body_blocked && s->req->unacked < BODY_WINDOW / 2) {
            s->req->body_blocked = false;
            qms_h3_lib_resume(s);
        }
    }
}

static void shrink(struct qms_h3 *h3, uint64_t len)
{
    h3->body_unacked -= len;
    if (h3->body_unacked < BODY_WINDOW_ALL - BODY_WINDOW) {
        resume_all(h3);
    }
}

void qms_h3_body_acked(struct qms_h3_stream *s, uint64_t len)
{
    len = len < s->req->unacked ? len : s->req->unacked;
    s->req->unacked -= len;
    shrink(s->h3, len);
}

void qms_h3_body_fini(struct qms_h3_stream *s)
{
    close_file(s);
    qms_blob_unref(s->req->chunk);
    qms_blob_unref(s->req->queued);
    shrink(s->h3, s->req->unacked);
}
