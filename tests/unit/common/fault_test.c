/* fault_test.c - fault points: what is armed acts at the pass that was meant, and everything passed is noted. */
#include "common/fault.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/cmocka_all.h"

#define LOG_BYTES 256

static char log_path[] = "/tmp/fault_test-XXXXXX";

static void note_of(char text[LOG_BYTES])
{
    const int fd = open(log_path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    const ssize_t len = read(fd, text, LOG_BYTES - 1);
    assert_true(len >= 0);
    text[len] = '\0';
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(close(fd), 0);
}

/* A child that passes the points, armed with `fault`; gives how it ended. */
static int ended(const char *fault, const char *const *points, size_t count)
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(null, STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL); /* cmocka has a handler of its own */
        (void)setenv("SLUICE_FAULT", fault, 1);
        (void)setenv("SLUICE_FAULT_LOG", log_path, 1);
        sl_fault_init();
        for (size_t i = 0; i < count; i++) {
            sl_fault(points[i]);
        }
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    if (WIFSTOPPED(status)) {
        int after = 0;
        assert_int_equal(kill(pid, SIGCONT), 0);
        assert_int_equal(waitpid(pid, &after, 0), pid);
        assert_true(WIFEXITED(after) && WEXITSTATUS(after) == 0);
    }
    return status;
}

static void kills_at_the_first_pass(void **state)
{
    static const char *const points[] = {"apply.before_commit", "apply.after_commit", "apply.after_outbox"};
    char text[LOG_BYTES];
    (void)state;
    const int status = ended("apply.after_commit", points, SL_ARRAY_LEN(points));
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    note_of(text);
    assert_string_equal(text, "apply.before_commit\napply.after_commit kill\n");
}

static void acts_at_the_pass_that_was_meant_alone(void **state)
{
    static const char *const points[] = {"apply.after_commit", "apply.after_outbox", "apply.after_commit",
                                         "apply.after_commit"};
    char text[LOG_BYTES];
    (void)state;
    const int status = ended("apply.after_commit:2=stop", points, SL_ARRAY_LEN(points));
    assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    note_of(text);
    assert_string_equal(text, "apply.after_commit\napply.after_outbox\napply.after_commit stop\napply.after_commit\n");
}

static void a_call_fails_once(void **state)
{
    (void)state;
    assert_int_equal(setenv("SLUICE_FAULT", "pg.flush:2=fail", 1), 0);
    sl_fault_init();
    assert_true(sl_fault_is_armed("pg.flush"));
    assert_false(sl_fault_is_armed("pg.answer"));
    assert_false(sl_fault_fails("pg.flush"));
    assert_false(sl_fault_fails("pg.answer"));
    assert_true(sl_fault_fails("pg.flush"));
    assert_false(sl_fault_fails("pg.flush"));
    assert_int_equal(unsetenv("SLUICE_FAULT"), 0);
    sl_fault_init();
    assert_false(sl_fault_fails("pg.flush"));
}

static void nonsense_ends_the_program(void **state)
{
    static const char *const wrong[] = {
        "apply.nowhere",          "apply.after_commit:0",  "apply.after_commit:x",
        "apply.after_commit=die", "apply.after_commit:-1", "apply.after_commit:1000001",
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(wrong); i++) {
        const int status = ended(wrong[i], NULL, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    }
}

static void a_point_that_can_not_fail_says_so(void **state)
{
    static const char *const points[] = {"apply.after_commit"};
    char text[LOG_BYTES];
    (void)state;
    const int status = ended("apply.after_commit=fail", points, 1);
    note_of(text);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void a_point_that_nobody_listed_is_a_mistake(void **state)
{
    static const char *const points[] = {"apply.nowhere"};
    (void)state;
    const int status = ended("", points, 1);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kills_at_the_first_pass),
        cmocka_unit_test(acts_at_the_pass_that_was_meant_alone),
        cmocka_unit_test(a_call_fails_once),
        cmocka_unit_test(nonsense_ends_the_program),
        cmocka_unit_test(a_point_that_can_not_fail_says_so),
        cmocka_unit_test(a_point_that_nobody_listed_is_a_mistake),
    };
    const int fd = mkstemp(log_path);
    if (fd < 0) {
        return EXIT_FAILURE;
    }
    (void)close(fd);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(log_path);
    return failed;
}
