/* SPDX-License-Identifier: MIT */
/* From a URL to a link: the name is resolved, then its addresses are tried one after another,
 * each with an even share of the time that is left. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "client/loop.h"
#include "client/resolve.h"

#define ALPN          "quicms/1"
#define RESOLVING_MAX 64

const char qms_dial_scheme[] = "quic://";

struct qms_dial {
    struct qms_connection *c;
    struct qms_url home, url; /* as given to qms_connect, and of this attempt */
    struct qms_loop_endpoint *endpoint;
    struct qms_resolve *resolve; /* under way */
    struct qms_addresses found;
    size_t next;         /* address to try next */
    qms_time step_at;    /* QMS_NEVER: nothing to do but wait */
    qms_time give_up_at; /* of the attempt under way, when another address is left */
    qms_err last_err;
};

/* ---- trust ---- */

static void free_trust(void *loaded)
{
    qms_tls_client_free(loaded);
}

/* Loads what the options name, once for all connections made from them. */
static qms_err load_trust(struct qms_options *o, char error[QMS_TLS_ERROR_MAX])
{
    struct qms_tls_client_config config = {
        .ca_file = o->ca_file,
        .pins = (const uint8_t(*)[32])o->pins,
        .pin_count = o->pin_count,
        .insecure = o->insecure,
        .cert_file = o->cert_file,
        .key_file = o->key_file,
        .keylog_file = o->keylog_file,
    };
    struct qms_trust *t;

    if (o->trust != NULL) {
        return QMS_OK;
    }
    t = qms_calloc(1, sizeof(*t));
    if (t == NULL) {
        return QMS_E_NOMEM;
    }
    t->loaded = qms_tls_client_new(&config, error);
    if (t->loaded == NULL) {
        qms_free(t);
        return qms_tls_error_code(error);
    }
    t->refs = 1;
    t->free = free_trust;
    o->trust = t;
    return QMS_OK;
}

struct qms_quic_config qms_loop_config(const struct qms_options *o)
{
    static const enum qms_congestion congestion[] = {
        [QMS_CC_NAME_CUBIC] = QMS_CC_CUBIC,
        [QMS_CC_NAME_RENO] = QMS_CC_RENO,
        [QMS_CC_NAME_BBR] = QMS_CC_BBR,
    };
    struct qms_quic_config q = qms_quic_config_default;

    q.max_streams_bidi = o->max_streams_bidi;
    q.max_streams_uni = o->max_streams_uni;
    q.idle_for = o->idle_for;
    q.keep_alive_for = o->keep_alive_for;
    q.handshake_for = o->connect_for;
    q.congestion = congestion[o->congestion];
    q.max_udp_payload = o->max_udp_payload;
    q.stream_window_max = o->window_stream;
    q.connection_window = o->window_connection;
    return q;
}

/* ---- names ---- */

static void on_resolved(void *arg, const struct qms_addresses *found, const char *error)
{
    struct qms_dial *d = arg;
    char why[QMS_ERROR_TEXT_MAX];

    d->resolve = NULL;
    d->c->client->resolving--;
    if (error != NULL) {
        (void)snprintf(why, sizeof(why), "The host name \"%s\" could not be resolved: %s.",
                       d->url.host, error);
        qms_connection_fail(d->c, QMS_E_RESOLVE, why);
        return;
    }
    d->found = *found;
    d->step_at = 0;
    qms_connection_touch(d->c);
    qms_dial_step(d->c, d->c->client->now);
}

static qms_err begin(struct qms_dial *d)
{
    struct qms_client *client = d->c->client;
    qms_err err;

    if (qms_resolve_literal(&d->url, &d->found)) {
        d->step_at = 0;
        return QMS_OK;
    }
    if (client->resolving >= RESOLVING_MAX) {
        return QMS_E_LIMIT;
    }
    err = qms_resolve_start(client->mail, &d->url, on_resolved, d, &d->resolve);
    if (err == QMS_OK) {
        client->resolving++;
    }
    return err;
}

/* ---- addresses ---- */

static void on_ticket(void *arg, struct qms_bytes ticket)
{
    qms_ticket_note(arg, ticket);
}

static void set_ticket_key(struct qms_dial *d, const char *name)
{
    char server[2 * QMS_HOST_MAX + 64];

    (void)snprintf(server, sizeof(server), "%s %u %s %.253s", d->url.host,
                   (unsigned)d->url.port, ALPN, name);
    qms_tls_client_key(d->c->settings.trust->loaded, server, d->c->ticket_key);
}

static qms_err try_address(struct qms_dial *d, const struct qms_address *a)
{
    const struct qms_options *o = &d->c->settings;
    struct qms_quic_conn *conn = NULL;
    const char *name = o->server_name != NULL ? o->server_name : d->url.host;
    uint8_t ticket[QMS_TICKET_MAX];
    struct qms_quic_resume resume = {
        .early = !o->no_early_data, .on_ticket = on_ticket, .arg = d->c};
    qms_err err;

    set_ticket_key(d, name);
    resume.ticket = (struct qms_bytes){ticket, qms_ticket_load(d->c, ticket, sizeof(ticket))};
    err = qms_endpoint_connect_resumed(qms_loop_endpoint_quic(d->endpoint),
                                       (const struct sockaddr *)&a->sa, a->len, name, ALPN,
                                       o->trust->loaded, &resume, &conn);
    qms_memzero(ticket, resume.ticket.len);
    return err == QMS_OK ? qms_connection_start(d->c, qms_quic_conn_link(conn)) : err;
}

static void set_attempt_limit(struct qms_dial *d, qms_time now)
{
    size_t left = d->found.count - d->next;

    d->give_up_at = QMS_NEVER;
    if (left > 0 && d->c->deadline > now) {
        d->give_up_at = now + (d->c->deadline - now) / (left + 1);
    }
}

static void try_next(struct qms_connection *c, qms_time now)
{
    struct qms_dial *d = c->dial;
    char why[QMS_ERROR_TEXT_MAX];

    d->step_at = QMS_NEVER;
    while (d->next < d->found.count) {
        d->last_err = try_address(d, &d->found.list[d->next++]);
        if (d->last_err == QMS_OK) {
            set_attempt_limit(d, now);
            return;
        }
    }
    qms_dial_explain(c, d->last_err, why, sizeof(why));
    qms_connection_fail(c, d->last_err, why);
}

void qms_dial_step(struct qms_connection *c, qms_time now)
{
    struct qms_dial *d = c->dial;

    if (now >= d->step_at) {
        try_next(c, now);
    } else if (now >= d->give_up_at) {
        d->give_up_at = QMS_NEVER;
        qms_session_close(c->session, QMS_CODE_TIMEOUT, NULL); /* qms_dial_again follows */
    }
}

bool qms_dial_again(struct qms_connection *c, const struct qms_link_close *why)
{
    struct qms_dial *d = c->dial;

    bool answered = why->application && why->by_peer;

    if (why->err == QMS_E_TLS || why->err == QMS_E_CERTIFICATE || answered ||
        d->next >= d->found.count) {
        return false;
    }
    d->last_err = why->err == QMS_OK ? QMS_E_TIMEOUT : why->err;
    d->step_at = 0;
    return true;
}

qms_time qms_dial_next_at(const struct qms_connection *c)
{
    const struct qms_dial *d = c->dial;

    return d->step_at < d->give_up_at ? d->step_at : d->give_up_at;
}

void qms_dial_explain(const struct qms_connection *c, qms_err err, char *out, size_t cap)
{
    const struct qms_url *u = &c->dial->url;

    switch (err) {
    case QMS_E_TIMEOUT:
    case QMS_E_IDLE:
        if (c->dial->found.count == 0) {
            (void)snprintf(out, cap, "No name server answered about \"%s\".", u->host);
            break;
        }
        (void)snprintf(out, cap,
                       "No answer from %s, UDP port %u: check that the broker runs there and "
                       "that UDP is let through.",
                       u->host, (unsigned)u->port);
        break;
    case QMS_E_CONNECT:
        (void)snprintf(out, cap,
                       "No connection is taken at %s, UDP port %u: check that the broker runs "
                       "there, and whether it has as many connections as it may.",
                       u->host, (unsigned)u->port);
        break;
    case QMS_E_CERTIFICATE:
        (void)snprintf(out, cap,
                       "The certificate of %s is not trusted: name the authority that signed "
                       "it, or pin the certificate.",
                       u->host);
        break;
    default:
        (void)snprintf(out, cap, "No connection to %s, port %u: %s", u->host, (unsigned)u->port,
                       qms_strerror(err));
    }
}

void qms_dial_stop(struct qms_connection *c)
{
    struct qms_dial *d = c->dial;

    if (d == NULL) {
        return;
    }
    d->step_at = d->give_up_at = QMS_NEVER;
    d->next = d->found.count;
    if (d->resolve != NULL) {
        qms_resolve_cancel(d->resolve);
        d->resolve = NULL;
        c->client->resolving--;
    }
}

void qms_dial_free(struct qms_dial *d)
{
    if (d != NULL) {
        qms_loop_unuse(d->endpoint);
        qms_free(d);
    }
}

/* ---- qms_connect ---- */

static qms_err redial(struct qms_connection *c, const char *url)
{
    struct qms_dial *d = c->dial;
    char error[QMS_URL_ERROR_MAX];

    if (url == NULL || qms_url_parse(url, &d->url, error) != QMS_OK) {
        d->url = d->home;
    }
    d->found.count = d->next = 0;
    d->step_at = d->give_up_at = QMS_NEVER;
    return begin(d);
}

static qms_err dial_new(struct qms_connection *c, const struct qms_url *url)
{
    struct qms_dial *d = qms_calloc(1, sizeof(*d));
    struct qms_quic_config config = qms_loop_config(&c->settings);
    qms_err err;

    if (d == NULL) {
        return QMS_E_NOMEM;
    }
    *d = (struct qms_dial){
        .c = c, .home = *url, .url = *url, .step_at = QMS_NEVER, .give_up_at = QMS_NEVER};
    c->dial = d;
    c->redial = redial;
    err = qms_loop_use(c->client->driver, &config, &d->endpoint);
    return err == QMS_OK ? begin(d) : err;
}

static qms_err connect_with(struct qms_client *client, struct qms_options *o,
                            const struct qms_url *url,
                            const struct qms_connection_callbacks *callbacks, void *arg,
                            struct qms_connection **out)
{
    struct qms_connection *c = NULL;
    qms_err err = load_trust(o, client->error);

    if (err == QMS_OK) {
        err = qms_connection_new(client, o, callbacks, arg, &c);
    }
    if (err == QMS_OK) {
        err = dial_new(c, url);
    }
    if (err != QMS_OK) {
        int saved = errno;

        if (c != NULL) {
            client->attempted--;
            qms_connection_destroy(c);
        }
        errno = saved;
        return err;
    }
    *out = c;
    return QMS_OK;
}

qms_err qms_connect(struct qms_client *client, const struct qms_options *options,
                    const char *url, const struct qms_connection_callbacks *callbacks,
                    void *arg, struct qms_connection **out)
{
    struct qms_options defaults;
    struct qms_url parsed = {0};
    qms_err err;

    client->error[0] = '\0';
    err = qms_url_parse(url, &parsed, client->error);
    if (err != QMS_OK) {
        return err;
    }
    qms_options_init(&defaults);
    /* Only the cache of loaded trust changes in the caller's options. */
    err = connect_with(client, options == NULL ? &defaults : (struct qms_options *)options,
                       &parsed, callbacks, arg, out);
    qms_options_fini(&defaults);
    if (err != QMS_OK && client->error[0] == '\0') {
        (void)snprintf(client->error, sizeof(client->error), "%s: %s", url, qms_strerror(err));
    }
    return err;
}
