/* SPDX-License-Identifier: MIT */
/* Early data (0-RTT).
 *
 * A client keeps one blob a server: "QT2", the wall second at which the ticket is over (8
 * bytes), the length of the transport parameters (2 bytes), the parameters, and GnuTLS's
 * session.  GnuTLS would promise early data with a ticket that is over, leave the ticket out,
 * and then fail for want of a key.  With the blob, streams that may be early go out behind the
 * first packet.  When the server refuses, they go back to the line and out again as if nothing
 * had been sent: their bytes are held until they are acknowledged anyway. */
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "quic/int.h"

#define MAGIC      "QT2"
#define LEN_AT     11
#define HEAD_LEN   13
#define PARAMS_MAX 512
/* Seconds that a first flight may take. */
#define MARGIN 1

struct ticket {
    struct qms_bytes params, session;
};

/* False also where the ticket is over, or will be before the server sees it. */
static bool parse(struct qms_bytes in, struct ticket *out)
{
    uint64_t until = 0;
    size_t len;

    if (in.len < HEAD_LEN || memcmp(in.data, MAGIC, 3) != 0) {
        return false;
    }
    for (size_t i = 3; i < LEN_AT; i++) {
        until = until << 8 | in.data[i];
    }
    len = (size_t)in.data[LEN_AT] << 8 | in.data[LEN_AT + 1];
    if (len > in.len - HEAD_LEN || (uint64_t)qms_clock_wall() + MARGIN >= until) {
        return false;
    }
    out->params = (struct qms_bytes){in.data + HEAD_LEN, len};
    out->session = (struct qms_bytes){in.data + HEAD_LEN + len, in.len - HEAD_LEN - len};
    return true;
}

struct qms_bytes qms_conn_resume(struct qms_quic_conn *c, const struct qms_quic_resume *r)
{
    struct ticket t = {.session = {.len = 0}};

    c->on_ticket = r->on_ticket;
    c->ticket_arg = r->arg;
    c->tls.on_ticket = qms_conn_on_ticket;
    if (!parse(r->ticket, &t)) {
        return (struct qms_bytes){0};
    }
    c->early = r->early && ngtcp2_conn_decode_and_set_0rtt_transport_params(
                               c->ng, t.params.data, t.params.len) == 0;
    c->link.early = c->early;
    return t.session;
}

static void hand_out(struct qms_quic_conn *c, const gnutls_datum_t *session)
{
    size_t room = HEAD_LEN + PARAMS_MAX + session->size;
    uint8_t *blob = qms_calloc(1, room);
    uint64_t until = (uint64_t)qms_clock_wall() + c->tls.ticket_seconds;
    ngtcp2_ssize len;

    if (blob == NULL) {
        return; /* the next connection does without */
    }
    len = ngtcp2_conn_encode_0rtt_transport_params(c->ng, blob + HEAD_LEN, PARAMS_MAX);
    if (len >= 0) {
        memcpy(blob, MAGIC, 3);
        for (size_t i = LEN_AT; i > 3; until >>= 8) {
            blob[--i] = (uint8_t)until;
        }
        blob[LEN_AT] = (uint8_t)(len >> 8);
        blob[LEN_AT + 1] = (uint8_t)len;
        memcpy(blob + HEAD_LEN + len, session->data, session->size);
        c->on_ticket(c->ticket_arg,
                     (struct qms_bytes){blob, HEAD_LEN + (size_t)len + session->size});
    }
    qms_memzero(blob, room);
    qms_free(blob);
}

void qms_conn_on_ticket(struct qms_tls_session *s)
{
    struct qms_quic_conn *c = s->ref.user_data;
    gnutls_datum_t session = {.data = NULL};

    if (c->on_ticket == NULL || c->link.events == NULL || c->ended || c->close_asked ||
        gnutls_session_get_data2(s->gnutls, &session) != 0) {
        return;
    }
    hand_out(c, &session);
    qms_memzero(session.data, session.size);
    gnutls_free(session.data);
}

qms_err qms_conn_early_decided(struct qms_quic_conn *c)
{
    c->link.early = false;
    c->stats.early_data_accepted = qms_tls_session_early_taken(&c->tls);
    if (!c->early || c->stats.early_data_accepted) {
        return QMS_OK;
    }
    if (ngtcp2_conn_tls_early_data_rejected(c->ng) != 0) {
        return QMS_E_NOMEM;
    }
    qms_conn_streams_again(c);
    return QMS_OK;
}

qms_err qms_conn_early_announce(struct qms_quic_conn *c)
{
    struct qms_bytes alpn = qms_tls_session_alpn(&c->tls);
    const char *wanted = c->ep->config.early_alpn;

    if (wanted == NULL || alpn.len != strlen(wanted) ||
        memcmp(alpn.data, wanted, alpn.len) != 0) {
        return QMS_E_PROTOCOL;
    }
    c->announced = true;
    c->link.early = true;
    c->ep->events->on_connection(c->ep, c, alpn);
    return c->link.events != NULL ? QMS_OK : QMS_E_NOMEM;
}
