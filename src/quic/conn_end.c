/* SPDX-License-Identifier: MIT */
/* How connections end: why, what the peer is told, who else hears of it, what stays behind.
 *
 * Every function here frees the connection and so is called at the top of the stack only. */
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "quic/int.h"

/* TLS alert of RFC 7301. */
#define ALERT_NO_APPLICATION_PROTOCOL 120

/* ---- the last packet ---- */

/* RFC 9000 section 18.2: the longest that an acknowledgement may wait, and ngtcp2's default. */
#define ACK_DELAY (25 * QMS_MILLISECOND)

/* Sends the packet of `len` bytes in ep->tx. */
static void send_last(struct qms_quic_conn *c, const ngtcp2_path *path, size_t len)
{
    struct qms_dest *r = c->route;

    memcpy(&r->remote, path->remote.addr, path->remote.addrlen);
    memcpy(&r->local, path->local.addr, path->local.addrlen);
    r->remote_len = path->remote.addrlen;
    r->sock = c->server && path->user_data != NULL ? path->user_data : c->sock;
    struct qms_udp_batch b = {.data = c->ep->tx,
                              .len = len,
                              .segment = len,
                              .remote = &r->remote.sa,
                              .local = &r->local.sa,
                              .remote_len = r->remote_len};
    c->stats.packets_sent++;
    c->stats.bytes_sent += len;
    (void)qms_socket_send(r->sock, &b);
}

/* Acknowledges what was received, which CONNECTION_CLOSE does not: the last bytes of an answer
 * would count as lost when its reader leaves at once.  ngtcp2 holds acknowledgements back for a
 * while, so it is told the time at which they are due, and no earlier time after that. */
static qms_time acknowledge(struct qms_quic_conn *c)
{
    ngtcp2_path_storage ps;
    ngtcp2_pkt_info pi;

    if (!c->handshaken) {
        return c->ep->now;
    }
    ngtcp2_path_storage_zero(&ps);
    ngtcp2_ssize n = ngtcp2_conn_write_pkt(c->ng, &ps.path, &pi, c->ep->tx,
                                           NGTCP2_MAX_UDP_PAYLOAD_SIZE, c->ep->now + ACK_DELAY);
    if (n > 0) {
        send_last(c, &ps.path, (size_t)n);
    }
    return c->ep->now + ACK_DELAY;
}

/* Sends CONNECTION_CLOSE and keeps a copy to repeat. */
static void say_goodbye(struct qms_quic_conn *c, const ngtcp2_ccerr *ccerr)
{
    struct qms_dest *r = c->route;
    ngtcp2_path_storage ps;
    ngtcp2_pkt_info pi;
    qms_time at = ccerr->type == NGTCP2_CCERR_TYPE_APPLICATION ? acknowledge(c) : c->ep->now;

    ngtcp2_path_storage_zero(&ps);
    ngtcp2_ssize n = ngtcp2_conn_write_connection_close(c->ng, &ps.path, &pi, c->ep->tx,
                                                        NGTCP2_MAX_UDP_PAYLOAD_SIZE, ccerr, at);
    if (n <= 0) {
        return;
    }
    send_last(c, &ps.path, (size_t)n);
    r->packet = qms_realloc(NULL, (size_t)n);
    if (r->packet != NULL) {
        memcpy(r->packet, c->ep->tx, (size_t)n);
        r->packet_len = (size_t)n;
    }
}

/* ---- who hears of it ---- */

static void close_streams(struct qms_quic_conn *c)
{
    struct qms_list *lists[] = {&c->streams, &c->pending[0], &c->pending[1]};
    struct qms_list *node;

    for (unsigned i = 0; i < 3; i++) {
        while ((node = qms_list_first(lists[i])) != NULL) {
            qms_conn_stream_close(c, QMS_CONTAINER(node, struct qms_quic_stream, all));
        }
    }
}

static void count_failure(struct qms_endpoint_stats *s, const struct qms_link_close *why)
{
    if (why->code == NGTCP2_CRYPTO_ERROR + ALERT_NO_APPLICATION_PROTOCOL) {
        s->handshakes_failed_alpn++;
    } else if (why->err == QMS_E_TLS || why->err == QMS_E_CERTIFICATE) {
        s->handshakes_failed_tls++;
    } else if (why->err == QMS_E_TIMEOUT || why->err == QMS_E_IDLE) {
        s->handshakes_failed_timeout++;
    } else if (why->err == QMS_E_CONNECT) {
        s->handshakes_failed_refused++;
    } else {
        s->handshakes_failed_protocol++;
    }
}

static void tell(struct qms_quic_conn *c, const struct qms_link_close *why)
{
    struct qms_endpoint *ep = c->ep;

    if (!c->handshaken && !c->close_asked) {
        count_failure(&ep->stats, why);
    }
    if (c->server && !c->handshaken) {
        qms_crowd_leave(&ep->half_open, c->half_open);
    }
    if (c->server && !c->announced) {
        if (ep->events->on_handshake_failed != NULL) {
            ep->events->on_handshake_failed(ep, ngtcp2_conn_get_path(c->ng)->remote.addr,
                                            qms_err_name(why->err));
        }
        return;
    }
    close_streams(c);
    if (c->link.events != NULL) {
        c->link.events->on_closed(&c->link, why);
    }
}

/* ---- what stays ---- */

void qms_conn_free(struct qms_quic_conn *c)
{
    c->ended = true;
    c->link.events = NULL;
    close_streams(c);
    qms_dgramq_clear(&c->datagrams);
    qms_conn_drop_old_socket(c);
    ngtcp2_conn_del(c->ng);
    qms_tls_session_fini(&c->tls);
    qms_list_remove(&c->dirty);
    qms_list_remove(&c->all);
    qms_free(c->table);
    qms_free(c->close_reason);
    c->ep->stats.connections--;
    qms_free(c);
}

static void finish(struct qms_quic_conn *c, const struct qms_link_close *why, bool linger)
{
    struct qms_dest *r = c->route;
    qms_time until = c->ep->now + 3 * ngtcp2_conn_get_pto(c->ng);

    c->ended = true;
    c->link.now = c->ep->now;
    tell(c, why);
    qms_conn_free(c);
    /* A client that only drains has nobody to protect from a stateless reset. */
    if (linger && (r->packet != NULL || !r->sock->owned)) {
        qms_dest_linger(r, until);
    } else {
        qms_dest_free(r);
    }
}

/* ---- why ---- */

static struct qms_bytes text(const char *s)
{
    return (struct qms_bytes){(const uint8_t *)s, strlen(s)};
}

static void fail_drained(struct qms_quic_conn *c)
{
    const ngtcp2_ccerr *e = ngtcp2_conn_get_ccerr(c->ng);
    struct qms_link_close why = {.by_peer = true};

    if (c->reset_seen) {
        why.err = QMS_E_TRANSPORT;
        why.reason = text("stateless reset: the other side has lost this connection");
    } else {
        why.application = e->type == NGTCP2_CCERR_TYPE_APPLICATION;
        why.err = why.application ? QMS_OK : qms_err_from_transport(e->error_code);
        why.code = e->error_code;
        why.reason = (struct qms_bytes){e->reason, e->reasonlen};
    }
    finish(c, &why, true);
}

static void fail_silent(struct qms_quic_conn *c, int liberr)
{
    struct qms_link_close why = {.err = qms_err_from_ngtcp2(liberr),
                                 .by_peer = true,
                                 .reason = text(ngtcp2_strerror(liberr))};

    finish(c, &why, false);
}

/* The peer is told the transport code, the layer above the sentence too. */
static void fail_told(struct qms_quic_conn *c, int liberr)
{
    struct qms_link_close why = {.err = qms_err_from_ngtcp2(liberr)};
    uint8_t alert = ngtcp2_conn_get_tls_alert(c->ng);
    ngtcp2_ccerr e;

    ngtcp2_ccerr_default(&e);
    if (liberr == NGTCP2_ERR_CRYPTO && alert != 0) {
        const char *name = gnutls_alert_get_name((gnutls_alert_description_t)alert);
        ngtcp2_ccerr_set_tls_alert(&e, alert, NULL, 0);
        why.reason = text(name != NULL ? name : "TLS alert");
    } else {
        ngtcp2_ccerr_set_liberr(&e, liberr, NULL, 0);
        why.reason = text(ngtcp2_strerror(liberr));
    }
    if (c->tls.why != NULL) {
        why.err = QMS_E_CERTIFICATE;
        why.reason = text(c->tls.why);
    }
    why.code = e.error_code;
    say_goodbye(c, &e);
    finish(c, &why, true);
}

void qms_conn_fail(struct qms_quic_conn *c, int liberr)
{
    switch (liberr) {
    case NGTCP2_ERR_DRAINING:
    case NGTCP2_ERR_CLOSING:
        fail_drained(c);
        return;
    case NGTCP2_ERR_IDLE_CLOSE:
    case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
    case NGTCP2_ERR_DROP_CONN:
    case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
        fail_silent(c, liberr);
        return;
    default:
        fail_told(c, liberr);
    }
}

void qms_conn_flooded(struct qms_quic_conn *c, const char *reason)
{
    struct qms_link_close why = {
        .err = QMS_E_PROTOCOL, .code = NGTCP2_PROTOCOL_VIOLATION, .reason = text(reason)};
    ngtcp2_ccerr e;

    qms_log_peer(QMS_LOG_NOTICE, "connection cut reason=\"%s\"", reason);
    ngtcp2_ccerr_default(&e);
    ngtcp2_ccerr_set_transport_error(&e, why.code, why.reason.data, why.reason.len);
    say_goodbye(c, &e);
    finish(c, &why, true);
}

void qms_conn_unreachable(struct qms_quic_conn *c, int err)
{
    /* Later on such a message may be a passing fault, or forged: the idle time-out decides. */
    if (c->server || c->handshaken) {
        return;
    }
    struct qms_link_close why = {
        .err = QMS_E_CONNECT, .by_peer = true, .reason = text(strerror(err))};
    finish(c, &why, false);
}

void qms_conn_close_asked(struct qms_quic_conn *c)
{
    struct qms_link_close why = {
        .application = true,
        .code = c->close_code,
        .reason = {(const uint8_t *)c->close_reason, c->close_reason_len}};
    ngtcp2_ccerr e;

    ngtcp2_ccerr_default(&e);
    ngtcp2_ccerr_set_application_error(&e, c->close_code, why.reason.data, why.reason.len);
    say_goodbye(c, &e);
    finish(c, &why, true);
}
