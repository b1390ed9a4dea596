/* SPDX-License-Identifier: MIT */
/* The local kind of channel: two legs of one worker, joined by direct calls.
 *
 * Both ends live in one piece of memory, which goes when the second leg has detached.  After
 * one has, what the other sends goes nowhere. */
#include "base/mem.h"
#include "core/broker/channel.h"

struct end {
    struct qms_channel ch;               /* first */
    const struct qms_channel_sink *sink; /* of the leg that holds this end */
    void *leg;
    struct end *other;
    bool detached;
};

struct pair {
    struct end ends[2]; /* first: ends[0] is where the memory begins */
};

static struct end *end_of(struct qms_channel *ch)
{
    return (struct end *)(void *)ch;
}

/* The end that is to hear of it, or NULL. */
static struct end *listener(struct qms_channel *ch)
{
    struct end *other = end_of(ch)->other;
    return other->detached ? NULL : other;
}

static struct qms_blob *local_room(struct qms_channel *ch)
{
    struct end *to = listener(ch);
    return to != NULL && to->sink->room != NULL ? to->sink->room(to->leg)
                                                : qms_blob_new(QMS_BLOB_CHUNK);
}

static qms_err local_data(struct qms_channel *ch, struct qms_blob *blob, size_t off, size_t len)
{
    struct end *to = listener(ch);
    return to == NULL ? QMS_E_CLOSED : to->sink->data(to->leg, blob, off, len);
}

static void local_fin(struct qms_channel *ch)
{
    struct end *to = listener(ch);
    if (to != NULL) {
        to->sink->fin(to->leg);
    }
}

static void local_reset(struct qms_channel *ch, uint8_t code)
{
    struct end *to = listener(ch);
    if (to != NULL) {
        to->sink->reset(to->leg, code);
    }
}

static void local_stop(struct qms_channel *ch, uint8_t code)
{
    struct end *to = listener(ch);
    if (to != NULL) {
        to->sink->stop(to->leg, code);
    }
}

static void local_credit(struct qms_channel *ch, uint64_t len)
{
    struct end *to = listener(ch);
    if (to != NULL) {
        to->sink->credit(to->leg, len);
    }
}

static void local_result(struct qms_channel *ch, const struct qms_result *r)
{
    struct end *to = listener(ch);
    if (to != NULL) {
        to->sink->result(to->leg, r);
    }
}

static void local_priority(struct qms_channel *ch, uint8_t mask, uint8_t forward,
                           uint8_t reverse)
{
    struct end *to = listener(ch);
    if (to != NULL) {
        to->sink->priority(to->leg, mask, forward, reverse);
    }
}

static void local_skipped(struct qms_channel *ch, uint64_t count)
{
    struct end *to = listener(ch);
    if (to != NULL && to->sink->skipped != NULL) {
        to->sink->skipped(to->leg, count);
    }
}

/* The call of `gone` is the last thing done: its receiver may detach inside it. */
static void local_detach(struct qms_channel *ch, uint8_t code)
{
    struct end *end = end_of(ch), *other = end->other;

    end->detached = true;
    if (other->detached) {
        qms_free(end < other ? end : other);
    } else {
        other->sink->gone(other->leg, code);
    }
}

static const struct qms_channel_ops local_ops = {
    .room = local_room,
    .data = local_data,
    .fin = local_fin,
    .reset = local_reset,
    .stop = local_stop,
    .credit = local_credit,
    .result = local_result,
    .priority = local_priority,
    .skipped = local_skipped,
    .detach = local_detach,
};

qms_err qms_channel_local_new(const struct qms_channel_sink *sink_a, void *leg_a,
                              const struct qms_channel_sink *sink_b, void *leg_b,
                              struct qms_channel **a, struct qms_channel **b)
{
    struct pair *p = qms_calloc(1, sizeof(*p));

    if (p == NULL) {
        return QMS_E_NOMEM;
    }
    p->ends[0] = (struct end){{&local_ops}, sink_a, leg_a, &p->ends[1], false};
    p->ends[1] = (struct end){{&local_ops}, sink_b, leg_b, &p->ends[0], false};
    *a = &p->ends[0].ch;
    *b = &p->ends[1].ch;
    return QMS_OK;
}
