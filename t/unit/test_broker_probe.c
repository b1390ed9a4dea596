/* SPDX-License-Identifier: MIT */
/* The modules of the broker's tests: "one" looks on and objects when told to; "auth_key" knows
 * the token "good"; "auth_slow" answers when the test lets it. */
#include <stdio.h>
#include <string.h>

#include "qms_test.h"
#include "test_broker_fixture.h"

struct probe probe;

static void note(const char *word)
{
    size_t have = strlen(probe.calls);
    snprintf(probe.calls + have, sizeof(probe.calls) - have, "%s ", word);
}

struct one_conf {
    const char *note;
};
static const struct qms_directive one_rows[] = {
    {.name = "one_note",
     .contexts = QMS_CTX_QUIC | QMS_CTX_SERVER | QMS_CTX_ROUTE,
     .type = QMS_D_STRING,
     .offset = QMS_STR_FIELD(struct one_conf, note),
     .help = "A text."},
    {.name = NULL},
};

static const char *note_of(const void *conf)
{
    return ((const struct one_conf *)conf)->note;
}

static enum qms_verdict one_connect(void *worker, const void *conf, const void *remote,
                                    qms_time now, struct qms_refusal *why)
{
    (void)worker, (void)conf, (void)remote, (void)now;
    probe.connects++;
    (void)why;
    return QMS_PASS;
}
static void one_disconnect(void *worker, const void *conf, const void *remote, qms_time now)
{
    (void)worker, (void)conf, (void)remote, (void)now;
    probe.disconnects++;
}
static void one_peer(void *worker, void *peer_data, const void *conf, struct qms_peer *peer,
                     qms_time now)
{
    (void)worker, (void)peer_data, (void)conf, (void)peer, (void)now;
    probe.peers++;
}
static void one_gone(void *worker, void *peer_data, struct qms_peer *peer, qms_time now)
{
    (void)worker, (void)peer_data, (void)now;
    assert_true(qms_peer_id(peer).len > 0);
    probe.gones++;
}
static void one_free(void *peer_data)
{
    (void)peer_data;
    probe.frees++;
}
static enum qms_verdict one_open(void *stream_data, void *peer_data, const void *conf,
                                 const struct qms_route *route, qms_time now,
                                 struct qms_refusal *why)
{
    (void)peer_data, (void)now;
    *(uint64_t *)stream_data = 77;
    probe.note_open = note_of(conf);
    probe.block = qms_route_block_name(route);
    assert_true(qms_peer_id(qms_route_opener(route)).len > 0);
    assert_null(qms_route_acceptor(route));
    note("one");
    snprintf(probe.scopes, sizeof(probe.scopes), "%s", qms_route_scopes(route));
    probe.opens++;
    if (probe.reject_open) {
        *why = (struct qms_refusal){QMS_CODE_FORBIDDEN, 1500, "not now", "probe"};
    }
    return probe.reject_open ? QMS_REJECT : QMS_PASS;
}
static enum qms_verdict one_data(void *stream_data, void *peer_data, const void *conf,
                                 const struct qms_route *route,
                                 const struct qms_payload *payload, qms_time now,
                                 qms_time *retry_at, struct qms_refusal *why)
{
    size_t len = payload->bytes.len;

    (void)peer_data;
    assert_non_null(qms_route_opener(route));
    assert_int_equal(*(uint64_t *)stream_data, 77);
    probe.note_data = note_of(conf);
    probe.fins += payload->fin;
    if (probe.reject_byte != 0 && len > 0 &&
        memchr(payload->bytes.data, probe.reject_byte, len) != NULL) {
        *why = (struct qms_refusal){QMS_CODE_TOO_LARGE, 0, "no such byte", "probe_byte"};
        return QMS_REJECT;
    }
    if (probe.bytes_a_second > 0) {
        probe.paid_at = (probe.paid_at > now ? probe.paid_at : now) +
                        len * QMS_SECOND / probe.bytes_a_second;
        *retry_at = probe.paid_at;
        return QMS_DELAY;
    }
    *retry_at = now + probe.delay_for;
    return probe.delay_for > 0 ? QMS_DELAY : QMS_PASS;
}
static enum qms_verdict one_datagram(void *peer_data, const void *conf, struct qms_peer *peer,
                                     enum qms_kind kind, struct qms_bytes target,
                                     struct qms_bytes payload, qms_time now,
                                     struct qms_refusal *why)
{
    (void)peer_data, (void)peer, (void)kind, (void)target, (void)now;
    probe.note_datagram = note_of(conf);
    why->label = payload.len == 13 ? "thirteen_bytes" : why->label;
    return probe.reject_datagram ? QMS_REJECT : QMS_PASS;
}
static enum qms_verdict one_watch(void *peer_data, const void *conf, struct qms_peer *peer,
                                  struct qms_bytes prefix, qms_time now,
                                  struct qms_refusal *why)
{
    (void)peer_data, (void)conf, (void)peer, (void)prefix, (void)now;
    *why = (struct qms_refusal){QMS_CODE_FORBIDDEN, 0, "not you", "probe"};
    return probe.reject_watch ? QMS_REJECT : QMS_PASS;
}
static void one_close(void *stream_data, const void *conf, const struct qms_route *route,
                      uint8_t status, qms_time now)
{
    probe.note_close = note_of(conf);
    assert_int_equal(*(uint64_t *)stream_data, 77);
    assert_true(now >= qms_route_opened_at(route));
    qms_route_bytes(route, &probe.last_forward, &probe.last_reverse);
    probe.closes++;
    probe.last_status = status;
}

static enum qms_verdict key_connect(void *worker, const void *conf, const void *remote,
                                    qms_time now, struct qms_refusal *why)
{
    (void)worker, (void)conf, (void)remote, (void)now;
    *why = (struct qms_refusal){QMS_CODE_BUSY, 0, "no", "probe"};
    return probe.reject_connect ? QMS_REJECT : QMS_PASS;
}
static enum qms_verdict key_hello(void *peer_data, const void *conf, struct qms_peer *peer,
                                  const struct qms_credential *cred, qms_time now,
                                  struct qms_grant *grant, struct qms_refusal *why)
{
    (void)peer_data, (void)conf, (void)peer, (void)now;
    if (cred->scheme != QMS_AUTH_TOKEN) {
        return QMS_PASS;
    }
    if (cred->bytes.len != 4 || memcmp(cred->bytes.data, "good", 4) != 0) {
        *why = (struct qms_refusal){QMS_CODE_FORBIDDEN, 9, "tells too much", "bad_key"};
        return QMS_REJECT;
    }
    grant->expires_at = probe.expires_at;
    grant->scopes = "read write";
    if (probe.names != NULL) {
        grant->agent_id = (struct qms_bytes){(const uint8_t *)probe.names, strlen(probe.names)};
    }
    return QMS_ACCEPT;
}
static enum qms_verdict key_reload(void *peer_data, const void *conf, struct qms_peer *peer,
                                   qms_time now, struct qms_grant *grant,
                                   struct qms_refusal *why)
{
    (void)peer_data, (void)conf, (void)peer, (void)now;
    grant->expires_at = probe.expires_at;
    *why = (struct qms_refusal){QMS_CODE_UNAUTHENTICATED, 0, "withdrawn", "withdrawn"};
    return probe.reject_reload ? QMS_REJECT : QMS_PASS;
}
static enum qms_verdict key_open(void *stream_data, void *peer_data, const void *conf,
                                 const struct qms_route *route, qms_time now,
                                 struct qms_refusal *why)
{
    (void)stream_data, (void)peer_data, (void)conf, (void)route, (void)now, (void)why;
    note("key");
    return QMS_PASS;
}

static const struct qms_module module_one = {
    .abi = QMS_MODULE_ABI,
    .name = "one",
    .directives = one_rows,
    .conf_size = sizeof(struct one_conf),
    .peer_size = 8,
    .stream_size = 8,
    .on_connect = one_connect,
    .on_disconnect = one_disconnect,
    .on_peer = one_peer,
    .on_peer_gone = one_gone,
    .peer_free = one_free,
    .on_open = one_open,
    .on_data = one_data,
    .on_datagram = one_datagram,
    .on_watch = one_watch,
    .on_close = one_close,
};
static const struct qms_module module_key = {
    .abi = QMS_MODULE_ABI,
    .name = "auth_key",
    .authenticator = true,
    .on_connect = key_connect,
    .on_hello = key_hello,
    .on_reload = key_reload,
    .on_open = key_open,
};
/* "auth_slow" says what the probe says, and LATER until the test has decided. */
static enum qms_verdict slow_hello(void *peer_data, const void *conf, struct qms_peer *peer,
                                   const struct qms_credential *cred, qms_time now,
                                   struct qms_grant *grant, struct qms_refusal *why)
{
    (void)peer_data, (void)conf, (void)now;
    if (cred->scheme == 0) {
        return QMS_PASS;
    }
    probe.slow_asked++;
    probe.slow_refused = cred->refused;
    if (probe.slow == QMS_LATER) {
        probe.slow_peer = peer;
        return QMS_LATER;
    }
    assert_int_equal(cred->bytes.len, 4); /* the same as when it was asked first */
    grant->scopes = "slow";
    *why = (struct qms_refusal){QMS_CODE_FORBIDDEN, 9, "tells too much", "bad_slow"};
    return probe.slow;
}
static void slow_cancel(void *peer_data)
{
    (void)peer_data;
    probe.slow_cancels++;
}
static const struct qms_module module_slow = {
    .abi = QMS_MODULE_ABI,
    .name = "auth_slow",
    .authenticator = true,
    .on_hello = slow_hello,
    .on_hello_cancel = slow_cancel,
};
const struct qms_module *const probe_modules[PROBE_MODULES] = {&module_one, &module_key,
                                                               &module_slow};
