/* SPDX-License-Identifier: MIT */
/* Patterns of names against prefixes of them. */
#ifndef QMS_MODULES_ACL_PREFIX_H
#define QMS_MODULES_ACL_PREFIX_H

#include <quicms/types.h>

/** Whether a name that begins with `prefix` (at most QMS_NAME_MAX bytes) can fit `pattern`, in
 * which `*` stands for any run of characters. */
bool qms_acl_prefix_meets(const char *pattern, struct qms_bytes prefix);

#endif
