/* SPDX-License-Identifier: MIT */
/* Lines on their way to standard output.  Who reads it may be slow or not read at all, and the
 * connection must live on meanwhile; so nothing here waits before the command has ended. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

/* What waits beyond this stops a command from producing more; beyond that lines are lost. */
#define FULL_AT ((size_t)64 << 10)
#define LOST_AT ((size_t)1 << 20)
/* What a pipe that polls as writable takes without blocking (PIPE_BUF). */
#define CHUNK 4096

static bool writable(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&p, 1, 0) == 1;
}

/* Writes one chunk.  What cannot be written at all is given up. */
static void write_some(struct agent_lines *l)
{
    size_t left = l->len - l->off, len = left < CHUNK ? left : CHUNK;
    ssize_t n = write(STDOUT_FILENO, l->data + l->off, len);

    if (n >= 0) {
        l->off += (size_t)n;
    } else if (errno != EINTR && errno != EAGAIN) {
        l->off = l->len;
    }
    if (l->off == l->len) {
        l->off = l->len = 0;
    }
}

static void tell_lost(struct agent_lines *l)
{
    if (l->lost > 0 && l->len - l->off < FULL_AT) {
        (void)fprintf(stderr, "quicms-agent: %llu lines were not printed: nobody read them.\n",
                      (unsigned long long)l->lost);
        l->lost = 0;
    }
}

void agent_lines_flush(struct agent_lines *l)
{
    while (l->len > 0 && writable()) {
        write_some(l);
    }
    tell_lost(l);
}

static bool make_room(struct agent_lines *l, size_t more)
{
    if (l->off > 0) {
        memmove(l->data, l->data + l->off, l->len - l->off);
        l->len -= l->off;
        l->off = 0;
    }
    if (l->len + more <= l->cap) {
        return true;
    }
    size_t cap = 2 * (l->len + more);
    char *grown = l->len > LOST_AT ? NULL : realloc(l->data, cap);
    if (grown == NULL) {
        return false;
    }
    l->data = grown;
    l->cap = cap;
    return true;
}

void agent_lines_add(struct agent_lines *l, const char *text, size_t len)
{
    if (!make_room(l, len + 1)) {
        l->lost++;
        return;
    }
    memcpy(l->data + l->len, text, len);
    l->data[l->len + len] = '\n';
    l->len += len + 1;
    agent_lines_flush(l);
}

bool agent_lines_full(const struct agent_lines *l)
{
    return l->len - l->off >= FULL_AT;
}

void agent_lines_end(struct agent_lines *l)
{
    while (l->len > 0) {
        write_some(l);
    }
    tell_lost(l);
    free(l->data);
    *l = (struct agent_lines){0};
}
