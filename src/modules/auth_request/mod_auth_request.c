/* SPDX-License-Identifier: MIT */
/* Authenticates agents by asking a service of the operator over HTTP.
 *
 * on_hello answers LATER and the peer waits; the answer is kept beside the question until the
 * core asks again.  Answers are remembered for a while, good ones longer than bad ones, by
 * everything that was asked. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <quicms/module.h>

#include "asker.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache.h"
#include "modules/auth_token/sha256.h"

enum { SCHEME_TOKEN = 1, SCHEME_JWT = 2 };
enum { FAIL_CLOSED, FAIL_OPEN };

struct conf {
    struct qms_request_target target;
    uint64_t timeout, fail, cache, cache_negative, cache_size, open_for;
};

struct worker {
    struct qms_asker *asker;
    struct qms_answer_cache cache;
    struct qms_answer said; /* lent to the core with the last grant */
};

/* A question of a peer, from LATER until the core asks again. */
struct pending {
    struct worker *worker;
    struct qms_peer *peer;
    struct qms_question *question; /* NULL: it is answered */
    uint8_t key[QMS_ANSWER_KEY_LEN];
    uint64_t cache, cache_negative, cache_size;
    bool refused; /* by another authenticator: struct qms_credential */
    bool timeout;
    struct qms_answer answer;
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
             "How long a worker remembers that an agent was let in; 0 means not at all."),
    TIME_ROW("auth_request_cache_negative", cache_negative, "1s", 0, 60 * QMS_SECOND,
             "How long a worker remembers that an agent was refused; 0 means not at all."),
    {.name = "auth_request_cache_size",
     .contexts = CONTEXTS,
     .type = QMS_D_NUMBER,
     .offset = QMS_U64_FIELD(struct conf, cache_size),
     .def = "10000",
     .max = 1000000,
     .help = "Answers that a worker remembers at most; the oldest makes room."},
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

/* ---- the worker ---- */

static qms_err start(void *worker, const void *conf, qms_time now)
{
    (void)conf, (void)now;
    return qms_answer_cache_init(&((struct worker *)worker)->cache);
}

static qms_err loop(void *worker, void *base)
{
    struct worker *w = worker;

    w->asker = qms_asker_new(base);
    return w->asker != NULL ? QMS_OK : QMS_E_NOMEM;
}

static void stop(void *worker)
{
    struct worker *w = worker;

    qms_asker_free(w->asker);
    w->asker = NULL;
    qms_answer_cache_fini(&w->cache);
}

static void tick(void *worker, const void *conf, qms_time now)
{
    struct worker *w = worker;

    (void)conf;
    if (w->asker != NULL) {
        qms_asker_tick(w->asker, now);
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

/* A refused credential is remembered for as long as a refusal of the service would be: else the
 * time after which it is asked about again told that the service has let it in. */
static qms_time kept_until(const struct pending *p, qms_time now)
{
    bool good = p->answer.kind == QMS_ANSWER_YES;
    int64_t left = p->answer.expires_at - qms_clock_wall();
    qms_time until = now + (good && !p->refused ? p->cache : p->cache_negative);

    if (!good) {
        return until;
    }
    if (p->answer.expires_at != 0 && (left <= 0 || now + (uint64_t)left * QMS_SECOND < until)) {
        until = left <= 0 ? now : now + (uint64_t)left * QMS_SECOND;
    }
    return until;
}

static void on_answer(void *arg, enum qms_ask_end end, int status,
                      const struct qms_answer_header *headers, size_t count)
{
    struct pending *p = arg;
    qms_time now = qms_clock_now();

    p->question = NULL;
    p->timeout = end == QMS_ASK_TIMEOUT;
    qms_answer_read(&p->answer, end == QMS_ASK_ANSWERED ? status : 0, headers, count);
    if (p->answer.kind == QMS_ANSWER_YES || p->answer.kind == QMS_ANSWER_NO) {
        qms_answer_cache_put(&p->worker->cache, p->key, &p->answer, kept_until(p, now),
                             (size_t)p->cache_size);
    }
    qms_hello_resume(p->peer);
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
    size_t count = sizeof(headers) / sizeof(headers[0]) - (q->agent[0] == '\0');
    struct pending *p = w->asker != NULL ? qms_calloc(1, sizeof(*p)) : NULL;

    if (p == NULL) {
        return NULL;
    }
    p->worker = w;
    p->peer = peer;
    p->cache = c->cache;
    p->cache_negative = c->cache_negative;
    p->cache_size = c->cache_size;
    p->refused = q->refused;
    memcpy(p->key, key, sizeof(p->key));
    p->question = qms_ask(w->asker, &c->target, headers, count, c->timeout, now, on_answer, p);
    if (p->question == NULL) {
        qms_free(p);
        return NULL;
    }
    return p;
}

/* ---- the decision ---- */

static enum qms_verdict refuse(struct qms_refusal *why, const char *label)
{
    why->code = QMS_CODE_UNAUTHENTICATED;
    why->label = label;
    return QMS_REJECT;
}

static enum qms_verdict no_answer(const struct conf *c, const struct qms_credential *cred,
                                  const char *label, struct qms_grant *grant,
                                  struct qms_refusal *why)
{
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
    return no_answer(c, cred, timeout ? "service_timeout" : "service_failed", grant, why);
}

static void drop(struct peer *p)
{
    if (p->pending != NULL && p->pending->question != NULL) {
        qms_question_cancel(p->pending->question);
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
    const struct qms_answer *known;
    uint8_t key[QMS_ANSWER_KEY_LEN];
    struct question q;

    if (c->target.host[0] == '\0' ||
        (cred->scheme != SCHEME_TOKEN && cred->scheme != SCHEME_JWT)) {
        return QMS_PASS;
    }
    if (p->pending != NULL && p->pending->question == NULL) {
        bool timeout = p->pending->timeout;
        w->said = p->pending->answer;
        drop(p);
        return decide(w, c, cred, timeout, grant, why);
    }
    drop(p);
    if (!prepare(&q, peer, cred)) {
        return refuse(why, "malformed");
    }
    key_of(&q, &c->target, key);
    if ((known = qms_answer_cache_find(&w->cache, key, now)) != NULL) {
        w->said = *known;
        return decide(w, c, cred, false, grant, why);
    }
    p->pending = ask(w, c, peer, &q, key, now);
    qms_memzero(q.token, sizeof(q.token));
    return p->pending != NULL ? QMS_LATER : no_answer(c, cred, "service_busy", grant, why);
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
    .worker_start = start,
    .worker_loop = loop,
    .worker_stop = stop,
    .worker_tick = tick,
    .authenticator = true,
    .on_hello = on_hello,
    .on_hello_cancel = cancel,
    .peer_free = cancel,
};
