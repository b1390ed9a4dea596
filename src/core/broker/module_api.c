/* SPDX-License-Identifier: MIT */
/* What modules built outside the tree get instead of src/base. */
#include <quicms/module.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX 512
/* Places in modules that log at a time; each has a gate of its own. */
#define GATES 64

void *qms_module_calloc(size_t count, size_t size)
{
    return qms_calloc(count, size);
}

void qms_module_free(void *memory)
{
    qms_free(memory);
}

void qms_module_random(void *out, size_t len)
{
    qms_random(out, len);
}

int64_t qms_module_wall_ns(void)
{
    return qms_clock_wall_ns();
}

bool qms_module_equal(const void *a, const void *b, size_t len)
{
    return qms_memeq_ct(a, b, len);
}

/* A place is known by its format, as the gates of the core are by their line: of two that share
 * one the second waits for the first. */
static struct qms_log_gate *gate_of(const char *format)
{
    static struct qms_log_gate gates[GATES];

    return &gates[((uintptr_t)format >> 3) % GATES];
}

void qms_module_log(enum qms_module_level level, const char *module, const char *format, ...)
{
    char text[LINE_MAX];
    va_list args;

    if (!qms_log_enabled((enum qms_log_level)level) || !qms_log_gate(gate_of(format))) {
        return;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    qms_log((enum qms_log_level)level, "%s module=%s", text, module);
}
