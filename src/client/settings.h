/* SPDX-License-Identifier: MIT */
/* What struct qms_options holds, in the library's own words.  No carrier's type stands here. */
#ifndef QMS_CLIENT_SETTINGS_H
#define QMS_CLIENT_SETTINGS_H

#include <quicms/client.h>

#include "client/gate.h"

#define QMS_PINS_MAX 16

enum qms_cc { QMS_CC_NAME_CUBIC, QMS_CC_NAME_RENO, QMS_CC_NAME_BBR };

/* Trust as a carrier loaded it; shared by count.  `free` is the carrier's. */
struct qms_trust {
    unsigned refs;
    void *loaded;
    void (*free)(void *loaded);
};
void qms_trust_unref(struct qms_trust *t); /* takes NULL */

/* A token that a listener takes; owned by its options. */
struct qms_accepted_token {
    char *id; /* NULL: good for any agent */
    uint8_t *token;
    size_t len;
    bool broker; /* who shows it is a broker that is believed */
};

/* Strings are owned here and NULL when not set. */
struct qms_options {
    char *token, *agent_id, *server_name;
    char *ca_file, *cert_file, *key_file, *keylog_file;
    bool shows_certificate; /* HELLO without a token names the one that TLS has shown */
    uint8_t pins[QMS_PINS_MAX][32];
    size_t pin_count;
    bool insecure;
    uint32_t max_streams_bidi, max_streams_uni;
    qms_time idle_for, keep_alive_for, connect_for;
    enum qms_cc congestion;
    const char *(*token_fn)(void *arg); /* wins over `token` */
    void *token_arg;
    size_t (*ticket_load)(void *arg, const char *key, uint8_t *buf, size_t cap);
    void (*ticket_save)(void *arg, const char *key, struct qms_bytes ticket);
    void *ticket_arg;
    char *ticket_dir; /* or a folder of files */
    bool no_early_data;
    char *web_certificate_url; /* of browsers (wasm/) */
    bool web_views;
    qms_time reconnect_min, reconnect_max; /* 0: off */
    size_t max_udp_payload, window_stream, window_connection, send_buffer, max_message;
    /* Of listeners. */
    uint32_t max_connections;
    bool request_certificate;
    struct qms_gate_rate rate_all, rate_each;
    struct qms_accepted_token *accepted;
    size_t accepted_count;
    uint8_t broker_pins[QMS_PINS_MAX][32]; /* of keys whose holders are brokers */
    size_t broker_pin_count;
    /* Cache: loaded by the first connection, dropped when what it was made from changes. */
    struct qms_trust *trust;
};

/** The defaults, in the caller's memory. */
void qms_options_init(struct qms_options *o);
void qms_options_fini(struct qms_options *o);
/** 64 hex digits, colons allowed between pairs. */
bool qms_options_parse_pin(const char *text, uint8_t out[32]);
void qms_options_drop_tokens(struct qms_options *o); /* part of fini */
/** A copy that shares the trust, without file names: their work is done.  A listener's has its
 * own certificate's and key's, and the tokens it takes.  QMS_E_NOMEM: nothing is left. */
QMS_MUST_CHECK qms_err qms_options_copy(struct qms_options *to, const struct qms_options *from,
                                        bool listener);

#endif
