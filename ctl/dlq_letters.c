/* dlq_letters.c - see dlq.h: the filter, and the pages of the index in Postgres. */
#include <stdio.h>

#include "common/clock.h"
#include "ctl/dlq.h"
#include "ctl/query.h"

static const char START[] =
    "SELECT coalesce(max(l.seq), 0), count(*) FROM sluice.dead_letters l WHERE l.status = 'open' AND " DLQ_FILTER;

/* Of the letters "l": joined once they are chosen, not before. */
#define LETTER                                                                                                         \
    " SELECT l.id, l.event_id, l.source, l.type, l.user_id, l.stage, l.cause, l.error, l.topic, l.job_id,"             \
    " l.partition, l.\"offset\", l.seq, l.attempts, l.replays,"                                                        \
    " floor(extract(epoch FROM l.first_at) * 1000)::bigint, floor(extract(epoch FROM l.last_at) * 1000)::bigint,"      \
    " l.replayed_at IS NOT NULL, e.outcome, coalesce(e.generation, l.replays) + 1, r.outcome, j.user_id FROM l"        \
    " LEFT JOIN LATERAL (SELECT outcome, generation FROM sluice.events WHERE id = l.event_id AND source = l.source"    \
    "  AND l.job_id IS NULL LIMIT 1) e ON true"                                                                        \
    " LEFT JOIN LATERAL (SELECT outcome FROM sluice.events WHERE id = l.retry_id AND source = '/sluice/ctl'"           \
    "  LIMIT 1) r ON true LEFT JOIN LATERAL (SELECT user_id FROM sluice.jobs WHERE id = l.job_id LIMIT 1) j ON true"   \
    " ORDER BY l.partition, l.\"offset\", l.id"
static const char NEXT[] =
    "WITH l AS MATERIALIZED (SELECT * FROM sluice.dead_letters l WHERE l.status = 'open' AND" DLQ_FILTER
    " AND l.seq <= $10::bigint AND (l.partition, l.\"offset\", l.id) > ($11::int, $12::bigint, $13::uuid)"
    " ORDER BY l.partition, l.\"offset\", l.id LIMIT $14::bigint)" LETTER;
static const char FIND[] = "WITH l AS MATERIALIZED (SELECT * FROM sluice.dead_letters l WHERE l.id::text = lower($1)"
                           " OR l.event_id = $1 ORDER BY l.seq DESC LIMIT 1)" LETTER;

bool dlq_filter_make(const struct options *options, const char *status, int64_t now_ms, struct dlq_filter *ret_filter,
                     struct sl_err *err)
{
    const char *const *given = options->values;
    const char *id = options->word_count > 2 ? options->words[2] : given[OPTION_ID];
    int64_t since_ms = 0;
    int64_t until_ms = 0;
    if (options->word_count > 2 && given[OPTION_ID])
        return sl_err_set(err, SL_ERR_PERMANENT, "the ID is given twice");
    if (!options_time(options, OPTION_SINCE, now_ms, &since_ms, err) ||
        !options_time(options, OPTION_UNTIL, now_ms, &until_ms, err))
        return false;
    sl_clock_format_iso(since_ms, ret_filter->since);
    sl_clock_format_iso(until_ms, ret_filter->until);
    ret_filter->values[0] = given[OPTION_STATUS] ? given[OPTION_STATUS] : status;
    ret_filter->values[1] = given[OPTION_SOURCE];
    ret_filter->values[2] = given[OPTION_TYPE];
    ret_filter->values[3] = given[OPTION_CAUSE];
    ret_filter->values[4] = given[OPTION_USER];
    ret_filter->values[5] = given[OPTION_STAGE];
    ret_filter->values[6] = since_ms ? ret_filter->since : NULL;
    ret_filter->values[7] = until_ms ? ret_filter->until : NULL;
    ret_filter->values[8] = id;
    ret_filter->is_narrow = false;
    for (size_t i = 1; i < DLQ_FILTER_PARAMS; i++)
        ret_filter->is_narrow = ret_filter->is_narrow || ret_filter->values[i];
    return true;
}

bool dlq_filter_is_meant(const struct options *options, const struct dlq_filter *filter, struct sl_err *err)
{
    if (filter->is_narrow || options->all)
        return true;
    (void)sl_err_set(err, SL_ERR_PERMANENT, "which letters?");
    sl_err_hint(err, "give an ID, a filter (--cause, --type, --user, --source, --stage, --since, --until), or --all");
    return false;
}

bool dlq_filter_names_nothing(const struct dlq_filter *filter)
{
    const char *id = filter->values[DLQ_FILTER_PARAMS - 1];
    if (id)
        (void)fprintf(stderr, "sluicectl: no open letter, and no event of one, has the id %s\n", id);
    return id != NULL;
}

bool dlq_letter_is_job(const struct dlq_letter *letter)
{
    return sl_str_is(letter->stage, "execute") && !sl_uuid_is_nil(letter->job_id);
}

static int64_t number_at(const PGresult *rows, int row, int column)
{
    int64_t number = 0;
    if (PQgetisnull(rows, row, column))
        return 0;
    bool ok = sl_str_to_int64(sl_str_of(PQgetvalue(rows, row, column)), &number);
    SL_ASSERT(ok);
    return number;
}

static struct sl_uuid uuid_at(const PGresult *rows, int row, int column)
{
    struct sl_uuid id = {0};
    bool ok = PQgetisnull(rows, row, column) || sl_uuid_parse(sl_str_of(PQgetvalue(rows, row, column)), &id);
    SL_ASSERT(ok);
    return id;
}

static enum dlq_state state_of(const struct dlq_letter *letter, bool is_replayed, const char *outcome,
                               const char *retry_outcome)
{
    if (dlq_letter_is_job(letter)) {
        if (sl_str_empty(letter->job_user_id))
            return DLQ_JOB_GONE;
        return is_replayed && !*retry_outcome ? DLQ_UNDER_WAY : DLQ_WAITS;
    }
    if (*outcome && !sl_str_is(sl_str_of(outcome), "dead"))
        return DLQ_OVER;
    return is_replayed ? DLQ_UNDER_WAY : DLQ_WAITS;
}

/* Derived from the letter and how often it died and was replayed: published twice it is one command. */
static void retry_id_of(struct dlq_letter *letter)
{
    char counts[64];
    (void)snprintf(counts, sizeof(counts), "%lld/%lld", (long long)letter->attempts, (long long)letter->replays);
    const struct sl_str parts[] = {SL_STR("dlq retry"), sl_str_of(letter->id_text), sl_str_of(counts)};
    sl_uuid_format(sl_uuid_v5(SL_UUID_SPACE, parts, SL_ARRAY_LEN(parts)), letter->retry_id);
}

static void read_letter(const PGresult *rows, int row, struct sl_arena *arena, struct dlq_letter *ret_letter)
{
    struct sl_str *const texts[] = {&ret_letter->event_id, &ret_letter->source, &ret_letter->type,
                                    &ret_letter->user_id,  &ret_letter->stage,  &ret_letter->cause,
                                    &ret_letter->error,    &ret_letter->topic};
    *ret_letter = (struct dlq_letter){.id = uuid_at(rows, row, 0)};
    sl_uuid_format(ret_letter->id, ret_letter->id_text);
    for (size_t i = 0; i < SL_ARRAY_LEN(texts); i++)
        *texts[i] = sl_arena_str(arena, sl_str_of(PQgetvalue(rows, row, (int)i + 1)));
    ret_letter->job_id = uuid_at(rows, row, 9);
    ret_letter->partition = (int32_t)number_at(rows, row, 10);
    ret_letter->offset = number_at(rows, row, 11);
    ret_letter->seq = number_at(rows, row, 12);
    ret_letter->attempts = number_at(rows, row, 13);
    ret_letter->replays = number_at(rows, row, 14);
    ret_letter->first_at_ms = number_at(rows, row, 15);
    ret_letter->last_at_ms = number_at(rows, row, 16);
    ret_letter->generation = (int)number_at(rows, row, 19);
    ret_letter->job_user_id = sl_arena_str(arena, sl_str_of(PQgetvalue(rows, row, 21)));
    retry_id_of(ret_letter);
    ret_letter->state =
        state_of(ret_letter, *PQgetvalue(rows, row, 17) == 't', PQgetvalue(rows, row, 18), PQgetvalue(rows, row, 20));
    ret_letter->wants_message = ret_letter->state == DLQ_WAITS && !dlq_letter_is_job(ret_letter);
}

bool dlq_cursor_start(struct ctl *ctl, const struct dlq_filter *filter, struct dlq_cursor *ret_cursor,
                      struct sl_err *err)
{
    SL_PG_AUTO *row = NULL;
    if (!query_run(ctl, START, filter->values, DLQ_FILTER_PARAMS, &row, err))
        return false;
    *ret_cursor = (struct dlq_cursor){.seq_max = number_at(row, 0, 0), .total = number_at(row, 0, 1), .partition = -1};
    return true;
}

bool dlq_cursor_next(struct ctl *ctl, const struct dlq_filter *filter, struct dlq_cursor *cursor, size_t count_max,
                     struct sl_arena *arena, struct dlq_letter *ret_letters, size_t *ret_count, struct sl_err *err)
{
    const char *values[DLQ_FILTER_PARAMS + 5];
    char numbers[4][24];
    char id[SL_UUID_TEXT_BYTES];
    SL_PG_AUTO *rows = NULL;
    const long long whole[] = {cursor->seq_max, cursor->partition, cursor->offset, (long long)count_max};
    for (size_t i = 0; i < SL_ARRAY_LEN(whole); i++)
        (void)snprintf(numbers[i], sizeof(numbers[i]), "%lld", whole[i]);
    sl_uuid_format(cursor->id, id);
    for (size_t i = 0; i < DLQ_FILTER_PARAMS; i++)
        values[i] = filter->values[i];
    values[DLQ_FILTER_PARAMS] = numbers[0];
    values[DLQ_FILTER_PARAMS + 1] = numbers[1];
    values[DLQ_FILTER_PARAMS + 2] = numbers[2];
    values[DLQ_FILTER_PARAMS + 3] = id;
    values[DLQ_FILTER_PARAMS + 4] = numbers[3];
    if (!query_run(ctl, NEXT, values, SL_ARRAY_LEN(values), &rows, err))
        return false;
    int count = PQntuples(rows);
    for (int row = 0; row < count; row++)
        read_letter(rows, row, arena, &ret_letters[row]);
    if (count) {
        const struct dlq_letter *last = &ret_letters[count - 1];
        cursor->partition = last->partition;
        cursor->offset = last->offset;
        cursor->id = last->id;
    }
    *ret_count = (size_t)count;
    return true;
}

bool dlq_letter_find(struct ctl *ctl, const char *id, struct sl_arena *arena, struct dlq_letter **ret_letter,
                     struct sl_err *err)
{
    const char *values[] = {id};
    SL_PG_AUTO *rows = NULL;
    if (!query_run(ctl, FIND, values, 1, &rows, err))
        return false;
    *ret_letter = NULL;
    if (PQntuples(rows)) {
        *ret_letter = sl_arena_alloc(arena, 1, sizeof(**ret_letter));
        read_letter(rows, 0, arena, *ret_letter);
    }
    return true;
}
