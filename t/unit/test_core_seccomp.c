/* SPDX-License-Identifier: MIT */
/* The filter, each case in a process of its own.  What strictness there is, is that of the
 * plain build; with sanitizers only the part that holds there too is asked. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/process/seccomp.h"
#include "qms_test.h"

#if defined(__SANITIZE_ADDRESS__)
#    define STRICT 0
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define STRICT 0
#    endif
#endif
#ifndef STRICT
#    define STRICT 1
#endif

/* The status of a process that is restricted and then runs `act`; it exits with what that
 * returns. */
static int restricted(int (*act)(void *arg), void *arg)
{
    struct qms_diag diag = {0};
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || qms_seccomp_apply(&diag) != QMS_OK) {
            _exit(99);
        }
        _exit(act(arg));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void comes_to(int (*act)(void *arg), void *arg, int expected)
{
    int status = restricted(act, arg);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

static int error_of(long result)
{
    return result >= 0 ? 0 : errno;
}

static int opens(void *path)
{
    return error_of(open(path, O_RDONLY | O_CLOEXEC));
}

static int creates(void *path)
{
    return error_of(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int opens_beneath(void *root)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
    return error_of(syscall(SYS_openat2, *(int *)root, "hosts", &how, sizeof(how)));
}

static int opens_where_it_stands(void *arg)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};
    (void)arg;
    return error_of(syscall(SYS_openat2, AT_FDCWD, "/etc/hosts", &how, sizeof(how)));
}

static int forks(void *arg)
{
    pid_t pid = fork();
    (void)arg;
    if (pid == 0) {
        _exit(0);
    }
    return error_of(pid);
}

static int runs_a_program(void *arg)
{
    static char *const argv[] = {"true", NULL};
    (void)arg;
    (void)execv("/bin/true", argv);
    return errno;
}

static int makes_code(void *arg)
{
    void *at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)arg;
    return at == MAP_FAILED ? errno : 0;
}

static int opens_a_raw_socket(void *arg)
{
    (void)arg;
    return error_of(socket(AF_PACKET, SOCK_RAW, 0));
}

static int serves(void *arg)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    void *memory = malloc(4 << 20);
    char byte = 0;

    (void)arg;
    if (fd < 0 || memory == NULL || bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0 ||
        (recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno != EAGAIN)) {
        return errno;
    }
    free(memory);
    return 0;
}

static void no_file_is_opened_by_its_path(void **state)
{
    char read[] = "/etc/hosts", write[] = "/tmp/qms_seccomp_test";
    (void)state;

    if (STRICT) {
        comes_to(opens, read, EPERM);
        comes_to(creates, write, EPERM);
        comes_to(opens_where_it_stands, NULL, EPERM);
        assert_int_equal(access(write, F_OK), -1);
    }
}

static void files_beneath_an_open_root_are_opened(void **state)
{
    int root = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)state;

    assert_true(root >= 0);
    comes_to(opens_beneath, &root, 0);
    close(root);
}

static void no_process_and_no_code_is_made(void **state)
{
    (void)state;

    if (STRICT) {
        comes_to(forks, NULL, EPERM);
        comes_to(makes_code, NULL, EPERM);
        comes_to(opens_a_raw_socket, NULL, EPERM);
    }
}

static void who_runs_a_program_is_killed(void **state)
{
    (void)state;

    if (STRICT) {
        int status = restricted(runs_a_program, NULL);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    } else {
        comes_to(runs_a_program, NULL, EPERM);
    }
}

static void sockets_and_memory_are_there(void **state)
{
    (void)state;
    comes_to(serves, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_file_is_opened_by_its_path),
        cmocka_unit_test(files_beneath_an_open_root_are_opened),
        cmocka_unit_test(no_process_and_no_code_is_made),
        cmocka_unit_test(who_runs_a_program_is_killed),
        cmocka_unit_test(sockets_and_memory_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
