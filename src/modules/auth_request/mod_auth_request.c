/* SPDX-License-Identifier: MIT */
/* Authenticates agents by asking a service of the operator over HTTP.
 *
 * on_hello answers LATER and the peer waits; the answer is kept beside the question until the
 * core asks again.  Answers are remembered for a while by all workers, good ones longer than
 * bad ones, by everything that was asked. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <quicms/module.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "inquiry.h"
#include "modules/auth_token/sha256.h"

enum { SCHEME_TOKEN = 1, SCHEME_JWT = 2 };
enum { FAIL_CLOSED, FAIL_OPEN };

struct conf {
    struct qms_request_target target;
    uint64_t timeout, fail, cache, cache_negative, cache_size, open_for;
    struct qms_zone *zone; /* of the answers that are remembered; NULL: none are */
};

struct worker {
    struct qms_inquiries inquiries;
    struct qms_answer said; /* lent to the core with the last grant */
};

/* A question of a peer, from LATER until the core asks again. */
struct pending {
    struct qms_wait wait; /* first */
    struct qms_peer *peer;
    uint8_t key[QMS_ANSWER_KEY_LEN];
};

struct peer {
    struct pending *pending;
};

extern const struct qms_module qms_module_auth_request;

/* ---- configuration ---- */

static qms_err set_target(void *conf, const struct qms_directive *d, int argc,
                          const char *const *argv, struct qms_diag *diag)
{
    struct qms_request_target *t = &((struct conf *)conf)->target;
    qms_err err;

    (void)d, (void)argc;
    if (strcmp(argv[0], "off") == 0) {
        *t = (struct qms_request_target){.port = 1};
        return QMS_OK;
    }
    if ((err = qms_request_target_parse(t, argv[0], diag)) != QMS_OK) {
        return err;
    }
    return qms_conf_resolve(diag, t->host, t->address, sizeof(t->address));
}

#define CACHE_SIZE_MAX 500000

#define CONTEXTS (QMS_CTX_MAIN | QMS_CTX_QUIC | QMS_CTX_SERVER)
#define TIME_ROW(row, field, from, low, high, text)                                            \
    {                                                                                          \
        .name = (row), .contexts = CONTEXTS, .type = QMS_D_TIME,                               \
        .offset = QMS_U64_FIELD(struct conf, field), .def = (from), .min = (low),              \
        .max = (high), .help = (text)                                                          \
    }

static const char *const fail_words[] = {"closed", "open", NULL};

static const struct qms_directive directives[] = {
    {.name = "auth_request",
     .contexts = CONTEXTS,
     .type = QMS_D_CUSTOM,
     .def = "off",
     .set = set_target,
     .syntax = "off | http://HOST[:PORT][/PATH]",
     .help = "Service that \"auth request\" asks with GET whether an agent's token is good."},
    TIME_ROW("auth_request_timeout", timeout, "2s", 10 * QMS_MILLISECOND, 60 * QMS_SECOND,
             "Longest wait for an answer of the service; hello_timeout bounds it too."),
    {.name = "auth_request_fail",
     .contexts = CONTEXTS,
     .type = QMS_D_ENUM,
     .offset = QMS_U64_FIELD(struct conf, fail),
     .def = "closed",
     .words = fail_words,
     .help = "What happens when the service gives no answer: nobody is let in (closed), or "
             "everybody under the id that is asked for, without scopes (open)."},
    TIME_ROW("auth_request_open_for", open_for, "5m", QMS_SECOND, 86400 * QMS_SECOND,
             "Age at which the connection of an agent ends that was let in without an answer."),
    TIME_ROW("auth_request_cache", cache, "10s", 0, 3600 * QMS_SECOND,
             "How long all workers remember that an agent was let in; 0 means not at all."),
    TIME_ROW("auth_request_cache_negative", cache_negative, "1s", 0, 60 * QMS_SECOND,
             "How long all workers remember that an agent was refused; 0 means not at all."),
    {.name = "auth_request_cache_size",
     .contexts = CONTEXTS,
     .type = QMS_D_NUMBER,
     .offset = QMS_U64_FIELD(struct conf, cache_size),
     .def = "10000",
     .max = CACHE_SIZE_MAX,
     .help = "Answers that all workers together remember at most, in 1.3 KB of shared memory "
             "each; those that are over first make room."},
    {.name = NULL},
};

static qms_err merge(void *conf, const void *parent, struct qms_diag *diag)
{
    struct conf *c = conf;
    const struct conf *p = parent;

    (void)diag;
    if (c->target.port == 0) { /* not written */
        c->target = p->target;
    }
    return QMS_OK;
}

/* Servers whose caches are of one size have one: a key names the service too. */
static const char *needs(const void *conf, bool certificates)
{
    const struct conf *c = conf;

    (void)certificates;
    return c->target.host[0] == '\0' ? "auth_request" : NULL;
}

static qms_err load(void *conf, struct qms_diag *diag)
{
    struct conf *c = conf;
    char name[64];

    c->zone = NULL;
    if (c->target.host[0] == '\0' || c->cache_size == 0 ||
        (c->cache == 0 && c->cache_negative == 0)) {
        return QMS_OK;
    }
    (void)snprintf(name, sizeof(name), "auth_request %llu", (unsigned long long)c->cache_size);
    c->zone = qms_zone_declare(diag, name, qms_answer_cache_size((size_t)c->cache_size));
    return c->zone != NULL ? QMS_OK : QMS_E_CONFIG;
}

/* ---- the worker ---- */

static qms_err start(void *worker, const void *conf, qms_time now)
{
    (void)conf, (void)now;
    qms_inquiries_init(&((struct worker *)worker)->inquiries);
    return QMS_OK;
}

static qms_err loop(void *worker, void *base)
{
    struct worker *w = worker;

    w->inquiries.asker = qms_asker_new(base);
    return w->inquiries.asker != NULL ? QMS_OK : QMS_E_NOMEM;
}

static void stop(void *worker)
{
    struct worker *w = worker;

    qms_asker_free(w->inquiries.asker);
    w->inquiries.asker = NULL;
}

static void tick(void *worker, const void *conf, qms_time now)
{
    struct worker *w = worker;

    (void)conf;
    if (w->inquiries.asker != NULL) {
        qms_asker_tick(w->inquiries.asker, now);
    }
}

/* ---- the question ---- */

#define TOKEN_MAX 8192

struct question {
    char agent[QMS_NAME_MAX + 1], token[TOKEN_MAX + 16], address[INET6_ADDRSTRLEN];
    const char *scheme, *carrier;
    bool refused; /* struct qms_credential */
};

/* Bytes of a text in a header must stay one line of it. */
static bool one_word(struct qms_bytes b)
{
    for (size_t i = 0; i < b.len; i++) {
        if (b.data[i] <= ' ' || b.data[i] >= 0x7f) {
            return false;
        }
    }
    return b.len > 0;
}

static void address_text(const void *address, char out[INET6_ADDRSTRLEN])
{
    const struct sockaddr *sa = address;
    const void *at = sa->sa_family == AF_INET
                         ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
                         : (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr;

    if ((sa->sa_family != AF_INET && sa->sa_family != AF_INET6) ||
        inet_ntop(sa->sa_family, at, out, INET6_ADDRSTRLEN) == NULL) {
        out[0] = '\0';
    }
}

static bool prepare(struct question *q, const struct qms_peer *peer,
                    const struct qms_credential *cred)
{
    if (!one_word(cred->bytes) || cred->bytes.len > TOKEN_MAX ||
        cred->agent_id.len > QMS_NAME_MAX) {
        return false;
    }
    (void)snprintf(q->token, sizeof(q->token), "Bearer %.*s", (int)cred->bytes.len,
                   (const char *)cred->bytes.data);
    (void)snprintf(q->agent, sizeof(q->agent), "%.*s", (int)cred->agent_id.len,
                   (const char *)cred->agent_id.data);
    address_text(qms_peer_address(peer), q->address);
    q->scheme = cred->scheme == SCHEME_JWT ? "jwt" : "token";
    q->carrier = qms_peer_carrier(peer);
    q->refused = cred->refused;
    return true;
}

/* Of all that the service is told, of who is asked, and of whether the answer still matters:
 * credentials that are refused anyway are remembered apart from those that are not. */
static void key_of(const struct question *q, const struct qms_request_target *t,
                   uint8_t key[QMS_ANSWER_KEY_LEN])
{
    char text[sizeof(*q) + sizeof(*t) + 64];
    int len = snprintf(text, sizeof(text), "%d\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s", q->refused,
                       t->authority, t->address, t->path, q->scheme, q->carrier, q->agent,
                       q->address, q->token);

    qms_sha256((struct qms_bytes){(const uint8_t *)text, (size_t)len}, key);
    qms_memzero(text, sizeof(text));
}

static void on_answer(struct qms_wait *wait)
{
    qms_hello_resume(((struct pending *)wait)->peer);
}

static struct pending *ask(struct worker *w, const struct conf *c, struct qms_peer *peer,
                           const struct question *q, const uint8_t key[QMS_ANSWER_KEY_LEN],
                           qms_time now)
{
    const struct qms_answer_header headers[] = {
        {"Authorization", q->token},      {"X-Quicms-Scheme", q->scheme},
        {"X-Quicms-Address", q->address}, {"X-Quicms-Carrier", q->carrier},
        {"X-Quicms-Agent", q->agent},
    };
    const struct qms_inquiry_text text = {.key = key,
                                          .target = &c->target,
                                          .headers = headers,
                                          .count = sizeof(headers) / sizeof(headers[0]) -
                                                   (q->agent[0] == '\0'),
                                          .timeout = c->timeout};
    struct pending *p = qms_calloc(1, sizeof(*p));

    if (p == NULL) {
        return NULL;
    }
    p->peer = peer;
    p->wait.on_answer = on_answer;
    memcpy(p->key, key, sizeof(p->key));
    if (!qms_wait_begin(&w->inquiries, &p->wait, &text, now)) {
        qms_free(p);
        return NULL;
    }
    return p;
}

/* ---- what is remembered ---- */

static struct qms_answer_cache cache_of(const struct conf *c)
{
    struct qms_answer_cache cache;
    size_t size = 0;
    void *memory = c->zone != NULL ? qms_zone_memory(c->zone, &size) : NULL;

    qms_answer_cache_open(&cache, memory, size);
    return cache;
}

/* A refused credential is remembered for as long as a refusal of the service would be: else the
 * time after which it is asked about again told that the service has let it in. */
static qms_time kept_until(const struct conf *c, const struct qms_answer *a, bool refused,
                           qms_time now)
{
    bool good = a->kind == QMS_ANSWER_YES;
    int64_t left = a->expires_at - qms_clock_wall();
    qms_time until = now + (good && !refused ? c->cache : c->cache_negative);

    if (good && a->expires_at != 0 && left < (int64_t)((until - now) / QMS_SECOND)) {
        until = left <= 0 ? now : now + (uint64_t)left * QMS_SECOND;
    }
    return until;
}

/* By the configuration in force when the answer is looked at. */
static void remember(const struct qms_answer_cache *cache, const struct conf *c,
                     const struct pending *p, bool refused, qms_time now)
{
    const struct qms_answer *a = &p->wait.answer;
    qms_time until = kept_until(c, a, refused, now);

    if ((a->kind == QMS_ANSWER_YES || a->kind == QMS_ANSWER_NO) && until > now) {
        qms_answer_cache_put(cache, p->key, a, until);
    }
}

/* ---- the decision ---- */

static enum qms_verdict refuse(struct qms_refusal *why, const char *label)
{
    why->code = QMS_CODE_UNAUTHENTICATED;
    why->label = label;
    return QMS_REJECT;
}

/* Counted by itself: beside other authenticators, or with `fail open`, it is not what the
 * agent's refusal is counted by. */
static enum qms_verdict no_answer(struct worker *w, const struct conf *c,
                                  const struct qms_credential *cred, const char *label,
                                  struct qms_grant *grant, struct qms_refusal *why)
{
    qms_worker_count(w, label);
    if (c->fail == FAIL_CLOSED || cred->refused) {
        return refuse(why, label);
    }
    qms_log_peer(QMS_LOG_WARN, "agent let in without an answer id=%.*s reason=%s",
                 (int)cred->agent_id.len, (const char *)cred->agent_id.data, label);
    grant->expires_at = qms_clock_wall() + (int64_t)(c->open_for / QMS_SECOND);
    return QMS_ACCEPT;
}

static enum qms_verdict decide(struct worker *w, const struct conf *c,
                               const struct qms_credential *cred, bool timeout,
                               struct qms_grant *grant, struct qms_refusal *why)
{
    const struct qms_answer *a = &w->said;

    switch (a->kind) {
    case QMS_ANSWER_YES:
        grant->agent_id = (struct qms_bytes){(const uint8_t *)a->agent, a->agent_len};
        grant->scopes = a->scopes;
        grant->limits = a->limits;
        grant->expires_at = a->expires_at;
        return a->expires_at != 0 && a->expires_at <= qms_clock_wall() ? refuse(why, "expired")
                                                                       : QMS_ACCEPT;
    case QMS_ANSWER_NO:
        return refuse(why, "refused_by_service");
    case QMS_ANSWER_BAD:
        return refuse(why, "bad_answer");
    case QMS_ANSWER_FAILED:
        break;
    }
    return no_answer(w, c, cred, timeout ? "service_timeout" : "service_failed", grant, why);
}

static void drop(struct peer *p)
{
    if (p->pending != NULL) {
        qms_wait_end(&p->pending->wait);
    }
    qms_free(p->pending);
    p->pending = NULL;
}

static enum qms_verdict on_hello(void *peer_data, const void *conf, struct qms_peer *peer,
                                 const struct qms_credential *cred, qms_time now,
                                 struct qms_grant *grant, struct qms_refusal *why)
{
    struct peer *p = peer_data;
    const struct conf *c = conf;
    struct worker *w = qms_peer_module_worker(peer, &qms_module_auth_request);
    struct qms_answer_cache cache = cache_of(c);
    uint8_t key[QMS_ANSWER_KEY_LEN];
    struct question q;

    if (c->target.host[0] == '\0' ||
        (cred->scheme != SCHEME_TOKEN && cred->scheme != SCHEME_JWT)) {
        return QMS_PASS;
    }
    if (p->pending != NULL && p->pending->wait.inquiry == NULL) {
        bool timeout = p->pending->wait.timeout;
        w->said = p->pending->wait.answer;
        remember(&cache, c, p->pending, cred->refused, now);
        drop(p);
        return decide(w, c, cred, timeout, grant, why);
    }
    drop(p);
    if (!prepare(&q, peer, cred)) {
        return refuse(why, "malformed");
    }
    key_of(&q, &c->target, key);
    bool known = qms_answer_cache_find(&cache, key, now, &w->said);
    p->pending = known ? NULL : ask(w, c, peer, &q, key, now);
    qms_memzero(q.token, sizeof(q.token));
    return known                ? decide(w, c, cred, false, grant, why)
           : p->pending != NULL ? QMS_LATER
                                : no_answer(w, c, cred, "service_busy", grant, why);
}

static void cancel(void *peer_data)
{
    drop(peer_data);
}

const struct qms_module qms_module_auth_request = {
    .abi = QMS_MODULE_ABI,
    .name = "auth_request",
    .directives = directives,
    .conf_size = sizeof(struct conf),
    .worker_size = sizeof(struct worker),
    .peer_size = sizeof(struct peer),
    .conf_merge = merge,
    .conf_load = load,
    .auth_needs = needs,
    .worker_start = start,
    .worker_loop = loop,
    .worker_stop = stop,
    .worker_tick = tick,
    .authenticator = true,
    .on_hello = on_hello,
    .on_hello_cancel = cancel,
    .peer_free = cancel,
};
