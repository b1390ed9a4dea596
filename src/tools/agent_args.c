/* SPDX-License-Identifier: MIT */
/* Options may stand before and after the command; what a command does not know is an error, so
 * that a misspelt script fails at once. */
#include "agent_args.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/trace.h"

enum {
    OPT_URL = 256,
    OPT_ID,
    OPT_CERT,
    OPT_KEY,
    OPT_TOKEN,
    OPT_TOKEN_FILE,
    OPT_CA,
    OPT_PIN,
    OPT_INSECURE,
    OPT_JSON,
    OPT_QUIET,
    OPT_PRIORITY,
    OPT_TIMEOUT,
    OPT_CONGESTION,
    OPT_UDP_PAYLOAD,
    OPT_STREAM_TOKEN,
    OPT_META,
    OPT_TRACEPARENT,
    OPT_ECHO,
    OPT_OUT,
    OPT_COUNT,
    OPT_GROUP,
    OPT_TOPIC
};

static const struct option options[] = {
    {"url", required_argument, NULL, OPT_URL},
    {"id", required_argument, NULL, OPT_ID},
    {"cert", required_argument, NULL, OPT_CERT},
    {"key", required_argument, NULL, OPT_KEY},
    {"token", required_argument, NULL, OPT_TOKEN},
    {"token-file", required_argument, NULL, OPT_TOKEN_FILE},
    {"ca", required_argument, NULL, OPT_CA},
    {"pin", required_argument, NULL, OPT_PIN},
    {"insecure", no_argument, NULL, OPT_INSECURE},
    {"json", no_argument, NULL, OPT_JSON},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"priority", required_argument, NULL, OPT_PRIORITY},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"congestion", required_argument, NULL, OPT_CONGESTION},
    {"max-udp-payload", required_argument, NULL, OPT_UDP_PAYLOAD},
    {"stream-token", required_argument, NULL, OPT_STREAM_TOKEN},
    {"meta", required_argument, NULL, OPT_META},
    {"traceparent", required_argument, NULL, OPT_TRACEPARENT},
    {"echo", no_argument, NULL, OPT_ECHO},
    {"out", required_argument, NULL, OPT_OUT},
    {"count", required_argument, NULL, OPT_COUNT},
    {"group", required_argument, NULL, OPT_GROUP},
    {"topic", required_argument, NULL, OPT_TOPIC},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

static const struct command {
    const char *name;
    enum agent_command command;
    int min, max; /* arguments behind it */
    const char *wants;
} commands[] = {
    {"listen", AGENT_LISTEN, 0, 0, "nothing"},
    {"send", AGENT_SEND, 1, 2, "TARGET [FILE]"},
    {"open", AGENT_OPEN, 1, 1, "TARGET"},
    {"request", AGENT_REQUEST, 2, 2, "TARGET TEXT"},
    {"datagram", AGENT_DATAGRAM, 2, 2, "TARGET TEXT"},
    {"ping", AGENT_PING, 0, 0, "nothing"},
    {"stats", AGENT_STATS, 0, 0, "nothing"},
    {"watch", AGENT_WATCH, 0, 1, "[PREFIX]"},
};

static const char usage[] =
    "usage: quicms-agent --url quic://HOST:PORT [--id NAME] [OPTION]... COMMAND\n"
    "\n"
    "commands:\n"
    "  listen [--echo] [--out DIR] [--count N] [--group NAME]... [--topic NAME]...\n"
    "                           take streams and datagrams, also those to groups and topics\n"
    "  send TARGET [FILE]       send a file or standard input\n"
    "  open TARGET              join standard input and output with a stream\n"
    "  request TARGET TEXT      send a text and print the answer\n"
    "  datagram TARGET TEXT     send a datagram\n"
    "  ping [--count N]         measure the round trip to the broker\n"
    "  stats                    print the figures of the connection\n"
    "  watch [--count N] [PREFIX]  print which agents come and go\n"
    "TARGET is agent:ID, service:NAME, group:NAME or topic:NAME.\n"
    "\n"
    "  --token T | --token-file F       credential\n"
    "  --cert F --key F                 certificate to show the broker\n"
    "  --ca F | --pin SHA256 | --insecure  how the broker is known\n"
    "  --priority N|critical|high|normal|low|background\n"
    "  --stream-token T                 credential for the stream alone\n"
    "  --meta TEXT   --traceparent 00-TRACE-SPAN-FLAGS\n"
    "  --timeout SECONDS   --json   --quiet\n"
    "  --congestion cubic|reno|bbr       --max-udp-payload BYTES\n"
    "See quicms-agent(1) for exit codes.\n";

const char *agent_usage(void)
{
    return usage;
}

__attribute__((format(printf, 2, 3))) static bool fail(char *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(error, AGENT_ERROR_MAX, format, args);
    va_end(args);
    return false;
}

static bool name_ok(const char *name)
{
    size_t len = strlen(name);

    return len >= 1 && len <= QMS_NAME_MAX &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                        "._~:@/+-") == len;
}

bool agent_target_parse(const char *text, struct agent_target *out, char error[AGENT_ERROR_MAX])
{
    static const struct {
        const char *prefix;
        enum qms_kind kind;
    } kinds[] = {{"agent:", QMS_KIND_AGENT},
                 {"service:", QMS_KIND_SERVICE},
                 {"group:", QMS_KIND_GROUP},
                 {"topic:", QMS_KIND_TOPIC}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = strlen(kinds[i].prefix);

        if (strncmp(text, kinds[i].prefix, len) != 0) {
            continue;
        }
        if (!name_ok(text + len)) {
            return fail(error,
                        "\"%.200s\": a name has 1 to %d characters out of letters, digits and "
                        "._~:@/+-.",
                        text, QMS_NAME_MAX);
        }
        out->kind = kinds[i].kind;
        memcpy(out->name, text + len, strlen(text + len) + 1);
        return true;
    }
    return fail(
        error,
        "\"%.200s\" is no target; write agent:ID, service:NAME, group:NAME or topic:NAME.",
        text);
}

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;
    unsigned long long value;

    if (text[0] < '0' || text[0] > '9' || strlen(text) > 18) {
        return false;
    }
    value = strtoull(text, &end, 10);
    if (*end != '\0' || value < min || value > max) {
        return false;
    }
    *out = value;
    return true;
}

bool agent_priority_parse(const char *text, uint8_t *out)
{
    static const struct {
        const char *name;
        uint8_t value;
    } names[] = {{"critical", QMS_PRIORITY_CRITICAL},
                 {"high", QMS_PRIORITY_HIGH},
                 {"normal", QMS_PRIORITY_NORMAL},
                 {"low", QMS_PRIORITY_LOW},
                 {"background", QMS_PRIORITY_BACKGROUND}};
    uint64_t number;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i].name) == 0) {
            *out = names[i].value;
            return true;
        }
    }
    if (!parse_number(text, 0, 255, &number)) {
        return false;
    }
    *out = (uint8_t)number;
    return true;
}

static bool take_seconds(struct agent_args *a, const char *text, char *error)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds > 0 && seconds <= 86400)) {
        return fail(error, "--timeout %.100s: a number of seconds up to 86400 is wanted.",
                    text);
    }
    a->timeout = (qms_time)(seconds * 1e9);
    return true;
}

static bool take_pin(struct agent_args *a, const char *text, char *error)
{
    if (a->pin_count == AGENT_PINS_MAX) {
        return fail(error, "--pin may stand %d times at most.", AGENT_PINS_MAX);
    }
    a->pins[a->pin_count++] = text;
    return true;
}

/* Options with a value that is checked here. */
static bool take_value(struct agent_args *a, int opt, const char *value, char *error)
{
    uint64_t number = 0;

    switch (opt) {
    case OPT_PIN:
        return take_pin(a, value, error);
    case OPT_PRIORITY:
        return agent_priority_parse(value, &a->priority) ||
               fail(error,
                    "--priority %.100s: write 0 to 255, critical, high, normal, low or "
                    "background.",
                    value);
    case OPT_TIMEOUT:
        return take_seconds(a, value, error);
    case OPT_UDP_PAYLOAD:
        if (!parse_number(value, 1200, 65000, &number)) {
            return fail(error, "--max-udp-payload %.100s: write 1200 to 65000.", value);
        }
        a->max_udp_payload = (size_t)number;
        return true;
    case OPT_COUNT:
        return parse_number(value, 1, UINT32_MAX, &a->count) ||
               fail(error, "--count %.100s: a number from 1 is wanted.", value);
    default:
        return fail(error, "An option is not known.");
    }
}

static bool take_room(struct agent_args *a, enum qms_kind kind, const char *name, char *error)
{
    struct agent_target *room = &a->rooms[a->room_count];

    if (a->room_count == AGENT_ROOMS_MAX) {
        return fail(error, "At most %d groups and topics can be joined.", AGENT_ROOMS_MAX);
    }
    if (!name_ok(name)) {
        return fail(error,
                    "--%s \"%.200s\": a name has 1 to %d characters out of letters, digits and "
                    "._~:@/+-.",
                    kind == QMS_KIND_GROUP ? "group" : "topic", name, QMS_NAME_MAX);
    }
    room->kind = kind;
    memcpy(room->name, name, strlen(name) + 1);
    a->room_count++;
    return true;
}

static bool take(struct agent_args *a, int opt, const char *value, char *error)
{
    switch (opt) {
    case OPT_URL:
        a->url = value;
        return true;
    case OPT_ID:
        a->id = value;
        return name_ok(value) || fail(error,
                                      "--id \"%.200s\": a name has 1 to %d characters out of "
                                      "letters, digits and ._~:@/+-.",
                                      value, QMS_NAME_MAX);
    case OPT_CERT:
        a->cert = value;
        return true;
    case OPT_KEY:
        a->key = value;
        return true;
    case OPT_TOKEN:
        a->token = value;
        return true;
    case OPT_TOKEN_FILE:
        a->token_file = value;
        return true;
    case OPT_CA:
        a->ca = value;
        return true;
    case OPT_INSECURE:
        a->insecure = true;
        return true;
    case OPT_JSON:
        a->json = true;
        return true;
    case OPT_QUIET:
        a->quiet = true;
        return true;
    case OPT_CONGESTION:
        a->congestion = value;
        return true;
    case OPT_META:
        a->meta = value;
        return true;
    case OPT_STREAM_TOKEN:
        a->stream_token = value;
        return true;
    case OPT_TRACEPARENT:
        a->traceparent = value;
        return qms_traceparent_ok((struct qms_bytes){(const uint8_t *)value, strlen(value)}) ||
               fail(error,
                    "--traceparent %.100s: a W3C traceparent is wanted, such as "
                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.",
                    value);
    case OPT_ECHO:
        a->echo = true;
        return true;
    case OPT_OUT:
        a->out = value;
        return true;
    case OPT_GROUP:
        return take_room(a, QMS_KIND_GROUP, value, error);
    case OPT_TOPIC:
        return take_room(a, QMS_KIND_TOPIC, value, error);
    default:
        return take_value(a, opt, value, error);
    }
}

static bool take_command(struct agent_args *a, int count, char **words, char *error)
{
    const struct command *c = NULL;

    if (count == 0) {
        return fail(error, "No command was given; quicms-agent --help lists them.");
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        c = strcmp(commands[i].name, words[0]) == 0 ? &commands[i] : c;
    }
    if (c == NULL) {
        return fail(error, "\"%.100s\" is no command; quicms-agent --help lists them.",
                    words[0]);
    }
    if (count - 1 < c->min || count - 1 > c->max) {
        return fail(error, "%s takes %s behind it.", c->name, c->wants);
    }
    a->command = c->command;
    if (a->command == AGENT_WATCH) {
        a->prefix = count > 1 ? words[1] : "";
        return a->prefix[0] == '\0' || name_ok(a->prefix) ||
               fail(error, "\"%.200s\" cannot begin a name.", a->prefix);
    }
    if (c->min > 0 && !agent_target_parse(words[1], &a->target, error)) {
        return false;
    }
    if (a->command == AGENT_SEND && count == 3 && strcmp(words[2], "-") != 0) {
        a->file = words[2];
    }
    if (a->command == AGENT_REQUEST || a->command == AGENT_DATAGRAM) {
        a->text = words[2];
    }
    return true;
}

static bool check(const struct agent_args *a, char *error)
{
    bool listens = a->command == AGENT_LISTEN;

    if (a->url == NULL) {
        return fail(error, "--url quic://HOST:PORT is wanted.");
    }
    if (a->token != NULL && a->token_file != NULL) {
        return fail(error, "Only one of --token and --token-file may be given.");
    }
    if ((a->cert != NULL) != (a->key != NULL)) {
        return fail(error, "--cert and --key belong together.");
    }
    if ((a->ca != NULL) + (a->pin_count > 0) + a->insecure > 1) {
        return fail(error, "Only one of --ca, --pin and --insecure may be given.");
    }
    if (!listens && (a->echo || a->out != NULL)) {
        return fail(error, "--echo and --out belong to listen.");
    }
    if (!listens && a->room_count > 0) {
        return fail(error, "--group and --topic belong to listen.");
    }
    if (!listens && a->command != AGENT_PING && a->command != AGENT_WATCH && a->count > 0) {
        return fail(error, "--count belongs to listen, ping and watch.");
    }
    if (a->stream_token != NULL && a->command != AGENT_SEND && a->command != AGENT_OPEN &&
        a->command != AGENT_REQUEST) {
        return fail(error, "--stream-token belongs to send, open and request.");
    }
    if (a->meta != NULL && a->command != AGENT_SEND && a->command != AGENT_OPEN &&
        a->command != AGENT_REQUEST) {
        return fail(error, "--meta belongs to send, open and request.");
    }
    if (a->traceparent != NULL && a->command != AGENT_SEND && a->command != AGENT_OPEN &&
        a->command != AGENT_REQUEST) {
        return fail(error, "--traceparent belongs to send, open and request.");
    }
    if (a->target.kind == QMS_KIND_TOPIC && a->command != AGENT_SEND &&
        a->command != AGENT_DATAGRAM) {
        return fail(error, "A topic takes bytes in one direction only: use send.");
    }
    return true;
}

bool agent_args_parse(int argc, char **argv, struct agent_args *out,
                      char error[AGENT_ERROR_MAX])
{
    int opt;

    *out = (struct agent_args){.priority = QMS_PRIORITY_NORMAL};
    optind = 0; /* glibc: start afresh */
    opterr = 0;
    while ((opt = getopt_long(argc, argv, ":hV", options, NULL)) != -1) {
        switch (opt) {
        case 'h':
            out->help = true;
            return true;
        case 'V':
            out->version = true;
            return true;
        case ':':
            return fail(error, "%.100s needs a value.", argv[optind - 1]);
        case '?':
            return fail(error, "%.100s is no option; quicms-agent --help lists them.",
                        argv[optind - 1]);
        default:
            if (!take(out, opt, optarg, error)) {
                return false;
            }
        }
    }
    return take_command(out, argc - optind, argv + optind, error) && check(out, error);
}
