/* replay_report.c - see replay_report.h. */
#include "ctl/replay_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/json.h"
#include "ctl/output.h"
#include "ctl/query.h"

/* The link in an invitation's e-mail is for whom it was sent to alone. */
static const char JOBS_THEN[] =
    "SELECT kind, backend, agent_id, args - 'url' AS args FROM sluice.jobs WHERE cause_source = $1"
    " AND cause_event_id = $2 AND user_id = $3 ORDER BY seq";
static const char AUDITS_THEN[] = "SELECT action, target, detail FROM sluice.audit_log WHERE user_id = $3"
                                  " AND event_id = $2 AND $1 <> '' ORDER BY at, id LIMIT 100";

void replay_report_init(struct replay_report *report, size_t shown_max)
{
    *report = (struct replay_report){.shown_max = shown_max, .groups = json_object(), .shown = json_array()};
}

void replay_report_deinit(struct replay_report *report)
{
    json_decref(report->groups);
    json_decref(report->shown);
}

static void put(json_t *object, const char *key, struct sl_str value)
{
    if (!sl_str_empty(value))
        (void)json_object_set_new(object, key, json_stringn(value.ptr, value.len));
}

static void put_time(json_t *object, const char *key, int64_t at_ms)
{
    char text[SL_CLOCK_ISO_BYTES];
    sl_clock_format_iso(at_ms, text);
    (void)json_object_set_new(object, key, json_string(text));
}

static void put_uuid(json_t *object, const char *key, struct sl_uuid id)
{
    char text[SL_UUID_TEXT_BYTES];
    sl_uuid_format(id, text);
    if (!sl_uuid_is_nil(id))
        (void)json_object_set_new(object, key, json_string(text));
}

static json_t *json_of(struct sl_str text)
{
    json_t *json = NULL;
    return !sl_str_empty(text) && sl_json_parse(text, 0, &json, NULL) ? json : json_object();
}

static json_t *then_of(const struct log_decision *decision)
{
    json_t *then = json_object();
    SL_JSON_AUTO *result = json_of(decision->result);
    put(then, "outcome", decision->outcome);
    put(then, "error_code", decision->error_code);
    put(then, "rule", decision->rule);
    put(then, "message", sl_json_str(result, "message"));
    if (json_object_get(result, "job_ids"))
        (void)json_object_set(then, "job_ids", json_object_get(result, "job_ids"));
    return then;
}

static json_t *jobs_of(const struct plan *plan)
{
    json_t *jobs = json_array();
    for (size_t i = 0; i < plan->job_count; i++) {
        json_t *job = json_object();
        SL_JSON_AUTO *args = json_of(plan->jobs[i].args);
        (void)json_object_del(args, "url");
        put_uuid(job, "id", plan->jobs[i].id);
        put(job, "kind", sl_str_of(job_kind_name(plan->jobs[i].kind)));
        put(job, "backend", plan->jobs[i].backend);
        put_uuid(job, "agent_id", plan->jobs[i].agent_id);
        (void)json_object_set(job, "args", args);
        (void)json_array_append_new(jobs, job);
    }
    return jobs;
}

static json_t *audits_of(const struct plan *plan)
{
    json_t *audits = json_array();
    for (size_t i = 0; i < plan->audit_count; i++) {
        json_t *audit = json_object();
        put(audit, "action", sl_str_of(plan->audits[i].action));
        put(audit, "target", plan->audits[i].target);
        if (!sl_str_empty(plan->audits[i].detail))
            (void)json_object_set_new(audit, "detail", json_of(plan->audits[i].detail));
        (void)json_array_append_new(audits, audit);
    }
    return audits;
}

/* What else it changes, in short: of then there is a digest alone. */
static json_t *changes_of(const struct plan *plan)
{
    json_t *changes = json_array();
    for (size_t i = 0; i < plan->subscription_count; i++) {
        const struct subscription *row = &plan->subscriptions[i];
        (void)json_array_append_new(changes, json_sprintf("subscription %.*s: %.*s, %.*s, agents %d, messages a day %d",
                                                          (int)row->id.len, row->id.ptr, (int)row->status.len,
                                                          row->status.ptr, (int)row->tier.len, row->tier.ptr,
                                                          row->max_agents, row->max_messages_per_day));
    }
    for (size_t i = 0; i < plan->agent_count; i++) {
        char id[SL_UUID_TEXT_BYTES];
        sl_uuid_format(plan->agents[i].id, id);
        (void)json_array_append_new(changes, json_sprintf("agent %s: %s, memory %d MB", id,
                                                          agent_status_name(plan->agents[i].status),
                                                          plan->agents[i].memory_limit_mb));
    }
    for (size_t i = 0; i < plan->timer_count; i++) {
        const struct timer *row = &plan->timers[i];
        char at[SL_CLOCK_ISO_BYTES];
        sl_clock_format_iso(row->due_at_ms, at);
        (void)json_array_append_new(changes, json_sprintf("timer %.*s of %.*s: %s", (int)row->kind.len, row->kind.ptr,
                                                          (int)row->subject.len, row->subject.ptr,
                                                          row->cancelled ? "cancelled" : at));
    }
    if (plan->user_changed)
        (void)json_array_append_new(changes,
                                    json_sprintf("user: plan %.*s", (int)plan->user.plan.len, plan->user.plan.ptr));
    return changes;
}

static json_t *now_of(const struct plan *plan, const char *reason)
{
    json_t *now = json_object();
    if (!plan) {
        put(now, "outcome", SL_STR("dead"));
        put(now, "message", sl_str_of(reason));
        return now;
    }
    put(now, "outcome", sl_str_of(outcome_name(plan->outcome)));
    put(now, "error_code", plan->error ? sl_str_of(error_code_name(plan->error)) : SL_STR_NONE);
    put(now, "rule", sl_str_of(plan->rule));
    put(now, "message", plan->message);
    (void)json_object_set_new(now, "jobs", jobs_of(plan));
    (void)json_object_set_new(now, "audit", audits_of(plan));
    (void)json_object_set_new(now, "changes", changes_of(plan));
    return now;
}

static const char *rule_or(const json_t *decision)
{
    const char *rule = json_string_value(json_object_get(decision, "rule"));
    const char *outcome = json_string_value(json_object_get(decision, "outcome"));
    return rule ? rule : outcome ? outcome : "-";
}

static void count_group(struct replay_report *report, const json_t *then, const json_t *now)
{
    char key[256];
    (void)snprintf(key, sizeof(key), "%s -> %s", rule_or(then), rule_or(now));
    json_int_t count = json_integer_value(json_object_get(report->groups, key));
    (void)json_object_set_new(report->groups, key, json_integer(count + 1));
}

void replay_report_add(struct replay_report *report, const struct item *item, const struct log_decision *then,
                       const struct plan *now, const char *reason, json_t *what)
{
    json_t *one = json_object();
    json_t *decided_then = then_of(then);
    json_t *decided_now = now_of(now, reason);
    report->counts.different++;
    count_group(report, decided_then, decided_now);
    put(one, "source", item->event.source);
    put(one, "id", item->event.id);
    put(one, "type", item->event.type);
    put(one, "user_id", now && sl_str_empty(then->user_id) ? now->input->user_id : then->user_id);
    (void)json_object_set_new(one, "partition", json_integer(item->message->partition));
    (void)json_object_set_new(one, "offset", json_integer(item->message->offset));
    put_time(one, "decided_at", then->decided_at_ms);
    (void)json_object_set_new(one, "differs", what);
    (void)json_object_set_new(one, "then", decided_then);
    (void)json_object_set_new(one, "now", decided_now);
    if (json_array_size(report->shown) < report->shown_max)
        (void)json_array_append(report->shown, one);
    json_decref(one);
}

static void drop_nulls(json_t *row)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(row, next, key, value)
    {
        if (json_is_null(value))
            (void)json_object_del(row, key);
    }
}

static bool add_rows(struct ctl *ctl, json_t *then, const char *name, const char *sql, const char *const *values,
                     struct sl_err *err)
{
    char *text = NULL;
    if (!query_json(ctl, sql, values, 3, &text, err))
        return false;
    json_t *rows = json_loads(text, 0, NULL);
    size_t i;
    json_t *row;
    free(text);
    SL_ASSERT(rows);
    json_array_foreach(rows, i, row) drop_nulls(row);
    (void)json_object_set_new(then, name, rows);
    return true;
}

bool replay_report_complete(struct replay_report *report, struct ctl *ctl, struct sl_err *err)
{
    size_t i;
    json_t *one;
    json_array_foreach(report->shown, i, one)
    {
        json_t *then = json_object_get(one, "then");
        const char *values[] = {json_string_value(json_object_get(one, "source")),
                                json_string_value(json_object_get(one, "id")),
                                json_string_value(json_object_get(one, "user_id"))};
        if (!add_rows(ctl, then, "jobs", JOBS_THEN, values, err) ||
            !add_rows(ctl, then, "audit", AUDITS_THEN, values, err))
            return false;
    }
    return true;
}

static json_t *beginnings(const struct log_partition *partitions, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *one = json_object();
        (void)json_object_set_new(one, "partition", json_integer(partitions[i].partition));
        (void)json_object_set_new(one, "first_offset", json_integer(partitions[i].low));
        (void)json_object_set_new(one, "end", json_integer(partitions[i].end));
        (void)json_array_append_new(list, one);
    }
    return list;
}

static void print_json(const struct replay_report *report, const struct log_partition *partitions, size_t count)
{
    const struct replay_counts *counts = &report->counts;
    SL_JSON_AUTO *document = json_object();
    (void)json_object_set_new(document, "read", json_integer(counts->read));
    (void)json_object_set_new(document, "decided", json_integer(counts->decided));
    (void)json_object_set_new(document, "compared", json_integer(counts->compared));
    (void)json_object_set_new(document, "different", json_integer(counts->different));
    (void)json_object_set_new(document, "not_comparable", json_integer(counts->not_comparable));
    (void)json_object_set_new(document, "duplicates", json_integer(counts->duplicates));
    (void)json_object_set(document, "groups", report->groups);
    (void)json_object_set(document, "differences", report->shown);
    (void)json_object_set_new(document, "log", beginnings(partitions, count));
    (void)json_dumpf(document, stdout, JSON_INDENT(2));
    (void)fputc('\n', stdout);
}

static void print_decision(const char *when, const json_t *decision)
{
    static const char *const NAMES[] = {"outcome", "error_code", "rule", "message"};
    printf("    %s", when);
    for (size_t i = 0; i < SL_ARRAY_LEN(NAMES); i++) {
        const char *value = json_string_value(json_object_get(decision, NAMES[i]));
        if (value)
            printf("%s%s", i == 3 ? " - " : " ", value);
    }
    (void)fputc('\n', stdout);
}

/* Lines of one decision's effects; those of the other one that are the same are left out. */
static void print_effects(const char *when, const char *name, const json_t *mine, const json_t *theirs)
{
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(mine, name), i, row)
    {
        bool is_both = false;
        size_t j;
        json_t *other;
        if (json_is_object(row))
            (void)json_object_del(row, "id");
        json_array_foreach(json_object_get(theirs, name), j, other) is_both = is_both || json_equal(row, other);
        char *text = is_both ? NULL : json_dumps(row, JSON_COMPACT | JSON_ENCODE_ANY);
        if (text)
            printf("      %s %s %s\n", when, name, text);
        free(text);
    }
}

static void print_one(const json_t *one)
{
    const json_t *then = json_object_get(one, "then");
    const json_t *now = json_object_get(one, "now");
    char *what = json_dumps(json_object_get(one, "differs"), JSON_COMPACT);
    const char *user = json_string_value(json_object_get(one, "user_id"));
    printf("\n  %s  %s  %s  user %s  %" PRId64 "/%" PRId64 "  %s\n",
           json_string_value(json_object_get(one, "decided_at")), json_string_value(json_object_get(one, "type")),
           json_string_value(json_object_get(one, "id")), user ? user : "-",
           (int64_t)json_integer_value(json_object_get(one, "partition")),
           (int64_t)json_integer_value(json_object_get(one, "offset")), what ? what : "");
    free(what);
    print_decision("then", then);
    print_decision("now ", now);
    print_effects("then", "jobs", then, now);
    print_effects("now ", "jobs", now, then);
    print_effects("then", "audit", then, now);
    print_effects("now ", "audit", now, then);
    print_effects("now ", "changes", now, then);
}

void replay_report_print(const struct replay_report *report, const struct log_partition *partitions,
                         size_t partition_count, bool json)
{
    const struct replay_counts *counts = &report->counts;
    const char *group;
    json_t *count;
    size_t i;
    json_t *one;
    if (json) {
        print_json(report, partitions, partition_count);
        return;
    }
    for (i = 0; i < partition_count; i++) {
        if (partitions[i].low > 0)
            printf("partition %d: the topic begins at offset %" PRId64 "; what was before is deleted\n",
                   (int)partitions[i].partition, partitions[i].low);
    }
    printf("%" PRId64 " events read, %" PRId64 " decided again, %" PRId64 " compared, %" PRId64
           " decided otherwise, %" PRId64 " not comparable, %" PRId64 " duplicates\n",
           counts->read, counts->decided, counts->compared, counts->different, counts->not_comparable,
           counts->duplicates);
    if (counts->different)
        output_heading("Decided otherwise, by rule then -> now");
    json_object_foreach(report->groups, group, count)
        printf("%8" PRId64 "  %s\n", (int64_t)json_integer_value(count), group);
    if (counts->different)
        output_heading("Events");
    json_array_foreach(report->shown, i, one) print_one(one);
    if (counts->different > (int64_t)json_array_size(report->shown))
        printf("\n  %" PRId64 " more (--limit)\n", counts->different - (int64_t)json_array_size(report->shown));
}
