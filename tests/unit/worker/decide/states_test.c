/* states_test.c - the names, there and back, and the laws of the two state machines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/decide/plan.h"

static void test_names_parse_back(void **state)
{
    (void)state;
    for (int i = 1; i < AGENT_STATUS_COUNT; i++)
        assert_int_equal(agent_status_parse(sl_str_of(agent_status_name((enum agent_status)i))), i);
    for (int i = 1; i < JOB_KIND_COUNT; i++)
        assert_int_equal(job_kind_parse(sl_str_of(job_kind_name((enum job_kind)i))), i);
    for (int i = 1; i < JOB_STATUS_COUNT; i++)
        assert_int_equal(job_status_parse(sl_str_of(job_status_name((enum job_status)i))), i);
    assert_int_equal(agent_status_parse(SL_STR("none")), AGENT_NONE);
    assert_int_equal(agent_status_parse(SL_STR("Active")), AGENT_NONE);
    assert_int_equal(job_kind_parse(SL_STR_NONE), JOB_KIND_NONE);
    assert_int_equal(job_status_parse(SL_STR("runnin")), JOB_STATUS_NONE);
}

static void test_event_types_have_one_canonical_name(void **state)
{
    (void)state;
    for (int i = 1; i < INPUT_TYPE_COUNT; i++)
        assert_int_equal(input_type_of(sl_str_of(input_type_name((enum input_type)i))), i);
    assert_int_equal(input_type_of(SL_STR("stripe.customer.subscription.paused")), INPUT_STRIPE_SUBSCRIPTION_UPDATED);
    assert_int_equal(input_type_of(SL_STR("stripe.invoice.payment_succeeded")), INPUT_STRIPE_INVOICE_PAID);
    assert_int_equal(input_type_of(SL_STR("stripe.customer.updated")), INPUT_STRIPE_CUSTOMER);
    assert_int_equal(input_type_of(SL_STR("stripe.customer")), INPUT_UNKNOWN);
    assert_int_equal(input_type_of(SL_STR_NONE), INPUT_UNKNOWN);
    assert_string_equal(input_type_name(INPUT_UNKNOWN), "unknown");
    for (int i = 0; i < INPUT_TYPE_COUNT; i++) {
        const char *name = input_type_name((enum input_type)i);
        assert_int_equal(input_type_is_stripe((enum input_type)i), strncmp(name, "stripe.", 7) == 0);
        assert_int_equal(input_type_is_command((enum input_type)i), strncmp(name, "command.", 8) == 0);
    }
}

static void test_error_codes_have_the_contracts_status(void **state)
{
    (void)state;
    static const struct {
        enum error_code error;
        const char *name;
        int http_status;
    } CODES[] = {
        {ERROR_NO_ACTIVE_SUBSCRIPTION, "NO_ACTIVE_SUBSCRIPTION", 403},
        {ERROR_AGENT_LIMIT_REACHED, "AGENT_LIMIT_REACHED", 403},
        {ERROR_WORKSPACE_PLAN_REQUIRED, "workspace_plan_required", 403},
        {ERROR_WORKSPACE_MEMBER_LIMIT, "workspace_member_limit", 403},
        {ERROR_WORKSPACE_RUN_LIMIT, "workspace_run_limit", 403},
        {ERROR_USAGE_LIMIT_REACHED, "USAGE_LIMIT_REACHED", 429},
        {ERROR_NOT_CONNECTION_OWNER, "NOT_CONNECTION_OWNER", 403},
        {ERROR_WORKSPACE_NOT_FOUND, "WORKSPACE_NOT_FOUND", 404},
        {ERROR_CONNECTION_NOT_FOUND, "CONNECTION_NOT_FOUND", 404},
        {ERROR_INVITE_NOT_FOUND, "INVITE_NOT_FOUND", 404},
        {ERROR_INVITE_EXPIRED, "INVITE_EXPIRED", 410},
        {ERROR_CLOUD_UNAVAILABLE, "CLOUD_UNAVAILABLE", 503},
        {ERROR_ALREADY_CLAIMED, "ALREADY_CLAIMED", 409},
        {ERROR_JOB_ENDED, "JOB_ENDED", 409},
        {ERROR_JOB_NOT_FOUND, "JOB_NOT_FOUND", 404},
        {ERROR_INVALID_STATE, "INVALID_STATE", 409},
        {ERROR_PROVISION_IN_PROGRESS, "PROVISION_IN_PROGRESS", 409},
        {ERROR_AGENT_NOT_FOUND, "AGENT_NOT_FOUND", 404},
        {ERROR_FORBIDDEN, "FORBIDDEN", 403},
    };
    assert_int_equal(SL_ARRAY_LEN(CODES), ERROR_CODE_COUNT - 1);
    for (size_t i = 0; i < SL_ARRAY_LEN(CODES); i++) {
        assert_string_equal(error_code_name(CODES[i].error), CODES[i].name);
        assert_int_equal(error_code_http_status(CODES[i].error), CODES[i].http_status);
    }
    assert_int_equal(error_code_http_status(ERROR_NONE), 200);
    assert_string_equal(outcome_name(OUTCOME_PARKED), "parked");
}

/* Every state can be reached from the first, and none but the final ones is a dead end. */
static void test_no_state_is_lost(void **state)
{
    (void)state;
    bool reached[AGENT_STATUS_COUNT] = {[AGENT_NONE] = true};
    for (int round = 0; round < AGENT_STATUS_COUNT; round++) {
        for (int from = 0; from < AGENT_STATUS_COUNT; from++) {
            for (int to = 0; to < AGENT_STATUS_COUNT; to++)
                reached[to] = reached[to] ||
                              (reached[from] && agent_status_may_move((enum agent_status)from, (enum agent_status)to));
        }
    }
    for (int i = 0; i < AGENT_STATUS_COUNT; i++) {
        bool leads_on = false;
        assert_true(reached[i]);
        assert_false(agent_status_may_move((enum agent_status)i, (enum agent_status)i));
        assert_false(agent_status_may_move((enum agent_status)i, AGENT_NONE));
        for (int to = 0; to < AGENT_STATUS_COUNT; to++)
            leads_on = leads_on || agent_status_may_move((enum agent_status)i, (enum agent_status)to);
        assert_true(leads_on);
    }
}

static void test_ended_jobs_stay_ended_but_for_a_retry(void **state)
{
    (void)state;
    for (int from = 1; from < JOB_STATUS_COUNT; from++) {
        for (int to = 0; to < JOB_STATUS_COUNT; to++) {
            bool may_move = job_status_may_move((enum job_status)from, (enum job_status)to);
            if (!job_status_is_open((enum job_status)from))
                assert_int_equal(may_move, from == JOB_FAILED && to == JOB_QUEUED);
        }
    }
    assert_false(job_status_may_move(JOB_WAITING, JOB_RUNNING));
    assert_false(job_status_may_move(JOB_QUEUED, JOB_SUCCEEDED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_parse_back),
        cmocka_unit_test(test_event_types_have_one_canonical_name),
        cmocka_unit_test(test_error_codes_have_the_contracts_status),
        cmocka_unit_test(test_no_state_is_lost),
        cmocka_unit_test(test_ended_jobs_stay_ended_but_for_a_retry),
    };
    return cmocka_run_group_tests_name("states", tests, NULL, NULL);
}
