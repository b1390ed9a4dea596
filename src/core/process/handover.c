/* SPDX-License-Identifier: MIT */
/* Descriptors keep their numbers over execve; those that go along lose close-on-exec before and
 * get it back after. */
#include "core/process/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "core/conf/check.h"
#include "core/conf/diag.h"
#include "core/conf/zone.h"
#include "core/process/master_sockets.h"
#include "core/process/worker_channel.h"
#include "core/shared/mesh.h"

/* Of this file and of what master and workers say to each other (worker_channel.h). */
#define VERSION 1
#define ENV_FD  "QUICMS_HANDOVER"
#define ENV_WHY "QUICMS_HANDOVER_REFUSED"

struct qms_handover {
    json_t *root;
    int fd;    /* of the file */
    char *why; /* NULL: not refused */
};

/* Workers of binaries that agree in this share rings and counters. */
static void layout(char out[96])
{
    (void)snprintf(out, 96, "mesh %d ring %zu page %zu slots %d", QMS_MESH_VERSION,
                   qms_mesh_pair_size(), qms_board_part_size(), QMS_SLOTS_MAX);
}

/* ---- writing down ---- */

static json_t *number(uint64_t v)
{
    return json_integer(v == QMS_NEVER ? -1 : (json_int_t)v);
}

static json_t *slot_json(const struct qms_master *m, size_t i)
{
    const struct qms_slot *s = &m->slots[i];

    return json_pack("{s:I, s:I, s:b, s:b, s:b, s:I, s:i, s:i, s:i, s:o, s:o, s:o, s:I}",
                     "slot", (json_int_t)i, "generation", (json_int_t)s->generation, "retired",
                     s->retired, "ready", s->ready, "alien", s->alien, "pid",
                     (json_int_t)s->pid, "channel", s->channel, "view", s->view, "bell",
                     s->bell, "started_at", number(s->started_at), "start_at",
                     number(s->start_at), "kill_at", number(s->kill_at), "failures",
                     (json_int_t)s->failures);
}

static json_t *listen_json(const struct qms_listen *l, bool tcp)
{
    json_t *fds = json_array();

    for (size_t i = 0; i < QMS_SLOTS_MAX && !tcp; i++) {
        json_array_append_new(fds, json_integer(l->fds[i]));
    }
    if (tcp) {
        json_array_append_new(fds, json_integer(l->fd));
    }
    return json_pack("{s:s, s:b, s:b, s:b, s:o}", "address", l->text, "tcp", tcp, "quic",
                     l->quic, "webtransport", l->webtransport, "fds", fds);
}

static json_t *listens_json(const struct qms_conf *conf)
{
    json_t *list = json_array();

    for (size_t s = 0; s < conf->server_count; s++) {
        for (size_t i = 0; i < conf->servers[s].listen_count; i++) {
            json_array_append_new(list, listen_json(&conf->servers[s].listens[i], false));
        }
    }
    for (size_t i = 0; i < conf->http_listen_count; i++) {
        json_array_append_new(list, listen_json(&conf->http_listens[i], true));
    }
    return list;
}

static json_t *zones_json(const struct qms_conf *conf)
{
    json_t *list = json_array();
    int fds[QMS_ZONES_MAX];
    size_t count = qms_zones_fds(conf, fds), i = 0;

    for (const struct qms_zone *z = conf->zones; z != NULL && i < count; z = z->next, i++) {
        json_array_append_new(list, json_pack("{s:s, s:I, s:i}", "name", z->name, "size",
                                              (json_int_t)z->size, "fd", fds[i]));
    }
    return list;
}

static void hex(const uint8_t in[32], char out[65])
{
    for (size_t i = 0; i < 32; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", in[i]);
    }
}

static json_t *state_json(const struct qms_master *m, int exe, int pack)
{
    json_t *slots = json_array();
    char secret[65], text[96];

    for (size_t i = 0; i < m->slot_count; i++) {
        json_array_append_new(slots, slot_json(m, i));
    }
    hex(m->secret, secret);
    layout(text);
    json_t *root = json_pack(
        "{s:i, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:I, s:b, s:I, s:I, s:b, s:o, s:o, s:o}",
        "version", VERSION, "layout", text, "secret", secret, "pid_file", m->pid_file, "pid_fd",
        m->pid_fd, "board_fd", qms_board_fd(m->board), "exe_fd", exe, "pack_fd", pack,
        "reload_number", (json_int_t)m->reload_number, "reload_due", m->reload_due,
        "generation", (json_int_t)m->generation, "newest", (json_int_t)m->newest, "steered",
        m->steered, "slots", slots, "listens", listens_json(m->conf), "zones",
        zones_json(m->conf));
    qms_memzero(secret, sizeof(secret));
    return root;
}

/* ---- descriptors ---- */

static void cloexec(const json_t *value, bool on)
{
    int fd = (int)json_integer_value(value);
    int flags = json_is_integer(value) && fd >= 0 ? fcntl(fd, F_GETFD) : -1;

    if (flags >= 0) {
        (void)fcntl(fd, F_SETFD, on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC);
    }
}

/* All that go along. */
static void cloexec_all(const json_t *root, bool on)
{
    static const char *const own[] = {"pid_fd", "board_fd", "exe_fd", "pack_fd"};
    static const char *const of_slots[] = {"channel", "view", "bell"};
    size_t i, k;
    json_t *item, *fd;

    for (i = 0; i < 4; i++) {
        cloexec(json_object_get(root, own[i]), on);
    }
    json_array_foreach(json_object_get(root, "slots"), i, item)
    {
        for (k = 0; k < 3; k++) {
            cloexec(json_object_get(item, of_slots[k]), on);
        }
    }
    json_array_foreach(json_object_get(root, "zones"), i, item)
    {
        cloexec(json_object_get(item, "fd"), on);
    }
    json_array_foreach(json_object_get(root, "listens"), i, item)
    {
        json_array_foreach(json_object_get(item, "fds"), k, fd)
        {
            cloexec(fd, on);
        }
    }
}

/* ---- running the next ---- */

static int pack_file(const struct qms_conf *conf)
{
    uint8_t *pack = NULL;
    size_t len = 0;

    if (qms_conf_pack(conf, &pack, &len) != QMS_OK) {
        return -1;
    }
    int fd = qms_channel_file((struct qms_bytes){pack, len});
    qms_memzero(pack, len);
    qms_free(pack);
    return fd;
}

static int state_file(const json_t *root)
{
    char *text = json_dumps(root, JSON_COMPACT);
    size_t len = text != NULL ? strlen(text) : 0;
    int fd =
        text != NULL ? qms_channel_file((struct qms_bytes){(const uint8_t *)text, len}) : -1;

    if (text != NULL) {
        qms_memzero(text, len);
        free(text);
    }
    return fd;
}

/* With the file's number in the environment, which workers never see: it is taken out first. */
static void run(int exe, const char *binary, char *const *argv, int fd, const char *why)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%d", fd);
    (void)setenv(ENV_FD, text, 1);
    if (why != NULL) {
        (void)setenv(ENV_WHY, why, 1);
    }
    (void)fcntl(fd, F_SETFD, 0);
    if (exe >= 0) {
        (void)fexecve(exe, argv, environ);
    } else {
        (void)execv(binary, argv);
    }
    (void)unsetenv(ENV_FD);
    (void)unsetenv(ENV_WHY);
}

void qms_handover_run(struct qms_master *m, const char *binary, struct qms_diag *diag)
{
    int exe = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    int pack = pack_file(m->conf);
    json_t *root = exe >= 0 && pack >= 0 ? state_json(m, exe, pack) : NULL;
    int fd = root != NULL ? state_file(root) : -1;

    if (fd >= 0) {
        cloexec_all(root, false);
        run(-1, binary, m->argv, fd, NULL);
        int error = errno;
        cloexec_all(root, true);
        close(fd);
        errno = error;
    }
    qms_diag_error(diag, "\"%s\" cannot be run: %s.", binary, strerror(errno));
    if (exe >= 0) {
        close(exe);
    }
    if (pack >= 0) {
        close(pack);
    }
    json_decref(root);
}

/* ---- taking over ---- */

struct qms_handover *qms_handover_take(void)
{
    const char *text = getenv(ENV_FD), *why = getenv(ENV_WHY);
    struct qms_handover *h = text != NULL ? qms_calloc(1, sizeof(*h)) : NULL;
    uint8_t *bytes = NULL;
    size_t len = 0;

    if (h == NULL) {
        return NULL;
    }
    h->fd = (int)strtol(text, NULL, 10);
    h->why = why != NULL ? qms_strndup(why, strlen(why)) : NULL;
    (void)unsetenv(ENV_FD);
    (void)unsetenv(ENV_WHY);
    if (fcntl(h->fd, F_SETFD, FD_CLOEXEC) == 0 &&
        qms_channel_file_read(h->fd, &bytes, &len) == QMS_OK) {
        h->root = json_loadb((const char *)bytes, len, 0, NULL);
        qms_memzero(bytes, len);
        qms_free(bytes);
    }
    if (h->root == NULL) {
        qms_handover_free(h);
        return NULL;
    }
    cloexec_all(h->root, true);
    return h;
}

void qms_handover_free(struct qms_handover *h)
{
    if (h != NULL) {
        close(h->fd);
        json_decref(h->root);
        qms_free(h->why);
        qms_free(h);
    }
}

const char *qms_handover_refused(const struct qms_handover *h)
{
    return h->why;
}

static int fd_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int)json_integer_value(value) : -1;
}

struct qms_conf *qms_handover_conf(const struct qms_handover *h, const char *file,
                                   const struct qms_conf_env *env, struct qms_diag *diag)
{
    uint8_t *pack = NULL;
    size_t len = 0;

    if (qms_channel_file_read(fd_of(h->root, "pack_fd"), &pack, &len) != QMS_OK) {
        qms_diag_error(diag, "The configuration did not arrive.");
        return NULL;
    }
    struct qms_bytes bytes = {pack, len};
    struct qms_conf *conf = qms_conf_load_packed(bytes, file, env, diag);
    qms_memzero(pack, len);
    qms_free(pack);
    if (conf != NULL && qms_conf_open_roots(conf, diag) != QMS_OK) {
        qms_conf_unref(conf);
        return NULL;
    }
    return conf;
}

void qms_handover_return(struct qms_handover *h, char *const *argv, const char *why)
{
    cloexec_all(h->root, false);
    run(fd_of(h->root, "exe_fd"), NULL, argv, h->fd, why);
}

static qms_time time_of(const json_t *object, const char *key)
{
    json_int_t v = json_integer_value(json_object_get(object, key));
    return v < 0 ? QMS_NEVER : (qms_time)v;
}

static void adopt_slot(struct qms_master *m, const json_t *s, bool same_layout)
{
    size_t i = (size_t)json_integer_value(json_object_get(s, "slot"));

    if (i >= QMS_SLOTS_MAX) {
        return;
    }
    m->slots[i] = (struct qms_slot){
        .generation = (uint32_t)json_integer_value(json_object_get(s, "generation")),
        .retired = json_is_true(json_object_get(s, "retired")),
        .ready = json_is_true(json_object_get(s, "ready")),
        .alien = !same_layout || json_is_true(json_object_get(s, "alien")),
        .pid = (pid_t)json_integer_value(json_object_get(s, "pid")),
        .channel = fd_of(s, "channel"),
        .view = fd_of(s, "view"),
        .bell = fd_of(s, "bell"),
        .started_at = time_of(s, "started_at"),
        .start_at = time_of(s, "start_at"),
        .kill_at = time_of(s, "kill_at"),
        .failures = (unsigned)json_integer_value(json_object_get(s, "failures")),
    };
    m->slot_count = i + 1 > m->slot_count ? i + 1 : m->slot_count;
}

static bool adopt_listen(const json_t *item, struct qms_listen *l, bool tcp)
{
    const json_t *fds = json_object_get(item, "fds");
    const char *text = json_string_value(json_object_get(item, "address"));

    if (text == NULL || strcmp(text, l->text) != 0 ||
        json_is_true(json_object_get(item, "tcp")) != tcp ||
        (!tcp && (json_is_true(json_object_get(item, "quic")) != l->quic ||
                  json_is_true(json_object_get(item, "webtransport")) != l->webtransport))) {
        return false;
    }
    if (tcp) {
        l->fd = (int)json_integer_value(json_array_get(fds, 0));
    }
    for (size_t i = 0; !tcp && i < QMS_SLOTS_MAX && i < json_array_size(fds); i++) {
        l->fds[i] = (int)json_integer_value(json_array_get(fds, i));
    }
    return true;
}

struct adoption {
    const json_t *listens;
    size_t count; /* in the configuration */
    struct qms_diag *diag;
};

static qms_err adopt_one(void *arg, struct qms_listen *l, bool tcp)
{
    struct adoption *a = arg;

    for (size_t i = 0; i < json_array_size(a->listens); i++) {
        if (adopt_listen(json_array_get(a->listens, i), l, tcp)) {
            a->count++;
            return QMS_OK;
        }
    }
    qms_diag_error(a->diag,
                   "\"listen %s\" is new or changed; reload the configuration for that first.",
                   l->text);
    return QMS_E_CONFIG;
}

static qms_err adopt_sockets(const json_t *root, struct qms_conf *conf, struct qms_diag *diag)
{
    struct adoption a = {json_object_get(root, "listens"), 0, diag};
    qms_err err = qms_sockets_each(conf, adopt_one, &a);

    if (err == QMS_OK && a.count != json_array_size(a.listens)) {
        qms_diag_error(diag,
                       "A \"listen\" was taken away; reload the configuration for that first.");
        err = QMS_E_CONFIG;
    }
    return err;
}

static qms_err adopt_zones(const json_t *root, struct qms_conf *conf, struct qms_diag *diag)
{
    size_t i;
    json_t *item;

    json_array_foreach(json_object_get(root, "zones"), i, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));
        size_t size = (size_t)json_integer_value(json_object_get(item, "size"));
        if (name != NULL && qms_zone_adopt(conf, name, size, fd_of(item, "fd")) != QMS_OK) {
            qms_diag_error(diag, "The shared zone \"%s\" cannot be taken over: %s.", name,
                           strerror(errno));
            return QMS_E_IO;
        }
    }
    return qms_zones_give(conf, NULL, diag);
}

static bool unhex(const char *text, uint8_t out[32])
{
    unsigned byte;

    for (size_t i = 0; i < 32; i++) {
        if (text == NULL || sscanf(text + 2 * i, "%2x", &byte) != 1) {
            return false;
        }
        out[i] = (uint8_t)byte;
    }
    return true;
}

/* Counters of another layout cannot be read: those of the new workers start anew. */
static qms_err adopt_board(const json_t *root, struct qms_master *m, bool same_layout,
                           struct qms_diag *diag)
{
    m->board = same_layout ? qms_board_adopt(QMS_SLOTS_MAX, fd_of(root, "board_fd"))
                           : qms_board_new(QMS_SLOTS_MAX);
    return m->board != NULL ? QMS_OK : qms_diag_nomem(diag);
}

static qms_err adopt_self(const json_t *root, struct qms_master *m, struct qms_diag *diag)
{
    const char *pid_file = json_string_value(json_object_get(root, "pid_file"));

    if (json_integer_value(json_object_get(root, "version")) != VERSION || pid_file == NULL ||
        !unhex(json_string_value(json_object_get(root, "secret")), m->secret)) {
        qms_diag_error(diag, "This binary does not know what the running one hands over; "
                             "restart the broker for it.");
        return QMS_E_PROTOCOL;
    }
    m->pid_file = qms_strndup(pid_file, strlen(pid_file));
    m->pid_fd = fd_of(root, "pid_fd");
    m->reload_number = (uint64_t)json_integer_value(json_object_get(root, "reload_number"));
    m->reload_due = json_is_true(json_object_get(root, "reload_due"));
    m->generation = (uint32_t)json_integer_value(json_object_get(root, "generation"));
    m->newest = (uint32_t)json_integer_value(json_object_get(root, "newest"));
    m->steered = json_is_true(json_object_get(root, "steered"));
    return m->pid_file != NULL ? QMS_OK : qms_diag_nomem(diag);
}

/* There is no way back any more. */
static void close_rest(const json_t *root, bool same_layout)
{
    size_t i;
    json_t *zone;

    json_array_foreach(json_object_get(root, "zones"), i, zone)
    {
        close(fd_of(zone, "fd"));
    }
    close(fd_of(root, "exe_fd"));
    close(fd_of(root, "pack_fd"));
    if (!same_layout) {
        close(fd_of(root, "board_fd"));
    }
}

qms_err qms_handover_adopt(struct qms_handover *h, struct qms_master *m, struct qms_diag *diag)
{
    const char *theirs = json_string_value(json_object_get(h->root, "layout"));
    char ours[96];
    size_t i;
    json_t *slot;

    layout(ours);
    bool same = theirs != NULL && strcmp(theirs, ours) == 0;
    qms_err err = adopt_self(h->root, m, diag);
    err = err == QMS_OK ? adopt_sockets(h->root, m->conf, diag) : err;
    err = err == QMS_OK ? adopt_zones(h->root, m->conf, diag) : err;
    err = err == QMS_OK ? adopt_board(h->root, m, same, diag) : err;
    json_array_foreach(json_object_get(h->root, "slots"), i, slot)
    {
        adopt_slot(m, slot, same);
    }
    if (err == QMS_OK) {
        close_rest(h->root, same);
    }
    return err;
}
