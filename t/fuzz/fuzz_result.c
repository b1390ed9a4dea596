/* SPDX-License-Identifier: MIT */
/* RESULT. */
#include "fuzz.h"

static uint8_t first[QMS_RESULT_MAX + 16], second[QMS_RESULT_MAX + 16];

/* No more bytes than came in: the encoder takes the shortest form of everything. */
static struct qms_bytes encode(uint8_t *out, size_t cap, const struct qms_result *m)
{
    struct qms_writer w = qms_writer_of(out, cap);

    MUST(qms_result_encode(&w, m) == QMS_OK);
    return (struct qms_bytes){w.data, w.len};
}

/* The verdict must not depend on what stands behind, and must wait for the last byte. */
static void check_ends(struct qms_bytes in, size_t used)
{
    struct qms_result m;
    size_t again = 0;

    MUST(used > 0 && used <= in.len);
    MUST(qms_result_decode((struct qms_bytes){in.data, used}, &m, &again) == QMS_OK);
    MUST(again == used);
    MUST(qms_result_decode((struct qms_bytes){in.data, used - 1}, &m, &again) == QMS_E_MORE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct qms_bytes in = {data, size};
    struct qms_result m, back;
    size_t used = 0, used_back = 0;

    if (qms_result_decode(in, &m, &used) != QMS_OK) {
        return 0;
    }
    check_ends(in, used);
    struct qms_bytes out = encode(first, sizeof(first), &m);
    MUST(out.len <= used);
    MUST(qms_result_decode(out, &back, &used_back) == QMS_OK);
    MUST(used_back == out.len);
    MUST(result_equal(&m, &back));
    MUST(bytes_equal(encode(second, sizeof(second), &back), out));
    return 0;
}
