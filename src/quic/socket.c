/* SPDX-License-Identifier: MIT */
/* A socket of the endpoint and the one batch that may wait for room in it. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "quic/int.h"

static qms_err table_grow(struct qms_endpoint *ep, size_t fd)
{
    if (fd < ep->by_fd_cap) {
        return QMS_OK;
    }
    size_t cap = ep->by_fd_cap > 0 ? ep->by_fd_cap : 16;
    while (cap <= fd) {
        cap *= 2;
    }
    struct qms_socket **grown = qms_realloc(ep->by_fd, cap * sizeof(*grown));
    if (grown == NULL) {
        return QMS_E_NOMEM;
    }
    memset(grown + ep->by_fd_cap, 0, (cap - ep->by_fd_cap) * sizeof(*grown));
    ep->by_fd = grown;
    ep->by_fd_cap = cap;
    return QMS_OK;
}

qms_err qms_socket_add(struct qms_endpoint *ep, int fd, bool owned, struct qms_socket **out)
{
    struct qms_socket *sock = qms_calloc(1, sizeof(*sock));

    if (sock == NULL || table_grow(ep, (size_t)fd) != QMS_OK) {
        qms_free(sock);
        errno = ENOMEM;
        return QMS_E_NOMEM;
    }
    int err = qms_udp_init(&sock->udp, fd, ep->config.udp_gso);
    if (err != 0) {
        qms_free(sock);
        errno = err;
        return QMS_E_IO;
    }
    sock->ep = ep;
    sock->owned = owned;
    qms_list_init(&sock->stalled);
    ep->by_fd[fd] = sock;
    *out = sock;
    return QMS_OK;
}

void qms_socket_free(struct qms_socket *sock)
{
    struct qms_endpoint *ep = sock->ep;

    ep->by_fd[sock->udp.fd] = NULL;
    ep->stats.udp_reads += sock->udp.reads;
    ep->stats.udp_writes += sock->udp.writes;
    if (sock->owned) {
        qms_endpoint_set_watched(sock, false);
        close(sock->udp.fd);
    }
    qms_tls_server_unref(sock->tls);
    qms_free(sock->held);
    qms_free(sock);
}

/* Keeps the unsent rest.  Without memory it is lost, as packets may be. */
static void hold(struct qms_socket *sock, const struct qms_udp_batch *b, size_t done)
{
    sock->waiting = true;
    qms_endpoint_set_watched(sock, true);
    sock->held = qms_realloc(NULL, b->len - done);
    if (sock->held == NULL) {
        return;
    }
    memcpy(sock->held, b->data + done, b->len - done);
    sock->held_len = b->len - done;
    sock->held_segment = b->segment;
    sock->held_remote_len = 0;
    if (b->remote != NULL) {
        memcpy(&sock->held_remote, b->remote, b->remote_len);
        sock->held_remote_len = b->remote_len;
    }
    memset(&sock->held_local, 0, sizeof(sock->held_local));
    if (b->local != NULL) {
        memcpy(&sock->held_local, b->local,
               b->local->sa_family == AF_INET ? sizeof(sock->held_local.in)
                                              : sizeof(sock->held_local.in6));
    }
}

/* Errors that say that the other end cannot be reached at all, rather than that this datagram
 * was too large or memory short. */
static int unreachable(int err)
{
    switch (err) {
    case ECONNREFUSED:
    case EADDRNOTAVAIL:
    case EINVAL: /* the address that the socket is bound to is gone */
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EACCES:
    case EPERM:
        return err;
    default:
        return 0;
    }
}

int qms_socket_send(struct qms_socket *sock, const struct qms_udp_batch *b)
{
    struct qms_endpoint *ep = sock->ep;
    size_t done;

    if (sock->waiting) {
        return 0; /* lost, like a packet in a full queue */
    }
    int err = qms_udp_send(&sock->udp, b, &done);
    if (err == EAGAIN) {
        hold(sock, b, done);
    } else if (err != 0) {
        qms_log_peer(QMS_LOG_DEBUG, "udp send refused fd=%d errno=%d", sock->udp.fd, err);
        return unreachable(err);
    }
    ep->stats.udp_packets_out += (b->len + b->segment - 1) / b->segment;
    ep->stats.udp_bytes_out += b->len;
    return 0;
}

void qms_socket_writable(struct qms_socket *sock)
{
    struct qms_list *node, *next;

    if (!sock->waiting) {
        return;
    }
    if (sock->held != NULL) {
        struct qms_udp_batch b = {
            .data = sock->held,
            .len = sock->held_len,
            .segment = sock->held_segment,
            .remote = sock->held_remote_len > 0 ? &sock->held_remote.sa : NULL,
            .local = sock->held_local.sa.sa_family != 0 ? &sock->held_local.sa : NULL,
            .remote_len = sock->held_remote_len};
        size_t done;
        if (qms_udp_send(&sock->udp, &b, &done) == EAGAIN) {
            memmove(sock->held, sock->held + done, sock->held_len - done);
            sock->held_len -= done;
            return;
        }
        qms_free(sock->held);
        sock->held = NULL;
    }
    sock->waiting = false;
    qms_endpoint_set_watched(sock, true);
    QMS_LIST_FOREACH_SAFE(node, next, &sock->stalled) {
        qms_list_remove(node);
        qms_list_append(&sock->ep->dirty, node);
    }
}
