/* SPDX-License-Identifier: MIT */
/* The broker's figures of this connection (STATS, doc/wire.md section 5), for links that see
 * neither packets nor round trips. */
#include "client/client_i.h"

#define FRESH_FOR QMS_SECOND

qms_err qms_broker_stats_ask(struct qms_connection *c, qms_done *done, void *arg)
{
    struct qms_control m = {.type = QMS_MSG_STATS_REQUEST};
    qms_err err = qms_connection_check_ready(c);
    struct qms_request *r = err == QMS_OK ? qms_request_new(c, &err) : NULL;

    if (r == NULL) {
        return err;
    }
    r->done = done;
    r->arg = arg;
    r->told = done == NULL ? NULL : qms_event_reserve(QMS_EVENT_DONE);
    m.u.stats_request.req = r->req;
    err = done != NULL && r->told == NULL ? QMS_E_NOMEM : qms_connection_send(c, &m);
    if (err != QMS_OK) {
        qms_request_free(c, r);
        return err;
    }
    c->broker_stats_at = qms_client_now(c->client);
    return QMS_OK;
}

void qms_broker_stats_on(struct qms_connection *c, const struct qms_control *m)
{
    for (unsigned i = 0; i < QMS_STAT_COUNT; i++) {
        c->broker_stats[i] = m->u.stats.values[i];
    }
    c->broker_stats_known = true;
    qms_requests_on_reply(c, m->u.stats.req, QMS_CODE_OK);
}

void qms_broker_stats_refresh(struct qms_connection *c)
{
    if (qms_client_now(c->client) - c->broker_stats_at >= FRESH_FOR) {
        /* Not before on_ready; and what cannot be asked now is asked by the next call. */
        (void)!qms_broker_stats_ask(c, NULL, NULL);
    }
}

/* What the broker sent is what was received here. */
void qms_broker_stats_fill(const struct qms_connection *c, uint64_t *values)
{
    static const struct {
        enum qms_connection_stat to;
        enum qms_stats_field from;
    } map[] = {
        {QMS_CONNECTION_BYTES_SENT, QMS_STAT_BYTES_RECEIVED},
        {QMS_CONNECTION_BYTES_RECEIVED, QMS_STAT_BYTES_SENT},
        {QMS_CONNECTION_PACKETS_SENT, QMS_STAT_PACKETS_RECEIVED},
        {QMS_CONNECTION_PACKETS_RECEIVED, QMS_STAT_PACKETS_SENT},
        {QMS_CONNECTION_PACKETS_LOST, QMS_STAT_PACKETS_LOST},
        {QMS_CONNECTION_RTT_SMOOTHED_US, QMS_STAT_RTT_SMOOTHED_US},
        {QMS_CONNECTION_RTT_LATEST_US, QMS_STAT_RTT_LATEST_US},
        {QMS_CONNECTION_RTT_MIN_US, QMS_STAT_RTT_MIN_US},
        {QMS_CONNECTION_CWND, QMS_STAT_CWND},
        {QMS_CONNECTION_IN_FLIGHT, QMS_STAT_IN_FLIGHT},
    };

    for (size_t i = 0; c->broker_stats_known && i < sizeof(map) / sizeof(map[0]); i++) {
        values[map[i].to] = c->broker_stats[map[i].from];
    }
}
