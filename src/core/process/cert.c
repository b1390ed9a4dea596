/* SPDX-License-Identifier: MIT */
/* Three instants decide: a certificate is over at the age `self_signed_lifetime`; the next
 * takes over `self_signed_renew` before that, and is minted and published `self_signed_publish`
 * before it takes over.  All of it follows from the files and the clock, so a restart at any
 * moment goes on where it was. */
#include "core/process/cert.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/conf/diag.h"
#include "core/conf/pack.h"
#include "core/process/cert_store.h"

#define DAY 86400
/* Backdated, for clocks that are a little behind ours. */
#define SKEW 3600
/* A certificate that begins later than this from now was minted by a clock that was wrong: a
 * machine may start years ahead.  No client takes it before. */
#define AHEAD DAY

/* One certificate with its key, as it is stored: the one text behind the other. */
struct pair {
    char *text;
    struct qms_bytes cert, key;
    struct qms_identity facts; /* as checked: from, until, hash */
};

struct minter {
    struct qms_conf *conf;
    const struct qms_conf_env *env;
    struct qms_diag *diag;
    const struct qms_identity *id;
    int64_t now;
    int dir;
};

static void pair_fini(struct pair *p)
{
    if (p->text != NULL) {
        qms_memzero(p->text, strlen(p->text));
    }
    qms_free(p->text);
    *p = (struct pair){0};
}

static int64_t seconds(uint64_t ns)
{
    return (int64_t)(ns / QMS_SECOND);
}

static int64_t over_at(const struct qms_identity *facts)
{
    int64_t at = facts->from + SKEW + seconds(facts->self_signed_for);

    return at < facts->until ? at : facts->until;
}

static int64_t takes_over_at(const struct qms_identity *facts)
{
    return over_at(facts) - seconds(facts->self_signed_renew_for);
}

static int64_t published_at(const struct qms_identity *facts)
{
    return takes_over_at(facts) - seconds(facts->self_signed_publish_for);
}

/* The key begins at the last "-----BEGIN" whose line speaks of a private key. */
static bool split(struct pair *p)
{
    const char *key = strstr(p->text, "PRIVATE KEY-----");

    while (key != NULL && key > p->text && strncmp(key, "-----BEGIN", 10) != 0) {
        key--;
    }
    if (key == NULL || key == p->text) {
        return false;
    }
    p->cert = (struct qms_bytes){(const uint8_t *)p->text, (size_t)(key - p->text)};
    p->key = (struct qms_bytes){(const uint8_t *)key, strlen(key)};
    return true;
}

/* The parsers want texts that end where they should. */
static bool check(const struct minter *m, struct pair *p)
{
    struct qms_diag ignored = {0};
    char *cert = qms_strndup((const char *)p->cert.data, p->cert.len);

    p->facts = *m->id;
    p->facts.cert_pem = (struct qms_bytes){(const uint8_t *)cert, p->cert.len};
    p->facts.key_pem = p->key;
    bool good = cert != NULL && m->env->identity->check(&p->facts, &ignored) == QMS_OK;
    qms_free(cert);
    p->facts.cert_pem = p->facts.key_pem = (struct qms_bytes){0};
    return good;
}

static void file_name(const struct minter *m, bool next, char *buf, size_t size)
{
    (void)snprintf(buf, size, "%s%s.pem", m->id->name, next ? "-next" : "");
}

/* The next one may begin when it takes over. */
static bool is_ahead(const struct qms_identity *facts, int64_t now, bool next)
{
    return facts->from > now + AHEAD + (next ? seconds(facts->self_signed_publish_for) : 0);
}

/* What is not there, not readable, over or far ahead is treated alike: it will be minted. */
static void load(const struct minter *m, bool next, struct pair *out)
{
    char name[128];
    size_t len = 0;

    *out = (struct pair){0};
    file_name(m, next, name, sizeof(name));
    if (qms_store_read(m->dir, name, &out->text, &len) != QMS_OK) {
        return;
    }
    if (strlen(out->text) != len || !split(out) || !check(m, out) ||
        over_at(&out->facts) <= m->now || is_ahead(&out->facts, m->now, next)) {
        pair_fini(out);
    }
}

static qms_err failed(const struct minter *m, const char *doing, const char *why)
{
    qms_diag_error(m->diag, "Cannot %s the self-signed certificate \"%s\" in \"%s\": %s.",
                   doing, m->id->name, m->conf->state_dir, why);
    return QMS_E_CONFIG;
}

/* Its age counts from `starts_at`, wall seconds: the moment at which it is used first. */
static qms_err mint_text(const struct minter *m, int64_t starts_at, char **out)
{
    unsigned days = (unsigned)((seconds(m->id->self_signed_for) + DAY - 1) / DAY);
    char *cert = NULL, *key = NULL;
    qms_err err =
        m->env->identity->mint(m->id->server_name, starts_at - SKEW, days, &cert, &key);

    if (err != QMS_OK) {
        return err;
    }
    size_t size = strlen(cert) + strlen(key) + 1;
    *out = qms_calloc(1, size);
    if (*out != NULL) {
        (void)snprintf(*out, size, "%s%s", cert, key);
    }
    qms_memzero(key, strlen(key));
    qms_free(cert);
    qms_free(key);
    return *out != NULL ? QMS_OK : QMS_E_NOMEM;
}

static qms_err mint(const struct minter *m, bool next, int64_t starts_at, struct pair *out)
{
    char name[128];

    *out = (struct pair){0};
    qms_err err = mint_text(m, starts_at, &out->text);
    if (err != QMS_OK) {
        return failed(m, "mint", qms_strerror(err));
    }
    file_name(m, next, name, sizeof(name));
    struct qms_bytes text = {(const uint8_t *)out->text, strlen(out->text)};
    if (!split(out) || !check(m, out)) {
        err = failed(m, "mint", "what was made cannot be read");
    } else if (qms_store_write(m->dir, name, text) != QMS_OK) {
        err = failed(m, "store", strerror(errno));
    } else {
        qms_log(QMS_LOG_NOTICE, "self-signed certificate minted name=%s next=%d", m->id->name,
                next);
    }
    if (err != QMS_OK) {
        pair_fini(out);
    }
    return err;
}

/* The next one becomes the current one, or a new one does. */
static qms_err take_over(const struct minter *m, struct pair *current, struct pair *next)
{
    char from[128], to[128];

    pair_fini(current);
    if (next->text == NULL) {
        return mint(m, false, m->now, current);
    }
    file_name(m, true, from, sizeof(from));
    file_name(m, false, to, sizeof(to));
    if (renameat(m->dir, from, m->dir, to) != 0) {
        return failed(m, "store", strerror(errno));
    }
    *current = *next;
    *next = (struct pair){0};
    qms_log(QMS_LOG_NOTICE, "self-signed certificate took over name=%s", m->id->name);
    return QMS_OK;
}

static qms_err provision_pairs(const struct minter *m, struct pair *current, struct pair *next)
{
    qms_err err = QMS_OK;

    load(m, false, current);
    load(m, true, next);
    if (current->text == NULL || m->now >= takes_over_at(&current->facts)) {
        err = take_over(m, current, next);
    }
    if (err == QMS_OK && next->text == NULL && m->now >= published_at(&current->facts)) {
        err = mint(m, true, takes_over_at(&current->facts), next);
    }
    return err;
}

static qms_err provision(const struct minter *m, struct qms_identity *id)
{
    struct pair current = {0}, next = {0};
    qms_err err = provision_pairs(m, &current, &next);

    if (err == QMS_OK) {
        struct qms_bytes texts[4] = {current.cert, current.key, next.cert, next.key};
        err = qms_conf_identity_set(m->conf, m->env, id, texts, takes_over_at(&current.facts),
                                    m->diag);
    }
    pair_fini(&current);
    pair_fini(&next);
    return err;
}

qms_err qms_cert_provision(struct qms_conf *conf, const struct qms_conf_env *env, int64_t now,
                           struct qms_diag *diag)
{
    struct minter m = {
        .conf = conf,
        .env = env,
        .diag = diag,
        .now = now,
        .dir = -1,
    };
    qms_err err = QMS_OK;

    for (size_t i = 0; err == QMS_OK && i < conf->identity_count; i++) {
        if (conf->identities[i]->self_signed == 0) {
            continue;
        }
        if (m.dir < 0 && (m.dir = qms_store_open(conf->state_dir, diag)) < 0) {
            return QMS_E_CONFIG;
        }
        m.id = conf->identities[i];
        err = provision(&m, conf->identities[i]);
    }
    if (m.dir >= 0) {
        close(m.dir);
    }
    return err;
}

int64_t qms_cert_next_at(const struct qms_conf *conf)
{
    int64_t first = QMS_CERT_NEVER;

    for (size_t i = 0; i < conf->identity_count; i++) {
        const struct qms_identity *id = conf->identities[i];
        int64_t at = id->next_cert_pem.len > 0 ? id->next_at : published_at(id);
        if (id->self_signed != 0 && at < first) {
            first = at;
        }
    }
    return first;
}

bool qms_cert_ahead(const struct qms_conf *conf, int64_t now)
{
    bool ahead = false;

    for (size_t i = 0; i < conf->identity_count; i++) {
        const struct qms_identity *id = conf->identities[i];
        ahead = ahead || (id->self_signed != 0 && is_ahead(id, now, false));
    }
    return ahead;
}

void qms_cert_secret(const struct qms_conf *conf, uint8_t secret[32])
{
    struct qms_diag diag = {0};
    char *text = NULL;
    size_t len = 0;
    int dir = qms_store_open(conf->state_dir, &diag);

    if (dir >= 0 && qms_store_read(dir, "keys", &text, &len) == QMS_OK && len == 32) {
        memcpy(secret, text, 32);
    } else {
        qms_random(secret, 32);
        if (dir < 0 || qms_store_write(dir, "keys", (struct qms_bytes){secret, 32}) != QMS_OK) {
            qms_log(QMS_LOG_WARN,
                    "keys live for this run only, state_dir cannot be written dir=%s",
                    conf->state_dir);
        }
    }
    if (text != NULL) {
        qms_memzero(text, len);
    }
    qms_free(text);
    if (dir >= 0) {
        close(dir);
    }
}
