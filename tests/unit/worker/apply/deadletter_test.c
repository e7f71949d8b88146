/* A letter's id is its event's and stage's, or its place's: the same again is the same row. */
#include "tests/unit/cmocka_all.h"
#include "worker/apply/deadletter.h"

static void the_same_event_and_stage_give_the_same_id(void **state)
{
    rd_kafka_message_t here = {.partition = 1, .offset = 23};
    rd_kafka_message_t there = {.partition = 4, .offset = 5};
    const struct item first = {
        .message = &here, .has_event = true, .event = {.id = SL_STR("e"), .source = SL_STR("/s")}};
    struct item again = first;
    struct item other = first;
    (void)state;
    again.message = &there;
    other.event.source = SL_STR("/t");
    assert_true(sl_uuid_equal(deadletter_id(&first, "commit"), deadletter_id(&again, "commit")));
    assert_false(sl_uuid_equal(deadletter_id(&first, "commit"), deadletter_id(&first, "decode")));
    assert_false(sl_uuid_equal(deadletter_id(&first, "commit"), deadletter_id(&other, "commit")));
}

static void without_an_envelope_the_place_counts(void **state)
{
    rd_kafka_message_t here = {.partition = 1, .offset = 23};
    rd_kafka_message_t there = {.partition = 12, .offset = 3};
    const struct item first = {.message = &here};
    const struct item second = {.message = &there};
    (void)state;
    assert_true(sl_uuid_equal(deadletter_id(&first, "decode"), deadletter_id(&first, "decode")));
    assert_false(sl_uuid_equal(deadletter_id(&first, "decode"), deadletter_id(&second, "decode")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_event_and_stage_give_the_same_id),
        cmocka_unit_test(without_an_envelope_the_place_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
