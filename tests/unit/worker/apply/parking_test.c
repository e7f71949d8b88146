/* Which events a dead letter of their user holds up. */
#include "tests/unit/cmocka_all.h"
#include "worker/apply/parking.h"

static struct item item(const char *id, int generation)
{
    return (struct item){
        .has_event = true, .event = {.id = sl_str_of(id), .source = SL_STR("/s")}, .generation = generation};
}

static void without_a_letter_nothing_is_held(void **state)
{
    const struct account account = {0};
    const struct item event = item("e", 0);
    (void)state;
    assert_false(parking_is_held(&account, &event, NULL));
}

static void an_open_letter_holds_all_but_its_own_replay(void **state)
{
    const struct account account = {.has_open_letter = true};
    const struct known dead = {.outcome = OUTCOME_DEAD, .generation = 0};
    const struct known held = {.outcome = OUTCOME_HELD, .generation = 0};
    const struct item first = item("e", 0);
    const struct item replay = item("e", 1);
    (void)state;
    assert_true(parking_is_held(&account, &first, NULL));
    assert_false(parking_is_held(&account, &replay, &dead));
    assert_true(parking_is_held(&account, &replay, &held));
    assert_true(parking_is_held(&account, &first, &dead)); /* not a replay */
}

static void what_is_held_goes_on_in_its_order(void **state)
{
    struct sl_str keys[2][2] = {{SL_STR("a"), SL_STR("/s")}, {SL_STR("b"), SL_STR("/s")}};
    struct account account = {.held = keys, .held_count = 2};
    const struct known held = {.outcome = OUTCOME_HELD, .generation = 0};
    const struct item a = item("a", 1);
    const struct item b = item("b", 1);
    const struct item fresh = item("c", 0);
    (void)state;
    assert_true(parking_is_held(&account, &b, &held));
    assert_true(parking_is_held(&account, &fresh, NULL));
    assert_false(parking_is_held(&account, &a, &held));
    parking_was_decided(&account, &a);
    assert_false(parking_is_held(&account, &b, &held));
    assert_true(parking_is_held(&account, &fresh, NULL));
    parking_was_decided(&account, &b);
    assert_false(parking_is_held(&account, &fresh, NULL));
    parking_was_decided(&account, &fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_letter_nothing_is_held),
        cmocka_unit_test(an_open_letter_holds_all_but_its_own_replay),
        cmocka_unit_test(what_is_held_goes_on_in_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
