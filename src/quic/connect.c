/* SPDX-License-Identifier: MIT */
/* A client's connection: a connected socket of its own, so that the kernel tells when nobody
 * listens at the other end. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "quic/int.h"

/* Socket buffers of clients: the default costs a fifth of the throughput. */
#define SOCKET_BUFFER (4 << 20)

int qms_client_socket(const struct sockaddr *remote, socklen_t remote_len)
{
    int fd = socket(remote->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int size = SOCKET_BUFFER;

    if (fd < 0) {
        return -1;
    }
    /* Best effort: the kernel caps them at its own limits. */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    if (connect(fd, remote, remote_len) != 0) {
        int err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

static qms_err create(struct qms_quic_conn *c, const struct sockaddr *remote,
                      socklen_t remote_len, const char *server_name, const char *alpn,
                      struct qms_tls_client *tls, const struct qms_quic_resume *resume)
{
    union qms_sockaddr to;
    ngtcp2_settings settings;
    ngtcp2_transport_params params;
    ngtcp2_cid scid, dcid;

    memset(&to, 0, sizeof(to));
    memcpy(&to, remote, remote_len < sizeof(to) ? remote_len : sizeof(to));
    qms_cid_make(&c->ep->keys, -1, &scid);
    dcid.datalen = QMS_CID_LEN;
    qms_random(dcid.data, dcid.datalen);
    qms_conn_settings(c->ep, &settings, &params);
    ngtcp2_path path =
        qms_conn_path(c->sock, &c->sock->udp.local, c->sock->udp.local_len, &to, remote_len);
    if (ngtcp2_conn_client_new(&c->ng, &dcid, &scid, &path, NGTCP2_PROTO_VER_V1,
                               &qms_conn_client_callbacks, &settings, &params, NULL, c) != 0) {
        return QMS_E_NOMEM;
    }
    qms_err err =
        qms_tls_session_client(&c->tls, tls, server_name, alpn, qms_conn_resume(c, resume));
    if (err == QMS_OK) {
        ngtcp2_conn_set_tls_native_handle(c->ng, c->tls.gnutls);
    }
    return err;
}

qms_err qms_endpoint_connect(struct qms_endpoint *ep, const struct sockaddr *remote,
                             socklen_t remote_len, const char *server_name, const char *alpn,
                             struct qms_tls_client *tls, struct qms_quic_conn **out)
{
    static const struct qms_quic_resume nothing;

    return qms_endpoint_connect_resumed(ep, remote, remote_len, server_name, alpn, tls,
                                        &nothing, out);
}

qms_err qms_endpoint_connect_resumed(struct qms_endpoint *ep, const struct sockaddr *remote,
                                     socklen_t remote_len, const char *server_name,
                                     const char *alpn, struct qms_tls_client *tls,
                                     const struct qms_quic_resume *resume,
                                     struct qms_quic_conn **out)
{
    struct qms_socket *sock;
    int fd = qms_client_socket(remote, remote_len);

    if (fd < 0) {
        return QMS_E_IO;
    }
    qms_err err = qms_socket_add(ep, fd, true, &sock);
    if (err != QMS_OK) {
        close(fd);
        return err;
    }
    qms_endpoint_set_clock(ep, qms_clock_now());
    struct qms_quic_conn *c = qms_conn_new(ep, sock, false);
    if (c == NULL) {
        qms_socket_free(sock);
        return QMS_E_NOMEM;
    }
    sock->route = c->route;
    err = create(c, remote, remote_len, server_name, alpn, tls, resume);
    if (err != QMS_OK) {
        struct qms_dest *r = c->route;
        qms_conn_free(c);
        qms_dest_free(r); /* with the socket */
        return err;
    }
    ep->stats.handshakes_started++;
    qms_endpoint_set_watched(sock, true);
    qms_conn_dirty(c);
    *out = c;
    return QMS_OK;
}
