/* SPDX-License-Identifier: MIT */
/* A line for each stream that has ended, in formats of the operator's.
 *
 * What a block writes replaces what it would inherit, as with nginx.  Names of formats are
 * looked up when the block is whole, so a format may stand behind the log that uses it. */
#include <stdlib.h>
#include <string.h>

#include <quicms/module.h>

#include "base/clock.h"
#include "base/near.h"
#include "format.h"

#define BUFFER_MIN 1024

struct log {
    struct qms_log_file *file;
    const char *format_name;
    const struct qms_log_format *format;
    struct qms_place place; /* of the directive */
    uint64_t share;         /* of streams that are logged, in 2^32ths */
    struct log *next;
};

struct conf {
    struct log *logs, **last; /* in the order written */
    bool off, written;
    struct qms_log_format *formats; /* the newest first, then those of the blocks around */
};

struct worker {
    uint64_t random; /* state of the generator; never 0 */
};

/* ---- log_format ---- */

static const struct {
    const char *name;
    enum qms_escape escape;
    const char *text;
} built_in[] = {
    {"main", QMS_ESCAPE_DEFAULT,
     "$time_iso8601 $address \"$agent\" $carrier $kind:\"$target\" \"$peer\" $priority $status "
     "$bytes_received $bytes_sent $duration $first_byte $rtt"},
    {"json", QMS_ESCAPE_JSON,
     "{\"time\":$time,\"agent\":\"$agent\",\"address\":\"$address\",\"carrier\":\"$carrier\","
     "\"kind\":\"$kind\",\"target\":\"$target\",\"peer\":\"$peer\",\"direction\":\"$"
     "direction\","
     "\"priority\":$priority,\"status\":\"$status\",\"reason\":\"$reason\","
     "\"bytes_received\":$bytes_received,\"bytes_sent\":$bytes_sent,\"duration\":$duration,"
     "\"first_byte\":\"$first_byte\",\"rtt\":\"$rtt\",\"trace_id\":\"$trace_id\","
     "\"worker\":$worker}"},
};

static const struct qms_log_format *find_format(const struct conf *c, const char *name)
{
    const struct qms_log_format *f = c->formats;

    while (f != NULL && strcmp(f->name, name) != 0) {
        f = f->next;
    }
    return f;
}

static qms_err add_format(struct conf *c, const char *name, enum qms_escape escape,
                          const char *text, struct qms_diag *diag)
{
    struct qms_log_format *f = qms_conf_alloc(diag, sizeof(*f));

    if (f == NULL) {
        return QMS_E_NOMEM;
    }
    f->name = name;
    f->escape = escape;
    f->next = c->formats;
    c->formats = f;
    return qms_log_format_parse(f, text, diag);
}

static qms_err read_escape(const char *word, enum qms_escape *out, struct qms_diag *diag)
{
    static const char *const words[] = {"default", "json", "none", NULL};
    char hint[QMS_NEAR_HINT_MAX];

    for (unsigned i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], word) == 0) {
            *out = (enum qms_escape)i;
            return QMS_OK;
        }
    }
    qms_diag_error(diag, "\"%s\" is not valid for escape; it takes default, json or none.%s",
                   word, qms_near_hint(word, words, hint, sizeof(hint)));
    return QMS_E_CONFIG;
}

/* Further texts are joined to the first, so that a long format may stand on several lines. */
static const char *join(int count, const char *const *texts, struct qms_diag *diag)
{
    size_t len = 1, at = 0;

    for (int i = 0; i < count; i++) {
        len += strlen(texts[i]);
    }
    char *out = qms_conf_alloc(diag, len);
    for (int i = 0; out != NULL && i < count; i++) {
        size_t more = strlen(texts[i]);
        memcpy(out + at, texts[i], more + 1);
        at += more;
    }
    return out;
}

static qms_err set_format(void *conf, const struct qms_directive *d, int argc,
                          const char *const *argv, struct qms_diag *diag)
{
    struct conf *c = conf;
    enum qms_escape escape = QMS_ESCAPE_DEFAULT;
    int text = strncmp(argv[1], "escape=", 7) == 0 ? 2 : 1;

    if (text == 2 && read_escape(argv[1] + 7, &escape, diag) != QMS_OK) {
        return QMS_E_CONFIG;
    }
    if (text >= argc) {
        qms_diag_error(diag, "\"%s\" needs a text after its name.", d->name);
        return QMS_E_CONFIG;
    }
    for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++) {
        if (strcmp(built_in[i].name, argv[0]) == 0) {
            qms_diag_error(diag, "The format \"%s\" is built in; take another name.", argv[0]);
            return QMS_E_CONFIG;
        }
    }
    if (argv[0][0] == '\0' || strchr(argv[0], '=') != NULL) {
        qms_diag_error(diag, "\"%s\" is no name for a format; it takes one without \"=\".",
                       argv[0]);
        return QMS_E_CONFIG;
    }
    if (find_format(c, argv[0]) != NULL) {
        qms_diag_error(diag, "The format \"%s\" is there already.", argv[0]);
        return QMS_E_CONFIG;
    }
    const char *whole = join(argc - text, argv + text, diag);
    return whole != NULL ? add_format(c, argv[0], escape, whole, diag) : QMS_E_NOMEM;
}

/* ---- access_log ---- */

struct options {
    const char *format;
    uint64_t buffer, flush;
    double sample;
    bool buffered, flushed, sampled;
};

static qms_err read_sample(const char *text, double *out, struct qms_diag *diag)
{
    char *end;

    *out = strtod(text, &end);
    /* Only what looks like a number: not "inf", "0x1" or "". */
    if (end == text || *end != '\0' || text[strspn(text, "0123456789.")] != '\0' ||
        !(*out > 0 && *out <= 1)) {
        qms_diag_error(diag,
                       "\"%s\" is not valid for sample; it takes a share of streams like 0.1, "
                       "above 0 and at most 1.",
                       text);
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}

static bool first_time(bool *seen, const char *what, struct qms_diag *diag)
{
    if (*seen) {
        qms_diag_error(diag, "\"%s\" is there already in this \"access_log\".", what);
        return false;
    }
    *seen = true;
    return true;
}

static qms_err read_option(const struct qms_directive *d, const char *word, struct options *o,
                           struct qms_diag *diag)
{
    static const char *const words[] = {"buffer=", "flush=", "sample=", NULL};
    const char *value = strchr(word, '=');
    struct qms_directive part = *d;
    char hint[QMS_NEAR_HINT_MAX];

    if (value == NULL && o->format == NULL) {
        o->format = word;
        return QMS_OK;
    }
    if (strncmp(word, "buffer=", 7) == 0) {
        part.name = "access_log buffer=";
        return first_time(&o->buffered, "buffer=", diag)
                   ? qms_conf_value(diag, &part, QMS_D_SIZE, word + 7, &o->buffer)
                   : QMS_E_CONFIG;
    }
    if (strncmp(word, "flush=", 6) == 0) {
        part.name = "access_log flush=";
        return first_time(&o->flushed, "flush=", diag)
                   ? qms_conf_value(diag, &part, QMS_D_TIME, word + 6, &o->flush)
                   : QMS_E_CONFIG;
    }
    if (strncmp(word, "sample=", 7) == 0) {
        return first_time(&o->sampled, "sample=", diag)
                   ? read_sample(word + 7, &o->sample, diag)
                   : QMS_E_CONFIG;
    }
    qms_diag_error(diag,
                   "Unknown option \"%s\" of \"%s\"; it has buffer=, flush= and sample=.%s",
                   word, d->name, qms_near_hint(word, words, hint, sizeof(hint)));
    return QMS_E_CONFIG;
}

static qms_err check_options(const struct options *o, struct qms_diag *diag)
{
    if (o->buffered && o->buffer < BUFFER_MIN) {
        qms_diag_error(diag, "buffer= takes at least 1k.");
    } else if (o->flushed && !o->buffered) {
        qms_diag_error(diag,
                       "flush= needs buffer=: without one every line is written at once.");
    } else if (o->flushed && o->flush < 10 * QMS_MILLISECOND) {
        qms_diag_error(diag, "flush= takes at least 10ms.");
    } else {
        return QMS_OK;
    }
    return QMS_E_CONFIG;
}

static qms_err read_options(const struct qms_directive *d, int argc, const char *const *argv,
                            struct options *o, struct qms_diag *diag)
{
    qms_err err = QMS_OK;

    *o = (struct options){.sample = 1, .flush = QMS_SECOND};
    for (int i = 1; err == QMS_OK && i < argc; i++) {
        err = read_option(d, argv[i], o, diag);
    }
    return err == QMS_OK ? check_options(o, diag) : err;
}

static qms_err mixed_with_off(struct qms_diag *diag)
{
    qms_diag_error(diag, "\"access_log off\" stands beside another access_log in this block.");
    return QMS_E_CONFIG;
}

static qms_err set_off(struct conf *c, int argc, struct qms_diag *diag)
{
    if (argc > 1) {
        qms_diag_error(diag, "\"access_log off\" takes nothing more.");
        return QMS_E_CONFIG;
    }
    if (c->written) {
        return mixed_with_off(diag);
    }
    c->off = c->written = true;
    return QMS_OK;
}

/* The same line twice in one file is a slip. */
static qms_err new_to(const struct conf *c, const struct log *log, struct qms_diag *diag)
{
    for (const struct log *l = c->logs; l != NULL; l = l->next) {
        if (l->file == log->file && strcmp(l->format_name, log->format_name) == 0) {
            qms_diag_error(diag,
                           "This block has that log with the format \"%s\" already, at %s:%u.",
                           l->format_name, l->place.file, l->place.line);
            return QMS_E_CONFIG;
        }
    }
    return QMS_OK;
}

static qms_err set_log(void *conf, const struct qms_directive *d, int argc,
                       const char *const *argv, struct qms_diag *diag)
{
    struct conf *c = conf;
    struct options o;
    struct log *log;

    if (strcmp(argv[0], "off") == 0) {
        return set_off(c, argc, diag);
    }
    if (c->off) {
        return mixed_with_off(diag);
    }
    qms_err err = read_options(d, argc, argv, &o, diag);
    if (err != QMS_OK) {
        return err;
    }
    if ((log = qms_conf_alloc(diag, sizeof(*log))) == NULL) {
        return QMS_E_NOMEM;
    }
    log->format_name = o.format != NULL ? o.format : built_in[0].name;
    log->place = qms_diag_place(diag);
    log->share = (uint64_t)(o.sample * 4294967296.0);
    err = qms_conf_open_log(diag, argv[0], (size_t)o.buffer, o.buffered ? o.flush : 0,
                            &log->file);
    if (err != QMS_OK || (err = new_to(c, log, diag)) != QMS_OK) {
        return err;
    }
    c->last = c->last != NULL ? c->last : &c->logs;
    *c->last = log;
    c->last = &log->next;
    c->written = true;
    return QMS_OK;
}

/* ---- blocks ---- */

static qms_err merge(void *conf, const void *parent, struct qms_diag *diag)
{
    struct conf *c = conf;
    const struct conf *p = parent;
    struct qms_log_format **end = &c->formats;

    for (const struct qms_log_format *f = c->formats; f != NULL; f = f->next) {
        if (find_format(p, f->name) != NULL) {
            qms_diag_error(diag, "The format \"%s\" is there already, in an outer block.",
                           f->name);
            return QMS_E_CONFIG;
        }
    }
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = p->formats;
    if (!c->written) {
        c->logs = p->logs;
    }
    return QMS_OK;
}

static qms_err add_built_in(struct conf *c, struct qms_diag *diag)
{
    qms_err err = QMS_OK;

    for (size_t i = 0; err == QMS_OK && i < sizeof(built_in) / sizeof(built_in[0]); i++) {
        if (find_format(c, built_in[i].name) == NULL) {
            err = add_format(c, built_in[i].name, built_in[i].escape, built_in[i].text, diag);
        }
    }
    return err;
}

static qms_err no_format(const struct conf *c, const struct log *log, struct qms_diag *diag)
{
    const char *near = NULL;
    unsigned best = QMS_NEAR_NONE;

    for (const struct qms_log_format *f = c->formats; f != NULL; f = f->next) {
        near = qms_near(log->format_name, f->name, &best) ? f->name : near;
    }
    qms_diag_set_place(diag, log->place);
    qms_diag_error(diag, "There is no log_format \"%s\".%s%s%s", log->format_name,
                   near != NULL ? " Did you mean \"" : "", near != NULL ? near : "",
                   near != NULL ? "\"?" : "");
    return QMS_E_CONFIG;
}

static qms_err load(void *conf, struct qms_diag *diag)
{
    struct conf *c = conf;
    qms_err err = add_built_in(c, diag);

    for (struct log *log = c->logs; err == QMS_OK && log != NULL; log = log->next) {
        if (log->format == NULL && (log->format = find_format(c, log->format_name)) == NULL) {
            err = no_format(c, log, diag);
        }
    }
    return err;
}

/* ---- writing ---- */

static qms_err start(void *worker, const void *conf, qms_time now)
{
    struct worker *w = worker;

    (void)conf, (void)now;
    qms_random(&w->random, sizeof(w->random));
    w->random |= 1;
    return QMS_OK;
}

/* xorshift64*: which streams a sample has is no secret. */
static uint32_t draw(struct worker *w)
{
    w->random ^= w->random >> 12;
    w->random ^= w->random << 25;
    w->random ^= w->random >> 27;
    return (uint32_t)((w->random * UINT64_C(2685821657736338717)) >> 32);
}

static void on_log(void *worker, const void *conf, const struct qms_route *route,
                   uint8_t status, qms_time now)
{
    const struct conf *c = conf;
    struct qms_log_event e = {.route = route, .status = status, .now = now};

    for (const struct log *log = c->logs; log != NULL; log = log->next) {
        struct qms_line line;
        if (draw(worker) >= log->share) {
            continue;
        }
        e.opener = qms_route_opener(route);
        e.wall = e.wall != 0 ? e.wall : qms_clock_wall_ns();
        line.len = 0;
        qms_log_format_write(log->format, &line, &e);
        qms_log_file_write(log->file, qms_line_end(&line), now);
    }
}

static const struct qms_directive directives[] = {
    {.name = "log_format",
     .contexts = QMS_CTX_MAIN | QMS_CTX_QUIC,
     .type = QMS_D_CUSTOM,
     .multiple = true,
     .args_min = 2,
     .args_max = 32,
     .set = set_format,
     .syntax = "NAME [escape=default|json|none] TEXT ...",
     .help =
         "What a line of an access log says: text with variables; several texts are joined."},
    {.name = "access_log",
     .contexts = QMS_CTX_MAIN | QMS_CTX_QUIC | QMS_CTX_SERVER | QMS_CTX_ROUTE,
     .type = QMS_D_CUSTOM,
     .multiple = true,
     .args_min = 1,
     .args_max = 5,
     .def = "off",
     .set = set_log,
     .syntax =
         "off | PATH|stderr|syslog:... [FORMAT] [buffer=SIZE] [flush=TIME] [sample=SHARE]",
     .help = "Writes a line for each stream that has ended; may stand several times."},
    {.name = NULL},
};

extern const struct qms_module qms_module_access_log;
const struct qms_module qms_module_access_log = {
    .abi = QMS_MODULE_ABI,
    .name = "access_log",
    .directives = directives,
    .conf_size = sizeof(struct conf),
    .worker_size = sizeof(struct worker),
    .conf_merge = merge,
    .conf_load = load,
    .worker_start = start,
    .on_log = on_log,
};
