/* memory_test.c - of apply, when memory runs out: the worker stops, or the decision is what it would have been. Never
 * is a good event taken for one that can't be read, and never does an outcome say less than was decided.
 */
#include "tests/unit/cmocka_all.h"

#include <string.h>

#include "common/pg.h"
#include "tests/support/memory.h"
#include "tests/support/world.h"
#include "worker/apply/outcome.h"
#include "worker/payload/payload.h"

#define AGENT "3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a001"
#define BODY                                                                                                           \
    "{\"type\":\"agent.create\",\"timestamp\":\"2025-11-21T08:00:00Z\",\"data\":{\"agent_id\":\"" AGENT                \
    "\",\"name\":\"a\",\"region\":\"us-east\",\"user_id\":\"" WORLD_USER "\"},\"actor\":{\"user_id\":\"" WORLD_USER    \
    "\",\"role\":\"user\"}}"
#define NOW_MS INT64_C(1763712000000)

struct told {
    char outcome[512];
};

/* A row as the commit queues it: an array of each type. */
static bool queues(struct sl_arena *arena, const struct plan *plan)
{
    struct sl_pg_params params;
    struct sl_pg_array *ids = sl_pg_array_create(arena, SL_PG_UUID);
    struct sl_pg_array *actions = sl_pg_array_create(arena, SL_PG_TEXT);
    struct sl_pg_array *details = sl_pg_array_create(arena, SL_PG_JSONB);
    for (size_t i = 0; i < plan->agent_count; i++)
        sl_pg_array_uuid(ids, plan->agents[i].id);
    for (size_t i = 0; i < plan->audit_count; i++) {
        sl_pg_array_text(actions, sl_str_of(plan->audits[i].action));
        sl_pg_array_text(details, SL_STR("{}"));
    }
    sl_pg_params_init(&params, arena);
    sl_pg_array(&params, ids);
    sl_pg_array(&params, actions);
    sl_pg_array(&params, details);
    return params.count == 3 && sl_pg_array_count(ids) == 1 && sl_pg_array_count(actions) == plan->audit_count;
}

/* Payload, decision, outcome, rows; `arg`: what the outcome must be, or is written to where it is empty. */
static bool decides_a_command(void *arg)
{
    struct told *told = arg;
    struct world world;
    struct input input;
    struct sl_err err = {0};
    const struct sl_event event = {
        .id = SL_STR("e-1"),
        .source = SL_STR("/api"),
        .type = SL_STR("command.agent.create"),
        .partition_key = SL_STR(WORLD_USER),
        .content_type = SL_STR("application/json"),
        .data = SL_STR(BODY),
        .time_ms = NOW_MS,
        .received_at_ms = NOW_MS,
    };
    world_init(&world);
    bool ok = payload_read(&event, world.arena, &input, &err) && input.type == INPUT_AGENT_CREATE;
    if (ok) {
        input.user_id = SL_STR(WORLD_USER);
        const struct plan *plan = world_decide(&world, &input);
        const struct outcome_head head = {
            .id = event.id, .type = event.type, .user_id = input.user_id, .outcome = plan->outcome};
        struct sl_str outcome = outcome_write(world.arena, &head, outcome_result_of_plan(world.arena, plan));
        if (told->outcome[0] == '\0' && outcome.len < sizeof(told->outcome))
            memcpy(told->outcome, outcome.ptr, outcome.len);
        ok = plan->outcome == OUTCOME_APPLIED && sl_str_is(outcome, told->outcome) && queues(world.arena, plan);
    }
    world_deinit(&world);
    return ok;
}

static void a_command(void **state)
{
    struct told told = {""};
    (void)state;
    assert_true(decides_a_command(&told));
    assert_non_null(strstr(told.outcome, AGENT));
    assert_true(memory_fail_each(decides_a_command, &told) > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_command)};
    memory_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
