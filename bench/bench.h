/* SPDX-License-Identifier: MIT */
/* quicms-bench: figures of a broker with a sender and a receiver as processes of their own.
 *
 * Every run sends to the agent "bench-sink" (sink.c, a forked process), which answers each
 * stream with what it received, so that a time ends when the last byte has arrived, not when it
 * was queued.
 */
#ifndef QMS_BENCH_H
#define QMS_BENCH_H

#include <sys/types.h>

#include <quicms/client.h>

struct bench {
    const char *url, *token, *pin; /* pin NULL: the certificate is not checked */
    bool json;
    const char *congestion; /* of our own sides and broker; NULL: as they are */
    size_t payload;         /* upper end of path-MTU probing of all sides, bytes */
    const char *only;       /* a word that the names of runs must hold; NULL: all runs */
    unsigned workers;       /* of a broker started by us; 0: as many as it likes */
    pid_t broker;           /* started by us; 0: somebody else's */
    pid_t worker;           /* whose processor time and memory are read; 0: unknown */
    pid_t sink;
    char dir[64]; /* of the broker started by us */
    char own_url[64];
    struct qms_client *client;
    struct qms_connection *conn;
    bool ready, over;
    unsigned idle; /* connections that are to end */
};

/* Bytes of the first field of META that tells the sink what to do. */
#define BENCH_COUNT    "count"    /* answers the number of bytes at the end, 8 bytes */
#define BENCH_MESSAGES "messages" /* answers the number of whole messages, 8 bytes */
#define BENCH_ECHO     "echo"     /* answers with the same bytes */

/* Processor seconds used by all that take part; negative when unknown. */
struct bench_cpu {
    double sender, broker, receiver;
};

/* broker.c */
/** Starts `program` (a quicms) on loopback in a directory of its own; exits with a sentence if
 * it cannot. */
void bench_broker_start(struct bench *b, const char *program);
void bench_broker_stop(struct bench *b);
/** What has been used so far. */
void bench_cpu(const struct bench *b, struct bench_cpu *out);
/** "sender 1.0, broker 2.0, receiver 3.0 UNIT": used since `from`, times `scale`. */
const char *bench_cpu_text(const struct bench *b, const struct bench_cpu *from, double scale,
                           const char *unit);
/** Resident bytes of the worker; 0 when unknown. */
uint64_t bench_worker_rss(const struct bench *b);

/* common.c */
double bench_now(void); /* seconds */
/** A connection ready for use; exits with a sentence if there is none within 10 s. */
struct qms_connection *bench_connect(struct bench *b, const char *id,
                                     const struct qms_connection_callbacks *extra);
/** The same in two steps, for several connections by the same options. */
struct qms_options *bench_options(const struct bench *b, const char *id);
struct qms_connection *bench_connect_by(struct bench *b, const struct qms_options *o,
                                        const struct qms_connection_callbacks *extra);
/** Turns the loop until *done, where qms_client_stop is to be called; exits with a sentence
 * after `for_s` seconds. */
void bench_run(struct bench *b, const bool *done, double for_s, const char *what);
/** Prints one row: name, figure, unit, and what else is worth knowing. */
__attribute__((format(printf, 5, 6))) void bench_row(const struct bench *b, const char *name,
                                                     double value, const char *unit,
                                                     const char *format, ...);
__attribute__((noreturn, format(printf, 1, 2))) void bench_die(const char *format, ...);

/* sink.c */
/** Forks the receiver and waits until it is connected. */
pid_t bench_sink_start(struct bench *b);
void bench_sink_stop(pid_t pid);

/** Whether the run is wanted. */
bool bench_wanted(const struct bench *b, const char *name);

/* The runs. */
void bench_streams(struct bench *b, unsigned streams, uint64_t total);
void bench_messages(struct bench *b, uint64_t count, size_t size);
void bench_requests(struct bench *b, uint64_t count, size_t size, unsigned in_flight);
void bench_idle(struct bench *b, unsigned connections);
/** Load while a shell command runs; prints what agents noticed.  Returns the command's status,
 * or 1 when anything was lost. */
int bench_during(struct bench *b, const char *command);
/** Heap of the client library, by connection and by stream. */
void bench_library(struct bench *b, unsigned connections, unsigned streams);

#endif
