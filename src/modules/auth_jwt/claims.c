/* SPDX-License-Identifier: MIT */
#include "claims.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "claim_limits.h"

/* Year 9999: milliseconds where seconds belong are found out. */
#define DATE_MAX 253402300799.0

struct dates {
    double exp, nbf, iat; /* NAN: absent */
};

/* NumericDate (RFC 7519 section 2); it may have a fraction. */
static bool date(const json_t *claims, const char *name, double *out)
{
    const json_t *value = json_object_get(claims, name);

    *out = NAN;
    if (value == NULL) {
        return true;
    }
    *out = json_number_value(value);
    return json_is_number(value) && *out >= 0 && *out <= DATE_MAX;
}

static const char *check_dates(struct qms_claims *out, const struct qms_claim_rules *rules,
                               const json_t *claims, int64_t now)
{
    int64_t leeway = (int64_t)(rules->leeway / QMS_SECOND);
    double early = (double)(now - leeway), late = (double)(now + leeway);
    struct dates d;

    if (!date(claims, "exp", &d.exp) || !date(claims, "nbf", &d.nbf) ||
        !date(claims, "iat", &d.iat)) {
        return "bad_claims";
    }
    if (isnan(d.exp) && rules->require_exp != 0) {
        return "no_expiry";
    }
    if (d.exp <= early) {
        return "expired";
    }
    if (d.nbf > late || d.iat > late) {
        return "not_yet_valid";
    }
    out->expires_at = isnan(d.exp) ? 0 : (int64_t)ceil(d.exp) + leeway;
    return NULL;
}

static bool named(const struct qms_claim_names *names, const char *value)
{
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->names[i], value) == 0) {
            return true;
        }
    }
    return false;
}

/* A text, or an array of texts (RFC 7519 section 4.1.3).  A token for others is not for us,
 * also where we have no name at all. */
static const char *check_audience(const struct qms_claim_names *ours, const json_t *aud)
{
    const json_t *one;
    bool found = false;
    size_t i;

    if (json_is_string(aud)) {
        return named(ours, json_string_value(aud)) ? NULL : "wrong_audience";
    }
    if (aud == NULL) {
        return ours->count == 0 ? NULL : "wrong_audience";
    }
    if (!json_is_array(aud)) {
        return "bad_claims";
    }
    json_array_foreach(aud, i, one)
    {
        if (!json_is_string(one)) {
            return "bad_claims";
        }
        found = found || named(ours, json_string_value(one));
    }
    return found ? NULL : "wrong_audience";
}

static const char *check_issuer(const struct qms_claim_names *trusted, const json_t *iss)
{
    if (iss != NULL && !json_is_string(iss)) {
        return "bad_claims";
    }
    if (trusted->count == 0) {
        return NULL;
    }
    return iss != NULL && named(trusted, json_string_value(iss)) ? NULL : "wrong_issuer";
}

static const char *read_agent(struct qms_claims *out, const json_t *claim,
                              struct qms_bytes agent_id)
{
    size_t len = json_string_length(claim);

    if (!json_is_string(claim) || len == 0 || len > sizeof(out->agent)) {
        return "bad_claims";
    }
    memcpy(out->agent, json_string_value(claim), len);
    out->agent_len = len;
    if (agent_id.len > 0 &&
        (agent_id.len != len || memcmp(agent_id.data, out->agent, len) != 0)) {
        return "wrong_agent";
    }
    return NULL;
}

/* ---- scopes ---- */

struct list {
    char text[QMS_CLAIM_SCOPES_MAX];
    size_t len;
};

/* RFC 6749 section 3.3: printable ASCII but `"` and `\`. */
static bool scope_char(char c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '\\';
}

/* Adds words with one space between them. */
static const char *add_words(struct list *l, const char *s)
{
    while (*s != '\0') {
        size_t len = 0;
        while (scope_char(s[len])) {
            len++;
        }
        if (len == 0 && *s != ' ') {
            return "bad_claims";
        }
        if (l->len + len + 2 > sizeof(l->text)) {
            return "scopes_too_long";
        }
        if (len > 0 && l->len > 0) {
            l->text[l->len++] = ' ';
        }
        memcpy(l->text + l->len, s, len);
        l->len += len;
        s += len + (s[len] == ' ');
    }
    return NULL;
}

static const char *add_scopes(struct list *l, const json_t *claim)
{
    const json_t *one;
    const char *wrong = NULL;
    size_t i;

    if (claim == NULL || json_is_string(claim)) {
        return claim != NULL ? add_words(l, json_string_value(claim)) : NULL;
    }
    if (!json_is_array(claim)) {
        return "bad_claims";
    }
    json_array_foreach(claim, i, one)
    {
        const char *word = json_string_value(one);
        /* A space would make two scopes of what the issuer meant as one. */
        if (word == NULL || strchr(word, ' ') != NULL) {
            return "bad_claims";
        }
        if ((wrong = add_words(l, word)) != NULL) {
            return wrong;
        }
    }
    return NULL;
}

static const char *read_scopes(struct qms_claims *out, const json_t *claim)
{
    struct list l = {.len = 0};
    const char *wrong = add_scopes(&l, claim);

    if (wrong == NULL && l.len > 0 && (out->scopes = qms_strndup(l.text, l.len)) == NULL) {
        wrong = "no_memory";
    }
    return wrong;
}

/* ---- all together ---- */

static const char *read_all(struct qms_claims *out, const struct qms_claim_rules *rules,
                            const json_t *claims, struct qms_bytes agent_id, int64_t now)
{
    const char *wrong = json_is_object(claims) ? NULL : "malformed";

    wrong = wrong == NULL ? check_dates(out, rules, claims, now) : wrong;
    wrong =
        wrong == NULL ? check_issuer(&rules->issuers, json_object_get(claims, "iss")) : wrong;
    wrong = wrong == NULL ? check_audience(&rules->audiences, json_object_get(claims, "aud"))
                          : wrong;
    wrong = wrong == NULL
                ? read_agent(out, json_object_get(claims, rules->agent_claim), agent_id)
                : wrong;
    wrong =
        wrong == NULL ? read_scopes(out, json_object_get(claims, rules->scope_claim)) : wrong;
    return wrong == NULL ? qms_claim_limits_read(&out->limits,
                                                 json_object_get(claims, rules->limits_claim))
                         : wrong;
}

const char *qms_claims_read(struct qms_claims *out, const struct qms_claim_rules *rules,
                            struct qms_bytes payload, struct qms_bytes agent_id, int64_t now)
{
    struct qms_claims claims = {0};
    json_t *json = json_loadb(payload.len > 0 ? (const char *)payload.data : "", payload.len,
                              JSON_REJECT_DUPLICATES, NULL);
    const char *wrong = read_all(&claims, rules, json, agent_id, now);

    json_decref(json);
    if (wrong != NULL) {
        qms_claims_fini(&claims);
        return wrong;
    }
    *out = claims;
    return NULL;
}

void qms_claims_fini(struct qms_claims *claims)
{
    qms_free(claims->scopes);
    *claims = (struct qms_claims){0};
}
