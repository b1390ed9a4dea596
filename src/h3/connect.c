/* SPDX-License-Identifier: MIT */
/* The extended CONNECT that asks for a WebTransport session (RFC 9220 and
 * draft-ietf-webtrans-http3). */
#include <string.h>

#include "h3/h3_int.h"

#define SUBPROTOCOL "quicms-1"

static bool equal(struct qms_bytes a, const char *b)
{
    return a.len == strlen(b) && memcmp(a.data, b, a.len) == 0;
}

/* Whether a structured-field list of strings (RFC 8941) holds ours: `"a", "quicms-1";x=1`.  A
 * quoted string is looked at as a whole, so that one inside a longer string does not count. */
static bool offers(struct qms_bytes list)
{
    static const char want[] = "\"" SUBPROTOCOL "\"";
    size_t i = 0;

    while (i < list.len) {
        if (list.data[i] != '"') {
            i++;
            continue;
        }
        size_t from = i++;
        while (i < list.len && list.data[i] != '"') {
            i += list.data[i] == '\\' ? 2 : 1;
        }
        i++;
        struct qms_bytes item = {list.data + from, i <= list.len ? i - from : 0};
        bool is_member = from == 0 || list.data[from - 1] != '=';
        if (is_member && equal(item, want)) {
            return true;
        }
    }
    return false;
}

static int check(const struct qms_h3_stream *s)
{
    if (s->req->fields[FIELD_PROTOCOL] == NULL) {
        return 405; /* a plain CONNECT asks for a proxy */
    }
    if (!equal(qms_h3_request_get(s, FIELD_PROTOCOL), "webtransport")) {
        return 501; /* RFC 9220 section 3 */
    }
    struct qms_bytes path = qms_h3_request_get(s, FIELD_PATH);
    if (!equal(qms_h3_request_get(s, FIELD_SCHEME), "https") ||
        qms_h3_request_get(s, FIELD_AUTHORITY).len == 0 || path.len == 0 ||
        path.data[0] != '/') {
        return 400;
    }
    return s->h3->session_count >= s->h3->config->max_sessions ? 429 : 200;
}

static int ask_owner(struct qms_h3_stream *s)
{
    struct qms_bytes path = qms_h3_request_get(s, FIELD_PATH);
    const uint8_t *q = memchr(path.data, '?', path.len);
    size_t path_len = q == NULL ? path.len : (size_t)(q - path.data);
    struct qms_h3_request req = {
        .authority = qms_h3_request_get(s, FIELD_AUTHORITY),
        .path = {path.data, path_len},
        .sessions = s->h3->session_count,
        .origin = qms_h3_request_get(s, FIELD_ORIGIN),
        .protocols = qms_h3_request_get(s, FIELD_WT_PROTOCOLS),
    };

    if (q != NULL) {
        req.query = (struct qms_bytes){q + 1, path.len - path_len - 1};
    }
    return s->h3->events->on_session_request(s->h3, &req);
}

static void respond_ok(struct qms_h3_stream *s)
{
    const nghttp3_nv fields[] = {
        {(const uint8_t *)":status", (const uint8_t *)"200", 7, 3, 0},
        {(const uint8_t *)"wt-protocol", (const uint8_t *)"\"" SUBPROTOCOL "\"", 11,
         sizeof(SUBPROTOCOL) + 1, 0},
    };

    s->below->vital = true;
    s->h3->link->ops->set_priority(s->below, PRIORITY_CONTROL);
    qms_h3_lib_respond(s, fields, offers(qms_h3_request_get(s, FIELD_WT_PROTOCOLS)) ? 2 : 1,
                       true);
    qms_h3_pump(s->h3);
}

static void establish(struct qms_h3_stream *s)
{
    struct qms_h3 *h3 = s->h3;
    struct qms_h3_session *session;

    if (qms_h3_session_new(s, &session) != QMS_OK) {
        qms_h3_respond_status(s, 503);
        return;
    }
    respond_ok(s);
    session->link.now = h3->link->now;
    h3->events->on_session(h3, &session->link);
    if (session->state == SESSION_OPEN) {
        session->link.events->on_ready(&session->link);
    }
    qms_h3_release(session);
}

void qms_h3_answer_connect(struct qms_h3_stream *s)
{
    int status = check(s);

    if (status == 200) {
        status = ask_owner(s);
    }
    if (status == 200) {
        establish(s);
    } else {
        qms_h3_respond_status(s, status);
    }
}
