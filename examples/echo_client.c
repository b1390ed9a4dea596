/* SPDX-License-Identifier: MIT */
/* Sends words to an echo_server (or with TARGET service:echo to a broker) and prints what comes
 * back, by the blocking layer.
 *
 *   echo_client URL PIN TOKEN TARGET WORDS...       TARGET: self, agent:NAME, service:NAME
 */
#include <quicms/client_sync.h>
#include <stdio.h>
#include <string.h>

#include "common.h"

#define SOON (10 * QMS_SECOND)

static void say(struct qms_sync_stream *st, const char *words)
{
    char back[4096];
    size_t len = strlen(words);

    if (len > sizeof(back)) {
        len = sizeof(back);
    }
    example_check(
        qms_sync_write_all(st, (struct qms_bytes){(const uint8_t *)words, len}, SOON, NULL),
        "write");
    example_check(qms_sync_read_exact(st, back, len, SOON, &len), "read");
    (void)printf("%.*s\n", (int)len, back);
}

int main(int argc, char **argv)
{
    struct qms_sync_connection *c;
    struct qms_sync_stream *st;
    const char *name;

    if (argc < 6) {
        (void)fputs("usage: echo_client URL PIN TOKEN TARGET WORDS...\n", stderr);
        return 2;
    }
    struct qms_options *o = example_options(argv[2], argv[3], NULL);
    enum qms_kind kind = example_target(argv[4], &name);
    example_check(qms_sync_connect(o, argv[1], SOON, &c), argv[1]);
    example_check(qms_sync_open(c, kind, name, 0, QMS_PRIORITY_NORMAL, NULL, SOON, &st),
                  argv[4]);
    for (int i = 5; i < argc; i++) {
        say(st, argv[i]);
    }
    example_check(qms_sync_finish(st, SOON), "finish");
    qms_sync_stream_free(st);
    example_check(qms_sync_close(c, QMS_CODE_OK, NULL, SOON), "close");
    qms_sync_connection_free(c);
    qms_options_free(o);
    return 0;
}
