/* SPDX-License-Identifier: MIT */
/* What the files of the carrier share. */
#ifndef QMS_LINK_CARRIER_I_H
#define QMS_LINK_CARRIER_I_H

#include "base/list.h"
#include "core/broker/broker.h"
#include "core/conf/carrier.h"
#include "h3/h3.h"
#include "quic/endpoint.h"

struct qms_carrier_server;

/* One `listen`. */
struct qms_carrier_listener {
    struct qms_carrier_server *server;
    int fd, socket; /* socket: number at the endpoint */
    struct event *readable, *writable;
};

/* One server block: an endpoint of its own, so that a connection knows its server. */
struct qms_carrier_server {
    struct qms_carrier *carrier;
    unsigned index;
    struct qms_endpoint *ep;
    struct qms_h3_config h3;
    struct qms_carrier_listener *listeners;
    size_t listener_count;
};

struct qms_carrier {
    struct qms_broker *broker;
    struct event_base *base;
    struct qms_conf *conf; /* a reference; what listens and serves files */
    struct qms_carrier_server *servers;
    size_t server_count;
    struct qms_replay *replay;    /* first flights that any worker took; NULL: not shared */
    struct qms_endpoint *dialing; /* of connections that this side begins */
    int dial_epoll;               /* their sockets; -1: none */
    struct event *dial_ready;     /* one of those is ready */
    struct qms_list trusts;       /* and what they trust */
    struct qms_list conns;
    size_t h3_count;   /* HTTP/3 ones among them */
    qms_time now;      /* of the newest turn or event */
    qms_time h3_at;    /* when the clocks of HTTP/3 connections are looked at next */
    qms_time stats_at; /* when the endpoints' counters are passed on next */
    struct qms_endpoint_stats passed; /* what was passed on so far */
    uint8_t packet[65536];            /* one that another worker passed on */
};

/* A connection whose handshake is complete. */
struct qms_carrier_conn {
    struct qms_list node;
    struct qms_carrier_server *server; /* NULL: begun by this side */
    struct qms_link *link;             /* the QUIC connection */
    struct qms_h3 *h3;                 /* NULL: raw */
    struct sockaddr_storage remote;    /* as it was admitted */
};

/** The server block that is in force now. */
const struct qms_server_conf *qms_carrier_server_conf(const struct qms_carrier_server *s);

/* carrier_conn.c */
extern const struct qms_endpoint_events qms_carrier_endpoint_events;
/** The HTTP/3 connection is over. */
void qms_carrier_conn_h3_over(struct qms_carrier_conn *conn);
/** A session that the broker had no memory for. */
void qms_carrier_session_turn_away(struct qms_link *session);
/** Runs the HTTP/3 connections' timers. */
void qms_carrier_expire_h3(struct qms_carrier *c, qms_time now);
/** Closes what is left, each layer being told before this returns. */
void qms_carrier_close_all(struct qms_carrier *c, qms_time now);

/* carrier_dial.c */
/** The broker can dial from now on.  QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_carrier_dial_start(struct qms_carrier *c,
                                              const struct qms_quic_config *config,
                                              const uint8_t secret[32]);
/** All of its connections are closed. */
void qms_carrier_dial_stop(struct qms_carrier *c);

/* carrier_forward.c */
enum qms_foreign_fate qms_carrier_on_foreign(struct qms_endpoint *ep, unsigned slot,
                                             const struct qms_endpoint_packet *p);
bool qms_carrier_on_newcomer(struct qms_endpoint *ep, struct qms_bytes id,
                             const struct qms_endpoint_packet *p);
/** Takes packets that reached other workers from now on. */
void qms_carrier_forward_start(struct qms_carrier *c);
void qms_carrier_forward_stop(struct qms_carrier *c);

/* carrier_web.c */
extern const struct qms_h3_events qms_carrier_h3_events;

#endif
