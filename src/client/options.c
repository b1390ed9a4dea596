/* SPDX-License-Identifier: MIT */
/* Options: checked when they are set, so that connecting cannot fail on a bad number. */
#include <string.h>

#include "base/mem.h"
#include "client/settings.h"
#include "proto/control.h"

void qms_trust_unref(struct qms_trust *t)
{
    if (t != NULL && --t->refs == 0) {
        t->free(t->loaded);
        qms_free(t);
    }
}

void qms_options_init(struct qms_options *o)
{
    *o = (struct qms_options){
        .max_streams_bidi = 1024,
        .max_streams_uni = 1024,
        .idle_for = 30 * QMS_SECOND,
        .keep_alive_for = 10 * QMS_SECOND,
        .connect_for = 10 * QMS_SECOND,
        .congestion = QMS_CC_NAME_CUBIC,
        .max_udp_payload = 1452,
        .window_stream = 4u << 20,
        .window_connection = 16u << 20,
        .send_buffer = 256u << 10,
        .max_message = 1u << 20,
        .max_connections = 1024,
    };
}

static void free_secret(char *text)
{
    if (text != NULL) {
        qms_memzero(text, strlen(text));
        qms_free(text);
    }
}

void qms_options_fini(struct qms_options *o)
{
    free_secret(o->token);
    qms_free(o->agent_id);
    qms_free(o->server_name);
    qms_free(o->ca_file);
    qms_free(o->cert_file);
    qms_free(o->key_file);
    qms_free(o->keylog_file);
    qms_options_drop_tokens(o);
    qms_free(o->ticket_dir);
    qms_free(o->web_certificate_url);
    qms_trust_unref(o->trust);
}

struct qms_options *qms_options_new(void)
{
    struct qms_options *o = qms_calloc(1, sizeof(*o));

    if (o != NULL) {
        qms_options_init(o);
    }
    return o;
}

void qms_options_free(struct qms_options *o)
{
    if (o != NULL) {
        qms_options_fini(o);
        qms_free(o);
    }
}

static void trust_changed(struct qms_options *o)
{
    qms_trust_unref(o->trust);
    o->trust = NULL;
}

/* Replaces a string; NULL and "" leave none. */
static qms_err set_string(char **field, const char *value)
{
    char *copy = NULL;

    if (value != NULL && value[0] != '\0') {
        copy = qms_strndup(value, strlen(value));
        if (copy == NULL) {
            return QMS_E_NOMEM;
        }
    }
    qms_free(*field);
    *field = copy;
    return QMS_OK;
}

static qms_err set_trust_string(struct qms_options *o, char **field, const char *value)
{
    qms_err err = set_string(field, value);

    if (err == QMS_OK) {
        trust_changed(o);
    }
    return err;
}

qms_err qms_options_set_token(struct qms_options *o, const char *token)
{
    char *copy = NULL;

    if (token != NULL && strlen(token) > QMS_AUTH_MAX) {
        return QMS_E_TOO_LARGE;
    }
    if (set_string(&copy, token) != QMS_OK) {
        return QMS_E_NOMEM;
    }
    free_secret(o->token);
    o->token = copy;
    return QMS_OK;
}

qms_err qms_options_set_agent_id(struct qms_options *o, const char *id)
{
    if (id != NULL && id[0] != '\0' &&
        !qms_name_ok((struct qms_bytes){(const uint8_t *)id, strlen(id)})) {
        return QMS_E_INVALID;
    }
    return set_string(&o->agent_id, id);
}

qms_err qms_options_set_ca_file(struct qms_options *o, const char *path)
{
    return set_trust_string(o, &o->ca_file, path);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 64 digits, with or without a colon between two bytes. */
bool qms_options_parse_pin(const char *text, uint8_t out[32])
{
    for (size_t i = 0; i < 32; i++) {
        int high, low;

        if (i > 0 && *text == ':') {
            text++;
        }
        high = hex_value(text[0]);
        low = high < 0 ? -1 : hex_value(text[1]);
        if (low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return *text == '\0';
}

qms_err qms_options_add_certificate_pin(struct qms_options *o, const char *sha256_hex)
{
    uint8_t pin[32];

    if (sha256_hex == NULL || !qms_options_parse_pin(sha256_hex, pin)) {
        return QMS_E_INVALID;
    }
    if (o->pin_count == QMS_PINS_MAX) {
        return QMS_E_LIMIT;
    }
    memcpy(o->pins[o->pin_count++], pin, sizeof(pin));
    trust_changed(o);
    return QMS_OK;
}

void qms_options_set_insecure(struct qms_options *o, bool insecure)
{
    o->insecure = insecure;
    trust_changed(o);
}

qms_err qms_options_set_client_certificate(struct qms_options *o, const char *cert_file,
                                           const char *key_file)
{
    char *cert = NULL, *key = NULL;

    if ((cert_file == NULL) != (key_file == NULL)) {
        return QMS_E_INVALID;
    }
    if (set_string(&cert, cert_file) != QMS_OK || set_string(&key, key_file) != QMS_OK) {
        qms_free(cert);
        return QMS_E_NOMEM;
    }
    qms_free(o->cert_file);
    qms_free(o->key_file);
    o->cert_file = cert;
    o->key_file = key;
    o->shows_certificate = cert_file != NULL;
    trust_changed(o);
    return QMS_OK;
}

qms_err qms_options_set_server_name(struct qms_options *o, const char *name)
{
    return set_string(&o->server_name, name);
}

qms_err qms_options_set_keylog_file(struct qms_options *o, const char *path)
{
    return set_trust_string(o, &o->keylog_file, path);
}

qms_err qms_options_set_max_streams(struct qms_options *o, uint32_t bidi, uint32_t uni)
{
    if (bidi < 1 || bidi > 65536 || uni < 1 || uni > 65536) {
        return QMS_E_INVALID;
    }
    o->max_streams_bidi = bidi;
    o->max_streams_uni = uni;
    return QMS_OK;
}

static qms_err set_time(qms_time *field, qms_time value, qms_time min, qms_time max)
{
    if (value < min || value > max) {
        return QMS_E_INVALID;
    }
    *field = value;
    return QMS_OK;
}

qms_err qms_options_set_idle_timeout(struct qms_options *o, qms_time t)
{
    return set_time(&o->idle_for, t, QMS_SECOND, 3600 * QMS_SECOND);
}

qms_err qms_options_set_keep_alive(struct qms_options *o, qms_time t)
{
    return set_time(&o->keep_alive_for, t, t == 0 ? 0 : 100 * QMS_MILLISECOND,
                    3600 * QMS_SECOND);
}

qms_err qms_options_set_connect_timeout(struct qms_options *o, qms_time t)
{
    return set_time(&o->connect_for, t, 10 * QMS_MILLISECOND, 300 * QMS_SECOND);
}

qms_err qms_options_set_reconnect(struct qms_options *o, qms_time min, qms_time max)
{
    bool off = min == 0 && max == 0;

    if (!off && (min < 10 * QMS_MILLISECOND || min > 300 * QMS_SECOND || max < min ||
                 max > 3600 * QMS_SECOND)) {
        return QMS_E_INVALID;
    }
    o->reconnect_min = min;
    o->reconnect_max = max;
    return QMS_OK;
}

qms_err qms_options_set_ticket_store(
    struct qms_options *o, size_t (*load)(void *arg, const char *key, uint8_t *buf, size_t cap),
    void (*save)(void *arg, const char *key, struct qms_bytes ticket), void *arg)
{
    if ((load == NULL) != (save == NULL)) {
        return QMS_E_INVALID;
    }
    qms_free(o->ticket_dir);
    o->ticket_dir = NULL;
    o->ticket_load = load;
    o->ticket_save = save;
    o->ticket_arg = arg;
    return QMS_OK;
}

qms_err qms_options_set_ticket_dir(struct qms_options *o, const char *dir)
{
    qms_err err = set_string(&o->ticket_dir, dir);

    if (err == QMS_OK) {
        o->ticket_load = NULL;
        o->ticket_save = NULL;
    }
    return err;
}

void qms_options_set_early_data(struct qms_options *o, bool early_data)
{
    o->no_early_data = !early_data;
}

void qms_options_set_token_callback(struct qms_options *o, const char *(*token)(void *arg),
                                    void *arg)
{
    o->token_fn = token;
    o->token_arg = arg;
}

qms_err qms_options_set_congestion_control(struct qms_options *o, const char *name)
{
    static const char *const names[] = {
        [QMS_CC_NAME_CUBIC] = "cubic",
        [QMS_CC_NAME_RENO] = "reno",
        [QMS_CC_NAME_BBR] = "bbr",
    };

    for (unsigned i = 0; name != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0) {
            o->congestion = (enum qms_cc)i;
            return QMS_OK;
        }
    }
    return QMS_E_INVALID;
}

static qms_err set_size(size_t *field, size_t value, size_t min, size_t max)
{
    if (value < min || value > max) {
        return QMS_E_INVALID;
    }
    *field = value;
    return QMS_OK;
}

qms_err qms_options_set_max_udp_payload(struct qms_options *o, size_t len)
{
    return set_size(&o->max_udp_payload, len, 1200, 65000);
}

qms_err qms_options_set_receive_window(struct qms_options *o, size_t stream, size_t connection)
{
    if (stream < 64u << 10 || connection < stream || connection > 1u << 30) {
        return QMS_E_INVALID;
    }
    o->window_stream = stream;
    o->window_connection = connection;
    return QMS_OK;
}

qms_err qms_options_set_send_buffer(struct qms_options *o, size_t len)
{
    return set_size(&o->send_buffer, len, 4u << 10, 64u << 20);
}

qms_err qms_options_set_max_message(struct qms_options *o, size_t len)
{
    return set_size(&o->max_message, len, 1u << 10, 64u << 20);
}
