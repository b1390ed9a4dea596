/* SPDX-License-Identifier: MIT */
/* Connection ids of ours: one fixed length, made in one place.
 *
 * Where several workers serve one address, an id says in which slot its worker is: its second
 * word is a keyed mix of the first, exclusive-ored with the slot and a check value.  A kernel
 * filter can undo that (qms_cid_filter), and an id that a client chose at random passes for
 * ours once in 2^24.
 */
#ifndef QMS_QUIC_CID_H
#define QMS_QUIC_CID_H

#include <linux/filter.h>
#include <ngtcp2/ngtcp2.h>

#include "quic/token.h"

/** Length of every id that we issue: 8 bytes that name the worker, 32 bits of them random, and
 * 80 random bits. */
#define QMS_CID_LEN 18
/** Slots that there can be at most, as a filter has them. */
#define QMS_CID_SLOTS_MAX 128
/** Instructions of the filter at most. */
#define QMS_CID_FILTER_MAX (40 + 4 * QMS_CID_SLOTS_MAX)

/* Who serves now. */
struct qms_cid_slots {
    uint8_t live[QMS_CID_SLOTS_MAX]; /* slots that take new connections, in order */
    size_t live_count;               /* at least 1 */
    bool used[QMS_CID_SLOTS_MAX];    /* slots that have a worker, or will have one again */
};

/** A fresh connection id of the worker in `slot`; below 0: of nobody in particular. */
void qms_cid_make(const struct qms_quic_keys *keys, int slot, ngtcp2_cid *cid);
/** The slot that an id of ours names, or -1. */
int qms_cid_slot(const struct qms_quic_keys *keys, const uint8_t *id, size_t len);
/** Which of `count` slots that take new connections is chosen for a packet whose id is none of
 * ours: a matter of the id, so that all packets of a first flight find the same. */
size_t qms_cid_choose(const struct qms_quic_keys *keys, const uint8_t *id, size_t len,
                      size_t count);
/** The program for SO_ATTACH_REUSEPORT_CBPF: packets go to the socket whose number is the slot
 * that their id names, if that slot is used; others to the slot that qms_cid_choose names.
 * Returns its length. */
size_t qms_cid_filter(const struct qms_quic_keys *keys, const struct qms_cid_slots *slots,
                      struct sock_filter out[QMS_CID_FILTER_MAX]);
/** The stateless reset token that goes with one of our ids (RFC 9000 section 10.3.2). */
QMS_MUST_CHECK qms_err qms_cid_reset_token(const struct qms_quic_keys *keys,
                                           const ngtcp2_cid *cid, uint8_t token[16]);

#endif
