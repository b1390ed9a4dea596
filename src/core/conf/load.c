/* SPDX-License-Identifier: MIT */
/* Life of a configuration: read from disk or from a pack, shared by count, freed at the last
 * unref. */
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/conf/arena.h"
#include "core/conf/build.h"
#include "core/conf/check.h"
#include "core/conf/diag.h"
#include "core/conf/dynamic.h"
#include "core/conf/files.h"
#include "core/conf/logs.h"
#include "core/conf/pack.h"
#include "core/conf/parse.h"
#include "core/conf/regex.h"
#include "core/conf/zone.h"

static struct qms_conf *conf_new(const char *file, const struct qms_conf_env *env, bool packed)
{
    struct qms_conf *conf = qms_calloc(1, sizeof(*conf));

    if (conf == NULL) {
        return NULL;
    }
    conf->refs = 1;
    conf->http_root_fd = -1;
    conf->modules = env->modules;
    conf->module_count = env->module_count;
    conf->arena = qms_arena_new();
    if (conf->arena != NULL) {
        conf->prefix = qms_arena_strndup(conf->arena, env->prefix, strlen(env->prefix));
        conf->file = qms_conf_path(conf->arena, env->prefix, file);
        conf->files = qms_conf_files_new(conf->arena, packed);
    }
    if (conf->prefix == NULL || conf->file == NULL || conf->files == NULL) {
        qms_conf_unref(conf);
        return NULL;
    }
    return conf;
}

struct qms_conf *qms_conf_ref(struct qms_conf *conf)
{
    conf->refs++;
    return conf;
}

void qms_conf_unref(struct qms_conf *conf)
{
    int *roots[QMS_CONF_ROOTS_MAX];

    if (conf == NULL || --conf->refs > 0) {
        return;
    }
    qms_conf_free_modules(conf);
    for (size_t i = 0; i < conf->identity_count; i++) {
        const struct qms_identity *id = conf->identities[i];
        if (id->trust != NULL) {
            id->ops->trust_free(id->trust);
        }
    }
    for (size_t i = 0; i < conf->server_count; i++) {
        qms_route_conf_fini(&conf->servers[i]);
    }
    qms_regex_free(conf->agent_ids);
    qms_logs_fini(conf);
    qms_zones_drop(conf);
    size_t n = qms_conf_root_slots(conf, roots, QMS_CONF_ROOTS_MAX);
    for (size_t i = 0; i < n && i < QMS_CONF_ROOTS_MAX; i++) {
        if (*roots[i] >= 0) {
            close(*roots[i]);
        }
    }
    qms_arena_free(conf->arena);
    qms_free(conf);
}

static qms_err parse_and_build(struct qms_conf *conf, const struct qms_conf_env *env,
                               struct qms_diag *diag)
{
    qms_err err = qms_conf_parse(conf->files, conf->file, env->globals, diag, &conf->tree);

    if (err == QMS_OK) {
        err =
            qms_dynamic_load(env, conf, conf->tree, &conf->modules, &conf->module_count, diag);
    }
    struct qms_conf_env all = *env;
    all.modules = conf->modules;
    all.module_count = conf->module_count;
    if (err == QMS_OK) {
        err = qms_conf_build(conf, &all, diag);
    }
    return err == QMS_OK ? qms_conf_check(conf, &all, diag) : err;
}

/* Takes `conf` over: gives it back whole or not at all. */
static struct qms_conf *finish(struct qms_conf *conf, qms_err err, struct qms_diag *diag)
{
    diag->conf = NULL;
    qms_diag_at(diag, NULL, 0); /* file names live in the arena */
    if (err != QMS_OK) {
        qms_diag_error(diag, "%s", qms_strerror(err));
        qms_conf_unref(conf);
        return NULL;
    }
    return conf;
}

struct qms_conf *qms_conf_load(const char *file, const struct qms_conf_env *env,
                               struct qms_diag *diag)
{
    struct qms_conf *conf = conf_new(file, env, false);

    if (conf == NULL) {
        (void)qms_diag_nomem(diag);
        return NULL;
    }
    diag->conf = conf;
    qms_err err = parse_and_build(conf, env, diag);
    if (err == QMS_OK) {
        err = qms_conf_open_roots(conf, diag);
    }
    return finish(conf, err, diag);
}

struct qms_conf *qms_conf_load_packed(struct qms_bytes pack, const char *file,
                                      const struct qms_conf_env *env, struct qms_diag *diag)
{
    struct qms_conf *conf = conf_new(file, env, true);

    if (conf == NULL) {
        (void)qms_diag_nomem(diag);
        return NULL;
    }
    diag->conf = conf;
    qms_err err = qms_conf_unpack_files(conf->files, pack, diag);
    if (err == QMS_OK) {
        err = parse_and_build(conf, env, diag);
    }
    if (err == QMS_OK) {
        err = qms_conf_unpack_identities(conf, env, diag);
    }
    return finish(conf, err, diag);
}
