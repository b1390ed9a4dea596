/* SPDX-License-Identifier: MIT */
/* The two ends of a fake link and their streams, shared by its operations and its pump. */
#ifndef QMS_TEST_FAKE_LINK_I_H
#define QMS_TEST_FAKE_LINK_I_H

#include <netinet/in.h>

#include "base/list.h"
#include "fake_link.h"

/* One end of a stream.  The bytes on their way lie in the sending end's queue. */
struct fake_stream {
    struct qms_link_stream base; /* first */
    struct fake_end *end;
    struct fake_stream *peer; /* NULL before it is seen there and after it was closed there */
    struct qms_list node;     /* in end->streams, by age */
    uint64_t seq;
    uint8_t priority;
    bool held, active, seen; /* active: inside the peer's limit; seen: the peer knows it */

    struct qms_blobq queue; /* from `acked` to `written` */
    uint64_t written, sent, acked;
    bool fin, fin_sent, reset, reset_sent;
    bool stopped;   /* the peer wants no more */
    bool send_over; /* the peer has acknowledged the end */
    uint64_t reset_code;

    uint64_t told; /* by RECEIPTs */
    uint64_t received, consumed;
    bool stop, stop_sent, recv_over;
    uint64_t stop_code;
};

struct fake_datagram {
    struct qms_list node;
    uint8_t priority;
    size_t len;
    uint8_t data[];
};

/* The link of one side; freed after its on_closed. */
struct fake_end {
    struct qms_link base; /* first */
    struct fake_pair *pair;
    int side;
    struct qms_list streams, datagrams;
    size_t stream_count, waiting, datagram_count, datagram_max;
    uint64_t next_id[2]; /* [bidi] */
    uint64_t living_local[2];
    uint64_t datagram_seq;
    unsigned drop_every;
    bool ready, closing, hold_acks;
    uint64_t close_code;
    uint8_t *close_reason;
    size_t close_reason_len;
    struct sockaddr_in remote, local;
    struct qms_link_stats stats;
};

struct fake_pair {
    struct fake_config config;
    struct fake_end *end[2];
    qms_time now;
    uint64_t next_seq;
    qms_err broken;
};

struct fake_stream *fake_stream_new(struct fake_end *end, bool bidi, bool local);
void fake_stream_free(struct fake_stream *st);
void fake_end_free(struct fake_end *end);

static inline struct fake_stream *fake_stream_of(struct qms_link_stream *st)
{
    return (struct fake_stream *)(void *)st;
}
static inline struct fake_end *fake_end_of(struct qms_link *link)
{
    return (struct fake_end *)(void *)link;
}
static inline bool fake_can_send(const struct fake_stream *st)
{
    return st->base.bidi || st->base.local;
}
static inline bool fake_can_receive(const struct fake_stream *st)
{
    return st->base.bidi || !st->base.local;
}

#endif
