/* bury.c - attempt_bury: the last resort for an event that breaks its transaction each time.
 *
 * It gets a dead letter of stage commit, and an events row, in a transaction that writes nothing of what broke the
 * other. Its user's later events are held from now on. Where even that breaks (an id that the database refuses), the
 * letter goes without event and user.
 */
#include "common/log.h"
#include "worker/apply/announce.h"
#include "worker/apply/attempt.h"
#include "worker/apply/deadletter.h"
#include "worker/apply/outcome.h"
#include "worker/apply/pipeline.h"
#include "worker/apply/plan_commit.h"
#include "worker/apply/resolve.h"

static const char FORGET_HELD[] = "DELETE FROM sluice.held_events WHERE event_id = $1 AND source = $2";
static const char EVENT[] =
    "INSERT INTO sluice.events AS e (source, id, type, user_id, topic, partition, \"offset\", sha256, outcome, "
    "generation,"
    " result, received_at, decided_at, decided_no)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'dead', $9, $10, $11, $12, nextval('sluice.decision_no'))"
    " ON CONFLICT (id, source) DO UPDATE SET outcome = 'dead', user_id = excluded.user_id, topic = excluded.topic,"
    " partition = excluded.partition, \"offset\" = excluded.\"offset\", generation = excluded.generation,"
    " result = excluded.result, decided_at = excluded.decided_at, decided_no = excluded.decided_no, rule = NULL,"
    " error_code = NULL, effects = NULL, seen = NULL, earlier = sluice.decisions_earlier(e)"
    " WHERE e.outcome IN ('parked', 'held', 'dead')";
static const char LOCK_USER[] = "SELECT id FROM sluice.users WHERE id = $1 FOR NO KEY UPDATE";

/* Whose it is, as far as that can be found out: what breaks the event may break the question too. */
static struct sl_str user_of(struct shell *shell, struct sl_arena *arena, struct item *const *items, int64_t now_ms)
{
    struct attempt attempt = {.shell = shell, .arena = arena, .items = items, .count = 1, .now_ms = now_ms};
    struct sl_err ignored = {0};
    bool ok = resolve_owners(&attempt, &ignored);
    sl_pg_rollback(shell->pg);
    return ok ? resolve_user(&attempt, &items[0]->input) : items[0]->input.user_named;
}

static void queue_event(struct pipeline *pipeline, struct sl_arena *arena, const struct deadletter *letter)
{
    const struct item *item = letter->item;
    struct sl_pg_params params;
    sl_pg_params_init(&params, arena);
    sl_pg_text(&params, item->event.source);
    sl_pg_text(&params, item->event.id);
    sl_pg_text(&params, item->event.type);
    sl_pg_text_or_null(&params, letter->user_id);
    sl_pg_text(&params, SL_STR(SL_TOPIC_EVENTS));
    sl_pg_int4(&params, item->message->partition);
    sl_pg_int8(&params, item->message->offset);
    sl_pg_bytea(&params, (struct sl_str){(const char *)item->sha256, sizeof(item->sha256)});
    sl_pg_int4(&params, item->generation);
    sl_pg_jsonb(&params, outcome_result_of_message(arena, ATTEMPT_BURIED));
    sl_pg_at_ms(&params, item->event.received_at_ms > 0 ? item->event.received_at_ms : 1);
    sl_pg_at_ms(&params, letter->now_ms);
    (void)pipeline_add(pipeline, EVENT, &params);
}

/* It waits no longer behind another letter, it has one of its own: those behind it must not wait for its turn. */
static void queue_forget_held(struct pipeline *pipeline, struct sl_arena *arena, const struct deadletter *letter)
{
    struct sl_pg_params params;
    sl_pg_params_init(&params, arena);
    sl_pg_text(&params, letter->item->event.id);
    sl_pg_text(&params, letter->item->event.source);
    (void)pipeline_add(pipeline, FORGET_HELD, &params);
}

static bool bury(struct shell *shell, struct sl_arena *arena, const struct deadletter *letter,
                 struct item *const *items, struct sl_err *err)
{
    struct pipeline pipeline;
    struct position_move move;
    struct deadletters *letters = deadletters_create(arena, 1);
    size_t move_count = plan_commit_moves(shell, items, 1, &move);
    pipeline_init(&pipeline, shell->pg, err);
    (void)pipeline_add(&pipeline, SL_PG_BEGIN, NULL);
    if (!sl_str_empty(letter->user_id)) {
        struct sl_pg_params params;
        sl_pg_params_init(&params, arena);
        sl_pg_text(&params, letter->user_id);
        (void)pipeline_add(&pipeline, LOCK_USER, &params);
    }
    if (letter->item->has_event) {
        queue_event(&pipeline, arena, letter);
        queue_forget_held(&pipeline, arena, letter);
    }
    deadletters_add(letters, shell, letter);
    deadletters_queue(letters, &pipeline);
    (void)pipeline_added(&pipeline, pipeline.ok ? outbox_queue(shell->outbox, shell->pg, arena, err) : -1);
    int inserted = pipeline.count - 1;
    bool queued = pipeline.ok &&
                  positions_queue_move(shell->pg, arena, SL_TOPIC_EVENTS, shell->worker_id, &move, move_count, err);
    (void)pipeline_added(&pipeline, queued ? 1 : -1);
    (void)pipeline_add(&pipeline, SL_PG_COMMIT, NULL);
    if (!pipeline_flush(&pipeline)) {
        outbox_rolled_back(shell->outbox);
        sl_pg_rollback(shell->pg);
        return false;
    }
    plan_commit_moved(shell, &move, move_count);
    outbox_committed(shell->outbox, pipeline_result(&pipeline, inserted));
    pipeline_deinit(&pipeline);
    return true;
}

static void tell(struct shell *shell, struct sl_arena *arena, struct item *const *items, struct sl_str user_id)
{
    struct account account = {.facts.user.id = user_id};
    const struct outcome_head head = {
        .id = items[0]->event.id, .type = items[0]->event.type, .user_id = user_id, .outcome = OUTCOME_DEAD};
    struct decision decision = {
        .kind = DECISION_UNREADABLE,
        .item = items[0],
        .account = sl_str_empty(user_id) ? NULL : &account,
        .outcome = OUTCOME_DEAD,
        .outcome_json = outcome_write(arena, &head, SL_STR_NONE),
    };
    struct attempt attempt = {
        .shell = shell, .arena = arena, .items = items, .count = 1, .decisions = &decision, .decided = 1};
    announce(&attempt);
}

enum attempt_end attempt_bury(struct shell *shell, struct sl_arena *arena, struct item *item, int64_t now_ms,
                              const struct sl_err *why, struct sl_err *err)
{
    struct item *items[] = {item};
    sl_arena_reset(arena);
    struct deadletter letter = {
        .item = item,
        .user_id = item->has_input ? user_of(shell, arena, items, now_ms) : SL_STR_NONE,
        .stage = "commit",
        .cause = "database",
        .error = sl_arena_printf(arena, "%s: %s %s", why->code, why->message, why->detail),
        .attempts = 1,
        .now_ms = now_ms,
    };
    if (!bury(shell, arena, &letter, items, err)) {
        if (attempt_end_of(err) != ATTEMPT_PERMANENT)
            return attempt_end_of(err);
        item->has_event = false;
        item->has_input = false;
        letter.user_id = SL_STR_NONE;
        if (!bury(shell, arena, &letter, items, err))
            return attempt_end_of(err) == ATTEMPT_FENCED ? ATTEMPT_FENCED : ATTEMPT_RETRY;
    }
    sl_metric_add(sl_metric_with(shell->meters.dead_letters_total, letter.stage), 1);
    sl_log(SL_LOG_ERROR, "apply", "an event breaks its transaction: it is in the dead letters",
           LOG_STR("event", item->event.id), LOG_STR("type", item->event.type), LOG_STR("user", letter.user_id),
           LOG_INT("partition", item->message->partition), LOG_INT("offset", item->message->offset), LOG_ERR(why));
    tell(shell, arena, items, letter.user_id);
    return ATTEMPT_DONE;
}
