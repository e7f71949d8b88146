/* jobs.result: what is written is read again, and what others wrote there does no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/execute/findings.h"

static struct findings full(void)
{
    return (struct findings){.server_id = "42",
                             .server_ip = "198.18.0.1",
                             .tailscale_device_id = "nX",
                             .tailscale_ip = "100.64.0.1",
                             .run_id = "16000000001",
                             .action_id = "7",
                             .intent = "delete_server",
                             .intent_at_ms = INT64_C(1795255200000),
                             .waits_from_ms = 2,
                             .shutdown_at_ms = 3,
                             .looks = 4,
                             .page = 5,
                             .floor = 6,
                             .failed = "delete_server",
                             .changed = "cancel_run",
                             .deletions = 7,
                             .server_gone = true,
                             .device_gone = true,
                             .run_ended = true,
                             .without_details = true};
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    struct findings before = full();
    struct findings after;
    struct sl_buf text;
    sl_buf_init(&text, 4096);
    assert_true(findings_write(&before, &text));
    assert_true(findings_read(sl_buf_str(&text), &after, NULL));
    assert_memory_equal(&before, &after, sizeof(before));
    sl_buf_deinit(&text);
}

static void nothing_is_an_empty_object(void **state)
{
    (void)state;
    struct findings none = {0};
    struct findings after = full();
    struct sl_buf text;
    sl_buf_init(&text, 4096);
    assert_true(findings_write(&none, &text));
    assert_string_equal(text.data, "{}");
    assert_true(findings_read(SL_STR_NONE, &after, NULL));
    assert_memory_equal(&none, &after, sizeof(none));
    sl_buf_deinit(&text);
}

static void the_outcome_tells_addresses_alone(void **state)
{
    (void)state;
    struct findings findings = full();
    struct sl_buf text;
    sl_buf_init(&text, 4096);
    assert_true(findings_write_outcome(&findings, &text));
    assert_string_equal(text.data, "{\"server_id\":\"42\",\"server_ip\":\"198.18.0.1\",\"tailscale_device_id\":\"nX\","
                                   "\"tailscale_ip\":\"100.64.0.1\"}");
    sl_buf_deinit(&text);
}

static void values_of_another_type_or_size_count_as_absent(void **state)
{
    (void)state;
    struct findings after;
    assert_true(findings_read(SL_STR("{\"server_id\":42,\"looks\":\"x\",\"floor\":-1,\"server_gone\":1,\"new\":{},"
                                     "\"action_id\":\"0123456789012345678901234567890\"}"),
                              &after, NULL));
    struct findings none = {0};
    assert_memory_equal(&none, &after, sizeof(none));
}

static void what_is_no_object_is_an_error(void **state)
{
    (void)state;
    struct findings after;
    struct sl_err err = {0};
    assert_false(findings_read(SL_STR("[1]"), &after, &err));
    assert_int_equal(err.error_class, SL_ERR_PERMANENT);
    assert_false(findings_read(SL_STR("{"), &after, &err));
}

static void too_little_room_is_told(void **state)
{
    (void)state;
    struct findings findings = full();
    struct sl_buf text;
    sl_buf_init(&text, 64);
    assert_false(findings_write(&findings, &text));
    sl_buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(nothing_is_an_empty_object),
        cmocka_unit_test(the_outcome_tells_addresses_alone),
        cmocka_unit_test(values_of_another_type_or_size_count_as_absent),
        cmocka_unit_test(what_is_no_object_is_an_error),
        cmocka_unit_test(too_little_room_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
