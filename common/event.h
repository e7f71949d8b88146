/* event.h - the envelope of an event: CloudEvents 1.0 attributes over the Kafka protocol binding, binary mode.
 *
 * Encoding and decoding without I/O. The value of a message is the body exactly as received; the attributes are
 * headers. Source: CloudEvents "Kafka Protocol Binding" 1.0.2, section 3.2.
 */
#ifndef SL_EVENT_H
#define SL_EVENT_H

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"

#define SL_EVENT_ATTRIBUTE_BYTES_MAX 512 /* id, source, type, subject, each */
#define SL_EVENT_HEADERS_MAX         40  /* with those that a dead letter and its replay bring */
#define SL_EVENT_ID_BYTES_MAX        600 /* "<sub>:<Idempotency-Key>" */

struct sl_event {
    struct sl_str id;            /* ce_id */
    struct sl_str source;        /* ce_source, "/webhooks/stripe" */
    struct sl_str type;          /* ce_type, "stripe.customer.subscription.deleted" */
    struct sl_str subject;       /* ce_subject, may be empty */
    struct sl_str partition_key; /* ce_partitionkey and the message's key */
    struct sl_str content_type;  /* content-type, "application/json" when the sender gave none */
    struct sl_str traceparent;   /* may be empty */
    struct sl_str reply_to;      /* sluice-reply-to "<partition>/<correlation id>", empty: nobody waits */
    struct sl_str replay;        /* sluice-replay, a generation "1"…; empty: the first time */
    struct sl_str data;          /* the body */
    int64_t time_ms;             /* ce_time: the provider's time, else receipt */
    int64_t received_at_ms;      /* the message's timestamp */
};

struct sl_event_header {
    struct sl_str name;
    struct sl_str value;
};

/* What decode will ask of an event, so that its maker can refuse it first: id, source and type are there, all
 * attributes are UTF-8 without NUL and within their limits. PERMANENT, naming the header. */
SL_MUST_CHECK bool sl_event_check(const struct sl_event *event, struct sl_err *err);

/* The headers of `event`, in a fixed order; strings are borrowed from the event or made in `arena`. Gives how many. */
size_t sl_event_encode(const struct sl_event *event, struct sl_arena *arena,
                       struct sl_event_header ret_headers[SL_EVENT_HEADERS_MAX]);

/* The reverse, from a message's headers, key, value and timestamp; strings are borrowed from the arguments. Unknown
 * headers are ignored; of a header given twice the last counts. PERMANENT when ce_specversion is not 1.0, ce_time is no
 * time, or sl_event_check refuses. Without ce_time, and without a key, the timestamp and ce_partitionkey stand in. */
SL_MUST_CHECK bool sl_event_decode(const struct sl_event_header *headers, size_t header_count, struct sl_str key,
                                   struct sl_str value, int64_t timestamp_ms, struct sl_event *ret_event,
                                   struct sl_err *err);

#endif
