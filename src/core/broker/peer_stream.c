/* SPDX-License-Identifier: MIT */
/* STREAM_TOKEN: a credential that authenticates one stream.  The authenticators are asked with
 * fresh memory, so that nothing of what the connection came with is touched. */
#include <string.h>

#include "base/mem.h"
#include "core/broker/peer.h"
#include "proto/control.h"

/* A stream does not wait: what is remembered is known, the rest is not.  Nothing was found out
 * about the token, so nothing is held against the address either, whatever others said. */
static const struct qms_refusal elsewhere = {QMS_CODE_UNAUTHENTICATED, 0,
                                             "authentication failed", "asked_elsewhere"};

static bool refused(struct qms_peer *p, struct qms_chain_hello *at, struct qms_refusal *why)
{
    qms_peer_count_failure(p, "STREAM_TOKEN", at);
    *why = at->why;
    why->label = "stream_token";
    return false;
}

bool qms_peer_stream_token(struct qms_peer *p, struct qms_bytes token, qms_time now,
                           char **scopes, struct qms_refusal *why)
{
    const struct qms_chain *chain = &p->broker->chain;
    const struct qms_credential cred = {
        .scheme = QMS_AUTH_TOKEN, .bytes = token, .agent_id = qms_str(p->id, p->id_len)};
    struct qms_chain_hello at = {.begun = true}; /* those who only object were asked at HELLO */
    uint8_t *memory;

    if (qms_peer_server(p)->auth_mode == QMS_AUTH_MODE_OFF) {
        return true;
    }
    if (qms_peer_must_wait(p, now, &at)) {
        return refused(p, &at, why);
    }
    if ((memory = qms_calloc(1, chain->peer_size + 1)) == NULL) {
        *why = (struct qms_refusal){QMS_CODE_BUSY, 0, "out of memory", "no_memory"};
        return false;
    }
    enum qms_verdict v = qms_chain_hello(chain, qms_peer_server(p), p, memory, &cred, now, &at);
    if (v == QMS_LATER) {
        qms_chain_hello_give_up(chain, qms_peer_server(p), &at, memory, &elsewhere);
    }
    qms_chain_peer_free(chain, memory);
    qms_free(memory);
    if (v != QMS_ACCEPT) {
        return refused(p, &at, why);
    }
    if ((*scopes = qms_strndup(at.auth.scopes, strlen(at.auth.scopes))) == NULL) {
        *why = (struct qms_refusal){QMS_CODE_BUSY, 0, "out of memory", "no_memory"};
        return false;
    }
    return true;
}
