/* sign.c - HMAC and SHA-256 from OpenSSL, hexadecimal and base64 by hand (EVP_DecodeBlock is not strict).
 *
 * OpenSSL's own algorithm objects are fetched once a process: a fetch takes a lock and costs more than a short MAC.
 */
#include "common/sign.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>

static EVP_MAC *hmac_algorithm;
static EVP_MD *sha256_algorithm;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    hmac_algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    sha256_algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
    /* Without them nothing can be verified: a broken installation, not an input. */
    SL_ASSERT(hmac_algorithm != NULL && sha256_algorithm != NULL);
}

void sl_sign_hmac_sha256(struct sl_str key, const struct sl_str *parts, size_t part_count,
                         uint8_t ret_mac[SL_SHA256_BYTES])
{
    SL_ASSERT(pthread_once(&fetched, fetch) == 0);
    static char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac_algorithm);
    SL_ASSERT(context != NULL);
    /* A NULL key would mean "the one set before". */
    const unsigned char *key_bytes = (const unsigned char *)(key.len > 0 ? key.ptr : "");
    SL_ASSERT(EVP_MAC_init(context, key_bytes, key.len, parameters) == 1);
    for (size_t i = 0; i < part_count; i++) {
        if (parts[i].len > 0) {
            SL_ASSERT(EVP_MAC_update(context, (const unsigned char *)parts[i].ptr, parts[i].len) == 1);
        }
    }
    size_t mac_bytes = 0;
    SL_ASSERT(EVP_MAC_final(context, ret_mac, &mac_bytes, SL_SHA256_BYTES) == 1);
    SL_ASSERT(mac_bytes == SL_SHA256_BYTES);
    EVP_MAC_CTX_free(context);
}

void sl_sign_sha256(struct sl_str bytes, uint8_t ret_digest[SL_SHA256_BYTES])
{
    SL_ASSERT(pthread_once(&fetched, fetch) == 0);
    unsigned int digest_bytes = 0;
    SL_ASSERT(
        EVP_Digest(bytes.len > 0 ? bytes.ptr : "", bytes.len, ret_digest, &digest_bytes, sha256_algorithm, NULL) == 1);
    SL_ASSERT(digest_bytes == SL_SHA256_BYTES);
}

void sl_sign_sha256_hex(struct sl_str bytes, char ret_text[SL_SHA256_HEX_BYTES])
{
    uint8_t digest[SL_SHA256_BYTES];
    sl_sign_sha256(bytes, digest);
    sl_sign_hex(digest, sizeof(digest), ret_text);
}

bool sl_sign_equal(const uint8_t *a, const uint8_t *b, size_t bytes)
{
    return CRYPTO_memcmp(a, b, bytes) == 0;
}

void sl_sign_hex(const uint8_t *bytes, size_t count, char *ret_text)
{
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        ret_text[2 * i] = DIGITS[bytes[i] >> 4];
        ret_text[2 * i + 1] = DIGITS[bytes[i] & 0x0F];
    }
    ret_text[2 * count] = '\0';
}

/* 0 to 15, or -1. */
static int hex_value(char digit, bool lower_case_only)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    if (digit >= 'a' && digit <= 'f') {
        return digit - 'a' + 10;
    }
    return digit >= 'A' && digit <= 'F' && !lower_case_only ? digit - 'A' + 10 : -1;
}

bool sl_sign_unhex(struct sl_str text, bool lower_case_only, uint8_t *ret_bytes, size_t count)
{
    if (text.len % 2 != 0 || text.len / 2 != count) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (hex_value(text.ptr[i], lower_case_only) < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const unsigned high = (unsigned)hex_value(text.ptr[2 * i], false);
        const unsigned low = (unsigned)hex_value(text.ptr[2 * i + 1], false);
        ret_bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static const char BASE64_DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void sl_sign_base64(struct sl_str bytes, struct sl_buf *out)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        const size_t count = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t group = 0;
        for (size_t j = 0; j < 3; j++) {
            group = group << 8 | (j < count ? (uint8_t)bytes.ptr[i + j] : 0);
        }
        char digits[4];
        for (size_t j = 0; j < 4; j++) {
            digits[j] = j <= count ? BASE64_DIGITS[group >> (18 - 6 * j) & 0x3F] : '=';
        }
        (void)sl_buf_append(out, digits, sizeof(digits)); /* the caller sees out->overflow */
    }
}

/* 0 to 63, or -1. */
static int base64_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z') {
        return digit - 'A';
    }
    if (digit >= 'a' && digit <= 'z') {
        return digit - 'a' + 26;
    }
    if (digit >= '0' && digit <= '9') {
        return digit - '0' + 52;
    }
    return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

/* Digits only, the right number of '=' at the end, and no bits left over that an encoder would have had as 0. */
static bool base64_is_canonical(struct sl_str text, size_t padding)
{
    const size_t digits = text.len - padding;
    for (size_t i = 0; i < digits; i++) {
        if (base64_value(text.ptr[i]) < 0) {
            return false;
        }
    }
    const int spare_bits = padding == 1 ? 0x03 : padding == 2 ? 0x0F : 0;
    return digits == 0 || (base64_value(text.ptr[digits - 1]) & spare_bits) == 0;
}

bool sl_sign_unbase64(struct sl_str text, uint8_t *ret_bytes, size_t bytes_max, size_t *ret_count)
{
    if (text.len % 4 != 0) {
        return false;
    }
    size_t padding = 0;
    while (padding < 2 && padding < text.len && text.ptr[text.len - 1 - padding] == '=') {
        padding++;
    }
    const size_t count = text.len / 4 * 3 - padding;
    if (count > bytes_max || !base64_is_canonical(text, padding)) {
        return false;
    }
    for (size_t i = 0, written = 0; i < text.len; i += 4) {
        uint32_t group = 0;
        for (size_t j = 0; j < 4; j++) {
            const char digit = text.ptr[i + j];
            group = group << 6 | (digit == '=' ? 0 : (uint32_t)base64_value(digit));
        }
        for (int shift = 16; shift >= 0 && written < count; shift -= 8) {
            ret_bytes[written++] = (uint8_t)(group >> shift);
        }
    }
    *ret_count = count;
    return true;
}
