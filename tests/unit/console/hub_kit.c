/* hub_kit.c - see hub_kit.h. */
#include "tests/unit/web/check.h"

#include <stdlib.h>

#include "tests/unit/console/hub_kit.h"

static void suspend(void *arg)
{
    struct client *client = arg;
    assert_false(client->is_suspended);
    client->is_suspended = true;
}

static void resume(void *arg)
{
    struct client *client = arg;
    assert_true(client->is_suspended);
    client->is_suspended = false;
}

static void cut(void *arg)
{
    ((struct client *)arg)->is_cut = true;
}

static bool is_gone(void *arg)
{
    return ((struct client *)arg)->is_gone;
}

/* "u0" … "u9": by its digit. */
static int32_t partition_of(struct sl_str user_id, int32_t count)
{
    return (user_id.ptr[1] - '0') % count;
}

int hub_kit_set_up(void **state)
{
    static const int64_t next[PARTITIONS] = {10, 20, 30};
    struct fixture *f = sl_calloc(1, sizeof(*f));
    f->metrics = sl_metrics_create();
    meters_init(&f->meters, f->metrics);
    const struct hub_options options = {
        .streams_max = 8,
        .streams_per_user = 3,
        .buffer_bytes = 400,
        .total_bytes = 2000,
        .heartbeat_ms = 15000,
        .resume_max = 500,
        .partition_of = partition_of,
        .carrier = {.suspend = suspend, .resume = resume, .cut = cut, .is_gone = is_gone},
        .meters = &f->meters,
    };
    f->hub = hub_create(&options);
    hub_set_positions(f->hub, PARTITIONS, next);
    *state = f;
    return 0;
}

int hub_kit_tear_down(void **state)
{
    struct fixture *f = *state;
    hub_destroy(f->hub);
    sl_metrics_destroy(f->metrics);
    free(f);
    return 0;
}

enum hub_refusal try_open(struct fixture *f, struct client *client, const char *user, const char *last_id,
                          int64_t ends_at_ms)
{
    enum hub_refusal refusal = HUB_TAKEN;
    const struct hub_ask ask = {.user_id = sl_str_of(user),
                                .last_event_id = sl_str_of(last_id),
                                .ends_at_ms = ends_at_ms,
                                .carrier_arg = client};
    *client = (struct client){.stream = NULL};
    sl_buf_init(&client->text, 1 << 20);
    client->stream = hub_open(f->hub, &ask, NOW, &refusal);
    assert_int_equal(client->stream != NULL, refusal == HUB_TAKEN);
    return refusal;
}

void open_stream(struct fixture *f, struct client *client, const char *user, const char *last_id)
{
    assert_int_equal(try_open(f, client, user, last_id, 0), HUB_TAKEN);
}

void close_stream(struct fixture *f, struct client *client)
{
    hub_close(f->hub, client->stream);
    sl_buf_deinit(&client->text);
    client->stream = NULL;
}

/* Reads until there is nothing: what has come since the reset. */
struct sl_str drink(struct fixture *f, struct client *client)
{
    char part[37]; /* frames are cut anywhere */
    while (!client->is_suspended && !client->is_ended) {
        size_t len = hub_read(f->hub, client->stream, part, sizeof(part), NOW, &client->is_ended);
        assert_true(sl_buf_append(&client->text, part, len));
    }
    return sl_buf_str(&client->text);
}

struct sl_str drink_new(struct fixture *f, struct client *client)
{
    sl_buf_reset(&client->text);
    return drink(f, client);
}

void deliver(struct fixture *f, int32_t partition, int64_t offset, const char *user, const char *data)
{
    hub_deliver(f->hub, (struct stream_cursor){.partition = partition, .next_offset = offset}, sl_str_of(user),
                SL_STR("t"), sl_str_of(data));
}
