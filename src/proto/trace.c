/* SPDX-License-Identifier: MIT */
/* Versions above 00 are read by the rules of 00, as section 4.3 asks; what they may have behind
 * it does not fit into the field of the wire. */
#include "proto/trace.h"

static bool digits(const uint8_t *at, size_t len, bool *zero)
{
    *zero = true;
    for (size_t i = 0; i < len; i++) {
        bool decimal = at[i] >= '0' && at[i] <= '9';
        if (!decimal && (at[i] < 'a' || at[i] > 'f')) {
            return false;
        }
        *zero = *zero && at[i] == '0';
    }
    return true;
}

bool qms_traceparent_ok(struct qms_bytes text)
{
    const uint8_t *t = text.data;
    bool version, trace, parent, flags;

    return text.len == QMS_TRACEPARENT_LEN && t[2] == '-' && t[35] == '-' && t[52] == '-' &&
           digits(t, 2, &version) && !(t[0] == 'f' && t[1] == 'f') &&
           digits(t + 3, 32, &trace) && !trace && digits(t + 36, 16, &parent) && !parent &&
           digits(t + 53, 2, &flags);
}
