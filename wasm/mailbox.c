/* SPDX-License-Identifier: MIT */
/* The mailbox of a page, which has one thread: a list, and a wish for a turn. */
#include "client/mailbox.h"

#include <stdlib.h>

#include "web.h"

struct qms_mailbox {
    unsigned refs;
    bool closed;
    size_t count;
    struct qms_letter *first, **last;
    struct qms_web *web; /* NULL: nobody to wake yet */
};

qms_err qms_mailbox_new(struct qms_mailbox **out)
{
    struct qms_mailbox *m = calloc(1, sizeof(*m));

    if (m == NULL) {
        return QMS_E_NOMEM;
    }
    m->refs = 1;
    m->last = &m->first;
    *out = m;
    return QMS_OK;
}

void qms_web_mailbox_for(struct qms_mailbox *m, struct qms_web *web)
{
    m->web = web;
}

struct qms_mailbox *qms_mailbox_ref(struct qms_mailbox *m)
{
    m->refs++;
    return m;
}

static struct qms_letter *take_all(struct qms_mailbox *m)
{
    struct qms_letter *all = m->first;

    m->first = NULL;
    m->last = &m->first;
    m->count = 0;
    return all;
}

static void drop_all(struct qms_letter *l)
{
    while (l != NULL) {
        struct qms_letter *next = l->next;

        l->drop(l);
        l = next;
    }
}

void qms_mailbox_unref(struct qms_mailbox *m)
{
    if (m != NULL && --m->refs == 0) {
        drop_all(take_all(m));
        free(m);
    }
}

int qms_mailbox_fd(const struct qms_mailbox *m)
{
    (void)m;
    return -1;
}

void qms_mailbox_wake(struct qms_mailbox *m)
{
    if (m->web != NULL) {
        qms_js_arm(m->web, 0);
    }
}

qms_err qms_mailbox_post(struct qms_mailbox *m, struct qms_letter *letter, bool always)
{
    if (m->closed) {
        return QMS_E_CLOSED;
    }
    if (m->count >= QMS_MAILBOX_MAX && !always) {
        return QMS_E_LIMIT;
    }
    letter->next = NULL;
    *m->last = letter;
    m->last = &letter->next;
    m->count++;
    qms_mailbox_wake(m);
    return QMS_OK;
}

void qms_mailbox_run(struct qms_mailbox *m, void *to)
{
    struct qms_letter *l = take_all(m);

    while (l != NULL) {
        struct qms_letter *next = l->next;

        l->deliver(to, l);
        l = next;
    }
}

void qms_mailbox_close(struct qms_mailbox *m)
{
    m->closed = true;
    m->web = NULL;
    drop_all(take_all(m));
}
