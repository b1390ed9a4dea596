/* SPDX-License-Identifier: MIT */
/* Runs once the whole text is built; the place of an error is then the file. */
#include "core/conf/check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "core/conf/carrier.h"
#include "core/conf/custom.h"
#include "core/conf/diag.h"
#include "core/conf/files.h"
#include "core/conf/logs.h"

/* Also while no server takes early data: a register that came and went with a reload would
 * forget what it has seen.  Memory is taken as it is used. */
static qms_err declare_early_data(const struct qms_conf_env *env, struct qms_diag *diag)
{
    size_t size = env->carrier != NULL ? env->carrier->early_data_size : 0;

    if (size > 0 && qms_zone_declare(diag, QMS_ZONE_EARLY_DATA, size) == NULL) {
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}

/* Where somebody must show a credential. */
static qms_err declare_backoff(struct qms_conf *conf, struct qms_diag *diag)
{
    bool wanted = false;

    for (size_t i = 0; i < conf->server_count; i++) {
        wanted = wanted || conf->servers[i].auth_mode != QMS_AUTH_MODE_OFF;
    }
    if (wanted) {
        conf->backoff = qms_zone_declare(diag, QMS_BACKOFF_ZONE, QMS_BACKOFF_ZONE_SIZE);
    }
    return !wanted || conf->backoff != NULL ? QMS_OK : QMS_E_CONFIG;
}

static qms_err check_limits(const struct qms_conf *conf, struct qms_diag *diag)
{
    if (conf->keep_alive_for >= conf->idle_for) {
        qms_diag_error(diag,
                       "\"keepalive\" must be shorter than \"idle_timeout\", or no PING would "
                       "ever keep a connection alive.");
    } else if (conf->stream_window_max > conf->agent_memory) {
        qms_diag_error(diag, "The max of \"route_buffer\" is larger than \"agent_memory\".");
    } else if (conf->agent_memory > conf->worker_memory) {
        qms_diag_error(diag, "\"agent_memory\" is larger than \"worker_memory\".");
    } else if (conf->daemon != 0 && strcmp(conf->error_log, "stderr") == 0) {
        qms_diag_error(
            diag, "\"daemon on\" leaves the terminal, so \"error_log\" must name a file or "
                  "a syslog server.");
    }
    return diag->failed ? QMS_E_CONFIG : QMS_OK;
}

/* What the tls block does not say about a self-signed certificate, the quic block does. */
static qms_err check_self_signed(const struct qms_conf *conf, struct qms_identity *id,
                                 struct qms_diag *diag)
{
    if (id->self_signed_for == 0) {
        id->self_signed_for = conf->self_signed_for;
    }
    if (id->self_signed_renew_for == 0) {
        id->self_signed_renew_for = conf->self_signed_renew_for;
    }
    if (id->self_signed_publish_for == 0) {
        id->self_signed_publish_for = conf->self_signed_publish_for;
    }
    if (id->self_signed_renew_for >= id->self_signed_for) {
        qms_diag_error(diag, "\"self_signed_renew\" must be shorter than "
                             "\"self_signed_lifetime\".");
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}

static qms_err check_client_ca(struct qms_conf *conf, const struct qms_conf_env *env,
                               struct qms_identity *id, struct qms_diag *diag)
{
    struct qms_bytes ca, crl = {NULL, 0};
    struct qms_diag inner = {.conf = conf};

    if (id->client_ca == NULL && id->crl == NULL) {
        return QMS_OK;
    }
    if (id->client_ca == NULL) {
        qms_diag_error(diag, "The \"crl\" of tls block \"%s\" needs a \"client_ca\".",
                       id->name);
        return QMS_E_CONFIG;
    }
    qms_err err = qms_conf_files_read(conf->files, id->client_ca, diag, &ca);
    if (err == QMS_OK && id->crl != NULL) {
        err = qms_conf_files_read(conf->files, id->crl, diag, &crl);
    }
    if (err != QMS_OK) {
        return err;
    }
    id->ops = env->identity;
    if ((id->trust = env->identity->trust(ca, crl, &inner)) == NULL) {
        qms_diag_error(diag, "\"%s\"%s%s%s: %s", id->client_ca,
                       id->crl != NULL ? " with \"" : "", id->crl != NULL ? id->crl : "",
                       id->crl != NULL ? "\"" : "", inner.text);
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}

static qms_err check_identity(struct qms_conf *conf, const struct qms_conf_env *env,
                              struct qms_identity *id, struct qms_diag *diag)
{
    bool files = id->cert_file != NULL && id->key_file != NULL;
    bool any = id->cert_file != NULL || id->key_file != NULL;
    struct qms_diag inner = {.conf = conf};

    if (id->self_signed ? any : !files) {
        qms_diag_error(diag,
                       "The tls block \"%s\" needs either \"certificate\" and "
                       "\"certificate_key\", or \"self_signed on\".",
                       id->name);
        return QMS_E_CONFIG;
    }
    if (id->self_signed) {
        return check_self_signed(conf, id, diag);
    }
    qms_err err = qms_conf_files_read(conf->files, id->cert_file, diag, &id->cert_pem);
    if (err == QMS_OK) {
        err = qms_conf_files_read(conf->files, id->key_file, diag, &id->key_pem);
    }
    if (err != QMS_OK) {
        return err;
    }
    err = env->identity->check(id, &inner);
    if (err != QMS_OK) {
        qms_diag_error(diag, "\"%s\" with \"%s\": %s", id->cert_file, id->key_file,
                       inner.failed ? inner.text : qms_strerror(err));
    }
    return err;
}

/* Seconds are what a ticket has room for, and early data needs one. */
static qms_err check_tickets(const struct qms_conf *conf, struct qms_diag *diag)
{
    for (size_t i = 0; i < conf->server_count; i++) {
        const struct qms_server_conf *s = &conf->servers[i];
        const struct qms_identity *id = s->identity;
        qms_diag_at(diag, id->file != NULL ? id->file : conf->file, id->line);
        if (id->ticket_for % QMS_SECOND != 0) {
            qms_diag_error(diag,
                           "\"ticket_lifetime\" of the tls block \"%s\" is in whole seconds.",
                           id->name);
        } else if (id->ticket_for == 0 && s->early_data != QMS_EARLY_DATA_OFF) {
            qms_diag_error(diag,
                           "\"early_data\" needs tickets, and \"ticket_lifetime\" of the tls "
                           "block \"%s\" is 0.",
                           id->name);
        }
    }
    return diag->failed ? QMS_E_CONFIG : QMS_OK;
}

/* The first server that shows a self-signed certificate gives it its name. */
static void name_identities(struct qms_conf *conf)
{
    for (size_t i = 0; i < conf->server_count; i++) {
        const struct qms_server_conf *s = &conf->servers[i];
        if (s->identity->server_name == NULL) {
            s->identity->server_name = s->server_name;
        }
    }
}

qms_err qms_conf_check(struct qms_conf *conf, const struct qms_conf_env *env,
                       struct qms_diag *diag)
{
    qms_diag_at(diag, conf->file, 0);
    if (conf->keep_alive_for == QMS_CONF_KEEPALIVE_AUTO) {
        conf->keep_alive_for = conf->idle_for / 3;
    }
    qms_err err = check_limits(conf, diag);
    err = err == QMS_OK ? declare_early_data(env, diag) : err;
    err = err == QMS_OK ? declare_backoff(conf, diag) : err;

    if (err == QMS_OK && conf->server_count == 0) {
        qms_diag_error(diag,
                       "There is no \"server\" block in a \"quic\" block: nothing to serve.");
        return QMS_E_CONFIG;
    }
    err = err == QMS_OK ? qms_conf_check_upstreams(conf, env, diag) : err;
    for (size_t i = 0; err == QMS_OK && i < conf->identity_count; i++) {
        struct qms_identity *id = conf->identities[i];
        qms_diag_at(diag, id->file != NULL ? id->file : conf->file, id->line);
        err = check_identity(conf, env, id, diag);
        err = err == QMS_OK ? check_client_ca(conf, env, id, diag) : err;
    }
    err = err == QMS_OK ? check_tickets(conf, diag) : err;
    if (err == QMS_OK) {
        name_identities(conf);
    }
    return err;
}

size_t qms_conf_root_slots(struct qms_conf *conf, int **slots, size_t max)
{
    size_t n = 0;

    if (conf->http_root != NULL) {
        if (n < max) {
            slots[n] = &conf->http_root_fd;
        }
        n++;
    }
    for (size_t s = 0; s < conf->server_count; s++) {
        for (size_t i = 0; i < conf->servers[s].location_count; i++) {
            struct qms_location *l = &conf->servers[s].locations[i];
            if (l->root == NULL) {
                continue;
            }
            if (n < max) {
                slots[n] = &l->root_fd;
            }
            n++;
        }
    }
    for (size_t i = 0; i < conf->log_count; i++, n++) {
        if (n < max) {
            slots[n] = &conf->logs[i]->fd;
        }
    }
    return n;
}

static qms_err open_root(const char *path, int *fd, struct qms_diag *diag)
{
    *fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0) {
        qms_diag_error(diag, "Cannot open the root \"%s\": %s.", path, strerror(errno));
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}

qms_err qms_conf_open_roots(struct qms_conf *conf, struct qms_diag *diag)
{
    qms_err err = QMS_OK;

    qms_diag_at(diag, conf->file, 0);
    if (qms_conf_root_slots(conf, NULL, 0) > QMS_CONF_ROOTS_MAX) {
        qms_diag_error(diag, "There are more than %d \"root\" directives and logs.",
                       QMS_CONF_ROOTS_MAX);
        return QMS_E_CONFIG;
    }
    if (conf->http_root != NULL) {
        qms_diag_at(diag, conf->http_file, conf->http_line);
        err = open_root(conf->http_root, &conf->http_root_fd, diag);
    }
    for (size_t s = 0; s < conf->server_count; s++) {
        for (size_t i = 0; err == QMS_OK && i < conf->servers[s].location_count; i++) {
            struct qms_location *l = &conf->servers[s].locations[i];
            qms_diag_at(diag, l->file, l->line);
            err = l->root != NULL ? open_root(l->root, &l->root_fd, diag) : QMS_OK;
        }
    }
    return err;
}
