/* SPDX-License-Identifier: MIT */
/* The built-in services.  echo sends back what it gets, with the opener's own credit; discard
 * consumes at once. */
#include "core/service.h"

#include <string.h>

#include "base/mem.h"

struct instance {
    struct qms_channel *ch;
    bool bidi;
};

static void on_gone(void *arg, uint8_t code)
{
    struct instance *in = arg;

    in->ch->ops->detach(in->ch, code);
    qms_free(in);
}

static void on_priority(void *arg, uint8_t mask, uint8_t forward, uint8_t reverse)
{
    /* The opener's end has applied it; there is no other. */
    (void)arg, (void)mask, (void)forward, (void)reverse;
}

static void on_result(void *arg, const struct qms_result *r)
{
    (void)arg, (void)r; /* only acceptors send one */
}

static qms_err echo_data(void *arg, struct qms_blob *blob, size_t off, size_t len)
{
    struct instance *in = arg;
    return in->ch->ops->data(in->ch, blob, off, len);
}

static void echo_fin(void *arg)
{
    struct instance *in = arg;
    in->ch->ops->fin(in->ch);
}

static void echo_reset(void *arg, uint8_t code)
{
    struct instance *in = arg;
    in->ch->ops->reset(in->ch, code);
}

static void echo_stop(void *arg, uint8_t code)
{
    struct instance *in = arg;
    in->ch->ops->stop(in->ch, code);
}

static void echo_credit(void *arg, uint64_t len)
{
    struct instance *in = arg;
    in->ch->ops->credit(in->ch, len);
}

static qms_err discard_data(void *arg, struct qms_blob *blob, size_t off, size_t len)
{
    struct instance *in = arg;

    (void)blob, (void)off;
    in->ch->ops->credit(in->ch, len);
    return QMS_OK;
}

static void discard_fin(void *arg)
{
    struct instance *in = arg;

    if (in->bidi) {
        in->ch->ops->fin(in->ch);
    }
}

static void discard_reset(void *arg, uint8_t code)
{
    struct instance *in = arg;

    if (in->bidi) {
        in->ch->ops->reset(in->ch, code);
    }
}

/* There was nothing to stop. */
static void discard_stop(void *arg, uint8_t code)
{
    (void)arg, (void)code;
}

static void discard_credit(void *arg, uint64_t len)
{
    (void)arg, (void)len;
}

static const struct qms_channel_sink echo_sink = {
    .data = echo_data,
    .fin = echo_fin,
    .reset = echo_reset,
    .stop = echo_stop,
    .credit = echo_credit,
    .result = on_result,
    .priority = on_priority,
    .gone = on_gone,
};

static const struct qms_channel_sink discard_sink = {
    .data = discard_data,
    .fin = discard_fin,
    .reset = discard_reset,
    .stop = discard_stop,
    .credit = discard_credit,
    .result = on_result,
    .priority = on_priority,
    .gone = on_gone,
};

static const struct qms_service services[] = {
    {.name = "echo", .uni = false, .sink = &echo_sink, .datagram_back = true},
    {.name = "discard", .uni = true, .sink = &discard_sink, .datagram_back = false},
};

const struct qms_service *qms_service_find(struct qms_bytes name)
{
    for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++) {
        if (strlen(services[i].name) == name.len &&
            memcmp(services[i].name, name.data, name.len) == 0) {
            return &services[i];
        }
    }
    return NULL;
}

qms_err qms_service_open(const struct qms_service *service, struct qms_leg *leg)
{
    struct instance *in;
    qms_err err;

    if (!leg->route->bidi && !service->uni) {
        return QMS_E_UNSUPPORTED;
    }
    if ((in = qms_calloc(1, sizeof(*in))) == NULL) {
        return QMS_E_NOMEM;
    }
    in->bidi = leg->route->bidi;
    err = qms_channel_local_new(&qms_leg_sink, leg, service->sink, in, &leg->ch, &in->ch);
    if (err != QMS_OK) {
        qms_free(in);
        return err;
    }
    in->ch->ops->result(in->ch, &(struct qms_result){.status = QMS_CODE_OK});
    return QMS_OK;
}
