/* hub_kit.h - what tests of the hub share: a hub of three partitions that stand at 10, 20 and 30, clients whose
 * connection is a flag, and delivering to them. Users are called "u0" to "u9", the digit choosing the partition. */
#ifndef TESTS_CONSOLE_HUB_KIT_H
#define TESTS_CONSOLE_HUB_KIT_H

#include "common/buf.h"
#include "console/hub.h"

#define PARTITIONS 3
#define NOW        1000

struct client {
    struct stream *stream;
    bool is_suspended, is_cut, is_ended, is_gone;
    struct sl_buf text;
};

struct fixture {
    struct sl_metrics *metrics;
    struct meters meters;
    struct hub *hub;
};

int hub_kit_set_up(void **state);
int hub_kit_tear_down(void **state);

/* Opens a stream for the client, whose struct is begun anew. `last_id` NULL: from now. */
enum hub_refusal try_open(struct fixture *f, struct client *client, const char *user, const char *last_id,
                          int64_t ends_at_ms);
void open_stream(struct fixture *f, struct client *client, const char *user,
                 const char *last_id); /* one that is taken */
void close_stream(struct fixture *f, struct client *client);
/* Reads until there is nothing: all that has come, or what has come since the last time. Borrowed. */
struct sl_str drink(struct fixture *f, struct client *client);
struct sl_str drink_new(struct fixture *f, struct client *client);
/* The tail's next message, of type "t". */
void deliver(struct fixture *f, int32_t partition, int64_t offset, const char *user, const char *data);

#endif
