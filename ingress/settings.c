/* settings.c - see settings.h. */
#include "ingress/settings.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/admin.h"
#include "common/kafka.h"
#include "common/sign.h"

#define SECTION                   "ingress"
#define STANDARD_SECRET_BYTES_MAX 128

struct settings_counted {
    struct settings settings; /* first, so that one pointer is the other */
    atomic_int holders;
};

struct settings_store {
    pthread_mutex_t lock;
    struct settings *current;
};

static void add_problem(struct settings_problems *problems, const char *place, const char *format, ...) SL_PRINTF(3, 4);

static void add_problem(struct settings_problems *problems, const char *place, const char *format, ...)
{
    if (problems->count == SL_CONFIG_PROBLEMS_MAX)
        return;
    struct sl_config_problem *problem = &problems->items[problems->count++];
    va_list args;
    va_start(args, format);
    (void)snprintf(problem->place, sizeof(problem->place), "%s", place);
    (void)vsnprintf(problem->text, sizeof(problem->text), format, args);
    va_end(args);
}

/* Standard Webhooks keys are base64 behind a prefix; another text would verify nothing, and say nothing. */
static bool is_standard_secret(struct sl_str text)
{
    static const struct sl_str prefix = {.ptr = "whsec_", .len = 6};
    uint8_t bytes[STANDARD_SECRET_BYTES_MAX];
    size_t count = 0;
    if (sl_str_starts_with(text, prefix))
        text = (struct sl_str){.ptr = text.ptr + prefix.len, .len = text.len - prefix.len};
    bool good = sl_sign_unbase64(text, bytes, sizeof(bytes), &count) && count > 0;
    sl_secret_wipe(bytes, sizeof(bytes));
    return good;
}

static void load_source(struct settings *settings, const struct source *source, struct settings_problems *problems)
{
    if (!source->section)
        return;
    struct sl_secrets *secrets = &settings->secrets[source->id];
    if (!sl_secrets_init(secrets, sl_config_text(settings->config, source->section, "secret")))
        add_problem(problems, source->variable, "holds more than %d secrets", SL_SECRETS_MAX);
    if (source->verify == verify_standard) {
        for (size_t i = 0; i < secrets->count; i++) {
            if (!is_standard_secret(sl_secret_borrow(secrets->items[i])))
                add_problem(problems, source->variable, "secret %zu is not base64 behind \"whsec_\"", i + 1);
        }
    }
    if (source->verify != verify_github)
        settings->tolerance_s[source->id] = sl_config_int(settings->config, source->section, "tolerance") / 1000;
}

static void load_jwt(struct settings *settings, struct settings_problems *problems)
{
    struct sl_config_problem found[JWT_KEYS_PROBLEMS_MAX];
    size_t count = jwt_keys_load(&settings->jwt, settings->config, found);
    for (size_t i = 0; i < count; i++)
        add_problem(problems, found[i].place, "%s", found[i].text);
}

static void load_keys(struct settings *settings, struct settings_problems *problems)
{
    struct sl_err err = {0};
    if (!sl_seal_ring_create(sl_config_text(settings->config, "worker", "data_keys"), &settings->ring, &err))
        add_problem(problems, "SLUICE_DATA_KEYS", "%s", err.message);
}

static void load_limits(struct settings *settings, struct settings_problems *problems)
{
    const struct sl_config *config = settings->config;
    struct sl_err err = {0};
    struct sockaddr_storage address;
    settings->body_bytes_max = sl_config_int(config, SECTION, "body_max");
    settings->limits = (struct admission_limits){
        .in_flight_bytes_max = sl_config_int(config, SECTION, "in_flight_max"),
        .address_bytes_max = sl_config_int(config, SECTION, "in_flight_per_address"),
        .rate_per_address = sl_config_int(config, SECTION, "rate_per_address"),
        .early_access_per_minute = sl_config_int(config, SECTION, "early_access_per_minute"),
    };
    if (settings->body_bytes_max + SETTINGS_HEADERS_BYTES_MAX > SL_KAFKA_MESSAGE_BYTES_MAX)
        add_problem(problems, "[ingress] body_max", "must leave %d bytes for headers of the %d that a message may have",
                    SETTINGS_HEADERS_BYTES_MAX, SL_KAFKA_MESSAGE_BYTES_MAX);
    if (settings->limits.address_bytes_max == 0) {
        int64_t half = settings->limits.in_flight_bytes_max / 2;
        settings->limits.address_bytes_max = half > settings->body_bytes_max ? half : settings->body_bytes_max;
    }
    if (settings->limits.address_bytes_max < settings->body_bytes_max)
        add_problem(problems, "[ingress] in_flight_per_address", "must not be less than body_max");
    if (settings->limits.in_flight_bytes_max < settings->body_bytes_max)
        add_problem(problems, "[ingress] in_flight_max", "must not be less than body_max");
    if (!networks_parse(sl_config_text(config, SECTION, "trusted_proxies"), &settings->trusted_proxies, &err))
        add_problem(problems, "[ingress] trusted_proxies", "%s", err.message);
    if (!sl_admin_parse_listen(sl_config_cstr(config, SECTION, "listen"), &address, &err))
        add_problem(problems, "[ingress] listen", "%s", err.message);
    if (!sl_config_is_set(config, "kafka", "brokers"))
        add_problem(problems, "KAFKA_BROKERS", "is not set: nothing can be published without brokers");
}

struct settings *settings_load(const char *path, const char *overlay_path, struct settings_problems *ret_problems)
{
    size_t key_count = 0;
    const struct sl_config_key *keys = sl_config_all_keys(&key_count);
    struct settings_counted *counted = sl_calloc(1, sizeof(*counted));
    struct settings *settings = &counted->settings;
    atomic_store(&counted->holders, 1);
    ret_problems->count = 0;
    if (sl_config_load(keys, key_count, path, overlay_path, &settings->config, ret_problems->items,
                       &ret_problems->count)) {
        for (enum source_id id = 0; id < SOURCE_COUNT; id++)
            load_source(settings, source_at(id), ret_problems);
        load_jwt(settings, ret_problems);
        load_keys(settings, ret_problems);
        load_limits(settings, ret_problems);
        if (ret_problems->count == 0)
            return settings;
    }
    settings_release(settings);
    return NULL;
}

struct settings *settings_hold(struct settings *settings)
{
    struct settings_counted *counted = (struct settings_counted *)settings;
    SL_ASSERT(atomic_fetch_add(&counted->holders, 1) > 0);
    return settings;
}

void settings_release(struct settings *settings)
{
    struct settings_counted *counted = (struct settings_counted *)settings;
    if (!settings || atomic_fetch_sub(&counted->holders, 1) > 1)
        return;
    for (size_t i = 0; i < SOURCE_COUNT; i++)
        sl_secrets_deinit(&settings->secrets[i]);
    jwt_keys_deinit(&settings->jwt);
    sl_seal_ring_destroy(settings->ring);
    sl_config_destroy(settings->config);
    free(counted);
}

size_t settings_warnings(const struct settings *settings,
                         char ret_warnings[SETTINGS_WARNINGS_MAX][SETTINGS_WARNING_BYTES])
{
    size_t count = 0;
    for (enum source_id id = 0; id < SOURCE_COUNT; id++) {
        const struct source *source = source_at(id);
        bool verified =
            source->section ? settings->secrets[id].count > 0 : !source->variable || jwt_keys_are_set(&settings->jwt);
        if (!verified)
            (void)snprintf(ret_warnings[count++], sizeof(ret_warnings[0]),
                           "%s is not set: source %s answers 503 until it is", source->variable, source->name);
    }
    if (sl_seal_ring_is_empty(settings->ring))
        (void)snprintf(ret_warnings[count++], sizeof(ret_warnings[0]),
                       "SLUICE_DATA_KEYS is not set: connection.share and invite.accept answer 503 until it is");
    return count;
}

struct settings_store *settings_store_create(struct settings *first)
{
    struct settings_store *store = sl_calloc(1, sizeof(*store));
    SL_ASSERT(pthread_mutex_init(&store->lock, NULL) == 0);
    store->current = first;
    return store;
}

void settings_store_destroy(struct settings_store *store)
{
    if (!store)
        return;
    settings_release(store->current);
    (void)pthread_mutex_destroy(&store->lock);
    free(store);
}

struct settings *settings_current(struct settings_store *store)
{
    SL_ASSERT(pthread_mutex_lock(&store->lock) == 0);
    struct settings *settings = settings_hold(store->current);
    SL_ASSERT(pthread_mutex_unlock(&store->lock) == 0);
    return settings;
}

void settings_replace(struct settings_store *store, struct settings *next)
{
    SL_ASSERT(pthread_mutex_lock(&store->lock) == 0);
    struct settings *old = store->current;
    store->current = next;
    SL_ASSERT(pthread_mutex_unlock(&store->lock) == 0);
    settings_release(old);
}
