/* SPDX-License-Identifier: MIT */
/* Part of <quicms/client.h>, which includes it: messages, which come whole.
 *
 * Three ways, from the cheapest:
 *   FRAMED stream     many messages in order on one stream; a few bytes each
 *   qms_message_send  a stream each: no order between messages, urgency for each
 *   qms_request       a stream each, with an answer
 * The receiver of incomplete messages holds at most its connection's receive window
 * (qms_options_set_receive_window) in them; what does not fit is refused (BUSY).
 */
#ifndef QUICMS_MESSAGE_H
#define QUICMS_MESSAGE_H

#include <quicms/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Sends a message on a stream that was opened with QMS_OPEN_FRAMED, by either side.  All of it
 * is taken whenever the send buffer is not full, however long it is.
 *
 * @retval QMS_OK           copied
 * @retval QMS_E_INVALID    the stream is not FRAMED
 * @retval QMS_E_TOO_LARGE  over qms_options_set_max_message
 * @retval others           as qms_stream_write; QMS_E_AGAIN: on_writable follows
 */
QMS_API QMS_MUST_CHECK qms_err qms_stream_send_message(struct qms_stream *st,
                                                       struct qms_bytes message);
/** Holds on_message of a stream back, and with it the sender by flow control (RFC 9000 section
 * 4.1), or lets it come again.  QMS_E_INVALID: not FRAMED. */
QMS_API QMS_MUST_CHECK qms_err qms_stream_pause_messages(struct qms_stream *st, bool pause);

/**
 * Sends one message on a stream of its own; the other side's on_message gets all of it or
 * nothing.  Before on_ready it waits.
 *
 * @param params  further header fields; may be NULL
 * @param done    runs once in qms_client_process, also after the connection's release, but not
 *                in qms_client_free; may be NULL.
 *                 QMS_OK             the receiving agent has taken all of it: its on_message is
 *                                    called, or its application has read the stream to the end
 *                                    and finished it.  To a topic: the broker has all of it
 *                 QMS_E_WIRE + code  refused, nothing was delivered (OFFLINE, REJECTED,
 *                                    TOO_LARGE, BUSY, ...); PEER_GONE: the receiver was lost,
 *                                    it may have been delivered
 *                 others             the connection's error; it may have been delivered
 *
 * @retval QMS_OK           copied
 * @retval QMS_E_TOO_LARGE  over qms_options_set_max_message
 * @retval QMS_E_LIMIT      messages of 16 MiB are not done yet, or as for qms_stream_open
 * @retval others           as qms_stream_open
 */
QMS_API QMS_MUST_CHECK qms_err qms_message_send(struct qms_connection *c, enum qms_kind kind,
                                                const char *name, uint8_t priority,
                                                const struct qms_open *params,
                                                struct qms_bytes payload,
                                                void (*done)(void *arg, qms_err err),
                                                void *arg);

/**
 * Asks: opens a bidirectional stream, sends the payload with FIN, and collects what comes back
 * up to its FIN.  The other side sees an ordinary stream.
 *
 * @param timeout  from now to the whole reply; QMS_NEVER: none
 * @param reply    runs once in qms_client_process, also after the connection's release, but not
 *                 in qms_client_free; the bytes are lent.  QMS_OK: the reply; QMS_E_TIMEOUT;
 *                 QMS_E_TOO_LARGE: the reply is over qms_options_set_max_message; QMS_E_LIMIT:
 *                 too much memory in incomplete messages; QMS_E_WIRE + code: refused, reset or
 *                 stopped; others: the connection's error
 *
 * @retval QMS_OK           reply follows
 * @retval QMS_E_TOO_LARGE  over qms_options_set_max_message
 * @retval others           as qms_stream_open
 */
QMS_API QMS_MUST_CHECK qms_err
qms_request(struct qms_connection *c, enum qms_kind kind, const char *name, uint8_t priority,
            const struct qms_open *params, struct qms_bytes payload, qms_time timeout,
            void (*reply)(void *arg, qms_err err, struct qms_bytes reply), void *arg);

#ifdef __cplusplus
}
#endif
#endif
