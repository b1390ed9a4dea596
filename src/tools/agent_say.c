/* SPDX-License-Identifier: MIT */
/* What the agent says: sentences for people, objects for programs, progress for terminals. Text
 * of others is escaped before it reaches a terminal. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent.h"

#define TEXT_MAX 2048 /* of a sentence or line */

static void end_progress(struct agent *a)
{
    if (a->progress_shown) {
        (void)fputs("\r\033[K", stderr);
        a->progress_shown = false;
    }
}

static void sentence(struct agent *a, char text[TEXT_MAX], const char *format, va_list args)
{
    (void)vsnprintf(text, TEXT_MAX, format, args);
    end_progress(a);
    (void)fprintf(stderr, "quicms-agent: %s\n", text);
}

void agent_warn(struct agent *a, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    sentence(a, text, format, args);
    va_end(args);
}

void agent_error(struct agent *a, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    va_start(args, format);
    sentence(a, text, format, args);
    va_end(args);
    agent_json(a, json_pack("{s:s, s:s%}", "event", "error", "text", text, strlen(text)));
}

void agent_say(struct agent *a, const char *format, ...)
{
    char text[TEXT_MAX];
    va_list args;

    if (a->args.json || a->args.quiet) {
        return;
    }
    end_progress(a);
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len > 0) {
        agent_lines_add(&a->lines, text, strlen(text));
    }
}

void agent_json(struct agent *a, json_t *object)
{
    if (a->args.json && object != NULL) {
        char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
        end_progress(a);
        if (text != NULL) {
            agent_lines_add(&a->lines, text, strlen(text));
            free(text);
        }
    }
    json_decref(object);
}

void agent_progress(struct agent *a, const char *format, ...)
{
    va_list args;

    if (!a->progress) {
        return;
    }
    va_start(args, format);
    (void)fputs("\r\033[K", stderr);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fflush(stderr);
    a->progress_shown = true;
}

static void base64(const uint8_t *in, size_t len, char *out)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16;

        v |= i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0u;
        v |= i + 2 < len ? (uint32_t)in[i + 2] : 0u;
        *out++ = digits[v >> 18];
        *out++ = digits[v >> 12 & 63];
        *out++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
        *out++ = i + 2 < len ? digits[v & 63] : '=';
    }
    *out = '\0';
}

void agent_json_bytes(json_t *object, struct qms_bytes bytes)
{
    json_t *text = json_stringn((const char *)bytes.data, bytes.len);

    if (text != NULL) {
        (void)json_object_set_new(object, "text", text);
        return;
    }
    for (size_t done = 0, n = 0; done < bytes.len; done += n) {
        char out[4096 / 3 * 4 + 8];
        json_t *parts = json_object_get(object, "base64");

        n = bytes.len - done < 4095 ? bytes.len - done : 4095; /* a multiple of 3 */
        base64(bytes.data + done, n, out);
        if (parts == NULL) {
            (void)json_object_set_new(object, "base64", json_string(out));
        } else {
            (void)json_object_set_new(object, "base64",
                                      json_sprintf("%s%s", json_string_value(parts), out));
        }
    }
}

const char *agent_escape(struct qms_bytes bytes, char *out, size_t cap)
{
    size_t at = 0;

    for (size_t i = 0; i < bytes.len && at + 5 < cap; i++) {
        uint8_t c = bytes.data[i];

        if (c >= 0x20 && c < 0x7F && c != '\\') {
            out[at++] = (char)c;
        } else {
            at += (size_t)snprintf(out + at, cap - at, "\\x%02x", c);
        }
    }
    out[at] = '\0';
    return out;
}

const char *agent_size(uint64_t bytes)
{
    static char texts[4][32];
    static unsigned turn;
    char *out = texts[turn++ % 4];

    if (bytes < 1000) {
        (void)snprintf(out, 32, "%u bytes", (unsigned)bytes);
    } else if (bytes < 1000000) {
        (void)snprintf(out, 32, "%.1f kB", (double)bytes / 1e3);
    } else if (bytes < 1000000000) {
        (void)snprintf(out, 32, "%.1f MB", (double)bytes / 1e6);
    } else {
        (void)snprintf(out, 32, "%.2f GB", (double)bytes / 1e9);
    }
    return out;
}

qms_time agent_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (qms_time)ts.tv_sec * QMS_SECOND + (qms_time)ts.tv_nsec;
}

double agent_seconds(qms_time from, qms_time until)
{
    return until > from ? (double)(until - from) / 1e9 : 1e-9;
}
