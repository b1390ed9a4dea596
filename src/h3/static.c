/* SPDX-License-Identifier: MIT */
/* Static files.  The kernel, not string comparison, keeps a path beneath the root: openat2 with
 * RESOLVE_BENEATH refuses "..", absolute symbolic links and whatever else leads out of it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "h3/h3.h"

#define PATH_LEN 1024
#define INDEX    "index.html"

static const char *content_type(const char *name)
{
    static const struct {
        const char *extension, *type;
    } types[] = {
        {"html", "text/html; charset=utf-8"},
        {"css", "text/css; charset=utf-8"},
        {"js", "text/javascript; charset=utf-8"},
        {"mjs", "text/javascript; charset=utf-8"},
        {"json", "application/json"},
        {"map", "application/json"},
        {"wasm", "application/wasm"},
        {"svg", "image/svg+xml"},
        {"png", "image/png"},
        {"ico", "image/vnd.microsoft.icon"},
        {"woff2", "font/woff2"},
        {"txt", "text/plain; charset=utf-8"},
        {"md", "text/markdown; charset=utf-8"},
    };
    const char *base = strrchr(name, '/'), *dot = strrchr(base == NULL ? name : base, '.');

    for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcasecmp(dot + 1, types[i].extension) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Percent-decodes one character at path.data[*i]; -1 for a bad escape or NUL. */
static int decode_one(struct qms_bytes path, size_t *i)
{
    int c = path.data[(*i)++];

    if (c == '%') {
        if (path.len - *i < 2 || hex(path.data[*i]) < 0 || hex(path.data[*i + 1]) < 0) {
            return -1;
        }
        c = hex(path.data[*i]) << 4 | hex(path.data[*i + 1]);
        *i += 2;
    }
    return c == 0 ? -1 : c;
}

/* The path relative to the root, "." for the root itself.  Returns a status. */
static int decode(struct qms_bytes path, char out[PATH_LEN])
{
    size_t n = 0;

    if (path.len == 0 || path.data[0] != '/') {
        return 400;
    }
    for (size_t i = 0; i < path.len;) {
        int c = decode_one(path, &i);
        if (c < 0) {
            return 400;
        }
        if (n == PATH_LEN - sizeof("/" INDEX)) {
            return 404;
        }
        if (c != '/' || n > 0) {
            out[n++] = (char)c;
        }
    }
    memcpy(out + n, n == 0 ? "." : "", n == 0 ? 2 : 1);
    return 200;
}

static int status_of(int error)
{
    switch (error) {
    case EXDEV:
    case EACCES:
    case EPERM:
    case ELOOP:
        return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
        return 503;
    default:
        return 404;
    }
}

static int open_beneath(int root_fd, const char *path)
{
    const struct open_how how = {
        .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd = -1;

    /* EAGAIN: a rename raced with "..", which only a change of the tree can cause. */
    for (int i = 0; i < 8 && fd < 0; i++) {
        fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
        if (fd < 0 && errno != EAGAIN && errno != EINTR) {
            break;
        }
    }
    return (int)fd;
}

/* A directory stands for its index. */
static int open_file(int root_fd, char path[PATH_LEN], int *fd, struct stat *st)
{
    for (int depth = 0; depth < 2; depth++) {
        *fd = open_beneath(root_fd, path);
        if (*fd < 0) {
            return status_of(errno);
        }
        if (fstat(*fd, st) == 0 && S_ISREG(st->st_mode)) {
            return 200;
        }
        bool directory = S_ISDIR(st->st_mode);
        close(*fd);
        if (!directory) {
            return 403;
        }
        memcpy(path + strlen(path), "/" INDEX, sizeof("/" INDEX));
    }
    return 403;
}

int qms_static_open(int root_fd, struct qms_bytes path, struct qms_web_file *out)
{
    char relative[PATH_LEN + sizeof("/" INDEX)];
    struct stat st = {0};
    int status = decode(path, relative);

    if (status == 200) {
        status = open_file(root_fd, relative, &out->fd, &st);
    }
    if (status == 200) {
        out->size = (uint64_t)st.st_size;
        out->type = content_type(relative);
        qms_web_file_describe(out, (int64_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    }
    return status;
}
