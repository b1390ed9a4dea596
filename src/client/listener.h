/* SPDX-License-Identifier: MIT */
/* A listener from inside: it makes connections out of links that somebody else opened, decides
 * who is let in, and counts.  Where the links come from (sockets, or in tests a fake) it does
 * not know: listen.c does. */
#ifndef QMS_CLIENT_LISTENER_H
#define QMS_CLIENT_LISTENER_H

#include <quicms/listen.h>

#include "client/client_i.h"
#include "client/gate.h"

struct qms_listener;

/* Where its links come from. */
struct qms_source_ops {
    void (*stop)(struct qms_listener *l); /* no new ones */
    void (*stats)(const struct qms_listener *l, uint64_t *failed, uint64_t *sent,
                  uint64_t *received);
    void (*free)(struct qms_listener *l);
};

struct qms_listener {
    struct qms_client *client;
    struct qms_list node, due_node;
    struct qms_listener_callbacks cb;
    void *arg;
    struct qms_options settings;
    struct qms_list connections; /* not closed yet */
    size_t active;
    struct qms_gate *gate;
    const struct qms_source_ops *source; /* NULL in tests */
    void *source_data;
    bool stopping, stopped_told, released;
    qms_time stop_at;
    uint64_t stats[QMS_LISTENER_STAT_COUNT];
    char address[72], pin[65];
};

/** A listener without a source.  Errors of qms_listen. */
QMS_MUST_CHECK qms_err qms_listener_new(struct qms_client *client,
                                        const struct qms_options *options,
                                        const struct qms_listener_callbacks *callbacks,
                                        void *arg, struct qms_listener **out);
/** A peer's link has become a connection; it takes the link's events over.  On failure the link
 * is closed and *out is NULL. */
QMS_MUST_CHECK qms_err qms_listener_take(struct qms_listener *l, struct qms_link *link,
                                         struct qms_connection **out);
void qms_listener_destroy(struct qms_listener *l);

/* What a connection that was taken carries; `taken` of struct qms_connection. */
struct qms_taken {
    struct qms_connection *c;
    struct qms_listener *listener; /* NULL once it is released */
    struct qms_list node;          /* in its connections */
    char peer_id[QMS_NAME_MAX + 1];
    uint8_t *token;
    size_t token_len;
    bool asked, admitted, given; /* HELLO came; let in; the handle is the application's */
    bool has_certificate, going_away, over_limit, verdict_due;
    bool relays; /* it says that it is a broker */
    bool believed;
    qms_err verdict; /* of qms_connection_admit, not yet acted on */
    qms_time rate_wait;
    uint8_t certificate[32];
    qms_time close_at; /* by qms_listener_stop */
    void *place;       /* what of the source must outlive it; freed by `leave` */
    void (*leave)(void *place);
};

#endif
