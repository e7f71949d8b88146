/* parking.c - see parking.h.
 *
 * An event is parked under its customer's row lock, and linking a customer takes the same lock: so an event is either
 * parked before the link, and then released by it, or decided after it.
 */
#include "worker/apply/parking.h"

#include "common/fault.h"
#include "common/log.h"
#include "worker/apply/message.h"

static const char PARK[] =
    "INSERT INTO sluice.parked_events (source, event_id, customer_id, headers, value, received_at)"
    " SELECT source, event_id, customer_id, headers, value, received_at"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::bytea[], $6::timestamptz[]) WITH ORDINALITY"
    " AS p (source, event_id, customer_id, headers, value, received_at, position)"
    " ORDER BY position ON CONFLICT (event_id, source) DO NOTHING";
static const char HOLD[] =
    "INSERT INTO sluice.held_events (source, event_id, user_id, headers, value, received_at)"
    " SELECT source, event_id, user_id, headers, value, received_at"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::bytea[], $6::timestamptz[]) WITH ORDINALITY"
    " AS p (source, event_id, user_id, headers, value, received_at, position)"
    /* held once more, it keeps its place */
    " ORDER BY position ON CONFLICT (event_id, source) DO UPDATE SET released_at = NULL, headers = excluded.headers";
static const char FORGET_PARKED[] = "DELETE FROM sluice.parked_events p USING unnest($1::text[], $2::text[])"
                                    " AS d (event_id, source) WHERE p.event_id = d.event_id AND p.source = d.source";
static const char FORGET_HELD[] = "DELETE FROM sluice.held_events h USING unnest($1::text[], $2::text[])"
                                  " AS d (event_id, source) WHERE h.event_id = d.event_id AND h.source = d.source";
/* The first thousand come back to be produced at once; the sweep finds the rest. */
static const char RELEASE[] =
    "WITH moved AS (DELETE FROM sluice.parked_events p USING unnest($1::text[], $2::text[]) AS l (customer_id, user_id)"
    " WHERE p.customer_id = l.customer_id RETURNING p.seq, p.source, p.event_id, p.headers, p.value, l.user_id),"
    " released AS (INSERT INTO sluice.outbox (topic, key, headers, value)"
    " SELECT $3, convert_to(m.user_id, 'UTF8'), sluice.replay_headers(m.headers, m.user_id, e.generation + 1), m.value"
    " FROM moved m CROSS JOIN LATERAL (SELECT generation, outcome FROM sluice.events"
    " WHERE id = m.event_id AND source = m.source LIMIT 1) AS e WHERE e.outcome = 'parked'"
    " ORDER BY m.seq RETURNING id, topic, key, headers, value)"
    " SELECT id, topic, key, headers, value FROM released ORDER BY id LIMIT 1000";

static bool is_key(const struct sl_str key[2], const struct item *item)
{
    return sl_str_equal(key[0], item->event.id) && sl_str_equal(key[1], item->event.source);
}

bool parking_is_held(const struct account *account, const struct item *item, const struct known *known)
{
    bool is_replay = known && item->generation > known->generation;
    bool is_list_done = account->held_next == account->held_count;
    if (!account->has_open_letter && is_list_done && !account->holds_now)
        return false;
    if (is_replay && known->outcome == OUTCOME_DEAD)
        return false;
    return account->has_open_letter || is_list_done || !is_key(account->held[account->held_next], item);
}

void parking_was_decided(struct account *account, const struct item *item)
{
    if (account->held_next < account->held_count && is_key(account->held[account->held_next], item))
        account->held_next++;
}

struct waiting {
    struct sl_pg_array *sources, *ids, *owners, *headers, *values, *received;
};

static struct waiting waiting_create(struct sl_arena *arena)
{
    return (struct waiting){
        .sources = sl_pg_array_create(arena, SL_PG_TEXT),
        .ids = sl_pg_array_create(arena, SL_PG_TEXT),
        .owners = sl_pg_array_create(arena, SL_PG_TEXT),
        .headers = sl_pg_array_create(arena, SL_PG_JSONB),
        .values = sl_pg_array_create(arena, SL_PG_BYTEA),
        .received = sl_pg_array_create(arena, SL_PG_TIMESTAMPTZ),
    };
}

static void waiting_add(struct waiting *waiting, struct sl_arena *arena, const struct item *item, struct sl_str owner)
{
    sl_pg_array_text(waiting->sources, item->event.source);
    sl_pg_array_text(waiting->ids, item->event.id);
    sl_pg_array_text(waiting->owners, owner);
    sl_pg_array_text(waiting->headers, message_headers_json(item->message, arena));
    sl_pg_array_text(waiting->values, item->event.data);
    sl_pg_array_at_ms_or_null(waiting->received, item->event.received_at_ms);
}

static void waiting_queue(const struct waiting *waiting, const char *sql, struct pipeline *pipeline,
                          struct sl_arena *arena)
{
    struct sl_pg_params params;
    if (!sl_pg_array_count(waiting->ids))
        return;
    sl_pg_params_init(&params, arena);
    sl_pg_array(&params, waiting->sources);
    sl_pg_array(&params, waiting->ids);
    sl_pg_array(&params, waiting->owners);
    sl_pg_array(&params, waiting->headers);
    sl_pg_array(&params, waiting->values);
    sl_pg_array(&params, waiting->received);
    (void)pipeline_add(pipeline, sql, &params);
}

/* Events that had waited and are decided now, or can't be read any more: what stands of them elsewhere goes. */
static void queue_ended(const struct attempt *attempt, enum outcome was, const char *sql, struct pipeline *pipeline)
{
    struct sl_pg_params params;
    struct sl_pg_array *ids = sl_pg_array_create(attempt->arena, SL_PG_TEXT);
    struct sl_pg_array *sources = sl_pg_array_create(attempt->arena, SL_PG_TEXT);
    for (size_t i = 0; i < attempt->decided; i++) {
        const struct decision *decision = &attempt->decisions[i];
        bool has_ended = decision->kind == DECISION_UNREADABLE ||
                         (decision->kind == DECISION_MADE && decision->outcome != OUTCOME_PARKED);
        if (!has_ended || !decision->known || decision->known->outcome != was)
            continue;
        sl_pg_array_text(ids, decision->item->event.id);
        sl_pg_array_text(sources, decision->item->event.source);
    }
    if (!sl_pg_array_count(ids))
        return;
    sl_pg_params_init(&params, attempt->arena);
    sl_pg_array(&params, ids);
    sl_pg_array(&params, sources);
    (void)pipeline_add(pipeline, sql, &params);
}

void parking_queue(struct attempt *attempt, struct pipeline *pipeline)
{
    struct waiting parked = waiting_create(attempt->arena);
    struct waiting held = waiting_create(attempt->arena);
    for (size_t i = 0; i < attempt->decided; i++) {
        const struct decision *decision = &attempt->decisions[i];
        if (decision->kind == DECISION_HELD)
            waiting_add(&held, attempt->arena, decision->item, decision->account->facts.user.id);
        else if (decision->kind == DECISION_MADE && decision->outcome == OUTCOME_PARKED)
            waiting_add(&parked, attempt->arena, decision->item, decision->input->customer_id);
    }
    waiting_queue(&parked, PARK, pipeline, attempt->arena);
    waiting_queue(&held, HOLD, pipeline, attempt->arena);
    queue_ended(attempt, OUTCOME_PARKED, FORGET_PARKED, pipeline);
    queue_ended(attempt, OUTCOME_HELD, FORGET_HELD, pipeline);
    queue_ended(attempt, OUTCOME_DEAD, FORGET_HELD, pipeline); /* one that could not be read when it was released */
}

int parking_queue_release(struct attempt *attempt, struct pipeline *pipeline)
{
    struct sl_pg_params params;
    struct sl_pg_array *customers = sl_pg_array_create(attempt->arena, SL_PG_TEXT);
    struct sl_pg_array *users = sl_pg_array_create(attempt->arena, SL_PG_TEXT);
    if (!attempt->link_count)
        return -1;
    for (size_t i = 0; i < attempt->link_count; i++) {
        sl_pg_array_text(customers, attempt->links[i].customer_id);
        sl_pg_array_text(users, attempt->links[i].user_id);
    }
    sl_pg_params_init(&params, attempt->arena);
    sl_pg_array(&params, customers);
    sl_pg_array(&params, users);
    sl_pg_text(&params, SL_STR(SL_TOPIC_EVENTS));
    return pipeline_add(pipeline, RELEASE, &params);
}

void parking_release(struct attempt *attempt)
{
    const PGresult *rows = attempt->released;
    sl_fault_if(rows && PQntuples(rows) > 0, "apply.before_release");
    for (int row = 0; rows && row < PQntuples(rows); row++) {
        struct sl_str value = sl_pg_get_text(rows, row, 4);
        struct sl_err err = {0};
        sl_metric_add(attempt->shell->meters.released_total, 1);
        if (!outbox_adopt(attempt->shell->outbox, sl_pg_get_int(rows, row, 0), sl_pg_get_text(rows, row, 1),
                          sl_pg_get_text(rows, row, 2), sl_pg_get_text(rows, row, 3), &value, &err)) {
            sl_log(SL_LOG_WARN, "parking", "a released event is left to the sweep",
                   LOG_INT("outbox_row", sl_pg_get_int(rows, row, 0)), LOG_ERR(&err));
            return; /* the rest too: their order matters */
        }
    }
    sl_fault_if(rows && PQntuples(rows) > 0, "apply.after_release");
}
