/* SPDX-License-Identifier: MIT */
/* What may go through a stream, by route block: how much, how large its messages are, whether
 * it is text, what its opener calls it.  Checked as it comes, before it is passed on: what
 * breaks a rule never arrives.  A datagram is one message without a content type. */
#include <string.h>
#include <strings.h>

#include <quicms/module.h>

#include "payload.h"

#define TYPES_MAX 16

struct conf {
    uint64_t max_stream, max_message, text, framed;
    const char *const *types; /* allowed content types; NULL: any or none */
    uint64_t type_count;
};

struct stream {
    struct qms_payload_state ways[2]; /* from the opener, from the acceptor */
};

/* ---- configuration ---- */

/* Names by RFC 6838 section 4.2; a star is a whole subtype. */
static size_t name_len(const char *s)
{
    return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                     "!#$&^_.+-");
}

static bool type_ok(const char *s)
{
    size_t type = name_len(s);
    const char *sub = s + type + 1;

    return type > 0 && s[type] == '/' && strlen(s) <= 127 &&
           (strcmp(sub, "*") == 0 || (sub[0] != '\0' && sub[name_len(sub)] == '\0'));
}

static qms_err set_types(void *conf, const struct qms_directive *d, int argc,
                         const char *const *argv, struct qms_diag *diag)
{
    struct conf *c = conf;

    if (strcmp(argv[0], "any") == 0) {
        c->types = argv;
        c->type_count = 0;
        if (argc > 1) {
            qms_diag_error(diag, "\"%s any\" takes nothing more.", d->name);
        }
        return argc > 1 ? QMS_E_CONFIG : QMS_OK;
    }
    for (int i = 0; i < argc; i++) {
        if (!type_ok(argv[i])) {
            qms_diag_error(diag,
                           "\"%s\" is not valid for \"%s\"; it takes any, or types like "
                           "application/json or text/*.",
                           argv[i], d->name);
            return QMS_E_CONFIG;
        }
    }
    c->types = argv;
    c->type_count = (uint64_t)argc;
    return QMS_OK;
}

static const char *const text_words[] = {"off", "utf8", "no_nul", NULL};

#define CONTEXTS (QMS_CTX_MAIN | QMS_CTX_QUIC | QMS_CTX_SERVER | QMS_CTX_ROUTE)

static const struct qms_directive directives[] = {
    {.name = "validate_max_stream",
     .contexts = CONTEXTS,
     .type = QMS_D_SIZE,
     .offset = QMS_U64_FIELD(struct conf, max_stream),
     .def = "0",
     .unit = "bytes",
     .help = "Payload bytes of one direction of a stream; 0 means unlimited."},
    {.name = "validate_max_message",
     .contexts = CONTEXTS,
     .type = QMS_D_SIZE,
     .offset = QMS_U64_FIELD(struct conf, max_message),
     .def = "0",
     .unit = "bytes",
     .help = "Largest message of a framed stream, and largest datagram; 0 means unlimited."},
    {.name = "validate_text",
     .contexts = CONTEXTS,
     .type = QMS_D_ENUM,
     .offset = QMS_U64_FIELD(struct conf, text),
     .def = "off",
     .words = text_words,
     .help = "Whether payload (of framed streams each message, and datagrams) must be UTF-8, "
             "with or without NUL characters."},
    {.name = "validate_framed",
     .contexts = CONTEXTS,
     .type = QMS_D_FLAG,
     .offset = QMS_U64_FIELD(struct conf, framed),
     .def = "off",
     .help = "Whether only framed streams are taken, which are sequences of messages."},
    {.name = "validate_content_type",
     .contexts = CONTEXTS,
     .type = QMS_D_CUSTOM,
     .args_min = 1,
     .args_max = TYPES_MAX,
     .def = "any",
     .set = set_types,
     .syntax = "any | TYPE/SUBTYPE | TYPE/* ...",
     .help =
         "Content types that a stream may be opened with; a stream without one is refused."},
    {.name = NULL},
};

static qms_err merge(void *conf, const void *parent, struct qms_diag *diag)
{
    struct conf *c = conf;
    const struct conf *p = parent;

    (void)diag;
    if (c->types == NULL) {
        c->types = p->types;
        c->type_count = p->type_count;
    }
    return QMS_OK;
}

/* ---- checks ---- */

static enum qms_verdict refuse(struct qms_refusal *why, enum qms_code code, const char *reason,
                               const char *label)
{
    *why = (struct qms_refusal){code, 0, reason, label};
    return QMS_REJECT;
}

/* Parameters (";charset=...") do not count, nor does the case (RFC 9110 section 8.3.1). */
static bool type_fits(const char *pattern, struct qms_bytes type)
{
    size_t len = strlen(pattern), have = 0;
    const char *text = (const char *)type.data;

    while (have < type.len && text[have] != ';' && text[have] != ' ') {
        have++;
    }
    if (len > 1 && pattern[len - 1] == '*') {
        return have >= len && strncasecmp(text, pattern, len - 1) == 0;
    }
    return have == len && strncasecmp(text, pattern, len) == 0;
}

static bool type_allowed(const struct conf *c, struct qms_bytes type)
{
    for (uint64_t i = 0; i < c->type_count; i++) {
        if (type.len > 0 && type_fits(c->types[i], type)) {
            return true;
        }
    }
    return c->type_count == 0;
}

static enum qms_verdict on_open(void *stream_data, void *peer_data, const void *conf,
                                const struct qms_route *route, qms_time now,
                                struct qms_refusal *why)
{
    const struct conf *c = conf;

    (void)stream_data, (void)peer_data, (void)now;
    if (!type_allowed(c, qms_route_content_type(route))) {
        return refuse(why, QMS_CODE_REJECTED, "this content type is not taken", "content_type");
    }
    if (c->framed != 0 && !qms_route_framed(route)) {
        return refuse(why, QMS_CODE_REJECTED, "only framed streams are taken", "not_framed");
    }
    return QMS_PASS;
}

static enum qms_code code_of(const char *label)
{
    return strstr(label, "too_large") != NULL ? QMS_CODE_TOO_LARGE : QMS_CODE_REJECTED;
}

static enum qms_verdict on_data(void *stream_data, void *peer_data, const void *conf,
                                const struct qms_route *route,
                                const struct qms_payload *payload, qms_time now,
                                qms_time *retry_at, struct qms_refusal *why)
{
    struct stream *s = stream_data;
    const struct conf *c = conf;
    const struct qms_validate_rules rules = {
        .max_stream = c->max_stream,
        .max_message = c->max_message,
        .text = c->text,
        .framed = qms_route_framed(route),
    };

    (void)peer_data, (void)now, (void)retry_at;
    if ((rules.max_stream | rules.max_message | rules.text) == 0) {
        return QMS_PASS;
    }
    const char *fault = qms_payload_check(&s->ways[payload->forward ? 0 : 1], &rules,
                                          payload->bytes, payload->fin);
    return fault != NULL ? refuse(why, code_of(fault), "the payload is not valid", fault)
                         : QMS_PASS;
}

static enum qms_verdict on_datagram(void *peer_data, const void *conf, struct qms_peer *peer,
                                    enum qms_kind kind, struct qms_bytes target,
                                    struct qms_bytes payload, qms_time now,
                                    struct qms_refusal *why)
{
    const struct conf *c = conf;
    const struct qms_validate_rules rules = {.text = c->text};
    struct qms_payload_state whole = {0};

    (void)peer_data, (void)peer, (void)kind, (void)target, (void)now;
    why->label = c->max_message != 0 && payload.len > c->max_message
                     ? "message_too_large"
                     : qms_payload_check(&whole, &rules, payload, true);
    return why->label != NULL ? QMS_REJECT : QMS_PASS;
}

extern const struct qms_module qms_module_validate;
const struct qms_module qms_module_validate = {
    .abi = QMS_MODULE_ABI,
    .name = "validate",
    .directives = directives,
    .conf_size = sizeof(struct conf),
    .stream_size = sizeof(struct stream),
    .conf_merge = merge,
    .on_open = on_open,
    .on_data = on_data,
    .on_datagram = on_datagram,
};
