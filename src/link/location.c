/* SPDX-License-Identifier: MIT */
#include "link/location.h"

#include <string.h>

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Takes one character off the path; a bad escape stands for itself and is refused later. */
static char take(struct qms_bytes *path)
{
    size_t used = 1;
    int c = path->data[0];

    if (c == '%' && path->len > 2 && hex(path->data[1]) >= 0 && hex(path->data[2]) >= 0) {
        c = hex(path->data[1]) << 4 | hex(path->data[2]);
        used = 3;
    }
    path->data += used;
    path->len -= used;
    return (char)c;
}

static bool begins(struct qms_bytes path, const char *prefix)
{
    while (*prefix != '\0') {
        if (path.len == 0 || take(&path) != *prefix++) {
            return false;
        }
    }
    return true;
}

int qms_location_root(const struct qms_server_conf *server, struct qms_bytes path)
{
    size_t longest = 0;
    int fd = -1;

    for (size_t i = 0; i < server->location_count; i++) {
        const struct qms_location *l = &server->locations[i];
        size_t len = strlen(l->path);
        if (l->root_fd >= 0 && len > longest && begins(path, l->path)) {
            longest = len;
            fd = l->root_fd;
        }
    }
    return fd;
}

const struct qms_location *qms_location_of_sessions(const struct qms_server_conf *server,
                                                    struct qms_bytes path)
{
    for (size_t i = 0; i < server->location_count; i++) {
        const struct qms_location *l = &server->locations[i];
        if (l->webtransport && strlen(l->path) == path.len &&
            memcmp(l->path, path.data, path.len) == 0) {
            return l;
        }
    }
    return NULL;
}
