/* SPDX-License-Identifier: MIT */
/* Who a peer is: HELLO, its id and claim in the directory, AUTH, reload and expiry.
 *
 * The id comes from the credential; only where nothing authenticates (`auth off`) the claimed
 * one counts.  Every failed authentication reads the same to the agent; the label that tells
 * them apart goes to the counters and the log. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/broker/broker_mesh.h"
#include "core/broker/peer.h"
#include "core/broker/presence.h"
#include "core/conf/regex.h"

/* Bad credentials in AUTH on one connection; the last one ends it. */
#define AUTH_FAILURES_MAX 8

static void refuse(struct qms_peer *p, uint8_t code, uint64_t retry_after_ms,
                   const char *reason)
{
    p->state = QMS_PEER_CLOSING;
    p->close_code = code;
    qms_session_refuse(p->session, code, retry_after_ms, reason);
    qms_peer_touch(p);
}

/* Wall seconds on the broker's clock; at once when they lie behind. */
static qms_time instant_of(int64_t wall, qms_time now)
{
    int64_t left = wall - qms_clock_wall();

    if (wall == 0) {
        return QMS_NEVER;
    }
    if (left <= 0) {
        return now;
    }
    return (uint64_t)left > (QMS_NEVER - 1 - now) / QMS_SECOND
               ? QMS_NEVER
               : now + (uint64_t)left * QMS_SECOND;
}

/* Takes over expiry, scopes and limits.  QMS_E_NOMEM: nothing changed. */
static qms_err apply_grant(struct qms_peer *p, const struct qms_chain_auth *auth, qms_time now)
{
    char *copy = NULL;

    if (auth->scopes[0] != '\0' &&
        (copy = qms_strndup(auth->scopes, strlen(auth->scopes))) == NULL) {
        return QMS_E_NOMEM;
    }
    qms_free(p->scopes);
    p->scopes = copy;
    p->expires_at = auth->expires_at;
    p->expire_at = instant_of(auth->expires_at, now);
    p->granted = auth->limits;
    return QMS_OK;
}

static void set_id(struct qms_peer *p, struct qms_bytes id)
{
    memcpy(p->id, id.data, id.len);
    p->id[id.len] = '\0';
    p->id_len = id.len;
}

/* An id that nobody has. */
static void assign_id(struct qms_peer *p)
{
    do {
        uint32_t random;
        qms_random(&random, sizeof(random));
        p->id_len = (size_t)snprintf(p->id, sizeof(p->id), "anon-%08X", random);
    } while (qms_directory_find(p->broker->directory, qms_str(p->id, p->id_len)) != NULL);
}

void qms_peer_leave_directory(struct qms_peer *p)
{
    qms_peer_leave_rooms(p, false);
    qms_presence_leave(p);
    if (p->epoch != 0) {
        struct qms_bytes id = qms_str(p->id, p->id_len);
        if (qms_directory_leave(p->broker->directory, id, p->epoch)) {
            qms_broker_tell_leave(p->broker, id, p->epoch);
        }
        p->epoch = 0;
    }
}

/* Whether a claim holds against another.  One of an older generation does not: its agent was
 * told to connect anew. */
static bool stays(const struct qms_broker *b, const struct qms_directory_entry *entry)
{
    return entry != NULL &&
           (entry->peer != NULL || b->mesh == NULL ||
            qms_mesh_generation(b->mesh, entry->worker) >= qms_mesh_own_generation(b->mesh));
}

/* Claims the id by the policy for duplicates. */
static qms_err claim(struct qms_peer *p)
{
    struct qms_broker *b = p->broker;
    struct qms_bytes id = qms_str(p->id, p->id_len);
    struct qms_directory_entry entry = {.epoch = qms_broker_next_epoch(b),
                                        .worker = qms_broker_slot(b),
                                        .peer = p},
                               replaced;
    qms_err err;

    if (b->conf->duplicate == QMS_DUPLICATE_REFUSE &&
        stays(b, qms_directory_find(b->directory, id))) {
        return QMS_E_EXISTS;
    }
    if ((err = qms_directory_join(b->directory, id, &entry, &replaced)) != QMS_OK) {
        return err;
    }
    b->epoch = p->epoch = entry.epoch;
    qms_broker_tell_join(b, p);
    if (replaced.peer != NULL) {
        qms_log_peer(QMS_LOG_NOTICE, "agent replaced by a newer connection id=%s", p->id);
        qms_peer_close(replaced.peer, QMS_CODE_REPLACED, "replaced by a newer connection");
    }
    return QMS_OK;
}

static qms_err welcome(struct qms_peer *p)
{
    const struct qms_conf *conf = p->broker->conf;
    struct qms_control m = {.type = QMS_MSG_WELCOME};

    m.u.welcome.version = QMS_WIRE_VERSION;
    qms_random(m.u.welcome.session_id, sizeof(m.u.welcome.session_id));
    m.u.welcome.agent_id = qms_str(p->id, p->id_len);
    m.u.welcome.max_header = QMS_ROUTE_HEADER_MAX;
    m.u.welcome.max_datagram = conf->max_datagram;
    m.u.welcome.idle_ms = conf->idle_for / QMS_MILLISECOND;
    return qms_session_welcome(p->session, &m);
}

static void introduce(struct qms_peer *p, qms_time now)
{
    struct qms_broker *b = p->broker;

    p->state = QMS_PEER_WELCOMED;
    p->introduced = true;
    qms_stats_add(b->stats, QMS_S_WELCOMED, 1);
    qms_stats_add(b->stats, QMS_S_AGENTS, 1);
    qms_chain_peer(&b->chain, qms_peer_server(p), p, p->module_data, now);
    qms_peer_watch(p);
    qms_peer_debug(p, "WELCOME expires_at=%lld scopes=%s", (long long)p->expires_at,
                   qms_peer_scopes(p));
    qms_log(QMS_LOG_INFO, "agent connected id=%s carrier=%s", p->id, p->carrier);
}

/* Whether agents may be called so (agent_id_format).  The credential was good, so nobody is
 * made to wait for it. */
static bool id_fits(struct qms_peer *p, struct qms_bytes id)
{
    const struct qms_regex *allowed = p->broker->conf->agent_ids;

    if (allowed == NULL || id.len == 0 || qms_regex_ask(allowed, id) == QMS_REGEX_YES) {
        return true;
    }
    qms_stats_label(p->broker->stats, QMS_F_AUTH_FAILED, "id_format");
    qms_log_peer(QMS_LOG_NOTICE, "HELLO refused carrier=%s reason=id_format", p->carrier);
    return false;
}

/* The credential was good: id, claim, WELCOME. */
static void admit(struct qms_peer *p, struct qms_bytes asked_for,
                  const struct qms_chain_auth *auth, qms_time now)
{
    struct qms_bytes id = auth->id_len > 0 ? qms_str(auth->id, auth->id_len) : asked_for;

    if (!id_fits(p, id)) {
        refuse(p, QMS_CODE_FORBIDDEN, 0, "this agent id is not allowed here");
        return;
    }
    if (id.len > 0) {
        set_id(p, id);
    } else {
        assign_id(p);
    }
    p->accepted = auth->accepted;
    if (apply_grant(p, auth, now) != QMS_OK) {
        refuse(p, QMS_CODE_INTERNAL, 0, "out of memory");
        return;
    }

    qms_err err = claim(p);
    if (err == QMS_E_EXISTS) {
        refuse(p, QMS_CODE_REJECTED, 0, "agent id is connected already");
    } else if (err != QMS_OK) {
        refuse(p, QMS_CODE_INTERNAL, 0, "out of memory");
    } else if (welcome(p) != QMS_OK) {
        qms_peer_close(p, QMS_CODE_INTERNAL, "out of memory");
    } else {
        introduce(p, now);
        qms_peer_welcomed_late(p, now);
    }
}

bool qms_peer_admit_dialed(struct qms_peer *p, struct qms_bytes id)
{
    qms_err err;

    set_id(p, id);
    err = claim(p);
    if (err != QMS_OK) {
        qms_peer_close(p, err == QMS_E_EXISTS ? QMS_CODE_REJECTED : QMS_CODE_INTERNAL,
                       err == QMS_E_EXISTS ? "agent id is connected already" : "out of memory");
        return false;
    }
    introduce(p, qms_peer_now(p));
    return true;
}

/* ---- failures ---- */

static void *backoff_memory(const struct qms_peer *p, size_t *size)
{
    const struct qms_zone *zone = p->broker->conf->backoff;

    *size = 0;
    return zone != NULL ? qms_zone_memory(zone, size) : NULL;
}

bool qms_peer_must_wait(struct qms_peer *p, qms_time now, struct qms_chain_hello *at)
{
    size_t size = 0;
    void *memory = backoff_memory(p, &size);
    const void *address = qms_peer_validated_address(p);
    qms_time until = qms_backoff_until(memory, size, &qms_peer_server(p)->backoff,
                                       address != NULL ? address : qms_peer_address(p), now);

    if (until == 0) {
        return false;
    }
    at->why = (struct qms_refusal){QMS_CODE_RATE_LIMITED, (until - now) / QMS_MILLISECOND + 1,
                                   "too many failures, try again later", "backoff"};
    return true;
}

/* Only an address that is proved to be the peer's own pays for what it sends. */
void qms_peer_count_failure(struct qms_peer *p, const char *what,
                            const struct qms_chain_hello *at)
{
    const char *label = at->why.label != NULL ? at->why.label : "other";
    size_t size = 0;
    void *memory = backoff_memory(p, &size);

    if (at->auth.refused_by_authenticator) {
        qms_backoff_note(memory, size, &qms_peer_server(p)->backoff,
                         qms_peer_validated_address(p), qms_peer_now(p));
    }
    qms_stats_label(p->broker->stats, QMS_F_AUTH_FAILED, at->why.label);
    qms_peer_debug(p, "%s refused reason=%s", what, label);
    qms_log_peer(QMS_LOG_NOTICE, "%s refused carrier=%s reason=%s", what, p->carrier, label);
}

void qms_peer_on_hello(struct qms_session *s, const struct qms_control *hello)
{
    struct qms_peer *p = qms_session_user(s);
    const struct qms_hello_asked asked = {.cred = {.scheme = hello->u.hello.auth_scheme,
                                                   .bytes = hello->u.hello.auth,
                                                   .agent_id = hello->u.hello.agent_id}};
    struct qms_bytes id = asked.cred.agent_id;

    qms_peer_touch(p);
    if (p->state != QMS_PEER_GREETING || p->wait != NULL) {
        return;
    }
    qms_peer_debug(p, "HELLO scheme=%llu asked=%.*s", (unsigned long long)asked.cred.scheme,
                   (int)id.len, id.len > 0 ? (const char *)id.data : "");
    if (p->broker->draining) {
        refuse(p, QMS_CODE_GOING_AWAY, 0, "shutting down");
        return;
    }
    qms_peer_ask(p, &asked, qms_peer_now(p));
}

static void hello_answered(struct qms_peer *p, const struct qms_credential *cred,
                           enum qms_verdict verdict, const struct qms_chain_hello *at,
                           qms_time now)
{
    const struct qms_refusal *why = &at->why;

    if (verdict != QMS_ACCEPT) {
        qms_peer_count_failure(p, "HELLO", at);
        refuse(p, (uint8_t)why->code, why->retry_after_ms,
               why->reason != NULL ? why->reason : "refused");
    } else if (p->broker->draining) {
        refuse(p, QMS_CODE_GOING_AWAY, 0, "shutting down");
    } else {
        admit(p, cred->agent_id, &at->auth, now);
    }
}

/* ---- AUTH ---- */

static void reply(struct qms_peer *p, uint64_t req, uint64_t status)
{
    struct qms_control m = {.type = QMS_MSG_REPLY, .u.reply = {req, status}};

    if (qms_session_send(p->session, &m) != QMS_OK) {
        qms_peer_close(p, QMS_CODE_INTERNAL, "out of memory");
    }
}

void qms_peer_auth(struct qms_peer *p, const struct qms_control *msg)
{
    const struct qms_hello_asked asked = {.is_auth = true,
                                          .req = msg->u.auth.req,
                                          .cred = {.scheme = msg->u.auth.scheme,
                                                   .bytes = msg->u.auth.token,
                                                   .agent_id = qms_str(p->id, p->id_len)}};

    if (p->wait != NULL) {
        reply(p, msg->u.auth.req, QMS_CODE_BUSY); /* one at a time */
        return;
    }
    qms_peer_ask(p, &asked, qms_peer_now(p));
}

static void auth_answered(struct qms_peer *p, uint64_t req, enum qms_verdict verdict,
                          const struct qms_chain_hello *at, qms_time now)
{
    if (verdict != QMS_ACCEPT) {
        qms_peer_count_failure(p, "AUTH", at);
        if (++p->auth_failures >= AUTH_FAILURES_MAX) {
            qms_peer_close(p, QMS_CODE_UNAUTHENTICATED, "authentication failed");
        } else {
            reply(p, req, at->why.code);
        }
        return;
    }
    if (qms_peer_server(p)->auth_mode == QMS_AUTH_MODE_OFF) {
        reply(p, req, QMS_CODE_OK);
        return;
    }
    p->accepted = at->auth.accepted;
    reply(p, req, apply_grant(p, &at->auth, now) == QMS_OK ? QMS_CODE_OK : QMS_CODE_INTERNAL);
    qms_peer_check_rights(p);
}

void qms_peer_answered(struct qms_peer *p, const struct qms_hello_asked *asked,
                       enum qms_verdict verdict, const struct qms_chain_hello *at, qms_time now)
{
    if (asked->is_auth) {
        auth_answered(p, asked->req, verdict, at, now);
    } else {
        hello_answered(p, &asked->cred, verdict, at, now);
    }
}

void qms_peer_reload(struct qms_peer *p, qms_time now)
{
    const struct qms_grant old = {
        .expires_at = p->expires_at, .scopes = p->scopes, .limits = p->granted};
    const struct qms_chain *chain = &p->broker->chain;
    struct qms_chain_auth auth;
    struct qms_refusal why;

    qms_peer_wait_again(p);
    if (p->state != QMS_PEER_WELCOMED || p->dialer != NULL) {
        return; /* the others have shown a credential */
    }
    if (!qms_chain_still_authenticated(chain, qms_peer_server(p), p->accepted)) {
        qms_peer_close(p, QMS_CODE_UNAUTHENTICATED, "authentication failed");
        return;
    }
    if (!qms_chain_reload(chain, qms_peer_server(p), p, p->module_data, p->accepted, &old, now,
                          &auth, &why)) {
        qms_peer_count_failure(p, "reload", &(struct qms_chain_hello){.why = why});
        qms_peer_close(p, (uint8_t)why.code, why.reason != NULL ? why.reason : "refused");
        return;
    }
    if (p->accepted != 0 && apply_grant(p, &auth, now) != QMS_OK) {
        qms_peer_close(p, QMS_CODE_INTERNAL, "out of memory");
        return;
    }
    qms_peer_check_rights(p);
}
