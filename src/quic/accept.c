/* SPDX-License-Identifier: MIT */
/* Datagrams that belong to no connection: new handshakes, Retry, version negotiation, stateless
 * reset.  Everything before conn_create costs no memory. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "quic/int.h"

/* Shortest packet that is answered with a stateless reset, which is always shorter (RFC 9000
 * section 10.3): a PING of an idle client is among them.  And noise of the longest reset. */
#define RESET_TRIGGER_MIN                                                                      \
    (NGTCP2_STATELESS_RESET_TOKENLEN + NGTCP2_MIN_STATELESS_RESET_RANDLEN + 1)
#define RESET_RANDOM_MAX 24
/* Stateless resets a second, and in a burst. */
#define RESET_RATE 200.0

static void answer(struct qms_socket *sock, const struct qms_udp_message *m,
                   const uint8_t *data, ngtcp2_ssize len)
{
    if (len > 0) {
        struct qms_udp_batch b = {.data = data,
                                  .len = (size_t)len,
                                  .segment = (size_t)len,
                                  .remote = &m->remote.sa,
                                  .local = &m->local.sa,
                                  .remote_len = m->remote_len};
        (void)qms_socket_send(sock, &b);
    }
}

/* ---- stateless answers ---- */

void qms_accept_version(struct qms_socket *sock, const ngtcp2_version_cid *vc,
                        struct qms_bytes pkt, const struct qms_udp_message *m)
{
    static const uint32_t versions[] = {NGTCP2_PROTO_VER_V1, NGTCP2_PROTO_VER_V2};
    struct qms_endpoint *ep = sock->ep;
    uint8_t buf[NGTCP2_MAX_UDP_PAYLOAD_SIZE], unused;

    if (sock->tls == NULL || pkt.len < NGTCP2_MAX_UDP_PAYLOAD_SIZE) {
        ep->stats.packets_dropped++;
        return;
    }
    qms_random(&unused, 1);
    answer(sock, m, buf,
           ngtcp2_pkt_write_version_negotiation(buf, sizeof(buf), unused, vc->scid, vc->scidlen,
                                                vc->dcid, vc->dcidlen, versions,
                                                sizeof(versions) / sizeof(versions[0])));
    ep->stats.version_negotiations_sent++;
}

static bool may_reset(struct qms_endpoint *ep)
{
    return qms_allowance_take(&ep->stateless_resets, RESET_RATE, RESET_RATE, 1, ep->now);
}

void qms_accept_reset(struct qms_socket *sock, const ngtcp2_version_cid *vc,
                      struct qms_bytes pkt, const struct qms_udp_message *m)
{
    struct qms_endpoint *ep = sock->ep;
    uint8_t token[NGTCP2_STATELESS_RESET_TOKENLEN], noise[RESET_RANDOM_MAX], buf[64];
    ngtcp2_cid cid;

    ngtcp2_cid_init(&cid, vc->dcid, vc->dcidlen);
    if (sock->tls == NULL || pkt.len < RESET_TRIGGER_MIN || !may_reset(ep) ||
        qms_cid_reset_token(&ep->keys, &cid, token) != QMS_OK) {
        ep->stats.packets_dropped++;
        return;
    }
    /* Always shorter than what it answers, so that two ends cannot answer each other for ever
     * (RFC 9000 section 10.3.3). */
    size_t room = pkt.len - 1 - sizeof(token);
    size_t noise_len = room < sizeof(noise) ? room : sizeof(noise);
    qms_random(noise, noise_len);
    answer(sock, m, buf,
           ngtcp2_pkt_write_stateless_reset(buf, sizeof(buf), token, noise, noise_len));
    ep->stats.resets_sent++;
}

static void send_retry(struct qms_socket *sock, const ngtcp2_pkt_hd *hd,
                       const struct qms_udp_message *m)
{
    struct qms_endpoint *ep = sock->ep;
    uint8_t token[QMS_TOKEN_MAX], buf[NGTCP2_MAX_UDP_PAYLOAD_SIZE];
    ngtcp2_cid scid;

    qms_cid_make(&ep->keys, ep->slot, &scid);
    size_t len = qms_token_retry(&ep->keys, hd->version, &m->remote.sa, m->remote_len, &scid,
                                 &hd->dcid, ep->now, token);
    if (len > 0) {
        answer(sock, m, buf,
               ngtcp2_crypto_write_retry(buf, sizeof(buf), hd->version, &hd->scid, &scid,
                                         &hd->dcid, token, len));
        ep->stats.retries_sent++;
    }
}

static void refuse(struct qms_socket *sock, const ngtcp2_pkt_hd *hd,
                   const struct qms_udp_message *m, uint64_t code)
{
    uint8_t buf[NGTCP2_MAX_UDP_PAYLOAD_SIZE];

    answer(sock, m, buf,
           ngtcp2_crypto_write_connection_close(buf, sizeof(buf), hd->version, &hd->scid,
                                                &hd->dcid, code, NULL, 0));
    sock->ep->stats.handshakes_failed_refused++;
}

/* ---- a new connection ---- */

/* What the token and the Retry before it say about the new connection. */
struct origin {
    ngtcp2_cid odcid; /* the id the client chose first */
    enum qms_token_kind token;
};

static int ngtcp2_create(struct qms_quic_conn *c, const ngtcp2_pkt_hd *hd,
                         const struct origin *origin, const ngtcp2_cid *scid,
                         const struct qms_udp_message *m)
{
    ngtcp2_settings settings;
    ngtcp2_transport_params params;
    ngtcp2_path path =
        qms_conn_path(c->sock, &m->local, m->local_len, &m->remote, m->remote_len);

    qms_conn_settings(c->ep, &settings, &params);
    params.original_dcid = origin->odcid;
    params.original_dcid_present = 1;
    if (origin->token == QMS_TOKEN_RETRY) {
        params.retry_scid = hd->dcid;
        params.retry_scid_present = 1;
    }
    if (origin->token == QMS_TOKEN_RETRY || origin->token == QMS_TOKEN_LATER) {
        qms_proven_add(&c->proven, &m->remote.sa, m->remote_len);
        settings.token = hd->token;
        settings.tokenlen = hd->tokenlen;
        settings.token_type = origin->token == QMS_TOKEN_RETRY ? NGTCP2_TOKEN_TYPE_RETRY
                                                               : NGTCP2_TOKEN_TYPE_NEW_TOKEN;
    }
    if (qms_cid_reset_token(&c->ep->keys, scid, params.stateless_reset_token) == QMS_OK) {
        params.stateless_reset_token_present = 1;
    }
    return ngtcp2_conn_server_new(&c->ng, &hd->scid, scid, &path, hd->version,
                                  &qms_conn_server_callbacks, &settings, &params, NULL, c);
}

static void on_key(struct qms_tls_session *s, struct qms_bytes line)
{
    struct qms_endpoint *ep = QMS_CONTAINER(s, struct qms_quic_conn, tls)->ep;

    ep->events->on_key(ep, line);
}

/* Undoes a creation that failed half-way. */
static void discard(struct qms_quic_conn *c)
{
    struct qms_dest *r = c->route;

    qms_conn_free(c);
    qms_dest_free(r);
}

static struct qms_quic_conn *conn_create(struct qms_socket *sock, const ngtcp2_pkt_hd *hd,
                                         const struct origin *origin,
                                         const struct qms_udp_message *m)
{
    struct qms_endpoint *ep = sock->ep;
    struct qms_quic_conn *c = qms_conn_new(ep, sock, true);
    ngtcp2_cid scid;

    if (c == NULL) {
        return NULL;
    }
    qms_cid_make(&ep->keys, ep->slot, &scid);
    if (ngtcp2_create(c, hd, origin, &scid, m) != 0 ||
        qms_tls_session_server(&c->tls, sock->tls, sock->alpns, ep->keys.ticket,
                               ep->early.anti_replay != NULL ? &ep->early : NULL) != QMS_OK ||
        qms_dest_add_cid(c->route, scid.data, scid.datalen) != QMS_OK ||
        qms_dest_add_cid(c->route, hd->dcid.data, hd->dcid.datalen) != QMS_OK) {
        discard(c);
        return NULL;
    }
    ngtcp2_conn_set_tls_native_handle(c->ng, c->tls.gnutls);
    if (ep->events->on_key_log != NULL && ep->events->on_key_log(ep, &m->remote.sa)) {
        c->tls.on_key = on_key;
    }
    return c;
}

static void admit(struct qms_socket *sock, const ngtcp2_pkt_hd *hd, const struct origin *origin,
                  struct qms_bytes pkt, const struct qms_udp_message *m)
{
    struct qms_endpoint *ep = sock->ep;

    if (ep->events->on_admit != NULL && !ep->events->on_admit(ep, &m->remote.sa)) {
        refuse(sock, hd, m, NGTCP2_CONNECTION_REFUSED);
        return;
    }
    struct qms_quic_conn *c = conn_create(sock, hd, origin, m);
    if (c == NULL) {
        qms_log_peer(QMS_LOG_WARN, "no memory for a new connection");
        ep->stats.packets_dropped++;
        if (ep->events->on_handshake_failed != NULL) {
            ep->events->on_handshake_failed(ep, &m->remote.sa, qms_err_name(QMS_E_NOMEM));
        }
        return;
    }
    c->half_open = qms_crowd_counter(&ep->half_open, &m->remote.sa);
    qms_crowd_enter(&ep->half_open, c->half_open);
    ep->stats.handshakes_started++;
    qms_conn_read(c, sock, pkt, m);
}

void qms_accept(struct qms_socket *sock, const ngtcp2_version_cid *vc, struct qms_bytes pkt,
                const struct qms_udp_message *m)
{
    struct qms_endpoint *ep = sock->ep;
    const struct qms_quic_config *f = &ep->config;
    struct origin origin = {.token = QMS_TOKEN_NONE};
    ngtcp2_pkt_hd hd;
    (void)vc;

    if (sock->tls == NULL || ngtcp2_accept(&hd, pkt.data, pkt.len) != 0) {
        ep->stats.packets_dropped++;
        return;
    }
    if (!ep->accepting && qms_foreign_newcomer(sock, &hd, pkt, m)) {
        return;
    }
    if (!ep->accepting) {
        refuse(sock, &hd, m, NGTCP2_CONNECTION_REFUSED);
        return;
    }
    if (!qms_crowd_has_room(&ep->half_open, qms_crowd_counter(&ep->half_open, &m->remote.sa),
                            f->half_open_max)) {
        ep->stats.packets_dropped++; /* the client tries again by itself */
        return;
    }
    origin.odcid = hd.dcid;
    origin.token =
        qms_token_check(&ep->keys, &hd, &m->remote.sa, m->remote_len, ep->now, &origin.odcid);
    if (origin.token == QMS_TOKEN_INVALID) {
        refuse(sock, &hd, m, NGTCP2_INVALID_TOKEN);
        return;
    }
    if (origin.token == QMS_TOKEN_NONE &&
        (f->retry_above == 0 || ep->half_open.total > f->retry_above)) {
        send_retry(sock, &hd, m);
        return;
    }
    admit(sock, &hd, &origin, pkt, m);
}
