/* SPDX-License-Identifier: MIT */
/* Answers to browsers, whichever HTTP they came by. */
#ifndef QMS_BASE_WEB_H
#define QMS_BASE_WEB_H

#include <quicms/types.h>

/* Fields that every answer carries: X(NAME, VALUE), the names in lower case as HTTP/3 wants
 * them.
 */
/* A page of ours loads its own scripts and WebAssembly and connects to WebTransport servers;
 * nothing else. */
#define QMS_WEB_FIELDS(X)                                                                      \
    X("x-content-type-options", "nosniff")                                                     \
    X("referrer-policy", "no-referrer")                                                        \
    X("cross-origin-opener-policy", "same-origin")                                             \
    X("cross-origin-resource-policy", "same-origin")                                           \
    X("x-frame-options", "DENY")                                                               \
    X("permissions-policy", "camera=(), geolocation=(), microphone=()")                        \
    X("content-security-policy",                                                               \
      "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "                             \
      "connect-src 'self' https:; object-src 'none'; base-uri 'none'; "                        \
      "form-action 'none'; frame-ancestors 'none'")

/* Files may be kept but are asked for anew each time; answers that are made are not kept. */
#define QMS_WEB_CACHE_FILE "no-cache"
#define QMS_WEB_CACHE_MADE "no-store"

/* A file to answer with. */
struct qms_web_file {
    int fd; /* open for reading */
    uint64_t size;
    const char *type;   /* static memory */
    int64_t changed_at; /* wall seconds */
    char etag[48];      /* with its quotes */
    char modified[32];  /* an HTTP-date (RFC 9110 section 5.6.7) */
};

/** Fills etag and modified from the time of the last change and fd's size. */
void qms_web_file_describe(struct qms_web_file *f, int64_t changed_at, long changed_ns);
/** Whether the asker has the file already: the fields If-None-Match and, where that is absent,
 * If-Modified-Since of a GET or HEAD (RFC 9110 section 13); data NULL: absent.  What cannot be
 * read is as if it were absent. */
bool qms_web_file_unchanged(const struct qms_web_file *f, struct qms_bytes none_match,
                            struct qms_bytes modified_since);

#endif
