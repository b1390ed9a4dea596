/* SPDX-License-Identifier: MIT */
/* Credentials that are answered later: an authenticator asks elsewhere, and the peer waits in
 * GREETING (or, with AUTH, as it was) for as long as it may take to say HELLO.  How many may
 * wait is bounded like handshakes are; what a peer waits with is a copy of its credential. */
#include <string.h>

#include "base/mem.h"
#include "core/broker/peer.h"

struct qms_hello_wait {
    struct qms_hello_asked asked; /* points into `bytes` */
    struct qms_chain_hello at;
    qms_time until;
    bool resumed;
    uint8_t bytes[]; /* token, then agent id */
};

static struct qms_bytes keep(uint8_t **at, struct qms_bytes b)
{
    struct qms_bytes kept = {*at, b.len};

    if (b.len > 0) {
        memcpy(*at, b.data, b.len);
    }
    *at += b.len;
    return kept;
}

/* NULL: no memory, or too many wait. */
static struct qms_hello_wait *wait_new(struct qms_peer *p, const struct qms_hello_asked *asked,
                                       qms_time now)
{
    const struct qms_credential *cred = &asked->cred;
    struct qms_broker *b = p->broker;
    struct qms_hello_wait *w =
        b->conf->half_open_max == 0 || b->waiting < b->conf->half_open_max
            ? qms_calloc(1, sizeof(*w) + cred->bytes.len + cred->agent_id.len)
            : NULL;

    if (w != NULL) {
        uint8_t *at = w->bytes;
        w->asked = *asked;
        w->asked.cred.bytes = keep(&at, cred->bytes);
        w->asked.cred.agent_id = keep(&at, cred->agent_id);
        w->until = now + b->limits.hello_for;
        b->waiting++;
    }
    return w;
}

static void wait_free(struct qms_peer *p, struct qms_hello_wait *w)
{
    p->broker->waiting--;
    qms_memzero(w->bytes, w->asked.cred.bytes.len);
    qms_free(w);
}

/* An answer that does not come is a failure like any other, and what has come so far makes no
 * difference: it counts for the back-off all the same. */
static void too_late(struct qms_peer *p, struct qms_chain_hello *at)
{
    static const struct qms_refusal why = {QMS_CODE_UNAUTHENTICATED, 0, "authentication failed",
                                           "timeout"};

    qms_chain_hello_give_up(&p->broker->chain, qms_peer_server(p), at, p->module_data, &why);
    at->auth.refused_by_authenticator = true;
}

/* Not looked at any further, and not held against anyone. */
static void too_many(struct qms_peer *p, struct qms_chain_hello *at)
{
    qms_chain_hello_cancel(&p->broker->chain, at, p->module_data);
    at->why =
        (struct qms_refusal){QMS_CODE_BUSY, 1000, "too many agents wait", "too_many_waiting"};
}

void qms_peer_ask(struct qms_peer *p, const struct qms_hello_asked *asked, qms_time now)
{
    const struct qms_chain *chain = &p->broker->chain;
    struct qms_chain_hello at = {0};

    if (qms_peer_server(p)->auth_mode != QMS_AUTH_MODE_OFF && qms_peer_must_wait(p, now, &at)) {
        qms_peer_answered(p, asked, QMS_REJECT, &at, now);
        return;
    }
    enum qms_verdict v =
        qms_chain_hello(chain, qms_peer_server(p), p, p->module_data, &asked->cred, now, &at);

    if (v == QMS_LATER && (p->wait = wait_new(p, asked, now)) != NULL) {
        p->wait->at = at;
        qms_peer_touch(p);
        return;
    }
    if (v == QMS_LATER) {
        too_many(p, &at);
        v = QMS_REJECT;
    }
    qms_peer_answered(p, asked, v, &at, now);
}

qms_time qms_peer_wait_at(const struct qms_peer *p)
{
    return p->wait == NULL ? QMS_NEVER : p->wait->resumed ? 0 : p->wait->until;
}

/* The peer waits for nothing while it hears the answer: that may close it. */
static void finish(struct qms_peer *p, enum qms_verdict v, qms_time now)
{
    struct qms_hello_wait *w = p->wait;

    p->wait = NULL;
    qms_peer_answered(p, &w->asked, v, &w->at, now);
    wait_free(p, w);
}

void qms_peer_wait_due(struct qms_peer *p, qms_time now)
{
    struct qms_hello_wait *w = p->wait;
    const struct qms_chain *chain = &p->broker->chain;
    enum qms_verdict v = QMS_LATER;

    if (w == NULL) {
        return;
    }
    if (w->resumed) {
        w->resumed = false;
        v = qms_chain_hello(chain, qms_peer_server(p), p, p->module_data, &w->asked.cred, now,
                            &w->at);
    }
    if (v == QMS_LATER && w->until <= now) {
        too_late(p, &w->at);
        v = QMS_REJECT;
    }
    if (v != QMS_LATER) {
        finish(p, v, now);
    }
}

void qms_peer_wait_again(struct qms_peer *p)
{
    if (p->wait != NULL) {
        qms_chain_hello_cancel(&p->broker->chain, &p->wait->at, p->module_data);
        p->wait->resumed = true;
        qms_peer_touch(p);
    }
}

void qms_peer_wait_drop(struct qms_peer *p)
{
    if (p->wait != NULL) {
        qms_chain_hello_cancel(&p->broker->chain, &p->wait->at, p->module_data);
        wait_free(p, p->wait);
        p->wait = NULL;
    }
}

void qms_hello_resume(struct qms_peer *peer)
{
    if (peer->wait != NULL && peer->wait->at.waiting) {
        peer->wait->resumed = true;
        qms_peer_touch(peer);
    }
}
