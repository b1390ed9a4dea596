/* SPDX-License-Identifier: MIT */
/* Capsules of a CONNECT stream: the verdict must not depend on how the bytes are cut, and a
 * CLOSE that was accepted must encode and be read back. */
#include <string.h>

#include "fuzz.h"
#include "h3/capsule.h"

static void check_round_trip(const struct qms_capsule_parser *p)
{
    uint8_t out[QMS_CAPSULE_CLOSE_MAX];
    struct qms_capsule_parser again = {0};
    struct qms_bytes reason = qms_capsule_reason(p);
    size_t len = qms_capsule_close(out, qms_capsule_code(p), reason);

    MUST(len <= sizeof(out));
    MUST(qms_capsule_parse(&again, (struct qms_bytes){out, len}) == QMS_CAPSULE_CLOSED);
    MUST(qms_capsule_code(&again) == qms_capsule_code(p));
    MUST(qms_capsule_reason(&again).len == reason.len);
    MUST(reason.len == 0 ||
         memcmp(qms_capsule_reason(&again).data, reason.data, reason.len) == 0);
    qms_capsule_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qms_capsule_parser whole = {0}, cut = {0};
    enum qms_capsule_status a = qms_capsule_parse(&whole, (struct qms_bytes){data, size});
    enum qms_capsule_status b = QMS_CAPSULE_MORE;

    for (size_t i = 0; i < size; i++) {
        b = qms_capsule_parse(&cut, (struct qms_bytes){data + i, 1});
    }
    MUST(a == b);
    MUST(qms_capsule_at_end(&whole) == qms_capsule_at_end(&cut));
    if (a == QMS_CAPSULE_CLOSED) {
        check_round_trip(&whole);
    }
    qms_capsule_fini(&whole);
    qms_capsule_fini(&cut);
    return 0;
}
