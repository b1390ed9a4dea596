/* SPDX-License-Identifier: MIT */
/* Bounds the streams that an agent may have open.  A stream counts from its ROUTE until its
 * last byte has been consumed; the stream itself remembers that it was counted. */
#include <quicms/module.h>

struct conf {
    uint64_t max; /* 0: unlimited */
};
struct peer {
    uint64_t open;
};
struct stream {
    struct peer *opener; /* NULL: not counted */
};

static const struct qms_directive directives[] = {
    {.name = "limit_open_streams",
     .contexts = QMS_CTX_MAIN | QMS_CTX_QUIC | QMS_CTX_SERVER,
     .type = QMS_D_NUMBER,
     .offset = QMS_U64_FIELD(struct conf, max),
     .def = "0",
     .max = UINT32_MAX,
     .help = "Streams that an agent may have open at a time; 0 means unlimited."},
    {.name = NULL},
};

static enum qms_verdict on_open(void *stream_data, void *peer_data, const void *conf,
                                const struct qms_route *route, qms_time now,
                                struct qms_refusal *why)
{
    struct stream *s = stream_data;
    struct peer *p = peer_data;
    const struct conf *c = conf;

    (void)now;
    if (c->max != 0 && p->open >= c->max) {
        struct qms_bytes id = qms_peer_id(qms_route_opener(route));
        qms_module_log(QMS_MODULE_NOTICE, "open_streams", "too many streams id=%.*s open=%llu",
                       (int)id.len, (const char *)id.data, (unsigned long long)p->open);
        *why = (struct qms_refusal){QMS_CODE_BUSY, 0, "too many open streams",
                                    "limit_open_streams"};
        return QMS_REJECT;
    }
    p->open++;
    s->opener = p;
    return QMS_PASS;
}

static void on_close(void *stream_data, const void *conf, const struct qms_route *route,
                     uint8_t status, qms_time now)
{
    struct stream *s = stream_data;

    (void)conf, (void)route, (void)status, (void)now;
    if (s->opener != NULL) {
        s->opener->open--;
    }
}

QMS_MODULE_EXPORT const struct qms_module qms_module = {
    .abi = QMS_MODULE_ABI,
    .name = "open_streams",
    .directives = directives,
    .conf_size = sizeof(struct conf),
    .peer_size = sizeof(struct peer),
    .stream_size = sizeof(struct stream),
    .on_open = on_open,
    .on_close = on_close,
};
