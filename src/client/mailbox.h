/* SPDX-License-Identifier: MIT */
/* Letters handed from other threads to the thread of a client; wakes it through an eventfd.
 *
 * Shared by count between the client and the helper threads, so that a thread that ends late
 * finds it closed instead of gone.  The only part of the library that other threads touch: the
 * memory of letters comes from plain malloc, since the hook behind qms_calloc belongs to one
 * thread.
 */
#ifndef QMS_CLIENT_MAILBOX_H
#define QMS_CLIENT_MAILBOX_H

#include <quicms/types.h>

struct qms_mailbox;

#define QMS_MAILBOX_MAX 65536 /* letters waiting */

/** QMS_E_NOMEM, QMS_E_IO (errno). */
QMS_MUST_CHECK qms_err qms_mailbox_new(struct qms_mailbox **out);
struct qms_mailbox *qms_mailbox_ref(struct qms_mailbox *m);
void qms_mailbox_unref(struct qms_mailbox *m); /* takes NULL */
/** Readable while something waits. */
int qms_mailbox_fd(const struct qms_mailbox *m);

/* One call on its way; embedded in what belongs to it.  `deliver` and `drop` own the letter and
 * exactly one of them is called for each that was posted. */
struct qms_letter {
    struct qms_letter *next;
    void (*deliver)(void *to, struct qms_letter *letter);
    void (*drop)(struct qms_letter *letter); /* the mailbox was closed first */
};

/** Any thread.  QMS_E_CLOSED; QMS_E_LIMIT, unless `always`: the letter stays the caller's. */
QMS_MUST_CHECK qms_err qms_mailbox_post(struct qms_mailbox *m, struct qms_letter *letter,
                                        bool always);
/** Makes the descriptor readable without a letter.  Any thread. */
void qms_mailbox_wake(struct qms_mailbox *m);
/** Delivers what waits now to `to`, and silences the descriptor. */
void qms_mailbox_run(struct qms_mailbox *m, void *to);
/** Drops what waits and refuses what comes. */
void qms_mailbox_close(struct qms_mailbox *m);

#endif
