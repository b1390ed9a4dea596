/* SPDX-License-Identifier: MIT */
/* Authenticates agents by the certificate of their TLS handshake.
 *
 * The core answers whether it is good at the moment of asking, by `client_ca` and `crl` of the
 * tls block; here its names become an agent id.  It is asked again on every reload, so that a
 * new revocation list ends living connections, and at its end the connection ends too. */
#include <string.h>

#include <quicms/module.h>

#include "cert_id.h"

enum { SCHEME_CERTIFICATE = 3 };

struct conf {
    struct qms_cert_rules rules; /* count 0: not written */
    const char *scopes;
};

struct peer {
    struct qms_cert_facts facts;
};

static const struct qms_cert_rules default_rules = {
    .count = 4,
    .rules = {{QMS_CERT_URI, NULL},
              {QMS_CERT_DNS, NULL},
              {QMS_CERT_EMAIL, NULL},
              {QMS_CERT_CN, NULL}},
};

static qms_err set_rules(void *conf, const struct qms_directive *d, int argc,
                         const char *const *argv, struct qms_diag *diag)
{
    struct conf *c = conf;

    (void)d;
    return qms_cert_rules_parse(&c->rules, argc, argv, diag);
}

static const struct qms_directive directives[] = {
    {.name = "cert_agent_id",
     .contexts = QMS_CTX_MAIN | QMS_CTX_QUIC | QMS_CTX_SERVER,
     .type = QMS_D_CUSTOM,
     .args_min = 1,
     .args_max = QMS_CERT_RULES_MAX,
     .set = set_rules,
     .syntax = "uri | dns | email | cn [=PATTERN] ...",
     .help =
         "Which name of a client's certificate is its agent id, in this order; of a pattern "
         "with one * the part that it stands for; without it uri dns email cn."},
    {.name = "cert_scopes",
     .contexts = QMS_CTX_MAIN | QMS_CTX_QUIC | QMS_CTX_SERVER,
     .type = QMS_D_STRING,
     .offset = QMS_STR_FIELD(struct conf, scopes),
     .help = "Scopes, separated by spaces, of agents that came by certificate."},
    {.name = NULL},
};

static qms_err merge(void *conf, const void *parent, struct qms_diag *diag)
{
    struct conf *c = conf;
    const struct conf *p = parent;

    (void)diag;
    c->rules = c->rules.count > 0 ? c->rules : p->rules;
    return QMS_OK;
}

static const char *read_peer(struct qms_cert_facts *out, const struct conf *c,
                             const struct qms_peer *peer, struct qms_bytes asked)
{
    const char *fault = qms_peer_certificate_fault(peer);
    struct qms_bytes leaf;

    if (fault != NULL) {
        return fault;
    }
    if (qms_peer_certificates(peer, &leaf, 1) == 0) {
        return "no_certificate";
    }
    return qms_cert_facts_read(out, c->rules.count > 0 ? &c->rules : &default_rules, leaf,
                               asked);
}

static void fill(struct qms_grant *grant, const struct conf *c, const struct peer *p)
{
    grant->agent_id = (struct qms_bytes){(const uint8_t *)p->facts.id, p->facts.id_len};
    grant->expires_at = p->facts.expires_at;
    grant->scopes = c->scopes;
}

/* The certificate of the connection counts beside any credential.  Only an agent that shows
 * nothing else is refused for it. */
static enum qms_verdict on_hello(void *peer_data, const void *conf, struct qms_peer *peer,
                                 const struct qms_credential *cred, qms_time now,
                                 struct qms_grant *grant, struct qms_refusal *why)
{
    struct peer *p = peer_data;
    struct qms_cert_facts facts;
    const char *fault = read_peer(&facts, conf, peer, cred->agent_id);

    (void)now;
    if (fault == NULL) {
        p->facts = facts;
        fill(grant, conf, p);
        return QMS_ACCEPT;
    }
    why->code = QMS_CODE_UNAUTHENTICATED;
    why->label = fault;
    return cred->scheme == SCHEME_CERTIFICATE ? QMS_REJECT : QMS_PASS;
}

static enum qms_verdict on_reload(void *peer_data, const void *conf, struct qms_peer *peer,
                                  qms_time now, struct qms_grant *grant,
                                  struct qms_refusal *why)
{
    struct peer *p = peer_data;
    struct qms_cert_facts facts;
    const char *fault;

    (void)now;
    if (p->facts.id_len == 0) {
        return QMS_PASS;
    }
    fault = read_peer(&facts, conf, peer, qms_peer_id(peer));
    if (fault == NULL) {
        p->facts = facts;
        fill(grant, conf, p);
        return QMS_PASS;
    }
    *why = strcmp(fault, "expired_certificate") == 0
               ? (struct qms_refusal){QMS_CODE_EXPIRED, 0, "credentials have expired", fault}
               : (struct qms_refusal){QMS_CODE_UNAUTHENTICATED, 0, "credentials were withdrawn",
                                      fault};
    return QMS_REJECT;
}

static const char *needs(const void *conf, bool certificates)
{
    (void)conf;
    return certificates ? NULL : "client_ca";
}

extern const struct qms_module qms_module_auth_cert;
const struct qms_module qms_module_auth_cert = {
    .abi = QMS_MODULE_ABI,
    .name = "auth_cert",
    .directives = directives,
    .conf_size = sizeof(struct conf),
    .peer_size = sizeof(struct peer),
    .conf_merge = merge,
    .auth_needs = needs,
    .authenticator = true,
    .on_hello = on_hello,
    .on_reload = on_reload,
};
