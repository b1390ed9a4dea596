/* SPDX-License-Identifier: MIT */
/* Certificates for the configuration, through the TLS library of src/quic. */
#ifndef QMS_LINK_IDENTITY_H
#define QMS_LINK_IDENTITY_H

#include "core/conf/conf.h"

extern const struct qms_identity_ops qms_identity_gnutls;

#endif
