/* topic_plan.c - see topic_plan.h. Sources: contract section 4; Kafka's topic configuration reference. */
#include "ctl/topic_plan.h"

#include <stdio.h>
#include <string.h>

#include "common/kafka.h"

#define DAY_MS (24LL * 3600 * 1000)
/* Room above the largest body for the record's headers and framing. */
#define TOPIC_MESSAGE_BYTES_MAX SL_KAFKA_MESSAGE_BYTES_MAX

static void setting(struct topic_plan *plan, const char *name, const char *value)
{
    SL_ASSERT(plan->setting_count < TOPIC_SETTINGS_MAX);
    struct topic_setting *row = &plan->settings[plan->setting_count++];
    row->name = name;
    (void)snprintf(row->value, sizeof(row->value), "%s", value);
}

static void setting_int(struct topic_plan *plan, const char *name, long long value)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%lld", value);
    setting(plan, name, text);
}

void topic_plan_make(const struct sl_config *config, struct topic_plan ret_plans[TOPIC_COUNT])
{
    const int partitions = (int)sl_config_int(config, "kafka", "events_partitions");
    const int replication = (int)sl_config_int(config, "kafka", "replication");
    const long long retention_ms = (long long)sl_config_int(config, "kafka", "retention");
    const struct {
        const char *name;
        int partitions;
        const char *cleanup;
        long long retention_ms;
    } rows[TOPIC_COUNT] = {
        {SL_TOPIC_EVENTS, partitions, "delete", retention_ms},
        {SL_TOPIC_DIRECTORY, partitions, "compact", 0},
        {SL_TOPIC_OUTCOMES, partitions, "delete", 7 * DAY_MS},
        {SL_TOPIC_REPLIES, partitions, "delete", DAY_MS / 24},
        {SL_TOPIC_DEAD_LETTERS, partitions, "delete", retention_ms},
    };
    memset(ret_plans, 0, sizeof(ret_plans[0]) * TOPIC_COUNT);
    for (size_t i = 0; i < TOPIC_COUNT; i++) {
        struct topic_plan *plan = &ret_plans[i];
        plan->name = rows[i].name;
        plan->partitions = rows[i].partitions;
        plan->replication = replication;
        setting(plan, "cleanup.policy", rows[i].cleanup);
        if (rows[i].retention_ms)
            setting_int(plan, "retention.ms", rows[i].retention_ms);
        setting_int(plan, "max.message.bytes", TOPIC_MESSAGE_BYTES_MAX);
        setting_int(plan, "min.insync.replicas", replication >= 3 ? 2 : 1);
        setting(plan, "message.timestamp.type", "CreateTime");
    }
}

static long long number_of(const char *text)
{
    int64_t value = 0;
    return sl_str_to_int64(sl_str_of(text), &value) ? (long long)value : 0;
}

const char *topic_plan_weakness(const struct topic_setting *wanted, const char *actual)
{
    if (strcmp(wanted->name, "retention.ms") == 0) {
        /* -1 is for ever. */
        bool enough = number_of(actual) < 0 || number_of(actual) >= number_of(wanted->value);
        return enough ? NULL : "events would be deleted before they can be replayed";
    }
    if (strcmp(wanted->name, "max.message.bytes") == 0)
        return number_of(actual) >= number_of(wanted->value) ? NULL : "the largest bodies would be refused";
    if (strcmp(wanted->name, "min.insync.replicas") == 0)
        return number_of(actual) >= number_of(wanted->value) ? NULL : "one broker's loss could lose what was accepted";
    return strcmp(wanted->value, actual) == 0 ? NULL : "not what Sluice relies on";
}
