/* main.c - sluice-ingress: options, configuration and signals; instance.c does the rest.
 *
 * SIGTERM and SIGINT drain and exit 0; SIGHUP reads secrets and limits again. Signals are blocked before any thread
 * exists, and only serve() takes them.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/fault.h"
#include "common/harden.h"
#include "common/log.h"
#include "common/program.h"
#include "ingress/instance.h"

#define PROGRAM "sluice-ingress"
#define TICK_MS 100

static const char USAGE[] =
    "usage: " PROGRAM " [--config FILE] [--check]\n"
    "\n"
    "Takes webhooks and commands over HTTP, verifies them, and publishes them to Kafka.\n"
    "\n"
    "  --config FILE  the configuration (default: deploy/sluice.conf where it is there);\n"
    "                 the file that SLUICE_CONFIG names is laid over it, the environment over both\n"
    "  --check        check the configuration, print every problem, exit 0 or 78\n"
    "  --version      print the version\n"
    "  --help         print this\n";

static void print_problems(const struct settings_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        (void)fprintf(stderr, "%s: %s\n", problems->items[i].place, problems->items[i].text);
}

/* Missing secrets are told, and are no problem: an installation need not have every source. */
static int check(const struct sl_program *program)
{
    struct settings_problems problems;
    char warnings[SETTINGS_WARNINGS_MAX][SETTINGS_WARNING_BYTES];
    struct settings *settings = settings_load(program->config, program->overlay, &problems);
    if (!settings) {
        print_problems(&problems);
        return SL_PROGRAM_EXIT_CONFIG;
    }
    size_t count = settings_warnings(settings, warnings);
    for (size_t i = 0; i < count; i++)
        (void)fprintf(stderr, "note: %s\n", warnings[i]);
    settings_release(settings);
    return EXIT_SUCCESS;
}

static void log_warnings(const struct settings *settings)
{
    char warnings[SETTINGS_WARNINGS_MAX][SETTINGS_WARNING_BYTES];
    size_t count = settings_warnings(settings, warnings);
    for (size_t i = 0; i < count; i++)
        sl_log(SL_LOG_WARN, "settings", "a source is not available", LOG_CSTR("reason", warnings[i]));
}

static void reload(struct instance *instance, const struct sl_program *program)
{
    struct settings_problems problems;
    struct settings *next = settings_load(program->config, program->overlay, &problems);
    if (!next) {
        for (size_t i = 0; i < problems.count; i++)
            sl_log(SL_LOG_ERROR, "settings", "the configuration has a problem",
                   LOG_CSTR("place", problems.items[i].place), LOG_CSTR("problem", problems.items[i].text));
        sl_log(SL_LOG_ERROR, "settings", "everything stays as it was", LOG_INT("problems", problems.count));
        return;
    }
    log_warnings(next);
    instance_reload(instance, next);
    sl_log(SL_LOG_INFO, "settings", "secrets and limits have been read again", LOG_INT("problems", 0));
}

static void serve(struct instance *instance, const struct sl_program *program, const sigset_t *signals)
{
    const struct timespec pause = {.tv_nsec = TICK_MS * 1000000L};
    bool is_asked = false;
    int64_t now_ms;
    do {
        int number = sigtimedwait(signals, NULL, &pause);
        if (number == SIGHUP)
            reload(instance, program);
        else if (number == SIGTERM || number == SIGINT)
            is_asked = true;
        now_ms = sl_clock_mono_ms();
        instance_tick(instance, now_ms);
    } while (instance_drain(instance, is_asked, now_ms) != DRAIN_DONE);
}

static int run(const struct sl_program *program)
{
    struct settings_problems problems;
    struct sl_err err = {0};
    sigset_t signals;
    struct settings *settings = settings_load(program->config, program->overlay, &problems);
    if (!settings) {
        print_problems(&problems);
        return SL_PROGRAM_EXIT_CONFIG;
    }
    sl_program_start_log(program, settings->config);
    log_warnings(settings);
    sl_program_raise_files(sl_config_int(settings->config, "ingress", "max_connections"));
    sl_program_block_signals(&signals);
    const struct sl_harden_options harden = {
        .config = settings->config,
        .paths = {program->config, program->overlay},
        .listens = {sl_config_cstr(settings->config, "ingress", "listen")},
    };
    sl_harden_serve(&harden);
    struct instance *instance = instance_start(settings, PROGRAM, &err);
    if (instance)
        serve(instance, program, &signals);
    else
        sl_log(SL_LOG_ERROR, "main", "cannot start", LOG_ERR(&err));
    instance_stop(instance);
    return instance ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct sl_program program = {.name = PROGRAM, .usage = USAGE};
    int status = EXIT_SUCCESS;
    sl_fault_init();
    sl_harden_process();
    if (!sl_program_options(&program, argc, argv, &status))
        return status;
    return program.checks ? check(&program) : run(&program);
}
