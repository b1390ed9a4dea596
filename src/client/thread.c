/* SPDX-License-Identifier: MIT */
/* A thread that drives a client, for applications without a loop. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/mem.h"
#include "client/client_i.h"

struct qms_client_thread {
    pthread_t id;
    struct qms_letter end; /* tells it to stop; needs no memory when the time has come */
};

static void *run(void *arg)
{
    (void)!qms_client_run(arg, QMS_NEVER);
    return NULL;
}

/* Signals stay the application's. */
static int start(struct qms_client_thread *t, struct qms_client *client)
{
    sigset_t all, old;
    int err;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    err = pthread_create(&t->id, NULL, run, client);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return err;
}

qms_err qms_client_start_thread(struct qms_client *client)
{
    struct qms_client_thread *t;
    int err;

    if (client->thread != NULL || client->driver == NULL) {
        return QMS_E_STATE;
    }
    t = qms_calloc(1, sizeof(*t));
    if (t == NULL) {
        return QMS_E_NOMEM;
    }
    client->thread = t;
    err = start(t, client);
    if (err != 0) {
        client->thread = NULL;
        qms_free(t);
        errno = err;
        return QMS_E_IO;
    }
    return QMS_OK;
}

static void end_deliver(void *to, struct qms_letter *letter)
{
    (void)letter;
    ((struct qms_client *)to)->stop = true;
}

static void end_drop(struct qms_letter *letter)
{
    (void)letter;
}

void qms_client_join(struct qms_client *client)
{
    struct qms_client_thread *t = client->thread;

    if (t == NULL) {
        return;
    }
    t->end = (struct qms_letter){.deliver = end_deliver, .drop = end_drop};
    (void)!qms_mailbox_post(client->mail, &t->end, true);
    (void)pthread_join(t->id, NULL);
    qms_mailbox_close(client->mail); /* it may have stopped before: then the letter is there */
    client->thread = NULL;
    qms_free(t);
}
