/* verify_jwt.c - see verify_jwt.h. The signature is libjwt's work; which key may be tried, and what the claims mean, is
 * ours. */
#include "web/verify_jwt.h"

#include <jwt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "web/base64url.h"

#define HEADER_BYTES_MAX 1024
#define TIME_MAX         253402300799.0 /* the end of the year 9999 */

static void free_jwt(jwt_t **jwt)
{
    if (*jwt)
        jwt_free(*jwt);
}

enum verify_cause jwt_token_of(const struct headers *headers, struct sl_arena *arena, const char **ret_token)
{
    size_t count = headers_count(headers, "authorization");
    if (count == 0)
        return VERIFY_NO_HEADER;
    struct sl_str rest = headers_get(headers, "authorization");
    struct sl_str scheme = sl_str_cut(&rest, ' ');
    struct sl_str token = sl_str_trim(rest);
    if (!sl_str_equal_ignore_case(scheme, SL_STR("bearer")))
        return VERIFY_NO_HEADER;
    if (count != 1 || !headers_value_is_plain(token, JWT_BYTES_MAX, false))
        return VERIFY_MALFORMED;
    *ret_token = sl_arena_cstr(arena, token);
    return VERIFY_OK;
}

/* One part of a token as the JSON object that it spells; NULL: it spells none. `bytes` is room to decode it in. */
static json_t *object_of(struct sl_str part, uint8_t *bytes, size_t bytes_max)
{
    size_t count = 0;
    json_t *json = NULL;
    if (!base64url_decode(part, bytes, bytes_max, &count) ||
        !sl_json_parse((struct sl_str){.ptr = (const char *)bytes, .len = count}, bytes_max, &json, NULL))
        return NULL;
    if (!json_is_object(json)) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* The token's own header, to choose a key by; nothing in it is believed before the signature is. */
static json_t *header_of(const char *token)
{
    struct sl_str rest = sl_str_of(token);
    uint8_t bytes[HEADER_BYTES_MAX];
    json_t *json = object_of(sl_str_cut(&rest, '.'), bytes, sizeof(bytes));
    /* `crit` names extensions that must be understood; we understand none (RFC 7515, 4.1.11). */
    if (json && json_object_get(json, "crit")) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* What was signed, all of it: libjwt's own claims end at the first NUL. */
static json_t *claims_of(const char *token, struct sl_arena *arena)
{
    struct sl_str rest = sl_str_of(token);
    (void)sl_str_cut(&rest, '.');
    struct sl_str part = sl_str_cut(&rest, '.');
    return object_of(part, sl_arena_alloc(arena, part.len + 1, 1), part.len + 1);
}

static bool signed_by(const char *token, jwt_alg_t algorithm, struct sl_str key, jwt_t **ret_jwt)
{
    jwt_t *jwt = NULL;
    if (jwt_decode(&jwt, token, (const unsigned char *)key.ptr, (int)key.len) != 0)
        return false;
    if (jwt_get_alg(jwt) != algorithm) {
        jwt_free(jwt);
        return false;
    }
    *ret_jwt = jwt;
    return true;
}

static bool find_secret(const char *token, const struct sl_secrets *secrets, jwt_t **ret_jwt, size_t *ret_index)
{
    for (size_t i = 0; i < secrets->count; i++) {
        if (signed_by(token, JWT_ALG_HS256, sl_secret_borrow(secrets->items[i]), ret_jwt)) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

/* A `kid` names its key; without one, every key of the algorithm may have signed. */
static bool find_key(const char *token, struct sl_str kid, enum jwk_algorithm algorithm, const struct jwks *jwks,
                     jwt_t **ret_jwt, size_t *ret_index)
{
    for (size_t i = 0; i < jwks->count; i++) {
        const struct jwk *key = &jwks->keys[i];
        if (key->algorithm != algorithm || (!sl_str_empty(kid) && key->kid && !sl_str_is(kid, key->kid)))
            continue;
        if (signed_by(token, algorithm == JWK_RS256 ? JWT_ALG_RS256 : JWT_ALG_ES256,
                      (struct sl_str){.ptr = key->pem, .len = key->pem_len}, ret_jwt)) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

static enum verify_cause check_signature(const char *token, const struct jwt_policy *policy, jwt_t **ret_jwt,
                                         size_t *ret_index)
{
    SL_JSON_AUTO *header = header_of(token);
    if (!header)
        return VERIFY_MALFORMED;
    struct sl_str algorithm = sl_json_str(header, "alg");
    if (sl_str_empty(algorithm))
        return VERIFY_MALFORMED;
    struct sl_str kid = sl_json_str(header, "kid");
    bool found = false;
    if (sl_str_is(algorithm, "HS256")) {
        found = find_secret(token, policy->secrets, ret_jwt, ret_index);
    } else if (policy->jwks && (sl_str_is(algorithm, "RS256") || sl_str_is(algorithm, "ES256"))) {
        enum jwk_algorithm wanted = sl_str_is(algorithm, "RS256") ? JWK_RS256 : JWK_ES256;
        found = find_key(token, kid, wanted, policy->jwks, ret_jwt, ret_index);
        *ret_index += policy->secrets->count;
    }
    return found ? VERIFY_OK : VERIFY_NO_MATCH;
}

/* A NumericDate may have a fraction (RFC 7519, section 2). 0: absent; -1: no time at all. */
static int64_t time_claim(const json_t *claims, const char *name)
{
    const json_t *value = json_object_get(claims, name);
    if (!value)
        return 0;
    double seconds = json_number_value(value);
    if (!json_is_number(value) || !(seconds > 0) || seconds > TIME_MAX)
        return -1;
    return (int64_t)floor(seconds);
}

static bool audience_is(const json_t *claims, struct sl_str wanted)
{
    const json_t *audience = json_object_get(claims, "aud");
    if (!json_is_array(audience))
        return sl_str_equal(sl_json_str(claims, "aud"), wanted);
    for (size_t i = 0; i < json_array_size(audience); i++) {
        const json_t *item = json_array_get(audience, i);
        if (json_is_string(item) &&
            sl_str_equal((struct sl_str){.ptr = json_string_value(item), .len = json_string_length(item)}, wanted))
            return true;
    }
    return false;
}

static bool has_control(struct sl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return true;
    }
    return false;
}

static void check_claims(const json_t *claims, const struct jwt_policy *policy, int64_t now_s, struct verdict *verdict)
{
    int64_t expires_s = time_claim(claims, "exp");
    int64_t starts_s = time_claim(claims, "nbf");
    struct sl_str subject = sl_json_str(claims, "sub");
    bool ours = (sl_str_empty(policy->issuer) || sl_str_equal(sl_json_str(claims, "iss"), policy->issuer)) &&
                (sl_str_empty(policy->audience) || audience_is(claims, policy->audience)) && !sl_str_empty(subject) &&
                subject.len <= JWT_SUBJECT_BYTES_MAX && !has_control(subject);
    if (expires_s <= 0 || starts_s < 0) {
        verdict->cause = VERIFY_MALFORMED;
    } else if (now_s > expires_s + JWT_LEEWAY_S) {
        verdict->cause = VERIFY_STALE;
        verdict->off_by_s = now_s - expires_s;
    } else if (starts_s > now_s + JWT_LEEWAY_S) {
        verdict->cause = VERIFY_FUTURE;
        verdict->off_by_s = starts_s - now_s;
    } else if (!ours) {
        verdict->cause = VERIFY_CLAIMS;
    }
}

struct verdict verify_jwt(const struct headers *headers, const struct jwt_policy *policy, int64_t now_s,
                          struct sl_arena *arena, struct jwt_caller *ret_caller)
{
    struct verdict verdict = {.cause = VERIFY_OK};
    if (policy->secrets->count == 0 && !policy->jwks) {
        verdict.cause = VERIFY_NO_SECRET;
        return verdict;
    }
    const char *token = NULL;
    verdict.cause = jwt_token_of(headers, arena, &token);
    if (verdict.cause != VERIFY_OK)
        return verdict;
    SL_CLEANUP(free_jwt) jwt_t *jwt = NULL;
    verdict.cause = check_signature(token, policy, &jwt, &verdict.secret_index);
    if (verdict.cause != VERIFY_OK)
        return verdict;
    SL_JSON_AUTO *claims = claims_of(token, arena);
    if (!claims) {
        verdict.cause = VERIFY_MALFORMED;
        return verdict;
    }
    check_claims(claims, policy, now_s, &verdict);
    if (verdict.cause == VERIFY_OK) {
        struct sl_str email = sl_json_str(claims, "email");
        ret_caller->user_id = sl_arena_str(arena, sl_json_str(claims, "sub"));
        ret_caller->role = sl_arena_str(arena, sl_json_str(claims, "role"));
        ret_caller->expires_s = time_claim(claims, "exp");
        ret_caller->email = has_control(email) ? SL_STR_NONE : sl_arena_str(arena, email);
    }
    return verdict;
}
