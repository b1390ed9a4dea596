/* SPDX-License-Identifier: MIT */
/* Heap that the client library holds for each connection and each stream that does nothing:
 * its own, ngtcp2's and GnuTLS's.  What the allocator keeps around them is not counted. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

/* Of a build with AddressSanitizer, whose allocator mallinfo2 knows nothing of. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

#define SETTLE (500 * QMS_MILLISECOND)

static double heap(void)
{
    struct mallinfo2 m = mallinfo2();

    return __sanitizer_get_current_allocated_bytes != NULL
               ? (double)__sanitizer_get_current_allocated_bytes()
               : (double)(m.uordblks + m.hblkhd);
}

static void settle(struct bench *b)
{
    (void)qms_client_run(b->client, SETTLE);
}

/* `own`: each connection has options, and so a trust store, of its own. */
static void connections(struct bench *b, unsigned count, bool own)
{
    struct qms_connection **all = calloc(count, sizeof(struct qms_connection *));
    struct qms_options *o = bench_options(b, "");
    double before;

    if (all == NULL) {
        bench_die("out of memory");
    }
    settle(b);
    before = heap();
    for (unsigned i = 0; i < count; i++) {
        all[i] = own ? bench_connect(b, "", NULL) : bench_connect_by(b, o, NULL);
    }
    settle(b);
    bench_row(b, own ? "library, idle, own options" : "library, idle connection",
              (heap() - before) / count / 1024, "KiB",
              "of this process's heap, %u of them; the limit is 64 KiB", count);
    qms_options_free(o);
    for (unsigned i = 0; i < count; i++) {
        qms_connection_release(all[i]);
    }
    settle(b);
    free(all);
}

/* Sends a few bytes to the echo and reads them back, so that the stream has lived. */
static void use(struct bench *b, struct qms_stream *st)
{
    static const uint8_t words[100];
    uint8_t buf[sizeof(words)];
    size_t have = 0, len = 0;

    if (qms_stream_write(st, (struct qms_bytes){words, sizeof(words)}, &len) != QMS_OK) {
        bench_die("a stream cannot be written");
    }
    for (double end = bench_now() + 10; have < sizeof(words) && bench_now() < end;) {
        (void)qms_client_run(b->client, QMS_MILLISECOND);
        while (qms_stream_read(st, buf, sizeof(buf), &len) == QMS_OK && len > 0) {
            have += len;
        }
    }
    if (have < sizeof(words)) {
        bench_die("a stream was not answered");
    }
}

static void streams(struct bench *b, unsigned count)
{
    struct qms_stream **all = calloc(count, sizeof(struct qms_stream *));
    struct qms_open *params = qms_open_new();
    double before;

    if (all == NULL || params == NULL ||
        qms_open_set_meta(params, (struct qms_bytes){(const uint8_t *)BENCH_ECHO,
                                                     strlen(BENCH_ECHO)}) != QMS_OK) {
        bench_die("out of memory");
    }
    settle(b);
    before = heap();
    for (unsigned i = 0; i < count; i++) {
        if (qms_stream_open(b->conn, QMS_KIND_AGENT, "bench-sink", 0, QMS_PRIORITY_NORMAL,
                            params, NULL, NULL, &all[i]) != QMS_OK) {
            bench_die("a stream cannot be opened");
        }
        use(b, all[i]);
    }
    settle(b);
    bench_row(b, "library, idle stream", (heap() - before) / count / 1024, "KiB",
              "of this process's heap, %u of them; the limit is 4 KiB", count);
    for (unsigned i = 0; i < count; i++) {
        qms_stream_release(all[i]);
    }
    settle(b);
    qms_open_free(params);
    free(all);
}

void bench_library(struct bench *b, unsigned connection_count, unsigned stream_count)
{
    if (bench_wanted(b, "library, idle connection")) {
        connections(b, connection_count, false);
        connections(b, connection_count, true);
    }
    if (bench_wanted(b, "library, idle stream")) {
        streams(b, stream_count);
    }
}
