/* SPDX-License-Identifier: MIT */
/* A peer: the broker's end of one agent's connection, from HELLO to the last reference. */
#ifndef QMS_CORE_BROKER_PEER_H
#define QMS_CORE_BROKER_PEER_H

#include "core/broker/broker_state.h"

/** For the link's life; `on_gone(arg)` (may be NULL) is called when the link is gone.
 * QMS_E_NOMEM: the link has no events yet. */
QMS_MUST_CHECK qms_err qms_peer_new(struct qms_broker *b, unsigned server,
                                    struct qms_link *link, void (*on_gone)(void *arg),
                                    void *arg);
/** The same, as the connecting side or the accepting one. */
QMS_MUST_CHECK qms_err qms_peer_make(struct qms_broker *b, unsigned server,
                                     struct qms_link *link, bool connecting,
                                     void (*on_gone)(void *arg), void *arg,
                                     struct qms_peer **out);
struct qms_peer *qms_peer_ref(struct qms_peer *p);
/** The last one puts it on the reap list. */
void qms_peer_unref(struct qms_peer *p);
/** Only off the reap list. */
void qms_peer_free(struct qms_peer *p);

/** Fills b->limits from the configuration in force. */
void qms_peer_limits(struct qms_broker *b);

/** The clock of the event under way. */
qms_time qms_peer_now(const struct qms_peer *p);
/** Its session was used: look at its clock at the end of the turn. */
void qms_peer_touch(struct qms_peer *p);
/** Sets the timer to the earliest of what waits; runs what the session has due. */
void qms_peer_rearm(struct qms_peer *p, qms_time now);
/** About once a second: the session's clock, counters that only its link knows. */
void qms_peer_tick(struct qms_peer *p, qms_time now);
/** Closes the connection with a code; idempotent. */
void qms_peer_close(struct qms_peer *p, uint8_t code, const char *reason);
/** What is known of the connection, for people; NULL: out of memory. */
json_t *qms_broker_connection_json(const struct qms_peer *p, qms_time now);
/** The link's counters; zeroes when it is gone. */
void qms_peer_link_stats(const struct qms_peer *p, struct qms_link_stats *out);

/** Asks anew whether debug_connection picks the peer: its address, id or the configuration is
 * another one. */
void qms_peer_watch(struct qms_peer *p);
/** A debug line about a peer: written where debug_connection picks it, and else, like other
 * lines that a peer can trigger, at the level debug.  A phrase and key=value. */
#define qms_peer_debug(p, format, ...)                                                         \
    do {                                                                                       \
        if ((p)->debug) {                                                                      \
            qms_log_forced(QMS_LOG_DEBUG, format " connection=%llu id=%s", ##__VA_ARGS__,      \
                           (unsigned long long)(p)->number, (p)->id);                          \
        } else {                                                                               \
            qms_log_peer(QMS_LOG_DEBUG, format " connection=%llu id=%s", ##__VA_ARGS__,        \
                         (unsigned long long)(p)->number, (p)->id);                            \
        }                                                                                      \
    } while (0)

/* peer_auth.c */
void qms_peer_on_hello(struct qms_session *s, const struct qms_control *hello);
/** AUTH on a living connection. */
void qms_peer_auth(struct qms_peer *p, const struct qms_control *msg);
/* What came of a HELLO or an AUTH (`req`), at once or later. */
struct qms_hello_asked {
    bool is_auth;
    uint64_t req;
    struct qms_credential cred;
};
void qms_peer_answered(struct qms_peer *p, const struct qms_hello_asked *asked,
                       enum qms_verdict verdict, const struct qms_chain_hello *at,
                       qms_time now);
/** Asks the modules again under a new configuration; closes the peer that is not welcome. */
void qms_peer_reload(struct qms_peer *p, qms_time now);
/** Withdraws its claim in the directory. */
void qms_peer_leave_directory(struct qms_peer *p);

/** A peer that was dialed has welcomed the broker: claims the id and introduces it.  False: it
 * is being closed. */
bool qms_peer_admit_dialed(struct qms_peer *p, struct qms_bytes id);

/* peer_dial.c */
void qms_peer_on_welcome(struct qms_session *s, const struct qms_control *welcome);

/* peer_rooms.c */
/** The statuses for the REPLY to JOIN and LEAVE. */
uint64_t qms_peer_join(struct qms_peer *p, const struct qms_control *m);
uint64_t qms_peer_leave(struct qms_peer *p, const struct qms_control *m);
/** The same for WATCH and UNWATCH. */
uint64_t qms_peer_watch_presence(struct qms_peer *p, const struct qms_control *m);
uint64_t qms_peer_unwatch_presence(struct qms_peer *p, const struct qms_control *m);
/** Its rights may have changed: one that is in a group or topic, or watches agents, as modules
 * would not let it now is closed with GOING_AWAY; it connects anew and hears what it may. */
void qms_peer_check_rights(struct qms_peer *p);
/** Ends its memberships, or only those in groups: it takes no new streams. */
void qms_peer_leave_rooms(struct qms_peer *p, bool groups_only);

/** The number of its next stream to that topic, from 0: counted for the topics that it
 * published to last. */
uint64_t qms_peer_publication(struct qms_peer *p, struct qms_bytes topic);
void qms_peer_forget_publications(struct qms_peer *p);

/* peer_stream.c */
/** Asks the authenticators about a stream's own token; no state of the peer changes.  True: it
 * is good for this agent, `*scopes` (qms_free) is what it grants, NULL where nothing
 * authenticates.  False: `why` is filled, and the failure counted. */
bool qms_peer_stream_token(struct qms_peer *p, struct qms_bytes token, qms_time now,
                           char **scopes, struct qms_refusal *why);
/** Counts a credential that was refused, and tells the back-off of its address. */
void qms_peer_count_failure(struct qms_peer *p, const char *what,
                            const struct qms_chain_hello *at);
/** Whether the peer's address has to wait after too many failures: then at->why says so. */
bool qms_peer_must_wait(struct qms_peer *p, qms_time now, struct qms_chain_hello *at);

/* peer_wait.c */
/** Asks the authenticators; qms_peer_answered follows, within the call or later. */
void qms_peer_ask(struct qms_peer *p, const struct qms_hello_asked *asked, qms_time now);
/** When it must be looked at; QMS_NEVER: nothing is waited for. */
qms_time qms_peer_wait_at(const struct qms_peer *p);
/** Goes on when it was resumed, ends it when it has waited as long as it may. */
void qms_peer_wait_due(struct qms_peer *p, qms_time now);
/** The configuration has changed: from the beginning. */
void qms_peer_wait_again(struct qms_peer *p);
/** The answer is not wanted any more; nothing without one. */
void qms_peer_wait_drop(struct qms_peer *p);

/* peer_control.c */
void qms_peer_on_control(struct qms_session *s, const struct qms_control *msg);
void qms_peer_send_stats(struct qms_peer *p);

/** After WELCOME: says GOAWAY at once where workers of a newer generation serve. */
void qms_peer_welcomed_late(struct qms_peer *p, qms_time now);

#endif
