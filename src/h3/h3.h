/* SPDX-License-Identifier: MIT */
/* HTTP/3 server on a QUIC link (RFC 9114), with WebTransport sessions
 * (draft-ietf-webtrans-http3, the forms that browsers speak) and static files.  nghttp3 does
 * HTTP/3; the session layer is here.
 *
 * Stands on any struct qms_link whose streams have QUIC ids and 62-bit codes, so its tests need
 * neither sockets nor TLS.  Each established session is a struct qms_link of its own.
 */
#ifndef QMS_H3_H3_H
#define QMS_H3_H3_H

#include "base/link.h"
#include "base/web.h"

struct qms_h3;

/* A WebTransport CONNECT, all strings lent and untrusted. */
struct qms_h3_request {
    struct qms_bytes authority, path, origin; /* path without query */
    struct qms_bytes query;                   /* behind '?', may be empty */
    struct qms_bytes protocols; /* value of wt-available-protocols, may be empty */
    unsigned sessions;          /* that the connection has already */
};

struct qms_h3_events {
    /** Whether a session may be had.  Returns the HTTP status: 200, or 403, 404, 405, 429, 503.
     */
    int (*on_session_request)(struct qms_h3 *h3, const struct qms_h3_request *req);
    /** The session is established: set session->events and ->user now; its on_ready follows. */
    void (*on_session)(struct qms_h3 *h3, struct qms_link *session);
    /** The directory (O_PATH, lent for the call) of the file at `path` (without query, not
     * decoded); -1: none, answered by 404.  May be NULL: none at all. */
    int (*root_of)(struct qms_h3 *h3, struct qms_bytes path);
    /** A plain GET or HEAD was answered (for logs and counters).  May be NULL. */
    void (*on_request)(struct qms_h3 *h3, int status, struct qms_bytes path, uint64_t body_len);
    /** The connection below is gone; the h3 object is freed when this returns. */
    void (*on_closed)(struct qms_h3 *h3, const struct qms_link_close *why);
};

struct qms_h3_config {
    unsigned max_sessions; /* per connection: 1 */
    size_t held_bytes;     /* streams that come before the session: 64 KiB */
    unsigned held_streams; /* 16 */
};

/** Takes link->events and link->user over; the link must be ready or about to be.  NULL: out of
 * memory.  `config` must outlive it. */
struct qms_h3 *qms_h3_new(struct qms_link *link, const struct qms_h3_config *config,
                          const struct qms_h3_events *events, void *user);
void *qms_h3_user(const struct qms_h3 *h3);
/** Ends all sessions with a code and reason in good order, then the connection. */
void qms_h3_close(struct qms_h3 *h3, uint32_t code, struct qms_bytes reason);
/** Timers: closing sessions wait a bounded time for the browser. */
qms_time qms_h3_next_at(const struct qms_h3 *h3);
void qms_h3_expire(struct qms_h3 *h3, qms_time now);
/** The h3 connection below a session link. */
struct qms_h3 *qms_h3_of_session(struct qms_link *session);
struct qms_link *qms_h3_link(struct qms_h3 *h3);

/** Static files: opens a path beneath root_fd (openat2 RESOLVE_BENEATH), maps "/" to
 * index.html.  Shared with the HTTP endpoint.  On success the file, whose descriptor is the
 * caller's.  Returns the HTTP status: 200, 400, 403, 404; 503 when descriptors or memory are
 * used up. */
int qms_static_open(int root_fd, struct qms_bytes path, struct qms_web_file *out);

#endif
