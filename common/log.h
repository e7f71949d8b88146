/* log.h - one line an event, logfmt or JSON, to stderr.
 *
 * Only the level that decides logs (programs, never libraries in common/). Values are escaped and cut at 1,024 bytes;
 * secrets have no field type. Any thread may log: a line is one write(2). Initialised once in main before threads
 * start.
 */
#ifndef SL_LOG_H
#define SL_LOG_H

#include "common/err.h"
#include "common/str.h"

enum sl_log_level { SL_LOG_DEBUG = 0, SL_LOG_INFO, SL_LOG_WARN, SL_LOG_ERROR, SL_LOG_LEVEL_COUNT };
enum sl_log_format { SL_LOG_LOGFMT = 0, SL_LOG_JSON };

enum sl_log_field_type { SL_LOG_FIELD_END = 0, SL_LOG_FIELD_STR, SL_LOG_FIELD_INT, SL_LOG_FIELD_ERR };

struct sl_log_field {
    enum sl_log_field_type type;
    const char *key;
    struct sl_str text;
    int64_t number;
    const struct sl_err *err; /* written as error=, code=, detail=, hint=, class=; empty ones are left out */
};

#define LOG_STR(k, v)                                                                                                  \
    {                                                                                                                  \
        .type = SL_LOG_FIELD_STR, .key = (k), .text = (v)                                                              \
    }
#define LOG_CSTR(k, v)                                                                                                 \
    {                                                                                                                  \
        .type = SL_LOG_FIELD_STR, .key = (k), .text = sl_str_of(v)                                                     \
    }
#define LOG_INT(k, v)                                                                                                  \
    {                                                                                                                  \
        .type = SL_LOG_FIELD_INT, .key = (k), .number = (int64_t)(v)                                                   \
    }
#define LOG_ERR(e)                                                                                                     \
    {                                                                                                                  \
        .type = SL_LOG_FIELD_ERR, .err = (e)                                                                           \
    }

/* sl_log(SL_LOG_INFO, "batch", "batch committed", LOG_INT("events", n), LOG_STR("topic", topic)) */
#define sl_log(level, component, ...) SL_LOG_PICK(level, component, __VA_ARGS__, {.type = SL_LOG_FIELD_END})
#define SL_LOG_PICK(level, component, message, ...)                                                                    \
    sl_log_write((level), (component), (message), (const struct sl_log_field[]){__VA_ARGS__})

void sl_log_init(const char *program, enum sl_log_level level_min, enum sl_log_format format);
void sl_log_write(enum sl_log_level level, const char *component, const char *message,
                  const struct sl_log_field *fields);
bool sl_log_enabled(enum sl_log_level level);
SL_MUST_CHECK bool sl_log_level_parse(struct sl_str text, enum sl_log_level *ret_level);

#endif
