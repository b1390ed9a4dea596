/* SPDX-License-Identifier: MIT */
/* A datagram: header and payload. */
#include "fuzz.h"

#include <string.h>

/* Header by the encoder, payload behind it, as it goes out; the caller frees it. */
static struct qms_bytes encode(const struct qms_datagram *d)
{
    uint8_t header[QMS_DATAGRAM_HEADER_MAX];
    struct qms_writer w = qms_writer_of(header, sizeof(header));

    MUST(qms_datagram_encode_header(&w, d) == QMS_OK);
    uint8_t *out = malloc(w.len + d->payload.len);
    MUST(out != NULL);
    memcpy(out, header, w.len);
    if (d->payload.len > 0) {
        memcpy(out + w.len, d->payload.data, d->payload.len);
    }
    return (struct qms_bytes){out, w.len + d->payload.len};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qms_datagram d, back;

    if (qms_datagram_decode((struct qms_bytes){data, size}, &d) != QMS_OK) {
        return 0;
    }
    struct qms_bytes out = encode(&d);
    MUST(out.len <= size);
    MUST(qms_datagram_decode(out, &back) == QMS_OK);
    MUST(datagram_equal(&d, &back));
    struct qms_bytes again = encode(&back);
    MUST(bytes_equal(again, out));
    free((void *)(uintptr_t)again.data);
    free((void *)(uintptr_t)out.data);
    return 0;
}
