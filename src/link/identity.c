/* SPDX-License-Identifier: MIT */
#include "link/identity.h"

#include "quic/tls.h"

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

const struct qms_identity_ops qms_identity_gnutls = {
    .check = check,
    .mint = qms_tls_mint,
};
