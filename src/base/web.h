/* SPDX-License-Identifier: MIT */
/* Fields that every answer to a browser carries, whichever HTTP it came by: X(NAME, VALUE), the
 * names in lower case as HTTP/3 wants them. */
#ifndef QMS_BASE_WEB_H
#define QMS_BASE_WEB_H

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

#endif
