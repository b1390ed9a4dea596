/* SPDX-License-Identifier: MIT */
/* Three parts with dots between them; the first is a JSON object of which we read `alg`, `kid`
 * and `crit`.  Keys that a header brings along (`jwk`, `jku`, `x5c`, `x5u`) are not looked at:
 * they are the sender's word. */
#include "jws.h"

#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "base64url.h"

struct parts {
    struct qms_bytes header, payload, signature;
};

static bool split(struct qms_bytes token, struct parts *out)
{
    struct qms_bytes *part = &out->header;
    size_t from = 0, dots = 0;

    *out = (struct parts){0};
    for (size_t i = 0; i <= token.len; i++) {
        if (i < token.len && token.data[i] != '.') {
            continue;
        }
        if (dots == 3) {
            return false;
        }
        part = dots == 0 ? &out->header : dots == 1 ? &out->payload : &out->signature;
        *part = (struct qms_bytes){token.data + from, i - from};
        from = i + 1;
        dots++;
    }
    return dots == 3 && out->header.len > 0;
}

bool qms_jws_looks_like(struct qms_bytes bytes)
{
    struct parts parts;

    /* "eyJ" is how every object that begins with a name begins. */
    return bytes.len > 3 && memcmp(bytes.data, "eyJ", 3) == 0 && split(bytes, &parts);
}

/* The label of what is wrong, or NULL. */
static const char *read_header(struct qms_jws *out, struct qms_bytes header)
{
    json_t *json =
        json_loadb((const char *)header.data, header.len, JSON_REJECT_DUPLICATES, NULL);
    const char *alg = json_string_value(json_object_get(json, "alg"));
    const json_t *kid = json_object_get(json, "kid");
    size_t kid_len = json_string_length(kid);
    const char *wrong = NULL;

    if (!json_is_object(json) || alg == NULL || (kid != NULL && !json_is_string(kid))) {
        wrong = "malformed";
    } else if (json_object_get(json, "crit") != NULL) {
        wrong = "critical_header";
    } else if ((out->alg = qms_jws_alg_of(alg)) == QMS_JWS_ALG_COUNT) {
        wrong = "unsupported_alg";
    } else if (kid_len > QMS_JWK_KID_MAX) {
        wrong = "unknown_key";
    } else if (kid != NULL) {
        out->has_kid = true;
        memcpy(out->kid, json_string_value(kid), kid_len + 1);
    }
    json_decref(json);
    return wrong;
}

static bool decode(struct qms_bytes in, uint8_t **at, struct qms_bytes *out)
{
    size_t len = 0;
    bool good = qms_base64url_decode(in, *at, &len);

    *out = (struct qms_bytes){*at, len};
    *at += QMS_BASE64URL_DECODED(in.len);
    return good;
}

const char *qms_jws_parse(struct qms_jws *out, struct qms_bytes token)
{
    struct parts parts;
    struct qms_bytes header;
    uint8_t *at;

    *out = (struct qms_jws){.alg = QMS_JWS_ALG_COUNT};
    if (token.len > QMS_JWT_MAX) {
        return "too_large";
    }
    if (!split(token, &parts)) {
        return "malformed";
    }
    out->signed_text = (struct qms_bytes){token.data, parts.header.len + 1 + parts.payload.len};
    if ((out->memory = at = qms_calloc(1, token.len + 8)) == NULL) {
        return "no_memory";
    }
    bool good = decode(parts.header, &at, &header);
    good = decode(parts.payload, &at, &out->payload) && good;
    good = decode(parts.signature, &at, &out->signature) && good;
    return good ? read_header(out, header) : "malformed";
}

void qms_jws_fini(struct qms_jws *jws)
{
    qms_free(jws->memory);
    *jws = (struct qms_jws){.alg = QMS_JWS_ALG_COUNT};
}
