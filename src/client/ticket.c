/* SPDX-License-Identifier: MIT */
/* Where session tickets are kept between connections: the application's callbacks, or a folder
 * with one file for each server.  A ticket is taken out when it is used (RFC 8446 section C.4:
 * one that is used twice tells an observer that both connections are one client's). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "client/client_i.h"

#define PATH_LEN 4096

static bool path_of(char out[PATH_LEN], const char *dir, const char *key, const char *end)
{
    int len = snprintf(out, PATH_LEN, "%s/%s.ticket%s", dir, key, end);

    return len > 0 && len < PATH_LEN;
}

static size_t file_load(const char *dir, const char *key, uint8_t *buf, size_t cap)
{
    char path[PATH_LEN];
    ssize_t len = 0;
    int fd;

    if (!path_of(path, dir, key, "")) {
        return 0;
    }
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
    if (fd < 0) {
        return 0;
    }
    len = read(fd, buf, cap);
    (void)close(fd);
    (void)unlink(path);
    return len > 0 ? (size_t)len : 0;
}

/* Another process never sees half a ticket: it is renamed when it is whole. */
static void file_save(const char *dir, const char *key, struct qms_bytes ticket)
{
    char path[PATH_LEN], part[PATH_LEN], unique[32];
    uint64_t random;
    int fd;

    qms_random(&random, sizeof(random));
    (void)snprintf(unique, sizeof(unique), ".%016llx", (unsigned long long)random);
    if (!path_of(path, dir, key, "") || !path_of(part, dir, key, unique)) {
        return;
    }
    fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return; /* the next connection does without */
    }
    bool whole = write(fd, ticket.data, ticket.len) == (ssize_t)ticket.len;
    whole = close(fd) == 0 && whole;
    if (!whole || rename(part, path) != 0) {
        (void)unlink(part);
    }
}

static bool wanted(const struct qms_connection *c)
{
    return c->ticket_key[0] != '\0' &&
           (c->settings.ticket_dir != NULL || c->settings.ticket_load != NULL);
}

size_t qms_ticket_load(struct qms_connection *c, uint8_t *buf, size_t cap)
{
    const struct qms_options *o = &c->settings;
    size_t len;

    if (!wanted(c)) {
        return 0;
    }
    if (o->ticket_dir != NULL) {
        return file_load(o->ticket_dir, c->ticket_key, buf, cap);
    }
    len = o->ticket_load(o->ticket_arg, c->ticket_key, buf, cap);
    return len <= cap ? len : 0;
}

void qms_ticket_note(struct qms_connection *c, struct qms_bytes ticket)
{
    struct qms_bytes key = {(const uint8_t *)c->ticket_key, strlen(c->ticket_key)};

    if (wanted(c) && ticket.len <= QMS_TICKET_MAX) {
        (void)qms_event_add(c, QMS_EVENT_TICKET, key, ticket);
    }
}

void qms_ticket_save(struct qms_connection *c, const char *key, struct qms_bytes ticket)
{
    const struct qms_options *o = &c->settings;

    if (o->ticket_dir != NULL) {
        file_save(o->ticket_dir, key, ticket);
    } else if (o->ticket_save != NULL) {
        o->ticket_save(o->ticket_arg, key, ticket);
    }
}
