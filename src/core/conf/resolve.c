/* SPDX-License-Identifier: MIT */
/* Names of services, resolved once and remembered as files are: workers may not ask, and must
 * see what was checked. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "core/conf/diag.h"
#include "core/conf/files.h"

static bool numeric(const char *host)
{
    uint8_t address[16];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static qms_err look_up(struct qms_diag *diag, const char *host, char *text, size_t size)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int rv = getaddrinfo(host, NULL, &hints, &found);

    if (rv == 0) {
        rv = getnameinfo(found->ai_addr, found->ai_addrlen, text, (socklen_t)size, NULL, 0,
                         NI_NUMERICHOST);
        freeaddrinfo(found);
    }
    if (rv != 0) {
        qms_diag_error(diag, "The host \"%s\" cannot be resolved: %s.", host, gai_strerror(rv));
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}

qms_err qms_conf_resolve(struct qms_diag *diag, const char *host, char *text, size_t size)
{
    struct qms_conf_files *files = diag->conf->files;
    const struct qms_conf_file *known = qms_conf_files_find(files, QMS_CONF_FILE_ADDRESS, host);

    if (numeric(host) || known != NULL) {
        (void)snprintf(text, size, "%s", known != NULL ? (const char *)known->data.data : host);
        return QMS_OK;
    }
    if (files->packed) {
        qms_diag_error(diag, "\"%s\" was not among the hosts that were resolved.", host);
        return QMS_E_CONFIG;
    }
    qms_err err = look_up(diag, host, text, size);
    if (err == QMS_OK) {
        err = qms_conf_files_add(files, QMS_CONF_FILE_ADDRESS, host,
                                 (struct qms_bytes){(const uint8_t *)text, strlen(text)});
        err = err == QMS_OK ? QMS_OK : qms_diag_nomem(diag);
    }
    return err;
}
