/* SPDX-License-Identifier: MIT */
#include "fake_diag.h"

#include <stdarg.h>
#include <stdio.h>

char diag_text[512];
unsigned diag_route_kinds;

void qms_diag_error(struct qms_diag *diag, const char *format, ...)
{
    va_list ap;

    (void)diag;
    va_start(ap, format);
    vsnprintf(diag_text, sizeof(diag_text), format, ap);
    va_end(ap);
}

unsigned qms_diag_route_kinds(const struct qms_diag *diag)
{
    (void)diag;
    return diag_route_kinds;
}
