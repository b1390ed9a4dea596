/* SPDX-License-Identifier: MIT */
/* N numbered datagrams; counts what arrives, what arrives twice and what arrives damaged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

struct run {
    uint64_t count, size, received, twice, damaged;
    uint8_t *seen;
};

static void arrive(struct load *l, struct qms_bytes payload)
{
    struct run *r = l->scenario;
    uint64_t i = 0;

    if (payload.len == r->size) {
        memcpy(&i, payload.data, sizeof(i));
    }
    if (payload.len != r->size || i >= r->count ||
        !load_matches(i, 8, (struct qms_bytes){payload.data + 8, payload.len - 8})) {
        r->damaged++;
        return;
    }
    r->twice += r->seen[i];
    r->received += !r->seen[i];
    r->seen[i] = 1;
}

static void send_one(struct load *l, struct run *r, uint8_t *buf, uint64_t i)
{
    memcpy(buf, &i, sizeof(i));
    load_pattern(i, 8, buf + 8, r->size - 8);
    qms_err err = qms_datagram_send(l->from, QMS_KIND_AGENT, "load-to", QMS_PRIORITY_NORMAL,
                                    (struct qms_bytes){buf, r->size});
    if (err != QMS_OK) {
        load_fail(l, "datagram %llu: %s", (unsigned long long)i, qms_strerror(err));
    }
}

int load_datagrams(struct load *l, uint64_t count, uint64_t size)
{
    struct run r = {.count = count, .size = size < 16 ? 16 : size};
    uint8_t *buf = malloc(r.size);

    r.seen = calloc(count, 1);
    l->scenario = &r;
    l->on_datagram = arrive;
    /* No more than a few are on the way, so that what is lost is lost by somebody's fault. */
    for (uint64_t i = 0; i < count && !l->failed; i++) {
        send_one(l, &r, buf, i);
        for (unsigned turns = 0; i - r.received > 16 && turns < 20 && !l->failed; turns++) {
            (void)qms_client_run(l->client, QMS_MILLISECOND);
        }
    }
    for (unsigned turns = 0; turns < 200 && r.received < count && !l->failed; turns++) {
        (void)qms_client_run(l->client, 10 * QMS_MILLISECOND);
    }
    bool ok = !l->failed && r.damaged == 0 && r.twice == 0;
    printf("{\"sent\": %llu, \"received\": %llu, \"twice\": %llu, \"damaged\": %llu, \"ok\": "
           "%s}\n",
           (unsigned long long)count, (unsigned long long)r.received,
           (unsigned long long)r.twice, (unsigned long long)r.damaged, ok ? "true" : "false");
    free(r.seen);
    free(buf);
    return ok ? 0 : 1;
}
