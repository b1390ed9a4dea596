/* SPDX-License-Identifier: MIT */
#include "link/identity.h"

#include "quic/tls.h"
#include "quic/tls_trust.h"

static qms_err check(struct qms_identity *id, struct qms_diag *diag)
{
    char error[QMS_TLS_ERROR_MAX] = "";
    struct qms_tls_server *tls = qms_tls_server_from_pem(id->cert_pem, id->key_pem, error);

    if (tls == NULL) {
        qms_diag_error(diag, "The certificate of \"%s\" cannot be used: %s", id->name, error);
        return QMS_E_CONFIG;
    }
    qms_tls_server_hash(tls, id->hash);
    qms_tls_server_validity(tls, &id->from, &id->until);
    qms_tls_server_unref(tls);
    return QMS_OK;
}

static void *trust(struct qms_bytes ca, struct qms_bytes crl, struct qms_diag *diag)
{
    char error[QMS_TLS_ERROR_MAX] = "";
    struct qms_tls_trust *t = qms_tls_trust_new(ca, crl, error);

    if (t == NULL) {
        qms_diag_error(diag, "%s.", error);
    }
    return t;
}

static void trust_free(void *t)
{
    qms_tls_trust_unref(t);
}

static const char *verify(void *t, const struct qms_bytes *chain, size_t count)
{
    return qms_tls_trust_verify(t, chain, count);
}

const struct qms_identity_ops qms_identity_gnutls = {
    .check = check,
    .mint = qms_tls_mint,
    .trust = trust,
    .trust_free = trust_free,
    .verify = verify,
};
