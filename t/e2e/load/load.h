/* SPDX-License-Identifier: MIT */
/* quicms-load: two agents in one process that press on a real broker and check every byte.
 *
 * Each scenario prints one JSON object and returns the exit status: 0 when what it promises
 * held. Payload is a function of a seed and the position, so nothing has to be kept for
 * comparing.
 */
#ifndef QMS_LOAD_H
#define QMS_LOAD_H

#include <quicms/client.h>

struct load {
    struct qms_client *client;
    struct qms_options *options;
    const char *url;
    struct qms_connection *from, *to; /* agents PREFIX-from and PREFIX-to */
    struct qms_connection_callbacks callbacks;
    /* Of the running scenario. */
    void (*on_stream)(struct load *l, struct qms_stream *st);
    void (*on_datagram)(struct load *l, struct qms_bytes payload);
    void *scenario;
    unsigned ready;
    bool failed;
};

/** Connects both agents and waits until both are ready; exits with a sentence if not. */
void load_connect(struct load *l, const char *prefix);
/** Begins one more connection; exits with a sentence if it cannot.  l->ready counts them. */
struct qms_connection *load_connect_one(struct load *l, const char *id);
/** Runs turns until *done or until `for_s` seconds have passed; false then. */
bool load_run(struct load *l, const bool *done, unsigned for_s);
/** Prints a sentence and marks the run as failed. */
__attribute__((format(printf, 2, 3))) void load_fail(struct load *l, const char *format, ...);

/** Fills `out` with the bytes at `offset` of the stream with this seed. */
void load_pattern(uint64_t seed, uint64_t offset, uint8_t *out, size_t len);
/** Whether these are the bytes at `offset` of the stream with this seed. */
bool load_matches(uint64_t seed, uint64_t offset, struct qms_bytes data);
/** Writes as much of the pattern as fits and FIN at `size`; advances *offset. */
qms_err load_write(struct qms_stream *st, uint64_t seed, uint64_t *offset, uint64_t size);
/** Reads what is there, checks it against the pattern and advances *offset.  QMS_OK: the end.
 */
qms_err load_read(struct load *l, struct qms_stream *st, uint64_t seed, uint64_t *offset);

int load_streams(struct load *l, uint64_t count, uint64_t size);
int load_datagrams(struct load *l, uint64_t count, uint64_t size);
int load_slow(struct load *l, uint64_t others, uint64_t size);
int load_crowd(struct load *l, uint64_t agents, uint64_t streams);
int load_fanout(struct load *l, uint64_t subscribers, uint64_t pairs);
int load_framed(struct load *l, uint64_t count, uint64_t size);
int load_group(struct load *l, uint64_t requests, uint64_t pause_ms);
int load_mesh(struct load *l, uint64_t count, uint64_t size);
int load_priority(struct load *l, uint64_t bulk, uint64_t urgent_priority);

#endif
