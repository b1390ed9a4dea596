/* SPDX-License-Identifier: MIT */
/* The built-in services.  echo sends back what it gets, with the opener's own credit; discard
 * consumes at once; those that report (service_report.c) say it all in the beginning. */
#include "core/broker/service.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/broker/peer.h"
#include "core/broker/router.h"

struct instance {
    struct qms_channel *ch;
    struct qms_route *route; /* the leg's, which outlives its channel */
    bool bidi;
    /* Of an answer: bytes that the agent has not acknowledged.  They are on its account, so
     * that one which asks and does not read is refused more. */
    struct qms_peer *peer;
    uint64_t owed;
};

static void on_gone(void *arg, uint8_t code)
{
    struct instance *in = arg;

    if (in->owed > 0) {
        in->peer->buffered -= in->owed;
    }
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

/* Bytes of a service are on the route's account as those of an agent are. */
static qms_err say(struct instance *in, struct qms_blob *blob, size_t off, size_t len)
{
    in->route->reverse += len;
    return in->ch->ops->data(in->ch, blob, off, len);
}

static qms_err echo_data(void *arg, struct qms_blob *blob, size_t off, size_t len)
{
    return say(arg, blob, off, len);
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

/* The answer has ended already: nothing follows. */
static void report_fin(void *arg)
{
    (void)arg;
}

static void report_reset(void *arg, uint8_t code)
{
    (void)arg, (void)code;
}

static void report_credit(void *arg, uint64_t len)
{
    struct instance *in = arg;

    len = len < in->owed ? len : in->owed;
    in->owed -= len;
    in->peer->buffered -= len;
}

static const struct qms_channel_sink report_sink = {
    .data = discard_data,
    .fin = report_fin,
    .reset = report_reset,
    .stop = discard_stop,
    .credit = report_credit,
    .result = on_result,
    .priority = on_priority,
    .gone = on_gone,
};

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
    {.name = "stats", .sink = &report_sink, .answer = qms_service_stats},
    {.name = "directory", .sink = &report_sink, .answer = qms_service_directory},
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

static bool failed(struct qms_refusal *why)
{
    return qms_router_refused(why, QMS_CODE_INTERNAL, "", "internal");
}

static bool begin(const struct qms_service *service, struct qms_leg *leg,
                  struct qms_blob *answer, struct qms_refusal *why)
{
    struct instance *in = qms_calloc(1, sizeof(*in));

    if (in == NULL) {
        return failed(why);
    }
    in->route = leg->route;
    in->bidi = leg->route->bidi;
    if (qms_channel_local_new(&qms_leg_sink, leg, service->sink, in, &leg->ch, &in->ch) !=
        QMS_OK) {
        qms_free(in);
        return failed(why);
    }
    in->ch->ops->result(in->ch, &(struct qms_result){.status = QMS_CODE_OK});
    /* Without memory for the RESULT the route is over, and the instance with it. */
    if (answer == NULL || leg->ch == NULL) {
        return true;
    }
    in->peer = leg->peer; /* outlives its leg, and that the channel */
    in->owed = answer->len;
    in->peer->buffered += in->owed;
    qms_err err = say(in, answer, 0, answer->len);
    if (err == QMS_OK) {
        in->ch->ops->fin(in->ch);
    } else {
        in->ch->ops->reset(in->ch, QMS_CODE_INTERNAL);
    }
    return true;
}

bool qms_service_open(const struct qms_service *service, struct qms_leg *leg,
                      const struct qms_route_header *h, struct qms_refusal *why)
{
    struct qms_blob *answer = NULL;

    if (!leg->route->bidi && !service->uni) {
        return qms_router_refused(why, QMS_CODE_UNSUPPORTED,
                                  "the service needs a bidirectional stream", "unsupported");
    }
    if (service->answer != NULL) {
        *why = (struct qms_refusal){.code = QMS_CODE_INTERNAL, .label = "internal"};
        char *text = service->answer(leg->peer, h, why);
        if (text != NULL) {
            answer = qms_blob_copy((struct qms_bytes){(const uint8_t *)text, strlen(text)});
        }
        free(text);
        if (answer == NULL) {
            return false;
        }
    }
    bool done = begin(service, leg, answer, why);
    qms_blob_unref(answer);
    return done;
}
