/* SPDX-License-Identifier: MIT */
/* quicms-probe: one agent that does what it is told on standard input and says what happens on
 * standard output, one line each.
 *
 *   quicms-probe URL ID [NAME=VALUE ...]
 *
 * Settings: token, pin, ca, insecure, tickets (folder), early=0, reconnect=MIN,MAX (ms),
 * timeout (ms), keepalive (ms), pre=KIND:NAME:SIZE:FLAGS (a stream opened before the loop
 * runs), thread=1. Commands: open KIND NAME SIZE FLAGS | migrate | local | stat NAME |
 * streamstats N | join KIND NAME | churn KIND NAME N (N streams opened and reset) | leave KIND
 * NAME | watch PREFIX | unwatch N | close.  FLAGS: letters i (idempotent), u (unidirectional),
 * - (none).  A stream sends SIZE bytes of a pattern and expects them back. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <quicms/client.h>

#define STREAMS_MAX 64

struct stream {
    unsigned number;
    struct qms_stream *st;
    uint64_t size, sent, got;
    bool wrong;
};

struct probe {
    struct qms_client *client;
    struct qms_options *options;
    struct qms_connection *c;
    struct stream streams[STREAMS_MAX];
    unsigned count;
    bool over, threaded;
};

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#include <stdarg.h>
static void say(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 131 + (at >> 8) * 17 + (at >> 16));
}

/* ---- streams ---- */

static void send_more(struct stream *s)
{
    uint8_t buf[16384];

    while (s->sent < s->size) {
        size_t len =
            s->size - s->sent < sizeof(buf) ? (size_t)(s->size - s->sent) : sizeof(buf);
        size_t taken = 0;

        for (size_t i = 0; i < len; i++) {
            buf[i] = pattern(s->sent + i);
        }
        if (qms_stream_write(s->st, (struct qms_bytes){buf, len}, &taken) != QMS_OK) {
            return;
        }
        s->sent += taken;
        if (taken < len) {
            return;
        }
    }
    if (qms_stream_finish(s->st) != QMS_OK) {
        say("stream %u cannot be finished", s->number);
    }
}

static void on_writable(struct qms_stream *st, void *arg)
{
    (void)st;
    send_more(arg);
}

static void on_readable(struct qms_stream *st, void *arg)
{
    struct stream *s = arg;
    uint8_t buf[16384];
    size_t len = 0;

    while (qms_stream_read(st, buf, sizeof(buf), &len) == QMS_OK && len > 0) {
        for (size_t i = 0; i < len; i++) {
            s->wrong |= buf[i] != pattern(s->got + i);
        }
        s->got += len;
    }
}

static void on_stream_closed(struct qms_stream *st, void *arg, qms_err err)
{
    struct stream *s = arg;
    (void)st;

    say("stream %u %s sent %llu got %llu %s", s->number, qms_err_name(err),
        (unsigned long long)s->sent, (unsigned long long)s->got, s->wrong ? "wrong" : "right");
}

static const struct qms_stream_callbacks stream_callbacks = {
    .size = sizeof(stream_callbacks),
    .on_readable = on_readable,
    .on_writable = on_writable,
    .on_closed = on_stream_closed,
};

static enum qms_kind kind_of(const char *name)
{
    return strcmp(name, "agent") == 0     ? QMS_KIND_AGENT
           : strcmp(name, "group") == 0   ? QMS_KIND_GROUP
           : strcmp(name, "topic") == 0   ? QMS_KIND_TOPIC
           : strcmp(name, "service") == 0 ? QMS_KIND_SERVICE
                                          : QMS_KIND_SELF;
}

static void open_stream(struct probe *p, const char *kind, const char *name, uint64_t size,
                        const char *flags)
{
    struct stream *s = &p->streams[p->count];
    unsigned bits = (strchr(flags, 'i') != NULL ? QMS_OPEN_IDEMPOTENT : 0) |
                    (strchr(flags, 'u') != NULL ? QMS_OPEN_UNI : 0);
    qms_err err;

    if (p->count == STREAMS_MAX) {
        say("too many streams");
        return;
    }
    *s = (struct stream){.number = p->count, .size = size};
    err = qms_stream_open(p->c, kind_of(kind), name, bits, QMS_PRIORITY_NORMAL, NULL,
                          &stream_callbacks, s, &s->st);
    if (err != QMS_OK) {
        say("open failed %s", qms_err_name(err));
        return;
    }
    p->count++;
    send_more(s);
}

/* ---- connection ---- */

static void on_ready(struct qms_connection *c, void *arg)
{
    (void)arg;
    say("ready %s", qms_connection_id(c));
}

static void on_reconnecting(struct qms_connection *c, void *arg, qms_err err,
                            const char *reason, unsigned attempt, qms_time delay)
{
    (void)c;
    (void)arg;
    say("lost %s attempt %u delay %llu %s", qms_err_name(err), attempt,
        (unsigned long long)(delay / QMS_MILLISECOND), reason);
}

static void on_goaway(struct qms_connection *c, void *arg, qms_err status, uint64_t ms,
                      const char *redirect)
{
    (void)c;
    (void)arg;
    say("goaway %s %llu %s", qms_err_name(status), (unsigned long long)ms, redirect);
}

static void on_closed(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                      const char *reason)
{
    struct probe *p = arg;
    (void)c;

    say("closed %s %llu %s", qms_err_name(err), (unsigned long long)code, reason);
    p->over = true;
}

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    struct qms_bytes source = qms_stream_source(st);
    (void)c;
    (void)arg;

    say("incoming %.*s", (int)source.len, (const char *)source.data);
    qms_stream_release(st);
}

static void on_presence(struct qms_connection *c, void *arg, uint64_t watch, unsigned presence,
                        const char *agent)
{
    (void)c;
    (void)arg;
    say("presence %llu %u %s", (unsigned long long)watch, presence, agent);
}

static const struct qms_connection_callbacks callbacks = {
    .size = sizeof(callbacks),
    .on_ready = on_ready,
    .on_stream = on_stream,
    .on_goaway = on_goaway,
    .on_closed = on_closed,
    .on_reconnecting = on_reconnecting,
    .on_presence = on_presence,
};

static void on_done(struct qms_connection *c, void *arg, qms_err err)
{
    (void)c;
    say("done %s %s", (const char *)arg, qms_err_name(err));
}

/* ---- commands ---- */

static void tell_stat(struct probe *p, const char *name)
{
    uint64_t values[QMS_CONNECTION_STAT_COUNT];

    qms_connection_stats(p->c, values, QMS_CONNECTION_STAT_COUNT);
    for (unsigned i = 0; i < QMS_CONNECTION_STAT_COUNT; i++) {
        if (strcmp(qms_connection_stat_name(i), name) == 0) {
            say("stat %s %llu", name, (unsigned long long)values[i]);
        }
    }
}

static void tell_stream(struct probe *p, unsigned number)
{
    uint64_t values[QMS_STREAM_STAT_COUNT];

    if (number >= p->count) {
        return;
    }
    qms_stream_stats(p->streams[number].st, values, QMS_STREAM_STAT_COUNT);
    printf("streamstats");
    for (unsigned i = 0; i < QMS_STREAM_STAT_COUNT; i++) {
        printf(" %s=%llu", qms_stream_stat_name(i), (unsigned long long)values[i]);
    }
    say(" ");
}

static void member_command(struct probe *p, const char *verb, const char *a, const char *b)
{
    uint64_t watch = 0;
    qms_err err = QMS_E_INVALID;

    if (strcmp(verb, "join") == 0) {
        err = qms_connection_join(p->c, kind_of(a), b, NULL, on_done, "join");
    } else if (strcmp(verb, "leave") == 0) {
        err = qms_connection_leave(p->c, kind_of(a), b, on_done, "leave");
    } else if (strcmp(verb, "watch") == 0) {
        err = qms_connection_watch(p->c, a, on_done, "watch", &watch);
        say("watching %llu", (unsigned long long)watch);
    } else if (strcmp(verb, "unwatch") == 0) {
        err = qms_connection_unwatch(p->c, strtoull(a, NULL, 10), on_done, "unwatch");
    }
    if (err != QMS_OK) {
        say("%s failed %s", verb, qms_err_name(err));
    }
}

/* Rapid reset: opens streams, lets them go out, and breaks them off, again and again. */
static void churn(struct probe *p, const char *kind, const char *name, unsigned long long count)
{
    struct qms_stream *streams[64];
    unsigned long long done = 0;

    while (done < count && !p->over) {
        size_t n = 0, taken;
        for (; n < 64; n++) {
            if (qms_stream_open(p->c, kind_of(kind), name, 0, QMS_PRIORITY_NORMAL, NULL, NULL,
                                NULL, &streams[n]) != QMS_OK) {
                break;
            }
            (void)!qms_stream_write(streams[n], (struct qms_bytes){(const uint8_t *)"x", 1},
                                    &taken);
        }
        qms_client_process(p->client);
        for (size_t i = 0; i < n; i++) {
            qms_stream_reset(streams[i], 0x80);
            qms_stream_release(streams[i]);
        }
        done += n;
        qms_client_process(p->client);
        struct pollfd wait = {.fd = qms_client_fd(p->client), .events = POLLIN};
        (void)poll(&wait, 1, 1);
        qms_client_process(p->client);
    }
    say("churned %llu", done);
}

static void command(struct probe *p, char *line)
{
    char verb[32] = "", a[160] = "", b[160] = "", flags[8] = "";
    unsigned long long size = 0;

    (void)sscanf(line, "%31s %159s %159s %llu %7s", verb, a, b, &size, flags);
    if (strcmp(verb, "open") == 0) {
        open_stream(p, a, b, size, flags);
    } else if (strcmp(verb, "churn") == 0) {
        churn(p, a, b, size);
    } else if (strcmp(verb, "migrate") == 0) {
        say("migrate %s", qms_err_name(qms_connection_migrate(p->c)));
    } else if (strcmp(verb, "local") == 0) {
        say("local %s", qms_connection_local_address(p->c));
    } else if (strcmp(verb, "stat") == 0) {
        tell_stat(p, a);
    } else if (strcmp(verb, "streamstats") == 0) {
        tell_stream(p, (unsigned)atoi(a));
    } else if (strcmp(verb, "close") == 0) {
        qms_connection_close(p->c, QMS_CODE_OK, NULL);
    } else {
        member_command(p, verb, a, b);
    }
}

static void posted(struct qms_client *client, void *arg)
{
    (void)client;
    (void)arg;
    say("posted");
}

/* ---- settings ---- */

static const char *token_text;

static const char *give_token(void *arg)
{
    (void)arg;
    return token_text;
}

static qms_err set(struct probe *p, const char *name, const char *value)
{
    unsigned long long min = 0, max = 0;

    if (strcmp(name, "token") == 0) {
        token_text = value;
        qms_options_set_token_callback(p->options, give_token, NULL);
        return QMS_OK;
    }
    if (strcmp(name, "pin") == 0) {
        return qms_options_add_certificate_pin(p->options, value);
    }
    if (strcmp(name, "ca") == 0) {
        return qms_options_set_ca_file(p->options, value);
    }
    if (strcmp(name, "tickets") == 0) {
        return qms_options_set_ticket_dir(p->options, value);
    }
    if (strcmp(name, "early") == 0) {
        qms_options_set_early_data(p->options, value[0] != '0');
        return QMS_OK;
    }
    if (strcmp(name, "congestion") == 0) {
        return qms_options_set_congestion_control(p->options, value);
    }
    if (strcmp(name, "keepalive") == 0) {
        return qms_options_set_keep_alive(p->options,
                                          strtoull(value, NULL, 10) * QMS_MILLISECOND);
    }
    if (strcmp(name, "timeout") == 0) {
        return qms_options_set_connect_timeout(p->options,
                                               strtoull(value, NULL, 10) * QMS_MILLISECOND);
    }
    if (strcmp(name, "reconnect") == 0 && sscanf(value, "%llu,%llu", &min, &max) == 2) {
        return qms_options_set_reconnect(p->options, min * QMS_MILLISECOND,
                                         max * QMS_MILLISECOND);
    }
    return strcmp(name, "pre") == 0 || strcmp(name, "thread") == 0 ? QMS_OK : QMS_E_INVALID;
}

static void settings(struct probe *p, int argc, char **argv)
{
    for (int i = 3; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (value != NULL) {
            *value++ = '\0';
        }
        if (value == NULL || set(p, argv[i], value) != QMS_OK) {
            fprintf(stderr, "quicms-probe: bad setting %s\n", argv[i]);
            exit(2);
        }
        p->threaded |= strcmp(argv[i], "thread") == 0;
    }
}

static void open_early(struct probe *p, int argc, char **argv)
{
    for (int i = 3; i < argc; i++) {
        char kind[32] = "", name[160] = "", flags[8] = "";
        unsigned long long size = 0;

        if (strcmp(argv[i], "pre") == 0 &&
            sscanf(argv[i] + 4, "%31[^:]:%159[^:]:%llu:%7s", kind, name, &size, flags) >= 3) {
            open_stream(p, kind, name, size, flags);
        }
    }
}

static void loop(struct probe *p)
{
    char line[512];
    size_t len = 0;
    bool input = true;

    while (!p->over) {
        struct pollfd fds[2] = {{.fd = qms_client_fd(p->client), .events = POLLIN},
                                {.fd = input ? STDIN_FILENO : -1, .events = POLLIN}};

        qms_client_process(p->client);
        if (p->over || poll(fds, 2, qms_client_timeout(p->client)) < 0) {
            break;
        }
        if ((fds[1].revents & (POLLIN | POLLHUP)) == 0) {
            continue;
        }
        ssize_t n = read(STDIN_FILENO, line + len, sizeof(line) - 1 - len);
        if (n <= 0) {
            input = false;
            continue;
        }
        len += (size_t)n;
        line[len] = '\0';
        for (char *end; (end = strchr(line, '\n')) != NULL;) {
            *end = '\0';
            command(p, line);
            len -= (size_t)(end + 1 - line);
            memmove(line, end + 1, len + 1);
        }
    }
}

int main(int argc, char **argv)
{
    struct probe p = {0};

    if (argc < 3) {
        fputs("usage: quicms-probe URL ID [NAME=VALUE ...]\n", stderr);
        return 2;
    }
    p.options = qms_options_new();
    if (p.options == NULL || qms_client_new(&p.client) != QMS_OK ||
        qms_options_set_agent_id(p.options, argv[2]) != QMS_OK) {
        return 2;
    }
    settings(&p, argc, argv);
    if (qms_connect(p.client, p.options, argv[1], &callbacks, &p, &p.c) != QMS_OK) {
        say("connect failed %s", qms_client_error(p.client));
        return 2;
    }
    open_early(&p, argc, argv);
    if (p.threaded) {
        if (qms_client_start_thread(p.client) != QMS_OK ||
            qms_client_post(p.client, posted, NULL) != QMS_OK) {
            return 2;
        }
        (void)getchar(); /* the thread drives it until then */
    } else {
        loop(&p);
    }
    qms_client_free(p.client);
    qms_options_free(p.options);
    return 0;
}
