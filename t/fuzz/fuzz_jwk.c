/* SPDX-License-Identifier: MIT */
/* JWK sets: what loads has keys that can be asked, what does not leaves a sentence. */
#include <stdarg.h>

#include "fuzz.h"
#include "modules/auth_jwt/jwk.h"

static bool told;

void qms_diag_error(struct qms_diag *diag, const char *format, ...)
{
    char text[1024];
    va_list ap;

    (void)diag;
    va_start(ap, format);
    MUST(vsnprintf(text, sizeof(text), format, ap) > 0);
    va_end(ap);
    told = true;
}

static void ask(const struct qms_jwk_set *set, const struct qms_jwk *jwk)
{
    static const uint8_t text[] = "text", signature[64];
    bool known_kid;

    /* HS256 apart, nothing this short and empty signs anything. */
    (void)qms_sig_verify(jwk->key, (struct qms_bytes){text, 4},
                         (struct qms_bytes){signature, sizeof(signature)});
    MUST(qms_jwk_find_id(set, qms_sig_key_id(jwk->key)) != NULL);
    if (jwk->kid != NULL) {
        MUST(qms_jwk_find(set, qms_sig_key_alg(jwk->key), jwk->kid, &known_kid) == jwk);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qms_jwk_set set = {0};

    told = false;
    if (qms_jwk_set_parse(&set, "f", (struct qms_bytes){data, size}, NULL) != QMS_OK) {
        MUST(told && set.keys == NULL && set.count == 0);
        return 0;
    }
    MUST(set.count > 0);
    for (size_t i = 0; i < set.count; i++) {
        ask(&set, &set.keys[i]);
    }
    qms_jwk_set_fini(&set);
    return 0;
}
