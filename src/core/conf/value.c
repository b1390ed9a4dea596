/* SPDX-License-Identifier: MIT */
/* Units are rows of two small tables, read in one direction by the parsers and in the other by
 * the messages. */
#include "core/conf/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "core/conf/diag.h"
#include "core/conf/files.h"

struct unit {
    const char *name;
    uint64_t factor;
};
/* Largest first: a value is shown in the largest unit that divides it. */
static const struct unit size_units[] = {
    {"g", 1U << 30}, {"m", 1U << 20}, {"k", 1U << 10}, {NULL, 0}};
static const struct unit time_units[] = {{"d", 86400 * QMS_SECOND}, {"h", 3600 * QMS_SECOND},
                                         {"m", 60 * QMS_SECOND},    {"s", QMS_SECOND},
                                         {"ms", QMS_MILLISECOND},   {NULL, 0}};

static qms_err digits(const char **at, uint64_t *out)
{
    const char *p = *at;
    uint64_t v = 0;
    bool fits = true;

    if (*p < '0' || *p > '9') {
        return QMS_E_INVALID;
    }
    for (; *p >= '0' && *p <= '9'; p++) {
        fits = fits && !__builtin_mul_overflow(v, (uint64_t)10, &v) &&
               !__builtin_add_overflow(v, (uint64_t)(*p - '0'), &v);
    }
    *at = p;
    *out = v;
    return fits ? QMS_OK : QMS_E_LIMIT;
}

qms_err qms_conf_number(const char *text, uint64_t *out)
{
    qms_err err = digits(&text, out);

    return *text != 0 ? QMS_E_INVALID : err;
}

qms_err qms_conf_size(const char *text, uint64_t *out)
{
    uint64_t value, factor = 1;
    qms_err err = digits(&text, &value);

    if (err == QMS_E_INVALID) {
        return err;
    }
    for (const struct unit *u = size_units; *text != 0 && u->name != NULL; u++) {
        if (u->name[0] == (*text | 0x20)) {
            factor = u->factor;
            text++;
            break;
        }
    }
    if (*text != 0) {
        return QMS_E_INVALID;
    }
    return err == QMS_OK && __builtin_mul_overflow(value, factor, out) ? QMS_E_LIMIT : err;
}

static const struct unit *time_unit(const char *text, size_t len)
{
    for (const struct unit *u = time_units; u->name != NULL; u++) {
        if (strlen(u->name) == len && strncmp(u->name, text, len) == 0) {
            return u;
        }
    }
    return NULL;
}

qms_err qms_conf_time(const char *text, uint64_t *out)
{
    static const struct unit seconds = {"s", QMS_SECOND};
    uint64_t sum = 0, last = UINT64_MAX;
    bool fits = true, single = true;

    do {
        uint64_t value, part;
        qms_err err = digits(&text, &value);
        size_t len = strcspn(text, "0123456789");
        const struct unit *u = len == 0 && single ? &seconds : time_unit(text, len);
        if (err == QMS_E_INVALID || u == NULL || u->factor >= last) {
            return QMS_E_INVALID;
        }
        fits = fits && err == QMS_OK && !__builtin_mul_overflow(value, u->factor, &part) &&
               !__builtin_add_overflow(sum, part, &sum);
        last = u->factor;
        text += len;
        single = false;
    } while (*text != 0);
    *out = sum;
    return fits ? QMS_OK : QMS_E_LIMIT;
}

const char *qms_conf_value_text(enum qms_dtype type, uint64_t value, char *buf, size_t size)
{
    const struct unit *u = type == QMS_D_TIME ? time_units : size_units;

    if (type == QMS_D_NUMBER) {
        (void)snprintf(buf, size, "%" PRIu64, value);
        return buf;
    }
    while (u->name != NULL && (value == 0 || value % u->factor != 0)) {
        u++;
    }
    if (u->name != NULL) {
        (void)snprintf(buf, size, "%" PRIu64 "%s", value / u->factor, u->name);
    } else {
        (void)snprintf(buf, size, "%" PRIu64, value);
    }
    return buf;
}

const char *qms_conf_range_text(const struct qms_directive *d, char *buf, size_t size)
{
    char low[32], high[32];

    qms_conf_value_text(d->type, d->min, low, sizeof(low));
    qms_conf_value_text(d->type, d->max, high, sizeof(high));
    if (d->max != 0) {
        (void)snprintf(buf, size, "%s to %s", low, high);
    } else if (d->min != 0) {
        (void)snprintf(buf, size, "at least %s", low);
    } else {
        buf[0] = 0;
    }
    return buf;
}

const char *qms_conf_words_text(const struct qms_directive *d, char *buf, size_t size)
{
    size_t at = 0;

    buf[0] = 0;
    if (d->type == QMS_D_FLAG) {
        (void)snprintf(buf, size, "on or off");
        return buf;
    }
    for (size_t i = 0; d->words[i] != NULL && at < size; i++) {
        const char *glue = i == 0 ? "" : d->words[i + 1] == NULL ? " or " : ", ";
        int n = snprintf(buf + at, size - at, "%s%s", glue, d->words[i]);
        at += n > 0 ? (size_t)n : 0;
    }
    return buf;
}

/* The words that a value of another type may be instead; none for most. */
static const char *const *words_of(const struct qms_directive *d)
{
    static const char *const none[] = {NULL};

    return d->words != NULL ? d->words : none;
}

const char *qms_conf_word_hint(const struct qms_directive *d, const char *word, char *buf,
                               size_t size)
{
    unsigned best = QMS_NEAR_NONE;
    char typed[32], name[32];
    size_t len = strcspn(word, "=");

    buf[0] = '\0';
    (void)snprintf(typed, sizeof(typed), "%.*s", (int)(len < 31 ? len : 31), word);
    for (const char *p = d->syntax; *p != '\0'; p += len) {
        len = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
        (void)snprintf(name, sizeof(name), "%.*s", (int)(len < 31 ? len : 31), p);
        bool value = p > d->syntax && p[-1] == '='; /* what stands there is no word */
        if (len > 0 && !value && qms_near(typed, name, &best)) {
            (void)snprintf(buf, size, " Did you mean \"%s%s\"?", name,
                           p[len] == '=' ? "=" : "");
        }
        len += len == 0;
    }
    if (best == 0) { /* a known word in the wrong place */
        buf[0] = '\0';
    }
    return buf;
}

static qms_err bad_form(const struct qms_directive *d, enum qms_dtype type, const char *text,
                        struct qms_diag *diag)
{
    static const char *const forms[] = {
        [QMS_D_NUMBER] = "a number",
        [QMS_D_SIZE] = "a size: a number with k, m, g or none of them",
        [QMS_D_TIME] = "a time: a number with ms, s, m, h or d",
    };

    char words[64] = "", hint[QMS_NEAR_HINT_MAX];

    if (d->words != NULL) {
        (void)qms_conf_words_text(d, words, sizeof(words));
    }
    qms_diag_error(diag, "\"%s\" is not valid for \"%s\"; it takes %s%s%s.%s", text, d->name,
                   words, words[0] != '\0' ? ", or " : "", forms[type],
                   qms_near_hint(text, words_of(d), hint, sizeof(hint)));
    return QMS_E_CONFIG;
}

qms_err qms_conf_scalar(const struct qms_directive *d, enum qms_dtype type, const char *text,
                        struct qms_diag *diag, uint64_t *out)
{
    struct qms_directive typed = *d;
    uint64_t value = 0;
    char range[80];
    qms_err err = type == QMS_D_NUMBER ? qms_conf_number(text, &value)
                  : type == QMS_D_SIZE ? qms_conf_size(text, &value)
                                       : qms_conf_time(text, &value);

    typed.type = type;
    if (err == QMS_E_INVALID) {
        return bad_form(d, type, text, diag);
    }
    if (err != QMS_OK || value < d->min || (d->max != 0 && value > d->max)) {
        qms_conf_range_text(&typed, range, sizeof(range));
        qms_diag_error(diag, "\"%s\" is out of range for \"%s\": %s.", text, d->name,
                       range[0] != 0 ? range : "it does not fit 64 bits");
        return QMS_E_CONFIG;
    }
    *out = value;
    return QMS_OK;
}

static qms_err one_of_words(const struct qms_directive *d, const char *text,
                            struct qms_diag *diag, uint64_t *out)
{
    static const char *const flags[] = {"off", "on", NULL};
    const char *const *words = d->type == QMS_D_FLAG ? flags : d->words;
    char buf[256], hint[QMS_NEAR_HINT_MAX];

    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return QMS_OK;
        }
    }
    qms_diag_error(diag, "\"%s\" is not valid for \"%s\"; it takes %s.%s", text, d->name,
                   qms_conf_words_text(d, buf, sizeof(buf)),
                   qms_near_hint(text, words, hint, sizeof(hint)));
    return QMS_E_CONFIG;
}

static qms_err check_count(const struct qms_directive *d, int argc, struct qms_diag *diag)
{
    bool custom = d->type == QMS_D_CUSTOM && (d->args_min != 0 || d->args_max != 0);
    unsigned min = custom ? d->args_min : 1, max = custom ? d->args_max : 1;
    const char *syntax = d->syntax != NULL ? d->syntax : "",
               *colon = syntax[0] != 0 ? ": " : "";

    if (max < min) {
        max = min;
    }
    if ((unsigned)argc >= min && (unsigned)argc <= max) {
        return QMS_OK;
    }
    if (min == max) {
        qms_diag_error(diag, "Directive \"%s\" takes %u argument%s, not %d%s%s.", d->name, min,
                       min == 1 ? "" : "s", argc, colon, syntax);
    } else {
        qms_diag_error(diag, "Directive \"%s\" takes %u to %u arguments, not %d%s%s.", d->name,
                       min, max, argc, colon, syntax);
    }
    return QMS_E_CONFIG;
}

static qms_err store_text(void *field, const struct qms_directive *d, const char *text,
                          struct qms_diag *diag)
{
    struct qms_conf *conf = diag->conf;
    const char *value = d->type == QMS_D_PATH
                            ? qms_conf_path(conf->arena, conf->prefix, text)
                            : qms_arena_strndup(conf->arena, text, strlen(text));

    if (text[0] == 0) {
        qms_diag_error(diag, "Directive \"%s\" takes a text that is not empty.", d->name);
        return QMS_E_CONFIG;
    }
    if (value == NULL) {
        return qms_diag_nomem(diag);
    }
    memcpy(field, &value, sizeof(value));
    return QMS_OK;
}

qms_err qms_conf_apply(void *object, const struct qms_directive *d, int argc,
                       const char *const *argv, struct qms_diag *diag)
{
    char *field = (char *)object + d->offset;
    uint64_t value = 0;
    qms_err err = check_count(d, argc, diag);

    if (err != QMS_OK) {
        return err;
    }
    switch (d->type) {
    case QMS_D_CUSTOM:
        return d->set(object, d, argc, argv, diag);
    case QMS_D_STRING:
    case QMS_D_PATH:
        return store_text(field, d, argv[0], diag);
    case QMS_D_FLAG:
    case QMS_D_ENUM:
        err = one_of_words(d, argv[0], diag, &value);
        break;
    case QMS_D_NUMBER:
    case QMS_D_SIZE:
    case QMS_D_TIME:
        err = qms_conf_scalar(d, d->type, argv[0], diag, &value);
        break;
    }
    if (err == QMS_OK) {
        memcpy(field, &value, sizeof(value));
    }
    return err;
}

/* Defaults are written by us: words between single spaces. */
qms_err qms_conf_apply_default(void *object, const struct qms_directive *d,
                               struct qms_diag *diag)
{
    const char *argv[8];
    int argc = 0;

    if (d->def == NULL) {
        return QMS_OK;
    }
    for (const char *p = d->def; argc < 8; argc++) {
        size_t len = strcspn(p, " ");
        argv[argc] = qms_arena_strndup(diag->conf->arena, p, len);
        if (argv[argc] == NULL) {
            return qms_diag_nomem(diag);
        }
        if (p[len] == 0) {
            argc++;
            break;
        }
        p += len + 1;
    }
    return qms_conf_apply(object, d, argc, argv, diag);
}

qms_err qms_conf_value(struct qms_diag *diag, const struct qms_directive *d,
                       enum qms_dtype type, const char *text, uint64_t *out)
{
    return qms_conf_scalar(d, type, text, diag, out);
}

void qms_conf_copy_field(void *to, const void *from, const struct qms_directive *d)
{
    bool text = d->type == QMS_D_STRING || d->type == QMS_D_PATH;
    size_t len = text ? sizeof(const char *) : sizeof(uint64_t);

    memcpy((char *)to + d->offset, (const char *)from + d->offset, len);
}
