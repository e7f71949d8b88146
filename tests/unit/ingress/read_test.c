/* read_test.c - of ingress/read_*.c: what bodies say about themselves, and what is wrong with bad ones. */
#include "tests/unit/web/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "ingress/read.h"

#define JOB "3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a001"
#define NOW INT64_C(1763712000123)

struct fixture {
    struct headers headers;
    struct sl_arena *arena;
    struct read_request request;
    struct reading reading;
    struct problem problem;
};

static int set_up(void **state)
{
    struct fixture *fixture = sl_calloc(1, sizeof(*fixture));
    fixture->arena = sl_arena_create(1 << 24);
    fixture->request = (struct read_request){
        .headers = &fixture->headers, .received_at_ms = NOW, .fresh_id = SL_STR("fresh"), .arena = fixture->arena};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    sl_arena_destroy(fixture->arena);
    free(fixture);
    return 0;
}

static void header(struct fixture *fixture, const char *name, const char *value)
{
    assert_true(headers_add(&fixture->headers, sl_str_of(name), sl_str_of(value)));
}

static bool read_with(struct fixture *fixture, reader *read, const char *body)
{
    fixture->request.body = sl_str_of(body);
    fixture->problem = (struct problem){.code = PROBLEM_NONE};
    return read(&fixture->request, &fixture->reading, &fixture->problem);
}

static void stripe_snapshot(void **state)
{
    struct fixture *f = *state;
    assert_true(read_with(f, read_stripe,
                          "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"invoice.paid\",\"created\":1763712000,"
                          "\"data\":{\"object\":{\"id\":\"in_1\"}}}"));
    assert_str(f->reading.id, "evt_1");
    assert_str(f->reading.type, "stripe.invoice.paid");
    assert_str(f->reading.subject, "in_1");
    assert_int_equal(f->reading.time_ms, INT64_C(1763712000000));
    assert_ptr_equal(f->reading.data.ptr, f->request.body.ptr);
}

static void stripe_thin(void **state)
{
    struct fixture *f = *state;
    assert_true(read_with(f, read_stripe,
                          "{\"id\":\"evt_2\",\"object\":\"v2.core.event\",\"type\":\"v1.customer.subscription.active\","
                          "\"created\":\"2025-11-21T08:00:00.5Z\",\"related_object\":{\"id\":\"sub_1\"}}"));
    assert_str(f->reading.type, "stripe.v1.customer.subscription.active");
    assert_str(f->reading.subject, "sub_1");
    assert_int_equal(f->reading.time_ms, INT64_C(1763712000500));
}

static void stripe_twice_the_same_key(void **state)
{
    struct fixture *f = *state;
    assert_true(read_with(f, read_stripe, "{\"id\":\"evt_a\",\"type\":\"a\",\"id\":\"evt_b\"}"));
    assert_str(f->reading.id, "evt_b");
    assert_int_equal(f->reading.time_ms, NOW);
}

static const struct {
    const char *body;
    enum problem_code code;
} BAD_STRIPE[] = {
    {"", PROBLEM_INVALID_JSON},
    {"{", PROBLEM_INVALID_JSON},
    {"{\"id\":\"\xff\"}", PROBLEM_INVALID_JSON},
    {"{} {}", PROBLEM_INVALID_JSON},
    {"[]", PROBLEM_INVALID_EVENT},
    {"{}", PROBLEM_INVALID_EVENT},
    {"{\"id\":\"evt_1\"}", PROBLEM_INVALID_EVENT},
    {"{\"id\":1,\"type\":\"a\"}", PROBLEM_INVALID_EVENT},
    {"{\"id\":\"e v\",\"type\":\"a\"}", PROBLEM_INVALID_EVENT},
    {"{\"id\":\"evt_1\",\"type\":\"a\\nb\"}", PROBLEM_INVALID_EVENT},
};

static void stripe_bad(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < SL_ARRAY_LEN(BAD_STRIPE); i++) {
        if (read_with(f, read_stripe, BAD_STRIPE[i].body) || f->problem.code != BAD_STRIPE[i].code)
            fail_msg("row %zu: %s", i, BAD_STRIPE[i].body);
    }
}

static void json_too_deep(void **state)
{
    struct fixture *f = *state;
    char body[300] = "{\"id\":\"e\",\"type\":\"t\",\"x\":";
    size_t start = strlen(body);
    memset(body + start, '[', 70);
    memset(body + start + 70, ']', 70);
    body[start + 140] = '}';
    assert_false(read_with(f, read_stripe, body));
    assert_int_equal(f->problem.code, PROBLEM_INVALID_JSON);
}

static void github_json_and_form(void **state)
{
    struct fixture *f = *state;
    header(f, "X-GitHub-Event", "workflow_run");
    header(f, "X-GitHub-Delivery", "d-1");
    assert_true(
        read_with(f, read_github, "{\"repository\":{\"full_name\":\"o/r\"},\"workflow_run\":{\"id\":30433642}}"));
    assert_str(f->reading.id, "d-1");
    assert_str(f->reading.type, "github.workflow_run");
    assert_str(f->reading.key.object, "o/r");
    assert_str(f->reading.subject, "30433642");
    assert_false(f->reading.is_ping);
    header(f, "Content-Type", "application/x-www-form-urlencoded");
    assert_true(read_with(f, read_github, "payload=%7B%22repository%22%3A%7B%22full_name%22%3A%22o%2Fr%22%7D%7D"));
    assert_str(f->reading.key.object, "o/r");
    assert_ptr_equal(f->reading.data.ptr, f->request.body.ptr);
    assert_false(read_with(f, read_github, "load=%7B%7D"));
    assert_int_equal(f->problem.code, PROBLEM_INVALID_JSON);
}

static void github_ping_and_bad_headers(void **state)
{
    struct fixture *f = *state;
    header(f, "X-GitHub-Event", "ping");
    assert_false(read_with(f, read_github, "{}")); /* no delivery */
    assert_int_equal(f->problem.code, PROBLEM_INVALID_EVENT);
    header(f, "X-GitHub-Delivery", "d-1");
    assert_true(read_with(f, read_github, "{\"zen\":\"x\"}"));
    assert_true(f->reading.is_ping);
    header(f, "X-GitHub-Event", "push"); /* a second one */
    assert_false(read_with(f, read_github, "{}"));
    f->headers.count = 0;
    header(f, "X-GitHub-Event", "Push!");
    header(f, "X-GitHub-Delivery", "d-1");
    assert_false(read_with(f, read_github, "{}"));
    assert_int_equal(f->problem.code, PROBLEM_INVALID_EVENT);
}

static void callback_good(void **state)
{
    struct fixture *f = *state;
    f->request.callback_user = SL_STR("user-1");
    assert_true(read_with(f, read_callback,
                          "{\"job_id\":\"" JOB "\",\"status\":\"claimed\",\"run_id\":42,\"timestamp\":1763712000}"));
    assert_str(f->reading.type, "callback.claimed");
    assert_str(f->reading.subject, JOB);
    assert_int_equal(f->reading.id.len, 64);
    assert_int_equal(f->reading.time_ms, INT64_C(1763712000000));
    assert_str(f->reading.key.user, "user-1");
    assert_str(f->reading.key.object, JOB);
    assert_true(read_with(f, read_callback,
                          "{\"job_id\":\"" JOB "\",\"status\":\"failed\",\"run_id\":\"r\",\"timestamp\":\"soon\"}"));
    assert_int_equal(f->reading.time_ms, NOW);
}

static void callback_id_is_the_bodys_digest(void **state)
{
    struct fixture *f = *state;
    assert_true(read_with(f, read_callback, "{\"job_id\":\"" JOB "\",\"status\":\"heartbeat\",\"run_id\":1}"));
    /* printf '%s' '{"job_id":"3f0e1a34-52a5-4c7f-9d1e-6a51c1d0a001","status":"heartbeat","run_id":1}' | sha256sum */
    assert_str(f->reading.id, "8fde0d5ca05b5314857ed6212541b88034c0a25c2a1c37ed030c36447b884b29");
}

static void callback_bad(void **state)
{
    struct fixture *f = *state;
    assert_false(read_with(f, read_callback, "{\"job_id\":\"7\",\"status\":\"Done!\",\"run_id\":{}}"));
    assert_int_equal(f->problem.code, PROBLEM_INVALID_EVENT);
    assert_int_equal(f->problem.field_count, 3);
    assert_false(read_with(f, read_callback, "[1]"));
    assert_int_equal(f->problem.code, PROBLEM_INVALID_EVENT);
}

static void dashboard_commands(void **state)
{
    struct fixture *f = *state;
    header(f, "webhook-id", "msg_1");
    assert_true(read_with(f, read_dashboard,
                          "{\"type\":\"agent.stop\",\"timestamp\":\"2025-11-21T08:00:00Z\",\"data\":{\"user_id\":\"u\","
                          "\"agent_id\":\"" JOB "\"}}"));
    assert_str(f->reading.id, "msg_1");
    assert_str(f->reading.type, "command.agent.stop");
    assert_str(f->reading.subject, JOB);
    assert_str(f->reading.key.user, "u");
    assert_int_equal(f->reading.time_ms, INT64_C(1763712000000));
    assert_false(read_with(f, read_dashboard, "{\"type\":\"agent.explode\",\"data\":{}}"));
    assert_string_equal(f->problem.fields[0].name, "type");
    assert_false(read_with(f, read_dashboard, "{\"type\":\"agent.stop\",\"timestamp\":\"x\",\"data\":{}}"));
    assert_int_equal(f->problem.field_count, 3);
    assert_false(read_with(f, read_dashboard, "{\"type\":\"agent.stop\"}"));
    assert_string_equal(f->problem.fields[0].name, "data");
    assert_false(read_with(f, read_dashboard,
                           "{\"type\":\"subscription.resume\",\"timestamp\":true,\"data\":{\"user_id\":\"u\"}}"));
    assert_string_equal(f->problem.fields[0].name, "timestamp");
}

static void rest(struct fixture *f, const char *type)
{
    f->request.command = commands_find(sl_str_of(type));
    f->request.user_id = SL_STR("u:1");
    f->request.email = SL_STR("u@example.com");
    f->request.role = SL_STR("admin");
}

static void rest_document(void **state)
{
    struct fixture *f = *state;
    rest(f, "agent.stop");
    f->request.params[0] = (struct read_param){.name = "agent_id", .value = SL_STR(JOB)};
    f->request.param_count = 1;
    assert_true(read_with(f, read_rest, ""));
    assert_str(f->reading.data,
               "{\"type\":\"agent.stop\",\"timestamp\":\"2025-11-21T08:00:00.123Z\",\"data\":{\"agent_id\":\"" JOB
               "\",\"user_id\":\"u:1\"},\"actor\":{\"user_id\":\"u:1\",\"email\":\"u@example.com\","
               "\"role\":\"admin\"}}");
    assert_str(f->reading.id, "fresh");
    assert_str(f->reading.key.user, "u:1");
    assert_str(f->reading.subject, JOB);
    assert_int_equal(f->reading.time_ms, NOW);
}

static void rest_contradictions(void **state)
{
    struct fixture *f = *state;
    rest(f, "agent.stop");
    f->request.params[0] = (struct read_param){.name = "agent_id", .value = SL_STR(JOB)};
    f->request.param_count = 1;
    assert_true(read_with(f, read_rest, "{\"user_id\":\"u:1\",\"agent_id\":\"" JOB "\"}"));
    assert_false(read_with(f, read_rest, "{\"user_id\":\"somebody else\"}"));
    assert_string_equal(f->problem.fields[0].name, "user_id");
    assert_false(read_with(f, read_rest, "{\"agent_id\":7}"));
    assert_string_equal(f->problem.fields[0].name, "agent_id");
    assert_false(read_with(f, read_rest, "[]"));
    assert_int_equal(f->problem.code, PROBLEM_INVALID_COMMAND);
    assert_false(read_with(f, read_rest, "nonsense"));
    assert_int_equal(f->problem.code, PROBLEM_INVALID_JSON);
    f->request.params[0].value = SL_STR("\xff");
    assert_false(read_with(f, read_rest, ""));
    assert_string_equal(f->problem.fields[0].name, "agent_id");
}

static const struct {
    const char *user, *key, *id; /* id NULL: refused */
} IDS[] = {
    {"alice", "k1", "alice:k1"},
    {"alice", "k:1", "alice:k:1"},
    {"alice:k", "1", "alice%3Ak:1"}, /* not the same as the line above */
    {"a%3A", "1", "a%253A:1"},
    {"early-access", "k", "early%2Daccess:k"},
    {"alice", "", NULL},
    {"alice", "k\xc3\xa9", NULL},
};

static void rest_ids_are_the_users_own(void **state)
{
    struct fixture *f = *state;
    rest(f, "subscription.resume");
    for (size_t i = 0; i < SL_ARRAY_LEN(IDS); i++) {
        f->headers.count = 0;
        header(f, "Idempotency-Key", IDS[i].key);
        f->request.user_id = sl_str_of(IDS[i].user);
        bool ok = read_with(f, read_rest, "{}");
        assert_int_equal(ok, IDS[i].id != NULL);
        if (ok)
            assert_str(f->reading.id, IDS[i].id);
        else
            assert_string_equal(f->problem.fields[0].name, "Idempotency-Key");
    }
    char key[257];
    memset(key, 'k', 256);
    key[256] = '\0';
    f->headers.count = 0;
    header(f, "Idempotency-Key", key);
    assert_false(read_with(f, read_rest, "{}"));
    key[255] = '\0';
    f->headers.count = 0;
    header(f, "Idempotency-Key", key);
    assert_true(read_with(f, read_rest, "{}"));
    header(f, "idempotency-key", "another");
    assert_false(read_with(f, read_rest, "{}"));
}

/* Nothing published holds the secret; the same event holds the same; only the event that brought it opens it. */
static void secrets_of_commands_are_sealed(void **state)
{
    struct fixture *f = *state;
    struct sl_seal_ring *ring = NULL;
    struct sl_buf plain;
    char sealed[512] = "";
    assert_true(sl_seal_ring_create(SL_STR("k1:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="), &ring, NULL));
    f->request.ring = ring;
    f->request.ce_source = SL_STR("/api");
    rest(f, "invite.accept");
    f->request.params[0] = (struct read_param){.name = "token", .value = SL_STR("xoxb-1")};
    f->request.param_count = 1;
    header(f, "webhook-id", "msg_1");
    const struct {
        reader *read;
        const char *body, *id;
    } cases[] = {
        {read_rest, "{\"token_sealed\":\"theirs\"}", "fresh"},
        {read_rest, "{}", "fresh"},
        {read_dashboard,
         "{\"type\":\"connection.share\",\"data\":{\"user_id\":\"u\",\"workspace_id\":\"" JOB
         "\",\"connection_id\":\"c\",\"provider\":\"p\",\"token\":\"xoxb-1\"}}",
         "msg_1"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(cases); i++) {
        assert_true(read_with(f, cases[i].read, cases[i].body));
        SL_JSON_AUTO *document = NULL;
        assert_true(sl_json_parse(f->reading.data, 0, &document, NULL));
        assert_null(sl_json_at(document, "data.token"));
        assert_null(memmem(f->reading.data.ptr, f->reading.data.len, "xoxb", 4));
        struct sl_str text = sl_json_str(document, "data.token_sealed");
        sl_buf_init(&plain, 64);
        assert_true(sl_seal_open_of_event(ring, SL_STR("/api"), sl_str_of(cases[i].id), text, &plain, NULL));
        assert_str(sl_buf_str(&plain), "xoxb-1");
        sl_buf_deinit(&plain);
        assert_false(sl_seal_open_of_event(ring, SL_STR("/api"), SL_STR("other"), text, &plain, NULL));
        if (i == 1)
            assert_str(text, sealed);
        (void)snprintf(sealed, sizeof(sealed), "%.*s", (int)text.len, text.ptr);
    }
    sl_seal_ring_destroy(ring);
}

static void without_a_key_nothing_secret_is_read(void **state)
{
    struct fixture *f = *state;
    struct sl_seal_ring *ring = NULL;
    assert_true(sl_seal_ring_create(SL_STR(""), &ring, NULL));
    rest(f, "invite.accept");
    f->request.params[0] = (struct read_param){.name = "token", .value = SL_STR("xoxb-1")};
    f->request.param_count = 1;
    for (int i = 0; i < 2; i++) {
        f->request.ring = i == 0 ? NULL : ring;
        assert_false(read_with(f, read_rest, "{}"));
        assert_int_equal(f->problem.code, PROBLEM_UNAVAILABLE);
        assert_true(f->problem.retry_after_s > 0);
    }
    rest(f, "subscription.resume");
    f->request.param_count = 0;
    assert_true(read_with(f, read_rest, "{}"));
    sl_seal_ring_destroy(ring);
}

static void early_access_has_no_actor(void **state)
{
    struct fixture *f = *state;
    f->request.command = commands_find(SL_STR("early_access.join"));
    header(f, "Idempotency-Key", "k");
    assert_true(read_with(f, read_rest, "{\"email\":\"Some.One@Example.COM\"}"));
    assert_str(f->reading.key.user, "some.one@example.com");
    assert_str(f->reading.id, "early-access:k");
    assert_null(strstr(f->reading.data.ptr, "actor"));
    assert_null(strstr(f->reading.data.ptr, "user_id"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(stripe_snapshot),
        TEST(stripe_thin),
        TEST(stripe_twice_the_same_key),
        TEST(stripe_bad),
        TEST(json_too_deep),
        TEST(github_json_and_form),
        TEST(github_ping_and_bad_headers),
        TEST(callback_good),
        TEST(callback_id_is_the_bodys_digest),
        TEST(callback_bad),
        TEST(dashboard_commands),
        TEST(rest_document),
        TEST(rest_contradictions),
        TEST(rest_ids_are_the_users_own),
        TEST(secrets_of_commands_are_sealed),
        TEST(without_a_key_nothing_secret_is_read),
        TEST(early_access_has_no_actor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
