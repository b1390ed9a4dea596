/* SPDX-License-Identifier: MIT */
/* UDP in batches: one system call carries up to 64 KiB each way where the kernel can.
 *
 * Sending: one buffer of equal-sized datagrams (the last may be shorter) goes out by
 * UDP_SEGMENT, or by sendmmsg where that is refused.  Receiving: recvmmsg, each message
 * possibly holding many datagrams glued by UDP_GRO.  Nothing here knows QUIC.
 */
#ifndef QMS_QUIC_UDP_H
#define QMS_QUIC_UDP_H

#include <netinet/in.h>
#include <sys/socket.h>

#include <quicms/types.h>

union qms_sockaddr {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* Messages read by one system call, and the room for each. */
#define QMS_UDP_RX_MESSAGES 8
#define QMS_UDP_RX_SIZE     65536
/* Most datagrams of one send (the kernel's UDP_MAX_SEGMENTS of old). */
#define QMS_UDP_TX_SEGMENTS 64

struct qms_udp {
    int fd;
    bool connected; /* has one peer: no addresses on send */
    bool gso;       /* UDP_SEGMENT works as far as known */
    bool pktinfo;   /* bound to the wildcard: the own address travels with each datagram */
    union qms_sockaddr local; /* as bound */
    socklen_t local_len;
    uint64_t reads, writes; /* system calls */
};

/* What one call received. */
struct qms_udp_message {
    const uint8_t *data;
    size_t len, segment; /* bytes in all, bytes of each datagram but the last */
    union qms_sockaddr remote, local;
    socklen_t remote_len, local_len;
};
struct qms_udp_rx;

/** Room for one qms_udp_recv; pages are touched only when used.  NULL: out of memory. */
struct qms_udp_rx *qms_udp_rx_new(void);
void qms_udp_rx_free(struct qms_udp_rx *rx);

/** Takes note of a bound socket and sets what QUIC needs: no fragmentation, UDP_GRO when
 * `offload`, the own address of each datagram.  0 or an errno. */
int qms_udp_init(struct qms_udp *u, int fd, bool offload);
/** Reads what is there without waiting: the number of messages (0: nothing), or -1 and errno
 * (a pending ICMP error).  They stay valid until the next call. */
int qms_udp_recv(struct qms_udp *u, struct qms_udp_rx *rx);
const struct qms_udp_message *qms_udp_message(const struct qms_udp_rx *rx, int i);

struct qms_udp_batch {
    const uint8_t *data;
    size_t len, segment; /* every datagram has `segment` bytes, the last may have fewer */
    const struct sockaddr *remote, *local; /* local may be NULL: the kernel's choice */
    socklen_t remote_len;
};
/** Sends; `*done` is the number of bytes handed to the kernel or given up.  0, EAGAIN (the rest
 * waits for room), or another errno, after which nothing of the batch is left to do. */
int qms_udp_send(struct qms_udp *u, const struct qms_udp_batch *b, size_t *done);

#endif
