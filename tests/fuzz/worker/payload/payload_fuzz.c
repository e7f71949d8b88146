/* payload_fuzz.c - any body of any type, read and decided.
 *
 * A body is read as its type or refused for good; what names a user can be a key; read and decided again it is the same
 * plan, byte for byte; carried out, the plan leaves facts that hold their invariants. So every family of rules is asked
 * with whatever a body can say.
 *
 * Input: a byte for the type; one for the user's state; the body.
 */
#include "common/utf8.h"
#include "tests/fuzz/bytes.h"
#include "tests/support/digest.h"
#include "tests/support/world.h"
#include "worker/payload/payload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS INT64_C(1763712000000)

static void fill_world(struct world *world, unsigned state)
{
    world->policy.free_tier = state & 1;
    world->policy.unknown_customer_create = state & 2;
    if (state & 4)
        (void)world_subscription(world, SL_STR("sub_1"), SL_STR("active"));
    if (state & 8)
        (void)world_agent(world, 'A', AGENT_ACTIVE);
    if (state & 16) {
        (void)world_agent(world, 'B', AGENT_PROVISIONING);
        struct job *job = world_job(world, 'J', JOB_PROVISION, state & 32 ? JOB_RUNNING : JOB_WAITING, 'B');
        job->step = SL_STR("dispatch");
    }
    if (state & 64)
        (void)world_timer_of(world, "grace_expired", SL_STR(WORLD_USER), NOW_MS);
}

/* Strings of an input are the event's or the arena's: all of them are looked at by the digest of the plan. */
static uint64_t decide_once(struct world *world, const struct input *input, bool carry_out)
{
    struct input *kept = sl_arena_alloc(world->arena, 1, sizeof(*kept));
    *kept = *input;
    kept->user_id = SL_STR(WORLD_USER);
    const struct plan *plan = world_decide(world, kept);
    SL_ASSERT(plan->rule && plan->outcome > OUTCOME_NONE && plan->outcome < OUTCOME_COUNT);
    SL_ASSERT(plan->error < ERROR_CODE_COUNT && sl_utf8_is_valid(plan->message));
    if (carry_out) {
        facts_apply(&world->facts, plan, world->arena);
        facts_check(&world->facts);
    }
    return digest_plan(plan);
}

static void check_input(const struct input *input, struct sl_str type)
{
    SL_ASSERT(input->type < INPUT_TYPE_COUNT && input->type == input_type_of(type));
    SL_ASSERT(input->user_named.len <= PAYLOAD_ID_BYTES_MAX && sl_utf8_is_plain(input->user_named));
    SL_ASSERT(input->created_s >= 0 && !sl_str_empty(input->actor));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes bytes = {.at = data, .left = size};
    enum input_type type = (enum input_type)(fuzz_byte(&bytes) % INPUT_TYPE_COUNT);
    unsigned state = fuzz_byte(&bytes);
    struct sl_str body = fuzz_rest(&bytes);
    struct world world;
    struct input input, again;
    struct sl_err err = {0};
    world_init(&world);
    fill_world(&world, state);
    struct sl_event event = {
        .id = SL_STR("evt_1"),
        .source = SL_STR("/test"),
        .type = type == INPUT_UNKNOWN ? SL_STR("stripe.unheard.of") : sl_str_of(input_type_name(type)),
        .content_type = state & 128 ? SL_STR("application/x-www-form-urlencoded") : SL_STR("application/json"),
        .data = body,
        .time_ms = NOW_MS,
        .received_at_ms = NOW_MS};
    if (payload_read(&event, world.arena, &input, &err)) {
        SL_ASSERT(payload_read(&event, world.arena, &again, &err));
        check_input(&input, event.type);
        uint64_t digest = decide_once(&world, &input, false);
        SL_ASSERT(decide_once(&world, &again, false) == digest);
        SL_ASSERT(decide_once(&world, &input, true) == digest);
        again.event_id = SL_STR("evt_2"); /* the same once more, under another id: no id is decided twice */
        (void)decide_once(&world, &again, true);
    } else {
        SL_ASSERT(err.error_class == SL_ERR_PERMANENT && sl_utf8_is_valid(sl_str_of(err.message)));
    }
    world_deinit(&world);
    fuzz_free(body);
    return 0;
}
