/* host.c - apply by itself, without executor and sweep, for test_calls.py: so that the Nth call is the Nth of apply's.
 * The configuration is the environment's; SIGTERM ends it.
 */
#include <signal.h>
#include <stdio.h>

#include "common/fault.h"
#include "common/log.h"
#include "worker/apply/apply.h"

#define EXIT_CONFIG 78
#define STOP_MS     10000

static struct sl_config *load(void)
{
    struct sl_config_problem problems[SL_CONFIG_PROBLEMS_MAX];
    struct sl_config *config = NULL;
    size_t problem_count = 0;
    size_t key_count = 0;
    const struct sl_config_key *keys = sl_config_all_keys(&key_count);
    if (sl_config_load(keys, key_count, NULL, NULL, &config, problems, &problem_count))
        return config;
    for (size_t i = 0; i < problem_count; i++)
        (void)fprintf(stderr, "%s: %s\n", problems[i].place, problems[i].text);
    return NULL;
}

static void wake_nobody(void *arg)
{
    (void)arg;
}

int main(void)
{
    struct sl_err err = {0};
    sigset_t signals;
    int number = 0;
    sl_fault_init();
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    sl_log_init("apply-host", SL_LOG_DEBUG, SL_LOG_LOGFMT);
    struct sl_config *config = load();
    if (!config)
        return EXIT_CONFIG;
    struct sl_metrics *metrics = sl_metrics_create();
    struct sl_readiness *readiness = sl_readiness_create();
    const struct apply_options options = {
        .config = config, .metrics = metrics, .readiness = readiness, .worker_id = "apply-host", .wake = wake_nobody};
    struct apply *apply = apply_create(&options, &err);
    sl_config_destroy(config);
    bool ok = apply && apply_start(apply, &err);
    while (ok && sigwait(&signals, &number) != 0)
        continue;
    if (!ok)
        (void)fprintf(stderr, "%s\n", err.message);
    ok = ok && apply_stop(apply, STOP_MS);
    apply_destroy(apply);
    sl_readiness_destroy(readiness);
    sl_metrics_destroy(metrics);
    return ok ? 0 : 1;
}
