/* A letter's id is its event's and stage's, or its place's: the same again is the same row. */
#include "tests/unit/cmocka_all.h"
#include "worker/apply/deadletter.h"

static struct sl_uuid id_of(const struct item *item, const char *stage)
{
    const struct deadletter letter = {.item = item, .stage = stage};
    return deadletter_id(&letter);
}

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
    assert_true(sl_uuid_equal(id_of(&first, "commit"), id_of(&again, "commit")));
    assert_false(sl_uuid_equal(id_of(&first, "commit"), id_of(&first, "decode")));
    assert_false(sl_uuid_equal(id_of(&first, "commit"), id_of(&other, "commit")));
}

static void without_an_envelope_the_place_counts(void **state)
{
    rd_kafka_message_t here = {.partition = 1, .offset = 23};
    rd_kafka_message_t there = {.partition = 12, .offset = 3};
    const struct item first = {.message = &here};
    const struct item second = {.message = &there};
    (void)state;
    assert_true(sl_uuid_equal(id_of(&first, "decode"), id_of(&first, "decode")));
    assert_false(sl_uuid_equal(id_of(&first, "decode"), id_of(&second, "decode")));
}

static void a_replay_that_dies_is_the_letter_it_replays(void **state)
{
    rd_kafka_message_t here = {.partition = 1, .offset = 23};
    const struct item first = {.message = &here};
    struct item again = {.message = &here, .has_event = true, .event = {.id = SL_STR("e"), .source = SL_STR("/s")}};
    (void)state;
    again.letter_id = id_of(&first, "decode");
    assert_true(sl_uuid_equal(id_of(&first, "decode"), id_of(&again, "commit")));
}

static void a_job_has_one_letter_whatever_event_says_that_it_failed(void **state)
{
    const struct item first = {.has_event = true, .event = {.id = SL_STR("e"), .source = SL_STR("/s")}};
    const struct item second = {
        .has_event = true, .event = {.id = SL_STR("f"), .source = SL_STR("/s")}, .letter_id = {{3}}};
    struct deadletter one = {.item = &first, .stage = "execute", .job_id = {{1}}};
    struct deadletter two = {.item = &second, .stage = "execute", .job_id = {{1}}};
    (void)state;
    assert_true(sl_uuid_equal(deadletter_id(&one), deadletter_id(&two)));
    two.job_id = (struct sl_uuid){{2}};
    assert_false(sl_uuid_equal(deadletter_id(&one), deadletter_id(&two)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_event_and_stage_give_the_same_id),
        cmocka_unit_test(without_an_envelope_the_place_counts),
        cmocka_unit_test(a_replay_that_dies_is_the_letter_it_replays),
        cmocka_unit_test(a_job_has_one_letter_whatever_event_says_that_it_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
