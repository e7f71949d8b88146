/* dlq_list.c - sluicectl dlq list|show: the groups, the letters, one letter whole. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/sign.h"
#include "common/utf8.h"
#include "ctl/dlq_reader.h"
#include "ctl/output.h"
#include "ctl/page.h"
#include "ctl/query.h"

#define ARENA_BYTES_MAX ((size_t)16 * 1024 * 1024)
#define BODY_TEXT_MAX   ((size_t)4 * 1024 * 1024) /* of a message as base64 */

static const char GROUPS[] =
    "SELECT l.cause, l.stage, l.source, count(*) AS letters, count(*) FILTER (WHERE l.replayed_at IS NOT NULL) AS"
    " under_way, count(*) FILTER (WHERE l.previous <> '[]') AS died_again, count(DISTINCT l.user_id) AS users,"
    " min(l.first_at) AS oldest, max(l.last_at) AS newest,"
    " (array_agg(l.id ORDER BY l.last_at DESC))[1] AS example,"
    " (array_agg(l.error ORDER BY l.last_at DESC))[1] AS error"
    " FROM sluice.dead_letters l WHERE" DLQ_FILTER " GROUP BY 1, 2, 3 ORDER BY count(*) DESC, 1, 2, 3";
static const char LETTERS[] =
    "SELECT l.id, l.status, l.last_at, l.stage, l.cause, l.type, l.user_id, l.attempts,"
    " l.replayed_at IS NOT NULL AS under_way, l.partition, l.\"offset\", l.event_id, l.error"
    " FROM sluice.dead_letters l WHERE" DLQ_FILTER " ORDER BY l.last_at DESC, l.id LIMIT $10::bigint";

/* The first is by $1 what dlq_letter_find gives. */
static const char RECORD[] =
    "SELECT l.id, l.status, l.event_id, l.source, l.type, l.user_id, l.job_id, l.stage, l.cause, l.error, l.attempts,"
    " l.topic, l.partition, l.\"offset\", l.first_at, l.last_at, l.replays, l.replayed_at, l.closed_at, l.closed_by,"
    " l.reason, (SELECT count(*) FROM sluice.held_events h WHERE h.user_id = l.user_id) AS held_behind_it"
    " FROM sluice.dead_letters l WHERE l.id::text = $1";
static const char PREVIOUS[] =
    "SELECT (p->>'at')::timestamptz AS at, p->>'stage' AS stage, p->>'cause' AS cause, p->>'error' AS error,"
    " p->>'partition' AS partition, p->>'offset' AS \"offset\" FROM sluice.dead_letters l,"
    " jsonb_array_elements(l.previous) WITH ORDINALITY AS d (p, n) WHERE l.id::text = $1 ORDER BY n";

enum ctl_exit dlq_list(struct ctl *ctl)
{
    struct sl_err err = {0};
    struct dlq_filter filter;
    int64_t limit = 0;
    char limit_text[24];
    const char *values[DLQ_FILTER_PARAMS + 1];
    if (!dlq_filter_make(&ctl->options, "open", sl_clock_wall_ms(), &filter, &err) ||
        !options_int(&ctl->options, OPTION_LIMIT, 50, 1, 100000, &limit, &err)) {
        (void)ctl_fail(&err);
        return CTL_USAGE;
    }
    bool all_of_them = filter.is_narrow || ctl->options.all || ctl->options.values[OPTION_STATUS];
    memcpy(values, filter.values, sizeof(filter.values));
    (void)snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    values[DLQ_FILTER_PARAMS] = limit_text;
    int rows = all_of_them ? query_print(ctl, LETTERS, values, DLQ_FILTER_PARAMS + 1, "no dead letters match", &err)
                           : query_print(ctl, GROUPS, values, DLQ_FILTER_PARAMS, "no open dead letters", &err);
    return rows < 0 ? ctl_fail(&err) : CTL_DONE;
}

static void print_message(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    const char *name = NULL;
    const void *value = NULL;
    size_t bytes = 0;
    output_heading("Headers");
    if (!rd_kafka_message_headers(message, &headers)) {
        for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &bytes); i++)
            printf("%s: %.*s\n", name, (int)bytes, value ? (const char *)value : "");
    }
    output_heading("Message");
    (void)fwrite(message->payload, 1, message->len, stdout);
    (void)fputc('\n', stdout);
}

/* A text as itself; anything else as {"base64": "…"}. */
static json_t *json_bytes(const void *value, size_t bytes)
{
    const struct sl_str text = {.ptr = value, .len = value ? bytes : 0};
    struct sl_buf base64;
    if (sl_utf8_is_text(text))
        return json_stringn(text.ptr ? text.ptr : "", text.len);
    sl_buf_init(&base64, BODY_TEXT_MAX);
    sl_sign_base64(text, &base64);
    json_t *json = json_pack("{s:s%}", "base64", base64.data ? base64.data : "", base64.len);
    sl_buf_deinit(&base64);
    return json;
}

static bool collect_previous(struct ctl *ctl, const char *const *values, json_t *letter, struct sl_err *err)
{
    char *text = NULL;
    if (!query_json(ctl, PREVIOUS, values, 1, &text, err))
        return false;
    (void)json_object_set_new(letter, "previous", json_loads(text, 0, NULL));
    free(text);
    return true;
}

static enum ctl_exit show_json(struct ctl *ctl, const char *const *values, const rd_kafka_message_t *message,
                               struct sl_err *err)
{
    char *text = NULL;
    rd_kafka_headers_t *headers = NULL;
    const char *name = NULL;
    const void *value = NULL;
    size_t bytes = 0;
    if (!query_json(ctl, RECORD, values, 1, &text, err))
        return ctl_fail(err);
    json_t *rows = json_loads(text, 0, NULL);
    json_t *letter = json_array_get(rows, 0);
    free(text);
    bool ok = letter && collect_previous(ctl, values, letter, err);
    if (ok && message) {
        json_t *list = json_array();
        if (!rd_kafka_message_headers(message, &headers)) {
            for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &bytes); i++)
                (void)json_array_append_new(list, json_pack("[s, o]", name, json_bytes(value, bytes)));
        }
        (void)json_object_set_new(letter, "headers", list);
        (void)json_object_set_new(letter, "message", json_bytes(message->payload, message->len));
    }
    if (ok) {
        (void)json_dumpf(letter, stdout, JSON_INDENT(2));
        (void)fputc('\n', stdout);
    }
    json_decref(rows);
    return ok ? CTL_DONE : ctl_fail(err);
}

static enum ctl_exit show_text(struct ctl *ctl, const char *const *values, struct sl_err *err)
{
    SL_PG_AUTO *record = NULL;
    if (!query_run(ctl, RECORD, values, 1, &record, err))
        return ctl_fail(err);
    output_record(record, 0);
    output_heading("Deaths before this one");
    return query_print(ctl, PREVIOUS, values, 1, "none", err) < 0 ? ctl_fail(err) : CTL_DONE;
}

static enum ctl_exit show(struct ctl *ctl, struct dlq_letter *letter, struct dlq_reader *reader, struct sl_err *err)
{
    const char *values[] = {letter->id_text};
    size_t done = 0;
    enum ctl_exit code = CTL_DONE;
    letter->wants_message = true;
    if (!dlq_reader_fetch(reader, letter, 1, &done, err))
        return ctl_fail(err);
    if (ctl->options.raw && letter->message)
        (void)fwrite(letter->message->payload, 1, letter->message->len, stdout);
    else if (ctl->options.json)
        code = show_json(ctl, values, letter->message, err);
    else if (!ctl->options.raw)
        code = show_text(ctl, values, err);
    if (code == CTL_DONE && letter->message && !ctl->options.raw && !ctl->options.json)
        print_message(letter->message);
    if (letter->message)
        return code;
    (void)fprintf(stderr, "sluicectl: Kafka holds the message no more, neither on %s nor on %s\n", SL_TOPIC_EVENTS,
                  SL_TOPIC_DEAD_LETTERS);
    return code == CTL_DONE ? CTL_FOUND : code;
}

enum ctl_exit dlq_show(struct ctl *ctl)
{
    struct sl_err err = {0};
    struct dlq_letter *letter = NULL;
    struct sl_arena *arena = sl_arena_create(ARENA_BYTES_MAX);
    enum ctl_exit code = CTL_FOUND;
    if (!dlq_letter_find(ctl, ctl->options.words[2], arena, &letter, &err)) {
        code = ctl_fail(&err);
    } else if (!letter) {
        (void)fprintf(stderr, "sluicectl: no dead letter has the id \"%s\", nor is of such an event\n",
                      ctl->options.words[2]);
    } else {
        struct dlq_reader *reader = dlq_reader_create(ctl->config, &err);
        code = reader ? show(ctl, letter, reader, &err) : ctl_fail(&err);
        dlq_reader_release(letter, 1);
        dlq_reader_destroy(reader);
    }
    sl_arena_destroy(arena);
    return code;
}
