/* hub.h - the open streams: whose each is, what waits to be written to it, and how one that resumes joins the others.
 *
 * A stream is LIVE, or BEHIND: then a catch-up reader brings it what it has missed. Each partition has a position, the
 * offset that the tail will deliver next; a reader that has come up to it makes its streams LIVE under the lock that
 * the tail delivers under, so that an outcome comes exactly once. Buffers are bounded, by stream and altogether: who
 * reads too slowly is dropped when LIVE, and waited for when BEHIND.
 *
 * Threads: the tail's, the catch-up readers', the server's and main's; one lock. Knows neither Kafka nor HTTP.
 */
#ifndef CONSOLE_HUB_H
#define CONSOLE_HUB_H

#include "console/cursor.h"
#include "console/meters.h"

#define HUB_PARTITIONS_MAX 1024
#define HUB_RETRY_MS       2000 /* after which clients connect again */

struct hub;
struct stream;

/* How the streams are carried; all are called under the hub's lock, and must not call the hub. */
struct hub_carrier {
    void (*suspend)(void *arg); /* by the thread that is in hub_read */
    void (*resume)(void *arg);  /* any thread */
    void (*cut)(void *arg);     /* any thread: nobody will read what is left; break the connection */
    bool (*is_gone)(void *arg); /* any thread: has the client closed? A suspended connection doesn't notice */
};

struct hub_options {
    unsigned streams_max;
    unsigned streams_per_user;
    size_t buffer_bytes; /* of a stream; one that is empty takes a larger frame too */
    size_t total_bytes;  /* of all */
    int64_t heartbeat_ms;
    int64_t resume_max; /* messages of a partition that are read again at most */
    int32_t (*partition_of)(struct sl_str user_id, int32_t partition_count);
    struct hub_carrier carrier;
    const struct meters *meters;
};

enum hub_refusal { HUB_TAKEN = 0, HUB_FULL, HUB_USER_FULL, HUB_NOT_READY };

struct hub_ask {
    struct sl_str user_id;       /* copied */
    struct sl_str last_event_id; /* empty: from now; one that is no cursor of this user: from now too, with a comment */
    int64_t ends_at_ms;          /* wall clock; 0: never */
    void *carrier_arg;
};

SL_MUST_CHECK struct hub *hub_create(const struct hub_options *options);
void hub_destroy(struct hub *hub); /* no stream may be open; accepts NULL */

/* The stream lives until hub_close. NULL with the reason in `ret_refusal`. */
SL_MUST_CHECK struct stream *hub_open(struct hub *hub, const struct hub_ask *ask, int64_t mono_ms,
                                      enum hub_refusal *ret_refusal);
void hub_close(struct hub *hub, struct stream *stream);

/* Takes what is next for the stream, up to `max` bytes. 0 and not `*ret_ended`: nothing, and the carrier has been
 * suspended. */
size_t hub_read(struct hub *hub, struct stream *stream, char *out, size_t max, int64_t mono_ms, bool *ret_ended);

/* Heartbeats, tokens that have expired, clients that have gone. */
void hub_tick(struct hub *hub, int64_t mono_ms, int64_t wall_ms);
/* No stream is taken from now on, those that are open end (`reason` is a word for the metric, and a comment). */
void hub_end_all(struct hub *hub, const char *reason);
void hub_cut_all(struct hub *hub); /* after that: whoever doesn't read is cut off */
size_t hub_count(struct hub *hub);

/* The tail's. Streams are taken from hub_set_positions to hub_lose, which ends those that are open. */
void hub_set_positions(struct hub *hub, int32_t partition_count, const int64_t *next_offsets);
void hub_lose(struct hub *hub, const char *reason);
void hub_deliver(struct hub *hub, struct stream_cursor at, struct sl_str user_id, struct sl_str type,
                 struct sl_str data);

/* A catch-up reader's pass over one partition, for all streams that are BEHIND there. */
struct hub_pass {
    int32_t partition;
    int64_t from; /* the offset to begin at */
};
/* Waits `timeout_ms` for one. The caller ends it by hub_pass_end. `at` of the following is the message's own offset. */
SL_MUST_CHECK bool hub_pass_begin(struct hub *hub, int timeout_ms, struct hub_pass *ret_pass);
/* What the log still holds: streams whose cursor lies outside (or too far back) go on from now. False: none is left. */
SL_MUST_CHECK bool hub_pass_bound(struct hub *hub, struct hub_pass *pass, int64_t low, int64_t high);
void hub_pass_message(struct hub *hub, const struct hub_pass *pass, int64_t at, struct sl_str user_id,
                      struct sl_str type, struct sl_str data);
/* All up to `next_offset` has been handed over. True: the pass is done, its streams are LIVE, or wait for readers. */
SL_MUST_CHECK bool hub_pass_reached(struct hub *hub, const struct hub_pass *pass, int64_t next_offset);
/* Streams of the pass that aren't LIVE wait for another. */
void hub_pass_end(struct hub *hub, const struct hub_pass *pass);

#endif
