/* SPDX-License-Identifier: MIT */
/* The module interface: how authentication, limits, metrics and logs plug into the broker.
 *
 * A module is one const struct qms_module.  The core knows it by its callbacks only.  Objects
 * of the core are opaque here and read through the functions at the end of this file.
 *
 * Life of a configuration object: conf_size zeroed bytes a block -> directives fill it
 * (defaults first) -> conf_merge with the enclosing block's -> conf_load -> used -> conf_free.
 * A block that writes none of a module's directives shares the object of the block around it.
 * On reload a whole new set is built beside the old one; living peers and streams keep the
 * state they have (peer_size, stream_size memory) and see the new conf from then on.
 *
 * A module built outside the tree is a shared object that exports its struct as `qms_module`:
 * `QMS_MODULE_EXPORT const struct qms_module qms_module = {...};`.  This header and what it
 * includes is all it needs; `load_module` of the configuration names the file.
 *
 * Threads: everything runs on its process's one loop thread.  conf_* and the directives' `set`
 * run in the master, also for `quicms -t`, and on a reload in each worker once more, from the
 * bytes that the master read; everything else runs in a worker.  No callback may block.
 */
#ifndef QUICMS_MODULE_H
#define QUICMS_MODULE_H

#include <quicms/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Counts up with each change of this header that a module which was built before would not
 * survive: a broker loads modules of its own number only. */
#define QMS_MODULE_ABI 2

/** Makes the one symbol that a shared object must export. */
#define QMS_MODULE_EXPORT                                                                      \
    extern QMS_API const struct qms_module qms_module;                                         \
    QMS_API

struct qms_diag;     /* receives file, line and sentence of a configuration error */
struct qms_peer;     /* a connected agent or browser session */
struct qms_route;    /* one stream on its way through the broker */
struct qms_http;     /* one request at the HTTP endpoint */
struct qms_log_file; /* a log of the operator's: a file or a syslog server */

/** What a callback decides. */
enum qms_verdict {
    QMS_PASS,   /* no objection; the next module is asked */
    QMS_ACCEPT, /* on_hello only: the credential is good; the other authenticators are asked
                   with `auth all` only */
    QMS_LATER,  /* on_hello of an authenticator only: it asks elsewhere, calls qms_hello_resume
                   when it knows, and is asked again then */
    QMS_DELAY,  /* on_data only: credit for these bytes no earlier than *retry_at */
    QMS_REJECT  /* refused, by struct qms_refusal; nobody else is asked */
};

/** A piece of a stream's payload, as on_data sees it. */
struct qms_payload {
    bool forward;           /* from the opener of the route; else from its acceptor */
    bool fin;               /* nothing follows in this direction; `bytes` may be empty then */
    struct qms_bytes bytes; /* lent for the call */
};

/** Why something was rejected; the core sends it to the agent.  Before the call `code` is what
 * fits the callback (BUSY, REJECTED, UNAUTHENTICATED), the rest zero. */
struct qms_refusal {
    enum qms_code code;
    uint64_t retry_after_ms; /* 0: not told */
    const char *reason;      /* static text for the agent; must not help an attacker */
    const char *label;       /* static label for logs and metrics; may say more */
};

enum qms_ctx {
    QMS_CTX_MAIN = 1,
    QMS_CTX_EVENTS = 2,
    QMS_CTX_QUIC = 4,
    QMS_CTX_SERVER = 8,
    QMS_CTX_LOCATION = 16,
    QMS_CTX_HTTP = 32,
    QMS_CTX_TLS = 64,
    QMS_CTX_ROUTE = 128, /* inside quic and server */
    QMS_CTX_UPSTREAM = 256
};

enum qms_dtype {
    QMS_D_FLAG,   /* on | off -> uint64_t 1 | 0 */
    QMS_D_NUMBER, /* -> uint64_t */
    QMS_D_SIZE,   /* k m g -> uint64_t bytes */
    QMS_D_TIME,   /* ms s m h d -> uint64_t nanoseconds */
    QMS_D_ENUM,   /* one of `words` (NULL-ended) -> uint64_t index */
    QMS_D_STRING, /* -> const char *, lives as long as the configuration */
    QMS_D_PATH,   /* as STRING, made absolute from the prefix */
    QMS_D_CUSTOM  /* `set` is called */
};

/** One configuration directive; the table also makes doc/directives.md and error messages. Rows
 * of modules may stand in the main, quic, server, route and http blocks. */
struct qms_directive {
    const char *name;
    unsigned contexts; /* enum qms_ctx bits */
    enum qms_dtype type;
    size_t offset;               /* of the field in the module's conf struct */
    const char *def;             /* default as it would be written; NULL: none */
    const char *unit;            /* "bytes", "bytes/s"; NULL: none */
    uint64_t min, max;           /* NUMBER, SIZE, TIME (in ns); max 0: no bound */
    const char *const *words;    /* ENUM */
    unsigned args_min, args_max; /* CUSTOM: number of arguments; 0,0 means exactly one */
    bool multiple;               /* may stand more than once in a block */
    /** CUSTOM: argv[0..argc-1] are the arguments, living as long as the configuration.
     * On failure write qms_diag_error and return QMS_E_CONFIG. */
    qms_err (*set)(void *conf, const struct qms_directive *d, int argc, const char *const *argv,
                   struct qms_diag *diag);
    const char *help;   /* one sentence, ends with a full stop */
    const char *syntax; /* the arguments as documented; NULL: made from the type */
};

/** Field offset that refuses to compile when the field is not a uint64_t. */
#define QMS_U64_FIELD(type, field)                                                             \
    (offsetof(type, field) + 0 * sizeof(&((type *)0)->field == (uint64_t *)0))
/** The same for const char *. */
#define QMS_STR_FIELD(type, field)                                                             \
    (offsetof(type, field) + 0 * sizeof(&((type *)0)->field == (const char **)0))

/** What an agent presents in HELLO or AUTH; lent for the call. */
struct qms_credential {
    uint64_t scheme;           /* 0 none, 1 token, 2 JWT, 3 client certificate (wire.md 5) */
    struct qms_bytes bytes;    /* the token */
    struct qms_bytes agent_id; /* the id asked for; empty: the broker assigns */
    /* With `auth all`: another authenticator has refused it, so it is refused whatever this one
     * says.  It is asked all the same, and must take the time that it takes for any other: how
     * long a refusal takes would tell who refused.  So nothing that is remembered of good
     * credentials may answer for it, and nothing that is remembered of it for good ones. */
    bool refused;
};

/** A token bucket that a credential grants. */
struct qms_limit_rate {
    uint64_t per_second; /* 0: not granted, what is configured holds */
    uint64_t burst;      /* what may be used at once; 0: one second's worth */
};
struct qms_limits {
    struct qms_limit_rate streams, bytes, datagrams;
};

/** What an authenticator grants; zeroed before on_hello. */
struct qms_grant {
    /* The id that the credential itself names, lent; empty: the one asked for stands.  The core
     * refuses an agent that asked for another one. */
    struct qms_bytes agent_id;
    int64_t
        expires_at; /* wall seconds; 0: never.  The core ends the connection then (EXPIRED) */
    const char *scopes;       /* space-separated, copied by the core; NULL: none */
    struct qms_limits limits; /* of several grants the lowest rate of each holds */
};

/** One location of the HTTP endpoint. */
struct qms_http_location {
    const char *path; /* exact */
    void (*handler)(struct qms_http *req, void *worker, const void *conf);
};

struct qms_module {
    unsigned abi; /* QMS_MODULE_ABI */
    const char *name;
    const struct qms_directive *directives; /* ends with a NULL name; NULL: none */

    /* Zeroed memory that the core allocates and frees: per configuration block, worker,
     * peer and route. */
    size_t conf_size, worker_size, peer_size, stream_size;

    /** Inherit from the enclosing block: directives that were not written have been given the
     * parent's value already; this is for what tables cannot say.  May be NULL. */
    qms_err (*conf_merge)(void *conf, const void *parent, struct qms_diag *diag);
    /** Reads files that directives name and checks the whole.  Also run by `quicms -t`. */
    qms_err (*conf_load)(void *conf, struct qms_diag *diag);
    void (*conf_free)(void *conf);

    /** Each worker, after privileges are dropped.  stop accepts whatever start left. */
    qms_err (*worker_start)(void *worker, const void *conf, qms_time now);
    void (*worker_stop)(void *worker);
    /** Once, between worker_start and worker_stop: the worker's loop, for a module that talks
     * to others by itself.  `base` is libevent's struct event_base.  What it adds there must be
     * gone when worker_stop returns. */
    qms_err (*worker_loop)(void *worker, void *base);
    /** About once a second. */
    void (*worker_tick)(void *worker, const void *conf, qms_time now);

    /** A new connection from an address without one, before any handshake work.  `remote` is a
     * struct sockaddr.  REJECT closes it with CONNECTION_REFUSED.  on_disconnect balances every
     * on_connect that passed in this module. */
    enum qms_verdict (*on_connect)(void *worker, const void *conf, const void *remote,
                                   qms_time now, struct qms_refusal *why);
    void (*on_disconnect)(void *worker, const void *conf, const void *remote, qms_time now);

    /** Whether this module authenticates: then, where it is listed in `auth`, on_hello decides.
     */
    bool authenticator;
    /** HELLO, and AUTH on a living connection.  An authenticator answers ACCEPT (credential is
     * good for this agent id, *grant filled), PASS (not its kind of credential), REJECT or
     * LATER. */
    enum qms_verdict (*on_hello)(void *peer_data, const void *conf, struct qms_peer *peer,
                                 const struct qms_credential *cred, qms_time now,
                                 struct qms_grant *grant, struct qms_refusal *why);
    /** The answer that LATER promised is not wanted any more: the peer is gone, has waited as
     * long as it may (hello_timeout), or the configuration has changed and on_hello begins
     * anew. qms_hello_resume must not be called for it.  Modules that answer LATER have it. */
    void (*on_hello_cancel)(void *peer_data);
    /** The peer was welcomed and has its id; on_peer_gone follows for each. */
    void (*on_peer)(void *worker, void *peer_data, const void *conf, struct qms_peer *peer,
                    qms_time now);
    void (*on_peer_gone)(void *worker, void *peer_data, struct qms_peer *peer, qms_time now);
    /** The peer's memory is about to be freed, whether or not it was ever welcomed: what was
     * allocated for it since on_hello goes here.  Comes after the last on_close of its routes.
     */
    void (*peer_free)(void *peer_data);
    /** Configuration was reloaded: is this peer still welcome (a token was withdrawn)?  `grant`
     * is zeroed; a module that accepted the peer's credential fills it as in on_hello. */
    enum qms_verdict (*on_reload)(void *peer_data, const void *conf, struct qms_peer *peer,
                                  qms_time now, struct qms_grant *grant,
                                  struct qms_refusal *why);

    /* The next four are given the conf of the route block that the target falls under, merged
     * down from main, quic, server and route; without such a block the server's. */

    /** A ROUTE header arrived. */
    enum qms_verdict (*on_open)(void *stream_data, void *peer_data, const void *conf,
                                const struct qms_route *route, qms_time now,
                                struct qms_refusal *why);
    /** Payload arrived, in order, in pieces of any size; `peer_data` is the sender's and `conf`
     * by the sender's server.  PASS and DELAY pass the bytes on; DELAY withholds the sender's
     * flow-control credit for them until *retry_at, which slows it to the rate without losing a
     * byte.  REJECT passes nothing more on: both ends get RESET and STOP_SENDING with
     * why->code.
     *
     * Asked in the worker of the sender.  Where that is not the opener's, `stream_data` is
     * zeroed memory of its own, no on_open or on_close comes for it, and qms_route_opener is
     * NULL. */
    enum qms_verdict (*on_data)(void *stream_data, void *peer_data, const void *conf,
                                const struct qms_route *route,
                                const struct qms_payload *payload, qms_time now,
                                qms_time *retry_at, struct qms_refusal *why);
    /** A datagram to a target; `payload` may be empty.  Anything but PASS drops it, which is
     * counted by why->label (before the call: the module's name); nobody is told, so nothing
     * else of it counts. */
    enum qms_verdict (*on_datagram)(void *peer_data, const void *conf, struct qms_peer *peer,
                                    enum qms_kind kind, struct qms_bytes target,
                                    struct qms_bytes payload, qms_time now,
                                    struct qms_refusal *why);
    /** JOIN: the agent wants to be a member of a group (QMS_KIND_GROUP) or a subscriber of a
     * topic (QMS_KIND_TOPIC).  REJECT answers REPLY with why->code.  Where no module has a
     * word, the core lets it.  Asked again of those who are in when rights may have changed
     * (reload, AUTH): REJECT then closes the connection with GOING_AWAY. */
    enum qms_verdict (*on_join)(void *peer_data, const void *conf, struct qms_peer *peer,
                                enum qms_kind kind, struct qms_bytes name, qms_time now,
                                struct qms_refusal *why);
    /** WATCH: the agent wants to be told which agents whose ids begin with `prefix` (empty:
     * all) come and go.  REJECT answers REPLY with why->code.  Asked again as on_join is. */
    enum qms_verdict (*on_watch)(void *peer_data, const void *conf, struct qms_peer *peer,
                                 struct qms_bytes prefix, qms_time now,
                                 struct qms_refusal *why);
    /** The route is over; `status` is what both ends were told.  Called for refused ones too,
     * in the modules up to the one that refused. */
    void (*on_close)(void *stream_data, const void *conf, const struct qms_route *route,
                     uint8_t status, qms_time now);

    /** A route is over, whoever refused it and whether or not this module was asked: for logs.
     * Comes after every on_close, in the worker of the route's opener. */
    void (*on_log)(void *worker, const void *conf, const struct qms_route *route,
                   uint8_t status, qms_time now);

    const struct qms_http_location *http; /* ends with a NULL path; NULL: none */

    /** Of an authenticator: the directive without which it would let nobody in; NULL: it is
     * there.  A server whose `auth` names the module is refused then.  `certificates`: whether
     * agents can show a certificate to that server at all.  May be NULL. */
    const char *(*auth_needs)(const void *conf, bool certificates);
};

/* ---- What the core offers to modules ---- */

/** Records a configuration error at the directive being read (or, in conf_load, at the block):
 * "FILE:LINE: sentence".  The first error of a run wins. */
__attribute__((format(printf, 2, 3))) QMS_API void qms_diag_error(struct qms_diag *diag,
                                                                  const char *format, ...);

/** Whole content of a file, read by conf_load (and `set`).  In the master it is read from disk
 * and kept, so that a reload can hand the very bytes that were checked to workers that may not
 * open files.  Lent while the configuration lives; NUL-terminated behind `len`.  On failure the
 * diagnostic is filled (path, system error) and QMS_E_CONFIG returned.  Limit 16 MiB. */
QMS_API QMS_MUST_CHECK qms_err qms_conf_read_file(struct qms_diag *diag, const char *path,
                                                  struct qms_bytes *out);

/** Zeroed memory that lives as long as the configuration, aligned for anything; NULL: out of
 * memory, the diagnostic is filled. */
QMS_API void *qms_conf_alloc(struct qms_diag *diag, size_t size);
/** Reads a part of a CUSTOM directive as a value of `type` (NUMBER, SIZE or TIME); bounds are
 * those of `d`.  QMS_E_CONFIG: the diagnostic is filled. */
QMS_API QMS_MUST_CHECK qms_err qms_conf_value(struct qms_diag *diag,
                                              const struct qms_directive *d,
                                              enum qms_dtype type, const char *text,
                                              uint64_t *out);
/** The place that errors are told at: kept by `set`, it lets conf_load tell one there. */
struct qms_place {
    const char *file; /* lives as long as the configuration */
    unsigned line;
};
QMS_API struct qms_place qms_diag_place(const struct qms_diag *diag);
QMS_API void qms_diag_set_place(struct qms_diag *diag, struct qms_place place);

/** For `set`: the kinds of target of the route block that the directive stands in, a bit 1 <<
 * enum qms_kind each, so that one which could never hold there can be refused; 0: it stands in
 * another block. */
QMS_API unsigned qms_diag_route_kinds(const struct qms_diag *diag);

/** A log to write lines to: a path (relative ones start at the prefix), "stderr", or
 * "syslog:server=HOST[:PORT]|unix:PATH[,facility=F][,severity=S][,tag=T][,nohostname]"; names
 * are resolved as by qms_conf_resolve.  Named by `set` or conf_load; the master opens it, so
 * workers need no right to, and opens it again on USR1 and on a reload.  Whoever names the same
 * target gets the same log.  Lines are gathered in `buffer` bytes (0: each is written at once;
 * 1 MiB at most; none for syslog) for `flush_for` nanoseconds at most (0: until the buffer is
 * full).  Lives as long as the configuration. QMS_E_CONFIG, QMS_E_NOMEM: the diagnostic is
 * filled. */
QMS_API QMS_MUST_CHECK qms_err qms_conf_open_log(struct qms_diag *diag, const char *target,
                                                 size_t buffer, qms_time flush_for,
                                                 struct qms_log_file **out);
/** In a worker: appends a line, which ends with its newline.  It never blocks for long and
 * never fails: what cannot be written is counted (quicms_log_lines_total) and told in the error
 * log. */
QMS_API void qms_log_file_write(struct qms_log_file *log, struct qms_bytes line, qms_time now);
/** Memory that all workers share: it is there before the first worker starts, and stays as it
 * is over reloads, crashes of workers and upgrades while name and size stay the same; else it
 * is fresh and all zero.  Asked for by conf_load or `set`; whoever asks for the same name and
 * size gets the same zone, so names begin with the module's.  The handle lives as long as the
 * configuration.  A worker may die between any two stores and none may wait for another: use
 * lock-free atomics, in which zeroes are an empty state and every state is a good one.
 * NULL: the diagnostic is filled (another size under that name, none or more than QMS_ZONE_MAX
 * bytes, too many zones). */
struct qms_zone;
#define QMS_ZONE_MAX ((size_t)1 << 30)
QMS_API struct qms_zone *qms_zone_declare(struct qms_diag *diag, const char *name, size_t size);
/** In a worker: its memory, aligned to a page, and size (may be NULL).  NULL, 0 while the
 * configuration is being built, so in conf_load too. */
QMS_API void *qms_zone_memory(const struct qms_zone *zone, size_t *size);

/** Address and port of a TCP service, by name or number.  Names are resolved in the master
 * while the configuration is built, and what a reload hands to workers is what the master
 * found. `text`: numeric, at least 64 bytes.  QMS_E_CONFIG: the diagnostic is filled. */
QMS_API QMS_MUST_CHECK qms_err qms_conf_resolve(struct qms_diag *diag, const char *host,
                                                char *text, size_t size);
/** What an authenticator has promised by LATER is known: it is asked again, with the same
 * credential, in this turn of the loop or the next.  From any callback of the module or of the
 * loop. */
QMS_API void qms_hello_resume(struct qms_peer *peer);
/** Worker memory of a module, for callbacks that are given a peer. */
QMS_API void *qms_peer_module_worker(const struct qms_peer *peer,
                                     const struct qms_module *module);
/** A number that tells the directive being read from every other one of the configuration: the
 * same on each worker, and after a reload of the same text. */
QMS_API uint64_t qms_conf_place(const struct qms_diag *diag);
/** Counts something that a module has noticed without refusing anything, by a static label: see
 * struct qms_refusal; `worker` is the module's worker memory.  quicms_module_events_total. */
QMS_API void qms_worker_count(void *worker, const char *label);
/** Agent id; empty before on_peer for anonymous ones.  Lent while the peer lives. */
QMS_API struct qms_bytes qms_peer_id(const struct qms_peer *peer);
QMS_API const char *qms_peer_carrier(const struct qms_peer *peer); /* "quic", "webtransport" */
/** struct sockaddr of the path in use. */
QMS_API const void *qms_peer_address(const struct qms_peer *peer);
/** struct sockaddr of the last path that the peer has shown to be its own (RFC 9000 section 8):
 * of a peer that moves, the old one until the new one is validated.  NULL: none yet, in early
 * data. */
QMS_API const void *qms_peer_validated_address(const struct qms_peer *peer);
/** The certificates that the peer has shown in its handshake, leaf first, DER, at most `max`;
 * how many.  Lent while it is connected. */
QMS_API size_t qms_peer_certificates(const struct qms_peer *peer, struct qms_bytes *chain,
                                     size_t max);
/** NULL: they lead to an authority of the server's `client_ca` as it is configured now, and are
 * in force and not revoked at this moment.  Else the static label of what is wrong, such as
 * "no_certificate", "revoked_certificate". */
QMS_API const char *qms_peer_certificate_fault(const struct qms_peer *peer);
QMS_API const char *qms_peer_scopes(const struct qms_peer *peer); /* never NULL */
/** What the peer's credential grants beside or instead of what is configured; lent while the
 * peer lives, may change at any HELLO, AUTH or reload. */
QMS_API const struct qms_limits *qms_peer_granted_limits(const struct qms_peer *peer);
/** Tells the agent it is throttled (THROTTLED of wire.md; at most one a second per `what`:
 * 1 streams, 2 bytes, 3 datagrams). */
QMS_API void qms_peer_throttled(struct qms_peer *peer, unsigned what, uint64_t retry_after_ms);

/** Number of its connection: counts up from 1 in each worker process. */
QMS_API uint64_t qms_peer_number(const struct qms_peer *peer);
/** Slot of the worker that has it, 0 for the first. */
QMS_API unsigned qms_peer_worker(const struct qms_peer *peer);
/** Smoothed round-trip time of its connection, the last one known; 0: none yet. */
QMS_API qms_time qms_peer_rtt(const struct qms_peer *peer);
/** What its server is called: server_name, or the first address it listens at. */
QMS_API const char *qms_peer_server_name(const struct qms_peer *peer);

QMS_API struct qms_peer *qms_route_opener(const struct qms_route *route);
QMS_API struct qms_peer *
qms_route_acceptor(const struct qms_route *route); /* NULL: none (yet), or a service */
QMS_API enum qms_kind qms_route_kind(const struct qms_route *route);
QMS_API struct qms_bytes qms_route_target(const struct qms_route *route);
/** Whether its payload is a sequence of messages (FRAMED, doc/wire.md section 3). */
QMS_API bool qms_route_framed(const struct qms_route *route);
/** CONTENT_TYPE of the header; empty: none. */
QMS_API struct qms_bytes qms_route_content_type(const struct qms_route *route);
/** The scopes that hold for the stream: those that its own STREAM_TOKEN grants, without one the
 * opener's.  Never NULL. */
QMS_API const char *qms_route_scopes(const struct qms_route *route);
QMS_API bool qms_route_bidi(const struct qms_route *route);
QMS_API uint8_t qms_route_priority(const struct qms_route *route);
/** Payload bytes so far, from the opener and towards it. */
QMS_API void qms_route_bytes(const struct qms_route *route, uint64_t *forward,
                             uint64_t *reverse);
QMS_API qms_time qms_route_opened_at(const struct qms_route *route);
/** Words of the route block that the target falls under, as written: "group ^= lambda.";
 * "default" where none fits.  There are as many as the configuration has blocks, so it may be a
 * label. Lives as long as the configuration in force. */
QMS_API const char *qms_route_block_name(const struct qms_route *route);
/** When the opener was told the RESULT, and when the first payload byte towards it came; 0: not
 * yet, or never. */
QMS_API qms_time qms_route_answered_at(const struct qms_route *route);
QMS_API qms_time qms_route_first_byte_at(const struct qms_route *route);
/** Id of the agent that took the route; empty: nobody (yet), or a service. */
QMS_API struct qms_bytes qms_route_acceptor_id(const struct qms_route *route);
/** Label of why the broker or a module refused it; NULL: neither did. */
QMS_API const char *qms_route_reason(const struct qms_route *route);
/** QUIC stream id on the opener's connection. */
QMS_API int64_t qms_route_stream_id(const struct qms_route *route);
/** W3C Trace Context that the opener sent, well-formed and of 55 bytes; empty: none. */
QMS_API struct qms_bytes qms_route_traceparent(const struct qms_route *route);

/* For modules built outside the tree; those inside use src/base. */

/** Zeroed memory, freed by qms_module_free (which takes NULL); NULL: none left, and then the
 * callback refuses or does without.  For what outlives a callback; what belongs to a
 * configuration comes from qms_conf_alloc. */
QMS_API void *qms_module_calloc(size_t count, size_t size);
QMS_API void qms_module_free(void *memory);
/** Bytes that nobody can guess. */
QMS_API void qms_module_random(void *out, size_t len);
/** Nanoseconds since the epoch; for durations use the `now` of the callbacks. */
QMS_API int64_t qms_module_wall_ns(void);
/** Compares secrets in a time that tells nothing about them. */
QMS_API bool qms_module_equal(const void *a, const void *b, size_t len);
/** A line of the error log: a constant phrase and key=value, at most 512 bytes, no secrets and
 * no payload.  Control bytes are escaped.  At most 10 lines a second from one place are
 * written; how many were left out is told with the next. */
enum qms_module_level {
    QMS_MODULE_ERROR,
    QMS_MODULE_WARN,
    QMS_MODULE_NOTICE,
    QMS_MODULE_INFO,
    QMS_MODULE_DEBUG
};
__attribute__((format(printf, 3, 4))) QMS_API void
qms_module_log(enum qms_module_level level, const char *module, const char *format, ...);

/** Answers a request at the HTTP endpoint, once, before the handler returns.  `body` is copied.
 */
QMS_API void qms_http_reply(struct qms_http *req, int status, const char *content_type,
                            struct qms_bytes body);
/** A request header or NULL. */
QMS_API const char *qms_http_header(struct qms_http *req, const char *name);

/** Walks every metric of the broker, summed over workers, for exporters.  A histogram is one
 * call: `buckets` upper bounds (base units) with cumulative counts, then sum and count. */
struct qms_metric {
    const char *name;   /* "quicms_streams_total" */
    const char *help;   /* one sentence */
    const char *labels; /* "carrier=\"quic\"" or "" */
    enum { QMS_METRIC_COUNTER, QMS_METRIC_GAUGE, QMS_METRIC_HISTOGRAM } type;
    double value; /* counter, gauge */
    size_t bucket_count;
    const double *bounds;
    const uint64_t *counts; /* cumulative; bucket_count entries, +Inf not among them */
    double sum;
    uint64_t count;
};
/** Metrics of one name come together. */
QMS_API void qms_metrics_walk(void (*each)(void *arg, const struct qms_metric *metric),
                              void *arg);

#ifdef __cplusplus
}
#endif
#endif
