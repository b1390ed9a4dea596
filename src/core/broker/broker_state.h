/* SPDX-License-Identifier: MIT */
/* What the files of the broker share: its state, its peers, their timers. */
#ifndef QMS_CORE_BROKER_BROKER_STATE_H
#define QMS_CORE_BROKER_BROKER_STATE_H

#include "base/heap.h"
#include "base/list.h"
#include "core/broker/broker.h"
#include "core/broker/chain.h"
#include "core/broker/directory.h"
#include "core/broker/rooms.h"
#include "core/shared/stats.h"
#include "proto/session.h"

/* One entry of the broker's heap. */
struct qms_timer {
    struct qms_heap_node node; /* first */
    void (*fire)(struct qms_timer *t, qms_time now);
};

struct qms_broker {
    struct qms_conf *conf; /* a reference */
    struct qms_chain chain;
    struct qms_directory *directory;
    struct qms_rooms *rooms; /* groups and topics */
    struct qms_stats_page *stats;
    const struct qms_board *board; /* of all workers; NULL: none is shared */
    bool stats_shared;             /* the page is not the broker's own */
    struct qms_mesh *mesh;         /* the other workers; NULL: none */
    struct qms_remotes *remotes;
    size_t snapshots; /* workers that have told all their claims */
    struct qms_broker_hooks hooks;
    struct qms_session_limits limits; /* outlives the sessions */
    struct qms_heap timers;
    struct qms_list peers;   /* connected ones, by age */
    struct qms_list dirty;   /* peers whose session wants its clock looked at this turn */
    struct qms_list reap;    /* peers nobody refers to any more */
    struct qms_list ending;  /* legs that are over, see leg.h */
    struct qms_list routes;  /* all that are not over */
    struct qms_list fans;    /* streams to topics that the turn looks at */
    uint64_t mark;           /* of the newest walk over members */
    uint64_t reloads;        /* configurations that were put in force */
    struct qms_list dialers; /* connections to upstreams, upstream.c */
    bool dialing;            /* they were begun */
    struct qms_list watches, watches_due; /* all, and those with something to tell */
    size_t peer_count, route_count, admitted;
    size_t waiting;       /* peers with `wait` */
    uint64_t peer_number; /* of the newest peer */
    qms_time now;         /* of the newest turn or event */
    qms_time tick_at;
    uint64_t epoch; /* of the newest claim in the directory */
    uint64_t
        stream_window; /* first window of a stream: that of the start, whatever a reload says */
    bool draining;
    bool retiring;      /* a newer generation serves: see qms_broker_retire */
    qms_time retire_at; /* deadline of that */
};

enum qms_peer_state { QMS_PEER_GREETING, QMS_PEER_WELCOMED, QMS_PEER_CLOSING, QMS_PEER_GONE };

/* An agent's connection.  Owned by the broker's list while connected; each route that it takes
 * part in keeps it readable until the route is over. */
struct qms_peer {
    struct qms_broker *broker;
    struct qms_session *session; /* NULL once freed */
    struct qms_link *link;       /* NULL once gone */
    unsigned refs;
    unsigned server; /* index in conf->servers */
    uint64_t number; /* counts up from 1 */
    qms_time rtt;    /* last seen; 0: none yet */
    enum qms_peer_state state;
    uint8_t close_code;        /* how it ended; for the counters */
    struct qms_dialer *dialer; /* that has connected to it; NULL: it came by itself */
    const char *carrier;
    struct sockaddr_storage address; /* last seen */
    size_t id_len;
    char id[QMS_NAME_MAX + 1];
    uint64_t epoch;     /* of its claim in the directory; 0: none */
    bool debug;         /* debug_connection picks it */
    bool going_away;    /* it sent GOAWAY: takes no new routes */
    bool introduced;    /* on_peer was called */
    uint64_t accepted;  /* modules that accepted its credential */
    int64_t expires_at; /* wall seconds; 0: never */
    qms_time expire_at; /* the same on the broker's clock */
    char *scopes;       /* NULL: none */
    struct qms_limits granted;
    unsigned auth_failures;
    struct qms_hello_wait *wait; /* a credential that is answered later; NULL: none */
    qms_time connected_at;
    /* STATS_REQUEST by interval: one at a time, a new one replaces it. */
    uint64_t stats_req;
    qms_time stats_every, stats_at; /* every 0: none */
    qms_time rtt_at;                /* next sample */
    qms_time throttled_at[4];       /* when THROTTLED may be sent again, by `what` */
    size_t routes;                  /* opened by it and not over */
    uint64_t buffered;              /* bytes received from it and not yet consumed */
    uint64_t bytes_in, bytes_out, streams_total;
    uint64_t seen_inversions, seen_lost, seen_dropped;
    struct qms_timer timer;
    struct qms_list node, dirty;
    void (*on_gone)(void *arg);
    void *gone_arg;
    struct qms_list memberships; /* groups and topics that it is in */
    size_t membership_count;
    struct qms_list watches;
    size_t watch_count;
    bool watch_failed;            /* there was no memory, or too much waits */
    struct qms_list publications; /* the topics that it published to last, newest first */
    size_t publication_count;
    uint8_t *module_data; /* behind the struct */
};

static inline const struct qms_server_conf *qms_peer_server(const struct qms_peer *p)
{
    return &p->broker->conf->servers[p->server];
}
static inline struct qms_bytes qms_str(const char *s, size_t len)
{
    return (struct qms_bytes){(const uint8_t *)s, len};
}

/** Arms, moves or (QMS_NEVER) disarms. */
QMS_MUST_CHECK qms_err qms_timer_set(struct qms_broker *b, struct qms_timer *t, qms_time at);
void qms_timer_stop(struct qms_broker *b, struct qms_timer *t);

#endif
