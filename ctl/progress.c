/* progress.c - see progress.h. One thread; the flag is all that the signal handler touches. */
#include "ctl/progress.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"

#define SHOW_EVERY_MS      1000
#define SHOW_LINE_EVERY_MS 10000
#define SLICE_MS           100

static volatile sig_atomic_t interrupted;
static int64_t shown_at_ms;
static bool is_line_open;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

void progress_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

bool progress_is_interrupted(void)
{
    return interrupted != 0;
}

bool progress_stopping(void *arg)
{
    (void)arg;
    return progress_is_interrupted();
}

void progress_show(const char *format, ...)
{
    bool is_terminal = isatty(STDERR_FILENO);
    int64_t now_ms = sl_clock_mono_ms();
    if (shown_at_ms && now_ms - shown_at_ms < (is_terminal ? SHOW_EVERY_MS : SHOW_LINE_EVERY_MS))
        return;
    shown_at_ms = now_ms;
    va_list arguments;
    va_start(arguments, format);
    if (is_terminal)
        (void)fprintf(stderr, "\r\033[K");
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (!is_terminal)
        (void)fputc('\n', stderr);
    is_line_open = is_terminal;
    (void)fflush(stderr);
}

void progress_end(void)
{
    if (is_line_open)
        (void)fprintf(stderr, "\r\033[K");
    is_line_open = false;
    shown_at_ms = 0;
}

bool progress_sleep(int64_t wait_ms)
{
    const int64_t until_ms = sl_clock_mono_ms() + wait_ms;
    for (int64_t left_ms = wait_ms; left_ms > 0 && !interrupted; left_ms = until_ms - sl_clock_mono_ms())
        (void)poll(NULL, 0, (int)(left_ms < SLICE_MS ? left_ms : SLICE_MS));
    return !interrupted;
}
