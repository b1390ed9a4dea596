/* SPDX-License-Identifier: MIT */
/* The modules of this build, in the order of the chain.  The only place that knows their names.
 */
#ifndef QMS_MODULES_TABLE_H
#define QMS_MODULES_TABLE_H

#include <quicms/module.h>

extern const struct qms_module *const qms_modules[];
extern const size_t qms_module_count;

#endif
