/* Commands about plans, workspaces and usage, and what the system says of them. */
#include "tests/unit/worker/payload/read.h"

#define ID "6f9619ff-8b86-d011-b42d-00cf4fc964ff"

static struct reading command(const char *type, const char *data)
{
    char body[1024];
    (void)snprintf(body, sizeof(body), "{\"type\":\"t\",\"data\":%s}", data);
    return read_body(type, "/api", body);
}

static void assert_id(struct sl_uuid id)
{
    char text[SL_UUID_TEXT_BYTES];
    sl_uuid_format(id, text);
    assert_string_equal(text, ID);
}

static void a_checkout_has_a_plan_and_two_ways_back(void **state)
{
    struct reading reading =
        command("command.checkout.start", "{\"user_id\":\"u\",\"plan\":\"starter\","
                                          "\"success_url\":\"https://s\",\"cancel_url\":\"https://c\"}");
    const struct input_billing *billing = &reading.input.as.billing;
    (void)state;
    assert_true(reading.ok);
    assert_str_is(reading.input.user_named, "u");
    assert_str_is(billing->plan, "starter");
    assert_str_is(billing->success_url, "https://s");
    assert_str_is(billing->cancel_url, "https://c");
    done(&reading);
}

static void a_plan_change_has_a_tier_a_name_and_workflows(void **state)
{
    struct reading reading = command("command.workspace.plan_change",
                                     "{\"user_id\":\"u\",\"plan_tier\":\"workspace\",\"workspace_name\":\"Ours\","
                                     "\"shared_workflow_ids\":[\"a\",\"b\"]}");
    const struct input_billing *billing = &reading.input.as.billing;
    (void)state;
    assert_true(reading.ok);
    assert_str_is(billing->plan, "workspace");
    assert_str_is(billing->workspace_name, "Ours");
    assert_int_equal(billing->shared_workflow_count, 2);
    assert_str_is(billing->shared_workflow_ids[1], "b");
    done(&reading);
    struct reading without =
        command("command.workspace.plan_change", "{\"plan_tier\":\"solo\",\"shared_workflow_ids\":null}");
    assert_true(without.ok);
    assert_int_equal(without.input.as.billing.shared_workflow_count, 0);
    done(&without);
}

static void workflows_that_are_no_texts_make_the_command_unreadable(void **state)
{
    static const char *const LISTS[] = {"{}", "\"a\"", "[1]", "[\"a\",null]", "[\"\"]", "7"};
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(LISTS); i++) {
        char data[128];
        (void)snprintf(data, sizeof(data), "{\"plan_tier\":\"workspace\",\"shared_workflow_ids\":%s}", LISTS[i]);
        struct reading reading = command("command.workspace.plan_change", data);
        assert_false(reading.ok);
        assert_int_equal(reading.err.error_class, SL_ERR_PERMANENT);
        done(&reading);
    }
}

static void every_command_of_a_workspace_reads_the_same_fields(void **state)
{
    static const char *const TYPES[] = {
        "command.workspace.invite", "command.invite.accept",    "command.workspace.leave",
        "command.workspace.revoke", "command.connection.share", "command.connection.unshare",
        "command.run.start",        "command.run.finish",       "command.early_access.join",
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(TYPES); i++) {
        struct reading reading =
            command(TYPES[i], "{\"workspace_id\":\"" ID "\",\"member_id\":\"m\",\"email\":\"Ann.\xc3\x9c@Example.ORG\","
                              "\"token\":\"t\",\"connection_id\":\"c\",\"provider\":\"p\",\"workflow_id\":\"w\","
                              "\"run_id\":\"r\"}");
        const struct input_workspace *workspace = &reading.input.as.workspace;
        assert_true(reading.ok);
        assert_id(workspace->workspace_id);
        assert_str_is(workspace->member_id, "m");
        assert_str_is(workspace->email, "ann.\xc3\x9c@example.org"); /* ASCII alone */
        assert_str_is(workspace->token, "t");
        assert_str_is(workspace->connection_id, "c");
        assert_str_is(workspace->provider, "p");
        assert_str_is(workspace->workflow_id, "w");
        assert_str_is(workspace->run_id, "r");
        assert_true(sl_str_empty(workspace->sealed) && sl_str_empty(workspace->token_sha256));
        done(&reading);
    }
}

static void usage_needs_a_metric_and_a_count(void **state)
{
    static const struct {
        const char *data;
        int64_t count; /* 0: unreadable */
    } ROWS[] = {
        {"{\"metric\":\"messages\",\"count\":3}", 3},
        {"{\"metric\":\"messages\",\"count\":1000000000}", 1000000000},
        {"{\"metric\":\"messages\",\"count\":1000000001}", 0},
        {"{\"metric\":\"messages\",\"count\":0}", 0},
        {"{\"metric\":\"messages\",\"count\":-1}", 0},
        {"{\"metric\":\"messages\",\"count\":1.5}", 0},
        {"{\"metric\":\"messages\",\"count\":\"3\"}", 0},
        {"{\"metric\":\"messages\"}", 0},
        {"{\"count\":3}", 0},
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct reading reading = command("command.usage.record", ROWS[i].data);
        assert_int_equal(reading.ok, ROWS[i].count != 0);
        if (reading.ok)
            assert_int_equal(reading.input.as.usage.count, ROWS[i].count);
        done(&reading);
    }
}

static void a_purge_says_how_old_or_leaves_it_to_the_policy(void **state)
{
    static const struct {
        const char *data;
        int64_t older_than_ms;
    } ROWS[] = {
        {"{\"older_than_minutes\":90}", 5400000},
        {"{\"older_than_minutes\":525600}", INT64_C(31536000000)},
        {"{\"older_than_minutes\":525601}", 0},
        {"{\"older_than_minutes\":-5}", 0},
        {"{}", 0},
    };
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        struct reading reading = command("command.admin.purge_stale_runs", ROWS[i].data);
        assert_true(reading.ok);
        assert_int_equal(reading.input.as.purge.older_than_ms, ROWS[i].older_than_ms);
        done(&reading);
    }
}

static void who_is_removed_is_named_with_the_workspace(void **state)
{
    struct reading reading =
        read_body("member.removed", "/sluice/apply", "{\"user_id\":\"u\",\"workspace_id\":\"" ID "\"}");
    (void)state;
    assert_true(reading.ok);
    assert_int_equal(reading.input.type, INPUT_MEMBER_REMOVED);
    assert_str_is(reading.input.user_named, "u");
    assert_str_is(reading.input.actor, "system");
    assert_id(reading.input.as.workspace.workspace_id);
    done(&reading);
    struct reading nobody = read_body("member.removed", "/sluice/apply", "{\"workspace_id\":\"" ID "\"}");
    assert_false(nobody.ok);
    done(&nobody);
    struct reading nowhere = read_body("member.removed", "/sluice/apply", "{\"user_id\":\"u\"}");
    assert_false(nowhere.ok);
    done(&nowhere);
}

static void a_timer_of_a_subscription_is_no_jobs(void **state)
{
    struct reading reading = read_body("timer.grace_expired", "/sluice/sweep",
                                       "{\"timer_id\":\"" ID "\",\"subject\":\"sub_1\","
                                       "\"due_at\":\"2026-11-21T10:00:00Z\",\"user_id\":\"u\"}");
    (void)state;
    assert_true(reading.ok);
    assert_str_is(reading.input.as.timer.subject, "sub_1");
    assert_true(sl_uuid_is_nil(reading.input.as.timer.job_id));
    done(&reading);
}

static void a_jobs_end_brings_what_its_cloud_gave(void **state)
{
    struct reading reading =
        read_body("job.succeeded", "/sluice/execute",
                  "{\"job_id\":\"" ID "\",\"user_id\":\"u\",\"fence\":1,\"result\":{\"checkout_url\":\"https://x\","
                  "\"session_id\":\"cs\",\"customer_id\":\"cus\",\"effective_at\":1800000000,\"renews_at\":1900000000,"
                  "\"catalog\":[{\"id\":\"t\",\"channels\":[]}],\"app_name\":\"a\"}}");
    const struct input_job *job = &reading.input.as.job;
    (void)state;
    assert_true(reading.ok);
    assert_str_is(job->checkout_url, "https://x");
    assert_str_is(job->session_id, "cs");
    assert_str_is(job->customer_id, "cus");
    assert_int_equal(job->effective_at_s, 1800000000);
    assert_int_equal(job->renews_at_s, 1900000000);
    assert_str_is(job->catalog, "[{\"id\":\"t\",\"channels\":[]}]");
    assert_str_is(job->app_name, "a");
    done(&reading);
    struct reading bare = read_body("job.succeeded", "/sluice/execute",
                                    "{\"job_id\":\"" ID "\",\"fence\":1,\"result\":{\"catalog\":\"x\"}}");
    assert_true(bare.ok && sl_str_empty(bare.input.as.job.catalog));
    done(&bare);
}

static void who_waits_travels_with_the_input(void **state)
{
    const struct sl_event event = {.id = SL_STR("e"),
                                   .source = SL_STR("/api"),
                                   .type = SL_STR("command.subscription.resume"),
                                   .content_type = SL_STR("application/json"),
                                   .reply_to = SL_STR("3/x"),
                                   .data = SL_STR("{\"data\":{\"user_id\":\"u\"}}")};
    struct reading reading = read_event(&event);
    (void)state;
    assert_true(reading.ok);
    assert_str_is(reading.input.reply_to, "3/x");
    done(&reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_checkout_has_a_plan_and_two_ways_back),
        cmocka_unit_test(a_plan_change_has_a_tier_a_name_and_workflows),
        cmocka_unit_test(workflows_that_are_no_texts_make_the_command_unreadable),
        cmocka_unit_test(every_command_of_a_workspace_reads_the_same_fields),
        cmocka_unit_test(usage_needs_a_metric_and_a_count),
        cmocka_unit_test(a_purge_says_how_old_or_leaves_it_to_the_policy),
        cmocka_unit_test(who_is_removed_is_named_with_the_workspace),
        cmocka_unit_test(a_timer_of_a_subscription_is_no_jobs),
        cmocka_unit_test(a_jobs_end_brings_what_its_cloud_gave),
        cmocka_unit_test(who_waits_travels_with_the_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
