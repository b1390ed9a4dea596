/* SPDX-License-Identifier: MIT */
/* What the scenarios share: two agents, patterns, waiting. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "load.h"

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ (x >> 33);
}

void load_pattern(uint64_t seed, uint64_t offset, uint8_t *out, size_t len)
{
    size_t i = 0;

    while (i < len) {
        uint64_t word = mix(seed * UINT64_C(0x9e3779b97f4a7c15) + (offset + i) / 8);
        size_t from = (size_t)((offset + i) % 8);
        size_t take = 8 - from < len - i ? 8 - from : len - i;
        memcpy(out + i, (const uint8_t *)&word + from, take);
        i += take;
    }
}

bool load_matches(uint64_t seed, uint64_t offset, struct qms_bytes data)
{
    uint8_t want[16384];

    for (size_t at = 0; at < data.len; at += sizeof(want)) {
        size_t len = data.len - at < sizeof(want) ? data.len - at : sizeof(want);
        load_pattern(seed, offset + at, want, len);
        if (memcmp(want, data.data + at, len) != 0) {
            return false;
        }
    }
    return true;
}

qms_err load_write(struct qms_stream *st, uint64_t seed, uint64_t *offset, uint64_t size)
{
    uint8_t buf[16384];

    while (*offset < size) {
        size_t len = size - *offset < sizeof(buf) ? (size_t)(size - *offset) : sizeof(buf);
        size_t taken = 0;
        load_pattern(seed, *offset, buf, len);
        qms_err err = qms_stream_write(st, (struct qms_bytes){buf, len}, &taken);
        *offset += taken;
        if (err != QMS_OK) {
            return err;
        }
        if (taken < len) {
            return QMS_E_AGAIN;
        }
    }
    return qms_stream_finish(st);
}

qms_err load_read(struct load *l, struct qms_stream *st, uint64_t seed, uint64_t *offset)
{
    for (;;) {
        struct qms_bytes data;
        qms_err err = qms_stream_peek(st, &data);
        if (err != QMS_OK || data.len == 0) {
            return err;
        }
        if (!load_matches(seed, *offset, data)) {
            load_fail(l, "wrong bytes at offset %llu of the stream with seed %llu",
                      (unsigned long long)*offset, (unsigned long long)seed);
        }
        size_t len = data.len;
        *offset += len;
        err = qms_stream_consume(st, len);
        if (err != QMS_OK) {
            return err;
        }
    }
}

void load_fail(struct load *l, const char *format, ...)
{
    va_list ap;

    l->failed = true;
    va_start(ap, format);
    fputs("quicms-load: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
}

static void on_ready(struct qms_connection *c, void *arg)
{
    struct load *l = arg;
    (void)c;
    l->ready++;
}

static void on_stream(struct qms_connection *c, void *arg, struct qms_stream *st)
{
    struct load *l = arg;
    (void)c;
    if (l->on_stream != NULL) {
        l->on_stream(l, st);
    } else {
        qms_stream_release(st);
    }
}

static void on_datagram(struct qms_connection *c, void *arg, enum qms_kind kind,
                        struct qms_bytes source, uint8_t priority, struct qms_bytes payload)
{
    struct load *l = arg;
    (void)c, (void)kind, (void)source, (void)priority;
    if (l->on_datagram != NULL) {
        l->on_datagram(l, payload);
    }
}

static void on_closed(struct qms_connection *c, void *arg, qms_err err, uint64_t code,
                      const char *reason)
{
    struct load *l = arg;
    (void)c;
    load_fail(l, "a connection ended: %s (code %llu, %s)", qms_strerror(err),
              (unsigned long long)code, reason);
}

static qms_time now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (qms_time)ts.tv_sec * QMS_SECOND + (qms_time)ts.tv_nsec;
}

bool load_run(struct load *l, const bool *done, unsigned for_s)
{
    qms_time until = now() + for_s * QMS_SECOND;

    while (!*done && !l->failed && now() < until) {
        qms_err err = qms_client_run(l->client, 10 * QMS_MILLISECOND);
        if (err != QMS_OK && err != QMS_E_TIMEOUT) {
            load_fail(l, "the loop failed: %s", qms_strerror(err));
        }
    }
    if (!*done && !l->failed) {
        load_fail(l, "not finished after %u s", for_s);
    }
    return *done && !l->failed;
}

struct qms_connection *load_connect_one(struct load *l, const char *id)
{
    struct qms_connection *c = NULL;

    if (qms_options_set_agent_id(l->options, id) != QMS_OK ||
        qms_connect(l->client, l->options, l->url, &l->callbacks, l, &c) != QMS_OK) {
        fprintf(stderr, "quicms-load: %s\n", qms_client_error(l->client));
        exit(2);
    }
    return c;
}

void load_connect(struct load *l, const char *prefix)
{
    char id[32];

    l->callbacks = (struct qms_connection_callbacks){
        .size = sizeof(l->callbacks),
        .on_ready = on_ready,
        .on_stream = on_stream,
        .on_datagram = on_datagram,
        .on_closed = on_closed,
    };
    snprintf(id, sizeof(id), "%s-from", prefix);
    l->from = load_connect_one(l, id);
    snprintf(id, sizeof(id), "%s-to", prefix);
    l->to = load_connect_one(l, id);
    for (unsigned i = 0; i < 1000 && l->ready < 2 && !l->failed; i++) {
        (void)qms_client_run(l->client, 10 * QMS_MILLISECOND);
    }
    if (l->ready < 2) {
        fputs("quicms-load: the agents could not connect\n", stderr);
        exit(2);
    }
}
