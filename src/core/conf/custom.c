/* SPDX-License-Identifier: MIT */
/* Directives of a small grammar of their own, `listen` apart (listen.c). */
#include "core/conf/custom.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/near.h"
#include "core/conf/diag.h"
#include "core/conf/files.h"
#include "core/conf/logs.h"
#include "core/conf/option.h"
#include "core/conf/regex.h"
#include "core/conf/syslog.h"
#include "core/conf/table.h"
#include "core/conf/value.h"

static qms_err not_valid(const struct qms_directive *d, const char *text, const char *takes,
                         struct qms_diag *diag)
{
    char hint[QMS_NEAR_HINT_MAX];

    qms_diag_error(diag, "\"%s\" is not valid for \"%s\"; it takes %s.%s", text, d->name, takes,
                   qms_conf_word_hint(d, text, hint, sizeof(hint)));
    return QMS_E_CONFIG;
}

qms_err qms_conf_set_user(void *object, const struct qms_directive *d, int argc,
                          const char *const *argv, struct qms_diag *diag)
{
    struct qms_conf *conf = object;

    (void)d;
    conf->user_place = qms_diag_place(diag);
    conf->user = argv[0];
    conf->group = argc > 1 ? argv[1] : NULL;
    return QMS_OK;
}

/* Those that this process may run on, as a container or taskset has it. */
static uint64_t processors(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

    return count < 1 ? 1 : count > QMS_WORKERS_MAX ? QMS_WORKERS_MAX : (uint64_t)count;
}

qms_err qms_conf_set_worker_processes(void *object, const struct qms_directive *d, int argc,
                                      const char *const *argv, struct qms_diag *diag)
{
    struct qms_conf *conf = object;

    (void)argc;
    if (strcmp(argv[0], "auto") == 0) {
        conf->worker_processes = processors();
        return QMS_OK;
    }
    return qms_conf_scalar(d, QMS_D_NUMBER, argv[0], diag, &conf->worker_processes);
}

qms_err qms_conf_set_error_log(void *object, const struct qms_directive *d, int argc,
                               const char *const *argv, struct qms_diag *diag)
{
    static const char *const levels[] = {"error", "warn", "notice", "info", "debug"};
    struct qms_conf *conf = object;
    const char *level = argc > 1 ? argv[1] : "notice";
    size_t i = 0;

    while (i < 5 && strcmp(levels[i], level) != 0) {
        i++;
    }
    if (i == 5) {
        return not_valid(d, level, "the level error, warn, notice, info or debug", diag);
    }
    conf->log_level = (enum qms_log_level)i;
    conf->error_log_at = qms_diag_place(diag);
    if (qms_log_target_check(argv[0], diag) != QMS_OK) {
        return QMS_E_CONFIG;
    }
    if (qms_syslog_is(argv[0])) {
        conf->error_log = argv[0];
        return qms_syslog_parse(conf->arena, argv[0], true, &conf->error_syslog, diag);
    }
    conf->error_log = strcmp(argv[0], "stderr") == 0
                          ? "stderr"
                          : qms_conf_path(conf->arena, conf->prefix, argv[0]);
    return conf->error_log != NULL ? QMS_OK : qms_diag_nomem(diag);
}

qms_err qms_conf_set_keepalive(void *object, const struct qms_directive *d, int argc,
                               const char *const *argv, struct qms_diag *diag)
{
    struct qms_conf *conf = object;

    (void)argc;
    if (strcmp(argv[0], "auto") == 0) {
        conf->keep_alive_for = QMS_CONF_KEEPALIVE_AUTO;
        return QMS_OK;
    }
    return qms_conf_scalar(d, QMS_D_TIME, argv[0], diag, &conf->keep_alive_for);
}

qms_err qms_conf_set_agent_id_format(void *object, const struct qms_directive *d, int argc,
                                     const char *const *argv, struct qms_diag *diag)
{
    struct qms_conf *conf = object;

    (void)d, (void)argc;
    return qms_regex_new(argv[0], true, "of \"agent_id_format\"", diag, &conf->agent_ids);
}

qms_err qms_conf_set_priority_guard(void *object, const struct qms_directive *d, int argc,
                                    const char *const *argv, struct qms_diag *diag)
{
    struct qms_conf *conf = object;

    (void)argc;
    if (strcmp(argv[0], "off") == 0) {
        conf->priority_guard = 0;
        return QMS_OK;
    }
    if (strncmp(argv[0], "1/", 2) != 0) {
        return not_valid(d, argv[0], "a share of packets like 1/32, or off", diag);
    }
    return qms_conf_scalar(d, QMS_D_NUMBER, argv[0] + 2, diag, &conf->priority_guard);
}

qms_err qms_conf_set_route_buffer(void *object, const struct qms_directive *d, int argc,
                                  const char *const *argv, struct qms_diag *diag)
{
    struct qms_conf *conf = object;
    const char *most = argc > 1 ? qms_conf_named(argv[1], "max") : NULL;
    uint64_t start, max = 0;

    if (argc > 1 && most == NULL) {
        return not_valid(d, argv[1], "a size and then max=SIZE", diag);
    }
    qms_err err = qms_conf_scalar(d, QMS_D_SIZE, argv[0], diag, &start);
    if (err == QMS_OK && argc > 1) {
        err = qms_conf_scalar(d, QMS_D_SIZE, most, diag, &max);
    }
    if (err != QMS_OK) {
        return err;
    }
    if (argc > 1 && max < start) {
        qms_diag_error(diag, "The max of \"route_buffer\" is smaller than its start.");
        return QMS_E_CONFIG;
    }
    conf->stream_window = start;
    conf->stream_window_max = argc > 1 ? max : start;
    return QMS_OK;
}

static qms_err off_alone(const struct qms_directive *d, struct qms_diag *diag)
{
    qms_diag_error(diag, "\"%s off\" takes nothing more.", d->name);
    return QMS_E_CONFIG;
}

qms_err qms_conf_set_auth_backoff(void *object, const struct qms_directive *d, int argc,
                                  const char *const *argv, struct qms_diag *diag)
{
    struct qms_server_conf *server = object;
    static const struct qms_option longest = {"max=", QMS_D_TIME, QMS_SECOND,
                                              3600 * QMS_SECOND};
    const char *most = argc > 1 ? qms_conf_named(argv[1], "max") : NULL;
    struct qms_backoff_rule rule = {.max_for = 300 * QMS_SECOND};
    qms_err err = QMS_OK;

    if (strcmp(argv[0], "off") == 0) {
        server->backoff = rule;
        return argc == 1 ? QMS_OK : off_alone(d, diag);
    }
    if (argc > 1 && most == NULL) {
        return not_valid(d, argv[1], "off, or a number of failures and then max=TIME", diag);
    }
    err = qms_conf_scalar(d, QMS_D_NUMBER, argv[0], diag, &rule.free_failures);
    if (err == QMS_OK && argc > 1) {
        err = qms_conf_option(d, &longest, most, diag, &rule.max_for);
    }
    if (err == QMS_OK) {
        server->backoff = rule;
    }
    return err;
}

qms_err qms_conf_set_client_ca(void *object, const struct qms_directive *d, int argc,
                               const char *const *argv, struct qms_diag *diag)
{
    static const char *const words[] = {"optional", "required", NULL};
    struct qms_identity *id = object;
    struct qms_conf *conf = diag->conf;
    char hint[QMS_NEAR_HINT_MAX];
    bool required = argc > 1 && strcmp(argv[1], words[1]) == 0;

    if (argc > 1 && !required && strcmp(argv[1], words[0]) != 0) {
        qms_diag_error(diag, "\"%s\" is not valid for \"%s\"; it takes optional or required.%s",
                       argv[1], d->name, qms_near_hint(argv[1], words, hint, sizeof(hint)));
        return QMS_E_CONFIG;
    }
    id->client_ca_required = required;
    id->client_ca = qms_conf_path(conf->arena, conf->prefix, argv[0]);
    return id->client_ca != NULL ? QMS_OK : qms_diag_nomem(diag);
}

/* argv itself is in the arena and lives as long as the configuration. */
qms_err qms_conf_set_allowed_hosts(void *object, const struct qms_directive *d, int argc,
                                   const char *const *argv, struct qms_diag *diag)
{
    struct qms_conf *conf = object;

    (void)d;
    (void)diag;
    conf->http_hosts = argv;
    conf->http_host_count = (size_t)argc;
    return QMS_OK;
}

/* A serialized origin (RFC 6454 section 6.2): a scheme, "://", and an authority without path.
 */
static bool is_origin(const char *text)
{
    const char *rest = strstr(text, "://");

    if (strcmp(text, "*") == 0 || strcmp(text, "self") == 0) {
        return true;
    }
    return rest != NULL && rest != text && rest[3] != 0 && strpbrk(rest + 3, "/?#@*") == NULL;
}

qms_err qms_conf_set_allowed_origins(void *object, const struct qms_directive *d, int argc,
                                     const char *const *argv, struct qms_diag *diag)
{
    struct qms_server_conf *server = object;

    for (int i = 0; i < argc; i++) {
        if (!is_origin(argv[i])) {
            return not_valid(d, argv[i],
                             "origins like https://app.example.com without a path, "
                             "\"self\" or \"*\"",
                             diag);
        }
    }
    server->allowed_origins = argv;
    server->allowed_origin_count = (size_t)argc;
    return QMS_OK;
}

struct qms_identity *qms_conf_identity(const struct qms_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->identity_count; i++) {
        if (strcmp(conf->identities[i]->name, name) == 0) {
            return conf->identities[i];
        }
    }
    return NULL;
}

struct qms_identity *qms_conf_identity_add(struct qms_conf *conf, const char *name,
                                           struct qms_diag *diag)
{
    struct qms_identity *id = qms_arena_alloc(conf->arena, sizeof(*id));
    struct qms_identity **list = qms_arena_grow(
        conf->arena, conf->identities, conf->identity_count, sizeof(struct qms_identity *));

    if (id == NULL || list == NULL) {
        (void)qms_diag_nomem(diag);
        return NULL;
    }
    id->name = name;
    id->ticket_for = QMS_TICKET_FOR;
    conf->identities = list;
    conf->identities[conf->identity_count++] = id;
    return id;
}

static qms_err unknown_tls(const struct qms_conf *conf, const char *name, struct qms_diag *diag)
{
    unsigned best = UINT32_MAX;
    const char *near = NULL;

    for (size_t i = 0; i < conf->identity_count; i++) {
        if (qms_near(name, conf->identities[i]->name, &best)) {
            near = conf->identities[i]->name;
        }
    }
    if (near != NULL) {
        qms_diag_error(diag, "There is no tls block \"%s\"; did you mean \"%s\"?", name, near);
    } else {
        qms_diag_error(diag, "There is no tls block \"%s\".", name);
    }
    return QMS_E_CONFIG;
}

qms_err qms_conf_set_tls(void *object, const struct qms_directive *d, int argc,
                         const char *const *argv, struct qms_diag *diag)
{
    struct qms_server_conf *server = object;
    struct qms_conf *conf = diag->conf;

    (void)d;
    (void)argc;
    server->identity = qms_conf_identity(conf, argv[0]);
    if (server->identity == NULL && strcmp(argv[0], QMS_CONF_SELF_SIGNED) == 0) {
        server->identity = qms_conf_identity_add(conf, QMS_CONF_SELF_SIGNED, diag);
        if (server->identity == NULL) {
            return QMS_E_NOMEM;
        }
        server->identity->self_signed = 1;
    }
    return server->identity != NULL ? QMS_OK : unknown_tls(conf, argv[0], diag);
}

/* Authenticators answer to their module's name and to what follows "auth_" in it. */
static const struct qms_module *authenticator(const struct qms_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->module_count; i++) {
        const struct qms_module *m = conf->modules[i];
        bool prefixed = strncmp(m->name, "auth_", 5) == 0;
        if (m->authenticator &&
            (strcmp(m->name, name) == 0 || (prefixed && strcmp(m->name + 5, name) == 0))) {
            return m;
        }
    }
    return NULL;
}

static qms_err unknown_auth(const struct qms_conf *conf, const char *name, bool first,
                            struct qms_diag *diag)
{
    char known[256] = "", hint[QMS_NEAR_HINT_MAX];
    const char *words[4 + QMS_CHAIN_MAX] = {"any", "all", "off"};
    size_t at = 0, count = 3;

    for (size_t i = 0; i < conf->module_count && at < sizeof(known); i++) {
        const char *m = conf->modules[i]->name;
        if (conf->modules[i]->authenticator && count < 3 + QMS_CHAIN_MAX) {
            words[count] = strncmp(m, "auth_", 5) == 0 ? m + 5 : m;
            int n = snprintf(known + at, sizeof(known) - at, "%s%s", at == 0 ? "" : ", ",
                             words[count++]);
            at += n > 0 ? (size_t)n : 0;
        }
    }
    qms_diag_error(diag, "There is no authenticator \"%s\"; known are: %s.%s", name,
                   known[0] != 0 ? known : "none",
                   qms_near_hint(name, first ? words : words + 3, hint, sizeof(hint)));
    return QMS_E_CONFIG;
}

qms_err qms_conf_set_auth(void *object, const struct qms_directive *d, int argc,
                          const char *const *argv, struct qms_diag *diag)
{
    struct qms_server_conf *server = object;
    struct qms_conf *conf = diag->conf;
    bool any = strcmp(argv[0], "any") == 0, all = strcmp(argv[0], "all") == 0;
    int first = any || all ? 1 : 0;

    if (strcmp(argv[0], "off") == 0) {
        server->auth_mode = QMS_AUTH_MODE_OFF;
        return argc == 1 ? QMS_OK : off_alone(d, diag);
    }
    if (first == argc) {
        return not_valid(d, argv[0], "off, or any or all and then names of authenticators",
                         diag);
    }
    const struct qms_module **list =
        qms_arena_alloc(conf->arena, sizeof(struct qms_module *) * (size_t)argc);
    if (list == NULL) {
        return qms_diag_nomem(diag);
    }
    for (int i = first; i < argc; i++) {
        list[i - first] = authenticator(conf, argv[i]);
        if (list[i - first] == NULL) {
            return unknown_auth(conf, argv[i], i == 0, diag);
        }
        for (int k = first; k < i; k++) {
            if (list[k - first] == list[i - first]) {
                qms_diag_error(diag, "\"%s\" names the authenticator \"%s\" twice.", d->name,
                               argv[i]);
                return QMS_E_CONFIG;
            }
        }
    }
    server->auth_mode = all ? QMS_AUTH_MODE_ALL : QMS_AUTH_MODE_ANY;
    server->auth = list;
    server->auth_count = (size_t)(argc - first);
    return QMS_OK;
}
