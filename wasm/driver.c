/* SPDX-License-Identifier: MIT */
/* The page's event loop as the driver of a client: it has no descriptor to watch, and turns
 * come by themselves. */
#include "base/clock.h"
#include "base/mem.h"
#include "web.h"

#define EXPORT __attribute__((used, visibility("default")))

static const struct qms_web *const_of(const struct qms_driver *d)
{
    return (const struct qms_web *)(const void *)d;
}

static int web_fd(const struct qms_driver *d)
{
    (void)d;
    return -1;
}

static void settle_all(struct qms_web *web)
{
    struct qms_list *node, *next;

    QMS_LIST_FOREACH_SAFE(node, next, &web->links) {
        (void)qms_web_link_settle(QMS_CONTAINER(node, struct qms_web_link, node));
    }
}

static void web_receive(struct qms_driver *d, qms_time now)
{
    struct qms_web *web = qms_web_of(d);
    struct qms_list *node;

    qms_mailbox_run(web->client->mail, web->client);
    QMS_LIST_FOREACH(node, &web->links) {
        struct qms_web_link *w = QMS_CONTAINER(node, struct qms_web_link, node);

        w->link.now = now;
        qms_web_link_expire(w, now);
    }
    settle_all(web);
}

static void web_flush(struct qms_driver *d, qms_time now)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &qms_web_of(d)->links) {
        struct qms_web_link *w = QMS_CONTAINER(node, struct qms_web_link, node);

        w->link.now = now;
        w->held = w->held && now < w->held_until;
        qms_web_send(w);
    }
    settle_all(qms_web_of(d));
}

static qms_time web_next_at(const struct qms_driver *d)
{
    qms_time at = QMS_NEVER;
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &const_of(d)->links) {
        const struct qms_web_link *w = QMS_CONTAINER(node, struct qms_web_link, node);

        qms_time other = qms_web_link_next_at(w);

        at = other < at ? other : at;
    }
    return at;
}

static double ms_until(qms_time at)
{
    qms_time now = qms_clock_now();

    if (at == QMS_NEVER) {
        return -1;
    }
    return at <= now ? 0 : (double)((at - now) / QMS_MICROSECOND + 1) / 1000;
}

static void web_arm(struct qms_driver *d, qms_time at)
{
    qms_js_arm(qms_web_of(d), ms_until(at));
}

static qms_err web_wait(struct qms_driver *d, qms_time at)
{
    switch (qms_js_wait(qms_web_of(d), ms_until(at))) {
    case 0:
        return QMS_OK;
    case 1:
        return QMS_E_STATE;
    default:
        return QMS_E_UNSUPPORTED;
    }
}

static void web_free(struct qms_driver *d)
{
    struct qms_web *web = qms_web_of(d);
    struct qms_list *node;

    while ((node = qms_list_first(&web->links)) != NULL) {
        qms_web_link_free(QMS_CONTAINER(node, struct qms_web_link, node));
    }
    qms_js_forget_driver(web);
    qms_free(web);
}

static const struct qms_driver_ops web_ops = {
    .fd = web_fd,
    .receive = web_receive,
    .flush = web_flush,
    .next_at = web_next_at,
    .arm = web_arm,
    .wait = web_wait,
    .free = web_free,
};

qms_err qms_driver_new(struct qms_client *client, struct qms_driver **out)
{
    struct qms_web *web = qms_calloc(1, sizeof(*web));

    if (web == NULL) {
        return QMS_E_NOMEM;
    }
    web->base.ops = &web_ops;
    web->client = client;
    qms_list_init(&web->links);
    qms_web_mailbox_for(client->mail, web);
    *out = &web->base;
    return QMS_OK;
}

EXPORT void qms_web_turn(struct qms_web *web)
{
    qms_client_process(web->client);
}
