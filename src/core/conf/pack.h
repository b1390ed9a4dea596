/* SPDX-License-Identifier: MIT */
/* The flat form of a configuration: its files, byte by byte, and its minted identities. */
#ifndef QMS_CORE_CONF_PACK_H
#define QMS_CORE_CONF_PACK_H

#include "core/conf/files.h"

/** Fills an empty `files` from a pack.  QMS_E_CONFIG (the pack is broken), QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_conf_unpack_files(struct qms_conf_files *files,
                                             struct qms_bytes pack, struct qms_diag *diag);
/** Gives the self-signed identities of a built configuration the texts that came in its pack.
 */
QMS_MUST_CHECK qms_err qms_conf_unpack_identities(struct qms_conf *conf,
                                                  const struct qms_conf_env *env,
                                                  struct qms_diag *diag);
/** Sets an identity's texts (copied; `next` ones may be empty) and checks both pairs.
 * QMS_E_CONFIG, QMS_E_NOMEM: diag says why. */
QMS_MUST_CHECK qms_err qms_conf_identity_set(struct qms_conf *conf,
                                             const struct qms_conf_env *env,
                                             struct qms_identity *id,
                                             const struct qms_bytes texts[4], int64_t next_at,
                                             struct qms_diag *diag);

#endif
