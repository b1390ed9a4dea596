/* SPDX-License-Identifier: MIT */
/* The configuration's text: words and blocks, with an include that leads back to itself, built
 * by the tables of all modules.  Whatever comes, the answer is a configuration or one sentence
 * with its place. */
#include <string.h>

#include "core/conf/files.h"
#include "core/conf/pack.h"
#include "fuzz.h"
#include "modules/table.h"

static const char name[] = "/c/quicms.conf";

/* One file in the form that workers get; no file of the disk is read. */
static size_t pack(const uint8_t *data, size_t size, uint8_t *out)
{
    uint32_t lens[2] = {sizeof(name) - 1, (uint32_t)size};

    out[0] = QMS_CONF_FILE_TEXT;
    memcpy(out + 1, lens, sizeof(lens));
    memcpy(out + 9, name, lens[0]);
    if (size > 0) {
        memcpy(out + 9 + lens[0], data, size);
    }
    return 9 + lens[0] + size;
}

static void count(void *arg, const char *text)
{
    *(size_t *)arg += strlen(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct qms_conf_env env = {
        .prefix = "/c", .modules = qms_modules, .module_count = qms_module_count};
    struct qms_diag diag = {0};
    uint8_t *bytes = malloc(size + 64);
    size_t shown = 0;

    MUST(bytes != NULL);
    struct qms_bytes whole = {bytes, pack(data, size, bytes)};
    struct qms_conf *conf = qms_conf_load_packed(whole, "quicms.conf", &env, &diag);
    MUST((conf == NULL) == diag.failed);
    if (conf == NULL) {
        MUST(diag.text[0] != '\0' && strlen(diag.text) < sizeof(diag.text));
    } else {
        qms_conf_dump(conf, count, &shown);
        MUST(shown > 0 && conf->server_count > 0);
        qms_conf_unref(conf);
    }
    free(bytes);
    return 0;
}
