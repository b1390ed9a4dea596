/* SPDX-License-Identifier: MIT */
/* The 32-bit codes of WebTransport lie in one range of HTTP/3 codes, with a hole at each code
 * point that HTTP/3 reserves (0x1f * N + 0x21). */
#include "proto/code.h"

#define FIRST UINT64_C(0x52e4a40fa8db)

uint64_t qms_code_to_h3(uint32_t n)
{
    return FIRST + n + n / 0x1e;
}

uint32_t qms_code_from_h3(uint64_t h)
{
    if (h < FIRST || h > qms_code_to_h3(UINT32_MAX) || (h - 0x21) % 0x1f == 0) {
        return QMS_CODE_CANCELLED;
    }
    uint64_t m = h - FIRST;
    return (uint32_t)(m - m / 0x1f);
}

uint8_t qms_code_clamp(uint64_t code)
{
    return code > QMS_CODE_MAX ? QMS_CODE_CANCELLED : (uint8_t)code;
}
