/* SPDX-License-Identifier: MIT */
/* Whether two decoded messages say the same, byte strings compared by content: what a round
 * trip has to keep.  For the fuzz targets and the unit tests. */
#ifndef QMS_FUZZ_EQUAL_H
#define QMS_FUZZ_EQUAL_H

#include "proto/control.h"
#include "proto/datagram.h"
#include "proto/route.h"

bool bytes_equal(struct qms_bytes a, struct qms_bytes b);
/** `extra` counts by the TLVs that are passed on, not by the run that holds them. */
bool route_equal(const struct qms_route_header *a, const struct qms_route_header *b);
bool result_equal(const struct qms_result *a, const struct qms_result *b);
bool control_equal(const struct qms_control *a, const struct qms_control *b);
bool datagram_equal(const struct qms_datagram *a, const struct qms_datagram *b);

#endif
