/* SPDX-License-Identifier: MIT */
/* Authenticates agents by JSON Web Tokens that others signed.
 *
 * Whatever is wrong with a token, exactly one signature is verified for it, by the key that it
 * names or by one of the same algorithm; so neither the answer nor the time tells what was
 * wrong.  A peer remembers the payload and the key, never the token: a reload asks whether the
 * key is still trusted and the claims still good, and needs no second verification. */
#include <string.h>

#include <quicms/module.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "claims.h"
#include "jwk.h"
#include "jws.h"

enum { SCHEME_TOKEN = 1, SCHEME_JWT = 2 };

struct conf {
    const char *path;
    struct qms_claim_rules rules;
    struct qms_jwk_set keys;
};

struct peer {
    bool known;
    uint8_t key_id[QMS_SIG_KEY_ID_LEN];
    uint8_t *payload;
    size_t payload_len;
    struct qms_claims claims;
};

/* ---- configuration ---- */

static qms_err set_names(void *conf, const struct qms_directive *d, int argc,
                         const char *const *argv, struct qms_diag *diag)
{
    struct conf *c = conf;
    bool issuer = strcmp(d->name, "jwt_issuer") == 0;
    struct qms_claim_names *names = issuer ? &c->rules.issuers : &c->rules.audiences;

    for (int i = 0; i < argc; i++) {
        if (argv[i][0] == '\0') {
            qms_diag_error(diag, "A name of \"%s\" is empty.", d->name);
            return QMS_E_CONFIG;
        }
        names->names[i] = argv[i];
    }
    names->count = (size_t)argc;
    return QMS_OK;
}

#define CONTEXTS (QMS_CTX_MAIN | QMS_CTX_QUIC | QMS_CTX_SERVER)

static const struct qms_directive directives[] = {
    {.name = "jwk_file",
     .contexts = CONTEXTS,
     .type = QMS_D_PATH,
     .offset = QMS_STR_FIELD(struct conf, path),
     .help = "JWK set with the keys whose signatures \"auth jwt\" takes."},
    {.name = "jwt_agent_claim",
     .contexts = CONTEXTS,
     .type = QMS_D_STRING,
     .offset = QMS_STR_FIELD(struct conf, rules.agent_claim),
     .def = "sub",
     .help = "Claim that holds the agent id."},
    {.name = "jwt_scope_claim",
     .contexts = CONTEXTS,
     .type = QMS_D_STRING,
     .offset = QMS_STR_FIELD(struct conf, rules.scope_claim),
     .def = "scope",
     .help = "Claim that holds the scopes, as a text of words or an array."},
    {.name = "jwt_limits_claim",
     .contexts = CONTEXTS,
     .type = QMS_D_STRING,
     .offset = QMS_STR_FIELD(struct conf, rules.limits_claim),
     .def = "limits",
     .help = "Claim that holds the rates that the agent is granted, as an object with streams, "
             "bytes and datagrams."},
    {.name = "jwt_issuer",
     .contexts = CONTEXTS,
     .type = QMS_D_CUSTOM,
     .args_min = 1,
     .args_max = QMS_CLAIM_NAMES_MAX,
     .set = set_names,
     .syntax = "name...",
     .help = "Issuers (iss) whose tokens are taken; without it any that signs with a key of "
             "the set."},
    {.name = "jwt_audience",
     .contexts = CONTEXTS,
     .type = QMS_D_CUSTOM,
     .args_min = 1,
     .args_max = QMS_CLAIM_NAMES_MAX,
     .set = set_names,
     .syntax = "name...",
     .help = "Names of this broker, one of which a token's aud must hold; without it only "
             "tokens without aud are taken."},
    {.name = "jwt_leeway",
     .contexts = CONTEXTS,
     .type = QMS_D_TIME,
     .offset = QMS_U64_FIELD(struct conf, rules.leeway),
     .def = "30s",
     .max = 600 * QMS_SECOND,
     .help = "How far the issuer's clock and this one may differ; whole seconds."},
    {.name = "jwt_require_exp",
     .contexts = CONTEXTS,
     .type = QMS_D_FLAG,
     .offset = QMS_U64_FIELD(struct conf, rules.require_exp),
     .def = "on",
     .help = "Whether a token without exp, which never ends, is refused."},
    {.name = NULL},
};

static qms_err merge(void *conf, const void *parent, struct qms_diag *diag)
{
    struct conf *c = conf;
    const struct conf *p = parent;

    (void)diag;
    if (c->rules.issuers.count == 0) {
        c->rules.issuers = p->rules.issuers;
    }
    if (c->rules.audiences.count == 0) {
        c->rules.audiences = p->rules.audiences;
    }
    return QMS_OK;
}

static qms_err load(void *conf, struct qms_diag *diag)
{
    struct conf *c = conf;
    struct qms_bytes text;
    qms_err err;

    if (c->rules.leeway % QMS_SECOND != 0) {
        qms_diag_error(diag, "\"jwt_leeway\" is in whole seconds, as the times of tokens are.");
        return QMS_E_CONFIG;
    }
    if (c->path == NULL) {
        return QMS_OK;
    }
    if ((err = qms_conf_read_file(diag, c->path, &text)) != QMS_OK) {
        return err;
    }
    err = qms_jwk_set_parse(&c->keys, c->path, text, diag);
    if (err == QMS_OK && c->keys.passed_over > 0) {
        qms_log(QMS_LOG_INFO, "keys of a JWK set are not for us file=%s keys=%u", c->path,
                c->keys.passed_over);
    }
    return err;
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
    qms_jwk_set_fini(&c->keys);
}

/* ---- peers ---- */

static void forget(struct peer *p)
{
    qms_free(p->payload);
    qms_claims_fini(&p->claims);
    *p = (struct peer){0};
}

/* What the peer came with; `claims` is taken over.  False: no memory, nothing changed. */
static bool remember(struct peer *p, const struct qms_jwk *jwk, struct qms_bytes payload,
                     struct qms_claims *claims)
{
    uint8_t *copy = qms_calloc(1, payload.len + 1);

    if (copy == NULL) {
        return false;
    }
    memcpy(copy, payload.data, payload.len);
    forget(p);
    *p = (struct peer){
        .known = true, .payload = copy, .payload_len = payload.len, .claims = *claims};
    memcpy(p->key_id, qms_sig_key_id(jwk->key), sizeof(p->key_id));
    *claims = (struct qms_claims){0};
    return true;
}

static void fill(struct qms_grant *grant, const struct qms_claims *claims)
{
    grant->agent_id = (struct qms_bytes){(const uint8_t *)claims->agent, claims->agent_len};
    grant->expires_at = claims->expires_at;
    grant->scopes = claims->scopes;
    grant->limits = claims->limits;
}

/* ---- tokens ---- */

/* The key of a token that has none: one that costs as much. */
static const struct qms_jwk *stand_in(const struct qms_jwk_set *set, enum qms_jws_alg alg)
{
    size_t i = 0;

    while (i < set->count && qms_sig_key_alg(set->keys[i].key) != alg) {
        i++;
    }
    return &set->keys[i < set->count ? i : 0];
}

/* NULL and *jwk when the signature is good; otherwise the label. */
static const char *verify(const struct qms_jwk_set *keys, struct qms_bytes token,
                          struct qms_jws *jws, const struct qms_jwk **jwk)
{
    const char *wrong = qms_jws_parse(jws, token);
    bool known_kid = false;

    *jwk = wrong == NULL
               ? qms_jwk_find(keys, jws->alg, jws->has_kid ? jws->kid : NULL, &known_kid)
               : NULL;
    if (wrong == NULL && *jwk == NULL) {
        wrong = known_kid ? "wrong_alg" : "unknown_key";
    }
    const struct qms_jwk *by = *jwk != NULL ? *jwk : stand_in(keys, jws->alg);
    struct qms_bytes text = jws->signed_text.len > 0 ? jws->signed_text : token;
    bool good = qms_sig_verify(by->key, text, jws->signature);
    return wrong != NULL ? wrong : good ? NULL : "bad_signature";
}

static const char *admit(struct peer *p, const struct conf *c,
                         const struct qms_credential *cred)
{
    struct qms_claims claims = {0};
    const struct qms_jwk *jwk;
    struct qms_jws jws;
    const char *wrong = verify(&c->keys, cred->bytes, &jws, &jwk);

    if (wrong == NULL) {
        wrong =
            qms_claims_read(&claims, &c->rules, jws.payload, cred->agent_id, qms_clock_wall());
    }
    if (wrong == NULL && !remember(p, jwk, jws.payload, &claims)) {
        wrong = "no_memory";
    }
    qms_claims_fini(&claims);
    qms_jws_fini(&jws);
    return wrong;
}

/* Clients that know one kind of token only show a JWT as that. */
static bool is_ours(const struct conf *c, const struct qms_credential *cred)
{
    return c->keys.count > 0 &&
           (cred->scheme == SCHEME_JWT ||
            (cred->scheme == SCHEME_TOKEN && qms_jws_looks_like(cred->bytes)));
}

static enum qms_verdict on_hello(void *peer_data, const void *conf, struct qms_peer *peer,
                                 const struct qms_credential *cred, qms_time now,
                                 struct qms_grant *grant, struct qms_refusal *why)
{
    struct peer *p = peer_data;
    const char *wrong;

    (void)peer, (void)now;
    if (!is_ours(conf, cred)) {
        return QMS_PASS;
    }
    if ((wrong = admit(p, conf, cred)) != NULL) {
        why->code = QMS_CODE_UNAUTHENTICATED;
        why->label = wrong;
        return QMS_REJECT;
    }
    fill(grant, &p->claims);
    return QMS_ACCEPT;
}

static enum qms_verdict on_reload(void *peer_data, const void *conf, struct qms_peer *peer,
                                  qms_time now, struct qms_grant *grant,
                                  struct qms_refusal *why)
{
    struct peer *p = peer_data;
    const struct conf *c = conf;
    struct qms_claims claims = {0};
    const char *wrong = "withdrawn";

    (void)now;
    if (!p->known) {
        return QMS_PASS;
    }
    if (qms_jwk_find_id(&c->keys, p->key_id) != NULL) {
        wrong =
            qms_claims_read(&claims, &c->rules, (struct qms_bytes){p->payload, p->payload_len},
                            qms_peer_id(peer), qms_clock_wall());
    }
    if (wrong == NULL) {
        qms_claims_fini(&p->claims);
        p->claims = claims;
        fill(grant, &p->claims);
        return QMS_PASS;
    }
    *why = strcmp(wrong, "expired") == 0
               ? (struct qms_refusal){QMS_CODE_EXPIRED, 0, "credentials have expired", wrong}
               : (struct qms_refusal){QMS_CODE_UNAUTHENTICATED, 0, "credentials were withdrawn",
                                      wrong};
    return QMS_REJECT;
}

static void peer_free(void *peer_data)
{
    forget(peer_data);
}

extern const struct qms_module qms_module_auth_jwt;
const struct qms_module qms_module_auth_jwt = {
    .abi = QMS_MODULE_ABI,
    .name = "auth_jwt",
    .directives = directives,
    .conf_size = sizeof(struct conf),
    .peer_size = sizeof(struct peer),
    .conf_merge = merge,
    .conf_load = load,
    .auth_needs = needs,
    .conf_free = unload,
    .authenticator = true,
    .on_hello = on_hello,
    .on_reload = on_reload,
    .peer_free = peer_free,
};
