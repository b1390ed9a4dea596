/* SPDX-License-Identifier: MIT */
#include "rule.h"

#include <string.h>

#include "base/near.h"

static const char *const key_names[] = {"$agent", "$address", "$target", "$route", NULL};
static const char *const whats[] = {"opens", "bytes", "datagrams", "handshakes", NULL};
static const char *const options[] = {"zone",       "opens", "bytes",   "datagrams",
                                      "handshakes", "burst", "dry_run", NULL};
static const char *const zone_options[] = {"key", "size", NULL};

static qms_err bad(struct qms_diag *diag, const char *directive, const char *word,
                   const char *takes, const char *const *words)
{
    static const char *const none[] = {NULL};
    char hint[QMS_NEAR_HINT_MAX], name[32];
    size_t len = strcspn(word, "=");

    /* What is misspelt is the part before the equals sign. */
    len = len < sizeof(name) ? len : sizeof(name) - 1;
    memcpy(name, word, len);
    name[len] = '\0';
    qms_diag_error(diag, "\"%s\" is not valid in \"%s\"; here it takes %s.%s", word, directive,
                   takes,
                   qms_near_hint(name, words != NULL ? words : none, hint, sizeof(hint)));
    return QMS_E_CONFIG;
}

static const char *value_of(const char *word, const char *name)
{
    size_t len = strlen(name);

    return strncmp(word, name, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

/* ---- zones ---- */

static bool keys_of(const char *text, unsigned *keys)
{
    *keys = 0;
    while (*text != '\0') {
        unsigned i = 0;
        while (key_names[i] != NULL && strncmp(text, key_names[i], strlen(key_names[i])) != 0) {
            i++;
        }
        if (key_names[i] == NULL || (*keys >> i & 1) != 0) {
            return false;
        }
        *keys |= 1u << i;
        text += strlen(key_names[i]);
    }
    return *keys != 0;
}

static qms_err bad_key(struct qms_diag *diag, const char *text)
{
    char hint[QMS_NEAR_HINT_MAX];

    qms_diag_error(
        diag,
        "\"key=%s\" is not valid in \"limits_zone\"; here it takes key= with $agent, "
        "$address, $target, $route or several of them joined.%s",
        text, qms_near_hint(text, key_names, hint, sizeof(hint)));
    return QMS_E_CONFIG;
}

static bool name_ok(const char *name)
{
    size_t len =
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return len > 0 && len <= 32 && name[len] == '\0';
}

static qms_err declare(struct qms_limit_zone *z, uint64_t size, struct qms_diag *diag)
{
    char name[48] = "limit/";

    memcpy(name + 6, z->name, strlen(z->name) + 1);
    z->memory = qms_zone_declare(diag, name, (size_t)size);
    return z->memory != NULL ? QMS_OK : QMS_E_CONFIG;
}

static const struct qms_limit_zone *find(const struct qms_limit_zones *zones, const char *name)
{
    for (size_t i = 0; zones != NULL && i < zones->count; i++) {
        if (strcmp(zones->zones[i].name, name) == 0) {
            return &zones->zones[i];
        }
    }
    return NULL;
}

qms_err qms_limit_zone_parse(struct qms_limit_zones *zones, int argc, const char *const *argv,
                             struct qms_diag *diag)
{
    static const char name[] = "limits_zone";
    struct qms_limit_zone z = {.name = argv[0]};
    uint64_t size = 10u << 20;
    const char *value;

    if (!name_ok(z.name)) {
        return bad(diag, name, z.name, "a name of letters, digits, _ and -", NULL);
    }
    if (find(zones, z.name) != NULL || zones->count == QMS_LIMIT_ZONES_MAX) {
        return bad(diag, name, z.name, "a name that is not taken, 32 of them at most", NULL);
    }
    for (int i = 1; i < argc; i++) {
        if ((value = value_of(argv[i], "key")) != NULL) {
            if (!keys_of(value, &z.keys)) {
                return bad_key(diag, value);
            }
        } else if ((value = value_of(argv[i], "size")) != NULL) {
            if (!qms_rate_amount(value, UINT64_C(1) << 30, &size) || size < 65536) {
                return bad(diag, name, argv[i], "size= of 64k to 1g", NULL);
            }
        } else {
            return bad(diag, name, argv[i], "key= and size=", zone_options);
        }
    }
    if (z.keys == 0) {
        qms_diag_error(diag, "\"limits_zone\" needs key=$agent, $address, $target or $route.");
        return QMS_E_CONFIG;
    }
    if (declare(&z, size, diag) != QMS_OK) {
        return QMS_E_CONFIG;
    }
    zones->zones[zones->count++] = z;
    return QMS_OK;
}

/* ---- rates ---- */

static qms_err take_rate(struct qms_limit_rule *rule, const char *word, int *last,
                         struct qms_diag *diag)
{
    const char *value;
    int i = 0;

    while (whats[i] != NULL && value_of(word, whats[i]) == NULL) {
        i++;
    }
    if (whats[i] == NULL || rule->rates[i].set) {
        return bad(diag, "rate", word,
                   "opens=, bytes=, datagrams= or handshakes= with a rate like 200/s, burst= "
                   "behind each, and dry_run, each once",
                   options);
    }
    value = value_of(word, whats[i]);
    *last = i;
    return qms_rate_parse(&rule->rates[i], "rate", 1, &value, diag);
}

static qms_err take_burst(struct qms_limit_rule *rule, const char *word, int *last,
                          struct qms_diag *diag)
{
    const char *value = value_of(word, "burst");

    if (*last < 0 || !qms_rate_amount(value, UINT32_MAX, &rule->rates[*last].burst)) {
        return bad(diag, "rate", word, "burst= with an amount like 400, behind a rate", NULL);
    }
    *last = -1;
    return QMS_OK;
}

qms_err qms_limit_rule_parse(struct qms_limit_rule *out, int argc, const char *const *argv,
                             struct qms_diag *diag)
{
    struct qms_limit_rule rule = {.zone_name = value_of(argv[0], "zone"),
                                  .place = qms_conf_place(diag)};
    qms_err err = QMS_OK;
    int last = -1;

    if (rule.zone_name == NULL) {
        return bad(diag, "rate", argv[0], "zone=NAME first", options);
    }
    for (int i = 1; err == QMS_OK && i < argc; i++) {
        if (strcmp(argv[i], "dry_run") == 0) {
            rule.dry_run = true;
        } else if (value_of(argv[i], "burst") != NULL) {
            err = take_burst(&rule, argv[i], &last, diag);
        } else {
            err = take_rate(&rule, argv[i], &last, diag);
        }
    }
    if (err == QMS_OK) {
        *out = rule;
    }
    return err;
}

qms_err qms_limit_rule_bind(struct qms_limit_rule *rule, const struct qms_limit_zones *zones,
                            struct qms_diag *diag)
{
    const char *names[QMS_LIMIT_ZONES_MAX + 1] = {NULL};
    char hint[QMS_NEAR_HINT_MAX];
    const unsigned known = QMS_LIMIT_BY_ADDRESS | QMS_LIMIT_BY_ROUTE;

    rule->zone = find(zones, rule->zone_name);
    if (rule->zone == NULL) {
        for (size_t i = 0; zones != NULL && i < zones->count; i++) {
            names[i] = zones->zones[i].name;
        }
        qms_diag_error(diag, "There is no \"limits_zone\" of the name \"%s\".%s",
                       rule->zone_name,
                       qms_near_hint(rule->zone_name, names, hint, sizeof(hint)));
        return QMS_E_CONFIG;
    }
    if (rule->rates[QMS_LIMIT_HANDSHAKES].per_second != 0 && (rule->zone->keys & ~known) != 0) {
        qms_diag_error(diag,
                       "\"handshakes\" in \"rate\" needs a zone with key=$address, $route or "
                       "both: nothing else is known before the handshake.");
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}
