/* SPDX-License-Identifier: MIT */
/* What the rooms of the blocking layer share: a context that its users count, and waiting. */
#ifndef QMS_CLIENT_SYNC_H
#define QMS_CLIENT_SYNC_H

#include <quicms/client_sync.h>

#include "client/client_i.h"

struct qms_sync_context {
    struct qms_client *client;
    unsigned refs;
};

struct qms_sync_connection {
    struct qms_sync_context *context;
    struct qms_connection *c;
    struct qms_list node;    /* waits in its listener, or in none */
    struct qms_list streams; /* wait for qms_sync_accept_stream */
};

struct qms_sync_stream {
    struct qms_sync_context *context;
    struct qms_stream *st;
    struct qms_list node; /* in its connection's `streams`, or in none */
    bool answered;
    qms_err answer;
};

struct qms_sync_listener {
    struct qms_sync_context *context;
    struct qms_listener *l;
    struct qms_list waiting; /* for qms_sync_accept */
};

extern const struct qms_connection_callbacks qms_sync_connection_callbacks;

/** NULL: no memory, or QMS_E_IO of qms_client_new. */
QMS_MUST_CHECK qms_err qms_sync_context_new(struct qms_sync_context **out);
struct qms_sync_context *qms_sync_context_ref(struct qms_sync_context *x);
void qms_sync_context_unref(struct qms_sync_context *x);

/** Instant at which a call that begins now has to be over. */
qms_time qms_sync_end(qms_time timeout);
/** Turns until `done(arg)`.  QMS_E_TIMEOUT, QMS_E_IO. */
QMS_MUST_CHECK qms_err qms_sync_wait(struct qms_sync_context *x, qms_time end,
                                     bool (*done)(const void *arg), const void *arg);
/** A handle around a stream; on failure the stream is released. */
QMS_MUST_CHECK qms_err qms_sync_stream_new(struct qms_sync_context *x, struct qms_stream *st,
                                           struct qms_sync_stream **out);

#endif
