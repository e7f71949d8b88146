/* hub_histories_test.c - of console/hub.c: random histories of delivering, catching up, reading and coming back.
 * Whatever happens, the client has seen each outcome of its user once, in order. */
#include "tests/unit/web/check.h"

#include <stdio.h>

#include "tests/unit/console/hub_kit.h"

#define LOG_MAX 400
#define STEPS   3000
#define SEEDS   60

/* One partition: offset i is of user "u0" or "u3", both of partition 0, and says i. */
struct play {
    struct fixture *f;
    uint64_t random;
    int64_t log_end, tail, reader;
    bool is_reading;
    struct hub_pass pass;
    struct client client;
    uint64_t laziness; /* of the client: reads once in so many times */
    int64_t next;      /* that the client of u0 has to see */
    char last_id[CURSOR_TEXT_BYTES];
};

static uint64_t draw(struct play *play, uint64_t below)
{
    play->random = play->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (play->random >> 33) % below;
}

static const char *user_at(int64_t offset)
{
    return offset % 3 == 0 ? "u3" : "u0";
}

/* What the client has read: every outcome of its user from `next` on, in order, each once. */
static void check_seen(struct play *play)
{
    const char *at = drink(play->f, &play->client).ptr;
    while (at && (at = strstr(at, "id: 0-")) != NULL) {
        long long cursor = 0;
        long long data = 0;
        assert_int_equal(sscanf(at, "id: 0-%lld\nevent: t\ndata: %lld", &cursor, &data) >= 1, 1);
        (void)snprintf(play->last_id, sizeof(play->last_id), "0-%lld", cursor);
        const char *event = strstr(at, "event: t\n");
        const char *end = strstr(at, "\n\n");
        if (event && event < end) {
            while (strcmp(user_at(play->next), "u0") != 0)
                play->next++;
            assert_int_equal(data, play->next);
            assert_int_equal(cursor, play->next + 1);
            play->next++;
        }
        at = end;
    }
    sl_buf_reset(&play->client.text);
}

static void come_back(struct play *play)
{
    if (play->client.stream) {
        if (draw(play, 2))
            check_seen(play);
        close_stream(play->f, &play->client);
    }
    open_stream(play->f, &play->client, "u0", play->last_id);
}

static void read_again(struct play *play)
{
    char data[24];
    if (!play->is_reading) {
        play->is_reading = hub_pass_begin(play->f->hub, 0, &play->pass);
        if (play->is_reading && !hub_pass_bound(play->f->hub, &play->pass, 0, play->log_end)) {
            hub_pass_end(play->f->hub, &play->pass);
            play->is_reading = false;
        }
        play->reader = play->pass.from;
        return;
    }
    if (play->reader < play->log_end) {
        (void)snprintf(data, sizeof(data), "%lld", (long long)play->reader);
        hub_pass_message(play->f->hub, &play->pass, play->reader, sl_str_of(user_at(play->reader)), SL_STR("t"),
                         sl_str_of(data));
        play->reader++;
    }
    if (hub_pass_reached(play->f->hub, &play->pass, play->reader) || draw(play, 50) == 0) {
        hub_pass_end(play->f->hub, &play->pass);
        play->is_reading = false;
    }
}

static void tail_on(struct play *play)
{
    char data[24];
    if (play->tail == play->log_end)
        return;
    (void)snprintf(data, sizeof(data), "%lld", (long long)play->tail);
    deliver(play->f, 0, play->tail, user_at(play->tail), data);
    play->tail++;
}

static void step(struct play *play)
{
    switch (draw(play, 8)) {
    case 0:
        if (play->log_end < LOG_MAX)
            play->log_end++;
        break;
    case 1:
    case 2:
        tail_on(play);
        break;
    case 3:
    case 4:
        read_again(play);
        break;
    case 5:
        if (draw(play, 10) == 0 || play->client.is_ended)
            come_back(play);
        break;
    default:
        if (draw(play, play->laziness) == 0)
            check_seen(play);
    }
}

static void random_histories_show_each_outcome_once(void **state)
{
    struct fixture *f = *state;
    static const int64_t begin[PARTITIONS] = {0, 0, 0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct play play = {.f = f, .random = seed, .laziness = seed % 3 == 0 ? 30 : 1, .last_id = "0-0"};
        hub_set_positions(f->hub, PARTITIONS, begin);
        open_stream(f, &play.client, "u0", draw(&play, 2) ? NULL : "0-0");
        for (int i = 0; i < STEPS; i++)
            step(&play);
        /* Who was cut off comes back; then everybody catches up. */
        if (play.client.is_cut)
            come_back(&play);
        for (int i = 0; i < 20 * LOG_MAX; i++) {
            tail_on(&play);
            read_again(&play);
            check_seen(&play);
        }
        while (play.next < play.log_end && strcmp(user_at(play.next), "u0") != 0)
            play.next++;
        if (play.next != play.log_end)
            fail_msg("seed %d: saw %d of %d", (int)seed, (int)play.next, (int)play.log_end);
        if (play.is_reading)
            hub_pass_end(f->hub, &play.pass);
        close_stream(f, &play.client);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_kit_set_up, hub_kit_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(random_histories_show_each_outcome_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
