/* instance.c - see instance.h. */
#include "console/instance.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "console/catch_up.h"
#include "console/log_reader.h"
#include "console/server.h"
#include "console/tail.h"

#define SECTION "console"
#define REAP_MS 1000

struct instance {
    struct sl_metrics *metrics;
    struct sl_readiness *readiness;
    struct meters meters;
    struct settings *first;         /* what it was started with */
    const struct sl_config *config; /* its configuration */
    struct api *api;
    struct hub *hub;
    struct pool *pool;
    struct tail *tail;
    struct catch_up *catch_up;
    struct server *server;
    struct drain drain;
    int64_t drain_timeout_ms;
    int64_t reap_at_ms;
};

static int64_t number(const struct instance *instance, const char *key)
{
    return sl_config_int(instance->config, SECTION, key);
}

static void make_hub(struct instance *instance)
{
    struct hub_options options = {
        .streams_max = (unsigned)number(instance, "streams"),
        .streams_per_user = (unsigned)number(instance, "streams_per_user"),
        .buffer_bytes = (size_t)number(instance, "stream_buffer"),
        .total_bytes = (size_t)number(instance, "streams_buffer"),
        .heartbeat_ms = number(instance, "heartbeat"),
        .resume_max = number(instance, "resume_max"),
        .partition_of = log_reader_partition_of,
        .carrier = SERVER_CARRIER,
        .meters = &instance->meters,
    };
    instance->hub = hub_create(&options);
}

static bool start_sources(struct instance *instance, struct sl_err *err)
{
    struct pool_options pool = {
        .url = sl_config_cstr(instance->config, "postgres", "url"),
        .sessions = (unsigned)number(instance, "pool"),
        .waiting_max = (unsigned)number(instance, "pool_queue"),
        .wait_ms = number(instance, "pool_wait"),
        .statement_timeout_ms = number(instance, "statement_timeout"),
        .readiness = instance->readiness,
        .meters = &instance->meters,
    };
    struct tail_options tail = {.config = instance->config, .hub = instance->hub, .readiness = instance->readiness};
    instance->pool = pool_start(&pool, err);
    instance->tail = instance->pool ? tail_start(&tail, err) : NULL;
    instance->catch_up = instance->tail ? catch_up_start(instance->config, instance->hub, err) : NULL;
    return instance->catch_up != NULL;
}

static bool start_http(struct instance *instance, const char *service, struct sl_err *err)
{
    struct server_options options = {
        .listen = sl_config_cstr(instance->config, SECTION, "listen"),
        .service = service,
        .connections_max = (unsigned)number(instance, "max_connections"),
        .request_timeout_ms = number(instance, "request_timeout"),
        .api = instance->api,
        .pool = instance->pool,
        .metrics = instance->metrics,
        .readiness = instance->readiness,
    };
    instance->server = server_start(&options, instance->hub, err);
    if (instance->server)
        sl_log(SL_LOG_INFO, "server", "listening", LOG_CSTR("address", options.listen),
               LOG_INT("port", server_port(instance->server)), LOG_CSTR("version", SLUICE_VERSION));
    return instance->server != NULL;
}

struct instance *instance_start(struct settings *settings, const char *service, struct sl_err *err)
{
    struct instance *instance = sl_calloc(1, sizeof(*instance));
    instance->metrics = sl_metrics_create();
    instance->readiness = sl_readiness_create();
    meters_init(&instance->meters, instance->metrics);
    instance->first = settings;
    instance->config = settings->config;
    instance->drain_timeout_ms = number(instance, "drain_timeout");
    instance->api = api_create(settings, &instance->meters);
    make_hub(instance);
    if (start_sources(instance, err) && start_http(instance, service, err))
        return instance;
    instance_stop(instance);
    return NULL;
}

/* Whoever may be called back outlives its callers; and nothing may be suspended when the server goes. */
void instance_stop(struct instance *instance)
{
    if (!instance)
        return;
    if (instance->server)
        server_drain(instance->server);
    hub_end_all(instance->hub, "drain");
    hub_cut_all(instance->hub);
    pool_stop(instance->pool);
    catch_up_stop(instance->catch_up);
    tail_stop(instance->tail);
    server_stop(instance->server);
    hub_destroy(instance->hub);
    api_destroy(instance->api);
    settings_destroy(instance->first);
    sl_readiness_destroy(instance->readiness);
    sl_metrics_destroy(instance->metrics);
    free(instance);
}

void instance_tick(struct instance *instance, int64_t mono_ms, int64_t wall_ms)
{
    hub_tick(instance->hub, mono_ms, wall_ms);
    pool_expire(instance->pool, mono_ms);
    sl_metric_set(instance->meters.connections, server_connections(instance->server));
    if (mono_ms >= instance->reap_at_ms) {
        server_reap(instance->server, mono_ms);
        instance->reap_at_ms = mono_ms + REAP_MS;
    }
}

void instance_reload(struct instance *instance, struct settings *next)
{
    api_reload(instance->api, next);
}

/* What a step does when it begins. */
static void enter_step(struct instance *instance, enum drain_step step)
{
    static const char *const names[] = {"serving", "refusing new work", "ending what is left", "drained"};
    sl_log(SL_LOG_INFO, "drain", names[step], LOG_INT("requests", server_requests(instance->server)),
           LOG_INT("streams", hub_count(instance->hub)));
    if (step == DRAIN_REFUSING) {
        sl_readiness_set(instance->readiness, "drain", "the process is shutting down");
        server_drain(instance->server);
        hub_end_all(instance->hub, "drain");
    } else if (step == DRAIN_FORCING) {
        hub_cut_all(instance->hub);
    }
}

enum drain_step instance_drain(struct instance *instance, bool is_asked, int64_t now_ms)
{
    enum drain_step next =
        drain_next(&instance->drain, is_asked, server_requests(instance->server), instance->drain_timeout_ms, now_ms);
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
