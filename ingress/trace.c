/* trace.c - see trace.h. */
#include "ingress/trace.h"

#include <string.h>

#include "common/sign.h"

#define TRACE_PARENT_LEN (TRACE_PARENT_BYTES - 1)

static bool is_lower_hex(struct sl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!memchr("0123456789abcdef", text.ptr[i], 16))
            return false;
    }
    return true;
}

static bool is_zero(struct sl_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '0')
            return false;
    }
    return true;
}

/* Versions after 00 may go on behind the flags; ff is none. */
static bool is_well_formed(struct sl_str given)
{
    if (given.len < TRACE_PARENT_LEN || given.ptr[2] != '-' || given.ptr[35] != '-' || given.ptr[52] != '-')
        return false;
    struct sl_str version = {.ptr = given.ptr, .len = 2};
    struct sl_str trace_id = {.ptr = given.ptr + 3, .len = 32};
    struct sl_str parent_id = {.ptr = given.ptr + 36, .len = 16};
    struct sl_str flags = {.ptr = given.ptr + 53, .len = 2};
    if (!is_lower_hex(version) || !is_lower_hex(trace_id) || !is_lower_hex(parent_id) || !is_lower_hex(flags))
        return false;
    bool ends = given.len == TRACE_PARENT_LEN || (!sl_str_is(version, "00") && given.ptr[TRACE_PARENT_LEN] == '-');
    return ends && !sl_str_is(version, "ff") && !is_zero(trace_id) && !is_zero(parent_id);
}

void trace_parent(struct sl_str given, const uint8_t random[TRACE_RANDOM_BYTES], char ret_text[TRACE_PARENT_BYTES])
{
    if (is_well_formed(given)) {
        memcpy(ret_text, given.ptr, TRACE_PARENT_LEN);
        memcpy(ret_text, "00", 2);
        ret_text[TRACE_PARENT_LEN] = '\0';
        return;
    }
    memcpy(ret_text, "00-", 3);
    sl_sign_hex(random, 16, ret_text + 3);
    ret_text[35] = '-';
    sl_sign_hex(random + 16, 8, ret_text + 36);
    /* All zero would be invalid; the odds are nothing, the guard costs nothing. */
    ret_text[34] = ret_text[34] == '0' ? '1' : ret_text[34];
    ret_text[51] = ret_text[51] == '0' ? '1' : ret_text[51];
    memcpy(ret_text + 52, "-00", 4);
}
