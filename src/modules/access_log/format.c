/* SPDX-License-Identifier: MIT */
#include "format.h"

#include <string.h>

#include "base/near.h"

#define NAME_MAX 48

static size_t name_len(const char *at)
{
    return strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
}

static qms_err unknown(const char *name, struct qms_diag *diag)
{
    const char *near = NULL;
    unsigned best = QMS_NEAR_NONE;

    for (const struct qms_log_variable *v = qms_log_variables; v->name != NULL; v++) {
        near = qms_near(name, v->name, &best) ? v->name : near;
    }
    if (near != NULL) {
        qms_diag_error(diag, "Unknown variable \"$%s\"; did you mean \"$%s\"?", name, near);
    } else {
        qms_diag_error(diag, "Unknown variable \"$%s\".", name);
    }
    return QMS_E_CONFIG;
}

static qms_err find(const char *at, size_t len, const struct qms_log_variable **out,
                    struct qms_diag *diag)
{
    char name[NAME_MAX + 1];

    len = len < NAME_MAX ? len : NAME_MAX;
    memcpy(name, at, len);
    name[len] = '\0';
    for (*out = qms_log_variables; (*out)->name != NULL; (*out)++) {
        if (strcmp((*out)->name, name) == 0) {
            return QMS_OK;
        }
    }
    return unknown(name, diag);
}

/* The variable at *at, which is a dollar; moves behind it. */
static qms_err read_variable(const char **at, const struct qms_log_variable **out,
                             struct qms_diag *diag)
{
    bool braces = (*at)[1] == '{';
    const char *name = *at + (braces ? 2 : 1);
    size_t len = name_len(name);

    if (len == 0 || (braces && name[len] != '}')) {
        qms_diag_error(diag, "A \"$\" in a log format is followed by the name of a variable.");
        return QMS_E_CONFIG;
    }
    *at = name + len + (braces ? 1 : 0);
    return find(name, len, out, diag);
}

/* Every dollar begins a part and may end one before it. */
static size_t parts_at_most(const char *text)
{
    size_t n = 1;

    for (; (text = strchr(text, '$')) != NULL; text++) {
        n += 2;
    }
    return n;
}

qms_err qms_log_format_parse(struct qms_log_format *f, const char *text, struct qms_diag *diag)
{
    qms_err err = QMS_OK;

    f->parts = qms_conf_alloc(diag, parts_at_most(text) * sizeof(*f->parts));
    if (f->parts == NULL) {
        return QMS_E_NOMEM;
    }
    while (err == QMS_OK && *text != '\0') {
        struct qms_log_part *part = &f->parts[f->part_count++];
        size_t len = strcspn(text, "$");
        if (len > 0) {
            *part = (struct qms_log_part){.text = text, .len = len};
            text += len;
        } else {
            err = read_variable(&text, &part->variable, diag);
        }
    }
    return err;
}

void qms_log_format_write(const struct qms_log_format *f, struct qms_line *l,
                          const struct qms_log_event *e)
{
    l->escape = f->escape;
    for (size_t i = 0; i < f->part_count; i++) {
        if (f->parts[i].text != NULL) {
            qms_line_put(l, f->parts[i].text, f->parts[i].len);
        } else {
            f->parts[i].variable->put(l, e);
        }
    }
}
