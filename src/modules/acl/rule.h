/* SPDX-License-Identifier: MIT */
/* One access rule: what is opened, by whom, from where.
 *
 *     allow|deny open KIND TARGET from WHO [carrier quic|webtransport] [hide]
 */
#ifndef QMS_MODULES_ACL_RULE_H
#define QMS_MODULES_ACL_RULE_H

#include <quicms/module.h>

/* Words of the shortest and the longest rule. */
#define QMS_ACL_WORDS_MIN 6
#define QMS_ACL_WORDS_MAX 9

enum qms_acl_who { QMS_ACL_AGENT, QMS_ACL_SCOPE, QMS_ACL_ADDRESS };

struct qms_acl_rule {
    bool allow;
    bool hide;           /* a refusal looks as if there were no such target */
    unsigned kinds;      /* bit 1 << enum qms_kind */
    const char *target;  /* pattern; `*` stands for any run of characters */
    const char *carrier; /* NULL: any */
    enum qms_acl_who who;
    const char *name;    /* pattern of agent ids, or a scope */
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned prefix;     /* bits of it that count */
};

/* What a rule is asked about. */
struct qms_acl_request {
    enum qms_kind kind;
    struct qms_bytes target, agent;
    const char *scopes; /* space-separated */
    const char *carrier;
    const void *address; /* struct sockaddr */
};

/** `argv` lives as long as the rule.  QMS_E_CONFIG with the diagnostic filled. */
QMS_MUST_CHECK qms_err qms_acl_rule_parse(struct qms_acl_rule *out, int argc,
                                          const char *const *argv, struct qms_diag *diag);
bool qms_acl_rule_match(const struct qms_acl_rule *rule, const struct qms_acl_request *request);

#endif
