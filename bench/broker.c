/* SPDX-License-Identifier: MIT */
/* A broker of the bench's own, and what /proc tells of its worker. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static unsigned free_port(int type)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, type, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0) {
        bench_die("no port could be had on loopback: %s", strerror(errno));
    }
    close(fd);
    return ntohs(a.sin_port);
}

static void write_conf(struct bench *b, const char *path)
{
    FILE *f = fopen(path, "w");

    if (f == NULL) {
        bench_die("%s cannot be written: %s", path, strerror(errno));
    }
    unsigned port = free_port(SOCK_DGRAM);
    if (b->workers > 0) {
        fprintf(f, "worker_processes %u;\n", b->workers);
    }
    fprintf(f,
            "daemon off;\npid %s/pid;\nerror_log %s/error.log warn;\nstate_dir %s/state;\n"
            "quic {\n    idle_timeout 120s;\n    max_udp_payload %zu;\n",
            b->dir, b->dir, b->dir, b->payload);
    if (b->congestion != NULL) {
        fprintf(f, "    congestion %s;\n", b->congestion);
    }
    fprintf(f,
            "    tls own { self_signed on; }\n    server {\n"
            "        listen 127.0.0.1:%u quic;\n        tls own;\n        auth off;\n"
            "    }\n}\n",
            port);
    if (fclose(f) != 0) {
        bench_die("%s cannot be written: %s", path, strerror(errno));
    }
    snprintf(b->own_url, sizeof(b->own_url), "quic://127.0.0.1:%u", port);
    b->url = b->own_url;
}

static pid_t child_of(pid_t pid)
{
    char path[64];
    int child = 0;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        return 0;
    }
    if (fscanf(f, "%d", &child) != 1) {
        child = 0;
    }
    fclose(f);
    return child;
}

void bench_broker_start(struct bench *b, const char *program)
{
    char conf[96];

    snprintf(b->dir, sizeof(b->dir), "/tmp/quicms-bench-XXXXXX");
    if (mkdtemp(b->dir) == NULL || chmod(b->dir, 0755) != 0) {
        bench_die("no directory could be made below /tmp: %s", strerror(errno));
    }
    snprintf(conf, sizeof(conf), "%s/quicms.conf", b->dir);
    write_conf(b, conf);
    b->broker = fork();
    if (b->broker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execl(program, program, "-p", b->dir, "-c", conf, (char *)NULL);
        bench_die("%s cannot be run: %s", program, strerror(errno));
    }
    for (unsigned i = 0; i < 200 && b->worker == 0; i++) {
        usleep(50000);
        if (waitpid(b->broker, NULL, WNOHANG) == b->broker) {
            b->broker = 0;
            bench_die("the broker did not start; see %s/error.log", b->dir);
        }
        b->worker = child_of(b->broker);
    }
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL) {
        char name[512];
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            snprintf(name, sizeof(name), "%s/%s", path, e->d_name) < (int)sizeof(name)) {
            if (unlink(name) != 0) {
                remove_tree(name);
            }
        }
    }
    if (d != NULL) {
        closedir(d);
    }
    (void)rmdir(path);
}

void bench_broker_stop(struct bench *b)
{
    if (b->broker > 0) {
        kill(b->broker, SIGTERM);
        waitpid(b->broker, NULL, 0);
        b->broker = 0;
        remove_tree(b->dir);
    }
}

/* To the nanosecond, where the ticks of stat(5) would be too coarse for short runs.  All of
 * these have one thread. */
static double cpu_of(pid_t pid)
{
    char path[64];
    unsigned long long ns = 0;

    snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
    FILE *f = pid > 0 ? fopen(path, "r") : NULL;
    if (f == NULL) {
        return -1;
    }
    if (fscanf(f, "%llu", &ns) != 1) {
        ns = 0;
    }
    fclose(f);
    return (double)ns / 1e9;
}

void bench_cpu(const struct bench *b, struct bench_cpu *out)
{
    out->sender = cpu_of(getpid());
    out->broker = cpu_of(b->worker);
    out->receiver = cpu_of(b->sink);
}

const char *bench_cpu_text(const struct bench *b, const struct bench_cpu *from, double scale,
                           const char *unit)
{
    static char text[128];
    struct bench_cpu now;
    char broker[32] = "";

    bench_cpu(b, &now);
    if (b->worker > 0) {
        snprintf(broker, sizeof(broker), "broker %.2f, ", (now.broker - from->broker) * scale);
    }
    snprintf(text, sizeof(text), "%ssender %.2f, receiver %.2f %s", broker,
             (now.sender - from->sender) * scale, (now.receiver - from->receiver) * scale,
             unit);
    return text;
}

uint64_t bench_worker_rss(const struct bench *b)
{
    char path[64];
    unsigned long pages = 0;

    snprintf(path, sizeof(path), "/proc/%d/statm", (int)b->worker);
    FILE *f = b->worker > 0 ? fopen(path, "r") : NULL;
    if (f == NULL) {
        return 0;
    }
    if (fscanf(f, "%*u %lu", &pages) != 1) {
        pages = 0;
    }
    fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
