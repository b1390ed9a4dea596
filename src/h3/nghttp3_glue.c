/* SPDX-License-Identifier: MIT */
/* nghttp3: set-up, callbacks, and what it is told about streams.  The callbacks note things in
 * the request and ask the link for resets; nothing above is called from them. */
#include "base/mem.h"
#include "h3/h3_int.h"

static int cb_begin_headers(nghttp3_conn *conn, int64_t id, void *user, void *stream_user)
{
    (void)stream_user;
    nghttp3_conn_set_stream_user_data(conn, id, qms_h3_request_find(user, id));
    return 0;
}

static int cb_recv_header(nghttp3_conn *conn, int64_t id, int32_t token, nghttp3_rcbuf *name,
                          nghttp3_rcbuf *value, uint8_t flags, void *user, void *stream_user)
{
    struct qms_h3 *h3 = user;

    (void)conn, (void)id, (void)flags;
    if (stream_user != NULL && !qms_h3_request_field(stream_user, token, name, value)) {
        h3->fatal_code = NGHTTP3_H3_EXCESSIVE_LOAD;
        return NGHTTP3_ERR_CALLBACK_FAILURE;
    }
    return 0;
}

static int cb_recv_trailer(nghttp3_conn *conn, int64_t id, int32_t token, nghttp3_rcbuf *name,
                           nghttp3_rcbuf *value, uint8_t flags, void *user, void *stream_user)
{
    /* Nothing here reads trailers, but they count towards the same limit. */
    (void)token;
    return cb_recv_header(conn, id, -1, name, value, flags, user, stream_user);
}

static int cb_end_headers(nghttp3_conn *conn, int64_t id, int fin, void *user,
                          void *stream_user)
{
    (void)conn, (void)id, (void)fin, (void)user;
    if (stream_user != NULL) {
        qms_h3_request_whole(stream_user);
    }
    return 0;
}

static int cb_recv_data(nghttp3_conn *conn, int64_t id, const uint8_t *data, size_t len,
                        void *user, void *stream_user)
{
    (void)conn, (void)id, (void)user;
    if (stream_user != NULL) {
        qms_h3_request_body(stream_user, (struct qms_bytes){data, len});
    }
    return 0;
}

static int cb_deferred_consume(nghttp3_conn *conn, int64_t id, size_t len, void *user,
                               void *stream_user)
{
    struct qms_h3_stream *s = qms_h3_request_find(user, id);

    (void)conn, (void)stream_user;
    if (s != NULL) {
        qms_h3_consume(s, len);
    }
    return 0;
}

static int cb_end_stream(nghttp3_conn *conn, int64_t id, void *user, void *stream_user)
{
    struct qms_h3_stream *s = stream_user;

    (void)conn, (void)id, (void)user;
    if (s != NULL) {
        s->req->peer_fin = true;
    }
    return 0;
}

/* A malformed request: RFC 9114 section 4.1.2. */
static int cb_stop_sending(nghttp3_conn *conn, int64_t id, uint64_t code, void *user,
                           void *stream_user)
{
    struct qms_h3 *h3 = user;
    struct qms_h3_stream *s = qms_h3_request_find(h3, id);

    (void)conn, (void)stream_user;
    if (s != NULL) {
        h3->link->ops->stop(s->below, code);
    }
    return 0;
}

static int cb_reset_stream(nghttp3_conn *conn, int64_t id, uint64_t code, void *user,
                           void *stream_user)
{
    struct qms_h3 *h3 = user;
    struct qms_h3_stream *s = qms_h3_request_find(h3, id);

    (void)conn, (void)stream_user;
    if (s != NULL) {
        qms_h3_oddity(h3);
        h3->link->ops->reset(s->below, code);
    }
    return 0;
}

static int cb_recv_settings(nghttp3_conn *conn, const nghttp3_settings *settings, void *user)
{
    struct qms_h3 *h3 = user;

    (void)conn, (void)settings;
    h3->settings_seen = true;
    return 0;
}

static const nghttp3_callbacks callbacks = {
    .recv_data = cb_recv_data,
    .deferred_consume = cb_deferred_consume,
    .begin_headers = cb_begin_headers,
    .recv_header = cb_recv_header,
    .end_headers = cb_end_headers,
    .recv_trailer = cb_recv_trailer,
    .stop_sending = cb_stop_sending,
    .end_stream = cb_end_stream,
    .reset_stream = cb_reset_stream,
    .recv_settings = cb_recv_settings,
};

qms_err qms_h3_lib_new(struct qms_h3 *h3)
{
    nghttp3_settings settings;

    nghttp3_settings_default(&settings);
    settings.max_field_section_size = SECTION_MAX;
    settings.qpack_max_dtable_capacity = 4096;
    settings.qpack_encoder_max_dtable_capacity = 4096;
    settings.qpack_blocked_streams = 16;
    settings.enable_connect_protocol = 1;
    settings.h3_datagram = 1;
    if (nghttp3_conn_server_new(&h3->conn, &callbacks, &settings, NULL, h3) != 0) {
        return QMS_E_NOMEM;
    }
    nghttp3_conn_set_max_concurrent_streams(h3->conn, STREAMS_AHEAD);
    nghttp3_conn_set_max_client_streams_bidi(h3->conn, STREAMS_AHEAD);
    return QMS_OK;
}

static bool open_own(struct qms_h3 *h3, unsigned i)
{
    struct qms_link_stream *below;

    if (h3->link->ops->open(h3->link, false, PRIORITY_CONTROL, &below) != QMS_OK) {
        return false;
    }
    below->vital = true;
    h3->own[i] = qms_h3_stream_new(h3, below);
    if (h3->own[i] == NULL) {
        below->user = NULL;
        return false;
    }
    h3->own[i]->kind = KIND_OWN;
    return true;
}

/* A link may learn its streams' ids late, but nghttp3 must have them. */
static bool ids_known(const struct qms_h3 *h3)
{
    for (unsigned i = 0; i < 3; i++) {
        if (h3->own[i] == NULL || h3->own[i]->below->id < 0) {
            return false;
        }
    }
    return true;
}

static void bind_own(struct qms_h3 *h3)
{
    h3->bound = true;
    h3->bind_at = QMS_NEVER;
    if (nghttp3_conn_bind_control_stream(h3->conn, h3->own[0]->below->id) != 0 ||
        nghttp3_conn_bind_qpack_streams(h3->conn, h3->own[1]->below->id,
                                        h3->own[2]->below->id) != 0) {
        qms_h3_fail(h3, NGHTTP3_H3_INTERNAL_ERROR);
    }
}

void qms_h3_lib_start(struct qms_h3 *h3)
{
    if (h3->bound || h3->failed) {
        return;
    }
    for (unsigned i = 0; i < 3 && h3->bind_until == 0; i++) {
        if (!open_own(h3, i)) {
            qms_h3_fail(h3, NGHTTP3_H3_INTERNAL_ERROR);
            return;
        }
    }
    if (h3->bind_until == 0) {
        h3->bind_until = h3->link->now + CLOSE_WAIT;
    }
    if (ids_known(h3)) {
        bind_own(h3);
    } else if (h3->link->now >= h3->bind_until) {
        /* RFC 9114 section 6.2: a client must let the server open at least three. */
        qms_h3_fail(h3, NGHTTP3_H3_STREAM_CREATION_ERROR);
    } else {
        h3->bind_at = h3->link->now + BIND_RETRY;
    }
}

/* Unknown frames, and 0x41 in the middle of a request, which nghttp3 would skip. */
static void watch_frames(struct qms_h3_stream *s, struct qms_bytes data)
{
    struct qms_h3 *h3 = s->h3;
    bool control = s->kind == KIND_UNI;
    struct qms_h3_frames *f = control ? s->frames : &s->req->frames;
    uint64_t type, len;

    while (f != NULL && !h3->failed && qms_h3_frames_next(f, &data, &type, &len)) {
        if (type == QMS_H3_FRAME_WT_STREAM) {
            qms_h3_fail(h3, NGHTTP3_H3_FRAME_ERROR);
        } else if (control || type > 1 || len == 0) {
            qms_h3_oddity(h3);
        }
        /* nghttp3 keeps a stream for every id that is named ahead of its request. */
        if (control && type == QMS_H3_FRAME_PRIORITY_UPDATE &&
            ++h3->priority_updates > STREAMS_AHEAD + 8 * h3->request_count) {
            qms_h3_fail(h3, NGHTTP3_H3_EXCESSIVE_LOAD);
        }
    }
}

void qms_h3_lib_read(struct qms_h3_stream *s, struct qms_bytes data, bool fin)
{
    struct qms_h3 *h3 = s->h3;

    if (data.len > 0) {
        watch_frames(s, data);
    }
    if (h3->failed || (data.len == 0 && !fin)) {
        return;
    }
    h3->in_lib = true;
    nghttp3_ssize n =
        nghttp3_conn_read_stream(h3->conn, s->below->id, data.data, data.len, fin);
    h3->in_lib = false;
    if (n < 0) {
        qms_h3_fail(h3, h3->fatal_code != 0 ? h3->fatal_code
                                            : nghttp3_err_infer_quic_app_error_code((int)n));
        return;
    }
    qms_h3_consume(s, (size_t)n);
}

void qms_h3_lib_reset(struct qms_h3_stream *s)
{
    if (!s->h3->failed && nghttp3_conn_shutdown_stream_read(s->h3->conn, s->below->id) != 0) {
        qms_h3_fail(s->h3, NGHTTP3_H3_INTERNAL_ERROR);
    }
}

void qms_h3_lib_stopped(struct qms_h3_stream *s)
{
    if (!s->h3->failed) {
        nghttp3_conn_shutdown_stream_write(s->h3->conn, s->below->id);
    }
}

void qms_h3_lib_closed(struct qms_h3_stream *s)
{
    struct qms_h3 *h3 = s->h3;
    nghttp3_pri pri;

    if (h3->failed || s->local) {
        return;
    }
    /* A WebTransport stream is unknown to nghttp3, unless a PRIORITY_UPDATE named its id. */
    if (s->bidi && nghttp3_conn_get_stream_priority(h3->conn, &pri, s->below->id) == 0) {
        /* One that QPACK still blocks lives on in nghttp3 for a while. */
        nghttp3_conn_set_stream_user_data(h3->conn, s->below->id, NULL);
        nghttp3_conn_close_stream(h3->conn, s->below->id, NGHTTP3_H3_NO_ERROR);
    }
}

void qms_h3_lib_resume(struct qms_h3_stream *s)
{
    if (!s->h3->failed && nghttp3_conn_resume_stream(s->h3->conn, s->below->id) != 0) {
        qms_h3_fail(s->h3, NGHTTP3_H3_INTERNAL_ERROR);
    }
}

static nghttp3_ssize read_data(nghttp3_conn *conn, int64_t id, nghttp3_vec *vec, size_t count,
                               uint32_t *flags, void *user, void *stream_user)
{
    (void)conn, (void)id, (void)user, (void)count;
    if (stream_user == NULL) {
        return NGHTTP3_ERR_WOULDBLOCK;
    }
    return qms_h3_body_read(stream_user, vec, flags);
}

void qms_h3_lib_respond(struct qms_h3_stream *s, const nghttp3_nv *fields, size_t count,
                        bool body)
{
    static const nghttp3_data_reader reader = {read_data};
    struct qms_h3 *h3 = s->h3;

    s->req->answered = true;
    if (nghttp3_conn_submit_response(h3->conn, s->below->id, fields, count,
                                     body ? &reader : NULL) != 0) {
        qms_h3_fail(h3, NGHTTP3_H3_INTERNAL_ERROR);
    }
}

void qms_h3_lib_goaway(struct qms_h3 *h3)
{
    if (nghttp3_conn_shutdown(h3->conn) != 0) {
        qms_h3_fail(h3, NGHTTP3_H3_INTERNAL_ERROR);
    }
}

/* PRIORITY_UPDATE may name a request before it is seen.  The link keeps its stream limit to
 * itself, so a fixed distance ahead of the newest one stands for it. */
void qms_h3_lib_saw_request(struct qms_h3 *h3, int64_t id)
{
    uint64_t ordinal = (uint64_t)id / 4 + 1;

    h3->request_count = ordinal > h3->request_count ? ordinal : h3->request_count;
    if (!h3->failed) {
        nghttp3_conn_set_max_client_streams_bidi(h3->conn, h3->request_count + STREAMS_AHEAD);
    }
}
