/* SPDX-License-Identifier: MIT */
/* Routes to agents.  The directory says which worker has the agent; between workers a route has
 * a half in each: the opener's, where it is counted and modules are asked, and the acceptor's.
 */
#include <string.h>

#include "core/broker/broker_mesh.h"
#include "core/broker/channel_remote.h"
#include "core/broker/fan.h"
#include "core/broker/group.h"
#include "core/broker/leg.h"
#include "core/broker/peer.h"
#include "core/broker/router.h"

static bool open_failed(struct qms_refusal *why, qms_err err)
{
    switch (err) {
    case QMS_E_LIMIT:
        return qms_router_refused(why, QMS_CODE_BUSY, "the target has too many streams",
                                  "target_full");
    case QMS_E_TOO_LARGE:
        return qms_router_refused(why, QMS_CODE_TOO_LARGE, "the header is too large",
                                  "too_large");
    case QMS_E_CLOSED:
    case QMS_E_STATE:
        return qms_router_refused(why, QMS_CODE_OFFLINE, "", "offline");
    default:
        return qms_router_refused(why, QMS_CODE_INTERNAL, "", "internal");
    }
}

bool qms_router_join_peer(struct qms_route *route, struct qms_peer *peer,
                          const struct qms_route_header *to,
                          const struct qms_channel_sink *sink, void *arg,
                          struct qms_channel **ch, struct qms_refusal *why)
{
    struct qms_leg *acceptor;

    if (peer->going_away) {
        return qms_router_refused(why, QMS_CODE_GOING_AWAY, "the target is going away",
                                  "target_leaving");
    }
    qms_err err = qms_leg_accept(route, peer, to, &acceptor);
    if (err != QMS_OK) {
        return open_failed(why, err);
    }
    if (qms_channel_local_new(sink, arg, &qms_leg_sink, acceptor, ch, &acceptor->ch) !=
        QMS_OK) {
        qms_leg_abort(acceptor, QMS_CODE_INTERNAL);
        return qms_router_refused(why, QMS_CODE_INTERNAL, "", "internal");
    }
    return true;
}

bool qms_router_join_worker(struct qms_route *route, unsigned slot,
                            const struct qms_route_header *to,
                            const struct qms_channel_sink *sink, void *arg,
                            struct qms_channel **ch, struct qms_refusal *why)
{
    uint8_t room[QMS_ROUTE_HEADER_MAX + 16];
    struct qms_writer w = qms_writer_of(room, sizeof(room));
    qms_err err = qms_route_encode(&w, to);

    if (err == QMS_OK) {
        err = qms_remotes_open(route->broker->remotes, slot, route->bidi,
                               (struct qms_bytes){room, w.len}, sink, arg, &route->reverse, ch);
    }
    return err == QMS_OK || open_failed(why, err);
}

bool qms_router_to_agent(struct qms_leg *leg, const struct qms_route_header *to,
                         struct qms_refusal *why)
{
    const struct qms_directory_entry *entry =
        qms_directory_find(leg->route->broker->directory, to->target);

    if (entry == NULL) {
        return qms_router_refused(why, QMS_CODE_OFFLINE, "", "offline");
    }
    return entry->peer != NULL ? qms_router_join_peer(leg->route, entry->peer, to,
                                                      &qms_leg_sink, leg, &leg->ch, why)
                               : qms_router_join_worker(leg->route, entry->worker, to,
                                                        &qms_leg_sink, leg, &leg->ch, why);
}

struct qms_channel *qms_router_on_stale(void *arg, struct qms_bytes header)
{
    struct qms_leg *leg = arg;
    struct qms_channel *old = leg->ch;
    struct qms_route_header to;
    struct qms_refusal why;
    size_t used;

    if (leg->route->retried || qms_route_decode(header, &to, &used) != QMS_OK) {
        return NULL;
    }
    leg->route->retried = true;
    leg->ch = NULL;
    if (!qms_router_to_agent(leg, &to, &why)) {
        leg->ch = old;
        return NULL;
    }
    return leg->ch;
}

/* ---- the acceptor's worker ---- */

static bool accept_remote(struct qms_route *route, struct qms_peer *peer, unsigned slot,
                          uint32_t id, const struct qms_route_header *to,
                          struct qms_refusal *why)
{
    struct qms_broker *b = route->broker;
    struct qms_leg *leg;

    if (b->draining || peer->going_away) {
        return qms_router_refused(why, QMS_CODE_GOING_AWAY, "the target is going away",
                                  "target_leaving");
    }
    if (b->conf->worker_memory != 0 && qms_blob_total() > b->conf->worker_memory) {
        qms_stats_add(b->stats, QMS_S_MEMORY_REFUSED, 1);
        return qms_router_refused(why, QMS_CODE_BUSY, "no buffer space", "worker_memory");
    }
    qms_err err = qms_leg_accept(route, peer, to, &leg);
    if (err != QMS_OK) {
        return open_failed(why, err);
    }
    if (qms_remotes_accept(b->remotes, slot, id, &qms_leg_sink, leg, &route->forward,
                           &leg->ch) != QMS_OK) {
        qms_leg_abort(leg, QMS_CODE_INTERNAL);
        return qms_router_refused(why, QMS_CODE_INTERNAL, "", "internal");
    }
    return true;
}

static void refuse_unless(bool done, struct qms_broker *b, unsigned slot, uint32_t id,
                          const struct qms_refusal *why)
{
    if (!done) {
        struct qms_result r = qms_router_result_of(why);
        qms_stats_label(b->stats, QMS_F_ROUTE_REFUSED, why->label);
        qms_remotes_refuse(b->remotes, slot, id, &r);
    }
}

/* The connection of an id here.  A retired worker still has those of agents that have moved,
 * for routes that were on their way when they did. */
static struct qms_peer *peer_here(struct qms_broker *b, struct qms_bytes id)
{
    const struct qms_directory_entry *entry = qms_directory_find(b->directory, id);
    struct qms_list *node;

    if ((entry != NULL && entry->peer != NULL) || !b->retiring) {
        return entry != NULL ? entry->peer : NULL;
    }
    QMS_LIST_FOREACH(node, &b->peers) {
        struct qms_peer *p = QMS_CONTAINER(node, struct qms_peer, node);
        if (p->state == QMS_PEER_WELCOMED && p->id_len == id.len &&
            memcmp(p->id, id.data, id.len) == 0) {
            return p;
        }
    }
    return NULL;
}

void qms_router_on_remote_route(void *broker, unsigned slot, uint32_t id, bool bidi,
                                struct qms_bytes header)
{
    struct qms_broker *b = broker;
    struct qms_route_header to;
    struct qms_refusal why = {0};
    size_t used;

    if (qms_route_decode(header, &to, &used) != QMS_OK) {
        qms_mesh_give_up(b->mesh, slot, "a header makes no sense");
        return;
    }
    if (to.kind == QMS_KIND_TOPIC) {
        refuse_unless(qms_router_topic_from_worker(b, slot, id, &to, &why), b, slot, id, &why);
        return;
    }
    struct qms_peer *peer = peer_here(b, to.target);
    if (peer == NULL) {
        qms_remotes_stale(b->remotes, slot, id);
        return;
    }
    struct qms_route *route = qms_route_begin_remote(b, &to, bidi, b->now);
    if (route == NULL) {
        (void)qms_router_refused(&why, QMS_CODE_BUSY, "", "no_memory");
    } else {
        bool done = accept_remote(route, peer, slot, id, &to, &why);
        qms_route_unref(route); /* the leg has a reference of its own */
        if (done) {
            return;
        }
    }
    refuse_unless(false, b, slot, id, &why);
}
