/* SPDX-License-Identifier: MIT */
/* The SETTINGS frame with what nghttp3 does not know: WebTransport in the forms of its drafts.
 */
#ifndef QMS_H3_SETTINGS_H
#define QMS_H3_SETTINGS_H

#include <quicms/types.h>

/** Room for a control stream's start: type, SETTINGS of nghttp3 and ours. */
#define QMS_H3_SETTINGS_MAX 256

/* Zeroed memory: nothing of the control stream was sent. */
struct qms_h3_settings {
    uint8_t buf[QMS_H3_SETTINGS_MAX];
    size_t len;
    bool done;
};

/** Gathers the first bytes that nghttp3 writes on the control stream, until the SETTINGS frame
 * is whole; then `done` is set and buf, len hold the stream type and the extended frame.
 * Returns the bytes of `in` that were taken; the rest passes through as it is.
 * QMS_H3_SETTINGS_MAX suffices for every SETTINGS frame of nghttp3; done stays unset with a
 * longer one. */
size_t qms_h3_settings_extend(struct qms_h3_settings *s, struct qms_bytes in,
                              unsigned max_sessions);

#endif
