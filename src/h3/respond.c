/* SPDX-License-Identifier: MIT */
/* The fields of answers to GET and HEAD, and the words that go with a refusal. */
#include <stdio.h>
#include <string.h>

#include "base/web.h"
#include "h3/h3_int.h"

#define FIELDS_MAX 16

struct answer {
    nghttp3_nv fields[FIELDS_MAX];
    size_t count;
    char status[16], len[24];
};

static void add(struct answer *a, const char *name, const char *value)
{
    a->fields[a->count++] = (nghttp3_nv){(const uint8_t *)name, (const uint8_t *)value,
                                         strlen(name), strlen(value), 0};
}

static void begin(struct answer *a, int status, uint64_t len)
{
    a->count = 0;
    (void)snprintf(a->status, sizeof(a->status), "%d", status);
    (void)snprintf(a->len, sizeof(a->len), "%llu", (unsigned long long)len);
    add(a, ":status", a->status);
    add(a, "content-length", a->len);
}

static void add_content(struct answer *a, const char *type, const char *cache)
{
    add(a, "content-type", type);
    add(a, "cache-control", cache);
#define ADD(name, value) add(a, name, value);
    QMS_WEB_FIELDS(ADD)
#undef ADD
}

static const char *words_of(int status)
{
    switch (status) {
    case 400:
        return "400 Bad Request\n";
    case 403:
        return "403 Forbidden\n";
    case 404:
        return "404 Not Found\n";
    case 431:
        return "431 Request Header Fields Too Large\n";
    default:
        return "503 Service Unavailable\n";
    }
}

static bool is_get(const struct qms_h3_stream *s)
{
    struct qms_bytes method = qms_h3_request_get(s, FIELD_METHOD);

    return method.len == 3 && memcmp(method.data, "GET", 3) == 0;
}

/* Without memory for them the answer goes without words. */
static bool queue_words(struct qms_h3_stream *s, const char *words)
{
    struct qms_h3_exchange *r = s->req;

    r->queued = qms_blob_copy((struct qms_bytes){(const uint8_t *)words, strlen(words)});
    r->body_end = r->queued != NULL;
    return r->body_end;
}

void qms_h3_respond_status(struct qms_h3_stream *s, int status)
{
    const char *words = words_of(status);
    bool body = is_get(s) && queue_words(s, words);
    struct answer a;

    begin(&a, status, body ? strlen(words) : 0);
    if (body) {
        add_content(&a, "text/plain; charset=utf-8", QMS_WEB_CACHE_MADE);
    }
    if (status == 405) {
        add(&a, "allow", "GET, HEAD");
    }
    qms_h3_lib_respond(s, a.fields, a.count, body);
}

static void add_validators(struct answer *a, const struct qms_web_file *file)
{
    add(a, "etag", file->etag);
    add(a, "last-modified", file->modified);
}

void qms_h3_respond_file(struct qms_h3_stream *s, const struct qms_web_file *file, bool body)
{
    struct answer a;

    begin(&a, 200, file->size);
    add_content(&a, file->type, QMS_WEB_CACHE_FILE);
    add_validators(&a, file);
    qms_h3_lib_respond(s, a.fields, a.count, body);
}

void qms_h3_respond_unchanged(struct qms_h3_stream *s, const struct qms_web_file *file)
{
    struct answer a = {.status = "304"};

    add(&a, ":status", a.status);
    add(&a, "cache-control", QMS_WEB_CACHE_FILE);
    add_validators(&a, file);
    qms_h3_lib_respond(s, a.fields, a.count, false);
}
