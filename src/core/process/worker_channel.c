/* SPDX-License-Identifier: MIT */
/* SOCK_SEQPACKET with SCM_RIGHTS (unix(7)): one message, one send. */
#include "core/process/worker_channel.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

struct body {
    uint32_t order, slot, generation;
    char text[QMS_DIAG_MAX];
};

union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int) * QMS_ORDER_FDS_MAX)];
};

qms_err qms_channel_pair(int ends[2])
{
    int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;

    return socketpair(AF_UNIX, type, 0, ends) == 0 ? QMS_OK : QMS_E_IO;
}

static void attach(struct msghdr *msg, union control *control, const struct qms_message *m)
{
    size_t len = sizeof(int) * m->fd_count;

    msg->msg_control = control;
    msg->msg_controllen = CMSG_SPACE(len);
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), m->fds, len);
}

qms_err qms_channel_send(int end, const struct qms_message *m)
{
    struct body body = {
        .order = (uint32_t)m->order, .slot = m->slot, .generation = m->generation};
    struct iovec iov = {&body, sizeof(body)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    union control control = {0};

    memcpy(body.text, m->text, sizeof(body.text));
    if (m->fd_count > 0) {
        attach(&msg, &control, m);
    }
    if (sendmsg(end, &msg, MSG_NOSIGNAL) >= 0) {
        return QMS_OK;
    }
    if (errno == EAGAIN) {
        return QMS_E_AGAIN;
    }
    return errno == EPIPE || errno == ECONNRESET ? QMS_E_CLOSED : QMS_E_IO;
}

static void detach(struct msghdr *msg, struct qms_message *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
            m->fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(m->fds, CMSG_DATA(c), sizeof(int) * m->fd_count);
        }
    }
}

qms_err qms_channel_receive(int end, struct qms_message *m)
{
    struct body body;
    struct iovec iov = {&body, sizeof(body)};
    union control control;
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(end, &msg, MSG_CMSG_CLOEXEC);

    /* The other side has closed with something unread, which the kernel tells once and ahead of
     * the other side's last words. */
    if (n < 0 && errno == ECONNRESET) {
        n = recvmsg(end, &msg, MSG_CMSG_CLOEXEC);
    }
    m->fd_count = 0;
    if (n < 0) {
        return errno == EAGAIN || errno == EINTR ? QMS_E_AGAIN : QMS_E_CLOSED;
    }
    if (n == 0) {
        return QMS_E_CLOSED;
    }
    detach(&msg, m);
    bool whole = n == (ssize_t)sizeof(body) && (msg.msg_flags & MSG_TRUNC) == 0;
    bool cut = (msg.msg_flags & MSG_CTRUNC) != 0;
    for (size_t i = 0; i < m->fd_count && (!whole || cut); i++) {
        close(m->fds[i]);
    }
    m->fd_count = whole && !cut ? m->fd_count : 0;
    if (!whole) {
        return QMS_E_PROTOCOL;
    }
    m->order = (enum qms_order)body.order;
    m->slot = body.slot;
    m->generation = body.generation;
    memcpy(m->text, body.text, sizeof(m->text));
    m->text[sizeof(m->text) - 1] = 0;
    return cut ? QMS_E_LIMIT : QMS_OK;
}

void qms_channel_say(int end, enum qms_order order, const char *text)
{
    struct qms_message m = {.order = order};

    strncpy(m.text, text, sizeof(m.text) - 1);
    qms_err err = qms_channel_send(end, &m);
    if (err != QMS_OK && err != QMS_E_CLOSED) {
        qms_log(QMS_LOG_ERROR, "message between master and worker lost order=%d error=%s",
                (int)order, qms_err_name(err));
    }
}

int qms_channel_file(struct qms_bytes bytes)
{
    int fd = memfd_create("quicms", MFD_CLOEXEC);

    while (fd >= 0 && bytes.len > 0) {
        ssize_t n = write(fd, bytes.data, bytes.len);
        if (n < 0) {
            int error = errno;
            close(fd);
            errno = error;
            return -1;
        }
        bytes.data += n;
        bytes.len -= (size_t)n;
    }
    return fd;
}

qms_err qms_channel_file_read(int fd, uint8_t **out, size_t *len)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || st.st_size < 0) {
        return QMS_E_IO;
    }
    uint8_t *data = qms_calloc(1, (size_t)st.st_size + 1);
    if (data == NULL) {
        return QMS_E_NOMEM;
    }
    for (size_t got = 0; got < (size_t)st.st_size;) {
        ssize_t n = pread(fd, data + got, (size_t)st.st_size - got, (off_t)got);
        if (n <= 0) {
            qms_free(data);
            return QMS_E_IO;
        }
        got += (size_t)n;
    }
    *out = data;
    *len = (size_t)st.st_size;
    return QMS_OK;
}
