/* Commands, callbacks, repository webhooks, the system's own events; and which family an event belongs to. */
#include "tests/unit/worker/payload/read.h"

#define JOB "6f9619ff-8b86-d011-b42d-00cf4fc964ff"

static void assert_uuid(struct sl_uuid id, const char *expected)
{
    char text[SL_UUID_TEXT_BYTES];
    sl_uuid_format(id, text);
    assert_string_equal(text, expected);
}

static void a_command_names_its_user_agent_and_actor(void **state)
{
    (void)state;
    struct reading reading = read_body("command.agent.create", "/api",
                                       "{\"type\":\"agent.create\",\"data\":{\"agent_id\":\"" JOB "\",\"name\":\"n\","
                                       "\"region\":\"eu\",\"backend\":\"hetzner\",\"user_id\":\"u\"},"
                                       "\"actor\":{\"user_id\":\"u\",\"email\":\"u@x\",\"role\":\"user\"}}");
    assert_true(reading.ok);
    assert_int_equal(reading.input.type, INPUT_AGENT_CREATE);
    assert_str_is(reading.input.user_named, "u");
    assert_str_is(reading.input.actor, "user:u");
    assert_str_is(reading.input.email, "u@x");
    assert_int_equal(reading.input.created_s, 1700000000);
    assert_uuid(reading.input.as.agent.agent_id, JOB);
    assert_str_is(reading.input.as.agent.name, "n");
    assert_str_is(reading.input.as.agent.region, "eu");
    assert_str_is(reading.input.as.agent.backend, "hetzner");
    done(&reading);
}

static void the_dashboards_command_acts_for_its_user(void **state)
{
    (void)state;
    struct reading reading = read_body("command.job.cancel", "/webhooks/dashboard",
                                       "{\"type\":\"job.cancel\",\"data\":{\"job_id\":\"" JOB "\",\"user_id\":\"u\"}}");
    assert_true(reading.ok);
    assert_str_is(reading.input.actor, "user:u");
    assert_uuid(reading.input.as.job.job_id, JOB);
    done(&reading);
}

static void a_command_of_ops_is_theirs_and_its_email_nobodys(void **state)
{
    (void)state;
    struct reading reading = read_body("command.job.retry", "/sluice/ctl",
                                       "{\"data\":{\"job_id\":\"" JOB "\",\"user_id\":\"u\"},"
                                       "\"actor\":{\"user_id\":\"ops:ann\",\"email\":\"ann@x\"}}");
    assert_true(reading.ok);
    assert_str_is(reading.input.actor, "ops:ann");
    assert_str_is(reading.input.user_named, "u");
    assert_int_equal(reading.input.email.len, 0);
    done(&reading);
    /* Only the tool itself speaks for ops. */
    struct reading forged = read_body("command.job.retry", "/api",
                                      "{\"data\":{\"job_id\":\"" JOB "\",\"user_id\":\"u\"},"
                                      "\"actor\":{\"user_id\":\"ops:ann\"}}");
    assert_str_is(forged.input.actor, "user:ops:ann");
    done(&forged);
}

static void a_callbacks_ids_may_be_numbers_or_text(void **state)
{
    static const char *const BODIES[] = {
        "{\"job_id\":\"" JOB "\",\"run_id\":4711,\"server_id\":12,\"server_ip\":\"10.0.0.1\",\"error\":\"e\"}",
        "{\"job_id\":\"" JOB "\",\"run_id\":\"4711\",\"server_id\":\"12\",\"server_ip\":\"10.0.0.1\",\"error\":\"e\"}",
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(BODIES); i++) {
        struct reading reading = read_body("callback.failed", "/webhooks/github/callback", BODIES[i]);
        assert_true(reading.ok);
        assert_int_equal(reading.input.type, INPUT_CALLBACK_FAILED);
        assert_str_is(reading.input.actor, "workflow");
        assert_uuid(reading.input.as.callback.job_id, JOB);
        assert_str_is(reading.input.as.callback.run_id, "4711");
        assert_str_is(reading.input.as.callback.server_id, "12");
        assert_str_is(reading.input.as.callback.server_ip, "10.0.0.1");
        assert_str_is(reading.input.as.callback.error, "e");
        done(&reading);
    }
}

static void a_run_is_ours_by_its_title(void **state)
{
    static const struct {
        const char *title;
        bool ours;
    } ROWS[] = {
        {"sluice " JOB, true}, {"sluice  " JOB, false},    {"Sluice " JOB, false},
        {"sluice", false},     {"sluice " JOB " ", false}, {"deploy", false},
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        char body[256];
        (void)snprintf(body, sizeof(body),
                       "{\"action\":\"completed\",\"workflow_run\":{\"id\":7,\"display_title\":\"%s\",\"conclusion\":"
                       "\"failure\"}}",
                       ROWS[i].title);
        struct reading reading = read_body("github.workflow_run", "/webhooks/github", body);
        assert_true(reading.ok);
        assert_int_equal(!sl_uuid_is_nil(reading.input.as.workflow_run.job_id), ROWS[i].ours);
        assert_str_is(reading.input.as.workflow_run.run_id, "7");
        assert_str_is(reading.input.as.workflow_run.conclusion, "failure");
        done(&reading);
    }
}

static void a_form_encoded_webhook_reads_like_json(void **state)
{
    static const struct {
        const char *form;
        bool ok;
    } ROWS[] = {
        {"payload=%7B%22action%22%3A%22a+b%22%7D", true},
        {"x=1&payload=%7b%22action%22%3a%22a%20b%22%7d&y=", true},
        {"payload=%7B%2", false},
        {"payload=%zz", false},
        {"pay=load", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        const struct sl_event event = {.id = SL_STR("d"),
                                       .source = SL_STR("/webhooks/github"),
                                       .type = SL_STR("github.workflow_run"),
                                       .content_type = SL_STR("Application/x-www-form-urlencoded; charset=utf-8"),
                                       .data = sl_str_of(ROWS[i].form)};
        struct reading reading = read_event(&event);
        assert_int_equal(reading.ok, ROWS[i].ok);
        if (reading.ok)
            assert_str_is(reading.input.as.workflow_run.action, "a b");
        done(&reading);
    }
}

static void the_executors_report_has_job_fence_and_result(void **state)
{
    (void)state;
    struct reading reading =
        read_body("job.succeeded", "/sluice/execute",
                  "{\"job_id\":\"" JOB "\",\"user_id\":\"u\",\"fence\":3,\"result\":{\"server_id\":\"9\","
                  "\"tailscale_ip\":\"100.1.1.1\"}}");
    assert_true(reading.ok);
    assert_str_is(reading.input.user_named, "u");
    assert_str_is(reading.input.actor, "system");
    assert_int_equal(reading.input.as.job.fence, 3);
    assert_str_is(reading.input.as.job.server_id, "9");
    assert_str_is(reading.input.as.job.tailscale_ip, "100.1.1.1");
    done(&reading);
    struct reading fenceless = read_body("job.succeeded", "/sluice/execute", "{\"job_id\":\"" JOB "\"}");
    assert_false(fenceless.ok);
    done(&fenceless);
}

static void a_timer_says_what_it_was_set_to(void **state)
{
    (void)state;
    struct reading reading =
        read_body("timer.heartbeat_missed", "/sluice/sweep",
                  "{\"timer_id\":\"" JOB "\",\"kind\":\"heartbeat_missed\",\"subject\":\"" JOB "\","
                  "\"due_at\":\"2026-11-21T10:00:00.250Z\",\"user_id\":\"u\"}");
    assert_true(reading.ok);
    assert_uuid(reading.input.as.timer.timer_id, JOB);
    assert_uuid(reading.input.as.timer.job_id, JOB);
    assert_int_equal(reading.input.as.timer.due_at_ms, 1795255200250);
    done(&reading);
    struct reading timeless = read_body("timer.heartbeat_missed", "/sluice/sweep", "{\"timer_id\":\"" JOB "\"}");
    assert_false(timeless.ok);
    done(&timeless);
}

static void a_family_nobody_knows_is_not_read(void **state)
{
    static const char *const TYPES[] = {"weather.changed", "github.push", "callback.dancing", "stripe", ""};
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(TYPES); i++) {
        struct reading reading = read_body(TYPES[i], "/webhooks/github", "no JSON at all");
        assert_true(reading.ok);
        assert_int_equal(reading.input.type, INPUT_UNKNOWN);
        assert_str_is(reading.input.event_id, "e-1");
        assert_int_equal(reading.input.received_at_ms, 1700000001000);
        done(&reading);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_names_its_user_agent_and_actor),
        cmocka_unit_test(the_dashboards_command_acts_for_its_user),
        cmocka_unit_test(a_command_of_ops_is_theirs_and_its_email_nobodys),
        cmocka_unit_test(a_callbacks_ids_may_be_numbers_or_text),
        cmocka_unit_test(a_run_is_ours_by_its_title),
        cmocka_unit_test(a_form_encoded_webhook_reads_like_json),
        cmocka_unit_test(the_executors_report_has_job_fence_and_result),
        cmocka_unit_test(a_timer_says_what_it_was_set_to),
        cmocka_unit_test(a_family_nobody_knows_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
