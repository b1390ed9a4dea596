/* SPDX-License-Identifier: MIT */
/* Configurations out of texts in memory, with two small modules, for the tests of core/conf.
 */
#ifndef QMS_T_CONF_FIXTURE_H
#define QMS_T_CONF_FIXTURE_H

#include "core/conf/conf.h"

/* The module "fake": token FILE (a path whose content is read by conf_load), level, note. */
struct fake_conf {
    uint64_t level;
    const char *note;
    const char *token;
    struct qms_bytes token_text;
    const char *pair[2];
    int merged, loaded;
};

struct conf_fixture {
    uint8_t pack[65536];
    size_t pack_len;
    struct qms_conf_env env;
    struct qms_diag diag;
    struct qms_conf *conf;
};

extern int fake_freed; /* conf_free calls of the fake module */

void conf_fixture_init(struct conf_fixture *f);
void conf_fixture_fini(struct conf_fixture *f);
int conf_setup(void **state); /* *state: a struct conf_fixture of its own */
int conf_teardown(void **state);
#define QMS_CONF_TEST(name) cmocka_unit_test_setup_teardown(name, conf_setup, conf_teardown)
/** A file that the next load will find. */
void conf_file(struct conf_fixture *f, const char *path, const char *text);
/** A pattern and what it finds ("a\0b\0" with its length). */
void conf_glob(struct conf_fixture *f, const char *pattern, const char *list, size_t len);
/** Loads "/c/quicms.conf"; f->conf or f->diag tells. */
void conf_load(struct conf_fixture *f);
/** Loads `text` and expects exactly this error. */
void conf_fails(struct conf_fixture *f, const char *text, const char *error);
/** Loads `text` and expects success. */
void conf_is(struct conf_fixture *f, const char *text);

/* The least that a server needs. */
#define SERVER_HEAD "listen 127.0.0.1:4433 quic; tls self-signed; auth off; "
#define QUIC(text)  "quic { " text " server { " SERVER_HEAD "} }"

#endif
