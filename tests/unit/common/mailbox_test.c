/* mailbox_test.c - many senders, one receiver, the bound and the wake-up. */
#include "tests/unit/cmocka_all.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "common/mailbox.h"

static void count_wake(void *argument)
{
    ++*(int *)argument;
}

static void items_come_in_order(void **state)
{
    (void)state;
    int items[3];
    struct sl_mailbox *mailbox = sl_mailbox_create(3, NULL, NULL);
    assert_null(sl_mailbox_receive(mailbox));
    for (int round = 0; round < 5; round++) { /* round the ring several times */
        assert_true(sl_mailbox_send(mailbox, &items[0]));
        assert_true(sl_mailbox_send(mailbox, &items[1]));
        assert_int_equal(sl_mailbox_depth(mailbox), 2);
        assert_ptr_equal(sl_mailbox_receive(mailbox), &items[0]);
        assert_true(sl_mailbox_send(mailbox, &items[2]));
        assert_ptr_equal(sl_mailbox_receive(mailbox), &items[1]);
        assert_ptr_equal(sl_mailbox_receive(mailbox), &items[2]);
        assert_null(sl_mailbox_receive(mailbox));
    }
    sl_mailbox_destroy(mailbox);
    sl_mailbox_destroy(NULL);
}

static void a_full_mailbox_refuses(void **state)
{
    (void)state;
    int item;
    struct sl_mailbox *mailbox = sl_mailbox_create(2, NULL, NULL);
    assert_true(sl_mailbox_send(mailbox, &item));
    assert_true(sl_mailbox_send(mailbox, &item));
    assert_false(sl_mailbox_send(mailbox, &item));
    assert_int_equal(sl_mailbox_depth(mailbox), 2);
    assert_ptr_equal(sl_mailbox_receive(mailbox), &item);
    assert_true(sl_mailbox_send(mailbox, &item));
    assert_non_null(sl_mailbox_receive(mailbox));
    assert_non_null(sl_mailbox_receive(mailbox));
    sl_mailbox_destroy(mailbox);
}

static void only_a_send_into_an_empty_one_wakes(void **state)
{
    (void)state;
    int item;
    int wakes = 0;
    struct sl_mailbox *mailbox = sl_mailbox_create(2, count_wake, &wakes);
    assert_true(sl_mailbox_send(mailbox, &item));
    assert_int_equal(wakes, 1);
    assert_true(sl_mailbox_send(mailbox, &item));
    assert_false(sl_mailbox_send(mailbox, &item));
    assert_int_equal(wakes, 1);
    assert_non_null(sl_mailbox_receive(mailbox));
    assert_non_null(sl_mailbox_receive(mailbox));
    assert_true(sl_mailbox_send(mailbox, &item));
    assert_int_equal(wakes, 2);
    assert_non_null(sl_mailbox_receive(mailbox));
    sl_mailbox_destroy(mailbox);
}

static void destroy_it(void *mailbox)
{
    sl_mailbox_destroy(mailbox);
}

static void send_nothing(void *mailbox)
{
    (void)!sl_mailbox_send(mailbox, NULL);
}

static void what_would_lose_an_item_stops_the_process(void **state)
{
    (void)state;
    int item;
    struct sl_mailbox *mailbox = sl_mailbox_create(1, NULL, NULL);
    assert_aborts(send_nothing, mailbox);
    assert_true(sl_mailbox_send(mailbox, &item));
    assert_aborts(destroy_it, mailbox);
    assert_non_null(sl_mailbox_receive(mailbox));
    sl_mailbox_destroy(mailbox);
}

#define SENDERS          4
#define ITEMS_PER_SENDER 20000

struct parcel {
    int sender;
    int number;
};

struct post {
    struct sl_mailbox *mailbox;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool has_mail;
};

struct sender {
    struct post *post;
    int index;
};

static void wake_receiver(void *argument)
{
    struct post *post = argument;
    pthread_mutex_lock(&post->lock);
    post->has_mail = true;
    pthread_cond_signal(&post->woken);
    pthread_mutex_unlock(&post->lock);
}

static void *send_all(void *argument)
{
    const struct sender *sender = argument;
    for (int i = 0; i < ITEMS_PER_SENDER; i++) {
        struct parcel *parcel = malloc(sizeof(*parcel));
        *parcel = (struct parcel){.sender = sender->index, .number = i};
        while (!sl_mailbox_send(sender->post->mailbox, parcel)) {
            sched_yield();
        }
    }
    return NULL;
}

/* Waits only when it has seen the mailbox empty: were a wake-up lost, it would wait for ever and the test time out. */
static void receive_all(struct post *post)
{
    int next[SENDERS] = {0};
    for (int received = 0; received < SENDERS * ITEMS_PER_SENDER;) {
        struct parcel *parcel = sl_mailbox_receive(post->mailbox);
        if (parcel != NULL) {
            assert_int_equal(parcel->number, next[parcel->sender]);
            next[parcel->sender]++;
            free(parcel);
            received++;
            continue;
        }
        pthread_mutex_lock(&post->lock);
        while (!post->has_mail) {
            pthread_cond_wait(&post->woken, &post->lock);
        }
        post->has_mail = false;
        pthread_mutex_unlock(&post->lock);
    }
}

static void many_senders_lose_nothing_and_keep_their_order(void **state)
{
    (void)state;
    struct post post = {.lock = PTHREAD_MUTEX_INITIALIZER, .woken = PTHREAD_COND_INITIALIZER};
    post.mailbox = sl_mailbox_create(16, wake_receiver, &post);
    pthread_t threads[SENDERS];
    struct sender senders[SENDERS];
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.post = &post, .index = i};
        assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
    }
    receive_all(&post);
    for (int i = 0; i < SENDERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(sl_mailbox_depth(post.mailbox), 0);
    sl_mailbox_destroy(post.mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_in_order),
        cmocka_unit_test(a_full_mailbox_refuses),
        cmocka_unit_test(only_a_send_into_an_empty_one_wakes),
        cmocka_unit_test(what_would_lose_an_item_stops_the_process),
        cmocka_unit_test(many_senders_lose_nothing_and_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
