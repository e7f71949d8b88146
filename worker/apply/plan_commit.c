/* plan_commit.c - see plan_commit.h.
 *
 * Order of the statements: jobs that end before those under way and new ones (they make room under the index "one per
 * agent"), what goes before what comes, answers behind the events (a command may be answered in its own batch), what is
 * parked before what is released, the positions last, so that their rows are locked for as short as possible. A
 * position that has moved makes the server fail the whole pipeline before COMMIT.
 */
#include "worker/apply/plan_commit.h"

#include "worker/apply/answers.h"
#include "worker/apply/commons_rows.h"
#include "worker/apply/deadletter.h"
#include "worker/apply/parking.h"
#include "worker/apply/pipeline.h"
#include "worker/apply/plan_rows.h"
#include "worker/apply/resolve.h"

static const char LINKS[] =
    "UPDATE sluice.customers c SET user_id = n.user_id, linked_at = $3"
    " FROM unnest($1::text[], $2::text[]) AS n (id, user_id) WHERE c.id = n.id AND c.user_id IS NULL";
static const char AUDITS[] =
    "INSERT INTO sluice.audit_log (at, actor, user_id, action, target, event_id, rule, detail)"
    " SELECT $8, actor, user_id, action, target, event_id, rule, detail"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[]) WITH ORDINALITY"
    " AS n (actor, user_id, action, target, event_id, rule, detail, position) ORDER BY position";
#define EVENT_COLUMNS                                                                                                  \
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[], $7::bytea[], $8::text[],"   \
    " $9::text[], $10::text[], $11::int[], $12::jsonb[], $13::timestamptz[], $14::int[], $15::bigint[], $16::jsonb[])" \
    " AS n (source, id, type, user_id, partition, log_offset, sha256, outcome, error_code, rule, generation, result,"  \
    " received_at, place, effects, seen)"
/* Taken behind the locks on all that is decided over: what is decided later has a higher one. */
static const char DECISION_NO[] = "SELECT nextval('sluice.decision_no')";
static const char EVENTS_NEW[] =
    "INSERT INTO sluice.events (source, id, type, user_id, topic, partition, \"offset\", sha256, outcome, error_code,"
    " rule, generation, result, received_at, decided_at, decided_no, effects, seen)"
    " SELECT source, id, type, user_id, $17, partition, log_offset, sha256, outcome, error_code, rule, generation,"
    " result, received_at, $18, currval('sluice.decision_no') + place, effects, seen" EVENT_COLUMNS
    " ORDER BY id, source";
/* An event that waited or was dead, decided again: its row says where it was decided, and keeps what it said before. */
static const char EVENTS_AGAIN[] =
    "UPDATE sluice.events e SET user_id = n.user_id, topic = $17, partition = n.partition, \"offset\" = n.log_offset,"
    " outcome = n.outcome, error_code = n.error_code, rule = n.rule, generation = n.generation, result = n.result,"
    " decided_at = $18, decided_no = currval('sluice.decision_no') + n.place, effects = n.effects, seen = n.seen,"
    " earlier = sluice.decisions_earlier(e)" EVENT_COLUMNS " WHERE e.id = n.id AND e.source = n.source"
    " AND e.outcome IN ('parked', 'held', 'dead')";

struct event_rows {
    struct sl_pg_array *sources, *ids, *types, *users, *partitions, *offsets, *digests, *outcomes, *errors, *rules;
    struct sl_pg_array *generations, *results, *received, *places, *effects, *seen;
};

static struct event_rows event_rows_create(struct sl_arena *arena)
{
    return (struct event_rows){
        .sources = sl_pg_array_create(arena, SL_PG_TEXT),
        .ids = sl_pg_array_create(arena, SL_PG_TEXT),
        .types = sl_pg_array_create(arena, SL_PG_TEXT),
        .users = sl_pg_array_create(arena, SL_PG_TEXT),
        .partitions = sl_pg_array_create(arena, SL_PG_INT4),
        .offsets = sl_pg_array_create(arena, SL_PG_INT8),
        .digests = sl_pg_array_create(arena, SL_PG_BYTEA),
        .outcomes = sl_pg_array_create(arena, SL_PG_TEXT),
        .errors = sl_pg_array_create(arena, SL_PG_TEXT),
        .rules = sl_pg_array_create(arena, SL_PG_TEXT),
        .generations = sl_pg_array_create(arena, SL_PG_INT4),
        .results = sl_pg_array_create(arena, SL_PG_JSONB),
        .received = sl_pg_array_create(arena, SL_PG_TIMESTAMPTZ),
        .places = sl_pg_array_create(arena, SL_PG_INT4),
        .effects = sl_pg_array_create(arena, SL_PG_INT8),
        .seen = sl_pg_array_create(arena, SL_PG_JSONB),
    };
}

/* `place`: among the events of its transaction. */
static void event_row(struct event_rows *rows, const struct decision *decision, size_t place)
{
    const struct item *item = decision->item;
    const struct plan *plan = decision->plan;
    struct sl_str user = decision->account ? decision->account->facts.user.id : SL_STR_NONE;
    sl_pg_array_text(rows->sources, item->event.source);
    sl_pg_array_text(rows->ids, item->event.id);
    sl_pg_array_text(rows->types, item->event.type);
    sl_pg_array_text_or_null(rows->users, user);
    sl_pg_array_int(rows->partitions, item->message->partition);
    sl_pg_array_int(rows->offsets, item->message->offset);
    sl_pg_array_text(rows->digests, (struct sl_str){(const char *)item->sha256, sizeof(item->sha256)});
    sl_pg_array_text(rows->outcomes, sl_str_of(outcome_name(decision->outcome)));
    sl_pg_array_text_or_null(rows->errors, plan && plan->error ? sl_str_of(error_code_name(plan->error)) : SL_STR_NONE);
    sl_pg_array_text_or_null(rows->rules, plan ? sl_str_of(plan->rule) : SL_STR_NONE);
    sl_pg_array_int(rows->generations, item->generation);
    sl_pg_array_text_or_null(rows->results, decision->result_json);
    sl_pg_array_at_ms_or_null(rows->received, item->event.received_at_ms > 0 ? item->event.received_at_ms : 1);
    sl_pg_array_int(rows->places, (int64_t)place);
    if (plan)
        sl_pg_array_int(rows->effects, decision->effects);
    else
        sl_pg_array_null(rows->effects);
    sl_pg_array_text_or_null(rows->seen, decision->seen_json);
}

static void event_rows_queue(const struct event_rows *rows, const struct attempt *attempt, const char *sql,
                             struct pipeline *pipeline)
{
    struct sl_pg_array *const arrays[] = {
        rows->sources,  rows->ids,      rows->types,   rows->users, rows->partitions,  rows->offsets,
        rows->digests,  rows->outcomes, rows->errors,  rows->rules, rows->generations, rows->results,
        rows->received, rows->places,   rows->effects, rows->seen,
    };
    struct sl_pg_params params;
    if (!sl_pg_array_count(rows->ids))
        return;
    sl_pg_params_init(&params, attempt->arena);
    for (size_t i = 0; i < SL_ARRAY_LEN(arrays); i++)
        sl_pg_array(&params, arrays[i]);
    sl_pg_text(&params, SL_STR(SL_TOPIC_EVENTS));
    sl_pg_at_ms(&params, attempt->now_ms);
    (void)pipeline_add(pipeline, sql, &params);
}

static void queue_events(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct event_rows new_rows = event_rows_create(attempt->arena);
    struct event_rows again = event_rows_create(attempt->arena);
    for (size_t i = 0; i < attempt->decided; i++) {
        const struct decision *decision = &attempt->decisions[i];
        if (decision->kind == DECISION_DUPLICATE || !decision->item->has_event)
            continue;
        event_row(decision->known ? &again : &new_rows, decision, i);
    }
    event_rows_queue(&new_rows, attempt, EVENTS_NEW, pipeline);
    event_rows_queue(&again, attempt, EVENTS_AGAIN, pipeline);
}

static void queue_links(const struct attempt *attempt, struct pipeline *pipeline)
{
    struct sl_pg_params params;
    struct sl_pg_array *customers = sl_pg_array_create(attempt->arena, SL_PG_TEXT);
    struct sl_pg_array *users = sl_pg_array_create(attempt->arena, SL_PG_TEXT);
    if (!attempt->link_count)
        return;
    for (size_t i = 0; i < attempt->link_count; i++) {
        const struct link *link = &attempt->links[i];
        sl_pg_array_text(customers, link->customer_id);
        sl_pg_array_text(users, link->user_id);
        outbox_add_message(attempt->shell->outbox, SL_TOPIC_DIRECTORY, link->customer_id, NULL, 0, &link->user_id);
    }
    sl_pg_params_init(&params, attempt->arena);
    sl_pg_array(&params, customers);
    sl_pg_array(&params, users);
    sl_pg_at_ms(&params, attempt->now_ms);
    (void)pipeline_add(pipeline, LINKS, &params);
}

static void queue_audits(const struct attempt *attempt, struct pipeline *pipeline)
{
    enum { ACTOR, USER, ACTION, TARGET, EVENT, RULE, DETAIL, COLUMN_COUNT };
    struct sl_pg_array *columns[COLUMN_COUNT];
    struct sl_pg_params params;
    for (int i = 0; i < COLUMN_COUNT; i++)
        columns[i] = sl_pg_array_create(attempt->arena, i == DETAIL ? SL_PG_JSONB : SL_PG_TEXT);
    for (size_t i = 0; i < attempt->decided; i++) {
        const struct decision *decision = &attempt->decisions[i];
        for (size_t a = 0; decision->plan && a < decision->plan->audit_count; a++) {
            const struct audit *audit = &decision->plan->audits[a];
            sl_pg_array_text(columns[ACTOR], decision->input->actor);
            sl_pg_array_text_or_null(columns[USER], decision->input->user_id);
            sl_pg_array_text(columns[ACTION], sl_str_of(audit->action));
            sl_pg_array_text_or_null(columns[TARGET], audit->target);
            sl_pg_array_text(columns[EVENT], decision->item->event.id);
            sl_pg_array_text(columns[RULE], sl_str_of(decision->plan->rule));
            sl_pg_array_text_or_null(columns[DETAIL], audit->detail);
        }
    }
    if (!sl_pg_array_count(columns[ACTOR]))
        return;
    sl_pg_params_init(&params, attempt->arena);
    for (int i = 0; i < COLUMN_COUNT; i++)
        sl_pg_array(&params, columns[i]);
    sl_pg_at_ms(&params, attempt->now_ms);
    (void)pipeline_add(pipeline, AUDITS, &params);
}

/* To other users' partitions: what this event means for them is decided there. */
static void stage_notices(const struct attempt *attempt)
{
    for (size_t i = 0; i < attempt->decided; i++) {
        const struct decision *decision = &attempt->decisions[i];
        for (size_t n = 0; decision->plan && n < decision->plan->notice_count; n++) {
            const struct notice *notice = &decision->plan->notices[n];
            char id[SL_UUID_TEXT_BYTES];
            sl_uuid_format(notice->id, id);
            const struct sl_event event = {
                .id = sl_str_of(id),
                .source = SL_STR("/sluice/apply"),
                .type = sl_str_of(notice->ce_type),
                .subject = notice->user_id,
                .partition_key = notice->user_id,
                .content_type = SL_STR("application/json"),
                .traceparent = decision->item->event.traceparent,
                .data = notice->body,
                .time_ms = decision->input->received_at_ms,
                .received_at_ms = attempt->now_ms,
            };
            outbox_add_event(attempt->shell->outbox, SL_TOPIC_EVENTS, &event);
        }
    }
}

static struct deadletters *collect_letters(const struct attempt *attempt)
{
    struct deadletters *letters = deadletters_create(attempt->arena, attempt->decided);
    for (size_t i = 0; i < attempt->decided; i++) {
        const struct decision *decision = &attempt->decisions[i];
        struct deadletter letter = {.item = decision->item, .attempts = 1, .now_ms = attempt->now_ms};
        if (decision->kind == DECISION_UNREADABLE) {
            letter.stage = "decode";
            letter.cause = "unreadable";
            letter.error = sl_str_of(decision->item->unreadable);
        } else if (decision->plan && decision->plan->dead_letter_cause) {
            letter.stage = "execute";
            letter.cause = decision->plan->dead_letter_cause;
            letter.error =
                sl_str_empty(decision->input->as.job.error) ? decision->plan->message : decision->input->as.job.error;
            letter.user_id = decision->input->user_id;
            letter.job_id = resolve_job_id(decision->input);
        } else {
            continue;
        }
        sl_metric_add(sl_metric_with(attempt->shell->meters.dead_letters_total, letter.stage), 1);
        deadletters_add(letters, attempt->shell, &letter);
    }
    return letters;
}

size_t plan_commit_moves(struct shell *shell, struct item *const *items, size_t count, struct position_move *ret_moves)
{
    size_t move_count = 0;
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_message_t *message = items[i]->message;
        struct position_move *move = NULL;
        for (size_t m = 0; m < move_count && !move; m++)
            move = ret_moves[m].partition == message->partition ? &ret_moves[m] : NULL;
        if (!move) {
            const struct partition *partition = partitions_find(&shell->partitions, message->partition);
            SL_ASSERT(partition);
            move = &ret_moves[move_count++];
            *move = (struct position_move){
                .partition = message->partition, .start = partition->next, .published = partition->published};
        }
        SL_ASSERT(message->offset >= move->start);
        move->next = message->offset + 1;
    }
    return move_count;
}

void plan_commit_moved(struct shell *shell, const struct position_move *moves, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct partition *partition = partitions_find(&shell->partitions, moves[i].partition);
        SL_ASSERT(partition && partition->next == moves[i].start);
        partition->next = moves[i].next;
        partition->published_stored = moves[i].published;
    }
}

/* Gives the index of the answers' result, or -1. */
static int queue_state(struct attempt *attempt, struct pipeline *pipeline)
{
    plan_rows_users(attempt, pipeline);
    queue_links(attempt, pipeline);
    plan_rows_subscriptions(attempt, pipeline);
    plan_rows_agents(attempt, pipeline);
    plan_rows_jobs_changed(attempt, pipeline);
    plan_rows_jobs_queued(attempt, pipeline);
    plan_rows_timers(attempt, pipeline);
    plan_rows_usages(attempt, pipeline);
    commons_rows_queue(attempt, pipeline);
    queue_audits(attempt, pipeline);
    queue_events(attempt, pipeline);
    int answers = answers_queue(attempt, pipeline);
    parking_queue(attempt, pipeline);
    stage_notices(attempt);
    deadletters_queue_settled(attempt, pipeline); /* before those who die: a job may be retried and fail in one batch */
    deadletters_queue(collect_letters(attempt), pipeline);
    return answers;
}

bool plan_commit(struct attempt *attempt, struct sl_err *err)
{
    struct shell *shell = attempt->shell;
    struct pipeline pipeline;
    struct position_move *moves = sl_arena_alloc(attempt->arena, attempt->decided, sizeof(*moves));
    size_t move_count = plan_commit_moves(shell, attempt->items, attempt->decided, moves);
    pipeline_init(&pipeline, shell->pg, err);
    (void)pipeline_add(&pipeline, DECISION_NO, NULL);
    int answers = queue_state(attempt, &pipeline);
    int released = parking_queue_release(attempt, &pipeline);
    bool has_staged = outbox_has_staged(shell->outbox);
    (void)pipeline_added(&pipeline, pipeline.ok ? outbox_queue(shell->outbox, shell->pg, attempt->arena, err) : -1);
    int inserted = has_staged ? pipeline.count - 1 : -1;
    bool queued = pipeline.ok && positions_queue_move(shell->pg, attempt->arena, SL_TOPIC_EVENTS, shell->worker_id,
                                                      moves, move_count, err);
    (void)pipeline_added(&pipeline, queued ? 1 : -1);
    (void)pipeline_add(&pipeline, SL_PG_COMMIT, NULL);
    if (!pipeline_flush(&pipeline)) {
        outbox_rolled_back(shell->outbox);
        sl_pg_rollback(shell->pg);
        return false;
    }
    plan_commit_moved(shell, moves, move_count);
    outbox_committed(shell->outbox, pipeline_result(&pipeline, inserted));
    answers_read(attempt, pipeline_result(&pipeline, answers));
    attempt->released = released < 0 ? NULL : pipeline.results[released];
    if (released >= 0)
        pipeline.results[released] = NULL; /* the attempt's now */
    pipeline_deinit(&pipeline);
    return true;
}
