/* api_test.c - of console/api.c: what is asked of a request before Postgres is, and what is answered. */
#include "tests/unit/web/check.h"

#include <stdlib.h>

#include "console/api.h"

#define TOKEN "the-token-of-ops-1234"
#define ID    "0190c0de-0000-7000-8000-0000000000ab"

struct fixture {
    struct settings settings;
    char plans[3];
    struct sl_metrics *metrics;
    struct meters meters;
    struct api *api;
    struct api_request request;
};

static int set_up(void **state)
{
    struct fixture *f = sl_calloc(1, sizeof(*f));
    f->metrics = sl_metrics_create();
    meters_init(&f->meters, f->metrics);
    assert_true(sl_secrets_init(&f->settings.tokens, SL_STR(TOKEN)));
    assert_true(sl_secrets_init(&f->settings.jwt.secrets, SL_STR("secret")));
    f->settings.jwt.policy = (struct jwt_policy){.secrets = &f->settings.jwt.secrets};
    memcpy(f->plans, "{}", sizeof(f->plans));
    f->settings.plans = f->plans;
    f->api = api_create(&f->settings, &f->meters);
    f->request.arena = sl_arena_create(1 << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sl_arena_destroy(f->request.arena);
    api_destroy(f->api);
    sl_secrets_deinit(&f->settings.tokens);
    sl_secrets_deinit(&f->settings.jwt.secrets);
    sl_metrics_destroy(f->metrics);
    free(f);
    return 0;
}

static enum api_step begin(struct fixture *f, const char *method, const char *path, bool with_token, const char *limit,
                           const char *after)
{
    struct sl_arena *arena = f->request.arena;
    f->request = (struct api_request){.arena = arena,
                                      .method = sl_str_of(method),
                                      .path = sl_str_of(path),
                                      .asked_user = SL_STR("user-1"),
                                      .limit = sl_str_of(limit),
                                      .after = sl_str_of(after),
                                      .wall_ms = 1763712000000};
    if (with_token)
        assert_true(headers_add(&f->request.headers, SL_STR("authorization"), SL_STR("Bearer " TOKEN)));
    return api_begin(f->api, &f->request);
}

static void assert_problem(const struct fixture *f, int status, const char *code)
{
    assert_int_equal(f->request.reply.status, status);
    assert_string_equal(f->request.reply.content_type, "application/problem+json");
    if (!strstr(f->request.reply.body.ptr, code))
        fail_msg("%s", f->request.reply.body.ptr);
}

static void reads_know_what_they_are_asked(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(begin(f, "GET", "/api/agents/" ID, true, NULL, NULL), API_READS);
    const struct read_ask *ask = &f->request.job.ask;
    assert_ptr_equal(ask->read, &READ_AGENT);
    assert_str(ask->user_id, "user-1");
    assert_int_equal(ask->id.bytes[15], 0xab);
    assert_int_equal(ask->limit, 20);
    assert_false(ask->has_after);
    assert_int_equal(ask->now_ms, 1763712000000);
    assert_str(ask->plans, "{}");
    assert_int_equal(begin(f, "HEAD", "/api/agents", true, "500", "17." ID), API_READS);
    assert_int_equal(ask->limit, 500);
    assert_true(ask->has_after && ask->after.number == 17);
    assert_int_equal(begin(f, "GET", "/api/events/stream", true, NULL, NULL), API_STREAMS);
}

static void queries_are_checked_where_there_are_pages(void **state)
{
    struct fixture *f = *state;
    static const char *const limits[] = {"", "0", "-1", "501", "x", "1 ", "99999999999999999999"};
    for (size_t i = 0; i < SL_ARRAY_LEN(limits); i++) {
        assert_int_equal(begin(f, "GET", "/api/agents", true, limits[i], NULL), API_ANSWERED);
        assert_problem(f, 400, "\"field\":\"limit\"");
    }
    assert_int_equal(begin(f, "GET", "/api/agents", true, NULL, "17"), API_ANSWERED);
    assert_problem(f, 400, "\"field\":\"after\"");
    assert_int_equal(begin(f, "GET", "/api/usage", true, "x", "x"), API_READS);
}

static void refusals_in_their_order(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(begin(f, "POST", "/api/nothing", false, NULL, NULL), API_ANSWERED);
    assert_problem(f, 404, "NOT_FOUND");
    assert_int_equal(begin(f, "POST", "/api/agents", false, NULL, NULL), API_ANSWERED);
    assert_problem(f, 405, "METHOD_NOT_ALLOWED");
    assert_string_equal(f->request.reply.allow, "GET, HEAD");
    assert_int_equal(begin(f, "GET", "/api/agents", false, "x", NULL), API_ANSWERED);
    assert_problem(f, 401, "UNAUTHENTICATED");
    assert_string_equal(f->request.reply.challenge, "Bearer");
    assert_int_equal(sl_metric_value(sl_metric_with(f->meters.refused_total, "no_header")), 1);
}

static void the_page_needs_no_token(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(begin(f, "GET", "/", false, NULL, NULL), API_ANSWERED);
    assert_int_equal(f->request.reply.status, 200);
    assert_string_equal(f->request.reply.content_type, "text/html; charset=utf-8");
}

static void what_the_pool_says_is_answered(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum pool_end end;
        int status;
        const char *code;
    } rows[] = {
        {POOL_NOT_FOUND, 404, "there is no such job"},
        {POOL_UNAVAILABLE, 503, "UNAVAILABLE"},
        {POOL_FAILED, 500, "INTERNAL"},
    };
    for (size_t i = 0; i < SL_ARRAY_LEN(rows); i++) {
        assert_int_equal(begin(f, "GET", "/api/jobs/" ID, true, NULL, NULL), API_READS);
        f->request.job.end = rows[i].end;
        (void)sl_err_set(&f->request.job.error, SL_ERR_RETRY, "secret words of the database");
        api_finish(&f->request);
        assert_problem(f, rows[i].status, rows[i].code);
        assert_null(strstr(f->request.reply.body.ptr, "secret words"));
        assert_int_equal(f->request.reply.retry_after_s > 0, rows[i].status == 503);
    }
    f->request.job.end = POOL_FOUND;
    f->request.job.json = SL_STR("{\"id\":1}");
    api_finish(&f->request);
    assert_int_equal(f->request.reply.status, 200);
    assert_str(f->request.reply.body, "{\"id\":1}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_know_what_they_are_asked), TEST(queries_are_checked_where_there_are_pages),
        TEST(refusals_in_their_order),        TEST(the_page_needs_no_token),
        TEST(what_the_pool_says_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
