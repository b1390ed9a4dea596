/* SPDX-License-Identifier: MIT */
/* What modules may know of a peer, and tell it. */
#include "core/broker/broker_mesh.h"
#include "core/broker/peer.h"

struct qms_bytes qms_peer_id(const struct qms_peer *peer)
{
    return qms_str(peer->id, peer->id_len);
}

const char *qms_peer_carrier(const struct qms_peer *peer)
{
    return peer->carrier;
}

const void *qms_peer_address(const struct qms_peer *peer)
{
    const struct sockaddr *remote = NULL;

    if (peer->link != NULL) {
        peer->link->ops->addresses(peer->link, &remote, NULL);
    }
    return remote != NULL ? (const void *)remote : (const void *)&peer->address;
}

void *qms_peer_module_worker(const struct qms_peer *peer, const struct qms_module *module)
{
    const struct qms_chain *c = &peer->broker->chain;

    for (size_t i = 0; i < c->count; i++) {
        if (c->modules[i] == module) {
            return c->worker[i];
        }
    }
    return NULL;
}

const void *qms_peer_validated_address(const struct qms_peer *peer)
{
    return peer->link != NULL ? (const void *)qms_link_validated_remote(peer->link)
                              : (const void *)&peer->address;
}

size_t qms_peer_certificates(const struct qms_peer *peer, struct qms_bytes *chain, size_t max)
{
    struct qms_link *link = peer->link;

    return link != NULL && link->ops->peer_chain != NULL
               ? link->ops->peer_chain(link, chain, max)
               : 0;
}

const char *qms_peer_certificate_fault(const struct qms_peer *peer)
{
    const struct qms_identity *id = qms_peer_server(peer)->identity;
    struct qms_bytes chain[8];
    size_t count = qms_peer_certificates(peer, chain, sizeof(chain) / sizeof(chain[0]));

    if (count == 0) {
        return "no_certificate";
    }
    return id->trust != NULL ? id->ops->verify(id->trust, chain, count)
                             : "untrusted_certificate";
}

const char *qms_peer_scopes(const struct qms_peer *peer)
{
    return peer->scopes != NULL ? peer->scopes : "";
}

const struct qms_limits *qms_peer_granted_limits(const struct qms_peer *peer)
{
    return &peer->granted;
}

void qms_peer_throttled(struct qms_peer *peer, unsigned what, uint64_t retry_after_ms)
{
    struct qms_control m = {.type = QMS_MSG_THROTTLED, .u.throttled = {what, retry_after_ms}};
    qms_time now = qms_peer_now(peer);

    if (what >= sizeof(peer->throttled_at) / sizeof(peer->throttled_at[0]) ||
        peer->state != QMS_PEER_WELCOMED || peer->throttled_at[what] > now) {
        return;
    }
    peer->throttled_at[what] = now + QMS_SECOND;
    /* Advice only: an agent that cannot be told is limited all the same. */
    if (qms_session_send(peer->session, &m) == QMS_OK) {
        qms_stats_add(peer->broker->stats, QMS_S_THROTTLED, 1);
    }
}

uint64_t qms_peer_number(const struct qms_peer *peer)
{
    return peer->number;
}

unsigned qms_peer_worker(const struct qms_peer *peer)
{
    return qms_broker_slot(peer->broker);
}

qms_time qms_peer_rtt(const struct qms_peer *peer)
{
    struct qms_link_stats s;

    qms_peer_link_stats(peer, &s);
    return s.rtt_smoothed > 0 ? s.rtt_smoothed : peer->rtt;
}

const char *qms_peer_server_name(const struct qms_peer *peer)
{
    const struct qms_server_conf *server = qms_peer_server(peer);

    return server->server_name != NULL ? server->server_name : server->listens[0].text;
}
