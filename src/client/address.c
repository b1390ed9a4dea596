/* SPDX-License-Identifier: MIT */
/* Socket addresses as text. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "client/client_i.h"

void qms_address_text(const struct sockaddr *sa, char *out, size_t cap)
{
    char ip[INET6_ADDRSTRLEN] = "";

    out[0] = '\0';
    if (sa == NULL) {
        return;
    }
    if (sa->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, sa, sizeof(in));
        (void)inet_ntop(AF_INET, &in.sin_addr, ip, sizeof(ip));
        (void)snprintf(out, cap, "%s:%u", ip, (unsigned)ntohs(in.sin_port));
    } else if (sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, sa, sizeof(in6));
        (void)inet_ntop(AF_INET6, &in6.sin6_addr, ip, sizeof(ip));
        (void)snprintf(out, cap, "[%s]:%u", ip, (unsigned)ntohs(in6.sin6_port));
    }
}
