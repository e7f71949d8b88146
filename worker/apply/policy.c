/* policy.c - see policy.h. */
#include "worker/apply/policy.h"

#include <stdlib.h>

#define POLICY_BYTES_MAX ((size_t)1024 * 1024)
#define PLAN_PREFIX      "plan "

struct policy_set {
    struct sl_arena *arena;
    struct policy policy;
    struct sl_seal_ring *ring;
};

static bool read_cpu(struct sl_str text, double *ret_cpu, struct sl_arena *arena)
{
    char *end = NULL;
    const char *number = sl_arena_cstr(arena, text);
    *ret_cpu = strtod(number, &end);
    return end != number && *end == '\0' && *ret_cpu > 0;
}

static bool read_offer(const struct sl_config *config, const char *section, struct sl_arena *arena,
                       struct offer *ret_offer, struct sl_err *err)
{
    struct sl_str name = sl_str_of(section);
    name.ptr += sizeof(PLAN_PREFIX) - 1;
    name.len -= sizeof(PLAN_PREFIX) - 1;
    *ret_offer = (struct offer){
        .name = sl_arena_str(arena, name),
        .price_id = sl_arena_str(arena, sl_config_text(config, section, "price")),
        .backend = sl_arena_str(arena, sl_config_text(config, section, "backend")),
        .max_agents = (int)sl_config_int(config, section, "agents"),
        .max_messages_per_day = (int)sl_config_int(config, section, "messages_per_day"),
        .memory_mb = (int)sl_config_int(config, section, "memory_mb"),
        .on_subscribe_provision = sl_str_is(sl_config_text(config, section, "on_subscribe"), "provision"),
    };
    ret_offer->max_members = (int)sl_config_int(config, section, "members");
    ret_offer->max_runs = (int)sl_config_int(config, section, "runs");
    ret_offer->is_workspace = ret_offer->max_members != 0;
    if (sl_config_is_set(config, section, "cpu") &&
        !read_cpu(sl_config_text(config, section, "cpu"), &ret_offer->cpu, arena))
        return sl_err_set(err, SL_ERR_PERMANENT, "[%s] cpu is no number above 0", section);
    return true;
}

static bool read_offers(const struct sl_config *config, struct policy_set *set, struct sl_err *err)
{
    size_t count = sl_config_section_count(config, "plan");
    struct offer *offers = sl_arena_alloc(set->arena, count + 1, sizeof(*offers));
    /* For a price that nobody named, where the configuration has no [plan free]. */
    set->policy.free_offer = (struct offer){
        .name = SL_STR("free"), .max_agents = 1, .max_messages_per_day = 100, .memory_mb = 256, .cpu = 0.25};
    for (size_t i = 0; i < count; i++) {
        if (!read_offer(config, sl_config_section(config, "plan", i), set->arena, &offers[i], err))
            return false;
        if (sl_str_is(offers[i].name, "free"))
            set->policy.free_offer = offers[i];
    }
    set->policy.offers = offers;
    set->policy.offer_count = count;
    return true;
}

static struct sl_str without_slash(struct sl_str url)
{
    while (url.len && url.ptr[url.len - 1] == '/')
        url.len--;
    return url;
}

struct policy_set *policy_create(const struct sl_config *config, struct sl_err *err)
{
    struct policy_set *set = sl_calloc(1, sizeof(*set));
    set->arena = sl_arena_create(POLICY_BYTES_MAX);
    struct policy *policy = &set->policy;
    policy->free_tier = sl_config_switch(config, "policy", "free_tier");
    policy->checkout_provisions = sl_config_switch(config, "policy", "checkout_provisions");
    policy->on_payment_failed = sl_str_is(sl_config_text(config, "policy", "on_payment_failed"), "stop")
                                    ? ON_PAYMENT_FAILED_STOP
                                    : ON_PAYMENT_FAILED_KEEP;
    policy->on_subscription_deleted = sl_str_is(sl_config_text(config, "policy", "on_subscription_deleted"), "destroy")
                                          ? ON_SUBSCRIPTION_DELETED_DESTROY
                                          : ON_SUBSCRIPTION_DELETED_KEEP;
    policy->resume_on_payment = sl_config_switch(config, "policy", "resume_on_payment");
    policy->unknown_customer_create = sl_str_is(sl_config_text(config, "policy", "unknown_customer"), "create");
    policy->grace_ms = sl_config_int(config, "policy", "grace");
    policy->grace_warning_ms = sl_config_int(config, "policy", "grace_warning");
    policy->stale_run_ms = sl_config_int(config, "policy", "stale_run");
    policy->invite_expiry_ms = sl_config_int(config, "policy", "invite_expiry");
    policy->answer_timeout_ms = sl_config_int(config, "policy", "answer_timeout");
    policy->admin_email = sl_arena_str(set->arena, sl_config_text(config, "cloud resend", "admin_email"));
    policy->app_url = without_slash(sl_arena_str(set->arena, sl_config_text(config, "cloud github", "app_url")));
    policy->heartbeat_ms = sl_config_int(config, "policy", "heartbeat");
    policy->heartbeats_missed_max = (int)sl_config_int(config, "policy", "heartbeats_missed");
    policy->provision_timeout_ms = sl_config_int(config, "policy", "provision_timeout");
    policy->default_region = sl_arena_str(set->arena, sl_config_text(config, "policy", "default_region"));
    if (!sl_seal_ring_create(sl_config_text(config, "worker", "data_keys"), &set->ring, err) ||
        !read_offers(config, set, err)) {
        policy_destroy(set);
        return NULL;
    }
    return set;
}

void policy_destroy(struct policy_set *set)
{
    if (!set)
        return;
    sl_seal_ring_destroy(set->ring);
    sl_arena_destroy(set->arena);
    free(set);
}

const struct policy *policy_borrow(const struct policy_set *set)
{
    return &set->policy;
}

const struct sl_seal_ring *policy_borrow_ring(const struct policy_set *set)
{
    return set->ring;
}
