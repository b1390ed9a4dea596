/* SPDX-License-Identifier: MIT */
#include "core/conf/debug.h"

#include <string.h>

#include "base/glob.h"
#include "core/conf/arena.h"
#include "core/conf/diag.h"

/* ---- configuration ---- */

static qms_err read_network(const struct qms_directive *d, const char *word,
                            const char *expected, struct qms_network *out,
                            struct qms_diag *diag)
{
    int found = qms_network_parse(out, word);

    if (found < 0) {
        qms_diag_error(
            diag,
            "\"%s\" is not valid for \"%s\": bits behind the prefix are not zero, or "
            "the prefix is out of range.",
            word, d->name);
    } else if (found == 0) {
        qms_diag_error(diag, "\"%s\" is not valid for \"%s\"; it takes %s.", word, d->name,
                       expected);
    }
    return found > 0 ? QMS_OK : QMS_E_CONFIG;
}

static qms_err read_rule(const struct qms_directive *d, const char *word,
                         struct qms_debug_rule *out, struct qms_diag *diag)
{
    if (strncmp(word, "agent:", 6) != 0) {
        return read_network(d, word, "an address, a network or agent:PATTERN", &out->network,
                            diag);
    }
    out->agent = word + 6;
    if (out->agent[0] == '\0' || strlen(out->agent) > QMS_NAME_MAX) {
        qms_diag_error(diag, "A pattern behind \"agent:\" has 1 to %d bytes.", QMS_NAME_MAX);
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}

qms_err qms_conf_set_debug_connection(void *object, const struct qms_directive *d, int argc,
                                      const char *const *argv, struct qms_diag *diag)
{
    struct qms_conf *conf = object;
    qms_err err = QMS_OK;

    for (int i = 0; err == QMS_OK && i < argc; i++) {
        struct qms_debug_rule *grown = qms_arena_grow(conf->arena, conf->debug_rules,
                                                      conf->debug_rule_count, sizeof(*grown));
        if (grown == NULL) {
            return qms_diag_nomem(diag);
        }
        conf->debug_rules = grown;
        err = read_rule(d, argv[i], &grown[conf->debug_rule_count], diag);
        conf->debug_rule_count += err == QMS_OK;
    }
    return err;
}

qms_err qms_conf_set_key_log(void *object, const struct qms_directive *d, int argc,
                             const char *const *argv, struct qms_diag *diag)
{
    struct qms_server_conf *server = object;
    struct qms_arena *arena = diag->conf->arena;
    struct qms_key_log *log = qms_arena_alloc(arena, sizeof(*log));
    struct qms_network *networks = qms_arena_alloc(arena, (size_t)argc * sizeof(*networks));

    if (log == NULL || networks == NULL) {
        return qms_diag_nomem(diag);
    }
    for (int i = 1; i < argc; i++) {
        if (read_network(d, argv[i], "a path and then addresses or networks", &networks[i - 1],
                         diag) != QMS_OK) {
            return QMS_E_CONFIG;
        }
    }
    qms_err err = qms_conf_open_log(diag, argv[0], 0, 0, &log->file);
    if (err == QMS_OK && log->file->syslog != NULL) {
        qms_diag_error(diag, "Secrets are not sent to a syslog server; \"%s\" takes a path.",
                       d->name);
        return QMS_E_CONFIG;
    }
    if (err == QMS_OK) {
        log->file->secret = true;
        log->networks = networks;
        log->network_count = (size_t)argc - 1;
        server->key_log = log;
    }
    return err;
}

/* ---- which connections ---- */

bool qms_debug_address(const struct qms_conf *conf, const struct sockaddr *remote)
{
    for (size_t i = 0; i < conf->debug_rule_count; i++) {
        const struct qms_debug_rule *r = &conf->debug_rules[i];
        if (r->agent == NULL && qms_network_has(&r->network, remote)) {
            return true;
        }
    }
    return false;
}

bool qms_debug_agent(const struct qms_conf *conf, struct qms_bytes id)
{
    for (size_t i = 0; id.len > 0 && i < conf->debug_rule_count; i++) {
        const struct qms_debug_rule *r = &conf->debug_rules[i];
        if (r->agent != NULL && qms_glob_match(r->agent, id)) {
            return true;
        }
    }
    return false;
}

bool qms_key_log_has(const struct qms_server_conf *server, const struct sockaddr *remote)
{
    const struct qms_key_log *log = server->key_log;
    bool has = log != NULL && log->network_count == 0;

    for (size_t i = 0; log != NULL && !has && i < log->network_count; i++) {
        has = qms_network_has(&log->networks[i], remote);
    }
    return has;
}

void qms_key_log_write(const struct qms_server_conf *server, struct qms_bytes line,
                       qms_time now)
{
    if (server->key_log != NULL) { /* a reload may have ended it meanwhile */
        qms_log_file_write(server->key_log->file, line, now);
    }
}

void qms_key_log_warn(const struct qms_conf *conf)
{
    for (size_t i = 0; i < conf->server_count; i++) {
        const struct qms_key_log *log = conf->servers[i].key_log;
        if (log != NULL) {
            qms_log(QMS_LOG_WARN,
                    "TLS SECRETS ARE WRITTEN: who reads this file can read the traffic path=%s "
                    "server=%s connections=%s",
                    log->file->target, conf->servers[i].listens[0].text,
                    log->network_count == 0 ? "all" : "some");
        }
    }
}
