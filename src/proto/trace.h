/* SPDX-License-Identifier: MIT */
/* W3C Trace Context (https://www.w3.org/TR/trace-context/): the one field that routes carry. */
#ifndef QMS_PROTO_TRACE_H
#define QMS_PROTO_TRACE_H

#include <quicms/types.h>

/** "00-" 32 digits "-" 16 digits "-" 2 digits. */
#define QMS_TRACEPARENT_LEN 55

/** Whether it is a traceparent as section 3.2 has it: lower-case hexadecimal digits, a version
 * other than ff, a trace id and a parent id that are not all zeroes. */
bool qms_traceparent_ok(struct qms_bytes text);

#endif
