/* SPDX-License-Identifier: MIT */
/* Addresses and networks of rules; IPv4 is compared as IPv4-mapped IPv6. */
#ifndef QMS_MODULES_ACL_ADDRESS_H
#define QMS_MODULES_ACL_ADDRESS_H

#include "rule.h"

/** "10.0.0.0/8", "2001:db8::/32", "::1".  1: it is in *out; 0: this is none; -1: it is one and
 * wrong. */
int qms_acl_address_parse(struct qms_acl_condition *out, const char *text);
/** Whether a struct sockaddr is within; false for NULL. */
bool qms_acl_address_match(const struct qms_acl_condition *c, const void *remote);

#endif
