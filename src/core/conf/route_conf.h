/* SPDX-License-Identifier: MIT */
/* Route blocks: what the configuration says about routes to some targets, and which block a
 * target falls under.
 *
 * Each server has the blocks that it writes itself, and behind them those of the quic block,
 * built anew around the server's values; a block of the server with the same words replaces the
 * quic block's.  So one walk over one list finds the block, and what modules say in it is
 * merged down from quic, server and route. */
#ifndef QMS_CORE_CONF_ROUTE_CONF_H
#define QMS_CORE_CONF_ROUTE_CONF_H

#include <quicms/module.h>

/* How a block names its targets. */
enum qms_route_how {
    QMS_ROUTE_EXACT,       /* = NAME */
    QMS_ROUTE_PREFIX_LAST, /* ^= PREFIX: as the longest prefix it keeps regular expressions out
                            */
    QMS_ROUTE_PREFIX,      /* PREFIX; "*" is the empty one */
    QMS_ROUTE_REGEX        /* ~ EXPRESSION */
};

/* Which member of a group gets a stream. */
enum qms_balance { QMS_BALANCE_ROUND_ROBIN, QMS_BALANCE_LEAST_STREAMS, QMS_BALANCE_STICKY };
/* What happens when a subscriber of a topic is slower than the rest. */
enum qms_on_slow { QMS_ON_SLOW_BLOCK, QMS_ON_SLOW_DROP, QMS_ON_SLOW_DISCONNECT };

struct qms_route_conf {
    const char *name; /* as written: "group ^= lambda."; "default" where no block fits */
    const char *file; /* where it is written, for errors */
    unsigned line;
    unsigned kinds; /* bit 1 << enum qms_kind; more than one: the block "*" */
    enum qms_route_how how;
    const char *text; /* name, prefix or expression */
    size_t text_len;
    struct qms_regex *regex; /* NULL: none; freed with the configuration */
    uint64_t deny;
    uint64_t priority_low, priority_high;
    uint64_t accept_for; /* longest wait for a RESULT, ns; 0: as long as the opener says */
    /* Groups. */
    uint64_t balance;   /* enum qms_balance */
    uint64_t failover;  /* members that are tried behind the first */
    uint64_t queue_max; /* streams that may wait for a member, in all workers; 0: none */
    uint64_t queue_for; /* ns */
    const char *dial;   /* upstream whose agents are the members; NULL: who joins */
    struct qms_place dial_place;
    const char *pool; /* the room that these are in: no agent's name has its space */
    /* Topics. */
    uint64_t max_subscribers; /* 0: unlimited */
    uint64_t on_slow;         /* enum qms_on_slow */
    uint64_t slow_for;        /* BLOCK: longest wait without progress, ns; 0: for ever */
    uint64_t max_lag;         /* the others: bytes behind the fastest */
    void **module_conf;       /* merged down to this block */
};

struct qms_server_conf;

/** The block that holds for a target: the exact name; else the longest prefix, if that is a ^=;
 * else the first regular expression that fits; else the longest prefix.  Blocks of one kind go
 * before those of all kinds, those of the server before equal ones of the quic block.  Never
 * NULL: at last the server's own values. */
const struct qms_route_conf *qms_route_conf_find(const struct qms_server_conf *server,
                                                 enum qms_kind kind, struct qms_bytes target);
/** The room of a group's members: its own, or that of the upstream that the block dials. */
struct qms_bytes qms_route_conf_room(const struct qms_route_conf *block,
                                     struct qms_bytes group);
/** A priority within the block's bounds. */
uint8_t qms_route_conf_clamp(const struct qms_route_conf *block, uint8_t priority);

/** Kinds of target that the first word behind `route` stands for, 1 << enum qms_kind each; 0:
 * it is none. */
unsigned qms_route_conf_kinds(const char *word);

/** Reads the words behind `route` into `block` (name, kinds, how, text, regex).  QMS_E_CONFIG,
 * QMS_E_NOMEM: diag says why. */
QMS_MUST_CHECK qms_err qms_route_conf_words(struct qms_route_conf *block, int argc,
                                            const char *const *argv, struct qms_diag *diag);
/** Frees what a block holds outside the arena. */
void qms_route_conf_drop(struct qms_route_conf *block);
/** The same for all blocks of a server. */
void qms_route_conf_fini(struct qms_server_conf *server);

#endif
