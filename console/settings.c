/* settings.c - see settings.h. */
#include "console/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/admin.h"
#include "common/json.h"

#define SECTION         "console"
#define PLANS_BYTES_MAX ((size_t)256 * 1024)
#define TOKEN_BYTES_MIN 16

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

static void load_tokens(struct settings *settings, struct settings_problems *problems)
{
    struct sl_config_problem found[JWT_KEYS_PROBLEMS_MAX];
    size_t count = jwt_keys_load(&settings->jwt, settings->config, found);
    for (size_t i = 0; i < count; i++)
        add_problem(problems, found[i].place, "%s", found[i].text);
    if (!sl_secrets_init(&settings->tokens, sl_config_text(settings->config, SECTION, "token")))
        add_problem(problems, "SLUICE_CONSOLE_TOKEN", "holds more than %d tokens", SL_SECRETS_MAX);
    for (size_t i = 0; i < settings->tokens.count; i++) {
        if (sl_secret_borrow(settings->tokens.items[i]).len < TOKEN_BYTES_MIN)
            add_problem(problems, "SLUICE_CONSOLE_TOKEN", "token %zu is shorter than %d characters", i + 1,
                        TOKEN_BYTES_MIN);
    }
}

static void load_places(const struct settings *settings, struct settings_problems *problems)
{
    const struct sl_config *config = settings->config;
    struct sl_err err = {0};
    struct sockaddr_storage address;
    if (!sl_admin_parse_listen(sl_config_cstr(config, SECTION, "listen"), &address, &err))
        add_problem(problems, "[console] listen", "%s", err.message);
    if (!sl_config_is_set(config, "kafka", "brokers"))
        add_problem(problems, "KAFKA_BROKERS", "is not set: streams have nothing to come from");
    if (!sl_config_is_set(config, "postgres", "url"))
        add_problem(problems, "DATABASE_URL", "is not set: there is nothing to read");
    if (sl_config_int(config, SECTION, "streams_per_user") > sl_config_int(config, SECTION, "streams"))
        add_problem(problems, "[console] streams_per_user", "must not be more than streams");
    if (sl_config_int(config, SECTION, "streams") >= sl_config_int(config, SECTION, "max_connections"))
        add_problem(problems, "[console] max_connections", "must be more than streams, or nobody else gets in");
}

/* Of "plan starter" the name and the limits that readers are shown. */
static void write_plans(struct settings *settings)
{
    static const char *const limits[] = {"agents", "messages_per_day", "members", "runs"};
    const struct sl_config *config = settings->config;
    SL_JSON_AUTO *plans = json_object();
    struct sl_buf text;
    sl_buf_init(&text, PLANS_BYTES_MAX);
    for (size_t i = 0; i < sl_config_section_count(config, "plan"); i++) {
        const char *section = sl_config_section(config, "plan", i);
        struct sl_str name = sl_str_of(section);
        (void)sl_str_cut(&name, ' ');
        json_t *plan = json_object();
        for (size_t j = 0; j < SL_ARRAY_LEN(limits); j++)
            (void)json_object_set_new(plan, limits[j], json_integer(sl_config_int(config, section, limits[j])));
        (void)json_object_set_new(plans, name.ptr, plan);
    }
    SL_ASSERT(sl_json_write(plans, &text)); /* the configuration's own limits are far below */
    settings->plans = sl_buf_take(&text);
}

struct settings *settings_load(const char *path, const char *overlay_path, struct settings_problems *ret_problems)
{
    size_t key_count = 0;
    const struct sl_config_key *keys = sl_config_all_keys(&key_count);
    struct settings *settings = sl_calloc(1, sizeof(*settings));
    ret_problems->count = 0;
    if (sl_config_load(keys, key_count, path, overlay_path, &settings->config, ret_problems->items,
                       &ret_problems->count)) {
        load_tokens(settings, ret_problems);
        load_places(settings, ret_problems);
        if (ret_problems->count == 0) {
            write_plans(settings);
            return settings;
        }
    }
    settings_destroy(settings);
    return NULL;
}

void settings_destroy(struct settings *settings)
{
    if (!settings)
        return;
    sl_secrets_deinit(&settings->tokens);
    jwt_keys_deinit(&settings->jwt);
    sl_config_destroy(settings->config);
    free(settings->plans);
    free(settings);
}

size_t settings_warnings(const struct settings *settings, const char *ret_warnings[SETTINGS_WARNINGS_MAX])
{
    size_t count = 0;
    if (!jwt_keys_are_set(&settings->jwt))
        ret_warnings[count++] = "SLUICE_JWT_SECRET is not set: users' tokens are answered 503 until it is";
    if (settings->tokens.count == 0)
        ret_warnings[count++] = "SLUICE_CONSOLE_TOKEN is not set: there is no access for ops";
    return count;
}
