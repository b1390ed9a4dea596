/* SPDX-License-Identifier: MIT */
/* Socket addresses as text. */
#include <stdio.h>

#include "base/network.h"
#include "client/client_i.h"

void qms_address_text(const struct sockaddr *sa, char *out, size_t cap)
{
    char text[QMS_ADDRESS_TEXT_MAX] = "";

    (void)snprintf(out, cap, "%s", sa != NULL ? qms_sockaddr_text(sa, true, text) : "");
}
