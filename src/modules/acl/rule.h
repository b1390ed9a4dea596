/* SPDX-License-Identifier: MIT */
/* One access rule: what is done, to what, by whom, from where.
 *
 *     allow|deny open KIND TARGET from WHO [and WHO ...] [carrier quic|webtransport] [hide]
 *     allow|deny publish|subscribe TOPIC from WHO ...
 *     allow|deny join GROUP from WHO ...
 *     allow|deny watch PREFIX* from WHO ...
 */
#ifndef QMS_MODULES_ACL_RULE_H
#define QMS_MODULES_ACL_RULE_H

#include <quicms/module.h>

#include "base/network.h"

/* Words of the shortest and the longest rule. */
#define QMS_ACL_WORDS_MIN 5
#define QMS_ACL_WORDS_MAX 15
/* Conditions joined by `and`. */
#define QMS_ACL_WHO_MAX 4

enum qms_acl_who { QMS_ACL_AGENT, QMS_ACL_SCOPE, QMS_ACL_ADDRESS };

struct qms_acl_condition {
    enum qms_acl_who who;
    const char *name; /* pattern of agent ids, or a scope */
    struct qms_network network;
};

/* Publishing is opening a topic, subscribing is joining one. */
enum qms_acl_verb { QMS_ACL_OPEN, QMS_ACL_JOIN, QMS_ACL_WATCH };

struct qms_acl_rule {
    bool allow;
    bool hide; /* a refusal looks as if there were no such target */
    enum qms_acl_verb verb;
    unsigned kinds;      /* bit 1 << enum qms_kind; 0 for watch */
    const char *target;  /* pattern; `*` stands for any run of characters */
    const char *carrier; /* NULL: any */
    size_t who_count;
    struct qms_acl_condition who[QMS_ACL_WHO_MAX]; /* all of them hold */
};

/* What is asked for. */
struct qms_acl_request {
    enum qms_acl_verb verb;
    enum qms_kind kind;
    struct qms_bytes target; /* watch: the prefix */
    struct qms_bytes agent;
    const char *scopes;    /* space-separated */
    const char *carrier;   /* "quic" or "webtransport" */
    const void *address;   /* struct sockaddr of the path in use */
    const void *validated; /* that of the last path that is proved to be the agent's; NULL: none
                            */
};

/** Reads the words behind `acl`, QMS_ACL_WORDS_MIN to QMS_ACL_WORDS_MAX of them.  What `out`
 * points into are the words.  QMS_E_CONFIG, diag filled. */
QMS_MUST_CHECK qms_err qms_acl_rule_parse(struct qms_acl_rule *out, int argc,
                                          const char *const *argv, struct qms_diag *diag);
/** Whether the rule is about this request.  Addresses: only a validated one lets an `allow`
 * rule fit; where there is none, a `deny` rule fits by what the packets say.  Watches: an
 * `allow` rule fits when it covers every name that begins with the prefix, a `deny` rule when
 * it covers one that may. */
bool qms_acl_rule_match(const struct qms_acl_rule *rule, const struct qms_acl_request *r);

#endif
