/* SPDX-License-Identifier: MIT */
#include "jwt_fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct {
    const char *path;
    struct qms_bytes file, id;
    char diag[512];
} fake;

void fake_file(const char *path, const char *text, size_t len)
{
    fake.path = path;
    fake.file = (struct qms_bytes){(const uint8_t *)text, len};
    fake.diag[0] = '\0';
}

const char *fake_diag(void)
{
    return fake.diag;
}

void fake_peer_id(const char *id)
{
    fake.id = (struct qms_bytes){(const uint8_t *)id, strlen(id)};
}

qms_err qms_conf_read_file(struct qms_diag *diag, const char *path, struct qms_bytes *out)
{
    if (strcmp(path, fake.path) != 0) {
        qms_diag_error(diag, "Cannot open \"%s\".", path);
        return QMS_E_CONFIG;
    }
    *out = fake.file;
    return QMS_OK;
}

void qms_diag_error(struct qms_diag *diag, const char *format, ...)
{
    va_list ap;

    (void)diag;
    va_start(ap, format);
    vsnprintf(fake.diag, sizeof(fake.diag), format, ap);
    va_end(ap);
}

struct qms_bytes qms_peer_id(const struct qms_peer *peer)
{
    (void)peer;
    return fake.id;
}
