/* peer_test.c - of web/peer.c, over real sockets: only what is overdue ends, and it is told why. */
#include "tests/unit/web/check.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "web/peer.h"

#define ANSWER SL_STR("408")

struct pair {
    int client, server;
};

static struct pair connect_pair(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct pair pair = {.client = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    assert_int_equal(connect(pair.client, (struct sockaddr *)&address, len), 0);
    pair.server = accept(listener, NULL, NULL);
    assert_true(pair.server >= 0);
    (void)close(listener);
    return pair;
}

static void send_byte(struct pair pair)
{
    char byte;
    assert_int_equal(write(pair.client, "P", 1), 1);
    assert_int_equal(read(pair.server, &byte, 1), 1); /* so that it has arrived */
}

static void expect_end(struct pair pair, const char *text)
{
    char bytes[16] = "";
    size_t len = 0;
    ssize_t count;
    while ((count = read(pair.client, bytes + len, sizeof(bytes) - 1 - len)) > 0)
        len += (size_t)count;
    assert_int_equal(count, 0);
    assert_string_equal(bytes, text);
}

static void expect_open(struct pair pair)
{
    char byte;
    assert_int_equal(recv(pair.client, &byte, 1, MSG_DONTWAIT), -1);
}

static void drop(struct peers *peers, struct peer *peer, struct pair pair)
{
    peers_remove(peers, peer);
    (void)close(pair.client);
    (void)close(pair.server);
}

static void an_idle_connection_ends_without_a_word(void **state)
{
    (void)state;
    struct peers *peers = peers_create();
    struct pair pair = connect_pair();
    struct peer *peer = peers_add(peers, pair.server, 0);
    assert_int_equal(peers_reap(peers, 1000, ANSWER, 1000), 0);
    expect_open(pair);
    assert_int_equal(peers_reap(peers, 1000, ANSWER, 1001), 0);
    expect_end(pair, "");
    assert_false(peers_move(peers, peer, PEER_BODY, 1002));
    drop(peers, peer, pair);
    peers_destroy(peers);
}

static void a_trickled_head_has_its_time_from_the_first_byte(void **state)
{
    (void)state;
    struct peers *peers = peers_create();
    struct pair pair = connect_pair();
    struct peer *peer = peers_add(peers, pair.server, 0);
    send_byte(pair);
    assert_int_equal(peers_reap(peers, 1000, ANSWER, 900), 0); /* seen: the time begins */
    send_byte(pair);
    assert_int_equal(peers_reap(peers, 1000, ANSWER, 1900), 0);
    send_byte(pair);
    expect_open(pair);
    assert_int_equal(peers_reap(peers, 1000, ANSWER, 1901), 1);
    expect_end(pair, "408");
    assert_int_equal(peers_reap(peers, 1000, ANSWER, 9999), 0); /* once */
    drop(peers, peer, pair);
    peers_destroy(peers);
}

static void a_body_is_bounded_and_work_is_not(void **state)
{
    (void)state;
    struct peers *peers = peers_create();
    struct pair slow = connect_pair();
    struct pair busy = connect_pair();
    struct peer *slow_peer = peers_add(peers, slow.server, 0);
    struct peer *busy_peer = peers_add(peers, busy.server, 0);
    assert_true(peers_move(peers, slow_peer, PEER_BODY, 10));
    assert_true(peers_move(peers, busy_peer, PEER_WORK, 10));
    assert_int_equal(peers_reap(peers, 1000, ANSWER, 5000), 0);
    expect_end(slow, "408");
    expect_open(busy);
    assert_true(peers_is_timed_out(peers, slow_peer));
    assert_false(peers_is_timed_out(peers, busy_peer));
    assert_true(peers_move(peers, busy_peer, PEER_IDLE, 5000));
    assert_int_equal(peers_count(peers), 2);
    drop(peers, slow_peer, slow);
    drop(peers, busy_peer, busy);
    peers_destroy(peers);
}

static void who_was_told_is_not_told_again(void **state)
{
    (void)state;
    struct peers *peers = peers_create();
    struct pair pair = connect_pair();
    struct peer *peer = peers_add(peers, pair.server, 0);
    assert_true(peers_move(peers, peer, PEER_BODY, 0));
    peers_tell(peers, peer, SL_STR("413"));
    assert_int_equal(peers_reap(peers, 1000, ANSWER, 5000), 0);
    expect_end(pair, "413");
    drop(peers, peer, pair);
    peers_destroy(peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_connection_ends_without_a_word),
        cmocka_unit_test(a_trickled_head_has_its_time_from_the_first_byte),
        cmocka_unit_test(a_body_is_bounded_and_work_is_not),
        cmocka_unit_test(who_was_told_is_not_told_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
