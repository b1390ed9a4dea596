/* SPDX-License-Identifier: MIT */
/* SO_REUSEPORT would let a second broker share the port in silence, so each UDP address is
 * bound once without it first: that is the only honest answer to "is it free?". */
#include "core/process/master_sockets.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/conf/carrier.h"
#include "core/conf/diag.h"

#define TCP_BACKLOG 128

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

qms_err qms_sockets_each(struct qms_conf *conf,
                         qms_err (*each)(void *arg, struct qms_listen *l, bool tcp), void *arg)
{
    qms_err err = QMS_OK;

    for (size_t s = 0; err == QMS_OK && s < conf->server_count; s++) {
        for (size_t i = 0; err == QMS_OK && i < conf->servers[s].listen_count; i++) {
            err = each(arg, &conf->servers[s].listens[i], false);
        }
    }
    for (size_t i = 0; err == QMS_OK && i < conf->http_listen_count; i++) {
        err = each(arg, &conf->http_listens[i], true);
    }
    return err;
}

static unsigned port_of(const struct qms_listen *l)
{
    return ntohs(l->addr.ss_family == AF_INET6
                     ? ((const struct sockaddr_in6 *)&l->addr)->sin6_port
                     : ((const struct sockaddr_in *)&l->addr)->sin_port);
}

static qms_err refused(const struct qms_listen *l, bool tcp, struct qms_diag *diag)
{
    const char *kind = tcp ? "TCP" : "UDP";
    int error = errno;

    if (error == EADDRINUSE) {
        qms_diag_error(
            diag,
            "Cannot listen at %s %s: the address is in use; \"ss -lnp%c 'sport = :%u'\" "
            "shows by whom.",
            kind, l->text, tcp ? 't' : 'u', port_of(l));
    } else if (error == EACCES && port_of(l) < 1024) {
        qms_diag_error(
            diag, "Cannot listen at %s %s: ports below 1024 need root or CAP_NET_BIND_SERVICE.",
            kind, l->text);
    } else {
        qms_diag_error(diag, "Cannot listen at %s %s: %s.", kind, l->text, strerror(error));
    }
    return QMS_E_IO;
}

static int bound(const struct qms_listen *l, bool tcp, bool share)
{
    int type = tcp ? SOCK_STREAM : SOCK_DGRAM, on = 1;
    int fd = socket(l->addr.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if (l->addr.ss_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    }
    if (tcp || share) {
        (void)setsockopt(fd, SOL_SOCKET, tcp ? SO_REUSEADDR : SO_REUSEPORT, &on, sizeof(on));
    }
    if (bind(fd, (const struct sockaddr *)&l->addr, l->addr_len) != 0 ||
        (tcp && listen(fd, TCP_BACKLOG) != 0)) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* The kernel doubles what is asked for (socket(7)) and cuts it at its maximum; root may pass
 * that. */
static void set_buffer(int fd, const struct qms_listen *l, bool receive, uint64_t wanted)
{
    int value = (int)wanted, got = 0, option = receive ? SO_RCVBUF : SO_SNDBUF;
    socklen_t len = sizeof(got);

    if (setsockopt(fd, SOL_SOCKET, receive ? SO_RCVBUFFORCE : SO_SNDBUFFORCE, &value,
                   sizeof(value)) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value));
    }
    if (l != NULL && getsockopt(fd, SOL_SOCKET, option, &got, &len) == 0 && got / 2 < value) {
        qms_log(QMS_LOG_WARN,
                "UDP buffer smaller than configured address=%s kind=%s wanted=%d got=%d "
                "remedy=\"sysctl -w net.core.%s=%d\"",
                l->text, receive ? "receive" : "send", value, got / 2,
                receive ? "rmem_max" : "wmem_max", value);
    }
}

struct opening {
    struct qms_diag *diag;
    const struct qms_conf *conf;
    size_t slot;
    qms_time until; /* an address in use may become free until then */
};

/* Only the first one's buffers are worth a warning: the others are like it. */
static qms_err open_slot(void *arg, struct qms_listen *l, bool tcp)
{
    const struct opening *o = arg;
    int *fd = &l->fds[o->slot];

    if (tcp || *fd >= 0) {
        return QMS_OK;
    }
    *fd = bound(l, false, true);
    if (*fd < 0) {
        return refused(l, false, o->diag);
    }
    set_buffer(*fd, o->slot == 0 ? l : NULL, true, o->conf->udp_rcvbuf);
    set_buffer(*fd, o->slot == 0 ? l : NULL, false, o->conf->udp_sndbuf);
    return QMS_OK;
}

qms_err qms_sockets_open_slot(struct qms_conf *conf, size_t slot, struct qms_diag *diag)
{
    struct opening o = {diag, conf, slot, 0};

    return qms_sockets_each(conf, open_slot, &o);
}

static qms_err open_one(void *arg, struct qms_listen *l, bool tcp)
{
    const struct opening *o = arg;
    int fd = bound(l, tcp, tcp);

    while (fd < 0 && errno == EADDRINUSE && qms_clock_now() < o->until) {
        (void)usleep(20000);
        fd = bound(l, tcp, tcp);
    }
    if (fd < 0) {
        return refused(l, tcp, o->diag);
    }
    if (tcp) {
        l->fd = fd;
    } else {
        close(fd);
    }
    return QMS_OK;
}

qms_err qms_sockets_open(struct qms_conf *conf, qms_time wait, struct qms_diag *diag)
{
    struct opening o = {diag, conf, 0, qms_clock_now() + wait};
    qms_err err = qms_sockets_each(conf, open_one, &o);

    if (err != QMS_OK) {
        qms_sockets_close(conf);
    }
    return err;
}

static qms_err close_one(void *arg, struct qms_listen *l, bool tcp)
{
    (void)arg;
    if (tcp) {
        close_fd(&l->fd);
    }
    for (size_t i = 0; i < QMS_SLOTS_MAX && !tcp; i++) {
        close_fd(&l->fds[i]);
    }
    return QMS_OK;
}

static qms_err close_slot(void *arg, struct qms_listen *l, bool tcp)
{
    if (!tcp) {
        close_fd(&l->fds[*(const size_t *)arg]);
    }
    return QMS_OK;
}

void qms_sockets_close_slot(struct qms_conf *conf, size_t slot)
{
    (void)qms_sockets_each(conf, close_slot, &slot);
}

void qms_sockets_close(struct qms_conf *conf)
{
    (void)qms_sockets_each(conf, close_one, NULL);
}

static qms_err keep_one(void *arg, struct qms_listen *l, bool tcp)
{
    const size_t *slot = arg;

    for (size_t i = 0; i < QMS_SLOTS_MAX && !tcp; i++) {
        if (i == *slot) {
            l->fd = l->fds[i];
        } else {
            close_fd(&l->fds[i]);
        }
    }
    return QMS_OK;
}

void qms_sockets_keep(struct qms_conf *conf, size_t slot)
{
    (void)qms_sockets_each(conf, keep_one, &slot);
}

struct steering {
    struct sock_fprog program;
    struct qms_diag *diag;
};

/* One program serves all sockets of an address. */
static qms_err steer_one(void *arg, struct qms_listen *l, bool tcp)
{
    const struct steering *s = arg;

    if (!tcp && setsockopt(l->fds[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &s->program,
                           sizeof(s->program)) != 0) {
        qms_diag_error(s->diag, "The kernel takes no filter for UDP %s: %s.", l->text,
                       strerror(errno));
        return QMS_E_IO;
    }
    return QMS_OK;
}

qms_err qms_sockets_steer(struct qms_conf *conf, const struct qms_conf_env *env,
                          const uint8_t secret[32], const uint8_t *live, size_t live_count,
                          const bool used[QMS_SLOTS_MAX], struct qms_diag *diag)
{
    struct sock_filter filter[QMS_CARRIER_FILTER_MAX];
    size_t len = env->carrier->filter != NULL
                     ? env->carrier->filter(secret, live, live_count, used, filter)
                     : 0;
    struct steering s;

    memset(&s, 0, sizeof(s)); /* the kernel reads the gaps too */
    s.program.len = (unsigned short)len;
    s.program.filter = filter;
    s.diag = diag;
    if (len == 0) {
        qms_diag_error(diag, "There is no filter for the kernel.");
        return QMS_E_IO;
    }
    return qms_sockets_each(conf, steer_one, &s);
}

struct sharing {
    struct qms_conf *from;
    struct qms_diag *diag;
    size_t count;
};

static qms_err count_one(void *arg, struct qms_listen *l, bool tcp)
{
    struct sharing *s = arg;

    (void)l;
    (void)tcp;
    s->count++;
    return QMS_OK;
}

struct search {
    struct qms_listen *wanted;
    bool tcp, found;
    bool loosely; /* whatever is spoken there */
};

static qms_err match_one(void *arg, struct qms_listen *l, bool tcp)
{
    struct search *s = arg;

    if (tcp == s->tcp && strcmp(l->text, s->wanted->text) == 0 &&
        (s->loosely ||
         (l->quic == s->wanted->quic && l->webtransport == s->wanted->webtransport))) {
        s->wanted->fd = l->fd;
        memcpy(s->wanted->fds, l->fds, sizeof(l->fds));
        s->found = true;
    }
    return QMS_OK;
}

static qms_err share_one(void *arg, struct qms_listen *l, bool tcp)
{
    struct sharing *s = arg;
    struct search search = {.wanted = l, .tcp = tcp};

    s->count--;
    (void)qms_sockets_each(s->from, match_one, &search);
    if (!search.found) {
        qms_diag_error(s->diag, "\"listen %s\" is new or changed; only new workers can follow.",
                       l->text);
        return QMS_E_CONFIG;
    }
    return QMS_OK;
}

qms_err qms_sockets_share(struct qms_conf *to, struct qms_conf *from, struct qms_diag *diag)
{
    struct sharing s = {.from = from, .diag = diag};

    (void)qms_sockets_each(s.from, count_one, &s);
    qms_err err = qms_sockets_each(to, share_one, &s);
    if (err == QMS_OK && (s.count != 0 || to->server_count != from->server_count)) {
        qms_diag_error(diag,
                       "A \"listen\" was taken away or moved; only new workers can follow.");
        return QMS_E_CONFIG;
    }
    return err;
}

/* ---- other addresses than before ---- */

static bool same_listens(const struct qms_listen *a, size_t a_count, const struct qms_listen *b,
                         size_t b_count)
{
    bool same = a_count == b_count;

    for (size_t i = 0; same && i < a_count; i++) {
        same = strcmp(a[i].text, b[i].text) == 0 && a[i].quic == b[i].quic &&
               a[i].webtransport == b[i].webtransport;
    }
    return same;
}

/* A worker knows its servers by their order. */
bool qms_sockets_same(const struct qms_conf *a, const struct qms_conf *b)
{
    bool same = a->server_count == b->server_count &&
                same_listens(a->http_listens, a->http_listen_count, b->http_listens,
                             b->http_listen_count);

    for (size_t i = 0; same && i < a->server_count; i++) {
        same = same_listens(a->servers[i].listens, a->servers[i].listen_count,
                            b->servers[i].listens, b->servers[i].listen_count);
    }
    return same;
}

static qms_err take_one(void *arg, struct qms_listen *l, bool tcp)
{
    struct sharing *s = arg;
    struct search search = {.wanted = l, .tcp = tcp, .loosely = true};

    (void)qms_sockets_each(s->from, match_one, &search);
    return QMS_OK;
}

struct moving {
    struct opening opening;
    size_t slots;
};

static qms_err open_new(void *arg, struct qms_listen *l, bool tcp)
{
    struct moving *m = arg;
    bool there = tcp ? l->fd >= 0 : false;
    qms_err err = QMS_OK;

    for (size_t i = 0; i < QMS_SLOTS_MAX && !tcp; i++) {
        there = there || l->fds[i] >= 0;
    }
    if (!there) {
        err = open_one(&m->opening, l, tcp);
    }
    for (size_t i = 0; !there && !tcp && err == QMS_OK && i < m->slots; i++) {
        m->opening.slot = i;
        err = open_slot(&m->opening, l, false);
    }
    return err;
}

qms_err qms_sockets_move(struct qms_conf *to, struct qms_conf *from, size_t slots,
                         struct qms_diag *diag)
{
    struct sharing s = {.from = from, .diag = diag};
    struct moving m = {.opening = {.diag = diag, .conf = to}, .slots = slots};

    (void)qms_sockets_each(to, take_one, &s);
    qms_err err = qms_sockets_each(to, open_new, &m);
    if (err != QMS_OK) {
        qms_sockets_leave(to, from);
    }
    return err;
}

void qms_sockets_take(struct qms_conf *to, struct qms_conf *from)
{
    struct sharing s = {.from = from};

    (void)qms_sockets_each(to, take_one, &s);
}

static qms_err leave_one(void *arg, struct qms_listen *l, bool tcp)
{
    struct qms_listen same = *l;
    struct search search = {.wanted = &same, .tcp = tcp, .loosely = true};

    (void)qms_sockets_each(arg, match_one, &search);
    return search.found ? QMS_OK : close_one(NULL, l, tcp);
}

void qms_sockets_leave(struct qms_conf *old, struct qms_conf *kept)
{
    (void)qms_sockets_each(old, leave_one, kept);
}
