/* SPDX-License-Identifier: MIT */
/* The command line of quicms-agent, taken apart and checked before anything is connected. */
#ifndef QMS_TOOLS_AGENT_ARGS_H
#define QMS_TOOLS_AGENT_ARGS_H

#include <quicms/types.h>

#define AGENT_ERROR_MAX 512
#define AGENT_PINS_MAX  16
#define AGENT_ROOMS_MAX 16

enum agent_command {
    AGENT_LISTEN,
    AGENT_SEND,
    AGENT_OPEN,
    AGENT_REQUEST,
    AGENT_DATAGRAM,
    AGENT_PING,
    AGENT_STATS,
    AGENT_WATCH
};

struct agent_target {
    enum qms_kind kind;
    char name[QMS_NAME_MAX + 1];
};

/* Strings point into argv. */
struct agent_args {
    const char *url, *id, *token, *token_file, *cert, *key, *stream_token, *ca, *meta,
        *traceparent;
    const char *pins[AGENT_PINS_MAX];
    size_t pin_count;
    bool insecure, json, quiet, echo;
    bool help, version; /* nothing else is looked at */
    uint8_t priority;
    qms_time timeout; /* 0: none */
    const char *congestion;
    size_t max_udp_payload; /* 0: the library's default */
    enum agent_command command;
    struct agent_target target;
    const char *file;                           /* send; NULL: standard input */
    const char *text;                           /* request, datagram */
    const char *out;                            /* listen: folder; NULL: print */
    uint64_t count;                             /* listen, ping, watch; 0: not given */
    const char *prefix;                         /* watch; "": every agent */
    struct agent_target rooms[AGENT_ROOMS_MAX]; /* listen: groups and topics to join */
    size_t room_count;
};

/** False: `error` holds a sentence. */
bool agent_args_parse(int argc, char **argv, struct agent_args *out,
                      char error[AGENT_ERROR_MAX]);
/** "agent:ID", "service:NAME", "group:NAME", "topic:NAME". */
bool agent_target_parse(const char *text, struct agent_target *out,
                        char error[AGENT_ERROR_MAX]);
/** 0..255 or critical, high, normal, low, background. */
bool agent_priority_parse(const char *text, uint8_t *out);
const char *agent_usage(void);

#endif
