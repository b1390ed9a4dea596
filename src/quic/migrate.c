/* SPDX-License-Identifier: MIT */
/* A client's connection moves to another local socket (RFC 9000 section 9): because the
 * application wants it, or because the address under the old one is gone.
 *
 * Packets leave by the new socket at once.  The old one is read until the new path is
 * validated, since what was under way still comes there. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "quic/int.h"

/* Attempts to follow a changed address are at least this far apart. */
#define FOLLOW_EVERY QMS_SECOND
/* Moves too: each costs the peer a validation and both sides connection ids. */
#define MOVE_EVERY QMS_SECOND

static qms_err err_from(int liberr)
{
    switch (liberr) {
    case NGTCP2_ERR_CONN_ID_BLOCKED:
        return QMS_E_AGAIN;
    case NGTCP2_ERR_NOMEM:
        return QMS_E_NOMEM;
    default:
        return QMS_E_STATE;
    }
}

static void switch_to(struct qms_quic_conn *c, struct qms_socket *sock)
{
    qms_list_remove(&c->dirty); /* it may have waited for room in the old one */
    c->move_at = c->ep->now + MOVE_EVERY;
    c->old_sock = c->sock;
    c->sock = c->route->sock = sock;
    sock->route = c->route;
    qms_endpoint_set_watched(sock, true);
    qms_conn_dirty(c);
}

/* Takes the descriptor over, also when it fails. */
static qms_err migrate_to(struct qms_quic_conn *c, int fd, const union qms_sockaddr *remote,
                          socklen_t remote_len)
{
    struct qms_socket *sock;
    qms_err err = qms_socket_add(c->ep, fd, true, &sock);

    if (err != QMS_OK) {
        close(fd);
        return err;
    }
    ngtcp2_path path =
        qms_conn_path(sock, &sock->udp.local, sock->udp.local_len, remote, remote_len);
    int rv = ngtcp2_conn_initiate_immediate_migration(c->ng, &path, c->ep->now);
    if (rv != 0) {
        qms_socket_free(sock);
        return err_from(rv);
    }
    switch_to(c, sock);
    return QMS_OK;
}

static socklen_t remote_of(const struct qms_quic_conn *c, union qms_sockaddr *out)
{
    const ngtcp2_path *path = ngtcp2_conn_get_path(c->ng);

    memset(out, 0, sizeof(*out));
    memcpy(out, path->remote.addr, path->remote.addrlen);
    return path->remote.addrlen;
}

static qms_err may_migrate(const struct qms_quic_conn *c)
{
    if (c->ended || c->close_asked) {
        return QMS_E_CLOSED;
    }
    bool busy = c->old_sock != NULL || c->ep->now < c->move_at;

    return c->server || !c->handshaken || busy ? QMS_E_STATE : QMS_OK;
}

qms_err qms_conn_migrate(struct qms_quic_conn *c)
{
    union qms_sockaddr remote;
    qms_err err;

    c->ep->now = qms_clock_now();
    err = may_migrate(c);
    if (err != QMS_OK) {
        return err;
    }
    socklen_t len = remote_of(c, &remote);
    int fd = qms_client_socket(&remote.sa, len);
    return fd < 0 ? QMS_E_IO : migrate_to(c, fd, &remote, len);
}

static bool same_ip(const union qms_sockaddr *a, const union qms_sockaddr *b)
{
    if (a->sa.sa_family != b->sa.sa_family) {
        return false;
    }
    return a->sa.sa_family == AF_INET ? a->in.sin_addr.s_addr == b->in.sin_addr.s_addr
                                      : memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0;
}

/* The kernel refuses to send: is there another address to send from by now? */
void qms_conn_follow(struct qms_quic_conn *c)
{
    union qms_sockaddr remote, local;
    socklen_t local_len = sizeof(local);

    if (may_migrate(c) != QMS_OK || c->ep->now < c->follow_at) {
        return;
    }
    c->follow_at = c->ep->now + FOLLOW_EVERY;
    socklen_t len = remote_of(c, &remote);
    int fd = qms_client_socket(&remote.sa, len);
    if (fd < 0) {
        return; /* no network at all; the next packet asks again */
    }
    if (getsockname(fd, &local.sa, &local_len) != 0 || same_ip(&local, &c->sock->udp.local)) {
        close(fd);
        return;
    }
    (void)!migrate_to(c, fd, &remote, len);
}

void qms_conn_path_validated(struct qms_quic_conn *c, const ngtcp2_path *path)
{
    if (c->old_sock != NULL && path->user_data == c->sock) {
        c->old_over = true;
    }
}

void qms_conn_drop_old_socket(struct qms_quic_conn *c)
{
    if (c->old_sock != NULL) {
        qms_socket_free(c->old_sock);
        c->old_sock = NULL;
        c->old_over = false;
    }
}
