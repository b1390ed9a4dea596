/* SPDX-License-Identifier: MIT */
/* A peer that the broker has connected to: HELLO goes out, and the agent's WELCOME lets it in.
 * Nothing authenticates it but its certificate, which the carrier has checked. */
#include <string.h>

#include "core/broker/peer.h"
#include "core/broker/upstream.h"

/* How the broker calls itself towards agents that listen. */
#define BROKER_ID "broker"

static qms_err say_hello(struct qms_peer *p, const struct qms_dialer *d)
{
    const char *token = qms_dialer_token(d);
    struct qms_control m = {.type = QMS_MSG_HELLO};

    m.u.hello.min_version = m.u.hello.max_version = QMS_WIRE_VERSION;
    m.u.hello.agent_id = qms_str(BROKER_ID, sizeof(BROKER_ID) - 1);
    m.u.hello.caps = QMS_CAP_RELAY;
    if (token != NULL) {
        m.u.hello.auth_scheme = QMS_AUTH_TOKEN;
        m.u.hello.auth = qms_str(token, strlen(token));
    } else if (qms_dialer_shows_certificate(d)) {
        m.u.hello.auth_scheme = QMS_AUTH_CERTIFICATE;
    }
    return qms_session_hello(p->session, &m);
}

qms_err qms_broker_dialed(struct qms_broker *b, struct qms_dialer *dialer,
                          struct qms_link *link, void (*on_gone)(void *arg), void *arg,
                          struct qms_peer **out)
{
    struct qms_peer *p;
    qms_err err = qms_peer_make(b, qms_dialer_server(dialer), link, true, on_gone, arg, &p);

    if (err != QMS_OK) {
        return err;
    }
    err = say_hello(p, dialer);
    if (err != QMS_OK) {
        qms_peer_close(p, QMS_CODE_INTERNAL, NULL); /* its end comes, and finds no dialer */
        return err;
    }
    p->dialer = dialer;
    *out = p;
    return QMS_OK;
}

void qms_peer_on_welcome(struct qms_session *s, const struct qms_control *welcome)
{
    struct qms_peer *p = qms_session_user(s);

    (void)welcome; /* the agent's names for us do not matter here */
    qms_peer_touch(p);
    if (p->state != QMS_PEER_GREETING || p->dialer == NULL) {
        return;
    }
    if (p->broker->draining) {
        qms_peer_close(p, QMS_CODE_GOING_AWAY, "shutting down");
        return;
    }
    if (qms_peer_admit_dialed(p, qms_dialer_id(p->dialer))) {
        qms_peer_debug(p, "upstream agent %s",
                       qms_session_is_agent(s) ? "takes the broker for its peer"
                                               : "believes the broker");
        qms_dialer_ready(p->dialer);
    }
}
