/* SPDX-License-Identifier: MIT */
/* The one error table: what can fail here, and what the other side can answer.
 *
 * Two families share the enum qms_err.  Local errors are small numbers.  The codes of the wire
 * protocol (doc/wire.md section 7, one byte each) stand at QMS_E_WIRE + code, so that a status
 * received from a peer and an error found here travel through the same type.
 */
#ifndef QUICMS_ERROR_H
#define QUICMS_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#    define QMS_API        __attribute__((visibility("default")))
#    define QMS_MUST_CHECK __attribute__((warn_unused_result))
#else
#    define QMS_API
#    define QMS_MUST_CHECK
#endif

/** Who is at fault, as far as the error alone tells. */
enum qms_err_who {
    QMS_WHO_NOBODY,   /* no fault: success, or wait and go on */
    QMS_WHO_PROGRAM,  /* the caller: an argument, the order of calls, a limit it has set */
    QMS_WHO_OPERATOR, /* who wrote the configuration or owns the files */
    QMS_WHO_SYSTEM,   /* this machine: memory, the operating system */
    QMS_WHO_NETWORK,  /* the way between both: nobody there, silence */
    QMS_WHO_PEER      /* the other side */
};

/* X(name, number, label, sentence, who) */
#define QMS_ERR_TABLE(X)                                                                       \
    X(QMS_OK, 0, "ok", "No error.", NOBODY)                                                    \
    X(QMS_E_NOMEM, 1, "no_memory", "An allocation failed.", SYSTEM)                            \
    X(QMS_E_AGAIN, 2, "again", "No progress is possible now; wait for the callback.", NOBODY)  \
    X(QMS_E_LIMIT, 3, "limit", "A configured limit was reached.", PROGRAM)                     \
    X(QMS_E_CLOSED, 4, "closed", "The stream or connection is already closed.", PROGRAM)       \
    X(QMS_E_INVALID, 5, "invalid", "An argument is outside what the call allows.", PROGRAM)    \
    X(QMS_E_STATE, 6, "state", "The call does not fit the state of its handle.", PROGRAM)      \
    X(QMS_E_CONFIG, 7, "config", "The configuration is wrong.", OPERATOR)                      \
    X(QMS_E_IO, 8, "io", "The operating system refused an input or output operation.", SYSTEM) \
    X(QMS_E_TLS, 9, "tls", "The TLS handshake failed.", PEER)                                  \
    X(QMS_E_CERTIFICATE, 10, "certificate", "The peer's certificate is not trusted.", PEER)    \
    X(QMS_E_CONNECT, 11, "connect_failed", "No connection could be made.", NETWORK)            \
    X(QMS_E_TIMEOUT, 12, "timed_out", "The deadline passed.", NETWORK)                         \
    X(QMS_E_RESOLVE, 13, "resolve_failed", "The host name could not be resolved.", NETWORK)    \
    X(QMS_E_PROTOCOL, 14, "protocol_violation", "The peer broke the protocol.", PEER)          \
    X(QMS_E_MORE, 15, "need_more", "More input is needed to decode.", NOBODY)                  \
    X(QMS_E_TOO_LARGE, 16, "size_limit", "The input is larger than the limit allows.", PEER)   \
    X(QMS_E_TRANSPORT, 17, "transport", "The QUIC transport reported an error.", PEER)         \
    X(QMS_E_IDLE, 18, "idle_timeout", "The connection was silent for too long.", NETWORK)      \
    X(QMS_E_RESET, 19, "stream_reset", "The stream was reset by the other side.", PEER)        \
    X(QMS_E_UNSUPPORTED, 20, "unsupported_here", "This build cannot do that.", PROGRAM)        \
    X(QMS_E_NOT_FOUND, 21, "absent", "No such entry.", PROGRAM)                                \
    X(QMS_E_EXISTS, 22, "exists", "Such an entry is there already.", PROGRAM)

/* Codes of the wire protocol: X(name, code, label, sentence, who) */
#define QMS_CODE_TABLE(X)                                                                      \
    X(OK, 0x00, "ok", "Closed without an error.", NOBODY)                                      \
    X(INTERNAL, 0x01, "internal", "The other side failed internally.", PEER)                   \
    X(PROTOCOL, 0x02, "protocol", "The wire protocol was violated.", PEER)                     \
    X(UNSUPPORTED, 0x03, "unsupported", "The request is not supported there.", PEER)           \
    X(UNAUTHENTICATED, 0x04, "unauthenticated", "The credentials were not accepted.", PEER)    \
    X(FORBIDDEN, 0x05, "forbidden", "The request is not allowed for this agent.", PEER)        \
    X(NOT_FOUND, 0x06, "not_found", "There is no such target.", PEER)                          \
    X(OFFLINE, 0x07, "offline", "The target agent is not connected.", PEER)                    \
    X(REJECTED, 0x08, "rejected", "The target refused the stream.", PEER)                      \
    X(BUSY, 0x09, "busy", "The other side has no room for it now.", PEER)                      \
    X(RATE_LIMITED, 0x0A, "rate_limited", "A rate limit was exceeded.", PEER)                  \
    X(TOO_LARGE, 0x0B, "too_large", "A size limit was exceeded.", PEER)                        \
    X(TIMEOUT, 0x0C, "timeout", "The other side waited too long.", PEER)                       \
    X(PEER_GONE, 0x0D, "peer_gone", "The agent at the far end is gone.", PEER)                 \
    X(WORKER_LOST, 0x0E, "worker_lost", "A broker process ended unexpectedly.", PEER)          \
    X(NODE_LOST, 0x0F, "node_lost", "A broker node is gone.", PEER)                            \
    X(GOING_AWAY, 0x10, "going_away", "The other side is shutting down.", PEER)                \
    X(LOOP, 0x11, "loop", "The route would run in a circle.", PEER)                            \
    X(CANCELLED, 0x12, "cancelled", "The stream was cancelled.", PEER)                         \
    X(SLOW_CONSUMER, 0x13, "slow_consumer", "The reader was too slow.", PEER)                  \
    X(EXPIRED, 0x14, "expired", "The credentials have expired.", PEER)                         \
    X(REPLACED, 0x15, "replaced", "Another connection took over the agent id.", PEER)          \
    X(TOO_EARLY, 0x16, "too_early", "The request may not be sent as early data.", PEER)

/** Codes of the wire protocol, one byte; 0x80..0xFF belong to applications. */
enum qms_code {
#define QMS_CODE_ENUM(name, num, label, text, who) QMS_CODE_##name = (num),
    QMS_CODE_TABLE(QMS_CODE_ENUM)
#undef QMS_CODE_ENUM
        QMS_CODE_APPLICATION = 0x80, /* first code of the applications' own */
    QMS_CODE_MAX = 0xFF
};

/** Every error of the library. */
typedef enum qms_err {
#define QMS_ERR_ENUM(code, num, name, text, who) code = (num),
    QMS_ERR_TABLE(QMS_ERR_ENUM)
#undef QMS_ERR_ENUM
        QMS_E_WIRE = 256, /* QMS_E_WIRE + enum qms_code: what the other side answered */
#define QMS_ERR_ENUM(name, num, label, text, peer) QMS_E_WIRE_##name = 256 + (num),
    QMS_CODE_TABLE(QMS_ERR_ENUM)
#undef QMS_ERR_ENUM
        QMS_E_WIRE_APPLICATION = 256 + 0x80, /* the first of the applications' own */
    QMS_E_WIRE_MAX = 256 + 0xFF
} qms_err;

/** Error for a code received on the wire: QMS_OK for 0, else QMS_E_WIRE + the code.  Codes
 * above 0xFF count as CANCELLED (doc/wire.md section 7). */
QMS_API qms_err qms_err_from_code(uint64_t code);

/** One-word label in lower case, as in logs and metrics; "unknown" for an unlisted number, and
 * "application" for the codes 0x80..0xFF.  Static memory, never NULL, any thread. */
QMS_API const char *qms_err_name(qms_err err);

/** One sentence for people that ends with a full stop.  Static memory, never NULL. */
QMS_API const char *qms_strerror(qms_err err);

/** Who is at fault. */
QMS_API enum qms_err_who qms_err_who(qms_err err);
/** "nobody", "program", "operator", "system", "network" or "peer".  Static memory. */
QMS_API const char *qms_err_who_name(qms_err err);

/** Whether the peer, rather than this program or its operator, caused the error. */
QMS_API bool qms_err_by_peer(qms_err err);

/** Label of a wire code ("offline"); "application" for 0x80..0xFF, "unknown" for the rest. */
QMS_API const char *qms_code_name(uint64_t code);

#ifdef __cplusplus
}
#endif
#endif
