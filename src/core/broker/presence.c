/* SPDX-License-Identifier: MIT */
#include "core/broker/presence.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "core/broker/peer.h"

/* One walk sends so many messages at most: other peers wait for their turn. */
#define BURST 512
/* And looks at so many ids of the snapshot. */
#define LOOKS 4096
/* Pace at which a watcher that does not read is tried again. */
#define AGAIN_FOR (20 * QMS_MILLISECOND)

struct watch {
    struct qms_list node;    /* in broker->watches */
    struct qms_list of_peer; /* in peer->watches */
    struct qms_list due;     /* in broker->watches_due */
    struct qms_peer *peer;
    uint64_t req;
    uint64_t walked;         /* number of the id to which the snapshot has come */
    bool walked_all;         /* it has met everyone; what has changed meanwhile follows */
    bool told_all;           /* the snapshot is complete */
    struct qms_map *waiting; /* changes to tell; the value is the entry itself */
    struct qms_list queue;   /* of the same, in order */
    struct qms_timer again;
    size_t prefix_len;
    uint8_t prefix[QMS_NAME_MAX];
};

struct entry {
    struct qms_list node;
    size_t len;
    uint8_t name[];
};

static void touch(struct watch *w)
{
    if (qms_list_empty(&w->due)) {
        qms_list_append(&w->peer->broker->watches_due, &w->due);
    }
}

static void entry_free(struct watch *w, struct entry *e)
{
    (void)qms_map_remove(w->waiting, (struct qms_bytes){e->name, e->len});
    qms_list_remove(&e->node);
    qms_free(e);
}

static void watch_free(struct watch *w)
{
    struct qms_list *node;

    while ((node = qms_list_first(&w->queue)) != NULL) {
        entry_free(w, QMS_CONTAINER(node, struct entry, node));
    }
    qms_timer_stop(w->peer->broker, &w->again);
    qms_list_remove(&w->node);
    qms_list_remove(&w->of_peer);
    qms_list_remove(&w->due);
    w->peer->watch_count--;
    qms_map_free(w->waiting);
    qms_free(w);
}

static bool covers(const struct watch *w, struct qms_bytes id)
{
    return w->prefix_len <= id.len &&
           (w->prefix_len == 0 || memcmp(w->prefix, id.data, w->prefix_len) == 0);
}

/* Has a name told, unless it waits already. */
static qms_err note(struct watch *w, struct qms_bytes id)
{
    struct entry *e;

    if (qms_map_get(w->waiting, id) != NULL) {
        return QMS_OK;
    }
    if (qms_map_count(w->waiting) >= QMS_PRESENCE_WAITING_MAX) {
        return QMS_E_LIMIT;
    }
    if ((e = qms_calloc(1, sizeof(*e) + id.len)) == NULL) {
        return QMS_E_NOMEM;
    }
    e->len = id.len;
    memcpy(e->name, id.data, id.len);
    qms_list_init(&e->node);
    if (qms_map_add(w->waiting, id, e) != QMS_OK) {
        qms_free(e);
        return QMS_E_NOMEM;
    }
    qms_list_append(&w->queue, &e->node);
    touch(w);
    return QMS_OK;
}

/* ---- watches ---- */

static void on_again(struct qms_timer *t, qms_time now)
{
    (void)now;
    touch(QMS_CONTAINER(t, struct watch, again));
}

static struct watch *watch_new(struct qms_peer *p, uint64_t req, struct qms_bytes prefix)
{
    struct watch *w = qms_calloc(1, sizeof(*w));
    uint8_t seed[16];

    qms_random(seed, sizeof(seed));
    if (w == NULL || (w->waiting = qms_map_new(seed)) == NULL) {
        qms_free(w);
        return NULL;
    }
    w->peer = p;
    w->req = req;
    w->prefix_len = prefix.len;
    if (prefix.len > 0) {
        memcpy(w->prefix, prefix.data, prefix.len);
    }
    w->again.fire = on_again;
    qms_list_init(&w->queue);
    qms_list_init(&w->due);
    qms_list_append(&p->broker->watches, &w->node);
    qms_list_append(&p->watches, &w->of_peer);
    p->watch_count++;
    return w;
}

qms_err qms_presence_watch(struct qms_peer *p, uint64_t req, struct qms_bytes prefix)
{
    struct watch *w = prefix.len > QMS_NAME_MAX ? NULL : watch_new(p, req, prefix);

    if (w == NULL) {
        return QMS_E_NOMEM;
    }
    touch(w);
    return QMS_OK;
}

static struct watch *find(const struct qms_peer *p, uint64_t req)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &p->watches) {
        struct watch *w = QMS_CONTAINER(node, struct watch, of_peer);
        if (w->req == req) {
            return w;
        }
    }
    return NULL;
}

bool qms_presence_unwatch(struct qms_peer *p, uint64_t req)
{
    struct watch *w = find(p, req);

    if (w == NULL) {
        return false;
    }
    watch_free(w);
    return true;
}

bool qms_presence_allowed(struct qms_peer *p)
{
    struct qms_refusal why;
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &p->watches) {
        const struct watch *w = QMS_CONTAINER(node, struct watch, of_peer);
        if (!qms_chain_watch(&p->broker->chain, qms_peer_server(p), p, p->module_data,
                             (struct qms_bytes){w->prefix, w->prefix_len}, qms_peer_now(p),
                             &why)) {
            return false;
        }
    }
    return true;
}

void qms_presence_leave(struct qms_peer *p)
{
    struct qms_list *node;

    while ((node = qms_list_first(&p->watches)) != NULL) {
        watch_free(QMS_CONTAINER(node, struct watch, of_peer));
    }
}

/* ---- changes ---- */

static void give_up(struct qms_peer *p)
{
    qms_log_peer(QMS_LOG_NOTICE, "watcher does not keep up id=%s", p->id);
    qms_peer_close(p, QMS_CODE_SLOW_CONSUMER, "too many changes wait to be read");
    qms_peer_touch(p);
}

void qms_presence_changed(struct qms_broker *b, struct qms_bytes id, uint64_t number)
{
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &b->watches) {
        struct watch *w = QMS_CONTAINER(node, struct watch, node);
        bool ahead = !w->walked_all && number > w->walked; /* the snapshot meets it, or not */
        if (!ahead && covers(w, id) && note(w, id) != QMS_OK) {
            w->peer->watch_failed = true; /* the turn closes it: not inside this walk */
            touch(w);
        }
    }
}

static qms_err tell(struct watch *w, uint8_t state, struct qms_bytes name)
{
    struct qms_control m = {.type = QMS_MSG_PRESENCE, .u.presence = {w->req, state, name}};

    qms_peer_touch(w->peer);
    return qms_session_send(w->peer->session, &m);
}

enum { OFFLINE, ONLINE, COMPLETE };

/* The next one of the snapshot, if one of the next `*looks` ids is one.  Of what waits as a
 * change the queue speaks, when the snapshot has met everyone. */
static qms_err tell_present(struct watch *w, unsigned *looks)
{
    struct qms_bytes id;
    uint64_t number;

    for (; *looks > 0; --*looks) {
        if (!qms_directory_after(w->peer->broker->directory, w->walked, &id, &number)) {
            w->walked_all = true;
            return QMS_OK;
        }
        bool now = covers(w, id) && qms_map_get(w->waiting, id) == NULL;
        qms_err err = now ? tell(w, ONLINE, id) : QMS_OK;
        if (err != QMS_OK) {
            return err;
        }
        w->walked = number;
        if (now) {
            return QMS_OK;
        }
    }
    return QMS_OK;
}

static qms_err tell_change(struct watch *w, struct entry *e)
{
    struct qms_bytes name = {e->name, e->len};
    bool here = qms_directory_find(w->peer->broker->directory, name) != NULL;
    qms_err err = tell(w, here ? ONLINE : OFFLINE, name);

    if (err == QMS_OK) {
        entry_free(w, e);
    }
    return err;
}

/* One message.  QMS_E_AGAIN: nothing waits. */
static qms_err tell_next(struct watch *w, unsigned *looks)
{
    const struct qms_list *first = qms_list_first(&w->queue);

    if (!w->walked_all) {
        return tell_present(w, looks);
    }
    if (first != NULL) {
        return tell_change(w, QMS_CONTAINER(first, struct entry, node));
    }
    if (w->told_all) {
        return QMS_E_AGAIN;
    }
    qms_err err = tell(w, COMPLETE, (struct qms_bytes){0});
    w->told_all = err == QMS_OK;
    return err;
}

static void run(struct watch *w)
{
    struct qms_broker *b = w->peer->broker;
    qms_err err = w->peer->watch_failed ? QMS_E_NOMEM : QMS_OK;
    unsigned looks = LOOKS;

    for (int i = 0; err == QMS_OK && i < BURST && looks > 0; i++) {
        err = tell_next(w, &looks);
    }
    if (err == QMS_OK) {
        touch(w); /* there is more: the next turn */
    } else if (err == QMS_E_LIMIT) {
        err = qms_timer_set(b, &w->again, b->now + AGAIN_FOR);
    }
    if (err == QMS_E_NOMEM) {
        give_up(w->peer);
    }
}

bool qms_presence_due(const struct qms_broker *b)
{
    return !qms_list_empty(&b->watches_due);
}

void qms_presence_turn(struct qms_broker *b)
{
    struct qms_list todo, *node;

    qms_list_init(&todo);
    while ((node = qms_list_first(&b->watches_due)) != NULL) {
        qms_list_remove(node);
        qms_list_append(&todo, node);
    }
    while ((node = qms_list_first(&todo)) != NULL) {
        qms_list_remove(node);
        run(QMS_CONTAINER(node, struct watch, due));
    }
}
