/* SPDX-License-Identifier: MIT */
#include "rule.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "modules/auth_token/token_file.h"

#define ANY_KIND                                                                               \
    (1u << QMS_KIND_SELF | 1u << QMS_KIND_AGENT | 1u << QMS_KIND_GROUP |                       \
     1u << QMS_KIND_TOPIC | 1u << QMS_KIND_SERVICE)

static const struct {
    const char *name;
    unsigned kinds;
} kinds[] = {
    {"agent", 1u << QMS_KIND_AGENT},
    {"group", 1u << QMS_KIND_GROUP},
    {"topic", 1u << QMS_KIND_TOPIC},
    {"service", 1u << QMS_KIND_SERVICE},
    {"any", ANY_KIND},
};

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static qms_err bad(struct qms_diag *diag, const char *word, const char *takes)
{
    qms_diag_error(diag, "\"%s\" is not valid in \"acl\"; here it takes %s.", word, takes);
    return QMS_E_CONFIG;
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

/* ---- addresses ---- */

/* The number behind the slash; `max` without a slash. */
static bool prefix_of(const char *slash, unsigned max, unsigned *out)
{
    char *end;

    *out = max;
    if (slash == NULL) {
        return true;
    }
    if (slash[1] < '0' || slash[1] > '9' || strlen(slash + 1) > 3) {
        return false;
    }
    *out = (unsigned)strtoul(slash + 1, &end, 10);
    return *end == '\0' && *out <= max;
}

static bool bits_behind_are_zero(const uint8_t address[16], unsigned prefix)
{
    for (unsigned bit = prefix; bit < 128; bit++) {
        if ((address[bit / 8] >> (7 - bit % 8) & 1) != 0) {
            return false;
        }
    }
    return true;
}

/* 1: an address is in *rule; 0: this is none; -1: it is one and wrong. */
static int parse_address(struct qms_acl_rule *rule, const char *text)
{
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    char host[INET6_ADDRSTRLEN];
    bool good;

    if (len >= sizeof(host)) {
        return 0;
    }
    memcpy(host, text, len);
    host[len] = '\0';
    if (inet_pton(AF_INET, host, rule->address + 12) == 1) {
        memcpy(rule->address, mapped, sizeof(mapped));
        good = prefix_of(slash, 32, &rule->prefix);
        rule->prefix += 96;
    } else if (inet_pton(AF_INET6, host, rule->address) == 1) {
        good = prefix_of(slash, 128, &rule->prefix);
    } else {
        return 0;
    }
    return good && bits_behind_are_zero(rule->address, rule->prefix) ? 1 : -1;
}

static bool address_match(const struct qms_acl_rule *rule, const void *remote)
{
    const struct sockaddr *sa = remote;
    uint8_t a[16];

    if (sa->sa_family == AF_INET) {
        memcpy(a, mapped, sizeof(mapped));
        memcpy(a + 12, &((const struct sockaddr_in *)remote)->sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(a, &((const struct sockaddr_in6 *)remote)->sin6_addr, 16);
    } else {
        return false;
    }
    unsigned whole = rule->prefix / 8, rest = rule->prefix % 8;
    return memcmp(a, rule->address, whole) == 0 &&
           (rest == 0 || (a[whole] ^ rule->address[whole]) >> (8 - rest) == 0);
}

/* ---- parsing ---- */

static qms_err parse_kind(struct qms_acl_rule *rule, const char *word, struct qms_diag *diag)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (is(word, kinds[i].name)) {
            rule->kinds = kinds[i].kinds;
            return QMS_OK;
        }
    }
    return bad(diag, word, "agent, group, topic, service or any");
}

static qms_err parse_who(struct qms_acl_rule *rule, const char *word, struct qms_diag *diag)
{
    int address = parse_address(rule, word);

    if (address < 0) {
        return bad(diag, word,
                   "an address, or a network whose bits behind the prefix are zero");
    }
    rule->who = address > 0 ? QMS_ACL_ADDRESS : QMS_ACL_AGENT;
    rule->name = word;
    if (strncmp(word, "scope:", 6) == 0) {
        rule->who = QMS_ACL_SCOPE;
        rule->name = word + 6;
    } else if (strncmp(word, "agent:", 6) == 0) {
        rule->name = word + 6;
    }
    bool good = rule->who == QMS_ACL_SCOPE   ? scope_ok(rule->name)
                : rule->who == QMS_ACL_AGENT ? pattern_ok(rule->name)
                                             : true;
    return good ? QMS_OK
                : bad(diag, word,
                      "a pattern of agent ids, scope:NAME, or an address with an "
                      "optional /prefix");
}

static qms_err parse_options(struct qms_acl_rule *rule, int argc, const char *const *argv,
                             struct qms_diag *diag)
{
    for (int i = 0; i < argc; i++) {
        if (is(argv[i], "hide") && !rule->hide && !rule->allow) {
            rule->hide = true;
        } else if (is(argv[i], "carrier") && rule->carrier == NULL && i + 1 < argc) {
            rule->carrier = argv[++i];
            if (!is(rule->carrier, "quic") && !is(rule->carrier, "webtransport")) {
                return bad(diag, rule->carrier, "quic or webtransport");
            }
        } else {
            return bad(diag, argv[i],
                       "\"carrier quic\" or \"carrier webtransport\", and in a deny rule "
                       "\"hide\", each once");
        }
    }
    return QMS_OK;
}

qms_err qms_acl_rule_parse(struct qms_acl_rule *out, int argc, const char *const *argv,
                           struct qms_diag *diag)
{
    struct qms_acl_rule rule = {.allow = is(argv[0], "allow"), .target = argv[3]};
    qms_err err;

    if (!rule.allow && !is(argv[0], "deny")) {
        return bad(diag, argv[0], "allow or deny");
    }
    if (!is(argv[1], "open")) {
        return bad(diag, argv[1], "open");
    }
    if ((err = parse_kind(&rule, argv[2], diag)) != QMS_OK) {
        return err;
    }
    if (!pattern_ok(rule.target)) {
        return bad(
            diag, rule.target,
            "a pattern of target names, of 1 to 128 of A-Z a-z 0-9 . _ ~ : @ / + - and *");
    }
    if (!is(argv[4], "from")) {
        return bad(diag, argv[4], "from");
    }
    if ((err = parse_who(&rule, argv[5], diag)) != QMS_OK ||
        (err = parse_options(&rule, argc - 6, argv + 6, diag)) != QMS_OK) {
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

static bool who_match(const struct qms_acl_rule *rule, const struct qms_acl_request *r)
{
    switch (rule->who) {
    case QMS_ACL_AGENT:
        return qms_token_pattern_match(rule->name, r->agent);
    case QMS_ACL_SCOPE:
        return has_scope(r->scopes, rule->name);
    case QMS_ACL_ADDRESS:
        return address_match(rule, r->address);
    }
    return false;
}

bool qms_acl_rule_match(const struct qms_acl_rule *rule, const struct qms_acl_request *r)
{
    return (rule->kinds >> r->kind & 1) != 0 &&
           (rule->carrier == NULL || is(rule->carrier, r->carrier)) &&
           qms_token_pattern_match(rule->target, r->target) && who_match(rule, r);
}
