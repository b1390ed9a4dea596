/* SPDX-License-Identifier: MIT */
/* Which web pages may open WebTransport sessions: the Origin header against the configuration.
 */
#ifndef QMS_LINK_ORIGIN_H
#define QMS_LINK_ORIGIN_H

#include "core/conf/conf.h"

/** `authority`: what the client says it connects to.  `loopback`: the connection came in on a
 * loopback address.  No Origin at all is no browser and passes. */
bool qms_origin_allowed(const struct qms_server_conf *server, struct qms_bytes authority,
                        struct qms_bytes origin, bool loopback);
/** Whether the address is 127.0.0.0/8 or ::1. */
bool qms_address_is_loopback(const struct sockaddr *sa);

#endif
