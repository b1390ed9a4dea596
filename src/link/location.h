/* SPDX-License-Identifier: MIT */
/* Which location of a server a path leads to.  Files are found by prefix, as far as a location
 * has a root; sessions by the exact path, because what lies below it means nothing to them. */
#ifndef QMS_LINK_LOCATION_H
#define QMS_LINK_LOCATION_H

#include "core/conf/conf.h"

/** The root of the longest location that begins the path, percent-escapes decoded; -1: none. */
int qms_location_root(const struct qms_server_conf *server, struct qms_bytes path);
/** The location whose WebTransport sessions have this path, or NULL. */
const struct qms_location *qms_location_of_sessions(const struct qms_server_conf *server,
                                                    struct qms_bytes path);

#endif
