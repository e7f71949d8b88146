/* verify_jwt_test.c - of web/verify_jwt.c and web/jwks.c, with tokens that another implementation has signed.
 */
#include "tests/unit/web/check.h"

#include <stdlib.h>

#include "tests/unit/web/jwt_vectors.h"
#include "web/verify_jwt.h"

struct fixture {
    struct sl_secrets secrets;
    struct jwks jwks;
    struct jwt_policy policy;
    struct sl_arena *arena;
};

static int set_up(void **state)
{
    struct fixture *f = sl_calloc(1, sizeof(*f));
    f->arena = sl_arena_create(1 << 20);
    assert_true(sl_secrets_init(&f->secrets, SL_STR(JWT_SECRETS)));
    assert_true(jwks_parse(sl_str_of(JWKS), &f->jwks, NULL));
    f->policy = (struct jwt_policy){.secrets = &f->secrets,
                                    .jwks = &f->jwks,
                                    .issuer = SL_STR("https://issuer.example"),
                                    .audience = SL_STR("sluice")};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sl_secrets_deinit(&f->secrets);
    jwks_deinit(&f->jwks);
    sl_arena_destroy(f->arena);
    free(f);
    return 0;
}

static struct verdict judge(struct fixture *f, const char *authorization, struct jwt_caller *caller)
{
    struct headers headers = {.count = 0};
    if (authorization)
        assert_true(headers_add(&headers, SL_STR("Authorization"), sl_str_of(authorization)));
    return verify_jwt(&headers, &f->policy, JWT_NOW_S, f->arena, caller);
}

static void tokens_are_judged_as_they_deserve(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < SL_ARRAY_LEN(TOKENS); i++) {
        struct jwt_caller caller = {.user_id = SL_STR("untouched")};
        const char *field = sl_arena_printf(f->arena, "Bearer %s", TOKENS[i].token).ptr;
        struct verdict verdict = judge(f, field, &caller);
        bool as_expected = TOKENS[i].cause < 0 ? verdict.cause != VERIFY_OK : (int)verdict.cause == TOKENS[i].cause;
        if (!as_expected)
            fail_msg("%s: %s", TOKENS[i].name, verify_cause_name(verdict.cause));
        if (verdict.cause == VERIFY_OK)
            assert_int_equal(verdict.secret_index, TOKENS[i].secret_index);
        else
            assert_str(caller.user_id, "untouched");
    }
}

static void the_caller_is_read(void **state)
{
    struct fixture *f = *state;
    struct jwt_caller caller;
    const char *field = sl_arena_printf(f->arena, "bearer   %s", TOKENS[0].token).ptr;
    assert_int_equal(judge(f, field, &caller).cause, VERIFY_OK);
    assert_str(caller.user_id, "user-1");
    assert_str(caller.email, "user@example.com");
    assert_str(caller.role, "admin");
}

static void the_header_must_be_there_once(void **state)
{
    struct fixture *f = *state;
    struct jwt_caller caller;
    struct headers two = {.count = 0};
    assert_int_equal(judge(f, NULL, &caller).cause, VERIFY_NO_HEADER);
    assert_int_equal(judge(f, "Basic dXNlcjpwYXNz", &caller).cause, VERIFY_NO_HEADER);
    assert_int_equal(judge(f, "Bearer", &caller).cause, VERIFY_MALFORMED);
    assert_int_equal(judge(f, "Bearer a b", &caller).cause, VERIFY_MALFORMED);
    for (int i = 0; i < 2; i++)
        assert_true(
            headers_add(&two, SL_STR("Authorization"), sl_arena_printf(f->arena, "Bearer %s", TOKENS[0].token)));
    assert_int_equal(verify_jwt(&two, &f->policy, JWT_NOW_S, f->arena, &caller).cause, VERIFY_MALFORMED);
}

static void a_token_has_a_limit(void **state)
{
    struct fixture *f = *state;
    struct jwt_caller caller;
    char *field = sl_calloc(1, JWT_BYTES_MAX + 10);
    memcpy(field, "Bearer ", 7);
    memset(field + 7, 'a', JWT_BYTES_MAX + 1);
    assert_int_equal(judge(f, field, &caller).cause, VERIFY_MALFORMED);
    free(field);
}

static void nothing_configured_is_said(void **state)
{
    struct fixture *f = *state;
    struct sl_secrets none = {.count = 0};
    struct jwt_caller caller;
    f->policy.secrets = &none;
    f->policy.jwks = NULL;
    assert_int_equal(judge(f, "Bearer x.y.z", &caller).cause, VERIFY_NO_SECRET);
}

static void key_sets_are_checked(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"keys\":{}}",
                                      "{\"keys\":[]}",
                                      "{\"keys\":[{\"kty\":\"oct\"}]}",
                                      "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\"}]}",
                                      "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}]}"};
    assert_int_equal(f->jwks.count, 2);
    for (size_t i = 0; i < SL_ARRAY_LEN(bad); i++) {
        struct jwks jwks = {.count = 99};
        struct sl_err err = {0};
        if (jwks_parse(sl_str_of(bad[i]), &jwks, &err))
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(err.error_class, SL_ERR_PERMANENT);
        assert_int_equal(jwks.count, 99);
    }
    struct jwks jwks;
    struct sl_err err = {0};
    assert_false(jwks_read("/nonexistent/jwks.json", &jwks, &err));
    assert_non_null(strstr(err.message, "/nonexistent/jwks.json"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tokens_are_judged_as_they_deserve), TEST(the_caller_is_read),
        TEST(the_header_must_be_there_once),     TEST(a_token_has_a_limit),
        TEST(nothing_configured_is_said),        TEST(key_sets_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
