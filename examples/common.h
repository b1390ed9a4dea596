/* SPDX-License-Identifier: MIT */
/* What the examples share: arguments, and the end of the program on errors. */
#ifndef QUICMS_EXAMPLE_COMMON_H
#define QUICMS_EXAMPLE_COMMON_H

#include <quicms/client.h>

/** Ends the program with the error's sentence unless it is QMS_OK. */
void example_check(qms_err err, const char *what);
/** Options for this agent; "" or NULL leave pin, token or id out. */
struct qms_options *example_options(const char *pin, const char *token, const char *id);
/** "self", "agent:NAME" or "service:NAME"; `*name` points into the text. */
enum qms_kind example_target(const char *text, const char **name);
struct qms_bytes example_text(const char *text);
/** Connects and runs the client until the connection is ready. */
struct qms_connection *example_connect(struct qms_client *client, struct qms_options *options,
                                       const char *url,
                                       struct qms_connection_callbacks callbacks, void *arg);
/** Runs the client until *flag is true; ends the program after 30 s. */
void example_wait(struct qms_client *client, const bool *flag);

#endif
