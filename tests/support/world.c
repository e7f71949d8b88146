/* world.c - see world.h. */
#include "tests/support/world.h"

#include <string.h>

#define ARENA_BYTES_MAX ((size_t)256 * 1024 * 1024)

void world_reset(struct world *world)
{
    sl_arena_reset(world->arena);
    world->offers[0] = (struct offer){.name = SL_STR("starter"),
                                      .price_id = SL_STR("price_starter"),
                                      .max_agents = 3,
                                      .max_messages_per_day = 1000,
                                      .memory_mb = 512,
                                      .cpu = 0.5,
                                      .backend = SL_STR("provisioner"),
                                      .on_subscribe_provision = true};
    world->offers[1] = (struct offer){.name = SL_STR("professional"),
                                      .price_id = SL_STR("price_professional"),
                                      .max_agents = 10,
                                      .max_messages_per_day = 10000,
                                      .memory_mb = 2048,
                                      .cpu = 2,
                                      .backend = SL_STR("provisioner"),
                                      .on_subscribe_provision = true};
    world->offers[2] = (struct offer){.name = SL_STR("enterprise"),
                                      .price_id = SL_STR("price_enterprise"),
                                      .max_agents = -1,
                                      .max_messages_per_day = -1,
                                      .memory_mb = 8192,
                                      .cpu = 4,
                                      .backend = SL_STR("provisioner"),
                                      .on_subscribe_provision = true};
    world->offers[3] = (struct offer){.name = SL_STR("solo"),
                                      .max_agents = 1,
                                      .max_messages_per_day = 100,
                                      .memory_mb = 256,
                                      .max_members = 1,
                                      .max_runs = 50,
                                      .is_workspace = true};
    world->offers[4] = (struct offer){.name = SL_STR("workspace"),
                                      .price_id = SL_STR("price_workspace"),
                                      .max_agents = 1,
                                      .max_messages_per_day = 100,
                                      .memory_mb = 256,
                                      .max_members = 10,
                                      .max_runs = 1000,
                                      .is_workspace = true};
    world->commons = (struct commons){0};
    world->policy = (struct policy){
        .checkout_provisions = true,
        .heartbeat_ms = 60000,
        .provision_timeout_ms = 1800000,
        .heartbeats_missed_max = 3,
        .grace_ms = INT64_C(604800000),
        .grace_warning_ms = 86400000,
        .stale_run_ms = 3600000,
        .invite_expiry_ms = INT64_C(604800000),
        .answer_timeout_ms = 120000,
        .admin_email = SL_STR("ops@example.com"),
        .app_url = SL_STR("https://app.example.com"),
        .default_region = SL_STR("us-east"),
        .offers = world->offers,
        .offer_count = SL_ARRAY_LEN(world->offers),
        .free_offer =
            {.name = SL_STR("free"), .max_agents = 1, .max_messages_per_day = 100, .memory_mb = 256, .cpu = 0.25},
    };
    world->facts = (struct facts){
        .user = {.id = SL_STR(WORLD_USER), .plan = SL_STR("free")},
        .commons = &world->commons,
        .policy = &world->policy,
    };
    world->seq = 0;
}

void world_init(struct world *world)
{
    *world = (struct world){.arena = sl_arena_create(ARENA_BYTES_MAX)};
    world_reset(world);
}

void world_deinit(struct world *world)
{
    sl_arena_destroy(world->arena);
}

struct sl_uuid world_id(char letter)
{
    struct sl_uuid id;
    memset(id.bytes, letter, sizeof(id.bytes));
    return id;
}

char world_letter(struct sl_uuid id)
{
    char letter = (char)id.bytes[0];
    return letter >= 'A' && letter <= 'Z' && sl_uuid_equal(id, world_id(letter)) ? letter : '?';
}

/* Room for one more; facts grow by doubling, as in facts_apply. */
static void *added(struct world *world, void *array, size_t *count, size_t *cap, size_t bytes)
{
    if (*count == *cap) {
        size_t cap_new = *cap ? *cap * 2 : 4;
        void *copy = sl_arena_alloc(world->arena, cap_new, bytes);
        if (*count)
            memcpy(copy, array, *count * bytes);
        array = copy;
        *cap = cap_new;
    }
    (*count)++;
    return array;
}

struct subscription *world_subscription(struct world *world, struct sl_str id, struct sl_str status)
{
    struct facts *facts = &world->facts;
    facts->subscriptions = added(world, facts->subscriptions, &facts->subscription_count, &facts->subscription_cap,
                                 sizeof(*facts->subscriptions));
    struct subscription *row = &facts->subscriptions[facts->subscription_count - 1];
    *row = (struct subscription){
        .id = id,
        .user_id = facts->user.id,
        .customer_id = SL_STR("cus_1"),
        .status = status,
        .price_id = SL_STR("price_starter"),
        .tier = SL_STR("starter"),
        .max_agents = 3,
        .max_messages_per_day = 1000,
        .object_created_s = 100,
        .object_rank = 2,
        .exists = true,
    };
    return row;
}

struct agent *world_agent(struct world *world, char letter, enum agent_status status)
{
    struct facts *facts = &world->facts;
    facts->agents = added(world, facts->agents, &facts->agent_count, &facts->agent_cap, sizeof(*facts->agents));
    struct agent *row = &facts->agents[facts->agent_count - 1];
    *row = (struct agent){
        .id = world_id(letter),
        .user_id = facts->user.id,
        .name = SL_STR("agent"),
        .backend = SL_STR("github-actions"),
        .region = SL_STR("us-east"),
        .status = status,
        .exists = true,
    };
    return row;
}

struct job *world_job(struct world *world, char letter, enum job_kind kind, enum job_status status, char agent_letter)
{
    struct facts *facts = &world->facts;
    facts->jobs = added(world, facts->jobs, &facts->job_count, &facts->job_cap, sizeof(*facts->jobs));
    struct job *row = &facts->jobs[facts->job_count - 1];
    *row = (struct job){
        .id = world_id(letter),
        .user_id = facts->user.id,
        .agent_id = world_id(agent_letter),
        .kind = kind,
        .status = status,
        .backend = SL_STR("github-actions"),
        .rule = SL_STR("agent.provision.queues_job"),
        .seq = ++world->seq,
        .fence = 1,
        .exists = true,
    };
    return row;
}

struct timer *world_timer(struct world *world, const char *kind, char job_letter, int64_t due_at_ms)
{
    char subject[SL_UUID_TEXT_BYTES];
    sl_uuid_format(world_id(job_letter), subject);
    return world_timer_of(world, kind, sl_str_of(subject), due_at_ms);
}

struct timer *world_timer_of(struct world *world, const char *kind, struct sl_str subject, int64_t due_at_ms)
{
    struct facts *facts = &world->facts;
    facts->timers = added(world, facts->timers, &facts->timer_count, &facts->timer_cap, sizeof(*facts->timers));
    struct timer *row = &facts->timers[facts->timer_count - 1];
    *row = (struct timer){
        .id = timer_id_of(kind, subject),
        .user_id = facts->user.id,
        .kind = sl_arena_str(world->arena, sl_str_of(kind)),
        .subject = sl_arena_str(world->arena, subject),
        .due_at_ms = due_at_ms,
        .exists = true,
    };
    return row;
}

struct input world_input(enum input_type type, struct sl_str event_id, int64_t received_at_ms)
{
    return (struct input){
        .type = type,
        .ce_type = sl_str_of(input_type_name(type)),
        .event_id = event_id,
        .source = SL_STR("/test"),
        .received_at_ms = received_at_ms,
        .user_id = SL_STR(WORLD_USER),
        .user_named = input_type_is_command(type) ? SL_STR(WORLD_USER) : SL_STR_NONE,
        .actor = SL_STR("user:" WORLD_USER),
    };
}

struct plan *world_decide(struct world *world, const struct input *input)
{
    struct plan *plan = plan_create(world->arena, &world->facts, input);
    decide(&world->facts, input, plan);
    return plan;
}
