/* SPDX-License-Identifier: MIT */
/* Self-signed identities: kept in state_dir, minted when missing, renewed with an overlap in
 * which the next one is known already, so that a page can pin both. */
#ifndef QMS_CORE_PROCESS_CERT_H
#define QMS_CORE_PROCESS_CERT_H

#include "core/conf/conf.h"

/** "Never", in wall seconds. */
#define QMS_CERT_NEVER INT64_MAX

/** Gives every self-signed identity its certificate, and the next one when it is time to
 * publish that.  `now`: wall seconds.  The files are NAME.pem and NAME-next.pem below
 * conf->state_dir. QMS_E_CONFIG, QMS_E_NOMEM: diag says why. */
QMS_MUST_CHECK qms_err qms_cert_provision(struct qms_conf *conf, const struct qms_conf_env *env,
                                          int64_t now, struct qms_diag *diag);
/** The next wall second at which qms_cert_provision would change something; QMS_CERT_NEVER when
 * no identity is self-signed. */
int64_t qms_cert_next_at(const struct qms_conf *conf);
/** Whether one of them begins so far in the future that the clock has been set back since it
 * was minted: qms_cert_provision replaces it. */
bool qms_cert_ahead(const struct qms_conf *conf, int64_t now);
/** The 32 secret bytes behind Retry and stateless-reset keys: kept in state_dir ("keys"), else,
 * when that cannot be, random for this run (logged: clients of a former run cannot be told that
 * their connection is gone). */
void qms_cert_secret(const struct qms_conf *conf, uint8_t secret[32]);

#endif
