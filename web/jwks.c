/* jwks.c - JSON Web Keys into PEM, by OpenSSL's EVP_PKEY_fromdata. Members of keys: RFC 7518, section 6. */
#include "web/jwks.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "web/base64url.h"

#define RSA_BITS_MIN        2048
#define RSA_BYTES_MAX       1024 /* 8,192 bits */
#define EC_COORDINATE_BYTES 32

static void free_builder(OSSL_PARAM_BLD **builder)
{
    OSSL_PARAM_BLD_free(*builder);
}

static void free_params(OSSL_PARAM **params)
{
    OSSL_PARAM_free(*params);
}

static void free_context(EVP_PKEY_CTX **context)
{
    EVP_PKEY_CTX_free(*context);
}

static void free_bignum(BIGNUM **number)
{
    BN_free(*number);
}

static void free_bio(BIO **bio)
{
    BIO_free(*bio);
}

static void free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static EVP_PKEY *key_from(const char *kind, OSSL_PARAM_BLD *builder)
{
    SL_CLEANUP(free_params) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    SL_CLEANUP(free_context) EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, kind, NULL);
    EVP_PKEY *key = NULL;
    if (!params || !context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        return NULL;
    return key;
}

static BIGNUM *number_at(const json_t *json, const char *member)
{
    uint8_t bytes[RSA_BYTES_MAX];
    size_t count = 0;
    if (!base64url_decode(sl_json_str(json, member), bytes, sizeof(bytes), &count) || count == 0)
        return NULL;
    return BN_bin2bn(bytes, (int)count, NULL);
}

static EVP_PKEY *rsa_key(const json_t *json)
{
    SL_CLEANUP(free_builder) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    SL_CLEANUP(free_bignum) BIGNUM *modulus = number_at(json, "n");
    SL_CLEANUP(free_bignum) BIGNUM *exponent = number_at(json, "e");
    if (!builder || !modulus || !exponent || BN_num_bits(modulus) < RSA_BITS_MIN ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) != 1)
        return NULL;
    return key_from("RSA", builder);
}

static EVP_PKEY *ec_key(const json_t *json)
{
    uint8_t point[1 + 2 * EC_COORDINATE_BYTES] = {0x04}; /* uncompressed: SEC 1, section 2.3.3 */
    size_t x_bytes = 0;
    size_t y_bytes = 0;
    if (!sl_str_is(sl_json_str(json, "crv"), "P-256") ||
        !base64url_decode(sl_json_str(json, "x"), point + 1, EC_COORDINATE_BYTES, &x_bytes) ||
        !base64url_decode(sl_json_str(json, "y"), point + 1 + EC_COORDINATE_BYTES, EC_COORDINATE_BYTES, &y_bytes) ||
        x_bytes != EC_COORDINATE_BYTES || y_bytes != EC_COORDINATE_BYTES)
        return NULL;
    SL_CLEANUP(free_builder) OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (!builder || OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) != 1)
        return NULL;
    return key_from("EC", builder);
}

static bool write_pem(EVP_PKEY *key, struct jwk *jwk)
{
    SL_CLEANUP(free_bio) BIO *bio = BIO_new(BIO_s_mem());
    if (!bio || PEM_write_bio_PUBKEY(bio, key) != 1)
        return false;
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);
    if (len <= 0)
        return false;
    jwk->pem = sl_malloc((size_t)len + 1);
    memcpy(jwk->pem, text, (size_t)len);
    jwk->pem[len] = '\0';
    jwk->pem_len = (size_t)len;
    return true;
}

/* False: not for checking signatures of ours; passed over. */
static bool parse_key(const json_t *json, struct jwk *jwk)
{
    struct sl_str kind = sl_json_str(json, "kty");
    struct sl_str use = sl_json_str(json, "use");
    struct sl_str algorithm = sl_json_str(json, "alg");
    bool rsa = sl_str_is(kind, "RSA");
    if ((!rsa && !sl_str_is(kind, "EC")) || (!sl_str_empty(use) && !sl_str_is(use, "sig")) ||
        (!sl_str_empty(algorithm) && !sl_str_is(algorithm, rsa ? "RS256" : "ES256")))
        return false;
    SL_CLEANUP(free_key) EVP_PKEY *key = rsa ? rsa_key(json) : ec_key(json);
    if (!key || !write_pem(key, jwk))
        return false;
    jwk->algorithm = rsa ? JWK_RS256 : JWK_ES256;
    struct sl_str kid = sl_json_str(json, "kid");
    jwk->kid = sl_str_empty(kid) ? NULL : sl_strdup(kid.ptr);
    return true;
}

bool jwks_parse(struct sl_str text, struct jwks *ret_jwks, struct sl_err *err)
{
    SL_JSON_AUTO *json = NULL;
    if (!sl_json_parse(text, JWKS_FILE_BYTES_MAX, &json, err))
        return false;
    const json_t *keys = json_object_get(json, "keys");
    if (!json_is_array(keys))
        return sl_err_set(err, SL_ERR_PERMANENT, "not a JSON Web Key Set: \"keys\" is not an array");
    struct jwks jwks = {.count = 0};
    for (size_t i = 0; i < json_array_size(keys); i++) {
        if (jwks.count == JWKS_KEYS_MAX) {
            jwks_deinit(&jwks);
            return sl_err_set(err, SL_ERR_PERMANENT, "more than %d usable keys", JWKS_KEYS_MAX);
        }
        if (parse_key(json_array_get(keys, i), &jwks.keys[jwks.count]))
            jwks.count++;
    }
    if (jwks.count == 0) {
        sl_err_set(err, SL_ERR_PERMANENT, "no usable key among %zu", json_array_size(keys));
        sl_err_hint(err, "usable are RSA keys of %d bits and more, and EC keys on P-256, for signatures", RSA_BITS_MIN);
        return false;
    }
    *ret_jwks = jwks;
    return true;
}

static void close_file(FILE **file)
{
    if (*file)
        (void)fclose(*file);
}

bool jwks_read(const char *path, struct jwks *ret_jwks, struct sl_err *err)
{
    SL_CLEANUP(close_file) FILE *file = fopen(path, "re");
    if (!file)
        return sl_err_set(err, SL_ERR_PERMANENT, "cannot open \"%s\": %s", path, strerror(errno));
    char *text = sl_malloc(JWKS_FILE_BYTES_MAX + 1);
    size_t len = fread(text, 1, JWKS_FILE_BYTES_MAX + 1, file);
    bool ok;
    if (ferror(file))
        ok = sl_err_set(err, SL_ERR_PERMANENT, "cannot read \"%s\"", path);
    else if (len > JWKS_FILE_BYTES_MAX)
        ok = sl_err_set(err, SL_ERR_PERMANENT, "\"%s\" is larger than %zu bytes", path, JWKS_FILE_BYTES_MAX);
    else
        ok = jwks_parse((struct sl_str){.ptr = text, .len = len}, ret_jwks, err);
    free(text);
    /* cppcheck-suppress resourceLeak ; it doesn't know the attribute `cleanup` */
    return ok;
}

void jwks_deinit(struct jwks *jwks)
{
    for (size_t i = 0; i < jwks->count; i++) {
        free(jwks->keys[i].kid);
        free(jwks->keys[i].pem);
    }
    *jwks = (struct jwks){.count = 0};
}
