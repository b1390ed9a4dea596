/* SPDX-License-Identifier: MIT */
/* Small private files below state_dir: keys and certificates that outlive a restart.  Mode
 * 0600, replaced as a whole or not at all. */
#ifndef QMS_CORE_PROCESS_CERT_STORE_H
#define QMS_CORE_PROCESS_CERT_STORE_H

#include "core/conf/conf.h"

/** Opens the folder, making it (mode 0700) when it is missing but its parent is there.  Returns
 * a descriptor for the calls below, or -1: diag says why.  Until that is closed other processes
 * wait here, so what is read is still true when it is written. */
int qms_store_open(const char *dir, struct qms_diag *diag);
/** Whole content (qms_free; NUL behind it), at most 64 KiB.  QMS_E_NOT_FOUND, QMS_E_IO (errno),
 * QMS_E_TOO_LARGE, QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_store_read(int dir, const char *name, char **out, size_t *len);
/** QMS_E_IO (errno). */
QMS_MUST_CHECK qms_err qms_store_write(int dir, const char *name, struct qms_bytes data);

#endif
