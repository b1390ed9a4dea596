/* SPDX-License-Identifier: MIT */
/* The variables.  Numbers are written as such in every format; a duration is in seconds with
 * microseconds, since a stream through the broker may live for less than a millisecond. */
#include "variable.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <quicms/version.h>

#include "base/network.h"

/* ---- kinds of values ---- */

static void put_text(struct qms_line *l, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        qms_line_put_absent(l);
    } else {
        qms_line_put_escaped(l, (struct qms_bytes){(const uint8_t *)text, strlen(text)});
    }
}

static void put_bytes(struct qms_line *l, struct qms_bytes bytes)
{
    if (bytes.len == 0) {
        qms_line_put_absent(l);
    } else {
        qms_line_put_escaped(l, bytes);
    }
}

static void put_seconds(struct qms_line *l, qms_time duration)
{
    qms_line_printf(l, "%" PRIu64 ".%06" PRIu64, duration / QMS_SECOND,
                    duration % QMS_SECOND / QMS_MICROSECOND);
}

/* From the opening of the route to `at`; absent where that never came. */
static void put_since(struct qms_line *l, const struct qms_log_event *e, qms_time at)
{
    qms_time from = qms_route_opened_at(e->route);

    if (at == 0) {
        qms_line_put_absent(l);
    } else {
        put_seconds(l, at > from ? at - from : 0);
    }
}

/* ---- time ---- */

static void put_clock(struct qms_line *l, const struct qms_log_event *e, const char *format,
                      bool colon)
{
    time_t seconds = (time_t)(e->wall / (int64_t)QMS_SECOND);
    char text[64];
    struct tm tm;

    localtime_r(&seconds, &tm);
    size_t len = strftime(text, sizeof(text) - 1, format, &tm);
    if (colon && len > 2) { /* +0000 becomes +00:00 */
        memmove(text + len - 1, text + len - 2, 2);
        text[len - 2] = ':';
        len++;
    }
    qms_line_put(l, text, len);
}

static void time_iso8601(struct qms_line *l, const struct qms_log_event *e)
{
    put_clock(l, e, "%Y-%m-%dT%H:%M:%S%z", true);
}

static void time_local(struct qms_line *l, const struct qms_log_event *e)
{
    put_clock(l, e, "%d/%b/%Y:%H:%M:%S %z", false);
}

static void time_epoch(struct qms_line *l, const struct qms_log_event *e)
{
    int64_t ms = e->wall / (int64_t)QMS_MILLISECOND;

    qms_line_printf(l, "%" PRId64 ".%03" PRId64, ms / 1000, ms % 1000);
}

/* ---- the agents ---- */

static void agent(struct qms_line *l, const struct qms_log_event *e)
{
    put_bytes(l, qms_peer_id(e->opener));
}

static void peer(struct qms_line *l, const struct qms_log_event *e)
{
    put_bytes(l, qms_route_acceptor_id(e->route));
}

static void carrier(struct qms_line *l, const struct qms_log_event *e)
{
    put_text(l, qms_peer_carrier(e->opener));
}

static void put_address(struct qms_line *l, const struct qms_log_event *e, bool with_port)
{
    char text[QMS_ADDRESS_TEXT_MAX];

    put_text(l, qms_sockaddr_text(qms_peer_address(e->opener), with_port, text));
}

static void address(struct qms_line *l, const struct qms_log_event *e)
{
    put_address(l, e, true);
}

static void remote_addr(struct qms_line *l, const struct qms_log_event *e)
{
    put_address(l, e, false);
}

static void scopes(struct qms_line *l, const struct qms_log_event *e)
{
    put_text(l, qms_peer_scopes(e->opener));
}

static void rtt(struct qms_line *l, const struct qms_log_event *e)
{
    qms_time value = qms_peer_rtt(e->opener);

    if (value == 0) {
        qms_line_put_absent(l);
    } else {
        put_seconds(l, value);
    }
}

static void connection(struct qms_line *l, const struct qms_log_event *e)
{
    qms_line_printf(l, "%" PRIu64, qms_peer_number(e->opener));
}

static void server(struct qms_line *l, const struct qms_log_event *e)
{
    put_text(l, qms_peer_server_name(e->opener));
}

/* ---- the route ---- */

static void kind(struct qms_line *l, const struct qms_log_event *e)
{
    static const char *const names[] = {"self", "agent", "group", "topic", "service"};
    unsigned k = (unsigned)qms_route_kind(e->route);

    put_text(l, k < sizeof(names) / sizeof(names[0]) ? names[k] : NULL);
}

static void target(struct qms_line *l, const struct qms_log_event *e)
{
    put_bytes(l, qms_route_target(e->route));
}

static void route(struct qms_line *l, const struct qms_log_event *e)
{
    put_text(l, qms_route_block_name(e->route));
}

static void direction(struct qms_line *l, const struct qms_log_event *e)
{
    put_text(l, qms_route_bidi(e->route) ? "bidi" : "uni");
}

static void priority(struct qms_line *l, const struct qms_log_event *e)
{
    qms_line_printf(l, "%u", qms_route_priority(e->route));
}

static void status(struct qms_line *l, const struct qms_log_event *e)
{
    const char *name =
        e->status >= QMS_CODE_APPLICATION ? "application" : qms_code_name((uint64_t)e->status);

    put_text(l, name);
}

static void status_code(struct qms_line *l, const struct qms_log_event *e)
{
    qms_line_printf(l, "%u", e->status);
}

static void reason(struct qms_line *l, const struct qms_log_event *e)
{
    put_text(l, qms_route_reason(e->route));
}

static void put_count(struct qms_line *l, const struct qms_log_event *e, bool sent)
{
    uint64_t forward, reverse;

    qms_route_bytes(e->route, &forward, &reverse);
    qms_line_printf(l, "%" PRIu64, sent ? reverse : forward);
}

static void bytes_sent(struct qms_line *l, const struct qms_log_event *e)
{
    put_count(l, e, true);
}

static void bytes_received(struct qms_line *l, const struct qms_log_event *e)
{
    put_count(l, e, false);
}

static void duration(struct qms_line *l, const struct qms_log_event *e)
{
    put_since(l, e, e->now);
}

static void answer(struct qms_line *l, const struct qms_log_event *e)
{
    put_since(l, e, qms_route_answered_at(e->route));
}

static void first_byte(struct qms_line *l, const struct qms_log_event *e)
{
    put_since(l, e, qms_route_first_byte_at(e->route));
}

static void stream(struct qms_line *l, const struct qms_log_event *e)
{
    int64_t id = qms_route_stream_id(e->route);

    if (id < 0) {
        qms_line_put_absent(l);
    } else {
        qms_line_printf(l, "%" PRId64, id);
    }
}

/* ---- the trace: "00-TRACE-SPAN-FLAGS" ---- */

static void put_trace(struct qms_line *l, const struct qms_log_event *e, size_t from,
                      size_t len)
{
    struct qms_bytes trace = qms_route_traceparent(e->route);

    put_bytes(l, trace.len < from + len ? (struct qms_bytes){0}
                                        : (struct qms_bytes){trace.data + from, len});
}

static void traceparent(struct qms_line *l, const struct qms_log_event *e)
{
    put_trace(l, e, 0, 55);
}

static void trace_id(struct qms_line *l, const struct qms_log_event *e)
{
    put_trace(l, e, 3, 32);
}

static void span_id(struct qms_line *l, const struct qms_log_event *e)
{
    put_trace(l, e, 36, 16);
}

/* ---- the broker ---- */

static void worker(struct qms_line *l, const struct qms_log_event *e)
{
    qms_line_printf(l, "%u", qms_peer_worker(e->opener));
}

static void pid(struct qms_line *l, const struct qms_log_event *e)
{
    (void)e;
    qms_line_printf(l, "%ld", (long)getpid());
}

static void version(struct qms_line *l, const struct qms_log_event *e)
{
    (void)e;
    put_text(l, QUICMS_VERSION);
}

const struct qms_log_variable qms_log_variables[] = {
    {"time_iso8601", time_iso8601},
    {"time_local", time_local},
    {"time", time_epoch},
    {"agent", agent},
    {"peer", peer},
    {"carrier", carrier},
    {"address", address},
    {"remote_addr", remote_addr},
    {"scopes", scopes},
    {"rtt", rtt},
    {"connection", connection},
    {"server", server},
    {"kind", kind},
    {"target", target},
    {"route", route},
    {"direction", direction},
    {"priority", priority},
    {"status", status},
    {"status_code", status_code},
    {"reason", reason},
    {"bytes_sent", bytes_sent},
    {"bytes_received", bytes_received},
    {"duration", duration},
    {"answer", answer},
    {"first_byte", first_byte},
    {"stream", stream},
    {"traceparent", traceparent},
    {"trace_id", trace_id},
    {"span_id", span_id},
    {"worker", worker},
    {"pid", pid},
    {"version", version},
    {NULL, NULL},
};
