/* SPDX-License-Identifier: MIT */
/* Upstream blocks: agents that listen, and that the broker connects to by itself. */
#ifndef QMS_CORE_CONF_UPSTREAM_CONF_H
#define QMS_CORE_CONF_UPSTREAM_CONF_H

#include <sys/socket.h>

#include <quicms/module.h>

#define QMS_UPSTREAM_PINS_MAX 16
/** Longest name of an upstream. */
#define QMS_UPSTREAM_NAME_MAX 64
/** Connections to one agent at most. */
#define QMS_UPSTREAM_KEEP_MAX 64

/* One `agent`. */
struct qms_upstream_agent {
    const char *url;  /* as written */
    const char *host; /* of the URL; for the certificate's name */
    const char *id;   /* by which it is known here; further connections have "~2" ... behind */
    uint64_t weight;  /* share of a group's streams */
    struct sockaddr_storage address;
    socklen_t address_len;
    const char *file; /* where it is written, for errors */
    unsigned line;
};

struct qms_upstream_conf {
    const char *name;
    const char *file; /* where it is written, for errors */
    unsigned line;
    struct qms_upstream_agent *agents;
    size_t agent_count;
    const char *ca_file; /* as written; NULL: none */
    struct qms_place ca_place;
    struct qms_bytes ca_pem; /* authorities to trust; empty: pins decide */
    uint8_t pins[QMS_UPSTREAM_PINS_MAX][32];
    size_t pin_count;
    const char *server_name;          /* that certificates must have; NULL: the URL's host */
    const char *cert_file, *key_file; /* that the broker shows; NULL: none */
    struct qms_place cert_place;
    struct qms_bytes cert_pem, key_pem;
    const char *token;    /* shown in HELLO; NULL: none */
    const char *rules_of; /* as written: a server's name or address; NULL: the first one */
    struct qms_place rules_place;
    unsigned server;       /* index of that server */
    uint64_t keep;         /* connections to each agent */
    uint64_t connect_for;  /* ns, from the first packet to WELCOME */
    uint64_t health_every; /* ns between PINGs; 0: none */
    uint64_t health_fails; /* PINGs without an answer after which it is given up */
};

/** Before an upstream's name in that of the room of its agents. */
#define QMS_UPSTREAM_ROOM " "

struct qms_conf;

/** NULL: there is none. */
const struct qms_upstream_conf *qms_upstream_find(const struct qms_conf *conf,
                                                  const char *name);

#endif
