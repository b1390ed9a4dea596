/* SPDX-License-Identifier: MIT */
/* What connection ids lead to, and the closing period of RFC 9000 section 10.2: the connection
 * itself is freed at once, a few hundred bytes stay to repeat its last packet. */
#include <string.h>

#include "base/mem.h"
#include "quic/int.h"

/* Ended connections remembered at once; the oldest is forgotten first. */
#define ENDED_MAX 16384

struct qms_dest *qms_dest_new(struct qms_endpoint *ep, struct qms_socket *sock)
{
    struct qms_dest *r = qms_calloc(1, sizeof(*r));

    if (r != NULL) {
        r->ep = ep;
        r->sock = sock;
        qms_list_init(&r->ended);
    }
    return r;
}

/* ---- ids ---- */

static void forget_last(struct qms_endpoint *ep)
{
    ep->last_route = NULL;
}

static qms_err cids_grow(struct qms_dest *r)
{
    if (r->cid_count < r->cid_cap) {
        return QMS_OK;
    }
    size_t cap = r->cid_cap > 0 ? 2 * r->cid_cap : 4;
    struct qms_cid *grown = qms_realloc(r->cids, cap * sizeof(*grown));
    if (grown == NULL) {
        return QMS_E_NOMEM;
    }
    r->cids = grown;
    r->cid_cap = cap;
    return QMS_OK;
}

qms_err qms_dest_add_cid(struct qms_dest *r, const uint8_t *id, size_t len)
{
    qms_err err = len <= NGTCP2_MAX_CIDLEN ? cids_grow(r) : QMS_E_INVALID;

    if (err == QMS_OK) {
        err = qms_map_add(r->ep->routes, (struct qms_bytes){id, len}, r);
    }
    if (err == QMS_OK) {
        struct qms_cid *cid = &r->cids[r->cid_count++];
        cid->len = (uint8_t)len;
        memcpy(cid->data, id, len);
    }
    return err;
}

void qms_dest_remove_cid(struct qms_dest *r, const uint8_t *id, size_t len)
{
    for (size_t i = 0; i < r->cid_count; i++) {
        if (r->cids[i].len == len && memcmp(r->cids[i].data, id, len) == 0) {
            (void)qms_map_remove(r->ep->routes, (struct qms_bytes){id, len});
            r->cids[i] = r->cids[--r->cid_count];
            forget_last(r->ep);
            return;
        }
    }
}

struct qms_dest *qms_dest_find(struct qms_endpoint *ep, const uint8_t *id, size_t len)
{
    if (ep->last_route != NULL && ep->last_cid.len == len &&
        memcmp(ep->last_cid.data, id, len) == 0) {
        return ep->last_route;
    }
    struct qms_dest *r = qms_map_get(ep->routes, (struct qms_bytes){id, len});
    if (r != NULL && len <= NGTCP2_MAX_CIDLEN) {
        ep->last_route = r;
        ep->last_cid.len = (uint8_t)len;
        memcpy(ep->last_cid.data, id, len);
    }
    return r;
}

/* ---- after the end ---- */

void qms_dest_linger(struct qms_dest *r, qms_time until)
{
    struct qms_endpoint *ep = r->ep;

    r->conn = NULL;
    r->answer_at = 1;
    if (qms_heap_set(&ep->timers, &r->timer, until) != QMS_OK) {
        qms_dest_free(r);
        return;
    }
    qms_list_append(&ep->ended, &r->ended);
    if (++ep->ended_count > ENDED_MAX) {
        qms_dest_free(QMS_CONTAINER(ep->ended.next, struct qms_dest, ended));
    }
}

void qms_dest_answer(struct qms_dest *r)
{
    if (++r->heard < r->answer_at || r->packet == NULL) {
        return;
    }
    r->answer_at *= 2;
    struct qms_udp_batch b = {.data = r->packet,
                              .len = r->packet_len,
                              .segment = r->packet_len,
                              .remote = &r->remote.sa,
                              .local = &r->local.sa,
                              .remote_len = r->remote_len};
    (void)qms_socket_send(r->sock, &b);
}

void qms_dest_free(struct qms_dest *r)
{
    struct qms_endpoint *ep = r->ep;

    while (r->cid_count > 0) {
        struct qms_cid *cid = &r->cids[--r->cid_count];
        (void)qms_map_remove(ep->routes, (struct qms_bytes){cid->data, cid->len});
    }
    forget_last(ep);
    qms_heap_remove(&ep->timers, &r->timer);
    if (!qms_list_empty(&r->ended)) {
        qms_list_remove(&r->ended);
        ep->ended_count--;
    }
    if (r->sock->owned) {
        qms_socket_free(r->sock);
    }
    qms_free(r->cids);
    qms_free(r->packet);
    qms_free(r);
}
