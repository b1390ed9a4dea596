/* SPDX-License-Identifier: MIT */
/* Diagnostics of start-up and configuration: the first error of a run, with its place.  Modules
 * write them with qms_diag_error (quicms/module.h). */
#ifndef QMS_CORE_CONF_DIAG_H
#define QMS_CORE_CONF_DIAG_H

#include "core/conf/conf.h"

/** From now on errors are about this place; `file` must outlive the use, NULL: no place. */
void qms_diag_at(struct qms_diag *diag, const char *file, unsigned line);
/** Fills "out of memory" and returns QMS_E_NOMEM. */
qms_err qms_diag_nomem(struct qms_diag *diag);

#endif
