/* SPDX-License-Identifier: MIT */
#include "conf_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "core/conf/files.h"
#include "qms_test.h"

int fake_freed;

static qms_err set_pair(void *conf, const struct qms_directive *d, int argc,
                        const char *const *argv, struct qms_diag *diag)
{
    struct fake_conf *c = conf;

    (void)d;
    if (strcmp(argv[0], "bad") == 0) {
        qms_diag_error(diag, "The pair is bad.");
        return QMS_E_CONFIG;
    }
    c->pair[0] = argv[0];
    c->pair[1] = argc > 1 ? argv[1] : NULL;
    return QMS_OK;
}

static const struct qms_directive fake_rows[] = {
    {.name = "fake_level",
     .contexts = QMS_CTX_MAIN | QMS_CTX_QUIC | QMS_CTX_SERVER | QMS_CTX_ROUTE,
     .type = QMS_D_NUMBER,
     .offset = QMS_U64_FIELD(struct fake_conf, level),
     .def = "3",
     .max = 10,
     .help = "A number."},
    {.name = "fake_note",
     .contexts = QMS_CTX_QUIC | QMS_CTX_SERVER | QMS_CTX_ROUTE,
     .type = QMS_D_STRING,
     .offset = QMS_STR_FIELD(struct fake_conf, note),
     .help = "A text."},
    {.name = "fake_token",
     .contexts = QMS_CTX_QUIC | QMS_CTX_SERVER | QMS_CTX_HTTP,
     .type = QMS_D_PATH,
     .offset = QMS_STR_FIELD(struct fake_conf, token),
     .help = "A file."},
    {.name = "fake_pair",
     .contexts = QMS_CTX_QUIC | QMS_CTX_SERVER,
     .type = QMS_D_CUSTOM,
     .args_min = 1,
     .args_max = 2,
     .set = set_pair,
     .def = "one two",
     .multiple = true,
     .syntax = "text [text]",
     .help = "Two texts."},
    {.name = NULL},
};

static qms_err fake_merge(void *conf, const void *parent, struct qms_diag *diag)
{
    struct fake_conf *c = conf;
    const struct fake_conf *p = parent;

    (void)diag;
    c->merged++;
    if (c->pair[0] == NULL) {
        memcpy(c->pair, p->pair, sizeof(c->pair));
    }
    return QMS_OK;
}

static qms_err fake_load(void *conf, struct qms_diag *diag)
{
    struct fake_conf *c = conf;

    c->loaded++;
    return c->token != NULL ? qms_conf_read_file(diag, c->token, &c->token_text) : QMS_OK;
}

static void fake_free(void *conf)
{
    (void)conf;
    fake_freed++;
}

static const struct qms_module fake_module = {
    .abi = QMS_MODULE_ABI,
    .name = "auth_fake",
    .directives = fake_rows,
    .conf_size = sizeof(struct fake_conf),
    .conf_merge = fake_merge,
    .conf_load = fake_load,
    .conf_free = fake_free,
    .authenticator = true,
};
static const struct qms_module plain_module = {.abi = QMS_MODULE_ABI, .name = "plain"};
static const struct qms_module *const modules[] = {&plain_module, &fake_module};

/* A "certificate" is good when it begins with CERT, its key with KEY; its hash is its last
 * byte. */
static qms_err check(struct qms_identity *id, struct qms_diag *diag)
{
    if (id->cert_pem.len < 5 || memcmp(id->cert_pem.data, "CERT", 4) != 0 ||
        id->key_pem.len < 4 || memcmp(id->key_pem.data, "KEY", 3) != 0) {
        qms_diag_error(diag, "The certificate of \"%s\" is bad.", id->name);
        return QMS_E_CONFIG;
    }
    memset(id->hash, id->cert_pem.data[id->cert_pem.len - 1], sizeof(id->hash));
    return QMS_OK;
}
static const struct qms_identity_ops identity_ops = {.check = check};

void conf_fixture_init(struct conf_fixture *f)
{
    memset(f, 0, sizeof(*f));
    f->env.prefix = "/c";
    f->env.modules = modules;
    f->env.module_count = 2;
    f->env.identity = &identity_ops;
    fake_freed = 0;
}

void conf_fixture_fini(struct conf_fixture *f)
{
    qms_conf_unref(f->conf);
    f->conf = NULL;
}

/* The documented record form of core/conf/pack.c. */
static void record(struct conf_fixture *f, uint8_t kind, const char *name, const void *data,
                   size_t len)
{
    uint32_t lens[2] = {(uint32_t)strlen(name), (uint32_t)len};

    assert_true(f->pack_len + 9 + lens[0] + len <= sizeof(f->pack));
    f->pack[f->pack_len] = kind;
    memcpy(f->pack + f->pack_len + 1, lens, sizeof(lens));
    memcpy(f->pack + f->pack_len + 9, name, lens[0]);
    memcpy(f->pack + f->pack_len + 9 + lens[0], data, len);
    f->pack_len += 9 + lens[0] + len;
}

void conf_file(struct conf_fixture *f, const char *path, const char *text)
{
    record(f, QMS_CONF_FILE_TEXT, path, text, strlen(text));
}

void conf_glob(struct conf_fixture *f, const char *pattern, const char *list, size_t len)
{
    record(f, QMS_CONF_FILE_GLOB, pattern, list, len);
}

void conf_load(struct conf_fixture *f)
{
    qms_conf_unref(f->conf);
    f->diag = (struct qms_diag){0};
    f->conf = qms_conf_load_packed((struct qms_bytes){f->pack, f->pack_len}, "quicms.conf",
                                   &f->env, &f->diag);
    assert_true((f->conf == NULL) == f->diag.failed);
    assert_null(f->diag.conf);
    assert_null(f->diag.file);
}

void conf_fails(struct conf_fixture *f, const char *text, const char *error)
{
    size_t kept = f->pack_len;

    conf_file(f, "/c/quicms.conf", text);
    conf_load(f);
    f->pack_len = kept;
    assert_null(f->conf);
    assert_string_equal(f->diag.text, error);
}

void conf_is(struct conf_fixture *f, const char *text)
{
    size_t kept = f->pack_len;

    conf_file(f, "/c/quicms.conf", text);
    conf_load(f);
    f->pack_len = kept;
    if (f->conf == NULL) {
        print_error("%s\n", f->diag.text);
    }
    assert_non_null(f->conf);
}

int conf_setup(void **state)
{
    struct conf_fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    conf_fixture_init(f);
    *state = f;
    return 0;
}

int conf_teardown(void **state)
{
    conf_fixture_fini(*state);
    free(*state);
    return 0;
}
