/* config_value.c - units, ranges and choices; a table of units per type. */
#include "common/config_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_file.h"
#include "common/utf8.h"

#define REASON_BYTES    256
#define QUOTE_BYTES_MAX 60 /* of a bad value in a message */
#define VARIABLE_MAX    128

struct unit {
    const char *name;
    int64_t factor;
};

/* The largest first: what a limit is written in. */
static const struct unit DURATIONS[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};
static const struct unit SIZES[] = {
    {"GiB", 1073741824}, {"MiB", 1048576}, {"KiB", 1024}, {"B", 1}, {"", 1},
};

enum config_found config_value_from_environment(const char *name, struct sl_buf *out, struct config_problems *problems)
{
    char file_name[VARIABLE_MAX + 8];
    (void)snprintf(file_name, sizeof(file_name), "%s_FILE", name);
    const char *value = getenv(name);
    const char *path = getenv(file_name);
    const bool has_value = value != NULL && value[0] != '\0';
    const bool has_file = path != NULL && path[0] != '\0';
    if (has_value && has_file) {
        config_problem_at(problems, name, "%s and %s are both set: keep one of them", name, file_name);
        return CONFIG_BAD;
    }
    if (has_value) {
        if (!sl_buf_append_cstr(out, value)) {
            config_problem_at(problems, name, "the value is longer than %zu bytes", CONFIG_VALUE_BYTES_MAX);
            return CONFIG_BAD;
        }
        return CONFIG_FOUND;
    }
    if (!has_file) {
        return CONFIG_ABSENT;
    }
    const size_t len_before = out->len;
    char reason[128];
    if (!config_file_slurp(path, out, reason)) {
        config_problem_at(problems, file_name, "the file %s %s", path, reason);
        return CONFIG_BAD;
    }
    while (out->len > len_before && (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r')) {
        out->data[--out->len] = '\0';
    }
    return out->len > len_before ? CONFIG_FOUND : CONFIG_ABSENT;
}

static bool is_variable(struct sl_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        const char byte = name.ptr[i];
        const bool letter = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || byte == '_';
        if (!letter && (i == 0 || byte < '0' || byte > '9')) {
            return false;
        }
    }
    return name.len > 0 && name.len < VARIABLE_MAX;
}

bool config_value_expand(struct sl_str text, struct sl_buf *out, struct config_problems *problems,
                         char ret_reason[REASON_BYTES])
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '$' || i + 1 == text.len || text.ptr[i + 1] != '{') {
            (void)sl_buf_append_char(out, text.ptr[i]);
            continue;
        }
        struct sl_str rest = {.ptr = text.ptr + i + 2, .len = text.len - i - 2};
        const bool closed = rest.len > 0 && memchr(rest.ptr, '}', rest.len) != NULL;
        const struct sl_str name = sl_str_cut(&rest, '}');
        if (!closed || !is_variable(name)) {
            (void)snprintf(ret_reason, REASON_BYTES, "${ without a variable's name and }; write ${NAME}");
            return false;
        }
        char variable[VARIABLE_MAX];
        (void)snprintf(variable, sizeof(variable), "%" SL_STR_FMT, SL_STR_ARG(name));
        if (config_value_from_environment(variable, out, problems) == CONFIG_BAD) {
            (void)snprintf(ret_reason, REASON_BYTES, "${%s} can't be had, see there", variable);
            return false;
        }
        i += 2 + name.len; /* at the '}' */
    }
    if (out->overflow) {
        (void)snprintf(ret_reason, REASON_BYTES, "longer than %zu bytes", CONFIG_VALUE_BYTES_MAX);
        return false;
    }
    return true;
}

/* What is wrong with `text`, quoted (cut, and printable: it ends on a terminal), and what would be right. */
static bool refuse(char *ret_reason, struct sl_str text, const char *instead)
{
    char quoted[QUOTE_BYTES_MAX + 1];
    const struct sl_str kept = sl_utf8_cut(text, QUOTE_BYTES_MAX);
    for (size_t i = 0; i < kept.len; i++) {
        const unsigned char byte = (unsigned char)kept.ptr[i];
        quoted[i] = byte < ' ' || byte == 0x7F ? '?' : (char)byte;
    }
    quoted[kept.len] = '\0';
    (void)snprintf(ret_reason, REASON_BYTES, "\"%s\" is %s", quoted, instead);
    return false;
}

static bool parse_with_unit(struct sl_str text, const struct unit *units, size_t unit_count, int64_t *ret_number)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') {
        digits++;
    }
    int64_t number;
    if (!sl_str_to_int64((struct sl_str){.ptr = text.ptr, .len = digits}, &number)) {
        return false;
    }
    const struct sl_str name = sl_str_trim((struct sl_str){.ptr = text.ptr + digits, .len = text.len - digits});
    for (size_t i = 0; i < unit_count; i++) {
        if (sl_str_is(name, units[i].name)) {
            if (number > INT64_MAX / units[i].factor) {
                return false;
            }
            *ret_number = number * units[i].factor;
            return true;
        }
    }
    *ret_number = 0;
    return name.len == 0 && number == 0;
}

static bool parse_switch(struct sl_str text, int64_t *ret_number)
{
    static const struct {
        const char *name;
        int64_t value;
    } WORDS[] = {{"on", 1}, {"off", 0}, {"true", 1}, {"false", 0}, {"yes", 1}, {"no", 0}};
    for (size_t i = 0; i < SL_ARRAY_LEN(WORDS); i++) {
        if (sl_str_equal_ignore_case(text, sl_str_of(WORDS[i].name))) {
            *ret_number = WORDS[i].value;
            return true;
        }
    }
    return false;
}

static bool parse_choice(const char *choices, struct sl_str text, struct sl_str *ret_text)
{
    struct sl_str rest = sl_str_of(choices);
    while (rest.len > 0) {
        const struct sl_str choice = sl_str_cut(&rest, '|');
        if (sl_str_equal_ignore_case(text, choice)) {
            *ret_text = choice;
            return true;
        }
    }
    return false;
}

/* A number in the largest unit that it is a whole multiple of. */
static void format_number(const struct unit *units, size_t unit_count, int64_t number, char ret_text[32])
{
    for (size_t i = 0; i < unit_count; i++) {
        if (number != 0 && number % units[i].factor == 0) {
            (void)snprintf(ret_text, 32, "%" PRId64 "%s", number / units[i].factor, units[i].name);
            return;
        }
    }
    (void)snprintf(ret_text, 32, "%" PRId64, number);
}

static bool check_range(const struct sl_config_key *key, struct sl_str text, int64_t number, char *ret_reason)
{
    if ((key->min == 0 && key->max == 0) || (number >= key->min && number <= key->max)) {
        return true;
    }
    const struct unit *units = key->type == SL_CONFIG_DURATION ? DURATIONS : SIZES;
    const size_t unit_count = key->type == SL_CONFIG_INT ? 0 : SL_ARRAY_LEN(SIZES);
    char least[32], most[32], instead[96];
    format_number(units, unit_count, key->min, least);
    format_number(units, unit_count, key->max, most);
    (void)snprintf(instead, sizeof(instead), "out of range: from %s to %s", least, most);
    return refuse(ret_reason, text, instead);
}

_Static_assert(SL_ARRAY_LEN(DURATIONS) == SL_ARRAY_LEN(SIZES), "check_range takes one count for both");

static bool parse_number(const struct sl_config_key *key, struct sl_str text, int64_t *ret_number, char *ret_reason)
{
    int64_t number = 0;
    if (key->type == SL_CONFIG_INT && !sl_str_to_int64(text, &number)) {
        return refuse(ret_reason, text, "no whole number");
    }
    if (key->type == SL_CONFIG_DURATION && !parse_with_unit(text, DURATIONS, SL_ARRAY_LEN(DURATIONS), &number)) {
        return refuse(ret_reason, text, "no duration: write a number and its unit, such as 500ms, 60s, 30m, 12h or 7d");
    }
    if (key->type == SL_CONFIG_SIZE && !parse_with_unit(text, SIZES, SL_ARRAY_LEN(SIZES), &number)) {
        return refuse(ret_reason, text, "no size: write bytes, or a number and its unit, such as 4KiB, 1MiB or 1GiB");
    }
    if (!check_range(key, text, number, ret_reason)) {
        return false;
    }
    *ret_number = number;
    return true;
}

bool config_value_parse(const struct sl_config_key *key, struct sl_str text, struct sl_str *ret_text,
                        int64_t *ret_number, char ret_reason[REASON_BYTES])
{
    const struct sl_str trimmed = sl_str_trim(text);
    int64_t number = 0;
    struct sl_str kept = trimmed;
    switch (key->type) {
    case SL_CONFIG_TEXT:
        if (!sl_utf8_is_text(text)) {
            (void)snprintf(ret_reason, REASON_BYTES, "the value is not UTF-8");
            return false;
        }
        kept = text;
        break;
    case SL_CONFIG_SECRET: /* any bytes */
        kept = text;
        break;
    case SL_CONFIG_SWITCH:
        if (!parse_switch(trimmed, &number)) {
            return refuse(ret_reason, trimmed, "no switch: write on or off");
        }
        break;
    case SL_CONFIG_CHOICE:
        if (!parse_choice(key->choices, trimmed, &kept)) {
            char instead[160];
            (void)snprintf(instead, sizeof(instead), "none of %s", key->choices);
            return refuse(ret_reason, trimmed, instead);
        }
        break;
    case SL_CONFIG_INT:
    case SL_CONFIG_DURATION:
    case SL_CONFIG_SIZE:
        if (!parse_number(key, trimmed, &number, ret_reason)) {
            return false;
        }
        break;
    case SL_CONFIG_TYPE_COUNT:
        SL_ASSERT(key->type != SL_CONFIG_TYPE_COUNT);
    }
    *ret_text = kept;
    *ret_number = number;
    return true;
}
