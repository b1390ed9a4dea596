/* SPDX-License-Identifier: MIT */
/* The library in a loop of poll(2): one descriptor, one timeout, one call.
 *
 *   poll_loop URL PIN TOKEN TARGET
 */
#include <poll.h>

#include "loop_agent.h"

int main(int argc, char **argv)
{
    struct loop_agent a;

    loop_agent_start(&a, argc, argv);
    while (!a.done) {
        struct pollfd fd = {.fd = qms_client_fd(a.client), .events = POLLIN};

        if (poll(&fd, 1, qms_client_timeout(a.client)) < 0) {
            return 1;
        }
        qms_client_process(a.client);
    }
    loop_agent_end(&a);
    return 0;
}
