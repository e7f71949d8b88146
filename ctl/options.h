/* options.h - sluicectl's command line: flags with values anywhere, the rest are words in order. */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include "common/err.h"

#define OPTIONS_WORDS_MAX 8

enum option {
    OPTION_CONFIG = 0,
    OPTION_USER,
    OPTION_AGENT,
    OPTION_STATUS,
    OPTION_KIND,
    OPTION_TYPE,
    OPTION_OUTCOME,
    OPTION_SOURCE,
    OPTION_SINCE,
    OPTION_UNTIL,
    OPTION_LIMIT,
    OPTION_WAIT,
    OPTION_FROM,
    OPTION_TO,
    OPTION_CAUSE,
    OPTION_STAGE,
    OPTION_ID,
    OPTION_CANARY,
    OPTION_RATE,
    OPTION_REASON,
    OPTION_GRACE,
    OPTION_HOOK,
    OPTION_VALUE_COUNT
};

struct options {
    const char *values[OPTION_VALUE_COUNT]; /* NULL: not given. Borrowed from argv. */
    const char *words[OPTIONS_WORDS_MAX];   /* noun, verb, arguments */
    int word_count;
    bool json, yes, dry_run, raw, all, fix, help, version, check;
};

/* Borrows argv's strings. False: what is wrong with which argument. */
SL_MUST_CHECK bool options_parse(int argc, char *const *argv, struct options *ret_options, struct sl_err *err);
/* The first option given, without its dashes, that is neither among the allowed (NULL at their end) nor one that every
 * command takes; NULL: all fit. */
const char *options_unfit(const struct options *options, const char *const *allowed);
/* The option as a number within the range; `fallback` when it was not given. */
SL_MUST_CHECK bool options_int(const struct options *options, enum option option, int64_t fallback, int64_t min,
                               int64_t max, int64_t *ret_value, struct sl_err *err);
/* --since and --until: RFC 3339, or a span ago such as 15m, 2h, 7d; 0 when not given. `now_ms` is wall-clock time. */
SL_MUST_CHECK bool options_time(const struct options *options, enum option option, int64_t now_ms, int64_t *ret_at_ms,
                                struct sl_err *err);

#endif
