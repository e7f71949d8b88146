/* media.c - see media.h. */
#include "ingress/media.h"

static struct sl_str unquote(struct sl_str text)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        return (struct sl_str){.ptr = text.ptr + 1, .len = text.len - 2};
    return text;
}

enum media_type media_type_of(struct sl_str content_type)
{
    struct sl_str rest = content_type;
    struct sl_str essence = sl_str_trim(sl_str_cut(&rest, ';'));
    while (!sl_str_empty(rest)) {
        struct sl_str value = sl_str_trim(sl_str_cut(&rest, ';'));
        struct sl_str name = sl_str_trim(sl_str_cut(&value, '='));
        if (sl_str_equal_ignore_case(name, SL_STR("charset")) &&
            !sl_str_equal_ignore_case(unquote(sl_str_trim(value)), SL_STR("utf-8")))
            return MEDIA_OTHER;
    }
    if (sl_str_empty(essence))
        return sl_str_empty(content_type) ? MEDIA_NONE : MEDIA_OTHER;
    if (sl_str_equal_ignore_case(essence, SL_STR("application/json")))
        return MEDIA_JSON;
    return sl_str_equal_ignore_case(essence, SL_STR("application/x-www-form-urlencoded")) ? MEDIA_FORM : MEDIA_OTHER;
}
