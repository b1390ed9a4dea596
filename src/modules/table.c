/* SPDX-License-Identifier: MIT */
#include "table.h"

extern const struct qms_module qms_module_limit;
extern const struct qms_module qms_module_acl;
extern const struct qms_module qms_module_auth_token;
extern const struct qms_module qms_module_auth_jwt;
extern const struct qms_module qms_module_auth_cert;
extern const struct qms_module qms_module_auth_request;
extern const struct qms_module qms_module_validate;
extern const struct qms_module qms_module_metrics;
extern const struct qms_module qms_module_access_log;

/* clang-format off */
const struct qms_module *const qms_modules[] = {
    &qms_module_limit, /* first: it turns away before anyone else works */
    &qms_module_acl,
    &qms_module_auth_token,
    &qms_module_auth_jwt,
    &qms_module_auth_cert,
    &qms_module_auth_request,
    &qms_module_validate,
    &qms_module_metrics,
    &qms_module_access_log,
};
/* clang-format on */
const size_t qms_module_count = sizeof(qms_modules) / sizeof(qms_modules[0]);
