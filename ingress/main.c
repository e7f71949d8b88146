/* main.c - sluice-ingress: options, configuration and signals; instance.c does the rest.
 *
 * SIGTERM and SIGINT drain and exit 0; SIGHUP reads secrets and limits again. Signals are blocked before any thread
 * exists, and only serve() takes them.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "ingress/instance.h"

#define PROGRAM        "sluice-ingress"
#define EXIT_USAGE     2
#define EXIT_CONFIG    78 /* EX_CONFIG of sysexits.h */
#define TICK_MS        100
#define DEFAULT_CONFIG "deploy/sluice.conf"

struct paths {
    const char *config;  /* NULL: the environment alone */
    const char *overlay; /* likewise */
};

static const char USAGE[] =
    "usage: " PROGRAM " [--config FILE] [--check]\n"
    "\n"
    "Takes webhooks and commands over HTTP, verifies them, and publishes them to Kafka.\n"
    "\n"
    "  --config FILE  the configuration (default: " DEFAULT_CONFIG " where it is there);\n"
    "                 the file that SLUICE_CONFIG names is laid over it, the environment over both\n"
    "  --check        check the configuration, print every problem, exit 0 or 78\n"
    "  --version      print the version\n"
    "  --help         print this\n";

static void print_problems(const struct settings_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        fprintf(stderr, "%s: %s\n", problems->items[i].place, problems->items[i].text);
}

/* Missing secrets are told, and are no problem: an installation need not have every source. */
static int check(const struct paths *paths)
{
    struct settings_problems problems;
    char warnings[SETTINGS_WARNINGS_MAX][SETTINGS_WARNING_BYTES];
    struct settings *settings = settings_load(paths->config, paths->overlay, &problems);
    if (!settings) {
        print_problems(&problems);
        return EXIT_CONFIG;
    }
    size_t count = settings_warnings(settings, warnings);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "note: %s\n", warnings[i]);
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

static void start_log(const struct sl_config *config)
{
    enum sl_log_level level = SL_LOG_INFO;
    if (!sl_log_level_parse(sl_config_text(config, "log", "level"), &level))
        level = SL_LOG_INFO;
    bool json = sl_str_is(sl_config_text(config, "log", "format"), "json");
    sl_log_init(PROGRAM, level, json ? SL_LOG_JSON : SL_LOG_LOGFMT);
}

static void reload(struct instance *instance, const struct paths *paths)
{
    struct settings_problems problems;
    struct settings *next = settings_load(paths->config, paths->overlay, &problems);
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

static void serve(struct instance *instance, const struct paths *paths, const sigset_t *signals)
{
    const struct timespec pause = {.tv_nsec = TICK_MS * 1000000L};
    bool is_asked = false;
    int64_t now_ms;
    do {
        int number = sigtimedwait(signals, NULL, &pause);
        if (number == SIGHUP)
            reload(instance, paths);
        else if (number == SIGTERM || number == SIGINT)
            is_asked = true;
        now_ms = sl_clock_mono_ms();
        instance_tick(instance, now_ms);
    } while (instance_drain(instance, is_asked, now_ms) != DRAIN_DONE);
}

static int run(const struct paths *paths)
{
    struct settings_problems problems;
    struct sl_err err = {0};
    sigset_t signals;
    struct settings *settings = settings_load(paths->config, paths->overlay, &problems);
    if (!settings) {
        print_problems(&problems);
        return EXIT_CONFIG;
    }
    start_log(settings->config);
    log_warnings(settings);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    SL_ASSERT(pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0);
    (void)signal(SIGPIPE, SIG_IGN);
    struct instance *instance = instance_start(settings, PROGRAM, &err);
    if (instance)
        serve(instance, paths, &signals);
    else
        sl_log(SL_LOG_ERROR, "main", "cannot start", LOG_ERR(&err));
    instance_stop(instance);
    return instance ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const char *default_config(void)
{
    FILE *file = fopen(DEFAULT_CONFIG, "re");
    if (!file)
        return NULL;
    (void)fclose(file);
    return DEFAULT_CONFIG;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct paths paths = {.overlay = getenv("SLUICE_CONFIG")};
    bool checks = false;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            paths.config = optarg;
            break;
        case 'k':
            checks = true;
            break;
        case 'v':
            puts(PROGRAM " " SLUICE_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            fputs(USAGE, stdout);
            return EXIT_SUCCESS;
        default:
            fputs(USAGE, stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fputs(USAGE, stderr);
        return EXIT_USAGE;
    }
    if (!paths.config)
        paths.config = default_config();
    return checks ? check(&paths) : run(&paths);
}
