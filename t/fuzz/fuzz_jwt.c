/* SPDX-License-Identifier: MIT */
/* JWTs: taken apart, and the claims read as if the signature had been good; then the input
 * itself as claims, for what base64url would hide from the fuzzer. */
#include <string.h>

#include "fuzz.h"
#include "modules/auth_jwt/claims.h"
#include "modules/auth_jwt/jws.h"

/* The reader of keys that is linked beside wants it. */
void qms_diag_error(struct qms_diag *diag, const char *format, ...)
{
    (void)diag, (void)format;
}

static const struct qms_claim_rules rules = {
    .agent_claim = "sub",
    .scope_claim = "scope",
    .limits_claim = "limits",
    .audiences = {.names = {"us"}, .count = 1},
    .leeway = 30 * QMS_SECOND,
};
static const struct qms_claim_rules strict = {
    .agent_claim = "sub",
    .scope_claim = "scope",
    .limits_claim = "limits",
    .issuers = {.names = {"i"}, .count = 1},
    .require_exp = 1,
};

static void check_claims(struct qms_bytes payload, const struct qms_claim_rules *r)
{
    const int64_t now = 1700000000;
    struct qms_claims claims = {0};
    struct qms_bytes anyone = {0};

    if (qms_claims_read(&claims, r, payload, anyone, now) != NULL) {
        MUST(claims.scopes == NULL && claims.agent_len == 0);
        return;
    }
    MUST(claims.agent_len > 0 && claims.agent_len <= QMS_NAME_MAX);
    MUST(claims.expires_at == 0 ? r->require_exp == 0 : claims.expires_at > now);
    MUST(claims.scopes == NULL ||
         (claims.scopes[0] > ' ' && strlen(claims.scopes) < QMS_CLAIM_SCOPES_MAX &&
          strstr(claims.scopes, "  ") == NULL));
    MUST(claims.limits.bytes.per_second <= (UINT64_C(1) << 40) &&
         claims.limits.bytes.burst <= UINT32_MAX);
    MUST(claims.limits.streams.per_second > 0 || claims.limits.streams.burst == 0);
    qms_claims_fini(&claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct qms_bytes in = {data, size};
    struct qms_jws jws;
    const char *wrong = qms_jws_parse(&jws, in);

    if (wrong == NULL) {
        MUST(jws.alg < QMS_JWS_ALG_COUNT && jws.signed_text.data == data);
        MUST(jws.signed_text.len < size && data[jws.signed_text.len] == '.');
        MUST(jws.has_kid || jws.kid[0] == '\0');
        check_claims(jws.payload, &rules);
        check_claims(jws.payload, &strict);
    }
    (void)qms_jws_looks_like(in);
    qms_jws_fini(&jws);
    check_claims(in, &rules);
    check_claims(in, &strict);
    return 0;
}
