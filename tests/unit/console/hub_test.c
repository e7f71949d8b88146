/* hub_test.c - of console/hub.c: what streams are given, when they join, and what becomes of those that don't read. */
#include "tests/unit/web/check.h"

#include "tests/unit/console/hub_kit.h"

static void outcomes_go_to_their_user(void **state)
{
    struct fixture *f = *state;
    struct client one;
    struct client other;
    struct client another_user;
    open_stream(f, &one, "u1", NULL);
    open_stream(f, &other, "u1", NULL);
    open_stream(f, &another_user, "u4", NULL); /* of the same partition */
    assert_str(drink(f, &one), "retry: 2000\nid: 1-20\n\n");
    assert_true(one.is_suspended);
    deliver(f, 1, 20, "u1", "a");
    deliver(f, 1, 21, "u4", "b");
    assert_false(one.is_suspended);
    assert_str(drink_new(f, &one), "id: 1-21\nevent: t\ndata: a\n\n");
    (void)drink(f, &other);
    assert_str(sl_buf_str(&other.text), "retry: 2000\nid: 1-20\n\nid: 1-21\nevent: t\ndata: a\n\n");
    assert_str(drink(f, &another_user), "retry: 2000\nid: 1-20\n\nid: 1-22\nevent: t\ndata: b\n\n");
    close_stream(f, &one);
    close_stream(f, &other);
    close_stream(f, &another_user);
}

static void places_are_limited(void **state)
{
    struct fixture *f = *state;
    struct client clients[9];
    static const char *const users[] = {"u1", "u1", "u1", "u2", "u2", "u2", "u3", "u3"};
    for (size_t i = 0; i < 8; i++) {
        if (i == 3)
            assert_int_equal(try_open(f, &clients[8], "u1", NULL, 0), HUB_USER_FULL);
        open_stream(f, &clients[i], users[i], NULL);
    }
    assert_int_equal(try_open(f, &clients[8], "u4", NULL, 0), HUB_FULL);
    close_stream(f, &clients[0]);
    open_stream(f, &clients[0], "u4", NULL);
    assert_int_equal(hub_count(f->hub), 8);
    for (size_t i = 0; i < 8; i++)
        close_stream(f, &clients[i]);
}

static void heartbeats_fill_the_silence(void **state)
{
    struct fixture *f = *state;
    struct client client;
    open_stream(f, &client, "u1", NULL);
    (void)drink(f, &client);
    hub_tick(f->hub, NOW + 14999, 0);
    assert_true(client.is_suspended);
    hub_tick(f->hub, NOW + 15000, 0);
    assert_str(drink_new(f, &client), ": heartbeat\n\n");
    close_stream(f, &client);
}

static void a_token_ends_its_stream(void **state)
{
    struct fixture *f = *state;
    struct client client;
    assert_int_equal(try_open(f, &client, "u1", NULL, 5000), HUB_TAKEN);
    (void)drink(f, &client);
    hub_tick(f->hub, NOW, 4999);
    assert_true(client.is_suspended);
    hub_tick(f->hub, NOW, 5000);
    deliver(f, 1, 20, "u1", "too late");
    assert_str(drink_new(f, &client), ": expired\n\n");
    assert_true(client.is_ended && !client.is_cut);
    close_stream(f, &client);
}

static void a_client_that_has_gone_makes_room(void **state)
{
    struct fixture *f = *state;
    struct client client;
    open_stream(f, &client, "u1", NULL);
    (void)drink(f, &client);
    hub_tick(f->hub, NOW, 0);
    assert_true(client.is_suspended);
    client.is_gone = true;
    hub_tick(f->hub, NOW + 999, 0);
    assert_true(client.is_suspended);
    hub_tick(f->hub, NOW + 1000, 0);
    (void)drink(f, &client);
    assert_true(client.is_ended);
    close_stream(f, &client);
}

static void who_comes_back_finds_a_place(void **state)
{
    struct fixture *f = *state;
    struct client clients[3];
    struct client again;
    for (size_t i = 0; i < 3; i++)
        open_stream(f, &clients[i], "u1", NULL);
    assert_int_equal(try_open(f, &again, "u1", NULL, 0), HUB_USER_FULL);
    clients[1].is_gone = true;
    open_stream(f, &again, "u1", NULL);
    (void)drink(f, &clients[1]);
    assert_true(clients[1].is_ended);
    for (size_t i = 0; i < 3; i++)
        close_stream(f, &clients[i]);
    close_stream(f, &again);
}

static void who_does_not_read_is_cut_off(void **state)
{
    struct fixture *f = *state;
    struct client slow;
    struct client quick;
    char data[101];
    memset(data, 'x', 100);
    data[100] = '\0';
    open_stream(f, &slow, "u1", NULL);
    open_stream(f, &quick, "u1", NULL);
    for (int64_t offset = 20; offset < 23; offset++) {
        deliver(f, 1, offset, "u1", data);
        (void)drink(f, &quick);
    }
    assert_false(slow.is_cut);
    deliver(f, 1, 23, "u1", data);
    assert_true(slow.is_cut && !quick.is_cut);
    assert_str(drink(f, &slow), "");
    assert_true(slow.is_ended);
    deliver(f, 1, 24, "u1", "on");
    assert_non_null(strstr(drink(f, &quick).ptr, "id: 1-25\nevent: t\ndata: on\n"));
    close_stream(f, &slow);
    close_stream(f, &quick);
}

static void one_large_frame_is_let_in(void **state)
{
    struct fixture *f = *state;
    struct client client;
    char data[1001];
    memset(data, 'x', 1000);
    data[1000] = '\0';
    open_stream(f, &client, "u1", NULL);
    (void)drink(f, &client);
    deliver(f, 1, 20, "u1", data);
    assert_false(client.is_cut);
    assert_true(drink_new(f, &client).len > 1000);
    close_stream(f, &client);
}

static void all_buffers_together_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct client clients[3];
    static const char *const users[] = {"u0", "u3", "u6"};
    char data[901];
    memset(data, 'x', 900);
    data[900] = '\0';
    for (size_t i = 0; i < 3; i++) {
        open_stream(f, &clients[i], users[i], NULL);
        (void)drink(f, &clients[i]);
        deliver(f, 0, 10 + (int64_t)i, users[i], data);
    }
    assert_true(!clients[0].is_cut && !clients[1].is_cut && clients[2].is_cut);
    for (size_t i = 0; i < 3; i++)
        close_stream(f, &clients[i]);
}

static void a_cursor_is_caught_up(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct hub_pass pass;
    open_stream(f, &client, "u1", "1-15");
    assert_str(drink(f, &client), "retry: 2000\nid: 1-15\n\n");
    assert_true(hub_pass_begin(f->hub, 0, &pass));
    assert_int_equal(pass.partition, 1);
    assert_int_equal(pass.from, 15);
    assert_true(hub_pass_bound(f->hub, &pass, 0, 20));
    hub_pass_message(f->hub, &pass, 15, SL_STR("u1"), SL_STR("t"), SL_STR("a"));
    hub_pass_message(f->hub, &pass, 16, SL_STR("u4"), SL_STR("t"), SL_STR("of another"));
    deliver(f, 1, 20, "u1", "c"); /* meanwhile: the reader will come to it */
    hub_pass_message(f->hub, &pass, 17, SL_STR("u1"), SL_STR("t"), SL_STR("b"));
    assert_false(hub_pass_reached(f->hub, &pass, 20));
    hub_pass_message(f->hub, &pass, 20, SL_STR("u1"), SL_STR("t"), SL_STR("c"));
    hub_pass_message(f->hub, &pass, 21, SL_STR("u1"), SL_STR("t"), SL_STR("d"));
    assert_true(hub_pass_reached(f->hub, &pass, 22)); /* it was ahead of the tail */
    hub_pass_end(f->hub, &pass);
    deliver(f, 1, 21, "u1", "d");
    deliver(f, 1, 22, "u1", "e");
    assert_str(drink_new(f, &client), "id: 1-16\nevent: t\ndata: a\n\nid: 1-18\nevent: t\ndata: b\n\n"
                                      "id: 1-21\nevent: t\ndata: c\n\nid: 1-22\nevent: t\ndata: d\n\n"
                                      "id: 1-23\nevent: t\ndata: e\n\n");
    assert_false(hub_pass_begin(f->hub, 0, &pass));
    close_stream(f, &client);
}

static void a_pass_serves_all_of_a_partition(void **state)
{
    struct fixture *f = *state;
    struct client clients[3];
    struct hub_pass pass;
    struct hub_pass other;
    struct hub_pass none;
    open_stream(f, &clients[0], "u1", "1-18");
    open_stream(f, &clients[1], "u4", "1-12");
    open_stream(f, &clients[2], "u2", "2-29");
    assert_true(hub_pass_begin(f->hub, 0, &pass)); /* who has waited longest */
    assert_int_equal(pass.partition, 1);
    assert_int_equal(pass.from, 12);
    assert_true(hub_pass_begin(f->hub, 0, &other));
    assert_int_equal(other.partition, 2);
    assert_false(hub_pass_begin(f->hub, 0, &none));
    hub_pass_end(f->hub, &pass); /* it failed: they are behind still */
    assert_true(hub_pass_begin(f->hub, 0, &pass));
    assert_true(hub_pass_reached(f->hub, &pass, 20));
    assert_true(hub_pass_reached(f->hub, &other, 30));
    hub_pass_end(f->hub, &pass);
    hub_pass_end(f->hub, &other);
    assert_false(hub_pass_begin(f->hub, 0, &none));
    for (size_t i = 0; i < 3; i++)
        close_stream(f, &clients[i]);
}

static void a_pass_gives_each_what_it_lacks(void **state)
{
    struct fixture *f = *state;
    struct client early;
    struct client late;
    struct hub_pass pass;
    open_stream(f, &early, "u1", "1-12");
    open_stream(f, &late, "u1", "1-18");
    assert_true(hub_pass_begin(f->hub, 0, &pass));
    hub_pass_message(f->hub, &pass, 15, SL_STR("u1"), SL_STR("t"), SL_STR("a"));
    hub_pass_message(f->hub, &pass, 18, SL_STR("u1"), SL_STR("t"), SL_STR("b"));
    assert_true(hub_pass_reached(f->hub, &pass, 20));
    hub_pass_end(f->hub, &pass);
    assert_str(drink(f, &early), "retry: 2000\nid: 1-12\n\nid: 1-16\nevent: t\ndata: a\n\n"
                                 "id: 1-19\nevent: t\ndata: b\n\n");
    assert_str(drink(f, &late), "retry: 2000\nid: 1-18\n\nid: 1-19\nevent: t\ndata: b\n\n");
    close_stream(f, &early);
    close_stream(f, &late);
}

static void a_lost_cursor_goes_on_from_now(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *last_id;
        int64_t low, high;
    } rows[] = {
        {"nonsense", 0, 20}, {"2-20", 0, 20}, /* not where this user's outcomes are */
        {"1-4", 5, 20},                       /* deleted since */
        {"1-21", 0, 20},                      /* never written */
        {"1-10", 0, 511},                     /* too much to read again */
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        struct client client;
        struct hub_pass pass;
        open_stream(f, &client, "u1", rows[i].last_id);
        if (hub_pass_begin(f->hub, 0, &pass)) {
            assert_false(hub_pass_bound(f->hub, &pass, rows[i].low, rows[i].high));
            hub_pass_end(f->hub, &pass);
        }
        struct sl_str text = drink(f, &client);
        if (!strstr(text.ptr, ": this Last-Event-ID is unknown or too old") || !strstr(text.ptr, "id: 1-20\n\n"))
            fail_msg("%s: %s", rows[i].last_id, text.ptr);
        close_stream(f, &client);
    }
}

static void catching_up_waits_for_the_reader(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct hub_pass pass;
    char data[101];
    memset(data, 'x', 100);
    data[100] = '\0';
    open_stream(f, &client, "u1", "1-10");
    assert_true(hub_pass_begin(f->hub, 0, &pass));
    for (int64_t offset = 10; offset < 14; offset++)
        hub_pass_message(f->hub, &pass, offset, SL_STR("u1"), SL_STR("t"), sl_str_of(data));
    assert_true(hub_pass_reached(f->hub, &pass, 14)); /* nobody is left in it */
    hub_pass_end(f->hub, &pass);
    assert_false(client.is_cut);
    assert_false(hub_pass_begin(f->hub, 0, &pass));
    assert_non_null(strstr(drink(f, &client).ptr, "id: 1-12\n"));
    assert_true(hub_pass_begin(f->hub, 0, &pass));
    assert_int_equal(pass.from, 12 + (strstr(client.text.data, "id: 1-13\n") != NULL));
    hub_pass_end(f->hub, &pass);
    close_stream(f, &client);
}

static void without_the_log_there_are_no_streams(void **state)
{
    struct fixture *f = *state;
    struct client client;
    struct client late;
    static const int64_t next[PARTITIONS] = {1, 2, 3};
    open_stream(f, &client, "u1", NULL);
    (void)drink(f, &client);
    hub_lose(f->hub, "log");
    assert_str(drink_new(f, &client), ": log\n\n");
    assert_true(client.is_ended);
    assert_int_equal(try_open(f, &late, "u2", NULL, 0), HUB_NOT_READY);
    hub_set_positions(f->hub, PARTITIONS, next);
    open_stream(f, &late, "u2", NULL);
    close_stream(f, &client);
    close_stream(f, &late);
}

static void the_end_of_all_lets_nobody_in(void **state)
{
    struct fixture *f = *state;
    struct client reads;
    struct client sits;
    struct client late;
    open_stream(f, &reads, "u1", NULL);
    open_stream(f, &sits, "u1", NULL);
    (void)drink(f, &reads);
    deliver(f, 1, 20, "u1", "last");
    hub_end_all(f->hub, "drain");
    assert_str(drink_new(f, &reads), "id: 1-21\nevent: t\ndata: last\n\n: drain\n\n");
    assert_true(reads.is_ended);
    assert_int_equal(try_open(f, &late, "u2", NULL, 0), HUB_NOT_READY);
    hub_cut_all(f->hub);
    assert_true(sits.is_cut);
    close_stream(f, &reads);
    close_stream(f, &sits);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_kit_set_up, hub_kit_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(outcomes_go_to_their_user),
        TEST(places_are_limited),
        TEST(heartbeats_fill_the_silence),
        TEST(a_token_ends_its_stream),
        TEST(a_client_that_has_gone_makes_room),
        TEST(who_comes_back_finds_a_place),
        TEST(who_does_not_read_is_cut_off),
        TEST(one_large_frame_is_let_in),
        TEST(all_buffers_together_are_bounded),
        TEST(a_cursor_is_caught_up),
        TEST(a_pass_serves_all_of_a_partition),
        TEST(a_pass_gives_each_what_it_lacks),
        TEST(a_lost_cursor_goes_on_from_now),
        TEST(catching_up_waits_for_the_reader),
        TEST(without_the_log_there_are_no_streams),
        TEST(the_end_of_all_lets_nobody_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
