/* SPDX-License-Identifier: MIT */
/* Records of one form: kind (1), length of the name (4), length of the data (4), name, data;
 * numbers in the machine's order, as a pack never leaves it.  An identity's data is the instant
 * at which the next one takes over (8) and four texts, each behind its length (4): certificate,
 * key, next certificate, next key. */
#include "core/conf/pack.h"

#include <string.h>

#include "base/mem.h"
#include "core/conf/diag.h"

#define RECORD_HEAD 9

struct writer {
    uint8_t *at; /* NULL: only counting */
    size_t len;
};

static void put(struct writer *w, const void *data, size_t len)
{
    if (w->at != NULL && len > 0) {
        memcpy(w->at + w->len, data, len);
    }
    w->len += len;
}

static void put_len(struct writer *w, size_t len)
{
    uint32_t n = (uint32_t)len;

    put(w, &n, sizeof(n));
}

static void put_head(struct writer *w, enum qms_conf_file_kind kind, const char *name,
                     size_t len)
{
    uint8_t byte = (uint8_t)kind;

    put(w, &byte, 1);
    put_len(w, strlen(name));
    put_len(w, len);
    put(w, name, strlen(name));
}

static void put_identity(struct writer *w, const struct qms_identity *id)
{
    const struct qms_bytes *texts[] = {&id->cert_pem, &id->key_pem, &id->next_cert_pem,
                                       &id->next_key_pem};
    size_t len = sizeof(id->next_at);

    for (size_t i = 0; i < 4; i++) {
        len += sizeof(uint32_t) + texts[i]->len;
    }
    put_head(w, QMS_CONF_FILE_IDENTITY, id->name, len);
    put(w, &id->next_at, sizeof(id->next_at));
    for (size_t i = 0; i < 4; i++) {
        put_len(w, texts[i]->len);
        put(w, texts[i]->data, texts[i]->len);
    }
}

static void put_all(struct writer *w, const struct qms_conf *conf)
{
    for (const struct qms_conf_file *f = conf->files->first; f != NULL; f = f->next) {
        if (f->kind != QMS_CONF_FILE_IDENTITY) {
            put_head(w, f->kind, f->name, f->data.len);
            put(w, f->data.data, f->data.len);
        }
    }
    for (size_t i = 0; i < conf->identity_count; i++) {
        const struct qms_identity *id = conf->identities[i];
        if (id->self_signed != 0 && id->cert_pem.len > 0) {
            put_identity(w, id);
        }
    }
}

qms_err qms_conf_pack(const struct qms_conf *conf, uint8_t **out, size_t *len)
{
    struct writer w = {0};

    put_all(&w, conf);
    size_t size = w.len;
    w = (struct writer){.at = qms_calloc(1, size + 1)};
    if (w.at == NULL) {
        return QMS_E_NOMEM;
    }
    put_all(&w, conf);
    *out = w.at;
    *len = size;
    return QMS_OK;
}

struct reader {
    struct qms_bytes rest;
    bool broken;
};

static struct qms_bytes take(struct reader *r, size_t len)
{
    struct qms_bytes out = {r->rest.data, len};

    if (r->broken || r->rest.len < len) {
        r->broken = true;
        return (struct qms_bytes){NULL, 0};
    }
    r->rest.data += len;
    r->rest.len -= len;
    return out;
}

static uint32_t take_len(struct reader *r)
{
    uint32_t n = 0;
    struct qms_bytes b = take(r, sizeof(n));

    if (b.len == sizeof(n)) {
        memcpy(&n, b.data, sizeof(n));
    }
    return n;
}

static qms_err unpack_one(struct qms_conf_files *files, struct reader *r)
{
    struct qms_bytes kind = take(r, 1);
    uint32_t name_len = take_len(r), len = take_len(r);
    struct qms_bytes name = take(r, name_len), data = take(r, len);

    if (r->broken || kind.data[0] < QMS_CONF_FILE_TEXT ||
        kind.data[0] > QMS_CONF_FILE_ADDRESS || memchr(name.data, 0, name.len) != NULL) {
        return QMS_E_CONFIG;
    }
    const char *text = qms_arena_strndup(files->arena, (const char *)name.data, name.len);
    if (text == NULL) {
        return QMS_E_NOMEM;
    }
    return qms_conf_files_add(files, (enum qms_conf_file_kind)kind.data[0], text, data);
}

qms_err qms_conf_unpack_files(struct qms_conf_files *files, struct qms_bytes pack,
                              struct qms_diag *diag)
{
    struct reader r = {.rest = pack};
    qms_err err = QMS_OK;

    while (err == QMS_OK && r.rest.len > 0) {
        err = unpack_one(files, &r);
    }
    if (err == QMS_E_NOMEM) {
        return qms_diag_nomem(diag);
    }
    if (err != QMS_OK) {
        qms_diag_error(diag, "The packed configuration is broken.");
    }
    return err;
}

static qms_err check_pair(struct qms_identity *id, const struct qms_conf_env *env,
                          struct qms_bytes cert, struct qms_bytes key, struct qms_diag *diag)
{
    id->cert_pem = cert;
    id->key_pem = key;
    return env->identity->check(id, diag);
}

qms_err qms_conf_identity_set(struct qms_conf *conf, const struct qms_conf_env *env,
                              struct qms_identity *id, const struct qms_bytes texts[4],
                              int64_t next_at, struct qms_diag *diag)
{
    struct qms_identity next = *id, fresh = *id;
    struct qms_bytes copy[4];

    for (size_t i = 0; i < 4; i++) {
        char *text = qms_arena_strndup(conf->arena, (const char *)texts[i].data, texts[i].len);
        if (text == NULL) {
            return qms_diag_nomem(diag);
        }
        copy[i] = (struct qms_bytes){(const uint8_t *)text, texts[i].len};
    }
    qms_err err = check_pair(&fresh, env, copy[0], copy[1], diag);
    if (err == QMS_OK && copy[2].len > 0) {
        err = check_pair(&next, env, copy[2], copy[3], diag);
        memcpy(fresh.next_hash, next.hash, sizeof(fresh.next_hash));
    }
    if (err == QMS_OK) {
        fresh.next_cert_pem = copy[2];
        fresh.next_key_pem = copy[3];
        fresh.next_at = copy[2].len > 0 ? next_at : 0;
        *id = fresh;
    }
    return err;
}

static qms_err unpack_identity(struct qms_conf *conf, const struct qms_conf_env *env,
                               struct qms_identity *id, struct qms_bytes data,
                               struct qms_diag *diag)
{
    struct reader r = {.rest = data};
    struct qms_bytes at = take(&r, sizeof(id->next_at)), texts[4];
    int64_t next_at = 0;

    for (size_t i = 0; i < 4; i++) {
        texts[i] = take(&r, take_len(&r));
    }
    if (r.broken || r.rest.len > 0) {
        qms_diag_error(diag, "The packed identity \"%s\" is broken.", id->name);
        return QMS_E_CONFIG;
    }
    memcpy(&next_at, at.data, sizeof(next_at));
    return qms_conf_identity_set(conf, env, id, texts, next_at, diag);
}

qms_err qms_conf_unpack_identities(struct qms_conf *conf, const struct qms_conf_env *env,
                                   struct qms_diag *diag)
{
    qms_err err = QMS_OK;

    for (size_t i = 0; err == QMS_OK && i < conf->identity_count; i++) {
        struct qms_identity *id = conf->identities[i];
        const struct qms_conf_file *f =
            qms_conf_files_find(conf->files, QMS_CONF_FILE_IDENTITY, id->name);
        if (id->self_signed != 0 && f != NULL) {
            err = unpack_identity(conf, env, id, f->data, diag);
        }
    }
    return err;
}
