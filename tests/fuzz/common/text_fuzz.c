/* text_fuzz.c - any bytes as text.
 *
 * UTF-8 is well-formed exactly where a second decoder, by arithmetic instead of a table, finds it so; base64,
 * base64url, hexadecimal, UUIDs and integers are taken only in the one spelling that writing what was read gives again.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/sign.h"
#include "common/utf8.h"
#include "common/uuid.h"
#include "tests/fuzz/bytes.h"
#include "web/base64url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The length of the character at `index`, by its value: not overlong, no surrogate, not above U+10FFFF. */
static size_t reference_character(struct sl_str text, size_t index, uint32_t *ret_code)
{
    static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char lead = (unsigned char)text.ptr[index];
    size_t bytes = 1;
    for (unsigned bit = 0x80; lead >= 0xC0 && (lead & bit >> bytes); bytes++)
        continue;
    if (lead < 0x80) {
        *ret_code = lead;
        return 1;
    }
    if (lead < 0xC0 || bytes > 4 || text.len - index < bytes)
        return 0;
    uint32_t code = lead & (0xFFU >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++) {
        unsigned char tail = (unsigned char)text.ptr[index + i];
        if (tail < 0x80 || tail > 0xBF)
            return 0;
        code = code * 64 + (tail - 0x80U);
    }
    *ret_code = code;
    return code < LEAST[bytes] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) ? 0 : bytes;
}

static void check_utf8(struct sl_str text)
{
    bool is_valid = true;
    bool has_nul = false;
    bool has_control = false;
    for (size_t i = 0; i < text.len;) {
        uint32_t code = 0;
        size_t bytes = reference_character(text, i, &code);
        SL_ASSERT(sl_utf8_bytes_at(text, i) == bytes);
        SL_ASSERT(bytes == 0 || sl_utf8_code_at(text, i) == code);
        is_valid = is_valid && bytes > 0;
        has_nul = has_nul || text.ptr[i] == '\0';
        has_control = has_control || (unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7F;
        i += bytes > 0 ? bytes : 1;
    }
    SL_ASSERT(sl_utf8_is_valid(text) == is_valid);
    SL_ASSERT(sl_utf8_is_text(text) == (is_valid && !has_nul));
    SL_ASSERT(sl_utf8_is_plain(text) == (is_valid && !has_control));
    for (size_t max = 0; max <= text.len && max < 16; max++) {
        struct sl_str cut = sl_utf8_cut(text, max);
        SL_ASSERT(cut.len <= max && cut.ptr == text.ptr);
        SL_ASSERT(!is_valid || (sl_utf8_is_valid(cut) && max - cut.len < 4));
    }
}

static void check_base64(struct sl_str text)
{
    uint8_t bytes[4096];
    size_t count = 0;
    struct sl_buf again;
    sl_buf_init(&again, 2 * sizeof(bytes));
    if (sl_sign_unbase64(text, bytes, sizeof(bytes), &count)) {
        sl_sign_base64((struct sl_str){.ptr = (const char *)bytes, .len = count}, &again);
        SL_ASSERT(sl_str_equal(sl_buf_str(&again), text));
        uint8_t *exact = sl_malloc(count + 1);
        SL_ASSERT(count == 0 || !sl_sign_unbase64(text, exact, count - 1, &count));
        free(exact);
    }
    sl_buf_reset(&again);
    if (base64url_decode(text, bytes, sizeof(bytes), &count)) {
        /* The same digits but for two, and the padding left out. */
        sl_sign_base64((struct sl_str){.ptr = (const char *)bytes, .len = count}, &again);
        struct sl_str padded = sl_buf_str(&again);
        SL_ASSERT(padded.len >= text.len && padded.len < text.len + 3);
        for (size_t i = 0; i < padded.len; i++) {
            char digit = padded.ptr[i] == '+' ? '-' : padded.ptr[i] == '/' ? '_' : padded.ptr[i];
            SL_ASSERT(i < text.len ? digit == text.ptr[i] : digit == '=');
        }
    }
    sl_buf_deinit(&again);
    /* Any bytes, there and back. */
    sl_buf_init(&again, 2 * text.len + 8);
    sl_sign_base64(text, &again);
    SL_ASSERT(!again.overflow &&
              (text.len > sizeof(bytes) || sl_sign_unbase64(sl_buf_str(&again), bytes, sizeof(bytes), &count)));
    SL_ASSERT(text.len > sizeof(bytes) || (count == text.len && memcmp(bytes, text.ptr, count) == 0));
    sl_buf_deinit(&again);
}

static void check_hex(struct sl_str text)
{
    uint8_t bytes[64];
    char again[2 * sizeof(bytes) + 1];
    size_t count = text.len / 2 < sizeof(bytes) ? text.len / 2 : sizeof(bytes);
    if (sl_sign_unhex(text, false, bytes, count)) {
        sl_sign_hex(bytes, count, again);
        SL_ASSERT(sl_str_equal_ignore_case(sl_str_of(again), text));
        SL_ASSERT(sl_sign_unhex(text, true, bytes, count) == sl_str_is(text, again));
    } else {
        SL_ASSERT(!sl_sign_unhex(text, true, bytes, count));
    }
}

static void check_numbers(struct sl_str text)
{
    int64_t value = 0;
    struct sl_uuid uuid;
    char again[SL_UUID_TEXT_BYTES];
    if (sl_str_to_int64(text, &value)) {
        /* Leading zeros, and a sign before nothing but them, are all that may differ. */
        struct sl_str digits = text;
        bool negative = digits.ptr[0] == '-';
        digits.ptr += negative;
        digits.len -= negative;
        while (digits.len > 1 && digits.ptr[0] == '0') {
            digits.ptr++;
            digits.len--;
        }
        (void)snprintf(again, sizeof(again), "%" PRId64, value);
        SL_ASSERT(sl_str_equal(digits, sl_str_of(again + (value < 0))) && (value == 0 || (value < 0) == negative));
    }
    if (sl_uuid_parse(text, &uuid)) {
        sl_uuid_format(uuid, again);
        SL_ASSERT(sl_str_equal_ignore_case(text, sl_str_of(again)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes bytes = {.at = data, .left = size};
    struct sl_str text = fuzz_rest(&bytes);
    check_utf8(text);
    check_base64(text);
    check_hex(text);
    check_numbers(text);
    fuzz_free(text);
    return 0;
}
