/* SPDX-License-Identifier: MIT */
/* The claim that says how much an agent may do:
 *
 *     "limits": {"streams": 200, "bytes": {"rate": 1048576, "burst": 4194304}, "datagrams": 50}
 */
#ifndef QMS_MODULES_AUTH_JWT_CLAIM_LIMITS_H
#define QMS_MODULES_AUTH_JWT_CLAIM_LIMITS_H

#include <jansson.h>

#include <quicms/module.h>

/* What `limit` can hold. */
#define QMS_CLAIM_RATE_MAX  (INT64_C(1) << 40)
#define QMS_CLAIM_BURST_MAX UINT32_MAX

/** NULL for an absent claim (NULL) and a good one; else the label of what is wrong.  Members
 * that are not known are wrong: a misspelt limit must not become none. */
QMS_MUST_CHECK const char *qms_claim_limits_read(struct qms_limits *out, const json_t *claim);

#endif
