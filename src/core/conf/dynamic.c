/* SPDX-License-Identifier: MIT */
/* A shared object is trusted with everything, so what is checked here is that it fits: the
 * number of the interface it was built for, its name, and that it brings no directive that is
 * there. */
#include "core/conf/dynamic.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "core/conf/diag.h"
#include "core/conf/files.h"
#include "core/conf/parse.h"
#include "core/conf/table.h"

#define SYMBOL "qms_module"
/* Blocks that rows of modules may stand in. */
#define CONTEXTS (QMS_CTX_MAIN | QMS_CTX_QUIC | QMS_CTX_SERVER | QMS_CTX_ROUTE | QMS_CTX_HTTP)

/* ---- does it fit ---- */

static bool name_ok(const char *name)
{
    size_t len = name != NULL ? strlen(name) : 0;

    return len > 0 && len <= 32 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static qms_err check_row(const struct qms_conf_env *all, const struct qms_module *m,
                         const struct qms_directive *d, struct qms_diag *diag)
{
    const char *wrong = NULL;

    if (!name_ok(d->name)) {
        wrong = "has a name that is not of a-z, 0-9 and _";
    } else if (qms_conf_contexts_of(all, d->name) != 0) {
        wrong = "is there already";
    } else if (d->contexts == 0 || (d->contexts & ~(unsigned)CONTEXTS) != 0) {
        wrong = "may only stand in main, quic, server, route and http";
    } else if ((unsigned)d->type > QMS_D_CUSTOM ||
               (d->type == QMS_D_CUSTOM ? d->set == NULL
                                        : d->offset + sizeof(void *) > m->conf_size) ||
               (d->type == QMS_D_ENUM && d->words == NULL) || d->help == NULL) {
        wrong = "is not complete: it needs a type, a field, words or set, and help";
    }
    if (wrong != NULL) {
        qms_diag_error(diag, "Directive \"%s\" of the module \"%s\" %s.", d->name, m->name,
                       wrong);
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}

static qms_err check_path(const struct qms_dynamic *dyn, const struct qms_module *m,
                          const char *path, struct qms_diag *diag)
{
    for (size_t i = 0; i < dyn->all_count; i++) {
        const struct qms_http_location *l = dyn->all[i]->http;
        for (; l != NULL && l->path != NULL; l++) {
            if (strcmp(l->path, path) == 0) {
                qms_diag_error(diag, "The path \"%s\" of the module \"%s\" is served already.",
                               path, m->name);
                return QMS_E_CONFIG;
            }
        }
    }
    return QMS_OK;
}

static qms_err check(const struct qms_conf_env *env, const struct qms_module *m,
                     const char *path, struct qms_diag *diag)
{
    const struct qms_dynamic *dyn = env->dynamic;
    struct qms_conf_env all = *env;
    qms_err err = QMS_OK;

    if (m->abi != QMS_MODULE_ABI) {
        qms_diag_error(
            diag,
            "The module \"%s\" was built for module interface %u, this broker has %d; "
            "build it again with the headers of this version.",
            path, m->abi, QMS_MODULE_ABI);
        return QMS_E_CONFIG;
    }
    if (!name_ok(m->name)) {
        qms_diag_error(diag, "The module \"%s\" has no name of a-z, 0-9 and _.", path);
        return QMS_E_CONFIG;
    }
    for (size_t i = 0; i < dyn->all_count; i++) {
        if (strcmp(dyn->all[i]->name, m->name) == 0) {
            qms_diag_error(diag, "A module \"%s\" is there already.", m->name);
            return QMS_E_CONFIG;
        }
    }
    all.modules = dyn->all;
    all.module_count = dyn->all_count;
    for (const struct qms_directive *d = m->directives;
         err == QMS_OK && d != NULL && d->name != NULL; d++) {
        err = check_row(&all, m, d, diag);
    }
    for (const struct qms_http_location *l = m->http;
         err == QMS_OK && l != NULL && l->path != NULL; l++) {
        err = check_path(dyn, m, l->path, diag);
    }
    return err;
}

/* ---- opening ---- */

/* Without this, any user of the machine could become the broker. */
static qms_err check_file(const char *path, struct qms_diag *diag)
{
    struct stat st;

    if (stat(path, &st) == 0 && (st.st_mode & S_IWOTH) != 0) {
        qms_diag_error(diag, "The module \"%s\" is not loaded: everybody may write to it.",
                       path);
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}

static qms_err take(struct qms_dynamic *dyn, const char *path, void *handle,
                    const struct qms_module *module, struct qms_diag *diag)
{
    char *copy = qms_strndup(path, strlen(path));

    if (copy == NULL) {
        return qms_diag_nomem(diag);
    }
    dyn->loaded[dyn->count].path = copy;
    dyn->loaded[dyn->count].handle = handle;
    dyn->loaded[dyn->count++].module = module;
    dyn->all[dyn->all_count++] = module;
    return QMS_OK;
}

static qms_err open_module(const struct qms_conf_env *env, const char *path,
                           struct qms_diag *diag)
{
    struct qms_dynamic *dyn = env->dynamic;

    if (check_file(path, diag) != QMS_OK) {
        return QMS_E_CONFIG;
    }
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        qms_diag_error(diag, "Cannot load the module \"%s\": %s.", path, dlerror());
        return QMS_E_CONFIG;
    }
    const struct qms_module *module = dlsym(handle, SYMBOL);
    qms_err err = QMS_E_CONFIG;
    if (module == NULL) {
        qms_diag_error(diag, "\"%s\" is no module of quicms: it has no symbol \"" SYMBOL "\".",
                       path);
    } else {
        err = check(env, module, path, diag);
    }
    err = err == QMS_OK ? take(dyn, path, handle, module, diag) : err;
    if (err != QMS_OK) {
        (void)dlclose(handle);
    }
    return err;
}

static qms_err ready(const struct qms_conf_env *env, struct qms_diag *diag)
{
    struct qms_dynamic *dyn = env->dynamic;

    if (dyn->all != NULL) {
        return QMS_OK;
    }
    dyn->all = qms_calloc(env->module_count + QMS_DYNAMIC_MAX, sizeof(struct qms_module *));
    if (dyn->all == NULL) {
        return qms_diag_nomem(diag);
    }
    for (size_t i = 0; i < env->module_count; i++) {
        dyn->all[i] = env->modules[i];
    }
    dyn->all_count = env->module_count;
    return QMS_OK;
}

/* ---- the set ---- */

static qms_err set_has_changed(struct qms_diag *diag)
{
    qms_diag_error(diag, "The modules that are loaded differ from those of the running broker; "
                         "such a change takes effect by a restart or an upgrade only.");
    return QMS_E_CONFIG;
}

/* The n-th one named. */
static qms_err load_one(const struct qms_conf_env *env, const char *path, size_t n,
                        struct qms_diag *diag)
{
    const struct qms_dynamic *dyn = env->dynamic;

    if (n < dyn->count && strcmp(dyn->loaded[n].path, path) == 0) {
        return QMS_OK;
    }
    if (dyn->sealed || n < dyn->count) {
        return set_has_changed(diag);
    }
    if (n == QMS_DYNAMIC_MAX || dyn->all_count == QMS_CHAIN_MAX) {
        qms_diag_error(diag, "There are too many modules; %d may be loaded.", QMS_DYNAMIC_MAX);
        return QMS_E_CONFIG;
    }
    return open_module(env, path, diag);
}

static qms_err check_words(const struct qms_conf_item *item, struct qms_diag *diag)
{
    if (item->argc != 1 || item->argv[0][0] == '\0') {
        qms_diag_error(diag, "\"load_module\" takes the path of a shared object.");
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}

qms_err qms_dynamic_load(const struct qms_conf_env *env, const struct qms_conf *conf,
                         const struct qms_conf_item *tree,
                         const struct qms_module *const **modules, size_t *count,
                         struct qms_diag *diag)
{
    struct qms_dynamic *dyn = env->dynamic;
    size_t n = 0;
    qms_err err = dyn != NULL ? ready(env, diag) : QMS_OK;

    for (const struct qms_conf_item *i = tree; err == QMS_OK && i != NULL; i = i->next) {
        if (i->block || strcmp(i->name, "load_module") != 0) {
            continue;
        }
        qms_diag_at(diag, i->file, i->line);
        err = check_words(i, diag);
        const char *path =
            err == QMS_OK ? qms_conf_path(conf->arena, conf->prefix, i->argv[0]) : NULL;
        if (err == QMS_OK && dyn == NULL) {
            qms_diag_error(diag, "This program cannot load modules.");
            err = QMS_E_CONFIG;
        } else if (err == QMS_OK) {
            err = path != NULL ? load_one(env, path, n++, diag) : qms_diag_nomem(diag);
        }
    }
    if (err == QMS_OK && dyn != NULL && n < dyn->count) {
        qms_diag_at(diag, conf->file, 0);
        err = set_has_changed(diag);
    }
    *modules = dyn != NULL ? dyn->all : env->modules;
    *count = dyn != NULL ? dyn->all_count : env->module_count;
    return err;
}

void qms_dynamic_fini(struct qms_dynamic *d)
{
    for (size_t i = 0; i < d->count; i++) {
        qms_free(d->loaded[i].path);
        (void)dlclose(d->loaded[i].handle);
    }
    qms_free(d->all);
    *d = (struct qms_dynamic){0};
}

qms_err qms_conf_set_load_module(void *object, const struct qms_directive *d, int argc,
                                 const char *const *argv, struct qms_diag *diag)
{
    (void)object, (void)d, (void)argc, (void)argv, (void)diag;
    return QMS_OK; /* done before any block was built: its directives had to be known */
}
