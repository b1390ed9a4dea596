/* SPDX-License-Identifier: MIT */
/* Log lines: a constant phrase plus key=value details, nginx-style levels.
 *
 * One process-wide sink, set by main before anything logs and by tools (stderr by default).
 * Never log secrets or payload.  Text that a peer chose is escaped by the sink (control
 * characters and non-ASCII become \xNN) and cut at 512 bytes an argument line.
 *
 * Nothing waits for a log.  A line that the sink does not take is lost and counted: the next
 * one that gets through says "lost=N", and so does qms_log_take_lost.
 */
#ifndef QMS_BASE_LOG_H
#define QMS_BASE_LOG_H

#include <quicms/types.h>

enum qms_log_level { QMS_LOG_ERROR, QMS_LOG_WARN, QMS_LOG_NOTICE, QMS_LOG_INFO, QMS_LOG_DEBUG };

/** Opens `path` ("stderr" or "-" for standard error) for appending.  QMS_E_IO: errno is set and
 * the old sink stays.  Also the way to reopen after rotation. */
QMS_MUST_CHECK qms_err qms_log_open(const char *path, enum qms_log_level level);
void qms_log_set_level(enum qms_log_level level);
bool qms_log_enabled(enum qms_log_level level);
/** Takes over an open descriptor (a worker that may not open files); -1 means standard error.
 */
void qms_log_set_fd(int fd);
int qms_log_fd(void);

/* A sink that is not written to by write(2). */
#define QMS_LOG_CONTEXT_MAX 320
struct qms_log_sink {
    /* Sends one line, without its date and its newline; false: it is lost.  Must not log. */
    bool (*send)(const void *context, int fd, enum qms_log_level level, struct qms_bytes line);
    const void *context; /* copied, and lent to `send` */
    size_t context_len;  /* at most QMS_LOG_CONTEXT_MAX */
};
/** Takes the descriptor over, as qms_log_set_fd does; that ends this kind of sink. */
void qms_log_set_sink(int fd, const struct qms_log_sink *sink);
/** Lines of this process that were lost since the last call. */
uint64_t qms_log_take_lost(void);
__attribute__((format(printf, 2, 3))) void qms_log(enum qms_log_level level, const char *format,
                                                   ...);
/** The same, whatever the level of the sink. */
__attribute__((format(printf, 2, 3))) void qms_log_forced(enum qms_log_level level,
                                                          const char *format, ...);

/** For lines that a peer can trigger: at most 10 a second per place in the code; the number
 * left out is told with the next line that passes. */
struct qms_log_gate {
    qms_time from;
    unsigned count, suppressed;
};
bool qms_log_gate(struct qms_log_gate *gate);
#define qms_log_peer(level, ...)                                                               \
    do {                                                                                       \
        static struct qms_log_gate qms_gate_;                                                  \
        if (qms_log_enabled(level) && qms_log_gate(&qms_gate_)) {                              \
            qms_log((level), __VA_ARGS__);                                                     \
        }                                                                                      \
    } while (0)

#endif
