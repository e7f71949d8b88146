/* auth.c - see auth.h. */
#include "console/auth.h"

#include "common/utf8.h"

#define RETRY_S 60 /* somebody has to configure a secret */

static bool is_ops_token(const struct settings *settings, struct sl_str token)
{
    bool found = false;
    for (size_t i = 0; i < settings->tokens.count; i++)
        found = sl_secret_equal(sl_secret_borrow(settings->tokens.items[i]), token) || found;
    return found;
}

static bool judge_ops(const struct auth_ask *ask, struct sl_arena *arena, struct caller *ret_caller,
                      struct problem *ret_problem)
{
    if (sl_str_empty(ask->asked_user) || ask->asked_user.len > AUTH_USER_BYTES_MAX || !sl_utf8_is_text(ask->asked_user))
        return problem_set(ret_problem, PROBLEM_BAD_REQUEST, "the ops token names the user by ?user_id=");
    *ret_caller = (struct caller){.user_id = sl_arena_str(arena, ask->asked_user), .is_ops = true};
    return true;
}

static const char *detail_of(enum verify_cause cause)
{
    static const char *const details[VERIFY_CAUSE_COUNT] = {
        [VERIFY_NO_HEADER] = "there is no bearer token",
        [VERIFY_MALFORMED] = "the token is malformed",
        [VERIFY_STALE] = "the token has expired",
        [VERIFY_FUTURE] = "the token is not valid yet",
        [VERIFY_NO_MATCH] = "no key gives the token's signature",
        [VERIFY_CLAIMS] = "the token is for somebody else: issuer, audience or subject",
        [VERIFY_NO_SECRET] = "no key is configured to verify tokens by",
    };
    return details[cause];
}

bool auth_judge(const struct settings *settings, const struct auth_ask *ask, struct sl_arena *arena,
                struct caller *ret_caller, struct problem *ret_problem, const char **ret_cause,
                const char **ret_challenge)
{
    const char *token = NULL;
    struct jwt_caller user;
    *ret_challenge = NULL;
    *ret_cause = "user_id";
    if (jwt_token_of(ask->headers, arena, &token) == VERIFY_OK && is_ops_token(settings, sl_str_of(token)))
        return judge_ops(ask, arena, ret_caller, ret_problem);
    struct verdict verdict = verify_jwt(ask->headers, &settings->jwt.policy, ask->now_ms / 1000, arena, &user);
    *ret_cause = verify_cause_name(verdict.cause);
    if (verdict.cause == VERIFY_NO_SECRET) {
        (void)problem_set(ret_problem, PROBLEM_UNAVAILABLE, detail_of(verdict.cause));
        ret_problem->retry_after_s = RETRY_S;
        return false;
    }
    if (verdict.cause != VERIFY_OK) {
        *ret_challenge = verdict.cause == VERIFY_NO_HEADER ? "Bearer" : "Bearer error=\"invalid_token\"";
        return problem_set(ret_problem, PROBLEM_UNAUTHENTICATED, detail_of(verdict.cause));
    }
    if (!sl_utf8_is_text(user.user_id) || !sl_utf8_is_text(user.email)) {
        *ret_cause = verify_cause_name(VERIFY_CLAIMS);
        return problem_set(ret_problem, PROBLEM_UNAUTHENTICATED, "the token's claims are no text");
    }
    if (!sl_str_empty(ask->asked_user) && !sl_str_equal(ask->asked_user, user.user_id)) {
        *ret_cause = "foreign";
        return problem_set(ret_problem, PROBLEM_FORBIDDEN, "only the ops token may name another user");
    }
    *ret_caller = (struct caller){
        .user_id = user.user_id, .email = user.email, .ends_at_ms = (user.expires_s + JWT_LEEWAY_S) * 1000};
    return true;
}
