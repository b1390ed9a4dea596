/* SPDX-License-Identifier: MIT */
/* quicms-load URL PIN TOKEN SCENARIO A B */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

static const struct {
    const char *name;
    int (*run)(struct load *l, uint64_t a, uint64_t b);
} scenarios[] = {
    {"streams", load_streams},     /* COUNT SIZE */
    {"datagrams", load_datagrams}, /* COUNT SIZE */
    {"slow", load_slow},           /* OTHERS SIZE */
    {"priority", load_priority},   /* BULK PRIORITY */
    {"crowd", load_crowd},         /* AGENTS STREAMS; killed by its caller */
    {"fanout", load_fanout},       /* SUBSCRIBERS PAIRS of rounds */
    {"framed", load_framed},       /* COUNT SIZE of messages, at most 16384 */
    {"group", load_group},         /* REQUESTS MILLISECONDS between them, at least */
    {"mesh", load_mesh},           /* AGENTS SIZE; 0: until standard input ends */
};

static int run_scenario(struct load *l, const char *name, uint64_t a, uint64_t b)
{
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        if (strcmp(scenarios[i].name, name) == 0) {
            return scenarios[i].run(l, a, b);
        }
    }
    fprintf(stderr, "quicms-load: no scenario '%s'\n", name);
    return 64;
}

int main(int argc, char **argv)
{
    struct load l = {0};
    struct qms_options *o = qms_options_new();

    if (argc != 7) {
        fputs("usage: quicms-load URL PIN TOKEN "
              "streams|datagrams|slow|priority|crowd|fanout|group|mesh A B\n",
              stderr);
        return 64;
    }
    if (o == NULL || qms_options_add_certificate_pin(o, argv[2]) != QMS_OK ||
        qms_options_set_token(o, argv[3]) != QMS_OK || qms_client_new(&l.client) != QMS_OK) {
        fputs("quicms-load: the options were refused\n", stderr);
        return 64;
    }
    l.options = o;
    l.url = argv[1];
    /* A crowd runs beside the others; a mesh and a fanout bring their own
     * agents. */
    if (strcmp(argv[4], "mesh") != 0 && strcmp(argv[4], "fanout") != 0) {
        load_connect(&l, strcmp(argv[4], "crowd") == 0 ? "crowd" : "load");
    }
    int status =
        run_scenario(&l, argv[4], strtoull(argv[5], NULL, 10), strtoull(argv[6], NULL, 10));
    qms_client_free(l.client);
    qms_options_free(o);
    return status;
}
