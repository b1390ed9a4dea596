/* SPDX-License-Identifier: MIT */
/* A link for which no session could be made: it is closed, and its last events find nobody. */
#include "client/client_i.h"

static void ignore_ready(struct qms_link *link)
{
    (void)link;
}
static void ignore_stream(struct qms_link *link, struct qms_link_stream *st)
{
    (void)link;
    (void)st;
}
static void ignore_data(struct qms_link_stream *st, struct qms_bytes data, bool fin)
{
    (void)st;
    (void)data;
    (void)fin;
}
static void ignore_number(struct qms_link_stream *st, uint64_t number)
{
    (void)st;
    (void)number;
}
static void ignore_stream_closed(struct qms_link_stream *st)
{
    (void)st;
}
static void ignore_datagram(struct qms_link *link, struct qms_bytes data)
{
    (void)link;
    (void)data;
}
static void ignore_closed(struct qms_link *link, const struct qms_link_close *why)
{
    (void)link;
    (void)why;
}

void qms_link_abandon(struct qms_link *link)
{
    static const struct qms_link_events nobody = {
        .on_ready = ignore_ready,
        .on_stream = ignore_stream,
        .on_data = ignore_data,
        .on_reset = ignore_number,
        .on_stop = ignore_number,
        .on_acked = ignore_number,
        .on_stream_closed = ignore_stream_closed,
        .on_datagram = ignore_datagram,
        .on_closed = ignore_closed,
    };

    link->events = &nobody;
    link->user = NULL;
    link->ops->close(link, QMS_CODE_INTERNAL, (struct qms_bytes){0});
}
