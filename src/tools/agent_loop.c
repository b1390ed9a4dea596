/* SPDX-License-Identifier: MIT */
/* The loop: the client's descriptor, signals, and the input and output of the command, by poll.
 * Also an example of how an application drives the library from a loop of its own. */
#include "agent_loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define CLOSE_WITHIN (2 * QMS_SECOND) /* for the connection's last packets */

void agent_finish(struct agent *a, int exit_code)
{
    if (a->exit_code == EXIT_OK) {
        a->exit_code = exit_code;
    }
    if (!a->finished) {
        a->finished = true;
        a->poll_in = a->poll_out = false;
        a->tick_at = QMS_NEVER;
        a->deadline = agent_now() + CLOSE_WITHIN;
        if (a->conn != NULL) {
            qms_connection_close(a->conn, QMS_CODE_OK, NULL);
        }
    }
}

static sigset_t signals_set(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    return set;
}

static int signals_fd(void)
{
    sigset_t set = signals_set();

    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void on_signal(struct agent *a, int fd)
{
    struct signalfd_siginfo info;

    if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        return;
    }
    if (a->finished) {
        a->closed = true; /* the second one does not wait for the good-bye */
    } else if (a->hooks->interrupted != NULL) {
        a->hooks->interrupted(a);
    } else {
        agent_finish(a, EXIT_SIGNAL + (int)info.ssi_signo);
    }
}

static void on_deadline(struct agent *a)
{
    if (a->finished) {
        a->closed = true;
        return;
    }
    agent_error(a, "It was not done within the %.3g seconds of --timeout.",
                (double)a->args.timeout / 1e9);
    agent_finish(a, EXIT_TIMEOUT);
}

/* Milliseconds for poll: the nearer of both instants, rounded up. */
static int wait_ms(const struct agent *a, qms_time now)
{
    qms_time at = a->tick_at < a->deadline ? a->tick_at : a->deadline;

    if (at == QMS_NEVER) {
        return -1;
    }
    return at <= now ? 0 : (int)((at - now + QMS_MILLISECOND - 1) / QMS_MILLISECOND);
}

static void run_timers(struct agent *a)
{
    qms_time now = agent_now();

    if (now >= a->deadline) {
        on_deadline(a);
    } else if (now >= a->tick_at && !a->finished) {
        a->tick_at = QMS_NEVER;
        a->hooks->tick(a);
    }
}

static void turn(struct agent *a, int signals)
{
    struct pollfd p[] = {
        {.fd = qms_client_fd(a->client), .events = POLLIN},
        {.fd = signals, .events = POLLIN},
        {.fd = a->poll_in ? a->in_fd : -1, .events = POLLIN},
        {.fd = a->poll_out ? a->out_fd : -1, .events = POLLOUT},
        {.fd = a->lines.len > 0 ? STDOUT_FILENO : -1, .events = POLLOUT},
    };

    if (poll(p, 5, wait_ms(a, agent_now())) < 0 && errno != EINTR) {
        agent_error(a, "Waiting failed: %s.", strerror(errno));
        agent_finish(a, EXIT_LOCAL);
        a->closed = true;
        return;
    }
    if (p[1].revents != 0) {
        on_signal(a, signals);
    }
    if (p[2].revents != 0 && a->poll_in) {
        a->hooks->input(a);
    }
    if (p[4].revents != 0) {
        agent_lines_flush(&a->lines);
    }
    if (p[3].revents != 0 && a->poll_out) {
        a->hooks->output(a);
    }
    run_timers(a);
    qms_client_process(a->client);
}

void agent_loop(struct agent *a)
{
    sigset_t set = signals_set();
    int signals = signals_fd();

    qms_client_process(a->client);
    while (!a->finished || !a->closed) {
        turn(a, signals);
    }
    if (signals >= 0) {
        (void)close(signals);
    }
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL); /* the last lines may have to wait */
    agent_progress(a, "%s", "");
}
