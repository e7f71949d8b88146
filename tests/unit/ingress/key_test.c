/* key_test.c - of ingress/key.c: the contract's key rule, and what Stripe's bodies offer it. */
#include "tests/unit/web/check.h"

#include "ingress/key.h"
#include "ingress/read.h"

static struct sl_str lookup(void *directory, struct sl_str customer, struct sl_arena *arena)
{
    (void)arena;
    const char *known = directory;
    return sl_str_is(customer, known) ? SL_STR("user-of-customer") : SL_STR_NONE;
}

static const struct {
    const char *user, *customer, *object, *key;
} ROWS[] = {
    {"u", "cus_known", "o", "u"},    {"", "cus_known", "o", "user-of-customer"},
    {"", "cus_new", "o", "cus_new"}, {"", "", "o", "o"},
    {"", "", "", "event"},           {"u\n", "", "o", "o"},
};

static void the_first_part_that_can_be_used(void **state)
{
    (void)state;
    char known[] = "cus_known";
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct key_parts parts = {sl_str_of(ROWS[i].user), sl_str_of(ROWS[i].customer), sl_str_of(ROWS[i].object)};
        assert_str(key_choose(&parts, SL_STR("event"), lookup, known, NULL), ROWS[i].key);
    }
}

#define EVENT(object) "{\"id\":\"evt_1\",\"type\":\"t\",\"data\":{\"object\":" object "}}"

static const struct {
    const char *body, *key;
} STRIPE[] = {
    {EVENT("{\"id\":\"in_1\",\"metadata\":{\"user_id\":\"u1\",\"userId\":\"u2\"},\"customer\":\"cus_known\"}"), "u1"},
    {EVENT("{\"id\":\"in_1\",\"metadata\":{\"userId\":\"u2\"},\"client_reference_id\":\"u3\"}"), "u2"},
    {EVENT("{\"id\":\"in_1\",\"client_reference_id\":\"u3\",\"customer\":\"cus_known\"}"), "u3"},
    {EVENT("{\"id\":\"in_1\",\"parent\":{\"subscription_details\":{\"metadata\":{\"user_id\":\"u4\"}}}}"), "u4"},
    {EVENT("{\"id\":\"in_1\",\"subscription_details\":{\"metadata\":{\"user_id\":\"u5\"}}}"), "u5"},
    {EVENT("{\"id\":\"in_1\",\"metadata\":{\"user_id\":\"\"},\"customer\":\"cus_known\"}"), "user-of-customer"},
    {EVENT("{\"id\":\"in_1\",\"metadata\":{\"user_id\":5},\"customer\":\"cus_known\"}"), "user-of-customer"},
    {EVENT("{\"id\":\"in_1\",\"customer\":{\"id\":\"cus_known\",\"object\":\"customer\"}}"), "user-of-customer"},
    {EVENT("{\"id\":\"cus_known\",\"object\":\"customer\"}"), "user-of-customer"},
    {EVENT("{\"id\":\"in_1\",\"customer\":\"cus_new\"}"), "cus_new"},
    {EVENT("{\"id\":\"in_1\",\"customer\":null}"), "in_1"},
    {EVENT("{}"), "evt_1"},
    {"{\"id\":\"evt_1\",\"type\":\"t\",\"object\":\"v2.core.event\",\"related_object\":{\"id\":\"sub_1\"}}", "sub_1"},
    {"{\"id\":\"evt_1\",\"type\":\"t\",\"object\":\"v2.core.event\"}", "evt_1"},
};

static void stripes_bodies_offer_their_parts(void **state)
{
    (void)state;
    char known[] = "cus_known";
    struct headers headers = {.count = 0};
    struct sl_arena *arena = sl_arena_create(1 << 20);
    for (size_t i = 0; i < SL_ARRAY_LEN(STRIPE); i++) {
        struct read_request request = {.headers = &headers, .body = sl_str_of(STRIPE[i].body), .arena = arena};
        struct reading reading;
        struct problem problem;
        assert_true(read_stripe(&request, &reading, &problem));
        assert_str(key_choose(&reading.key, reading.id, lookup, known, arena), STRIPE[i].key);
    }
    sl_arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_first_part_that_can_be_used),
                                       cmocka_unit_test(stripes_bodies_offer_their_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
