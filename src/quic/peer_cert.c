/* SPDX-License-Identifier: MIT */
/* Whose key the peer has proved to hold. */
#include "quic/int.h"

bool qms_quic_conn_peer_certificate(const struct qms_quic_conn *conn, uint8_t whole[32],
                                    uint8_t spki[32])
{
    unsigned count = 0;
    const gnutls_datum_t *chain = conn->tls.gnutls == NULL
                                      ? NULL
                                      : gnutls_certificate_get_peers(conn->tls.gnutls, &count);

    return chain != NULL && count > 0 && qms_tls_hashes(&chain[0], whole, spki) == 0;
}
