/* SPDX-License-Identifier: MIT */
/* Connections that this side begins, to the agents of upstream blocks: an endpoint of its own,
 * whose sockets come and go. */
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/conf/diag.h"
#include "link/carrier_i.h"
#include "quic/tls.h"

#define ALPN      "quicms/1"
#define READY_MAX 64 /* sockets looked at in a turn */

/* What connections trust.  TLS sessions stand on it, so it stays; equal ones are one. */
struct trust {
    struct qms_list node;
    char key[QMS_TLS_KEY_LEN + 1];
    struct qms_tls_client *tls;
};

/* ---- sockets ---- */

/* An epoll descriptor of its own holds them, and libevent watches only that: it may still
 * believe that it watches the number of a descriptor that evhttp has closed, and would then
 * never tell of the next one with that number. */
static void on_ready(evutil_socket_t epoll, short what, void *arg)
{
    struct qms_carrier *c = arg;
    struct epoll_event ready[READY_MAX];
    int count = epoll_wait(epoll, ready, READY_MAX, 0);

    (void)what;
    c->now = qms_clock_now();
    for (int i = 0; i < count; i++) {
        if ((ready[i].events & EPOLLOUT) != 0) {
            qms_endpoint_writable(c->dialing, ready[i].data.fd, c->now);
        }
        if ((ready[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
            (void)qms_endpoint_readable(c->dialing, ready[i].data.fd, c->now);
        }
    }
}

/* Without memory in the kernel the socket stays silent, and its connection ends by a deadline.
 */
static void on_watch(struct qms_endpoint *ep, int fd, bool watch, bool want_write)
{
    struct qms_carrier *c = qms_endpoint_user(ep);
    struct epoll_event e = {.events = EPOLLIN | (want_write ? (uint32_t)EPOLLOUT : 0u),
                            .data.fd = fd};

    if (!watch) {
        (void)epoll_ctl(c->dial_epoll, EPOLL_CTL_DEL, fd, NULL);
    } else if (epoll_ctl(c->dial_epoll, EPOLL_CTL_MOD, fd, &e) != 0) {
        (void)epoll_ctl(c->dial_epoll, EPOLL_CTL_ADD, fd, &e);
    }
}

/* ---- trust ---- */

static struct qms_tls_client *trust_of(struct qms_carrier *c, const struct qms_upstream_conf *u)
{
    struct qms_tls_client_config config = {.ca_pem = u->ca_pem,
                                           .pins = u->pins,
                                           .pin_count = u->pin_count,
                                           .cert_pem = u->cert_pem,
                                           .key_pem = u->key_pem};
    char error[QMS_TLS_ERROR_MAX] = "", key[QMS_TLS_KEY_LEN + 1];
    struct qms_tls_client *tls = qms_tls_client_new(&config, error);
    struct trust *t;
    struct qms_list *node;

    if (tls == NULL) {
        qms_log(QMS_LOG_ERROR, "the trust of upstream %s cannot be used: %s", u->name, error);
        return NULL;
    }
    qms_tls_client_key(tls, "", key);
    QMS_LIST_FOREACH(node, &c->trusts) {
        t = QMS_CONTAINER(node, struct trust, node);
        if (strcmp(t->key, key) == 0) {
            qms_tls_client_free(tls);
            return t->tls;
        }
    }
    t = qms_calloc(1, sizeof(*t));
    if (t == NULL) {
        qms_tls_client_free(tls);
        return NULL;
    }
    memcpy(t->key, key, sizeof(key));
    t->tls = tls;
    qms_list_append(&c->trusts, &t->node);
    return tls;
}

/* ---- dialing ---- */

static void over(void *arg)
{
    struct qms_carrier_conn *conn = arg;

    qms_list_remove(&conn->node);
    qms_free(conn);
}

static qms_err hand_over(struct qms_carrier *c, struct qms_link *link,
                         struct qms_dialer *dialer, struct qms_peer **peer)
{
    struct qms_carrier_conn *conn = qms_calloc(1, sizeof(*conn));
    qms_err err = QMS_E_NOMEM;

    if (conn != NULL) {
        conn->link = link;
        qms_list_append(&c->conns, &conn->node);
        err = qms_broker_dialed(c->broker, dialer, link, over, conn, peer);
    }
    if (err != QMS_OK && link->user == NULL) { /* else its end frees the connection */
        if (conn != NULL) {
            over(conn);
        }
        qms_carrier_session_turn_away(link);
    }
    return err;
}

static qms_err dial(void *arg, const struct qms_upstream_conf *u,
                    const struct qms_upstream_agent *a, struct qms_dialer *dialer,
                    struct qms_peer **peer)
{
    struct qms_carrier *c = arg;
    struct qms_tls_client *tls = trust_of(c, u);
    struct qms_quic_conn *conn = NULL;
    qms_err err;

    if (tls == NULL) {
        return QMS_E_CONFIG;
    }
    err = qms_endpoint_connect(c->dialing, (const struct sockaddr *)&a->address, a->address_len,
                               u->server_name != NULL ? u->server_name : a->host, ALPN, tls,
                               &conn);
    return err == QMS_OK ? hand_over(c, qms_quic_conn_link(conn), dialer, peer) : err;
}

qms_err qms_carrier_dial_start(struct qms_carrier *c, const struct qms_quic_config *config,
                               const uint8_t secret[32])
{
    static const struct qms_endpoint_events none;
    struct qms_broker_hooks *hooks = qms_broker_hooks(c->broker);

    c->dialing = qms_endpoint_new(config, secret, &none, c);
    c->dial_epoll = epoll_create1(EPOLL_CLOEXEC);
    c->dial_ready = c->dial_epoll < 0
                        ? NULL
                        : event_new(c->base, c->dial_epoll, EV_READ | EV_PERSIST, on_ready, c);
    if (c->dialing == NULL || c->dial_ready == NULL || event_add(c->dial_ready, NULL) != 0) {
        return QMS_E_NOMEM;
    }
    qms_endpoint_set_watch(c->dialing, on_watch);
    hooks->dial = dial;
    hooks->dial_arg = c;
    return QMS_OK;
}

void qms_carrier_dial_stop(struct qms_carrier *c)
{
    struct qms_list *node;

    qms_broker_hooks(c->broker)->dial = NULL;
    qms_endpoint_free(c->dialing);
    c->dialing = NULL;
    if (c->dial_ready != NULL) {
        event_free(c->dial_ready);
    }
    if (c->dial_epoll >= 0) {
        (void)close(c->dial_epoll);
    }
    while ((node = qms_list_first(&c->trusts)) != NULL) {
        struct trust *t = QMS_CONTAINER(node, struct trust, node);
        qms_list_remove(node);
        qms_tls_client_free(t->tls);
        qms_free(t);
    }
}
