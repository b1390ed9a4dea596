/* SPDX-License-Identifier: MIT */
/* The carrier of this build: raw QUIC and WebTransport over HTTP/3 on the same UDP sockets. */
#ifndef QMS_LINK_CARRIER_QUIC_H
#define QMS_LINK_CARRIER_QUIC_H

#include "core/conf/carrier.h"

extern const struct qms_carrier_ops qms_carrier_quic;

#endif
