/* SPDX-License-Identifier: MIT */
/* quicms: arguments, then one call. */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <quicms/version.h>

#include "base/clock.h"
#include "core/conf/dynamic.h"
#include "core/conf/logs.h"
#include "core/process/cert.h"
#include "core/process/master.h"
#include "core/process/pidfile.h"
#include "core/process/privileges.h"
#include "core/process/reload_answer.h"
#include "h3/h3.h"
#include "link/carrier_quic.h"
#include "link/identity.h"
#include "modules/table.h"

enum action { RUN, TEST, DUMP, SIGNAL, VERSION, BUILD, HELP, CERT_HASH, DOCUMENT };

struct arguments {
    enum action action;
    const char *conf, *prefix, *globals, *signal;
    bool quiet;
    char conf_path[PATH_MAX], prefix_path[PATH_MAX];
};

static const char usage[] =
    "Usage: quicms [-tTqvVh] [-c FILE] [-p PREFIX] [-g DIRECTIVES] [-s SIGNAL]\n"
    "  -c, --conf FILE        configuration (default: " QMS_DEFAULT_CONF ",\n"
    "                         with -p: PREFIX/conf/quicms.conf)\n"
    "  -p, --prefix FOLDER    where relative paths of the configuration start\n"
    "                         (default: " QMS_DEFAULT_PREFIX ")\n"
    "  -g, --global TEXT      directives that win over those of the file\n"
    "  -t, --test             check the configuration and end\n"
    "  -T, --dump             check and print the whole configuration in force\n"
    "  -q, --quiet            with -t: only errors\n"
    "  -s, --signal SIGNAL    stop, quit, reload, reopen, upgrade or retire:\n"
    "                         tell the running broker\n"
    "      --cert-hash        print the SHA-256 of the certificate(s)\n"
    "      --document-directives  print doc/directives.md\n"
    "  -v, --version          version\n"
    "  -V, --build            version and libraries\n"
    "  -h, --help             this text\n";

static const struct option options[] = {{"conf", required_argument, NULL, 'c'},
                                        {"prefix", required_argument, NULL, 'p'},
                                        {"global", required_argument, NULL, 'g'},
                                        {"test", no_argument, NULL, 't'},
                                        {"dump", no_argument, NULL, 'T'},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {"signal", required_argument, NULL, 's'},
                                        {"cert-hash", no_argument, NULL, 'H'},
                                        {"document-directives", no_argument, NULL, 'D'},
                                        {"version", no_argument, NULL, 'v'},
                                        {"build", no_argument, NULL, 'V'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static bool parse_option(struct arguments *a, int option)
{
    static const struct {
        int option;
        enum action action;
    } actions[] = {{'t', TEST},    {'T', DUMP},  {'H', CERT_HASH}, {'D', DOCUMENT},
                   {'v', VERSION}, {'V', BUILD}, {'h', HELP},      {'s', SIGNAL}};

    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (actions[i].option == option) {
            a->action = actions[i].action;
        }
    }
    switch (option) {
    case 'c':
        a->conf = optarg;
        return true;
    case 'p':
        a->prefix = optarg;
        return true;
    case 'g':
        a->globals = optarg;
        return true;
    case 's':
        a->signal = optarg;
        return true;
    case 'q':
        a->quiet = true;
        return true;
    default:
        return option != '?';
    }
}

static bool parse_arguments(struct arguments *a, int argc, char **argv)
{
    int option;

    while ((option = getopt_long(argc, argv, "c:p:g:tTqs:vVh", options, NULL)) != -1) {
        if (!parse_option(a, option)) {
            return false;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "quicms: \"%s\" is not an option.\n", argv[optind]);
        return false;
    }
    return true;
}

/* Paths of the command line start where the user stands. */
static bool absolute(const char *path, char out[PATH_MAX])
{
    char here[PATH_MAX];
    int len;

    if (path[0] == '/') {
        len = snprintf(out, PATH_MAX, "%s", path);
    } else if (getcwd(here, sizeof(here)) != NULL) {
        len = snprintf(out, PATH_MAX, "%s/%s", here, path);
    } else {
        return false;
    }
    return len > 0 && len < PATH_MAX;
}

static bool find_paths(struct arguments *a)
{
    char beside[PATH_MAX];

    if (!absolute(a->prefix != NULL ? a->prefix : QMS_DEFAULT_PREFIX, a->prefix_path)) {
        return false;
    }
    if (a->conf != NULL) {
        return absolute(a->conf, a->conf_path);
    }
    if (a->prefix == NULL) {
        return absolute(QMS_DEFAULT_CONF, a->conf_path);
    }
    int len = snprintf(beside, sizeof(beside), "%s/conf/quicms.conf", a->prefix_path);
    return len > 0 && (size_t)len < sizeof(beside) && absolute(beside, a->conf_path);
}

static int show_build(const struct qms_module *const *modules, size_t count)
{
    (void)printf("quicms %s\nbuilt with " QMS_LIBRARIES "\nrunning with libevent %s\nmodules:",
                 QUICMS_VERSION, event_get_version());
    for (size_t i = 0; i < qms_module_count; i++) {
        (void)printf(" %s", qms_modules[i]->name);
    }
    (void)printf("%s", count > qms_module_count ? "\nloaded modules:" : "");
    for (size_t i = qms_module_count; i < count; i++) {
        (void)printf(" %s", modules[i]->name);
    }
    (void)printf("\nmodule interface: %d, modules in %s\nprefix: %s\nconfiguration: %s\n",
                 QMS_MODULE_ABI, QMS_MODULE_DIR, QMS_DEFAULT_PREFIX, QMS_DEFAULT_CONF);
    return 0;
}

static void put(void *arg, const char *text)
{
    (void)fputs(text, arg);
}

/* Time that the broker gets to answer. */
#define RELOAD_WITHIN  (10 * QMS_SECOND)
#define UPGRADE_WITHIN (15 * QMS_SECOND)

static int send_signal(const struct arguments *a, const struct qms_conf *conf,
                       struct qms_diag *diag)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"stop", SIGTERM},   {"quit", SIGQUIT},    {"reload", SIGHUP},
                   {"reopen", SIGUSR1}, {"upgrade", SIGUSR2}, {"retire", SIGWINCH}};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        if (strcmp(signals[i].name, a->signal) != 0) {
            continue;
        }
        uint64_t before = qms_reload_answer_number(conf->pid_file);
        qms_err err = qms_pidfile_signal(conf->pid_file, signals[i].number, diag);
        qms_time within = signals[i].number == SIGHUP    ? RELOAD_WITHIN
                          : signals[i].number == SIGUSR2 ? UPGRADE_WITHIN
                                                         : 0;
        if (err == QMS_OK && within > 0) {
            err = qms_reload_answer_wait(conf->pid_file, before, within, diag);
        }
        return err == QMS_OK ? 0 : 1;
    }
    qms_diag_error(
        diag, "\"%s\" is not a signal; it is stop, quit, reload, reopen, upgrade or retire.",
        a->signal);
    return 1;
}

static void print_hash(const struct qms_identity *id, bool name)
{
    for (size_t i = 0; i < sizeof(id->hash); i++) {
        (void)printf("%02x", id->hash[i]);
    }
    (void)printf("%s%s\n", name ? "  " : "", name ? id->name : "");
}

static int show_hashes(struct qms_conf *conf, const struct qms_conf_env *env,
                       struct qms_diag *diag)
{
    qms_log_set_level(QMS_LOG_WARN);
    if (qms_cert_provision(conf, env, qms_clock_wall(), diag) != QMS_OK) {
        return 1;
    }
    for (size_t i = 0; i < conf->identity_count; i++) {
        print_hash(conf->identities[i], conf->identity_count > 1);
    }
    return 0;
}

/* With what the configuration has loaded. */
static void document(const struct qms_conf_env *env, const struct qms_conf *conf)
{
    struct qms_conf_env all = *env;

    all.modules = conf->modules;
    all.module_count = conf->module_count;
    qms_conf_document(&all, put, stdout);
}

static int with_conf(const struct arguments *a, const struct qms_conf_env *env)
{
    struct qms_diag diag = {0};
    struct qms_conf *conf = qms_conf_load(a->conf_path, env, &diag);
    int status = conf != NULL ? 0 : 1;

    if (conf != NULL && a->action == SIGNAL) {
        status = send_signal(a, conf, &diag);
    } else if (conf != NULL && a->action == CERT_HASH) {
        status = show_hashes(conf, env, &diag);
    } else if (conf != NULL && a->action == BUILD) {
        status = show_build(conf->modules, conf->module_count);
    } else if (conf != NULL && a->action == DOCUMENT) {
        document(env, conf);
    } else if (conf != NULL && a->action == TEST &&
               (qms_privileges_check(conf, &diag) != QMS_OK ||
                qms_error_log_check(conf, &diag) != QMS_OK ||
                qms_logs_open(conf, &diag) != QMS_OK)) {
        status = 1;
    } else if (conf != NULL && !(a->quiet && a->action == TEST)) {
        (void)fprintf(stderr, "quicms: the configuration %s is ok\n", conf->file);
    }
    if (conf != NULL && a->action == DUMP) {
        qms_conf_dump(conf, put, stdout);
    }
    if (status != 0) {
        (void)fprintf(stderr, "quicms: %s\n", diag.text);
    }
    qms_conf_unref(conf);
    return status;
}

static int run(const struct arguments *a, const struct qms_conf_env *env, char *const *argv)
{
    switch (a->action) {
    case RUN:
        return qms_master_run(a->conf_path, env, argv);
    case HELP:
        (void)fputs(usage, stdout);
        return 0;
    case VERSION:
        (void)printf("quicms %s\n", QUICMS_VERSION);
        return 0;
    case BUILD:
        if (a->conf == NULL) {
            return show_build(qms_modules, qms_module_count);
        }
        break;
    case DOCUMENT:
        if (a->conf == NULL) {
            qms_conf_document(env, put, stdout);
            return 0;
        }
        break;
    default:
        break;
    }
    return with_conf(a, env);
}

int main(int argc, char **argv)
{
    struct arguments a = {.action = RUN};
    struct qms_dynamic dynamic = {0};

    if (!parse_arguments(&a, argc, argv) || !find_paths(&a)) {
        (void)fputs(usage, stderr);
        return 2;
    }
    const struct qms_conf_env env = {
        .dynamic = &dynamic,
        .prefix = a.prefix_path,
        .globals = a.globals,
        .modules = qms_modules,
        .module_count = qms_module_count,
        .identity = &qms_identity_gnutls,
        .carrier = &qms_carrier_quic,
        .static_open = qms_static_open,
    };
    int status = run(&a, &env, argv);
    qms_dynamic_fini(&dynamic);
    return status;
}
