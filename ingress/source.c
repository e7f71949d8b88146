/* source.c - see source.h. */
#include "ingress/source.h"

#include <stdio.h>
#include <string.h>

static const struct source SOURCES[SOURCE_COUNT] = {
    [SOURCE_STRIPE] = {.id = SOURCE_STRIPE,
                       .name = "stripe",
                       .ce_source = "/webhooks/stripe",
                       .section = "source stripe",
                       .variable = "STRIPE_WEBHOOK_SECRET",
                       .verify = verify_stripe,
                       .read = read_stripe},
    [SOURCE_GITHUB] = {.id = SOURCE_GITHUB,
                       .name = "github",
                       .ce_source = "/webhooks/github",
                       .section = "source github",
                       .variable = "GITHUB_WEBHOOK_SECRET",
                       .verify = verify_github,
                       .read = read_github,
                       .takes_forms = true},
    [SOURCE_CALLBACK] = {.id = SOURCE_CALLBACK,
                         .name = "callback",
                         .ce_source = "/webhooks/github/callback",
                         .section = "source callback",
                         .variable = "GITHUB_CALLBACK_SECRET",
                         .verify = verify_github,
                         .read = read_callback,
                         .may_wait = true},
    [SOURCE_DASHBOARD] = {.id = SOURCE_DASHBOARD,
                          .name = "dashboard",
                          .ce_source = "/webhooks/dashboard",
                          .section = "source dashboard",
                          .variable = "DASHBOARD_WEBHOOK_SECRET",
                          .verify = verify_standard,
                          .read = read_dashboard,
                          .is_command = true,
                          .may_wait = true},
    [SOURCE_API] = {.id = SOURCE_API,
                    .name = "api",
                    .ce_source = "/api",
                    .variable = "SLUICE_JWT_SECRET",
                    .read = read_rest,
                    .is_command = true,
                    .may_wait = true},
    [SOURCE_EARLY_ACCESS] = {.id = SOURCE_EARLY_ACCESS,
                             .name = "early_access",
                             .ce_source = "/api",
                             .read = read_rest,
                             .is_command = true,
                             .may_wait = true},
};

/* Without X-GitHub-Event a path of GitHub's is the workflow's callback. */
static const struct {
    const char *path;
    enum source_id source;
} PATHS[] = {
    {"/webhooks/stripe", SOURCE_STRIPE},       {"/api/webhooks/stripe", SOURCE_STRIPE},
    {"/api/stripe/webhook", SOURCE_STRIPE},    {"/api/billing/stripe/webhook", SOURCE_STRIPE},
    {"/webhooks/github", SOURCE_GITHUB},       {"/api/webhooks/github", SOURCE_GITHUB},
    {"/webhooks/dashboard", SOURCE_DASHBOARD},
};

const struct source *source_at(enum source_id id)
{
    SL_ASSERT(id >= 0 && id < SOURCE_COUNT);
    return &SOURCES[id];
}

/* Segment by segment; a "{name}" takes any segment that isn't empty. */
static bool path_matches(const char *pattern_text, struct sl_str path, struct route *route)
{
    struct sl_str pattern = sl_str_of(pattern_text);
    route->param_count = 0;
    if (path.len > 0 && path.ptr[path.len - 1] == '/')
        return false;
    while (!sl_str_empty(pattern) && !sl_str_empty(path)) {
        struct sl_str wanted = sl_str_cut(&pattern, '/');
        struct sl_str segment = sl_str_cut(&path, '/');
        if (wanted.len > 0 && wanted.ptr[0] == '{') {
            if (segment.len == 0)
                return false;
            SL_ASSERT(route->param_count < READ_PARAMS_MAX);
            route->params[route->param_count++] = (struct read_param){.name = wanted.ptr, .value = segment};
        } else if (!sl_str_equal(wanted, segment)) {
            return false;
        }
    }
    return sl_str_empty(pattern) && sl_str_empty(path);
}

/* The parameter's name is the command's field, so that it is a C string of its own. */
static void name_params(const struct command *command, struct route *route)
{
    for (size_t i = 0; i < route->param_count; i++) {
        const char *start = route->params[i].name + 1;
        size_t len = strcspn(start, "}");
        for (size_t j = 0; j < COMMAND_FIELDS_MAX && command->fields[j].name; j++) {
            if (strlen(command->fields[j].name) == len && memcmp(command->fields[j].name, start, len) == 0)
                route->params[i].name = command->fields[j].name;
        }
        SL_ASSERT(route->params[i].name + 1 != start);
    }
}

static enum source_match match_commands(struct sl_str path, struct sl_str method, struct route *ret_route,
                                        char ret_allow[SOURCE_ALLOW_BYTES])
{
    size_t count = 0;
    const struct command *table = commands_table(&count);
    enum source_match match = SOURCE_NO_PATH;
    size_t allow_len = 0;
    for (size_t i = 0; i < count; i++) {
        struct route route = {.command = &table[i]};
        if (!path_matches(table[i].path, path, &route))
            continue;
        if (sl_str_is(method, table[i].method)) {
            name_params(&table[i], &route);
            route.source = source_at(table[i].anonymous ? SOURCE_EARLY_ACCESS : SOURCE_API);
            *ret_route = route;
            return SOURCE_FOUND;
        }
        int length = snprintf(ret_allow + allow_len, SOURCE_ALLOW_BYTES - allow_len, "%s%s", allow_len > 0 ? ", " : "",
                              table[i].method);
        SL_ASSERT(length > 0 && (size_t)length < SOURCE_ALLOW_BYTES - allow_len);
        allow_len += (size_t)length;
        match = SOURCE_NO_METHOD;
    }
    return match;
}

enum source_match source_match(struct sl_str path, struct sl_str method, bool has_github_event, struct route *ret_route,
                               char ret_allow[SOURCE_ALLOW_BYTES])
{
    for (size_t i = 0; i < SL_ARRAY_LEN(PATHS); i++) {
        if (!sl_str_is(path, PATHS[i].path))
            continue;
        if (!sl_str_is(method, "POST")) {
            (void)snprintf(ret_allow, SOURCE_ALLOW_BYTES, "POST");
            return SOURCE_NO_METHOD;
        }
        enum source_id id = PATHS[i].source;
        if (id == SOURCE_GITHUB && !has_github_event)
            id = SOURCE_CALLBACK;
        *ret_route = (struct route){.source = source_at(id)};
        return SOURCE_FOUND;
    }
    return match_commands(path, method, ret_route, ret_allow);
}
