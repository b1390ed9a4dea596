/* SPDX-License-Identifier: MIT */
/* Which agent a certificate is of: rules about its names, in order.
 *
 *     uri=PREFIX*  dns=*.agents.example.org  email  cn
 */
#ifndef QMS_MODULES_AUTH_CERT_CERT_ID_H
#define QMS_MODULES_AUTH_CERT_CERT_ID_H

#include <quicms/module.h>

#define QMS_CERT_RULES_MAX 8

enum qms_cert_field { QMS_CERT_URI, QMS_CERT_DNS, QMS_CERT_EMAIL, QMS_CERT_CN };

struct qms_cert_rule {
    enum qms_cert_field field;
    const char *pattern; /* with one `*`, which stands for the id; NULL: the whole name is it */
};
struct qms_cert_rules {
    size_t count;
    struct qms_cert_rule rules[QMS_CERT_RULES_MAX];
};

/* What a certificate says. */
struct qms_cert_facts {
    size_t id_len;
    char id[QMS_NAME_MAX];
    int64_t expires_at; /* wall seconds */
};

/** Reads 1 to QMS_CERT_RULES_MAX words; `out` points into them.  QMS_E_CONFIG, diag filled. */
QMS_MUST_CHECK qms_err qms_cert_rules_parse(struct qms_cert_rules *out, int argc,
                                            const char *const *argv, struct qms_diag *diag);
/** The first rule that finds names in the certificate (DER) decides: the name that is `asked`,
 * else the only one.  NULL, or a static label: bad_certificate, no_id (no rule finds one, or
 * one that is no agent id), ambiguous_id (several, and none was asked for), wrong_agent (not
 * the one asked for). */
QMS_MUST_CHECK const char *qms_cert_facts_read(struct qms_cert_facts *out,
                                               const struct qms_cert_rules *rules,
                                               struct qms_bytes der, struct qms_bytes asked);

#endif
