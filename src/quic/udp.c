/* SPDX-License-Identifier: MIT */
/* Linux's batched UDP, with the plain calls behind it for kernels and devices that refuse. */
#include <errno.h>
#include <linux/udp.h>
#include <string.h>

#include "base/mem.h"
#include "quic/udp.h"

/* In case libc's headers are older than the kernel's. */
#ifndef UDP_SEGMENT
#    define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#    define UDP_GRO 104
#endif
#ifndef SOL_UDP
#    define SOL_UDP 17
#endif

#define CONTROL_ROOM                                                                           \
    (CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in_pktinfo)) +                         \
     CMSG_SPACE(sizeof(struct in6_pktinfo)))

struct qms_udp_rx {
    struct qms_udp_message messages[QMS_UDP_RX_MESSAGES];
    struct mmsghdr headers[QMS_UDP_RX_MESSAGES];
    struct iovec vecs[QMS_UDP_RX_MESSAGES];
    _Alignas(struct cmsghdr) uint8_t control[QMS_UDP_RX_MESSAGES][CONTROL_ROOM];
    uint8_t data[QMS_UDP_RX_MESSAGES][QMS_UDP_RX_SIZE];
};

struct qms_udp_rx *qms_udp_rx_new(void)
{
    return qms_calloc(1, sizeof(struct qms_udp_rx));
}

void qms_udp_rx_free(struct qms_udp_rx *rx)
{
    qms_free(rx);
}

static bool is_wildcard(const union qms_sockaddr *a)
{
    return a->sa.sa_family == AF_INET ? a->in.sin_addr.s_addr == INADDR_ANY
                                      : IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

static void set_on(int fd, int level, int option, int value)
{
    /* Each of these only improves matters: a kernel without it still carries QUIC. */
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

int qms_udp_init(struct qms_udp *u, int fd, bool offload)
{
    union qms_sockaddr peer;
    socklen_t len = sizeof(peer);

    *u = (struct qms_udp){.fd = fd, .gso = offload, .local_len = sizeof(u->local)};
    if (getsockname(fd, &u->local.sa, &u->local_len) != 0) {
        return errno;
    }
    if (u->local.sa.sa_family != AF_INET && u->local.sa.sa_family != AF_INET6) {
        return EAFNOSUPPORT;
    }
    u->connected = getpeername(fd, &peer.sa, &len) == 0;
    u->pktinfo = !u->connected && is_wildcard(&u->local);
    set_on(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    if (u->pktinfo) {
        set_on(fd, IPPROTO_IP, IP_PKTINFO, 1);
    }
    if (u->local.sa.sa_family == AF_INET6) {
        set_on(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
        if (u->pktinfo) {
            set_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
        }
    }
    set_on(fd, SOL_UDP, UDP_GRO, offload);
    return 0;
}

/* ---- receive ---- */

static void rx_arm(struct qms_udp_rx *rx)
{
    for (int i = 0; i < QMS_UDP_RX_MESSAGES; i++) {
        rx->vecs[i] = (struct iovec){.iov_base = rx->data[i], .iov_len = QMS_UDP_RX_SIZE};
        rx->headers[i].msg_hdr = (struct msghdr){.msg_name = &rx->messages[i].remote,
                                                 .msg_namelen = sizeof(rx->messages[i].remote),
                                                 .msg_iov = &rx->vecs[i],
                                                 .msg_iovlen = 1,
                                                 .msg_control = rx->control[i],
                                                 .msg_controllen = sizeof(rx->control[i])};
    }
}

static void read_control(struct qms_udp_message *m, const struct cmsghdr *c)
{
    if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
        int segment;
        memcpy(&segment, CMSG_DATA(c), sizeof(segment));
        m->segment = segment > 0 ? (size_t)segment : m->segment;
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO &&
               m->local.sa.sa_family == AF_INET) {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof(info));
        m->local.in.sin_addr = info.ipi_addr;
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO &&
               m->local.sa.sa_family == AF_INET6) {
        struct in6_pktinfo info;
        memcpy(&info, CMSG_DATA(c), sizeof(info));
        m->local.in6.sin6_addr = info.ipi6_addr;
    }
}

static void read_message(const struct qms_udp *u, struct qms_udp_rx *rx, int i)
{
    struct qms_udp_message *m = &rx->messages[i];
    struct msghdr *h = &rx->headers[i].msg_hdr;

    m->data = rx->data[i];
    m->len = rx->headers[i].msg_len;
    m->segment = m->len;
    m->remote_len = h->msg_namelen;
    m->local = u->local;
    m->local_len = u->local_len;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
        read_control(m, c);
    }
}

int qms_udp_recv(struct qms_udp *u, struct qms_udp_rx *rx)
{
    int n;

    rx_arm(rx);
    do {
        n = recvmmsg(u->fd, rx->headers, QMS_UDP_RX_MESSAGES, MSG_DONTWAIT, NULL);
    } while (n < 0 && errno == EINTR);
    u->reads++;
    if (n < 0) {
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
    }
    for (int i = 0; i < n; i++) {
        read_message(u, rx, i);
    }
    return n;
}

const struct qms_udp_message *qms_udp_message(const struct qms_udp_rx *rx, int i)
{
    return &rx->messages[i];
}

/* ---- send ---- */

struct tx {
    struct msghdr header;
    struct iovec vec;
    _Alignas(struct cmsghdr) uint8_t control[CONTROL_ROOM];
};

static void *add_control(struct tx *t, int level, int type, size_t len)
{
    struct cmsghdr *c = (struct cmsghdr *)(void *)(t->control + t->header.msg_controllen);

    t->header.msg_control = t->control;
    t->header.msg_controllen += CMSG_SPACE(len);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    return CMSG_DATA(c);
}

static void add_source(struct tx *t, const struct sockaddr *local)
{
    const union qms_sockaddr *a = (const union qms_sockaddr *)(const void *)local;

    if (local->sa_family == AF_INET && a->in.sin_addr.s_addr != INADDR_ANY) {
        struct in_pktinfo info = {.ipi_spec_dst = a->in.sin_addr};
        memcpy(add_control(t, IPPROTO_IP, IP_PKTINFO, sizeof(info)), &info, sizeof(info));
    } else if (local->sa_family == AF_INET6 && !IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr)) {
        struct in6_pktinfo info = {.ipi6_addr = a->in6.sin6_addr};
        memcpy(add_control(t, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(info)), &info, sizeof(info));
    }
}

static void tx_prepare(struct tx *t, const struct qms_udp *u, const struct qms_udp_batch *b,
                       bool segmented)
{
    memset(t, 0, sizeof(*t));
    t->vec = (struct iovec){.iov_base = (void *)(uintptr_t)b->data, .iov_len = b->len};
    t->header.msg_iov = &t->vec;
    t->header.msg_iovlen = 1;
    if (!u->connected) {
        t->header.msg_name = (void *)(uintptr_t)b->remote;
        t->header.msg_namelen = b->remote_len;
    }
    if (u->pktinfo && b->local != NULL) {
        add_source(t, b->local);
    }
    if (segmented) {
        uint16_t size = (uint16_t)b->segment;
        memcpy(add_control(t, SOL_UDP, UDP_SEGMENT, sizeof(size)), &size, sizeof(size));
    }
}

static int send_once(struct qms_udp *u, const struct tx *t)
{
    ssize_t n;

    do {
        n = sendmsg(u->fd, &t->header, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    u->writes++;
    return n >= 0 ? 0 : errno == EWOULDBLOCK ? EAGAIN : errno;
}

/* Datagram by datagram in one call. */
static int send_split(struct qms_udp *u, const struct qms_udp_batch *b, size_t *done)
{
    struct tx t;
    struct mmsghdr headers[QMS_UDP_TX_SEGMENTS];
    struct iovec vecs[QMS_UDP_TX_SEGMENTS];
    unsigned count = 0;
    int n;

    tx_prepare(&t, u, b, false);
    for (size_t off = *done; off < b->len && count < QMS_UDP_TX_SEGMENTS; count++) {
        size_t len = b->len - off < b->segment ? b->len - off : b->segment;
        vecs[count] =
            (struct iovec){.iov_base = (void *)(uintptr_t)(b->data + off), .iov_len = len};
        headers[count].msg_hdr = t.header;
        headers[count].msg_hdr.msg_iov = &vecs[count];
        off += len;
    }
    do {
        n = sendmmsg(u->fd, headers, count, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    u->writes++;
    if (n < 0) {
        return errno == EWOULDBLOCK ? EAGAIN : errno;
    }
    for (int i = 0; i < n; i++) {
        *done += vecs[i].iov_len;
    }
    return 0;
}

/* Errors by which a kernel or a device says that it cannot segment. */
static bool refuses_gso(int err)
{
    return err == EIO || err == EINVAL || err == EOPNOTSUPP || err == ENOPROTOOPT;
}

int qms_udp_send(struct qms_udp *u, const struct qms_udp_batch *b, size_t *done)
{
    bool many = b->len > b->segment;
    int err = 0;

    *done = 0;
    if (!many || u->gso) {
        struct tx t;
        tx_prepare(&t, u, b, many);
        err = send_once(u, &t);
        if (err != EAGAIN && !(many && refuses_gso(err))) {
            *done = b->len;
            return err;
        }
        if (err == EAGAIN) {
            return err;
        }
        u->gso = false;
    }
    while (*done < b->len && (err = send_split(u, b, done)) == 0) {
    }
    if (err != 0 && err != EAGAIN) {
        *done = b->len;
    }
    return err;
}
