/* settings.c - from the configuration's keys to the engine's settings. */
#include "worker/execute/settings.h"

#include <stdlib.h>
#include <string.h>

#include "common/http.h"

#define ARENA_BYTES_MAX ((size_t)256 * 1024)
#define GITHUB_SECTION  "cloud github"
#define LOOKS           5 /* in the time that a dispatched run may take to be listed */

static const char *text_of(struct settings *settings, const struct sl_config *config, const char *section,
                           const char *key)
{
    return sl_arena_cstr(settings->arena, sl_config_text(config, section, key));
}

static bool load_cloud(struct settings *settings, const struct sl_config *config, enum cloud_id id, struct sl_err *err)
{
    const struct cloud *cloud = cloud_of(id);
    const char *section = cloud->section;
    struct cloud_settings *of = &settings->clouds[id];
    of->missing_variable = cloud_missing_variable(cloud, config);
    int64_t concurrency = sl_config_int(config, section, "concurrency");
    of->concurrency = (int)(concurrency < SL_HTTP_CALLS_MAX ? concurrency : SL_HTTP_CALLS_MAX);
    of->attempts = (int)sl_config_int(config, section, "attempts");
    of->backoff.base_ms = sl_config_int(config, section, "backoff_base");
    of->backoff.cap_ms = sl_config_int(config, section, "backoff_cap");
    of->breaker_failures = (int)sl_config_int(config, section, "breaker_failures");
    of->breaker_open_ms = sl_config_int(config, section, "breaker_open");
    of->poll_ms = sl_config_int(config, section, "poll");
    of->poll_cap_ms = of->poll_ms * 10;
    if (of->backoff.cap_ms < of->backoff.base_ms)
        return sl_err_set(err, SL_ERR_PERMANENT, "[%s] backoff_cap is less than backoff_base", section);
    if (of->concurrency < 1 || of->attempts < 1 || of->breaker_failures < 1 || of->breaker_open_ms < 1 ||
        of->poll_ms < 1)
        return sl_err_set(err, SL_ERR_PERMANENT,
                          "[%s] concurrency, attempts, breaker_failures, breaker_open and poll must be positive",
                          section);
    return true;
}

static void load_runs(struct settings *settings, const struct sl_config *config)
{
    settings->run_stop_max_ms = sl_config_int(config, GITHUB_SECTION, "run_stop_max");
    settings->look_ms = sl_config_int(config, GITHUB_SECTION, "look_window") / LOOKS;
    settings->looks_max = LOOKS;
}

struct settings *settings_create(const struct sl_config *config, struct sl_err *err)
{
    struct settings *settings = sl_calloc(1, sizeof(*settings));
    settings->arena = sl_arena_create(ARENA_BYTES_MAX);
    settings->database_url = text_of(settings, config, "postgres", "url");
    settings->lease_ms = sl_config_int(config, "worker", "lease");
    settings->poll_interval_ms = sl_config_int(config, "worker", "poll_interval");
    settings->jobs_in_flight = (int)sl_config_int(config, "worker", "jobs_in_flight");
    settings->stop_grace_ms = sl_config_int(config, "policy", "stop_grace");
    settings->provision_timeout_ms = sl_config_int(config, "policy", "provision_timeout");
    load_runs(settings, config);
    settings->emails = emails_create(sl_config_cstr(config, "email", "templates"), err);
    bool ok = settings->emails && cloud_accounts_init(&settings->reached, config, err) &&
              hosting_load(config, settings->arena, &settings->hosting, err) &&
              sl_seal_ring_create(sl_config_text(config, "worker", "data_keys"), &settings->data_keys, err);
    for (int id = CLOUD_NONE + 1; ok && id < CLOUD_COUNT; id++)
        ok = load_cloud(settings, config, (enum cloud_id)id, err);
    if (ok && settings->database_url[0] == '\0')
        ok = sl_err_set(err, SL_ERR_PERMANENT, "there is no database: [postgres] url (DATABASE_URL) is not set");
    if (ok && (settings->lease_ms < 100 || settings->poll_interval_ms < 1 || settings->jobs_in_flight < 1))
        ok = sl_err_set(err, SL_ERR_PERMANENT,
                        "[worker] lease (at least 100ms), poll_interval and jobs_in_flight must be positive");
    if (ok) {
        memcpy(settings->accounts, settings->reached.of, sizeof(settings->accounts));
        return settings;
    }
    settings_destroy(settings);
    return NULL;
}

int settings_connections_max(const struct settings *settings)
{
    int64_t sum = 0;
    for (int id = CLOUD_NONE + 1; id < CLOUD_COUNT; id++)
        sum += settings->clouds[id].concurrency;
    return (int)(sum < SL_HTTP_CALLS_MAX ? sum : SL_HTTP_CALLS_MAX);
}

void settings_destroy(struct settings *settings)
{
    if (!settings)
        return;
    cloud_accounts_deinit(&settings->reached);
    sl_seal_ring_destroy(settings->data_keys);
    emails_destroy(settings->emails);
    sl_arena_destroy(settings->arena);
    free(settings);
}
