/* table_workspace_changes.c - what a plan changes of workspaces, their billing, usage and early access, in words. */
#include "common/buf.h"
#include "tests/tables/table_parse.h"

static void item(struct sl_buf *buf)
{
    if (buf->len)
        sl_buf_append_cstr(buf, "; ");
}

/* Blanks end a word of the tables, so they are written with underscores. */
static void put_value(struct sl_buf *buf, struct sl_str value)
{
    for (size_t i = 0; i < value.len; i++)
        sl_buf_append_char(buf, value.ptr[i] == ' ' ? '_' : value.ptr[i]);
}

static void put_text(struct sl_buf *buf, const char *name, struct sl_str before, struct sl_str after)
{
    if (sl_str_equal(before, after))
        return;
    sl_buf_printf(buf, " %s=", name);
    put_value(buf, after);
}

static void put_number(struct sl_buf *buf, const char *name, int64_t before, int64_t after)
{
    if (before != after)
        sl_buf_printf(buf, " %s=%lld", name, (long long)after);
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

void table_user_changes(struct sl_buf *buf, const struct user *before, const struct user *after)
{
    if (!sl_uuid_equal(before->pending_job_id, after->pending_job_id)) {
        sl_buf_append_cstr(buf, " pending=");
        put_letter(buf, after->pending_job_id);
    }
    put_text(buf, "session", before->pending_session_id, after->pending_session_id);
    put_text(buf, "pending_plan", before->pending_plan, after->pending_plan);
    put_text(buf, "pending_name", before->pending_workspace_name, after->pending_workspace_name);
    put_number(buf, "pending_workflows", (int64_t)before->pending_workflow_count,
               (int64_t)after->pending_workflow_count);
    put_text(buf, "error", before->last_error, after->last_error);
    put_number(buf, "error_at", before->last_error_at_ms, after->last_error_at_ms);
    put_number(buf, "onboarded", before->onboarding_complete, after->onboarding_complete);
    put_number(buf, "billing_at", before->billing_created_s, after->billing_created_s);
}

/* "+" for a new row, "-" for one that goes, nothing for one that changes; then its noun and key. */
static void put_head(struct sl_buf *buf, bool is_known, bool gone, const char *noun, struct sl_uuid workspace_id)
{
    item(buf);
    if (gone || !is_known)
        sl_buf_append_char(buf, gone ? '-' : '+');
    sl_buf_printf(buf, "%s ", noun);
    put_letter(buf, workspace_id);
}

static void put_workspace(struct sl_buf *buf, const struct commons *commons, const struct workspace *after)
{
    static const struct workspace NEW = {.runs_used = 0};
    const struct workspace *before = &NEW;
    for (size_t i = 0; i < commons->workspace_count; i++) {
        if (sl_uuid_equal(commons->workspaces[i]->id, after->id))
            before = commons->workspaces[i];
    }
    put_head(buf, before != &NEW, false, "workspace", after->id);
    put_text(buf, "tier", before->tier, after->tier);
    put_text(buf, "name", before->name, after->name);
    put_text(buf, "owner", before->owner_id, after->owner_id);
    put_text(buf, "cycle", before->cycle_subscription_id, after->cycle_subscription_id);
    put_number(buf, "start", before->cycle_started_at_s, after->cycle_started_at_s);
    put_number(buf, "end", before->renews_at_s, after->renews_at_s);
    put_number(buf, "runs", before->runs_used, after->runs_used);
    put_number(buf, "since", before->runs_since_ms, after->runs_since_ms);
    put_number(buf, "closed", before->closed_at_ms, after->closed_at_ms);
}

static void put_member(struct sl_buf *buf, const struct commons *commons, const struct member *after)
{
    static const struct member NEW = {.role = ROLE_NONE};
    const struct member *before = commons_member(commons, after->workspace_id, after->user_id);
    put_head(buf, before != NULL, after->gone, "member", after->workspace_id);
    sl_buf_printf(buf, " %" SL_STR_FMT, SL_STR_ARG(after->user_id));
    before = before ? before : &NEW;
    if (before->role != after->role)
        sl_buf_printf(buf, " %s", member_role_name(after->role));
}

static void put_invite(struct sl_buf *buf, const struct commons *commons, const struct invite *after)
{
    static const struct invite NEW = {.created_at_ms = 0};
    const struct invite *before = &NEW;
    for (size_t i = 0; i < commons->invite_count; i++) {
        if (sl_uuid_equal(commons->invites[i]->id, after->id))
            before = commons->invites[i];
    }
    put_head(buf, before != &NEW, false, "invite", after->workspace_id);
    sl_buf_printf(buf, " %" SL_STR_FMT, SL_STR_ARG(after->email));
    put_text(buf, "hash", before->token_sha256, after->token_sha256);
    put_number(buf, "expires", before->expires_at_ms, after->expires_at_ms);
    put_number(buf, "accepted", before->accepted_at_ms, after->accepted_at_ms);
    put_text(buf, "by", before->accepted_by, after->accepted_by);
    put_number(buf, "revoked", before->revoked_at_ms, after->revoked_at_ms);
}

static void put_connection(struct sl_buf *buf, const struct commons *commons, const struct connection *after)
{
    static const struct connection NEW = {.shared_at_ms = 0};
    const struct connection *before = commons_connection(commons, after->workspace_id, after->id);
    put_head(buf, before != NULL, after->gone, "connection", after->workspace_id);
    sl_buf_printf(buf, " %" SL_STR_FMT, SL_STR_ARG(after->id));
    before = before ? before : &NEW;
    put_text(buf, "provider", before->provider, after->provider);
    put_text(buf, "by", before->shared_by, after->shared_by);
    put_text(buf, "sealed", before->sealed, after->sealed);
    put_text(buf, "catalog", before->catalog, after->catalog);
    put_number(buf, "shared_at", before->shared_at_ms, after->shared_at_ms);
}

static void put_run(struct sl_buf *buf, const struct commons *commons, const struct run *after)
{
    static const struct run NEW = {.started_at_ms = 0};
    struct sl_uuid id;
    const struct run *before = commons_run(commons, after->workspace_id, after->id);
    put_head(buf, before != NULL, false, "run", after->workspace_id);
    sl_buf_append_char(buf, ' ');
    if (sl_uuid_parse(after->id, &id))
        put_letter(buf, id);
    else
        put_value(buf, after->id);
    before = before ? before : &NEW;
    put_text(buf, "workflow", before->workflow_id, after->workflow_id);
    put_text(buf, "of", before->user_id, after->user_id);
    put_number(buf, "ended", before->ended_at_ms, after->ended_at_ms);
    put_text(buf, "reason", before->end_reason, after->end_reason);
}

static void put_usage(struct sl_buf *buf, const struct facts *facts, const struct usage *after)
{
    static const struct usage NEW = {.count = 0};
    const struct usage *before = facts_usage(facts, after->day, after->metric);
    before = before ? before : &NEW;
    item(buf);
    sl_buf_printf(buf, "usage %" SL_STR_FMT " day=%d", SL_STR_ARG(after->metric), after->day);
    put_number(buf, "count", before->count, after->count);
    put_number(buf, "told", before->told_at_ms, after->told_at_ms);
}

static void put_answer(struct sl_buf *buf, const struct plan *plan)
{
    if (plan->answers_later) {
        item(buf);
        sl_buf_printf(buf, "answered_later by=%lld", (long long)plan->jobs[plan->job_count - 1].deadline_at_ms);
    }
    if (plan->has_answer) {
        const struct answer *answer = &plan->answer;
        item(buf);
        sl_buf_printf(buf, "answer %" SL_STR_FMT " %s", SL_STR_ARG(answer->ce_type), outcome_name(answer->outcome));
        if (answer->error)
            sl_buf_printf(buf, " %s", error_code_name(answer->error));
        if (!sl_str_empty(answer->data))
            sl_buf_printf(buf, " %" SL_STR_FMT, SL_STR_ARG(answer->data));
    }
}

static void put_data(struct sl_buf *buf, struct sl_str data)
{
    static const char RUN[] = "{\"run_id\":\"";
    if (sl_str_empty(data))
        return;
    item(buf);
    struct sl_uuid id;
    struct sl_str derived = {.ptr = data.ptr + sizeof(RUN) - 1, .len = 36};
    bool is_derived =
        sl_str_starts_with(data, SL_STR(RUN)) && data.len == sizeof(RUN) - 1 + 36 + 2 && sl_uuid_parse(derived, &id);
    if (is_derived)
        sl_buf_append_cstr(buf, "data {\"run_id\":\"new\"}");
    else
        sl_buf_printf(buf, "data %" SL_STR_FMT, SL_STR_ARG(data));
}

void table_workspace_changes(const struct world *world, const struct plan *plan, struct sl_buf *buf)
{
    const struct commons *commons = &world->commons;
    const struct commons_changes *changes = &plan->commons;
    for (size_t i = 0; i < changes->workspace_count; i++)
        put_workspace(buf, commons, changes->workspaces[i]);
    for (size_t i = 0; i < changes->member_count; i++)
        put_member(buf, commons, changes->members[i]);
    for (size_t i = 0; i < changes->invite_count; i++)
        put_invite(buf, commons, changes->invites[i]);
    for (size_t i = 0; i < changes->connection_count; i++)
        put_connection(buf, commons, changes->connections[i]);
    for (size_t i = 0; i < changes->shared_workflow_count; i++) {
        put_head(buf, false, false, "workflow", changes->shared_workflows[i]->workspace_id);
        sl_buf_printf(buf, " %" SL_STR_FMT, SL_STR_ARG(changes->shared_workflows[i]->workflow_id));
    }
    for (size_t i = 0; i < changes->run_count; i++)
        put_run(buf, commons, changes->runs[i]);
    for (size_t i = 0; i < changes->early_access_count; i++) {
        item(buf);
        sl_buf_printf(buf, "+early %" SL_STR_FMT, SL_STR_ARG(changes->early_accesses[i]->email));
    }
    for (size_t i = 0; i < plan->usage_count; i++)
        put_usage(buf, &world->facts, &plan->usages[i]);
    for (size_t i = 0; i < plan->notice_count; i++) {
        item(buf);
        sl_buf_printf(buf, "notice %s %" SL_STR_FMT, plan->notices[i].ce_type, SL_STR_ARG(plan->notices[i].user_id));
    }
    put_answer(buf, plan);
    put_data(buf, plan->data);
}
