/* kafka.c - librdkafka: configuration from ours, errors by class, envelopes to and from messages.
 *
 * librdkafka's own log is silent: whoever has a logger sets rd_kafka_conf_set_log_cb on what sl_kafka_conf_create
 * gives. Error codes are those of rdkafka.h; which of the broker's may be tried again is said in Kafka's protocol
 * guide, "Error codes".
 */
#include "common/kafka.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/fault.h"

#define SILENT_MS              "5000" /* so long may a producer's connection leave a request unanswered */
#define REASON_BYTES           512
#define PEM                    "-----BEGIN"
#define HEADERS_READ_MAX       64
#define ENCODE_ARENA_BYTES_MAX ((size_t)64 * 1024)

/* Keys of [kafka] that go to librdkafka as they are, where set. A value that is PEM text has a property of its own. */
static const struct {
    const char *key;
    const char *property;
    const char *pem_property;
} PROPERTIES[] = {
    {"brokers", "bootstrap.servers", NULL},
    {"security_protocol", "security.protocol", NULL},
    {"sasl_mechanism", "sasl.mechanism", NULL},
    {"sasl_username", "sasl.username", NULL},
    {"sasl_password", "sasl.password", NULL},
    {"ssl_ca", "ssl.ca.location", "ssl.ca.pem"},
    {"ssl_certificate", "ssl.certificate.location", "ssl.certificate.pem"},
    {"ssl_key", "ssl.key.location", "ssl.key.pem"},
};

bool sl_kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct sl_err *err)
{
    char reason[REASON_BYTES];
    if (rd_kafka_conf_set(conf, name, value, reason, sizeof(reason)) == RD_KAFKA_CONF_OK) {
        return true;
    }
    (void)sl_err_set(err, SL_ERR_PERMANENT, "the Kafka client refuses its setting %s", name);
    sl_err_detail(err, "%s", reason);
    return false;
}

rd_kafka_conf_t *sl_kafka_conf_create(const struct sl_config *config, const char *program, struct sl_err *err)
{
    if (!sl_config_is_set(config, "kafka", "brokers")) {
        (void)sl_err_set(err, SL_ERR_PERMANENT, "no Kafka brokers are configured");
        sl_err_hint(err, "set brokers in [kafka], or KAFKA_BROKERS");
        return NULL;
    }
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char client_id[128];
    (void)snprintf(client_id, sizeof(client_id), "%s-%ld", program, (long)getpid());
    bool ok = sl_kafka_conf_set(conf, "client.id", client_id, err) &&
              sl_kafka_conf_set(conf, "socket.keepalive.enable", "true", err) &&
              /* before librdkafka 2.0 nobody looked at the name in a broker's certificate */
              sl_kafka_conf_set(conf, "enable.ssl.certificate.verification", "true", err) &&
              sl_kafka_conf_set(conf, "ssl.endpoint.identification.algorithm", "https", err);
    for (size_t i = 0; ok && i < SL_ARRAY_LEN(PROPERTIES); i++) {
        if (sl_config_is_set(config, "kafka", PROPERTIES[i].key)) {
            const char *value = sl_config_cstr(config, "kafka", PROPERTIES[i].key);
            const bool is_pem = PROPERTIES[i].pem_property != NULL && strncmp(value, PEM, strlen(PEM)) == 0;
            ok = sl_kafka_conf_set(conf, is_pem ? PROPERTIES[i].pem_property : PROPERTIES[i].property, value, err);
        }
    }
    if (!ok) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_conf_set_log_cb(conf, NULL);
    return conf;
}

rd_kafka_t *sl_kafka_producer_create(rd_kafka_conf_t *conf, int linger_ms, struct sl_err *err)
{
    char linger[16];
    char message_bytes[16];
    (void)snprintf(linger, sizeof(linger), "%d", linger_ms);
    (void)snprintf(message_bytes, sizeof(message_bytes), "%d", SL_KAFKA_MESSAGE_BYTES_MAX);
    char reason[REASON_BYTES];
    /* A message that librdkafka gives up by time while a broker may have it leaves a gap in the producer's sequence,
     * whose numbers go to later messages: a broker that was frozen and wakes up takes one of those for the one it has,
     * and confirms what it never wrote (librdkafka's issue 4134). So nothing is given up; a connection that is silent
     * is, and its requests are sent again under the same numbers. */
    if (sl_kafka_conf_set(conf, "enable.idempotence", "true", err) && sl_kafka_conf_set(conf, "acks", "all", err) &&
        sl_kafka_conf_set(conf, "message.timeout.ms", "0", err) &&
        sl_kafka_conf_set(conf, "socket.timeout.ms", SILENT_MS, err) &&
        sl_kafka_conf_set(conf, "message.max.bytes", message_bytes, err) &&
        sl_kafka_conf_set(conf, "linger.ms", linger, err)) {
        rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
        if (producer != NULL) {
            return producer;
        }
        (void)sl_err_set(err, SL_ERR_PERMANENT, "the Kafka producer can't start");
        sl_err_detail(err, "%s", reason);
    }
    rd_kafka_conf_destroy(conf);
    return NULL;
}

/* Everything that is not here may work when tried again: brokers away, leaders moving, queues full, times out. */
static const struct {
    rd_kafka_resp_err_t code;
    enum sl_err_class error_class;
} CODES[] = {
    /* the client, or its sequence of messages, is beyond repair: make a new one */
    {RD_KAFKA_RESP_ERR__FATAL, SL_ERR_FATAL},
    {RD_KAFKA_RESP_ERR__DESTROY, SL_ERR_FATAL},
    {RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE, SL_ERR_FATAL},
    {RD_KAFKA_RESP_ERR__FENCED, SL_ERR_FATAL},
    {RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE, SL_ERR_FATAL},
    {RD_KAFKA_RESP_ERR__INCONSISTENT, SL_ERR_FATAL},
    {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, SL_ERR_FATAL},
    {RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, SL_ERR_FATAL},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, SL_ERR_FATAL},
    {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, SL_ERR_FATAL},
    {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, SL_ERR_FATAL},
    /* the message */
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_INVALID_RECORD, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR__BAD_MSG, SL_ERR_PERMANENT},
    /* where it is to go, and who may do that */
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_SECURITY_DISABLED, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, SL_ERR_PERMANENT},
    /* the request */
    {RD_KAFKA_RESP_ERR__INVALID_ARG, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR__CONFLICT, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR__NOT_CONFIGURED, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_INVALID_REQUEST, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_INVALID_CONFIG, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, SL_ERR_PERMANENT},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, SL_ERR_PERMANENT},
};

enum sl_err_class sl_kafka_err_class(rd_kafka_resp_err_t code)
{
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        return SL_ERR_NONE;
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(CODES); i++) {
        if (CODES[i].code == code) {
            return CODES[i].error_class;
        }
    }
    return SL_ERR_RETRY;
}

bool sl_kafka_err(struct sl_err *err, rd_kafka_resp_err_t code, const char *what)
{
    (void)sl_err_set(err, sl_kafka_err_class(code), "%s failed", what);
    sl_err_code(err, rd_kafka_err2name(code));
    sl_err_detail(err, "%s", rd_kafka_err2str(code));
    return false;
}

/* The headers of the event in librdkafka's own list, which copies them. */
static rd_kafka_headers_t *headers_of(const struct sl_event *event)
{
    struct sl_arena *arena = sl_arena_create(ENCODE_ARENA_BYTES_MAX);
    struct sl_event_header headers[SL_EVENT_HEADERS_MAX];
    const size_t count = sl_event_encode(event, arena, headers);
    rd_kafka_headers_t *list = rd_kafka_headers_new(count);
    for (size_t i = 0; i < count; i++) {
        const struct sl_str value = headers[i].value;
        SL_ASSERT(rd_kafka_header_add(list, headers[i].name.ptr, (ssize_t)headers[i].name.len,
                                      value.ptr != NULL ? value.ptr : "",
                                      (ssize_t)value.len) == RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    sl_arena_destroy(arena);
    return list;
}

bool sl_kafka_produce_event(rd_kafka_t *producer, const char *topic, int32_t partition, const struct sl_event *event,
                            void *opaque, struct sl_err *err)
{
    if (sl_fault_fails("kafka.produce")) {
        return sl_kafka_err(err, RD_KAFKA_RESP_ERR__FAIL, "handing an event to the Kafka client");
    }
    rd_kafka_headers_t *headers = headers_of(event);
    /* An empty body is not no body: NULL would be a tombstone. librdkafka copies body and key. */
    char empty[1] = "";
    const struct sl_str body = event->data;
    const struct sl_str key = event->partition_key;
    const rd_kafka_vu_t arguments[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {.ptr = key.len > 0 ? (void *)(uintptr_t)key.ptr : NULL, .size = key.len}},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = body.len > 0 ? (void *)(uintptr_t)body.ptr : empty, .size = body.len}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = event->received_at_ms},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = opaque},
    };
    rd_kafka_error_t *error = rd_kafka_produceva(producer, arguments, SL_ARRAY_LEN(arguments));
    if (error == NULL) {
        return true;
    }
    rd_kafka_headers_destroy(headers); /* taken only on success */
    char what[128];
    (void)snprintf(what, sizeof(what), "handing an event for %s to the Kafka client", topic);
    (void)sl_kafka_err(err, rd_kafka_error_code(error), what);
    rd_kafka_error_destroy(error);
    return false;
}

bool sl_kafka_event_of(const rd_kafka_message_t *message, struct sl_event *ret_event, struct sl_err *err)
{
    struct sl_event_header headers[HEADERS_READ_MAX];
    size_t count = 0;
    rd_kafka_headers_t *list = NULL;
    if (rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        count = rd_kafka_header_cnt(list);
        if (count > HEADERS_READ_MAX) {
            return sl_err_set(err, SL_ERR_PERMANENT, "the message has more than %d headers", HEADERS_READ_MAX);
        }
        for (size_t i = 0; i < count; i++) {
            const char *name = NULL;
            const void *value = NULL;
            size_t value_len = 0;
            SL_ASSERT(rd_kafka_header_get_all(list, i, &name, &value, &value_len) == RD_KAFKA_RESP_ERR_NO_ERROR);
            headers[i].name = sl_str_of(name);
            headers[i].value = (struct sl_str){.ptr = value, .len = value != NULL ? value_len : 0};
        }
    }
    rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    const int64_t timestamp_ms = rd_kafka_message_timestamp(message, &type);
    const struct sl_str key = {.ptr = message->key, .len = message->key != NULL ? message->key_len : 0};
    const struct sl_str value = {.ptr = message->payload, .len = message->payload != NULL ? message->len : 0};
    return sl_event_decode(headers, count, key, value, timestamp_ms > 0 ? timestamp_ms : 0, ret_event, err);
}
