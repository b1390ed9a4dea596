/* SPDX-License-Identifier: MIT */
/* ngtcp2 tells, the layer above hears.  Events called from here may call any operation, all of
 * which only queue; nothing is written and no connection ends inside a callback. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "quic/int.h"

/* Whether the layer above is still to hear of anything. */
static bool heard(const struct qms_quic_conn *c)
{
    return c->link.events != NULL && !c->ended && !c->close_asked;
}

/* ---- handshake ---- */

static void send_later_token(struct qms_quic_conn *c)
{
    const ngtcp2_path *path = ngtcp2_conn_get_path(c->ng);
    uint8_t token[QMS_TOKEN_MAX];
    size_t len = qms_token_later(&c->ep->keys, path->remote.addr, path->remote.addrlen,
                                 c->ep->now, token);

    if (len > 0) {
        (void)ngtcp2_conn_submit_new_token(c->ng, token, len);
    }
}

/* Where early data is taken every ticket allows it, so other protocols get none. */
static bool ticket_is_due(const struct qms_quic_conn *c)
{
    const char *early = c->ep->config.early_alpn;
    struct qms_bytes alpn = qms_tls_session_alpn(&c->tls);

    return qms_tls_session_resumable(&c->tls) &&
           (early == NULL ||
            (alpn.len == strlen(early) && memcmp(alpn.data, early, alpn.len) == 0));
}

static int server_ready(struct qms_quic_conn *c)
{
    qms_crowd_leave(&c->ep->half_open, c->half_open);
    /* Best effort: resumption and address tokens only save time. */
    if (ticket_is_due(c)) {
        (void)gnutls_session_ticket_send(c->tls.gnutls, 1, 0);
    }
    send_later_token(c);
    if (!c->announced) {
        c->announced = true;
        c->ep->events->on_connection(c->ep, c, qms_tls_session_alpn(&c->tls));
    }
    return c->link.events != NULL ? 0 : NGTCP2_ERR_CALLBACK_FAILURE;
}

static int on_handshake_completed(ngtcp2_conn *ng, void *user_data)
{
    struct qms_quic_conn *c = user_data;

    /* A complete handshake proves the address (RFC 9000 section 8.1). */
    const ngtcp2_path *path = ngtcp2_conn_get_path(ng);

    qms_proven_add(&c->proven, path->remote.addr, path->remote.addrlen);
    c->handshaken = true;
    c->ep->stats.handshakes_completed++;
    if (c->server && server_ready(c) != 0) {
        return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    if (qms_conn_early_decided(c) != QMS_OK) {
        return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    if (c->ep->config.keep_alive_for > 0) {
        qms_quic_conn_keep_alive(c, c->ep->config.keep_alive_for);
    }
    if (heard(c)) {
        c->ready = true;
        c->link.events->on_ready(&c->link);
    }
    qms_conn_open_pending(c, true);
    qms_conn_open_pending(c, false);
    return 0;
}

static int on_stateless_reset(ngtcp2_conn *ng, const ngtcp2_pkt_stateless_reset *sr,
                              void *user_data)
{
    struct qms_quic_conn *c = user_data;
    (void)ng;
    (void)sr;

    c->reset_seen = true;
    return 0;
}

/* ---- connection ids ---- */

static int on_new_cid(ngtcp2_conn *ng, ngtcp2_cid *cid, uint8_t *token, size_t cidlen,
                      void *user_data)
{
    struct qms_quic_conn *c = user_data;
    (void)ng;

    if (cidlen != QMS_CID_LEN) {
        return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    qms_cid_make(&c->ep->keys, c->ep->slot, cid);
    if (qms_cid_reset_token(&c->ep->keys, cid, token) != QMS_OK ||
        (c->server && qms_dest_add_cid(c->route, cid->data, cid->datalen) != QMS_OK)) {
        return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
}

static int on_remove_cid(ngtcp2_conn *ng, const ngtcp2_cid *cid, void *user_data)
{
    struct qms_quic_conn *c = user_data;
    (void)ng;

    qms_dest_remove_cid(c->route, cid->data, cid->datalen);
    return 0;
}

static void on_rand(uint8_t *dest, size_t len, const ngtcp2_rand_ctx *ctx)
{
    (void)ctx;
    qms_random(dest, len);
}

/* ---- streams ---- */

static int on_stream_open(ngtcp2_conn *ng, int64_t id, void *user_data)
{
    struct qms_quic_conn *c = user_data;
    bool bidi = ngtcp2_is_bidi_stream(id) != 0;

    if (c->server && !c->announced && qms_conn_early_announce(c) != QMS_OK) {
        return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    struct qms_quic_stream *st = qms_quic_stream_new(&c->link, bidi, false, QMS_PRIORITY_NORMAL,
                                                     c->ep->config.stream_window);

    if (st == NULL || qms_conn_stream_register(c, st, id) != QMS_OK) {
        if (st != NULL) {
            qms_quic_stream_free(st);
        }
        return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    (void)ngtcp2_conn_set_stream_user_data(ng, id, st);
    if (heard(c)) {
        st->known = true;
        c->link.events->on_stream(&c->link, &st->base);
    }
    return 0;
}

static int on_stream_data(ngtcp2_conn *ng, uint32_t flags, int64_t id, uint64_t offset,
                          const uint8_t *data, size_t len, void *user_data, void *stream_data)
{
    struct qms_quic_conn *c = user_data;
    struct qms_quic_stream *st = stream_data;
    bool fin = (flags & NGTCP2_STREAM_DATA_FLAG_FIN) != 0;
    (void)ng;
    (void)id;
    (void)offset;

    if (st == NULL) {
        return 0;
    }
    qms_quic_stream_received(st, len, c->ep->now);
    if (fin) {
        st->recv_over = true;
        qms_conn_grant(c, st);
    }
    if (heard(c)) {
        c->link.events->on_data(&st->base, (struct qms_bytes){data, len}, fin);
    }
    return 0;
}

static int on_stream_reset(ngtcp2_conn *ng, int64_t id, uint64_t final_size, uint64_t code,
                           void *user_data, void *stream_data)
{
    struct qms_quic_conn *c = user_data;
    struct qms_quic_stream *st = stream_data;
    (void)ng;
    (void)id;
    (void)final_size;

    if (st != NULL) {
        qms_conn_count_break(c, st);
        st->recv_over = true;
        qms_conn_grant(c, st);
        if (heard(c)) {
            c->link.events->on_reset(&st->base, code);
        }
    }
    return 0;
}

/* Makes room for the stream that takes the closed one's place. */
static void refill(ngtcp2_conn *ng, const struct qms_quic_stream *st)
{
    if (st->base.local) {
        return;
    }
    if (st->base.bidi) {
        ngtcp2_conn_extend_max_streams_bidi(ng, 1);
    } else {
        ngtcp2_conn_extend_max_streams_uni(ng, 1);
    }
}

static int on_stream_close(ngtcp2_conn *ng, uint32_t flags, int64_t id, uint64_t code,
                           void *user_data, void *stream_data)
{
    struct qms_quic_conn *c = user_data;
    struct qms_quic_stream *st = stream_data;
    (void)flags;
    (void)code;

    if (st == NULL) {
        return 0;
    }
    c->streams_lost += ngtcp2_conn_get_stream_loss_count(ng, id);
    refill(ng, st);
    qms_conn_forfeit(c, st);
    qms_conn_stream_close(c, st);
    return 0;
}

static int on_acked(ngtcp2_conn *ng, int64_t id, uint64_t offset, uint64_t len, void *user_data,
                    void *stream_data)
{
    struct qms_quic_conn *c = user_data;
    struct qms_quic_stream *st = stream_data;
    (void)ng;
    (void)id;
    (void)offset;

    uint64_t held = st != NULL ? qms_quic_stream_acked(st, len) : 0;
    c->stats.send_buffered -= held;
    if (held > 0 && heard(c)) {
        c->link.events->on_acked(&st->base, held);
    }
    return 0;
}

static int on_max_stream_data(ngtcp2_conn *ng, int64_t id, uint64_t max_data, void *user_data,
                              void *stream_data)
{
    struct qms_quic_conn *c = user_data;
    struct qms_quic_stream *st = stream_data;
    (void)ng;
    (void)id;
    (void)max_data;

    if (st != NULL) {
        st->blocked = false;
        qms_blocked_credited(&st->wait, c->ep->now);
        qms_conn_stream_schedule(c, st);
    }
    return 0;
}

static int on_max_streams_bidi(ngtcp2_conn *ng, uint64_t max, void *user_data)
{
    (void)ng;
    (void)max;
    qms_conn_open_pending(user_data, true);
    return 0;
}

static int on_max_streams_uni(ngtcp2_conn *ng, uint64_t max, void *user_data)
{
    (void)ng;
    (void)max;
    qms_conn_open_pending(user_data, false);
    return 0;
}

/* ---- datagrams ---- */

static int on_datagram(ngtcp2_conn *ng, uint32_t flags, const uint8_t *data, size_t len,
                       void *user_data)
{
    struct qms_quic_conn *c = user_data;
    (void)ng;
    (void)flags;

    c->stats.datagrams_received++;
    if (heard(c)) {
        c->link.events->on_datagram(&c->link, (struct qms_bytes){data, len});
    }
    return 0;
}

static int on_lost_datagram(ngtcp2_conn *ng, uint64_t id, void *user_data)
{
    struct qms_quic_conn *c = user_data;
    (void)ng;
    (void)id;

    c->stats.packets_lost++;
    return 0;
}

static int on_path_validation(ngtcp2_conn *ng, uint32_t flags, const ngtcp2_path *path,
                              const ngtcp2_path *old_path, ngtcp2_path_validation_result res,
                              void *user_data)
{
    (void)ng;
    (void)flags;
    (void)old_path;

    struct qms_quic_conn *c = user_data;

    if (res == NGTCP2_PATH_VALIDATION_RESULT_SUCCESS && c->server) {
        qms_proven_add(&c->proven, path->remote.addr, path->remote.addrlen);
    } else if (res == NGTCP2_PATH_VALIDATION_RESULT_SUCCESS) {
        qms_conn_path_validated(c, path);
    }
    return 0;
}

#define SHARED_CALLBACKS                                                                       \
    .recv_crypto_data = qms_crypto_in, .handshake_completed = on_handshake_completed,          \
    .encrypt = ngtcp2_crypto_encrypt_cb, .decrypt = qms_peek_decrypt,                          \
    .hp_mask = ngtcp2_crypto_hp_mask_cb, .recv_stream_data = on_stream_data,                   \
    .acked_stream_data_offset = on_acked, .stream_open = on_stream_open,                       \
    .stream_close = on_stream_close, .recv_stateless_reset = on_stateless_reset,               \
    .extend_max_local_streams_bidi = on_max_streams_bidi,                                      \
    .extend_max_local_streams_uni = on_max_streams_uni, .rand = on_rand,                       \
    .get_new_connection_id = on_new_cid, .remove_connection_id = on_remove_cid,                \
    .update_key = ngtcp2_crypto_update_key_cb, .stream_reset = on_stream_reset,                \
    .extend_max_stream_data = on_max_stream_data,                                              \
    .delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,                         \
    .delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,                     \
    .path_validation = on_path_validation, .recv_datagram = on_datagram,                       \
    .lost_datagram = on_lost_datagram,                                                         \
    .get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,                       \
    .version_negotiation = ngtcp2_crypto_version_negotiation_cb

const ngtcp2_callbacks qms_conn_client_callbacks = {
    SHARED_CALLBACKS,
    .client_initial = ngtcp2_crypto_client_initial_cb,
    .recv_retry = ngtcp2_crypto_recv_retry_cb,
};

const ngtcp2_callbacks qms_conn_server_callbacks = {
    SHARED_CALLBACKS,
    .recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
};
