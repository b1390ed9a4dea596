/* SPDX-License-Identifier: MIT */
#include "core/broker/early.h"

void qms_early_clear(struct qms_early *e)
{
    qms_blobq_clear(&e->sent);
    *e = (struct qms_early){0};
}

void qms_early_priority(struct qms_early *e, uint8_t mask, uint8_t forward, uint8_t reverse)
{
    e->mask |= mask;
    e->forward = (mask & 1) != 0 ? forward : e->forward;
    e->reverse = (mask & 2) != 0 ? reverse : e->reverse;
}

static qms_err replay_data(const struct qms_early *e, struct qms_channel *ch)
{
    for (uint32_t i = 0; i < e->sent.count; i++) {
        const struct qms_blobq_entry *part =
            &e->sent.ring[(e->sent.head + i) & (e->sent.cap - 1)];
        qms_err err = ch->ops->data(ch, part->blob, part->off, part->len);
        if (err != QMS_OK) {
            return err;
        }
    }
    return QMS_OK;
}

qms_err qms_early_replay(const struct qms_early *e, struct qms_channel *ch)
{
    qms_err err = replay_data(e, ch);

    if (err != QMS_OK) {
        return err == QMS_E_CLOSED ? QMS_OK : err;
    }
    if (e->mask != 0) {
        ch->ops->priority(ch, e->mask, e->forward, e->reverse);
    }
    if (e->reset) {
        ch->ops->reset(ch, e->reset_code);
    } else if (e->fin) {
        ch->ops->fin(ch);
    }
    if (e->stop) {
        ch->ops->stop(ch, e->stop_code);
    }
    return QMS_OK;
}
