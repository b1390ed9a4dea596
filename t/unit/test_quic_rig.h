/* SPDX-License-Identifier: MIT */
/* Two endpoints in one process over real loopback sockets, driven by a small poll loop.
 *
 * Both sides record what they hear.  What a test wants to see is a condition on those records;
 * qms_rig_until drives the loop until it holds or a deadline of real time passes.
 */
#ifndef TEST_QUIC_RIG_H
#define TEST_QUIC_RIG_H

#include <netinet/in.h>

#include "base/link.h"
#include "quic/endpoint.h"

#define RIG_FDS 16

/* A stream as one side sees it; kept after the stream has ended. */
struct rig_stream {
    struct qms_link_stream *st; /* NULL once closed */
    struct rig_side *side;
    struct rig_stream *next;
    int64_t id;
    uint64_t received, acked;
    uint64_t sum; /* FNV-1a of the received bytes */
    uint64_t reset_code, stop_code;
    bool fin, reset, stopped, closed;
    unsigned order; /* 1 for the first stream of the side that saw FIN */
};

struct rig_side {
    struct qms_endpoint *ep;
    struct qms_link *link; /* the last connection's, while it lives */
    bool ready, closed;
    struct qms_link_close why;
    char reason[256];
    struct rig_stream *streams; /* newest first */
    size_t opened, finished, closed_streams;
    uint64_t received;
    unsigned datagrams;
    uint8_t last_datagram[2048];
    size_t last_datagram_len;
    uint8_t datagram_first[256]; /* first byte of each datagram in the order of arrival */
    bool hold;                   /* do not consume */
    bool echo;                   /* write back what comes in */
    unsigned admitted, failed;
    bool refuse;
    /* Called at every event with the link, before anything else. */
    void (*hook)(struct rig_side *side, struct qms_link *link, const char *event);
    unsigned events; /* so far */
    unsigned hook_at;
    char alpn[32];
    struct rig *rig;
};

struct rig {
    struct qms_quic_config server_config, client_config;
    struct rig_side server, client;
    uint8_t secret[32];
    int listen_fd;
    struct sockaddr_storage address; /* where the client connects to */
    socklen_t address_len;
    /* A relay between both that loses one packet in `lose`, each way; 0: none. */
    int relay_fds[2]; /* towards the client, towards the server */
    struct sockaddr_storage relay_client, relay_server;
    unsigned lose, relayed;
    unsigned blocked; /* times a socket asked to be told of room */
    struct qms_tls_server *tls_server;
    struct qms_tls_client *tls_client;
    const char *name, *alpn; /* what the client asks for */
    struct {
        int fd;
        struct rig_side *side;
        bool want_write;
    } fds[RIG_FDS];
    size_t fd_count;
    bool server_stalled; /* the server's loop does not run */
};

/** A listening server and a client endpoint, not yet connected.  Configurations may be changed
 * between rig_new and rig_start. */
struct rig *rig_new(void);
/** Listens on ::1 instead.  Before rig_start. */
void rig_use_ipv6(struct rig *r);
/** Puts the relay between the two.  Before rig_connect. */
void rig_lossy(struct rig *r, unsigned lose);
void rig_start(struct rig *r);
/** Frees the server's endpoint and makes it anew on the same socket. */
void rig_restart_server(struct rig *r);
void rig_free(struct rig *r);
void rig_connect(struct rig *r);
/** Connects and waits until both sides are ready. */
void rig_establish(struct rig *r);
/** One turn of the loop: waits at most `max_ms`. */
void rig_turn(struct rig *r, int max_ms);
/** Drives the loop until `*flag` or the deadline; says which. */
bool rig_until(struct rig *r, const bool *flag, unsigned ms);
/** The same until `*counter` reaches `want`. */
bool rig_until_count(struct rig *r, const size_t *counter, size_t want, unsigned ms);
void rig_run(struct rig *r, unsigned ms);

/** Makes the connection this side's. */
void rig_adopt(struct rig_side *side, struct qms_quic_conn *conn);
/** Starts the record of a stream. */
struct rig_stream *rig_note(struct rig_side *side, struct qms_link_stream *st);
struct rig_stream *rig_open(struct rig_side *side, bool bidi, uint8_t priority);
/** Writes `len` bytes of a pattern that depends on the position only; returns their hash. */
uint64_t rig_write(struct rig_stream *s, size_t len);
struct rig_stream *rig_find(struct rig_side *side, int64_t id);
uint64_t rig_hash(size_t len);

#endif
