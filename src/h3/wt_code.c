/* SPDX-License-Identifier: MIT */
/* The mapping skips every code point of the form 0x1f * N + 0x21, which HTTP/3 greases with. */
#include "h3/wt_code.h"

#define FIRST UINT64_C(0x52e4a40fa8db)
#define LAST  UINT64_C(0x52e5ac983162)

uint64_t qms_wt_code_to_h3(uint64_t n)
{
    if (n > UINT32_MAX) {
        n = QMS_CODE_CANCELLED;
    }
    return FIRST + n + n / 0x1e;
}

uint32_t qms_wt_code_from_h3(uint64_t h)
{
    if (h < FIRST || h > LAST || (h - 0x21) % 0x1f == 0) {
        return QMS_CODE_CANCELLED;
    }
    uint64_t m = h - FIRST;
    return (uint32_t)(m - m / 0x1f);
}
