/* status.c - sluicectl status: the fleet, how far behind it is, jobs, clouds, and what is stuck. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/kafka.h"
#include "ctl/ctl.h"
#include "ctl/output.h"
#include "ctl/page.h"
#include "ctl/publish.h"
#include "ctl/query.h"

#define WATERMARK_TIMEOUT_MS 5000

static const struct page_part PARTS[] = {
    {"workers", "Workers", "no worker has reported",
     "SELECT id, host, pid, version, to_char(now() - seen_at, 'HH24:MI:SS') AS silent_for, seen_at > now() - interval "
     "'30 s' AS alive"
     " FROM sluice.workers WHERE seen_at > now() - interval '1 day' ORDER BY id"},
    {"jobs", "Jobs (open, and ended in the last day)", "no jobs",
     "SELECT kind, status, count(*) AS jobs, to_char(now() - min(created_at), 'DD HH24:MI:SS') AS oldest,"
     " count(*) FILTER (WHERE attempt > 0) AS retrying FROM sluice.jobs"
     " WHERE status IN ('queued', 'running', 'waiting') OR ended_at > now() - interval '1 day'"
     " GROUP BY 1, 2 ORDER BY 1, 2"},
    {"clouds", "Clouds", "no cloud was called yet",
     "SELECT cloud, worker, breaker, reason, remaining, reset_at FROM sluice.cloud_state"
     " WHERE updated_at > now() - interval '1 day' ORDER BY 1, 2"},
    {"paused", "Paused", "nothing",
     "SELECT p.backend, p.by_whom, p.paused_at, p.reason, (SELECT count(*) FROM sluice.jobs j WHERE j.status = 'queued'"
     " AND p.backend IN (j.backend, sluice.cloud_of(j.kind, j.backend))) AS jobs_waiting"
     " FROM sluice.paused p ORDER BY 1"},
    {"dead_letters", "Dead letters (open)", "none",
     "SELECT cause, stage, source, count(*) AS letters, min(first_at) AS first, max(last_at) AS last"
     " FROM sluice.dead_letters WHERE status = 'open' GROUP BY 1, 2, 3 ORDER BY 4 DESC"},
    {"stuck", "Waiting elsewhere", "nothing",
     "SELECT * FROM (SELECT 'parked events (customer unknown)' AS what, count(*) AS number, min(received_at) AS oldest"
     " FROM sluice.parked_events UNION ALL"
     " SELECT 'outbox rows not in Kafka yet', count(*), min(created_at) FROM sluice.outbox UNION ALL"
     " SELECT 'timers overdue', count(*), min(due_at) FROM sluice.timers"
     " WHERE fired_at IS NULL AND cancelled_at IS NULL AND due_at < now() - interval '10 s' UNION ALL"
     " SELECT 'leases run out', count(*), min(lease_until) FROM sluice.jobs"
     " WHERE status = 'running' AND NOT settled AND lease_until < now() - interval '10 s') w WHERE number > 0"},
};

static const char POSITIONS[] = "SELECT topic, partition, next_offset, worker FROM sluice.offsets ORDER BY 1, 2";

/* Adds {topic, partition, next_offset, end_offset, lag, worker} for each partition. */
static bool collect_lag(struct ctl *ctl, json_t *lag, struct sl_err *err)
{
    SL_PG_AUTO *positions = NULL;
    if (!query_run(ctl, POSITIONS, NULL, 0, &positions, err))
        return false;
    rd_kafka_t *kafka = publish_producer(ctl->config, err);
    if (!kafka)
        return false;
    bool ok = true;
    for (int row = 0; ok && row < PQntuples(positions); row++) {
        const char *topic = PQgetvalue(positions, row, 0);
        int64_t partition = 0;
        int64_t next = 0;
        int64_t low = 0;
        int64_t high = 0;
        bool numbers = sl_str_to_int64(sl_str_of(PQgetvalue(positions, row, 1)), &partition) &&
                       sl_str_to_int64(sl_str_of(PQgetvalue(positions, row, 2)), &next);
        SL_ASSERT(numbers);
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(kafka, topic, (int32_t)partition, &low, &high, WATERMARK_TIMEOUT_MS);
        ok = code == RD_KAFKA_RESP_ERR_NO_ERROR || sl_kafka_err(err, code, "asking for the end of a partition");
        json_array_append_new(lag, json_pack("{s:s, s:I, s:I, s:I, s:I, s:s}", "topic", topic, "partition",
                                             (json_int_t)partition, "next_offset", (json_int_t)next, "end_offset",
                                             (json_int_t)high, "lag", (json_int_t)(high > next ? high - next : 0),
                                             "worker", PQgetvalue(positions, row, 3)));
    }
    rd_kafka_destroy(kafka);
    return ok;
}

static void print_lag(const json_t *lag)
{
    json_int_t total = 0;
    json_t *row;
    size_t index;
    output_heading("Lag");
    json_array_foreach(lag, index, row)
    {
        json_int_t behind = json_integer_value(json_object_get(row, "lag"));
        total += behind;
        if (behind > 0) {
            printf("%s/%" JSON_INTEGER_FORMAT "  %" JSON_INTEGER_FORMAT " events behind (at %" JSON_INTEGER_FORMAT
                   ", worker %s)\n",
                   json_string_value(json_object_get(row, "topic")),
                   json_integer_value(json_object_get(row, "partition")), behind,
                   json_integer_value(json_object_get(row, "next_offset")),
                   json_string_value(json_object_get(row, "worker")));
        }
    }
    printf("%" JSON_INTEGER_FORMAT " events behind in %zu partitions\n", total, json_array_size(lag));
}

static const struct page PAGE = {.noun = "fleet",
                                 .parts = PARTS,
                                 .part_count = SL_ARRAY_LEN(PARTS),
                                 .extra_name = "lag",
                                 .extra_collect = collect_lag,
                                 .extra_print = print_lag};

enum ctl_exit status_run(struct ctl *ctl)
{
    return page_show(ctl, &PAGE, NULL);
}
