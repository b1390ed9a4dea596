/* SPDX-License-Identifier: MIT */
/* Counters of one worker: one flat page of 64-bit words that only its worker writes (relaxed
 * atomic stores), so that another process may map and sum it.  The tables below make the enums,
 * the names and the help of the metrics; metrics.c turns pages into struct qms_metric. */
#ifndef QMS_CORE_SHARED_STATS_H
#define QMS_CORE_SHARED_STATS_H

#include <quicms/module.h>

/* X(id, name, labels, type, merge over workers, help).  Rows of one name stand together. */
#define QMS_STATS_TABLE(X)                                                                     \
    X(START_TIME, "quicms_process_start_time_seconds", "", GAUGE, MIN,                         \
      "Start of the broker, in seconds since the epoch.")                                      \
    X(CONNECTIONS_QUIC, "quicms_connections", "carrier=\"quic\"", GAUGE, SUM,                  \
      "Agent connections that are open now.")                                                  \
    X(CONNECTIONS_WT, "quicms_connections", "carrier=\"webtransport\"", GAUGE, SUM, "")        \
    X(CONNECTIONS_OTHER, "quicms_connections", "carrier=\"other\"", GAUGE, SUM, "")            \
    X(CONNECTIONS_TOTAL_QUIC, "quicms_connections_total", "carrier=\"quic\"", COUNTER, SUM,    \
      "Agent connections since the start.")                                                    \
    X(CONNECTIONS_TOTAL_WT, "quicms_connections_total", "carrier=\"webtransport\"", COUNTER,   \
      SUM, "")                                                                                 \
    X(CONNECTIONS_TOTAL_OTHER, "quicms_connections_total", "carrier=\"other\"", COUNTER, SUM,  \
      "")                                                                                      \
    X(AGENTS, "quicms_agents", "", GAUGE, SUM, "Agents that are welcomed and connected now.")  \
    X(WELCOMED, "quicms_agents_welcomed_total", "", COUNTER, SUM,                              \
      "Sessions that were answered WELCOME.")                                                  \
    X(ROUTES, "quicms_streams", "", GAUGE, SUM, "Routed streams that are open now.")           \
    X(STREAM_BYTES_IN, "quicms_stream_bytes_total", "direction=\"in\"", COUNTER, SUM,          \
      "Payload bytes of streams from and to agents.")                                          \
    X(STREAM_BYTES_OUT, "quicms_stream_bytes_total", "direction=\"out\"", COUNTER, SUM, "")    \
    X(LEVEL_STREAMS_BACKGROUND, "quicms_priority_streams_total", "priority=\"background\"",    \
      COUNTER, SUM,                                                                            \
      "Routed streams that were opened, by the named priority nearest to theirs.")             \
    X(LEVEL_STREAMS_LOW, "quicms_priority_streams_total", "priority=\"low\"", COUNTER, SUM,    \
      "")                                                                                      \
    X(LEVEL_STREAMS_NORMAL, "quicms_priority_streams_total", "priority=\"normal\"", COUNTER,   \
      SUM, "")                                                                                 \
    X(LEVEL_STREAMS_HIGH, "quicms_priority_streams_total", "priority=\"high\"", COUNTER, SUM,  \
      "")                                                                                      \
    X(LEVEL_STREAMS_CRITICAL, "quicms_priority_streams_total", "priority=\"critical\"",        \
      COUNTER, SUM, "")                                                                        \
    X(LEVEL_BYTES_BACKGROUND, "quicms_priority_bytes_total", "priority=\"background\"",        \
      COUNTER, SUM,                                                                            \
      "Payload bytes of streams that agents acknowledged, by the priority they then had.")     \
    X(LEVEL_BYTES_LOW, "quicms_priority_bytes_total", "priority=\"low\"", COUNTER, SUM, "")    \
    X(LEVEL_BYTES_NORMAL, "quicms_priority_bytes_total", "priority=\"normal\"", COUNTER, SUM,  \
      "")                                                                                      \
    X(LEVEL_BYTES_HIGH, "quicms_priority_bytes_total", "priority=\"high\"", COUNTER, SUM, "")  \
    X(LEVEL_BYTES_CRITICAL, "quicms_priority_bytes_total", "priority=\"critical\"", COUNTER,   \
      SUM, "")                                                                                 \
    X(DATAGRAMS_IN, "quicms_datagrams_total", "direction=\"in\"", COUNTER, SUM,                \
      "Datagrams from and to agents.")                                                         \
    X(DATAGRAMS_OUT, "quicms_datagrams_total", "direction=\"out\"", COUNTER, SUM, "")          \
    X(DATAGRAM_BYTES_IN, "quicms_datagram_bytes_total", "direction=\"in\"", COUNTER, SUM,      \
      "Payload bytes of datagrams from and to agents.")                                        \
    X(DATAGRAM_BYTES_OUT, "quicms_datagram_bytes_total", "direction=\"out\"", COUNTER, SUM,    \
      "")                                                                                      \
    X(DROPPED_NO_TARGET, "quicms_datagrams_dropped_total", "reason=\"no_target\"", COUNTER,    \
      SUM, "Datagrams that were dropped.")                                                     \
    X(DROPPED_KIND, "quicms_datagrams_dropped_total", "reason=\"unsupported\"", COUNTER, SUM,  \
      "")                                                                                      \
    X(DROPPED_REFUSED, "quicms_datagrams_dropped_total", "reason=\"refused\"", COUNTER, SUM,   \
      "")                                                                                      \
    X(DROPPED_TOO_LARGE, "quicms_datagrams_dropped_total", "reason=\"too_large\"", COUNTER,    \
      SUM, "")                                                                                 \
    X(DROPPED_SEND, "quicms_datagrams_dropped_total", "reason=\"send_failed\"", COUNTER, SUM,  \
      "")                                                                                      \
    X(DROPPED_QUEUE, "quicms_datagrams_dropped_total", "reason=\"queue_full\"", COUNTER, SUM,  \
      "")                                                                                      \
    X(MALFORMED, "quicms_malformed_total", "", COUNTER, SUM,                                   \
      "Malformed headers and other oddities that agents sent.")                                \
    X(MEMORY_REFUSED, "quicms_memory_refusals_total", "", COUNTER, SUM,                        \
      "Streams refused because a memory limit was reached.")                                   \
    X(THROTTLED, "quicms_throttled_total", "", COUNTER, SUM,                                   \
      "THROTTLED messages sent to agents.")                                                    \
    X(FAILOVERS, "quicms_group_failovers_total", "", COUNTER, SUM,                             \
      "Streams to groups that were given to another member.")                                  \
    X(TOPIC_DROPPED, "quicms_topic_messages_dropped_total", "", COUNTER, SUM,                  \
      "Messages of topics that were left out for slow subscribers.")                           \
    X(TOPIC_CUT, "quicms_topic_subscribers_cut_total", "", COUNTER, SUM,                       \
      "Streams of topics that were reset because their subscriber was too slow.")              \
    X(BUFFERS, "quicms_buffer_bytes", "", GAUGE, SUM, "Payload bytes held in memory.")         \
    X(LOG_LINES_WRITTEN, "quicms_log_lines_total", "result=\"written\"", COUNTER, SUM,         \
      "Lines of logs other than the error log.")                                               \
    X(LOG_LINES_LOST, "quicms_log_lines_total", "result=\"lost\"", COUNTER, SUM, "")           \
    X(ERROR_LOG_LOST, "quicms_error_log_lost_total", "", COUNTER, SUM,                         \
      "Lines of the error log that its file or syslog server did not take.")                   \
    X(INVERSIONS, "quicms_priority_inversions_total", "", COUNTER, SUM,                        \
      "Packets sent while a more urgent stream waited.")                                       \
    X(PACKETS_LOST, "quicms_packets_lost_total", "", COUNTER, SUM,                             \
      "Packets to agents that were declared lost.")                                            \
    X(HANDSHAKES_STARTED, "quicms_handshakes_started_total", "", COUNTER, SUM,                 \
      "QUIC handshakes that were begun.")                                                      \
    X(HANDSHAKES_COMPLETED, "quicms_handshakes_completed_total", "", COUNTER, SUM,             \
      "QUIC handshakes that were completed.")                                                  \
    X(HANDSHAKES_FAILED_TLS, "quicms_handshakes_failed_total", "reason=\"tls\"", COUNTER, SUM, \
      "QUIC handshakes that failed.")                                                          \
    X(HANDSHAKES_FAILED_ALPN, "quicms_handshakes_failed_total", "reason=\"alpn\"", COUNTER,    \
      SUM, "")                                                                                 \
    X(HANDSHAKES_FAILED_TIMEOUT, "quicms_handshakes_failed_total", "reason=\"timeout\"",       \
      COUNTER, SUM, "")                                                                        \
    X(HANDSHAKES_FAILED_REFUSED, "quicms_handshakes_failed_total", "reason=\"refused\"",       \
      COUNTER, SUM, "")                                                                        \
    X(HANDSHAKES_FAILED_PROTOCOL, "quicms_handshakes_failed_total", "reason=\"protocol\"",     \
      COUNTER, SUM, "")                                                                        \
    X(QUIC_CONNECTIONS, "quicms_quic_connections", "", GAUGE, SUM,                             \
      "QUIC connections of any kind that are open now, handshakes included.")                  \
    X(RETRIES, "quicms_retries_sent_total", "", COUNTER, SUM, "Retry packets sent.")           \
    X(VERSION_NEGOTIATIONS, "quicms_version_negotiations_sent_total", "", COUNTER, SUM,        \
      "Version Negotiation packets sent.")                                                     \
    X(RESETS, "quicms_stateless_resets_sent_total", "", COUNTER, SUM,                          \
      "Stateless resets sent.")                                                                \
    X(CUT_RESETS, "quicms_connections_cut_total", "reason=\"resets\"", COUNTER, SUM,           \
      "QUIC connections that were cut because their peer did too much of something.")          \
    X(CUT_ODD, "quicms_connections_cut_total", "reason=\"odd_frames\"", COUNTER, SUM, "")      \
    X(PACKETS_DROPPED, "quicms_packets_dropped_total", "", COUNTER, SUM,                       \
      "UDP packets that belonged to nothing and were dropped.")                                \
    X(PACKETS_FORWARDED, "quicms_packets_forwarded_total", "", COUNTER, SUM,                   \
      "UDP packets that reached the wrong worker and were passed on.")                         \
    X(UDP_PACKETS_IN, "quicms_udp_packets_total", "direction=\"in\"", COUNTER, SUM,            \
      "UDP packets received and sent.")                                                        \
    X(UDP_PACKETS_OUT, "quicms_udp_packets_total", "direction=\"out\"", COUNTER, SUM, "")      \
    X(UDP_BYTES_IN, "quicms_udp_bytes_total", "direction=\"in\"", COUNTER, SUM,                \
      "UDP payload bytes received and sent.")                                                  \
    X(UDP_BYTES_OUT, "quicms_udp_bytes_total", "direction=\"out\"", COUNTER, SUM, "")          \
    X(UDP_READS, "quicms_udp_syscalls_total", "call=\"receive\"", COUNTER, SUM,                \
      "System calls on UDP sockets.")                                                          \
    X(UDP_WRITES, "quicms_udp_syscalls_total", "call=\"send\"", COUNTER, SUM, "")              \
    X(H3_REQUESTS_OK, "quicms_h3_requests_total", "status=\"2xx\"", COUNTER, SUM,              \
      "Plain HTTP/3 requests that were answered.")                                             \
    X(H3_REQUESTS_UNCHANGED, "quicms_h3_requests_total", "status=\"3xx\"", COUNTER, SUM, "")   \
    X(H3_REQUESTS_BAD, "quicms_h3_requests_total", "status=\"other\"", COUNTER, SUM, "")       \
    X(WT_REFUSED_ORIGIN, "quicms_webtransport_refused_total", "reason=\"origin\"", COUNTER,    \
      SUM, "WebTransport sessions that were refused.")                                         \
    X(WT_REFUSED_PATH, "quicms_webtransport_refused_total", "reason=\"path\"", COUNTER, SUM,   \
      "")                                                                                      \
    X(WT_REFUSED_DRAINING, "quicms_webtransport_refused_total", "reason=\"draining\"",         \
      COUNTER, SUM, "")

enum qms_stats_id {
#define QMS_STATS_ENUM(id, name, labels, type, merge, help) QMS_S_##id,
    QMS_STATS_TABLE(QMS_STATS_ENUM)
#undef QMS_STATS_ENUM
        QMS_S_COUNT
};

/* X(id, name, unit divisor, help, bounds in the unit recorded).  16 bounds at most. */
#define QMS_STATS_HISTOGRAM_MAX 16
#define QMS_STATS_US(n)         ((n)*QMS_MICROSECOND)
#define QMS_STATS_MS(n)         ((n)*QMS_MILLISECOND)
#define QMS_STATS_HISTOGRAMS(X)                                                                \
    X(RTT, "quicms_rtt_seconds", 1e9, "Smoothed round-trip times of agent connections.",       \
      QMS_STATS_US(100), QMS_STATS_US(250), QMS_STATS_US(500), QMS_STATS_MS(1),                \
      QMS_STATS_US(2500), QMS_STATS_MS(5), QMS_STATS_MS(10), QMS_STATS_MS(25),                 \
      QMS_STATS_MS(50), QMS_STATS_MS(100), QMS_STATS_MS(250), QMS_STATS_MS(500),               \
      QMS_STATS_MS(1000), QMS_STATS_MS(2500))                                                  \
    X(ROUTE_LATENCY, "quicms_route_latency_seconds", 1e9,                                      \
      "Time from the arrival of a ROUTE to its RESULT.", QMS_STATS_US(50), QMS_STATS_US(100),  \
      QMS_STATS_US(250), QMS_STATS_US(500), QMS_STATS_MS(1), QMS_STATS_US(2500),               \
      QMS_STATS_MS(5), QMS_STATS_MS(10), QMS_STATS_MS(25), QMS_STATS_MS(50),                   \
      QMS_STATS_MS(100), QMS_STATS_MS(250), QMS_STATS_MS(1000), QMS_STATS_MS(2500))            \
    X(ROUTE_DURATION, "quicms_stream_duration_seconds", 1e9, "Life time of routed streams.",   \
      QMS_STATS_MS(1), QMS_STATS_MS(5), QMS_STATS_MS(10), QMS_STATS_MS(50), QMS_STATS_MS(100), \
      QMS_STATS_MS(500), QMS_STATS_MS(1000), QMS_STATS_MS(5000), QMS_STATS_MS(10000),          \
      QMS_STATS_MS(60000), QMS_STATS_MS(300000), QMS_STATS_MS(1800000), QMS_STATS_MS(3600000)) \
    X(ROUTE_BYTES, "quicms_stream_size_bytes", 1.0,                                            \
      "Payload bytes of routed streams, both directions together.", 0, 64, 256, 1024, 4096,    \
      16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864, 268435456, 1073741824)

enum qms_stats_histogram {
#define QMS_STATS_ENUM(id, ...) QMS_H_##id,
    QMS_STATS_HISTOGRAMS(QMS_STATS_ENUM)
#undef QMS_STATS_ENUM
        QMS_H_COUNT
};

/* Figures by a label: a short text of a module's, or a name of the configuration; X(id, name,
 * label, type, help). */
#define QMS_STATS_FAMILIES(X)                                                                  \
    X(AUTH_FAILED, "quicms_auth_failures_total", "reason", COUNTER,                            \
      "HELLO and AUTH messages whose credential was not accepted.")                            \
    X(CONNECT_REFUSED, "quicms_connections_refused_total", "reason", COUNTER,                  \
      "Connections that were refused before their handshake.")                                 \
    X(ROUTE_REFUSED, "quicms_stream_refusals_total", "reason", COUNTER,                        \
      "Streams that the broker refused.")                                                      \
    X(ROUTE_CUT, "quicms_stream_violations_total", "reason", COUNTER,                          \
      "Streams under way that a module ended because of their payload.")                       \
    X(DATAGRAM_REFUSED, "quicms_datagram_refusals_total", "reason", COUNTER,                   \
      "Datagrams that the broker or a module refused, so that they were dropped.")             \
    X(MODULE_EVENT, "quicms_module_events_total", "event", COUNTER,                            \
      "What modules noticed without refusing it, such as limits in a dry run.")                \
    X(UPSTREAM_CONNECTIONS, "quicms_upstream_connections", "upstream", GAUGE,                  \
      "Connections to upstream agents that are in use.")                                       \
    X(UPSTREAM_DIALS, "quicms_upstream_dials_total", "upstream", COUNTER,                      \
      "Connections to upstream agents that were tried.")                                       \
    X(UPSTREAM_FAILURES, "quicms_upstream_dial_failures_total", "upstream", COUNTER,           \
      "Tries that did not lead to a connection.")                                              \
    X(UPSTREAM_UNHEALTHY, "quicms_upstream_health_failures_total", "upstream", COUNTER,        \
      "Connections to upstream agents that were given up because PING was not answered.")

enum qms_stats_family {
#define QMS_STATS_ENUM(id, ...) QMS_F_##id,
    QMS_STATS_FAMILIES(QMS_STATS_ENUM)
#undef QMS_STATS_ENUM
        QMS_F_COUNT
};
#define QMS_STATS_LABELS    24 /* of one family; further ones are counted as "other" */
#define QMS_STATS_LABEL_MAX 72 /* bytes of a label, NUL included */

#define QMS_STATS_KINDS    5  /* enum qms_kind */
#define QMS_STATS_STATUSES 25 /* 0x00..0x16, "application", "unknown" */

#define QMS_STATS_ROUTES 64 /* route blocks; further ones are counted as "other" */
#define QMS_STATS_ROUTE_NAME                                                                   \
    64 /* bytes of a block's words, NUL included; longer ones are cut */

/* What ended under one route block. */
struct qms_stats_route {
    uint64_t count;                  /* routes; 0: the place is free */
    char name[QMS_STATS_ROUTE_NAME]; /* written once, before count */
    uint64_t streams[QMS_STATS_STATUSES];
    uint64_t refused[QMS_STATS_LABELS + 1]; /* by the labels of QMS_F_ROUTE_REFUSED */
    uint64_t cut[QMS_STATS_LABELS + 1];     /* by those of QMS_F_ROUTE_CUT */
    uint64_t bytes_in, bytes_out;           /* payload from and to openers */
    uint64_t buckets[QMS_STATS_HISTOGRAM_MAX + 1],
        sum; /* durations; bounds of ROUTE_DURATION */
};

/* One worker's page.  Zeroed memory is a valid empty page. */
struct qms_stats_page {
    uint64_t words[QMS_S_COUNT];
    uint64_t streams[QMS_STATS_KINDS][QMS_STATS_STATUSES];
    uint64_t closed[QMS_STATS_STATUSES]; /* connections by the code of their end */
    struct {
        uint64_t buckets[QMS_STATS_HISTOGRAM_MAX + 1], sum, count;
    } histograms[QMS_H_COUNT];
    struct {
        uint64_t count;
        char text[QMS_STATS_LABEL_MAX]; /* written once, before count */
    } labels[QMS_F_COUNT][QMS_STATS_LABELS + 1];
    struct qms_stats_route routes[QMS_STATS_ROUTES + 1];
};

static inline void qms_stats_bump(uint64_t *word, uint64_t by)
{
    __atomic_store_n(word, __atomic_load_n(word, __ATOMIC_RELAXED) + by, __ATOMIC_RELAXED);
}
static inline void qms_stats_add(struct qms_stats_page *p, enum qms_stats_id id, uint64_t by)
{
    qms_stats_bump(&p->words[id], by);
}
static inline void qms_stats_sub(struct qms_stats_page *p, enum qms_stats_id id, uint64_t by)
{
    qms_stats_bump(&p->words[id], 0 - by);
}
static inline void qms_stats_set(struct qms_stats_page *p, enum qms_stats_id id, uint64_t value)
{
    __atomic_store_n(&p->words[id], value, __ATOMIC_RELAXED);
}
static inline uint64_t qms_stats_get(const struct qms_stats_page *p, enum qms_stats_id id)
{
    return __atomic_load_n(&p->words[id], __ATOMIC_RELAXED);
}

/** Counts under the row of the five, from `background` up to critical, whose named priority
 * (QMS_PRIORITY_BACKGROUND .. _CRITICAL) is nearest to `priority`. */
void qms_stats_level(struct qms_stats_page *p, enum qms_stats_id background, uint8_t priority,
                     uint64_t by);

/** Column of a status in the tables above, and its label. */
unsigned qms_stats_status(uint64_t code);
const char *qms_stats_status_label(unsigned column);

void qms_stats_stream(struct qms_stats_page *p, unsigned kind, uint64_t status);
void qms_stats_closed(struct qms_stats_page *p, uint64_t code);
/** `value` in nanoseconds or bytes. */
void qms_stats_observe(struct qms_stats_page *p, enum qms_stats_histogram h, uint64_t value);
/** Upper bounds of its buckets, ended by UINT64_MAX. */
const uint64_t *qms_stats_bounds(enum qms_stats_histogram h);
/** Counts under a label: static text of the broker or a module; NULL counts as "other". */
void qms_stats_label(struct qms_stats_page *p, enum qms_stats_family f, const char *label);
/** A route that has ended under the block of that name. */
struct qms_stats_route_end {
    const char *block;
    const char *reason; /* counted under this label before; NULL: neither refused nor cut */
    bool cut;           /* which of the two */
    uint8_t status;
    uint64_t forward, reverse; /* payload bytes */
    qms_time lasted;
};
void qms_stats_route_end(struct qms_stats_page *p, const struct qms_stats_route_end *end);
/** Adds to what is counted under a label, also 0: a gauge is told from then on.  A gauge may go
 * down (0 - by). */
void qms_stats_label_add(struct qms_stats_page *p, enum qms_stats_family f, const char *label,
                         uint64_t by);
/** What was counted under it (tests). */
uint64_t qms_stats_label_get(const struct qms_stats_page *p, enum qms_stats_family f,
                             const char *label);

/** Whether a family tells what is now; others count up. */
bool qms_stats_is_gauge(enum qms_stats_family f);
/** A new process goes on with the page of one that died: counters stay, gauges begin at 0. */
void qms_stats_restart(struct qms_stats_page *p);

/** Pages that qms_metrics_walk of this process sums: its own, and those it mapped of other
 * workers.  The page must stay until it is removed.  QMS_E_LIMIT: too many. */
#define QMS_STATS_PAGES 256
QMS_MUST_CHECK qms_err qms_stats_register(const struct qms_stats_page *page);
void qms_stats_unregister(const struct qms_stats_page *page);
/** The i-th page, i below QMS_STATS_PAGES; NULL: none there. */
const struct qms_stats_page *qms_stats_page_at(size_t i);
/** Walks what was counted by route block (metrics_routes.c). */
void qms_stats_walk_routes(void (*each)(void *arg, const struct qms_metric *metric), void *arg);
/** Labels of a family in all pages, those of counters that never counted left out, each once;
 * returns how many, at most `max`. */
size_t qms_stats_labels(enum qms_stats_family f, char (*out)[QMS_STATS_LABEL_MAX], size_t max);
/** `key="value"` as in the exposition format, escaped, cut to `cap`; returns its length. */
size_t qms_stats_put_label(char *out, size_t cap, const char *key, const char *value);

#endif
