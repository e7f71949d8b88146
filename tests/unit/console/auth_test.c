/* auth_test.c - of console/auth.c: whose rows a token shows. The tokens are those of tests/unit/web/jwt_vectors.h. */
#include "tests/unit/web/check.h"

#include <stdlib.h>

#include "console/auth.h"
#include "tests/unit/web/jwt_vectors.h"

#define OPS_TOKEN "the-token-of-ops-1234"

struct fixture {
    struct settings settings;
    struct sl_arena *arena;
    struct caller caller;
    struct problem problem;
    const char *cause;
    const char *challenge;
};

static int set_up(void **state)
{
    struct fixture *f = sl_calloc(1, sizeof(*f));
    f->arena = sl_arena_create(1 << 20);
    assert_true(sl_secrets_init(&f->settings.tokens, SL_STR(OPS_TOKEN ",the-one-before-it-5678")));
    assert_true(sl_secrets_init(&f->settings.jwt.secrets, SL_STR(JWT_SECRETS)));
    assert_true(jwks_parse(sl_str_of(JWKS), &f->settings.jwt.jwks, NULL));
    f->settings.jwt.policy = (struct jwt_policy){.secrets = &f->settings.jwt.secrets,
                                                 .jwks = &f->settings.jwt.jwks,
                                                 .issuer = SL_STR("https://issuer.example"),
                                                 .audience = SL_STR("sluice")};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sl_secrets_deinit(&f->settings.tokens);
    jwt_keys_deinit(&f->settings.jwt);
    sl_arena_destroy(f->arena);
    free(f);
    return 0;
}

static bool judge(struct fixture *f, const char *token, const char *asked_user)
{
    struct headers headers = {.count = 0};
    const struct auth_ask ask = {.headers = &headers, .asked_user = sl_str_of(asked_user), .now_ms = JWT_NOW_S * 1000};
    if (token)
        assert_true(headers_add(&headers, SL_STR("Authorization"), sl_arena_printf(f->arena, "Bearer %s", token)));
    return auth_judge(&f->settings, &ask, f->arena, &f->caller, &f->problem, &f->cause, &f->challenge);
}

static void a_user_sees_what_is_the_users(void **state)
{
    struct fixture *f = *state;
    assert_true(judge(f, TOKENS[0].token, NULL));
    assert_str(f->caller.user_id, "user-1");
    assert_str(f->caller.email, "user@example.com");
    assert_false(f->caller.is_ops);
    assert_true(f->caller.ends_at_ms > JWT_NOW_S * 1000);
    assert_int_equal(f->caller.ends_at_ms % 1000, 0);
    assert_true(judge(f, TOKENS[0].token, "user-1"));
    assert_false(judge(f, TOKENS[0].token, "user-2"));
    assert_int_equal(f->problem.code, PROBLEM_FORBIDDEN);
}

static void every_other_token_is_refused(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < SL_ARRAY_LEN(TOKENS); i++) {
        if (judge(f, TOKENS[i].token, NULL) != (TOKENS[i].cause == VERIFY_OK))
            fail_msg("%s: %s", TOKENS[i].name, f->cause);
        if (TOKENS[i].cause != VERIFY_OK) {
            assert_int_equal(f->problem.code, PROBLEM_UNAUTHENTICATED);
            assert_non_null(strstr(f->challenge, "Bearer"));
        }
    }
    assert_false(judge(f, NULL, NULL));
    assert_string_equal(f->challenge, "Bearer");
    assert_string_equal(f->cause, "no_header");
}

static void ops_name_the_user(void **state)
{
    struct fixture *f = *state;
    assert_true(judge(f, OPS_TOKEN, "user-2"));
    assert_str(f->caller.user_id, "user-2");
    assert_true(f->caller.is_ops && f->caller.ends_at_ms == 0);
    assert_true(judge(f, "the-one-before-it-5678", "user-2"));
    assert_false(judge(f, OPS_TOKEN "x", "user-2"));
    assert_int_equal(f->problem.code, PROBLEM_UNAUTHENTICATED);
}

static void ops_name_a_user_that_can_be_one(void **state)
{
    struct fixture *f = *state;
    char longest[AUTH_USER_BYTES_MAX + 2];
    memset(longest, 'u', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    static const char *const bad[] = {NULL, "", "\xff"};
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++) {
        assert_false(judge(f, OPS_TOKEN, bad[i]));
        assert_int_equal(f->problem.code, PROBLEM_BAD_REQUEST);
    }
    assert_false(judge(f, OPS_TOKEN, longest));
    assert_true(judge(f, OPS_TOKEN, longest + 1));
}

static void nothing_configured_is_said(void **state)
{
    struct fixture *f = *state;
    struct sl_secrets none = {.count = 0};
    f->settings.jwt.policy.secrets = &none;
    f->settings.jwt.policy.jwks = NULL;
    assert_false(judge(f, "x.y.z", NULL));
    assert_int_equal(f->problem.code, PROBLEM_UNAVAILABLE);
    assert_true(f->problem.retry_after_s > 0);
    assert_true(judge(f, OPS_TOKEN, "user-2"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_user_sees_what_is_the_users),   TEST(every_other_token_is_refused), TEST(ops_name_the_user),
        TEST(ops_name_a_user_that_can_be_one), TEST(nothing_configured_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
