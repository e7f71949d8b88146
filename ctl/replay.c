/* replay.c - sluicectl replay: decides the log again by this build's rules and today's configuration, in memory, and
 * says what would be decided otherwise. It changes nothing.
 *
 * All events from the topic's beginning build up the state; compared are those decided from --from to --to. A decision
 * differs when its outcome, error, rule, message, jobs or effects do; effects are compared by the digest that was
 * written down with the decision. Users whose first events the topic has no longer, and whom they share a workspace
 * with, can't be compared: they are counted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "ctl/log_reader.h"
#include "ctl/query.h"
#include "ctl/replay_report.h"
#include "worker/apply/history.h"
#include "worker/apply/outcome.h"
#include "worker/apply/policy.h"
#include "worker/apply/table.h"

#define PROGRESS_EVERY  20000
#define SHOWN_DEFAULT   100
#define SHOWN_MAX       100000
#define ARENA_BYTES_MAX ((size_t)512 * 1024 * 1024)
/* Workers' clocks may differ by so much: behind the end by more, nothing comes that is before it. */
#define CLOCKS_APART_MS INT64_C(60000)
#define OFFSETS_MAX     1024

static const char INCOMPLETE[] =
    "WITH gone AS (SELECT DISTINCT user_id FROM sluice.events e JOIN unnest($1::int[], $2::bigint[]) AS l (partition, "
    "low)"
    " ON e.partition = l.partition AND e.\"offset\" < l.low WHERE e.topic = $3 AND e.user_id IS NOT NULL),"
    " spaces AS (SELECT workspace_id FROM sluice.workspace_members WHERE user_id IN (SELECT user_id FROM gone)"
    "  UNION SELECT id FROM sluice.workspaces WHERE owner_id IN (SELECT user_id FROM gone)"
    "  UNION SELECT workspace_id FROM sluice.invites WHERE invited_by IN (SELECT user_id FROM gone)"
    "   OR accepted_by IN (SELECT user_id FROM gone))"
    " SELECT user_id FROM gone UNION SELECT user_id FROM sluice.workspace_members"
    "  WHERE workspace_id IN (SELECT workspace_id FROM spaces)"
    " UNION SELECT accepted_by FROM sluice.invites WHERE accepted_by IS NOT NULL"
    "  AND workspace_id IN (SELECT workspace_id FROM spaces)";
static const char COMMAND[] =
    "SELECT outcome, error_code, result->>'message', result @> '{\"pending\": true}', decided_at, rule, user_id"
    " FROM sluice.events WHERE id = $1 AND source = $2";

struct replay {
    struct ctl *ctl;
    struct sl_pg *pg;
    struct policy_set *policy;
    struct log_reader *reader;
    struct history *history;
    struct replay_report report;
    struct sl_arena *arena; /* as long as the run */
    struct table incomplete;
    int64_t from_ms, to_ms; /* 0: not given */
    int64_t from_offsets[OFFSETS_MAX];
    bool has_offsets;
};

/* Options. */

static bool read_offset(struct replay *replay, struct sl_str pair)
{
    int64_t partition = 0;
    int64_t offset = 0;
    if (!sl_str_to_int64(sl_str_cut(&pair, ':'), &partition) || !sl_str_to_int64(pair, &offset) || partition < 0 ||
        partition >= OFFSETS_MAX || offset < 0)
        return false;
    replay->from_offsets[partition] = offset;
    replay->has_offsets = true;
    return true;
}

/* "0:1500,3:20": partitions that are not named are compared from their beginning. */
static bool read_offsets(struct replay *replay, struct sl_err *err)
{
    const char *value = replay->ctl->options.values[OPTION_FROM];
    struct sl_str rest = sl_str_of(value);
    while (!sl_str_empty(rest)) {
        if (read_offset(replay, sl_str_cut(&rest, ',')))
            continue;
        (void)sl_err_set(err, SL_ERR_PERMANENT, "--from \"%s\" is neither a time nor PARTITION:OFFSET,…", value);
        sl_err_hint(err, "give RFC 3339, a span ago (2h, 7d), or offsets such as 0:1500,1:900");
        return false;
    }
    return true;
}

static bool read_options(struct replay *replay, int64_t *ret_limit, struct sl_err *err)
{
    const struct options *options = &replay->ctl->options;
    const int64_t now_ms = sl_clock_wall_ms();
    struct sl_err is_no_time = {0};
    if (!options->dry_run) {
        (void)sl_err_set(err, SL_ERR_PERMANENT, "replay decides in memory alone: give --dry-run");
        sl_err_hint(err, "what is dead is decided once more by sluicectl dlq replay");
        return false;
    }
    if (!options_time(options, OPTION_FROM, now_ms, &replay->from_ms, &is_no_time) && !read_offsets(replay, err))
        return false;
    return options_time(options, OPTION_TO, now_ms, &replay->to_ms, err) &&
           options_int(options, OPTION_LIMIT, SHOWN_DEFAULT, 1, SHOWN_MAX, ret_limit, err);
}

/* Whom the log has from the beginning. */

static bool find_incomplete(struct replay *replay, struct sl_err *err)
{
    size_t count = 0;
    bool is_whole = true;
    struct sl_pg_params params;
    SL_PG_AUTO *rows = NULL;
    const struct log_partition *partitions = log_reader_partitions(replay->reader, &count);
    struct sl_pg_array *numbers = sl_pg_array_create(replay->arena, SL_PG_INT4);
    struct sl_pg_array *lows = sl_pg_array_create(replay->arena, SL_PG_INT8);
    for (size_t i = 0; i < count; i++) {
        is_whole = is_whole && partitions[i].low == 0;
        sl_pg_array_int(numbers, partitions[i].partition);
        sl_pg_array_int(lows, partitions[i].low);
    }
    if (is_whole)
        return true;
    sl_pg_params_init(&params, replay->arena);
    sl_pg_array(&params, numbers);
    sl_pg_array(&params, lows);
    sl_pg_text(&params, SL_STR(SL_TOPIC_EVENTS));
    if (!sl_pg_run(replay->pg, INCOMPLETE, &params, &rows, err))
        return false;
    for (int row = 0; row < PQntuples(rows); row++) {
        struct sl_str user = sl_arena_str(replay->arena, sl_pg_get_text(rows, row, 0));
        table_put(&replay->incomplete, user, (void *)(uintptr_t)user.ptr);
    }
    return true;
}

/* Comparing. */

static void differs(json_t *what, const char *name, struct sl_str then, struct sl_str now)
{
    if (!sl_str_equal(then, now))
        (void)json_array_append_new(what, json_string(name));
}

static bool has_same_jobs(const json_t *result, const struct plan *plan)
{
    const json_t *ids = json_object_get(result, "job_ids");
    if (json_array_size(ids) != plan->job_count)
        return false;
    for (size_t i = 0; i < plan->job_count; i++) {
        char id[SL_UUID_TEXT_BYTES];
        sl_uuid_format(plan->jobs[i].id, id);
        const char *then = json_string_value(json_array_get(ids, i));
        if (!then || strcmp(then, id) != 0)
            return false;
    }
    return true;
}

/* The names of what differs, or an empty array. The row of a command that waited for a cloud says what it was told in
 * the end: that is compared with the decision which told it. */
static json_t *compare(const struct log_decision *then, const struct history_now *made)
{
    const struct plan *now = made->plan;
    json_t *what = json_array();
    SL_JSON_AUTO *result = NULL;
    if (sl_str_empty(then->result) || !sl_json_parse(then->result, 0, &result, NULL))
        result = json_object();
    bool was_told = now->answers_later && !sl_json_bool(result, "pending", false);
    differs(what, "rule", then->rule, sl_str_of(now->rule));
    if (!was_told) {
        differs(what, "outcome", then->outcome, sl_str_of(outcome_name(now->outcome)));
        differs(what, "error_code", then->error_code,
                now->error ? sl_str_of(error_code_name(now->error)) : SL_STR_NONE);
        differs(what, "message", sl_json_str(result, "message"), now->message);
        if (!has_same_jobs(result, now))
            (void)json_array_append_new(what, json_string("job_ids"));
    }
    if (then->has_effects && then->effects != made->effects)
        (void)json_array_append_new(what, json_string("effects"));
    return what;
}

/* `user_id`: as it is now; then it may have been another's. */
static bool is_meant(const struct replay *replay, const struct item *item, const struct log_decision *then,
                     struct sl_str user_id)
{
    const char *user = replay->ctl->options.values[OPTION_USER];
    int32_t partition = item->message->partition;
    if (replay->has_offsets && partition < OFFSETS_MAX && item->message->offset < replay->from_offsets[partition])
        return false;
    return then->decided_at_ms >= replay->from_ms && (!replay->to_ms || then->decided_at_ms < replay->to_ms) &&
           (!user || sl_str_is(user_id, user) || sl_str_is(then->user_id, user));
}

static bool is_incomplete(const struct replay *replay, struct sl_str user_id)
{
    return !sl_str_empty(user_id) && table_get(&replay->incomplete, user_id) != NULL;
}

/* The outcome that a waiting command was told, now that the decision which tells it has been made again. */
static bool compare_answer(struct replay *replay, const struct item *item, const struct plan *now, struct sl_err *err)
{
    const struct answer *answer = &now->answer;
    struct sl_arena *arena = sl_arena_create(ARENA_BYTES_MAX);
    struct sl_pg_params params;
    SL_PG_AUTO *rows = NULL;
    sl_pg_params_init(&params, arena);
    sl_pg_text(&params, answer->event_id);
    sl_pg_text(&params, answer->source);
    bool ok = sl_pg_run(replay->pg, COMMAND, &params, &rows, err);
    sl_arena_destroy(arena);
    if (!ok)
        return false;
    if (PQntuples(rows) == 0 || sl_pg_get_bool(rows, 0, 3))
        return true; /* pruned, or told behind the end of what is read */
    json_t *what = json_array();
    differs(what, "outcome", sl_pg_get_text(rows, 0, 0), sl_str_of(outcome_name(answer->outcome)));
    differs(what, "error_code", sl_pg_get_text(rows, 0, 1),
            answer->error ? sl_str_of(error_code_name(answer->error)) : SL_STR_NONE);
    differs(what, "message", sl_pg_get_text(rows, 0, 2), answer->message);
    if (!json_array_size(what)) {
        json_decref(what);
        return true;
    }
    struct item command = *item;
    command.event.id = answer->event_id;
    command.event.source = answer->source;
    command.event.type = answer->ce_type;
    struct plan told = *now;
    told.outcome = answer->outcome;
    told.error = answer->error;
    told.message = answer->message;
    const struct log_decision then = {.outcome = sl_pg_get_text(rows, 0, 0),
                                      .error_code = sl_pg_get_text(rows, 0, 1),
                                      .rule = sl_pg_get_text(rows, 0, 5),
                                      .user_id = sl_pg_get_text(rows, 0, 6),
                                      .decided_at_ms = sl_pg_get_at_ms(rows, 0, 4)};
    replay_report_add(&replay->report, &command, &then, &told, NULL, what);
    return true;
}

/* What another event's fault, or none of the log, made of it: held behind a dead letter, or dead in its transaction. */
static bool was_not_decided(const struct item *item, const struct log_decision *then)
{
    return sl_str_is(then->outcome, "held") ||
           (sl_str_is(then->outcome, "dead") && !sl_str_empty(then->result) && item->has_input && then->decided_no &&
            !then->has_effects && strstr(then->result.ptr, ATTEMPT_BURIED) != NULL);
}

static bool note_decision(struct replay *replay, const struct item *item, const struct log_decision *then,
                          const struct history_now *made, struct sl_err *err)
{
    const struct plan *now = made->plan;
    struct sl_str user_id = made->user_id;
    struct replay_counts *counts = &replay->report.counts;
    if (!is_meant(replay, item, then, user_id))
        return true;
    if (is_incomplete(replay, user_id) || is_incomplete(replay, then->user_id)) {
        counts->not_comparable++;
        return true;
    }
    counts->compared++;
    if (!now) {
        if (!sl_str_is(then->outcome, "dead"))
            replay_report_add(&replay->report, item, then, NULL, item->unreadable, json_pack("[s]", "outcome"));
        return true;
    }
    json_t *what = compare(then, made);
    if (json_array_size(what))
        replay_report_add(&replay->report, item, then, now, NULL, what);
    else
        json_decref(what);
    return !now->has_answer || compare_answer(replay, item, now, err);
}

static bool decide_one(struct replay *replay, const struct item *item, const struct log_decision *decision,
                       struct sl_err *err)
{
    struct history_now now = {.user_id = decision->user_id};
    int64_t read = ++replay->report.counts.read;
    const struct history_then then = {
        .decided_at_ms = decision->decided_at_ms,
        .batch = decision->decided_no ? decision->decided_no / LOG_READER_BATCH : -read,
        .seen = decision->seen,
    };
    if (was_not_decided(item, decision))
        return true;
    if (item->has_input) {
        replay->report.counts.decided++;
        if (!history_decide(replay->history, item, &then, &now, err))
            return false;
    }
    return note_decision(replay, item, decision, &now, err);
}

static bool run(struct replay *replay, struct sl_err *err)
{
    const int64_t begun_ms = sl_clock_mono_ms();
    for (;;) {
        const struct item *item = NULL;
        const struct log_decision *decision = NULL;
        if (!log_reader_next(replay->reader, &item, &decision, err))
            return false;
        if (!item || (replay->to_ms && decision->decided_at_ms > replay->to_ms + CLOCKS_APART_MS))
            break;
        if (!decide_one(replay, item, decision, err))
            return false;
        if (replay->report.counts.read % PROGRESS_EVERY == 0)
            (void)fprintf(stderr, "sluicectl: %" PRId64 " events decided again, %zu users, %" PRId64 " s\n",
                          replay->report.counts.read, history_user_count(replay->history),
                          (sl_clock_mono_ms() - begun_ms) / 1000);
    }
    replay->report.counts.duplicates = log_reader_passed(replay->reader);
    return replay_report_complete(&replay->report, replay->ctl, err);
}

static bool open_all(struct replay *replay, struct sl_err *err)
{
    replay->pg = query_session(replay->ctl, err);
    replay->policy = replay->pg ? policy_create(replay->ctl->config, err) : NULL;
    if (!replay->policy)
        return false;
    replay->reader = log_reader_open(replay->ctl->config, replay->pg, policy_borrow_ring(replay->policy), err);
    replay->history = history_create(policy_borrow(replay->policy));
    return replay->reader && find_incomplete(replay, err);
}

static void close_all(struct replay *replay)
{
    log_reader_close(replay->reader);
    history_destroy(replay->history);
    policy_destroy(replay->policy);
    table_deinit(&replay->incomplete);
    replay_report_deinit(&replay->report);
    sl_arena_destroy(replay->arena);
}

enum ctl_exit replay_run(struct ctl *ctl)
{
    struct replay *replay = sl_calloc(1, sizeof(*replay));
    struct sl_err err = {0};
    int64_t limit = 0;
    enum ctl_exit code = CTL_DONE;
    replay->ctl = ctl;
    if (!read_options(replay, &limit, &err)) {
        (void)ctl_fail(&err);
        free(replay);
        return CTL_USAGE;
    }
    replay->arena = sl_arena_create(ARENA_BYTES_MAX);
    replay_report_init(&replay->report, (size_t)limit);
    if (open_all(replay, &err) && run(replay, &err)) {
        size_t count = 0;
        const struct log_partition *partitions = log_reader_partitions(replay->reader, &count);
        replay_report_print(&replay->report, partitions, count, ctl->options.json);
        code = replay->report.counts.different ? CTL_FOUND : CTL_DONE;
    } else {
        code = ctl_fail(&err);
    }
    close_all(replay);
    free(replay);
    return code;
}
