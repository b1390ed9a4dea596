/* SPDX-License-Identifier: MIT */
/* From a URL to a link in a browser, which does nearly all of it: resolves the name, tries its
 * addresses, judges the certificate.  One attempt is one WebTransport object. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "web.h"

#define URL_MAX 2048

const char qms_dial_scheme[] = "https://";

struct qms_dial {
    struct qms_connection *c;
    char *home;      /* as given to qms_connect */
    const char *url; /* of this attempt: home, or `redirect` */
    char *redirect;  /* or NULL */
};

/* ---- an attempt ---- */

static qms_err begin(struct qms_dial *d)
{
    struct qms_web_link *w =
        qms_web_link_new(qms_web_of(d->c->client->driver), &d->c->settings, d->url);

    if (w == NULL) {
        return QMS_E_NOMEM;
    }
    w->c = d->c;
    return qms_connection_start(d->c, &w->link);
}

static qms_err redial(struct qms_connection *c, const char *url)
{
    struct qms_dial *d = c->dial;

    qms_free(d->redirect);
    d->redirect = url == NULL ? NULL : qms_strndup(url, strlen(url));
    d->url = d->redirect == NULL ? d->home : d->redirect;
    return begin(d);
}

void qms_dial_step(struct qms_connection *c, qms_time now)
{
    (void)c, (void)now;
}

bool qms_dial_again(struct qms_connection *c, const struct qms_link_close *why)
{
    (void)c, (void)why;
    return false;
}

qms_time qms_dial_next_at(const struct qms_connection *c)
{
    (void)c;
    return QMS_NEVER;
}

void qms_dial_explain(const struct qms_connection *c, qms_err err, char *out, size_t cap)
{
    if (err == QMS_E_CONNECT || err == QMS_E_TIMEOUT) {
        (void)snprintf(
            out, cap,
            "No session at %.200s: check that the broker runs there, that UDP is let "
            "through, that it allows pages of this origin, and that the "
            "certificate's hash is right; browsers do not tell which it is.",
            c->dial->url);
    } else {
        (void)snprintf(out, cap, "No session at %.200s: %s", c->dial->url, qms_strerror(err));
    }
}

void qms_dial_stop(struct qms_connection *c)
{
    (void)c;
}

void qms_dial_free(struct qms_dial *d)
{
    if (d != NULL) {
        qms_free(d->home);
        qms_free(d->redirect);
        qms_free(d);
    }
}

/* ---- keep-alive ---- */

/* No PING of the library has this number: its PONG is an answer to nothing. */
static const uint8_t nobody[8] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F};

void qms_web_keep_alive(struct qms_web_link *w)
{
    struct qms_control m = {.type = QMS_MSG_PING};

    if (w->c != NULL && w->c->state == QMS_CONN_READY && w->c->session != NULL) {
        memcpy(m.u.ping, nobody, sizeof(nobody));
        (void)!qms_connection_send(w->c, &m); /* without memory the next one goes out */
    }
}

/* ---- qms_connect ---- */

static qms_err refuse(char *error, qms_err err, const char *what, const char *url)
{
    (void)snprintf(error, QMS_ERROR_TEXT_MAX, "%s (\"%.200s\")", what, url);
    return err;
}

static qms_err check(const struct qms_options *o, const char *url, char *error)
{
    if (strncmp(url, "quic://", 7) == 0) {
        return refuse(error, QMS_E_UNSUPPORTED,
                      "A browser cannot speak raw QUIC; use https://HOST:PORT/PATH.", url);
    }
    if (strncmp(url, qms_dial_scheme, strlen(qms_dial_scheme)) != 0 || strlen(url) > URL_MAX) {
        return refuse(error, QMS_E_INVALID,
                      "A broker's address must look like https://HOST:PORT/PATH.", url);
    }
    if (o != NULL &&
        (o->ca_file != NULL || o->cert_file != NULL || o->keylog_file != NULL || o->insecure)) {
        return refuse(error, QMS_E_UNSUPPORTED,
                      "The browser judges certificates: only pins can be set in a page.", url);
    }
    return QMS_OK;
}

static qms_err dial_new(struct qms_connection *c, const char *url)
{
    struct qms_dial *d = qms_calloc(1, sizeof(*d));

    if (d == NULL) {
        return QMS_E_NOMEM;
    }
    c->dial = d;
    c->redial = redial;
    d->c = c;
    d->home = qms_strndup(url, strlen(url));
    d->url = d->home;
    return d->home == NULL ? QMS_E_NOMEM : begin(d);
}

qms_err qms_connect(struct qms_client *client, const struct qms_options *options,
                    const char *url, const struct qms_connection_callbacks *callbacks,
                    void *arg, struct qms_connection **out)
{
    struct qms_options defaults;
    struct qms_connection *c = NULL;
    qms_err err;

    client->error[0] = '\0';
    err = check(options, url, client->error);
    if (err != QMS_OK) {
        return err;
    }
    qms_options_init(&defaults);
    err = qms_connection_new(client, options == NULL ? &defaults : options, callbacks, arg, &c);
    qms_options_fini(&defaults);
    if (err == QMS_OK) {
        err = dial_new(c, url);
        if (err != QMS_OK) {
            client->attempted--;
            qms_connection_destroy(c);
        }
    }
    if (err != QMS_OK) {
        return refuse(client->error, err, qms_strerror(err), url);
    }
    *out = c;
    return QMS_OK;
}
