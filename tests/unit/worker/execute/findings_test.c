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
                             .app_name = "app-1",
                             .frontend_url = "https://app-1.example",
                             .backend_url = "https://api-app-1.example",
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
                             .doubt_from_ms = 8,
                             .closed_from_ms = 9,
                             .began_ms = 10,
                             .place = 1,
                             .tailscale_key_id = "k1CNTRL",
                             .deletions = 7,
                             .server_gone = true,
                             .device_gone = true,
                             .run_ended = true,
                             .without_details = true,
                             .session_id = "cs_1",
                             .customer_id = "cus_1",
                             .effective_at = INT64_C(1795255201),
                             .renews_at = INT64_C(1795255202)};
}

static void an_intent_alone_is_nothing_found(void **state)
{
    (void)state;
    struct findings findings = {0};
    assert_true(findings_is_intent_alone(&findings, "update"));
    findings = (struct findings){.intent = "update", .intent_at_ms = 7};
    assert_true(findings_is_intent_alone(&findings, "update"));
    assert_false(findings_is_intent_alone(&findings, "find_server"));
    findings.server_gone = true;
    assert_false(findings_is_intent_alone(&findings, "update"));
    findings = (struct findings){.app_name = "app-1"};
    assert_false(findings_is_intent_alone(&findings, "update"));
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

static void what_is_long_is_read_again(void **state)
{
    (void)state;
    struct findings before = {.catalog_bytes = 40, .team = 1, .catalog_cut = true};
    struct findings after;
    struct sl_buf text, again;
    sl_buf_init(&text, FINDINGS_JSON_BYTES_MAX);
    sl_buf_init(&again, FINDINGS_JSON_BYTES_MAX);
    before.catalog = json_pack("[{s:s,s:s,s:[]}]", "id", "t1", "name", "Team \"1\"", "channels");
    findings_set_long(&before.checkout_url, SL_STR("https://pay.example/1"));
    findings_set_long(&before.link, SL_STR("/v1.0/next"));
    findings_set_long(&before.link, SL_STR("/v1.0/later"));
    assert_true(findings_write(&before, &text));
    assert_string_equal(text.data,
                        "{\"checkout_url\":\"https://pay.example/1\",\"catalog\":[{\"id\":\"t1\",\"name\":\"Team "
                        "\\\"1\\\"\",\"channels\":[]}],\"catalog_cut\":true,\"catalog_bytes\":40,\"team\":1,"
                        "\"link\":\"/v1.0/later\"}");
    assert_true(findings_read(sl_buf_str(&text), &after, NULL));
    assert_true(findings_write(&after, &again));
    assert_string_equal(text.data, again.data);
    sl_buf_reset(&again);
    assert_true(findings_write_outcome(&after, &again));
    assert_null(strstr(again.data, "later"));
    assert_non_null(strstr(again.data, "\"catalog_cut\":true"));
    findings_deinit(&before);
    findings_deinit(&after);
    findings_deinit(&after);
    sl_buf_deinit(&text);
    sl_buf_deinit(&again);
}

static void a_text_without_end_has_one(void **state)
{
    (void)state;
    static char endless[2 * FINDINGS_LONG_BYTES_MAX];
    char *text = NULL;
    memset(endless, 'x', sizeof(endless) - 1);
    findings_set_long(&text, sl_str_of(endless));
    assert_int_equal(strlen(text), FINDINGS_LONG_BYTES_MAX - 1);
    findings_set_long(&text, SL_STR_NONE);
    assert_null(text);
}

/* The worst that any job may find still goes into what is written of it. */
static void everything_at_its_longest_fits(void **state)
{
    (void)state;
    static char quotes[FINDINGS_LONG_BYTES_MAX];
    struct findings findings = full();
    struct sl_buf text;
    sl_buf_init(&text, FINDINGS_JSON_BYTES_MAX);
    memset(quotes, 1, sizeof(quotes) - 1); /* six bytes each as JSON */
    findings_set_long(&findings.checkout_url, sl_str_of(quotes));
    findings_set_long(&findings.link, sl_str_of(quotes));
    memset(findings.frontend_url, 1, sizeof(findings.frontend_url) - 1);
    memset(findings.backend_url, 1, sizeof(findings.backend_url) - 1);
    memset(findings.session_id, 1, sizeof(findings.session_id) - 1);
    memset(findings.customer_id, 1, sizeof(findings.customer_id) - 1);
    findings.catalog = json_array();
    for (size_t bytes = 0; bytes < (size_t)FINDINGS_CATALOG_BYTES_MAX; bytes += 64)
        assert_int_equal(
            json_array_append_new(findings.catalog,
                                  json_stringn("0123456789012345678901234567890123456789012345678901234567890", 61)),
            0);
    assert_true(findings_write(&findings, &text));
    findings_deinit(&findings);
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

static void the_outcome_tells_what_others_need(void **state)
{
    (void)state;
    struct findings findings = full();
    struct sl_buf text;
    sl_buf_init(&text, 4096);
    assert_true(findings_write_outcome(&findings, &text));
    assert_string_equal(text.data, "{\"server_id\":\"42\",\"server_ip\":\"198.18.0.1\",\"tailscale_device_id\":\"nX\","
                                   "\"tailscale_ip\":\"100.64.0.1\",\"app_name\":\"app-1\","
                                   "\"frontend_url\":\"https://app-1.example\","
                                   "\"backend_url\":\"https://api-app-1.example\",\"session_id\":\"cs_1\","
                                   "\"customer_id\":\"cus_1\",\"effective_at\":1795255201,"
                                   "\"renews_at\":1795255202}");
    sl_buf_deinit(&text);
}

static void values_of_another_type_or_size_count_as_absent(void **state)
{
    (void)state;
    struct findings after;
    assert_true(findings_read(SL_STR("{\"server_id\":42,\"looks\":\"x\",\"floor\":-1,\"server_gone\":1,\"new\":{},"
                                     "\"checkout_url\":1,\"catalog\":{},\"link\":[],"
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
        cmocka_unit_test(an_intent_alone_is_nothing_found),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(what_is_long_is_read_again),
        cmocka_unit_test(a_text_without_end_has_one),
        cmocka_unit_test(everything_at_its_longest_fits),
        cmocka_unit_test(nothing_is_an_empty_object),
        cmocka_unit_test(the_outcome_tells_what_others_need),
        cmocka_unit_test(values_of_another_type_or_size_count_as_absent),
        cmocka_unit_test(what_is_no_object_is_an_error),
        cmocka_unit_test(too_little_room_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
