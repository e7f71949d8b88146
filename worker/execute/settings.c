/* settings.c - from the configuration's keys to the engine's settings. */
#include "worker/execute/settings.h"

#include <stdlib.h>
#include <string.h>

#include "common/http.h"

#define ARENA_BYTES_MAX     ((size_t)256 * 1024)
#define HETZNER_SECTION     "cloud hetzner"
#define TAILSCALE_SECTION   "cloud tailscale"
#define GITHUB_SECTION      "cloud github"
#define PROVISIONER_SECTION "cloud provisioner"
#define RESEND_SECTION      "cloud resend"
#define STRIPE_SECTION      "cloud stripe"
#define LOOKS               5 /* in the time that a dispatched run may take to be listed */

static const char *text_of(struct settings *settings, const struct sl_config *config, const char *section,
                           const char *key)
{
    return sl_arena_cstr(settings->arena, sl_config_text(config, section, key));
}

static struct sl_str secret_of(struct settings *settings, const struct sl_config *config, const char *section,
                               const char *key)
{
    struct sl_secret *secret = sl_secret_create(sl_config_text(config, section, key));
    if (!secret)
        return SL_STR_NONE;
    SL_ASSERT(settings->secret_count < SL_ARRAY_LEN(settings->secrets));
    settings->secrets[settings->secret_count++] = secret;
    return sl_secret_borrow(secret);
}

/* Without the slashes at its end, which paths bring along. */
static const char *url_of(struct settings *settings, const struct sl_config *config, const char *section,
                          const char *key)
{
    struct sl_str url = sl_config_text(config, section, key);
    while (url.len > 0 && url.ptr[url.len - 1] == '/')
        url.len--;
    return sl_arena_cstr(settings->arena, url);
}

static bool load_cloud(struct settings *settings, const struct sl_config *config, enum cloud_id id, struct sl_err *err)
{
    const struct cloud *cloud = cloud_of(id);
    const char *section = cloud->section;
    struct cloud_account *account = &settings->accounts[id];
    account->base_url = url_of(settings, config, section, "base_url");
    account->connect_timeout_ms = (int)sl_config_int(config, section, "connect_timeout");
    account->timeout_ms = (int)sl_config_int(config, section, "timeout");
    struct sl_str url = sl_str_of(account->base_url);
    /* a cloud without an address of its own is told by what it misses */
    if (url.len > 0 && !sl_str_starts_with(url, SL_STR("http://")) && !sl_str_starts_with(url, SL_STR("https://")))
        return sl_err_set(err, SL_ERR_PERMANENT, "[%s] base_url is no URL: \"%s\"", section, account->base_url);

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

static void load_accounts(struct settings *settings, const struct sl_config *config)
{
    struct cloud_account *hetzner = &settings->accounts[CLOUD_HETZNER];
    hetzner->token = secret_of(settings, config, HETZNER_SECTION, "token");

    struct cloud_account *tailscale = &settings->accounts[CLOUD_TAILSCALE];
    tailscale->token = secret_of(settings, config, TAILSCALE_SECTION, "api_key");
    tailscale->oauth_client_id = secret_of(settings, config, TAILSCALE_SECTION, "oauth_client_id");
    tailscale->oauth_client_secret = secret_of(settings, config, TAILSCALE_SECTION, "oauth_client_secret");
    tailscale->tailnet = text_of(settings, config, TAILSCALE_SECTION, "tailnet");
    if (tailscale->tailnet[0] == '\0')
        tailscale->tailnet = "-";

    struct cloud_account *github = &settings->accounts[CLOUD_GITHUB];
    github->token = secret_of(settings, config, GITHUB_SECTION, "token");
    github->owner = text_of(settings, config, GITHUB_SECTION, "owner");
    github->repo = text_of(settings, config, GITHUB_SECTION, "repo");
    github->workflow = text_of(settings, config, GITHUB_SECTION, "workflow");
    github->ref = text_of(settings, config, GITHUB_SECTION, "ref");
    github->api_version = text_of(settings, config, GITHUB_SECTION, "api_version");
    github->app_url = url_of(settings, config, GITHUB_SECTION, "app_url");

    struct cloud_account *stripe = &settings->accounts[CLOUD_STRIPE];
    stripe->token = secret_of(settings, config, STRIPE_SECTION, "secret_key");
    stripe->api_version = text_of(settings, config, STRIPE_SECTION, "api_version");

    settings->run_stop_max_ms = sl_config_int(config, GITHUB_SECTION, "run_stop_max");
    settings->look_ms = sl_config_int(config, GITHUB_SECTION, "look_window") / LOOKS;
    settings->looks_max = LOOKS;

    struct cloud_account *provisioner = &settings->accounts[CLOUD_PROVISIONER];
    provisioner->token = secret_of(settings, config, PROVISIONER_SECTION, "api_key");

    struct cloud_account *resend = &settings->accounts[CLOUD_RESEND];
    resend->token = secret_of(settings, config, RESEND_SECTION, "api_key");
    resend->from = text_of(settings, config, RESEND_SECTION, "from");
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
    load_accounts(settings, config);
    settings->emails = emails_create(sl_config_cstr(config, "email", "templates"), err);
    bool ok = settings->emails && hosting_load(config, settings->arena, &settings->hosting, err) &&
              sl_seal_ring_create(sl_config_text(config, "worker", "data_keys"), &settings->data_keys, err);
    for (int id = CLOUD_NONE + 1; ok && id < CLOUD_COUNT; id++)
        ok = load_cloud(settings, config, (enum cloud_id)id, err);
    if (ok && settings->database_url[0] == '\0')
        ok = sl_err_set(err, SL_ERR_PERMANENT, "there is no database: [postgres] url (DATABASE_URL) is not set");
    if (ok && (settings->lease_ms < 100 || settings->poll_interval_ms < 1 || settings->jobs_in_flight < 1))
        ok = sl_err_set(err, SL_ERR_PERMANENT,
                        "[worker] lease (at least 100ms), poll_interval and jobs_in_flight must be positive");
    if (ok)
        return settings;
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
    for (size_t i = 0; i < settings->secret_count; i++)
        sl_secret_destroy(settings->secrets[i]);
    sl_seal_ring_destroy(settings->data_keys);
    emails_destroy(settings->emails);
    sl_arena_destroy(settings->arena);
    free(settings);
}
