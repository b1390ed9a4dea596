/* SPDX-License-Identifier: MIT */
/* Routes to agents.  The directory says which worker has the agent; between workers a route has
 * a half in each: the opener's, where it is counted and modules are asked, and the acceptor's.
 */
#include <string.h>

#include "core/broker_mesh.h"
#include "core/channel_remote.h"
#include "core/leg.h"
#include "core/peer.h"
#include "core/router.h"

static bool connect_channel(struct qms_leg *opener, struct qms_leg *acceptor)
{
    return qms_channel_local_new(&qms_leg_sink, opener, &qms_leg_sink, acceptor, &opener->ch,
                                 &acceptor->ch) == QMS_OK;
}

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

static bool to_peer(struct qms_leg *leg, struct qms_peer *peer,
                    const struct qms_route_header *to, struct qms_refusal *why)
{
    struct qms_leg *acceptor;

    if (peer->going_away) {
        return qms_router_refused(why, QMS_CODE_GOING_AWAY, "the target is going away",
                                  "target_leaving");
    }
    qms_err err = qms_leg_accept(leg->route, peer, to, &acceptor);
    if (err != QMS_OK) {
        return open_failed(why, err);
    }
    if (!connect_channel(leg, acceptor)) {
        qms_leg_abort(acceptor, QMS_CODE_INTERNAL);
        return qms_router_refused(why, QMS_CODE_INTERNAL, "", "internal");
    }
    return true;
}

static bool to_worker(struct qms_leg *leg, unsigned slot, const struct qms_route_header *to,
                      struct qms_refusal *why)
{
    struct qms_broker *b = leg->route->broker;
    uint8_t room[QMS_ROUTE_HEADER_MAX + 16];
    struct qms_writer w = qms_writer_of(room, sizeof(room));
    qms_err err = qms_route_encode(&w, to);

    if (err == QMS_OK) {
        err = qms_remotes_open(b->remotes, slot, leg->route->bidi,
                               (struct qms_bytes){room, w.len}, &qms_leg_sink, leg,
                               &leg->route->reverse, &leg->ch);
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
    return entry->peer != NULL ? to_peer(leg, entry->peer, to, why)
                               : to_worker(leg, entry->worker, to, why);
}

struct qms_channel *qms_router_on_stale(void *broker, void *arg, struct qms_bytes header,
                                        unsigned slot)
{
    struct qms_leg *leg = arg;
    struct qms_channel *old = leg->ch;
    struct qms_route_header to;
    struct qms_refusal why;
    size_t used;

    (void)broker, (void)slot;
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
    const struct qms_directory_entry *entry = qms_directory_find(b->directory, to.target);
    if (entry == NULL || entry->peer == NULL) {
        qms_remotes_stale(b->remotes, slot, id);
        return;
    }
    struct qms_route *route = qms_route_begin_remote(b, &to, bidi, b->now);
    if (route == NULL) {
        (void)qms_router_refused(&why, QMS_CODE_BUSY, "", "no_memory");
    } else {
        bool done = accept_remote(route, entry->peer, slot, id, &to, &why);
        qms_route_unref(route); /* the leg has a reference of its own */
        if (done) {
            return;
        }
    }
    struct qms_result r = qms_router_result_of(&why);
    qms_stats_label(b->stats, QMS_F_ROUTE_REFUSED, why.label);
    qms_remotes_refuse(b->remotes, slot, id, &r);
}
