/* log.c - building one line, writing it at once.
 *
 * A line is at most LINE_BYTES_MAX long: fields that don't fit any more are left out, and `cut=true` says so.
 */
#include "common/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/json.h"
#include "common/utf8.h"

#define VALUE_BYTES_MAX 1024
#define LINE_BYTES_MAX  ((size_t)16 * 1024)
#define LINE_END_BYTES  32 /* for the mark of a cut line, the brace and the newline */

static const char *const LEVEL_NAMES[SL_LOG_LEVEL_COUNT] = {"debug", "info", "warn", "error"};

/* Set in main before there are threads, read-only afterwards. */
static struct {
    const char *program;
    enum sl_log_level level_min;
    enum sl_log_format format;
} settings = {.program = "sluice", .level_min = SL_LOG_INFO, .format = SL_LOG_LOGFMT};

void sl_log_init(const char *program, enum sl_log_level level_min, enum sl_log_format format)
{
    SL_ASSERT(program != NULL && level_min < SL_LOG_LEVEL_COUNT);
    settings.program = program;
    settings.level_min = level_min;
    settings.format = format;
}

bool sl_log_enabled(enum sl_log_level level)
{
    return level >= settings.level_min;
}

bool sl_log_level_parse(struct sl_str text, enum sl_log_level *ret_level)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(LEVEL_NAMES); i++) {
        if (sl_str_is(text, LEVEL_NAMES[i])) {
            *ret_level = (enum sl_log_level)i;
            return true;
        }
    }
    return false;
}

/* logfmt leaves a value bare when nothing in it could be taken for something else. */
static bool is_bare(struct sl_str value)
{
    for (size_t i = 0; i < value.len; i++) {
        const unsigned char byte = (unsigned char)value.ptr[i];
        if (byte <= ' ' || byte >= 0x7F || byte == '"' || byte == '=' || byte == '\\') {
            return false;
        }
    }
    return value.len > 0;
}

static void append_key(struct sl_buf *line, const char *key)
{
    const bool first = line->len <= 1; /* JSON has its brace already */
    if (settings.format == SL_LOG_JSON) {
        (void)(first || sl_buf_append_char(line, ','));
        (void)sl_json_write_str(line, sl_str_of(key));
        (void)sl_buf_append_char(line, ':');
    } else {
        (void)(first || sl_buf_append_char(line, ' '));
        (void)sl_buf_append_cstr(line, key);
        (void)sl_buf_append_char(line, '=');
    }
}

static void append_cut(struct sl_buf *line, struct sl_str value)
{
    char text[VALUE_BYTES_MAX + sizeof("…")];
    const struct sl_str kept = sl_utf8_cut(value, VALUE_BYTES_MAX);
    memcpy(text, kept.ptr, kept.len);
    memcpy(text + kept.len, "…", sizeof("…"));
    (void)sl_json_write_str(line, (struct sl_str){.ptr = text, .len = kept.len + sizeof("…") - 1});
}

static void append_text(struct sl_buf *line, const char *key, struct sl_str value)
{
    append_key(line, key);
    if (value.len > VALUE_BYTES_MAX) {
        append_cut(line, value);
    } else if (settings.format == SL_LOG_LOGFMT && is_bare(value)) {
        (void)sl_buf_append_str(line, value);
    } else {
        (void)sl_json_write_str(line, value);
    }
}

static void append_unless_empty(struct sl_buf *line, const char *key, const char *value)
{
    if (value[0] != '\0') {
        append_text(line, key, sl_str_of(value));
    }
}

static void append_err(struct sl_buf *line, const struct sl_err *err)
{
    if (err == NULL || err->error_class == SL_ERR_NONE) {
        return;
    }
    append_text(line, "error", sl_str_of(err->message));
    append_unless_empty(line, "code", err->code);
    append_unless_empty(line, "detail", err->detail);
    append_unless_empty(line, "hint", err->hint);
    append_text(line, "class", sl_str_of(sl_err_class_name(err->error_class)));
}

static void append_field(struct sl_buf *line, const struct sl_log_field *field)
{
    switch (field->type) {
    case SL_LOG_FIELD_STR:
        append_text(line, field->key, field->text);
        break;
    case SL_LOG_FIELD_INT:
        append_key(line, field->key);
        (void)sl_buf_printf(line, "%lld", (long long)field->number);
        break;
    case SL_LOG_FIELD_ERR:
        append_err(line, field->err);
        break;
    case SL_LOG_FIELD_END:
        break;
    }
}

/* Takes a field back that has gone into the room kept for the end: a line is cut between fields, never within. */
static bool fits(struct sl_buf *line, size_t len_before)
{
    if (!line->overflow && line->len <= LINE_BYTES_MAX - LINE_END_BYTES) {
        return true;
    }
    line->overflow = false;
    line->len = len_before;
    line->data[len_before] = '\0';
    append_key(line, "cut");
    (void)sl_buf_append_cstr(line, "true");
    return false;
}

static void write_line(struct sl_str line)
{
    ssize_t written;
    do {
        written = write(STDERR_FILENO, line.ptr, line.len);
    } while (written < 0 && errno == EINTR);
    /* A full pipe or disk has nobody left to tell. */
}

void sl_log_write(enum sl_log_level level, const char *component, const char *message,
                  const struct sl_log_field *fields)
{
    SL_ASSERT(level < SL_LOG_LEVEL_COUNT);
    if (!sl_log_enabled(level)) {
        return;
    }
    const int saved_errno = errno; /* callers may look at it after logging */
    struct sl_buf line;
    sl_buf_init(&line, LINE_BYTES_MAX);
    char now[SL_CLOCK_ISO_BYTES];
    sl_clock_format_iso(sl_clock_wall_ms(), now);
    if (settings.format == SL_LOG_JSON) {
        (void)sl_buf_append_char(&line, '{');
    }
    append_text(&line, "ts", sl_str_of(now));
    append_text(&line, "level", sl_str_of(LEVEL_NAMES[level]));
    append_text(&line, "program", sl_str_of(settings.program));
    append_text(&line, "component", sl_str_of(component));
    append_text(&line, "msg", sl_str_of(message));
    size_t len_before = line.len;
    for (const struct sl_log_field *field = fields; field->type != SL_LOG_FIELD_END; field++) {
        append_field(&line, field);
        if (!fits(&line, len_before)) {
            break;
        }
        len_before = line.len;
    }
    (void)sl_buf_append_cstr(&line, settings.format == SL_LOG_JSON ? "}\n" : "\n");
    write_line(sl_buf_str(&line));
    sl_buf_deinit(&line);
    errno = saved_errno;
}
