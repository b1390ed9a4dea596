/* SPDX-License-Identifier: MIT */
/* What only the browser's build of the client has (wasm/, Emscripten); all else is
 * <quicms/client.h>, with these differences:
 *
 *  - The page's event loop drives the client: qms_client_fd is -1, turns come by themselves,
 *    and qms_client_run gives QMS_E_UNSUPPORTED, but in the Asyncify build, which blocks in it
 *    and in <quicms/client_sync.h>, one call at a time (QMS_E_STATE for a second one).
 *  - qms_connect takes https://HOST:PORT/PATH.  The browser judges the certificate: by its own
 *    trust, or by pins, which are the SHA-256 of whole certificates then (at most 14 days
 *    valid, ECDSA); CA files, client certificates, qms_options_set_insecure and key logs give
 *    QMS_E_UNSUPPORTED.  It resolves names, and does not tell why a session was refused.
 *  - There is no listener, thread, early data, ticket store, migration or address.
 *  - A page cannot see packets or round trips: those figures of qms_connection_stats are the
 *    broker's last STATS (doc/wire.md section 5), asked for anew by the call when they are
 *    older than a second; its losses, window and bytes in flight are the broker's own sending
 *    direction's.
 *  - Acknowledged means taken by the browser, and for the end of a stream by the other side.
 *  - Where the browser does not tell a code (Firefox: of a reset) it is CANCELLED.
 */
#ifndef QUICMS_CLIENT_WEB_H
#define QUICMS_CLIENT_WEB_H

#include <quicms/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Where to ask, before each attempt, for the hashes of the broker's self-signed certificates:
 * the broker's /api/v1/cert, relative to the page or whole.  So a renewed certificate is found.
 * They are used beside the pins.  NULL: nowhere. */
QMS_API QMS_MUST_CHECK qms_err qms_options_set_web_certificate_url(struct qms_options *o,
                                                                   const char *url);

/** Whether the browser is given views of the library's memory instead of copies (off).  Saves
 * one copy of what is sent; safe where a browser reads what it is given before write() returns
 * while nothing is queued, as those that are tested do. */
QMS_API void qms_options_set_web_views(struct qms_options *o, bool views);

#ifdef __cplusplus
}
#endif
#endif
