/* SPDX-License-Identifier: MIT */
/* The border where ngtcp2's codes end. */
#include "quic/int.h"

qms_err qms_err_from_ngtcp2(int liberr)
{
    switch (liberr) {
    case 0:
        return QMS_OK;
    case NGTCP2_ERR_NOMEM:
        return QMS_E_NOMEM;
    case NGTCP2_ERR_IDLE_CLOSE:
        return QMS_E_IDLE;
    case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
        return QMS_E_TIMEOUT;
    case NGTCP2_ERR_CRYPTO:
        return QMS_E_TLS;
    case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
    case NGTCP2_ERR_VERSION_NEGOTIATION_FAILURE:
        return QMS_E_CONNECT;
    default:
        return QMS_E_TRANSPORT;
    }
}

qms_err qms_err_from_transport(uint64_t code)
{
    if (code == NGTCP2_NO_ERROR) {
        return QMS_OK;
    }
    if (code == NGTCP2_CONNECTION_REFUSED) {
        return QMS_E_CONNECT;
    }
    return (code & ~(uint64_t)0xff) == NGTCP2_CRYPTO_ERROR ? QMS_E_TLS : QMS_E_TRANSPORT;
}
