/* topics.c - sluicectl topics create|check: the five topics, through Kafka's admin API. */
#include <stdio.h>
#include <string.h>

#include "common/kafka.h"
#include "ctl/ctl.h"
#include "ctl/publish.h"
#include "ctl/topic_plan.h"

#define ADMIN_TIMEOUT_MS 15000
#define MESSAGE_BYTES    256

/* Waits for the admin operation's event; the caller destroys it. */
static rd_kafka_event_t *await(rd_kafka_queue_t *queue, struct sl_err *err)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, ADMIN_TIMEOUT_MS);
    if (!event) {
        (void)sl_err_set(err, SL_ERR_RETRY, "the Kafka brokers did not answer within %d s", ADMIN_TIMEOUT_MS / 1000);
        sl_err_hint(err, "see that KAFKA_BROKERS names brokers that run");
        return NULL;
    }
    if (rd_kafka_event_error(event)) {
        (void)sl_kafka_err(err, rd_kafka_event_error(event), "asking the Kafka brokers");
        sl_err_detail(err, "%s", rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
        return NULL;
    }
    return event;
}

static bool create_one(rd_kafka_t *kafka, rd_kafka_queue_t *queue, const struct topic_plan *plan, struct sl_err *err)
{
    char message[MESSAGE_BYTES];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(plan->name, plan->partitions, plan->replication, message, sizeof(message));
    if (!topic)
        return sl_err_set(err, SL_ERR_PERMANENT, "topic %s: %s", plan->name, message);
    for (size_t i = 0; i < plan->setting_count; i++)
        (void)rd_kafka_NewTopic_set_config(topic, plan->settings[i].name, plan->settings[i].value);
    rd_kafka_CreateTopics(kafka, &topic, 1, NULL, queue);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_event_t *event = await(queue, err);
    if (!event)
        return false;
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    rd_kafka_resp_err_t code = count == 1 ? rd_kafka_topic_result_error(results[0]) : RD_KAFKA_RESP_ERR__FAIL;
    bool ok = code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS;
    if (ok)
        printf("%-24s %s\n", plan->name, code ? "is there" : "created");
    else if (!sl_kafka_err(err, code, "creating a topic"))
        sl_err_detail(err, "%s: %s", plan->name, count == 1 ? rd_kafka_topic_result_error_string(results[0]) : "");
    rd_kafka_event_destroy(event);
    return ok;
}

enum ctl_exit topics_create(struct ctl *ctl)
{
    struct sl_err err = {0};
    struct topic_plan plans[TOPIC_COUNT];
    topic_plan_make(ctl->config, plans);
    rd_kafka_t *kafka = publish_producer(ctl->config, &err);
    if (!kafka)
        return ctl_fail(&err);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    bool ok = true;
    for (size_t i = 0; ok && i < TOPIC_COUNT; i++)
        ok = create_one(kafka, queue, &plans[i], &err);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(kafka);
    return ok ? CTL_DONE : ctl_fail(&err);
}

static void finding(int *findings, const char *topic, const char *what, const char *actual, const char *wanted,
                    const char *why)
{
    (*findings)++;
    printf("%-24s %-22s is %s, wanted %s: %s\n", topic, what, actual, wanted, why);
}

static void check_layout(const rd_kafka_metadata_topic_t *topic, const struct topic_plan *plan, int *findings)
{
    char actual[16];
    char wanted[16];
    (void)snprintf(actual, sizeof(actual), "%d", topic->partition_cnt);
    (void)snprintf(wanted, sizeof(wanted), "%d", plan->partitions);
    if (topic->partition_cnt < plan->partitions)
        finding(findings, plan->name, "partitions", actual, wanted, "fewer workers can decide at once");
    for (int p = 0; p < topic->partition_cnt; p++) {
        if (topic->partitions[p].replica_cnt >= plan->replication)
            continue;
        (void)snprintf(actual, sizeof(actual), "%d", topic->partitions[p].replica_cnt);
        (void)snprintf(wanted, sizeof(wanted), "%d", plan->replication);
        finding(findings, plan->name, "replicas", actual, wanted, "fewer brokers may be lost");
        break;
    }
}

static bool check_settings(rd_kafka_t *kafka, rd_kafka_queue_t *queue, const struct topic_plan *plan, int *findings,
                           struct sl_err *err)
{
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, plan->name);
    rd_kafka_DescribeConfigs(kafka, &resource, 1, NULL, queue);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_event_t *event = await(queue, err);
    if (!event)
        return false;
    size_t count = 0;
    size_t entry_count = 0;
    const rd_kafka_ConfigResource_t **resources =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
    const rd_kafka_ConfigEntry_t **entries =
        count == 1 ? rd_kafka_ConfigResource_configs(resources[0], &entry_count) : NULL;
    for (size_t i = 0; i < plan->setting_count; i++) {
        for (size_t e = 0; e < entry_count; e++) {
            const char *actual = rd_kafka_ConfigEntry_value(entries[e]);
            if (!actual || strcmp(rd_kafka_ConfigEntry_name(entries[e]), plan->settings[i].name) != 0)
                continue;
            const char *why = topic_plan_weakness(&plan->settings[i], actual);
            if (why)
                finding(findings, plan->name, plan->settings[i].name, actual, plan->settings[i].value, why);
        }
    }
    rd_kafka_event_destroy(event);
    return true;
}

static bool check_one(rd_kafka_t *kafka, rd_kafka_queue_t *queue, const rd_kafka_metadata_t *metadata,
                      const struct topic_plan *plan, int *findings, struct sl_err *err)
{
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (strcmp(metadata->topics[i].topic, plan->name) != 0)
            continue;
        check_layout(&metadata->topics[i], plan, findings);
        return check_settings(kafka, queue, plan, findings, err);
    }
    finding(findings, plan->name, "the topic", "missing", "there", "run sluicectl topics create");
    return true;
}

enum ctl_exit topics_check(struct ctl *ctl)
{
    struct sl_err err = {0};
    struct topic_plan plans[TOPIC_COUNT];
    const rd_kafka_metadata_t *metadata = NULL;
    int findings = 0;
    topic_plan_make(ctl->config, plans);
    rd_kafka_t *kafka = publish_producer(ctl->config, &err);
    if (!kafka)
        return ctl_fail(&err);
    rd_kafka_resp_err_t code = rd_kafka_metadata(kafka, 1, NULL, &metadata, ADMIN_TIMEOUT_MS);
    bool ok = code == RD_KAFKA_RESP_ERR_NO_ERROR || sl_kafka_err(&err, code, "asking the Kafka brokers");
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    for (size_t i = 0; ok && i < TOPIC_COUNT; i++)
        ok = check_one(kafka, queue, metadata, &plans[i], &findings, &err);
    if (ok && metadata->broker_cnt >= 3 && plans[0].replication < 3)
        finding(&findings, "(all)", "[kafka] replication", "below 3", "3", "three brokers are there to be used");
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(kafka);
    if (!ok)
        return ctl_fail(&err);
    printf(findings ? "%d finding(s)\n" : "all %d topics are as they should be\n", findings ? findings : TOPIC_COUNT);
    return findings ? CTL_FOUND : CTL_DONE;
}
