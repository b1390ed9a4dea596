/* SPDX-License-Identifier: MIT */
/* A side of a fake link without any protocol: writes the bytes a test gives it and notes what
 * comes back.  The way to be hostile. */
#ifndef QMS_TEST_FAKE_BARE_H
#define QMS_TEST_FAKE_BARE_H

#include "fake_link.h"

/* One stream, kept after its end until bare_fini. */
struct bare_stream {
    struct qms_link_stream *ls; /* NULL once closed */
    struct bare_stream *next;
    bool fin, reset, stopped;
    uint64_t reset_code, stop_code; /* valid with the flags */
    uint8_t data[8192];             /* what arrived; more is counted only */
    size_t len;
};

struct bare {
    struct fake_pair *pair;
    int side;
    struct bare_stream *streams; /* newest first */
    size_t stream_count, datagrams;
    bool closed, closed_by_peer;
    uint64_t code; /* of the close */
    char reason[128];
};

/** Takes the side's events over. */
void bare_init(struct bare *b, struct fake_pair *pair, int side);
void bare_fini(struct bare *b);
/** Opens a stream; NULL when the link is closed. */
struct bare_stream *bare_open(struct bare *b, bool bidi);
/** Queues bytes; false when the stream cannot be written to any more. */
bool bare_write(struct bare_stream *st, const void *data, size_t len);
void bare_finish(struct bare_stream *st);

#endif
