/* announce.c - see announce.h. */
#include "worker/apply/announce.h"

#include <stdlib.h>

#include "common/log.h"
#include "worker/apply/answers.h"
#include "worker/apply/outcome.h"
#include "worker/apply/pipeline.h"

/* Travels with what is told of one message until Kafka has all of it: its outcome, and perhaps that of the command
 * which it answered. */
struct announcement {
    struct partitions *partitions;
    int32_t partition;
    uint32_t epoch;
    uint64_t number;
    unsigned parts; /* still on their way */
    bool failed;
};

/* One look into the index for each id, as in facts_load.c. */
static const char EVENTS[] =
    "SELECT n.position, e.outcome, e.error_code, e.user_id, e.result FROM unnest($1::text[], $2::text[], $3::int[],"
    " $4::bigint[]) WITH ORDINALITY AS n (id, source, partition, log_offset, position)"
    " CROSS JOIN LATERAL (SELECT * FROM sluice.events WHERE id = n.id AND source = n.source LIMIT 1) AS e"
    " WHERE e.partition = n.partition AND e.\"offset\" = n.log_offset AND e.topic = $5";

bool announce_parse_reply_to(struct sl_str reply_to, int32_t *ret_partition, struct sl_str *ret_id)
{
    struct sl_str rest = reply_to;
    int64_t partition = 0;
    struct sl_uuid id;
    if (!sl_str_to_int64(sl_str_cut(&rest, '/'), &partition) || partition < 0 || partition > INT32_MAX ||
        !sl_uuid_parse(rest, &id))
        return false;
    *ret_partition = (int32_t)partition;
    *ret_id = rest;
    return true;
}

static void reply(struct shell *shell, const struct sl_event *event, struct sl_str outcome_json)
{
    int32_t partition = 0;
    struct sl_event_header header = {.name = SL_STR("sluice-correlation-id")};
    if (sl_str_empty(outcome_json) || sl_str_empty(event->reply_to) ||
        !announce_parse_reply_to(event->reply_to, &partition, &header.value))
        return;
    /* Who waits has a deadline of its own: a reply that can't be sent is not tried again. */
    if (!outbox_produce(shell->outbox, SL_TOPIC_REPLIES, partition, SL_STR_NONE, &header, 1, outcome_json, NULL, NULL))
        sl_log(SL_LOG_DEBUG, "announce", "a reply could not be sent", LOG_STR("event", event->id),
               LOG_INT("reply_partition", partition));
}

static void confirmed(void *arg, bool ok)
{
    struct announcement *announcement = arg;
    announcement->failed = announcement->failed || !ok;
    if (--announcement->parts)
        return;
    struct partition *partition = partitions_find(announcement->partitions, announcement->partition);
    if (partition && partition->epoch == announcement->epoch) {
        if (announcement->failed)
            partition->outcome_failed = true;
        else
            partition_confirm(partition, announcement->number);
    }
    free(announcement);
}

/* One part of the announcement. `about`: the event whose outcome it is. */
static void tell(struct shell *shell, struct sl_arena *arena, const struct sl_event *about, struct sl_str user_id,
                 struct sl_str outcome_json, struct announcement *announcement)
{
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
    const struct sl_event outcome = {
        .id = about->id,
        .source = about->source,
        .type = sl_arena_printf(arena, "outcome.%" SL_STR_FMT, SL_STR_ARG(about->type)),
        .subject = about->subject,
        .partition_key = sl_str_empty(user_id) ? about->partition_key : user_id,
        .content_type = SL_STR("application/json"),
        .traceparent = about->traceparent,
        .data = outcome_json,
        .time_ms = about->time_ms,
        .received_at_ms = about->received_at_ms,
    };
    size_t count = sl_event_encode(&outcome, arena, headers);
    if (!outbox_produce(shell->outbox, SL_TOPIC_OUTCOMES, RD_KAFKA_PARTITION_UA, outcome.partition_key, headers, count,
                        outcome_json, confirmed, announcement))
        confirmed(announcement, false);
}

/* Tells what became of an item's event, and of the command that it answered (NULL: none), if any of both is to be
 * told, and enters it into its partition's flying outcomes. */
static void tell_item(struct shell *shell, struct sl_arena *arena, const struct item *item, struct sl_str user_id,
                      struct sl_str outcome_json, const struct answer_told *answer)
{
    struct partition *partition = partitions_find(&shell->partitions, item->message->partition);
    SL_ASSERT(partition);
    uint64_t number = partition_fly(partition, item->message->offset);
    bool has_outcome = !sl_str_empty(outcome_json);
    unsigned parts = (has_outcome ? 1U : 0U) + (answer ? 1U : 0U);
    if (!parts) {
        partition_confirm(partition, number);
        return;
    }
    struct announcement *announcement = sl_malloc(sizeof(*announcement));
    *announcement = (struct announcement){.partitions = &shell->partitions,
                                          .partition = item->message->partition,
                                          .epoch = partition->epoch,
                                          .number = number,
                                          .parts = parts};
    if (answer) {
        struct sl_event command = item->event;
        command.id = answer->id;
        command.source = answer->source;
        command.type = answer->type;
        command.reply_to = answer->reply_to;
        tell(shell, arena, &command, answer->user_id, answer->outcome_json, announcement);
        reply(shell, &command, answer->outcome_json);
    }
    if (has_outcome)
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): `parts` counts this one too, so it is still there */
        tell(shell, arena, &item->event, user_id, outcome_json, announcement);
}

void announce(struct attempt *attempt)
{
    for (size_t i = 0; i < attempt->decided; i++) {
        const struct decision *decision = &attempt->decisions[i];
        const struct item *item = decision->item;
        bool is_told = item->has_event && decision->kind != DECISION_DUPLICATE;
        struct answer_told answer;
        if (decision->answered)
            answer = answers_told(attempt, decision);
        tell_item(attempt->shell, attempt->arena, item,
                  decision->account ? decision->account->facts.user.id : SL_STR_NONE,
                  is_told ? decision->outcome_json : SL_STR_NONE, decision->answered ? &answer : NULL);
        if (item->has_event)
            reply(attempt->shell, &item->event, decision->outcome_json);
    }
}

static int queue_rows(struct pipeline *pipeline, struct sl_arena *arena, struct item *const *items, size_t count)
{
    struct sl_pg_params params;
    struct sl_pg_array *ids = sl_pg_array_create(arena, SL_PG_TEXT);
    struct sl_pg_array *sources = sl_pg_array_create(arena, SL_PG_TEXT);
    struct sl_pg_array *partitions = sl_pg_array_create(arena, SL_PG_INT4);
    struct sl_pg_array *offsets = sl_pg_array_create(arena, SL_PG_INT8);
    for (size_t i = 0; i < count; i++) {
        sl_pg_array_text(ids, items[i]->event.id);
        sl_pg_array_text(sources, items[i]->event.source);
        sl_pg_array_int(partitions, items[i]->message->partition);
        sl_pg_array_int(offsets, items[i]->message->offset);
    }
    sl_pg_params_init(&params, arena);
    sl_pg_array(&params, ids);
    sl_pg_array(&params, sources);
    sl_pg_array(&params, partitions);
    sl_pg_array(&params, offsets);
    sl_pg_text(&params, SL_STR(SL_TOPIC_EVENTS));
    return pipeline_add(pipeline, EVENTS, &params);
}

static void tell_row(struct shell *shell, struct sl_arena *arena, const struct item *item, const PGresult *rows,
                     int row)
{
    struct sl_str result_json = sl_pg_get_text(rows, row, 4);
    struct answer_told answer;
    bool answers = answers_told_again(arena, result_json, &answer);
    const struct outcome_head head = {
        .id = item->event.id,
        .type = item->event.type,
        .user_id = sl_pg_get_text(rows, row, 3),
        .outcome = outcome_parse(sl_pg_get_text(rows, row, 1)),
        .error_code = sl_pg_get_text(rows, row, 2),
    };
    struct sl_str json = outcome_is_pending(result_json) ? SL_STR_NONE : outcome_write(arena, &head, result_json);
    tell_item(shell, arena, item, head.user_id, json, answers ? &answer : NULL);
    reply(shell, &item->event, json);
}

bool announce_again(struct shell *shell, struct sl_arena *arena, struct item *const *items, size_t count,
                    struct sl_err *err)
{
    struct pipeline pipeline;
    sl_arena_reset(arena);
    pipeline_init(&pipeline, shell->pg, err);
    int index = queue_rows(&pipeline, arena, items, count);
    if (!pipeline_flush(&pipeline))
        return false;
    const PGresult *rows = pipeline_result(&pipeline, index);
    int *row_of = sl_arena_alloc(arena, count, sizeof(*row_of)); /* 1 and up; 0: no row, a duplicate or no event */
    for (int row = 0; row < PQntuples(rows); row++)
        row_of[sl_pg_get_int(rows, row, 0) - 1] = row + 1;
    for (size_t i = 0; i < count; i++) {
        if (row_of[i])
            tell_row(shell, arena, items[i], rows, row_of[i] - 1);
        else
            tell_item(shell, arena, items[i], SL_STR_NONE, SL_STR_NONE, NULL);
    }
    sl_metric_add(shell->meters.reannounced_total, (int64_t)count);
    pipeline_deinit(&pipeline);
    return true;
}
