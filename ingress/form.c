/* form.c - see form.h. */
#include "ingress/form.h"

#include "common/sign.h"

static bool decode(struct sl_str text, struct sl_arena *arena, struct sl_str *ret_value)
{
    char *bytes = sl_arena_alloc(arena, text.len + 1, 1);
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '+') {
            bytes[len++] = ' ';
        } else if (text.ptr[i] != '%') {
            bytes[len++] = text.ptr[i];
        } else {
            uint8_t byte = 0;
            if (text.len - i < 3 || !sl_sign_unhex((struct sl_str){.ptr = text.ptr + i + 1, .len = 2}, false, &byte, 1))
                return false;
            bytes[len++] = (char)byte;
            i += 2;
        }
    }
    *ret_value = (struct sl_str){.ptr = bytes, .len = len};
    return true;
}

bool form_get(struct sl_str body, const char *name, struct sl_arena *arena, struct sl_str *ret_value)
{
    while (!sl_str_empty(body)) {
        struct sl_str value = sl_str_cut(&body, '&');
        if (sl_str_is(sl_str_cut(&value, '='), name))
            return decode(value, arena, ret_value);
    }
    return false;
}
