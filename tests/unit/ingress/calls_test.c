/* calls_test.c - a call of the publisher's fails: the sender is told to come again, and finds the event taken then. */
#include "tests/unit/web/check.h"

#include <stdlib.h>

#include "common/fault.h"
#include "tests/unit/ingress/call.h"

static int set_up_with(const char *fault, void **state)
{
    if (setenv("SLUICE_FAULT", fault, 1) != 0)
        return -1;
    sl_fault_init();
    return call_set_up(state);
}

static int no_produce(void **state)
{
    return set_up_with("kafka.produce=fail", state);
}

static int no_report(void **state)
{
    return set_up_with("kafka.deliver=fail", state);
}

static void an_event_that_the_producer_refuses_comes_again(void **state)
{
    (void)state;
    char text[64];
    call_stripe(CALL_EVENT);
    call_expect(503, "UNAVAILABLE");
    assert_string_not_equal(client_header(&call_answer, "retry-after", text, sizeof(text)), "");
    assert_null(kit_consume(&call_kit, 300));
    call_stripe(CALL_EVENT);
    call_expect(200, NULL);
    assert_non_null(kit_consume(&call_kit, CALL_PATIENCE_MS));
    assert_null(kit_consume(&call_kit, 300));
}

/* It may be there twice then: that is for the worker to see. */
static void an_event_that_kafka_has_without_saying_so_comes_again(void **state)
{
    (void)state;
    char text[64];
    call_stripe(CALL_EVENT);
    call_expect(503, "UNAVAILABLE");
    call_stripe(CALL_EVENT);
    call_expect(200, NULL);
    for (int i = 0; i < 2; i++) {
        rd_kafka_message_t *message = kit_consume(&call_kit, CALL_PATIENCE_MS);
        assert_non_null(message);
        assert_string_equal(kit_header(message, "ce_id", text, sizeof(text)), "evt_1");
        assert_str(((struct sl_str){.ptr = message->payload, .len = message->len}), CALL_EVENT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_that_the_producer_refuses_comes_again, no_produce, call_tear_down),
        cmocka_unit_test_setup_teardown(an_event_that_kafka_has_without_saying_so_comes_again, no_report,
                                        call_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
