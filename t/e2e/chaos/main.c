/* SPDX-License-Identifier: MIT */
/* quicms-chaos URL PIN TOKEN SEED SECONDS AGENTS */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "chaos.h"

/* All streams must have ended this long after the last thing was begun. */
#define END_WITHIN (30 * QMS_SECOND)
#define ACTS       40

uint64_t chaos_random(struct chaos *c, uint64_t below)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return c->random % below;
}

void chaos_fail(struct chaos *c, const char *format, ...)
{
    va_list ap;

    if (++c->failures > 50) {
        return;
    }
    va_start(ap, format);
    fputs("quicms-chaos: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
}

static qms_time now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (qms_time)ts.tv_sec * QMS_SECOND + (qms_time)ts.tv_nsec;
}

static void turn(struct chaos *c)
{
    qms_err err = qms_client_run(c->client, 2 * QMS_MILLISECOND);

    if (err != QMS_OK && err != QMS_E_TIMEOUT) {
        chaos_fail(c, "the loop failed: %s", qms_strerror(err));
    }
}

static void tell_of_stuck(struct chaos *c)
{
    for (size_t i = 0; i < c->end_count; i++) {
        const struct end *e = c->ends[i];
        const struct direction *d = e->flow->dir;
        uint64_t figures[QMS_STREAM_STAT_COUNT];
        qms_stream_stats(e->st, figures, QMS_STREAM_STAT_COUNT);
        chaos_fail(c,
                   "flow %llu side %u never ended (%s%s%s%s %s): forward %llu of %llu %s%s%s, "
                   "reverse %llu of %llu %s%s%s; buffered %llu, credit %llu",
                   (unsigned long long)e->flow->id, e->side, e->flow->bidi ? "bidi" : "uni",
                   e->flow->echoes     ? " echo"
                   : e->flow->discards ? " discard"
                                       : "",
                   e->flow->broken ? " broken" : "", e->flow->refused ? " refused" : "",
                   e->flow->story, (unsigned long long)d[0].received,
                   (unsigned long long)d[0].written, d[0].finished ? "F" : "",
                   d[0].reset ? "R" : "", d[0].stopped ? "S" : "",
                   (unsigned long long)d[1].received, (unsigned long long)d[1].written,
                   d[1].finished ? "F" : "", d[1].reset ? "R" : "", d[1].stopped ? "S" : "",
                   (unsigned long long)figures[QMS_STREAM_SEND_BUFFERED],
                   (unsigned long long)figures[QMS_STREAM_SEND_CREDIT]);
    }
}

static void run(struct chaos *c, unsigned seconds)
{
    qms_time until = now() + seconds * QMS_SECOND;

    while (now() < until && c->failures == 0) {
        for (unsigned i = 0; i < ACTS; i++) {
            chaos_act(c);
        }
        turn(c);
    }
    c->ending = true;
    until = now() + END_WITHIN;
    while (now() < until && c->end_count > 0 && c->failures == 0) {
        chaos_wind_up(c);
        turn(c);
    }
    if (c->failures == 0) {
        tell_of_stuck(c);
    }
}

static void begin(struct chaos *c)
{
    c->random = c->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    c->agents = calloc(c->agent_count, sizeof(*c->agents));
    for (unsigned i = 0; c->agents != NULL && i < c->agent_count; i++) {
        c->agents[i].chaos = c;
        (void)snprintf(c->agents[i].name, sizeof(c->agents[i].name), "chaos-%llu-%u",
                       (unsigned long long)c->seed, i);
    }
}

static void release_ends(struct chaos *c)
{
    while (c->end_count > 0) {
        chaos_end_release(c->ends[c->end_count - 1]);
    }
}

static void end(struct chaos *c)
{
    release_ends(c);
    for (unsigned i = 0; i < c->agent_count; i++) {
        if (c->agents[i].conn != NULL) {
            qms_connection_release(c->agents[i].conn);
        }
    }
    turn(c);
    release_ends(c);
    qms_client_free(c->client);
    qms_options_free(c->options);
    for (uint64_t i = 0; i < c->flow_count; i++) {
        free(c->flows[i]);
    }
    free(c->flows);
    free(c->ends);
    free(c->agents);
}

int main(int argc, char **argv)
{
    struct chaos c = {.options = qms_options_new()};

    if (argc != 7) {
        fputs("usage: quicms-chaos URL PIN TOKEN SEED SECONDS AGENTS\n", stderr);
        return 64;
    }
    if (c.options == NULL || qms_options_add_certificate_pin(c.options, argv[2]) != QMS_OK ||
        qms_options_set_token(c.options, argv[3]) != QMS_OK ||
        qms_client_new(&c.client) != QMS_OK) {
        fputs("quicms-chaos: the options were refused\n", stderr);
        return 64;
    }
    c.url = argv[1];
    c.seed = strtoull(argv[4], NULL, 10);
    c.agent_count = (unsigned)strtoul(argv[6], NULL, 10);
    begin(&c);
    run(&c, (unsigned)strtoul(argv[5], NULL, 10));
    printf(
        "{\"flows\": %llu, \"bytes\": %llu, \"clean_ends\": %llu, \"errors\": %llu, "
        "\"refusals\": %llu, \"connections\": %llu, \"datagrams\": %llu, \"failures\": %u}\n",
        (unsigned long long)c.flow_count, (unsigned long long)c.bytes,
        (unsigned long long)c.clean_ends, (unsigned long long)c.errors,
        (unsigned long long)c.refusals, (unsigned long long)c.connections,
        (unsigned long long)c.datagrams, c.failures);
    end(&c);
    return c.failures == 0 ? 0 : 1;
}
