/* cmocka_all.h - cmocka with the headers that it wants before itself, and assertions that it lacks. Of tests only. */
#ifndef CMOCKA_ALL_H
#define CMOCKA_ALL_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/str.h"

#define assert_str_is(actual, expected) assert_str_is_at((actual), (expected), __FILE__, __LINE__)

static inline void assert_str_is_at(struct sl_str actual, const char *expected, const char *file, int line)
{
    if (!sl_str_is(actual, expected)) {
        print_error("%s:%d: \"%" SL_STR_FMT "\" is not \"%s\"\n", file, line, SL_STR_ARG(actual), expected);
        _fail(file, line);
    }
}

/* That `body(argument)` fails an SL_ASSERT: in a child, whose message on stderr is dropped. */
static inline void assert_aborts(void (*body)(void *argument), void *argument)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL); /* cmocka's own handler would go on with the next test, in the child */
        body(argument);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

#endif
