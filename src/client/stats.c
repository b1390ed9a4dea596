/* SPDX-License-Identifier: MIT */
/* Figures of clients, connections and streams as arrays that may grow at their end. */
#include <string.h>

#include "client/client_i.h"

#define LABEL(name, label) label,
static const char *const client_labels[] = {QMS_CLIENT_STAT_TABLE(LABEL)};
static const char *const connection_labels[] = {QMS_CONNECTION_STAT_TABLE(LABEL)};
static const char *const stream_labels[] = {QMS_STREAM_STAT_TABLE(LABEL)};
#undef LABEL

static void hand_out(uint64_t *values, size_t count, const uint64_t *all, size_t known)
{
    for (size_t i = 0; i < count; i++) {
        values[i] = i < known ? all[i] : 0;
    }
}

const char *qms_client_stat_name(unsigned stat)
{
    return stat < QMS_CLIENT_STAT_COUNT ? client_labels[stat] : NULL;
}

const char *qms_connection_stat_name(unsigned stat)
{
    return stat < QMS_CONNECTION_STAT_COUNT ? connection_labels[stat] : NULL;
}

const char *qms_stream_stat_name(unsigned stat)
{
    return stat < QMS_STREAM_STAT_COUNT ? stream_labels[stat] : NULL;
}

void qms_connection_read_stats(struct qms_connection *c)
{
    struct qms_link *link = c->session == NULL ? NULL : qms_session_link(c->session);
    struct qms_link_stats s = {0};
    uint64_t *v = c->last_stats;

    v[QMS_CONNECTION_RECONNECTS] = c->reconnects;
    if (link == NULL) {
        return;
    }
    link->ops->stats(link, &s);
    v[QMS_CONNECTION_BYTES_SENT] = s.bytes_sent;
    v[QMS_CONNECTION_BYTES_RECEIVED] = s.bytes_received;
    v[QMS_CONNECTION_PACKETS_SENT] = s.packets_sent;
    v[QMS_CONNECTION_PACKETS_RECEIVED] = s.packets_received;
    v[QMS_CONNECTION_PACKETS_LOST] = s.packets_lost;
    v[QMS_CONNECTION_RTT_SMOOTHED_US] = s.rtt_smoothed / QMS_MICROSECOND;
    v[QMS_CONNECTION_RTT_LATEST_US] = s.rtt_latest / QMS_MICROSECOND;
    v[QMS_CONNECTION_RTT_MIN_US] = s.rtt_min / QMS_MICROSECOND;
    v[QMS_CONNECTION_CWND] = s.cwnd;
    v[QMS_CONNECTION_IN_FLIGHT] = s.bytes_in_flight;
    v[QMS_CONNECTION_STREAMS_OPEN] = s.streams_opened - s.streams_closed;
    v[QMS_CONNECTION_STREAMS_CLOSED] = s.streams_closed;
    v[QMS_CONNECTION_DATAGRAMS_SENT] = s.datagrams_sent;
    v[QMS_CONNECTION_DATAGRAMS_RECEIVED] = s.datagrams_received;
    v[QMS_CONNECTION_DATAGRAMS_DROPPED] = s.datagrams_dropped + c->datagrams_dropped;
    v[QMS_CONNECTION_SEND_BUFFERED] = s.send_buffered;
    v[QMS_CONNECTION_EARLY_DATA_ACCEPTED] = s.early_data_accepted;
    c->stats_partial = s.partial;
    if (s.partial) {
        qms_broker_stats_fill(c, v);
    }
}

void qms_connection_stats(struct qms_connection *c, uint64_t *values, size_t count)
{
    qms_connection_read_stats(c);
    if (c->stats_partial) {
        qms_broker_stats_refresh(c);
    }
    hand_out(values, count, c->last_stats, QMS_CONNECTION_STAT_COUNT);
}

void qms_client_stats(const struct qms_client *client, uint64_t *values, size_t count)
{
    uint64_t all[QMS_CLIENT_STAT_COUNT] = {
        [QMS_CLIENT_ATTEMPTED] = client->attempted,
        [QMS_CLIENT_SUCCEEDED] = client->succeeded,
        [QMS_CLIENT_FAILED] = client->failed,
        [QMS_CLIENT_BYTES_SENT] = client->bytes_sent,
        [QMS_CLIENT_BYTES_RECEIVED] = client->bytes_received,
    };
    struct qms_list *node;

    QMS_LIST_FOREACH(node, &client->connections) {
        struct qms_connection *c = QMS_CONTAINER(node, struct qms_connection, node);

        qms_connection_read_stats(c);
        all[QMS_CLIENT_BYTES_SENT] += c->last_stats[QMS_CONNECTION_BYTES_SENT];
        all[QMS_CLIENT_BYTES_RECEIVED] += c->last_stats[QMS_CONNECTION_BYTES_RECEIVED];
    }
    hand_out(values, count, all, QMS_CLIENT_STAT_COUNT);
}

static void set_blocked(uint64_t us[4], const struct qms_link_stream_stats *s)
{
    us[0] = s->blocked_stream / QMS_MICROSECOND;
    us[1] = s->blocked_credit / QMS_MICROSECOND;
    us[2] = s->blocked_congestion / QMS_MICROSECOND;
    us[3] = s->blocked_priority / QMS_MICROSECOND;
}

void qms_stream_keep_blocked(struct qms_stream *st)
{
    struct qms_link_stream_stats s = {0};

    if (st->session_stream != NULL && st->session_stream->link_stream != NULL) {
        qms_session_stream_stats(st->session_stream, &s);
        set_blocked(st->blocked_us, &s);
    }
}

void qms_stream_stats(const struct qms_stream *st, uint64_t *values, size_t count)
{
    uint64_t all[QMS_STREAM_STAT_COUNT] = {
        [QMS_STREAM_BYTES_WRITTEN] = st->written,
        [QMS_STREAM_BYTES_ACKED] = st->acked,
        [QMS_STREAM_BYTES_RECEIVED] = st->received_bytes,
        [QMS_STREAM_BYTES_READ] = st->read_bytes,
        [QMS_STREAM_RECEIVE_BUFFERED] = st->received.bytes,
        [QMS_STREAM_MESSAGES_SKIPPED] = st->skipped,
    };
    uint64_t blocked[4];

    memcpy(blocked, st->blocked_us, sizeof(blocked));
    if (st->tx != QMS_HALF_DEAD) {
        all[QMS_STREAM_SEND_BUFFERED] = st->written - st->acked;
    }
    if (st->session_stream != NULL) {
        struct qms_link_stream_stats s = {0};

        qms_session_stream_stats(st->session_stream, &s);
        all[QMS_STREAM_SEND_CREDIT] = s.send_credit;
        set_blocked(blocked, &s);
    }
    memcpy(&all[QMS_STREAM_BLOCKED_STREAM_US], blocked, sizeof(blocked));
    hand_out(values, count, all, QMS_STREAM_STAT_COUNT);
}
