/* SPDX-License-Identifier: MIT */
/* The carrier's life and its turn: an endpoint for each server block, libevent for its sockets.
 */
#include "link/carrier_quic.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/conf/zone.h"
#include "link/carrier_i.h"
#include "quic/replay.h"
#include "quic/tls.h"

/* Sessions that are closing are looked at this often. */
#define H3_EVERY    (250 * QMS_MILLISECOND)
#define STATS_EVERY QMS_SECOND

const struct qms_server_conf *qms_carrier_server_conf(const struct qms_carrier_server *s)
{
    const struct qms_conf *conf = qms_broker_conf(s->carrier->broker);
    return &conf->servers[s->index < conf->server_count ? s->index : 0];
}

/* ---- sockets ---- */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct qms_carrier_listener *l = arg;

    (void)what;
    l->server->carrier->now = qms_clock_now();
    (void)qms_endpoint_readable(l->server->ep, fd, l->server->carrier->now);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct qms_carrier_listener *l = arg;

    (void)what;
    l->server->carrier->now = qms_clock_now();
    qms_endpoint_writable(l->server->ep, fd, l->server->carrier->now);
}

/* The listeners' sockets are watched from start to stop; only the wish to write changes. */
static void on_watch(struct qms_endpoint *ep, int fd, bool watch, bool want_write)
{
    struct qms_carrier_server *s = qms_endpoint_user(ep);

    for (size_t i = 0; i < s->listener_count; i++) {
        struct event *writable = s->listeners[i].writable;
        if (s->listeners[i].fd == fd && writable != NULL) {
            (void)(watch && want_write ? event_add(writable, NULL) : event_del(writable));
        }
    }
}

static const char *const *alpns_of(const struct qms_listen *listen)
{
    static const char *const both[] = {"quicms/1", "h3", NULL};
    static const char *const raw[] = {"quicms/1", NULL};
    static const char *const web[] = {"h3", NULL};

    return listen->quic && listen->webtransport ? both : listen->quic ? raw : web;
}

static qms_err listen_on(struct qms_carrier_server *s, struct qms_carrier_listener *l,
                         const struct qms_listen *listen, struct qms_tls_server *tls,
                         struct qms_diag *diag)
{
    l->server = s;
    l->fd = listen->fd;
    l->socket = qms_endpoint_add_listener(s->ep, listen->fd, alpns_of(listen), tls);
    if (l->socket < 0) {
        qms_diag_error(diag, "The socket %s cannot be used: %s", listen->text, strerror(errno));
        return QMS_E_IO;
    }
    l->readable = event_new(s->carrier->base, l->fd, EV_READ | EV_PERSIST, on_readable, l);
    l->writable = event_new(s->carrier->base, l->fd, EV_WRITE, on_writable, l);
    if (l->readable == NULL || l->writable == NULL || event_add(l->readable, NULL) != 0) {
        qms_diag_error(diag, "The socket %s cannot be watched.", listen->text);
        return QMS_E_NOMEM;
    }
    return QMS_OK;
}

/* ---- configuration ---- */

static struct qms_quic_config quic_config(const struct qms_conf *conf,
                                          const struct qms_server_conf *server)
{
    struct qms_quic_config q = qms_quic_config_default;

    q.stream_window = conf->stream_window;
    q.stream_window_max = conf->stream_window_max;
    q.connection_window = conf->agent_memory;
    q.max_streams_bidi = q.max_streams_uni = conf->max_streams;
    q.max_datagram = conf->max_datagram;
    q.idle_for = conf->idle_for;
    q.keep_alive_for = conf->keep_alive_for;
    q.handshake_for = conf->handshake_for;
    q.congestion = (enum qms_congestion)conf->congestion;
    q.max_udp_payload = (size_t)conf->max_udp_payload;
    q.send_burst = conf->send_burst_for;
    q.priority_guard = (unsigned)conf->priority_guard;
    q.half_open_max = (size_t)conf->half_open_max;
    q.retry_above = server->retry == 1 ? 0 : (size_t)conf->retry_above;
    q.early_alpn = server->early_data == QMS_EARLY_DATA_IDEMPOTENT ? "quicms/1" : NULL;
    q.max_resets = (unsigned)conf->max_resets;
    q.max_odd_frames = (unsigned)conf->max_odd_frames;
    q.udp_gso = conf->udp_gso != 0;
    return q;
}

/* SETTINGS name one number before any path is asked for: the largest; each path has its own. */
static void fill_h3(struct qms_carrier_server *s, const struct qms_server_conf *server)
{
    unsigned sessions = 1;

    for (size_t i = 0; i < server->location_count; i++) {
        uint64_t max = server->locations[i].max_sessions_per_connection;
        if (server->locations[i].webtransport && max > sessions) {
            sessions = (unsigned)(max < 1000 ? max : 1000);
        }
    }
    s->h3 = (struct qms_h3_config){
        .max_sessions = sessions,
        .held_bytes = 64 << 10,
        .held_streams = 16,
    };
}

static struct qms_tls_server *load_tls(const struct qms_server_conf *server,
                                       struct qms_diag *diag)
{
    char error[QMS_TLS_ERROR_MAX] = "";
    const struct qms_identity *id = server->identity;
    struct qms_tls_server *tls = qms_tls_server_from_pem(id->cert_pem, id->key_pem, error);

    if (tls == NULL) {
        qms_diag_error(diag, "The certificate of \"%s\" cannot be used: %s", id->name, error);
        return NULL;
    }
    qms_tls_server_set_tickets(tls, (unsigned)(id->ticket_for / QMS_SECOND));
    if (id->trust != NULL) {
        qms_tls_server_trust(tls, id->trust, "quicms/1", id->client_ca_required);
    }
    return tls;
}

/* ---- start and stop ---- */

static qms_err start_server(struct qms_carrier_server *s, const struct qms_conf *conf,
                            const uint8_t secret[32], struct qms_diag *diag)
{
    const struct qms_server_conf *server = &conf->servers[s->index];
    struct qms_quic_config config = quic_config(conf, server);
    qms_err err = QMS_OK;

    config.replay = s->carrier->replay;
    fill_h3(s, server);
    s->ep = qms_endpoint_new(&config, secret, &qms_carrier_endpoint_events, s);
    s->listeners = qms_calloc(server->listen_count + 1, sizeof(*s->listeners));
    if (s->ep == NULL || s->listeners == NULL) {
        qms_diag_error(diag, "%s", qms_strerror(QMS_E_NOMEM));
        return QMS_E_NOMEM;
    }
    qms_endpoint_set_watch(s->ep, on_watch);
    if (qms_broker_mesh(s->carrier->broker) != NULL) {
        qms_endpoint_set_slot(s->ep, qms_mesh_slot(qms_broker_mesh(s->carrier->broker)));
    }
    struct qms_tls_server *tls = load_tls(server, diag);
    if (tls == NULL) {
        return QMS_E_TLS;
    }
    for (size_t i = 0; err == QMS_OK && i < server->listen_count; i++) {
        s->listener_count++;
        err = listen_on(s, &s->listeners[i], &server->listens[i], tls, diag);
    }
    qms_tls_server_unref(tls);
    return err;
}

static void stop_server(struct qms_carrier_server *s)
{
    for (size_t i = 0; i < s->listener_count; i++) {
        if (s->listeners[i].readable != NULL) {
            event_free(s->listeners[i].readable);
        }
        if (s->listeners[i].writable != NULL) {
            event_free(s->listeners[i].writable);
        }
    }
    qms_endpoint_free(s->ep);
    qms_free(s->listeners);
}

static void carrier_stop(struct qms_carrier *c)
{
    qms_carrier_forward_stop(c);
    qms_carrier_close_all(c, qms_clock_now());
    qms_carrier_dial_stop(c);
    for (size_t i = 0; c->servers != NULL && i < c->server_count; i++) {
        stop_server(&c->servers[i]);
    }
    qms_free(c->servers);
    if (c->replay != NULL) {
        c->replay->ops->free(c->replay);
    }
    qms_conf_unref(c->conf);
    qms_free(c);
}

static struct qms_carrier *carrier_new(struct qms_broker *broker, struct event_base *base)
{
    struct qms_carrier *c = qms_calloc(1, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    c->broker = broker;
    c->base = base;
    c->conf = qms_conf_ref(qms_broker_conf(broker));
    c->now = qms_clock_now();
    c->h3_at = c->stats_at = c->now;
    qms_list_init(&c->conns);
    c->dial_epoll = -1;
    qms_list_init(&c->trusts);
    c->servers = qms_calloc(c->conf->server_count + 1, sizeof(*c->servers));
    if (c->servers == NULL) {
        carrier_stop(c);
        return NULL;
    }
    return c;
}

/* c->conf keeps the zone mapped. */
static qms_err start_replay(struct qms_carrier *c, const uint8_t secret[32])
{
    size_t size = 0;
    void *memory = qms_zones_find(c->conf, QMS_ZONE_EARLY_DATA, &size);

    if (memory == NULL) {
        return QMS_OK; /* a worker without a master: each endpoint has a register of its own */
    }
    c->replay = qms_replay_shared_new(memory, size, secret);
    return c->replay != NULL ? QMS_OK : QMS_E_NOMEM;
}

static struct qms_carrier *carrier_start(struct qms_broker *broker, struct event_base *base,
                                         const struct qms_conf *conf, const uint8_t secret[32],
                                         struct qms_diag *diag)
{
    struct qms_carrier *c = carrier_new(broker, base);

    if (c == NULL) {
        qms_diag_error(diag, "%s", qms_strerror(QMS_E_NOMEM));
        return NULL;
    }
    if (start_replay(c, secret) != QMS_OK) {
        qms_diag_error(diag, "%s", qms_strerror(QMS_E_NOMEM));
        carrier_stop(c);
        return NULL;
    }
    for (unsigned i = 0; i < conf->server_count; i++) {
        struct qms_carrier_server *s = &c->servers[i];
        s->carrier = c;
        s->index = i;
        c->server_count++;
        if (start_server(s, conf, secret, diag) != QMS_OK) {
            carrier_stop(c);
            return NULL;
        }
    }
    struct qms_quic_config config = quic_config(conf, &conf->servers[0]);
    config.early_alpn = NULL;
    if (qms_carrier_dial_start(c, &config, secret) != QMS_OK) {
        qms_diag_error(diag, "%s", qms_strerror(QMS_E_NOMEM));
        carrier_stop(c);
        return NULL;
    }
    qms_carrier_forward_start(c);
    return c;
}

/* ---- reload ---- */

static void take_over(struct qms_carrier_server *s, const struct qms_server_conf *server,
                      struct qms_tls_server *tls)
{
    fill_h3(s, server);
    for (size_t i = 0; i < s->listener_count; i++) {
        qms_endpoint_set_tls(s->ep, s->listeners[i].socket, tls);
    }
}

static qms_err carrier_reload(struct qms_carrier *c, const struct qms_conf *conf,
                              struct qms_diag *diag)
{
    size_t count = conf->server_count < c->server_count ? conf->server_count : c->server_count;
    struct qms_tls_server **all = qms_calloc(count + 1, sizeof(*all));
    qms_err err = all != NULL ? QMS_OK : QMS_E_NOMEM;

    for (size_t i = 0; err == QMS_OK && i < count; i++) {
        all[i] = load_tls(&conf->servers[i], diag);
        err = all[i] != NULL ? QMS_OK : QMS_E_TLS;
    }
    for (size_t i = 0; all != NULL && i < count; i++) {
        if (err == QMS_OK) {
            take_over(&c->servers[i], &conf->servers[i], all[i]);
        }
        qms_tls_server_unref(all[i]);
    }
    qms_free(all);
    return err;
}

/* ---- the turn ---- */

/* Those of the servers, and behind them the one that dials. */
static size_t endpoint_count(const struct qms_carrier *c)
{
    return c->server_count + (c->dialing != NULL ? 1 : 0);
}

static struct qms_endpoint *endpoint_at(const struct qms_carrier *c, size_t i)
{
    return i < c->server_count ? c->servers[i].ep : c->dialing;
}

/* Differences, since the page goes on where a worker that died has left it. */
static void pass_stats_on(struct qms_carrier *c)
{
    struct qms_stats_page *page = qms_broker_stats(c->broker);
    struct qms_endpoint_stats sum = {0}, s;

    for (size_t i = 0; i < endpoint_count(c); i++) {
        /* The struct is a row of 64-bit counters. */
        qms_endpoint_stats(endpoint_at(c, i), &s);
        for (size_t k = 0; k < sizeof(s) / sizeof(uint64_t); k++) {
            ((uint64_t *)&sum)[k] += ((const uint64_t *)&s)[k];
        }
    }
    qms_stats_add(page, QMS_S_HANDSHAKES_STARTED,
                  sum.handshakes_started - c->passed.handshakes_started);
    qms_stats_add(page, QMS_S_HANDSHAKES_COMPLETED,
                  sum.handshakes_completed - c->passed.handshakes_completed);
    qms_stats_add(page, QMS_S_HANDSHAKES_FAILED_TLS,
                  sum.handshakes_failed_tls - c->passed.handshakes_failed_tls);
    qms_stats_add(page, QMS_S_HANDSHAKES_FAILED_ALPN,
                  sum.handshakes_failed_alpn - c->passed.handshakes_failed_alpn);
    qms_stats_add(page, QMS_S_HANDSHAKES_FAILED_TIMEOUT,
                  sum.handshakes_failed_timeout - c->passed.handshakes_failed_timeout);
    qms_stats_add(page, QMS_S_HANDSHAKES_FAILED_REFUSED,
                  sum.handshakes_failed_refused - c->passed.handshakes_failed_refused);
    qms_stats_add(page, QMS_S_HANDSHAKES_FAILED_PROTOCOL,
                  sum.handshakes_failed_protocol - c->passed.handshakes_failed_protocol);
    qms_stats_set(page, QMS_S_QUIC_CONNECTIONS, sum.connections);
    qms_stats_add(page, QMS_S_RETRIES, sum.retries_sent - c->passed.retries_sent);
    qms_stats_add(page, QMS_S_VERSION_NEGOTIATIONS,
                  sum.version_negotiations_sent - c->passed.version_negotiations_sent);
    qms_stats_add(page, QMS_S_RESETS, sum.resets_sent - c->passed.resets_sent);
    qms_stats_add(page, QMS_S_CUT_RESETS, sum.cut_for_resets - c->passed.cut_for_resets);
    qms_stats_add(page, QMS_S_CUT_ODD, sum.cut_for_odd_frames - c->passed.cut_for_odd_frames);
    qms_stats_add(page, QMS_S_PACKETS_DROPPED, sum.packets_dropped - c->passed.packets_dropped);
    qms_stats_add(page, QMS_S_UDP_PACKETS_IN, sum.udp_packets_in - c->passed.udp_packets_in);
    qms_stats_add(page, QMS_S_UDP_PACKETS_OUT, sum.udp_packets_out - c->passed.udp_packets_out);
    qms_stats_add(page, QMS_S_UDP_BYTES_IN, sum.udp_bytes_in - c->passed.udp_bytes_in);
    qms_stats_add(page, QMS_S_UDP_BYTES_OUT, sum.udp_bytes_out - c->passed.udp_bytes_out);
    qms_stats_add(page, QMS_S_UDP_READS, sum.udp_reads - c->passed.udp_reads);
    qms_stats_add(page, QMS_S_UDP_WRITES, sum.udp_writes - c->passed.udp_writes);
    c->passed = sum;
}

static qms_time carrier_turn(struct qms_carrier *c, qms_time now)
{
    qms_time next = QMS_NEVER;

    c->now = now;
    for (size_t i = 0; i < endpoint_count(c); i++) {
        qms_endpoint_expire(endpoint_at(c, i), now);
    }
    if (c->h3_at <= now) {
        c->h3_at = now + H3_EVERY;
        qms_carrier_expire_h3(c, now);
    }
    for (size_t i = 0; i < endpoint_count(c); i++) {
        qms_endpoint_flush(endpoint_at(c, i), now);
    }
    if (c->stats_at <= now) {
        c->stats_at = now + STATS_EVERY;
        pass_stats_on(c);
    }
    /* After all flushes: one endpoint's events may have queued on another. */
    for (size_t i = 0; i < endpoint_count(c); i++) {
        qms_time at = qms_endpoint_next_at(endpoint_at(c, i));
        next = at < next ? at : next;
    }
    return c->h3_count > 0 && c->h3_at < next ? c->h3_at : next;
}

static void carrier_stop_accepting(struct qms_carrier *c, bool pass_on)
{
    for (size_t i = 0; i < c->server_count; i++) {
        qms_endpoint_stop_accepting(c->servers[i].ep, pass_on);
    }
}

static size_t carrier_connections(const struct qms_carrier *c)
{
    struct qms_endpoint_stats s;
    size_t count = 0;

    for (size_t i = 0; i < endpoint_count(c); i++) {
        qms_endpoint_stats(endpoint_at(c, i), &s);
        count += (size_t)s.connections;
    }
    return count;
}

_Static_assert(QMS_SLOTS_MAX == QMS_ENDPOINT_SLOTS_MAX, "the same slots");
_Static_assert(QMS_CARRIER_FILTER_MAX == QMS_ENDPOINT_FILTER_MAX, "the same filter");

const struct qms_carrier_ops qms_carrier_quic = {
    .early_data_size = QMS_REPLAY_SHARED_SIZE,
    .filter = qms_endpoint_filter,
    .start = carrier_start,
    .reload = carrier_reload,
    .stop_accepting = carrier_stop_accepting,
    .turn = carrier_turn,
    .connections = carrier_connections,
    .stop = carrier_stop,
};
