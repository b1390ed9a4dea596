/* SPDX-License-Identifier: MIT */
#include "cert_id.h"

#include <gnutls/x509.h>
#include <string.h>

#include "base/near.h"

/* Names of a certificate that are looked at, and the longest of them. */
#define NAMES_MAX 64
#define NAME_ROOM 1024

static const char *const fields[] = {"uri", "dns", "email", "cn", NULL};

/* ---- rules ---- */

static qms_err bad(struct qms_diag *diag, const char *word, const char *field)
{
    char hint[QMS_NEAR_HINT_MAX];

    qms_diag_error(diag,
                   "\"%s\" is not valid for \"cert_agent_id\"; it takes uri, dns, email or cn, "
                   "each alone or like uri=spiffe://example.org/agent/* with one * for the "
                   "id.%s",
                   word, qms_near_hint(field, fields, hint, sizeof(hint)));
    return QMS_E_CONFIG;
}

static bool one_star(const char *pattern)
{
    const char *star = strchr(pattern, '*');

    return star != NULL && strchr(star + 1, '*') == NULL;
}

static qms_err parse(struct qms_cert_rule *out, const char *word, struct qms_diag *diag)
{
    const char *equals = strchr(word, '=');
    size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
    char field[16] = "";
    unsigned i = 0;

    if (len < sizeof(field)) {
        memcpy(field, word, len);
        field[len] = '\0';
    }
    while (fields[i] != NULL && strcmp(fields[i], field) != 0) {
        i++;
    }
    if (fields[i] == NULL) {
        return bad(diag, word, field);
    }
    if (equals != NULL && !one_star(equals + 1)) {
        return bad(diag, word, "");
    }
    *out = (struct qms_cert_rule){(enum qms_cert_field)i, equals != NULL ? equals + 1 : NULL};
    return QMS_OK;
}

qms_err qms_cert_rules_parse(struct qms_cert_rules *out, int argc, const char *const *argv,
                             struct qms_diag *diag)
{
    struct qms_cert_rules rules = {.count = (size_t)argc};
    qms_err err = QMS_OK;

    for (int i = 0; err == QMS_OK && i < argc; i++) {
        err = parse(&rules.rules[i], argv[i], diag);
    }
    if (err == QMS_OK) {
        *out = rules;
    }
    return err;
}

/* ---- names ---- */

/* The part that `*` stands for.  False: the name does not fit. */
static bool id_of(const char *pattern, struct qms_bytes name, struct qms_bytes *id)
{
    const char *star = pattern != NULL ? strchr(pattern, '*') : NULL;

    *id = name;
    if (star == NULL) {
        return name.len > 0;
    }
    size_t head = (size_t)(star - pattern), tail = strlen(star + 1);
    if (name.len <= head + tail || memcmp(name.data, pattern, head) != 0 ||
        memcmp(name.data + name.len - tail, star + 1, tail) != 0) {
        return false;
    }
    *id = (struct qms_bytes){name.data + head, name.len - head - tail};
    return true;
}

/* The n-th name of that kind or another: 1 it is, 0 it is another, -1 there is none. */
static int name_at(gnutls_x509_crt_t crt, enum qms_cert_field field, unsigned n,
                   uint8_t room[NAME_ROOM], struct qms_bytes *out)
{
    static const unsigned types[] = {GNUTLS_SAN_URI, GNUTLS_SAN_DNSNAME, GNUTLS_SAN_RFC822NAME};
    size_t len = NAME_ROOM;
    unsigned type = 0;
    int rv;

    if (field == QMS_CERT_CN) {
        rv = gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, n, 0, room, &len);
    } else {
        rv = gnutls_x509_crt_get_subject_alt_name2(crt, n, room, &len, &type, NULL);
    }
    if (rv == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
        return -1;
    }
    *out = (struct qms_bytes){room, len};
    return rv >= 0 && (field == QMS_CERT_CN || type == types[field]);
}

struct found {
    unsigned count; /* different names that fit */
    bool asked;     /* one of them is the one asked for */
    bool too_long;
};

static void take(struct found *f, struct qms_cert_facts *out, struct qms_bytes id,
                 struct qms_bytes asked)
{
    bool same = out->id_len == id.len && memcmp(out->id, id.data, id.len) == 0;

    if (id.len > sizeof(out->id)) {
        f->too_long = true;
    } else if (!f->asked && !same) {
        f->count++;
        f->asked = asked.len == id.len && memcmp(asked.data, id.data, id.len) == 0;
        memcpy(out->id, id.data, id.len);
        out->id_len = id.len;
    }
}

static struct found look(gnutls_x509_crt_t crt, const struct qms_cert_rule *rule,
                         struct qms_bytes asked, struct qms_cert_facts *out)
{
    struct found f = {.count = 0};
    uint8_t room[NAME_ROOM];
    struct qms_bytes name, id;
    int is = 0;

    for (unsigned n = 0; n < NAMES_MAX && is >= 0; n++) {
        is = name_at(crt, rule->field, n, room, &name);
        if (is > 0 && id_of(rule->pattern, name, &id)) {
            take(&f, out, id, asked);
        }
    }
    return f;
}

static const char *choose(gnutls_x509_crt_t crt, const struct qms_cert_rules *rules,
                          struct qms_bytes asked, struct qms_cert_facts *out)
{
    for (size_t i = 0; i < rules->count; i++) {
        struct found f = look(crt, &rules->rules[i], asked, out);
        if (f.asked || (f.count == 1 && asked.len == 0)) {
            return NULL;
        }
        if (f.count > 0 || f.too_long) {
            return asked.len > 0 ? "wrong_agent" : f.count > 1 ? "ambiguous_id" : "no_id";
        }
    }
    return "no_id";
}

const char *qms_cert_facts_read(struct qms_cert_facts *out, const struct qms_cert_rules *rules,
                                struct qms_bytes der, struct qms_bytes asked)
{
    gnutls_datum_t text = {(unsigned char *)(uintptr_t)der.data, (unsigned)der.len};
    struct qms_cert_facts facts = {.id_len = 0};
    gnutls_x509_crt_t crt = NULL;
    const char *fault = "bad_certificate";

    if (gnutls_x509_crt_init(&crt) != 0) {
        return fault;
    }
    if (gnutls_x509_crt_import(crt, &text, GNUTLS_X509_FMT_DER) == 0) {
        facts.expires_at = (int64_t)gnutls_x509_crt_get_expiration_time(crt);
        fault = choose(crt, rules, asked, &facts);
    }
    gnutls_x509_crt_deinit(crt);
    if (fault == NULL) {
        *out = facts;
    }
    return fault;
}
