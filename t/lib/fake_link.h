/* SPDX-License-Identifier: MIT */
/* Two links in memory, joined to each other, with a clock that the test moves by hand.
 *
 * Operations only queue.  Everything that happens, happens inside fake_link_pump: bytes, FIN,
 * RESET, STOP, datagrams and closes go over, bytes of earlier pumps are acknowledged, and
 * finished streams are closed.  The fake is as strict as a real link: lent bytes are freed
 * after the event, streams after on_stream_closed and a link after its on_closed, so that the
 * address sanitizer finds who holds on to them.
 *
 * Side 0 connected (its streams have the ids 0, 4, 8 and 2, 6, 10), side 1 accepted.
 */
#ifndef QMS_TEST_FAKE_LINK_H
#define QMS_TEST_FAKE_LINK_H

#include "base/link.h"

struct fake_pair;

struct fake_config {
    uint64_t window;        /* credit of a stream direction, bytes: 64 KiB */
    uint64_t streams_bidi;  /* living streams each side may have opened: 4,096 */
    uint64_t streams_uni;   /* 4,096 */
    size_t waiting_streams; /* streams that may wait for those limits: 4,096 */
    size_t datagram_max;    /* 1,200; 0: the peer takes none */
    size_t datagram_queue;  /* datagrams that wait for a pump: 1,024, then the oldest goes */
    bool hide_ids;          /* stream ids stay -1, as in a browser */
    const char *carrier;    /* "fake" */
};
extern const struct fake_config fake_config_default;

/** `config` may be NULL.  The clock starts at 1,000 s.  NULL: out of memory. */
struct fake_pair *fake_pair_new(const struct fake_config *config);
/** Frees what is left, without events. */
void fake_pair_free(struct fake_pair *pair);
/** NULL once that side's on_closed has run. */
struct qms_link *fake_pair_link(struct fake_pair *pair, int side);

/** Runs one turn.  Up to `chunk` bytes of each stream go over (0: no limit), most urgent
 * streams first.  Returns whether anything happened. */
bool fake_link_pump(struct fake_pair *pair, size_t chunk);
/** Pumps without a limit until nothing happens; fails the test after 100,000 turns. */
void fake_link_settle(struct fake_pair *pair);
/** The same with a limit, such as 1 byte a turn. */
void fake_link_settle_by(struct fake_pair *pair, size_t chunk);

qms_time fake_link_now(const struct fake_pair *pair);
/** Moves the clock of both links; runs no event. */
void fake_link_advance(struct fake_pair *pair, qms_time by);

/** What is sent on the stream from now on waits (until `hold` is false): a later stream
 * overtakes. */
void fake_stream_hold(struct qms_link_stream *st, bool hold);
/** Nothing that `side` sent is acknowledged while this is on. */
void fake_link_hold_acks(struct fake_pair *pair, int side, bool hold);
/** Each n-th datagram that `side` sends from now on is lost; 0: none. */
void fake_link_drop_datagrams(struct fake_pair *pair, int side, unsigned every);
/** Another size limit for datagrams that `side` sends. */
void fake_link_set_datagram_max(struct fake_pair *pair, int side, size_t max);
/** The address that `side` sees as its peer's: IPv4 in host order. */
void fake_link_set_remote(struct fake_pair *pair, int side, uint32_t address, uint16_t port);
/** The connection breaks off with an error: both sides' on_closed come in the next pump. */
void fake_link_break(struct fake_pair *pair, qms_err err);

/** Bytes that `side` has received and not consumed, on living streams. */
uint64_t fake_link_unconsumed(const struct fake_pair *pair, int side);
/** Streams living at `side`, waiting ones included. */
size_t fake_link_streams(const struct fake_pair *pair, int side);
/** The urgency that the stream sends with. */
uint8_t fake_stream_priority(const struct qms_link_stream *st);
/** What the last `receipt` said, 0: there was none. */
uint64_t fake_stream_told(const struct qms_link_stream *st);

#endif
