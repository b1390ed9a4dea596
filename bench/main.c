/* SPDX-License-Identifier: MIT */
/* quicms-bench: arguments, then the runs one after another. */
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static const char usage[] =
    "usage: quicms-bench [OPTIONS] [--broker PROGRAM]\n"
    "       quicms-bench [OPTIONS] --url quic://HOST:PORT [--token T] [--pin SHA256]\n"
    "\n"
    "Without --url a broker is started on loopback from the quicms that stands beside this\n"
    "program.  Sender, broker and receiver are processes of their own; on a machine with few\n"
    "cores they share them.\n"
    "\n"
    "With --during nothing is measured but what agents notice while a shell command runs: how\n"
    "many connections were lost, handshakes failed and streams reset, and the longest pause.  "
    "It\n"
    "finds the broker started here as QUICMS_DIR, QUICMS_CONF and QUICMS_PID.\n"
    "\n"
    "  --during COMMAND    status: the command's, or 1 when anything was lost\n"
    "  --workers N         worker processes of the broker started here (1; with --during "
    "auto)\n"
    "  --json              one object a line\n"
    "  --quick             a tenth of everything\n"
    "  --only WORD         only runs whose name holds the word\n"
    "  --congestion NAME   cubic, reno or bbr, on all sides (else the defaults)\n"
    "  --max-udp-payload N upper end of path-MTU probing on all sides, bytes (1452)\n";

struct setup {
    char program[PATH_MAX]; /* the broker to start */
    uint64_t part;          /* of the usual amounts: one in so many */
    const char *during;     /* NULL: the usual runs */
    int status;
};

static void beside_me(char *out, size_t size)
{
    char self[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (len < 0) {
        bench_die("/proc/self/exe cannot be read");
    }
    self[len] = '\0';
    const char *dir = dirname(self);
    snprintf(out, size, "%.*s/quicms", (int)(size - 16), dir);
    if (access(out, X_OK) != 0) {
        /* In a build tree libtool keeps the true program one folder down. */
        snprintf(out, size, "%.*s/../quicms", (int)(size - 16), dir);
    }
}

static void run_all(struct bench *b, uint64_t part)
{
    bench_streams(b, 1, 1000000000 / part);
    bench_streams(b, 100, 1000000000 / part);
    bench_messages(b, 500000 / part, 1024);
    bench_messages(b, 20000 / part, 65536);
    bench_requests(b, 5000 / part, 1, 1);
    bench_requests(b, 50000 / part, 1024, 64);
    bench_idle(b, (unsigned)(1000 / part));
    bench_library(b, (unsigned)(200 / part), (unsigned)(500 / part));
}

/* False: the arguments were wrong, or only help was wanted. */
static bool parse(int argc, char **argv, struct bench *b, struct setup *s)
{
    static const struct option longs[] = {
        {"url", required_argument, NULL, 'u'},
        {"token", required_argument, NULL, 't'},
        {"pin", required_argument, NULL, 'p'},
        {"json", no_argument, NULL, 'j'},
        {"quick", no_argument, NULL, 'q'},
        {"broker", required_argument, NULL, 'b'},
        {"only", required_argument, NULL, 'o'},
        {"during", required_argument, NULL, 'd'},
        {"workers", required_argument, NULL, 'w'},
        {"congestion", required_argument, NULL, 'c'},
        {"max-udp-payload", required_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int c;

    while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (c) {
        case 'u':
            b->url = optarg;
            break;
        case 't':
            b->token = optarg;
            break;
        case 'p':
            b->pin = optarg;
            break;
        case 'j':
            b->json = true;
            break;
        case 'q':
            s->part = 10;
            break;
        case 'b':
            snprintf(s->program, sizeof(s->program), "%s", optarg);
            break;
        case 'o':
            b->only = optarg;
            break;
        case 'd':
            s->during = optarg;
            break;
        case 'w':
            b->workers = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'c':
            b->congestion = optarg;
            break;
        case 'm':
            b->payload = strtoul(optarg, NULL, 10);
            break;
        case 'h':
            fputs(usage, stdout);
            return false;
        default:
            fputs(usage, stderr);
            s->status = 64;
            return false;
        }
    }
    return true;
}

/* What the figures rest on. */
static void print_setup(const struct bench *b)
{
    char detail[160];

    snprintf(detail, sizeof(detail),
             "%ld cores for all processes; UDP payload up to %zu bytes; congestion control %s",
             sysconf(_SC_NPROCESSORS_ONLN), b->payload,
             b->congestion != NULL ? b->congestion : "as each side's default");
    if (b->json) {
        printf("{\"name\": \"setup\", \"version\": \"%s\", \"url\": \"%s\", \"cores\": %ld, "
               "\"max_udp_payload\": %zu, \"detail\": \"%s\"}\n",
               qms_client_version(), b->url, sysconf(_SC_NPROCESSORS_ONLN), b->payload, detail);
    } else {
        printf("# quicms-bench %s: %s\n", qms_client_version(), detail);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct bench b = {.payload = 1452};
    struct setup s = {.part = 1};

    beside_me(s.program, sizeof(s.program));
    if (!parse(argc, argv, &b, &s)) {
        return s.status;
    }
    if (s.during == NULL && b.workers == 0) {
        b.workers = 1; /* processor time and memory are those of one */
    }
    if (b.url == NULL) {
        bench_broker_start(&b, s.program);
    }
    print_setup(&b);
    if (s.during == NULL) {
        b.sink = bench_sink_start(&b);
    }
    if (qms_client_new(&b.client) != QMS_OK) {
        bench_die("no client");
    }
    if (s.during != NULL) {
        s.status = bench_during(&b, s.during);
        bench_broker_stop(&b);
        return s.status;
    }
    b.conn = bench_connect(&b, "bench-source", NULL);
    run_all(&b, s.part);
    qms_client_free(b.client);
    bench_sink_stop(b.sink);
    bench_broker_stop(&b);
    return 0;
}
