/* route.c - see route.h. */
#include "console/route.h"

static const struct route ROUTES[] = {
    {"agents", "/api/agents", ROUTE_READ, &READ_AGENTS, NULL},
    {"agent", "/api/agents/{id}", ROUTE_READ, &READ_AGENT, "agent"},
    {"job", "/api/jobs/{id}", ROUTE_READ, &READ_JOB, "job"},
    {"workspaces", "/api/workspaces", ROUTE_READ, &READ_WORKSPACES, NULL},
    {"onboarding", "/api/workspaces/onboarding", ROUTE_READ, &READ_ONBOARDING, NULL},
    {"invites", "/api/invites", ROUTE_READ, &READ_INVITES, NULL},
    {"usage", "/api/usage", ROUTE_READ, &READ_USAGE, NULL},
    {"stream", "/api/events/stream", ROUTE_STREAM, NULL, NULL},
    {"page", "/", ROUTE_PAGE, NULL, NULL},
};

static bool matches(const char *pattern, struct sl_str path, struct sl_uuid *ret_id)
{
    struct sl_str wanted = sl_str_of(pattern);
    struct sl_str head = sl_str_cut(&wanted, '{');
    *ret_id = (struct sl_uuid){{0}};
    if (sl_str_empty(wanted))
        return sl_str_equal(path, head);
    return sl_str_starts_with(path, head) &&
           sl_uuid_parse((struct sl_str){.ptr = path.ptr + head.len, .len = path.len - head.len}, ret_id);
}

const struct route *route_find(struct sl_str path, struct sl_uuid *ret_id)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(ROUTES); i++) {
        if (matches(ROUTES[i].path, path, ret_id))
            return &ROUTES[i];
    }
    return NULL;
}
