/* SPDX-License-Identifier: MIT */
#include "rule.h"

#include <string.h>

#include "base/glob.h"
#include "base/near.h"
#include "prefix.h"

#define BIT(kind) (1u << QMS_KIND_##kind)
#define ANY_KIND  (BIT(SELF) | BIT(AGENT) | BIT(GROUP) | BIT(TOPIC) | BIT(SERVICE))

struct row {
    const char *name;
    enum qms_acl_verb verb;
    unsigned kinds; /* 0: none, or told by the next word */
};

static const char *const decisions[] = {"allow", "deny", NULL};
static const char *const verb_names[] = {"open", "publish", "subscribe", "join", "watch", NULL};
static const struct row verbs[] = {
    {"open", QMS_ACL_OPEN, 0},
    {"publish", QMS_ACL_OPEN, BIT(TOPIC)},
    {"subscribe", QMS_ACL_JOIN, BIT(TOPIC)},
    {"join", QMS_ACL_JOIN, BIT(GROUP)},
    {"watch", QMS_ACL_WATCH, 0},
};
static const char *const kind_names[] = {"agent", "group", "topic", "service", "any", NULL};
static const unsigned kinds[] = {BIT(AGENT), BIT(GROUP), BIT(TOPIC), BIT(SERVICE), ANY_KIND};
static const char *const carriers[] = {"quic", "webtransport", NULL};
static const char *const froms[] = {"from", NULL};
static const char *const options[] = {"and", "carrier", "hide", NULL};

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static qms_err bad(struct qms_diag *diag, const char *word, const char *takes,
                   const char *const *words)
{
    static const char *const none[] = {NULL};
    char hint[QMS_NEAR_HINT_MAX];

    qms_diag_error(diag, "\"%s\" is not valid in \"acl\"; here it takes %s.%s", word, takes,
                   qms_near_hint(word, words != NULL ? words : none, hint, sizeof(hint)));
    return QMS_E_CONFIG;
}

static int index_of(const char *const *words, const char *word)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (is(words[i], word)) {
            return i;
        }
    }
    return -1;
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("._~:@/+-*", c) != NULL);
}

static bool pattern_ok(const char *s)
{
    size_t len = 0;

    while (name_char(s[len])) {
        len++;
    }
    return s[len] == '\0' && len > 0 && len <= QMS_NAME_MAX;
}

static bool scope_ok(const char *s)
{
    const char *first = s;

    while (*s > ' ' && *s < 0x7f) {
        s++;
    }
    return *s == '\0' && s > first;
}

/* ---- parsing ---- */

/* The words left. */
struct words {
    int argc;
    const char *const *argv;
};

/* NULL: there is none. */
static const char *next(struct words *w)
{
    if (w->argc == 0) {
        return NULL;
    }
    w->argc--;
    return *w->argv++;
}

static qms_err cut_short(struct qms_diag *diag, const char *wanted)
{
    qms_diag_error(diag, "\"acl\" ends where it takes %s.", wanted);
    return QMS_E_CONFIG;
}

static qms_err parse_what(struct qms_acl_rule *rule, struct words *w, struct qms_diag *diag)
{
    const char *word = next(w);
    int at = index_of(verb_names, word);

    if (at < 0) {
        return bad(diag, word, "open, publish, subscribe, join or watch", verb_names);
    }
    rule->verb = verbs[at].verb;
    rule->kinds = verbs[at].kinds;
    if (rule->verb == QMS_ACL_OPEN && rule->kinds == 0) {
        word = next(w);
        if ((at = index_of(kind_names, word)) < 0) {
            return bad(diag, word, "agent, group, topic, service or any", kind_names);
        }
        rule->kinds = kinds[at];
    }
    return QMS_OK;
}

static qms_err parse_target(struct qms_acl_rule *rule, struct words *w, struct qms_diag *diag)
{
    rule->target = next(w);
    if (rule->target == NULL || !pattern_ok(rule->target)) {
        return bad(diag, rule->target != NULL ? rule->target : "",
                   "a pattern of names, of 1 to 128 of A-Z a-z 0-9 . _ ~ : @ / + - and *",
                   NULL);
    }
    if (rule->verb == QMS_ACL_WATCH && rule->target[strlen(rule->target) - 1] != '*') {
        return bad(diag, rule->target,
                   "a pattern that ends in *, since watches are of prefixes", NULL);
    }
    return QMS_OK;
}

static qms_err parse_who(struct qms_acl_rule *rule, struct words *w, struct qms_diag *diag)
{
    static const char takes[] =
        "a pattern of agent ids, scope:NAME, or an address with an optional /prefix";
    const char *word = next(w);

    if (word == NULL) {
        return cut_short(diag, takes);
    }
    if (rule->who_count == QMS_ACL_WHO_MAX) {
        return bad(diag, word, "no more than 4 conditions", NULL);
    }
    struct qms_acl_condition *c = &rule->who[rule->who_count++];
    int address = qms_network_parse(&c->network, word);

    if (address < 0) {
        return bad(diag, word, "an address, or a network whose bits behind the prefix are zero",
                   NULL);
    }
    c->who = address > 0 ? QMS_ACL_ADDRESS : QMS_ACL_AGENT;
    c->name = word;
    if (strncmp(word, "scope:", 6) == 0) {
        c->who = QMS_ACL_SCOPE;
        c->name = word + 6;
    } else if (strncmp(word, "agent:", 6) == 0) {
        c->name = word + 6;
    }
    bool good = c->who == QMS_ACL_SCOPE   ? scope_ok(c->name)
                : c->who == QMS_ACL_AGENT ? pattern_ok(c->name)
                                          : true;
    return good ? QMS_OK : bad(diag, word, takes, NULL);
}

static qms_err parse_carrier(struct qms_acl_rule *rule, struct words *w, struct qms_diag *diag)
{
    rule->carrier = next(w);
    if (rule->carrier == NULL) {
        return cut_short(diag, "quic or webtransport");
    }
    return index_of(carriers, rule->carrier) >= 0
               ? QMS_OK
               : bad(diag, rule->carrier, "quic or webtransport", carriers);
}

static qms_err parse_options(struct qms_acl_rule *rule, struct words *w, struct qms_diag *diag)
{
    const char *word;
    qms_err err = QMS_OK;

    while (err == QMS_OK && (word = next(w)) != NULL) {
        bool hides = rule->verb == QMS_ACL_OPEN && !rule->allow && !rule->hide;
        if (is(word, "and") && rule->carrier == NULL && !rule->hide) {
            err = parse_who(rule, w, diag);
        } else if (is(word, "hide") && hides) {
            rule->hide = true;
        } else if (is(word, "carrier") && rule->carrier == NULL) {
            err = parse_carrier(rule, w, diag);
        } else {
            err = bad(diag, word,
                      "\"and\" with a further condition, then \"carrier quic\" or \"carrier "
                      "webtransport\", and where opening is denied \"hide\", each once",
                      options);
        }
    }
    return err;
}

qms_err qms_acl_rule_parse(struct qms_acl_rule *out, int argc, const char *const *argv,
                           struct qms_diag *diag)
{
    struct words w = {argc - 1, argv + 1};
    struct qms_acl_rule rule = {.allow = is(argv[0], "allow")};
    const char *word;
    qms_err err;

    if (index_of(decisions, argv[0]) < 0) {
        return bad(diag, argv[0], "allow or deny", decisions);
    }
    if ((err = parse_what(&rule, &w, diag)) != QMS_OK ||
        (err = parse_target(&rule, &w, diag)) != QMS_OK) {
        return err;
    }
    if ((word = next(&w)) == NULL || !is(word, "from")) {
        return word != NULL ? bad(diag, word, "from", froms) : cut_short(diag, "from");
    }
    if ((err = parse_who(&rule, &w, diag)) != QMS_OK ||
        (err = parse_options(&rule, &w, diag)) != QMS_OK) {
        return err;
    }
    *out = rule;
    return QMS_OK;
}

/* ---- matching ---- */

static bool has_scope(const char *scopes, const char *name)
{
    size_t len = strlen(name);

    while (*scopes != '\0') {
        size_t word = strcspn(scopes, " ");
        if (word == len && memcmp(scopes, name, len) == 0) {
            return true;
        }
        scopes += word + (scopes[word] == ' ');
    }
    return false;
}

/* Whoever sends packets from an address that is not its own must win nothing by it. */
static bool address_match(const struct qms_acl_rule *rule, const struct qms_acl_condition *c,
                          const struct qms_acl_request *r)
{
    bool proven = r->validated != NULL;

    return qms_network_has(&c->network, proven || rule->allow ? r->validated : r->address);
}

static bool who_match(const struct qms_acl_rule *rule, const struct qms_acl_condition *c,
                      const struct qms_acl_request *r)
{
    switch (c->who) {
    case QMS_ACL_AGENT:
        return qms_glob_match(c->name, r->agent);
    case QMS_ACL_SCOPE:
        return has_scope(r->scopes, c->name);
    case QMS_ACL_ADDRESS:
        return address_match(rule, c, r);
    }
    return false;
}

static bool what_match(const struct qms_acl_rule *rule, const struct qms_acl_request *r)
{
    if (rule->verb != r->verb) {
        return false;
    }
    if (rule->verb == QMS_ACL_WATCH && !rule->allow) {
        return qms_acl_prefix_meets(rule->target, r->target);
    }
    /* A pattern of watches ends in `*`: what fits the prefix fits all that begins with it. */
    return (rule->verb == QMS_ACL_WATCH || (rule->kinds >> r->kind & 1) != 0) &&
           qms_glob_match(rule->target, r->target);
}

bool qms_acl_rule_match(const struct qms_acl_rule *rule, const struct qms_acl_request *r)
{
    bool fits = what_match(rule, r) && (rule->carrier == NULL || is(rule->carrier, r->carrier));

    for (size_t i = 0; fits && i < rule->who_count; i++) {
        fits = who_match(rule, &rule->who[i], r);
    }
    return fits;
}
