/* SPDX-License-Identifier: MIT */
/* What master and worker tell each other: short messages with descriptors, over a socket pair
 * that keeps their bounds and whose end of file means that the other side is gone. */
#ifndef QMS_CORE_PROCESS_WORKER_CHANNEL_H
#define QMS_CORE_PROCESS_WORKER_CHANNEL_H

#include "core/conf/zone.h"

enum qms_order {
    /* to the worker */
    QMS_ORDER_RELOAD = 1, /* fds: the pack, the root directories in slot order, the zones */
    QMS_ORDER_LOG,  /* fds: the error log, then the others, opened anew; slot: their fingerprint
                     */
    QMS_ORDER_QUIT, /* finish what is under way, then leave */
    QMS_ORDER_RETIRE, /* a newer generation serves: leave when the agents have left */
    QMS_ORDER_STOP,   /* leave at once */
    /* slot, generation: a worker has come; fds: what is shared with it, arena, eventfd */
    QMS_ORDER_PEER,
    QMS_ORDER_LOST, /* slot: its worker is gone; generation: of its successor, 0: none comes */
    /* to the master */
    QMS_ORDER_READY,    /* serves */
    QMS_ORDER_RELOADED, /* text: empty, or why the old configuration stays */
    QMS_ORDER_FAILED    /* text: why it cannot start */
};

/* Within the kernel's SCM_MAX_FD of 253. */
#define QMS_ORDER_FDS_MAX (1 + QMS_CONF_ROOTS_MAX + QMS_ZONES_MAX)

struct qms_message {
    enum qms_order order;
    uint32_t slot, generation;
    char text[QMS_DIAG_MAX];
    int fds[QMS_ORDER_FDS_MAX];
    size_t fd_count;
};

/** Two ends, non-blocking, close-on-exec.  QMS_E_IO (errno). */
QMS_MUST_CHECK qms_err qms_channel_pair(int ends[2]);
/** The descriptors stay the caller's.  QMS_E_CLOSED, QMS_E_AGAIN (full), QMS_E_IO (errno). */
QMS_MUST_CHECK qms_err qms_channel_send(int end, const struct qms_message *m);
/** The descriptors become the caller's (close-on-exec).  QMS_E_AGAIN: nothing there;
 * QMS_E_CLOSED: the other side is gone; QMS_E_PROTOCOL: not a message of ours; QMS_E_LIMIT: the
 * message is there, but this process may not open as many files as came with it: it has none.
 */
QMS_MUST_CHECK qms_err qms_channel_receive(int end, struct qms_message *m);
/** Sends an order with a text and no descriptors; failures are logged. */
void qms_channel_say(int end, enum qms_order order, const char *text);
/** Bytes in an anonymous file that descriptors can carry; -1 and errno. */
int qms_channel_file(struct qms_bytes bytes);
/** All of such a file (qms_free).  QMS_E_IO, QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_channel_file_read(int fd, uint8_t **out, size_t *len);

#endif
