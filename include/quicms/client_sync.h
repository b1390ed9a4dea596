/* SPDX-License-Identifier: MIT */
/* Blocking calls, each with a deadline, over <quicms/client.h>.
 *
 * Every connection begun here has a context of its own inside; connections that a listener has
 * accepted share the listener's.  What shares a context belongs to one thread.
 *
 * Time:   a `timeout` is the longest that a call may take; QMS_NEVER: no limit.  A call that
 *         ran out of it returns QMS_E_TIMEOUT, has no effect unless it says so, and may be
 *         repeated.
 *         Nothing moves between calls, as there is no hidden thread: an application that stays
 *         away longer than the idle timeout finds its connections ended (QMS_E_IDLE).
 * Errors: besides those named at each call, the error that ended the connection (see
 *         on_closed of struct qms_connection_callbacks) and QMS_E_NOMEM.
 * Handles of <quicms/client.h> lie beneath (qms_sync_stream_handle, qms_sync_connection_handle)
 * for their getters and settings; callbacks must not be set on them, nor must they be released.
 */
#ifndef QUICMS_CLIENT_SYNC_H
#define QUICMS_CLIENT_SYNC_H

#include <quicms/listen.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qms_sync_connection;
struct qms_sync_listener;
struct qms_sync_stream;

/* ------------------------------------------------------------- connection ---- */

/** Connects and waits for the welcome.  Errors of qms_connect, and as told by on_closed:
 * QMS_E_TIMEOUT, QMS_E_CONNECT, QMS_E_CERTIFICATE, QMS_E_WIRE + UNAUTHENTICATED, ...
 * The connect timeout of the options holds too. */
QMS_API QMS_MUST_CHECK qms_err qms_sync_connect(const struct qms_options *options,
                                                const char *url, qms_time timeout,
                                                struct qms_sync_connection **out);
/** Closes in good order and waits until the close is on its way.  Stream data not yet
 * acknowledged is dropped: qms_sync_finish first. */
QMS_API QMS_MUST_CHECK qms_err qms_sync_close(struct qms_sync_connection *c, uint8_t code,
                                              const char *reason, qms_time timeout);
/** Ends the handle, closing with code 0 if still open.  Streams stay valid until they are freed
 * themselves.  Takes NULL. */
QMS_API void qms_sync_connection_free(struct qms_sync_connection *c);
/** Living as long as `c`. */
QMS_API struct qms_connection *qms_sync_connection_handle(const struct qms_sync_connection *c);

/** Takes connections at an address, as qms_listen; everyone is let in whom the options'
 * tokens and rates let in.  Errors of qms_listen. */
QMS_API QMS_MUST_CHECK qms_err qms_sync_listen(const struct qms_options *options,
                                               const char *address,
                                               struct qms_sync_listener **out);
/** Waits for an agent that connects. */
QMS_API QMS_MUST_CHECK qms_err qms_sync_accept(struct qms_sync_listener *l, qms_time timeout,
                                               struct qms_sync_connection **out);
/** Ends it and all connections it has accepted (GOING_AWAY), whose handles stay valid.  Takes
 * NULL. */
QMS_API void qms_sync_listener_free(struct qms_sync_listener *l);
QMS_API struct qms_listener *qms_sync_listener_handle(const struct qms_sync_listener *l);

/* ----------------------------------------------------------------- stream ---- */

/** Opens a stream, parameters as for qms_stream_open, and waits for its answer where one comes
 * (bidirectional, without QMS_OPEN_NO_RESULT).  QMS_E_WIRE + code: refused. */
QMS_API QMS_MUST_CHECK qms_err qms_sync_open(struct qms_sync_connection *c, enum qms_kind kind,
                                             const char *name, unsigned flags, uint8_t priority,
                                             const struct qms_open *params, qms_time timeout,
                                             struct qms_sync_stream **out);
/** Waits for a stream that the other side opens, and accepts it. */
QMS_API QMS_MUST_CHECK qms_err qms_sync_accept_stream(struct qms_sync_connection *c,
                                                      qms_time timeout,
                                                      struct qms_sync_stream **out);
/** Ends the handle as qms_stream_release does.  Takes NULL. */
QMS_API void qms_sync_stream_free(struct qms_sync_stream *st);
/** Living as long as `st`. */
QMS_API struct qms_stream *qms_sync_stream_handle(const struct qms_sync_stream *st);

/** Waits for bytes and reads what has come.  `*len` 0 with QMS_OK: the end.  Errors of
 * qms_stream_read except QMS_E_AGAIN. */
QMS_API QMS_MUST_CHECK qms_err qms_sync_read(struct qms_sync_stream *st, void *buf, size_t cap,
                                             qms_time timeout, size_t *len);
/** Reads `want` bytes.  `*len` tells how many have been read, also when it fails; QMS_E_MORE:
 * the end came before. */
QMS_API QMS_MUST_CHECK qms_err qms_sync_read_exact(struct qms_sync_stream *st, void *buf,
                                                   size_t want, qms_time timeout, size_t *len);
/** Waits for room and writes what fits.  Errors of qms_stream_write except QMS_E_AGAIN. */
QMS_API QMS_MUST_CHECK qms_err qms_sync_write(struct qms_sync_stream *st, struct qms_bytes data,
                                              qms_time timeout, size_t *taken);
/** Writes everything.  `*taken` (may be NULL) tells how much was, also when it fails. */
QMS_API QMS_MUST_CHECK qms_err qms_sync_write_all(struct qms_sync_stream *st,
                                                  struct qms_bytes data, qms_time timeout,
                                                  size_t *taken);
/** Ends the sending direction and waits until the other side's transport has all of it (through
 * a broker: until the broker has).  With QMS_E_TIMEOUT it is ended all the same. */
QMS_API QMS_MUST_CHECK qms_err qms_sync_finish(struct qms_sync_stream *st, qms_time timeout);

/** qms_request, and waits for the reply: `cap` bytes of room, `*len` receives its length.
 * QMS_E_TOO_LARGE: the reply is longer than `cap` or than qms_options_set_max_message. */
QMS_API QMS_MUST_CHECK qms_err qms_sync_request(struct qms_sync_connection *c,
                                                enum qms_kind kind, const char *name,
                                                uint8_t priority, struct qms_bytes payload,
                                                qms_time timeout, void *reply, size_t cap,
                                                size_t *len);

#ifdef __cplusplus
}
#endif
#endif
