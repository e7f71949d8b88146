/* commands_test.c - of ingress/commands.c: what each command must hold. */
#include "tests/unit/web/check.h"

#include <stdio.h>

#include "ingress/commands.h"

#define AGENT "\"agent_id\":\"3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a001\""
#define USER  "\"user_id\":\"user-1\""

static const struct {
    const char *type, *data;
    const char *bad; /* the fields named, joined by blanks; empty: it passes */
} ROWS[] = {
    {"agent.create", "{" USER ",\"name\":\"a\"}", ""},
    {"agent.create", "{" USER "," AGENT ",\"name\":\"a\",\"region\":\"us-east\",\"backend\":\"hetzner\"}", ""},
    {"agent.create", "{" USER ",\"name\":\"a\",\"region\":null}", ""},
    {"agent.create", "{" USER ",\"name\":null}", "name"},
    {"agent.create", "{\"backend\":\"aws\",\"agent_id\":\"x\",\"region\":3}", "user_id agent_id name region backend"},
    {"agent.create", "{" USER ",\"name\":\"a\\u0007\"}", "name"},
    {"agent.create", "{\"user_id\":\"\",\"name\":\"a\"}", "user_id"},
    {"agent.create", "{\"user_id\":7,\"name\":\"a\"}", "user_id"},
    {"agent.create", "{" USER ",\"name\":\"a\",\"backend\":\"hetz\"}", "backend"},
    {"agent.create", "{" USER ",\"name\":\"a\",\"backend\":\"github-actions|hetzner\"}", "backend"},
    {"agent.provision", "{" USER "," AGENT "}", ""},
    {"agent.start", "{" USER "}", "agent_id"},
    {"agent.stop", "{" USER ",\"agent_id\":\"3f0e1a3452a54c7f9d1e6a51c1d0a001\"}", "agent_id"},
    {"job.cancel", "{" USER ",\"job_id\":[]}", "job_id"},
    {"checkout.start", "{" USER ",\"plan\":\"pro\",\"success_url\":\"https://a\",\"cancel_url\":\"http://b\"}", ""},
    {"checkout.start", "{" USER ",\"plan\":\"pro\",\"success_url\":\"ftp://a\",\"cancel_url\":\"https://\"}",
     "success_url cancel_url"},
    {"workspace.plan_change", "{" USER ",\"plan_tier\":\"w\",\"shared_workflow_ids\":[\"a\",\"b\"]}", ""},
    {"workspace.plan_change", "{" USER ",\"plan_tier\":\"w\",\"shared_workflow_ids\":[\"a\",1]}",
     "shared_workflow_ids"},
    {"subscription.resume", "{" USER "}", ""},
    {"usage.record", "{" USER ",\"metric\":\"messages\",\"count\":1}", ""},
    {"usage.record", "{" USER ",\"metric\":\"messages\",\"count\":0}", "count"},
    {"usage.record", "{" USER ",\"metric\":\"messages\",\"count\":1.5}", "count"},
    {"usage.record", "{" USER ",\"metric\":\"bytes\",\"count\":\"1\"}", "metric count"},
    {"early_access.join", "{\"email\":\"a@b.example\"}", ""},
    {"early_access.join", "{\"email\":\"a@b@c\"}", "email"},
    {"early_access.join", "{\"email\":\"@b\"}", "email"},
    {"early_access.join", "{\"email\":\"a b@c\"}", "email"},
    {"admin.purge_stale_runs", "{" USER "}", ""},
    {"admin.purge_stale_runs", "{" USER ",\"older_than_minutes\":0}", "older_than_minutes"},
    {"agent.stop", "[]", "data"},
};

static void every_bad_field_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < SL_ARRAY_LEN(ROWS); i++) {
        SL_JSON_AUTO *data = json_loads(ROWS[i].data, 0, NULL);
        struct problem problem = {.code = PROBLEM_NONE};
        char named[256] = "";
        assert_non_null(data);
        bool ok = commands_check(commands_find(sl_str_of(ROWS[i].type)), data, &problem);
        for (size_t j = 0; j < problem.field_count; j++) {
            size_t len = strlen(named);
            (void)snprintf(named + len, sizeof(named) - len, "%s%s", j == 0 ? "" : " ", problem.fields[j].name);
            assert_true(strlen(problem.fields[j].expected) > 0);
        }
        if (strcmp(named, ROWS[i].bad) != 0)
            fail_msg("row %zu, %s: named \"%s\", not \"%s\"", i, ROWS[i].type, named, ROWS[i].bad);
        assert_int_equal(ok, ROWS[i].bad[0] == '\0');
        assert_int_equal(problem.code, ok ? PROBLEM_NONE : PROBLEM_INVALID_COMMAND);
    }
}

static void the_table_is_sound(void **state)
{
    (void)state;
    size_t count = 0;
    const struct command *table = commands_table(&count);
    assert_int_equal(count, 21);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(commands_find(sl_str_of(table[i].type)), &table[i]); /* types are unique */
        assert_true(table[i].path[0] == '/');
        for (size_t j = 0; j < i; j++)
            assert_false(strcmp(table[i].path, table[j].path) == 0 && strcmp(table[i].method, table[j].method) == 0);
        for (size_t j = 0; j < COMMAND_FIELDS_MAX && table[i].fields[j].name; j++) {
            assert_true(table[i].fields[j].type > COMMAND_FIELD_NONE);
            assert_true(table[i].fields[j].type < COMMAND_FIELD_TYPE_COUNT);
        }
    }
    assert_null(commands_find(SL_STR("agent.explode")));
    assert_null(commands_find(SL_STR("")));
}

/* What is too long to be an example in proto/. */
static void long_texts_and_lists(void **state)
{
    (void)state;
    char text[4200];
    struct problem problem;
    memset(text, 'a', sizeof(text));
    SL_JSON_AUTO *share = json_loads("{" USER ",\"workspace_id\":\"3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a002\","
                                     "\"connection_id\":\"c\",\"provider\":\"slack\"}",
                                     0, NULL);
    (void)json_object_set_new(share, "token", json_stringn(text, 4096));
    assert_true(commands_check(commands_find(SL_STR("connection.share")), share, &problem));
    (void)json_object_set_new(share, "token", json_stringn(text, 4097));
    assert_false(commands_check(commands_find(SL_STR("connection.share")), share, &problem));

    SL_JSON_AUTO *checkout = json_loads("{" USER ",\"plan\":\"pro\",\"cancel_url\":\"https://a\"}", 0, NULL);
    memcpy(text, "https://", 8);
    (void)json_object_set_new(checkout, "success_url", json_stringn(text, 2048));
    assert_true(commands_check(commands_find(SL_STR("checkout.start")), checkout, &problem));
    (void)json_object_set_new(checkout, "success_url", json_stringn(text, 2049));
    assert_false(commands_check(commands_find(SL_STR("checkout.start")), checkout, &problem));

    SL_JSON_AUTO *change = json_loads("{" USER ",\"plan_tier\":\"workspace\",\"shared_workflow_ids\":[]}", 0, NULL);
    json_t *ids = json_object_get(change, "shared_workflow_ids");
    while (json_array_size(ids) < 1000)
        (void)json_array_append_new(ids, json_string("w"));
    assert_true(commands_check(commands_find(SL_STR("workspace.plan_change")), change, &problem));
    (void)json_array_append_new(ids, json_string("w"));
    assert_false(commands_check(commands_find(SL_STR("workspace.plan_change")), change, &problem));
}

static void lengths_have_their_limit(void **state)
{
    (void)state;
    char text[300];
    struct problem problem;
    memset(text, 'a', sizeof(text));
    SL_JSON_AUTO *data = json_object();
    (void)json_object_set_new(data, "name", json_string("a"));
    (void)json_object_set_new(data, "user_id", json_stringn(text, 255));
    assert_true(commands_check(commands_find(SL_STR("agent.create")), data, &problem));
    (void)json_object_set_new(data, "user_id", json_stringn(text, 256));
    assert_false(commands_check(commands_find(SL_STR("agent.create")), data, &problem));
}

static void the_subject_is_agent_then_job_then_workspace(void **state)
{
    (void)state;
    SL_JSON_AUTO *data = json_loads("{\"workspace_id\":\"3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a002\"," AGENT "}", 0, NULL);
    assert_str(commands_subject(data), "3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a001");
    (void)json_object_set_new(data, "agent_id", json_string("no id"));
    assert_str(commands_subject(data), "3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a002");
    (void)json_object_clear(data);
    assert_str(commands_subject(data), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_bad_field_is_named),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(long_texts_and_lists),
        cmocka_unit_test(lengths_have_their_limit),
        cmocka_unit_test(the_subject_is_agent_then_job_then_workspace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
