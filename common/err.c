/* err.c - filling an error. Texts that don't fit are cut between characters. */
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"

#define TEXT_BYTES_MAX 1024 /* of the longest field and more, so that the cut sees whole characters */

/* By way of `scratch`: the arguments may point into the error itself ("… : %s", err->message). */
static void format_into(char *scratch, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

static void format_into(char *scratch, const char *format, va_list arguments)
{
    if (vsnprintf(scratch, TEXT_BYTES_MAX, format, arguments) < 0) {
        scratch[0] = '\0';
    }
}

static void put(char *field, size_t field_bytes, const char *text)
{
    const struct sl_str cut = sl_utf8_cut(sl_str_of(text), field_bytes - 1);
    memcpy(field, cut.ptr, cut.len);
    field[cut.len] = '\0';
}

bool sl_err_set(struct sl_err *err, enum sl_err_class error_class, const char *format, ...)
{
    if (err != NULL) {
        char text[TEXT_BYTES_MAX];
        va_list arguments;
        va_start(arguments, format);
        format_into(text, format, arguments);
        va_end(arguments);
        sl_err_clear(err);
        err->error_class = error_class;
        put(err->message, sizeof(err->message), text);
    }
    return false;
}

void sl_err_detail(struct sl_err *err, const char *format, ...)
{
    if (err != NULL) {
        char text[TEXT_BYTES_MAX];
        va_list arguments;
        va_start(arguments, format);
        format_into(text, format, arguments);
        va_end(arguments);
        put(err->detail, sizeof(err->detail), text);
    }
}

void sl_err_hint(struct sl_err *err, const char *format, ...)
{
    if (err != NULL) {
        char text[TEXT_BYTES_MAX];
        va_list arguments;
        va_start(arguments, format);
        format_into(text, format, arguments);
        va_end(arguments);
        put(err->hint, sizeof(err->hint), text);
    }
}

void sl_err_code(struct sl_err *err, const char *code)
{
    if (err != NULL) {
        char text[TEXT_BYTES_MAX];
        (void)snprintf(text, sizeof(text), "%s", code != NULL ? code : "");
        put(err->code, sizeof(err->code), text);
    }
}

void sl_err_clear(struct sl_err *err)
{
    if (err != NULL) {
        *err = (struct sl_err){.error_class = SL_ERR_NONE};
    }
}

const char *sl_err_class_name(enum sl_err_class error_class)
{
    static const char *const NAMES[SL_ERR_CLASS_COUNT] = {
        [SL_ERR_NONE] = "none",
        [SL_ERR_RETRY] = "retry",
        [SL_ERR_PERMANENT] = "permanent",
        [SL_ERR_FATAL] = "fatal",
    };
    SL_ASSERT(error_class < SL_ERR_CLASS_COUNT);
    return NAMES[error_class];
}
