/* SPDX-License-Identifier: MIT */
/* The half of the npm package that is C: <quicms/client.h> in calls that JavaScript can make
 * (numbers and pointers), and its callbacks as one function of the package.  npm/core.js is the
 * other side of every call here. */
#ifndef QMS_WASM_PACKAGE_H
#define QMS_WASM_PACKAGE_H

#include "web.h"

#define EXPORT __attribute__((used, visibility("default")))

/* What happened: a handle, two numbers and two runs of bytes, lent. */
enum qmsp_event {
    QMSP_READY,        /* connection */
    QMSP_REFUSED,      /* a: error, b: retry after ms; reason, redirect */
    QMSP_STREAM,       /* a: the stream */
    QMSP_DATAGRAM,     /* a: kind, b: priority; source, payload */
    QMSP_THROTTLED,    /* a: what, b: retry after ms */
    QMSP_GOAWAY,       /* a: status, b: deadline in ms; redirect */
    QMSP_PONG,         /* a: round trip in ms */
    QMSP_TOKEN,        /* a: error */
    QMSP_CLOSED,       /* a: error, b: code; reason */
    QMSP_MESSAGE,      /* a: the stream it came on; -, payload */
    QMSP_RECONNECTING, /* a: error, b: delay in ms; reason */
    QMSP_PRESENCE,     /* a: watch, b: enum qms_presence; agent */
    QMSP_DONE,         /* a: error, b: number of the call; -, reply of a request */
    /* Of streams, which are the handle. */
    QMSP_RESULT, /* a: error */
    QMSP_READABLE,
    QMSP_WRITABLE,
    QMSP_STOPPED, /* a: error */
    QMSP_ENDED,   /* a: error */
    QMSP_FRAME,   /* -, message */
    QMSP_SKIPPED  /* a: messages */
};

extern void qmsp_event(int what, const void *handle, double a, double b, const void *text,
                       size_t text_len, const void *bytes, size_t len);

extern const struct qms_stream_callbacks qmsp_stream_callbacks;
/** `done` of calls whose answer is QMSP_DONE; `arg`: the number of the call. */
void qmsp_done(struct qms_connection *c, void *arg, qms_err err);

#endif
