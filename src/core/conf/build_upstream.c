/* SPDX-License-Identifier: MIT */
/* Building upstream blocks.  Names of hosts are resolved by the master when it reads the
 * configuration, as nginx does: a worker is given the addresses with the text. */
#include "core/conf/upstream_conf.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "core/conf/arena.h"
#include "core/conf/build_i.h"
#include "core/conf/custom.h"
#include "core/conf/diag.h"
#include "core/conf/option.h"
#include "core/conf/value.h"
#include "proto/field.h"

#define SCHEME     "quic://"
#define TOKEN_MAX  8192
#define WEIGHT_MAX 65535
#define NAMES      "names are of A-Z a-z 0-9 . _ ~ : @ / + and -"
/* An address as qms_conf_resolve writes it. */
#define RESOLVED_MAX 64

static const struct qms_option agent_weight = {"weight=", QMS_D_NUMBER, 1, WEIGHT_MAX};
static const struct qms_option health_interval = {"interval=", QMS_D_TIME,
                                                  100 * QMS_MILLISECOND, 3600 * QMS_SECOND};
static const struct qms_option health_fails = {"fails=", QMS_D_NUMBER, 1, 100};

/* ---- agent ---- */

/* "HOST:PORT" or "[IP]:PORT" behind the scheme. */
static qms_err split(struct qms_upstream_agent *a, const char **port, struct qms_diag *diag)
{
    const char *at =
        strncmp(a->url, SCHEME, sizeof(SCHEME) - 1) == 0 ? a->url + sizeof(SCHEME) - 1 : NULL;
    const char *colon = at == NULL ? NULL : strrchr(at, ':');
    bool bracketed = colon != NULL && at[0] == '[' && colon > at + 1 && colon[-1] == ']';
    size_t len = colon == NULL ? 0 : (size_t)(colon - at) - (bracketed ? 2 : 0);
    uint64_t number = 0;

    if (len == 0 || len > 255 || qms_conf_number(colon + 1, &number) != QMS_OK || number < 1 ||
        number > UINT16_MAX || (!bracketed && memchr(at, ':', len) != NULL)) {
        qms_diag_error(diag,
                       "\"%s\" is not an agent's URL; it must look like quic://HOST:PORT, with "
                       "a port of 1 to 65535.",
                       a->url);
        return QMS_E_CONFIG;
    }
    a->host = qms_arena_strndup(diag->conf->arena, at + (bracketed ? 1 : 0), len);
    *port = colon + 1;
    return a->host == NULL ? qms_diag_nomem(diag) : QMS_OK;
}

/* Names travel to the workers as what the master has found. */
static qms_err find_address(struct qms_upstream_agent *a, const char *port,
                            struct qms_diag *diag)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char text[RESOLVED_MAX];
    qms_err err = qms_conf_resolve(diag, a->host, text, sizeof(text));

    if (err != QMS_OK) {
        return err;
    }
    if (getaddrinfo(text, port, &hints, &found) != 0) {
        qms_diag_error(diag, "The port of \"%s\" is not one.", a->url);
        return QMS_E_CONFIG;
    }
    memcpy(&a->address, found->ai_addr, found->ai_addrlen);
    a->address_len = found->ai_addrlen;
    freeaddrinfo(found);
    return QMS_OK;
}

static qms_err agent_option(struct qms_upstream_agent *a, const struct qms_directive *d,
                            const char *word, struct qms_diag *diag)
{
    const char *weight = qms_conf_named(word, "weight"), *id = qms_conf_named(word, "id");

    if (weight != NULL) {
        return qms_conf_option(d, &agent_weight, weight, diag, &a->weight);
    }
    if (id == NULL) {
        return qms_conf_bad_word(d, word, diag);
    }
    if (!qms_name_ok((struct qms_bytes){(const uint8_t *)id, strlen(id)}) ||
        strlen(id) > QMS_NAME_MAX - 4) {
        qms_diag_error(diag, "\"%s\" is not an agent id; " NAMES ".", id);
        return QMS_E_CONFIG;
    }
    a->id = id;
    return QMS_OK;
}

static struct qms_upstream_agent *add_agent(struct qms_upstream_conf *u, struct qms_diag *diag)
{
    struct qms_upstream_agent *grown =
        qms_arena_grow(diag->conf->arena, u->agents, u->agent_count, sizeof(*grown));

    if (grown == NULL) {
        (void)qms_diag_nomem(diag);
        return NULL;
    }
    u->agents = grown;
    return &grown[u->agent_count++];
}

qms_err qms_conf_set_upstream_agent(void *object, const struct qms_directive *d, int argc,
                                    const char *const *argv, struct qms_diag *diag)
{
    struct qms_upstream_agent *a = add_agent(object, diag);
    const char *port = NULL;
    qms_err err;

    if (a == NULL) {
        return QMS_E_NOMEM;
    }
    *a = (struct qms_upstream_agent){
        .url = argv[0], .weight = 1, .file = diag->file, .line = diag->line};
    err = split(a, &port, diag);
    for (int i = 1; err == QMS_OK && i < argc; i++) {
        err = agent_option(a, d, argv[i], diag);
    }
    return err == QMS_OK ? find_address(a, port, diag) : err;
}

/* ---- trust and token ---- */

qms_err qms_conf_set_upstream_ca(void *object, const struct qms_directive *d, int argc,
                                 const char *const *argv, struct qms_diag *diag)
{
    struct qms_upstream_conf *u = object;

    (void)d, (void)argc;
    u->ca_file = argv[0];
    u->ca_place = qms_diag_place(diag);
    return qms_conf_read_file(diag, argv[0], &u->ca_pem);
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool read_pin(const char *text, uint8_t out[32])
{
    size_t have = 0;

    for (; text[0] != '\0' && have < 32; have++, text += 2) {
        text += have > 0 && text[0] == ':' ? 1 : 0;
        if (hex(text[0]) < 0 || hex(text[1]) < 0) {
            return false;
        }
        out[have] = (uint8_t)(hex(text[0]) << 4 | hex(text[1]));
    }
    return have == 32 && text[0] == '\0';
}

qms_err qms_conf_set_upstream_pin(void *object, const struct qms_directive *d, int argc,
                                  const char *const *argv, struct qms_diag *diag)
{
    struct qms_upstream_conf *u = object;

    (void)argc;
    if (u->pin_count == QMS_UPSTREAM_PINS_MAX) {
        qms_diag_error(diag, "There are more than %d pins.", QMS_UPSTREAM_PINS_MAX);
        return QMS_E_CONFIG;
    }
    if (!read_pin(argv[0], u->pins[u->pin_count])) {
        qms_diag_error(diag,
                       "\"%s\" is not valid for \"%s\"; it takes a SHA-256 of 64 hex digits.",
                       argv[0], d->name);
        return QMS_E_CONFIG;
    }
    u->pin_count++;
    return QMS_OK;
}

qms_err qms_conf_set_upstream_token(void *object, const struct qms_directive *d, int argc,
                                    const char *const *argv, struct qms_diag *diag)
{
    struct qms_upstream_conf *u = object;
    struct qms_bytes text;
    qms_err err = qms_conf_read_file(diag, argv[0], &text);

    (void)d, (void)argc;
    if (err != QMS_OK) {
        return err;
    }
    const uint8_t *end = text.len == 0 ? NULL : memchr(text.data, '\n', text.len);
    size_t len = end == NULL ? text.len : (size_t)(end - text.data);
    len -= len > 0 && text.data[len - 1] == '\r' ? 1 : 0;
    if (len == 0 || len > TOKEN_MAX || memchr(text.data, 0, len) != NULL) {
        qms_diag_error(diag, "The first line of \"%s\" is not a token of 1 to %d bytes.",
                       argv[0], TOKEN_MAX);
        return QMS_E_CONFIG;
    }
    u->token = qms_arena_strndup(diag->conf->arena, (const char *)text.data, len);
    return u->token == NULL ? qms_diag_nomem(diag) : QMS_OK;
}

qms_err qms_conf_set_upstream_certificate(void *object, const struct qms_directive *d, int argc,
                                          const char *const *argv, struct qms_diag *diag)
{
    struct qms_upstream_conf *u = object;

    (void)d, (void)argc;
    u->cert_file = argv[0];
    u->cert_place = qms_diag_place(diag);
    return qms_conf_read_file(diag, argv[0], &u->cert_pem);
}

qms_err qms_conf_set_upstream_key(void *object, const struct qms_directive *d, int argc,
                                  const char *const *argv, struct qms_diag *diag)
{
    struct qms_upstream_conf *u = object;

    (void)d, (void)argc;
    u->key_file = argv[0];
    u->cert_place = qms_diag_place(diag);
    return qms_conf_read_file(diag, argv[0], &u->key_pem);
}

qms_err qms_conf_set_upstream_rules(void *object, const struct qms_directive *d, int argc,
                                    const char *const *argv, struct qms_diag *diag)
{
    struct qms_upstream_conf *u = object;

    (void)d, (void)argc;
    u->rules_of = argv[0]; /* looked up when all servers are there */
    u->rules_place = qms_diag_place(diag);
    return QMS_OK;
}

/* ---- health ---- */

static qms_err health_option(struct qms_upstream_conf *u, const struct qms_directive *d,
                             const char *word, struct qms_diag *diag)
{
    const char *every = qms_conf_named(word, "interval"),
               *fails = qms_conf_named(word, "fails");

    if (every != NULL) {
        return qms_conf_option(d, &health_interval, every, diag, &u->health_every);
    }
    return fails != NULL ? qms_conf_option(d, &health_fails, fails, diag, &u->health_fails)
                         : qms_conf_bad_word(d, word, diag);
}

qms_err qms_conf_set_upstream_health(void *object, const struct qms_directive *d, int argc,
                                     const char *const *argv, struct qms_diag *diag)
{
    struct qms_upstream_conf *u = object;
    qms_err err = QMS_OK;

    u->health_every = 5 * QMS_SECOND;
    u->health_fails = 3;
    if (argc == 1 && strcmp(argv[0], "off") == 0) {
        u->health_every = 0;
        return QMS_OK;
    }
    for (int i = 0; err == QMS_OK && i < argc; i++) {
        err = health_option(u, d, argv[i], diag);
    }
    return err;
}

/* ---- the block ---- */

const struct qms_upstream_conf *qms_upstream_find(const struct qms_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->upstream_count; i++) {
        if (strcmp(conf->upstreams[i].name, name) == 0) {
            return &conf->upstreams[i];
        }
    }
    return NULL;
}

static bool name_ok(const char *name)
{
    return strlen(name) <= QMS_UPSTREAM_NAME_MAX &&
           qms_name_ok((struct qms_bytes){(const uint8_t *)name, strlen(name)});
}

/* Ids that were not written; and none may be there twice, since the newer connection would
 * replace the older one for ever. */
static qms_err settle_ids(struct qms_upstream_conf *u, struct qms_diag *diag)
{
    struct qms_conf *conf = diag->conf;

    for (size_t i = 0; i < u->agent_count; i++) {
        struct qms_upstream_agent *a = &u->agents[i];
        qms_diag_at(diag, a->file, a->line);
        if (a->id == NULL) {
            a->id = qms_arena_printf(conf->arena, "%s/%.*s", u->name,
                                     QMS_NAME_MAX - QMS_UPSTREAM_NAME_MAX - 8,
                                     a->url + sizeof(SCHEME) - 1);
        }
        if (a->id == NULL) {
            return qms_diag_nomem(diag);
        }
        for (char *c = (char *)(uintptr_t)a->id; *c != '\0'; c++) {
            *c = *c == '[' || *c == ']' ? '.' : *c; /* not in names */
        }
        for (size_t k = 0; k < conf->upstream_count; k++) {
            const struct qms_upstream_conf *other = &conf->upstreams[k];
            size_t count = other == u ? i : other->agent_count;
            for (size_t n = 0; n < count; n++) {
                if (strcmp(other->agents[n].id, a->id) == 0) {
                    qms_diag_error(diag, "The agent \"%s\" is there already, at %s:%u.", a->id,
                                   other->agents[n].file, other->agents[n].line);
                    return QMS_E_CONFIG;
                }
            }
        }
    }
    return QMS_OK;
}

static qms_err check(struct qms_upstream_conf *u, struct qms_diag *diag)
{
    qms_diag_at(diag, u->file, u->line);
    if (u->agent_count == 0) {
        qms_diag_error(diag, "The upstream \"%s\" has no \"agent\" directive.", u->name);
    } else if (u->ca_pem.len == 0 && u->pin_count == 0) {
        qms_diag_error(diag,
                       "The upstream \"%s\" has neither \"tls_ca\" nor \"pin\"; say how its "
                       "agents are known.",
                       u->name);
    }
    return diag->failed ? QMS_E_CONFIG : settle_ids(u, diag);
}

qms_err qms_conf_build_upstream(struct qms_conf_builder *b, struct qms_conf_scope *s,
                                const char *name)
{
    struct qms_conf *conf = b->conf;
    const struct qms_upstream_conf *same = qms_upstream_find(conf, name);
    struct qms_upstream_conf *grown;
    qms_err err;

    if (same != NULL || !name_ok(name)) {
        qms_diag_error(b->diag,
                       same != NULL ? "The name \"%s\" of this upstream is taken."
                                    : "\"%s\" is not a name for an upstream; " NAMES
                                      ", 64 bytes of them at most.",
                       name);
        return QMS_E_CONFIG;
    }
    grown = qms_arena_grow(conf->arena, conf->upstreams, conf->upstream_count, sizeof(*grown));
    if (grown == NULL) {
        return qms_diag_nomem(b->diag);
    }
    conf->upstreams = grown;
    struct qms_upstream_conf *u = &grown[conf->upstream_count++];
    *u = (struct qms_upstream_conf){.name = name, .file = s->file, .line = s->line};
    s->object = u;
    err = qms_conf_build_scope(b, s);
    return err == QMS_OK ? check(u, b->diag) : err;
}
