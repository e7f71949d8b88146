/* main.c - sluice-worker: puts the parts together, turns signals into drains and reloads.
 *
 * Threads: this one (signals), apply's, the engine's, the sweep's, the watch's, the admin endpoints'. They share
 * nothing but the metrics, the readiness and engine_wake. A drain goes in the order of the flow: no more events, then
 * no more calls, then no more sweeping.
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/admin.h"
#include "common/clock.h"
#include "common/fault.h"
#include "common/harden.h"
#include "common/log.h"
#include "common/sign.h"
#include "common/uuid.h"
#include "worker/apply/apply.h"
#include "worker/apply/policy.h"
#include "worker/clouds/cloud.h"
#include "worker/execute/engine.h"
#include "worker/execute/settings.h"
#include "worker/repair/watch.h"
#include "worker/sweep/sweep.h"

#define PROGRAM         "sluice-worker"
#define EXIT_USAGE      2
#define EXIT_CONFIG     78 /* EX_CONFIG of sysexits.h */
#define DEFAULT_CONFIG  "deploy/sluice.conf"
#define WORKER_ID_BYTES 160
#define STOP_MS_MIN     5000 /* what a part gets at least to come to its end */

struct worker {
    const char *config_path;
    const char *overlay_path;
    struct sl_config *config;
    char id[WORKER_ID_BYTES];
    struct sl_metrics *metrics;
    struct sl_readiness *readiness;
    struct engine *engine;
    struct apply *apply;
    struct sweep *sweep;
    struct watch *watch;
    struct sl_admin *admin;
};

static const char USAGE[] =
    "usage: " PROGRAM " [--config FILE] [--check]\n"
    "\n"
    "Decides events and carries out what was decided: Kafka, Postgres, clouds.\n"
    "\n"
    "  --config FILE  the configuration (default: " DEFAULT_CONFIG " where it is there);\n"
    "                 the file that SLUICE_CONFIG names is laid over it, the environment over both\n"
    "  --check        check the configuration, print every problem, exit 0 or 78\n"
    "  --version      print the version\n"
    "  --help         print this\n";

/* What a worker can't do without, beside what the keys themselves ask for. */
static const struct {
    const char *section, *key, *variable;
} NEEDED[] = {
    {"kafka", "brokers", "KAFKA_BROKERS"},
    {"postgres", "url", "DATABASE_URL"},
};

typedef void problem_printer(const char *place, const char *text);

static void print_problem(const char *place, const char *text)
{
    (void)fprintf(stderr, "%s: %s\n", place, text);
}

static void log_problem(const char *place, const char *text)
{
    sl_log(SL_LOG_ERROR, "config", "the configuration has a problem", LOG_CSTR("place", place),
           LOG_CSTR("problem", text));
}

/* NULL when there is a problem; every one is printed. */
static struct sl_config *load(const struct worker *worker, problem_printer *print)
{
    struct sl_config_problem problems[SL_CONFIG_PROBLEMS_MAX];
    struct sl_config *config = NULL;
    struct sl_err err = {0};
    size_t problem_count = 0;
    size_t key_count = 0;
    const struct sl_config_key *keys = sl_config_all_keys(&key_count);
    bool ok =
        sl_config_load(keys, key_count, worker->config_path, worker->overlay_path, &config, problems, &problem_count);
    for (size_t i = 0; !ok && i < problem_count; i++)
        print(problems[i].place, problems[i].text);
    for (size_t i = 0; config && i < SL_ARRAY_LEN(NEEDED); i++) {
        if (sl_config_is_set(config, NEEDED[i].section, NEEDED[i].key))
            continue;
        print(NEEDED[i].variable, "is not set, and a worker needs it");
        ok = false;
    }
    struct policy_set *policy = config ? policy_create(config, &err) : NULL;
    if (config && !policy) {
        print("plans and policies", err.message);
        ok = false;
    }
    policy_destroy(policy);
    struct settings *settings = ok ? settings_create(config, &err) : NULL;
    if (ok && !settings) {
        print("clouds, regions and e-mails", err.message);
        ok = false;
    }
    settings_destroy(settings);
    if (!ok) {
        sl_config_destroy(config);
        config = NULL;
    }
    return config;
}

/* A cloud that lacks a setting is no problem for the rest: its jobs wait. */
static int check(const struct worker *worker)
{
    struct sl_config *config = load(worker, print_problem);
    if (!config)
        return EXIT_CONFIG;
    for (int id = CLOUD_NONE + 1; id < CLOUD_COUNT; id++) {
        const struct cloud *cloud = cloud_of((enum cloud_id)id);
        const char *variable = cloud_missing_variable(cloud, config);
        if (variable)
            (void)fprintf(stderr, "note: %s is not set: jobs for %s will wait\n", variable, cloud->name);
    }
    sl_config_destroy(config);
    return EXIT_SUCCESS;
}

static void start_log(const struct sl_config *config)
{
    enum sl_log_level level = SL_LOG_INFO;
    (void)!sl_log_level_parse(sl_config_text(config, "log", "level"), &level);
    bool json = sl_str_is(sl_config_text(config, "log", "format"), "json");
    sl_log_init(PROGRAM, level, json ? SL_LOG_JSON : SL_LOG_LOGFMT);
}

/* Unique among all workers there ever were: rows, leases and positions name it. */
static void name_worker(char ret_id[WORKER_ID_BYTES])
{
    char host[64] = "unknown";
    uint8_t random[4];
    char hex[2 * sizeof(random) + 1];
    (void)gethostname(host, sizeof(host) - 1);
    sl_random_bytes(random, sizeof(random));
    sl_sign_hex(random, sizeof(random), hex);
    (void)snprintf(ret_id, WORKER_ID_BYTES, "%s-%d-%s", host, (int)getpid(), hex);
}

static void wake_engine(void *arg)
{
    engine_wake(arg);
}

static bool start(struct worker *worker, struct sl_err *err)
{
    const struct sl_config *config = worker->config;
    worker->metrics = sl_metrics_create();
    worker->readiness = sl_readiness_create();
    worker->engine = engine_create(config, worker->metrics, worker->readiness, worker->id, err);
    if (!worker->engine)
        return false;
    const struct apply_options apply = {
        .config = config,
        .metrics = worker->metrics,
        .readiness = worker->readiness,
        .worker_id = worker->id,
        .wake = wake_engine,
        .wake_arg = worker->engine,
    };
    const struct sweep_options sweep = {
        .config = config,
        .metrics = worker->metrics,
        .worker_id = worker->id,
        .started_at_ms = sl_clock_wall_ms(),
        .wake = wake_engine,
        .wake_arg = worker->engine,
    };
    worker->apply = apply_create(&apply, err);
    worker->sweep = worker->apply ? sweep_create(&sweep, err) : NULL;
    worker->watch = worker->sweep ? watch_create(config, worker->metrics, err) : NULL;
    if (!worker->watch)
        return false;
    worker->admin = sl_admin_start(sl_config_cstr(config, "worker", "admin_listen"), PROGRAM, worker->metrics,
                                   worker->readiness, err);
    return worker->admin && engine_start(worker->engine, err) && apply_start(worker->apply, err) &&
           sweep_start(worker->sweep, err) && watch_start(worker->watch, err);
}

/* False when a part did not come to its end in time: the process must not free what it still uses. */
static bool drain(struct worker *worker)
{
    int64_t timeout_ms = sl_config_int(worker->config, "worker", "drain_timeout");
    int stop_ms = (int)(timeout_ms > STOP_MS_MIN ? timeout_ms : STOP_MS_MIN);
    sl_readiness_set(worker->readiness, "drain", "the process is shutting down");
    if (!apply_stop(worker->apply, stop_ms)) {
        sl_log(SL_LOG_ERROR, "main", "the batch under way did not end in time");
        return false;
    }
    if (!engine_drain(worker->engine, (int)timeout_ms))
        sl_log(SL_LOG_WARN, "main", "jobs could not be handed back: their leases will run out");
    if (!sweep_stop(worker->sweep, stop_ms)) {
        sl_log(SL_LOG_ERROR, "main", "the sweep did not end in time");
        return false;
    }
    if (!watch_stop(worker->watch, stop_ms)) {
        sl_log(SL_LOG_ERROR, "main", "the look at the clouds did not end in time");
        return false;
    }
    return true;
}

static void destroy(struct worker *worker)
{
    sl_admin_stop(worker->admin);
    watch_destroy(worker->watch);
    sweep_destroy(worker->sweep);
    apply_destroy(worker->apply);
    engine_destroy(worker->engine);
    sl_readiness_destroy(worker->readiness);
    sl_metrics_destroy(worker->metrics);
    sl_config_destroy(worker->config);
}

static void reload(struct worker *worker)
{
    struct sl_err err = {0};
    struct sl_config *next = load(worker, log_problem);
    if (next && (!apply_reload(worker->apply, next, &err) || !engine_reload(worker->engine, next, &err) ||
                 !watch_reload(worker->watch, next, &err))) {
        sl_log(SL_LOG_ERROR, "config", "a part refuses the new configuration", LOG_ERR(&err));
        sl_config_destroy(next);
        next = NULL;
    }
    if (!next) {
        sl_log(SL_LOG_ERROR, "config", "the configuration stays as it was");
        return;
    }
    sl_config_destroy(worker->config);
    worker->config = next;
    sl_log(SL_LOG_INFO, "config", "secrets, plans and policies have been read again");
}

static int serve(struct worker *worker, const sigset_t *signals)
{
    int number = 0;
    sl_log(SL_LOG_INFO, "main", "started", LOG_CSTR("worker", worker->id), LOG_CSTR("version", SLUICE_VERSION));
    do {
        if (sigwait(signals, &number) != 0)
            continue;
        if (number == SIGHUP)
            reload(worker);
    } while (number != SIGTERM && number != SIGINT);
    sl_log(SL_LOG_INFO, "main", "draining");
    if (!drain(worker))
        _exit(EXIT_FAILURE); /* threads still run: nothing may be freed */
    sl_log(SL_LOG_INFO, "main", "drained");
    return EXIT_SUCCESS;
}

static int run(struct worker *worker)
{
    struct sl_err err = {0};
    sigset_t signals;
    worker->config = load(worker, print_problem);
    if (!worker->config)
        return EXIT_CONFIG;
    start_log(worker->config);
    name_worker(worker->id);
    /* Blocked before any thread exists: all inherit it, and only serve() takes them. */
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    SL_ASSERT(pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0);
    (void)signal(SIGPIPE, SIG_IGN);
    const struct sl_harden_options harden = {
        .config = worker->config,
        .paths = {worker->config_path, worker->overlay_path},
        .listens = {sl_config_cstr(worker->config, "worker", "admin_listen")},
    };
    sl_harden_serve(&harden);
    if (!start(worker, &err)) {
        sl_log(SL_LOG_ERROR, "main", "cannot start", LOG_ERR(&err));
        /* Threads that did start end with the process: what is committed is safe, and nothing else is owed. */
        _exit(EXIT_FAILURE);
    }
    int status = serve(worker, &signals);
    destroy(worker);
    return status;
}

static const char *default_config(void)
{
    return access(DEFAULT_CONFIG, R_OK) == 0 ? DEFAULT_CONFIG : NULL;
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
    struct worker worker = {.overlay_path = getenv("SLUICE_CONFIG")};
    bool checks = false;
    int option;
    sl_fault_init();
    sl_harden_process();
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            worker.config_path = optarg;
            break;
        case 'k':
            checks = true;
            break;
        case 'v':
            (void)puts(PROGRAM " " SLUICE_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            (void)fputs(USAGE, stdout);
            return EXIT_SUCCESS;
        default:
            (void)fputs(USAGE, stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        (void)fputs(USAGE, stderr);
        return EXIT_USAGE;
    }
    if (!worker.config_path)
        worker.config_path = default_config();
    return checks ? check(&worker) : run(&worker);
}
