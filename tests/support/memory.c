/* memory.c - see memory.h. */
#include "tests/support/memory.h"

#include "tests/unit/cmocka_all.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAID_BYTES    512
#define EXIT_WRONG    3
#define EXIT_UNFAILED 4
#define FAILED_MAX    20000

static size_t left; /* until the one that fails; 0: none does */
static bool has_failed;

static bool fails(void)
{
    if (left == 0 || --left > 0)
        return false;
    has_failed = true;
    return true;
}

/* The linker's names: the first of each pair is what our code calls, the second what it would have called. */
void *__wrap_malloc(size_t bytes);
void *__real_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes)
{
    return fails() ? NULL : __real_realloc(memory, bytes);
}

static void *openssl_malloc(size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    return __wrap_malloc(bytes);
}

static void *openssl_realloc(void *memory, size_t bytes, const char *file, int line)
{
    (void)file;
    (void)line;
    return __wrap_realloc(memory, bytes);
}

static void openssl_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

void memory_init(void)
{
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1)
        abort();
}

static void run_child(bool (*body)(void *arg), void *arg, size_t nth, int said)
{
    (void)signal(SIGABRT, SIG_DFL);
    (void)dup2(said, STDERR_FILENO);
    left = nth;
    bool is_right = body(arg);
    left = 0;
    _exit(!is_right ? EXIT_WRONG : has_failed ? EXIT_SUCCESS : EXIT_UNFAILED);
}

/* What the child has said, and how it ended. */
static int status_of(bool (*body)(void *arg), void *arg, size_t nth, char ret_said[SAID_BYTES])
{
    int ends[2];
    int status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_child(body, arg, nth, ends[1]);
    assert_int_equal(close(ends[1]), 0);
    ssize_t len = read(ends[0], ret_said, SAID_BYTES - 1);
    assert_true(len >= 0);
    ret_said[len] = '\0';
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(close(ends[0]), 0);
    return status;
}

size_t memory_fail_each(bool (*body)(void *arg), void *arg)
{
    for (size_t nth = 1; nth < FAILED_MAX; nth++) {
        char said[SAID_BYTES];
        int status = status_of(body, arg, nth, said);
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_UNFAILED)
            return nth - 1;
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
            continue;
        bool says_why = strstr(said, "out of memory: ") || strstr(said, "assertion failed: ");
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || !says_why)
            fail_msg("allocation %zu fails, and the end is %s %d; it said: %s", nth,
                     WIFEXITED(status) ? "status" : "signal",
                     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), said);
    }
    fail_msg("more than %d allocations", FAILED_MAX);
    return 0;
}
