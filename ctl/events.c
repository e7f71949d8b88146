/* events.c - sluicectl events list|show. What was decided stands in Postgres; the raw message is fetched from Kafka at
 * the position that its row records.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/sign.h"
#include "ctl/output.h"
#include "ctl/page.h"
#include "ctl/publish.h"
#include "ctl/query.h"

static const char LIST[] =
    "SELECT received_at, type, outcome, error_code, user_id, rule, source, id FROM sluice.events"
    " WHERE ($1::text IS NULL OR user_id = $1) AND ($2::text IS NULL OR type LIKE replace($2, '*', '%'))"
    " AND ($3::text IS NULL OR outcome = $3) AND ($4::text IS NULL OR source = $4)"
    " AND ($5::text IS NULL OR received_at >= $5::timestamptz) AND ($6::text IS NULL OR received_at < $6::timestamptz)"
    " ORDER BY received_at DESC LIMIT $7::bigint";

static const char RECORD[] =
    "SELECT id, source, type, user_id, outcome, error_code, rule, generation, result, topic, partition, \"offset\","
    " encode(sha256, 'hex') AS sha256, received_at, decided_at FROM sluice.events"
    " WHERE id = $1 AND ($2::text IS NULL OR source = $2) ORDER BY source";

static enum ctl_exit usage(const struct sl_err *err)
{
    (void)ctl_fail(err);
    return CTL_USAGE;
}

enum ctl_exit events_list(struct ctl *ctl)
{
    struct sl_err err = {0};
    const struct options *options = &ctl->options;
    const int64_t now_ms = sl_clock_wall_ms();
    int64_t limit = 0;
    int64_t since_ms = 0;
    int64_t until_ms = 0;
    char limit_text[24];
    char since[SL_CLOCK_ISO_BYTES];
    char until[SL_CLOCK_ISO_BYTES];
    if (!options_int(options, OPTION_LIMIT, 50, 1, 100000, &limit, &err) ||
        !options_time(options, OPTION_SINCE, now_ms, &since_ms, &err) ||
        !options_time(options, OPTION_UNTIL, now_ms, &until_ms, &err))
        return usage(&err);
    (void)snprintf(limit_text, sizeof(limit_text), "%lld", (long long)limit);
    sl_clock_format_iso(since_ms, since);
    sl_clock_format_iso(until_ms, until);
    const char *values[] = {options->values[OPTION_USER],
                            options->values[OPTION_TYPE],
                            options->values[OPTION_OUTCOME],
                            options->values[OPTION_SOURCE],
                            since_ms ? since : NULL,
                            until_ms ? until : NULL,
                            limit_text};
    return query_print(ctl, LIST, values, 7, "no events match", &err) < 0 ? ctl_fail(&err) : CTL_DONE;
}

static void print_headers(const rd_kafka_message_t *message)
{
    rd_kafka_headers_t *headers = NULL;
    const char *name = NULL;
    const void *value = NULL;
    size_t bytes = 0;
    if (rd_kafka_message_headers(message, &headers))
        return;
    for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &bytes); i++)
        printf("%s: %.*s\n", name, (int)bytes, value ? (const char *)value : "");
}

/* The digest is compared: what is shown is what was decided. */
static enum ctl_exit print_message(struct ctl *ctl, const PGresult *row, struct sl_err *err)
{
    int64_t partition = 0;
    int64_t offset = 0;
    char digest[SL_SHA256_HEX_BYTES];
    rd_kafka_t *consumer = NULL;
    rd_kafka_message_t *message = NULL;
    bool numbers = sl_str_to_int64(sl_str_of(PQgetvalue(row, 0, PQfnumber(row, "partition"))), &partition) &&
                   sl_str_to_int64(sl_str_of(PQgetvalue(row, 0, PQfnumber(row, "offset"))), &offset);
    SL_ASSERT(numbers);
    if (!publish_fetch(ctl->config, PQgetvalue(row, 0, PQfnumber(row, "topic")), (int32_t)partition, offset, &consumer,
                       &message, err))
        return ctl_fail(err);
    if (!ctl->options.raw) {
        output_heading("Message");
        print_headers(message);
        (void)fputc('\n', stdout);
    }
    (void)fwrite(message->payload, 1, message->len, stdout);
    (void)fputc('\n', stdout);
    sl_sign_sha256_hex((struct sl_str){.ptr = message->payload, .len = message->len}, digest);
    bool same = sl_str_is(sl_str_of(digest), PQgetvalue(row, 0, PQfnumber(row, "sha256")));
    if (!same)
        (void)fprintf(stderr, "sluicectl: the message in Kafka is not the one that was decided (SHA-256 %s)\n", digest);
    rd_kafka_message_destroy(message);
    rd_kafka_destroy(consumer);
    return same ? CTL_DONE : CTL_FOUND;
}

enum ctl_exit events_show(struct ctl *ctl)
{
    struct sl_err err = {0};
    const char *values[] = {ctl->options.words[2], ctl->options.values[OPTION_SOURCE]};
    SL_PG_AUTO *row = NULL;
    if (!query_run(ctl, RECORD, values, 2, &row, &err))
        return ctl_fail(&err);
    if (PQntuples(row) == 0) {
        (void)fprintf(stderr, "sluicectl: no event has the id \"%s\"\n", values[0]);
        return CTL_FOUND;
    }
    if (PQntuples(row) > 1) {
        (void)fprintf(stderr, "sluicectl: %d sources sent an event \"%s\": choose one with --source\n", PQntuples(row),
                      values[0]);
        return CTL_USAGE;
    }
    if (ctl->options.json)
        return query_print(ctl, RECORD, values, 2, "", &err) < 0 ? ctl_fail(&err) : CTL_DONE;
    if (!ctl->options.raw)
        output_record(row, 0);
    return print_message(ctl, row, &err);
}
