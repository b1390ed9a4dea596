/* SPDX-License-Identifier: MIT */
/* Inside of the fans: shared by fan.c (who gets what) and fan_credit.c (who is slow). */
#ifndef QMS_CORE_BROKER_FAN_I_H
#define QMS_CORE_BROKER_FAN_I_H

#include "core/broker/fan.h"
#include "core/broker/framing.h"

struct qms_fan {
    struct qms_broker *broker;
    struct qms_room *room;
    struct qms_list node;  /* in room->fans */
    struct qms_list dirty; /* in broker->fans: look at it at the end of the turn */
    struct qms_list subs;
    struct qms_route *half;  /* a reference: the route of the subscribers' legs */
    struct qms_channel *up;  /* to the publisher's leg, here or in its worker */
    struct qms_blob *header; /* as subscribers get it */
    struct qms_framing framing;
    struct qms_timer timer; /* the next instant at which someone may be too slow */
    uint64_t reloads;       /* of the configuration that the subs' policies are from */
    bool origin;            /* the publisher is this worker's: other workers get a sub */
    bool framed, ended;
    bool newcomers; /* someone joined who has no sub yet */
    bool leavers;   /* a sub ends with the message under way */
    uint64_t seq;   /* number of the next message; of a stream that is not FRAMED, its own */
    uint64_t owed;  /* bytes that came and for which the publisher has no credit yet */
    bool moves;     /* somebody moved at the last turn */
    uint64_t front; /* bytes that wait for the fastest sub, as of the last turn and since */
};

struct qms_sub {
    struct qms_fan *fan;
    struct qms_list node;      /* in fan->subs */
    struct qms_list of_member; /* in member->subs */
    struct qms_member *member; /* NULL: another worker's sub, or it left the topic */
    struct qms_channel *ch;
    int slot; /* another worker's; -1: none */
    bool leaves, skipping;
    size_t given_off, given_len; /* of the range under way, not handed over yet */
    uint64_t out;                /* bytes given and not acknowledged */
    uint64_t bound;              /* how far behind it may fall within this message */
    uint64_t fair;               /* `out` that the message alone can bring about */
    uint64_t skipped;            /* messages left out and not told yet */
    qms_time moved_at;           /* when it acknowledged something, or began to wait */
    uint64_t on_slow;            /* enum qms_on_slow */
    uint64_t slow_for, max_lag;
};

/** Takes a sub out; its leg ends with `code` unless its stream has ended. */
void qms_sub_end(struct qms_sub *sub, uint8_t code);
/** Sets the policy from the configuration in force and what the subscriber asked for. */
void qms_sub_policy(struct qms_sub *sub);
/** Bytes that it is behind the fastest. */
uint64_t qms_sub_lag(const struct qms_sub *sub);
/** A message of `length` bytes (0: not known) begins: whether the sub gets it. */
bool qms_sub_takes(struct qms_sub *sub, uint64_t length);
/** Whether it is too far behind to go on. */
bool qms_sub_too_slow(const struct qms_sub *sub);
void qms_fan_touch(struct qms_fan *fan);
void qms_fan_free(struct qms_fan *fan);

#endif
