/* host.c - an engine by itself, for the tests of this folder: SIGTERM drains it, SIGHUP re-reads the configuration,
 * SIGUSR1 wakes it.
 *
 * Usage: execute-host OVERLAY WORKER_ID DRAIN_MS. Exits 0 after a drain that handed everything back, 3 after one that
 * could not, 78 for a bad configuration.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/execute/engine.h"

#define EXIT_CONFIG 78

static struct sl_config *load(const char *overlay)
{
    struct sl_config_problem problems[SL_CONFIG_PROBLEMS_MAX];
    struct sl_config *config = NULL;
    size_t problem_count = 0;
    size_t key_count = 0;
    const struct sl_config_key *keys = sl_config_all_keys(&key_count);
    if (sl_config_load(keys, key_count, overlay, NULL, &config, problems, &problem_count))
        return config;
    for (size_t i = 0; i < problem_count; i++)
        fprintf(stderr, "%s: %s\n", problems[i].place, problems[i].text);
    return NULL;
}

static void serve(struct engine *engine, const char *overlay, const sigset_t *signals)
{
    int number = 0;
    while (sigwait(signals, &number) == 0 && number != SIGTERM) {
        engine_wake(engine);
        if (number != SIGHUP)
            continue;
        struct sl_err err = {0};
        struct sl_config *config = load(overlay);
        if (!config || !engine_reload(engine, config, &err))
            fprintf(stderr, "not reloaded: %s\n", err.message);
        sl_config_destroy(config);
    }
}

int main(int argc, char **argv)
{
    int64_t drain_ms = 0;
    if (argc != 4 || !sl_str_to_int64(sl_str_of(argv[3]), &drain_ms))
        return EXIT_CONFIG;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    sl_log_init("execute-host", SL_LOG_DEBUG, SL_LOG_LOGFMT);
    struct sl_config *config = load(argv[1]);
    if (!config)
        return EXIT_CONFIG;
    struct sl_err err = {0};
    struct sl_metrics *metrics = sl_metrics_create();
    struct sl_readiness *readiness = sl_readiness_create();
    struct engine *engine = engine_create(config, metrics, readiness, argv[2], &err);
    sl_config_destroy(config);
    bool clean = false;
    if (engine && engine_start(engine, &err)) {
        serve(engine, argv[1], &signals);
        clean = engine_drain(engine, (int)drain_ms);
    } else {
        fprintf(stderr, "%s\n", err.message);
    }
    engine_destroy(engine);
    sl_readiness_destroy(readiness);
    sl_metrics_destroy(metrics);
    return clean ? 0 : 3;
}
