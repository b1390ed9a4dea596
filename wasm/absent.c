/* SPDX-License-Identifier: MIT */
/* What a browser has not got: listeners, threads, files and addresses.  The calls of
 * <quicms/client.h> and <quicms/listen.h> are there and say so; those that connections make
 * inside find that nothing was ever listened for. */
#include <quicms/listen.h>

#include "client/client_i.h"
#include "client/listener.h"

/* ---- threads ---- */

qms_err qms_client_start_thread(struct qms_client *client)
{
    (void)client;
    return QMS_E_UNSUPPORTED;
}

void qms_client_join(struct qms_client *client)
{
    (void)client;
}

/* ---- addresses and tickets ---- */

void qms_address_text(const struct sockaddr *sa, char *out, size_t cap)
{
    (void)sa;
    if (cap > 0) {
        out[0] = '\0';
    }
}

size_t qms_ticket_load(struct qms_connection *c, uint8_t *buf, size_t cap)
{
    (void)c, (void)buf, (void)cap;
    return 0;
}

void qms_ticket_save(struct qms_connection *c, const char *key, struct qms_bytes ticket)
{
    (void)c, (void)key, (void)ticket;
}

/* ---- listeners ---- */

qms_err qms_listen(struct qms_client *client, const struct qms_options *options,
                   const char *address, const struct qms_listener_callbacks *callbacks,
                   void *arg, struct qms_listener **out)
{
    (void)client, (void)options, (void)address, (void)callbacks, (void)arg, (void)out;
    return QMS_E_UNSUPPORTED;
}

void qms_listener_stop(struct qms_listener *l, qms_time patience)
{
    (void)l, (void)patience;
}

void qms_listener_release(struct qms_listener *l)
{
    (void)l;
}

const char *qms_listener_local_address(const struct qms_listener *l)
{
    (void)l;
    return "";
}

const char *qms_listener_pin(const struct qms_listener *l)
{
    (void)l;
    return "";
}

struct qms_client *qms_listener_client(const struct qms_listener *l)
{
    return l->client;
}

void qms_listener_stats(const struct qms_listener *l, uint64_t *values, size_t count)
{
    (void)l;
    for (size_t i = 0; i < count; i++) {
        values[i] = 0;
    }
}

const char *qms_listener_stat_name(unsigned stat)
{
    (void)stat;
    return NULL;
}

qms_err qms_connection_admit(struct qms_connection *c, qms_err verdict)
{
    (void)c, (void)verdict;
    return QMS_E_STATE;
}

qms_err qms_connection_trust_broker(struct qms_connection *c)
{
    (void)c;
    return QMS_E_STATE;
}

bool qms_connection_is_broker(const struct qms_connection *c)
{
    (void)c;
    return false;
}

const char *qms_connection_peer_id(const struct qms_connection *c)
{
    (void)c;
    return "";
}

struct qms_bytes qms_connection_peer_token(const struct qms_connection *c)
{
    (void)c;
    return (struct qms_bytes){0};
}

bool qms_connection_peer_certificate(const struct qms_connection *c, uint8_t out[32])
{
    (void)c, (void)out;
    return false;
}

void qms_listeners_dispatch(struct qms_client *client)
{
    (void)client;
}

void qms_listeners_reap(struct qms_client *client, bool all)
{
    (void)client, (void)all;
}

/* ---- connections that a listener took: none is ---- */

void qms_taken_free(struct qms_connection *c)
{
    (void)c;
}

void qms_taken_leave(struct qms_connection *c)
{
    (void)c;
}

void qms_taken_ended(struct qms_connection *c)
{
    (void)c;
}

void qms_taken_dispatch(struct qms_connection *c)
{
    (void)c;
}

void qms_taken_expire(struct qms_connection *c, qms_time now)
{
    (void)c, (void)now;
}

qms_time qms_taken_next_at(const struct qms_connection *c)
{
    (void)c;
    return QMS_NEVER;
}

void qms_taken_hello(struct qms_connection *c, const struct qms_control *hello)
{
    (void)c, (void)hello;
}

void qms_taken_decide(struct qms_connection *c)
{
    (void)c;
}

uint8_t qms_taken_refuses(const struct qms_connection *c, const struct qms_route_header *h)
{
    (void)c, (void)h;
    return QMS_CODE_OK;
}

void qms_taken_stream(struct qms_connection *c, struct qms_stream *st)
{
    (void)c, (void)st;
}

struct qms_bytes qms_taken_peer(const struct qms_connection *c)
{
    (void)c;
    return (struct qms_bytes){0};
}

uint8_t qms_verdict_code(qms_err verdict)
{
    (void)verdict;
    return QMS_CODE_REJECTED;
}
