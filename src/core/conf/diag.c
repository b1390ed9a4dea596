/* SPDX-License-Identifier: MIT */
/* One error is enough: what follows the first is usually its consequence. */
#include "core/conf/diag.h"

#include <stdarg.h>
#include <stdio.h>

void qms_diag_at(struct qms_diag *diag, const char *file, unsigned line)
{
    diag->file = file;
    diag->line = line;
}

void qms_diag_error(struct qms_diag *diag, const char *format, ...)
{
    va_list ap;
    int at = 0;

    if (diag->failed) {
        return;
    }
    diag->failed = true;
    if (diag->file != NULL && diag->line > 0) {
        at = snprintf(diag->text, sizeof(diag->text), "%s:%u: ", diag->file, diag->line);
    } else if (diag->file != NULL) {
        at = snprintf(diag->text, sizeof(diag->text), "%s: ", diag->file);
    }
    if (at < 0 || (size_t)at >= sizeof(diag->text)) {
        return; /* the place alone fills it */
    }
    va_start(ap, format);
    (void)vsnprintf(diag->text + at, sizeof(diag->text) - (size_t)at, format, ap);
    va_end(ap);
}

struct qms_place qms_diag_place(const struct qms_diag *diag)
{
    return (struct qms_place){diag->file, diag->line};
}

unsigned qms_diag_route_kinds(const struct qms_diag *diag)
{
    return diag->route_kinds;
}

void qms_diag_set_place(struct qms_diag *diag, struct qms_place place)
{
    qms_diag_at(diag, place.file, place.line);
}

/* FNV-1a of the file's name, and the line. */
uint64_t qms_conf_place(const struct qms_diag *diag)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (const char *c = diag->file != NULL ? diag->file : ""; *c != '\0'; c++) {
        h = (h ^ (uint8_t)*c) * UINT64_C(1099511628211);
    }
    return h << 20 | (diag->line & 0xfffff);
}

qms_err qms_diag_nomem(struct qms_diag *diag)
{
    qms_diag_error(diag, "Out of memory.");
    return QMS_E_NOMEM;
}
