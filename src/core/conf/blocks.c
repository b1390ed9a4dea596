/* SPDX-License-Identifier: MIT */
/* The core's directives: one row each, and the blocks they stand in.  What the rows fill:
 * main, events, quic and http a struct qms_conf; tls a struct qms_identity; server a struct
 * qms_server_conf; location a struct qms_location; route a struct qms_route_conf; upstream a
 * struct qms_upstream_conf. */
#include "core/conf/custom.h"
#include "core/conf/debug.h"
#include "core/conf/dynamic.h"
#include "core/conf/table.h"

#define C(field)   QMS_U64_FIELD(struct qms_conf, field)
#define CS(field)  QMS_STR_FIELD(struct qms_conf, field)
#define SECONDS(n) ((n)*QMS_SECOND)
#define HOURS(n)   ((n)*3600 * QMS_SECOND)
#define DAYS(n)    ((n)*86400 * QMS_SECOND)
#define KIB(n)     ((uint64_t)(n) << 10)
#define MIB(n)     ((uint64_t)(n) << 20)
#define GIB(n)     ((uint64_t)(n) << 30)

static const char *const congestion_words[] = {"cubic", "reno", "bbr", NULL};
static const char *const duplicate_words[] = {"replace", "refuse", NULL};
static const char *const steering_words[] = {"auto", "off", "on", NULL};
static const char *const early_data_words[] = {"off", "idempotent", NULL};
static const char *const retry_words[] = {"auto", "on", NULL};
/* Of directives that take something else too. */
static const char *const auto_word[] = {"auto", NULL};
static const char *const off_word[] = {"off", NULL};

/* clang-format off */
static const struct qms_directive conf_rows[] = {
    {.name = "user", .contexts = QMS_CTX_MAIN, .type = QMS_D_CUSTOM, .set = qms_conf_set_user,
     .args_min = 1, .args_max = 2, .syntax = "name [group]",
     .help = "User (and group) that workers become when the broker is started as root; without it quicms if there is such a user, else nobody."},
    {.name = "worker_processes", .contexts = QMS_CTX_MAIN, .type = QMS_D_CUSTOM,
     .set = qms_conf_set_worker_processes, .def = "auto", .min = 1, .max = QMS_WORKERS_MAX, .words = auto_word, .syntax = "auto | number",
     .help = "Worker processes; auto: as many as there are processors."},
    {.name = "worker_generations", .contexts = QMS_CTX_MAIN, .type = QMS_D_NUMBER, .offset = C(worker_generations),
     .def = "4", .min = 1, .max = 16,
     .help = "Generations of workers that may live at a time, those included that end what they have begun; a reload that running workers cannot follow, or another binary, begins a new one."},
    {.name = "seccomp", .contexts = QMS_CTX_MAIN, .type = QMS_D_FLAG, .offset = C(seccomp), .def = "on",
     .help = "Whether the kernel leaves workers only the system calls that serving needs; off is for debuggers."},
    {.name = "worker_shutdown_timeout", .contexts = QMS_CTX_MAIN, .type = QMS_D_TIME,
     .offset = C(worker_shutdown_for), .def = "30m", .min = SECONDS(1), .max = DAYS(7),
     .help = "Longest time a worker waits for streams under way when it shuts down gracefully."},
    {.name = "daemon", .contexts = QMS_CTX_MAIN, .type = QMS_D_FLAG, .offset = C(daemon), .def = "off",
     .help = "Whether the broker goes to the background; error_log must name a file or a syslog server then."},
    {.name = "pid", .contexts = QMS_CTX_MAIN, .type = QMS_D_PATH, .offset = CS(pid_file),
     .def = "/run/quicms.pid", .help = "File that holds the process id of the master."},
    {.name = "error_log", .contexts = QMS_CTX_MAIN, .type = QMS_D_CUSTOM, .set = qms_conf_set_error_log,
     .def = "stderr notice", .args_min = 1, .args_max = 2,
     .syntax = "stderr | file | syslog:server=HOST[:PORT]|unix:PATH[,facility=F][,tag=T][,nohostname] [error | warn | notice | info | debug]",
     .help = "Where log lines go, and the least important level that is written; a syslog server gets each line with the severity of its level."},
    {.name = "load_module", .contexts = QMS_CTX_MAIN, .type = QMS_D_CUSTOM,
     .set = qms_conf_set_load_module, .multiple = true, .args_min = 1, .args_max = 1, .syntax = "path",
     .help = "Shared object of a module that was built outside of quicms; its directives are known in the whole configuration, and a change takes effect by a restart or an upgrade only."},
    {.name = "debug_connection", .contexts = QMS_CTX_MAIN, .type = QMS_D_CUSTOM,
     .set = qms_conf_set_debug_connection, .multiple = true, .args_min = 1, .args_max = 64,
     .syntax = "address | network | agent:pattern ...",
     .help = "Connections whose debug lines are written to the error log whatever its level."},
    {.name = "state_dir", .contexts = QMS_CTX_MAIN, .type = QMS_D_PATH, .offset = CS(state_dir),
     .def = "/var/lib/quicms",
     .help = "Folder for the keys that outlive a restart and for self-signed certificates; made when missing."},

    {.name = "worker_connections", .contexts = QMS_CTX_EVENTS, .type = QMS_D_NUMBER,
     .offset = C(worker_connections), .def = "65536", .min = 1, .max = 1000000,
     .help = "Most connections of one worker."},
    {.name = "udp_gso", .contexts = QMS_CTX_EVENTS, .type = QMS_D_FLAG, .offset = C(udp_gso), .def = "on",
     .help = "Whether the kernel cuts and joins batches of UDP packets (UDP_SEGMENT, UDP_GRO) where it can."},
    {.name = "steering", .contexts = QMS_CTX_EVENTS, .type = QMS_D_ENUM, .offset = C(steering),
     .def = "auto", .words = steering_words,
     .help = "Whether the kernel brings packets to the worker that their connection id names: if it can (auto), or it must (on); off: workers pass all such packets on to each other."},
    {.name = "udp_rcvbuf", .contexts = QMS_CTX_EVENTS, .type = QMS_D_SIZE, .offset = C(udp_rcvbuf),
     .def = "4m", .unit = "bytes", .min = KIB(64), .max = GIB(1),
     .help = "Receive buffer of a UDP socket; the log tells when the kernel gives less."},
    {.name = "udp_sndbuf", .contexts = QMS_CTX_EVENTS, .type = QMS_D_SIZE, .offset = C(udp_sndbuf),
     .def = "4m", .unit = "bytes", .min = KIB(64), .max = GIB(1),
     .help = "Send buffer of a UDP socket; the log tells when the kernel gives less."},

    {.name = "idle_timeout", .contexts = QMS_CTX_QUIC, .type = QMS_D_TIME, .offset = C(idle_for),
     .def = "60s", .min = SECONDS(1), .max = HOURS(24),
     .help = "A connection from which nothing was heard for this long is over."},
    {.name = "keepalive", .contexts = QMS_CTX_QUIC, .type = QMS_D_CUSTOM, .set = qms_conf_set_keepalive,
     .def = "auto", .max = HOURS(24), .unit = "time", .words = auto_word, .syntax = "auto | time",
     .help = "Pace of PING frames on connections that are otherwise silent: a third of idle_timeout, or as written; 0 turns them off."},
    {.name = "handshake_timeout", .contexts = QMS_CTX_QUIC, .type = QMS_D_TIME, .offset = C(handshake_for),
     .def = "5s", .min = QMS_MILLISECOND * 100, .max = SECONDS(60),
     .help = "Longest time for a QUIC handshake."},
    {.name = "hello_timeout", .contexts = QMS_CTX_QUIC, .type = QMS_D_TIME, .offset = C(hello_for),
     .def = "5s", .min = QMS_MILLISECOND * 100, .max = SECONDS(60),
     .help = "Longest time between the end of the handshake and the agent's HELLO."},
    {.name = "congestion", .contexts = QMS_CTX_QUIC, .type = QMS_D_ENUM, .offset = C(congestion),
     .def = "bbr", .words = congestion_words, .help = "Congestion control of the broker's side."},
    {.name = "send_burst", .contexts = QMS_CTX_QUIC, .type = QMS_D_TIME, .offset = C(send_burst_for),
     .def = "1ms", .min = QMS_MILLISECOND, .max = SECONDS(1),
     .help = "Longest burst at the pacing rate; short bursts keep priorities sharp."},
    {.name = "priority_guard", .contexts = QMS_CTX_QUIC, .type = QMS_D_CUSTOM,
     .set = qms_conf_set_priority_guard, .def = "1/32", .min = 2, .max = 1024, .syntax = "1/number | off",
     .help = "Share of packets that goes to the stream that waited longest, whatever its priority."},
    {.name = "route_buffer", .contexts = QMS_CTX_QUIC, .type = QMS_D_CUSTOM,
     .set = qms_conf_set_route_buffer, .def = "64k max=4m", .unit = "bytes", .min = KIB(16), .max = MIB(64),
     .args_min = 1, .args_max = 2, .syntax = "size [max=size]",
     .help = "Bytes under way on a new stream, and what it may grow to when that limits the flow."},
    {.name = "agent_memory", .contexts = QMS_CTX_QUIC, .type = QMS_D_SIZE, .offset = C(agent_memory),
     .def = "16m", .unit = "bytes", .min = KIB(256), .max = GIB(4),
     .help = "What the windows of all streams of one agent may grow to together, so that one agent "
             "has at most this much buffered, or route_buffer for each of its streams when that "
             "is more; with more than this buffered it opens no new routes."},
    {.name = "worker_memory", .contexts = QMS_CTX_QUIC, .type = QMS_D_SIZE, .offset = C(worker_memory),
     .def = "4g", .unit = "bytes", .min = MIB(16), .max = GIB(1024),
     .help = "Bytes all streams of one worker may have buffered."},
    {.name = "max_streams", .contexts = QMS_CTX_QUIC, .type = QMS_D_NUMBER, .offset = C(max_streams),
     .def = "1024", .min = 4, .max = 65536,
     .help = "Streams of each kind that one connection may have open at a time."},
    {.name = "max_datagram", .contexts = QMS_CTX_QUIC, .type = QMS_D_SIZE, .offset = C(max_datagram),
     .def = "65535", .unit = "bytes", .max = 65535,
     .help = "Largest datagram frame that is accepted; 0 turns datagrams off."},
    {.name = "max_udp_payload", .contexts = QMS_CTX_QUIC, .type = QMS_D_SIZE, .offset = C(max_udp_payload),
     .def = "1452", .unit = "bytes", .min = 1200, .max = 65000,
     .help = "Upper end of the search for the largest packet that a path carries."},
    {.name = "agent_id_format", .contexts = QMS_CTX_QUIC, .type = QMS_D_CUSTOM, .set = qms_conf_set_agent_id_format,
     .args_min = 1, .args_max = 1, .syntax = "regular-expression",
     .help = "Ids that agents may have: the whole id must fit the expression (PCRE2), whoever names it; without it any name will do; ids that the broker itself gives, to agents that name none and to those that it dials, are not asked about."},
    {.name = "duplicate_agent", .contexts = QMS_CTX_QUIC, .type = QMS_D_ENUM, .offset = C(duplicate),
     .def = "replace", .words = duplicate_words,
     .help = "When an agent id connects that is connected already: the new connection replaces the old one, or is refused."},
    {.name = "max_memberships", .contexts = QMS_CTX_QUIC, .type = QMS_D_NUMBER, .offset = C(max_memberships),
     .def = "256", .max = 65536, .help = "Groups and topics that one connection may be in; another JOIN is answered BUSY."},
    {.name = "max_watches", .contexts = QMS_CTX_QUIC, .type = QMS_D_NUMBER, .offset = C(max_watches),
     .def = "16", .max = 1024, .help = "Watches that one connection may have; another WATCH is answered BUSY."},
    {.name = "retry_above", .contexts = QMS_CTX_QUIC, .type = QMS_D_NUMBER, .offset = C(retry_above),
     .def = "100", .max = 1000000,
     .help = "With \"retry auto\", clients must prove their address while more handshakes than this are under way; 0 means always, as with \"retry on\"."},
    {.name = "max_resets", .contexts = QMS_CTX_QUIC, .type = QMS_D_NUMBER, .offset = C(max_resets),
     .def = "1000", .max = 1000000,
     .help = "Streams that one connection may break off a second (RESET_STREAM, STOP_SENDING), twice as many at once; more closes it; 0 means unlimited."},
    {.name = "max_odd_frames", .contexts = QMS_CTX_QUIC, .type = QMS_D_NUMBER, .offset = C(max_odd_frames),
     .def = "100", .max = 1000000,
     .help = "Frames that mean little and cost work (PING, CRYPTO, PATH_CHALLENGE, connection ids, empty STREAM) that one connection may send a second, ten times as many at once, besides one for every four packets sent to it; more closes it; 0 means unlimited."},
    {.name = "max_half_open", .contexts = QMS_CTX_QUIC, .type = QMS_D_NUMBER, .offset = C(half_open_max),
     .def = "1024", .min = 1, .max = 1000000, .help = "Most handshakes under way in one worker."},
    {.name = "self_signed_lifetime", .contexts = QMS_CTX_QUIC, .type = QMS_D_TIME, .offset = C(self_signed_for),
     .def = "13d", .min = SECONDS(2), .max = DAYS(14),
     .help = "Age at which a self-signed certificate is over; its validity is that in whole days, of which browsers accept 14."},
    {.name = "self_signed_renew", .contexts = QMS_CTX_QUIC, .type = QMS_D_TIME, .offset = C(self_signed_renew_for),
     .def = "3d", .min = SECONDS(1), .max = DAYS(14),
     .help = "How long before a self-signed certificate is over the next one takes its place."},
    {.name = "self_signed_publish", .contexts = QMS_CTX_QUIC, .type = QMS_D_TIME, .offset = C(self_signed_publish_for),
     .def = "1d", .max = DAYS(14),
     .help = "How long before it takes its place the next self-signed certificate is made and published."},

    {.name = "listen", .contexts = QMS_CTX_HTTP, .type = QMS_D_CUSTOM, .set = qms_conf_set_http_listen,
     .multiple = true, .syntax = "address:port",
     .help = "TCP address of the HTTP endpoint; keep it on loopback or behind a proxy."},
    {.name = "root", .contexts = QMS_CTX_HTTP, .type = QMS_D_PATH, .offset = CS(http_root),
     .help = "Folder of the pages that are served."},
    {.name = "allowed_hosts", .contexts = QMS_CTX_HTTP, .type = QMS_D_CUSTOM, .set = qms_conf_set_allowed_hosts,
     .args_min = 1, .args_max = 64, .syntax = "name ...",
     .help = "Further Host names that are answered; loopback names and the endpoint's own address always are."},
    {.name = NULL},
};

static const struct qms_directive tls_rows[] = {
    {.name = "certificate", .contexts = QMS_CTX_TLS, .type = QMS_D_PATH,
     .offset = QMS_STR_FIELD(struct qms_identity, cert_file),
     .help = "PEM file of the certificate, followed by its chain."},
    {.name = "certificate_key", .contexts = QMS_CTX_TLS, .type = QMS_D_PATH,
     .offset = QMS_STR_FIELD(struct qms_identity, key_file), .help = "PEM file of its private key."},
    {.name = "client_ca", .contexts = QMS_CTX_TLS, .type = QMS_D_CUSTOM, .set = qms_conf_set_client_ca,
     .args_min = 1, .args_max = 2, .syntax = "file [optional | required]",
     .help = "PEM file of the authorities whose certificates agents over raw QUIC may show (optional, for \"auth cert\"), or without which their handshake fails (required)."},
    {.name = "crl", .contexts = QMS_CTX_TLS, .type = QMS_D_PATH,
     .offset = QMS_STR_FIELD(struct qms_identity, crl),
     .help = "PEM file of the lists of what those authorities have revoked; a list past its date lets nobody in."},
    {.name = "ticket_lifetime", .contexts = QMS_CTX_TLS, .type = QMS_D_TIME,
     .offset = QMS_U64_FIELD(struct qms_identity, ticket_for), .def = "6h", .max = DAYS(7),
     .help = "How long a session may be resumed, in whole seconds, without which there is no early data either; 0: every connection makes a whole handshake."},
    {.name = "self_signed", .contexts = QMS_CTX_TLS, .type = QMS_D_FLAG,
     .offset = QMS_U64_FIELD(struct qms_identity, self_signed), .def = "off",
     .help = "Whether the broker mints and renews the certificate itself; pages and agents pin its hash."},
    {.name = "self_signed_lifetime", .contexts = QMS_CTX_TLS, .type = QMS_D_TIME, .offset = QMS_U64_FIELD(struct qms_identity, self_signed_for),
     .min = SECONDS(2), .max = DAYS(14),
     .help = "Age at which a self-signed certificate is over; its validity is that in whole days, of which browsers accept 14."},
    {.name = "self_signed_renew", .contexts = QMS_CTX_TLS, .type = QMS_D_TIME, .offset = QMS_U64_FIELD(struct qms_identity, self_signed_renew_for),
     .min = SECONDS(1), .max = DAYS(14),
     .help = "How long before a self-signed certificate is over the next one takes its place."},
    {.name = "self_signed_publish", .contexts = QMS_CTX_TLS, .type = QMS_D_TIME, .offset = QMS_U64_FIELD(struct qms_identity, self_signed_publish_for),
     .max = DAYS(14),
     .help = "How long before it takes its place the next self-signed certificate is made and published."},
    {.name = NULL},
};

static const struct qms_directive server_rows[] = {
    {.name = "listen", .contexts = QMS_CTX_SERVER, .type = QMS_D_CUSTOM, .set = qms_conf_set_listen,
     .args_min = 1, .args_max = 4, .multiple = true, .syntax = "address:port quic | webtransport ... [reuseport]",
     .help = "UDP address of the server and what is spoken there: raw QUIC, WebTransport or both on one port; the word reuseport changes nothing, since sockets are always opened so that workers can share the port."},
    {.name = "tls", .contexts = QMS_CTX_SERVER, .type = QMS_D_CUSTOM, .set = qms_conf_set_tls,
     .syntax = "name | self-signed", .help = "The tls block whose certificate the server shows."},
    {.name = "auth", .contexts = QMS_CTX_SERVER, .type = QMS_D_CUSTOM, .set = qms_conf_set_auth,
     .args_min = 1, .args_max = 16, .syntax = "off | [any | all] name ...",
     .help = "Authenticators that agents must convince: one of them or all; off lets everyone in."},
    {.name = "auth_backoff", .contexts = QMS_CTX_SERVER, .type = QMS_D_CUSTOM, .set = qms_conf_set_auth_backoff,
     .def = "20", .words = off_word, .min = 1, .max = QMS_BACKOFF_FREE_MAX, .args_min = 1, .args_max = 2, .syntax = "off | number [max=time]",
     .help = "Credentials of one address (IPv6: one /64) that may fail; for each further failure nothing of that address is looked at for a time that begins with 1s and doubles, 5m at most unless it is written, and all is forgotten ten minutes after the longest wait would be over."},
    {.name = "retry", .contexts = QMS_CTX_SERVER, .type = QMS_D_ENUM,
     .offset = QMS_U64_FIELD(struct qms_server_conf, retry), .def = "auto", .words = retry_words,
     .help = "When clients must prove their address before the handshake: above retry_above, or always."},
    {.name = "early_data", .contexts = QMS_CTX_SERVER, .type = QMS_D_ENUM,
     .offset = QMS_U64_FIELD(struct qms_server_conf, early_data), .def = "off", .words = early_data_words,
     .help = "Whether agents over raw QUIC may send their HELLO and streams marked idempotent with the first packet (0-RTT); takes effect with the next worker."},
    {.name = "key_log", .contexts = QMS_CTX_SERVER, .type = QMS_D_CUSTOM, .set = qms_conf_set_key_log,
     .args_min = 1, .args_max = 65, .syntax = "path [address | network ...]",
     .help = "File for the TLS secrets of this server's connections (NSS key log format), or of those from some addresses only: who reads it can read their traffic."},
    {.name = "server_name", .contexts = QMS_CTX_SERVER, .type = QMS_D_STRING,
     .offset = QMS_STR_FIELD(struct qms_server_conf, server_name),
     .help = "Host name of the server; a self-signed certificate carries it beside localhost."},
    {.name = "allowed_origins", .contexts = QMS_CTX_SERVER, .type = QMS_D_CUSTOM,
     .set = qms_conf_set_allowed_origins, .args_min = 1, .args_max = 64, .syntax = "origin | self | * ...",
     .help = "Web origins whose pages may open WebTransport sessions; without it none may."},
    {.name = NULL},
};

static const struct qms_directive location_rows[] = {
    {.name = "webtransport", .contexts = QMS_CTX_LOCATION, .type = QMS_D_FLAG,
     .offset = QMS_U64_FIELD(struct qms_location, webtransport), .def = "off",
     .help = "Whether agents connect here by WebTransport."},
    {.name = "root", .contexts = QMS_CTX_LOCATION, .type = QMS_D_PATH,
     .offset = QMS_STR_FIELD(struct qms_location, root),
     .help = "Folder of the files that are served over HTTP/3; the whole path of the request is looked up in it."},
    {.name = "max_sessions_per_conn", .contexts = QMS_CTX_LOCATION, .type = QMS_D_NUMBER,
     .offset = QMS_U64_FIELD(struct qms_location, max_sessions_per_connection), .def = "1", .min = 1, .max = 16,
     .help = "WebTransport sessions that one HTTP/3 connection may have when it asks for another here."},
    {.name = NULL},
};

#define R(field) QMS_U64_FIELD(struct qms_route_conf, field)

static const char *const balance_words[] = {"round_robin", "least_streams", "sticky", NULL};

static const struct qms_directive route_rows[] = {
    {.name = "deny", .contexts = QMS_CTX_ROUTE, .type = QMS_D_CUSTOM, .set = qms_conf_set_deny,
     .args_min = 0, .args_max = 1, .syntax = "[on | off]",
     .help = "Refuses every stream to targets of the block and every JOIN of them (FORBIDDEN), and drops datagrams to them."},
    {.name = "priority_clamp", .contexts = QMS_CTX_ROUTE, .type = QMS_D_CUSTOM, .set = qms_conf_set_priority_clamp,
     .def = "0..255", .max = 255, .syntax = "LOW..HIGH",
     .help = "Bounds that priorities of streams are brought within, when they are opened and when they change."},
    {.name = "accept_timeout", .contexts = QMS_CTX_ROUTE, .type = QMS_D_TIME, .offset = R(accept_for),
     .def = "0", .max = HOURS(24),
     .help = "Longest time for the RESULT of a stream, after which it is refused with TIMEOUT; a shorter deadline of the opener holds; 0 leaves it to the opener."},
    {.name = "balance", .contexts = QMS_CTX_ROUTE, .type = QMS_D_ENUM, .offset = R(balance),
     .def = "round_robin", .words = balance_words,
     .help = "Groups: which member gets a stream: each in turn by weight, the one with the fewest streams for its weight, or the same one for the same META of the stream (without META: for the same agent)."},
    {.name = "failover", .contexts = QMS_CTX_ROUTE, .type = QMS_D_NUMBER, .offset = R(failover),
     .def = "2", .max = 15,
     .help = "Groups: how many other members are tried when one has no room, refuses, or dies before its RESULT; what the opener sent is kept for them, up to half of route_buffer."},
    {.name = "queue", .contexts = QMS_CTX_ROUTE, .type = QMS_D_CUSTOM, .set = qms_conf_set_queue,
     .def = "off", .words = off_word, .max = 100000, .args_min = 1, .args_max = 2, .syntax = "off | number [timeout=time]",
     .help = "Groups: how many streams may wait for a member to come, on all workers together, and how long (2s); further ones are refused with BUSY, those that waited in vain, and without a queue all, with OFFLINE."},
    {.name = "dial", .contexts = QMS_CTX_ROUTE, .type = QMS_D_CUSTOM, .set = qms_conf_set_dial, .syntax = "name",
     .help = "Groups: the members are the agents of that upstream, by their weights, and nobody joins."},
    {.name = "max_subscribers", .contexts = QMS_CTX_ROUTE, .type = QMS_D_NUMBER, .offset = R(max_subscribers),
     .def = "0", .max = UINT32_MAX,
     .help = "Topics: most subscribers of one topic, on all workers together; 0 means unlimited."},
    {.name = "on_slow", .contexts = QMS_CTX_ROUTE, .type = QMS_D_CUSTOM, .set = qms_conf_set_on_slow,
     .def = "block timeout=10s", .args_min = 1, .args_max = 3,
     .syntax = "block [timeout=time] [then=disconnect] | drop [max_lag=size] | disconnect [max_lag=size]",
     .help = "Topics: when a subscriber is slower than the others: the publisher waits for it, and after a time without progress (0: never) its stream is reset with SLOW_CONSUMER; "
             "or, once it is max_lag (512k) behind the fastest, whole messages of FRAMED streams are left out for it and other streams reset; or every stream is reset then; "
             "a subscriber may ask for drop or disconnect instead of what is written here, never for block."},
    {.name = NULL},
};

#define U(field)  QMS_U64_FIELD(struct qms_upstream_conf, field)

static const struct qms_directive upstream_rows[] = {
    {.name = "agent", .contexts = QMS_CTX_UPSTREAM, .type = QMS_D_CUSTOM, .set = qms_conf_set_upstream_agent,
     .args_min = 1, .args_max = 3, .multiple = true, .syntax = "quic://HOST:PORT [weight=NUMBER] [id=ID]",
     .help = "An agent that listens there: HOST is resolved when the configuration is read; the weight (1) is its share of a group's streams; the id is its name in this broker (the upstream's name, a slash, HOST:PORT)."},
    {.name = "tls_ca", .contexts = QMS_CTX_UPSTREAM, .type = QMS_D_CUSTOM, .set = qms_conf_set_upstream_ca,
     .syntax = "file", .help = "PEM file of the authorities that sign the agents' certificates."},
    {.name = "pin", .contexts = QMS_CTX_UPSTREAM, .type = QMS_D_CUSTOM, .set = qms_conf_set_upstream_pin,
     .multiple = true, .syntax = "sha256",
     .help = "SHA-256 of an agent's public key (SPKI) or whole certificate, 64 hex digits; with pins nothing else of a certificate is looked at."},
    {.name = "server_name", .contexts = QMS_CTX_UPSTREAM, .type = QMS_D_STRING,
     .offset = QMS_STR_FIELD(struct qms_upstream_conf, server_name),
     .help = "Name that the agents' certificates must have, where it is not the URL's host."},
    {.name = "token_file", .contexts = QMS_CTX_UPSTREAM, .type = QMS_D_CUSTOM, .set = qms_conf_set_upstream_token,
     .syntax = "file", .help = "File whose first line is the token that the agents want to see; one that knows it as a broker's (qms_options_add_broker_token) is told who opens each stream, to others the broker is the source of all."},
    {.name = "certificate", .contexts = QMS_CTX_UPSTREAM, .type = QMS_D_CUSTOM, .set = qms_conf_set_upstream_certificate,
     .syntax = "file", .help = "PEM file of the certificate that the broker shows to agents who ask for one; an agent that knows its key as a broker's (qms_options_add_broker_pin) is told who opens each stream."},
    {.name = "certificate_key", .contexts = QMS_CTX_UPSTREAM, .type = QMS_D_CUSTOM, .set = qms_conf_set_upstream_key,
     .syntax = "file", .help = "PEM file of the key of that certificate."},
    {.name = "rules_of", .contexts = QMS_CTX_UPSTREAM, .type = QMS_D_CUSTOM, .set = qms_conf_set_upstream_rules,
     .syntax = "server_name | listen",
     .help = "Server whose rules hold for the agents as if they had connected to it (its routes, limits, access lists and logs), by its server_name or one of its listen addresses; without it the first server."},
    {.name = "keep", .contexts = QMS_CTX_UPSTREAM, .type = QMS_D_NUMBER, .offset = U(keep),
     .def = "1", .min = 1, .max = QMS_UPSTREAM_KEEP_MAX,
     .help = "Connections that are kept to each agent, shared out to the workers; the second one is known as ID~2, and so on."},
    {.name = "connect_timeout", .contexts = QMS_CTX_UPSTREAM, .type = QMS_D_TIME, .offset = U(connect_for),
     .def = "5s", .min = QMS_MILLISECOND * 100, .max = SECONDS(60),
     .help = "Longest time from the first packet to the agent's WELCOME."},
    {.name = "health", .contexts = QMS_CTX_UPSTREAM, .type = QMS_D_CUSTOM, .set = qms_conf_set_upstream_health,
     .def = "interval=5s fails=3", .args_min = 1, .args_max = 2, .syntax = "off | [interval=TIME] [fails=NUMBER]",
     .help = "Pace of PING messages, and how many in a row may stay without an answer before the connection is given up and dialed anew."},
    {.name = NULL},
};

const struct qms_conf_block qms_conf_blocks[] = {
    {.name = "main", .ctx = QMS_CTX_MAIN, .modules = true, .rows = conf_rows,
     .help = "The text itself, outside of all blocks."},
    {.name = "events", .ctx = QMS_CTX_EVENTS, .outer = QMS_CTX_MAIN, .rows = conf_rows,
     .help = "How workers deal with sockets."},
    {.name = "quic", .ctx = QMS_CTX_QUIC, .outer = QMS_CTX_MAIN, .modules = true, .rows = conf_rows,
     .help = "Everything that agents connect to."},
    {.name = "tls", .ctx = QMS_CTX_TLS, .outer = QMS_CTX_QUIC, .arg = "name", .multiple = true,
     .rows = tls_rows, .help = "A certificate and its key."},
    {.name = "server", .ctx = QMS_CTX_SERVER, .outer = QMS_CTX_QUIC, .multiple = true, .modules = true,
     .rows = server_rows, .help = "Addresses that share a certificate, authentication and limits."},
    {.name = "route", .ctx = QMS_CTX_ROUTE, .outer = QMS_CTX_QUIC | QMS_CTX_SERVER, .args_max = 3,
     .arg = "KIND [= | ^= | ~] NAME | KIND * | *", .multiple = true, .modules = true, .rows = route_rows,
     .help = "What holds for streams and datagrams to some targets; KIND is agent, group, topic or service. "
             "The exact name (=) wins; then the longest prefix, if it is written with ^=; then the first regular expression (~, PCRE2) that fits (a name on which one gives up is refused); "
             "then the longest prefix (\"*\" is the empty one); \"route *\" is for every kind and comes last. "
             "Blocks of the quic block hold in every server, which may replace one by another for the same names."},
    {.name = "location", .ctx = QMS_CTX_LOCATION, .outer = QMS_CTX_SERVER, .arg = "path", .multiple = true,
     .rows = location_rows,
     .help = "What is found at a path of an HTTP/3 server: files below it, where the longest path that has a root and begins the request's wins; WebTransport sessions at exactly this path."},
    {.name = "upstream", .ctx = QMS_CTX_UPSTREAM, .outer = QMS_CTX_QUIC, .arg = "name", .multiple = true,
     .rows = upstream_rows,
     .help = "Agents that listen and that the broker connects to by itself, again and again when they are gone. While one is connected it is an agent like any other, under its id."},
    {.name = "http", .ctx = QMS_CTX_HTTP, .outer = QMS_CTX_MAIN, .modules = true, .rows = conf_rows,
     .help = "The HTTP endpoint for people and machines that watch the broker."},
    {.name = NULL},
};
/* clang-format on */
