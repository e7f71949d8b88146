/* tail.c - sluicectl events tail: the outcomes topic from its end on, until Ctrl-C: what is decided while one looks. A
 * command that waits for a cloud comes when it is told. */
#include <fnmatch.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/json.h"
#include "ctl/ctl.h"
#include "ctl/publish.h"

#define POLL_MS        200
#define ASK_TIMEOUT_MS 10000
#define PARTITIONS_MAX 4096
#define LIMIT_MAX      1000000000

static volatile sig_atomic_t is_over;

static void on_signal(int number)
{
    (void)number;
    is_over = 1;
}

/* Where each partition ends now: asked for, so that nothing is missed from here on. */
static bool assign_ends(rd_kafka_t *consumer, struct sl_err *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(consumer, SL_TOPIC_OUTCOMES, NULL);
    rd_kafka_resp_err_t code = rd_kafka_metadata(consumer, 0, topic, &metadata, ASK_TIMEOUT_MS);
    int count = !code && metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count + 1);
    for (int i = 0; !code && i < count && i < PARTITIONS_MAX; i++) {
        int64_t low = 0;
        int64_t high = 0;
        int32_t partition = metadata->topics[0].partitions[i].id;
        code = rd_kafka_query_watermark_offsets(consumer, SL_TOPIC_OUTCOMES, partition, &low, &high, ASK_TIMEOUT_MS);
        rd_kafka_topic_partition_list_add(list, SL_TOPIC_OUTCOMES, partition)->offset = high;
    }
    if (!code)
        code = rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (metadata)
        rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    if (code)
        return sl_kafka_err(err, code, "asking for the end of " SL_TOPIC_OUTCOMES);
    (void)fprintf(stderr, "sluicectl: following %d partitions of " SL_TOPIC_OUTCOMES "\n", count);
    return true;
}

static bool is_wanted(const struct ctl *ctl, const json_t *outcome)
{
    static const struct {
        enum option option;
        const char *path;
    } FILTERS[] = {{OPTION_USER, "user_id"}, {OPTION_OUTCOME, "result"}};
    for (size_t i = 0; i < SL_ARRAY_LEN(FILTERS); i++) {
        const char *value = ctl->options.values[FILTERS[i].option];
        if (value && !sl_str_is(sl_json_str(outcome, FILTERS[i].path), value))
            return false;
    }
    const char *type = json_string_value(json_object_get(outcome, "type"));
    const char *pattern = ctl->options.values[OPTION_TYPE];
    return !pattern || fnmatch(pattern, type ? type : "", 0) == 0;
}

static const char *text_or(const json_t *outcome, const char *key)
{
    const char *text = json_string_value(json_object_get(outcome, key));
    return text ? text : "-";
}

static void print_outcome(const struct ctl *ctl, const rd_kafka_message_t *message, json_t *outcome)
{
    char at[SL_CLOCK_ISO_BYTES];
    rd_kafka_timestamp_type_t kind;
    sl_clock_format_iso(rd_kafka_message_timestamp(message, &kind), at);
    if (ctl->options.json) {
        (void)json_object_set_new(outcome, "at", json_string(at));
        (void)json_dumpf(outcome, stdout, JSON_COMPACT);
    } else {
        printf("%s  %-9s %-22s %-42s %s  %s  %s", at, text_or(outcome, "result"), text_or(outcome, "errorCode"),
               text_or(outcome, "type"), text_or(outcome, "user_id"), text_or(outcome, "id"),
               text_or(outcome, "message"));
    }
    (void)fputc('\n', stdout);
    (void)fflush(stdout);
}

/* Gives whether it was shown. */
static bool show(const struct ctl *ctl, const rd_kafka_message_t *message)
{
    SL_JSON_AUTO *outcome = NULL;
    const struct sl_str text = {.ptr = message->payload, .len = message->len};
    if (message->err || !sl_json_parse(text, 0, &outcome, NULL) || !is_wanted(ctl, outcome))
        return false;
    print_outcome(ctl, message, outcome);
    return true;
}

enum ctl_exit events_tail(struct ctl *ctl)
{
    struct sl_err err = {0};
    int64_t limit = 0;
    const struct sigaction action = {.sa_handler = on_signal};
    if (!options_int(&ctl->options, OPTION_LIMIT, 0, 0, LIMIT_MAX, &limit, &err)) {
        (void)ctl_fail(&err);
        return CTL_USAGE;
    }
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    rd_kafka_t *consumer = publish_consumer(ctl->config, &err);
    if (!consumer)
        return ctl_fail(&err);
    bool ok = assign_ends(consumer, &err);
    for (int64_t shown = 0; ok && !is_over && (limit == 0 || shown < limit);) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, POLL_MS);
        if (!message)
            continue;
        /* what came meanwhile is gone from the log: to go on would hide that */
        if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
            ok = sl_kafka_err(&err, message->err, "following " SL_TOPIC_OUTCOMES);
        shown += show(ctl, message);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_destroy(consumer);
    return ok ? CTL_DONE : ctl_fail(&err);
}
