/* SPDX-License-Identifier: MIT */
/* A fuzz target: decode what comes; what decodes must encode, decode to the same, and encode to
 * the same bytes again.  libFuzzer calls it with what it makes up, replay.c with the corpus. */
#ifndef QMS_FUZZ_H
#define QMS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "equal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Not assert: it must hold whatever the build defines. */
#define MUST(what)                                                                             \
    do {                                                                                       \
        if (!(what)) {                                                                         \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what);          \
            abort();                                                                           \
        }                                                                                      \
    } while (0)

#endif
