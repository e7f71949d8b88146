/* read_stripe.c - Stripe's events, of API versions before and after 2025-03-31, and the thin ones of v2. */
#include "common/clock.h"
#include "ingress/read.h"

#define THIN_EVENT     "v2.core.event"
#define TYPE_BYTES_MAX 200

/* In the contract's order: the first usable one is the user. */
static const char *const USER_PATHS[] = {
    "data.object.metadata.user_id",
    "data.object.metadata.userId",
    "data.object.client_reference_id",
    "data.object.parent.subscription_details.metadata.user_id",
    "data.object.subscription_details.metadata.user_id",
};

static void read_key(const json_t *json, struct sl_arena *arena, struct key_parts *key)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(USER_PATHS) && sl_str_empty(key->user); i++) {
        struct sl_str user = sl_json_str(json, USER_PATHS[i]);
        if (key_is_usable(user))
            key->user = sl_arena_str(arena, user);
    }
    struct sl_str object_id = sl_json_str(json, "data.object.id");
    struct sl_str customer = sl_json_str(json, "data.object.customer");
    if (sl_str_empty(customer))
        customer = sl_json_str(json, "data.object.customer.id"); /* expanded */
    if (sl_str_is(sl_json_str(json, "data.object.object"), "customer"))
        customer = object_id;
    key->customer = sl_arena_str(arena, customer);
    key->object = sl_arena_str(arena, object_id);
}

/* Snapshots carry Unix seconds, thin events a text. */
static int64_t read_time(const json_t *json, int64_t fallback_ms)
{
    int64_t created_s = 0;
    int64_t at_ms = 0;
    if (sl_json_int(json, "created", &created_s) && created_s > 0 && created_s < INT64_MAX / 1000)
        return created_s * 1000;
    return sl_clock_parse(sl_json_str(json, "created"), &at_ms) ? at_ms : fallback_ms;
}

bool read_stripe(const struct read_request *request, struct reading *ret_reading, struct problem *ret_problem)
{
    SL_JSON_AUTO *json = NULL;
    if (!read_object(request->body, PROBLEM_INVALID_EVENT, request->arena, &json, ret_problem))
        return false;
    struct sl_str id = sl_json_str(json, "id");
    struct sl_str type = sl_json_str(json, "type");
    if (!headers_value_is_plain(id, READ_ID_BYTES_MAX, false) || !headers_value_is_plain(type, TYPE_BYTES_MAX, false))
        return problem_set(ret_problem, PROBLEM_INVALID_EVENT, "an event needs \"id\" and \"type\"");
    struct reading reading = {.id = sl_arena_str(request->arena, id), .data = request->body};
    reading.type = sl_arena_printf(request->arena, "stripe.%" SL_STR_FMT, SL_STR_ARG(type));
    reading.time_ms = read_time(json, request->received_at_ms);
    if (sl_str_is(sl_json_str(json, "object"), THIN_EVENT))
        reading.key.object = sl_arena_str(request->arena, sl_json_str(json, "related_object.id"));
    else
        read_key(json, request->arena, &reading.key);
    if (headers_value_is_plain(reading.key.object, READ_ID_BYTES_MAX, false))
        reading.subject = reading.key.object;
    *ret_reading = reading;
    return true;
}
