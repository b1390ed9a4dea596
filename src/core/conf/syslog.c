/* SPDX-License-Identifier: MIT */
/* The socket is not connected: a server that was restarted is found by its address again, and
 * nothing has to be opened for that. */
#include "core/conf/syslog.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/near.h"
#include "core/conf/diag.h"

#define PREFIX      "syslog:"
#define MESSAGE_MAX 8192
#define TAG_MAX     32 /* RFC 3164 section 4.1.3 */
#define HOST_MAX    64
#define SERVER_MAX  272 /* a name and a port */

struct qms_syslog {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } to;
    socklen_t to_len;
    unsigned facility, severity;
    bool leveled;
    char tag[TAG_MAX + 1], host[HOST_MAX + 1];
};

static const char *const facilities[] = {
    "kern",   "user",     "mail",   "daemon", "auth",   "syslog", "lpr",   "news",   "uucp",
    "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "cron2", "local0", "local1",
    "local2", "local3",   "local4", "local5", "local6", "local7", NULL};
static const char *const severities[] = {"emerg",  "alert", "crit",  "error", "warn",
                                         "notice", "info",  "debug", NULL};

bool qms_syslog_is(const char *target)
{
    return strncmp(target, PREFIX, strlen(PREFIX)) == 0;
}

static qms_err wrong(struct qms_diag *diag, const char *what, const char *value,
                     const char *expected)
{
    qms_diag_error(diag, "\"%s\" is not valid for the %s of a syslog server; it takes %s.",
                   value, what, expected);
    return QMS_E_CONFIG;
}

static qms_err set_unix(struct qms_syslog *s, const char *path, struct qms_diag *diag)
{
    if (path[0] != '/' || strlen(path) >= sizeof(s->to.un.sun_path)) {
        return wrong(diag, "server", path, "an absolute path of at most 107 bytes after unix:");
    }
    s->to.un.sun_family = AF_UNIX;
    (void)snprintf(s->to.un.sun_path, sizeof(s->to.un.sun_path), "%s", path);
    s->to_len = sizeof(s->to.un);
    return QMS_OK;
}

/* Splits "1.2.3.4:514", "[::1]:514", "::1"; the port is 514 where none is written, 0 where it
 * is no port. */
static unsigned split_port(char *host)
{
    char *colon = strrchr(host, ':'), *end = NULL;
    bool bracket = host[0] == '[';
    char *close = bracket ? strchr(host, ']') : NULL;
    unsigned long port = 514;

    if (colon != NULL &&
        (bracket ? colon == (close != NULL ? close + 1 : NULL) : strchr(host, ':') == colon)) {
        port = strtoul(colon + 1, &end, 10);
        port = end == colon + 1 || *end != '\0' || port > 65535 ? 0 : port;
        *colon = '\0';
    }
    if (close != NULL && close[1] == '\0') {
        *close = '\0';
        memmove(host, host + 1, strlen(host));
    }
    return (unsigned)port;
}

static qms_err set_address(struct qms_syslog *s, const char *address, in_port_t port,
                           struct qms_diag *diag)
{
    if (inet_pton(AF_INET, address, &s->to.in.sin_addr) == 1) {
        s->to.in.sin_family = AF_INET;
        s->to.in.sin_port = port;
        s->to_len = sizeof(s->to.in);
    } else if (inet_pton(AF_INET6, address, &s->to.in6.sin6_addr) == 1) {
        s->to.in6.sin6_family = AF_INET6;
        s->to.in6.sin6_port = port;
        s->to_len = sizeof(s->to.in6);
    } else { /* with a scope, such as fe80::1%eth0 */
        return wrong(diag, "server", address,
                     "a host with an address that is valid everywhere");
    }
    return QMS_OK;
}

static qms_err set_server(struct qms_syslog *s, const char *value, struct qms_diag *diag)
{
    char host[SERVER_MAX], address[64];

    if (strncmp(value, "unix:", 5) == 0) {
        return set_unix(s, value + 5, diag);
    }
    if (strlen(value) >= sizeof(host)) {
        return wrong(diag, "server", value, "HOST[:PORT] or unix:PATH");
    }
    (void)snprintf(host, sizeof(host), "%s", value);
    unsigned port = split_port(host);
    if (port == 0 || host[0] == '\0' || strpbrk(host, "[]") != NULL) {
        return wrong(diag, "server", value, "HOST[:PORT] or unix:PATH");
    }
    qms_err err = qms_conf_resolve(diag, host, address, sizeof(address));
    return err == QMS_OK ? set_address(s, address, htons((uint16_t)port), diag) : err;
}

static qms_err set_word(const char *const *words, const char *what, const char *expected,
                        const char *value, unsigned *out, struct qms_diag *diag)
{
    char hint[QMS_NEAR_HINT_MAX];

    for (unsigned i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], value) == 0) {
            *out = i;
            return QMS_OK;
        }
    }
    qms_diag_error(diag, "\"%s\" is not valid for the %s of a syslog server; it takes %s.%s",
                   value, what, expected, qms_near_hint(value, words, hint, sizeof(hint)));
    return QMS_E_CONFIG;
}

static qms_err set_tag(struct qms_syslog *s, const char *value, struct qms_diag *diag)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

    if (value[0] == '\0' || strlen(value) > TAG_MAX || value[strspn(value, allowed)] != '\0') {
        return wrong(diag, "tag", value, "1 to 32 letters, digits and \"_\"");
    }
    (void)snprintf(s->tag, sizeof(s->tag), "%s", value);
    return QMS_OK;
}

enum part { SERVER, FACILITY, TAG, NOHOSTNAME, SEVERITY, PARTS };
static const char *const part_words[] = {
    "server=", "facility=", "tag=", "nohostname", "severity=", NULL};
/* Of the error log, whose lines have the severity of their level. */
static const char *const leveled_words[] = {"server=", "facility=", "tag=", "nohostname", NULL};

static qms_err unknown_part(const struct qms_syslog *s, const char *word, struct qms_diag *diag)
{
    char hint[QMS_NEAR_HINT_MAX];

    qms_diag_error(
        diag,
        "Unknown part \"%s\" of a syslog server; it has server=, facility=, %stag= and "
        "nohostname.%s",
        word, s->leveled ? "" : "severity=, ",
        qms_near_hint(word, s->leveled ? leveled_words : part_words, hint, sizeof(hint)));
    return QMS_E_CONFIG;
}

static qms_err set_part(struct qms_syslog *s, unsigned part, const char *value,
                        struct qms_diag *diag)
{
    switch (part) {
    case SERVER:
        return set_server(s, value, diag);
    case FACILITY:
        return set_word(facilities, "facility", "a facility such as daemon or local0 to local7",
                        value, &s->facility, diag);
    case TAG:
        return set_tag(s, value, diag);
    case NOHOSTNAME:
        s->host[0] = '\0';
        return QMS_OK;
    default:
        break;
    }
    if (s->leveled) {
        qms_diag_error(diag, "The lines of \"error_log\" have the severity of their level, so "
                             "no severity= can be written.");
        return QMS_E_CONFIG;
    }
    return set_word(severities, "severity",
                    "emerg, alert, crit, error, warn, notice, info or debug", value,
                    &s->severity, diag);
}

/* `seen`: a bit for each part that was there. */
static qms_err set(struct qms_syslog *s, const char *word, unsigned *seen,
                   struct qms_diag *diag)
{
    unsigned part = 0;
    size_t len = strcspn(word, "=") + (strchr(word, '=') != NULL);

    while (part < PARTS &&
           (strlen(part_words[part]) != len || strncmp(part_words[part], word, len) != 0)) {
        part++;
    }
    if (part == PARTS) {
        return unknown_part(s, word, diag);
    }
    if ((*seen >> part & 1) != 0) {
        qms_diag_error(diag, "\"%s\" is there already in this syslog server.",
                       part_words[part]);
        return QMS_E_CONFIG;
    }
    *seen |= 1u << part;
    return set_part(s, part, word + len, diag);
}

qms_err qms_syslog_parse(struct qms_arena *arena, const char *target, bool leveled,
                         const struct qms_syslog **out, struct qms_diag *diag)
{
    struct qms_syslog *s = qms_arena_alloc(arena, sizeof(*s));
    char *words =
        qms_arena_strndup(arena, target + strlen(PREFIX), strlen(target + strlen(PREFIX)));
    char *save = NULL;
    unsigned seen = 0;
    qms_err err = QMS_OK;

    if (s == NULL || words == NULL) {
        return qms_diag_nomem(diag);
    }
    s->leveled = leveled;
    s->facility = 23;
    s->severity = 6;
    (void)snprintf(s->tag, sizeof(s->tag), "quicms");
    if (gethostname(s->host, sizeof(s->host)) != 0) {
        s->host[0] = '\0';
    }
    s->host[HOST_MAX] = '\0';
    for (char *w = strtok_r(words, ",", &save); err == QMS_OK && w != NULL;
         w = strtok_r(NULL, ",", &save)) {
        err = set(s, w, &seen, diag);
    }
    if (err == QMS_OK && s->to_len == 0) {
        qms_diag_error(diag, "A syslog server needs server=HOST[:PORT] or server=unix:PATH.");
        err = QMS_E_CONFIG;
    }
    *out = s;
    return err;
}

int qms_syslog_open(const struct qms_syslog *s)
{
    return socket(s->to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* "<190>Nov 28 04:00:00 host tag: " */
static size_t put_head(const struct qms_syslog *s, unsigned severity, char *out, size_t cap)
{
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)qms_clock_wall();
    struct tm tm;

    localtime_r(&now, &tm);
    int n = snprintf(out, cap, "<%u>%s %2d %02d:%02d:%02d %s%s%s: ", s->facility * 8 + severity,
                     months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, s->host,
                     s->host[0] != '\0' ? " " : "", s->tag);
    return n > 0 && (size_t)n < cap ? (size_t)n : 0;
}

static bool send_line(const struct qms_syslog *s, int fd, unsigned severity,
                      struct qms_bytes line)
{
    char message[MESSAGE_MAX];
    size_t head = put_head(s, severity, message, sizeof(message)), len = line.len;
    size_t room = sizeof(message) - head;

    len -= len > 0 && line.data[len - 1] == '\n';
    len = len < room ? len : room;
    if (len > 0) {
        memcpy(message + head, line.data, len);
    }
    struct iovec iov = {.iov_base = message, .iov_len = head + len};
    struct msghdr m = {.msg_name = (void *)(uintptr_t)&s->to,
                       .msg_namelen = s->to_len,
                       .msg_iov = &iov,
                       .msg_iovlen = 1};
    return fd >= 0 && sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

bool qms_syslog_send(const struct qms_syslog *s, int fd, struct qms_bytes line)
{
    return send_line(s, fd, s->severity, line);
}

static bool send_leveled(const void *context, int fd, enum qms_log_level level,
                         struct qms_bytes line)
{
    static const unsigned of[] = {[QMS_LOG_ERROR] = 3,
                                  [QMS_LOG_WARN] = 4,
                                  [QMS_LOG_NOTICE] = 5,
                                  [QMS_LOG_INFO] = 6,
                                  [QMS_LOG_DEBUG] = 7};

    return send_line(context, fd, of[level], line);
}

struct qms_log_sink qms_syslog_sink(const struct qms_syslog *s)
{
    _Static_assert(sizeof(*s) <= QMS_LOG_CONTEXT_MAX, "the sink keeps a copy");
    return (struct qms_log_sink){send_leveled, s, sizeof(*s)};
}
