/* SPDX-License-Identifier: MIT */
/* PCRE2 with bounds on what one match may cost. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "core/conf/regex.h"

#include <pcre2.h>
#include <string.h>

#include "base/mem.h"
#include "core/conf/diag.h"

/* Steps that one match may take: names are short, so only an expression that backtracks without
 * end needs more.  Nobody knows then whether it fits, so nothing may pass: whoever chooses
 * names could else find one that a block with "deny" does not see. */
#define MATCH_STEPS 20000
/* Heap of one match, in KiB. */
#define MATCH_HEAP 64

struct qms_regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
};

void qms_regex_free(struct qms_regex *r)
{
    if (r != NULL) {
        pcre2_match_context_free(r->limits);
        pcre2_match_data_free(r->match);
        pcre2_code_free(r->code);
        qms_free(r);
    }
}

static qms_err bad(const char *text, const char *what, int code, size_t at,
                   struct qms_diag *diag)
{
    PCRE2_UCHAR said[128];

    (void)pcre2_get_error_message(code, said, sizeof(said));
    qms_diag_error(diag, "The regular expression \"%s\" %s is wrong at character %zu: %s.",
                   text, what, at + 1, (const char *)said);
    return QMS_E_CONFIG;
}

qms_err qms_regex_new(const char *text, bool whole, const char *what, struct qms_diag *diag,
                      struct qms_regex **out)
{
    struct qms_regex *r = qms_calloc(1, sizeof(*r));
    uint32_t options = whole ? PCRE2_ANCHORED | PCRE2_ENDANCHORED : 0;
    int code = 0;
    size_t at = 0;

    if (r == NULL) {
        return qms_diag_nomem(diag);
    }
    r->code = pcre2_compile((PCRE2_SPTR)text, strlen(text), options, &code, &at, NULL);
    if (r->code == NULL) {
        qms_regex_free(r);
        return bad(text, what, code, at, diag);
    }
    r->match = pcre2_match_data_create(1, NULL);
    r->limits = pcre2_match_context_create(NULL);
    if (r->match == NULL || r->limits == NULL) {
        qms_regex_free(r);
        return qms_diag_nomem(diag);
    }
    (void)pcre2_set_match_limit(r->limits, MATCH_STEPS);
    (void)pcre2_set_heap_limit(r->limits, MATCH_HEAP);
    *out = r;
    return QMS_OK;
}

enum qms_regex_answer qms_regex_ask(const struct qms_regex *r, struct qms_bytes name)
{
    int found = pcre2_match(r->code, name.data, name.len, 0, 0, r->match, r->limits);

    return found >= 0                     ? QMS_REGEX_YES
           : found == PCRE2_ERROR_NOMATCH ? QMS_REGEX_NO
                                          : QMS_REGEX_UNKNOWN;
}
