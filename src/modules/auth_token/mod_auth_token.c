/* SPDX-License-Identifier: MIT */
/* Authenticates agents by bearer tokens out of a file.
 *
 * Only hashes are stored.  The presented token is hashed once and compared with every line, to
 * the end, whatever was found before: the time taken tells nothing.  A peer remembers
 * the hash it came with, so that a reload can see whether its line is still there. */
#include <string.h>

#include <quicms/module.h>

#include "base/clock.h"
#include "base/glob.h"
#include "base/mem.h"
#include "token_file.h"

#define SCHEME_TOKEN 1

struct conf {
    const char *path;
    struct qms_token_file file;
};

struct peer {
    bool known;
    uint8_t hash[QMS_SHA256_LEN];
};

static const struct qms_directive directives[] = {
    {.name = "token_file",
     .contexts = QMS_CTX_MAIN | QMS_CTX_QUIC | QMS_CTX_SERVER,
     .type = QMS_D_PATH,
     .offset = QMS_STR_FIELD(struct conf, path),
     .help = "File of agent patterns, token hashes, expiries and scopes for \"auth token\"."},
    {.name = NULL},
};

/* A reload reads the file again: the bytes that were checked come with the configuration. */
static qms_err load(void *conf, struct qms_diag *diag)
{
    struct conf *c = conf;
    struct qms_bytes text;

    if (c->path == NULL) {
        return QMS_OK;
    }
    qms_err err = qms_conf_read_file(diag, c->path, &text);
    return err == QMS_OK ? qms_token_file_parse(&c->file, c->path, text, diag) : err;
}

static const char *needs(const void *conf, bool certificates)
{
    const struct conf *c = conf;

    (void)certificates;
    return c->path == NULL ? directives[0].name : NULL;
}

static void unload(void *conf)
{
    struct conf *c = conf;
    qms_token_file_fini(&c->file);
}

/* What the lines with this hash say about an agent id. */
struct finding {
    bool known, match, fresh;     /* the hash; also the id; also not expired */
    const struct qms_token *best; /* of the fresh ones, or of the matching ones */
};

/* An empty id is one that the agent leaves to us: a line for one agent names it, and a line for
 * everyone lets the broker assign one. */
static bool covers(const struct qms_token *t, struct qms_bytes id)
{
    if (id.len > 0) {
        return qms_glob_match(t->pattern, id);
    }
    return strchr(t->pattern, '*') == NULL || strcmp(t->pattern, "*") == 0;
}

static struct finding search(const struct conf *c, const uint8_t hash[QMS_SHA256_LEN],
                             struct qms_bytes id, int64_t wall)
{
    struct finding f = {0};

    for (size_t i = 0; i < c->file.count; i++) {
        const struct qms_token *t = &c->file.tokens[i];
        bool known = qms_memeq_ct(t->hash, hash, QMS_SHA256_LEN);
        bool match = covers(t, id) & known;
        bool fresh = match & (t->expires_at == 0 || t->expires_at > wall);
        if ((fresh && !f.fresh) || (match && !f.match)) {
            f.best = t;
        }
        f.known |= known;
        f.match |= match;
        f.fresh |= fresh;
    }
    return f;
}

static void fill(struct qms_grant *grant, const struct qms_token *t)
{
    grant->expires_at = t->expires_at;
    grant->scopes = t->scopes;
    if (strchr(t->pattern, '*') == NULL) {
        grant->agent_id = (struct qms_bytes){(const uint8_t *)t->pattern, strlen(t->pattern)};
    }
}

static enum qms_verdict on_hello(void *peer_data, const void *conf, struct qms_peer *peer,
                                 const struct qms_credential *cred, qms_time now,
                                 struct qms_grant *grant, struct qms_refusal *why)
{
    struct peer *p = peer_data;
    uint8_t hash[QMS_SHA256_LEN];

    (void)peer, (void)now;
    if (cred->scheme != SCHEME_TOKEN) {
        return QMS_PASS;
    }
    qms_sha256(cred->bytes, hash);
    struct finding f = search(conf, hash, cred->agent_id, qms_clock_wall());
    if (!f.fresh) {
        why->code = QMS_CODE_UNAUTHENTICATED;
        why->label = f.match ? "expired" : f.known ? "wrong_agent" : "unknown_token";
        return QMS_REJECT;
    }
    fill(grant, f.best);
    memcpy(p->hash, hash, sizeof(hash));
    p->known = true;
    return QMS_ACCEPT;
}

static enum qms_verdict on_reload(void *peer_data, const void *conf, struct qms_peer *peer,
                                  qms_time now, struct qms_grant *grant,
                                  struct qms_refusal *why)
{
    const struct peer *p = peer_data;

    (void)now;
    if (!p->known) {
        return QMS_PASS;
    }
    struct finding f = search(conf, p->hash, qms_peer_id(peer), qms_clock_wall());
    if (f.fresh) {
        fill(grant, f.best);
        return QMS_PASS;
    }
    *why = f.match ? (struct qms_refusal){QMS_CODE_EXPIRED, 0, "credentials have expired",
                                          "expired"}
                   : (struct qms_refusal){QMS_CODE_UNAUTHENTICATED, 0,
                                          "credentials were withdrawn", "withdrawn"};
    return QMS_REJECT;
}

static void on_peer_gone(void *worker, void *peer_data, struct qms_peer *peer, qms_time now)
{
    (void)worker, (void)peer, (void)now;
    qms_memzero(peer_data, sizeof(struct peer));
}

extern const struct qms_module qms_module_auth_token;
const struct qms_module qms_module_auth_token = {
    .abi = QMS_MODULE_ABI,
    .name = "auth_token",
    .directives = directives,
    .conf_size = sizeof(struct conf),
    .peer_size = sizeof(struct peer),
    .conf_load = load,
    .auth_needs = needs,
    .conf_free = unload,
    .authenticator = true,
    .on_hello = on_hello,
    .on_reload = on_reload,
    .on_peer_gone = on_peer_gone,
};
