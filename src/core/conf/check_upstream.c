/* SPDX-License-Identifier: MIT */
/* Upstreams, and what refers to them or to servers by name: looked up when all of those are
 * there, wherever in the text they stand. */
#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "core/conf/check.h"
#include "core/conf/diag.h"

static void at_place(struct qms_diag *diag, const struct qms_place *place)
{
    qms_diag_at(diag, place->file, place->line);
}

/* The better of two: a name that may be meant by `typed`. */
static void consider(const char *typed, const char *name, unsigned *best, const char **near)
{
    if (name != NULL && qms_near(typed, name, best)) {
        *near = name;
    }
}

static qms_err unknown_upstream(const struct qms_conf *conf, const struct qms_route_conf *r,
                                struct qms_diag *diag)
{
    unsigned best = QMS_NEAR_NONE;
    const char *near = NULL;

    for (size_t i = 0; i < conf->upstream_count; i++) {
        consider(r->dial, conf->upstreams[i].name, &best, &near);
    }
    at_place(diag, &r->dial_place);
    qms_diag_error(diag, "The route \"%s\" dials \"%s\", and there is no such upstream%s%s%s",
                   r->name, r->dial, near != NULL ? "; did you mean \"" : ".",
                   near != NULL ? near : "", near != NULL ? "\"?" : "");
    return QMS_E_CONFIG;
}

static qms_err check_dials(const struct qms_conf *conf, const struct qms_server_conf *server,
                           struct qms_diag *diag)
{
    for (size_t i = 0; i < server->route_count; i++) {
        const struct qms_route_conf *r = &server->routes[i];
        if (r->dial != NULL && qms_upstream_find(conf, r->dial) == NULL) {
            return unknown_upstream(conf, r, diag);
        }
    }
    return QMS_OK;
}

static bool is_called(const struct qms_server_conf *server, const char *name)
{
    bool found = server->server_name != NULL && strcmp(server->server_name, name) == 0;

    for (size_t i = 0; !found && i < server->listen_count; i++) {
        found = strcmp(server->listens[i].text, name) == 0;
    }
    return found;
}

static qms_err unknown_server(const struct qms_conf *conf, const struct qms_upstream_conf *u,
                              struct qms_diag *diag)
{
    unsigned best = QMS_NEAR_NONE;
    const char *near = NULL;

    for (size_t i = 0; i < conf->server_count; i++) {
        const struct qms_server_conf *server = &conf->servers[i];
        consider(u->rules_of, server->server_name, &best, &near);
        for (size_t k = 0; k < server->listen_count; k++) {
            consider(u->rules_of, server->listens[k].text, &best, &near);
        }
    }
    at_place(diag, &u->rules_place);
    qms_diag_error(diag,
                   "No server has the server_name or listen address \"%s\", whose rules the "
                   "upstream \"%s\" is to have%s%s%s",
                   u->rules_of, u->name, near != NULL ? "; did you mean \"" : ".",
                   near != NULL ? near : "", near != NULL ? "\"?" : "");
    return QMS_E_CONFIG;
}

static qms_err find_server(const struct qms_conf *conf, struct qms_upstream_conf *u,
                           struct qms_diag *diag)
{
    unsigned i = 0;

    while (u->rules_of != NULL && i < conf->server_count &&
           !is_called(&conf->servers[i], u->rules_of)) {
        i++;
    }
    u->server = i;
    return i < conf->server_count ? QMS_OK : unknown_server(conf, u, diag);
}

/* Authorities that cannot be used would be found by the first worker that dials. */
static qms_err check_ca(const struct qms_conf_env *env, struct qms_upstream_conf *u,
                        struct qms_diag *diag)
{
    struct qms_diag inner = {.conf = diag->conf};
    void *trust;

    if (u->ca_pem.len == 0 || env->identity == NULL) {
        return QMS_OK;
    }
    trust = env->identity->trust(u->ca_pem, (struct qms_bytes){0}, &inner);
    if (trust == NULL) {
        at_place(diag, &u->ca_place);
        qms_diag_error(diag, "\"%s\": %s", u->ca_file, inner.text);
        return QMS_E_CONFIG;
    }
    env->identity->trust_free(trust);
    return QMS_OK;
}

static qms_err check_certificate(const struct qms_conf_env *env, struct qms_upstream_conf *u,
                                 struct qms_diag *diag)
{
    struct qms_diag inner = {.conf = diag->conf};
    struct qms_identity shown = {
        .name = u->name, .cert_pem = u->cert_pem, .key_pem = u->key_pem};
    qms_err err = QMS_OK;

    at_place(diag, &u->cert_place);
    if ((u->cert_file == NULL) != (u->key_file == NULL)) {
        qms_diag_error(diag,
                       "The upstream \"%s\" has only one of \"certificate\" and "
                       "\"certificate_key\".",
                       u->name);
        return QMS_E_CONFIG;
    }
    if (u->cert_file != NULL && env->identity != NULL) {
        err = env->identity->check(&shown, &inner);
    }
    if (err != QMS_OK) {
        qms_diag_error(diag, "\"%s\" with \"%s\": %s", u->cert_file, u->key_file,
                       inner.failed ? inner.text : qms_strerror(err));
    }
    return err;
}

qms_err qms_conf_check_upstreams(struct qms_conf *conf, const struct qms_conf_env *env,
                                 struct qms_diag *diag)
{
    qms_err err = QMS_OK;

    for (size_t i = 0; err == QMS_OK && i < conf->server_count; i++) {
        err = check_dials(conf, &conf->servers[i], diag);
    }
    for (size_t i = 0; err == QMS_OK && i < conf->upstream_count; i++) {
        err = find_server(conf, &conf->upstreams[i], diag);
        err = err == QMS_OK ? check_ca(env, &conf->upstreams[i], diag) : err;
        err = err == QMS_OK ? check_certificate(env, &conf->upstreams[i], diag) : err;
    }
    return err;
}
