/* SPDX-License-Identifier: MIT */
/* Whole messages on one FRAMED stream to the topic "framed", as fast as the broker takes them.
 */
#include <stdio.h>
#include <string.h>

#include "load.h"

struct publisher {
    struct load *load;
    uint64_t wanted, sent;
    size_t size;
    bool done;
    uint8_t message[16384];
};

static void on_writable(struct qms_stream *st, void *arg)
{
    struct publisher *p = arg;
    qms_err err = QMS_OK;

    for (; p->sent < p->wanted; p->sent++) {
        err = qms_stream_send_message(st, (struct qms_bytes){p->message, p->size});
        if (err == QMS_E_AGAIN) {
            return;
        }
        if (err != QMS_OK) {
            load_fail(p->load, "message %llu: %s", (unsigned long long)p->sent,
                      qms_strerror(err));
            return;
        }
    }
    (void)!qms_stream_finish(st); /* on_closed tells what is wrong */
}

static void on_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct publisher *p = arg;

    if (err != QMS_OK) {
        load_fail(p->load, "the stream: %s", qms_strerror(err));
    }
    p->done = true;
    qms_stream_release(st);
}

int load_framed(struct load *l, uint64_t count, uint64_t size)
{
    static const struct qms_stream_callbacks callbacks = {
        .size = sizeof(callbacks), .on_writable = on_writable, .on_closed = on_closed};
    static struct publisher p; /* it is there as long as the client */
    struct qms_stream *st;

    p = (struct publisher){.load = l, .wanted = count, .size = (size_t)size};
    memset(p.message, 'm', sizeof(p.message));
    if (size > sizeof(p.message) ||
        qms_stream_open(load_connect_one(l, "framed"), QMS_KIND_TOPIC, "framed",
                        QMS_OPEN_UNI | QMS_OPEN_FRAMED, QMS_PRIORITY_NORMAL, NULL, &callbacks,
                        &p, &st) != QMS_OK) {
        load_fail(l, "the stream could not be opened");
        return 1;
    }
    on_writable(st, &p);
    (void)load_run(l, &p.done, 60);
    printf("{\"messages\": %llu}\n", (unsigned long long)p.sent);
    return l->failed ? 1 : 0;
}
