/* token_fuzz.c - any header and claims of a token, signed by a signer of the harness's own (OpenSSL), or not at all.
 *
 * A token is taken only if it was signed by one of the configured secrets or keys, by that key's own algorithm and
 * under its name, and its claims are for now and for us as jansson reads them; what the signer makes of plain claims is
 * taken. A public key never counts as a secret, nor "none" as an algorithm. Any text as a key set gives usable keys or
 * a refusal.
 *
 * Input: how it is signed; the header's JSON, up to the next NUL; the claims' JSON (also: a key set).
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/sign.h"
#include "tests/fuzz/bytes.h"
#include "web/verify_jwt.h"

int LLVMFuzzerInitialize(int *argument_count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_S   INT64_C(1763712000)
#define SECRETS "the first secret of all,the one before it"

enum signing { BY_FIRST = 0, BY_SECOND, BY_NOBODY, BY_RSA, BY_EC, BY_PUBLIC_KEY, UNSIGNED, SIGNING_COUNT };

/* The algorithm that a token must claim, and the position of its key among all; NULL: it must be refused. */
static const struct {
    const char *algorithm;
    size_t index;
    const char *kid;
} EXPECTED[SIGNING_COUNT] = {
    [BY_FIRST] = {"HS256", 0, NULL},
    [BY_SECOND] = {"HS256", 1, NULL},
    [BY_RSA] = {"RS256", 2, "rsa"},
    [BY_EC] = {"ES256", 3, "ec"},
};

static EVP_PKEY *rsa, *ec;
static struct jwks jwks;

static void add_key(EVP_PKEY *key, enum jwk_algorithm algorithm, const char *kid)
{
    struct jwk *jwk = &jwks.keys[jwks.count++];
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    SL_ASSERT(key && PEM_write_bio_PUBKEY(bio, key) == 1);
    jwk->pem_len = (size_t)BIO_get_mem_data(bio, &text);
    jwk->pem = sl_calloc(1, jwk->pem_len + 1);
    memcpy(jwk->pem, text, jwk->pem_len);
    jwk->kid = sl_strdup(kid);
    jwk->algorithm = algorithm;
    (void)BIO_free(bio);
}

int LLVMFuzzerInitialize(int *argument_count, char ***arguments)
{
    (void)argument_count;
    (void)arguments;
    rsa = EVP_RSA_gen(2048);
    ec = EVP_EC_gen("P-256");
    add_key(rsa, JWK_RS256, "rsa");
    add_key(ec, JWK_ES256, "ec");
    return 0;
}

static void append_url(struct sl_buf *out, const void *bytes, size_t count)
{
    struct sl_buf text;
    sl_buf_init(&text, (size_t)1 << 20);
    sl_sign_base64((struct sl_str){.ptr = bytes, .len = count}, &text);
    for (size_t i = 0; i < text.len && text.data[i] != '='; i++) {
        char digit = text.data[i];
        (void)sl_buf_append_char(out, digit == '+' ? '-' : digit == '/' ? '_' : digit);
    }
    sl_buf_deinit(&text);
}

static void append_hmac(struct sl_buf *out, const char *key)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned count = 0;
    SL_ASSERT(HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)out->data, out->len - 1, mac, &count));
    append_url(out, mac, count);
}

/* Over all but the dot at the end. ECDSA's DER is spelled as r and s of 32 bytes each (RFC 7518, 3.4). */
static void append_signature(struct sl_buf *out, EVP_PKEY *key)
{
    unsigned char bytes[512];
    size_t count = sizeof(bytes);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    SL_ASSERT(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1);
    SL_ASSERT(EVP_DigestSign(context, bytes, &count, (const unsigned char *)out->data, out->len - 1) == 1);
    EVP_MD_CTX_free(context);
    if (key == ec) {
        const unsigned char *at = bytes;
        unsigned char pair[64];
        ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)count);
        SL_ASSERT(BN_bn2binpad(ECDSA_SIG_get0_r(signature), pair, 32) == 32);
        SL_ASSERT(BN_bn2binpad(ECDSA_SIG_get0_s(signature), pair + 32, 32) == 32);
        ECDSA_SIG_free(signature);
        append_url(out, pair, sizeof(pair));
    } else {
        append_url(out, bytes, count);
    }
}

static void make_token(enum signing signing, struct sl_str header, struct sl_str claims, struct sl_buf *out)
{
    (void)sl_buf_append_cstr(out, "Bearer ");
    struct sl_buf token;
    sl_buf_init(&token, (size_t)1 << 20);
    append_url(&token, header.ptr, header.len);
    (void)sl_buf_append_char(&token, '.');
    append_url(&token, claims.ptr, claims.len);
    (void)sl_buf_append_char(&token, '.');
    if (signing == BY_FIRST || signing == BY_SECOND)
        append_hmac(&token, signing == BY_FIRST ? "the first secret of all" : "the one before it");
    else if (signing == BY_NOBODY || signing == BY_PUBLIC_KEY)
        append_hmac(&token, signing == BY_NOBODY ? "" : jwks.keys[0].pem);
    else if (signing != UNSIGNED)
        append_signature(&token, signing == BY_RSA ? rsa : ec);
    (void)sl_buf_append_str(out, sl_buf_str(&token));
    sl_buf_deinit(&token);
}

/* What must hold of a token that was taken. */
static void check_taken(enum signing signing, const json_t *header, const json_t *claims,
                        const struct jwt_caller *caller, struct verdict verdict)
{
    SL_ASSERT(EXPECTED[signing].algorithm && header && claims);
    SL_ASSERT(sl_str_is(sl_json_str(header, "alg"), EXPECTED[signing].algorithm));
    SL_ASSERT(verdict.secret_index == EXPECTED[signing].index && !json_object_get(header, "crit"));
    struct sl_str kid = sl_json_str(header, "kid");
    SL_ASSERT(!EXPECTED[signing].kid || sl_str_empty(kid) || sl_str_is(kid, EXPECTED[signing].kid));
    SL_ASSERT(json_number_value(json_object_get(claims, "exp")) + JWT_LEEWAY_S + 1 > (double)NOW_S);
    SL_ASSERT(json_number_value(json_object_get(claims, "nbf")) < (double)(NOW_S + JWT_LEEWAY_S + 1));
    SL_ASSERT(sl_str_is(sl_json_str(claims, "iss"), "us"));
    struct sl_str subject = sl_json_str(claims, "sub");
    SL_ASSERT(subject.len > 0 && subject.len <= JWT_SUBJECT_BYTES_MAX && sl_str_equal(subject, caller->user_id));
}

static bool is_plain(const json_t *header, const json_t *claims)
{
    return json_object_size(header) == 1 && json_object_size(claims) == 3 &&
           sl_str_is(sl_json_str(claims, "sub"), "u-1") && sl_str_is(sl_json_str(claims, "iss"), "us") &&
           json_is_integer(json_object_get(claims, "exp")) &&
           json_integer_value(json_object_get(claims, "exp")) == NOW_S + 600;
}

static json_t *object_of(struct sl_str text)
{
    json_t *json = NULL;
    if (!sl_json_parse(text, 0, &json, NULL) || json_is_object(json))
        return json;
    json_decref(json);
    return NULL;
}

static void check_token(enum signing signing, struct sl_str header_text, struct sl_str claims_text)
{
    struct headers headers = {.count = 0};
    struct sl_secrets secrets;
    struct sl_arena *arena = sl_arena_create((size_t)8 << 20);
    struct jwt_caller caller = {.expires_s = -1};
    struct sl_buf value;
    SL_JSON_AUTO *header = object_of(header_text);
    SL_JSON_AUTO *claims = object_of(claims_text);
    sl_buf_init(&value, (size_t)1 << 20);
    make_token(signing, header_text, claims_text, &value);
    SL_ASSERT(sl_secrets_init(&secrets, SL_STR(SECRETS)));
    SL_ASSERT(headers_add(&headers, SL_STR("Authorization"), sl_buf_str(&value)));
    struct jwt_policy policy = {.secrets = &secrets, .jwks = &jwks, .issuer = SL_STR("us")};
    struct verdict verdict = verify_jwt(&headers, &policy, NOW_S, arena, &caller);
    SL_ASSERT(verdict.cause >= VERIFY_OK && verdict.cause < VERIFY_CAUSE_COUNT && verdict.off_by_s >= 0);
    if (verdict.cause == VERIFY_OK)
        check_taken(signing, header, claims, &caller, verdict);
    else
        SL_ASSERT(caller.expires_s == -1);
    bool is_ours = EXPECTED[signing].algorithm && header && claims &&
                   sl_str_is(sl_json_str(header, "alg"), EXPECTED[signing].algorithm) && is_plain(header, claims);
    SL_ASSERT(!is_ours || value.len > JWT_BYTES_MAX || verdict.cause == VERIFY_OK);
    sl_secrets_deinit(&secrets);
    sl_buf_deinit(&value);
    sl_arena_destroy(arena);
}

static void check_set(struct sl_str text)
{
    struct jwks set = {.count = 0};
    struct sl_err err = {0};
    if (!jwks_parse(text, &set, &err)) {
        SL_ASSERT(err.error_class == SL_ERR_PERMANENT && set.count == 0);
        return;
    }
    SL_ASSERT(set.count >= 1 && set.count <= JWKS_KEYS_MAX);
    for (size_t i = 0; i < set.count; i++)
        SL_ASSERT(set.keys[i].pem && strlen(set.keys[i].pem) == set.keys[i].pem_len);
    jwks_deinit(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes bytes = {.at = data, .left = size};
    enum signing signing = (enum signing)(fuzz_byte(&bytes) % SIGNING_COUNT);
    struct sl_str header = fuzz_text(&bytes);
    struct sl_str claims = fuzz_rest(&bytes);
    check_token(signing, header, claims);
    check_set(claims);
    fuzz_free(header);
    fuzz_free(claims);
    return 0;
}
