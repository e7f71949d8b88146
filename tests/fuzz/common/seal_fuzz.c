/* seal_fuzz.c - any text as a sealed one, any text as a ring of keys.
 *
 * What is sealed opens under its keys and context to what it was, and under no other context; nothing opens but what
 * was sealed, whichever byte of it is changed; a refusal appends nothing and quotes no key.
 *
 * Input: a byte and a value that change the sealed text; the context, up to the next NUL; the text.
 */
#include "common/seal.h"
#include "tests/fuzz/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEYS "new:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=,old:AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="

static struct sl_seal_ring *ring_of(struct sl_str keys)
{
    struct sl_seal_ring *ring = NULL;
    struct sl_err err = {0};
    bool ok = sl_seal_ring_create(keys, &ring, &err);
    SL_ASSERT(ok == (ring != NULL) && (ok || err.error_class == SL_ERR_PERMANENT));
    return ring;
}

static void expect_closed(const struct sl_seal_ring *ring, struct sl_str sealed, struct sl_str context)
{
    struct sl_buf out;
    struct sl_err err = {0};
    sl_buf_init(&out, SL_SEAL_TEXT_MAX);
    SL_ASSERT(!sl_seal_open(ring, sealed, context, &out, &err));
    SL_ASSERT(err.error_class == SL_ERR_PERMANENT && out.len == 0);
    sl_buf_deinit(&out);
}

static void check_sealed(const struct sl_seal_ring *ring, struct sl_str context, struct sl_str text, size_t place,
                         uint8_t change)
{
    uint8_t mac[SL_SHA256_BYTES];
    struct sl_buf sealed, out;
    struct sl_err err = {0};
    const struct sl_str parts[] = {context, text};
    sl_seal_mac(ring, parts, SL_ARRAY_LEN(parts), mac);
    sl_buf_init(&sealed, SL_SEAL_SEALED_MAX);
    sl_buf_init(&out, SL_SEAL_TEXT_MAX);
    SL_ASSERT(sl_seal(ring, mac, context, text, &sealed));
    SL_ASSERT(sl_seal_open(ring, sl_buf_str(&sealed), context, &out, &err));
    SL_ASSERT(sl_str_equal(sl_buf_str(&out), text));
    expect_closed(ring, sl_buf_str(&sealed), SL_STR("another context, longer than any"));
    if (change) {
        sealed.data[place % sealed.len] = (char)(sealed.data[place % sealed.len] ^ change);
        expect_closed(ring, sl_buf_str(&sealed), context);
    }
    sl_buf_deinit(&out);
    sl_buf_deinit(&sealed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_bytes bytes = {.at = data, .left = size};
    size_t place = fuzz_byte(&bytes) * 16U + fuzz_byte(&bytes);
    uint8_t change = (uint8_t)fuzz_byte(&bytes);
    struct sl_str context = fuzz_text(&bytes);
    struct sl_str text = fuzz_rest(&bytes);
    struct sl_seal_ring *ring = ring_of(SL_STR(KEYS));
    if (!sl_str_is(context, "another context, longer than any"))
        check_sealed(ring, context, text, place, change);
    expect_closed(ring, text, context);
    sl_seal_ring_destroy(ring);
    sl_seal_ring_destroy(ring_of(text));
    fuzz_free(context);
    fuzz_free(text);
    return 0;
}
