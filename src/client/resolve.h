/* SPDX-License-Identifier: MIT */
/* Host names to addresses without blocking the caller's thread. */
#ifndef QMS_CLIENT_RESOLVE_H
#define QMS_CLIENT_RESOLVE_H

#include <sys/socket.h>

#include "client/mailbox.h"
#include "client/url.h"

#define QMS_ADDRESSES_MAX 8

struct qms_address {
    struct sockaddr_storage sa;
    socklen_t len;
};

struct qms_addresses {
    struct qms_address list[QMS_ADDRESSES_MAX];
    size_t count;
};

struct qms_resolve;

/** Result, in the thread that runs the mailbox.  `error`: NULL, or the resolver's sentence. The
 * request is gone when this returns. */
typedef void qms_resolved(void *arg, const struct qms_addresses *found, const char *error);

/** Whether the host is an address itself; then `*out` is filled. */
bool qms_resolve_literal(const struct qms_url *url, struct qms_addresses *out);

/** Starts a helper thread.  `done(arg)` follows unless it is cancelled or the mailbox closes.
 * QMS_E_NOMEM, QMS_E_IO (errno: no thread). */
QMS_MUST_CHECK qms_err qms_resolve_start(struct qms_mailbox *mail, const struct qms_url *url,
                                         qms_resolved *done, void *arg,
                                         struct qms_resolve **out);
/** `done` will not be called; the thread ends by itself.  Same thread as `done`.  Takes NULL.
 */
void qms_resolve_cancel(struct qms_resolve *r);

#endif
