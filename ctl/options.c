/* options.c - see options.h. Values come as "--user ID" or "--user=ID". */
#include "ctl/options.h"

#include <string.h>

#include "common/clock.h"
#include "common/str.h"

static const char *const NAMES[OPTION_VALUE_COUNT] = {
    [OPTION_CONFIG] = "config", [OPTION_USER] = "user",     [OPTION_AGENT] = "agent",     [OPTION_STATUS] = "status",
    [OPTION_KIND] = "kind",     [OPTION_TYPE] = "type",     [OPTION_OUTCOME] = "outcome", [OPTION_SOURCE] = "source",
    [OPTION_SINCE] = "since",   [OPTION_UNTIL] = "until",   [OPTION_LIMIT] = "limit",     [OPTION_WAIT] = "wait",
    [OPTION_FROM] = "from",     [OPTION_TO] = "to",         [OPTION_CAUSE] = "cause",     [OPTION_STAGE] = "stage",
    [OPTION_ID] = "id",         [OPTION_CANARY] = "canary", [OPTION_RATE] = "rate",       [OPTION_REASON] = "reason",
    [OPTION_GRACE] = "grace",   [OPTION_HOOK] = "hook",
};

struct flag {
    const char *name;
    size_t offset;
    bool is_everywhere; /* every command takes it */
};

static const struct flag FLAGS[] = {
    {"json", offsetof(struct options, json), true},   {"yes", offsetof(struct options, yes), true},
    {"help", offsetof(struct options, help), true},   {"version", offsetof(struct options, version), true},
    {"check", offsetof(struct options, check), true}, {"dry-run", offsetof(struct options, dry_run), false},
    {"raw", offsetof(struct options, raw), false},    {"all", offsetof(struct options, all), false},
    {"fix", offsetof(struct options, fix), false},
};

static bool is_among(const char *name, const char *const *allowed)
{
    for (size_t i = 0; allowed[i]; i++)
        if (strcmp(allowed[i], name) == 0)
            return true;
    return false;
}

const char *options_unfit(const struct options *options, const char *const *allowed)
{
    for (size_t i = OPTION_USER; i < OPTION_VALUE_COUNT; i++)
        if (options->values[i] && !is_among(NAMES[i], allowed))
            return NAMES[i];
    for (size_t i = 0; i < SL_ARRAY_LEN(FLAGS); i++) {
        bool is_given = *(const bool *)((const char *)options + FLAGS[i].offset);
        if (is_given && !FLAGS[i].is_everywhere && !is_among(FLAGS[i].name, allowed))
            return FLAGS[i].name;
    }
    return NULL;
}

static bool parse_flag(struct options *options, struct sl_str name)
{
    for (size_t i = 0; i < SL_ARRAY_LEN(FLAGS); i++) {
        if (sl_str_is(name, FLAGS[i].name)) {
            *(bool *)((char *)options + FLAGS[i].offset) = true;
            return true;
        }
    }
    return false;
}

/* `*index` moves on when the value is the next argument. */
static bool parse_value(struct options *options, int argc, char *const *argv, int *index, struct sl_err *err)
{
    const char *argument = argv[*index] + 2;
    const char *equals = strchr(argument, '=');
    struct sl_str name = {.ptr = argument, .len = equals ? (size_t)(equals - argument) : strlen(argument)};
    for (size_t i = 0; i < OPTION_VALUE_COUNT; i++) {
        if (!sl_str_is(name, NAMES[i]))
            continue;
        if (!equals && *index + 1 >= argc)
            return sl_err_set(err, SL_ERR_PERMANENT, "--%s needs a value", NAMES[i]);
        options->values[i] = equals ? equals + 1 : argv[++*index];
        return true;
    }
    (void)sl_err_set(err, SL_ERR_PERMANENT, "unknown option --%" SL_STR_FMT, SL_STR_ARG(name));
    sl_err_hint(err, "sluicectl --help lists the commands and their options");
    return false;
}

bool options_parse(int argc, char *const *argv, struct options *ret_options, struct sl_err *err)
{
    struct options options = {0};
    bool only_words = false;
    for (int i = 1; i < argc; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && strcmp(argv[i], "-h") == 0) {
            options.help = true;
        } else if (!only_words && strncmp(argv[i], "--", 2) == 0) {
            if (!parse_flag(&options, sl_str_of(argv[i] + 2)) && !parse_value(&options, argc, argv, &i, err))
                return false;
        } else {
            if (options.word_count == OPTIONS_WORDS_MAX)
                return sl_err_set(err, SL_ERR_PERMANENT, "too many arguments at \"%s\"", argv[i]);
            options.words[options.word_count++] = argv[i];
        }
    }
    *ret_options = options;
    return true;
}

bool options_int(const struct options *options, enum option option, int64_t fallback, int64_t min, int64_t max,
                 int64_t *ret_value, struct sl_err *err)
{
    int64_t value = fallback;
    if (options->values[option] && !sl_str_to_int64(sl_str_of(options->values[option]), &value))
        return sl_err_set(err, SL_ERR_PERMANENT, "--%s \"%s\" is not a number", NAMES[option], options->values[option]);
    if (value < min || value > max)
        return sl_err_set(err, SL_ERR_PERMANENT, "--%s %lld is not within %lld and %lld", NAMES[option],
                          (long long)value, (long long)min, (long long)max);
    *ret_value = value;
    return true;
}

static bool span_ms(struct sl_str text, int64_t *ret_ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } UNITS[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    if (text.len < 2)
        return false;
    for (size_t i = 0; i < SL_ARRAY_LEN(UNITS); i++) {
        int64_t count;
        struct sl_str digits = {.ptr = text.ptr, .len = text.len - 1};
        if (text.ptr[text.len - 1] == UNITS[i].unit && sl_str_to_int64(digits, &count) && count >= 0 &&
            count < 1000000) {
            *ret_ms = count * UNITS[i].ms;
            return true;
        }
    }
    return false;
}

bool options_time(const struct options *options, enum option option, int64_t now_ms, int64_t *ret_at_ms,
                  struct sl_err *err)
{
    const char *value = options->values[option];
    int64_t ago_ms;
    int64_t at_ms = 0;
    if (value && span_ms(sl_str_of(value), &ago_ms)) {
        at_ms = now_ms - ago_ms;
    } else if (value && !sl_clock_parse(sl_str_of(value), &at_ms)) {
        (void)sl_err_set(err, SL_ERR_PERMANENT, "--%s \"%s\" is no time", NAMES[option], value);
        sl_err_hint(err, "give RFC 3339 (2026-01-31T12:00:00Z) or a span ago (15m, 2h, 7d)");
        return false;
    }
    *ret_at_ms = at_ms;
    return true;
}
