/* SPDX-License-Identifier: MIT */
/* A list of what is allowed: what the loop, the carrier, the HTTP endpoint and memory need once
 * a worker has started.  A call that is missing here fails like one without permission, which
 * libraries know how to live with. */
#include "core/process/seccomp.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "core/conf/diag.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define SANITIZED 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define SANITIZED 1
#    endif
#endif
#ifndef SANITIZED
#    define SANITIZED 0
#endif

/* Names, since not every architecture has all of them. */
static const char *const allowed[] = {
    /* sockets that there are, and those to ask a service or to write a log */
    "accept4",
    "bind",
    "connect",
    "getpeername",
    "getsockname",
    "getsockopt",
    "listen",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    /* descriptors */
    "close",
    "dup",
    "dup2",
    "dup3",
    "fcntl",
    "fdatasync",
    "fstat",
    "fsync",
    "lseek",
    "newfstatat",
    "pipe2",
    "pread64",
    "pwrite64",
    "read",
    "readv",
    "sendfile",
    "write",
    "writev",
    /* waiting */
    "clock_nanosleep",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "eventfd2",
    "nanosleep",
    "poll",
    "ppoll",
    "pselect6",
    "restart_syscall",
    "sched_yield",
    "select",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_settime",
    /* memory */
    "brk",
    "futex",
    "madvise",
    "mincore",
    "mremap",
    "munmap",
    /* time, randomness, the process itself */
    "clock_getres",
    "clock_gettime",
    "exit",
    "exit_group",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getppid",
    "getrandom",
    "getrusage",
    "gettid",
    "gettimeofday",
    "getuid",
    "membarrier",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "set_robust_list",
    "sigaltstack",
    "sysinfo",
    "time",
    "uname",
    NULL,
};

/* Nothing that serves ever asks for these; sanitizers do for the first ones. */
#define FOR_SANITIZERS 3
static const char *const hostile[] = {
    "ptrace",
    "process_vm_readv",
    "personality",
    "execve",
    "execveat",
    "process_vm_writev",
    "bpf",
    "keyctl",
    "add_key",
    "request_key",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "setns",
    "unshare",
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "open_by_handle_at",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "capset",
    "quotactl",
    "acct",
    NULL,
};

static int add_all(scmp_filter_ctx filter, uint32_t action, const char *const *names)
{
    int rv = 0;

    for (; rv == 0 && *names != NULL; names++) {
        int number = seccomp_syscall_resolve_name(*names);
        if (number >= 0) {
            rv = seccomp_rule_add(filter, action, number, 0);
        }
    }
    return rv;
}

static int allow_if(scmp_filter_ctx filter, int number, struct scmp_arg_cmp condition)
{
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &condition);
}

/* Calls that are allowed with some arguments only. */
static int add_conditions(scmp_filter_ctx filter)
{
    static const int families[] = {AF_INET, AF_INET6, AF_UNIX};
    static const unsigned long requests[] = {FIONBIO, FIONREAD};
    int rv = 0;

    for (size_t i = 0; rv == 0 && i < sizeof(families) / sizeof(families[0]); i++) {
        rv = allow_if(filter, SCMP_SYS(socket),
                      SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
    }
    for (size_t i = 0; rv == 0 && i < sizeof(requests) / sizeof(requests[0]); i++) {
        rv = allow_if(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, requests[i], 0));
    }
    /* No memory ever becomes code. */
    rv = rv != 0 ? rv
                 : allow_if(filter, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    rv = rv != 0
             ? rv
             : allow_if(filter, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    /* Files are opened beneath a root only.  The flags stand in memory, out of reach here. */
    rv = rv != 0 ? rv
                 : allow_if(filter, SCMP_SYS(openat2),
                            SCMP_A0_32(SCMP_CMP_LE, (scmp_datum_t)INT32_MAX, 0));
    return rv;
}

static int build(scmp_filter_ctx filter)
{
    int rv = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);

    if (SANITIZED) {
        return rv == 0 ? add_all(filter, SCMP_ACT_ERRNO(EPERM), hostile + FOR_SANITIZERS) : rv;
    }
    rv = rv == 0 ? add_all(filter, SCMP_ACT_ALLOW, allowed) : rv;
    rv = rv == 0 ? add_conditions(filter) : rv;
    return rv == 0 ? add_all(filter, SCMP_ACT_KILL_PROCESS, hostile) : rv;
}

qms_err qms_seccomp_apply(struct qms_diag *diag)
{
    scmp_filter_ctx filter = seccomp_init(SANITIZED ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
    int rv = filter != NULL ? build(filter) : -ENOMEM;

    rv = rv == 0 ? seccomp_load(filter) : rv;
    seccomp_release(filter);
    if (rv != 0) {
        qms_diag_error(diag,
                       "The workers' system calls cannot be restricted: %s; \"seccomp off\" "
                       "does without.",
                       strerror(-rv));
        return QMS_E_IO;
    }
    return QMS_OK;
}
