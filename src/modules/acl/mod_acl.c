/* SPDX-License-Identifier: MIT */
/* Who may open streams and send datagrams to what, join groups, subscribe to topics and watch
 * agents: the first rule that fits decides.
 *
 * A rule looks at names only and is asked before the target is looked up, so a refusal says
 * nothing about who is there. */
#include <string.h>

#include <quicms/module.h>

#include "base/mem.h"
#include "rule.h"

#define RULES_MAX 4096

struct conf {
    struct qms_acl_rule *rules;
    size_t count, cap;
};

static qms_err grow(struct conf *c, struct qms_diag *diag)
{
    size_t cap = c->cap > 0 ? 2 * c->cap : 8;
    struct qms_acl_rule *rules;

    if (c->count < c->cap) {
        return QMS_OK;
    }
    if (c->count >= RULES_MAX) {
        qms_diag_error(diag, "A block has at most %d \"acl\" rules.", RULES_MAX);
        return QMS_E_CONFIG;
    }
    if ((rules = qms_realloc(c->rules, cap * sizeof(*rules))) == NULL) {
        return QMS_E_NOMEM;
    }
    c->rules = rules;
    c->cap = cap;
    return QMS_OK;
}

/* In a route block a rule that is about nothing of it would look like protection and be none.
 */
static qms_err check_block(const struct qms_acl_rule *rule, struct qms_diag *diag)
{
    unsigned kinds = qms_diag_route_kinds(diag);

    if (kinds == 0) {
        return QMS_OK;
    }
    if (rule->verb == QMS_ACL_WATCH) {
        qms_diag_error(diag,
                       "An \"acl\" rule about \"watch\" belongs in main, quic or server: no "
                       "route block is asked about watches.");
        return QMS_E_CONFIG;
    }
    if ((rule->kinds & kinds) == 0) {
        qms_diag_error(diag, "This \"acl\" rule is about another kind of target than its route "
                             "block and would never be asked.");
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}

static qms_err set_rule(void *conf, const struct qms_directive *d, int argc,
                        const char *const *argv, struct qms_diag *diag)
{
    struct conf *c = conf;
    qms_err err = grow(c, diag);

    (void)d;
    if (err == QMS_OK) {
        err = qms_acl_rule_parse(&c->rules[c->count], argc, argv, diag);
        err = err == QMS_OK ? check_block(&c->rules[c->count], diag) : err;
        c->count += err == QMS_OK;
    }
    return err;
}

static const struct qms_directive directives[] = {
    {.name = "acl",
     .contexts = QMS_CTX_MAIN | QMS_CTX_QUIC | QMS_CTX_SERVER | QMS_CTX_ROUTE,
     .type = QMS_D_CUSTOM,
     .args_min = QMS_ACL_WORDS_MIN,
     .args_max = QMS_ACL_WORDS_MAX,
     .multiple = true,
     .set = set_rule,
     .syntax = "allow | deny WHAT NAME from WHO [and WHO] ... [carrier quic | webtransport] "
               "[hide], where WHAT is open agent | group | topic | service | any, publish, "
               "subscribe, join or watch and WHO is AGENT, scope:NAME or ADDRESS[/PREFIX]",
     .help =
         "Whether who fits may open streams and send datagrams to targets that fit, publish "
         "and subscribe to topics, join groups, watch agents; the first rule that fits "
         "decides, and without one all but topics and watches are allowed."},
    {.name = NULL},
};

static void unload(void *conf)
{
    struct conf *c = conf;

    qms_free(c->rules);
    *c = (struct conf){0};
}

/* NULL: none fits.  `scopes` NULL: the peer's. */
static const struct qms_acl_rule *find(const struct conf *c, const struct qms_peer *peer,
                                       const char *scopes, enum qms_acl_verb verb,
                                       enum qms_kind kind, struct qms_bytes target)
{
    const struct qms_acl_request r = {
        .verb = verb,
        .kind = kind,
        .target = target,
        .agent = qms_peer_id(peer),
        .scopes = scopes != NULL ? scopes : qms_peer_scopes(peer),
        .carrier = qms_peer_carrier(peer),
        .address = qms_peer_address(peer),
        .validated = qms_peer_validated_address(peer),
    };

    for (size_t i = 0; i < c->count; i++) {
        if (qms_acl_rule_match(&c->rules[i], &r)) {
            return &c->rules[i];
        }
    }
    return NULL;
}

static bool allowed(const struct qms_acl_rule *rule, enum qms_kind kind)
{
    return rule != NULL ? rule->allow : kind != QMS_KIND_TOPIC;
}

static enum qms_verdict forbid(struct qms_refusal *why)
{
    *why = (struct qms_refusal){QMS_CODE_FORBIDDEN, 0, "not allowed", "acl"};
    return QMS_REJECT;
}

/* As the core answers where there is no such target. */
static struct qms_refusal absent(enum qms_kind kind)
{
    if (kind == QMS_KIND_SERVICE) {
        return (struct qms_refusal){QMS_CODE_NOT_FOUND, 0, "no such service", "acl"};
    }
    return (struct qms_refusal){QMS_CODE_OFFLINE, 0, "", "acl"};
}

static enum qms_verdict on_open(void *stream_data, void *peer_data, const void *conf,
                                const struct qms_route *route, qms_time now,
                                struct qms_refusal *why)
{
    enum qms_kind kind = qms_route_kind(route);
    const struct qms_acl_rule *rule =
        find(conf, qms_route_opener(route), qms_route_scopes(route), QMS_ACL_OPEN, kind,
             qms_route_target(route));

    (void)stream_data, (void)peer_data, (void)now;
    if (allowed(rule, kind)) {
        return QMS_PASS;
    }
    if (rule == NULL || !rule->hide) {
        return forbid(why);
    }
    *why = absent(kind);
    return QMS_REJECT;
}

static enum qms_verdict on_datagram(void *peer_data, const void *conf, struct qms_peer *peer,
                                    enum qms_kind kind, struct qms_bytes target,
                                    struct qms_bytes payload, qms_time now,
                                    struct qms_refusal *why)
{
    (void)peer_data, (void)payload, (void)now;
    return allowed(find(conf, peer, NULL, QMS_ACL_OPEN, kind, target), kind) ? QMS_PASS
                                                                             : forbid(why);
}

static enum qms_verdict on_join(void *peer_data, const void *conf, struct qms_peer *peer,
                                enum qms_kind kind, struct qms_bytes name, qms_time now,
                                struct qms_refusal *why)
{
    (void)peer_data, (void)now;
    return allowed(find(conf, peer, NULL, QMS_ACL_JOIN, kind, name), kind) ? QMS_PASS
                                                                           : forbid(why);
}

static enum qms_verdict on_watch(void *peer_data, const void *conf, struct qms_peer *peer,
                                 struct qms_bytes prefix, qms_time now, struct qms_refusal *why)
{
    const struct qms_acl_rule *rule =
        find(conf, peer, NULL, QMS_ACL_WATCH, QMS_KIND_SELF, prefix);

    (void)peer_data, (void)now;
    return rule != NULL && rule->allow ? QMS_PASS : forbid(why);
}

extern const struct qms_module qms_module_acl;
const struct qms_module qms_module_acl = {
    .abi = QMS_MODULE_ABI,
    .name = "acl",
    .directives = directives,
    .conf_size = sizeof(struct conf),
    .conf_free = unload,
    .on_open = on_open,
    .on_datagram = on_datagram,
    .on_join = on_join,
    .on_watch = on_watch,
};
