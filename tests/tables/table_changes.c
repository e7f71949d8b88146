/* table_changes.c - a plan as the tables write it: every member that it changes, nothing that it leaves. */
#include "tests/tables/table_words.h"

#include <string.h>

#include "tests/tables/table_parse.h"

static void item(struct sl_buf *buf)
{
    if (buf->len)
        sl_buf_append_cstr(buf, "; ");
}

static void put_text(struct sl_buf *buf, const char *name, struct sl_str before, struct sl_str after)
{
    if (sl_str_equal(before, after))
        return;
    /* Blanks end a word of the tables, so reasons are written with underscores. */
    sl_buf_printf(buf, " %s=", name);
    for (size_t i = 0; i < after.len; i++)
        sl_buf_append_char(buf, after.ptr[i] == ' ' ? '_' : after.ptr[i]);
}

static void put_number(struct sl_buf *buf, const char *name, int64_t before, int64_t after)
{
    if (before != after)
        sl_buf_printf(buf, " %s=%lld", name, (long long)after);
}

static void put_flag(struct sl_buf *buf, const char *name, bool before, bool after)
{
    if (before != after)
        sl_buf_printf(buf, " %s%s", after ? "" : "not_", name);
}

static void put_letter(struct sl_buf *buf, struct sl_uuid id)
{
    if (sl_uuid_is_nil(id))
        sl_buf_append_char(buf, '-');
    else if (world_letter(id) == '?')
        sl_buf_append_cstr(buf, "new");
    else
        sl_buf_append_char(buf, world_letter(id));
}

/* Ids of letters stand as letters in args too. */
static void put_args(struct sl_buf *buf, struct sl_str args)
{
    if (sl_str_empty(args))
        return;
    sl_buf_append_char(buf, ' ');
    while (args.len) {
        struct sl_uuid id;
        struct sl_str head = {.ptr = args.ptr, .len = 36};
        if (args.len >= 36 && sl_uuid_parse(head, &id)) {
            put_letter(buf, id);
            args = (struct sl_str){.ptr = args.ptr + 36, .len = args.len - 36};
        } else {
            sl_buf_append_char(buf, args.ptr[0]);
            args = (struct sl_str){.ptr = args.ptr + 1, .len = args.len - 1};
        }
    }
}

static void put_user(struct sl_buf *buf, const struct user *before, const struct plan *plan)
{
    if (!plan->user_changed)
        return;
    item(buf);
    sl_buf_append_cstr(buf, "user");
    put_text(buf, "plan", before->plan, plan->user.plan);
    put_text(buf, "customer", before->stripe_customer_id, plan->user.stripe_customer_id);
    put_text(buf, "email", before->email, plan->user.email);
    put_number(buf, "email_at", before->email_created_s, plan->user.email_created_s);
    put_number(buf, "invoice_at", before->invoice_created_s, plan->user.invoice_created_s);
    put_number(buf, "invoice_rank", before->invoice_rank, plan->user.invoice_rank);
    table_user_changes(buf, before, &plan->user);
}

static void put_subscription(struct sl_buf *buf, const struct facts *facts, const struct subscription *after)
{
    static const struct subscription NEW = {.id = {.ptr = NULL, .len = 0}};
    const struct subscription *before = facts_subscription(facts, after->id);
    item(buf);
    sl_buf_printf(buf, "%s%" SL_STR_FMT, before ? "" : "+", SL_STR_ARG(after->id));
    before = before ? before : &NEW;
    put_text(buf, "status", before->status, after->status);
    put_text(buf, "price", before->price_id, after->price_id);
    put_text(buf, "tier", before->tier, after->tier);
    put_text(buf, "customer", before->customer_id, after->customer_id);
    put_number(buf, "max", before->max_agents, after->max_agents);
    put_number(buf, "canceled_at", before->canceled_at_s, after->canceled_at_s);
    put_number(buf, "at", before->object_created_s, after->object_created_s);
    put_number(buf, "rank", before->object_rank, after->object_rank);
    put_number(buf, "invoice_at", before->invoice_created_s, after->invoice_created_s);
    put_number(buf, "invoice_rank", before->invoice_rank, after->invoice_rank);
}

static void put_agent(struct sl_buf *buf, const struct facts *facts, const struct agent *after)
{
    static const struct agent NEW = {.status = AGENT_NONE};
    const struct agent *before = facts_agent(facts, after->id);
    item(buf);
    if (!before)
        sl_buf_append_char(buf, '+');
    before = before ? before : &NEW;
    put_letter(buf, after->id);
    if (before->status != after->status)
        sl_buf_printf(buf, " %s->%s", agent_status_name(before->status), agent_status_name(after->status));
    put_text(buf, "reason", before->status_reason, after->status_reason);
    put_text(buf, "name", before->name, after->name);
    put_text(buf, "backend", before->backend, after->backend);
    put_text(buf, "region", before->region, after->region);
    put_text(buf, "server", before->server_id, after->server_id);
    put_text(buf, "device", before->tailscale_device_id, after->tailscale_device_id);
    put_text(buf, "app", before->app_name, after->app_name);
    put_text(buf, "url", before->frontend_url, after->frontend_url);
    put_text(buf, "sub", before->subscription_id, after->subscription_id);
    put_text(buf, "stopped_by", before->stopped_by, after->stopped_by);
    put_number(buf, "mb", before->memory_limit_mb, after->memory_limit_mb);
    put_number(buf, "millicpu", (int64_t)(before->cpu_limit * 1000), (int64_t)(after->cpu_limit * 1000));
}

static void put_job(struct sl_buf *buf, const struct facts *facts, const struct job *after)
{
    const struct job *before = facts_job(facts, after->id);
    item(buf);
    if (!before) {
        sl_buf_printf(buf, "+%s ", job_kind_name(after->kind));
        put_letter(buf, after->agent_id);
        put_args(buf, after->args);
        return;
    }
    bool has_new_args = !sl_str_equal(before->args, after->args);
    put_letter(buf, after->id);
    if (before->status != after->status)
        sl_buf_printf(buf, " %s->%s", job_status_name(before->status), job_status_name(after->status));
    put_flag(buf, "requeued", false, after->seq == JOB_SEQ_REQUEUE);
    put_text(buf, "error", before->error, after->error);
    put_text(buf, "run", before->run_id, after->run_id);
    put_text(buf, "dispatched", before->dispatched_run_id, after->dispatched_run_id);
    put_text(buf, "step", before->step, after->step);
    put_number(buf, "gen", before->generation, after->generation);
    put_number(buf, "heartbeat", before->heartbeat_at_ms, after->heartbeat_at_ms);
    put_number(buf, "fence", before->fence, after->fence);
    put_flag(buf, "cancelling", before->cancel_requested, after->cancel_requested);
    put_flag(buf, "settled", before->settled, after->settled);
    if (has_new_args)
        put_args(buf, after->args);
}

static void put_timer(struct sl_buf *buf, const struct timer *after)
{
    struct sl_uuid job_id;
    item(buf);
    sl_buf_printf(buf, "%s %" SL_STR_FMT " ", after->cancelled ? "unset" : "set", SL_STR_ARG(after->kind));
    if (sl_uuid_parse(after->subject, &job_id))
        put_letter(buf, job_id);
    else
        sl_buf_append_str(buf, after->subject);
    if (!after->cancelled)
        sl_buf_printf(buf, " %lld", (long long)after->due_at_ms);
}

void table_changes(const struct world *world, const struct plan *plan, struct sl_buf *buf)
{
    const struct facts *facts = &world->facts;
    put_user(buf, &facts->user, plan);
    if (!sl_str_empty(plan->link_customer_id)) {
        item(buf);
        sl_buf_printf(buf, "link %" SL_STR_FMT, SL_STR_ARG(plan->link_customer_id));
    }
    for (size_t i = 0; i < plan->subscription_count; i++)
        put_subscription(buf, facts, &plan->subscriptions[i]);
    for (size_t i = 0; i < plan->agent_count; i++)
        put_agent(buf, facts, &plan->agents[i]);
    for (size_t i = 0; i < plan->job_count; i++)
        put_job(buf, facts, &plan->jobs[i]);
    for (size_t i = 0; i < plan->timer_count; i++)
        put_timer(buf, &plan->timers[i]);
    table_workspace_changes(world, plan, buf);
    for (size_t i = 0; i < plan->audit_count; i++) {
        item(buf);
        sl_buf_printf(buf, "audit %s", plan->audits[i].action);
    }
    if (plan->dead_letter_cause) {
        item(buf);
        sl_buf_printf(buf, "dead_letter %s", plan->dead_letter_cause);
    }
    if (!buf->len)
        sl_buf_append_char(buf, '-');
}
