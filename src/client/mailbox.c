/* SPDX-License-Identifier: MIT */
/* A list under a mutex.  A run takes the whole list first, so that calls that post again are
 * made in the next turn and a chain of them cannot starve the loop. */
#include "client/mailbox.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"

struct qms_mailbox {
    pthread_mutex_t lock;
    unsigned refs;
    int fd;
    bool closed;
    size_t count;
    struct qms_letter *first, **last;
};

qms_err qms_mailbox_new(struct qms_mailbox **out)
{
    struct qms_mailbox *m = qms_calloc(1, sizeof(*m));

    if (m == NULL) {
        return QMS_E_NOMEM;
    }
    m->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (m->fd < 0) {
        qms_free(m);
        return QMS_E_IO;
    }
    (void)pthread_mutex_init(&m->lock, NULL);
    m->refs = 1;
    m->last = &m->first;
    *out = m;
    return QMS_OK;
}

struct qms_mailbox *qms_mailbox_ref(struct qms_mailbox *m)
{
    (void)pthread_mutex_lock(&m->lock);
    m->refs++;
    (void)pthread_mutex_unlock(&m->lock);
    return m;
}

static void drop_all(struct qms_letter *l)
{
    while (l != NULL) {
        struct qms_letter *next = l->next;

        l->drop(l);
        l = next;
    }
}

static struct qms_letter *take_all(struct qms_mailbox *m)
{
    struct qms_letter *all = m->first;

    m->first = NULL;
    m->last = &m->first;
    m->count = 0;
    return all;
}

void qms_mailbox_unref(struct qms_mailbox *m)
{
    unsigned left;

    if (m == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&m->lock);
    left = --m->refs;
    (void)pthread_mutex_unlock(&m->lock);
    if (left == 0) {
        drop_all(take_all(m));
        (void)close(m->fd);
        (void)pthread_mutex_destroy(&m->lock);
        qms_free(m);
    }
}

int qms_mailbox_fd(const struct qms_mailbox *m)
{
    return m->fd;
}

void qms_mailbox_wake(struct qms_mailbox *m)
{
    uint64_t one = 1;

    /* Fails only when the counter is at its end: the descriptor is readable then. */
    (void)!write(m->fd, &one, sizeof(one));
}

qms_err qms_mailbox_post(struct qms_mailbox *m, struct qms_letter *letter, bool always)
{
    qms_err err = QMS_OK;

    (void)pthread_mutex_lock(&m->lock);
    if (m->closed) {
        err = QMS_E_CLOSED;
    } else if (m->count >= QMS_MAILBOX_MAX && !always) {
        err = QMS_E_LIMIT;
    } else {
        letter->next = NULL;
        *m->last = letter;
        m->last = &letter->next;
        m->count++;
        /* Under the lock: the letter's reader may drop the last reference to the mailbox. */
        qms_mailbox_wake(m);
    }
    (void)pthread_mutex_unlock(&m->lock);
    return err;
}

void qms_mailbox_run(struct qms_mailbox *m, void *to)
{
    uint64_t count;
    struct qms_letter *l;

    (void)!read(m->fd, &count, sizeof(count));
    (void)pthread_mutex_lock(&m->lock);
    l = take_all(m);
    (void)pthread_mutex_unlock(&m->lock);
    while (l != NULL) {
        struct qms_letter *next = l->next;

        l->deliver(to, l);
        l = next;
    }
}

void qms_mailbox_close(struct qms_mailbox *m)
{
    struct qms_letter *all;

    (void)pthread_mutex_lock(&m->lock);
    m->closed = true;
    all = take_all(m);
    (void)pthread_mutex_unlock(&m->lock);
    drop_all(all);
}
