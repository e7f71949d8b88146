/* harden_test.c - what a process that has given up its rights can still do, each tried in a child of its own. */
#include "tests/unit/cmocka_all.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/harden.h"
#include "common/landlock.h"

#define CONFIG "[sandbox]\nread_paths = %s/more\n[ingress]\njwt_jwks_file = %s/keys/jwks.json\n"

/* A folder with what the configuration names and with what it does not. */
struct place {
    char folder[64];
    char config[96], keys[96], jwks[96], next[96], more[96], told[96], other[96];
    unsigned port; /* where the process may listen */
};

static struct place place;

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int listening_socket(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    if (descriptor < 0)
        return -1;
    (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(descriptor, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(descriptor, 1) == 0)
        return descriptor;
    const int cause = errno;
    (void)close(descriptor);
    errno = cause;
    return -1;
}

static int make_place(void **state)
{
    (void)state;
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    char text[512];
    (void)snprintf(place.folder, sizeof(place.folder), "/tmp/sluice-harden-test-XXXXXX");
    assert_non_null(mkdtemp(place.folder));
    const struct {
        char *path;
        const char *name;
    } names[] = {{place.config, "sluice.conf"}, {place.keys, "keys"}, {place.jwks, "keys/jwks.json"},
                 {place.next, "keys/next"},     {place.more, "more"}, {place.told, "more/told"},
                 {place.other, "other"}};
    for (size_t i = 0; i < SL_ARRAY_LEN(names); i++)
        (void)snprintf(names[i].path, sizeof(place.config), "%s/%s", place.folder, names[i].name);
    assert_int_equal(mkdir(place.keys, 0700), 0);
    assert_int_equal(mkdir(place.more, 0700), 0);
    (void)snprintf(text, sizeof(text), CONFIG, place.folder, place.folder);
    write_file(place.config, text);
    write_file(place.jwks, "{}");
    write_file(place.told, "told");
    write_file(place.other, "other");
    int probe = listening_socket(0);
    assert_true(probe >= 0);
    assert_int_equal(getsockname(probe, (struct sockaddr *)&address, &len), 0);
    place.port = ntohs(address.sin_port);
    assert_int_equal(close(probe), 0);
    return 0;
}

static int drop_place(void **state)
{
    (void)state;
    const char *const files[] = {place.jwks, place.next, place.told, place.other, place.config};
    for (size_t i = 0; i < SL_ARRAY_LEN(files); i++)
        (void)unlink(files[i]);
    assert_int_equal(rmdir(place.keys), 0);
    assert_int_equal(rmdir(place.more), 0);
    return rmdir(place.folder);
}

/* 0, or errno. */
static int reads(const char *path)
{
    char byte;
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return errno;
    int cause = read(descriptor, &byte, 1) == 1 ? 0 : errno;
    (void)close(descriptor);
    return cause;
}

static int makes(const char *path)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return errno;
    (void)close(descriptor);
    return 0;
}

static int listens(unsigned port)
{
    int descriptor = listening_socket(port);
    if (descriptor < 0)
        return errno;
    (void)close(descriptor);
    return 0;
}

static int opens_socket(int family, int type)
{
    int descriptor = socket(family, type, 0);
    if (descriptor < 0)
        return errno;
    (void)close(descriptor);
    return 0;
}

static int executes(void)
{
    char *const arguments[] = {(char[]){"true"}, NULL};
    (void)execv("/bin/true", arguments);
    return errno;
}

static int forks(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid < 0 ? errno : 0;
}

static void *nothing(void *arg)
{
    return arg;
}

static int makes_thread(void)
{
    pthread_t thread;
    int cause = pthread_create(&thread, NULL, nothing, NULL);
    return cause ? cause : pthread_join(thread, NULL);
}

static int calls(long number)
{
    return syscall(number, 0, 0, 0, 0, 0) < 0 ? errno : 0;
}

static int signals(pid_t pid)
{
    return kill(pid, 0) == 0 ? 0 : errno;
}

static int gains_privileges_again(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : errno;
}

#define TRY(call, expected)                                                                                            \
    do {                                                                                                               \
        int got = (call);                                                                                              \
        if (got != (expected)) {                                                                                       \
            (void)fprintf(stderr, "%s gave %s instead of %s\n", #call, strerror(got), strerror(expected));             \
            failures++;                                                                                                \
        }                                                                                                              \
    } while (0)

/* What the kernel has of Landlock is in force: all of it, or none where it has none. */
static int tries_files_and_ports(int version)
{
    int failures = 0;
    TRY(reads("/etc/shadow"), EACCES);
    TRY(reads("/bin/true"), EACCES);
    TRY(reads(place.other), 0); /* beside the configuration, as mounted secrets would be */
    TRY(reads(place.config), 0);
    TRY(reads(place.jwks), 0);
    TRY(reads(place.next), 0); /* put there afterwards */
    TRY(reads(place.told), 0);
    TRY(reads("/etc/hosts"), 0);
    TRY(makes(place.told), EACCES);
    TRY(makes("/tmp/sluice-harden-test-new"), EACCES);
    TRY(unlink(place.told) == 0 ? 0 : errno, EACCES);
    if (version >= 4) {
        TRY(listens(place.port), 0);
        TRY(listens(place.port == 65535 ? place.port - 1 : place.port + 1), EACCES);
    }
    if (version >= 6)
        TRY(signals(getppid()), EPERM);
    return failures;
}

static int tries_in_the_sandbox(const struct sl_harden_report *report)
{
    int failures = 0;
    TRY(report->landlock_version == sl_landlock_version() ? 0 : EPROTO, 0);
    TRY(report->refused_calls > 0 ? 0 : ENOSYS, 0);
    TRY(executes(), EPERM);
    TRY(forks(), EPERM);
    TRY(makes_thread(), 0);
    TRY(calls(SYS_bpf), EPERM);
    TRY(calls(SYS_unshare), EPERM);
    TRY(calls(SYS_keyctl), EPERM);
    TRY(calls(SYS_setuid), EPERM);
    TRY(calls(SYS_io_uring_setup), EPERM);
    TRY(mount("none", place.folder, "tmpfs", 0, NULL) == 0 ? 0 : errno, EPERM);
    TRY(opens_socket(AF_PACKET, SOCK_RAW), EPERM);
    TRY(opens_socket(AF_INET, SOCK_STREAM), 0);
    TRY(opens_socket(AF_INET6, SOCK_DGRAM), 0);
    TRY(signals(getpid()), 0);
    TRY(gains_privileges_again(), EINVAL);
    return failures + (report->landlock_version > 0 ? tries_files_and_ports(report->landlock_version) : 0);
}

static int status_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void what_was_given_up_is_gone(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sl_config_problem problems[SL_CONFIG_PROBLEMS_MAX];
        struct sl_config *config = NULL;
        struct sl_harden_report report;
        size_t key_count = 0;
        size_t problem_count = 0;
        char listen_at[32];
        const struct sl_config_key *keys = sl_config_all_keys(&key_count);
        (void)snprintf(listen_at, sizeof(listen_at), "127.0.0.1:%u", place.port);
        if (!sl_config_load(keys, key_count, place.config, NULL, &config, problems, &problem_count))
            _exit(100);
        const struct sl_harden_options options = {.config = config, .paths = {place.config}, .listens = {listen_at}};
        sl_harden_sandbox(&options, &report);
        /* the other process puts a file where a named one stands */
        (void)raise(SIGSTOP);
        _exit(tries_in_the_sandbox(&report));
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    write_file(place.next, "next");
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(status_of(pid), 0);
}

static void a_process_leaves_no_core_and_gains_nothing(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit limit = {.rlim_cur = 1};
        int failures = 0;
        sl_harden_process();
        TRY(getrlimit(RLIMIT_CORE, &limit), 0);
        TRY((int)limit.rlim_cur, 0);
        TRY((int)limit.rlim_max, 0);
        TRY(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
        TRY(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
        _exit(failures);
    }
    assert_int_equal(status_of(pid), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_given_up_is_gone),
        cmocka_unit_test(a_process_leaves_no_core_and_gains_nothing),
    };
    return cmocka_run_group_tests(tests, make_place, drop_place);
}
