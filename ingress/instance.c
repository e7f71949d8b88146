/* instance.c - see instance.h. */
#include "ingress/instance.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/uuid.h"

#define REAP_MS  1000
#define FLUSH_MS 1000

struct instance {
    struct settings *first; /* what it was started with */
    struct settings_store *settings;
    struct sl_metrics *metrics;
    struct sl_readiness *readiness;
    struct counters *counters;
    struct admission *admission;
    struct directory *directory;
    struct replies *replies;
    struct publisher *publisher;
    struct listener *listener;
    struct intake *intake;
    struct server *server;
    struct drain drain;
    int64_t reap_at_ms;
};

static uint64_t random_seed(void)
{
    uint64_t seed;
    sl_random_bytes(&seed, sizeof(seed));
    return seed;
}

static unsigned connections_max(const struct instance *instance)
{
    return (unsigned)sl_config_int(instance->first->config, "ingress", "max_connections");
}

static bool start_kafka(struct instance *instance, struct sl_err *err)
{
    const struct sl_config *config = instance->first->config;
    struct publisher_options publisher = {
        .config = config,
        .linger_ms = (int)sl_config_int(config, "ingress", "linger"),
        .deadline_ms = (int)sl_config_int(config, "ingress", "publish_deadline"),
        .queue_bytes_max = 2 * instance->first->limits.in_flight_bytes_max,
        .readiness = instance->readiness,
        .counters = instance->counters,
    };
    struct listener_options listener = {
        .config = config,
        .directory = instance->directory,
        .replies = instance->replies,
        .counters = instance->counters,
        .readiness = instance->readiness,
        .choice = (uint32_t)random_seed(),
    };
    instance->publisher = publisher_start(&publisher, err);
    instance->listener = instance->publisher ? listener_start(&listener, err) : NULL;
    return instance->listener != NULL;
}

static bool start_http(struct instance *instance, const char *service, struct sl_err *err)
{
    const struct sl_config *config = instance->first->config;
    struct intake_parts parts = {
        .settings = instance->settings,
        .admission = instance->admission,
        .publisher = instance->publisher,
        .directory = instance->directory,
        .replies = instance->replies,
        .listener = instance->listener,
        .counters = instance->counters,
    };
    instance->intake = intake_create(&parts, random_seed());
    struct server_options options = {
        .listen = sl_config_cstr(config, "ingress", "listen"),
        .service = service,
        .connections_max = connections_max(instance),
        .connections_per_address_max = (unsigned)sl_config_int(config, "ingress", "connections_per_address"),
        .request_timeout_ms = sl_config_int(config, "ingress", "request_timeout"),
        .intake = instance->intake,
        .metrics = instance->metrics,
        .readiness = instance->readiness,
    };
    instance->server = server_start(&options, err);
    if (instance->server)
        sl_log(SL_LOG_INFO, "server", "listening", LOG_CSTR("address", options.listen),
               LOG_INT("port", server_port(instance->server)), LOG_CSTR("version", SLUICE_VERSION));
    return instance->server != NULL;
}

struct instance *instance_start(struct settings *settings, const char *service, struct sl_err *err)
{
    struct instance *instance = sl_calloc(1, sizeof(*instance));
    instance->first = settings;
    instance->settings = settings_store_create(settings_hold(settings));
    instance->metrics = sl_metrics_create();
    instance->readiness = sl_readiness_create();
    instance->counters = counters_create(instance->metrics);
    instance->admission = admission_create(&settings->limits, random_seed());
    instance->directory = directory_create(DIRECTORY_ENTRIES_MAX);
    instance->replies = replies_create(connections_max(instance));
    if (start_kafka(instance, err) && start_http(instance, service, err))
        return instance;
    instance_stop(instance);
    return NULL;
}

void instance_stop(struct instance *instance)
{
    if (!instance)
        return;
    if (instance->publisher)
        publisher_close(instance->publisher, FLUSH_MS);
    server_stop(instance->server);
    intake_destroy(instance->intake);
    listener_stop(instance->listener);
    publisher_destroy(instance->publisher);
    replies_destroy(instance->replies);
    directory_destroy(instance->directory);
    admission_destroy(instance->admission);
    counters_destroy(instance->counters);
    sl_readiness_destroy(instance->readiness);
    sl_metrics_destroy(instance->metrics);
    settings_store_destroy(instance->settings);
    settings_release(instance->first);
    free(instance);
}

void instance_tick(struct instance *instance, int64_t now_ms)
{
    struct counters_levels levels = {
        .requests = admission_requests(instance->admission),
        .bytes = admission_bytes(instance->admission),
        .waiting = (int64_t)replies_count(instance->replies),
        .connections = server_connections(instance->server),
        .directory_entries = (int64_t)directory_count(instance->directory),
    };
    counters_set_levels(instance->counters, &levels);
    if (now_ms >= instance->reap_at_ms) {
        server_reap(instance->server, now_ms);
        instance->reap_at_ms = now_ms + REAP_MS;
    }
}

void instance_reload(struct instance *instance, struct settings *next)
{
    admission_set_limits(instance->admission, &next->limits);
    settings_replace(instance->settings, next);
}

/* What a step does when it begins. */
static void enter_step(struct instance *instance, enum drain_step step)
{
    static const char *const names[] = {"serving", "refusing new work", "ending what is left", "drained"};
    sl_log(SL_LOG_INFO, "drain", names[step], LOG_INT("requests", admission_requests(instance->admission)));
    if (step == DRAIN_REFUSING) {
        sl_readiness_set(instance->readiness, "drain", "the process is shutting down");
        admission_drain(instance->admission);
    } else if (step == DRAIN_FORCING) {
        /* Before and after: a command may have been published in between. */
        (void)replies_expire(instance->replies, 0, true);
        publisher_close(instance->publisher, FLUSH_MS);
        (void)replies_expire(instance->replies, 0, true);
    }
}

enum drain_step instance_drain(struct instance *instance, bool is_asked, int64_t now_ms)
{
    int64_t timeout_ms = sl_config_int(instance->first->config, "ingress", "drain_timeout");
    int64_t requests = admission_requests(instance->admission);
    enum drain_step next = drain_next(&instance->drain, is_asked, requests, timeout_ms, now_ms);
    if (next != instance->drain.step) {
        enter_step(instance, next);
        instance->drain = (struct drain){.step = next, .since_ms = now_ms};
    }
    return next;
}

unsigned instance_port(const struct instance *instance)
{
    return server_port(instance->server);
}

struct publisher *instance_borrow_publisher(struct instance *instance)
{
    return instance->publisher;
}
