/* event.c - one table says which header is which attribute, how long it may be and whether it must be there. */
#include "common/event.h"

#include <stddef.h>
#include <string.h>

#include "common/clock.h"
#include "common/utf8.h"

#define SPEC_VERSION "1.0"

struct attribute {
    const char *header;
    size_t offset; /* of its struct sl_str in struct sl_event */
    size_t bytes_max;
    bool required;
};

/* In the order of encoding; ce_specversion and ce_time are no plain strings and stand apart. */
static const struct attribute ATTRIBUTES[] = {
    {"content-type", offsetof(struct sl_event, content_type), SL_EVENT_ATTRIBUTE_BYTES_MAX, false},
    {"ce_id", offsetof(struct sl_event, id), SL_EVENT_ID_BYTES_MAX, true},
    {"ce_source", offsetof(struct sl_event, source), SL_EVENT_ATTRIBUTE_BYTES_MAX, true},
    {"ce_type", offsetof(struct sl_event, type), SL_EVENT_ATTRIBUTE_BYTES_MAX, true},
    {"ce_subject", offsetof(struct sl_event, subject), SL_EVENT_ATTRIBUTE_BYTES_MAX, false},
    {"ce_partitionkey", offsetof(struct sl_event, partition_key), SL_EVENT_ATTRIBUTE_BYTES_MAX, false},
    {"traceparent", offsetof(struct sl_event, traceparent), SL_EVENT_ATTRIBUTE_BYTES_MAX, false},
    {"sluice-reply-to", offsetof(struct sl_event, reply_to), SL_EVENT_ATTRIBUTE_BYTES_MAX, false},
    {"sluice-replay", offsetof(struct sl_event, replay), SL_EVENT_ATTRIBUTE_BYTES_MAX, false},
};

_Static_assert(SL_ARRAY_LEN(ATTRIBUTES) + 2 <= SL_EVENT_HEADERS_MAX, "an event's headers must fit");

static struct sl_str get(const struct sl_event *event, const struct attribute *attribute)
{
    struct sl_str value;
    memcpy(&value, (const char *)event + attribute->offset, sizeof(value));
    return value;
}

static void set(struct sl_event *event, const struct attribute *attribute, struct sl_str value)
{
    memcpy((char *)event + attribute->offset, &value, sizeof(value));
}

bool sl_event_check(const struct sl_event *event, struct sl_err *err)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(ATTRIBUTES); i++) {
        const struct attribute *attribute = &ATTRIBUTES[i];
        const struct sl_str value = get(event, attribute);
        if (value.len == 0 && attribute->required) {
            return sl_err_set(err, SL_ERR_PERMANENT, "event has no %s", attribute->header);
        }
        if (value.len > attribute->bytes_max) {
            return sl_err_set(err, SL_ERR_PERMANENT, "%s of the event is longer than %zu bytes", attribute->header,
                              attribute->bytes_max);
        }
        if (!sl_utf8_is_text(value)) {
            return sl_err_set(err, SL_ERR_PERMANENT, "%s of the event is not UTF-8 text", attribute->header);
        }
    }
    return true;
}

size_t sl_event_encode(const struct sl_event *event, struct sl_arena *arena,
                       struct sl_event_header ret_headers[SL_EVENT_HEADERS_MAX])
{
    char time[SL_CLOCK_ISO_BYTES];
    sl_clock_format_iso(event->time_ms, time);
    size_t count = 0;
    ret_headers[count++] = (struct sl_event_header){SL_STR("ce_specversion"), SL_STR(SPEC_VERSION)};
    ret_headers[count++] = (struct sl_event_header){SL_STR("ce_time"), sl_arena_str(arena, sl_str_of(time))};
    for (size_t i = 0; i < SL_ARRAY_LEN(ATTRIBUTES); i++) {
        const struct sl_str value = get(event, &ATTRIBUTES[i]);
        if (value.len > 0) {
            ret_headers[count++] = (struct sl_event_header){sl_str_of(ATTRIBUTES[i].header), value};
        }
    }
    return count;
}

/* Collected while the headers are read; judged afterwards, so that of a header given twice the last counts. */
struct special {
    struct sl_str spec_version;
    struct sl_str time;
};

static void take_header(struct sl_event *event, struct special *special, const struct sl_event_header *header)
{
    if (sl_str_is(header->name, "ce_specversion")) {
        special->spec_version = header->value;
        return;
    }
    if (sl_str_is(header->name, "ce_time")) {
        special->time = header->value;
        return;
    }
    for (size_t i = 0; i < SL_ARRAY_LEN(ATTRIBUTES); i++) {
        if (sl_str_is(header->name, ATTRIBUTES[i].header)) {
            set(event, &ATTRIBUTES[i], header->value);
            return;
        }
    }
}

bool sl_event_decode(const struct sl_event_header *headers, size_t header_count, struct sl_str key, struct sl_str value,
                     int64_t timestamp_ms, struct sl_event *ret_event, struct sl_err *err)
{
    struct sl_event event = {.data = value, .time_ms = timestamp_ms, .received_at_ms = timestamp_ms};
    struct special special = {.time = SL_STR_NONE};
    for (size_t i = 0; i < header_count; i++) {
        take_header(&event, &special, &headers[i]);
    }
    if (!sl_str_is(special.spec_version, SPEC_VERSION)) {
        return sl_err_set(err, SL_ERR_PERMANENT, "message is no CloudEvent " SPEC_VERSION ": %s",
                          special.spec_version.len == 0 ? "it has no ce_specversion" : "ce_specversion is another");
    }
    if (special.time.len > 0 && !sl_clock_parse(special.time, &event.time_ms)) {
        return sl_err_set(err, SL_ERR_PERMANENT, "ce_time of the event is no RFC 3339 time");
    }
    if (key.len > 0) {
        event.partition_key = key;
    }
    if (event.content_type.len == 0) {
        event.content_type = SL_STR("application/json");
    }
    if (!sl_event_check(&event, err)) {
        return false;
    }
    *ret_event = event;
    return true;
}
