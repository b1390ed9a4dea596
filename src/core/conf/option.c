/* SPDX-License-Identifier: MIT */
#include "core/conf/option.h"

#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "core/conf/diag.h"
#include "core/conf/value.h"

const char *qms_conf_named(const char *word, const char *name)
{
    size_t len = strlen(name);

    return strncmp(word, name, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

qms_err qms_conf_bad_word(const struct qms_directive *d, const char *word,
                          struct qms_diag *diag)
{
    char hint[QMS_NEAR_HINT_MAX];

    qms_diag_error(diag, "\"%s\" is not valid for \"%s\"; it is written: %s %s.%s", word,
                   d->name, d->name, d->syntax,
                   qms_conf_word_hint(d, word, hint, sizeof(hint)));
    return QMS_E_CONFIG;
}

qms_err qms_conf_option(const struct qms_directive *d, const struct qms_option *option,
                        const char *text, struct qms_diag *diag, uint64_t *out)
{
    char name[64];
    struct qms_directive row = *d;

    (void)snprintf(name, sizeof(name), "%s %s", d->name, option->name);
    row.name = name;
    row.min = option->min;
    row.max = option->max;
    row.words = NULL; /* they stand in another place */
    return qms_conf_scalar(&row, option->type, text, diag, out);
}
