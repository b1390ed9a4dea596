/* SPDX-License-Identifier: MIT */
/* Files of received streams. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd_listen.h"

#define TRIES 10000

void store_file_name(struct qms_bytes source, uint64_t handle, char out[STORE_NAME_MAX])
{
    size_t len = source.len < QMS_NAME_MAX ? source.len : QMS_NAME_MAX;

    for (size_t i = 0; i < len; i++) {
        char c = (char)source.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                     (c >= '0' && c <= '9') || c == '_' || c == '-' || (c == '.' && i > 0);

        out[i] = plain ? c : '_';
    }
    (void)snprintf(out + len, STORE_NAME_MAX - len, "%s%llu", len > 0 ? "-" : "broker-",
                   (unsigned long long)handle);
}

bool store_begin(struct store *s, int dir, struct qms_bytes source, uint64_t handle)
{
    s->dir = dir;
    s->fd = -1;
    store_file_name(source, handle, s->base);
    for (int i = 0; i < TRIES && s->fd < 0; i++) {
        if (i == 0) {
            (void)snprintf(s->partial, sizeof(s->partial), "%s.partial", s->base);
        } else {
            (void)snprintf(s->partial, sizeof(s->partial), "%s.%d.partial", s->base, i);
        }
        s->fd =
            openat(dir, s->partial, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (s->fd < 0 && errno != EEXIST) {
            return false;
        }
    }
    return s->fd >= 0;
}

bool store_write(struct store *s, struct qms_bytes bytes)
{
    size_t done = 0;

    while (done < bytes.len) {
        ssize_t n = write(s->fd, bytes.data + done, bytes.len - done);

        if (n < 0 && errno != EINTR) {
            return false;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* link, unlike rename, never replaces a file that is there. */
static bool give_name(struct store *s)
{
    for (int i = 0; i < TRIES; i++) {
        if (i == 0) {
            (void)snprintf(s->name, sizeof(s->name), "%s", s->base);
        } else {
            (void)snprintf(s->name, sizeof(s->name), "%s.%d", s->base, i);
        }
        if (linkat(s->dir, s->partial, s->dir, s->name, 0) == 0) {
            return unlinkat(s->dir, s->partial, 0) == 0;
        }
        if (errno == EPERM || errno == EOPNOTSUPP) { /* a file system without links */
            return faccessat(s->dir, s->name, F_OK, 0) != 0 &&
                   renameat(s->dir, s->partial, s->dir, s->name) == 0;
        }
        if (errno != EEXIST) {
            return false;
        }
    }
    return false;
}

bool store_end(struct store *s)
{
    int fd = s->fd;

    s->fd = -1;
    return close(fd) == 0 && give_name(s);
}

void store_abandon(struct store *s)
{
    if (s->fd >= 0) {
        (void)close(s->fd);
        s->fd = -1;
    }
}
