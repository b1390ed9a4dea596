/* SPDX-License-Identifier: MIT */
/* Options of listeners, and copies of options. */
#include <quicms/listen.h>
#include <string.h>

#include "base/mem.h"
#include "client/settings.h"
#include "proto/control.h"

#define TOKENS_MAX      1024
#define CONNECTIONS_MAX 1000000
#define RATE_MAX        1000000

qms_err qms_options_set_max_connections(struct qms_options *o, uint32_t count)
{
    if (count < 1 || count > CONNECTIONS_MAX) {
        return QMS_E_INVALID;
    }
    o->max_connections = count;
    return QMS_OK;
}

void qms_options_set_request_certificate(struct qms_options *o, bool request)
{
    o->request_certificate = request;
}

static qms_err set_rate(struct qms_gate_rate *field, uint32_t per_second, uint32_t burst)
{
    if (per_second > RATE_MAX || burst > RATE_MAX || (per_second > 0 && burst == 0)) {
        return QMS_E_INVALID;
    }
    *field = (struct qms_gate_rate){per_second, burst};
    return QMS_OK;
}

qms_err qms_options_set_accept_rate(struct qms_options *o, uint32_t per_second, uint32_t burst)
{
    return set_rate(&o->rate_all, per_second, burst);
}

qms_err qms_options_set_accept_rate_per_address(struct qms_options *o, uint32_t per_second,
                                                uint32_t burst)
{
    return set_rate(&o->rate_each, per_second, burst);
}

/* ---- tokens ---- */

static void token_fini(struct qms_accepted_token *t)
{
    if (t->token != NULL) {
        qms_memzero(t->token, t->len);
    }
    qms_free(t->token);
    qms_free(t->id);
}

void qms_options_drop_tokens(struct qms_options *o)
{
    for (size_t i = 0; i < o->accepted_count; i++) {
        token_fini(&o->accepted[i]);
    }
    qms_free(o->accepted);
    o->accepted = NULL;
    o->accepted_count = 0;
}

static qms_err token_init(struct qms_accepted_token *t, const char *id, struct qms_bytes token)
{
    *t = (struct qms_accepted_token){.len = token.len};
    t->token = qms_calloc(1, token.len);
    t->id = id == NULL ? NULL : qms_strndup(id, strlen(id));
    if (t->token == NULL || (id != NULL && t->id == NULL)) {
        qms_free(t->token);
        qms_free(t->id);
        return QMS_E_NOMEM;
    }
    memcpy(t->token, token.data, token.len);
    return QMS_OK;
}

static qms_err token_add(struct qms_options *o, const char *id, struct qms_bytes token,
                         bool broker)
{
    struct qms_accepted_token *grown =
        qms_realloc(o->accepted, (o->accepted_count + 1) * sizeof(*grown));
    qms_err err;

    if (grown == NULL) {
        return QMS_E_NOMEM;
    }
    o->accepted = grown;
    err = token_init(&grown[o->accepted_count], id, token);
    if (err == QMS_OK) {
        grown[o->accepted_count].broker = broker;
        o->accepted_count++;
    }
    return err;
}

static qms_err add_text(struct qms_options *o, const char *id, const char *token, bool broker)
{
    struct qms_bytes bytes = {(const uint8_t *)token, token == NULL ? 0 : strlen(token)};

    if (bytes.len == 0 ||
        (id != NULL && !qms_name_ok((struct qms_bytes){(const uint8_t *)id, strlen(id)}))) {
        return QMS_E_INVALID;
    }
    if (bytes.len > QMS_AUTH_MAX) {
        return QMS_E_TOO_LARGE;
    }
    return o->accepted_count >= TOKENS_MAX ? QMS_E_LIMIT : token_add(o, id, bytes, broker);
}

qms_err qms_options_add_accepted_token(struct qms_options *o, const char *id, const char *token)
{
    return add_text(o, id, token, false);
}

qms_err qms_options_add_broker_token(struct qms_options *o, const char *token)
{
    return add_text(o, NULL, token, true);
}

qms_err qms_options_add_broker_pin(struct qms_options *o, const char *sha256_hex)
{
    uint8_t pin[32];

    if (sha256_hex == NULL || !qms_options_parse_pin(sha256_hex, pin)) {
        return QMS_E_INVALID;
    }
    if (o->broker_pin_count == QMS_PINS_MAX) {
        return QMS_E_LIMIT;
    }
    memcpy(o->broker_pins[o->broker_pin_count++], pin, sizeof(pin));
    return QMS_OK;
}

/* ---- copies ---- */

static qms_err copy_string(char **out, const char *text)
{
    *out = text == NULL ? NULL : qms_strndup(text, strlen(text));
    return text != NULL && *out == NULL ? QMS_E_NOMEM : QMS_OK;
}

static qms_err copy_listener(struct qms_options *to, const struct qms_options *from)
{
    qms_err err = copy_string(&to->cert_file, from->cert_file);

    if (err == QMS_OK) {
        err = copy_string(&to->key_file, from->key_file);
    }
    for (size_t i = 0; err == QMS_OK && i < from->accepted_count; i++) {
        const struct qms_accepted_token *t = &from->accepted[i];

        err = token_add(to, t->id, (struct qms_bytes){t->token, t->len}, t->broker);
    }
    return err;
}

qms_err qms_options_copy(struct qms_options *to, const struct qms_options *from, bool listener)
{
    qms_err err = QMS_OK;

    *to = *from;
    to->token = to->agent_id = to->server_name = NULL;
    to->ca_file = to->cert_file = to->key_file = to->keylog_file = to->ticket_dir = NULL;
    to->web_certificate_url = NULL;
    to->accepted = NULL;
    to->accepted_count = 0;
    if (to->trust != NULL) {
        to->trust->refs++;
    }
    if (copy_string(&to->token, from->token) != QMS_OK ||
        copy_string(&to->agent_id, from->agent_id) != QMS_OK ||
        copy_string(&to->server_name, from->server_name) != QMS_OK ||
        copy_string(&to->ticket_dir, from->ticket_dir) != QMS_OK ||
        copy_string(&to->web_certificate_url, from->web_certificate_url) != QMS_OK ||
        (listener && copy_listener(to, from) != QMS_OK)) {
        qms_options_fini(to);
        err = QMS_E_NOMEM;
    }
    return err;
}
