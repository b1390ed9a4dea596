/* SPDX-License-Identifier: MIT */
/* One detached thread a name.  getaddrinfo_a was rejected: it keeps threads of its own that
 * outlive the library, and cancelling it is unreliable.
 *
 * The request belongs to the thread until it is posted, then to the mailbox's thread.
 * `cancelled` is written and read only in the latter. */
#include "client/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

struct qms_resolve {
    struct qms_letter letter;
    struct qms_mailbox *mail;
    struct qms_url url;
    qms_resolved *done;
    void *arg;
    bool cancelled;
    struct qms_addresses found;
    char error[256]; /* "" for none */
};

static bool look_up(const struct qms_url *url, int flags, struct qms_addresses *out,
                    int *status)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = flags | AI_NUMERICSERV};
    struct addrinfo *all = NULL;
    char port[8];

    (void)snprintf(port, sizeof(port), "%u", (unsigned)url->port);
    *status = getaddrinfo(url->host, port, &hints, &all);
    out->count = 0;
    for (struct addrinfo *a = *status == 0 ? all : NULL;
         a != NULL && out->count < QMS_ADDRESSES_MAX; a = a->ai_next) {
        if ((a->ai_family == AF_INET || a->ai_family == AF_INET6) &&
            a->ai_addrlen <= sizeof(out->list[0].sa)) {
            memcpy(&out->list[out->count].sa, a->ai_addr, a->ai_addrlen);
            out->list[out->count++].len = a->ai_addrlen;
        }
    }
    if (*status == 0) {
        freeaddrinfo(all);
    }
    return out->count > 0;
}

bool qms_resolve_literal(const struct qms_url *url, struct qms_addresses *out)
{
    int status;

    return look_up(url, AI_NUMERICHOST, out, &status);
}

static void release(struct qms_resolve *r)
{
    struct qms_mailbox *mail = r->mail;

    qms_free(r);
    qms_mailbox_unref(mail);
}

static void drop(struct qms_letter *letter)
{
    release(QMS_CONTAINER(letter, struct qms_resolve, letter));
}

static void deliver(void *to, struct qms_letter *letter)
{
    struct qms_resolve *r = QMS_CONTAINER(letter, struct qms_resolve, letter);

    (void)to;
    if (!r->cancelled) {
        r->done(r->arg, &r->found, r->error[0] == '\0' ? NULL : r->error);
    }
    release(r);
}

static void *thread_main(void *arg)
{
    struct qms_resolve *r = arg;
    int status;

    if (!look_up(&r->url, AI_ADDRCONFIG, &r->found, &status) &&
        !look_up(&r->url, 0, &r->found, &status)) {
        (void)snprintf(r->error, sizeof(r->error), "%s",
                       status == 0            ? "It has no address of the internet"
                       : status == EAI_SYSTEM ? "The system's resolver failed"
                                              : gai_strerror(status));
    }
    if (qms_mailbox_post(r->mail, &r->letter, true) != QMS_OK) {
        release(r); /* the client is gone */
    }
    return NULL;
}

/* Signals are for the application's threads. */
static int start_thread(struct qms_resolve *r)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    int status = pthread_attr_init(&attr);

    if (status != 0) {
        return status;
    }
    (void)sigfillset(&all);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attr, 256 * 1024);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    status = pthread_create(&thread, &attr, thread_main, r);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return status;
}

qms_err qms_resolve_start(struct qms_mailbox *mail, const struct qms_url *url,
                          qms_resolved *done, void *arg, struct qms_resolve **out)
{
    struct qms_resolve *r = qms_calloc(1, sizeof(*r));
    int status;

    if (r == NULL) {
        return QMS_E_NOMEM;
    }
    r->letter = (struct qms_letter){.deliver = deliver, .drop = drop};
    r->mail = qms_mailbox_ref(mail);
    r->url = *url;
    r->done = done;
    r->arg = arg;
    status = start_thread(r);
    if (status != 0) {
        release(r);
        errno = status;
        return QMS_E_IO;
    }
    *out = r;
    return QMS_OK;
}

void qms_resolve_cancel(struct qms_resolve *r)
{
    if (r != NULL) {
        r->cancelled = true;
    }
}
