/* consumer.c - see consumer.h.
 *
 * Invariants: `wanted` is the assignment that waits for its positions; while it is set nothing is assigned in
 * librdkafka, so no message can come. A message that comes while fetching is held would be lost to us, so it makes us
 * read the positions anew.
 */
#include "worker/apply/consumer.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/fault.h"
#include "common/log.h"

#define WATERMARK_TIMEOUT_MS 5000
#define GATHER_WHEN_MESSAGES 16 /* fewer than that is no stream: a lone event must not wait */
#define PROBE_INTERVAL_MS    1000
#define PROBE_TIMEOUT_MS     500

struct consumer {
    rd_kafka_t *kafka;
    struct sl_readiness *readiness;
    rd_kafka_topic_partition_list_t *owned; /* as the group assigned */
    bool wants_positions;
    bool held;
    bool brokers_down; /* as librdkafka last said; it doesn't say when they are back */
    int64_t probed_at_ms;
    uint32_t epoch;
    struct sl_metric_series *rebalances_total;
    struct sl_metric_series *errors_total;
    struct sl_metric_series *assigned_gauge;
};

static void owned_set(struct consumer *consumer, rd_kafka_topic_partition_list_t *owned)
{
    if (consumer->owned)
        rd_kafka_topic_partition_list_destroy(consumer->owned);
    consumer->owned = owned;
    consumer->epoch++;
    consumer->held = false;
    sl_metric_set(consumer->assigned_gauge, owned ? owned->cnt : 0);
}

static void rebalanced(rd_kafka_t *kafka, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *partitions,
                       void *opaque)
{
    struct consumer *consumer = opaque;
    sl_metric_add(consumer->rebalances_total, 1);
    bool is_assign = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    if (is_assign) {
        owned_set(consumer, rd_kafka_topic_partition_list_copy(partitions));
        consumer->wants_positions = true;
        sl_readiness_set(consumer->readiness, "kafka", "");
    } else {
        owned_set(consumer, NULL);
        consumer->wants_positions = false;
        (void)rd_kafka_assign(kafka, NULL);
    }
    sl_log(SL_LOG_INFO, "consumer", is_assign ? "partitions assigned" : "partitions revoked",
           LOG_INT("partitions", partitions ? partitions->cnt : 0), LOG_INT("epoch", consumer->epoch));
}

static void client_error(rd_kafka_t *kafka, int code, const char *reason, void *opaque)
{
    struct consumer *consumer = opaque;
    (void)kafka;
    sl_metric_add(consumer->errors_total, 1);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        consumer->brokers_down = true;
        sl_readiness_set(consumer->readiness, "kafka", "no Kafka broker can be reached");
    }
    sl_log(SL_LOG_WARN, "consumer", "Kafka client error", LOG_CSTR("code", rd_kafka_err2name(code)),
           LOG_CSTR("reason", reason));
}

static bool configure(rd_kafka_conf_t *conf, const struct sl_config *config, struct sl_err *err)
{
    static const struct {
        const char *name;
        const char *value;
    } settings[] = {
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"}, /* positions are Postgres' business */
        {"partition.assignment.strategy", "roundrobin"},
        {"session.timeout.ms", "6000"},
        {"heartbeat.interval.ms", "1000"},
        /* Also how long a rebalance waits for a member that never comes back: one whose connection broke while it was
         * joining, or an id that librdkafka was given and abandoned (its issue 5569). Who polls too late loses the
         * partitions to others, and the positions fence it. */
        {"max.poll.interval.ms", "30000"},
        {"topic.metadata.refresh.interval.ms", "30000"},
        {"queued.min.messages", "100000"},
        {"queued.max.messages.kbytes", "262144"},
        {"fetch.message.max.bytes", "2162688"},
        {"fetch.error.backoff.ms", "100"},
        {"check.crcs", "true"},
    };
    bool ok = sl_kafka_conf_set(conf, "group.id", sl_config_cstr(config, "worker", "group"), err);
    for (size_t i = 0; ok && i < SL_ARRAY_LEN(settings); i++)
        ok = sl_kafka_conf_set(conf, settings[i].name, settings[i].value, err);
    return ok;
}

static bool subscribe(struct consumer *consumer, struct sl_err *err)
{
    rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
    (void)rd_kafka_topic_partition_list_add(topics, SL_TOPIC_EVENTS, RD_KAFKA_PARTITION_UA);
    rd_kafka_resp_err_t code = rd_kafka_subscribe(consumer->kafka, topics);
    rd_kafka_topic_partition_list_destroy(topics);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR || sl_kafka_err(err, code, "subscribing to " SL_TOPIC_EVENTS);
}

struct consumer *consumer_create(const struct sl_config *config, struct sl_metrics *metrics,
                                 struct sl_readiness *readiness, struct sl_err *err)
{
    char reason[256];
    struct consumer *consumer = sl_calloc(1, sizeof(*consumer));
    consumer->readiness = readiness;
    consumer->rebalances_total = sl_metric_plain(sl_metrics_family(
        metrics, SL_METRIC_COUNTER, "sluice_worker_rebalances_total", "", "Assignments and revocations of partitions"));
    consumer->errors_total = sl_metric_plain(sl_metrics_family(
        metrics, SL_METRIC_COUNTER, "sluice_worker_consumer_errors_total", "", "Errors that the consumer reported"));
    consumer->assigned_gauge = sl_metric_plain(sl_metrics_family(metrics, SL_METRIC_GAUGE, "sluice_worker_partitions",
                                                                 "", "Partitions assigned to this worker"));
    rd_kafka_conf_t *conf = sl_kafka_conf_create(config, "worker", err);
    if (!conf)
        goto failed;
    rd_kafka_conf_set_opaque(conf, consumer);
    rd_kafka_conf_set_rebalance_cb(conf, rebalanced);
    rd_kafka_conf_set_error_cb(conf, client_error);
    if (!configure(conf, config, err)) {
        rd_kafka_conf_destroy(conf);
        goto failed;
    }
    consumer->kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof(reason));
    if (!consumer->kafka) {
        rd_kafka_conf_destroy(conf);
        (void)sl_err_set(err, SL_ERR_PERMANENT, "the Kafka consumer could not be made");
        sl_err_detail(err, "%s", reason);
        goto failed;
    }
    (void)rd_kafka_poll_set_consumer(consumer->kafka);
    sl_readiness_set(readiness, "kafka", "not yet a member of the consumer group");
    if (!subscribe(consumer, err))
        goto failed;
    return consumer;
failed:
    consumer_close(consumer);
    return NULL;
}

void consumer_close(struct consumer *consumer)
{
    if (!consumer)
        return;
    if (consumer->kafka) {
        if (consumer->wants_positions)
            (void)rd_kafka_assign(consumer->kafka, NULL); /* an assignment not answered would hold up the leaving */
        (void)rd_kafka_consumer_close(consumer->kafka);
        rd_kafka_destroy(consumer->kafka);
    }
    if (consumer->owned)
        rd_kafka_topic_partition_list_destroy(consumer->owned);
    free(consumer);
}

uint32_t consumer_epoch(const struct consumer *consumer)
{
    return consumer->epoch;
}

bool consumer_wants_positions(const struct consumer *consumer)
{
    return consumer->wants_positions;
}

void consumer_reposition(struct consumer *consumer)
{
    consumer->epoch++;
    consumer->wants_positions = consumer->owned != NULL;
    /* Nothing is fetched meanwhile: a fetch that waits for messages would hold up each question for a watermark. */
    if (consumer->wants_positions)
        (void)rd_kafka_assign(consumer->kafka, NULL);
}

bool consumer_watermarks(struct consumer *consumer, struct sl_arena *arena, struct position **ret_positions,
                         size_t *ret_count, struct sl_err *err)
{
    SL_ASSERT(consumer->owned);
    size_t count = (size_t)consumer->owned->cnt;
    struct position *positions = sl_arena_alloc(arena, count ? count : 1, sizeof(*positions));
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *owned = &consumer->owned->elems[i];
        positions[i].partition = owned->partition;
        rd_kafka_resp_err_t code =
            rd_kafka_query_watermark_offsets(consumer->kafka, owned->topic, owned->partition, &positions[i].low,
                                             &positions[i].high, WATERMARK_TIMEOUT_MS);
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
            return sl_kafka_err(err, code, "asking for a partition's watermarks");
    }
    *ret_positions = positions;
    *ret_count = count;
    return true;
}

bool consumer_assign(struct consumer *consumer, const struct position *positions, size_t count, struct sl_err *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (size_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, SL_TOPIC_EVENTS, positions[i].partition)->offset =
            positions[i].published;
    /* A partition that was held when it was taken from us is still paused when it comes back: librdkafka forgets only
     * the pauses of its own. Resumed before it is fetched: resuming drops what a fetch has under way. */
    (void)rd_kafka_resume_partitions(consumer->kafka, list);
    rd_kafka_resp_err_t code = rd_kafka_assign(consumer->kafka, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return sl_kafka_err(err, code, "assigning partitions");
    consumer->wants_positions = false;
    consumer->held = false;
    return true;
}

/* A message that is an error: what it means for us. */
static void report(struct consumer *consumer, const rd_kafka_message_t *message)
{
    sl_metric_add(consumer->errors_total, 1);
    sl_log(SL_LOG_WARN, "consumer", "Kafka reports an error", LOG_CSTR("code", rd_kafka_err2name(message->err)),
           LOG_CSTR("reason", rd_kafka_message_errstr(message)), LOG_INT("partition", message->partition));
    if (message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        sl_readiness_set(consumer->readiness, "kafka", "the topic " SL_TOPIC_EVENTS " does not exist");
    /* Retention has passed our position, or the log is shorter than we think. */
    if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || message->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
        consumer_reposition(consumer);
}

/* NULL: nothing (any more), or an error that was reported. */
static rd_kafka_message_t *poll_one(struct consumer *consumer, int wait_ms)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->kafka, wait_ms);
    if (!message || !message->err)
        return message;
    report(consumer, message);
    rd_kafka_message_destroy(message);
    return NULL;
}

static void set_held(struct consumer *consumer, bool held)
{
    if (consumer->held == held || !consumer->owned || consumer->wants_positions)
        return;
    rd_kafka_resp_err_t code = held ? rd_kafka_pause_partitions(consumer->kafka, consumer->owned)
                                    : rd_kafka_resume_partitions(consumer->kafka, consumer->owned);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
        consumer->held = held;
}

/* After the brokers were away: asks whether they are back, now and then. */
static void probe(struct consumer *consumer)
{
    const struct rd_kafka_metadata *metadata = NULL;
    int64_t now_ms = sl_clock_mono_ms();
    if (!consumer->brokers_down || now_ms - consumer->probed_at_ms < PROBE_INTERVAL_MS)
        return;
    consumer->probed_at_ms = now_ms;
    if (rd_kafka_metadata(consumer->kafka, 0, NULL, &metadata, PROBE_TIMEOUT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    rd_kafka_metadata_destroy(metadata);
    consumer->brokers_down = false;
    if (consumer->owned)
        sl_readiness_set(consumer->readiness, "kafka", "");
}

size_t consumer_fetch(struct consumer *consumer, rd_kafka_message_t **ret_messages, size_t count_max, size_t bytes_max,
                      int wait_ms, int gather_ms)
{
    size_t count = 0;
    size_t bytes = 0;
    int64_t deadline_ms = 0;
    uint32_t epoch = consumer->epoch;
    set_held(consumer, false);
    probe(consumer);
    while (count < count_max && bytes < bytes_max) {
        rd_kafka_message_t *message = poll_one(consumer, count ? 0 : wait_ms);
        if (!message && count >= GATHER_WHEN_MESSAGES && gather_ms > 0) {
            int64_t left_ms = deadline_ms - sl_clock_mono_ms();
            message = left_ms > 0 ? poll_one(consumer, (int)left_ms) : NULL;
        }
        if (epoch != consumer->epoch) {
            /* Partitions came or went: what was taken before belongs to the past. */
            for (size_t i = 0; i < count; i++)
                rd_kafka_message_destroy(ret_messages[i]);
            if (message)
                rd_kafka_message_destroy(message);
            return 0;
        }
        if (!message)
            break;
        if (!count)
            deadline_ms = sl_clock_mono_ms() + gather_ms;
        bytes += message->len;
        ret_messages[count++] = message;
    }
    return count;
}

void consumer_hold(struct consumer *consumer, int wait_ms)
{
    int64_t deadline_ms = sl_clock_mono_ms() + wait_ms;
    int64_t left_ms = wait_ms;
    set_held(consumer, true);
    do {
        rd_kafka_message_t *message = poll_one(consumer, (int)left_ms);
        if (message) {
            rd_kafka_message_destroy(message);
            consumer_reposition(consumer);
        }
        left_ms = deadline_ms - sl_clock_mono_ms();
    } while (left_ms > 0);
}

void consumer_commit(struct consumer *consumer, const struct partitions *partitions)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (size_t i = 0; i < partitions->count; i++) {
        if (partitions->rows[i].assigned)
            rd_kafka_topic_partition_list_add(list, SL_TOPIC_EVENTS, (int32_t)i)->offset = partitions->rows[i].next;
    }
    if (list->cnt) {
        sl_fault("apply.before_offsets");
        (void)rd_kafka_commit(consumer->kafka, list, 1);
        sl_fault("apply.after_offsets");
    }
    rd_kafka_topic_partition_list_destroy(list);
}
