/* SPDX-License-Identifier: MIT */
/* Addresses and networks of rules; IPv4 is compared as IPv4-mapped IPv6. */
#ifndef QMS_BASE_NETWORK_H
#define QMS_BASE_NETWORK_H

#include <quicms/types.h>

struct qms_network {
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
    unsigned prefix;     /* bits of it that count */
};

/** "10.0.0.0/8", "2001:db8::/32", "::1".  1: it is in *out; 0: this is none; -1: it is one and
 * wrong (a prefix out of range, or bits behind it that are not zero). */
int qms_network_parse(struct qms_network *out, const char *text);
/** "192.0.2.1:4433", "[2001:db8::1]:4433" of a struct sockaddr, without the port "192.0.2.1"
 * and "2001:db8::1"; "" where it is neither.  Returns buf. */
#define QMS_ADDRESS_TEXT_MAX 56
const char *qms_sockaddr_text(const void *address, bool with_port,
                              char buf[QMS_ADDRESS_TEXT_MAX]);
/** Whether a struct sockaddr is within; false for NULL. */
bool qms_network_has(const struct qms_network *n, const void *remote);

#endif
