/* SPDX-License-Identifier: MIT */
/* The library in a loop of libuv.  The descriptor becomes readable when a timer of the library
 * has run out or a call has left something to do, so watching it is enough.
 *
 *   uv_loop URL PIN TOKEN TARGET
 */
#include <uv.h>

#include "loop_agent.h"

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct loop_agent *a = poll->data;

    (void)events;
    example_check(status == 0 ? QMS_OK : QMS_E_IO, "poll");
    qms_client_process(a->client);
    if (a->done) {
        uv_close((uv_handle_t *)poll, NULL);
    }
}

int main(int argc, char **argv)
{
    struct loop_agent a;
    uv_loop_t loop;
    uv_poll_t poll;

    loop_agent_start(&a, argc, argv);
    if (uv_loop_init(&loop) != 0 || uv_poll_init(&loop, &poll, qms_client_fd(a.client)) != 0) {
        return 1;
    }
    poll.data = &a;
    if (uv_poll_start(&poll, UV_READABLE, on_poll) != 0) {
        return 1;
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    loop_agent_end(&a);
    return 0;
}
