/* SPDX-License-Identifier: MIT */
/* The configuration as the rest of the broker reads it.  Built by load.c from nginx-style
 * text through directive tables; immutable once built; shared by count, so that a reload can
 * swap it under living peers. */
#ifndef QMS_CORE_CONF_CONF_H
#define QMS_CORE_CONF_CONF_H

#include <sys/socket.h>

#include <quicms/module.h>

#include "base/log.h"
#include "base/web.h"
#include "core/conf/route_conf.h"
#include "core/conf/upstream_conf.h"
#include "core/shared/backoff.h"
#include "core/shared/slots.h"

#define QMS_DIAG_MAX 1024
/** Most worker processes of a generation: two of them fit. */
#define QMS_WORKERS_MAX 64
/** Modules, built-in ones and loaded ones; their numbers are bits of a word. */
#define QMS_CHAIN_MAX 64

/* One sentence, with the place it is about: "FILE:LINE: sentence". */
struct qms_diag {
    bool failed;
    char text[QMS_DIAG_MAX];
    const char *file; /* of the directive being read; NULL: none */
    unsigned line;
    struct qms_conf *conf; /* being built */
    unsigned route_kinds;  /* of the route block being built; 0: none */
};

/* Duplicate agent ids: what happens when an id connects that is connected already. */
enum qms_duplicate { QMS_DUPLICATE_REPLACE, QMS_DUPLICATE_REFUSE };
/* Whether the kernel brings packets to their worker: if it can, never, or it must. */
enum qms_steering { QMS_STEERING_AUTO, QMS_STEERING_OFF, QMS_STEERING_ON };
/* What of early data is acted on. */
enum qms_early_data { QMS_EARLY_DATA_OFF, QMS_EARLY_DATA_IDEMPOTENT };
enum qms_auth_mode { QMS_AUTH_MODE_OFF, QMS_AUTH_MODE_ANY, QMS_AUTH_MODE_ALL };

/* A certificate and key as PEM texts, checked.  Self-signed ones are minted and renewed by the
 * master. */
/* What a tls block has where it does not say ticket_lifetime. */
#define QMS_TICKET_FOR (6 * 3600 * QMS_SECOND)

struct qms_identity {
    const char *name; /* of the tls block */
    const char *file; /* where that is, for errors; NULL: not in a file */
    unsigned line;
    uint64_t
        self_signed; /* 1: the next two are NULL, the texts come from core/process/cert.h */
    const char *cert_file, *key_file; /* NULL when self-signed */
    const char *server_name; /* self-signed: a further subject alternative name; NULL: none */
    struct qms_bytes cert_pem, key_pem;
    uint8_t hash[32];    /* SHA-256 of the leaf's DER */
    int64_t from, until; /* wall seconds */
    /* Clients' certificates over raw QUIC. */
    const char *client_ca, *crl; /* files; NULL: none */
    bool client_ca_required;
    uint64_t ticket_for; /* ns, whole seconds; 0: no session is resumed */
    const struct qms_identity_ops *ops;
    void *trust; /* of ops->trust; NULL: no client_ca */
    /* Self-signed: the one that is used next, published ahead so that pages can pin both;
     * empty: none yet */
    struct qms_bytes next_cert_pem, next_key_pem;
    uint8_t next_hash[32];
    int64_t next_at; /* wall seconds at which it takes over; 0: none */
    /* Self-signed: age at which it is over (its validity is that, in whole days and rounded
     * up); how long before that the next one takes over; how long before that moment the next
     * one is published.  Nanoseconds. */
    uint64_t self_signed_for, self_signed_renew_for, self_signed_publish_for;
};

struct qms_listen {
    struct sockaddr_storage addr;
    socklen_t addr_len;
    char text[64];           /* as bound: "127.0.0.1:4433" or "[::1]:4433" */
    bool quic, webtransport; /* ALPNs offered: quicms/1, h3 */
    int fd;                  /* opened by the master; -1: not yet.  UDP: that of this worker */
    int fds[QMS_SLOTS_MAX];  /* UDP: one for each slot; -1: none, or another worker's */
};

struct qms_location {
    const char *path; /* of files a prefix, the longest with a root wins; of sessions exact */
    uint64_t webtransport;
    const char *root; /* directory of static files; NULL: none */
    int root_fd;      /* opened by the master, O_PATH; -1: none */
    const char *file; /* where the block is, for errors */
    unsigned line;
    uint64_t max_sessions_per_connection;
};

struct qms_server_conf {
    unsigned index;
    struct qms_listen *listens;
    size_t listen_count;
    struct qms_identity *identity;
    const char *server_name; /* NULL: none */
    struct qms_location *locations;
    size_t location_count;
    const char *const *allowed_origins; /* exact, "*" for any, "self" for the host itself */
    size_t allowed_origin_count;
    enum qms_auth_mode auth_mode;
    const struct qms_module *const *auth; /* in the order written */
    struct qms_backoff_rule backoff;
    size_t auth_count;
    uint64_t retry;                    /* 0 auto, 1 always */
    uint64_t early_data;               /* enum qms_early_data */
    const struct qms_key_log *key_log; /* core/conf/debug.h; NULL: none */
    void **module_conf;                /* [qms_conf.module_count], merged down to this block */
    struct qms_route_conf *routes;     /* its own, then those of the quic block */
    size_t route_count;
    struct qms_route_conf no_route;  /* where none of them fits */
    struct qms_route_conf undecided; /* where an expression has no answer; denies */
};

struct qms_conf {
    unsigned refs;
    const char *prefix, *file;   /* as given; absolute */
    const char *user, *group;    /* NULL: the default ones */
    struct qms_place user_place; /* of the directive; no file: it is not there */
    const char *pid_file, *error_log, *state_dir; /* absolute; error_log may be "stderr" */
    const struct qms_syslog *error_syslog; /* NULL: error_log is none; core/conf/syslog.h */
    struct qms_place error_log_at;         /* of the directive; file NULL: not written */
    enum qms_log_level log_level;
    uint64_t daemon;
    uint64_t seccomp;
    uint64_t worker_processes, worker_connections, worker_shutdown_for /* ns */;
    uint64_t worker_generations;
    uint64_t udp_rcvbuf, udp_sndbuf, udp_gso;
    uint64_t steering; /* enum qms_steering */
    /* quic block */
    uint64_t idle_for, keep_alive_for, handshake_for, send_burst_for; /* ns */
    uint64_t congestion; /* order of enum qms_congestion */
    uint64_t stream_window, stream_window_max, agent_memory, worker_memory;
    uint64_t max_streams, max_datagram, max_udp_payload, priority_guard;
    uint64_t hello_for;                    /* ns */
    uint64_t max_memberships, max_watches; /* of one agent */
    uint64_t duplicate;                    /* enum qms_duplicate */
    struct qms_regex *agent_ids;           /* that agents may have; NULL: any name */
    uint64_t retry_above /* 0: always */, half_open_max;
    uint64_t max_resets, max_odd_frames; /* a second and connection; 0: no limit */
    uint64_t self_signed_for, self_signed_renew_for,
        self_signed_publish_for; /* unless its tls
                                    block says so */
    struct qms_server_conf *servers;
    size_t server_count;
    struct qms_zone *backoff; /* of addresses whose credentials fail; NULL: auth is off */
    struct qms_identity **identities;
    size_t identity_count;
    struct qms_upstream_conf *upstreams; /* that the broker dials */
    size_t upstream_count;
    /* http block */
    struct qms_listen *http_listens; /* TCP */
    size_t http_listen_count;
    const char *http_root; /* folder of the pages; NULL: none */
    int http_root_fd;
    const char *http_file; /* where the block is, for errors; NULL: there is none */
    unsigned http_line;
    const char *const
        *http_hosts; /* accepted Host names; empty: loopback names and own addresses */
    size_t http_host_count;
    /* Modules in the order of the chain, and their conf objects of the main, quic and http
     * blocks.  A block that writes none of a module's directives shares the object of the
     * block around it. */
    const struct qms_module *const *modules;
    size_t module_count;
    void **module_conf, **quic_module_conf, **http_module_conf;

    struct qms_log_file **logs; /* beyond the error log; core/conf/logs.h */
    size_t log_count;
    struct qms_zone *zones;             /* declared ones (core/conf/zone.h); NULL: none */
    struct qms_debug_rule *debug_rules; /* core/conf/debug.h */
    size_t debug_rule_count;

    /* Private to conf*.c. */
    struct qms_arena *arena; /* strings and arrays above */
    struct qms_conf_files *files;
    struct qms_conf_item *tree;
    struct qms_conf_owned *owned; /* module conf objects, for conf_free */
};

struct qms_conf *qms_conf_ref(struct qms_conf *conf);
void qms_conf_unref(struct qms_conf *conf); /* takes NULL */

/* What the configuration needs from layers it may not include; filled by main. */
struct qms_identity_ops {
    /* Checks PEM texts against each other and fills hash, from and until. */
    qms_err (*check)(struct qms_identity *id, struct qms_diag *diag);
    /* What client_ca and crl say, PEM; `crl` may be empty.  NULL: diag says why. */
    void *(*trust)(struct qms_bytes ca, struct qms_bytes crl, struct qms_diag *diag);
    void (*trust_free)(void *trust); /* takes NULL */
    /* NULL: the chain (DER, leaf first) is good now; else the label of its fault. */
    const char *(*verify)(void *trust, const struct qms_bytes *chain, size_t count);
    /* malloc'ed texts; qms_free. */
    qms_err (*mint)(const char *name, int64_t from, unsigned days, char **cert_pem,
                    char **key_pem);
};

struct qms_carrier_ops; /* core/conf/carrier.h */
struct qms_dynamic;

struct qms_conf_env {
    const char *prefix;  /* absolute: relative paths start here */
    const char *globals; /* -g directives; they win over the file's; NULL */
    const struct qms_module *const *modules;
    size_t module_count;
    struct qms_dynamic *dynamic; /* core/conf/dynamic.h; NULL: modules cannot be loaded */
    const struct qms_identity_ops *identity;
    const struct qms_carrier_ops *carrier;
    /* Opens a file beneath a directory for the HTTP endpoint; contract of qms_static_open. */
    int (*static_open)(int root_fd, struct qms_bytes path, struct qms_web_file *out);
};

/** Reads, checks and loads `file` whole; opens the root directories, no sockets, and mints
 * nothing: self-signed identities have no texts yet (core/process/cert.h).  NULL: diag says
 * why, "FILE:LINE: sentence".  `env` must outlive the configuration. */
struct qms_conf *qms_conf_load(const char *file, const struct qms_conf_env *env,
                               struct qms_diag *diag);
/** All files that a load read and the self-signed identities, as one flat run of bytes
 * (qms_free; holds private keys: qms_memzero it first), and the load from it: how a checked
 * re-read travels from the master to a worker.  A packed load opens no file: its root_fds are
 * -1 until qms_conf_root_slots is used to set them.  QMS_E_NOMEM. */
QMS_MUST_CHECK qms_err qms_conf_pack(const struct qms_conf *conf, uint8_t **out, size_t *len);
struct qms_conf *qms_conf_load_packed(struct qms_bytes pack, const char *file,
                                      const struct qms_conf_env *env, struct qms_diag *diag);
/** Where the descriptors of the root directories and, behind them, of the logs stand, in an
 * order that depends on the text of the configuration only.  Fills up to `max` slots (may be
 * NULL, 0); returns how many there are. The configuration owns what is in its slots. */
size_t qms_conf_root_slots(struct qms_conf *conf, int **slots, size_t max);
#define QMS_CONF_ROOTS_MAX 128 /* logs among them */
/** Whole configuration in force, with all defaults and includes resolved (`quicms -T`). */
void qms_conf_dump(const struct qms_conf *conf, void (*put)(void *arg, const char *text),
                   void *arg);
/** Writes doc/directives.md from the tables. */
void qms_conf_document(const struct qms_conf_env *env, void (*put)(void *arg, const char *text),
                       void *arg);

#endif
