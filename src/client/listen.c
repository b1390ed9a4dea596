/* SPDX-License-Identifier: MIT */
/* A listener's socket and certificate: where its links come from. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/listener.h"
#include "client/loop.h"

#define ADDRESS_MAX   64
#define SOCKET_BUFFER (4 << 20)
#define MINTED_DAYS   3650

static const char *const alpns[] = {"quicms/1", NULL};

/* ---- links ---- */

static struct qms_listener *listener_of(struct qms_endpoint *ep)
{
    struct qms_loop_endpoint *e = qms_endpoint_user(ep);

    return qms_loop_listener(e);
}

/* Many more than can be had: not worth an answer. */
static bool on_admit(struct qms_endpoint *ep, const struct sockaddr *remote)
{
    const struct qms_listener *l = listener_of(ep);
    size_t max;

    if (l == NULL || l->stopping) {
        return false;
    }
    max = l->settings.max_connections;
    return l->active < max + max / 4 + 16 && qms_gate_open(l->gate, remote, l->client->now);
}

static void leave(void *place)
{
    qms_loop_unuse(place);
}

static void on_connection(struct qms_endpoint *ep, struct qms_quic_conn *conn,
                          struct qms_bytes alpn)
{
    struct qms_listener *l = listener_of(ep);
    struct qms_connection *c = NULL;
    uint8_t whole[32];

    (void)alpn;
    if (l == NULL) {
        qms_link_abandon(qms_quic_conn_link(conn));
        return;
    }
    if (qms_listener_take(l, qms_quic_conn_link(conn), &c) == QMS_OK) {
        c->taken->has_certificate =
            qms_quic_conn_peer_certificate(conn, whole, c->taken->certificate);
        c->taken->place = l->source_data;
        c->taken->leave = leave;
        qms_loop_reuse(l->source_data);
    }
}

static const struct qms_endpoint_events events = {
    .on_admit = on_admit,
    .on_connection = on_connection,
};

static void source_stop(struct qms_listener *l)
{
    qms_endpoint_stop_accepting(qms_loop_endpoint_quic(l->source_data), false);
}

static void source_stats(const struct qms_listener *l, uint64_t *failed, uint64_t *sent,
                         uint64_t *received)
{
    struct qms_endpoint_stats s = {0};

    qms_endpoint_stats(qms_loop_endpoint_quic(l->source_data), &s);
    *failed = s.handshakes_failed_tls + s.handshakes_failed_alpn + s.handshakes_failed_timeout +
              s.handshakes_failed_refused + s.handshakes_failed_protocol;
    *sent = s.udp_bytes_out;
    *received = s.udp_bytes_in;
}

static void source_free(struct qms_listener *l)
{
    source_stop(l);
    qms_loop_set_listener(l->source_data, NULL);
    qms_loop_unuse(l->source_data);
}

static const struct qms_source_ops source = {
    .stop = source_stop,
    .stats = source_stats,
    .free = source_free,
};

/* ---- certificate ---- */

static qms_err minted(const struct qms_options *o, char *error, struct qms_tls_server **out)
{
    char *cert = NULL, *key = NULL;
    qms_err err = qms_tls_mint(o->agent_id, qms_clock_wall() - 3600, MINTED_DAYS, &cert, &key);

    if (err != QMS_OK) {
        (void)snprintf(error, QMS_ERROR_TEXT_MAX, "No certificate could be minted.");
        return err;
    }
    *out = qms_tls_server_from_pem((struct qms_bytes){(uint8_t *)cert, strlen(cert)},
                                   (struct qms_bytes){(uint8_t *)key, strlen(key)}, error);
    qms_memzero(key, strlen(key));
    qms_free(key);
    qms_free(cert);
    return *out == NULL ? qms_tls_error_code(error) : QMS_OK;
}

static qms_err identity(const struct qms_options *o, char *error, struct qms_tls_server **out)
{
    if (o->cert_file == NULL) {
        qms_err err = minted(o, error, out);

        if (err != QMS_OK) {
            return err;
        }
    } else {
        *out = qms_tls_server_from_files(o->cert_file, o->key_file, error);
        if (*out == NULL) {
            return qms_tls_error_code(error);
        }
    }
    qms_tls_server_request_certificate(*out, o->request_certificate || o->broker_pin_count > 0);
    return QMS_OK;
}

static void write_pin(const struct qms_tls_server *t, char out[65])
{
    uint8_t hash[32];

    qms_tls_server_spki_hash(t, hash);
    for (size_t i = 0; i < sizeof(hash); i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", hash[i]);
    }
}

/* ---- socket ---- */

struct bound {
    int fd;
    struct sockaddr_storage sa;
    socklen_t len;
};

/* "IP:PORT" or "[IP]:PORT". */
static bool parse(const char *text, struct bound *b)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_DGRAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
    struct addrinfo *found = NULL;
    char host[ADDRESS_MAX];
    const char *colon = text == NULL ? NULL : strrchr(text, ':'), *from = text;
    size_t len = colon == NULL ? 0 : (size_t)(colon - text);
    bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';

    if (bracketed) {
        from++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof(host) || colon[1] == '\0' || strlen(colon + 1) > 5 ||
        (!bracketed && memchr(from, ':', len) != NULL)) {
        return false;
    }
    memcpy(host, from, len);
    host[len] = '\0';
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0) {
        return false;
    }
    memcpy(&b->sa, found->ai_addr, found->ai_addrlen);
    b->len = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static qms_err bind_to(struct bound *b)
{
    int size = SOCKET_BUFFER, on = 1;

    b->fd = socket(b->sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (b->fd < 0) {
        return QMS_E_IO;
    }
    if (b->sa.ss_family == AF_INET6) {
        (void)setsockopt(b->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    /* Best effort: the kernel caps them at its own limits. */
    (void)setsockopt(b->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    (void)setsockopt(b->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    if (bind(b->fd, (const struct sockaddr *)&b->sa, b->len) != 0 ||
        getsockname(b->fd, (struct sockaddr *)&b->sa, &b->len) != 0) {
        int saved = errno;

        (void)close(b->fd);
        errno = saved;
        return QMS_E_IO;
    }
    return QMS_OK;
}

/* The descriptor is the endpoint's from here on, also when it fails. */
static qms_err open_source(struct qms_listener *l, const struct bound *b,
                           struct qms_tls_server *tls)
{
    struct qms_quic_config config = qms_loop_config(&l->settings);
    struct qms_loop_endpoint *e = NULL;
    qms_err err = qms_loop_listen(l->client->driver, &config, &events, b->fd, alpns, tls, &e);

    if (err != QMS_OK) {
        return err;
    }
    qms_loop_set_listener(e, l);
    l->source = &source;
    l->source_data = e;
    qms_address_text((const struct sockaddr *)&b->sa, l->address, sizeof(l->address));
    write_pin(tls, l->pin);
    return QMS_OK;
}

static qms_err listen_at(struct qms_listener *l, struct bound *b, char *error)
{
    struct qms_tls_server *tls = NULL;
    qms_err err = identity(&l->settings, error, &tls);

    if (err == QMS_OK) {
        err = bind_to(b);
    }
    if (err == QMS_OK) {
        err = open_source(l, b, tls);
    }
    qms_tls_server_unref(tls);
    return err;
}

qms_err qms_listen(struct qms_client *client, const struct qms_options *options,
                   const char *address, const struct qms_listener_callbacks *callbacks,
                   void *arg, struct qms_listener **out)
{
    struct qms_options defaults;
    struct qms_listener *l = NULL;
    struct bound b = {.fd = -1};
    qms_err err = QMS_OK;

    client->error[0] = '\0';
    qms_options_init(&defaults);
    if (!parse(address, &b)) {
        (void)snprintf(client->error, sizeof(client->error),
                       "\"%.200s\" is not an address; it must look like IP:PORT or [IP]:PORT.",
                       address == NULL ? "" : address);
        err = QMS_E_INVALID;
    }
    if (err == QMS_OK) {
        err =
            qms_listener_new(client, options == NULL ? &defaults : options, callbacks, arg, &l);
    }
    if (err == QMS_OK) {
        err = listen_at(l, &b, client->error);
    }
    qms_options_fini(&defaults);
    if (err == QMS_OK) {
        *out = l;
        return QMS_OK;
    }
    if (client->error[0] == '\0') {
        (void)snprintf(client->error, sizeof(client->error), "%.200s: %s",
                       address == NULL ? "" : address,
                       err == QMS_E_IO ? strerror(errno) : qms_strerror(err));
    }
    if (l != NULL) {
        int saved = errno;

        qms_listener_destroy(l);
        errno = saved;
    }
    return err;
}
