/* SPDX-License-Identifier: MIT */
/* Asking the modules.  Their worker memory and its life are in chain_worker.c. */
#include "core/broker/chain.h"

#include <string.h>

#include "proto/tlv.h"

static const char neutral[] = "authentication failed";

#define EACH(c, i, callback)                                                                   \
    for (size_t i = 0; (i) < (c)->count; (i)++)                                                \
        if ((c)->modules[i]->callback != NULL)

bool qms_chain_connect(struct qms_chain *c, const struct qms_server_conf *server,
                       const void *remote, qms_time now, struct qms_refusal *why)
{
    *why = (struct qms_refusal){.code = QMS_CODE_BUSY};
    EACH(c, i, on_connect)
    {
        if (c->modules[i]->on_connect(c->worker[i], server->module_conf[i], remote, now, why) !=
            QMS_REJECT) {
            continue;
        }
        while (i-- > 0) {
            if (c->modules[i]->on_connect != NULL && c->modules[i]->on_disconnect != NULL) {
                c->modules[i]->on_disconnect(c->worker[i], server->module_conf[i], remote, now);
            }
        }
        return false;
    }
    return true;
}

void qms_chain_disconnect(struct qms_chain *c, const struct qms_server_conf *server,
                          const void *remote, qms_time now)
{
    EACH(c, i, on_disconnect)
    {
        c->modules[i]->on_disconnect(c->worker[i], server->module_conf[i], remote, now);
    }
}

static size_t index_of(const struct qms_chain *c, const struct qms_module *m)
{
    size_t i = 0;

    while (i < c->count && c->modules[i] != m) {
        i++;
    }
    return i;
}

static bool refuse(struct qms_chain_auth *out, struct qms_refusal *why, const char *label)
{
    out->refused_by_authenticator = true;
    *why = (struct qms_refusal){QMS_CODE_UNAUTHENTICATED, 0, neutral, label};
    return false;
}

static bool bytes_equal(struct qms_bytes a, struct qms_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Takes the id that a credential names.  A label when it cannot be. */
static const char *merge_id(struct qms_chain_auth *out, struct qms_bytes asked,
                            struct qms_bytes named)
{
    struct qms_bytes so_far = {(const uint8_t *)out->id, out->id_len};

    if (named.len == 0) {
        return NULL;
    }
    if (!qms_name_ok(named)) {
        return "bad_id";
    }
    if ((asked.len > 0 && !bytes_equal(asked, named)) ||
        (so_far.len > 0 && !bytes_equal(so_far, named))) {
        return "wrong_agent";
    }
    memcpy(out->id, named.data, named.len);
    out->id_len = named.len;
    return NULL;
}

static const char *merge_scopes(struct qms_chain_auth *out, const char *scopes)
{
    size_t have = strlen(out->scopes), more = scopes != NULL ? strlen(scopes) : 0;

    if (more == 0) {
        return NULL;
    }
    if (have + 1 + more >= sizeof(out->scopes)) {
        return "scopes_too_long";
    }
    if (have > 0) {
        out->scopes[have++] = ' ';
    }
    memcpy(out->scopes + have, scopes, more + 1);
    return NULL;
}

static void merge_rate(struct qms_limit_rate *out, const struct qms_limit_rate *more)
{
    if (more->per_second != 0 && (out->per_second == 0 || more->per_second < out->per_second)) {
        *out = *more;
    }
}

/* Adds a grant to what was granted before; the label of what is wrong with it, or NULL. */
static const char *merge(struct qms_chain_auth *out, const struct qms_credential *cred,
                         const struct qms_grant *grant)
{
    const char *wrong = merge_id(out, cred->agent_id, grant->agent_id);

    if (wrong == NULL) {
        wrong = merge_scopes(out, grant->scopes);
    }
    if (grant->expires_at != 0 &&
        (out->expires_at == 0 || grant->expires_at < out->expires_at)) {
        out->expires_at = grant->expires_at;
    }
    merge_rate(&out->limits.streams, &grant->limits.streams);
    merge_rate(&out->limits.bytes, &grant->limits.bytes);
    merge_rate(&out->limits.datagrams, &grant->limits.datagrams);
    return wrong;
}

/* The modules that are not there to authenticate may object. */
static bool others_pass(const struct qms_chain *c, const struct qms_server_conf *server,
                        struct qms_peer *peer, uint8_t *peer_data,
                        const struct qms_credential *cred, qms_time now,
                        struct qms_refusal *why)
{
    EACH(c, i, on_hello)
    {
        struct qms_grant grant = {0};
        *why = (struct qms_refusal){.code = QMS_CODE_REJECTED};
        if (!c->modules[i]->authenticator &&
            c->modules[i]->on_hello(peer_data + c->peer_at[i], server->module_conf[i], peer,
                                    cred, now, &grant, why) == QMS_REJECT) {
            return false;
        }
    }
    return true;
}

/* One authenticator's word: ACCEPT, PASS, LATER, or REJECT with `why` filled. */
static enum qms_verdict ask(const struct qms_chain *c, const struct qms_server_conf *server,
                            size_t i, struct qms_peer *peer, uint8_t *peer_data,
                            const struct qms_credential *cred, qms_time now,
                            struct qms_chain_auth *out, struct qms_refusal *why)
{
    struct qms_grant grant = {0};
    const char *wrong;

    *why = (struct qms_refusal){0};
    enum qms_verdict v = c->modules[i]->on_hello(
        peer_data + c->peer_at[i], server->module_conf[i], peer, cred, now, &grant, why);
    if (v == QMS_ACCEPT && (wrong = merge(out, cred, &grant)) != NULL) {
        why->label = wrong;
        return QMS_REJECT;
    }
    if (v == QMS_ACCEPT) {
        out->accepted |= UINT64_C(1) << i;
    }
    return v;
}

static void fail(struct qms_chain_hello *at, const char *label)
{
    if (!at->failed) {
        (void)refuse(&at->auth, &at->why, label);
        at->failed = true;
    }
}

/* With `all` the list is gone through twice, so that those who answer at once are asked before
 * those who may answer later: these are asked last, and about every credential, with the word
 * that it is bad already.  Were they spared, the time of a refusal would tell that it came from
 * another, and the guesser of two secrets could guess one at a time. */
struct turn {
    size_t place;
    bool late;
};

static struct turn turn_of(const struct qms_server_conf *server, size_t next)
{
    return (struct turn){next % server->auth_count, next >= server->auth_count};
}

static size_t turns(const struct qms_server_conf *server)
{
    return server->auth_count * (server->auth_mode == QMS_AUTH_MODE_OFF   ? 0
                                 : server->auth_mode == QMS_AUTH_MODE_ALL ? 2
                                                                          : 1);
}

/* One step along the list.  PASS: on to the next. */
static enum qms_verdict step(const struct qms_chain *c, const struct qms_server_conf *server,
                             struct qms_peer *peer, uint8_t *peer_data,
                             const struct qms_credential *cred, qms_time now,
                             struct qms_chain_hello *at)
{
    bool all = server->auth_mode == QMS_AUTH_MODE_ALL;
    struct turn turn = turn_of(server, at->next);
    struct qms_credential shown = *cred;
    struct qms_refusal why;

    at->asked = index_of(c, server->auth[turn.place]);
    at->waiting = false;
    if (at->asked == c->count || c->modules[at->asked]->on_hello == NULL) {
        fail(at, "no_authenticator");
        return QMS_REJECT;
    }
    const struct qms_module *m = c->modules[at->asked];
    if (all && turn.late != (m->on_hello_cancel != NULL)) {
        return QMS_PASS;
    }
    shown.refused = all && at->failed;
    enum qms_verdict v =
        ask(c, server, at->asked, peer, peer_data, &shown, now, &at->auth, &why);
    if (v == QMS_LATER) {
        at->waiting = true;
        return v;
    }
    if (v == QMS_REJECT) {
        fail(at, why.label != NULL ? why.label : m->name);
        if (!all) {
            at->auth = (struct qms_chain_auth){.refused_by_authenticator = true};
        }
    } else if (v != QMS_ACCEPT && all) {
        fail(at, cred->scheme == 0 ? "no_credential" : "not_recognized");
    }
    /* Only the first ACCEPT of `any` ends it.  Who rejects does not: another may know the
     * credential, and how long it takes tells nothing. */
    return v == QMS_ACCEPT && !all ? v : QMS_PASS;
}

enum qms_verdict qms_chain_hello(const struct qms_chain *c,
                                 const struct qms_server_conf *server, struct qms_peer *peer,
                                 uint8_t *peer_data, const struct qms_credential *cred,
                                 qms_time now, struct qms_chain_hello *at)
{
    if (!at->begun && !others_pass(c, server, peer, peer_data, cred, now, &at->why)) {
        return QMS_REJECT;
    }
    at->begun = true;
    while (at->next < turns(server)) {
        enum qms_verdict v = step(c, server, peer, peer_data, cred, now, at);
        if (v != QMS_PASS) {
            return v;
        }
        at->next++;
    }
    if (!at->failed && qms_chain_still_authenticated(c, server, at->auth.accepted)) {
        return QMS_ACCEPT;
    }
    fail(at, cred->scheme == 0 ? "no_credential" : "not_recognized");
    return QMS_REJECT;
}

void qms_chain_hello_cancel(const struct qms_chain *c, struct qms_chain_hello *at,
                            uint8_t *peer_data)
{
    if (at->waiting) {
        c->modules[at->asked]->on_hello_cancel(peer_data + c->peer_at[at->asked]);
    }
    *at = (struct qms_chain_hello){0};
}

void qms_chain_hello_give_up(const struct qms_chain *c, const struct qms_server_conf *server,
                             struct qms_chain_hello *at, uint8_t *peer_data,
                             const struct qms_refusal *why)
{
    bool decided = at->failed && server->auth_mode == QMS_AUTH_MODE_ALL;
    const char *first = decided ? at->why.label : why->label;

    qms_chain_hello_cancel(c, at, peer_data);
    at->why = *why;
    at->why.label = first;
}

bool qms_chain_still_authenticated(const struct qms_chain *c,
                                   const struct qms_server_conf *server, uint64_t accepted)
{
    size_t good = 0;

    for (size_t k = 0; k < server->auth_count; k++) {
        size_t i = index_of(c, server->auth[k]);
        good += i < c->count && (accepted >> i & 1) != 0;
    }
    switch (server->auth_mode) {
    case QMS_AUTH_MODE_OFF:
        return true;
    case QMS_AUTH_MODE_ANY:
        return good > 0;
    case QMS_AUTH_MODE_ALL:
        return good > 0 && good == server->auth_count;
    }
    return false;
}

void qms_chain_peer(const struct qms_chain *c, const struct qms_server_conf *server,
                    struct qms_peer *peer, uint8_t *peer_data, qms_time now)
{
    EACH(c, i, on_peer)
    {
        c->modules[i]->on_peer(c->worker[i], peer_data + c->peer_at[i], server->module_conf[i],
                               peer, now);
    }
}

void qms_chain_peer_gone(const struct qms_chain *c, struct qms_peer *peer, uint8_t *peer_data,
                         qms_time now)
{
    EACH(c, i, on_peer_gone)
    {
        c->modules[i]->on_peer_gone(c->worker[i], peer_data + c->peer_at[i], peer, now);
    }
}

void qms_chain_peer_free(const struct qms_chain *c, uint8_t *peer_data)
{
    EACH(c, i, peer_free)
    {
        c->modules[i]->peer_free(peer_data + c->peer_at[i]);
    }
}

bool qms_chain_reload(const struct qms_chain *c, const struct qms_server_conf *server,
                      struct qms_peer *peer, uint8_t *peer_data, uint64_t accepted,
                      const struct qms_grant *old, qms_time now, struct qms_chain_auth *out,
                      struct qms_refusal *why)
{
    const struct qms_credential cred = {.agent_id = qms_peer_id(peer)};

    *out = (struct qms_chain_auth){.accepted = accepted};
    for (size_t i = 0; i < c->count; i++) {
        const struct qms_module *m = c->modules[i];
        bool mine = (accepted >> i & 1) != 0;
        struct qms_grant grant = mine && m->on_reload == NULL ? *old : (struct qms_grant){0};
        const char *wrong;

        *why = (struct qms_refusal){.code = QMS_CODE_UNAUTHENTICATED};
        if (m->on_reload != NULL &&
            m->on_reload(peer_data + c->peer_at[i], server->module_conf[i], peer, now, &grant,
                         why) == QMS_REJECT) {
            return false;
        }
        if (mine && (wrong = merge(out, &cred, &grant)) != NULL) {
            return refuse(out, why, wrong);
        }
    }
    return true;
}

bool qms_chain_open(const struct qms_chain *c, const struct qms_route_conf *block,
                    uint8_t *stream_data, uint8_t *peer_data, const struct qms_route *route,
                    qms_time now, size_t *asked, struct qms_refusal *why)
{
    *asked = 0;
    EACH(c, i, on_open)
    {
        *why = (struct qms_refusal){.code = QMS_CODE_REJECTED};
        *asked = i + 1;
        if (c->modules[i]->on_open(stream_data + c->stream_at[i], peer_data + c->peer_at[i],
                                   block->module_conf[i], route, now, why) == QMS_REJECT) {
            return false;
        }
    }
    *asked = c->count;
    return true;
}

bool qms_chain_data(const struct qms_chain *c, const struct qms_route_conf *block,
                    uint8_t *stream_data, uint8_t *peer_data, const struct qms_route *route,
                    const struct qms_payload *payload, qms_time now, qms_time *until,
                    struct qms_refusal *why)
{
    *until = 0;
    EACH(c, i, on_data)
    {
        qms_time at = now;
        *why = (struct qms_refusal){.code = QMS_CODE_REJECTED};
        enum qms_verdict v =
            c->modules[i]->on_data(stream_data + c->stream_at[i], peer_data + c->peer_at[i],
                                   block->module_conf[i], route, payload, now, &at, why);
        if (v == QMS_REJECT) {
            return false;
        }
        if (v == QMS_DELAY && at > now && at > *until) {
            *until = at;
        }
    }
    return true;
}

bool qms_chain_datagram(const struct qms_chain *c, const struct qms_route_conf *block,
                        struct qms_peer *peer, uint8_t *peer_data, enum qms_kind kind,
                        struct qms_bytes target, struct qms_bytes payload, qms_time now,
                        struct qms_refusal *why)
{
    EACH(c, i, on_datagram)
    {
        *why = (struct qms_refusal){.code = QMS_CODE_REJECTED, .label = c->modules[i]->name};
        if (c->modules[i]->on_datagram(peer_data + c->peer_at[i], block->module_conf[i], peer,
                                       kind, target, payload, now, why) != QMS_PASS) {
            return false;
        }
    }
    return true;
}

bool qms_chain_join(const struct qms_chain *c, const struct qms_route_conf *block,
                    struct qms_peer *peer, uint8_t *peer_data, enum qms_kind kind,
                    struct qms_bytes name, qms_time now, struct qms_refusal *why)
{
    EACH(c, i, on_join)
    {
        *why = (struct qms_refusal){.code = QMS_CODE_REJECTED};
        if (c->modules[i]->on_join(peer_data + c->peer_at[i], block->module_conf[i], peer, kind,
                                   name, now, why) == QMS_REJECT) {
            return false;
        }
    }
    return true;
}

bool qms_chain_watch(const struct qms_chain *c, const struct qms_server_conf *server,
                     struct qms_peer *peer, uint8_t *peer_data, struct qms_bytes prefix,
                     qms_time now, struct qms_refusal *why)
{
    EACH(c, i, on_watch)
    {
        *why = (struct qms_refusal){.code = QMS_CODE_REJECTED};
        if (c->modules[i]->on_watch(peer_data + c->peer_at[i], server->module_conf[i], peer,
                                    prefix, now, why) == QMS_REJECT) {
            return false;
        }
    }
    return true;
}

void qms_chain_close(const struct qms_chain *c, const struct qms_route_conf *block,
                     uint8_t *stream_data, const struct qms_route *route, size_t asked,
                     uint8_t status, qms_time now)
{
    for (size_t i = 0; i < asked; i++) {
        if (c->modules[i]->on_close != NULL) {
            c->modules[i]->on_close(stream_data + c->stream_at[i], block->module_conf[i], route,
                                    status, now);
        }
    }
}

void qms_chain_log(const struct qms_chain *c, const struct qms_route_conf *block,
                   const struct qms_route *route, uint8_t status, qms_time now)
{
    EACH(c, i, on_log)
    {
        c->modules[i]->on_log(c->worker[i], block->module_conf[i], route, status, now);
    }
}
