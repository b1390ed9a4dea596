/* SPDX-License-Identifier: MIT */
/* CONTROL messages of a welcomed peer, but for AUTH. */
#include "core/broker/peer.h"
#include "core/broker/upstream.h"

/* Faster reports than this are not worth their bytes. */
#define STATS_EVERY_MIN (100 * QMS_MILLISECOND)

static void tell(struct qms_peer *p, const struct qms_control *m)
{
    qms_err err = qms_session_send(p->session, m);

    /* An agent that asks and does not read the answers. */
    if (err == QMS_E_LIMIT) {
        qms_peer_close(p, QMS_CODE_SLOW_CONSUMER, "control messages are not read");
    } else if (err != QMS_OK && err != QMS_E_STATE) {
        qms_peer_close(p, QMS_CODE_INTERNAL, "out of memory");
    }
}

static void reply(struct qms_peer *p, uint64_t req, uint64_t status)
{
    tell(p, &(struct qms_control){.type = QMS_MSG_REPLY, .u.reply = {req, status}});
}

void qms_peer_send_stats(struct qms_peer *p)
{
    struct qms_control m = {.type = QMS_MSG_STATS, .u.stats.req = p->stats_req};
    uint64_t *v = m.u.stats.values;
    struct qms_link_stats s;

    qms_peer_link_stats(p, &s);
    v[QMS_STAT_RTT_SMOOTHED_US] = s.rtt_smoothed / QMS_MICROSECOND;
    v[QMS_STAT_RTT_LATEST_US] = s.rtt_latest / QMS_MICROSECOND;
    v[QMS_STAT_RTT_MIN_US] = s.rtt_min / QMS_MICROSECOND;
    v[QMS_STAT_CWND] = s.cwnd;
    v[QMS_STAT_IN_FLIGHT] = s.bytes_in_flight;
    v[QMS_STAT_PACKETS_SENT] = s.packets_sent;
    v[QMS_STAT_PACKETS_RECEIVED] = s.packets_received;
    v[QMS_STAT_PACKETS_LOST] = s.packets_lost;
    v[QMS_STAT_BYTES_SENT] = s.bytes_sent;
    v[QMS_STAT_BYTES_RECEIVED] = s.bytes_received;
    v[QMS_STAT_STREAMS_OPEN] =
        s.streams_opened > s.streams_closed ? s.streams_opened - s.streams_closed : 0;
    v[QMS_STAT_STREAMS_CLOSED] = s.streams_closed;
    v[QMS_STAT_DATAGRAMS_SENT] = s.datagrams_sent;
    v[QMS_STAT_DATAGRAMS_RECEIVED] = s.datagrams_received;
    v[QMS_STAT_DATAGRAMS_DROPPED] = s.datagrams_dropped;
    tell(p, &m);
}

/* Once, or by interval: interval 0 ends what ran before. */
static void stats_request(struct qms_peer *p, const struct qms_control *msg)
{
    qms_time every = QMS_NEVER / QMS_MILLISECOND / 2 < msg->u.stats_request.interval_ms
                         ? QMS_NEVER / 2
                         : msg->u.stats_request.interval_ms * QMS_MILLISECOND;

    p->stats_req = msg->u.stats_request.req;
    p->stats_every = every != 0 && every < STATS_EVERY_MIN ? STATS_EVERY_MIN : every;
    p->stats_at = qms_peer_now(p) + p->stats_every;
    qms_peer_send_stats(p);
}

void qms_peer_on_control(struct qms_session *s, const struct qms_control *msg)
{
    struct qms_peer *p = qms_session_user(s);

    qms_peer_touch(p);
    if (p->state != QMS_PEER_WELCOMED) {
        return;
    }
    qms_peer_debug(p, "control message type=0x%02x", (unsigned)msg->type);
    switch (msg->type) {
    case QMS_MSG_AUTH:
        qms_peer_auth(p, msg);
        break;
    case QMS_MSG_STATS_REQUEST:
        stats_request(p, msg);
        break;
    case QMS_MSG_PONG:
        if (p->dialer != NULL) {
            qms_dialer_pong(p->dialer, msg->u.ping);
        }
        break;
    case QMS_MSG_GOAWAY:
        p->going_away = true;
        qms_peer_leave_rooms(p, true);
        break;
    case QMS_MSG_JOIN:
        reply(p, msg->u.join.req, qms_peer_join(p, msg));
        break;
    case QMS_MSG_LEAVE:
        reply(p, msg->u.join.req, qms_peer_leave(p, msg));
        break;
    case QMS_MSG_WATCH:
        reply(p, msg->u.watch.req, qms_peer_watch_presence(p, msg));
        break;
    case QMS_MSG_UNWATCH:
        reply(p, msg->u.unwatch.req, qms_peer_unwatch_presence(p, msg));
        break;
    default: /* REPLY, THROTTLED, STATS, PRESENCE: nothing that the broker asked for */
        break;
    }
}
